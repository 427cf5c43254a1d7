//! A budget per second: of the requests that reach the origin although the circuit breaker is open, and of the keys that
//! a full shard displaces.

use std::time::Duration;

use crate::time::Timestamp;

/// The budget per second.
const A_SECOND: u64 = 25;

/// The budget at once.
const BURST: u64 = 2 * A_SECOND;

/// The time in which one unit is saved.
const EACH: Duration = Duration::from_millis(1000 / A_SECOND);

/// A token bucket. It is in memory only: a new life of the object begins with a full one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// When the bucket is full again.
    full_at: Timestamp,
}

impl TokenBucket {
    /// Takes one unit out of the budget. Returns false if nothing is left.
    #[must_use]
    pub fn take(&mut self, now: Timestamp) -> bool {
        let full_at = self.full_at.max(now).plus(EACH);
        let whole = EACH * u32::try_from(BURST).unwrap_or(u32::MAX);
        let is_left = full_at.since(now) <= whole;
        if is_left {
            self.full_at = full_at;
        } else if self.full_at.since(now) > whole {
            // The clock was set back.
            self.full_at = now.plus(whole);
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn it_is_bounded_whatever_the_traffic() {
        let mut budget = TokenBucket::default();
        let taken = (0..60_000).filter(|millis| budget.take(at(1_000_000 + millis))).count();
        assert_eq!(taken, 50 + 60 * 25 - 1, "a burst, and 25 a second");
        assert!((0..49).all(|_| budget.take(at(2_000_000))), "after a rest, the burst is there again");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_close_it_for_long() {
        let mut budget = TokenBucket::default();
        assert!(budget.take(at(10_000_000)));
        assert!(!budget.take(at(1_000_000)));
        assert!(budget.take(at(1_000_040)));
    }
}
