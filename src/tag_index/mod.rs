//! The tag index's decisions, free of I/O.
//!
//! | module | contents |
//! |---|---|
//! | `deliveries` | the deliveries that a round attempts, and their results |
//! | `hanging` | the coordinators that no caller waits for |
//! | `tables` | the log, the shards that carry a tag, pending deliveries and purges |

mod deliveries;
mod hanging;
pub mod tables;

pub use self::deliveries::{ACKNOWLEDGE_WITHIN, BATCH, DELIVER_WITHIN, Round, attempts, settle};
pub use self::hanging::Hanging;
