//! The tag index's decisions, free of I/O.
//!
//! | module | contents |
//! |---|---|
//! | `deliveries` | the deliveries that a round attempts, and their results |
//! | `tables` | the log, the shards that carry a tag, pending deliveries and purges |

mod deliveries;
pub mod tables;

pub use self::deliveries::{ACKNOWLEDGE_WITHIN, BATCH, Round, attempts, settle};
