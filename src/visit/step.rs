//! What a visit is told, and what it wants done.

use std::time::Duration;

use crate::page::PageMeta;
use crate::protocol::Verdict;
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheStatus, Outcome};
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// A stored page as the performer holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<B> {
    /// What is known of it.
    pub meta: PageMeta,
    /// Its headers and its body.
    pub body: B,
}

/// A hit-for-pass marker: the page is not stored, so requests pass to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassMark {
    /// When that was noted: a later invalidation of the path lifts the marker.
    pub since: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
}

/// What L1 has under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<B> {
    /// A page of this key.
    Page(Stored<B>),
    /// A hit-for-pass marker.
    Pass(PassMark),
    /// Nothing, or nothing that can be used.
    Nothing,
}

/// A coordinator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<B> {
    /// What the coordinator says.
    pub verdict: Verdict,
    /// The page that comes with it. Its body may still be growing.
    pub page: Option<Stored<B>>,
}

/// Why there is no answer of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The object can't be reached, or throws.
    Unreachable,
    /// The platform lets no more requests through to the object.
    Overloaded,
    /// There was no answer within the time that the question had.
    Timeout,
    /// The answer is an error, or can't be read.
    Failed,
}

impl CallFailure {
    /// Returns the reason for `Cache-Status`.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unreachable => Reason::CoordinatorUnreachable,
            Self::Overloaded => Reason::CoordinatorOverloaded,
            Self::Timeout => Reason::CoordinatorTimeout,
            Self::Failed => Reason::CoordinatorFailed,
        }
    }
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<B> {
    /// The feed is as current as can be had now.
    FeedReady,
    /// L1 was read.
    L1(Found<B>),
    /// L2 was read. A value that can't be used, or can't be had, is none: the coordinator overwrites it.
    L2(Option<Stored<B>>),
    /// The coordinator has answered.
    Answered(Answer<B>),
    /// The coordinator has not answered.
    NotAnswered(CallFailure),
    /// A pause is over.
    Waited,
}

/// What the coordinator is asked about a page that the edge can't serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The edge knows of an invalidation of that time: what began to be rendered before is of no use.
    pub newer_than: Option<Timestamp>,
    /// The client can render the page: the answer may be a lease.
    pub renders: bool,
    /// How long to wait for the answer. After it, the event is [`CallFailure::Timeout`].
    pub patience: Duration,
}

/// What the coordinator is told of a stale page that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The version that is served.
    pub version: Version,
    /// As in [`Question`].
    pub newer_than: Option<Timestamp>,
}

/// When a page can be put into L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenToKeep {
    /// At once: all of its bytes are here.
    AtOnce,
    /// Once all of its bytes have come.
    WhenWhole,
}

/// A page for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<B> {
    /// The page.
    pub page: Stored<B>,
    /// For `X-ISR-Status`.
    pub outcome: Outcome,
    /// For `Cache-Status`.
    pub status: CacheStatus,
    /// Whether the page goes into L1, behind the response.
    pub keep: Option<WhenToKeep>,
    /// Whether a downstream cache may keep it: only a HIT, which is whole and was judged a moment ago.
    pub is_for_downstream: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<B> {
    /// Refresh the feed, by [`Polling::refresh`](crate::visit::Polling::refresh), and read L1 side by side.
    /// [`Event::FeedReady`] and [`Event::L1`] follow.
    Look,
    /// Read L1 again. [`Event::L1`] follows.
    ReadL1,
    /// Read L2. [`Event::L2`] follows.
    ReadL2,
    /// Ask the coordinator. [`Event::Answered`] or [`Event::NotAnswered`] follows.
    Ask(Question),
    /// Wait. [`Event::Waited`] follows.
    Wait(Duration),
    /// Tell the coordinator, behind the response, that a stale page is served, if
    /// [`Reports::begin`](crate::visit::Reports::begin) allows it.
    Report(Report),
    /// Put a hit-for-pass marker into L1, behind the response.
    MarkPass(PassMark),
    /// Let go of a body that nobody will read.
    Discard(B),
    /// Serve a page. The visit is over.
    Serve(Served<B>),
    /// Let the origin answer the client's own request; the outcome is [`Outcome::Skip`]. The visit is over.
    Pass(CacheStatus),
    /// Tell the client that the page can't be had. The visit is over.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// For `Cache-Status`; the outcome is [`Outcome::Skip`].
        status: CacheStatus,
    },
    /// Give the client the lease to render the page itself. The visit is over.
    Lease {
        /// The coordinator that owns the page.
        shard: ShardName,
        /// The fencing token.
        token: Version,
    },
}
