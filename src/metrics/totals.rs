//! The sums of what all isolates have handed over, in the root of the tag index.
//!
//! | state | event | next state |
//! |---|---|---|
//! | any | a message with counts | they are added, as far as the configuration has their routes |
//! | the configuration loses a route | the object starts again | its sums are forgotten |
//!
//! [`Persisted`](super::persisted::Persisted) says when they are saved, and what is lost with the object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::metrics::label::RequestLabel;
use crate::metrics::messages::{ObjectCalls, RequestCount, RequestCounts};
use crate::route::{RouteId, Routes};

/// The most labels: 500 routes with a dozen each.
pub const MAX_LABELS: usize = 6000;

/// The most requests that one message may add to one label.
pub const MAX_REQUESTS: u64 = 100_000_000;

/// The sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct RequestTotals {
    requests: BTreeMap<RequestLabel, u64>,
    /// Calls of objects by edges.
    pub calls: ObjectCalls,
}

/// The form in which they are saved and sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    requests: Vec<RequestCount>,
    calls: ObjectCalls,
}

impl From<Stored> for RequestTotals {
    fn from(stored: Stored) -> Self {
        let requests = stored.requests.into_iter().map(|count| (count.label(), count.requests)).collect();
        Self { requests, calls: stored.calls }
    }
}

impl From<RequestTotals> for Stored {
    fn from(totals: RequestTotals) -> Self {
        Self { requests: totals.counts().collect(), calls: totals.calls }
    }
}

impl RequestTotals {
    /// Adds what an isolate has counted.
    pub fn add(&mut self, counts: RequestCounts, routes: &Routes) {
        let bounded = |calls: u64| calls.min(MAX_REQUESTS);
        let ObjectCalls { coordinator, tag_index } = counts.calls;
        self.calls = self.calls.and(ObjectCalls { coordinator: bounded(coordinator), tag_index: bounded(tag_index) });
        for count in counts.requests {
            let label = count.label();
            let is_known = self.requests.contains_key(&label);
            let has_room = self.requests.len() < MAX_LABELS;
            if is_known || (has_room && routes.by_id(count.route.as_str()).is_some()) {
                let total = self.requests.entry(label).or_default();
                *total = total.saturating_add(count.requests.min(MAX_REQUESTS));
            }
        }
    }

    /// Forgets routes that have left the configuration.
    pub fn keep(&mut self, routes: &Routes) {
        self.requests.retain(|label, _| routes.by_id(label.route.as_str()).is_some());
    }

    /// Lists the sums.
    pub fn counts(&self) -> impl Iterator<Item = RequestCount> + '_ {
        self.requests.iter().map(|(RequestLabel { route, outcome, reason }, requests)| RequestCount {
            route: route.clone(),
            outcome: *outcome,
            reason: *reason,
            requests: *requests,
        })
    }

    /// Returns how many requests of a route had an outcome, whatever the reason.
    #[must_use]
    pub fn of(&self, route: &RouteId, is: impl Fn(&RequestLabel) -> bool) -> u64 {
        self.requests.iter().filter(|(label, _)| label.route == *route && is(label)).map(|(_, requests)| requests).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::codec;
    use crate::config::Config;
    use crate::reason::Reason;
    use crate::semantics::cache_status::CacheOutcome;

    fn count(route: &str, outcome: CacheOutcome, requests: u64) -> RequestCount {
        RequestCount { route: RouteId::from_stored(route).unwrap(), outcome, reason: None, requests }
    }

    fn config() -> Config {
        Config::from_json(&json!({ "routes": { "/a": {}, "/b/[id]": {} } })).unwrap()
    }

    #[test]
    fn counts_of_configured_routes_are_added() {
        let mut totals = RequestTotals::default();
        for _ in 0..2 {
            let requests = vec![count("/a", CacheOutcome::Hit, 5), count("/no", CacheOutcome::Hit, 7)];
            let calls = ObjectCalls { coordinator: 1, tag_index: 2 };
            totals.add(RequestCounts { requests, calls }, &config().routes);
        }
        assert_eq!(totals.counts().collect::<Vec<_>>(), [count("/a", CacheOutcome::Hit, 10)]);
        assert_eq!(totals.calls, ObjectCalls { coordinator: 2, tag_index: 4 });
    }

    #[test]
    fn a_huge_count_is_bounded_and_nothing_overflows() {
        let mut totals = RequestTotals::default();
        let requests = vec![count("/a", CacheOutcome::Hit, u64::MAX); 3];
        totals.add(RequestCounts { requests, calls: ObjectCalls::default() }, &config().routes);
        assert_eq!(totals.of(&RouteId::from_stored("/a").unwrap(), |_| true), 3 * MAX_REQUESTS);
    }

    #[test]
    fn they_are_saved_and_read_again_without_the_routes_that_have_left() {
        let mut totals = RequestTotals::default();
        let reason = Some(Reason::Aged);
        let requests = vec![
            RequestCount { reason, ..count("/a", CacheOutcome::Stale, 3) },
            count("/b/[id]", CacheOutcome::Miss, 1),
        ];
        totals.add(RequestCounts { requests, calls: ObjectCalls::default() }, &config().routes);
        let mut read: RequestTotals = codec::decode(&codec::encode(&totals)).unwrap();
        assert_eq!(read, totals);
        let one = Config::from_json(&json!({ "routes": { "/a": {} } })).unwrap();
        read.keep(&one.routes);
        assert_eq!(read.counts().count(), 1);
    }
}
