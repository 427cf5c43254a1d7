//! The inputs of a shard, and the effects that it returns.

use crate::coordinator::{Base, RenderOutcome, WaiterId};
use crate::invalidation::Invalidation;
use crate::metrics::PageVisits;
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, Reply, ToTagIndex};
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::sql::StoreError;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::Version;

/// The time of an input, with random bits for it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Random bits, new for each input.
    pub random: u128,
}

/// Something that has happened. `B` holds a page's headers and its body, complete or still streaming.
///
/// A render causes one [`Self::Answered`] if the origin answers, and one [`Self::Head`] if its response may be stored and the body has begun to arrive. It always causes
/// one [`Self::Ended`].
#[derive(Clone, Debug)]
pub enum Input<B> {
    /// A request from an edge.
    Request {
        /// The object's identifier of the request, used once.
        waiter: WaiterId,
        /// The shard's own name, as the edge has called it.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The version that the edge has served stale; `None` for a miss.
        served: Option<Version>,
        /// The edge knows of an invalidation at this time.
        newer_than: Option<Timestamp>,
        /// Another coordinator has forwarded the request.
        forwarded: bool,
        /// The client can render the page itself.
        renders: bool,
    },
    /// A request has stopped waiting. It receives no answer.
    TimedOut {
        /// The request.
        waiter: WaiterId,
    },
    /// An edge has counted visits of pages.
    Visits(Vec<PageVisits>),
    /// The tag index delivers an invalidation.
    Invalidate(Invalidation),
    /// The tag index calls a shard that no request reaches any more.
    Retire {
        /// The shard's own name.
        shard: ShardName,
    },
    /// The tag index objects have forgotten the shard.
    Unregistered {
        /// Whether something is left at one of them; `None` if one could not be reached.
        more: Option<bool>,
    },
    /// The origin has sent the head of a response, of any kind, or the client renders the page itself. The connection is
    /// free for another request.
    Answered {
        /// The token of the render.
        token: Version,
    },
    /// The origin has sent the head of a response that may be stored.
    Head {
        /// The page.
        key: PageKey,
        /// The token of the render.
        token: Version,
        /// The metadata known so far, and the streaming body.
        answer: (PageMeta, B),
    },
    /// A render has ended.
    Ended {
        /// The page.
        key: PageKey,
        /// The token of the render.
        token: Version,
        /// Its outcome.
        outcome: RenderOutcome,
        /// The origin's response, even if it may not be published.
        answer: Option<(PageMeta, B)>,
    },
    /// The tag index has answered a registration, or, with `None`, could not be reached.
    Registered {
        /// The token of the render whose page carries the tags.
        token: Version,
        /// The answer.
        answer: Option<RegisterAnswer>,
    },
    /// L2 was read for waiters.
    Read {
        /// The page that was requested.
        read: PageRead,
        /// The content of L2 under this key and version.
        found: ReadResult<B>,
    },
    /// A write to L2 has succeeded or failed.
    Wrote {
        /// The page.
        key: PageKey,
        /// The version of the write, or `None` for a deletion.
        version: Option<Version>,
        /// Whether L2 accepted it.
        taken: bool,
    },
    /// The alarm fires, or a render that it drives has ended.
    Alarm {
        /// How many renders it may begin.
        room: usize,
        /// How many writes to L2 it may begin.
        writes: usize,
    },
}

/// A page to send to waiters whose bytes are not held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRead {
    /// The page as waiters receive it.
    pub page: PageMeta,
    /// Another version under which L2 may have the same content.
    pub copy: Option<Version>,
    /// The verdict that waiters receive with it.
    pub reply: Reply,
    /// The waiters.
    pub waiters: Vec<WaiterId>,
}

impl PageRead {
    /// Returns whether a version in L2 has the requested content.
    #[must_use]
    pub fn is_met_by(&self, version: Version) -> bool {
        version == self.page.version || Some(version) == self.copy
    }
}

/// The content of L2.
#[derive(Clone, Debug)]
pub enum ReadResult<B> {
    /// The page in a requested version.
    Same(B),
    /// Another version, nothing, or something unreadable.
    Other,
    /// L2 failed, so its content is unknown.
    Unknown,
}

/// The consequences of an input.
#[derive(Debug)]
pub struct Handled<B> {
    /// The effects to perform, also if the store has failed: they belong to the steps that it has recorded.
    pub effects: Vec<Effect<B>>,
    /// The store's failure, if there was one. A request that it concerns has an answer among the effects.
    pub failure: Option<StoreError>,
}

/// Effects for the object to perform, in this order.
#[derive(Clone, Debug)]
pub enum Effect<B> {
    /// Answers a request.
    Reply {
        /// The request.
        waiter: WaiterId,
        /// The answer.
        reply: Reply,
        /// The page that belongs to it. Its body may still be streaming.
        page: Option<(PageMeta, B)>,
    },
    /// Forwards a request to the coordinator that owns the page, and returns its answer.
    Forward {
        /// The request.
        waiter: WaiterId,
        /// The owner.
        owner: ShardName,
    },
    /// Renders a page. [`Input::Ended`] follows.
    Render {
        /// The page.
        key: PageKey,
        /// The token of the lease.
        token: Version,
        /// Whether the alarm waits for its end.
        driven: bool,
        /// The page that the render may validate.
        base: Option<Box<Base<B>>>,
    },
    /// Cancels a render: its result is ignored. [`Input::Ended`] follows nevertheless.
    Abandon {
        /// The token of the render.
        token: Version,
    },
    /// Registers tags with the tag index. [`Input::Registered`] follows.
    Register {
        /// The token of the render whose page carries them.
        token: Version,
        /// The registration, for each tag index object that must know of it.
        messages: Vec<(TagIndexName, ToTagIndex)>,
    },
    /// Makes the tag index forget this shard. [`Input::Unregistered`] follows.
    Unregister {
        /// A message for each tag index object.
        messages: Vec<(TagIndexName, ToTagIndex)>,
    },
    /// Deletes the object's storage and its alarm. No request reaches the object any more.
    End,
    /// Reads L2. [`Input::Read`] follows.
    Read(PageRead),
    /// Writes to L2. [`Input::Wrote`] follows.
    Write(PageMeta, B),
    /// Deletes from L2. [`Input::Wrote`] follows.
    Delete(PageKey),
    /// Ensures that the alarm fires by this time.
    WakeAt(Timestamp),
    /// Wakes an alarm that waits for its renders, so that it looks for new ones.
    Ring,
}
