//! Which shards carry a tag, the log of invalidations, and the feed.

use std::time::Duration;

use crate::invalidation::{FeedPage, Invalidation, MAX_FEED_ROWS, Mode, Refresh, Scope};
use crate::route::Pattern;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::{SKEW, invalidation, logged, one_number};
use crate::time::Timestamp;

/// How many rows of history the log keeps behind its newest.
const LOG_ROWS: u64 = 100_000;

/// How long the coordinators are waited for before a cache in front is purged: an invalidation is acknowledged by then.
const RIPE_AFTER: Duration = Duration::from_secs(5);

/// How often the log and the feed are cut back to their bounds, in rows appended.
const TRIM_EVERY: u64 = 100;

/// The answer to a registration of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The invalidations of these tags since the time that was asked for.
    pub invalidations: Vec<Invalidation>,
    /// Invalidations of up to this time may be missing.
    pub floor: Timestamp,
}

impl<S: Sql> TagIndexStore<S> {
    /// Notes that a shard, one of so many of its route, carries tags, and tells what was invalidated at `since` or
    /// later: of these tags, and of whatever may concern a shard that was not known before.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn register(
        &self,
        shard: &ShardName,
        shards: u16,
        tags: &[Tag],
        since: Timestamp,
    ) -> Result<Registered, StoreError> {
        self.sql.transaction(|| {
            let new = self.sql.query(
                "INSERT OR IGNORE INTO shards (shard, route, shards) VALUES (?, ?, ?) RETURNING shard",
                &[shard.as_str().into(), shard.route().into(), u64::from(shards).into()],
            )?;
            let wide = self.sql.query(
                "SELECT seq, at, kind, name, mode FROM feed WHERE at >= ? AND (kind IN ('prefix', 'everything') \
                 OR (kind = 'route' AND name = ?))",
                &[since.as_millis().into(), shard.route().into()],
            )?;
            let wide = wide.into_iter().map(|row| invalidation(&mut Columns::of("feed", row)));
            let mut invalidations = wide.collect::<Result<Vec<Invalidation>, _>>()?;
            if !new.is_empty() {
                invalidations.extend(self.of_paths(shard, shards, since)?);
            }
            for tag in tags {
                self.sql.query(
                    "INSERT OR IGNORE INTO tag_shards (tag, shard) VALUES (?, ?)",
                    &[tag.as_str().into(), shard.as_str().into()],
                )?;
                let rows = self.sql.query(
                    "SELECT seq, at, kind, name, mode FROM feed WHERE kind = 'tag' AND name = ? AND at >= ?",
                    &[tag.as_str().into(), since.as_millis().into()],
                )?;
                for row in rows {
                    invalidations.push(invalidation(&mut Columns::of("feed", row))?);
                }
            }
            Ok(Registered { invalidations, floor: self.floor()? })
        })
    }

    /// Appends an invalidation to the log together with one delivery for each shard that it concerns: those that carry
    /// the tag or belong to the route, or all of them; for a path, `owner` and those that may have owned it before.
    ///
    /// Its time is [`SKEW`] ahead of `now`, and after that of every earlier one. So a render that began before it is
    /// recognised by the times alone even where the renderer's clock runs ahead by as much; and what is rendered after a
    /// delivery is later all the same, since a coordinator's clock goes on from the latest time it was told. It is a
    /// millisecond ahead of that: were the times of two invalidations alike, because the clock has gone back meanwhile, a
    /// render between them would count as one after both.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing is appended.
    pub fn append(
        &self,
        scope: Scope,
        mode: Mode,
        refresh: Refresh,
        owner: Option<&ShardName>,
        now: Timestamp,
    ) -> Result<Invalidation, StoreError> {
        let (kind, name) = scope.kind_and_name();
        let (seq, at) = self.sql.transaction(|| {
            let rows = self.sql.query("SELECT seq, at FROM invalidations ORDER BY seq DESC LIMIT 1", &[])?;
            let mut last = rows.into_iter().next().map(|row| Columns::of("invalidations", row));
            let mut column = || last.as_mut().map_or(Ok(0), Columns::number);
            // The newest row is never cut off, so no number is given twice.
            let seq = column()?.max(self.name.before_first()) + 1;
            let at = now.plus(SKEW).max(Timestamp::from_millis(column()? + 1));
            self.sql.query(
                "INSERT INTO invalidations (seq, at, kind, name, mode, refresh) VALUES (?, ?, ?, ?, ?, ?)",
                &[
                    seq.into(),
                    at.as_millis().into(),
                    kind.into(),
                    name.into(),
                    mode.as_str().into(),
                    refresh.as_str().into(),
                ],
            )?;
            self.sql.query(
                "INSERT INTO feed (kind, name, mode, seq, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name, mode) \
                 DO UPDATE SET seq = excluded.seq, at = MAX(at, excluded.at)",
                &[kind.into(), name.into(), mode.as_str().into(), seq.into(), at.as_millis().into()],
            )?;
            let concerned = match &scope {
                Scope::Tag(_) => "SELECT ?, shard, ? FROM tag_shards WHERE tag = ?",
                Scope::Route(_) => "SELECT DISTINCT ?, shard, ? FROM shards WHERE route = ?",
                Scope::Prefix(_) | Scope::Everything => "SELECT DISTINCT ?, shard, ? FROM shards WHERE ? IS NOT NULL",
                Scope::Path(path) => {
                    for shard in self.may_hold(path)?.iter().chain(owner) {
                        self.sql.query(
                            "INSERT OR IGNORE INTO deliveries (seq, shard, due) VALUES (?, ?, ?)",
                            &[seq.into(), shard.as_str().into(), now.as_millis().into()],
                        )?;
                    }
                    ""
                }
            };
            if !concerned.is_empty() {
                self.sql.query(
                    &format!("INSERT INTO deliveries (seq, shard, due) {concerned}"),
                    &[seq.into(), now.as_millis().into(), name.into()],
                )?;
            }
            self.note_for_sinks(seq, at, &scope, now.plus(RIPE_AFTER))?;
            if seq % TRIM_EVERY == 0 {
                self.trim(seq)?;
            }
            Ok((seq, at))
        })?;
        Ok(Invalidation { seq, at, scope, mode, refresh })
    }

    /// Returns what was invalidated by path at `since` or later, of the paths that a shard owns as one of so many. While a
    /// new number of shards is being deployed, this object may have looked for the owner by the old one.
    fn of_paths(&self, shard: &ShardName, shards: u16, since: Timestamp) -> Result<Vec<Invalidation>, StoreError> {
        let rows = self.sql.query(
            "SELECT seq, at, kind, name, mode FROM feed WHERE at >= ? AND kind = 'path'",
            &[since.as_millis().into()],
        )?;
        let rows = rows.into_iter().map(|row| invalidation(&mut Columns::of("feed", row)));
        let invalidations = rows.collect::<Result<Vec<Invalidation>, _>>()?;
        let is_own = |row: &Invalidation| matches!(&row.scope, Scope::Path(path) if may_own(shard, shards, path));
        Ok(invalidations.into_iter().filter(is_own).collect())
    }

    /// Returns the shards that own a path, or may have owned it when their route had another number of shards. They are
    /// at most as many as there were objects, a few hundred.
    fn may_hold(&self, path: &CanonicalPath) -> Result<Vec<ShardName>, StoreError> {
        let rows = self.sql.query("SELECT shard, shards FROM shards", &[])?;
        let mut holders = Vec::new();
        for row in rows {
            let mut columns = Columns::of("shards", row);
            let shard = columns.parsed(ShardName::from_stored)?;
            let shards = u16::try_from(columns.number()?).unwrap_or_default();
            if may_own(&shard, shards, path) {
                holders.push(shard);
            }
        }
        Ok(holders)
    }

    /// Cuts feed and log back to their bounds. What leaves the feed raises its floor.
    fn trim(&self, seq: u64) -> Result<(), StoreError> {
        let kept = MAX_FEED_ROWS as u64 / u64::from(self.tag_shards.max(1));
        let rows = self.sql.query("SELECT seq FROM feed ORDER BY seq DESC LIMIT 1 OFFSET ?", &[kept.into()])?;
        if !rows.is_empty() {
            let newest_gone = one_number("feed", rows)?;
            let rows = self.sql.query("SELECT MAX(at) FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
            self.raise_floor(Timestamp::from_millis(one_number("feed", rows)?))?;
            self.sql.query("DELETE FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
        }
        self.sql.query(
            "DELETE FROM invalidations WHERE seq < ? AND seq NOT IN (SELECT seq FROM deliveries WHERE due IS NOT NULL)",
            &[seq.saturating_sub(LOG_ROWS).into()],
        )?;
        self.sql.query("DELETE FROM deliveries WHERE seq < (SELECT MIN(seq) FROM invalidations)", &[])?;
        self.trim_sinks(seq.saturating_sub(LOG_ROWS))
    }

    /// Returns an invalidation that is in the log still.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn invalidation(&self, seq: u64) -> Result<Option<Invalidation>, StoreError> {
        let rows = self
            .sql
            .query("SELECT seq, at, kind, name, mode, refresh FROM invalidations WHERE seq = ?", &[seq.into()])?;
        rows.into_iter().next().map(|row| logged(&mut Columns::of("invalidations", row))).transpose()
    }

    /// Returns what was invalidated after number `since`, at most `limit` rows.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn feed(&self, since: u64, limit: u32) -> Result<FeedPage, StoreError> {
        let rows = self.sql.query(
            "SELECT seq, at, kind, name, mode FROM feed WHERE seq > ? ORDER BY seq LIMIT ?",
            &[since.into(), u64::from(limit).into()],
        )?;
        let more = rows.len() >= limit as usize;
        let rows = rows
            .into_iter()
            .map(|row| invalidation(&mut Columns::of("feed", row)))
            .collect::<Result<Vec<Invalidation>, _>>()?;
        let seq = rows.last().map_or(since, |row| row.seq);
        Ok(FeedPage { seq, floor: self.floor()?, rows, more })
    }
}

/// Tells whether a shard, one of so many of its route, owns a path; of one whose number of shards is not known, whether it may.
fn may_own(shard: &ShardName, shards: u16, path: &CanonicalPath) -> bool {
    let is_match = Pattern::parse(shard.route()).is_ok_and(|pattern| pattern.matches(path.as_str()));
    is_match && (shards == 0 || shard.owns(path.as_str(), shards))
}
