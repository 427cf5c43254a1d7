//! The feed that edges poll, and the identity of the log behind it.
//!
//! A database may be recreated, or restored to an earlier point. Then numbers that edges know are given again, or not
//! for a long time, and edges would miss the new rows. So each log has a random id:
//!
//! | what happens | who notices | then |
//! |---|---|---|
//! | the database is new | the log has another id | the edge reads the log from its beginning |
//! | the database is restored | an edge has heard of a row that the log does not have, or has with another time | the log gets another id; all edges read it from its beginning, and ask the coordinators about all earlier pages |
//! | the object dies between the steps of that | the next such question | it is done again |
//! | an edge that knows less asks first | nobody | it gets all rows of the log, but cannot miss the lost ones |

use crate::invalidation::{FeedPage, FeedQuestion, Invalidation, LogId, LogPosition, Mode, Refresh, Target};
use crate::sql::{Columns, Sql, StoreError};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::{SKEW, invalidation};
use crate::time::Timestamp;

impl<S: Sql> TagIndexStore<S> {
    /// Returns at most `limit` invalidations after a number. If the question shows that the database was restored to an
    /// earlier point, the log gets another id before it is answered. `random` are the bits of a new id.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn feed(
        &self,
        question: FeedQuestion,
        limit: u32,
        now: Timestamp,
        random: u64,
    ) -> Result<FeedPage, StoreError> {
        let log = match (self.log_id()?, question.known) {
            (Some(log), Some(known)) if known.log == log && !self.has_given(known)? => {
                self.begin_again(known, now, random)?
            }
            (Some(log), _) => log,
            (None, _) => self.set_log_id(random)?,
        };
        let rows = self.sql.query(
            "SELECT seq, at, kind, name, mode FROM feed WHERE seq > ? ORDER BY seq LIMIT ?",
            &[question.since.into(), u64::from(limit).into()],
        )?;
        let more = rows.len() >= limit as usize;
        let rows = rows
            .into_iter()
            .map(|row| invalidation(&mut Columns::of("feed", row)))
            .collect::<Result<Vec<Invalidation>, _>>()?;
        let (newest, at) = self.last_row()?;
        let seq = rows.last().filter(|_| more).map_or(newest, |row| row.seq);
        let newest = (at > Timestamp::default()).then_some(LogPosition { log, seq: newest, at });
        Ok(FeedPage { seq, floor: self.floor()?, rows, more, lagging: self.lagging()?, log: Some(log), newest })
    }

    /// Returns the newest number in the log, and its time.
    pub(super) fn last_row(&self) -> Result<(u64, Timestamp), StoreError> {
        // The newest row is never trimmed, so no number is used twice.
        let rows = self.sql.query("SELECT seq, at FROM invalidations ORDER BY seq DESC LIMIT 1", &[])?;
        let Some(row) = rows.into_iter().next() else { return Ok((self.name.before_first(), Timestamp::default())) };
        let mut columns = Columns::of("invalidations", row);
        Ok((columns.number()?.max(self.name.before_first()), Timestamp::from_millis(columns.number()?)))
    }

    /// Returns a number up to which numbers were given before the database was restored.
    pub(super) fn numbers_given(&self) -> Result<u64, StoreError> {
        Ok(self.fact("numbers_given")?.unwrap_or_default())
    }

    fn log_id(&self) -> Result<Option<LogId>, StoreError> {
        Ok(self.fact("log")?.map(LogId::new))
    }

    fn set_log_id(&self, random: u64) -> Result<LogId, StoreError> {
        self.set_fact("log", random)?;
        Ok(LogId::new(random))
    }

    /// Returns whether this log may have given a row. Numbers and times rise together, so a row that is no longer here was
    /// given later than those before it. If no row before it is here either, later ones of the same targets have replaced
    /// them in the feed, or the floor has risen above them: the edge will hear of that.
    fn has_given(&self, known: LogPosition) -> Result<bool, StoreError> {
        if known.seq > self.last_row()?.0 {
            return Ok(false);
        }
        for sql in [
            "SELECT seq, at FROM invalidations WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
            "SELECT seq, at FROM feed WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
        ] {
            let Some(row) = self.sql.query(sql, &[known.seq.into()])?.into_iter().next() else { continue };
            let mut columns = Columns::of("feed", row);
            let (seq, at) = (columns.number()?, Timestamp::from_millis(columns.number()?));
            if if seq == known.seq { at != known.at } else { at >= known.at } {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins a log with another id, because the rows after an earlier point are lost.
    ///
    /// The lost rows may have reached some edges and not others, so all edges ask the coordinators about each page from
    /// before now. The coordinators may have registered tags that are lost, so everything is invalidated once more: a
    /// coordinator registers the tags of a page again when it renders it. The id changes last: until then the next
    /// question does all of this again.
    fn begin_again(&self, known: LogPosition, now: Timestamp, random: u64) -> Result<LogId, StoreError> {
        self.set_fact("numbers_given", known.seq.max(self.numbers_given()?))?;
        self.raise_floor(now.plus(SKEW).max(known.at))?;
        self.append(Target::Everything, Mode::Stale, Refresh::Lazy, None, now)?;
        self.set_log_id(random)
    }
}
