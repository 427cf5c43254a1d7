//! Reads the views of `migrations/tag_index/` for callers.

use crate::inspection::answer::{LastInvalidation, ShardEntry, TagEntry, TagIndexHealth};
use crate::inspection::health::MAX_COUNTED;
use crate::invalidation::Mode;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index::tables::TagIndexStore;
use crate::time::Timestamp;

impl<S: Sql> TagIndexStore<S> {
    /// Returns the state of a tag.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn inspect_tag(&self, tag: &Tag) -> Result<TagEntry, StoreError> {
        let name = [tag.as_str().into()];
        let rows = self.sql().query("SELECT shard FROM tag_shards WHERE tag = ? ORDER BY shard", &name)?;
        let shards = rows.into_iter().map(|row| Columns::of("tag_shards", row).parsed(ShardName::from_stored));
        let shards = shards.collect::<Result<Vec<ShardName>, _>>()?;
        let statement = "SELECT pending, last_invalidated_by, last_invalidated_mode, last_invalidated_at FROM tag_state \
            WHERE tag = ?";
        let Some(row) = self.sql().query(statement, &name)?.into_iter().next() else {
            return Ok(TagEntry::default());
        };
        let mut columns = Columns::of("tag_state", row);
        let pending = columns.number()?;
        let (seq, mode, at) = (
            columns.optional_number()?,
            columns.optional_parsed(|word| Some(Mode::recorded(word)))?,
            columns.optional_time()?,
        );
        let last_invalidation = seq.zip(mode).zip(at).map(|((seq, mode), at)| LastInvalidation { seq, mode, at });
        Ok(TagEntry { shards, last_invalidation, pending })
    }

    /// Returns what is pending, and at most `limit` coordinators from a place on, in a bounded time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn health(&self, from: u64, limit: u32) -> Result<TagIndexHealth, StoreError> {
        let one = |statement: &str, parameters: &[Value]| {
            let row = self.sql().query(statement, parameters)?.into_iter().next().unwrap_or_default();
            Columns::of("deliveries", row).optional_number()
        };
        // The summary of dropped deliveries is one delivery.
        let pending = one(
            "SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE due IS NOT NULL \
             UNION ALL SELECT 1 FROM dropped_deliveries LIMIT ?)",
            &[MAX_COUNTED.into()],
        )?;
        let oldest_pending = one(
            "SELECT MIN(at) FROM (SELECT at FROM (SELECT i.at FROM deliveries d JOIN invalidations i ON i.seq = d.seq \
             WHERE d.due IS NOT NULL LIMIT ?) UNION ALL SELECT at FROM dropped_deliveries)",
            &[MAX_COUNTED.into()],
        )?;
        let shards = one("SELECT COUNT(DISTINCT shard) FROM shards", &[])?.unwrap_or_default();
        let rows = self.sql().query(
            "SELECT DISTINCT shard FROM shards ORDER BY shard LIMIT ? OFFSET ?",
            &[u64::from(limit).into(), from.checked_rem(shards).unwrap_or_default().into()],
        )?;
        let some = rows.into_iter().map(|row| Columns::of("shards", row).parsed(ShardName::from_stored));
        Ok(TagIndexHealth {
            pending: pending.unwrap_or_default(),
            oldest_pending: oldest_pending.map(Timestamp::from_millis),
            shards,
            some: some.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the state of a coordinator; `None` if it has never registered to publish a page.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn inspect_shard(&self, shard: &ShardName) -> Result<Option<ShardEntry>, StoreError> {
        let statement = "SELECT pending, oldest_pending FROM shard_directory WHERE shard = ?";
        let row = self.sql().query(statement, &[shard.as_str().into()])?.into_iter().next();
        row.map(|row| {
            let mut columns = Columns::of("shard_directory", row);
            Ok(ShardEntry { pending: columns.number()?, oldest_pending: columns.optional_number()? })
        })
        .transpose()
    }
}
