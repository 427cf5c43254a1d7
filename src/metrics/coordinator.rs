//! What a coordinator counts. The counters follow from its decisions: `src/coordinator/shard/` counts when it records them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::coordinator::RenderOutcome;
use crate::inspection::answer::BreakerState;
use crate::semantics::storable::OriginFailure;

/// The upper ends of the buckets of render durations, in milliseconds. Above the last one is a bucket without end.
pub const BUCKETS: [u64; 10] = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000];

/// The counters of one coordinator. A field that earlier code has not saved, or does not send, is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Misses of edges.
    pub misses: u64,
    /// Reports of stale pages.
    pub reports: u64,
    /// Visits of pages, as edges have counted them.
    pub visits: u64,
    /// Renders by how they ended.
    pub renders: RenderCounts,
    /// How long renders took, from the lease on.
    pub durations: Histogram,
    /// Pages that were written to L2.
    pub written: u64,
    /// Pages that were deleted from L2.
    pub deleted: u64,
    /// Writes and deletions that L2 has refused.
    pub refused: u64,
    /// The bytes of the bodies of all writes that were begun.
    pub written_bytes: u64,
    /// Invalidations that were applied.
    pub invalidations: u64,
    /// Keys with a row, when the coordinator has last counted them: an object that begins does not know their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
}

/// The number of renders that ended in each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenderCounts {
    /// The page may be stored.
    pub done: u64,
    /// The response may not be stored.
    pub uncacheable: u64,
    /// The origin has answered with an error.
    pub failed_status: u64,
    /// The origin has answered with an empty page.
    pub failed_empty: u64,
    /// The origin could not be reached, or broke off.
    pub failed_broken: u64,
    /// The origin has not answered in time.
    pub failed_timeout: u64,
    /// The origin has confirmed another version.
    pub mismatched: u64,
    /// The tags could not be registered.
    pub unregistered: u64,
    /// The object died during the render, or a ticket was not used.
    pub lost: u64,
    /// There was no memory for the body.
    pub no_room: u64,
    /// The lease has expired.
    pub too_old: u64,
    /// The render did not begin in time.
    pub refused: u64,
}

impl RenderCounts {
    /// Counts the end of a render.
    pub fn count(&mut self, outcome: &RenderOutcome) {
        let count = match outcome {
            RenderOutcome::Done(_) => &mut self.done,
            RenderOutcome::Uncacheable(_) => &mut self.uncacheable,
            RenderOutcome::Failed(OriginFailure::Status(_) | OriginFailure::Pausing { .. }) => &mut self.failed_status,
            RenderOutcome::Failed(OriginFailure::Empty) => &mut self.failed_empty,
            RenderOutcome::Failed(OriginFailure::Broken) => &mut self.failed_broken,
            RenderOutcome::Failed(OriginFailure::Timeout) => &mut self.failed_timeout,
            RenderOutcome::Mismatched => &mut self.mismatched,
            RenderOutcome::Unregistered => &mut self.unregistered,
            RenderOutcome::Lost => &mut self.lost,
            RenderOutcome::NoRoom => &mut self.no_room,
            RenderOutcome::TooOld => &mut self.too_old,
            RenderOutcome::Refused => &mut self.refused,
        };
        *count = count.saturating_add(1);
    }

    /// Lists the numbers with the value of the label `result`.
    #[must_use]
    pub fn by_result(&self) -> [(&'static str, u64); 12] {
        [
            ("done", self.done),
            ("uncacheable", self.uncacheable),
            ("failed-status", self.failed_status),
            ("failed-empty", self.failed_empty),
            ("failed-broken", self.failed_broken),
            ("failed-timeout", self.failed_timeout),
            ("mismatched", self.mismatched),
            ("unregistered", self.unregistered),
            ("lost", self.lost),
            ("no-room", self.no_room),
            ("too-old", self.too_old),
            ("refused", self.refused),
        ]
    }
}

/// How often each duration occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// By [`BUCKETS`], and at last those above. Not cumulative. Another version may have another number of buckets.
    buckets: Vec<u64>,
    /// The sum of the durations, in milliseconds.
    pub sum_millis: u64,
}

impl Histogram {
    /// Counts a duration.
    pub fn observe(&mut self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.buckets.resize(BUCKETS.len() + 1, 0);
        let place = BUCKETS.iter().position(|end| millis <= *end).unwrap_or(BUCKETS.len());
        if let Some(count) = self.buckets.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }

    /// Returns the number of durations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.by_end().iter().map(|(_, count)| count).sum()
    }

    /// Lists the buckets with their upper ends in seconds.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the ends are small")]
    pub fn by_end(&self) -> Vec<(f64, u64)> {
        let ends = BUCKETS.iter().map(|end| *end as f64 / 1000.0).chain([f64::MAX]);
        ends.zip(self.buckets.iter().copied().chain(std::iter::repeat(0))).collect()
    }
}

/// What a coordinator reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShardMetrics {
    /// The counters, as they were last saved.
    pub counters: Counters,
    /// Renders under way.
    pub running: u64,
    /// Queued renders that clients wait for.
    pub queued: u64,
    /// Queued renders that wait for the alarm.
    pub queued_for_alarm: u64,
    /// Requests that wait.
    pub waiting: u64,
    /// The bytes that they take.
    pub waiting_bytes: u64,
    /// Keys with a row, as last counted.
    pub keys: Option<u64>,
    /// Pending writes to L2, counted up to [`MAX_COUNTED`](crate::inspection::health::MAX_COUNTED).
    pub pending_writes: u64,
    /// Those of them that L2 has refused again and again.
    pub refused_by_l2: u64,
    /// The circuit breaker.
    pub breaker: Option<BreakerState>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_reaches_it() {
        let mut histogram = Histogram::default();
        for millis in [0, 50, 51, 999, 60_000, 60_001, 9_000_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let counts: Vec<u64> = histogram.by_end().iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 1, 0, 0, 0, 0, 1, 2]);
        assert_eq!((histogram.count(), histogram.by_end()[0].0), (7, 0.05));
    }

    #[test]
    fn counters_of_another_version_are_read() {
        let read = |value| -> Counters { codec::decode(&codec::encode(&value)).unwrap() };
        let earlier = read(json!({ "misses": 3 }));
        assert_eq!((earlier.misses, earlier.renders.done, earlier.durations.count()), (3, 0, 0));
        let later = read(json!({ "misses": 3, "new": 1, "durations": { "buckets": [1, 2], "sum_millis": 9 } }));
        assert_eq!((later.misses, later.durations.count()), (3, 3));
    }
}
