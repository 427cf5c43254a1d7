//! Deliveries of invalidations to coordinators.

use crate::invalidation::Invalidation;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::{logged, one_number};
use crate::time::Timestamp;

/// An invalidation that a shard has not applied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The invalidation to deliver.
    pub invalidation: Invalidation,
    /// The receiving shard.
    pub shard: ShardName,
    /// The number of failed attempts.
    pub attempts: u32,
    /// Whether it replaces deliveries that were dropped.
    pub is_summary: bool,
}

impl<S: Sql> TagIndexStore<S> {
    /// Returns at most `limit` pending deliveries of the invalidations with these numbers.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn deliveries_of(&self, first: u64, last: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.deliveries("d.due IS NOT NULL AND d.seq BETWEEN ? AND ?", &[first, last], limit)
    }

    /// Returns at most `limit` deliveries that are due: those that replace dropped ones, and then the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn deliveries_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let mut due = self.summaries_due(now, limit)?;
        let rest = limit.saturating_sub(u32::try_from(due.len()).unwrap_or(limit));
        due.extend(self.deliveries("d.due <= ?", &[now.as_millis()], rest)?);
        Ok(due)
    }

    fn deliveries(&self, condition: &str, parameters: &[u64], limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let statement = format!(
            "SELECT i.seq, i.at, i.kind, i.name, i.mode, i.refresh, d.shard, d.attempts FROM deliveries d \
             JOIN invalidations i ON i.seq = d.seq WHERE {condition} ORDER BY d.due, d.seq LIMIT ?"
        );
        let parameters: Vec<Value> = parameters.iter().copied().chain([u64::from(limit)]).map(Value::from).collect();
        let rows = self.sql.query(&statement, &parameters)?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("deliveries", row);
                let invalidation = logged(&mut columns)?;
                let shard = columns.parsed(ShardName::from_stored)?;
                let attempts = u32::try_from(columns.number()?).unwrap_or(u32::MAX);
                Ok(Delivery { invalidation, shard, attempts, is_summary: false })
            })
            .collect()
    }

    /// Records that a shard has applied an invalidation, and how many of its pages the invalidation names.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delivered(&self, seq: u64, shard: &ShardName, matched: u64) -> Result<(), StoreError> {
        self.sql
            .query(
                "UPDATE deliveries SET due = NULL, matched = ? WHERE seq = ? AND shard = ?",
                &[matched.into(), seq.into(), shard.as_str().into()],
            )
            .map(drop)
    }

    /// Returns the shards that have applied an invalidation.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn applied(&self, seq: u64) -> Result<Vec<ShardName>, StoreError> {
        let applied = "SELECT shard FROM deliveries WHERE seq = ?1 EXCEPT SELECT shard FROM pending_deliveries \
            WHERE seq = ?1";
        let rows = self.sql.query(applied, &[seq.into()])?;
        rows.into_iter().map(|row| Columns::of("deliveries", row).parsed(ShardName::from_stored)).collect()
    }

    /// Returns the number of pages that an invalidation names in the shards that have applied it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn matched(&self, seq: u64) -> Result<u64, StoreError> {
        let sum = "SELECT COALESCE(SUM(matched), 0) FROM deliveries WHERE seq = ?";
        one_number("deliveries", self.sql.query(sum, &[seq.into()])?)
    }

    /// Postpones a delivery after a failed attempt, unless another attempt has succeeded meanwhile.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn put_off(&self, seq: u64, shard: &ShardName, due: Timestamp) -> Result<(), StoreError> {
        self.sql
            .query(
                "UPDATE deliveries SET due = ?, attempts = attempts + 1 WHERE seq = ? AND shard = ? \
                 AND due IS NOT NULL",
                &[due.as_millis().into(), seq.into(), shard.as_str().into()],
            )
            .map(drop)
    }

    /// Returns the number of shards that have not applied an invalidation. If it has left the log, returns the number of
    /// those that may not have applied it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pending(&self, seq: u64) -> Result<u64, StoreError> {
        one_number(
            "deliveries",
            self.sql.query(
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM invalidations WHERE seq = ?1) \
                 THEN (SELECT COUNT(*) FROM pending_deliveries WHERE seq = ?1) \
                 ELSE (SELECT COUNT(*) FROM dropped_deliveries WHERE ?1 BETWEEN since AND seq) END",
                &[seq.into()],
            )?,
        )
    }

    /// Returns when this object next needs its alarm: the earliest delivery to a coordinator, call of a retired one, or
    /// purge of a downstream cache.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut deadlines: Vec<Timestamp> = self.purge_deadline()?.into_iter().collect();
        for earliest in [
            "SELECT MIN(due) FROM deliveries WHERE due IS NOT NULL",
            "SELECT MIN(due) FROM dropped_deliveries",
            "SELECT MIN(due) FROM retirements",
        ] {
            let row = self.sql.query(earliest, &[])?.into_iter().next();
            let due = row.map(|row| Columns::of("deliveries", row).optional_time()).transpose()?;
            deadlines.extend(due.flatten());
        }
        Ok(deadlines.into_iter().min())
    }
}
