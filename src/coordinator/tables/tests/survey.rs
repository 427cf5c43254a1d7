//! Surveys: lists with filters are complete, whatever the size of their parts.

use super::*;
use crate::inspection::answer::State;
use crate::inspection::survey::{EntryQuestion, MAX_EXAMINED, MAX_JUDGED};

type Store = CoordinatorStore<MemorySql>;

fn question(limit: u32) -> EntryQuestion {
    EntryQuestion { prefix: None, tag: None, state: None, after: None, limit }
}

fn put(store: &Store, path: &str, tags: &[&str], is_stale: bool) {
    let mut page = page(path, tags, 10);
    if is_stale {
        page.windows.fresh_until = Some(at(20));
    }
    let entry = Entry { page: Some(page.clone()), ..Entry::default() };
    store.save(&page.key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
}

/// Follows a list to its end. Returns the paths, and the number of parts.
fn all(store: &Store, mut question: EntryQuestion) -> (Vec<String>, u32) {
    let (mut paths, mut parts) = (Vec::new(), 0);
    loop {
        let part = store.entries(&question).unwrap();
        assert!(part.pages.len() <= question.limit as usize);
        paths.extend(part.pages.into_iter().map(|page| page.path));
        parts += 1;
        match part.after {
            Some(key) => question.after = Some(key),
            None => return (paths, parts),
        }
    }
}

#[test]
fn filters_select_pages_in_parts_of_any_size() {
    let store = coordinator();
    for number in 0..20 {
        let folder = if number % 2 == 0 { "blog" } else { "blogs" };
        let tags: &[&str] = if number % 3 == 0 { &["third", "x"] } else { &["x"] };
        put(&store, &format!("/{folder}/{number:02}"), tags, number % 5 == 0);
    }
    let numbers = |question| -> Vec<u32> {
        let mut found: Vec<u32> =
            all(&store, question).0.iter().map(|path| path[path.len() - 2..].parse().unwrap()).collect();
        found.sort_unstable();
        found
    };
    let prefix = || Some(CanonicalPath::parse("/blog").unwrap().try_into().unwrap());
    for limit in [1, 2, 3, 7, 20, 1000] {
        assert_eq!(numbers(question(limit)), (0..20).collect::<Vec<_>>());
        let third = EntryQuestion { tag: Some(tag("third")), ..question(limit) };
        assert_eq!(numbers(third.clone()), [0, 3, 6, 9, 12, 15, 18]);
        assert_eq!(numbers(EntryQuestion { prefix: prefix(), ..third.clone() }), [0, 6, 12, 18]);
        let state = Some(State::Fresh);
        assert_eq!(numbers(EntryQuestion { state, ..third.clone() }), [3, 6, 9, 12, 18]);
        assert_eq!(numbers(EntryQuestion { state: Some(State::Absent), ..third }), Vec::<u32>::new());
        let root =
            EntryQuestion { prefix: Some(CanonicalPath::parse("/").unwrap().try_into().unwrap()), ..question(limit) };
        assert_eq!(numbers(root).len(), 20);
    }
}

#[test]
fn one_question_examines_a_bounded_number_of_rows() {
    let store = coordinator();
    let pages = u64::from(MAX_EXAMINED) + 2;
    for number in 0..pages {
        put(&store, &format!("/{number:05}"), &["x"], false);
    }
    put(&store, "/last", &["y"], true);
    let prefix = Some(CanonicalPath::parse("/last").unwrap().try_into().unwrap());
    assert_eq!(all(&store, EntryQuestion { prefix, ..question(10) }), (vec!["/last".to_owned()], 2));
    let (found, parts) = all(&store, EntryQuestion { state: Some(State::Stale), ..question(10) });
    assert_eq!(found, ["/last"]);
    assert!(parts > MAX_EXAMINED / MAX_JUDGED, "{parts}");
    let overview = store.overview().unwrap();
    assert_eq!((overview.keys, overview.state.map(|state| state.pages.stale)), (pages + 1, Some(1)));
    assert_eq!(overview.stalest.iter().map(|page| page.key.path()).collect::<Vec<_>>(), ["/last"]);
}

#[test]
fn running_renders_are_listed_the_oldest_first() {
    let store = coordinator();
    for (path, time) in [("/b", 200), ("/a", 300), ("/c", 100)] {
        let token = Version::from_parts(at(time), 1);
        let lease = Lease { token, purpose: Purpose::Cold, expires_at: at(time + 9), attempt: 0 };
        let entry = Entry { lease: Some(lease), ..Entry::default() };
        let key = page(path, &[], 1).key;
        store.save(&key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
    }
    let running = store.running(2).unwrap();
    let found: Vec<_> = running.leases.iter().map(|lease| (lease.key.path(), lease.began_at)).collect();
    assert_eq!((running.total, found), (3, vec![("/c", at(100)), ("/b", at(200))]));
}
