//! What edge, coordinator and tag index say to each other: `messages`, and the `tickets` of callers that render pages
//! themselves.

mod messages;
mod tickets;

pub use self::messages::*;
pub use self::tickets::*;
