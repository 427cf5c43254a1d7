//! The protocol between edge, coordinator and tag index: `messages`, the frames that the tag index `push`es, and the
//! `tickets` of callers that render pages themselves.

mod messages;
mod push;
mod tickets;

pub use self::messages::{
    ApplyAnswer, CarriedTags, DownstreamProgress, InvalidateAnswer, MESSAGE_PATH, META_HEADER, NO_SQLITE_STATUS,
    Progress, REPLY_HEADER, RPC_PATH, RegisterAnswer, Reply, RetireAnswer, ShardProgress, TagIndexCall, ToCoordinator,
    ToTagIndex, UnregisterAnswer,
};
pub use self::push::{FULL_STATUS, FrameReader, NoFrame, PushFrame};
pub use self::tickets::{MAX_SENT, OFFER_HEADER, OFFER_PATH, Offer, StoreResult, Ticket};
