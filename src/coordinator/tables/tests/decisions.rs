//! The log of decisions: a ring that keeps its numbers.

use super::*;
use crate::coordinator::{Decision, DecisionKind};
use crate::inspection::survey::{DecisionPage, DecisionQuestion};

type Store = CoordinatorStore<MemorySql>;

fn logging(store: Store, rows: u64) -> Store {
    CoordinatorStore::open(store.into_sql()).and_then(|store| store.with_decision_log(rows)).unwrap()
}

fn note(store: &Store, pages: std::ops::Range<u64>) {
    for number in pages {
        store.note_decision(at(1000 + number), Decision::swept(number, 1, 0)).unwrap();
    }
}

fn read(store: &Store, after: Option<u64>, limit: u32) -> DecisionPage {
    store.decisions(DecisionQuestion { after, limit }).unwrap()
}

/// Returns the numbers of the decisions, and of the invalidations that they are about.
fn numbers(page: &DecisionPage) -> Vec<(u64, u64)> {
    page.decisions.iter().map(|decision| (decision.seq, decision.invalidation.unwrap())).collect()
}

#[test]
fn the_newest_decisions_stay_and_keep_their_numbers() {
    let store = logging(coordinator(), 3);
    note(&store, 0..5);
    assert_eq!(numbers(&read(&store, None, 10)), [(3, 2), (4, 3), (5, 4)]);
    assert_eq!(numbers(&read(&store, None, 2)), [(4, 3), (5, 4)], "the latest");
    assert_eq!(numbers(&read(&store, Some(3), 1)), [(4, 3)]);
    assert_eq!(numbers(&read(&store, Some(5), 9)), []);
    assert_eq!(read(&store, Some(5), 9).last, 5);
    // Another life of the object continues.
    let store = logging(store, 3);
    note(&store, 5..6);
    assert_eq!(numbers(&read(&store, None, 10)), [(4, 3), (5, 4), (6, 5)]);
}

#[test]
fn a_reader_of_another_log_begins_anew() {
    let store = logging(coordinator(), 3);
    note(&store, 0..2);
    assert_eq!(numbers(&read(&store, Some(700), 9)), [(1, 0), (2, 1)]);
}

#[test]
fn another_bound_keeps_the_newest_decisions() {
    let store = logging(coordinator(), 5);
    note(&store, 0..7);
    let store = logging(store, 2);
    assert_eq!(numbers(&read(&store, None, 10)), [(6, 5), (7, 6)]);
    note(&store, 7..8);
    assert_eq!(numbers(&read(&store, None, 10)), [(7, 6), (8, 7)]);
    let store = logging(store, 4);
    note(&store, 8..11);
    let found = read(&store, None, 10);
    assert_eq!(found.decisions.last().map(|decision| decision.seq), Some(11));
    assert!(found.decisions.len() <= 4, "{found:?}");
    let store = logging(store, 0);
    note(&store, 11..12);
    assert_eq!(read(&store, None, 10), DecisionPage::default());
}

#[test]
fn a_decision_is_recorded_with_its_change_or_not_at_all() {
    let store = logging(coordinator(), 9);
    let page = page("/a", &["x"], 1000);
    let entry = Entry { page: Some(page.clone()), ..Entry::default() };
    let decision = Decision::forgotten(&page.key, &entry, &Entry::default()).unwrap();
    let decided = Decided { at: at(5), decisions: vec![decision] };
    let save = || store.save_decided(&page.key, &Entry::default(), &entry, &Clock::resume(None), None, &decided);
    store
        .sql()
        .query("CREATE TRIGGER full BEFORE INSERT ON decisions BEGIN SELECT RAISE(ABORT, 'full'); END;", &[])
        .unwrap();
    save().unwrap_err();
    assert_eq!(store.load(&page.key), Ok(Entry::default()));
    store.sql().query("DROP TRIGGER full", &[]).unwrap();
    save().unwrap();
    let found = read(&store, None, 9);
    let found: Vec<_> = found.decisions.iter().map(|it| (it.seq, it.at, it.kind.as_str(), it.reason)).collect();
    assert_eq!(found, [(1, at(5), DecisionKind::Forgotten.name(), Some(Reason::Moved))]);
}

#[test]
fn an_invalidation_is_one_decision_however_often_it_arrives() {
    let store = logging(coordinator(), 9);
    for number in 0..4 {
        let page = page(&format!("/{number}"), &["x"], 10);
        let entry = Entry { page: Some(page.clone()), ..Entry::default() };
        store.save(&page.key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
    }
    let mut invalidation =
        Invalidation { seq: 7, at: at(100), target: Target::Tag(tag("x")), mode: Mode::Purge, refresh: Refresh::Lazy };
    let mut clock = Clock::resume(None);
    let mut arrive = |invalidation: &Invalidation| {
        let received = clock.observe(invalidation.at, at(100), 1);
        store.note_invalidation(invalidation, received, &clock, at(90)).unwrap()
    };
    assert_eq!((arrive(&invalidation), arrive(&invalidation)), (Some(4), None));
    invalidation.seq = 6;
    assert_eq!(arrive(&invalidation), None, "it is older");
    let found = read(&store, None, 9).decisions;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].detail.as_deref(), found[0].pages, found[0].invalidation),
        (Some("purge tag x"), Some(4), Some(7))
    );
    assert_eq!(found[0].at, at(90));

    store.list_swept(Timestamp::default()).unwrap();
    for (number, swept) in store.swept(9).unwrap().iter().enumerate() {
        store.strike_off(swept, number == 0).unwrap();
    }
    store.end_sweeps(at(200)).unwrap();
    store.end_sweeps(at(300)).unwrap();
    let found = read(&store, Some(1), 9).decisions;
    let found: Vec<_> =
        found.iter().map(|it| (it.kind.as_str(), it.invalidation, it.pages, it.detail.as_deref())).collect();
    let swept = |seq, detail| ("swept", Some(seq), Some(4), detail);
    assert_eq!(found, [swept(6, Some("1 failed")), swept(7, None)], "each once");
}

#[test]
fn the_view_shows_the_log_with_readable_times() {
    let store = logging(coordinator(), 2);
    note(&store, 0..3);
    let rows = store.sql().query("SELECT seq, at_utc, kind FROM decision_log", &[]).unwrap();
    let row = |seq: u64, utc: &str| vec![Value::from(seq), utc.into(), "swept".into()];
    assert_eq!(rows, [row(2, "1970-01-01T00:00:01.001Z"), row(3, "1970-01-01T00:00:01.002Z")]);
}
