//! The bound of pending deliveries: what the log and the feed can't keep for a coordinator that does not answer.
//!
//! The log keeps its newest rows, and the feed keeps twice as many rows as usual until a coordinator has applied them.
//! Older deliveries that are still pending are dropped. One *summary* per coordinator replaces them: an invalidation of
//! everything up to the time of the latest dropped one, in the strongest mode of all of them. It is delivered like any
//! other invalidation.
//!
//! | what can go wrong | then |
//! |---|---|
//! | the coordinator comes back | the summary is due within a minute; until it has applied it, the edges treat the older pages of its route as expired ([`FeedPage::lagging`](crate::invalidation::FeedPage)) |
//! | more deliveries are dropped while a summary is under way | the summary has another number, and is delivered again |
//! | an attempt of a dropped delivery succeeds late | that delivery counts as applied; the summary stays due |
//! | the summary arrives twice, or late | pages rendered meanwhile are rendered once more |
//! | this object dies | the drop and its summary are one transaction |
//! | somebody asks about a dropped invalidation | it is pending until the summary is applied |

use crate::invalidation::Invalidation;
use crate::route::RouteId;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError};
use crate::tag_index::tables::store::{logged, one_number};
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::time::Timestamp;

/// How many times as many rows as usual the feed keeps for a coordinator that does not answer. An edge remembers as many.
const FEED_WAITS: u64 = 2;

impl<S: Sql> TagIndexStore<S> {
    /// Drops the pending deliveries that the log and the feed can't keep any longer. `log_from` is the number of the first
    /// row that the log keeps, and `feed_rows` the number of rows that the feed keeps.
    pub(super) fn drop_overdue(&self, log_from: u64, feed_rows: u64) -> Result<(), StoreError> {
        let nth = "SELECT COALESCE((SELECT seq FROM feed ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)";
        let is_overfull = one_number("feed", self.sql.query(nth, &[(FEED_WAITS * feed_rows).into()])?)? > 0;
        let feed_to = if is_overfull { one_number("feed", self.sql.query(nth, &[feed_rows.into()])?)? } else { 0 };
        let up_to = feed_to.max(log_from.saturating_sub(1));
        // The plus sign lets SQLite use the index of pending deliveries, not that of all deliveries.
        let pending = "d.due IS NOT NULL AND +d.seq <= ?";
        // A mode of a later version counts as `expire`.
        let strongest = "CASE MAX(CASE i.mode WHEN 'purge' THEN 3 WHEN 'stale' THEN 1 ELSE 2 END) \
            WHEN 3 THEN 'purge' WHEN 2 THEN 'expire' ELSE 'stale' END";
        self.sql.query(
            &format!(
                "INSERT INTO dropped_deliveries (shard, since, seq, at, mode, due) \
                 SELECT d.shard, MIN(d.seq), MAX(d.seq), MAX(i.at), {strongest}, MIN(d.due) \
                 FROM deliveries d JOIN invalidations i ON i.seq = d.seq WHERE {pending} GROUP BY d.shard \
                 ON CONFLICT (shard) DO UPDATE SET since = MIN(since, excluded.since), \
                 seq = MAX(seq, excluded.seq), at = MAX(at, excluded.at), \
                 mode = CASE WHEN 'purge' IN (mode, excluded.mode) THEN 'purge' \
                 WHEN mode = 'stale' AND excluded.mode = 'stale' THEN 'stale' ELSE 'expire' END"
            ),
            &[up_to.into()],
        )?;
        self.sql.query(&format!("UPDATE deliveries AS d SET due = NULL WHERE {pending}"), &[up_to.into()]).map(drop)
    }

    /// Returns at most `limit` summaries that are due, as deliveries.
    pub(super) fn summaries_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let rows = self.sql.query(
            "SELECT seq, at, 'everything', '', mode, 'lazy', shard, attempts FROM dropped_deliveries WHERE due <= ? \
             ORDER BY due LIMIT ?",
            &[now.as_millis().into(), u64::from(limit).into()],
        )?;
        let delivery = |row| {
            let mut columns = Columns::of("dropped_deliveries", row);
            let invalidation: Invalidation = logged(&mut columns)?;
            let shard = columns.parsed(ShardName::from_stored)?;
            let attempts = u32::try_from(columns.number()?).unwrap_or(u32::MAX);
            Ok(Delivery { invalidation, shard, attempts, is_summary: true })
        };
        rows.into_iter().map(delivery).collect()
    }

    /// Records that a shard has applied a summary. If more deliveries were dropped since, a new summary stays due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn summary_applied(&self, seq: u64, shard: &ShardName) -> Result<(), StoreError> {
        let statement = "DELETE FROM dropped_deliveries WHERE shard = ? AND seq = ?";
        self.sql.query(statement, &[shard.as_str().into(), seq.into()]).map(drop)
    }

    /// Postpones a summary after a failed attempt.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn put_off_summary(&self, shard: &ShardName, due: Timestamp) -> Result<(), StoreError> {
        let statement = "UPDATE dropped_deliveries SET due = ?, attempts = attempts + 1 WHERE shard = ?";
        self.sql.query(statement, &[due.as_millis().into(), shard.as_str().into()]).map(drop)
    }

    /// Returns the routes of the coordinators that have a summary to apply, each with its time.
    pub(super) fn lagging(&self) -> Result<Vec<(RouteId, Timestamp)>, StoreError> {
        let rows = self.sql.query("SELECT shard, at FROM dropped_deliveries", &[])?;
        let route = |row| {
            let mut columns = Columns::of("dropped_deliveries", row);
            let route = columns.parsed(|shard| RouteId::from_stored(ShardName::from_stored(shard)?.route()))?;
            Ok((route, Timestamp::from_millis(columns.number()?)))
        };
        rows.into_iter().map(route).collect()
    }
}
