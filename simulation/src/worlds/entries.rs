//! What a coordinator has recorded of its pages, as the checks read it: after every input, and mostly the same.

use std::collections::BTreeMap;

use super::database::Database;
use crate::coordinator::Entry;
use crate::coordinator::tables::CoordinatorStore;
use crate::semantics::key::PageKey;
use crate::sql::{Row, Sql, Value};

/// What [`CoordinatorStore::load`] reads, of all pages. The key comes first. A statement costs more than the few rows.
const TABLES: [&str; 3] = ["SELECT * FROM entries", "SELECT * FROM leases", "SELECT key, tag FROM entry_tags"];

/// The entries of one coordinator.
#[derive(Default)]
pub(super) struct Entries {
    /// The number of changes of the database when the rows were read.
    read_at: Option<u64>,
    /// The rows by key, and the entries that the core has made of them.
    rows: BTreeMap<String, Vec<Row>>,
    known: BTreeMap<String, Entry>,
}

impl Entries {
    /// Returns the entry of a page.
    pub(super) fn read(&mut self, database: &Database, store: &CoordinatorStore<Database>, key: &PageKey) -> Entry {
        self.update(database);
        if !self.rows.contains_key(key.as_str()) {
            return Entry::default();
        }
        if let Some(entry) = self.known.get(key.as_str()) {
            return entry.clone();
        }
        let entry = store.load(key).expect("the database is sound");
        self.known.insert(key.as_str().to_owned(), entry.clone());
        entry
    }

    /// Forgets the entries whose rows have changed.
    fn update(&mut self, database: &Database) {
        let changes = Some(database.changes());
        if self.read_at == changes {
            return;
        }
        let mut rows = BTreeMap::<String, Vec<Row>>::new();
        for table in TABLES {
            for row in database.query(table, &[]).expect("the database is sound") {
                let Some(Value::Text(key)) = row.first() else { continue };
                rows.entry(key.clone()).or_default().push(row);
            }
        }
        self.known.retain(|key, _| self.rows.get(key) == rows.get(key));
        (self.rows, self.read_at) = (rows, changes);
    }
}
