//! The events of one key.

use crate::page::PageMeta;
use crate::semantics::evidence::Unstorable;
use crate::semantics::storable::OriginFailure;
use crate::version::Version;

/// Identifies a request that waits for an answer. The object gives each request its own number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// Something that has happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An edge has no page to serve.
    Miss {
        /// The edge's request.
        waiter: WaiterId,
    },
    /// An edge has served a stale page.
    Stale {
        /// The edge's request. It receives the newer version as soon as there is one.
        waiter: WaiterId,
        /// The version that was served.
        version: Version,
    },
    /// The bytes of a page are neither held nor in L2, and a request needs them.
    BytesLost {
        /// The request that receives the page.
        waiter: WaiterId,
        /// The version whose bytes are lost.
        version: Version,
    },
    /// L2 does not have a page that it should have. No request waits for it.
    CopyLost {
        /// The version that was looked for.
        version: Version,
        /// Whether its bytes are held, so that they can be written again.
        is_held: bool,
    },
    /// The page was invalidated, and is rendered again although no client asks for it.
    Refresh,
    /// The page was purged, and its sweep deletes it now.
    Swept,
    /// The shard is full, and this key gives way to another one.
    Displaced,
    /// A queued render begins.
    Begun {
        /// The token of the lease.
        token: Version,
    },
    /// The origin has sent the head of a response that may be stored, and its tags are registered.
    Head {
        /// The token of the render.
        token: Version,
        /// The page, without the metadata that is known only at the end.
        page: PageMeta,
    },
    /// A render has ended, or does not begin.
    Ended {
        /// The token of the render.
        token: Version,
        /// Its outcome.
        outcome: RenderOutcome,
    },
    /// A write to L2 is due.
    WriteDue,
    /// L2 has accepted the write.
    Written {
        /// The version that was written, or `None` for a deletion.
        version: Option<Version>,
    },
    /// L2 has refused the write.
    WriteFailed {
        /// The version of the refused write, or `None` for a deletion.
        version: Option<Version>,
    },
    /// A write is due, but its bytes were lost with the object.
    WriteLost {
        /// The version of the lost write.
        version: Version,
    },
}

/// How a lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenderOutcome {
    /// A page that may be stored. Its tags are registered with the tag index.
    Done(PageMeta),
    /// The response may not be stored, so there is no use in waiting for this page.
    Uncacheable(Unstorable),
    /// The origin was asked whether a page is current, and has confirmed another version than the stored one.
    Mismatched,
    /// The origin failed.
    Failed(OriginFailure),
    /// The page's tags could not be registered with the tag index. A published page could not be invalidated.
    Unregistered,
    /// The object died during the render, or a caller did not use its ticket. The origin has not failed.
    Lost,
    /// The memory for bodies was used up by other pages. Neither the origin nor the page is to blame.
    NoRoom,
    /// The lease has expired: the render did not end in time.
    TooOld,
    /// The render did not begin, because there was no room for it in time.
    Refused,
}
