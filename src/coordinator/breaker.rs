//! The circuit breaker: stops asking an origin that fails for all pages of a shard, and probes from time to time
//! whether it has recovered.

use std::time::Duration;

use crate::backoff;
use crate::time::Timestamp;

/// The number of consecutive failed renders, of any pages, that opens the breaker.
const OPENS_AFTER: u32 = 8;

/// The longest pause between two probes, before jitter.
const LONGEST: Duration = Duration::from_mins(1);

/// The breaker of one shard, and so of one route. The back-off of a page limits the renders of that page; the breaker
/// limits the renders of all pages together.
///
/// There is no *half-open* state. An open breaker admits one render (the probe) when its time has come, and then sets
/// the time of the next probe. So a lost probe is followed by another one, and there are never two at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// The number of consecutive failed renders.
    pub failures: u32,
    /// When an open breaker admits the next render.
    pub probe_at: Timestamp,
}

impl Breaker {
    /// Returns when a render may begin next; `None` if it may begin now.
    #[must_use]
    pub fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        (self.is_open() && self.probe_at > now).then_some(self.probe_at)
    }

    /// Records that a render begins.
    pub(super) fn begun(&mut self, now: Timestamp, random: u128) {
        self.pause(now, random);
    }

    /// Records that a render has failed.
    pub(super) fn failed(&mut self, now: Timestamp, random: u128) {
        self.failures = self.failures.saturating_add(1);
        self.pause(now, random);
    }

    /// Records that the origin has responded, whether or not the response may be stored.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn is_open(&self) -> bool {
        self.failures >= OPENS_AFTER
    }

    fn pause(&mut self, now: Timestamp, random: u128) {
        if self.is_open() {
            self.probe_at = now.plus(backoff::pause(self.failures - OPENS_AFTER + 1, random, LONGEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_admits_one_probe_at_a_time() {
        let mut breaker = Breaker::default();
        for _ in 0..OPENS_AFTER - 1 {
            breaker.failed(at(0), 0);
        }
        assert_eq!(breaker.holds_until(at(0)), None);
        breaker.failed(at(0), 0);
        assert_eq!(breaker.holds_until(at(0)), Some(at(1)));
        assert_eq!(breaker.holds_until(at(1)), None);
        breaker.begun(at(1), 0);
        assert_eq!(breaker.holds_until(at(1)), Some(at(2)), "nothing was heard of the probe yet");
        breaker.failed(at(2), 0);
        assert_eq!(breaker.holds_until(at(2)), Some(at(4)));
        for _ in 0..100 {
            breaker.failed(at(2), 0);
        }
        assert_eq!(breaker.holds_until(at(2)), Some(at(62)));
        breaker.succeeded();
        assert_eq!((breaker.holds_until(at(2)), breaker), (None, Breaker::default()));
    }
}
