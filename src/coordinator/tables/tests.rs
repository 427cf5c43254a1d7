//! The coordinator's tables on a real SQLite: what is saved is loaded, and a failed save changes nothing.

use std::time::Duration;

mod bounds;
mod decisions;
mod survey;
mod versions;

use super::*;
use crate::coordinator::{Breaker, Cause, Entry, Lease, PendingWrite, Purpose, StoredCopy, Unpublished};
use crate::invalidation::{Invalidation, Mode, Refresh, Target};
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::evidence::Evidence;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::sql::rusqlite::MemorySql;
use crate::sql::{Sql, StoreError, Value};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::{Clock, Version};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn tag(name: &str) -> Tag {
    Tag::parse(name).unwrap()
}

fn page(path: &str, tags: &[&str], start: u64) -> PageMeta {
    PageMeta {
        key: PageKey::from_stored(&format!("https://e.com{path}")).unwrap(),
        version: Version::from_parts(at(start), 1),
        status: 404,
        rendered_at: at(start + 5),
        windows: Windows::new(at(start), Revalidate::Never, Duration::ZERO, Duration::ZERO).unwrap(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        body_bytes: Some(17),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    }
}

fn coordinator() -> CoordinatorStore<MemorySql> {
    CoordinatorStore::open(MemorySql::new()).unwrap()
}

#[test]
fn an_entry_is_loaded_as_it_was_saved() {
    let store = coordinator();
    let page = page("/a?b=1", &["x", "y"], 1000);
    let mut clock = Clock::resume(None);
    let token = clock.issue(at(2000), 5);
    let full = Entry {
        page: Some(page.clone()),
        lease: Some(Lease { token, purpose: Purpose::Background, expires_at: at(9000), attempt: 2 }),
        failures: 3,
        retry_at: Some(at(1)),
        pass_until: Some(at(2)),
        marked_by: Some(page.version),
        unpublished: Some(Unpublished {
            token: page.version,
            at: at(6),
            cause: Cause { reason: Reason::OriginError, detail: Some(Evidence::new("status 503")) },
        }),
        pending: Some(PendingWrite { version: Some(page.version), due: at(3), attempts: 4 }),
        written_at: Some(at(5)),
        copy: Some(StoredCopy { version: page.version, digest: Digest::parse(&"7".repeat(32)).unwrap() }),
    };
    let timed = PageMeta {
        windows: Windows::new(at(7), Revalidate::After(Duration::from_secs(1)), Duration::ZERO, Duration::MAX).unwrap(),
        tags: vec![tag("y")],
        ..page.clone()
    };
    let windows = Windows { error_until: Some(at(1 << 50)), ..timed.windows };
    let other = Entry {
        page: Some(PageMeta { windows, ..timed }),
        pending: Some(PendingWrite { version: None, due: at(3), attempts: 0 }),
        ..Entry::default()
    };
    let mut before = Entry::default();
    for after in [full, other, Entry::default()] {
        store.save(&page.key, &before, &after, &clock, None).unwrap();
        assert_eq!(store.load(&page.key), Ok(after.clone()));
        before = after;
    }
    assert_eq!(store.clock().unwrap().last(), clock.last(), "tokens rise across restarts");
}

#[test]
fn a_cause_that_earlier_code_has_overtaken_is_not_known() {
    let store = coordinator();
    let (page, clock) = (page("/", &[], 1), Clock::resume(None));
    let token = Version::from_parts(at(2000), 1);
    let unpublished = Some(Unpublished { token, at: at(6), cause: Reason::TagIndex.into() });
    let failed = Entry { failures: 1, marked_by: Some(token), unpublished, ..Entry::default() };
    store.save(&page.key, &Entry::default(), &failed, &clock, None).unwrap();
    assert_eq!(store.load(&page.key), Ok(failed.clone()));
    let by_earlier_code = |change: &str, is_known| {
        store.sql().query(&format!("UPDATE entries SET {change}"), &[]).unwrap();
        assert_eq!(
            store.load(&page.key).unwrap().unpublished,
            failed.unpublished.clone().filter(|_| is_known),
            "{change}"
        );
    };
    by_earlier_code("marked_by = NULL", true);
    by_earlier_code("failures = 0", false);
    by_earlier_code(&format!("marked_by = '{}', pass_until = 9", Version::from_parts(at(3000), 1)), false);
}

#[test]
fn a_lease_alone_writes_no_entry() {
    let store = coordinator();
    let key = page("/", &[], 1).key;
    let mut clock = Clock::resume(None);
    let lease = Lease { token: clock.issue(at(1), 1), purpose: Purpose::Cold, expires_at: at(70), attempt: 0 };
    let leased = Entry { lease: Some(lease), ..Entry::default() };
    store.save(&key, &Entry::default(), &leased, &clock, None).unwrap();
    assert_eq!(store.load(&key), Ok(leased));
    assert_eq!(store.leases(10), Ok(vec![(key, lease)]));
}

#[test]
fn heat_counts_renders_and_is_halved_each_day_but_never_grows_with_a_page_from_an_older_cache() {
    const DAY: u64 = 86_400_000;
    let store = coordinator();
    let clock = Clock::resume(None);
    let mut before = Entry::default();
    // When a render began, the age that its origin sent, and the heat then. The first page has no row yet, so it is no
    // repetition.
    for (start, age, heat) in [
        (10 * DAY, 0, 0),
        (10 * DAY + 9, 0, 1),
        (10 * DAY + 19, 0, 2),
        (11 * DAY + 19, 3 * DAY, 3),
        (11 * DAY + 29, 0, 1),
    ] {
        let rendered = page("/", &[], start);
        let page = PageMeta { rendered_at: at(start - age), ..rendered };
        let after = Entry { page: Some(page.clone()), ..Entry::default() };
        store.save(&page.key, &before, &after, &clock, None).unwrap();
        let found = store.sql().query("SELECT heat FROM entries", &[]).unwrap();
        assert_eq!(found, [[Value::Integer(heat)]], "{start}");
        before = after;
    }
}

#[test]
fn a_save_that_fails_in_the_middle_leaves_the_state_as_before() {
    let sql = MemorySql::new();
    let store = CoordinatorStore::open(sql).unwrap();
    let old = page("/", &["old"], 1000);
    let clock = Clock::resume(None);
    let before = Entry { page: Some(old.clone()), ..Entry::default() };
    store.save(&old.key, &Entry::default(), &before, &clock, None).unwrap();
    store
        .sql()
        .0
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    let after = Entry { page: Some(page("/", &["new"], 2000)), ..Entry::default() };
    assert_eq!(store.save(&old.key, &before, &after, &clock, None), Err(StoreError::Sql("full".to_owned())));
    assert_eq!(store.load(&old.key), Ok(before));
}

#[test]
fn an_invalidation_concerns_what_was_rendered_before_it_was_received() {
    let store = coordinator();
    let mut clock = Clock::resume(None);
    let old = page("/a", &["x"], 1000);
    let note = |seq, target, mode, clock: &mut Clock| {
        let received = clock.observe(at(2000), at(1500), 9);
        let invalidation = Invalidation { seq, at: at(2000), target, mode, refresh: Refresh::Lazy };
        store.note_invalidation(&invalidation, received, clock, at(0)).unwrap();
    };
    assert_eq!(store.invalidated(&old), Ok(None));
    note(1, Target::Tag(tag("x")), Mode::Stale, &mut clock);
    assert_eq!(store.invalidated(&old), Ok(Some(Mode::Stale)));
    note(2, Target::Path(CanonicalPath::parse("/a").unwrap()), Mode::Expire, &mut clock);
    assert_eq!(store.invalidated(&old), Ok(Some(Mode::Expire)));
    assert_eq!(store.invalidated(&page("/b", &["y"], 1000)), Ok(None));

    // The wall clock is behind the tag index's clock, and a page rendered now is still newer.
    let newer = PageMeta { version: clock.issue(at(1501), 1), ..old.clone() };
    assert_eq!(store.invalidated(&newer), Ok(None));
    assert!(newer.render_start() > at(2000), "for edges, which compare times, too");
    note(2, Target::Path(CanonicalPath::parse("/a").unwrap()), Mode::Expire, &mut clock);
    assert_eq!(store.invalidated(&newer), Ok(None), "the same invalidation, delivered again");
    note(3, Target::Path(CanonicalPath::parse("/a").unwrap()), Mode::Expire, &mut clock);
    assert_eq!(store.invalidated(&newer), Ok(Some(Mode::Expire)));
}

#[test]
fn tags_are_registered_once_and_a_page_may_have_the_most() {
    let store = coordinator();
    assert_eq!(store.unregistered(&[]), Ok(vec![]));
    store.note_registered(&[tag("a")], 1).unwrap();
    assert_eq!(store.unregistered(&[tag("a"), tag("b")]), Ok(vec![tag("b")]));
    let names: Vec<String> = (0..1000).map(|i| format!("t{i:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let page = page("/many", &names, 1);
    let entry = Entry { page: Some(page.clone()), ..Entry::default() };
    store.save(&page.key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
    assert_eq!(store.load(&page.key), Ok(entry));
    assert_eq!((store.invalidated(&page), store.unregistered(&page.tags).map(|tags| tags.len())), (Ok(None), Ok(1000)));
}

#[test]
fn due_writes_and_deadlines_are_found() {
    let store = coordinator();
    let clock = Clock::resume(None);
    assert_eq!(store.next_write(), Ok(None));
    for (path, due) in [("/b", 20), ("/a", 10), ("/c", 30)] {
        let page = page(path, &[], 1);
        let pending = Some(PendingWrite { version: Some(page.version), due: at(due), attempts: 0 });
        let entry = Entry { page: Some(page.clone()), pending, ..Entry::default() };
        store.save(&page.key, &Entry::default(), &entry, &clock, None).unwrap();
    }
    let keys = store.writes_due(at(20), 10).unwrap();
    assert_eq!(keys.iter().map(PageKey::path).collect::<Vec<_>>(), ["/a", "/b"]);
    assert_eq!(store.next_write(), Ok(Some(at(10))));
}

#[test]
fn of_two_invalidations_of_one_scope_the_later_counts_whichever_object_has_numbered_it() {
    let store = coordinator();
    let mut clock = Clock::resume(None);
    let mut note = |seq, time| {
        let target = Target::Tag(tag("x"));
        let invalidation = Invalidation { seq, at: at(time), target, mode: Mode::Expire, refresh: Refresh::Lazy };
        let received = clock.observe(at(time), at(time), 1);
        store.note_invalidation(&invalidation, received, &clock, at(0)).unwrap();
        let later = Version::from_parts(received.time(), u128::MAX >> 48);
        store.invalidated_since(later, "/", &[tag("x")]).unwrap()
    };
    let elsewhere = TagIndexName::all(2).last().unwrap().before_first() + 1;
    for (seq, time) in [(7, 100), (elsewhere, 200), (8, 300)] {
        assert_eq!(note(seq, time), None, "nothing is later than the one that has just come");
    }
    let before = Version::from_parts(at(250), 1);
    assert_eq!(store.invalidated_since(before, "/", &[tag("x")]), Ok(Some(Mode::Expire)), "8 came after 250");
}

#[test]
fn the_breaker_is_kept_while_it_counts() {
    let store = coordinator();
    let (key, clock) = (page("/", &[], 1).key, Clock::resume(None));
    let breaker = Breaker::from_stored(2, at(70), "1f:60:u 2:61:s");
    let closed = Breaker::from_stored(0, at(0), "1f:60:e");
    for kept in [breaker.clone(), Breaker::from_stored(3, at(70), &breaker.evidence()), closed, Breaker::default()] {
        store.save(&key, &Entry::default(), &Entry::default(), &clock, Some(&kept)).unwrap();
        assert_eq!(store.breaker(), Ok(kept));
    }
}

#[test]
fn each_scope_and_mode_is_stored_and_read_back() {
    let store = coordinator();
    let mut clock = Clock::resume(None);
    let page = page("/a/b", &["x"], 1000);
    assert_eq!(store.invalidated(&page), Ok(None));
    let path = |path: &str| CanonicalPath::parse(path).unwrap();
    let targets = [
        (Target::Path(path("/a/b")), true),
        (Target::Path(path("/a")), false),
        (Target::Tag(tag("x")), true),
        (Target::Tag(tag("y")), false),
        (Target::Prefix(path("/a").try_into().unwrap()), true),
        (Target::Prefix(path("/").try_into().unwrap()), true),
        (Target::Prefix(path("/b").try_into().unwrap()), false),
        (Target::Route(RouteId::from_stored("/*").unwrap()), true),
        (Target::Everything, true),
    ];
    for (target, is_concerned) in targets {
        for mode in [Mode::Stale, Mode::Expire, Mode::Purge] {
            let store = coordinator();
            let invalidation =
                Invalidation { seq: 1, at: at(2000), target: target.clone(), mode, refresh: Refresh::Lazy };
            let received = clock.observe(at(2000), at(1500), 9);
            store.note_invalidation(&invalidation, received, &clock, at(0)).unwrap();
            assert_eq!(store.invalidated(&page), Ok(is_concerned.then_some(mode)), "{target:?}");
        }
    }
}

#[test]
fn every_invalidation_by_tag_concerns_a_page_that_carries_every_tag() {
    let store = coordinator();
    let mut clock = Clock::resume(None);
    let (all, some) = (page("/all", &["a", Tag::every().as_str()], 1000), page("/some", &["a"], 1000));
    for page in [&all, &some] {
        let entry = Entry { page: Some(page.clone()), ..Entry::default() };
        store.save(&page.key, &Entry::default(), &entry, &Clock::resume(None), None).unwrap();
    }
    for (name, matched) in [("a", 2), ("dropped", 1)] {
        assert_eq!(store.matched(&Target::Tag(tag(name))), Ok(matched), "{name}");
    }
    let received = clock.observe(at(2000), at(1500), 9);
    let target = Target::Tag(tag("dropped"));
    let invalidation = Invalidation { seq: 1, at: at(2000), target, mode: Mode::Purge, refresh: Refresh::Lazy };
    store.note_invalidation(&invalidation, received, &clock, at(0)).unwrap();
    assert_eq!((store.invalidated(&all), store.invalidated(&some)), (Ok(Some(Mode::Purge)), Ok(None)));
}
