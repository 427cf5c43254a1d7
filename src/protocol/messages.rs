//! What edge, coordinator and tag index say to each other: CBOR in the body of a `POST`, under a versioned path.
//!
//! A page travels as an HTTP response: its headers as they are, what is known of it in [`META_HEADER`], its body as a
//! stream. L1 keeps pages in the same form. The response's own status says nothing; the page's is in the meta.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::codec;
use crate::inspection::answer::ShardQuestion;
use crate::invalidation::{Invalidation, Mode, Refresh, Scope};
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;

/// The path of messages of this version. Another version is refused: objects are deployed together with the edge, and
/// for the moment in which they are not, the edge falls back as for a failing object.
pub const MESSAGE_PATH: &str = "/v1/message";

/// The path of calls that come by RPC: JSON in, JSON out.
pub const RPC_PATH: &str = "/v1/rpc";

/// The header that carries a [`crate::page::PageMeta`] beside a page.
pub const META_HEADER: &str = "x-isr-meta";

/// The header that carries a coordinator's [`Verdict`].
pub const VERDICT_HEADER: &str = "x-isr-verdict";

/// What an edge, or the tag index, tells a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToCoordinator {
    /// The edge has nothing to serve, and a visitor waits.
    Miss {
        /// The object's own name, which it can't know otherwise.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The edge knows of an invalidation of that time: what began to be rendered before is of no use.
        newer_than: Option<Timestamp>,
        /// Another coordinator was asked, and has handed the message on.
        #[serde(default, skip_serializing_if = "is_false")]
        forwarded: bool,
        /// Who asks can render the page: the answer may be [`Verdict::Lease`].
        #[serde(default, skip_serializing_if = "is_false")]
        renders: bool,
    },
    /// The edge has served a stale copy.
    Stale {
        /// The object's own name.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The version that was served.
        version: Version,
        /// As for a miss.
        newer_than: Option<Timestamp>,
        /// As for a miss.
        #[serde(default, skip_serializing_if = "is_false")]
        forwarded: bool,
    },
    /// An invalidation that concerns the shard. The answer is an [`Applied`].
    Invalidate(Invalidation),
    /// Asks how far a shard is with an invalidation. The answer is a [`ShardProgress`].
    Progress(Invalidation),
    /// Asks what is known of pages. The answer is a [`crate::inspection::answer::ShardAnswer`].
    Inspect(ShardQuestion),
}

/// A coordinator's answer to [`ToCoordinator::Invalidate`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// How many pages it concerns here, counted up to [`crate::coordinator::tables::MAX_COUNTED`].
    pub matched: u64,
}

/// How far one shard is with the pages that an invalidation concerns.
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
    /// Rendered again, or, for a purge, deleted.
    pub done: u64,
    /// Those of an eager refresh whose render has failed.
    pub failed: u64,
    /// Still as they were.
    pub pending: u64,
    /// When the last one was dealt with, of an eager refresh or a purge.
    pub done_at: Option<Timestamp>,
}

impl ShardProgress {
    /// Adds what two shards say. There is an end once both have come to theirs.
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

/// What has come of an invalidation so far.
///
/// ```
/// use cloudflare_isr::{Isr, IsrError, Progress};
///
/// async fn is_applied(isr: &Isr, seq: u64) -> Result<bool, IsrError> {
///     let Progress { pending, sinks, .. } = isr.invalidation(seq).await?;
///     Ok(pending == 0 && sinks.iter().all(|sink| sink.is_done))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was recorded.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not yet.
    pub pending: u64,
    /// How many pages it concerned where it was applied.
    pub matched: u64,
    /// What the coordinators say together; `None` if one of them could not be asked.
    pub pages: Option<ShardProgress>,
    /// How far it is in caches in front; empty without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<SinkProgress>,
}

/// How far an invalidation is in a cache in front.
///
/// ```
/// use cloudflare_isr::{Progress, SinkProgress};
///
/// fn pending(progress: &Progress) -> impl Iterator<Item = &str> {
///     progress.sinks.iter().filter(|sink: &&SinkProgress| !sink.is_done).map(|sink| sink.sink.as_str())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkProgress {
    /// Its name: see [`crate::downstream::purges::Sink`].
    pub sink: String,
    /// Whether it is purged for good: no edge fills it with the old page again.
    pub is_done: bool,
}

impl ToCoordinator {
    /// Returns an edge's message as one coordinator hands it on to another.
    #[must_use]
    pub fn forwarded_to(self, owner: &ShardName) -> Self {
        let shard = owner.clone();
        match self {
            Self::Miss { key, newer_than, renders, .. } => {
                Self::Miss { shard, key, newer_than, forwarded: true, renders }
            }
            Self::Stale { key, version, newer_than, .. } => {
                Self::Stale { shard, key, version, newer_than, forwarded: true }
            }
            other @ (Self::Invalidate(_) | Self::Progress(_) | Self::Inspect(_)) => other,
        }
    }
}

/// A message to a tag index object, and over how many objects its sender takes tags to be spread. While a new number is
/// being deployed, the two may not agree: then the object refuses, for each would look for a tag elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagIndexCall {
    /// The setting `tag_shards`.
    pub tag_shards: u16,
    /// The message.
    pub message: ToTagIndex,
}

/// What a coordinator, or an edge, tells a tag index object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToTagIndex {
    /// The shard is about to publish its first page with these tags.
    Register {
        /// The shard.
        shard: ShardName,
        /// Over how many shards its route is spread.
        #[serde(default)]
        shards: u16,
        /// The tags that are new to it.
        tags: Vec<Tag>,
        /// When the render began.
        since: Timestamp,
    },
    /// Invalidate pages. The answer is an [`InvalidateAnswer`].
    Invalidate {
        /// Which pages.
        scope: Scope,
        /// What becomes of their copies.
        mode: Mode,
        /// When they are rendered again.
        #[serde(default)]
        refresh: Refresh,
    },
    /// Asks what has come of an invalidation. The answer is a [`Progress`], or nothing if it is not known any more.
    Progress {
        /// Its number.
        seq: u64,
    },
    /// Asks what was invalidated after a number. The answer is a [`crate::invalidation::FeedPage`].
    Feed {
        /// The number.
        since: u64,
    },
    /// Asks what is known of a tag. The answer is a [`crate::inspection::answer::TagEntry`].
    InspectTag {
        /// The tag.
        tag: Tag,
    },
    /// Asks what is known of a coordinator. The answer is a [`crate::inspection::answer::ShardEntry`], or nothing if it has
    /// never been about to publish a page.
    InspectShard {
        /// Its name.
        shard: ShardName,
    },
}

/// The answer to [`ToTagIndex::Register`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterAnswer {
    /// The invalidations of these tags since the render began.
    pub invalidations: Vec<Invalidation>,
    /// Invalidations of up to this time may be missing.
    pub floor: Timestamp,
}

impl RegisterAnswer {
    /// Adds what another object has answered.
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
    /// What was recorded.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not yet.
    pub pending: u64,
    /// How many pages it concerns where it was applied.
    #[serde(default)]
    pub matched: u64,
}

impl InvalidateAnswer {
    /// Returns the receipt as callers by RPC and over HTTP get it: `seq`, the scope, `mode`, `refresh`, `pages.matched`,
    /// `shards.applied` and `shards.pending`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (scope, name) = match &self.invalidation.scope {
            Scope::Path(path) => ("path", json!(path.as_str())),
            Scope::Tag(tag) => ("tag", json!(tag.as_str())),
            Scope::Prefix(prefix) => ("prefix", json!(prefix.as_str())),
            Scope::Route(route) => ("route", json!(route.as_str())),
            Scope::Everything => ("everything", json!(true)),
        };
        json!({
            "seq": self.invalidation.seq,
            scope: name,
            "mode": self.invalidation.mode,
            "refresh": self.invalidation.refresh,
            "pages": { "matched": self.matched },
            "shards": { "applied": self.applied, "pending": self.pending },
        })
    }
}

/// A coordinator's answer to a miss or a stale event, besides the page that may come with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The page, to be served and kept.
    Page {
        /// Whether it was rendered for this request, and not found.
        rendered: bool,
        /// Whether others shared the render.
        collapsed: bool,
    },
    /// The last good copy, to be served and not kept.
    StandIn {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// What the site has just answered: neither good nor kept.
    Relay {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// There is nothing newer than what the edge has.
    Unchanged,
    /// Ask the site with the visitor's own request.
    Pass {
        /// Until when to do so without asking.
        until: Timestamp,
        /// Why the origin's answer is not stored, if it has just been rendered.
        #[serde(rename = "detail")]
        reason: Option<Reason>,
    },
    /// The site fails, and there is no copy to stand in.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// Nothing can be had here now, though the site may be well.
    Refused {
        /// Why.
        #[serde(rename = "detail")]
        reason: Reason,
    },
    /// Render the page, and offer it: see `Offer`. Only for who has said that he can.
    Lease {
        /// The coordinator that owns the page, which need not be the one that was asked.
        shard: ShardName,
        /// The fencing token.
        token: Version,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Verdict {
    /// Encodes for the inside of a header value.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        codec::to_text(self)
    }

    /// Reads what [`Self::to_header_value`] wrote; `None` if the value is anything else.
    #[must_use]
    pub fn from_header_value(value: &str) -> Option<Self> {
        codec::from_text(value)
    }
}
