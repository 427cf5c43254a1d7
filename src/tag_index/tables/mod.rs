//! The tag index object's tables.
//!
//! | module | what it has |
//! |---|---|
//! | `store` | the database: its schema and the object's own facts |
//! | `log` | which shards carry a tag, the log of invalidations, and the feed |
//! | `deliveries` | deliveries of invalidations to coordinators |
//! | `purges` | what has still to be purged in which downstream cache, and when |
//! | `inspection` | what is known of tags and coordinators, for callers |

mod deliveries;
mod inspection;
mod log;
mod purges;
mod store;
#[cfg(test)]
mod tests;

pub use self::deliveries::Delivery;
pub use self::log::Registered;
pub use self::purges::PurgeBatch;
pub use self::store::{SKEW, TagIndexStore};
