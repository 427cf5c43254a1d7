//! The tag index's decisions, free of I/O: which object knows what, which deliveries a round attempts, what becomes of one that
//! was attempted, and what is purged in a cache in front.

pub mod tables;

use std::time::Duration;

use crate::fault::{self, Fault};
use crate::sql::{Sql, StoreError};
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::time::Timestamp;

/// How long the caller of an invalidation waits for the coordinators, and a round for each of them.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// The most deliveries that a round attempts.
pub const BATCH: u32 = 100;

/// The first pause after a failed delivery, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// Which deliveries are attempted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Those of one invalidation, while its caller waits.
    Of(u64),
    /// Those that are due, when the alarm goes off.
    Due(Timestamp),
}

/// Returns what a round attempts, at most [`BATCH`]. Each stays due until it is settled: whatever happens to the object in
/// between, it is attempted again.
///
/// # Errors
/// See [`StoreError`].
pub fn attempts<S: Sql>(store: &TagIndexStore<S>, round: Round) -> Result<Vec<Delivery>, StoreError> {
    let deliveries = match round {
        Round::Of(seq) => store.deliveries_of(seq, BATCH)?,
        Round::Due(now) => store.deliveries_due(now, BATCH)?,
    };
    if fault::on(Fault::NoteFirst) {
        for delivery in &deliveries {
            store.delivered(delivery.invalidation.seq, &delivery.shard, 0)?;
        }
    }
    Ok(deliveries)
}

/// Notes what has become of an attempt: the shard has applied the invalidation, which concerned so many pages there; or,
/// with `None`, it could not be reached, and is to be called again.
///
/// # Errors
/// See [`StoreError`]; then the delivery stays due.
pub fn settle<S: Sql>(
    store: &TagIndexStore<S>,
    delivery: &Delivery,
    matched: Option<u64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let seq = delivery.invalidation.seq;
    match matched {
        Some(matched) => store.delivered(seq, &delivery.shard, matched),
        None => store.put_off(seq, &delivery.shard, now.plus(delivery_pause(delivery.attempts + 1))),
    }
}

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
