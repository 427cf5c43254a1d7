//! The tag index object's tables.
//!
//! | module | contents |
//! |---|---|
//! | `store` | the database: its schema and the object's own facts |
//! | `log` | the shards that carry a tag, and the log of invalidations |
//! | `feed` | the feed that edges poll, and the log's identity |
//! | `deliveries` | deliveries of invalidations to coordinators |
//! | `dropped` | the bound of pending deliveries |
//! | `forgotten` | tags and coordinators that no page needs any more |
//! | `purges` | pending purges of downstream caches |
//! | `inspection` | the state of tags and coordinators, for callers |
//! | `survey` | lists, for the admin API |

mod deliveries;
mod dropped;
mod feed;
mod forgotten;
mod inspection;
mod log;
mod purges;
mod store;
mod survey;
#[cfg(test)]
mod tests;

pub use self::deliveries::Delivery;
pub use self::log::RegisterResult;
pub use self::purges::PurgeBatch;
pub use self::store::{SKEW, TagIndexStore};
