//! What edge, coordinator and tag index say to each other: CBOR in the body of a `POST`, under a versioned path.
//!
//! A page travels as an HTTP response: its headers as they are, what is known of it in [`META_HEADER`], its body as a
//! stream. L1 keeps pages in the same form. The response's own status says nothing; the page's is in the meta.

use serde::{Deserialize, Serialize};

use crate::feed::{Invalidation, Mode, Scope};
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard::ShardName;
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

/// The name of the one tag index object.
pub const TAG_INDEX_NAME: &str = "tags#0";

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
    },
    /// An invalidation that concerns the shard.
    Invalidate(Invalidation),
}

/// What a coordinator, or an edge, tells the tag index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToTagIndex {
    /// The shard is about to publish its first page with these tags.
    Register {
        /// The shard.
        shard: ShardName,
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
    },
    /// Asks what was invalidated after a number. The answer is a [`crate::feed::FeedPage`].
    Feed {
        /// The number.
        since: u64,
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

/// The answer to [`ToTagIndex::Invalidate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidateAnswer {
    /// What was recorded.
    pub invalidation: Invalidation,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not yet.
    pub pending: u64,
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
        /// The word for `Cache-Status`.
        detail: String,
    },
    /// What the site has just answered: neither good nor kept.
    Relay {
        /// The word for `Cache-Status`.
        detail: String,
    },
    /// There is nothing newer than what the edge has.
    Unchanged,
    /// Ask the site with the visitor's own request.
    Pass {
        /// Until when to do so without asking.
        until: Timestamp,
        /// The word for `Cache-Status`.
        detail: Option<String>,
    },
    /// The site fails, and there is no copy to stand in.
    Unavailable {
        /// When the next render may begin.
        retry_at: Timestamp,
    },
    /// Too many requests wait at this object.
    Busy,
}

/// Encodes a message as CBOR.
#[must_use]
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut out = Vec::new();
    let written = ciborium::into_writer(message, &mut out);
    debug_assert!(written.is_ok(), "writing CBOR to memory can't fail");
    out
}

/// Decodes a message; `None` if the bytes are anything else, or go on behind it.
#[must_use]
pub fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    ciborium::from_reader(&mut rest).ok().filter(|_| rest.is_empty())
}

impl Verdict {
    /// Encodes for the inside of a header value.
    #[must_use]
    pub fn to_header_value(&self) -> String {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(encode(self))
    }

    /// Reads what [`Self::to_header_value`] wrote; `None` if the value is anything else.
    #[must_use]
    pub fn from_header_value(value: &str) -> Option<Self> {
        use base64::Engine;
        decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value).ok()?)
    }
}
