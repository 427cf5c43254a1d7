//! The log of decisions: a ring of a bounded number of rows.
//!
//! A decision has a number. Its row is the number modulo the bound, so that a new row replaces the oldest one: no row is
//! deleted, and no index is needed. The platform bills one row written per decision.

use std::cell::Cell;

use crate::coordinator::Decision;
use crate::coordinator::tables::CoordinatorStore;
use crate::inspection::survey::{DecisionPage, DecisionQuestion, LoggedDecision};
use crate::reason::Reason;
use crate::semantics::evidence::Evidence;
use crate::semantics::key::PageKey;
use crate::sql::{Columns, Row, Sql, StoreError, Value};
use crate::time::Timestamp;
use crate::version::Version;

const COLUMNS: &str = "seq, at, kind, key, version, reason, detail, invalidation, pages, took";

/// Decisions, and when they were made.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The time.
    pub at: Timestamp,
    /// The decisions.
    pub decisions: Vec<Decision>,
}

/// What the object knows of its log.
#[derive(Debug, Default)]
pub(super) struct DecisionLog {
    /// The number of rows; 0: nothing is recorded.
    rows: u64,
    /// The number of the next decision, if it is known.
    next: Cell<Option<u64>>,
}

impl<S: Sql> CoordinatorStore<S> {
    /// Records decisions from now on, in at most `rows` rows. If the log had more, the newest stay.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn with_decision_log(mut self, rows: u64) -> Result<Self, StoreError> {
        self.log = DecisionLog { rows, next: Cell::new(None) };
        let last_row = self.sql.query("SELECT MAX(slot) FROM decisions", &[])?.into_iter().next().unwrap_or_default();
        let last_row = Columns::of("decisions", last_row).optional_number()?;
        if last_row.is_some_and(|last| last >= rows) {
            self.shrink_log()?;
        }
        Ok(self)
    }

    /// Moves the newest decisions into fewer rows, and deletes all others.
    fn shrink_log(&self) -> Result<(), StoreError> {
        let rows = self.log.rows;
        if rows == 0 {
            return self.sql.query("DELETE FROM decisions", &[]).map(drop);
        }
        let oldest = (self.last_decision()? + 1).saturating_sub(rows);
        self.sql.transaction(|| {
            // The rows have other numbers meanwhile, so that none is in the way of another one.
            let moved = "UPDATE decisions SET slot = -1 - seq % ? WHERE seq >= ?";
            self.sql.query(moved, &[rows.into(), oldest.into()])?;
            self.sql.query("DELETE FROM decisions WHERE slot >= 0", &[])?;
            self.sql.query("UPDATE decisions SET slot = -1 - slot WHERE slot < 0", &[]).map(drop)
        })
    }

    /// Runs `body` in a transaction, and records the decisions that it returns.
    pub(super) fn logged_transaction<T>(
        &self,
        at: Timestamp,
        body: impl FnOnce() -> Result<(T, Vec<Decision>), StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.sql.transaction(|| {
            let (result, decisions) = body()?;
            if self.log.rows > 0 {
                decisions.iter().try_for_each(|decision| self.log_decision(at, decision))?;
            }
            Ok(result)
        });
        // The numbers of a failed transaction are free.
        done.inspect_err(|_| self.log.next.set(None))
    }

    /// Records a decision that has no transaction of its own.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_decision(&self, at: Timestamp, decision: Decision) -> Result<(), StoreError> {
        self.logged_transaction(at, || Ok(((), vec![decision])))
    }

    /// Returns whether decisions are recorded.
    pub(super) const fn is_logging(&self) -> bool {
        self.log.rows > 0
    }

    fn log_decision(&self, at: Timestamp, decision: &Decision) -> Result<(), StoreError> {
        let seq = self.log.next.get().map_or_else(|| self.last_decision().map(|last| last + 1), Ok)?;
        let Decision { kind, key, version, reason, detail, invalidation, pages, took } = decision;
        let insert =
            format!("INSERT OR REPLACE INTO decisions (slot, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        self.sql.query(
            &insert,
            &[
                (seq % self.log.rows.max(1)).into(),
                seq.into(),
                at.as_millis().into(),
                kind.name().into(),
                key.as_ref().map(PageKey::as_str).into(),
                version.map(|version| version.to_string()).into(),
                reason.map(Reason::name).into(),
                detail.as_ref().map(Evidence::as_str).into(),
                (*invalidation).into(),
                (*pages).into(),
                took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)).into(),
            ],
        )?;
        self.log.next.set(Some(seq + 1));
        Ok(())
    }

    /// Returns the number of the latest decision; 0: there is none.
    pub(super) fn last_decision(&self) -> Result<u64, StoreError> {
        // A few rows at most, so no index.
        let rows = self.sql.query("SELECT COALESCE(MAX(seq), 0) FROM decisions", &[])?;
        Columns::of("decisions", rows.into_iter().next().unwrap_or_default()).number()
    }

    /// Reads the log, the oldest decision first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn decisions(&self, question: DecisionQuestion) -> Result<DecisionPage, StoreError> {
        let last = self.last_decision()?;
        let limit = Value::from(u64::from(question.limit));
        // A log with fewer decisions is another one: the object has ended since, or was restored.
        let after = question.after.map(|after| if after > last { 0 } else { after });
        let rows = if let Some(after) = after {
            let later = format!("SELECT {COLUMNS} FROM decisions WHERE seq > ? ORDER BY seq LIMIT ?");
            self.sql.query(&later, &[after.into(), limit])?
        } else {
            let newest = format!("SELECT {COLUMNS} FROM decisions ORDER BY seq DESC LIMIT ?");
            self.sql.query(&newest, &[limit])?.into_iter().rev().collect()
        };
        Ok(DecisionPage { last, decisions: rows.into_iter().map(logged).collect::<Result<_, _>>()? })
    }
}

fn logged(row: Row) -> Result<LoggedDecision, StoreError> {
    let mut columns = Columns::of("decisions", row);
    Ok(LoggedDecision {
        seq: columns.number()?,
        at: Timestamp::from_millis(columns.number()?),
        kind: columns.text()?,
        key: columns.optional_parsed(|key| PageKey::from_stored(key).ok())?,
        version: columns.optional_parsed(Version::parse)?,
        reason: columns.optional_parsed(|name| Some(Reason::parse(name).unwrap_or(Reason::Unknown)))?,
        detail: columns.optional_text()?,
        invalidation: columns.optional_number()?,
        pages: columns.optional_number()?,
        duration_ms: columns.optional_number()?,
    })
}
