//! The protocol between edge, coordinator and tag index: `messages`, the frames that the tag index `push`es, and the
//! `tickets` of callers that render pages themselves.
//!
//! # Two versions at once
//!
//! Each peer may run this version or the previous one, and stored values may be from either. One rule holds for all
//! messages and formats, and `tests/formats/versions.rs` tests it with the bytes of each:
//!
//! | what a reader finds | what it does |
//! |---|---|
//! | a field that it does not know | ignores it |
//! | no field that a later version has added | takes its default, which means what the field's absence has always meant |
//! | a message or an offer of a kind that it does not know | refuses it as a whole, with [`NOT_UNDERSTOOD_STATUS`] or [`UNKNOWN_PATH_STATUS`], and changes nothing |
//! | an answer of a kind that it does not know | treats it as that of a failing object |
//! | a recorded invalidation whose target it does not know, in a message, in the feed or in a table | takes it for [`Target::Everything`](crate::invalidation::Target) |
//! | … whose mode it does not know | takes it for [`Mode::Expire`](crate::invalidation::Mode) |
//! | … whose refresh it does not know | takes it for [`Refresh::Lazy`](crate::invalidation::Refresh) |
//! | a reason that it does not know | shows [`Reason::Unknown`](crate::reason::Reason) |
//! | a page in L1 or L2, or a shared answer of the feed, that it can't read | treats it as absent, and asks the object |
//! | a ticket that it can't read | refuses it: the caller's page is not stored |
//!
//! An invalidation is never lost by this. A request to invalidate that the tag index does not know is refused, so nobody
//! has a receipt. Once it is recorded, no reader may refuse it: a coordinator that did would serve the old page, and an
//! edge that did would lose the whole feed. So what is not known of it is taken for the widest of its kind, which costs
//! renders.
//!
//! The fallbacks of the sender of a refused message:
//!
//! | sender | message | then |
//! |---|---|---|
//! | edge | a miss, the report of a stale page | as for a failing coordinator: a stale page if there is one, otherwise the origin |
//! | edge | a question to the feed | as for a failing tag index: after `freshness_bound`, coordinators are asked |
//! | edge | an invalidation, an inspection | the caller gets the error `unavailable` |
//! | coordinator | a registration | the page is not published before the tag index has accepted it |
//! | coordinator | a forwarded message | as if the owner failed |
//! | edge | what it has counted | it keeps the numbers, and offers them again a minute later |
//! | edge | a question for what objects have counted | `/__isr/metrics` counts the object among those that have not answered |
//! | tag index | an invalidation | it stays in the log, and is delivered again |
//! | tag index | the end of a shard | it is sent again |
//!
//! So a new kind of message is first only read, and the next version sends it, unless its refusal costs nothing, as with what
//! is counted.

mod messages;
mod push;
mod tickets;

pub use self::messages::{
    ApplyAnswer, CarriedTags, DownstreamProgress, InvalidateAnswer, MESSAGE_PATH, META_HEADER, NO_SQLITE_STATUS,
    NOT_UNDERSTOOD_STATUS, Progress, REPLY_HEADER, RPC_PATH, RegisterAnswer, Reply, RetireAnswer, ShardProgress,
    TagIndexCall, ToCoordinator, ToTagIndex, UNKNOWN_PATH_STATUS, UnregisterAnswer,
};
pub use self::push::{FULL_STATUS, FrameReader, NoFrame, PushFrame};
pub use self::tickets::{MAX_SENT, OFFER_HEADER, OFFER_PATH, Offer, StoreResult, Ticket};
