//! Back-off after failures: of an origin, a store, an object, or a downstream cache.

use std::time::Duration;

/// Returns the pause after `failures` consecutive failures (at least one): `first`, doubled each time, up to `longest`.
#[must_use]
pub(crate) fn doubled(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX)).min(longest)
}

/// Returns the pause before the next attempt of a delivery or purge after `failures` failed ones (at least one):
/// doubled each time, from 0.5 s to 1 min.
#[must_use]
pub(crate) fn delivery(failures: u32) -> Duration {
    doubled(Duration::from_millis(500), failures, Duration::from_mins(1))
}

/// The first pause of a render or a write.
const FIRST: Duration = Duration::from_secs(1);

/// The longest pause of one page, before jitter.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// Returns the pause after `failures` consecutive failures (at least one): as [`jittered`], from 1 s.
#[must_use]
pub(crate) fn pause(failures: u32, random: u128, longest: Duration) -> Duration {
    jittered(FIRST, failures, random, longest)
}

/// Returns the pause after `failures` consecutive failures (at least one): doubled each time, from `first` to `longest`,
/// plus jitter of up to a quarter, so that simultaneous failures are not retried simultaneously. `random` is any random
/// number.
#[must_use]
pub(crate) fn jittered(first: Duration, failures: u32, random: u128, longest: Duration) -> Duration {
    let doubled = doubled(first, failures, longest);
    let jitter = u32::try_from(random % 256).unwrap_or(0);
    doubled + doubled * jitter / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let seconds: Vec<u64> = [1, 2, 3, 9, 10, 33, u32::MAX].map(|n| pause(n, 0, LONGEST).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300, 300]);
        assert_eq!(pause(10, 255, LONGEST).as_millis(), 300_000 + 300_000 * 255 / 1024);
        let millis: Vec<u128> = [1, 2, 7, 8, 40, u32::MAX].map(|n| delivery(n).as_millis()).into();
        assert_eq!(millis, [500, 1000, 32_000, 60_000, 60_000, 60_000]);
    }
}
