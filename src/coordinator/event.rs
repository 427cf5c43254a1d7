//! What a coordinator is told.

use crate::page::PageMeta;
use crate::semantics::storable::{NotStored, SiteFailure};
use crate::version::Version;

/// Names a request that waits for an answer. The object gives each request its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// Something that has happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An edge has nothing to serve.
    Miss {
        /// The edge's request.
        waiter: WaiterId,
    },
    /// An edge has served a stale copy.
    Stale {
        /// The edge's request; it is told of the newer version once there is one.
        waiter: WaiterId,
        /// The version that was served.
        version: Version,
    },
    /// A page was to be handed out, but its bytes are neither held nor in L2.
    BytesLost {
        /// The request that is to get the page.
        waiter: WaiterId,
        /// The version whose bytes are lost.
        version: Version,
    },
    /// The page was invalidated, and is to be rendered again though nobody asks for it.
    Refresh,
    /// The page was purged, and its turn has come to be deleted.
    Swept,
    /// A render that was queued begins.
    Begun {
        /// The token of the lease.
        token: Version,
    },
    /// The site has begun to answer with a page to be stored, whose tags are registered.
    Head {
        /// The token under which it is rendered.
        token: Version,
        /// The page, without what is known at its end only.
        page: PageMeta,
    },
    /// A render has ended, or will not begin.
    Ended {
        /// The token under which it ran.
        token: Version,
        /// What came of it.
        outcome: Outcome,
    },
    /// The time for a write to L2 has come.
    WriteDue,
    /// L2 has taken the write.
    Written {
        /// The version that was written, or `None` for a deletion.
        version: Option<Version>,
    },
    /// L2 has refused the write.
    WriteFailed {
        /// The version that was to be written, or `None` for a deletion.
        version: Option<Version>,
    },
    /// A write is due, but the bytes died with the object.
    WriteLost {
        /// The version that was to be written.
        version: Version,
    },
}

/// How the holding of a lease has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A page to be stored. Its tags are registered with the tag index.
    Done(PageMeta),
    /// The answer is not to be stored: there is no use in waiting for this page.
    Uncacheable(NotStored),
    /// The site failed.
    Failed(SiteFailure),
    /// The tag index could not be told of the page's tags: published, it could not be invalidated.
    Unregistered,
    /// The object died under the render, or who was to render it never came: the site has not failed.
    Lost,
    /// The lease is too old: nothing was heard of the render in its time.
    TooOld,
    /// The render has not begun, for there was no room for it in time.
    Refused,
}
