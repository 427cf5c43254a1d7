//! Surveys: questions of the admin API that an object answers as a whole, and their answers. The field names are those that
//! callers get, in JSON as in CBOR; times are milliseconds since the Unix epoch. Each answer is bounded.

use serde::{Deserialize, Serialize};

use crate::inspection::answer::{
    BreakerState, LastInvalidation, PageState, RenderPurpose, ShardEntry, ShardState, State,
};
use crate::invalidation::{Invalidation, PathPrefix};
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// The most work that counting all pages of a coordinator may take: pages, times the invalidations that each is compared
/// with. If it takes more, the pages are not counted.
pub const MAX_COUNTING: u64 = 500_000;

/// The most pages among which the hottest and stalest ones are searched.
pub const MAX_RANKED: u64 = 10_000;

/// The number of the hottest, and of the stalest pages.
pub const RANKED: u32 = 10;

/// The most rows that one question about entries examines, and the most pages whose state it judges.
pub const MAX_EXAMINED: u32 = 5_000;
/// See [`MAX_EXAMINED`].
pub const MAX_JUDGED: u32 = 500;

/// A survey of a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardSurvey {
    /// The object as a whole. The answer is a [`ShardOverview`].
    Overview,
    /// The log of decisions. The answer is a [`DecisionPage`].
    Decisions(DecisionQuestion),
    /// Pages by filters. The answer is an [`EntryPage`].
    Entries(EntryQuestion),
    /// The running and queued renders, the oldest first. The answer is a [`LeasePage`].
    Leases {
        /// The most renders to list.
        limit: u32,
    },
}

/// A survey of a tag index object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexSurvey {
    /// The coordinators, sorted by name. The answer is a [`ShardPage`].
    Shards {
        /// Only coordinators from this name on.
        from: Option<ShardName>,
        /// Only coordinators of this route.
        route: Option<String>,
        /// The most coordinators to list.
        limit: u32,
    },
    /// The tags, sorted. The answer is a [`TagPage`].
    Tags {
        /// Only tags that begin with this text.
        prefix: String,
        /// Only tags after this one.
        after: Option<Tag>,
        /// The most tags to list.
        limit: u32,
    },
    /// The log of invalidations, the newest first. The answer is an [`InvalidationPage`].
    Invalidations {
        /// Only invalidations with a lower number.
        before: Option<u64>,
        /// Only invalidations that were received before this time.
        before_time: Option<Timestamp>,
        /// The most invalidations to list.
        limit: u32,
    },
}

/// A coordinator as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShardOverview {
    /// The number of its keys.
    pub keys: u64,
    /// Its state; `None` if that would take too long to count.
    pub state: Option<ShardState>,
    /// The circuit breaker.
    pub breaker: BreakerState,
    /// The number of its latest decision; 0: there is none.
    pub last_decision: u64,
    /// The pages that were rendered again most often; empty if there are too many pages.
    pub hottest: Vec<RankedPage>,
    /// The pages whose freshness ended first; empty if there are too many pages.
    pub stalest: Vec<RankedPage>,
}

/// A page in a ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RankedPage {
    /// Its canonical URL.
    pub key: PageKey,
    /// How often it was rendered again recently.
    pub heat: u64,
    /// When its last byte arrived.
    pub rendered_at: Option<Timestamp>,
    /// The end of its freshness.
    pub fresh_until: Option<Timestamp>,
}

/// A question about pages. A page must meet all conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryQuestion {
    /// Only pages at or below this path.
    pub prefix: Option<PathPrefix>,
    /// Only pages with this tag.
    pub tag: Option<Tag>,
    /// Only pages in this state.
    pub state: Option<State>,
    /// Only pages whose key comes after this one.
    pub after: Option<PageKey>,
    /// The most pages to list.
    pub limit: u32,
}

/// Some pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPage {
    /// The pages, in the order of their keys.
    pub pages: Vec<PageState>,
    /// The last key that was examined; `None` if it was the last one.
    pub after: Option<PageKey>,
}

/// The running and queued renders of a coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeasePage {
    /// Their number.
    pub total: u64,
    /// Some of them.
    pub leases: Vec<RunningRender>,
}

/// A running or queued render.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningRender {
    /// The page.
    pub key: PageKey,
    /// Its token.
    pub token: Version,
    /// Its purpose.
    pub purpose: RenderPurpose,
    /// When its lease began.
    pub began_at: Timestamp,
    /// When it times out.
    pub expires_at: Timestamp,
    /// How many renders before it were unusable.
    pub attempt: u64,
}

/// Some coordinators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPage {
    /// The number of all coordinators.
    pub known: u64,
    /// Some of them, sorted by name.
    pub shards: Vec<ListedShard>,
    /// Whether more follow.
    pub more: bool,
}

/// A coordinator in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedShard {
    /// Its name.
    pub shard: ShardName,
    /// Its deliveries.
    pub deliveries: ShardEntry,
}

/// Some tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagPage {
    /// The tags, sorted.
    pub tags: Vec<ListedTag>,
    /// Whether more follow.
    pub more: bool,
}

/// A tag in the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedTag {
    /// The tag.
    pub tag: Tag,
    /// How many coordinators carry it or have carried it.
    pub shards: u64,
    /// Its latest invalidation in the feed.
    pub last_invalidation: Option<LastInvalidation>,
}

/// Some invalidations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidationPage {
    /// The invalidations, the newest first.
    pub invalidations: Vec<LoggedInvalidation>,
    /// Whether older ones follow.
    pub more: bool,
}

/// An invalidation in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedInvalidation {
    /// The invalidation.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not applied it yet.
    pub pending: u64,
    /// How many pages it names where it was applied.
    pub matched: u64,
}

/// A question about the log of decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionQuestion {
    /// Only decisions after this number; `None`: the latest.
    pub after: Option<u64>,
    /// The most decisions to list.
    pub limit: u32,
}

/// A part of the log of decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionPage {
    /// The number of the latest decision; 0: there is none.
    pub last: u64,
    /// The decisions, the oldest first.
    pub decisions: Vec<LoggedDecision>,
}

/// A decision in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedDecision {
    /// Its number in the log of its coordinator.
    pub seq: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Its kind, as in [`DecisionKind`](crate::coordinator::DecisionKind). A later version may have others.
    pub kind: String,
    /// The page, if it concerns one page.
    pub key: Option<PageKey>,
    /// The version of the page, or the token of the render.
    pub version: Option<Version>,
    /// Why, as in `Cache-Status`.
    pub reason: Option<Reason>,
    /// What led to it.
    pub detail: Option<String>,
    /// The number of the invalidation.
    pub invalidation: Option<u64>,
    /// How many pages it concerns.
    pub pages: Option<u64>,
    /// How long the render took, from its lease to its result, in milliseconds.
    pub duration_ms: Option<u64>,
}
