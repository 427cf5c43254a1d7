//! Pages that an invalidation names: counted, and processed one by one by a sweep.

use crate::coordinator::Decision;
use crate::coordinator::tables::CoordinatorStore;
use crate::coordinator::tables::visits::day;
use crate::invalidation::{Invalidation, Mode, Refresh, Target};
use crate::protocol::ShardProgress;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::time::Timestamp;
use crate::version::Version;

/// Limits how far pages are counted when only their number is needed.
pub const MAX_COUNTED: u64 = 100_000;

/// The number of completed sweeps whose results are kept.
const KEPT: u64 = 1000;

/// A page of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepPage {
    /// The number of the invalidation.
    pub seq: u64,
    /// The page's position in the list.
    pub rank: u64,
    /// The page; `None` if the row can't be read.
    pub key: Option<PageKey>,
    /// A page with a later version needs no processing.
    pub received: Version,
    /// The mode of the invalidation.
    pub mode: Mode,
    /// Whether the page is rendered again.
    pub refresh: Refresh,
    /// Whether that render has begun.
    pub begun: bool,
}

/// A condition on `entries`, and its parameters.
struct PageFilter {
    condition: &'static str,
    parameters: Vec<Value>,
}

impl PageFilter {
    fn by(target: &Target) -> Self {
        let (_, name) = target.kind_and_name();
        match target {
            Target::Path(_) => Self { condition: "version IS NOT NULL AND path = ?", parameters: vec![name.into()] },
            Target::Tag(_) => Self {
                condition: "version IS NOT NULL AND key IN (SELECT key FROM entry_tags WHERE tag IN (?, ?))",
                parameters: vec![name.into(), Tag::every().as_str().into()],
            },
            // '0' is the character after '/'.
            Target::Prefix(_) if name != "/" => Self {
                condition: "version IS NOT NULL AND (path = ? OR (path > ? AND path < ?))",
                parameters: vec![name.into(), format!("{name}/").into(), format!("{name}0").into()],
            },
            // An object holds the pages of one route only.
            Target::Prefix(_) | Target::Route(_) | Target::Everything => {
                Self { condition: "version IS NOT NULL", parameters: Vec::new() }
            }
        }
    }
}

impl<S: Sql> CoordinatorStore<S> {
    /// Counts the published pages that a target names, up to [`MAX_COUNTED`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn matched(&self, target: &Target) -> Result<u64, StoreError> {
        if let Target::Tag(tag) = target {
            // Only published pages have tags, so each page costs one row read.
            let tagged = "SELECT COUNT(*) FROM (SELECT DISTINCT key FROM entry_tags WHERE tag IN (?, ?) LIMIT ?)";
            let parameters = [tag.as_str().into(), Tag::every().as_str().into(), MAX_COUNTED.into()];
            return self.count(tagged, &parameters);
        }
        let PageFilter { condition, mut parameters } = PageFilter::by(target);
        parameters.push(MAX_COUNTED.into());
        self.count(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM entries WHERE {condition} LIMIT ?)"), &parameters)
    }

    /// Records a sweep over the pages of an invalidation. If the same sweep is already recorded, it stays as it is.
    ///
    /// Another sweep may have the same number. If this one is of everything, it replaces deliveries that were dropped.
    /// Otherwise the tag index's database was restored, and has given the number again: this one replaces the other one,
    /// unless that one still deletes pages and this one does not.
    pub(crate) fn begin_sweep(&self, invalidation: &Invalidation, received: Version) -> Result<(), StoreError> {
        let (kind, name) = invalidation.target.kind_and_name();
        self.sql()
            .query(
                "INSERT INTO sweeps (seq, kind, name, mode, refresh, received) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (seq) DO UPDATE SET kind = excluded.kind, name = excluded.name, mode = excluded.mode, \
                 refresh = CASE excluded.kind WHEN 'everything' THEN refresh ELSE excluded.refresh END, \
                 received = excluded.received, matched = NULL, done = 0, failed = 0, done_at = NULL \
                 WHERE CASE WHEN 'everything' IN (kind, excluded.kind) AND kind <> excluded.kind \
                 THEN kind <> 'everything' OR done_at IS NOT NULL \
                 ELSE (kind, name, mode) <> (excluded.kind, excluded.name, excluded.mode) \
                 AND (done_at IS NOT NULL OR mode <> 'purge' OR excluded.mode = 'purge') END",
                &[
                    invalidation.seq.into(),
                    kind.into(),
                    name.into(),
                    invalidation.mode.as_str().into(),
                    invalidation.refresh.as_str().into(),
                    received.to_string().into(),
                ],
            )
            .map(drop)
    }

    /// Returns whether a sweep has pages left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_sweeping(&self) -> Result<bool, StoreError> {
        Ok(!self.sql().query("SELECT seq FROM sweeps WHERE done_at IS NULL LIMIT 1", &[])?.is_empty())
    }

    /// Lists the pages of new sweeps: first those that are visited most, then those that are rendered most often. It takes one statement per sweep, regardless of the number of
    /// pages.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list_swept(&self, now: Timestamp) -> Result<(), StoreError> {
        let rows = self.sql().query("SELECT seq, kind, received, name FROM sweeps WHERE matched IS NULL", &[])?;
        for row in rows {
            let mut columns = Columns::of("sweeps", row);
            let (seq, kind, received) = (columns.number()?, columns.text()?, columns.text()?);
            let target = columns.parsed(|name| Some(Target::recorded(&kind, name)))?;
            let PageFilter { condition, parameters } = PageFilter::by(&target);
            let mut bound = vec![Value::from(seq), day(now).into()];
            bound.extend(parameters);
            bound.push(received.into());
            self.sql().transaction(|| {
                self.sql().query("DELETE FROM sweep_pages WHERE seq = ?", &[seq.into()])?;
                self.sql().query(
                    &format!(
                        "INSERT INTO sweep_pages (seq, rank, key) SELECT ?, ROW_NUMBER() OVER (ORDER BY \
                         visits >> MAX(0, MIN(62, ? - visited_day)) DESC, heat DESC, key), \
                         key FROM entries WHERE {condition} AND version < ?"
                    ),
                    &bound,
                )?;
                let update =
                    "UPDATE sweeps SET matched = (SELECT COUNT(*) FROM sweep_pages WHERE seq = ?) WHERE seq = ?";
                self.sql().query(update, &[seq.into(), seq.into()]).map(drop)
            })?;
        }
        Ok(())
    }

    /// Returns at most `limit` pages to process: the oldest invalidation first, and within it the hottest page first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn swept(&self, limit: u32) -> Result<Vec<SweepPage>, StoreError> {
        let rows = self.sql().query(
            "SELECT p.seq, p.rank, p.begun, s.received, s.mode, s.refresh, p.key FROM sweep_pages p \
             JOIN sweeps s ON s.seq = p.seq ORDER BY p.seq, p.rank LIMIT ?",
            &[u64::from(limit).into()],
        )?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("sweep_pages", row);
                Ok(SweepPage {
                    seq: columns.number()?,
                    rank: columns.number()?,
                    begun: columns.number()? > 0,
                    received: columns.parsed(Version::parse)?,
                    mode: columns.parsed(|word| Some(Mode::recorded(word)))?,
                    refresh: columns.parsed(|word| Some(Refresh::recorded(word)))?,
                    key: columns.parsed(|key| PageKey::from_stored(key).ok()).ok(),
                })
            })
            .collect()
    }

    /// Records that the render of a page has begun.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_begun(&self, swept: &SweepPage) -> Result<(), StoreError> {
        let place = [swept.seq.into(), swept.rank.into()];
        self.sql().query("UPDATE sweep_pages SET begun = 1 WHERE seq = ? AND rank = ?", &place).map(drop)
    }

    /// Removes a page from its sweep, and records whether it was processed or has failed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn strike_off(&self, swept: &SweepPage, has_failed: bool) -> Result<(), StoreError> {
        let counter = if has_failed { "failed" } else { "done" };
        self.sql().transaction(|| {
            let place = [swept.seq.into(), swept.rank.into()];
            self.sql().query("DELETE FROM sweep_pages WHERE seq = ? AND rank = ?", &place)?;
            let update = format!("UPDATE sweeps SET {counter} = {counter} + 1 WHERE seq = ?");
            self.sql().query(&update, &[swept.seq.into()]).map(drop)
        })
    }

    /// Completes the sweeps that have no page left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn end_sweeps(&self, now: Timestamp) -> Result<(), StoreError> {
        self.logged_transaction(now, || {
            let ended = self.sql().query(
                "UPDATE sweeps SET done_at = ? WHERE done_at IS NULL AND matched IS NOT NULL \
                 AND NOT EXISTS (SELECT 1 FROM sweep_pages p WHERE p.seq = sweeps.seq) RETURNING seq, done, failed",
                &[now.as_millis().into()],
            )?;
            let decision = |row| {
                let mut columns = Columns::of("sweeps", row);
                Ok(Decision::swept(columns.number()?, columns.number()?, columns.number()?))
            };
            Ok(((), ended.into_iter().map(decision).collect::<Result<_, StoreError>>()?))
        })?;
        let old = "SELECT seq FROM sweeps WHERE done_at IS NOT NULL ORDER BY seq DESC LIMIT -1 OFFSET ?";
        self.sql().query(&format!("DELETE FROM sweeps WHERE seq IN ({old})"), &[KEPT.into()]).map(drop)
    }

    /// Returns this shard's progress with an invalidation. Without a sweep, or before its pages are listed, this counts
    /// the pages that are still unchanged, up to [`MAX_COUNTED`].
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn progress(&self, invalidation: &Invalidation) -> Result<ShardProgress, StoreError> {
        let listed = "SELECT done, failed, done_at FROM sweeps WHERE seq = ? AND matched IS NOT NULL";
        let rows = self.sql().query(listed, &[invalidation.seq.into()])?;
        if let Some(row) = rows.into_iter().next() {
            let mut columns = Columns::of("sweeps", row);
            let (done, failed) = (columns.number()?, columns.number()?);
            let done_at = columns.optional_number()?.map(Timestamp::from_millis);
            let pending = "SELECT COUNT(*) FROM sweep_pages WHERE seq = ?";
            return Ok(ShardProgress {
                done,
                failed,
                pending: self.count(pending, &[invalidation.seq.into()])?,
                done_at,
            });
        }
        let PageFilter { condition, mut parameters } = PageFilter::by(&invalidation.target);
        let matched = self.matched(&invalidation.target)?;
        // The time of an invalidation is before the version of every page rendered after it was received.
        let first_after = Version::from_parts(invalidation.at.plus(std::time::Duration::from_millis(1)), 0);
        parameters.extend([first_after.to_string().into(), MAX_COUNTED.into()]);
        let pending = self.count(
            &format!("SELECT COUNT(*) FROM (SELECT 1 FROM entries WHERE {condition} AND version < ? LIMIT ?)"),
            &parameters,
        )?;
        Ok(ShardProgress { done: matched.saturating_sub(pending), failed: 0, pending, done_at: None })
    }

    fn count(&self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let rows = self.sql().query(sql, parameters)?;
        rows.into_iter().next().map_or(Ok(0), |row| Columns::of("entries", row).number())
    }
}
