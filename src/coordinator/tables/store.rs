//! The database of one coordinator object: its schema, the object's own facts, and the breaker.

use crate::config::L2Kind;
use crate::coordinator::Breaker;
use crate::coordinator::tables::decisions::DecisionLog;
use crate::sql::{Columns, Migration, Sql, StoreError, migrate};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The first steps need their own code: earlier code refused every step that it did not know.
const MIGRATIONS: [Migration; 11] = [
    Migration { name: "0001_init", sql: include_str!("../../../migrations/coordinator/0001_init.sql"), min_reader: 1 },
    Migration {
        name: "0002_copies_and_breaker",
        sql: include_str!("../../../migrations/coordinator/0002_copies_and_breaker.sql"),
        min_reader: 2,
    },
    Migration {
        name: "0003_scopes",
        sql: include_str!("../../../migrations/coordinator/0003_scopes.sql"),
        min_reader: 3,
    },
    Migration {
        name: "0004_sweeps",
        sql: include_str!("../../../migrations/coordinator/0004_sweeps.sql"),
        min_reader: 4,
    },
    Migration {
        name: "0005_views",
        sql: include_str!("../../../migrations/coordinator/0005_views.sql"),
        min_reader: 5,
    },
    Migration {
        name: "0006_breaker_evidence",
        sql: include_str!("../../../migrations/coordinator/0006_breaker_evidence.sql"),
        min_reader: 6,
    },
    Migration {
        name: "0007_validators",
        sql: include_str!("../../../migrations/coordinator/0007_validators.sql"),
        min_reader: 7,
    },
    Migration {
        name: "0008_unconfirmed_tags",
        sql: include_str!("../../../migrations/coordinator/0008_unconfirmed_tags.sql"),
        min_reader: 8,
    },
    Migration {
        name: "0009_unpublished",
        sql: include_str!("../../../migrations/coordinator/0009_unpublished.sql"),
        min_reader: 8,
    },
    Migration {
        name: "0010_decisions",
        sql: include_str!("../../../migrations/coordinator/0010_decisions.sql"),
        min_reader: 8,
    },
    Migration {
        name: "0011_visits",
        sql: include_str!("../../../migrations/coordinator/0011_visits.sql"),
        min_reader: 8,
    },
];

/// The tables of one coordinator object.
#[derive(Debug)]
pub struct CoordinatorStore<S> {
    pub(super) sql: S,
    pub(super) log: DecisionLog,
}

impl<S: Sql> CoordinatorStore<S> {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// Returns [`StoreError::NewerSchema`] if the database needs a later version of this code.
    pub fn open(sql: S) -> Result<Self, StoreError> {
        migrate(&sql, &MIGRATIONS)?;
        Ok(Self { sql, log: DecisionLog::default() })
    }

    pub(crate) fn sql(&self) -> &S {
        &self.sql
    }

    #[cfg(test)]
    pub(crate) fn into_sql(self) -> S {
        self.sql
    }

    /// Returns the clock, which continues from the last version issued.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn clock(&self) -> Result<Clock, StoreError> {
        Ok(Clock::resume(self.fact("clock")?.and_then(|text| Version::parse(&text))))
    }

    /// Records the last version that the clock has issued.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn save_clock(&self, clock: &Clock) -> Result<(), StoreError> {
        self.set_fact("clock", &clock.last().to_string())
    }

    /// Ends all pauses of pages, markers and writes to L2 that would last beyond a time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn end_pauses(&self, beyond: Timestamp) -> Result<(), StoreError> {
        // L2 accepts one write per key and second: the last one may be under way.
        let end = "UPDATE entries SET retry_at = CASE WHEN retry_at <= ?1 THEN retry_at END, \
            pass_until = CASE WHEN pass_until <= ?1 THEN pass_until END, l2_due = MIN(l2_due, ?1 + 1000), \
            l2_written_at = MIN(l2_written_at, ?1) \
            WHERE retry_at > ?1 OR pass_until > ?1 OR l2_due > ?1 OR l2_written_at > ?1";
        self.sql.query(end, &[beyond.as_millis().into()]).map(drop)
    }

    /// Returns the breaker.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn breaker(&self) -> Result<Breaker, StoreError> {
        let rows = self.sql.query("SELECT pauses, probe_at, evidence FROM breaker", &[])?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(Breaker::default());
        };
        let mut columns = Columns::of("breaker", row);
        let pauses = u32::try_from(columns.number()?).unwrap_or(u32::MAX);
        let probe_at = Timestamp::from_millis(columns.number()?);
        Ok(Breaker::from_stored(pauses, probe_at, &columns.text()?))
    }

    /// Records which store L2 is. Returns the last version that was issued before it became that store.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_l2(&self, l2: L2Kind, last: Version) -> Result<Version, StoreError> {
        let known = self.fact("l2")?;
        if known.as_deref() != Some(l2.as_str()) {
            self.sql.transaction(|| {
                // A database of an earlier version does not say which store it was. It was most likely the same one.
                if known.is_some() {
                    self.set_fact("copies_since", &last.to_string())?;
                }
                self.set_fact("l2", l2.as_str())
            })?;
        }
        let since = self.fact("copies_since")?.as_deref().and_then(Version::parse);
        Ok(since.unwrap_or_else(|| Version::from_parts(Timestamp::default(), 0)))
    }

    /// Returns the object's own name, if it is known yet.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn shard(&self) -> Result<Option<String>, StoreError> {
        self.fact("shard")
    }

    /// Records the object's own name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set_shard(&self, name: &str) -> Result<(), StoreError> {
        self.set_fact("shard", name)
    }

    /// Returns the counters as they were saved.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn counters(&self) -> Result<Option<String>, StoreError> {
        self.fact("counters")
    }

    /// Saves the counters.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn save_counters(&self, counters: &str) -> Result<(), StoreError> {
        self.set_fact("counters", counters)
    }

    pub(super) fn fact(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.sql.query("SELECT value FROM facts WHERE name = ?", &[name.into()])?;
        rows.into_iter().next().map(|row| Columns::of("facts", row).text()).transpose()
    }

    pub(super) fn set_fact(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.sql
            .query("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", &[name.into(), value.into()])
            .map(drop)
    }

    pub(super) fn save_breaker(&self, breaker: &Breaker) -> Result<(), StoreError> {
        if *breaker == Breaker::default() {
            return self.sql.query("DELETE FROM breaker", &[]).map(drop);
        }
        self.sql
            .query(
                "INSERT OR REPLACE INTO breaker (id, failures, pauses, probe_at, evidence) VALUES (1, ?, ?, ?, ?)",
                &[
                    (breaker.failing() as u64).into(),
                    u64::from(breaker.pauses).into(),
                    breaker.probe_at.as_millis().into(),
                    breaker.evidence().into(),
                ],
            )
            .map(drop)
    }
}
