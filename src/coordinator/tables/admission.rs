//! The keys that a full shard may displace.

use crate::coordinator::tables::CoordinatorStore;
use crate::semantics::key::PageKey;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::time::Timestamp;

/// How long a failing page is remembered after its last pause, in milliseconds: as long as the longest pause.
const FAILURES_KEPT_MILLIS: u64 = 300_000;

/// KV accepts one write per key in this time (platform limit), in milliseconds. The last write is remembered for as
/// long.
const WRITES_KEPT_MILLIS: u64 = 1000;

/// A negative key: no page, or one that says that there is none.
const IS_NEGATIVE: &str = "(version IS NULL OR status IN (404, 410))";

/// A key that the hand has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The key.
    pub key: PageKey,
    /// Whether it has no page, or one that says that there is none.
    pub is_negative: bool,
    /// Its heat, halved for each day since its last render.
    pub heat: u64,
    /// Whether it is rendered, written, or backing off, and must stay.
    pub is_busy: bool,
    /// Whether it is expired even as a fallback, and no marker holds.
    pub is_useless: bool,
}

impl<S: Sql> CoordinatorStore<S> {
    /// Returns at most `limit` keys after `from`, in their order. Skips a row that can't be read.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn candidates(&self, from: &PageKey, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.candidates_after(from.as_str(), now, limit)
    }

    /// Returns the first `limit` keys, in their order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn first_candidates(&self, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        self.candidates_after("", now, limit)
    }

    fn candidates_after(&self, from: &str, now: Timestamp, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let statement = format!(
            "SELECT key, {IS_NEGATIVE}, heat >> MAX(0, MIN(62, (n.now - COALESCE(rendered_at, n.now)) / 86400000)), \
             l2_pending IS NOT NULL OR COALESCE(retry_at, 0) > n.now - CASE WHEN failures > 0 THEN \
             {FAILURES_KEPT_MILLIS} ELSE 0 END OR (version IS NULL AND COALESCE(l2_written_at, 0) > n.now - \
             {WRITES_KEPT_MILLIS}) OR EXISTS (SELECT 1 FROM leases l WHERE l.key = e.key), \
             COALESCE(pass_until, 0) <= n.now AND (version IS NULL OR COALESCE(MAX(fresh_until, stale_until, \
             error_until), n.now + 1) <= n.now) \
             FROM entries e, (SELECT ? AS now) n WHERE key > ? ORDER BY key LIMIT ?"
        );
        let parameters = [Value::from(now.as_millis()), from.into(), u64::from(limit).into()];
        let readable = |row| {
            let mut columns = Columns::of("entries", row);
            Some(Candidate {
                key: columns.parsed(|key| PageKey::from_stored(key).ok()).ok()?,
                is_negative: columns.number().ok()? == 1,
                heat: columns.number().ok()?,
                is_busy: columns.number().ok()? == 1,
                is_useless: columns.number().ok()? == 1,
            })
        };
        Ok(self.sql.query(&statement, &parameters)?.into_iter().filter_map(readable).collect())
    }

    /// Returns the number of negative keys.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count_negatives(&self) -> Result<u64, StoreError> {
        let rows = self.sql.query(&format!("SELECT COUNT(*) FROM entries WHERE {IS_NEGATIVE}"), &[])?;
        rows.into_iter().next().map_or(Ok(0), |row| Columns::of("entries", row).number())
    }
}
