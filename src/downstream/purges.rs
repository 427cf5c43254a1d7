//! The sinks' decisions, free of I/O: what is purged next in a cache in front, when, and when once more.
//!
//! Each invalidation is purged there twice. The first purge is made once the coordinators have applied it, for who looks
//! at once. But an edge of another colo may miss the invalidation for `freshness_bound`, and until then it may fill the
//! cache in front with the old page again. So the second purge comes after that time: what is asked for later is judged
//! by the feed, and a page from before the invalidation is not answered as fresh by any edge.
//!
//! A sink has one purge under way at a time, of at most [`MAX_TAGS`] tags. What comes meanwhile waits and is purged
//! together, so that a sink that fails or is slow costs no more than a sink that is well.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::backoff;
use crate::downstream::headers::EVERYTHING;
use crate::time::Timestamp;

/// The most tags of one purge: what one request may name, on all plans (Cloudflare, "Purge cache: availability and limits").
pub const MAX_TAGS: usize = 100;

/// The most invalidations that wait for a sink by their own tags. Past it all that wait are folded into one purge of
/// everything.
pub const MAX_WAITING: u64 = 10_000;

/// How long an answer may be on its way into the cache in front after it was judged: the second purge waits for as long.
const SETTLE: Duration = Duration::from_secs(5);

/// The longest that a sink's `Retry-After` is heeded.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// A cache in front that is purged of what is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    /// The Worker's own cache, Workers Caching: purged from within, by `ctx.cache.purge`.
    PlatformCache,
    /// The cache of a zone: purged by the zone's API.
    ZonePurge,
}

impl Sink {
    /// All that there may be.
    pub const ALL: [Self; 2] = [Self::PlatformCache, Self::ZonePurge];

    /// Returns the name in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformCache => "platform_cache",
            Self::ZonePurge => "zone_purge",
        }
    }

    /// Returns how fast purges may follow each other: after how many at once, and then one in which time.
    ///
    /// Both are limited by a token bucket for the whole account. Workers Caching is held to the Free plan's, 25 at once
    /// and 5 a minute; some of it is left to others. A zone is held to its plan's, from that to 50 a second; it says so
    /// with a 429, and is asked at most once a second after a few.
    const fn rate(self) -> (u32, Duration) {
        match self {
            Self::PlatformCache => (20, Duration::from_secs(15)),
            Self::ZonePurge => (10, Duration::from_secs(1)),
        }
    }
}

/// Which sinks there are, and by when edges have heard of an invalidation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sinks {
    /// The sinks.
    pub active: Vec<Sink>,
    /// The configured `freshness_bound`.
    pub freshness_bound: Duration,
}

impl Sinks {
    /// Returns from when on no edge fills a cache in front with what an invalidation of the time `at` has hit.
    #[must_use]
    pub fn settled_at(&self, at: Timestamp) -> Timestamp {
        at.plus(self.freshness_bound).plus(SETTLE)
    }
}

/// What came of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// The sink has taken it.
    Done,
    /// The sink takes no more purges for now.
    Limited {
        /// For how long, if it has said so.
        retry_after: Option<Duration>,
    },
    /// It says that it will never take this purge as it is.
    Refused,
    /// It could not be reached, or has failed.
    Failed {
        /// When to come again, if it has said so.
        retry_after: Option<Duration>,
    },
}

/// When a sink may be asked again. It is saved with each purge, so that a crash does not lose count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// How many purges in a row have failed.
    pub failures: u32,
    /// Not before this, after a failure.
    pub not_before: Timestamp,
    /// By when the purges made so far will be paid for: one in each interval (a leaky bucket, as one point in time).
    pub paid_until: Timestamp,
}

impl Pace {
    /// Returns when the next purge may be made.
    #[must_use]
    pub fn ready_at(&self, sink: Sink) -> Timestamp {
        let (at_once, interval) = sink.rate();
        let credit = interval.saturating_mul(at_once.saturating_sub(1));
        let credit = u64::try_from(credit.as_millis()).unwrap_or(u64::MAX);
        self.not_before.max(Timestamp::from_millis(self.paid_until.as_millis().saturating_sub(credit)))
    }

    /// Counts a purge that was begun at `now`, before its outcome is known. If it is never known, because the object
    /// dies, it is made again after a pause like any that fails.
    #[must_use]
    pub fn begun(self, sink: Sink, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let (_, interval) = sink.rate();
        Self {
            failures,
            not_before: now.plus(backoff::delivery(failures)),
            paid_until: self.paid_until.max(now).plus(interval),
        }
    }

    /// Returns the pace after the outcome of the purge that was [begun](Self::begun).
    #[must_use]
    pub fn after(self, outcome: Purged, now: Timestamp) -> Self {
        let pause = |least: Duration, asked: Option<Duration>| {
            let asked = asked.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            now.plus(backoff::delivery(self.failures).max(least).max(asked))
        };
        match outcome {
            Purged::Done => Self { failures: 0, not_before: Timestamp::default(), ..self },
            // A token of the Free plan's bucket takes as long to come.
            Purged::Limited { retry_after: None } => {
                Self { not_before: pause(Sink::PlatformCache.rate().1, None), ..self }
            }
            Purged::Refused => Self { not_before: pause(Duration::ZERO, None), ..self },
            Purged::Limited { retry_after } | Purged::Failed { retry_after } => {
                Self { not_before: pause(Duration::ZERO, retry_after), ..self }
            }
        }
    }
}

/// Chooses the tags of one purge among those that are due, the oldest first: each once, at most [`MAX_TAGS`]. If
/// everything is due, that is all that need be purged.
#[must_use]
pub fn batch(due: Vec<String>) -> Vec<String> {
    if due.iter().any(|tag| tag == EVERYTHING) {
        return vec![EVERYTHING.to_owned()];
    }
    let mut seen = BTreeSet::new();
    due.into_iter().filter(|tag| seen.insert(tag.clone())).take(MAX_TAGS).collect()
}

/// Reads `Retry-After` (RFC 9110 §10.2.3): seconds or a date; `None` for anything else.
#[must_use]
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    let date = Timestamp::from_millis(u64::try_from(date.as_millis()).unwrap_or(u64::MAX));
    Some(date.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_purge_names_each_tag_once_the_oldest_first_and_not_too_many() {
        let due = |names: &[&str]| names.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
        assert_eq!(batch(due(&["b", "a", "b", "c"])), due(&["b", "a", "c"]));
        assert_eq!(batch(due(&["b", EVERYTHING, "c"])), due(&[EVERYTHING]));
        let many: Vec<String> = (0..250).map(|n| (n / 2).to_string()).collect();
        let expected: Vec<String> = (0..MAX_TAGS).map(|n| n.to_string()).collect();
        assert_eq!(batch(many), expected);
    }

    #[test]
    fn purges_keep_within_the_rate_of_the_sink() {
        for (sink, at_once, millis) in [(Sink::PlatformCache, 20, 15_000), (Sink::ZonePurge, 10, 1000)] {
            let mut pace = Pace::default();
            let mut now = at(1_000_000);
            let mut times = Vec::new();
            for _ in 0..at_once + 5 {
                now = now.max(pace.ready_at(sink));
                times.push(now.as_millis() - 1_000_000);
                pace = pace.begun(sink, now).after(Purged::Done, now);
            }
            let expected: Vec<u64> = (0..at_once + 5).map(|n: u64| n.saturating_sub(at_once - 1) * millis).collect();
            assert_eq!(times, expected, "{sink:?}");
            let rested = at(now.as_millis() + at_once * millis);
            assert!(pace.begun(sink, rested).after(Purged::Done, rested).ready_at(sink) < rested, "it recovers");
        }
    }

    #[test]
    fn after_a_failure_the_pause_grows_and_what_the_sink_asks_for_is_heeded() {
        let sink = Sink::ZonePurge;
        let now = at(1_000_000);
        let failed = |retry_after: Option<u64>| Purged::Failed { retry_after: retry_after.map(Duration::from_secs) };
        let limited = |retry_after: Option<u64>| Purged::Limited { retry_after: retry_after.map(Duration::from_secs) };
        for (failures, outcome, millis) in [
            (0, failed(None), 500),
            (1, Purged::Refused, 1000),
            (3, failed(None), 4000),
            (40, failed(None), 60_000),
            (0, failed(Some(7)), 7000),
            (0, limited(Some(7)), 7000),
            (0, limited(None), 15_000),
            (40, limited(Some(7)), 60_000),
            (0, limited(Some(1_000_000)), 3_600_000),
        ] {
            let pace = Pace { failures, ..Pace::default() }.begun(sink, now);
            assert_eq!(pace.ready_at(sink), now.plus(backoff::delivery(failures + 1)), "should nothing be heard of it");
            let after = pace.after(outcome, now);
            assert_eq!(after.ready_at(sink).as_millis() - 1_000_000, millis, "{failures} {outcome:?}");
            assert_eq!(after.failures, failures + 1);
        }
        let well = Pace { failures: 4, ..Pace::default() }.begun(sink, now).after(Purged::Done, now);
        assert_eq!((well.failures, well.ready_at(sink) <= now), (0, true));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = at(784_111_777_000);
        for (value, expected) in [
            ("12", Some(12)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn a_cache_in_front_is_settled_once_every_edge_has_heard() {
        let sinks = Sinks { active: vec![Sink::ZonePurge], freshness_bound: Duration::from_secs(10) };
        assert_eq!(sinks.settled_at(at(1000)), at(16_000));
    }
}
