//! The protocol between edge, coordinator and tag index: `messages`, and the `tickets` of callers that render pages
//! themselves.

mod messages;
mod tickets;

pub use self::messages::{
    Applied, InvalidateAnswer, MESSAGE_PATH, META_HEADER, Progress, RPC_PATH, RegisterAnswer, ShardProgress,
    SinkProgress, TagIndexCall, ToCoordinator, ToTagIndex, VERDICT_HEADER, Verdict,
};
pub use self::tickets::{OFFER_HEADER, OFFER_PATH, Offer, Offered, Ticket};
