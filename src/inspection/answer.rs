//! What the objects tell of themselves. The names of fields are those that callers get, in JSON as in CBOR; times are
//! milliseconds since the Unix epoch.

use serde::{Deserialize, Serialize};

use crate::invalidation::Mode;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// Which pages of a coordinator are to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pages {
    /// All of them.
    All,
    /// The variants of a path.
    Path(CanonicalPath),
    /// Those that carry a tag.
    Tag(Tag),
}

/// What a coordinator is asked to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardQuestion {
    /// Which pages.
    pub pages: Pages,
    /// Only those whose key comes after this one.
    pub after: Option<PageKey>,
    /// The most pages to list; 0: none.
    pub limit: u32,
    /// Whether to count all of them as well, which takes longer than to list some.
    pub totals: bool,
}

/// What a coordinator shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardAnswer {
    /// The object as a whole, if it was asked for with all pages.
    pub shard: Option<ShardState>,
    /// How many pages carry the tag, if that was asked for.
    pub totals: Option<Totals>,
    /// The pages, in the order of their keys.
    pub pages: Vec<PageState>,
    /// Whether more pages follow.
    pub more: bool,
}

/// What is known of one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageState {
    /// Its canonical URL.
    pub key: PageKey,
    /// Its path.
    pub path: String,
    /// Whether it may be served.
    pub state: State,
    /// The render that is published; `None`: nothing is.
    pub version: Option<Version>,
    /// The HTTP status of the published page.
    pub status: Option<u16>,
    /// The length of its body.
    pub body_bytes: Option<u64>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// How often it was rendered again of late.
    pub heat: u64,
    /// When its render began.
    pub render_began_at: Option<Timestamp>,
    /// When its last byte arrived, less the `Age` that its site told.
    pub rendered_at: Option<Timestamp>,
    /// Until when it is fresh; with a version, `None` means without end, here and below.
    pub fresh_until: Option<Timestamp>,
    /// Until when it may be served while it is rendered again.
    pub stale_until: Option<Timestamp>,
    /// Until when it may stand in for a failing site.
    pub error_until: Option<Timestamp>,
    /// The strongest invalidation since its render began.
    pub invalidated: Option<InvalidatedBy>,
    /// How many renders have failed since the last good one.
    pub failures: u64,
    /// When the last failed render began.
    pub failure_began_at: Option<Timestamp>,
    /// No render begins before.
    pub retry_at: Option<Timestamp>,
    /// Until when the site answers each visitor.
    pub pass_until: Option<Timestamp>,
    /// The render under way.
    pub rendering: Option<Rendering>,
    /// What L2 holds.
    pub l2: L2State,
}

/// Whether a page may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it is.
    Fresh,
    /// While it is rendered again.
    Stale,
    /// Only in place of an error.
    Expired,
    /// The site answers each visitor: its answer may not be stored.
    Passing,
    /// There is none.
    Absent,
}

/// The invalidation that has made a page stale or expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidatedBy {
    /// Its number in the tag index's log.
    pub seq: u64,
    /// What it named: `path`, `tag`, `prefix`, `route` or `everything`.
    pub kind: String,
    /// The path, the tag, the prefix or the route.
    pub name: String,
    /// What it does to the page.
    pub mode: Mode,
    /// When the tag index took it.
    pub at: Timestamp,
}

/// A render under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rendering {
    /// For whom.
    pub purpose: RenderPurpose,
    /// When it began.
    pub began_at: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// How many renders before it could not be used.
    pub attempt: u64,
}

/// For whom a page is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RenderPurpose {
    /// A visitor waits.
    Cold,
    /// A stale copy is served meanwhile.
    Background,
}

/// What L2 holds of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2State {
    /// In one word.
    pub state: L2,
    /// The version that it holds, if that is known for certain; it may be older, with the same content.
    pub version: Option<Version>,
    /// When it was last written.
    pub written_at: Option<Timestamp>,
    /// When a write that is to be made is attempted.
    pub due_at: Option<Timestamp>,
    /// How many attempts of it have failed.
    pub attempts: u64,
}

/// What L2 holds of a page, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum L2 {
    /// Nothing was ever written.
    None,
    /// The page.
    Written,
    /// A write is still to be made.
    Writing,
    /// A deletion is still to be made.
    Deleting,
    /// Nothing, or something of no use.
    Unknown,
}

/// How many pages are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Those that follow, together.
    pub total: u64,
    /// Fresh ones.
    pub fresh: u64,
    /// Stale ones.
    pub stale: u64,
    /// Expired ones.
    pub expired: u64,
}

impl Totals {
    /// Adds what two shards say.
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

/// A coordinator as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardState {
    /// Its pages.
    pub pages: Totals,
    /// Keys for which the site answers each visitor.
    pub passing: u64,
    /// Keys whose last render has failed.
    pub failing: u64,
    /// Tags that its pages carry or have carried.
    pub tags: u64,
    /// Renders under way or queued.
    pub renders: u64,
    /// Writes to L2 that are still to be made.
    pub l2: PendingWrites,
    /// Whether renders may begin.
    pub breaker: BreakerState,
    /// Purges and eager refreshes.
    pub sweeps: Sweeps,
    /// The number of the latest invalidation that it has received.
    pub last_invalidation: Option<u64>,
}

/// Writes to L2 that are still to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWrites {
    /// All of them.
    pub pending: u64,
    /// Those that L2 has refused at least once.
    pub failing: u64,
}

/// Whether renders may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakerState {
    /// In one word.
    pub state: BreakerWord,
    /// How many renders of any pages have failed in a row.
    pub failures: u64,
    /// Once it is open, when the next render may begin.
    pub probe_at: Option<Timestamp>,
}

/// Whether renders may begin, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerWord {
    /// As they are asked for.
    Closed,
    /// Not now.
    Open,
    /// One, to find out whether the site has recovered.
    HalfOpen,
}

/// Purges and eager refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweeps {
    /// Those under way.
    pub open: u64,
    /// Pages that they have still to deal with.
    pub pages: u64,
}

/// What the tag index knows of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagEntry {
    /// The coordinators that carry it, or have, in order.
    pub shards: Vec<ShardName>,
    /// Its latest invalidation, as far as the feed remembers.
    pub last_invalidation: Option<LastInvalidation>,
    /// Deliveries of its invalidations that are still to be made.
    pub pending: u64,
}

/// The latest invalidation of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastInvalidation {
    /// Its number in the log.
    pub seq: u64,
    /// What it does to pages.
    pub mode: Mode,
    /// When it was taken.
    pub at: Timestamp,
}

/// What the tag index knows of a coordinator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// Deliveries to it that are still to be made.
    pub pending: u64,
    /// The number of the oldest of those invalidations.
    pub oldest_pending: Option<u64>,
}

impl ShardEntry {
    /// Adds what two tag index objects say. The oldest is that of the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { pending: self.pending + other.pending, oldest_pending: self.oldest_pending.or(other.oldest_pending) }
    }
}
