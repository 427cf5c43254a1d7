//! The actions that the state machine of one key returns.

use crate::coordinator::event::WaiterId;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::version::Version;

/// An effect that the object performs. Actions are performed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answers one request.
    Answer {
        /// The request.
        waiter: WaiterId,
        /// The answer.
        answer: Answer,
    },
    /// Lets the request wait for the render under way.
    Wait {
        /// The request.
        waiter: WaiterId,
    },
    /// Answers all requests that wait for the render.
    AnswerWaiters {
        /// The answer.
        answer: Answer,
    },
    /// Renders the page now, within the request.
    Render {
        /// The token of the lease.
        token: Version,
    },
    /// Renders the page within the request as soon as there is room.
    Enqueue {
        /// The token of the lease.
        token: Version,
    },
    /// Leaves the render to the alarm.
    Drive {
        /// The token of the lease.
        token: Version,
    },
    /// Lets requests join the response while it arrives.
    Share {
        /// The token of the lease.
        token: Version,
    },
    /// Holds the bytes of the rendered page, for waiters and for the write to L2.
    Hold {
        /// The page's version.
        version: Version,
    },
    /// Releases held bytes.
    Release,
    /// Writes the held page to L2.
    Write {
        /// The page's version.
        version: Version,
    },
    /// Deletes the key from L2.
    Delete,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The page, to be served and stored. Boxed, because the other variants are small.
    Page(Box<PageMeta>),
    /// The page as it arrives from the origin: the bytes received so far, and then the rest.
    Growing(Box<PageMeta>),
    /// The last good page, in place of an error or of a render that may not begin.
    Stale {
        /// The page.
        page: Box<PageMeta>,
        /// Why the page is served.
        reason: Reason,
    },
    /// The origin's response, which is neither good nor stored.
    Relay {
        /// Why it is not stored.
        reason: Reason,
    },
    /// There is no newer page than the one that the edge has.
    Unchanged,
    /// The edge asks the origin, with the client's own request.
    Pass {
        /// The edge may do so until this time without asking the coordinator.
        until: Timestamp,
        /// Why the page is not stored, if known.
        reason: Option<Reason>,
    },
    /// The coordinator has no answer now, although the origin may be healthy. The edge asks the origin.
    Refused {
        /// Why there is no answer.
        reason: Reason,
    },
    /// The origin fails, and there is no page to serve instead.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// Why there is no page.
        reason: Reason,
    },
}
