//! What an isolate sends to the objects. An earlier version ignores a field that it does not know, and refuses a message
//! that it does not know: then the isolate keeps its counts, and offers them again a minute later.

use serde::{Deserialize, Serialize};

use crate::metrics::label::RequestLabel;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::key::PageKey;

/// The most visits of one page that one message may add.
pub const MAX_VISITS: u64 = 1_000_000;

/// The most pages in one message.
pub const MAX_PAGES: usize = 100;

/// The most bytes of keys in one message, which an object takes up to 64 KiB of.
pub const MAX_KEY_BYTES: usize = 16 * 1024;

/// Visits of one page since the last message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageVisits {
    /// The page.
    pub key: PageKey,
    /// How often it was served.
    pub visits: u64,
}

/// Requests with the same labels since the last message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestCount {
    /// The route. The receiver drops counts of routes that its configuration does not have.
    pub route: RouteId,
    /// The outcome.
    pub outcome: CacheOutcome,
    /// The reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How many there were.
    pub requests: u64,
}

impl RequestCount {
    /// Returns the labels.
    #[must_use]
    pub fn label(&self) -> RequestLabel {
        RequestLabel { route: self.route.clone(), outcome: self.outcome, reason: self.reason }
    }
}

/// An object that an edge calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalledObject {
    /// A coordinator: a miss, or the report of a stale page.
    Coordinator,
    /// An object of the tag index: a question to the feed, a stream, or counts.
    TagIndex,
}

/// The calls of objects by an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectCalls {
    /// Calls of coordinators.
    pub coordinator: u64,
    /// Calls of tag index objects.
    pub tag_index: u64,
}

impl ObjectCalls {
    /// Adds the calls of another account.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            coordinator: self.coordinator.saturating_add(other.coordinator),
            tag_index: self.tag_index.saturating_add(other.tag_index),
        }
    }
}

/// What an isolate has counted since its last message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestCounts {
    /// Requests by their labels.
    pub requests: Vec<RequestCount>,
    /// Calls of objects.
    pub calls: ObjectCalls,
}

impl RequestCounts {
    /// Returns whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.calls == ObjectCalls::default()
    }
}
