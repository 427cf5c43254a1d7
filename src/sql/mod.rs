//! SQLite, as both kinds of objects use it. It is synchronous: load, step and save run without an `await` in between.
//!
//! The same statements and migrations run on a Durable Object's SQLite and, in tests, on rusqlite. Both implement
//! [`Sql`].

mod migrate;
mod rows;
#[cfg(test)]
pub(crate) mod rusqlite;

use thiserror::Error;

pub(crate) use self::migrate::{Migration, migrate};
pub(crate) use self::rows::Columns;

/// A parameter of a statement, or a value in a row. Integers must stay within ±2^53, because the platform passes them
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

/// A synchronous SQLite database. A statement has at most 100 parameters (platform limit).
pub trait Sql {
    /// Runs one statement (or, without parameters, several) and returns the rows of the last.
    ///
    /// # Errors
    /// Returns [`StoreError::Sql`] with the database's message.
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Runs `body` in a transaction: all of its statements take effect, or, if it fails, none.
    ///
    /// # Errors
    /// Returns the error of `body`, or the database's if it can't commit.
    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError>;
}

/// An error of the store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database refused a statement.
    #[error("SQLite: {0}")]
    Sql(String),
    /// The class of the object has no SQLite: a migration lists it in `new_classes` instead of `new_sqlite_classes`.
    #[error("the object's class has no SQLite")]
    NoSqlite,
    /// A row does not have the columns or the values that the code expects.
    #[error("table {table}: column {column} is not readable")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column's position in the statement.
        column: usize,
    },
    /// The stored data depends on the configuration, which is not valid.
    #[error("the configuration is not valid: {0}")]
    Unconfigured(String),
    /// A later version of this code has changed the database so that this one does not work with it.
    #[error(
        "this object's database needs code that knows schema version {needed}, but this code knows only up to {known}: \
         deploy a later version of cloudflare-isr, or the one that wrote the database"
    )]
    NewerSchema {
        /// The oldest version that works with the database.
        needed: u64,
        /// The newest version that this code knows.
        known: u64,
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
    /// Saturates at 2^53. Above it, doubles have gaps; times and counts stay far below.
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
