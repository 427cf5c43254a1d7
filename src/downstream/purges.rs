//! The decisions about purges of downstream caches, free of I/O: what is purged next, when, and when again.
//!
//! Each invalidation is purged twice. The first purge runs once the coordinators have applied the invalidation, for
//! clients that look at once. But an edge of another colo may miss the invalidation for `freshness_bound`, and until
//! then it may fill the downstream cache with the old page again. So the second purge runs after that time: later
//! requests are judged by the feed, and no edge serves a page from before the invalidation as fresh.
//!
//! A downstream cache has one purge under way at a time, of at most [`MAX_TAGS`] tags. Invalidations that arrive
//! meanwhile wait and are purged together, so that a failing or slow cache costs no more than a healthy one.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::backoff;
use crate::downstream::headers::EVERYTHING;
use crate::time::Timestamp;

/// The most tags of one purge: the limit of one request, on all plans (Cloudflare, "Purge cache: availability and
/// limits").
pub const MAX_TAGS: usize = 100;

/// The most invalidations that wait for a downstream cache by their own tags. Above it, all waiting ones are replaced
/// by one purge of everything.
pub const MAX_WAITING: u64 = 10_000;

/// How long a judged response may take to reach the downstream cache: the second purge waits this much longer.
const SETTLE: Duration = Duration::from_secs(5);

/// The longest `Retry-After` that is obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// A downstream cache that is purged after invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DownstreamCache {
    /// The Worker's own cache, Workers Caching: purged from within, by `ctx.cache.purge`.
    PlatformCache,
    /// The cache of a zone: purged by the zone's API.
    ZonePurge,
}

impl DownstreamCache {
    /// All downstream caches.
    pub const ALL: [Self; 2] = [Self::PlatformCache, Self::ZonePurge];

    /// Returns the name in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformCache => "platform_cache",
            Self::ZonePurge => "zone_purge",
        }
    }

    /// Returns the rate of purges: the size of the bucket, and the time for one more token.
    ///
    /// Both caches are limited by a token bucket for the whole account. Workers Caching has the Free plan's limit, 25
    /// at once and 5 a minute; this rate leaves a part of it to other users. A zone has its plan's limit, from that up
    /// to 50 a second; it responds with a 429 above it, and gets at most one purge a second after a few.
    const fn rate(self) -> (u32, Duration) {
        match self {
            Self::PlatformCache => (20, Duration::from_secs(15)),
            Self::ZonePurge => (10, Duration::from_secs(1)),
        }
    }
}

/// The configured downstream caches, and the time until all edges know of an invalidation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownstreamCaches {
    /// The downstream caches.
    pub active: Vec<DownstreamCache>,
    /// The configured `freshness_bound`.
    pub freshness_bound: Duration,
}

impl DownstreamCaches {
    /// Returns the time from which no edge fills a downstream cache with a page that was invalidated at `at`.
    #[must_use]
    pub fn settled_at(&self, at: Timestamp) -> Timestamp {
        at.plus(self.freshness_bound).plus(SETTLE)
    }
}

/// The outcome of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeOutcome {
    /// The cache has accepted it.
    Done,
    /// The cache accepts no more purges for now.
    Limited {
        /// For how long, if the response says so.
        retry_after: Option<Duration>,
    },
    /// The cache will never accept this purge unchanged.
    Refused,
    /// The cache is unreachable, or has failed.
    Failed {
        /// When to try again, if the response says so.
        retry_after: Option<Duration>,
    },
}

/// When a downstream cache may be purged again. It is saved with each purge, so that it survives a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// How many purges in a row have failed.
    pub failures: u32,
    /// No purge is sent before this time, after a failure.
    pub not_before: Timestamp,
    /// When the purges so far are paid for: one in each interval (a leaky bucket, as one point in time).
    pub paid_until: Timestamp,
}

impl Pace {
    /// Returns when the next purge may be sent.
    #[must_use]
    pub fn ready_at(&self, cache: DownstreamCache) -> Timestamp {
        let (at_once, interval) = cache.rate();
        let credit = interval.saturating_mul(at_once.saturating_sub(1));
        let credit = u64::try_from(credit.as_millis()).unwrap_or(u64::MAX);
        self.not_before.max(Timestamp::from_millis(self.paid_until.as_millis().saturating_sub(credit)))
    }

    /// Counts a purge that begins at `now`, before its outcome is known. If the object dies and the outcome never
    /// becomes known, the purge is repeated after a pause like any failed one.
    #[must_use]
    pub fn begun(self, cache: DownstreamCache, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        let (_, interval) = cache.rate();
        Self {
            failures,
            not_before: now.plus(backoff::delivery(failures)),
            paid_until: self.paid_until.max(now).plus(interval),
        }
    }

    /// Returns the pace after the outcome of a purge that was [begun](Self::begun).
    #[must_use]
    pub fn after(self, outcome: PurgeOutcome, now: Timestamp) -> Self {
        let pause = |least: Duration, asked: Option<Duration>| {
            let asked = asked.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            now.plus(backoff::delivery(self.failures).max(least).max(asked))
        };
        match outcome {
            PurgeOutcome::Done => Self { failures: 0, not_before: Timestamp::default(), ..self },
            // One token of the Free plan's bucket takes this long.
            PurgeOutcome::Limited { retry_after: None } => {
                Self { not_before: pause(DownstreamCache::PlatformCache.rate().1, None), ..self }
            }
            PurgeOutcome::Refused => Self { not_before: pause(Duration::ZERO, None), ..self },
            PurgeOutcome::Limited { retry_after } | PurgeOutcome::Failed { retry_after } => {
                Self { not_before: pause(Duration::ZERO, retry_after), ..self }
            }
        }
    }
}

/// Chooses the tags of one purge among the due ones, the oldest first: each once, at most [`MAX_TAGS`]. If everything
/// is due, no other tag is needed.
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
    fn purges_keep_within_the_rate_of_the_cache() {
        for (cache, at_once, millis) in
            [(DownstreamCache::PlatformCache, 20, 15_000), (DownstreamCache::ZonePurge, 10, 1000)]
        {
            let mut pace = Pace::default();
            let mut now = at(1_000_000);
            let mut times = Vec::new();
            for _ in 0..at_once + 5 {
                now = now.max(pace.ready_at(cache));
                times.push(now.as_millis() - 1_000_000);
                pace = pace.begun(cache, now).after(PurgeOutcome::Done, now);
            }
            let expected: Vec<u64> = (0..at_once + 5).map(|n: u64| n.saturating_sub(at_once - 1) * millis).collect();
            assert_eq!(times, expected, "{cache:?}");
            let rested = at(now.as_millis() + at_once * millis);
            assert!(
                pace.begun(cache, rested).after(PurgeOutcome::Done, rested).ready_at(cache) < rested,
                "it recovers"
            );
        }
    }

    #[test]
    fn after_a_failure_the_pause_grows_and_what_the_cache_asks_for_is_heeded() {
        let cache = DownstreamCache::ZonePurge;
        let now = at(1_000_000);
        let failed =
            |retry_after: Option<u64>| PurgeOutcome::Failed { retry_after: retry_after.map(Duration::from_secs) };
        let limited =
            |retry_after: Option<u64>| PurgeOutcome::Limited { retry_after: retry_after.map(Duration::from_secs) };
        for (failures, outcome, millis) in [
            (0, failed(None), 500),
            (1, PurgeOutcome::Refused, 1000),
            (3, failed(None), 4000),
            (40, failed(None), 60_000),
            (0, failed(Some(7)), 7000),
            (0, limited(Some(7)), 7000),
            (0, limited(None), 15_000),
            (40, limited(Some(7)), 60_000),
            (0, limited(Some(1_000_000)), 3_600_000),
        ] {
            let pace = Pace { failures, ..Pace::default() }.begun(cache, now);
            assert_eq!(
                pace.ready_at(cache),
                now.plus(backoff::delivery(failures + 1)),
                "should nothing be heard of it"
            );
            let after = pace.after(outcome, now);
            assert_eq!(after.ready_at(cache).as_millis() - 1_000_000, millis, "{failures} {outcome:?}");
            assert_eq!(after.failures, failures + 1);
        }
        let well = Pace { failures: 4, ..Pace::default() }.begun(cache, now).after(PurgeOutcome::Done, now);
        assert_eq!((well.failures, well.ready_at(cache) <= now), (0, true));
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
    fn a_downstream_cache_is_settled_once_every_edge_has_heard() {
        let downstream =
            DownstreamCaches { active: vec![DownstreamCache::ZonePurge], freshness_bound: Duration::from_secs(10) };
        assert_eq!(downstream.settled_at(at(1000)), at(16_000));
    }
}
