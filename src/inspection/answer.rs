//! The answers of inspection. The field names are those that callers get, in JSON as in CBOR; times are milliseconds
//! since the Unix epoch.

use serde::{Deserialize, Serialize};

use crate::invalidation::Mode;
use crate::reason::Reason;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// The pages of a coordinator to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// All of them.
    All,
    /// The variants of a path.
    Path(CanonicalPath),
    /// The pages that carry a tag.
    Tag(Tag),
}

/// A question to a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardQuestion {
    /// Which pages.
    pub pages: Pages,
    /// Only pages whose key comes after this one.
    pub after: Option<PageKey>,
    /// The most pages to list; 0: none.
    pub limit: u32,
    /// Whether to count all of them as well, which takes longer than to list a few.
    pub totals: bool,
}

/// A coordinator's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardAnswer {
    /// The object as a whole, if the question was about all pages.
    pub shard: Option<ShardState>,
    /// How many pages carry the tag, if the question asked for totals.
    pub totals: Option<Totals>,
    /// The pages, in the order of their keys.
    pub pages: Vec<PageState>,
    /// Whether more pages follow.
    pub more: bool,
    /// The circuit breaker. Earlier code does not report it.
    #[serde(default)]
    pub breaker: Option<BreakerState>,
    /// How many pages L2 has refused again and again, if the question was about all pages. Earlier code does not report it.
    #[serde(default)]
    pub refused_by_l2: Option<u64>,
}

/// The state of one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageState {
    /// Its canonical URL.
    pub key: PageKey,
    /// Its path.
    pub path: String,
    /// Whether it may be served.
    pub state: State,
    /// The version of the published render; `None` if no render is published.
    pub version: Option<Version>,
    /// The HTTP status of the published page.
    pub status: Option<u16>,
    /// The length of its body.
    pub body_bytes: Option<u64>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// How often it was rendered again recently.
    pub heat: u64,
    /// When its render began.
    pub render_began_at: Option<Timestamp>,
    /// When its last byte arrived, minus the `Age` that the origin sent.
    pub rendered_at: Option<Timestamp>,
    /// The end of its freshness; with a version, `None` means without end, here and below.
    pub fresh_until: Option<Timestamp>,
    /// The end of the time in which it may be served while it is revalidated.
    pub stale_until: Option<Timestamp>,
    /// The end of the time in which it may replace the response of a failing origin.
    pub error_until: Option<Timestamp>,
    /// The strongest invalidation since its render began.
    pub invalidated: Option<InvalidatedBy>,
    /// How many renders have failed since the last good one.
    pub failures: u64,
    /// When the last failed render began.
    pub failure_began_at: Option<Timestamp>,
    /// No render begins before this time.
    pub retry_at: Option<Timestamp>,
    /// The end of the time in which requests pass to the origin.
    pub pass_until: Option<Timestamp>,
    /// Why its last render was not published, while that has an effect. `None` also if earlier code has recorded it.
    #[serde(default)]
    pub unpublished: Option<UnpublishedRender>,
    /// The render under way.
    pub rendering: Option<Rendering>,
    /// The state of L2.
    pub l2: L2State,
}

/// Whether a page may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Yes, unchanged.
    Fresh,
    /// Yes, while it is revalidated.
    Stale,
    /// Only in place of an error.
    Expired,
    /// Requests pass to the origin, because its response can't be stored.
    Passing,
    /// There is no page.
    Absent,
}

impl State {
    /// The words for the states.
    pub const WORDS: [&str; 5] = ["fresh", "stale", "expired", "passing", "absent"];

    /// Parses a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let states = [Self::Fresh, Self::Stale, Self::Expired, Self::Passing, Self::Absent];
        Self::WORDS.iter().zip(states).find(|(name, _)| **name == word).map(|(_, state)| state)
    }
}

/// The invalidation that has made a page stale or expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidatedBy {
    /// Its number in the tag index's log.
    pub seq: u64,
    /// The kind of its target: `path`, `tag`, `prefix`, `route` or `everything`.
    pub kind: String,
    /// The path, the tag, the prefix or the route.
    pub name: String,
    /// Its effect on the page.
    pub mode: Mode,
    /// When the tag index received it.
    pub at: Timestamp,
}

/// A render that was not published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpublishedRender {
    /// Why, as in `Cache-Status`.
    pub reason: Reason,
    /// The status, the header or the limit that led to it.
    pub detail: Option<String>,
    /// When the render ended.
    pub at: Timestamp,
}

/// A render under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendering {
    /// Its purpose.
    pub purpose: RenderPurpose,
    /// When it began.
    pub began_at: Timestamp,
    /// When it times out.
    pub expires_at: Timestamp,
    /// How many renders before it were unusable.
    pub attempt: u64,
}

/// The purpose of a render.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenderPurpose {
    /// A client waits.
    Cold,
    /// A stale page is served meanwhile.
    Background,
}

impl RenderPurpose {
    /// Parses a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "cold" => Some(Self::Cold),
            "background" => Some(Self::Background),
            _ => None,
        }
    }
}

/// The state of a page in L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2State {
    /// The state in one word.
    pub state: L2Status,
    /// The version in L2, if it is certain. It may be older than the published one, with the same content.
    pub version: Option<Version>,
    /// When it was last written.
    pub written_at: Option<Timestamp>,
    /// When the next attempt of a pending write is made.
    pub due_at: Option<Timestamp>,
    /// How many attempts of it have failed.
    pub attempts: u64,
}

/// The state of a page in L2, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum L2Status {
    /// Never written.
    None,
    /// L2 has the page.
    Written,
    /// A write is pending.
    Writing,
    /// A deletion is pending.
    Deleting,
    /// L2 may have nothing, or an unusable value.
    Unknown,
}

/// The number of pages in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The sum of the following numbers.
    pub total: u64,
    /// Fresh pages.
    pub fresh: u64,
    /// Stale pages.
    pub stale: u64,
    /// Expired pages.
    pub expired: u64,
}

impl Totals {
    /// Adds the numbers of two shards.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            total: self.total + other.total,
            fresh: self.fresh + other.fresh,
            stale: self.stale + other.stale,
            expired: self.expired + other.expired,
        }
    }
}

/// The state of a coordinator as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardState {
    /// Its pages.
    pub pages: Totals,
    /// Keys whose requests pass to the origin.
    pub passing: u64,
    /// Keys whose last render has failed.
    pub failing: u64,
    /// Tags that its pages carry or have carried.
    pub tags: u64,
    /// Renders under way or queued.
    pub renders: u64,
    /// Pending writes to L2.
    pub l2: PendingWrites,
    /// The circuit breaker.
    pub breaker: BreakerState,
    /// Purges and eager refreshes under way.
    pub sweeps: Sweeps,
    /// The number of the latest invalidation that it has received.
    pub last_invalidation: Option<u64>,
}

/// Pending writes to L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWrites {
    /// All of them.
    pub pending: u64,
    /// Those that have failed at least once.
    pub failing: u64,
}

/// The state of the circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerState {
    /// The state in one word.
    pub state: BreakerWord,
    /// How many pages failed in their last render, within the minute before the last failure.
    pub failures: u64,
    /// If the breaker is open: when the next render may begin.
    pub probe_at: Option<Timestamp>,
}

/// The state of the circuit breaker, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerWord {
    /// All renders may begin.
    Closed,
    /// Only renders of invalidated pages may begin.
    Open,
    /// One render may begin, to find out whether the origin has recovered.
    HalfOpen,
}

/// Purges and eager refreshes under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweeps {
    /// How many there are.
    pub open: u64,
    /// How many pages are still to be processed.
    pub pages: u64,
}

/// What the tag index knows of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagEntry {
    /// The coordinators that carry it or have carried it, in order.
    pub shards: Vec<ShardName>,
    /// Its latest invalidation in the feed.
    pub last_invalidation: Option<LastInvalidation>,
    /// Pending deliveries of its invalidations.
    pub pending: u64,
}

/// The latest invalidation of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastInvalidation {
    /// Its number in the log.
    pub seq: u64,
    /// Its effect on pages.
    pub mode: Mode,
    /// When the tag index received it.
    pub at: Timestamp,
}

/// What the tag index knows of a coordinator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// Pending deliveries to it.
    pub pending: u64,
    /// The number of the oldest undelivered invalidation.
    pub oldest_pending: Option<u64>,
}

/// What a tag index object says about its health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagIndexHealth {
    /// Pending deliveries, counted up to [`MAX_COUNTED`](crate::inspection::health::MAX_COUNTED).
    pub pending: u64,
    /// When the oldest undelivered invalidation was recorded.
    pub oldest_pending: Option<Timestamp>,
    /// The number of coordinators.
    pub shards: u64,
    /// Some of them: those from the requested one on.
    pub some: Vec<ShardName>,
}

impl ShardEntry {
    /// Adds the answers of two tag index objects. The oldest is that of the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { pending: self.pending + other.pending, oldest_pending: self.oldest_pending.or(other.oldest_pending) }
    }
}
