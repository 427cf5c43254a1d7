//! The databases of a world: real SQLite in memory, cleared and reused for the next world.

use std::rc::Rc;

use self::rusqlite::MemorySql;
use crate::sql::{Row, Sql, StoreError, Value};

/// The connection that the core's own tests use.
#[path = "../../../src/sql/rusqlite.rs"]
#[allow(dead_code, reason = "those tests use more of it")]
mod rusqlite;

/// A database that outlives its object, as on the platform.
#[derive(Clone)]
pub(super) struct Database(Rc<MemorySql>);

impl Database {
    pub(super) fn new() -> Self {
        Self(Rc::new(MemorySql::new()))
    }

    /// Deletes every row except the records of applied migrations. This is faster than a new database.
    pub(super) fn clear(&self) {
        for table in self.tables() {
            self.query(&format!("DELETE FROM {table}"), &[]).expect("rows can be deleted");
        }
    }

    /// Returns the whole content.
    pub(super) fn dump(&self) -> Vec<(String, Vec<Row>)> {
        let rows = |table: &str| self.query(&format!("SELECT * FROM {table}"), &[]).expect("tables can be read");
        self.tables().into_iter().map(|table| (table.clone(), rows(&table))).collect()
    }

    fn tables(&self) -> Vec<String> {
        let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_versions'";
        let rows = self.query(names, &[]).expect("the list of tables can be read");
        let name = |row: Row| if let Some(Value::Text(name)) = row.into_iter().next() { Some(name) } else { None };
        rows.into_iter().filter_map(name).collect()
    }
}

impl Sql for Database {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.0.query(sql, parameters)
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.0.transaction(body)
    }
}
