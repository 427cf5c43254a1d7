//! The tag index object's tables: which shards carry a tag, the log of invalidations, deliveries still to be made.

use std::time::Duration;

use crate::feed::{FeedPage, Invalidation, MAX_FEED_ROWS, Mode, Scope};
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::shard::ShardName;
use crate::store::coordinator::{mode_by_name, mode_name, scope_columns};
use crate::store::migrate::{Migration, migrate};
use crate::store::{Columns, Row, Sql, StoreError, Value};
use crate::time::Timestamp;

const MIGRATIONS: [Migration; 1] =
    [Migration { name: "0001_init", sql: include_str!("../../migrations/tag_index/0001_init.sql") }];

/// How far the clocks of two objects may differ without harm.
pub const SKEW: Duration = Duration::from_secs(1);

/// How many rows of history the log keeps behind its newest.
const LOG_ROWS: u64 = 100_000;

/// How often the log and the feed are cut back to their bounds, in rows appended.
const TRIM_EVERY: u64 = 100;

/// The tables of the tag index object.
#[derive(Debug)]
pub struct TagIndexStore<S> {
    sql: S,
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
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] if a later version of this code has written it.
    pub fn open(sql: S) -> Result<Self, StoreError> {
        migrate(&sql, &MIGRATIONS)?;
        Ok(Self { sql })
    }

    /// Notes that a shard carries tags, and tells what was invalidated of them at `since` or later.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn register(&self, shard: &ShardName, tags: &[Tag], since: Timestamp) -> Result<Registered, StoreError> {
        self.sql.transaction(|| {
            let mut invalidations = Vec::new();
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

    /// Appends an invalidation to the log together with one delivery for each shard that it concerns: those that
    /// carry the tag, or, for a path, `owners`.
    ///
    /// Its time is [`SKEW`] ahead of `now`, and never before that of an earlier one. So a render that began before it
    /// is recognised by the times alone even where the renderer's clock runs ahead by as much; and what is rendered
    /// after a delivery is later all the same, since a coordinator's clock goes on from the latest time it was told.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing is appended.
    pub fn append(
        &self,
        scope: Scope,
        mode: Mode,
        owners: &[ShardName],
        now: Timestamp,
    ) -> Result<Invalidation, StoreError> {
        let (kind, name) = scope_columns(&scope);
        let (seq, at) = self.sql.transaction(|| {
            let rows = self.sql.query("SELECT at FROM invalidations ORDER BY seq DESC LIMIT 1", &[])?;
            let last = rows.into_iter().next().map(|row| Columns::of("invalidations", row).number()).transpose()?;
            let at = now.plus(SKEW).max(Timestamp::from_millis(last.unwrap_or_default()));
            let rows = self.sql.query(
                "INSERT INTO invalidations (at, kind, name, mode) VALUES (?, ?, ?, ?) RETURNING seq",
                &[at.as_millis().into(), kind.into(), name.into(), mode_name(mode).into()],
            )?;
            let seq = one_number("invalidations", rows)?;
            self.sql.query(
                "INSERT INTO feed (kind, name, mode, seq, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name, mode) \
                 DO UPDATE SET seq = excluded.seq, at = MAX(at, excluded.at)",
                &[kind.into(), name.into(), mode_name(mode).into(), seq.into(), at.as_millis().into()],
            )?;
            match &scope {
                Scope::Tag(tag) => {
                    self.sql.query(
                        "INSERT INTO deliveries (seq, shard, due) SELECT ?, shard, ? FROM tag_shards WHERE tag = ?",
                        &[seq.into(), now.as_millis().into(), tag.as_str().into()],
                    )?;
                }
                Scope::Path(_) => {
                    for shard in owners {
                        self.sql.query(
                            "INSERT OR IGNORE INTO deliveries (seq, shard, due) VALUES (?, ?, ?)",
                            &[seq.into(), shard.as_str().into(), now.as_millis().into()],
                        )?;
                    }
                }
            }
            if seq % TRIM_EVERY == 0 {
                self.trim(seq)?;
            }
            Ok((seq, at))
        })?;
        Ok(Invalidation { seq, at, scope, mode })
    }

    /// Cuts feed and log back to their bounds. What leaves the feed raises its floor.
    fn trim(&self, seq: u64) -> Result<(), StoreError> {
        let rows = self
            .sql
            .query("SELECT seq FROM feed ORDER BY seq DESC LIMIT 1 OFFSET ?", &[(MAX_FEED_ROWS as u64).into()])?;
        if !rows.is_empty() {
            let newest_gone = one_number("feed", rows)?;
            let rows = self.sql.query("SELECT MAX(at) FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
            let floor = Timestamp::from_millis(one_number("feed", rows)?).max(self.floor()?);
            self.sql.query("DELETE FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
            self.sql.query(
                "INSERT OR REPLACE INTO facts (name, value) VALUES ('floor', ?)",
                &[floor.as_millis().to_string().into()],
            )?;
        }
        self.sql
            .query(
                "DELETE FROM invalidations WHERE seq < ? AND seq NOT IN (SELECT seq FROM deliveries)",
                &[seq.saturating_sub(LOG_ROWS).into()],
            )
            .map(drop)
    }

    /// Returns deliveries of one invalidation that are still to be made, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn deliveries_of(&self, seq: u64, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.deliveries("d.seq = ?", seq, limit)
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
            "SELECT i.seq, i.at, i.kind, i.name, i.mode, d.shard, d.attempts FROM deliveries d \
             JOIN invalidations i ON i.seq = d.seq WHERE {condition} ORDER BY d.due, d.seq LIMIT ?"
        );
        let rows = self.sql.query(&statement, &[parameter.into(), u64::from(limit).into()])?;
        rows.into_iter()
            .map(|row| {
                let mut columns = Columns::of("deliveries", row);
                let invalidation = invalidation(&mut columns)?;
                let shard = columns.parsed(ShardName::from_stored)?;
                Ok(Delivery { invalidation, shard, attempts: u32::try_from(columns.number()?).unwrap_or(u32::MAX) })
            })
            .collect()
    }

    /// Strikes off a delivery that the shard has confirmed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delivered(&self, seq: u64, shard: &ShardName) -> Result<(), StoreError> {
        self.sql
            .query("DELETE FROM deliveries WHERE seq = ? AND shard = ?", &[seq.into(), shard.as_str().into()])
            .map(drop)
    }

    /// Puts a delivery off after a failed attempt.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn put_off(&self, seq: u64, shard: &ShardName, due: Timestamp) -> Result<(), StoreError> {
        self.sql
            .query(
                "UPDATE deliveries SET due = ?, attempts = attempts + 1 WHERE seq = ? AND shard = ?",
                &[due.as_millis().into(), seq.into(), shard.as_str().into()],
            )
            .map(drop)
    }

    /// Returns how many deliveries of one invalidation are still to be made.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn pending(&self, seq: u64) -> Result<u64, StoreError> {
        one_number("deliveries", self.sql.query("SELECT COUNT(*) FROM deliveries WHERE seq = ?", &[seq.into()])?)
    }

    /// Returns when this object wants to be woken next: the least due delivery.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.sql.query("SELECT MIN(due) FROM deliveries", &[])?;
        let due = rows.into_iter().next().map(|row| Columns::of("deliveries", row).optional_number()).transpose()?;
        Ok(due.flatten().map(Timestamp::from_millis))
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
        let rows = self.sql.query("SELECT value FROM facts WHERE name = 'floor'", &[])?;
        let floor = rows.into_iter().next().map(|row| Columns::of("facts", row).parsed(|text| text.parse().ok()));
        floor.transpose().map(|floor| Timestamp::from_millis(floor.unwrap_or_default()))
    }
}

fn one_number(table: &'static str, rows: Vec<Row>) -> Result<u64, StoreError> {
    let row: Vec<Value> = rows.into_iter().next().unwrap_or_default();
    Columns::of(table, row).number()
}

fn invalidation(columns: &mut Columns) -> Result<Invalidation, StoreError> {
    let seq = columns.number()?;
    let at = Timestamp::from_millis(columns.number()?);
    let kind = columns.text()?;
    let scope = columns.parsed(|name| match kind.as_str() {
        "path" => CanonicalPath::parse(name).ok().map(Scope::Path),
        "tag" => Tag::parse(name).ok().map(Scope::Tag),
        _ => None,
    })?;
    Ok(Invalidation { seq, at, scope, mode: columns.parsed(mode_by_name)? })
}
