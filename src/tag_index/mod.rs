//! The tag index's decisions, free of I/O.
//!
//! | module | contents |
//! |---|---|
//! | `deliveries` | the deliveries that a round attempts, and their results |
//! | `hanging` | the coordinators that no caller waits for |
//! | `listeners` | the streams that edges keep open |
//! | `tables` | the log, the shards that carry a tag, pending deliveries and purges |

mod deliveries;
mod hanging;
mod listeners;
pub mod tables;

pub use self::deliveries::{ACKNOWLEDGE_WITHIN, BATCH, DELIVER_WITHIN, Round, attempts, settle};
pub use self::hanging::Hanging;
pub use self::listeners::{FramePlace, Full, ListenerId, ListenerStep, Listeners, MAX_LISTENERS, OPEN_FOR};
