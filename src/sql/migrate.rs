//! Migrates a database to the newest schema that the code knows.

use crate::sql::{Columns, Sql, StoreError, Value};

/// One step of the schema: its file in `migrations/`, embedded. Steps are only ever appended.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Applies the missing steps. Each runs in one transaction with its record in `schema_versions`.
///
/// # Errors
/// Returns [`StoreError::NewerSchema`] if the database has a step that `steps` does not.
pub(crate) fn migrate(sql: &impl Sql, steps: &[Migration]) -> Result<(), StoreError> {
    // PRAGMA user_version is not available in Durable Objects, so the version is a table.
    sql.query("CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY, name TEXT NOT NULL)", &[])?;
    let rows = sql.query("SELECT COALESCE(MAX(version), 0) FROM schema_versions", &[])?;
    let found = rows.into_iter().next().map_or(Ok(0), |row| Columns::of("schema_versions", row).number())?;
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > steps.len() {
        let version = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        return Err(StoreError::NewerSchema { found: version(found), known: version(steps.len()) });
    }
    for (index, step) in steps.iter().enumerate().skip(found) {
        sql.transaction(|| {
            sql.query(step.sql, &[])?;
            let record = [Value::from(index as u64 + 1), step.name.into()];
            sql.query("INSERT INTO schema_versions (version, name) VALUES (?, ?)", &record)
        })?;
    }
    Ok(())
}
