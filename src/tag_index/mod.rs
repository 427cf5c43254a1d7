//! The tag index's decisions, free of I/O: what a caller is told, and when a delivery is attempted again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The first pause after a failed delivery, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// What the caller of an invalidation is told: proof that it is recorded, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its number in the log: it is recorded, and will be delivered whatever happens.
    pub seq: u64,
    /// How many coordinators have applied it.
    pub applied: u64,
    /// How many have not yet: they are tried until they have.
    pub pending: u64,
}

/// Returns the pause before the next attempt after `failures` failed ones (at least one): doubled each time.
#[must_use]
pub fn delivery_pause(failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    PAUSES.0.saturating_mul(factor).min(PAUSES.1)
}
