//! Migrates a database to the newest schema that the code knows.
//!
//! Code of two versions opens one database: a rollback runs the former version, and a gradual deployment pins an object to
//! one version for hours. So a step only expands the schema, and states the oldest code that works with its result:
//!
//! | the database | the code |
//! |---|---|
//! | lacks steps | applies them |
//! | has later steps, which this code works with | opens it, and leaves them. It reads and writes named columns, so it does not see others; a new column has a default for the rows that it writes |
//! | has a later step that needs later code | refuses it, and names the version |
//!
//! What no version reads any more is dropped one release after its last reader.

use crate::sql::{Columns, Sql, StoreError, Value};

/// One step of the schema: its file in `migrations/`, embedded. Steps are only ever appended.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The oldest code that works with the result: the number of the newest step that it knows.
    pub(crate) min_reader: u64,
}

/// Applies the missing steps. Each runs in one transaction with its record in `schema_versions`.
///
/// # Errors
/// Returns [`StoreError::NewerSchema`] if the database has a step that needs later code.
pub(crate) fn migrate(sql: &impl Sql, steps: &[Migration]) -> Result<(), StoreError> {
    open_versions(sql)?;
    let rows = sql.query(
        "SELECT COALESCE(MAX(version), 0), COALESCE(MAX(COALESCE(min_reader, version)), 0) FROM schema_versions",
        &[],
    )?;
    let (found, needed) = match rows.into_iter().next().map(|row| Columns::of("schema_versions", row)) {
        Some(mut columns) => (columns.number()?, columns.number()?),
        None => (0, 0),
    };
    let known = steps.len() as u64;
    if needed > known {
        return Err(StoreError::NewerSchema { needed, known });
    }
    for (step, version) in steps.iter().zip(1..).skip_while(|(_, version)| *version <= found) {
        sql.transaction(|| {
            sql.query(step.sql, &[])?;
            let record = [Value::from(version), step.name.into(), step.min_reader.into()];
            sql.query("INSERT INTO schema_versions (version, name, min_reader) VALUES (?, ?, ?)", &record)
        })?;
    }
    Ok(())
}

/// Creates the table of applied steps, or adds what an earlier version's lacks: `PRAGMA user_version` is not available in
/// Durable Objects.
fn open_versions(sql: &impl Sql) -> Result<(), StoreError> {
    let rows = sql.query("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'", &[])?;
    let definition = rows.into_iter().next().map(|row| Columns::of("sqlite_master", row).text()).transpose()?;
    match definition {
        None => sql.query(
            "CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, name TEXT NOT NULL, min_reader INTEGER)",
            &[],
        )?,
        Some(definition) if definition.contains("min_reader") => return Ok(()),
        Some(_) => sql.query("ALTER TABLE schema_versions ADD COLUMN min_reader INTEGER", &[])?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::rusqlite::MemorySql;

    const FIRST: Migration = Migration { name: "first", sql: "CREATE TABLE a (x INTEGER)", min_reader: 1 };
    const EXPANDS: Migration =
        Migration { name: "expands", sql: "ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 7", min_reader: 1 };
    const CONTRACTS: Migration = Migration { name: "contracts", sql: "ALTER TABLE a DROP COLUMN x", min_reader: 2 };

    fn versions(sql: &MemorySql) -> usize {
        sql.query("SELECT version FROM schema_versions", &[]).unwrap().len()
    }

    #[test]
    fn earlier_code_works_with_a_step_that_only_expands() {
        let sql = MemorySql::new();
        for steps in [&[FIRST][..], &[FIRST, EXPANDS], &[FIRST], &[FIRST, EXPANDS]] {
            assert_eq!(migrate(&sql, steps), Ok(()));
            sql.query("INSERT INTO a (x) VALUES (1)", &[]).unwrap();
        }
        assert_eq!(versions(&sql), 2, "each step is applied once");
        let rows = sql.query("SELECT COUNT(*) FROM a WHERE y = 7", &[]).unwrap();
        assert_eq!(rows, [vec![Value::Integer(4)]]);
    }

    #[test]
    fn earlier_code_refuses_a_step_that_needs_later_code() {
        let sql = MemorySql::new();
        migrate(&sql, &[FIRST, EXPANDS, CONTRACTS]).unwrap();
        assert_eq!(migrate(&sql, &[FIRST]), Err(StoreError::NewerSchema { needed: 2, known: 1 }));
        assert_eq!(migrate(&sql, &[FIRST, EXPANDS]), Ok(()));
        assert_eq!(versions(&sql), 3);
    }

    #[test]
    fn a_step_of_a_version_that_recorded_no_reader_needs_its_own_code() {
        let sql = MemorySql::new();
        sql.query("CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, name TEXT NOT NULL)", &[]).unwrap();
        sql.query("INSERT INTO schema_versions (version, name) VALUES (1, 'first')", &[]).unwrap();
        sql.query(FIRST.sql, &[]).unwrap();
        assert_eq!(migrate(&sql, &[FIRST, EXPANDS]), Ok(()));
        assert_eq!(versions(&sql), 2);
        sql.query("INSERT INTO schema_versions (version, name) VALUES (9, 'unknown')", &[]).unwrap();
        assert_eq!(migrate(&sql, &[FIRST]), Err(StoreError::NewerSchema { needed: 9, known: 1 }));
    }
}
