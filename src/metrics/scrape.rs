//! Every metric, declared once, and its values in one answer to `GET /__isr/metrics`.
//!
//! The list below is what `docs/metrics.md` shows. Labels are from closed lists: routes and shards of the configuration,
//! and enums.

use crate::inspection::answer::BreakerWord;
use crate::inspection::health::{Health, HealthProblem};
use crate::metrics::coordinator::{Counters, ShardMetrics};
use crate::metrics::messages::{ObjectCalls, RequestCount};
use crate::metrics::tag_index::{TagIndexCounters, TagIndexMetrics};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Never goes back.
    Counter,
    /// The state at the time of the scrape.
    Gauge,
    /// How often each duration has occurred.
    Histogram,
}

impl MetricKind {
    /// Returns the name of the type in the text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name in the text format.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning, as Markdown of one line without a full stop.
    pub help: &'static str,
}

/// Declares the metrics.
macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(const $constant: &Metric =
            &Metric { name: $name, kind: MetricKind::$kind, labels: &[$($label),*], help: $help };)+

        /// All metrics, in the order of the documentation.
        pub const METRICS: &[&Metric] = &[$($constant),+];
    };
}

metrics! {
    REQUESTS: Counter "isr_requests_total" ["route", "outcome", "reason"]
        "Requests for pages, by the value of `X-ISR-Status` and the reason in `Cache-Status` (empty without one)";
    OBJECT_CALLS: Counter "isr_object_calls_total" ["object"]
        "Calls of objects by edges: `coordinator` (misses and reports of stale pages) or `tag_index` (the feed, and counts)";

    COORDINATOR_REQUESTS: Counter "isr_coordinator_requests_total" ["route", "shard", "kind"]
        "Requests that reached a coordinator: `miss`, or `stale` for the report of a stale page";
    VISITS: Counter "isr_visits_total" ["route", "shard"]
        "Visits of pages that edges have reported to their coordinator; its order of eager refreshes follows from them";
    RENDERS: Counter "isr_renders_total" ["route", "shard", "result"]
        "Renders that have ended, by result";
    RENDER_DURATION: Histogram "isr_render_duration_seconds" ["route", "shard"]
        "Time from the lease of a render to its end, including its time in the queue";
    L2_WRITES: Counter "isr_l2_writes_total" ["route", "shard", "result"]
        "Changes of L2: `written`, `deleted`, or `failed` if L2 has refused one";
    L2_BYTES: Counter "isr_l2_written_bytes_total" ["route", "shard"]
        "Bytes of the bodies in all writes to L2 that were begun";
    APPLIED: Counter "isr_invalidations_applied_total" ["route", "shard"]
        "Invalidations that a coordinator has applied";
    RUNNING: Gauge "isr_renders_running" ["route", "shard"]
        "Renders under way";
    QUEUED: Gauge "isr_renders_queued" ["route", "shard", "queue"]
        "Queued renders: `client` if clients wait, otherwise `alarm`";
    WAITING: Gauge "isr_requests_waiting" ["route", "shard"]
        "Requests that wait at a coordinator";
    WAITING_BYTES: Gauge "isr_requests_waiting_bytes" ["route", "shard"]
        "Memory that the waiting requests take";
    KEYS: Gauge "isr_keys" ["route", "shard"]
        "Keys of a coordinator, which `max_pages` bounds, as last counted; missing until then";
    PENDING_WRITES: Gauge "isr_l2_pending_writes" ["route", "shard"]
        "Pending changes of L2, counted up to 1,000";
    REFUSED_WRITES: Gauge "isr_l2_refused_writes" ["route", "shard"]
        "Those of them that L2 has refused at least five times";
    BREAKER: Gauge "isr_breaker_open" ["route", "shard"]
        "1 while the circuit breaker is open";
    BREAKER_FAILURES: Gauge "isr_breaker_failures" ["route", "shard"]
        "Pages that failed in their last render, within the minute before the last failure";

    POLLS: Counter "isr_feed_polls_total" ["index"]
        "Questions to the feed at an object of the tag index";
    STREAMS: Counter "isr_feed_streams_total" ["index"]
        "Streams of the feed that were opened";
    OPEN_STREAMS: Gauge "isr_feed_open_streams" ["index"]
        "Streams of the feed that are open";
    REGISTRATIONS: Counter "isr_registrations_total" ["index"]
        "Registrations of tags by coordinators";
    INVALIDATIONS: Counter "isr_invalidations_total" ["index"]
        "Invalidations that were recorded";
    DELIVERIES: Counter "isr_deliveries_total" ["index", "result"]
        "Attempts to deliver an invalidation to a coordinator: `applied` or `failed`";
    HAND_OVERS: Counter "isr_hand_overs_total" ["index"]
        "Messages with the counts of an isolate";
    PENDING: Gauge "isr_pending_deliveries" ["index"]
        "Pending deliveries, counted up to 1,000";
    OLDEST_PENDING: Gauge "isr_oldest_pending_delivery_seconds" ["index"]
        "Age of the oldest invalidation that is not delivered to all of its coordinators; 0 if all are";

    FEED_AGE: Gauge "isr_feed_age_seconds" []
        "Age of the feed in the isolate that answers; missing if it has none";
    FEED_CURRENT: Gauge "isr_feed_current" []
        "1 if this feed is within `freshness_bound`";
    HEALTHY: Gauge "isr_healthy" []
        "1 if the health check finds no problem in what was asked";
    PROBLEMS: Gauge "isr_problems" ["code"]
        "Problems that the health check finds, by code";
    TAG_INDEXES_ASKED: Gauge "isr_tag_indexes_asked" []
        "Objects of the tag index that were asked: all of them";
    TAG_INDEXES_ANSWERED: Gauge "isr_tag_indexes_answered" []
        "Objects of the tag index that have answered";
    KNOWN: Gauge "isr_coordinators_known" []
        "Coordinators that exist";
    ASKED: Gauge "isr_coordinators_asked" []
        "Coordinators that were asked: at most 16, from the parameter `from` on";
    ANSWERED: Gauge "isr_coordinators_answered" []
        "Coordinators that have answered";
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter.
    Counter(u64),
    /// Of a gauge.
    Gauge(f64),
    /// Of a histogram: the upper ends of the buckets with their counts, and the sum in seconds.
    Histogram(Vec<(f64, u64)>, f64),
}

/// The values of the labels, and the value.
pub type Sample = (Vec<String>, Value);

/// The values of all metrics.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The values of each metric, in the order of [`METRICS`].
    samples: Vec<(&'static Metric, Vec<Sample>)>,
    asked: u64,
    answered: u64,
}

impl Default for Scrape {
    fn default() -> Self {
        Self { samples: METRICS.iter().map(|metric| (*metric, Vec::new())).collect(), asked: 0, answered: 0 }
    }
}

#[allow(clippy::cast_precision_loss, reason = "gauges are small numbers")]
const fn float(number: u64) -> f64 {
    number as f64
}

impl Scrape {
    /// Adds what the objects of the tag index report. `None`: the object has not answered.
    pub fn tag_indexes(&mut self, answers: &[(TagIndexName, Option<TagIndexMetrics>)], now: Timestamp) {
        let answered = answers.iter().filter(|(_, answer)| answer.is_some()).count();
        self.gauge(TAG_INDEXES_ASKED, &[], float(answers.len() as u64));
        self.gauge(TAG_INDEXES_ANSWERED, &[], float(answered as u64));
        for (index, answer) in answers {
            if let Some(answer) = answer {
                self.tag_index(&index.to_string(), answer, now);
            }
        }
    }

    fn tag_index(&mut self, index: &str, answer: &TagIndexMetrics, now: Timestamp) {
        let TagIndexMetrics { counters, open_streams, health } = answer;
        let TagIndexCounters {
            polls,
            streams,
            registrations,
            invalidations,
            delivered,
            undelivered,
            hand_overs,
            totals,
        } = counters;
        for RequestCount { route, outcome, reason, requests } in totals.counts() {
            let reason = reason.map_or("", |reason| reason.name());
            self.count(REQUESTS, &[route.as_str(), outcome.as_str(), reason], requests);
        }
        if *hand_overs > 0 {
            let ObjectCalls { coordinator, tag_index } = totals.calls;
            self.count(OBJECT_CALLS, &["coordinator"], coordinator);
            self.count(OBJECT_CALLS, &["tag_index"], tag_index);
        }
        self.count(POLLS, &[index], *polls);
        self.count(STREAMS, &[index], *streams);
        self.gauge(OPEN_STREAMS, &[index], float(*open_streams));
        self.count(REGISTRATIONS, &[index], *registrations);
        self.count(INVALIDATIONS, &[index], *invalidations);
        self.count(DELIVERIES, &[index, "applied"], *delivered);
        self.count(DELIVERIES, &[index, "failed"], *undelivered);
        self.count(HAND_OVERS, &[index], *hand_overs);
        self.gauge(PENDING, &[index], float(health.pending));
        let oldest = health.oldest_pending.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
        self.gauge(OLDEST_PENDING, &[index], oldest);
    }

    /// Adds what a coordinator reports. `None`: it has not answered.
    pub fn coordinator(&mut self, shard: &ShardName, answer: Option<&ShardMetrics>) {
        self.asked += 1;
        let Some(answer) = answer else { return };
        self.answered += 1;
        let number = shard.number().to_string();
        let of = [shard.route(), number.as_str()];
        self.counters(&of, &answer.counters);
        self.gauge(RUNNING, &of, float(answer.running));
        self.gauge(QUEUED, &[of[0], of[1], "client"], float(answer.queued));
        self.gauge(QUEUED, &[of[0], of[1], "alarm"], float(answer.queued_for_alarm));
        self.gauge(WAITING, &of, float(answer.waiting));
        self.gauge(WAITING_BYTES, &of, float(answer.waiting_bytes));
        if let Some(keys) = answer.keys {
            self.gauge(KEYS, &of, float(keys));
        }
        self.gauge(PENDING_WRITES, &of, float(answer.pending_writes));
        self.gauge(REFUSED_WRITES, &of, float(answer.refused_by_l2));
        if let Some(breaker) = answer.breaker {
            let is_open = breaker.state != BreakerWord::Closed;
            self.gauge(BREAKER, &of, f64::from(u8::from(is_open)));
            self.gauge(BREAKER_FAILURES, &of, float(breaker.failures));
        }
    }

    fn counters(&mut self, of: &[&str; 2], counters: &Counters) {
        self.count(COORDINATOR_REQUESTS, &[of[0], of[1], "miss"], counters.misses);
        self.count(COORDINATOR_REQUESTS, &[of[0], of[1], "stale"], counters.reports);
        self.count(VISITS, of, counters.visits);
        for (result, renders) in counters.renders.by_result() {
            self.count(RENDERS, &[of[0], of[1], result], renders);
        }
        let durations = &counters.durations;
        let value = Value::Histogram(durations.by_end(), float(durations.sum_millis) / 1000.0);
        self.add(RENDER_DURATION, of, value);
        for (result, changes) in
            [("written", counters.written), ("deleted", counters.deleted), ("failed", counters.refused)]
        {
            self.count(L2_WRITES, &[of[0], of[1], result], changes);
        }
        self.count(L2_BYTES, of, counters.written_bytes);
        self.count(APPLIED, of, counters.invalidations);
    }

    /// Adds the feed of the isolate that answers.
    pub fn feed(&mut self, complete_until: Option<Timestamp>, is_current: bool, now: Timestamp) {
        if let Some(complete_until) = complete_until {
            self.gauge(FEED_AGE, &[], now.since(complete_until).as_secs_f64());
        }
        self.gauge(FEED_CURRENT, &[], f64::from(u8::from(is_current)));
    }

    /// Adds the result of the health check over the same answers, and how many coordinators there are.
    pub fn health(&mut self, health: &Health) {
        self.gauge(HEALTHY, &[], f64::from(u8::from(health.problems.is_empty())));
        for code in HealthProblem::CODES {
            let problems = health.problems.iter().filter(|problem| problem.code() == code).count();
            self.gauge(PROBLEMS, &[code], float(problems as u64));
        }
        if let Some(known) = health.known_coordinators {
            self.gauge(KNOWN, &[], float(known));
        }
        self.gauge(ASKED, &[], float(self.asked));
        self.gauge(ANSWERED, &[], float(self.answered));
    }

    /// Lists the values of each metric.
    pub fn samples(&self) -> impl Iterator<Item = (&'static Metric, &[Sample])> {
        self.samples.iter().map(|(metric, samples)| (*metric, samples.as_slice()))
    }

    fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        self.add(metric, labels, Value::Counter(value));
    }

    fn gauge(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.add(metric, labels, Value::Gauge(value));
    }

    fn add(&mut self, metric: &'static Metric, labels: &[&str], value: Value) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        if let Some((_, samples)) = self.samples.iter_mut().find(|(other, _)| other.name == metric.name) {
            samples.push((labels.iter().map(|label| (*label).to_owned()).collect(), value));
        }
    }
}
