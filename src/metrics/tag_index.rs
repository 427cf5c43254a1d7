//! What an object of the tag index counts, and what it reports.

use serde::{Deserialize, Serialize};

use crate::inspection::answer::TagIndexHealth;
use crate::metrics::totals::RequestTotals;

/// The counters of one object. A field that earlier code has not saved, or does not send, is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TagIndexCounters {
    /// Questions to the feed.
    pub polls: u64,
    /// Streams that were opened.
    pub streams: u64,
    /// Registrations of tags.
    pub registrations: u64,
    /// Invalidations that were recorded.
    pub invalidations: u64,
    /// Deliveries that were applied.
    pub delivered: u64,
    /// Attempts of deliveries that have failed.
    pub undelivered: u64,
    /// Messages with the counts of an isolate.
    pub hand_overs: u64,
    /// What these contained.
    pub totals: RequestTotals,
}

/// What an object of the tag index reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TagIndexMetrics {
    /// The counters, as they were last saved.
    pub counters: TagIndexCounters,
    /// The streams that are open.
    pub open_streams: u64,
    /// What is pending, and some coordinators.
    pub health: TagIndexHealth,
}
