//! Which deliveries a round attempts, and what becomes of one that was attempted.

use std::time::Duration;

use crate::backoff;
use crate::sql::{Sql, StoreError};
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::time::Timestamp;

/// How long the caller of an invalidation waits for the coordinators, and a round for each of them.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// The most deliveries that a round attempts.
pub const BATCH: u32 = 100;

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
    match round {
        Round::Of(seq) => store.deliveries_of(seq, BATCH),
        Round::Due(now) => store.deliveries_due(now, BATCH),
    }
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
        None => store.put_off(seq, &delivery.shard, now.plus(backoff::delivery(delivery.attempts + 1))),
    }
}
