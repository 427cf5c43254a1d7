//! What goes into a shard, and what comes out of it.

use crate::coordinator::{Outcome, WaiterId};
use crate::invalidation::Invalidation;
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, Verdict};
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// When something happens, and random bits for it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Random bits, new for each input.
    pub random: u128,
}

/// Something that has happened. `B` is what holds a page's headers and its body, whole or still growing.
///
/// Of a render comes a [`Self::Head`], if the answer is one to be stored and its body has begun, and then, in any case,
/// one [`Self::Ended`].
#[derive(Clone, Debug)]
pub enum Input<B> {
    /// An edge asks.
    Request {
        /// The object's name for the request, used once.
        waiter: WaiterId,
        /// The shard's own name, by which the edge has called it.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The version that was served stale; `None` for a miss.
        served: Option<Version>,
        /// The edge knows of an invalidation of that time.
        newer_than: Option<Timestamp>,
        /// Another coordinator was asked, and has handed the request on.
        forwarded: bool,
    },
    /// A request has stopped waiting. It is not answered any more.
    TimedOut {
        /// The request.
        waiter: WaiterId,
    },
    /// An invalidation is delivered.
    Invalidate(Invalidation),
    /// The site has begun to answer with a page to be stored.
    Head {
        /// The page.
        key: PageKey,
        /// The token under which it is rendered.
        token: Version,
        /// What is known of it by now, and its growing body.
        answer: (PageMeta, B),
    },
    /// A render has ended.
    Ended {
        /// The page.
        key: PageKey,
        /// The token under which it ran.
        token: Version,
        /// What came of it.
        outcome: Outcome,
        /// What the site answered, also if it is not to be published.
        answer: Option<(PageMeta, B)>,
    },
    /// The tag index has answered a registration, or, with `None`, has not.
    Registered {
        /// The token of the render whose page carries the tags.
        token: Version,
        /// The answer.
        answer: Option<RegisterAnswer>,
    },
    /// L2 has been read for those who wait.
    Read {
        /// What was wanted.
        wanted: Wanted,
        /// What L2 has under this key and version.
        found: Found<B>,
    },
    /// L2 has been written, or not.
    Wrote {
        /// The page.
        key: PageKey,
        /// The version that was to be written, or `None` for a deletion.
        version: Option<Version>,
        /// Whether L2 took it.
        taken: bool,
    },
    /// The alarm goes off, or a render that it drives has ended.
    Alarm {
        /// How many renders it may begin.
        room: usize,
    },
}

/// A page that is to be handed out, and whose bytes are not held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The page, as it is to be handed out.
    pub page: PageMeta,
    /// Another version under which L2 may have the same content.
    pub copy: Option<Version>,
    /// What those who wait are told with it.
    pub verdict: Verdict,
    /// Who waits.
    pub waiters: Vec<WaiterId>,
}

impl Wanted {
    /// Tells whether a version that L2 has is the content that is wanted.
    #[must_use]
    pub fn is_met_by(&self, version: Version) -> bool {
        version == self.page.version || Some(version) == self.copy
    }
}

/// What L2 has.
#[derive(Clone, Debug)]
pub enum Found<B> {
    /// The page in a version that was wanted.
    Same(B),
    /// Another version, nothing, or nothing that can be read.
    Other,
    /// L2 failed: it is not known.
    Unknown,
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Effect<B> {
    /// Answer a request.
    Reply {
        /// The request.
        waiter: WaiterId,
        /// The answer.
        verdict: Verdict,
        /// The page that comes with it. Its body may still be growing.
        page: Option<(PageMeta, B)>,
    },
    /// Hand a request on to the coordinator that owns the page, and give back its answer.
    Forward {
        /// The request.
        waiter: WaiterId,
        /// The owner.
        owner: ShardName,
    },
    /// Render a page. [`Input::Ended`] follows.
    Render {
        /// The page.
        key: PageKey,
        /// The token of the lease.
        token: Version,
        /// Whether the alarm is to wait for its end.
        driven: bool,
    },
    /// Break a render off: nothing of it counts any more. [`Input::Ended`] follows all the same.
    Abandon {
        /// The token under which it runs.
        token: Version,
    },
    /// Register tags with the tag index. [`Input::Registered`] follows.
    Register {
        /// The token of the render whose page carries them.
        token: Version,
        /// The shard.
        shard: ShardName,
        /// Over how many shards its route is spread.
        shards: u16,
        /// Whether the shard itself is new to the tag index, as one of that many.
        is_new: bool,
        /// The tags.
        tags: Vec<Tag>,
        /// What was invalidated since then is to be told.
        since: Timestamp,
    },
    /// Read L2. [`Input::Read`] follows.
    Read(Wanted),
    /// Write L2. [`Input::Wrote`] follows.
    Write(PageMeta, B),
    /// Delete from L2. [`Input::Wrote`] follows.
    Delete(PageKey),
    /// See to it that the alarm goes off by then.
    WakeAt(Timestamp),
    /// An alarm that waits for its renders is to look for new ones.
    Ring,
}
