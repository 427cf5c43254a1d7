//! The tag index object's tables.
//!
//! | module | what it has |
//! |---|---|
//! | `log` | which shards carry a tag, the log of invalidations, deliveries still to be made |
//! | `purges` | what has still to be purged in which downstream cache, and when |
//! | `inspection` | what is known of tags and coordinators, for callers |

mod inspection;
mod log;
mod purges;
#[cfg(test)]
mod tests;

pub use self::log::{Delivery, Registered, SKEW, TagIndexStore};
pub use self::purges::PurgeBatch;
