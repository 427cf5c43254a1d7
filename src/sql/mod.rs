//! SQLite, as the two objects use it. Synchronous: load, step and save are one stretch without an `await`.
//!
//! The same statements and migrations run on a Durable Object's SQLite and, in tests, on rusqlite; both stand behind
//! [`Sql`].

mod migrate;
mod rows;
#[cfg(test)]
pub(crate) mod rusqlite;

use thiserror::Error;

pub(crate) use self::migrate::{Migration, migrate};
pub(crate) use self::rows::Columns;

/// A value that goes into a statement or comes out of a row. Integers must stay within ±2^53: they cross the platform
/// as doubles.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// TEXT.
    Text(String),
}

/// The columns of one row, in the statement's order.
pub type Row = Vec<Value>;

/// A synchronous SQLite database. At most 100 parameters a statement (platform limit).
pub trait Sql {
    /// Runs one statement (or, without parameters, several) and returns the rows of the last.
    ///
    /// # Errors
    /// [`StoreError::Sql`] with the database's message.
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Runs `body` so that either all of its statements take effect, or, when it fails, none.
    ///
    /// # Errors
    /// The error of `body`, or that of the database when it can't commit.
    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError>;
}

/// Why the store could not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database refused a statement.
    #[error("SQLite: {0}")]
    Sql(String),
    /// A row does not have the columns or the values that the code expects.
    #[error("table {table}: column {column} is not readable")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column's position in the statement.
        column: usize,
    },
    /// What is to be stored depends on the configuration, which is not valid.
    #[error("the configuration is not valid: {0}")]
    Unconfigured(String),
    /// The database was written by a later version of this code.
    #[error(
        "this object's database has schema version {found}, but this code knows only up to {known}: deploy a version \
         of cloudflare-isr that is at least as new as the one that wrote it"
    )]
    NewerSchema {
        /// The version in the database.
        found: i64,
        /// The newest version known.
        known: i64,
    },
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    /// Saturates at 2^53, past which doubles have gaps; times and counts stay far below.
    fn from(number: u64) -> Self {
        const LARGEST: u64 = 1 << 53;
        Self::Integer(i64::try_from(number.min(LARGEST)).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
