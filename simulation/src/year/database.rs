//! A SQLite database in memory that tells how large its tables are.

use std::rc::Rc;

use ::rusqlite::Connection;

use crate::sql::{Row, Sql, StoreError, Value};

/// The number of statements that stay prepared: more than the stores have.
const STATEMENTS: usize = 256;

/// A database. Copies of this value are the same database.
#[derive(Clone)]
pub(super) struct Database(Rc<Connection>);

impl Database {
    pub(super) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Otherwise SQLite prepares a statement again when its parameters change.
        let stable = ::rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
        connection.set_db_config(stable, true).expect("it is known");
        Self(Rc::new(connection))
    }

    /// Returns the rows of each table, and its bytes, including its indexes.
    pub(super) fn measure(&self) -> Vec<(String, u64, u64)> {
        let text = |row: &Row| if let Some(Value::Text(text)) = row.first() { text.clone() } else { String::new() };
        let tables = self.query("SELECT name FROM sqlite_schema WHERE type = 'table'", &[]).expect("it is sound");
        let names = tables.iter().map(text).filter(|name| !name.starts_with("sqlite_"));
        names
            .map(|name| {
                let rows = self.number(&format!("SELECT COUNT(*) FROM {name}"));
                let bytes = self.number(&format!(
                    "SELECT COALESCE(SUM(pgsize), 0) FROM dbstat WHERE name IN \
                     (SELECT name FROM sqlite_schema WHERE tbl_name = '{name}')"
                ));
                (name, rows, bytes)
            })
            .collect()
    }

    fn number(&self, statement: &str) -> u64 {
        let rows = self.query(statement, &[]).expect("it is sound");
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Integer(number)) => u64::try_from(*number).unwrap_or_default(),
            _ => 0,
        }
    }
}

fn refused(error: &::rusqlite::Error) -> StoreError {
    StoreError::Sql(error.to_string())
}

impl Sql for Database {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        if parameters.is_empty() && sql.matches(';').count() > 1 {
            self.0.execute_batch(sql).map_err(|error| refused(&error))?;
            return Ok(Vec::new());
        }
        let mut statement = self.0.prepare_cached(sql).map_err(|error| refused(&error))?;
        let columns = statement.column_count();
        let bound = parameters.iter().map(|value| match value {
            Value::Null => ::rusqlite::types::Value::Null,
            Value::Integer(number) => (*number).into(),
            Value::Text(text) => text.clone().into(),
        });
        let mut rows = statement.query(::rusqlite::params_from_iter(bound)).map_err(|error| refused(&error))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|error| refused(&error))? {
            let value = |column| {
                Ok(match row.get_ref(column).map_err(|error| refused(&error))? {
                    ::rusqlite::types::ValueRef::Null => Value::Null,
                    ::rusqlite::types::ValueRef::Integer(number) => Value::Integer(number),
                    ::rusqlite::types::ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    _ => return Err(StoreError::Sql("unexpected type".to_owned())),
                })
            };
            out.push((0..columns).map(value).collect::<Result<Row, StoreError>>()?);
        }
        Ok(out)
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.query("BEGIN", &[])?;
        let result = body();
        self.query(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }, &[])?;
        result
    }
}
