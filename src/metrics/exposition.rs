//! The text format of Prometheus, written by the library `prometheus-client`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder, NoLabelSet,
    prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::metrics::scrape::{Metric, MetricKind, Scrape, Value};

/// The media type of the text.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Writes the values of all metrics. Metrics without a value are left out.
#[must_use]
pub fn text(scrape: Scrape) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(scrape)));
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}

/// The library adds this ending to the names of counters.
const COUNTER_ENDING: &str = "_total";

#[derive(Debug)]
struct Collected(Scrape);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (metric, samples) in self.0.samples().filter(|(_, samples)| !samples.is_empty()) {
            let name = metric.name.strip_suffix(COUNTER_ENDING).unwrap_or(metric.name);
            let mut encoder = encoder.encode_descriptor(name, metric.help, None, kind(metric))?;
            match samples {
                [(_, value)] if metric.labels.is_empty() => encode(value, encoder)?,
                _ => {
                    for (labels, value) in samples {
                        let labels = Labels { names: metric.labels, values: labels };
                        encode(value, encoder.encode_family(&labels)?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

const fn kind(metric: &Metric) -> MetricType {
    match metric.kind {
        MetricKind::Counter => MetricType::Counter,
        MetricKind::Gauge => MetricType::Gauge,
        MetricKind::Histogram => MetricType::Histogram,
    }
}

fn encode(value: &Value, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
    match value {
        Value::Counter(value) => ConstCounter::new(*value).encode(encoder),
        Value::Gauge(value) => ConstGauge::new(*value).encode(encoder),
        Value::Histogram(buckets, sum) => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}

/// The labels of a sample.
struct Labels<'a> {
    names: &'static [&'static str],
    values: &'a [String],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        self.names.iter().zip(self.values).try_for_each(|(name, value)| (*name, value).encode(encoder.encode_label()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspection::answer::{BreakerState, BreakerWord};
    use crate::inspection::health::Health;
    use crate::metrics::coordinator::{Counters, ShardMetrics};
    use crate::metrics::scrape::METRICS;
    use crate::metrics::tag_index::{TagIndexCounters, TagIndexMetrics};
    use crate::metrics::{RequestCount, RequestCounts, RequestTotals};
    use crate::reason::Reason;
    use crate::route::RouteId;
    use crate::semantics::cache_status::CacheOutcome;
    use crate::shard_name::ShardName;
    use crate::tag_index_name::TagIndexName;
    use crate::time::Timestamp;

    fn full() -> Scrape {
        let mut totals = RequestTotals::default();
        let config = crate::config::Config::from_json(&serde_json::json!({ "routes": { "/a\"b/[id]": {} } })).unwrap();
        let route = RouteId::from_stored("/a\"b/[id]").unwrap();
        let count = RequestCount { route, outcome: CacheOutcome::Stale, reason: Some(Reason::Aged), requests: 7 };
        totals.add(RequestCounts { requests: vec![count], ..RequestCounts::default() }, &config.routes);
        let counters = TagIndexCounters { polls: 3, hand_overs: 1, totals, ..TagIndexCounters::default() };
        let now = Timestamp::from_millis(10_000);
        let mut scrape = Scrape::default();
        let answers = [(TagIndexName::ROOT, Some(TagIndexMetrics { counters, ..TagIndexMetrics::default() }))];
        scrape.tag_indexes(&answers, now);
        let mut counters = Counters { misses: 2, ..Counters::default() };
        counters.durations.observe(std::time::Duration::from_millis(80));
        let breaker = Some(BreakerState { state: BreakerWord::Open, failures: 4, probe_at: None });
        let answer = ShardMetrics { counters, keys: Some(9), breaker, ..ShardMetrics::default() };
        scrape.coordinator(&ShardName::from_stored("/c#1").unwrap(), Some(&answer));
        scrape.coordinator(&ShardName::from_stored("/c#2").unwrap(), None);
        scrape.feed(Some(Timestamp::from_millis(7_500)), true, now);
        scrape.health(&Health { known_coordinators: Some(40), ..Health::default() });
        scrape
    }

    #[test]
    fn each_metric_has_a_value_of_its_kind() {
        let text = text(full());
        for Metric { name, kind, .. } in METRICS {
            assert!(text.contains(&format!("# TYPE {name} {}\n", kind.as_str())), "{name}: {text}");
        }
        for line in [
            "isr_requests_total{route=\"/a\\\"b/[id]\",outcome=\"STALE\",reason=\"aged\"} 7",
            "isr_coordinator_requests_total{route=\"/c\",shard=\"1\",kind=\"miss\"} 2",
            "isr_render_duration_seconds_bucket{route=\"/c\",shard=\"1\",le=\"0.1\"} 1",
            "isr_render_duration_seconds_bucket{route=\"/c\",shard=\"1\",le=\"+Inf\"} 1",
            "isr_render_duration_seconds_sum{route=\"/c\",shard=\"1\"} 0.08",
            "isr_breaker_open{route=\"/c\",shard=\"1\"} 1.0",
            "isr_feed_age_seconds 2.5",
            "isr_coordinators_known 40.0",
            "isr_coordinators_asked 2.0",
            "isr_coordinators_answered 1.0",
            "isr_problems{code=\"breaker_open\"} 0.0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
    }

    #[test]
    fn metrics_without_a_value_are_left_out() {
        assert_eq!(text(Scrape::default()), "");
    }
}
