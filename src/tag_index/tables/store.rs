//! The database of a tag index object: its schema, the object's own facts, and the reading of rows.

use std::time::Duration;

use crate::downstream::purges::DownstreamCaches;
use crate::invalidation::{Invalidation, MAX_FEED_ROWS, Mode, Refresh, Target};
use crate::shard_name::ShardName;
use crate::sql::{Columns, Migration, Row, Sql, StoreError, Value, migrate};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// The first steps need their own code: earlier code refused every step that it did not know.
const MIGRATIONS: [Migration; 6] = [
    Migration { name: "0001_init", sql: include_str!("../../../migrations/tag_index/0001_init.sql"), min_reader: 1 },
    Migration {
        name: "0002_scopes_and_directory",
        sql: include_str!("../../../migrations/tag_index/0002_scopes_and_directory.sql"),
        min_reader: 2,
    },
    Migration { name: "0003_views", sql: include_str!("../../../migrations/tag_index/0003_views.sql"), min_reader: 3 },
    Migration { name: "0004_sinks", sql: include_str!("../../../migrations/tag_index/0004_sinks.sql"), min_reader: 4 },
    Migration {
        name: "0005_bounds",
        sql: include_str!("../../../migrations/tag_index/0005_bounds.sql"),
        min_reader: 5,
    },
    Migration {
        name: "0006_idempotency_keys",
        sql: include_str!("../../../migrations/tag_index/0006_idempotency_keys.sql"),
        min_reader: 5,
    },
];

/// The number of older rows that the log keeps.
const LOG_ROWS: u64 = 100_000;

/// Stands in `tag_shards` for all tags of a coordinator whose tags this object may not know. No tag has this name.
pub(super) const UNSURE: &str = "";

/// How far the clocks of two objects may differ without harm.
pub const SKEW: Duration = Duration::from_secs(1);

/// The tables of a tag index object.
#[derive(Debug)]
pub struct TagIndexStore<S> {
    pub(super) sql: S,
    pub(super) name: TagIndexName,
    pub(super) tag_shards: u16,
    pub(super) downstream: DownstreamCaches,
    /// The most rows of the feed, all objects together.
    pub(super) feed_rows: u64,
    /// The age up to which rows stay in the feed above that number. It is 0 outside of tests.
    pub(super) feed_age: Duration,
    /// The number of older rows that the log keeps.
    pub(super) log_rows: u64,
}

impl<S: Sql> TagIndexStore<S> {
    /// Opens the database of the only tag index object, and brings its schema up to date.
    ///
    /// # Errors
    /// Returns [`StoreError::NewerSchema`] if the database needs a later version of this code.
    pub fn open(sql: S) -> Result<Self, StoreError> {
        migrate(&sql, &MIGRATIONS)?;
        let (downstream, feed_rows) = (DownstreamCaches::default(), MAX_FEED_ROWS as u64);
        let (name, feed_age, log_rows) = (TagIndexName::ROOT, Duration::ZERO, LOG_ROWS);
        Ok(Self { sql, name, tag_shards: 1, downstream, feed_rows, feed_age, log_rows })
    }

    /// Makes this the database of object `name` of `tag_shards`.
    ///
    /// If that number has changed, coordinators have registered tags with other objects, and may go on with the former number
    /// for hours. Until a coordinator registers with the new number, it gets the invalidations of all tags. The root knows
    /// all coordinators; the other objects must ask it: see [`Self::lacks_shards`].
    ///
    /// Then, too, new edges do not know what other edges have learnt from objects that are no longer
    /// asked. So the feed's floor is raised to `now`, and edges ask the coordinators about each page from before. One
    /// object that does this is enough, because an edge asks all of them.
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
                store.sql.query(
                    "INSERT OR IGNORE INTO tag_shards (tag, shard, generation) SELECT DISTINCT ?, shard, 0 FROM shards",
                    &[UNSURE.into()],
                )?;
                store.set_fact("tag_shards", tag_shards.into())
            })?;
        }
        Ok(store)
    }

    /// Returns whether this object must learn the coordinators from the root before it records the invalidation of a tag.
    /// After a change of `tag_shards` it must: coordinators may have registered the tag with another object.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn lacks_shards(&self) -> Result<bool, StoreError> {
        Ok(self.name != TagIndexName::ROOT && self.fact("tag_shards")? != Some(self.tag_shards.into()))
    }

    /// Records the coordinators that the root knows. Each gets the invalidations of all tags until it registers.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn learn_shards(&self, shards: &[ShardName], are_all: bool) -> Result<(), StoreError> {
        self.sql.transaction(|| {
            for shard in shards {
                self.sql.query(
                    "INSERT OR IGNORE INTO tag_shards (tag, shard, generation) VALUES (?, ?, 0)",
                    &[UNSURE.into(), shard.as_str().into()],
                )?;
            }
            if are_all { self.set_fact("tag_shards", self.tag_shards.into()) } else { Ok(()) }
        })
    }

    /// Adds purges of these downstream caches to all later invalidations.
    #[must_use]
    pub fn with_downstream(self, downstream: DownstreamCaches) -> Self {
        Self { downstream, ..self }
    }

    /// Limits the feed to `feed_rows` rows; rows younger than `feed_age` stay as well. Tests of the floor use it.
    #[must_use]
    pub fn with_feed_rows(self, feed_rows: u64, feed_age: Duration) -> Self {
        Self { feed_rows, feed_age, ..self }
    }

    /// Limits the older rows of the log. Tests of dropped deliveries use it.
    #[must_use]
    pub fn with_log_rows(self, log_rows: u64) -> Self {
        Self { log_rows, ..self }
    }

    pub(crate) fn sql(&self) -> &S {
        &self.sql
    }

    pub(super) fn floor(&self) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.fact("floor")?.unwrap_or_default()))
    }

    pub(super) fn raise_floor(&self, floor: Timestamp) -> Result<(), StoreError> {
        self.set_fact("floor", floor.max(self.floor()?).as_millis())
    }

    pub(super) fn fact(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let rows = self.sql.query("SELECT value FROM facts WHERE name = ?", &[name.into()])?;
        rows.into_iter().next().map(|row| Columns::of("facts", row).parsed(|text| text.parse().ok())).transpose()
    }

    /// Returns the counters as they were saved.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn counters(&self) -> Result<Option<String>, StoreError> {
        let rows = self.sql.query("SELECT value FROM facts WHERE name = 'counters'", &[])?;
        rows.into_iter().next().map(|row| Columns::of("facts", row).text()).transpose()
    }

    /// Saves the counters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn save_counters(&self, counters: &str) -> Result<(), StoreError> {
        let statement = "INSERT OR REPLACE INTO facts (name, value) VALUES ('counters', ?)";
        self.sql.query(statement, &[counters.into()]).map(drop)
    }

    pub(super) fn set_fact(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let statement = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
        self.sql.query(statement, &[name.into(), value.to_string().into()]).map(drop)
    }
}

pub(super) fn one_number(table: &'static str, rows: Vec<Row>) -> Result<u64, StoreError> {
    let row: Vec<Value> = rows.into_iter().next().unwrap_or_default();
    Columns::of(table, row).number()
}

pub(super) fn invalidation(columns: &mut Columns) -> Result<Invalidation, StoreError> {
    let seq = columns.number()?;
    let at = Timestamp::from_millis(columns.number()?);
    let kind = columns.text()?;
    let target = columns.parsed(|name| Some(Target::recorded(&kind, name)))?;
    Ok(Invalidation {
        seq,
        at,
        target,
        mode: columns.parsed(|word| Some(Mode::recorded(word)))?,
        refresh: Refresh::Lazy,
    })
}

/// Reads a row of the log, including its refresh mode.
pub(super) fn logged(columns: &mut Columns) -> Result<Invalidation, StoreError> {
    let invalidation = invalidation(columns)?;
    Ok(Invalidation { refresh: columns.parsed(|word| Some(Refresh::recorded(word)))?, ..invalidation })
}
