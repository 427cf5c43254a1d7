//! Rows that a later version has written: of kinds that this version does not know.

use super::*;
use crate::sql::Row;

const LATER: &str = "of_a_later_version";

/// A later version makes the tables anew, so that they take its kinds.
fn run(store: &CoordinatorStore<MemorySql>, sql: &str, parameters: &[Value]) -> Vec<Row> {
    store.sql().query("PRAGMA ignore_check_constraints = 1", &[]).unwrap();
    store.sql().query(sql, parameters).unwrap()
}

fn note(store: &CoordinatorStore<MemorySql>, mode: Mode) {
    let target = Target::Path(CanonicalPath::parse("/other").unwrap());
    let invalidation = Invalidation { seq: 7, at: at(100), target, mode, refresh: Refresh::Lazy };
    store
        .note_invalidation(&invalidation, Version::from_parts(at(100), 5), &Clock::resume(None), Timestamp::default())
        .unwrap();
}

#[test]
fn an_invalidation_of_an_unknown_kind_names_every_page_and_stays() {
    let store = coordinator();
    note(&store, Mode::Stale);
    let (before, after) = (page("/a", &["x"], 50), page("/a", &["x"], 200));
    assert_eq!(store.invalidated(&before), Ok(None), "it is of another path");
    run(&store, "UPDATE invalidations SET kind = ?", &[LATER.into()]);
    assert_eq!((store.invalidated(&before), store.invalidated(&after)), (Ok(Some(Mode::Stale)), Ok(None)));
    assert_eq!(store.has_received(at(100), &before), Ok(true));
    run(&store, "UPDATE invalidations SET mode = ?", &[LATER.into()]);
    assert_eq!(store.invalidated(&before), Ok(Some(Mode::Expire)));
    store.collect_invalidations(Removable { before: at(1_000), at: at(1_000) }).unwrap();
    assert_eq!(store.invalidated(&before), Ok(Some(Mode::Expire)), "only a later version knows which pages need it");
}

#[test]
fn a_sweep_of_an_unknown_kind_lists_every_page() {
    let store = coordinator();
    let page = page("/a", &[], 50);
    let entry = Entry { page: Some(page.clone()), ..Entry::default() };
    store.save(&page.key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
    note(&store, Mode::Purge);
    run(&store, "UPDATE sweeps SET kind = ?, refresh = ?", &[LATER.into(), LATER.into()]);
    store.list_swept(Timestamp::default()).unwrap();
    let swept = store.swept(9).unwrap();
    let found: Vec<_> = swept.iter().map(|swept| (swept.key.clone(), swept.mode, swept.refresh)).collect();
    assert_eq!(found, [(Some(page.key), Mode::Purge, Refresh::Lazy)]);
}
