//! Rows that a later version has written: of kinds that this version does not know.

use super::*;

const LATER: &str = "of_a_later_version";

/// Appends a row, and makes it one of a later version.
fn appended(mode: &str) -> TagIndexStore<MemorySql> {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    store.register(&shard("/a#0"), 1, 0, &[tag("x")], at(0)).unwrap();
    store.append(Target::Tag(tag("x")), Mode::Purge, Refresh::Lazy, None, at(100)).unwrap();
    // A later version makes the tables anew, so that they take its kinds.
    store.sql().query("PRAGMA ignore_check_constraints = 1", &[]).unwrap();
    for table in ["invalidations", "feed"] {
        store.sql().query(&format!("UPDATE {table} SET kind = ?, mode = ?"), &[LATER.into(), mode.into()]).unwrap();
    }
    store
}

#[test]
fn a_row_of_an_unknown_kind_is_one_of_everything_wherever_it_is_read() {
    for (mode, known) in [("purge", Mode::Purge), (LATER, Mode::Expire)] {
        let store = appended(mode);
        let row = Invalidation {
            seq: 1,
            at: at(100).plus(SKEW),
            target: Target::Everything,
            mode: known,
            refresh: Refresh::Lazy,
        };
        assert_eq!(store.feed(after(0), 9, at(0), 7).map(|page| page.rows), Ok(vec![row.clone()]));
        assert_eq!(store.invalidation(1), Ok(Some(row.clone())));
        let due = store.deliveries_due(at(1_000), 9).unwrap();
        assert_eq!(due.iter().map(|delivery| &delivery.invalidation).collect::<Vec<_>>(), [&row]);
        let answer = store.register(&shard("/b#0"), 1, 0, &[tag("y")], at(0)).unwrap();
        assert_eq!(answer.invalidations, [row], "a page that is being rendered may be one of those that it names");
    }
}
