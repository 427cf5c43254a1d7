//! Answers the surveys of the admin API. Each statement reads a bounded number of rows.

use crate::inspection::answer::{LastInvalidation, ShardEntry};
use crate::inspection::survey::{InvalidationPage, ListedShard, ListedTag, LoggedInvalidation, ShardPage, TagPage};
use crate::invalidation::Mode;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::{logged, one_number};
use crate::time::Timestamp;

/// The most pending deliveries that are counted.
const MAX_PENDING: u32 = 10_000;

/// The last character of Unicode. No tag contains it.
const LAST: char = '\u{10ffff}';

impl<S: Sql> TagIndexStore<S> {
    /// Lists coordinators: see [`IndexSurvey::Shards`](crate::inspection::survey::IndexSurvey::Shards).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_shards(
        &self,
        from: Option<&ShardName>,
        route: Option<&str>,
        limit: u32,
    ) -> Result<ShardPage, StoreError> {
        let known = one_number("shards", self.sql().query("SELECT COUNT(DISTINCT shard) FROM shards", &[])?)?;
        let from = Value::from(from.map_or("", ShardName::as_str));
        let (condition, mut parameters) = match route {
            Some(route) => ("AND route = ?", vec![from, route.into()]),
            None => ("", vec![from]),
        };
        parameters.push((u64::from(limit) + 1).into());
        // Only pending deliveries are in an index. The summary of dropped ones is one delivery.
        let statement = format!(
            "SELECT s.shard, COALESCE(p.pending, 0), p.oldest \
             FROM (SELECT DISTINCT shard FROM shards WHERE shard >= ? {condition} ORDER BY shard LIMIT ?) s \
             LEFT JOIN (SELECT shard, COUNT(*) AS pending, MIN(seq) AS oldest FROM \
             (SELECT shard, since AS seq FROM dropped_deliveries UNION ALL \
             SELECT shard, seq FROM deliveries WHERE due IS NOT NULL LIMIT {MAX_PENDING}) GROUP BY shard) p \
             ON p.shard = s.shard ORDER BY s.shard"
        );
        let listed = |row| {
            let mut columns = Columns::of("shards", row);
            let shard = columns.parsed(ShardName::from_stored)?;
            let deliveries = ShardEntry { pending: columns.number()?, oldest_pending: columns.optional_number()? };
            Ok(ListedShard { shard, deliveries })
        };
        let rows = self.sql().query(&statement, &parameters)?;
        let mut shards: Vec<ListedShard> = rows.into_iter().map(listed).collect::<Result<_, StoreError>>()?;
        let more = shards.len() > limit as usize;
        shards.truncate(limit as usize);
        Ok(ShardPage { known, shards, more })
    }

    /// Lists tags: see [`IndexSurvey::Tags`](crate::inspection::survey::IndexSurvey::Tags).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_tags(&self, prefix: &str, after: Option<&Tag>, limit: u32) -> Result<TagPage, StoreError> {
        let rows = self.sql().query(
            "SELECT t.tag, (SELECT COUNT(*) FROM tag_shards s WHERE s.tag = t.tag), f.seq, f.mode, f.at \
             FROM (SELECT DISTINCT tag FROM tag_shards WHERE tag > ? AND tag >= ? AND tag < ? ORDER BY tag LIMIT ?) t \
             LEFT JOIN feed f ON f.kind = 'tag' AND f.name = t.tag AND f.seq = \
             (SELECT MAX(seq) FROM feed WHERE kind = 'tag' AND name = t.tag) ORDER BY t.tag",
            &[
                after.map_or("", Tag::as_str).into(),
                prefix.into(),
                format!("{prefix}{LAST}").into(),
                (u64::from(limit) + 1).into(),
            ],
        )?;
        let listed = |row| {
            let mut columns = Columns::of("tag_shards", row);
            let (tag, shards) = (columns.parsed(|tag| Tag::parse(tag).ok())?, columns.number()?);
            let seq = columns.optional_number()?;
            let mode = columns.optional_parsed(|word| Some(Mode::recorded(word)))?;
            let last = seq.zip(mode).zip(columns.optional_time()?);
            let last_invalidation = last.map(|((seq, mode), at)| LastInvalidation { seq, mode, at });
            Ok(ListedTag { tag, shards, last_invalidation })
        };
        let mut tags: Vec<ListedTag> = rows.into_iter().map(listed).collect::<Result<_, StoreError>>()?;
        let more = tags.len() > limit as usize;
        tags.truncate(limit as usize);
        Ok(TagPage { tags, more })
    }

    /// Lists invalidations: see [`IndexSurvey::Invalidations`](crate::inspection::survey::IndexSurvey::Invalidations).
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_invalidations(
        &self,
        before: Option<u64>,
        before_time: Option<Timestamp>,
        limit: u32,
    ) -> Result<InvalidationPage, StoreError> {
        // The numbers and the times of one object rise together. So the rows are read in the order of their numbers.
        let before = before.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let time = before_time.map_or(i64::MAX, |at| i64::try_from(at.as_millis()).unwrap_or(i64::MAX));
        let rows = self.sql().query(
            "SELECT i.seq, i.at, i.kind, i.name, i.mode, i.refresh, \
             (SELECT COUNT(*) FROM deliveries d WHERE d.seq = i.seq), \
             (SELECT COUNT(*) FROM pending_deliveries d WHERE d.seq = i.seq), \
             (SELECT COALESCE(SUM(d.matched), 0) FROM deliveries d WHERE d.seq = i.seq) \
             FROM (SELECT * FROM invalidations WHERE seq < ? AND at < ? ORDER BY seq DESC LIMIT ?) i ORDER BY i.seq DESC",
            &[Value::Integer(before.min(1 << 53)), Value::Integer(time.min(1 << 53)), (u64::from(limit) + 1).into()],
        )?;
        let listed = |row| {
            let mut columns = Columns::of("invalidations", row);
            let invalidation = logged(&mut columns)?;
            let (all, pending, matched) = (columns.number()?, columns.number()?, columns.number()?);
            Ok(LoggedInvalidation { invalidation, applied: all.saturating_sub(pending), pending, matched })
        };
        let mut invalidations: Vec<LoggedInvalidation> =
            rows.into_iter().map(listed).collect::<Result<_, StoreError>>()?;
        let more = invalidations.len() > limit as usize;
        invalidations.truncate(limit as usize);
        Ok(InvalidationPage { invalidations, more })
    }
}
