//! The events of a visit, and its steps.

use std::time::Duration;

use crate::page::{PageMeta, Vouched};
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus};
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// How long a visit waits for L1. Without an answer, [`L1Entry::Nothing`] follows, and a late answer is discarded. The
/// Cache API answers within milliseconds.
pub const L1_PATIENCE: Duration = Duration::from_secs(1);

/// How long a visit waits for L2, including the body. Without an answer, nothing follows, as for a value that is not
/// usable, and a late answer is discarded: the coordinator then has the page, or renders it. A cold read of KV takes less
/// than a second; the rest is for large bodies.
pub const L2_PATIENCE: Duration = Duration::from_secs(3);

/// A stored page as the performer holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPage<B> {
    /// Its metadata.
    pub meta: PageMeta,
    /// Its headers and its body.
    pub body: B,
}

impl<B> StoredPage<B> {
    /// Adds what the coordinator's answer is worth that contained the page.
    #[must_use]
    pub fn vouched_for(self, vouched: Vouched) -> Self {
        Self { meta: PageMeta { vouched: Some(Box::new(vouched)), ..self.meta }, ..self }
    }
}

/// A hit-for-pass marker: the page is not stored, so requests pass to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassMarker {
    /// When the marker was set: a later invalidation of the path lifts it.
    pub since: Timestamp,
    /// Until when it holds.
    pub until: Timestamp,
    /// Why the page is not stored.
    pub reason: Reason,
}

/// The content of L1 under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum L1Entry<B> {
    /// A page of this key.
    Page(StoredPage<B>),
    /// A hit-for-pass marker.
    Pass(PassMarker),
    /// Nothing, or nothing usable.
    Nothing,
}

/// A coordinator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoordinatorReply<B> {
    /// The coordinator's decision.
    pub reply: Reply,
    /// The page that comes with it. Its body may still be growing.
    pub page: Option<StoredPage<B>>,
}

/// Why there is no answer of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The object can't be reached, or throws.
    Unreachable,
    /// The platform rejects further requests to the object.
    Overloaded,
    /// There was no answer within the question's time.
    Timeout,
    /// The answer is an error, or can't be read.
    Failed,
    /// The object's class has no SQLite: the deployment can't work.
    NoSqlite,
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
            Self::NoSqlite => Reason::Misconfigured,
        }
    }
}

/// What other requests of this isolate that need the same page have got: see [`Crowds`](crate::visit::Crowds).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nothing yet: one of them asks.
    Ask,
    /// Nothing that could be shared: a few of them ask at a time.
    Queue,
    /// The page is in L1.
    Kept,
    /// An answer without a page.
    Answered(Reply),
}

/// How a question relates to those of other requests of this isolate for the same page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// The request has not waited for another one.
    New,
    /// It has waited for another one's answer since then.
    Waiting {
        /// Since when.
        since: Timestamp,
    },
    /// It has not found the answer to another one's question in L1.
    Missed,
    /// It shares no question: its client can render the page, or its first question was answered.
    Alone,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<B> {
    /// The feed is as current as possible now.
    FeedReady,
    /// L1 was read.
    L1(L1Entry<B>),
    /// L2 was read. An unusable or unavailable value counts as none: the coordinator overwrites it.
    L2(Option<StoredPage<B>>),
    /// Another request of this isolate has read L2: see [`L2Reads`](crate::visit::L2Reads). It puts the page into L1.
    OthersL2(Option<StoredPage<B>>),
    /// The coordinator has answered.
    Answered(CoordinatorReply<B>),
    /// The coordinator has not answered.
    NotAnswered(CallFailure),
    /// The question was not sent, because another request of this isolate asks, or has asked.
    Others(Others),
    /// A pause is over.
    Waited,
}

/// A question to the coordinator about a page that the edge can't serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The time of an invalidation that the edge knows: a render that began before it is of no use.
    pub newer_than: Option<Timestamp>,
    /// The client can render the page: the answer may be a lease.
    pub renders: bool,
    /// How long to wait for the answer. After it, the event is [`CallFailure::Timeout`].
    pub patience: Duration,
    /// How it relates to the questions of other requests.
    pub company: Company,
}

/// A report to the coordinator about a stale page that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The served version.
    pub version: Version,
    /// As in [`Question`].
    pub newer_than: Option<Timestamp>,
    /// What the answer is worth: the edge's knowledge when it reports.
    pub vouched: Vouched,
}

/// When a page can be put into L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenToKeep {
    /// At once: all of its bytes are here.
    AtOnce,
    /// Once all of its bytes have arrived.
    WhenWhole,
}

/// A page for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedPage<B> {
    /// The page.
    pub page: StoredPage<B>,
    /// For `X-ISR-Status`.
    pub outcome: CacheOutcome,
    /// For `Cache-Status`.
    pub status: CacheStatus,
    /// Whether the page goes into L1, behind the response.
    pub keep: Option<WhenToKeep>,
    /// Whether a downstream cache may store it: only a HIT, which is complete and was judged a moment ago.
    pub is_for_downstream: bool,
}

impl<B> ServedPage<B> {
    /// Returns whether this is a HIT from L1, which counts for the admission to the in-isolate tier.
    #[must_use]
    pub fn is_hit_of_l1(&self) -> bool {
        self.outcome == CacheOutcome::Hit && self.keep.is_none() && self.status.detail.is_none()
    }
}

/// A step to perform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<B> {
    /// Refresh the feed with [`Polling::refresh`](crate::visit::Polling::refresh), and read L1 side by side.
    /// [`Event::FeedReady`] and [`Event::L1`] follow.
    Look,
    /// Refresh the feed with [`Polling::refresh`](crate::visit::Polling::refresh). [`Event::FeedReady`] follows.
    RefreshFeed,
    /// Read L1 again. [`Event::L1`] follows, at the latest after [`L1_PATIENCE`].
    ReadL1,
    /// Read L2, if [`L2Reads::turn`](crate::visit::L2Reads::turn) says so. [`Event::L2`] or [`Event::OthersL2`] follows,
    /// at the latest after [`L2_PATIENCE`] for each of the two.
    ReadL2,
    /// Ask the coordinator, if [`Crowds::turn`](crate::visit::Crowds::turn) says so. [`Event::Answered`],
    /// [`Event::NotAnswered`] or [`Event::Others`] follows.
    Ask(Question),
    /// Wait. [`Event::Waited`] follows.
    Wait(Duration),
    /// Report to the coordinator, behind the response, that a stale page is served, if
    /// [`Reports::begin`](crate::visit::Reports::begin) allows it.
    Report(Report),
    /// Put a hit-for-pass marker into L1, behind the response.
    MarkPass(PassMarker),
    /// Put a page into L1, behind the response: it is not for this client, but for others. No client reads its body.
    Keep(StoredPage<B>, WhenToKeep),
    /// Release a body that no client reads.
    Discard(B),
    /// Remove the page from the in-isolate tier, and release its body.
    Forget(B),
    /// Serve a page. The visit is over.
    Serve(ServedPage<B>),
    /// Let the origin answer the client's request; the outcome is [`CacheOutcome::Skip`]. The visit is over.
    Pass(CacheStatus),
    /// Report to the client that the page is not available. The visit is over.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// For `Cache-Status`; the outcome is [`CacheOutcome::Skip`].
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
