//! The tag index object's tables of downstream caches: which purges are pending in each of them, and when they are due.

#[cfg(test)]
mod tests;

use crate::downstream::headers;
use crate::downstream::purges::{self, DownstreamCache, MAX_TAGS, MAX_WAITING, Pace};
use crate::invalidation::Target;
use crate::protocol::DownstreamProgress;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::one_number;
use crate::time::Timestamp;

/// One purge of a downstream cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeBatch {
    /// The downstream cache.
    pub cache: DownstreamCache,
    /// The tags to purge; not empty.
    pub tags: Vec<String>,
    /// The latest invalidation that this purge covers.
    up_to: u64,
    began: Timestamp,
}

impl<S: Sql> TagIndexStore<S> {
    /// Records that an invalidation has to be purged from each downstream cache: at `due`, or as soon as it is
    /// [ripe](Self::ripen). Called in the transaction that appends it to the log.
    pub(crate) fn note_for_downstream(
        &self,
        seq: u64,
        at: Timestamp,
        target: &Target,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let tag = headers::tag_of(target);
        let settled = self.downstream.settled_at(at);
        for cache in &self.downstream.active {
            self.sql().query(
                "INSERT INTO sink_deliveries (seq, sink, tag, due, settled) VALUES (?, ?, ?, ?, ?)",
                &[
                    seq.into(),
                    cache.as_str().into(),
                    tag.as_str().into(),
                    due.as_millis().into(),
                    settled.as_millis().into(),
                ],
            )?;
        }
        Ok(())
    }

    /// Records that the coordinators have applied an invalidation, or that the wait for them is over.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn ripen(&self, seq: u64, now: Timestamp) -> Result<(), StoreError> {
        self.sql()
            .query(
                "UPDATE sink_deliveries SET due = MIN(due, ?) WHERE seq = ? AND due IS NOT NULL AND purges = 0",
                &[now.as_millis().into(), seq.into()],
            )
            .map(drop)
    }

    /// Begins the next purge of a downstream cache. Returns `None` if nothing is due, or if the cache is in a pause.
    /// The purge after that waits until the outcome is [recorded](Self::end_purge), or until a pause has passed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn begin_purge(&self, cache: DownstreamCache, now: Timestamp) -> Result<Option<PurgeBatch>, StoreError> {
        self.sql().transaction(|| {
            let pace = self.pace(cache)?;
            if pace.ready_at(cache) > now {
                return Ok(None);
            }
            let due = self.sql().query(
                "SELECT tag FROM sink_deliveries WHERE sink = ? AND due <= ? GROUP BY tag \
                 ORDER BY tag <> ?, MIN(due), MIN(seq) LIMIT ?",
                &[cache.as_str().into(), now.as_millis().into(), headers::EVERYTHING.into(), (MAX_TAGS as u64).into()],
            )?;
            let due = due.into_iter().map(|row| Columns::of("sink_deliveries", row).text());
            let tags = purges::batch(due.collect::<Result<Vec<String>, _>>()?);
            if tags.is_empty() {
                return Ok(None);
            }
            let rows = self.sql().query("SELECT COALESCE(MAX(seq), 0) FROM sink_deliveries", &[])?;
            let up_to = one_number("sink_deliveries", rows)?;
            self.set_pace(cache, pace.begun(cache, now))?;
            Ok(Some(PurgeBatch { cache, tags, up_to, began: now }))
        })
    }

    /// Records the outcome of a purge. An accepted purge is due once more if an edge may have filled the cache again
    /// since.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn end_purge(
        &self,
        batch: &PurgeBatch,
        outcome: purges::PurgeOutcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.sql().transaction(|| {
            self.set_pace(batch.cache, self.pace(batch.cache)?.after(outcome, now))?;
            match outcome {
                purges::PurgeOutcome::Done => self.note_purged(batch),
                // The cache may reject a single tag without naming it. That tag must not block the others.
                purges::PurgeOutcome::Refused => self.fold(batch.cache),
                purges::PurgeOutcome::Limited { .. } | purges::PurgeOutcome::Failed { .. } => Ok(()),
            }
        })
    }

    fn note_purged(&self, batch: &PurgeBatch) -> Result<(), StoreError> {
        let is_everything = batch.tags.iter().any(|tag| tag == headers::EVERYTHING);
        let tags = serde_json::json!(batch.tags).to_string();
        self.sql()
            .query(
                "UPDATE sink_deliveries SET purges = purges + 1, due = CASE WHEN settled <= ? THEN NULL ELSE settled END \
                 WHERE sink = ? AND due <= ? AND seq <= ? AND (? OR tag IN (SELECT value FROM json_each(?)))",
                &[
                    batch.began.as_millis().into(),
                    batch.cache.as_str().into(),
                    batch.began.as_millis().into(),
                    batch.up_to.into(),
                    u64::from(is_everything).into(),
                    tags.as_str().into(),
                ],
            )
            .map(drop)
    }

    /// Replaces all pending purges of a downstream cache by one purge of everything.
    fn fold(&self, cache: DownstreamCache) -> Result<(), StoreError> {
        self.sql()
            .query(
                "UPDATE sink_deliveries SET tag = ? WHERE sink = ? AND due IS NOT NULL",
                &[headers::EVERYTHING.into(), cache.as_str().into()],
            )
            .map(drop)
    }

    /// Returns the progress of an invalidation in each downstream cache.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn downstream_progress(&self, seq: u64) -> Result<Vec<DownstreamProgress>, StoreError> {
        let rows = self
            .sql()
            .query("SELECT sink, due IS NULL FROM sink_deliveries WHERE seq = ? ORDER BY sink", &[seq.into()])?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("sink_deliveries", row);
                Ok(DownstreamProgress { cache: columns.text()?, is_done: columns.number()? == 1 })
            })
            .collect()
    }

    /// Returns when the next purge of a downstream cache is due.
    pub(crate) fn purge_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut deadline: Option<Timestamp> = None;
        for cache in &self.downstream.active {
            let rows = self.sql().query(
                "SELECT MIN(due) FROM sink_deliveries WHERE sink = ? AND due IS NOT NULL",
                &[cache.as_str().into()],
            )?;
            let due = rows.into_iter().next().map(|row| Columns::of("sink_deliveries", row).optional_number());
            if let Some(due) = due.transpose()?.flatten() {
                let next = Timestamp::from_millis(due).max(self.pace(*cache)?.ready_at(*cache));
                deadline = Some(deadline.map_or(next, |other| other.min(next)));
            }
        }
        Ok(deadline)
    }

    /// Bounds the table: folds too many pending purges into one purge of everything, and removes rows older than the
    /// log. Rows that are removed before their purge are folded ones, and later folded rows remain.
    pub(crate) fn trim_purges(&self, oldest: u64) -> Result<(), StoreError> {
        for cache in DownstreamCache::ALL {
            let waiting = self.sql().query(
                "SELECT COUNT(*) FROM sink_deliveries WHERE sink = ? AND due IS NOT NULL AND tag <> ?",
                &[cache.as_str().into(), headers::EVERYTHING.into()],
            )?;
            if one_number("sink_deliveries", waiting)? > MAX_WAITING {
                self.fold(cache)?;
            }
        }
        self.sql()
            .query(
                "DELETE FROM sink_deliveries WHERE seq < ? AND (due IS NULL OR tag = ?)",
                &[oldest.into(), headers::EVERYTHING.into()],
            )
            .map(drop)
    }

    fn pace(&self, cache: DownstreamCache) -> Result<Pace, StoreError> {
        let rows = self
            .sql()
            .query("SELECT failures, not_before, paid_until FROM sinks WHERE sink = ?", &[cache.as_str().into()])?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(Pace::default());
        };
        let mut columns = Columns::of("sinks", row);
        Ok(Pace {
            failures: u32::try_from(columns.number()?).unwrap_or(u32::MAX),
            not_before: Timestamp::from_millis(columns.number()?),
            paid_until: Timestamp::from_millis(columns.number()?),
        })
    }

    fn set_pace(&self, cache: DownstreamCache, pace: Pace) -> Result<(), StoreError> {
        let numbers = [pace.failures.into(), pace.not_before.as_millis(), pace.paid_until.as_millis()];
        let [failures, not_before, paid_until] = numbers.map(Value::from);
        self.sql()
            .query(
                "INSERT OR REPLACE INTO sinks (sink, failures, not_before, paid_until) VALUES (?, ?, ?, ?)",
                &[cache.as_str().into(), failures, not_before, paid_until],
            )
            .map(drop)
    }
}
