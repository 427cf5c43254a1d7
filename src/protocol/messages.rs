//! The messages between edge, coordinator and tag index: CBOR in the body of a `POST`, under a versioned path.
//!
//! A page travels as an HTTP response: its headers are unchanged, its metadata is in [`META_HEADER`], its body is a
//! stream. L1 stores pages in the same form. The response's own status has no meaning; the page's status is in the
//! metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::codec;
use crate::inspection::answer::ShardQuestion;
use crate::inspection::survey::{IndexSurvey, ShardSurvey};
use crate::invalidation::{IdempotencyKey, Invalidation, LogPosition, Mode, Refresh, Target};
use crate::metrics::{PageVisits, RequestCounts};
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// The path of messages. It stays the same as long as two successive versions understand each other: see
/// `src/protocol/mod.rs`.
pub const MESSAGE_PATH: &str = "/v1/message";

/// The path of RPC calls: JSON in, JSON out.
pub const RPC_PATH: &str = "/v1/rpc";

/// The status with which an object refuses a message that it does not know, because a later version has sent it. The
/// message has had no effect.
pub const NOT_UNDERSTOOD_STATUS: u16 = 400;

/// The status with which an object refuses a path that it does not know: as [`NOT_UNDERSTOOD_STATUS`].
pub const UNKNOWN_PATH_STATUS: u16 = 404;

/// The status of an object whose class has no SQLite.
pub const NO_SQLITE_STATUS: u16 = 501;

/// The header that carries the [`crate::page::PageMeta`] of a page.
pub const META_HEADER: &str = "x-isr-meta";

/// The header that carries a coordinator's [`Reply`].
pub const REPLY_HEADER: &str = "x-isr-verdict";

/// A message to a coordinator, from an edge or from the tag index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToCoordinator {
    /// The edge has nothing to serve, and a client waits.
    Miss {
        /// The object's own name, which it can't find out otherwise.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The time of an invalidation that the edge knows: a render that began before it is of no use.
        newer_than: Option<Timestamp>,
        /// Whether another coordinator has forwarded the message.
        #[serde(default, skip_serializing_if = "is_false")]
        forwarded: bool,
        /// Whether the client can render the page: the answer may be [`Reply::Lease`].
        #[serde(default, skip_serializing_if = "is_false")]
        renders: bool,
        /// Visits of the shard's pages that the edge has counted. Earlier code ignores them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        visits: Vec<PageVisits>,
    },
    /// The edge has served a stale page.
    Stale {
        /// The object's own name.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The version that was served.
        version: Version,
        /// As in `Miss`.
        newer_than: Option<Timestamp>,
        /// As in `Miss`.
        #[serde(default, skip_serializing_if = "is_false")]
        forwarded: bool,
        /// As in `Miss`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        visits: Vec<PageVisits>,
    },
    /// Visits of the shard's pages, of which none has been missing or stale for long. The answer is empty.
    Visits {
        /// The object's own name.
        shard: ShardName,
        /// The visits.
        visits: Vec<PageVisits>,
    },
    /// Asks what the shard has counted. The answer is a [`crate::metrics::ShardMetrics`].
    Metrics,
    /// An invalidation that affects the shard. The answer is an [`ApplyAnswer`].
    Invalidate(Invalidation),
    /// Asks for the progress of an invalidation. The answer is a [`ShardProgress`].
    Progress(Invalidation),
    /// Asks for the state of pages. The answer is a [`crate::inspection::answer::ShardAnswer`].
    Inspect(ShardQuestion),
    /// Asks for a survey, which names its answer. Earlier code refuses it.
    Survey(ShardSurvey),
    /// No request reaches the shard, according to the tag index's configuration. If its own says the same, the shard
    /// forgets its pages, unregisters, and deletes its storage. The answer is a [`RetireAnswer`].
    Retire {
        /// The object's own name.
        shard: ShardName,
    },
}

/// A coordinator's answer to [`ToCoordinator::Retire`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetireAnswer {
    /// Whether the coordinator retires. It does not if its configuration has its route.
    pub retires: bool,
}

/// A coordinator's answer to [`ToCoordinator::Invalidate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyAnswer {
    /// The number of affected pages, counted up to [`crate::coordinator::tables::MAX_COUNTED`].
    pub matched: u64,
}

/// The progress of one shard with the pages that an invalidation affects.
///
/// ```
/// use cloudflare_isr::{Progress, ShardProgress};
///
/// fn percentage(progress: &Progress) -> Option<u64> {
///     let ShardProgress { done, failed, pending, .. } = progress.pages?;
///     (100 * (done + failed)).checked_div(done + failed + pending)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardProgress {
    /// Pages that are rendered again, or, for a purge, deleted.
    pub done: u64,
    /// Pages of an eager refresh whose render has failed.
    pub failed: u64,
    /// Pages that are not processed yet.
    pub pending: u64,
    /// When the last page of an eager refresh or a purge was processed.
    pub done_at: Option<Timestamp>,
}

impl ShardProgress {
    /// Adds the progress of two shards. `done_at` is set once both have finished.
    #[must_use]
    #[doc(hidden)]
    pub fn and(self, other: Self) -> Self {
        Self {
            done: self.done + other.done,
            failed: self.failed + other.failed,
            pending: self.pending + other.pending,
            done_at: self.done_at.zip(other.done_at).map(|(one, other)| one.max(other)),
        }
    }
}

/// The progress of an invalidation.
///
/// ```
/// use cloudflare_isr::{Isr, IsrError, Progress};
///
/// async fn is_applied(isr: &Isr, seq: u64) -> Result<bool, IsrError> {
///     let Progress { pending, downstream, .. } = isr.invalidation(seq).await?;
///     Ok(pending == 0 && downstream.iter().all(|cache| cache.is_done))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The recorded invalidation.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not applied it yet.
    pub pending: u64,
    /// How many pages it affected where it was applied.
    pub matched: u64,
    /// The sum of the coordinators' progress; `None` if one of them was unreachable.
    pub pages: Option<ShardProgress>,
    /// The progress in downstream caches; empty without any.
    #[serde(rename = "sinks", default, skip_serializing_if = "Vec::is_empty")]
    pub downstream: Vec<DownstreamProgress>,
}

/// The progress of an invalidation in a downstream cache.
///
/// ```
/// use cloudflare_isr::{Progress, DownstreamProgress};
///
/// fn pending(progress: &Progress) -> impl Iterator<Item = &str> {
///     progress.downstream.iter().filter(|cache: &&DownstreamProgress| !cache.is_done).map(|cache| cache.cache.as_str())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownstreamProgress {
    /// Its name: see [`crate::downstream::purges::DownstreamCache`].
    #[serde(rename = "sink")]
    pub cache: String,
    /// Whether it is purged for good: no edge fills the cache with the old page again.
    pub is_done: bool,
}

impl ToCoordinator {
    /// Returns an edge's message in the form that one coordinator forwards to another.
    #[must_use]
    pub fn forwarded_to(self, owner: &ShardName) -> Self {
        let shard = owner.clone();
        match self {
            // The visits belong to pages of the first coordinator.
            Self::Miss { key, newer_than, renders, .. } => {
                Self::Miss { shard, key, newer_than, forwarded: true, renders, visits: Vec::new() }
            }
            Self::Stale { key, version, newer_than, .. } => {
                Self::Stale { shard, key, version, newer_than, forwarded: true, visits: Vec::new() }
            }
            other @ (Self::Visits { .. }
            | Self::Metrics
            | Self::Invalidate(_)
            | Self::Progress(_)
            | Self::Inspect(_)
            | Self::Survey(_)
            | Self::Retire { .. }) => other,
        }
    }
}

/// A message to a tag index object, with the sender's number of tag index objects. While a new number is being
/// deployed, sender and object may not agree. Then the object refuses, because each would look for a tag in another
/// object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagIndexCall {
    /// The setting `tag_shards`.
    pub tag_shards: u16,
    /// The message.
    pub message: ToTagIndex,
}

/// A message to a tag index object, from a coordinator or an edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToTagIndex {
    /// The shard is about to publish its first page with these tags.
    Register {
        /// The shard.
        shard: ShardName,
        /// The number of shards of its route.
        #[serde(default)]
        shards: u16,
        /// The tags that are new to the shard.
        tags: Vec<Tag>,
        /// When the render began.
        since: Timestamp,
        /// The shard's generation: it rises whenever the shard forgets tags.
        #[serde(default, skip_serializing_if = "is_zero")]
        generation: u64,
        /// The tags of a range that the shard still carries. It has forgotten all others of older generations.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carried: Option<CarriedTags>,
    },
    /// The shard has no pages any more, and forgets what it has registered in older generations. The answer is an
    /// [`UnregisterAnswer`].
    Unregister {
        /// The shard.
        shard: ShardName,
        /// Its generation.
        generation: u64,
    },
    /// Invalidate pages. The answer is an [`InvalidateAnswer`].
    Invalidate {
        /// Which pages.
        #[serde(rename = "scope")]
        target: Target,
        /// The effect on them.
        mode: Mode,
        /// When they are rendered again.
        #[serde(default)]
        refresh: Refresh,
        /// What identifies the call, if it may be repeated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
    },
    /// Invalidate several targets. The answer is a list with an [`InvalidateAnswer`] for each of them, in their order.
    /// Earlier code refuses it, and gets them one by one.
    InvalidateAll {
        /// Which pages.
        targets: Vec<Target>,
        /// The effect on them.
        mode: Mode,
        /// When they are rendered again.
        refresh: Refresh,
        /// What identifies the call, if it may be repeated.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<IdempotencyKey>,
    },
    /// Asks for the progress of an invalidation. The answer is a [`Progress`], or nothing if the log does not have it
    /// any more.
    Progress {
        /// Its number.
        seq: u64,
    },
    /// Asks for invalidations after a number. The answer is a [`crate::invalidation::FeedPage`].
    Feed {
        /// The number.
        since: u64,
        /// What the edge really knows. Older versions do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known: Option<LogPosition>,
    },
    /// Asks for a stream of the invalidations after a number: a [`crate::protocol::PushFrame`] for each news. An object
    /// that can't take it answers with an error, and so does one of an older version; then the edge polls.
    Listen {
        /// The number.
        since: u64,
        /// What the edge knows.
        known: Option<LogPosition>,
        /// A frame follows at least after this time, in milliseconds.
        every: u64,
    },
    /// Asks for what the index knows of a tag. The answer is a [`crate::inspection::answer::TagEntry`].
    InspectTag {
        /// The tag.
        tag: Tag,
    },
    /// Asks for what the index knows of a coordinator. The answer is a [`crate::inspection::answer::ShardEntry`], or
    /// nothing if the coordinator has never announced a page.
    InspectShard {
        /// Its name.
        shard: ShardName,
    },
    /// Asks for what is pending, and for some coordinators. The answer is a
    /// [`crate::inspection::answer::TagIndexHealth`].
    Health {
        /// The place of the first coordinator among all of them, modulo their number.
        from: u64,
        /// The most coordinators to name.
        limit: u32,
    },
    /// Asks for a survey, which names its answer. Earlier code refuses it.
    Survey(IndexSurvey),
    /// What an isolate has counted. The answer is empty. Only the root sums it.
    Count(RequestCounts),
    /// Asks what the object has counted, and for some coordinators. The answer is a
    /// [`crate::metrics::TagIndexMetrics`].
    Metrics {
        /// The place of the first coordinator among all of them. Beyond the last one, none is named.
        from: u64,
        /// The most coordinators to name.
        limit: u32,
    },
}

/// A range of the tags of one tag index object, and those of them that a shard carries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedTags {
    /// The range begins after this tag; `None`: with the first.
    pub after: Option<Tag>,
    /// The range ends with this tag; `None`: with the last.
    pub up_to: Option<Tag>,
    /// The tags in the range that the shard carries.
    pub tags: Vec<Tag>,
}

/// The answer to [`ToTagIndex::Unregister`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnregisterAnswer {
    /// Whether some tags of the shard are left, so that the call has to be repeated.
    pub more: bool,
}

/// The answer to [`ToTagIndex::Register`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterAnswer {
    /// The invalidations of these tags since the render began.
    pub invalidations: Vec<Invalidation>,
    /// Invalidations up to this time may be missing.
    pub floor: Timestamp,
}

impl RegisterAnswer {
    /// Adds the answer of another object.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.invalidations.extend(other.invalidations);
        Self { floor: self.floor.max(other.floor), ..self }
    }
}

/// The answer to [`ToTagIndex::Invalidate`].
///
/// ```
/// use cloudflare_isr::{Isr, IsrError, Mode};
///
/// async fn edited(isr: &Isr) -> Result<(), IsrError> {
///     let receipt = isr.revalidate_tag("post:42", Mode::Expire).await?;
///     if receipt.pending > 0 {
///         worker::console_log!("{}", receipt.to_json());
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidateAnswer {
    /// The recorded invalidation.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not applied it yet.
    pub pending: u64,
    /// How many pages it affected where it was applied.
    #[serde(default)]
    pub matched: u64,
    /// Whether an earlier call with the same idempotency key has recorded the invalidation.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
}

impl InvalidateAnswer {
    /// Returns the receipt for callers by RPC and HTTP: `seq`, the target, `mode`, `refresh`, `pages.matched`,
    /// `shards.applied` and `shards.pending`, and `repeated` if it is true.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (target, name) = match &self.invalidation.target {
            Target::Path(path) => ("path", json!(path.as_str())),
            Target::Tag(tag) => ("tag", json!(tag.as_str())),
            Target::Prefix(prefix) => ("prefix", json!(prefix.as_str())),
            Target::Route(route) => ("route", json!(route.as_str())),
            Target::Everything => ("everything", json!(true)),
        };
        let mut receipt = json!({
            "seq": self.invalidation.seq,
            target: name,
            "mode": self.invalidation.mode,
            "refresh": self.invalidation.refresh,
            "pages": { "matched": self.matched },
            "shards": { "applied": self.applied, "pending": self.pending },
        });
        if self.repeated {
            receipt["repeated"] = json!(true);
        }
        receipt
    }
}

/// A coordinator's answer to a miss or to the report of a stale page. A page may come with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Serve the page, and store it.
    Page {
        /// Whether it was rendered for this request.
        rendered: bool,
        /// Whether others shared the render.
        collapsed: bool,
    },
    /// Serve the last good page, but do not store it.
    StandIn {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// Relay the origin's failed response. It is not stored.
    Relay {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// There is no newer page than the edge's.
    Unchanged,
    /// Pass the client's own request to the origin.
    Pass {
        /// How long to do so without asking again.
        until: Timestamp,
        /// Why the origin's answer is not stored, if it has just been rendered.
        #[serde(rename = "detail")]
        reason: Option<Reason>,
    },
    /// The origin fails, and there is no page to serve instead.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// No page is available here now, although the origin may be healthy.
    Refused {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// Render the page, and store it with an `Offer`. Only for clients that can render it.
    Lease {
        /// The coordinator that owns the page. It may be another one than the edge asked.
        shard: ShardName,
        /// The fencing token.
        token: Version,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Reply {
    /// Encodes the verdict for a header value.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        codec::to_text(self)
    }

    /// Parses the result of [`Self::to_header_value`]; `None` for anything else.
    #[must_use]
    pub fn from_header_value(value: &str) -> Option<Self> {
        codec::from_text(value)
    }
}
