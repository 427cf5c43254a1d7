//! What a coordinator decides to have done.

use crate::coordinator::event::WaiterId;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::storable::NotStored;
use crate::time::Timestamp;
use crate::version::Version;

/// An effect for the object to perform, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Answer one request.
    Answer {
        /// The request.
        waiter: WaiterId,
        /// The answer.
        answer: Answer,
    },
    /// Let the request wait for the render under way.
    Park {
        /// The request.
        waiter: WaiterId,
    },
    /// Answer all requests that are parked.
    AnswerParked {
        /// The answer.
        answer: Answer,
    },
    /// Render the page now, in the request.
    Render {
        /// The token of the lease.
        token: Version,
    },
    /// Render the page in the request once there is room.
    Enqueue {
        /// The token of the lease.
        token: Version,
    },
    /// Have the alarm render the page.
    Drive {
        /// The token of the lease.
        token: Version,
    },
    /// Let requests join the answer that has begun to come.
    Share {
        /// The token of the lease.
        token: Version,
    },
    /// Hold the bytes of the page just rendered, to hand them out and to write them.
    Hold {
        /// The page's version.
        version: Version,
    },
    /// Let go of held bytes.
    Release,
    /// Write the held page to L2.
    Write {
        /// The page's version.
        version: Version,
    },
    /// Delete the key from L2.
    Delete,
}

/// What a request is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The page, to be served and kept. Boxed, because the others are small.
    Page(Box<PageMeta>),
    /// The page as it comes from the site: what has come of it so far, and then the rest.
    Growing(Box<PageMeta>),
    /// The last good copy in place of an error or of a render that is held back.
    Stale {
        /// The page.
        page: Box<PageMeta>,
        /// Why.
        reason: Reason,
    },
    /// What the site has just answered, though it is not stored and not good.
    Relay {
        /// Why.
        reason: Reason,
    },
    /// There is nothing newer than what the edge has.
    Unchanged,
    /// Ask the site yourself, with the visitor's own request.
    Pass {
        /// Until when to do so without asking here.
        until: Timestamp,
        /// Why.
        reason: Option<NotStored>,
    },
    /// Nothing can be had here now, though the site may be well: ask it yourself.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// The site fails, and there is no copy to stand in.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// Why.
        reason: Reason,
    },
}
