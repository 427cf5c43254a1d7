//! [`Sql`] on rusqlite, for tests on the host.

use ::rusqlite::types::{ToSqlOutput, ValueRef};
use ::rusqlite::{Connection, Statement};

use crate::sql::{Row, Sql, StoreError, Value};

/// The number of statements that stay prepared: more than the stores have.
const STATEMENTS: usize = 256;

/// A database in memory.
pub(crate) struct MemorySql(pub(crate) Connection);

impl MemorySql {
    pub(crate) fn new() -> Self {
        let connection = Connection::open_in_memory().expect("SQLite opens a database in memory");
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.set_db_config(::rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("known");
        Self(connection)
    }
}

impl MemorySql {
    /// Copies the database.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = Connection::open_in_memory().expect("SQLite opens a database in memory");
        let backup = ::rusqlite::backup::Backup::new(&self.0, &mut copy).expect("the copy is empty");
        backup.run_to_completion(1000, std::time::Duration::ZERO, None).expect("both are in memory");
        drop(backup);
        Self(copy)
    }
}

/// Runs a prepared statement.
pub(crate) fn rows(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
    let columns = statement.column_count();
    let bound = parameters.iter().map(|value| match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Integer(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
        Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
    });
    let mut rows = statement.query(::rusqlite::params_from_iter(bound)).map_err(refused)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(refused)? {
        let value = |column| match row.get_ref(column).map_err(refused)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            ValueRef::Text(text) => Ok(Value::Text(String::from_utf8_lossy(text).into_owned())),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(StoreError::Sql("unexpected type".into())),
        };
        out.push((0..columns).map(value).collect::<Result<Row, _>>()?);
    }
    Ok(out)
}

#[allow(clippy::needless_pass_by_value, reason = "the signature that map_err wants")]
pub(crate) fn refused(error: ::rusqlite::Error) -> StoreError {
    StoreError::Sql(error.to_string())
}

impl Sql for MemorySql {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        if parameters.is_empty() && sql.matches(';').count() > 1 {
            self.0.execute_batch(sql).map_err(refused)?;
            return Ok(Vec::new());
        }
        rows(&mut *self.0.prepare_cached(sql).map_err(refused)?, parameters)
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let run = |statement| self.0.prepare_cached(statement)?.execute([]);
        run("BEGIN").map_err(refused)?;
        let result = body();
        run(if result.is_ok() { "COMMIT" } else { "ROLLBACK" }).map_err(refused)?;
        result
    }
}
