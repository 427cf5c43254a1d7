//! The deliveries that a round attempts, and how their results are recorded.

use std::time::Duration;

use crate::backoff;
use crate::limits::SUBREQUESTS;
use crate::sql::{Sql, StoreError};
use crate::tag_index::hanging::Hanging;
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::time::Timestamp;

/// How long the caller of an invalidation waits for the coordinators.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// How long a round waits for each coordinator: less than the caller, so that the tag index learns which one hangs.
pub const DELIVER_WITHIN: Duration = Duration::from_secs(4);

/// Limits the deliveries that a round attempts. Each is a subrequest, like each purge of a downstream cache that the same
/// run of the alarm makes.
pub const BATCH: u32 = SUBREQUESTS - 10;

/// Selects the deliveries to attempt together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Those of the invalidations of a call, while its caller waits.
    Of {
        /// The first invalidation's number.
        first: u64,
        /// The last one's number.
        last: u64,
        /// The current time.
        now: Timestamp,
    },
    /// Those that are due when the alarm fires.
    Due(Timestamp),
}

/// Returns the deliveries of a round, at most [`BATCH`]. Each stays due until it is settled, so it is attempted again
/// if the object dies. Those to a coordinator that hangs are left to the alarm.
///
/// # Errors
/// See [`StoreError`].
pub fn attempts<S: Sql>(
    store: &TagIndexStore<S>,
    round: Round,
    hanging: &Hanging,
) -> Result<Vec<Delivery>, StoreError> {
    match round {
        Round::Of { first, last, now } => {
            let mut deliveries = store.deliveries_of(first, last, BATCH)?;
            deliveries.retain(|delivery| !hanging.has(&delivery.shard, now));
            Ok(deliveries)
        }
        Round::Due(now) => store.deliveries_due(now, BATCH),
    }
}

/// Records the result of an attempt: the number of pages that the invalidation names in that shard, or `None` if the
/// shard could not be reached and the delivery has to be repeated.
///
/// # Errors
/// See [`StoreError`]; on an error, the delivery stays due.
pub fn settle<S: Sql>(
    store: &TagIndexStore<S>,
    delivery: &Delivery,
    matched: Option<u64>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (seq, shard) = (delivery.invalidation.seq, &delivery.shard);
    let again = now.plus(backoff::delivery(delivery.attempts.saturating_add(1)));
    match (matched, delivery.is_summary) {
        (Some(matched), false) => store.delivered(seq, shard, matched),
        (Some(_), true) => store.summary_applied(seq, shard),
        (None, false) => store.put_off(seq, shard, again),
        (None, true) => store.put_off_summary(shard, again),
    }
}
