//! The tag index's decisions, free of I/O: which object knows what, when a delivery that failed is attempted again, and what is
//! purged in a cache in front.

mod name;
pub mod sinks;

use std::time::Duration;

pub use self::name::{MAX_TAG_SHARDS, TagIndexName};

/// The first pause after a failed delivery, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// Returns the pause before the next attempt after `failures` failed ones (at least one): doubled each time, from 0.5 s
/// to 1 min.
#[must_use]
pub fn delivery_pause(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSES.0.saturating_mul(factor).min(PAUSES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let millis: Vec<u128> = [1, 2, 7, 8, 40, u32::MAX].map(|n| delivery_pause(n).as_millis()).into();
        assert_eq!(millis, [500, 1000, 32_000, 60_000, 60_000, 60_000]);
    }
}
