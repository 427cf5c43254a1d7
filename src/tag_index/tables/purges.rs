//! The tag index object's tables about caches in front: what has still to be purged in which sink, and when.

#[cfg(test)]
mod tests;

use crate::downstream::headers;
use crate::downstream::purges::{self, MAX_TAGS, MAX_WAITING, Pace, Sink};
use crate::invalidation::Scope;
use crate::protocol::SinkProgress;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::one_number;
use crate::time::Timestamp;

/// One purge of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeBatch {
    /// The sink.
    pub sink: Sink,
    /// What is purged there; not empty.
    pub tags: Vec<String>,
    /// The latest invalidation that it is for: what comes later is not purged by it.
    up_to: u64,
    began: Timestamp,
}

impl<S: Sql> TagIndexStore<S> {
    /// Notes that an invalidation is to be purged in each sink: at `due`, or as soon as it is [ripe](Self::ripen). Called
    /// in the transaction that appends it to the log.
    pub(crate) fn note_for_sinks(
        &self,
        seq: u64,
        at: Timestamp,
        scope: &Scope,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let tag = headers::tag_of(scope);
        let settled = self.sinks.settled_at(at);
        for sink in &self.sinks.active {
            self.sql().query(
                "INSERT INTO sink_deliveries (seq, sink, tag, due, settled) VALUES (?, ?, ?, ?, ?)",
                &[
                    seq.into(),
                    sink.as_str().into(),
                    tag.as_str().into(),
                    due.as_millis().into(),
                    settled.as_millis().into(),
                ],
            )?;
        }
        Ok(())
    }

    /// Notes that the coordinators have applied an invalidation, or have been waited for long enough.
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

    /// Begins the next purge of a sink: `None` if nothing is due, or if the sink has to be left alone still. Once it is
    /// begun, the next one waits until the outcome is [noted](Self::end_purge), or for a pause.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn begin_purge(&self, sink: Sink, now: Timestamp) -> Result<Option<PurgeBatch>, StoreError> {
        self.sql().transaction(|| {
            let pace = self.pace(sink)?;
            if pace.ready_at(sink) > now {
                return Ok(None);
            }
            let due = self.sql().query(
                "SELECT tag FROM sink_deliveries WHERE sink = ? AND due <= ? GROUP BY tag \
                 ORDER BY tag <> ?, MIN(due), MIN(seq) LIMIT ?",
                &[sink.as_str().into(), now.as_millis().into(), headers::EVERYTHING.into(), (MAX_TAGS as u64).into()],
            )?;
            let due = due.into_iter().map(|row| Columns::of("sink_deliveries", row).text());
            let tags = purges::batch(due.collect::<Result<Vec<String>, _>>()?);
            if tags.is_empty() {
                return Ok(None);
            }
            let rows = self.sql().query("SELECT COALESCE(MAX(seq), 0) FROM sink_deliveries", &[])?;
            let up_to = one_number("sink_deliveries", rows)?;
            self.set_pace(sink, pace.begun(sink, now))?;
            Ok(Some(PurgeBatch { sink, tags, up_to, began: now }))
        })
    }

    /// Notes what came of a purge. What a sink has taken is due once more if an edge may have filled it again since.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn end_purge(&self, batch: &PurgeBatch, outcome: purges::Purged, now: Timestamp) -> Result<(), StoreError> {
        self.sql().transaction(|| {
            self.set_pace(batch.sink, self.pace(batch.sink)?.after(outcome, now))?;
            match outcome {
                purges::Purged::Done => self.note_purged(batch),
                // One tag may be what the sink does not take, and nothing says which: it must not hold up the others.
                purges::Purged::Refused => self.fold(batch.sink),
                purges::Purged::Limited { .. } | purges::Purged::Failed { .. } => Ok(()),
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
                    batch.sink.as_str().into(),
                    batch.began.as_millis().into(),
                    batch.up_to.into(),
                    u64::from(is_everything).into(),
                    tags.as_str().into(),
                ],
            )
            .map(drop)
    }

    /// Makes all that wait for a sink wait for one purge of everything.
    fn fold(&self, sink: Sink) -> Result<(), StoreError> {
        self.sql()
            .query(
                "UPDATE sink_deliveries SET tag = ? WHERE sink = ? AND due IS NOT NULL",
                &[headers::EVERYTHING.into(), sink.as_str().into()],
            )
            .map(drop)
    }

    /// Tells how far an invalidation is in each sink that it is purged in.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn sink_progress(&self, seq: u64) -> Result<Vec<SinkProgress>, StoreError> {
        let rows = self
            .sql()
            .query("SELECT sink, due IS NULL FROM sink_deliveries WHERE seq = ? ORDER BY sink", &[seq.into()])?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("sink_deliveries", row);
                Ok(SinkProgress { sink: columns.text()?, is_done: columns.number()? == 1 })
            })
            .collect()
    }

    /// Returns when a sink wants to be purged next.
    pub(crate) fn sink_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut deadline: Option<Timestamp> = None;
        for sink in &self.sinks.active {
            let rows = self.sql().query(
                "SELECT MIN(due) FROM sink_deliveries WHERE sink = ? AND due IS NOT NULL",
                &[sink.as_str().into()],
            )?;
            let due = rows.into_iter().next().map(|row| Columns::of("sink_deliveries", row).optional_number());
            if let Some(due) = due.transpose()?.flatten() {
                let next = Timestamp::from_millis(due).max(self.pace(*sink)?.ready_at(*sink));
                deadline = Some(deadline.map_or(next, |other| other.min(next)));
            }
        }
        Ok(deadline)
    }

    /// Keeps the table within its bounds: too many that wait are folded into purges of everything, and what is older than
    /// the log goes. What goes unpurged is among those that were folded, of which later ones are there still.
    pub(crate) fn trim_sinks(&self, oldest: u64) -> Result<(), StoreError> {
        for sink in Sink::ALL {
            let waiting = self.sql().query(
                "SELECT COUNT(*) FROM sink_deliveries WHERE sink = ? AND due IS NOT NULL AND tag <> ?",
                &[sink.as_str().into(), headers::EVERYTHING.into()],
            )?;
            if one_number("sink_deliveries", waiting)? > MAX_WAITING {
                self.fold(sink)?;
            }
        }
        self.sql()
            .query(
                "DELETE FROM sink_deliveries WHERE seq < ? AND (due IS NULL OR tag = ?)",
                &[oldest.into(), headers::EVERYTHING.into()],
            )
            .map(drop)
    }

    fn pace(&self, sink: Sink) -> Result<Pace, StoreError> {
        let rows = self
            .sql()
            .query("SELECT failures, not_before, paid_until FROM sinks WHERE sink = ?", &[sink.as_str().into()])?;
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

    fn set_pace(&self, sink: Sink, pace: Pace) -> Result<(), StoreError> {
        let numbers = [pace.failures.into(), pace.not_before.as_millis(), pace.paid_until.as_millis()];
        let [failures, not_before, paid_until] = numbers.map(Value::from);
        self.sql()
            .query(
                "INSERT OR REPLACE INTO sinks (sink, failures, not_before, paid_until) VALUES (?, ?, ?, ?)",
                &[sink.as_str().into(), failures, not_before, paid_until],
            )
            .map(drop)
    }
}
