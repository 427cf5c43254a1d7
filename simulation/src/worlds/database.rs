//! The databases of a world: real SQLite in memory, cleared and reused for the next world.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use self::rusqlite::{MemorySql, refused, rows};
use super::statements::{Effect, Statements};
use super::versions::LATER;
use crate::fault::{self, Fault};
use crate::sql::{Row, Sql, StoreError, Value};

/// The connection that the core's own tests use.
#[path = "../../../src/sql/rusqlite.rs"]
#[allow(dead_code, reason = "those tests use more of it")]
mod rusqlite;

/// A database that outlives its object, as on the platform.
#[derive(Clone)]
pub(super) struct Database(Rc<Content>);

struct Content {
    sql: &'static MemorySql,
    statements: RefCell<Statements>,
    /// The version of the schema that `statements` knows.
    schema: Cell<i64>,
    /// Whether a repeated read is answered from memory while its tables stay the same.
    remembers: Cell<bool>,
}

impl Database {
    /// Creates a database. It stays for good, like the few threads that create some.
    pub(super) fn new() -> Self {
        let sql = Box::leak(Box::new(MemorySql::new()));
        // A transaction copies each page that it changes, and a world has few rows.
        sql.query("PRAGMA page_size = 512", &[]).expect("the database is empty");
        Self(Rc::new(Content { sql, statements: RefCell::default(), schema: Cell::new(0), remembers: Cell::new(true) }))
    }

    /// Deletes every row except the records of applied migrations. This is faster than a new database.
    pub(super) fn clear(&self) {
        self.remember(true);
        let delete = |table: &String| self.query(&format!("DELETE FROM {table}"), &[]).map(drop);
        self.transaction(|| self.tables().iter().try_for_each(delete)).expect("rows can be deleted");
    }

    /// Expands the schema, as a later version of the code may: each table gets a column, tables take more kinds, and there is
    /// a new table.
    pub(super) fn expand(&self) {
        let run = |sql: &str| self.0.sql.query(sql, &[]).expect("the schema can be expanded");
        for table in self.tables().iter().filter(|table| !table.starts_with("sqlite_")) {
            run(&format!("ALTER TABLE {table} ADD COLUMN of_later_code TEXT NOT NULL DEFAULT 'unset'"));
        }
        run("CREATE TABLE later (id INTEGER PRIMARY KEY)");
        run("PRAGMA ignore_check_constraints = 1");
        if fault::on(Fault::DropColumnEarly) && self.tables().iter().any(|table| table == "registered_tags") {
            run("ALTER TABLE registered_tags DROP COLUMN confirmed");
        }
        run("INSERT INTO schema_versions (version, name, min_reader)
             SELECT MAX(version) + 1, 'later', MAX(version) FROM schema_versions");
        self.learn_schema();
    }

    /// Changes the row with a number, unless a later version has written it already. `?` in the change is a later version's
    /// word. A row that is in the way is older.
    pub(super) fn rewrite(&self, table: &str, change: &str, seq: u64) {
        let statement = format!("UPDATE OR REPLACE {table} SET {change} WHERE seq = ? AND kind <> ?");
        let is_mode = change.starts_with("mode");
        let unless = if is_mode { "" } else { LATER };
        self.query(&statement, &[LATER.into(), seq.into(), unless.into()]).expect("the table has these columns");
    }

    /// Decides whether repeated reads are answered from memory. Otherwise SQLite answers each of them.
    pub(super) fn remember(&self, remembers: bool) {
        self.0.remembers.set(remembers);
        self.0.statements.borrow_mut().forget();
    }

    /// Counts the statements that have changed something, or may have.
    pub(super) fn changes(&self) -> u64 {
        self.0.statements.borrow().changes()
    }

    /// Returns the whole content.
    pub(super) fn dump(&self) -> Vec<(String, Vec<Row>)> {
        let rows = |table: &str| self.query(&format!("SELECT * FROM {table}"), &[]).expect("tables can be read");
        self.tables().into_iter().map(|table| (table.clone(), rows(&table))).collect()
    }

    /// Replaces the content of some tables.
    pub(super) fn restore(&self, tables: Vec<(String, Vec<Row>)>) {
        for (table, rows) in tables {
            self.query(&format!("DELETE FROM {table}"), &[]).expect("rows can be deleted");
            for row in rows {
                let values = vec!["?"; row.len()].join(", ");
                self.query(&format!("INSERT INTO {table} VALUES ({values})"), &row).expect("the row was there before");
            }
        }
    }

    fn tables(&self) -> Vec<String> {
        let statements = self.0.statements.borrow();
        statements.table_names().iter().filter(|name| *name != "schema_versions").cloned().collect()
    }

    /// Forgets what was read before a statement of any kind, and learns the tables if it has changed them.
    fn learn_schema(&self) {
        let rows = self.0.sql.query("PRAGMA schema_version", &[]).expect("the version can be read");
        let version = if let Some([Value::Integer(version)]) = rows.first().map(Vec::as_slice) { *version } else { 0 };
        let mut statements = self.0.statements.borrow_mut();
        if self.0.schema.replace(version) == version {
            statements.forget();
        } else {
            let changes = statements.changes() + 1;
            *statements = Statements::of(self.names("table"), self.names("view"), changes);
        }
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let names = "SELECT name FROM sqlite_master WHERE type = ?";
        let rows = self.0.sql.query(names, &[kind.into()]).expect("the list of tables can be read");
        let name = |row: Row| if let Some(Value::Text(name)) = row.into_iter().next() { Some(name) } else { None };
        rows.into_iter().filter_map(name).collect()
    }

    /// Runs one statement, unless its answer is known.
    fn run(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let connection = &self.0.sql.0;
        let mut statements = self.0.statements.borrow_mut();
        let (prepared, tables) = statements.get(sql, || connection.prepare(sql).map_err(refused))?;
        if let Some(rows) = self.0.remembers.get().then(|| prepared.answered(tables, parameters)).flatten() {
            return Ok(rows);
        }
        let changes = connection.total_changes();
        let rows = rows(&mut prepared.statement, parameters)?;
        match prepared.effect {
            Effect::Reads(_) if self.0.remembers.get() => prepared.remember(tables, parameters, &rows),
            Effect::Writes(table) if connection.total_changes() > changes => tables.wrote(table),
            Effect::Reads(_) | Effect::Writes(_) => {}
            Effect::Unknown => {
                drop(statements);
                self.learn_schema();
            }
        }
        Ok(rows)
    }
}

impl Sql for Database {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        if parameters.is_empty() && sql.contains(';') {
            let rows = self.0.sql.query(sql, parameters)?;
            self.learn_schema();
            return Ok(rows);
        }
        self.run(sql, parameters)
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = self.0.sql.transaction(body);
        if result.is_err() {
            self.0.statements.borrow_mut().forget();
        }
        result
    }
}
