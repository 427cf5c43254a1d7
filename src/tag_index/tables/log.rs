//! The tag index object's tables: which shards carry a tag, the log of invalidations, deliveries still to be made.

use std::time::Duration;

use crate::downstream::purges::Sinks;
use crate::invalidation::{FeedPage, Invalidation, MAX_FEED_ROWS, Mode, Refresh, Scope};
use crate::route::Pattern;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Migration, Row, Sql, StoreError, Value, migrate};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

const MIGRATIONS: [Migration; 4] = [
    Migration { name: "0001_init", sql: include_str!("../../../migrations/tag_index/0001_init.sql") },
    Migration {
        name: "0002_scopes_and_directory",
        sql: include_str!("../../../migrations/tag_index/0002_scopes_and_directory.sql"),
    },
    Migration { name: "0003_views", sql: include_str!("../../../migrations/tag_index/0003_views.sql") },
    Migration { name: "0004_sinks", sql: include_str!("../../../migrations/tag_index/0004_sinks.sql") },
];

/// How far the clocks of two objects may differ without harm.
pub const SKEW: Duration = Duration::from_secs(1);

/// How many rows of history the log keeps behind its newest.
const LOG_ROWS: u64 = 100_000;

/// How long the coordinators are waited for before a cache in front is purged: an invalidation is acknowledged by then.
const RIPE_AFTER: Duration = Duration::from_secs(5);

/// How often the log and the feed are cut back to their bounds, in rows appended.
const TRIM_EVERY: u64 = 100;

/// The tables of a tag index object.
#[derive(Debug)]
pub struct TagIndexStore<S> {
    sql: S,
    name: TagIndexName,
    tag_shards: u16,
    pub(crate) sinks: Sinks,
}

/// An invalidation that a shard has not applied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is to be delivered.
    pub invalidation: Invalidation,
    /// To whom.
    pub shard: ShardName,
    /// How many attempts have failed.
    pub attempts: u32,
}

/// The answer to a registration of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The invalidations of these tags since the time that was asked for.
    pub invalidations: Vec<Invalidation>,
    /// Invalidations of up to this time may be missing.
    pub floor: Timestamp,
}

impl<S: Sql> TagIndexStore<S> {
    /// Opens the database of the only tag index object, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] if a later version of this code has written it.
    pub fn open(sql: S) -> Result<Self, StoreError> {
        migrate(&sql, &MIGRATIONS)?;
        Ok(Self { sql, name: TagIndexName::ROOT, tag_shards: 1, sinks: Sinks::default() })
    }

    /// Makes it that of one of so many objects.
    ///
    /// If they were another number before, what edges have learnt from those that they don't ask any more is not known
    /// to new edges: the feed's floor is raised to `now`, so that they ask the coordinators for each copy from before.
    /// One object that says so is enough, since an edge asks all of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn one_of(self, name: TagIndexName, tag_shards: u16, now: Timestamp) -> Result<Self, StoreError> {
        let store = Self { name, tag_shards, ..self };
        let before = store.fact("tag_shards")?.unwrap_or(1);
        if name == TagIndexName::ROOT && before != u64::from(tag_shards) {
            store.sql.transaction(|| {
                let has_history = "SELECT 1 FROM shards UNION ALL SELECT 1 FROM invalidations LIMIT 1";
                if !store.sql.query(has_history, &[])?.is_empty() {
                    store.raise_floor(now.plus(SKEW))?;
                }
                store.set_fact("tag_shards", tag_shards.into())
            })?;
        }
        Ok(store)
    }

    /// Has what is invalidated from now on purged in these sinks.
    #[must_use]
    pub fn with_sinks(self, sinks: Sinks) -> Self {
        Self { sinks, ..self }
    }

    pub(crate) fn sql(&self) -> &S {
        &self.sql
    }

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

    /// Returns deliveries of one invalidation that are still to be made, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn deliveries_of(&self, seq: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.deliveries("d.due IS NOT NULL AND d.seq = ?", seq, limit)
    }

    /// Returns deliveries that are due, at most `limit`, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn deliveries_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.deliveries("d.due <= ?", now.as_millis(), limit)
    }

    fn deliveries(&self, condition: &str, parameter: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let statement = format!(
            "SELECT i.seq, i.at, i.kind, i.name, i.mode, i.refresh, d.shard, d.attempts FROM deliveries d \
             JOIN invalidations i ON i.seq = d.seq WHERE {condition} ORDER BY d.due, d.seq LIMIT ?"
        );
        let rows = self.sql.query(&statement, &[parameter.into(), u64::from(limit).into()])?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("deliveries", row);
                let invalidation = logged(&mut columns)?;
                let shard = columns.parsed(ShardName::from_stored)?;
                Ok(Delivery { invalidation, shard, attempts: u32::try_from(columns.number()?).unwrap_or(u32::MAX) })
            })
            .collect()
    }

    /// Notes that a shard has applied an invalidation, and how many pages it concerned there.
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

    /// Returns the shards that have applied an invalidation.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn applied(&self, seq: u64) -> Result<Vec<ShardName>, StoreError> {
        let rows = self.sql.query("SELECT shard FROM deliveries WHERE seq = ? AND due IS NULL", &[seq.into()])?;
        rows.into_iter().map(|row| Columns::of("deliveries", row).parsed(ShardName::from_stored)).collect()
    }

    /// Returns how many pages an invalidation concerns where it was applied.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn matched(&self, seq: u64) -> Result<u64, StoreError> {
        let sum = "SELECT COALESCE(SUM(matched), 0) FROM deliveries WHERE seq = ?";
        one_number("deliveries", self.sql.query(sum, &[seq.into()])?)
    }

    /// Puts a delivery off after a failed attempt, unless another attempt has been noted as successful meanwhile.
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

    /// Returns how many deliveries of one invalidation are still to be made.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pending(&self, seq: u64) -> Result<u64, StoreError> {
        one_number(
            "deliveries",
            self.sql.query("SELECT COUNT(*) FROM deliveries WHERE seq = ? AND due IS NOT NULL", &[seq.into()])?,
        )
    }

    /// Returns when this object wants to be woken next: the least due delivery, to a coordinator or to a sink.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.sql.query("SELECT MIN(due) FROM deliveries WHERE due IS NOT NULL", &[])?;
        let due = rows.into_iter().next().map(|row| Columns::of("deliveries", row).optional_number()).transpose()?;
        let due = due.flatten().map(Timestamp::from_millis);
        Ok(due.into_iter().chain(self.sink_deadline()?).min())
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

    fn floor(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.fact("floor")?.unwrap_or_default()))
    }

    fn raise_floor(&self, floor: Timestamp) -> Result<(), StoreError> {
        self.set_fact("floor", floor.max(self.floor()?).as_millis())
    }

    fn fact(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let rows = self.sql.query("SELECT value FROM facts WHERE name = ?", &[name.into()])?;
        rows.into_iter().next().map(|row| Columns::of("facts", row).parsed(|text| text.parse().ok())).transpose()
    }

    fn set_fact(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let statement = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
        self.sql.query(statement, &[name.into(), value.to_string().into()]).map(drop)
    }
}

pub(crate) fn one_number(table: &'static str, rows: Vec<Row>) -> Result<u64, StoreError> {
    let row: Vec<Value> = rows.into_iter().next().unwrap_or_default();
    Columns::of(table, row).number()
}

fn invalidation(columns: &mut Columns) -> Result<Invalidation, StoreError> {
    let seq = columns.number()?;
    let at = Timestamp::from_millis(columns.number()?);
    let kind = columns.text()?;
    let scope = columns.parsed(|name| Scope::from_kind_and_name(&kind, name))?;
    Ok(Invalidation { seq, at, scope, mode: columns.parsed(Mode::parse)?, refresh: Refresh::Lazy })
}

/// Reads a row of the log, which says besides when pages are rendered again.
fn logged(columns: &mut Columns) -> Result<Invalidation, StoreError> {
    let invalidation = invalidation(columns)?;
    Ok(Invalidation { refresh: columns.parsed(Refresh::parse)?, ..invalidation })
}

/// Tells whether a shard, one of so many of its route, owns a path; of one whose number of shards is not known, whether it may.
fn may_own(shard: &ShardName, shards: u16, path: &CanonicalPath) -> bool {
    let is_match = Pattern::parse(shard.route()).is_ok_and(|pattern| pattern.matches(path.as_str()));
    is_match && (shards == 0 || shard.owns(path.as_str(), shards))
}
