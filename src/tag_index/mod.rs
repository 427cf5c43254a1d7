//! The tag index's decisions, free of I/O.
//!
//! | module | what it has |
//! |---|---|
//! | `deliveries` | which deliveries a round attempts, and what becomes of one that was attempted |
//! | `tables` | the log, the shards that carry a tag, the deliveries and purges still to be made |

mod deliveries;
pub mod tables;

pub use self::deliveries::{ACKNOWLEDGE_WITHIN, BATCH, Round, attempts, settle};
