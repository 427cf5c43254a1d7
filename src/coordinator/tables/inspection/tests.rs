//! Compares the views with the code: both must agree.

mod states;

use super::*;
use crate::coordinator::{Breaker, Entry, Lease, Purpose};
use crate::invalidation::{Invalidation, Mode, PathPrefix, Refresh, Target};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::Windows;
use crate::semantics::key::CanonicalPath;
use crate::sql::rusqlite::MemorySql;
use crate::time::Timestamp;
use crate::version::Clock;

type Store = CoordinatorStore<MemorySql>;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn version(millis: u64) -> Version {
    Version::from_parts(at(millis), 1 << 40)
}

fn key(path: &str) -> PageKey {
    PageKey::from_stored(&format!("https://e.com{path}")).unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::parse(name).unwrap()
}

fn path(path: &str) -> CanonicalPath {
    CanonicalPath::parse(path).unwrap()
}

fn store() -> Store {
    CoordinatorStore::open(MemorySql::new()).unwrap()
}

/// Stops the clock of the views.
fn stop_clock(store: &Store, now: Timestamp) {
    let view = format!("DROP VIEW moment; CREATE VIEW moment AS SELECT {} AS now", now.as_millis());
    store.sql().0.execute_batch(&view).unwrap();
}

fn save(store: &Store, key: &PageKey, entry: &Entry) {
    store.save(key, &Entry::default(), entry, &Clock::resume(None), None).unwrap();
}

fn all(pages: Pages) -> ShardQuestion {
    ShardQuestion { pages, after: None, limit: 1000, totals: true }
}

fn page(key: &PageKey, start: u64, windows: Windows, tags: &[&str]) -> PageMeta {
    PageMeta {
        key: key.clone(),
        version: version(start),
        status: 200,
        rendered_at: at(start + 3),
        windows,
        tags: tags.iter().map(|name| tag(name)).collect(),
        body_bytes: Some(17),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    }
}

const ENDLESS: Windows = Windows { fresh_until: None, stale_until: None, error_until: None };

/// Returns whether a target names a page, in the simplest possible way.
fn names(target: &Target, page: &PageMeta) -> bool {
    let own = page.key.path();
    match target {
        Target::Path(path) => path.as_str() == own,
        Target::Tag(tag) => page.tags.contains(tag),
        Target::Prefix(prefix) => {
            let segments =
                |path: &str| path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            segments(own).starts_with(&segments(prefix.as_str()))
        }
        Target::Route(_) | Target::Everything => true,
    }
}

#[test]
fn a_prefix_concerns_what_it_concerns_for_the_code() {
    let deep = "/a".repeat(20);
    for prefix in ["/", "/a", "/ab", "/a/b", "/a/b/c", "/%C3%BC", &deep[..32]] {
        for path_of_page in ["/", "/a", "/ab", "/a/b", "/a/bc", "/a/b/c", "/ab/c", "/%C3%BC/x", "/%C3%BCx", "/A", &deep]
        {
            let (store, key) = (store(), key(path_of_page));
            let page = page(&key, 1, ENDLESS, &[]);
            save(&store, &key, &Entry { page: Some(page.clone()), ..Entry::default() });
            let target = Target::Prefix(PathPrefix::try_from(path(prefix)).unwrap());
            let invalidation = Invalidation { seq: 1, at: at(2), target, mode: Mode::Stale, refresh: Refresh::Lazy };
            store.note_invalidation(&invalidation, version(2), &Clock::resume(None), Timestamp::default()).unwrap();
            let is_concerned = store.invalidated(&page).unwrap().is_some();
            assert_eq!(is_concerned, names(&invalidation.target, &page), "{prefix} {path_of_page}");
            let shown = store.inspect(&all(Pages::All)).unwrap().pages.remove(0);
            let state = if is_concerned { State::Stale } else { State::Fresh };
            assert_eq!((shown.state, shown.invalidated.is_some()), (state, is_concerned), "{prefix} {path_of_page}");
        }
    }
}

#[test]
fn a_page_that_is_being_rendered_for_the_first_time_is_shown() {
    let store = store();
    for (path, since) in [("/a/b?c=/d", 5), ("/", 6)] {
        let lease = Lease { token: version(since), purpose: Purpose::Cold, expires_at: at(75), attempt: 1 };
        save(&store, &key(path), &Entry { lease: Some(lease), ..Entry::default() });
    }
    let shown = store.inspect(&all(Pages::All)).unwrap().pages;
    let short: Vec<_> =
        shown.iter().map(|page| (page.path.as_str(), page.state, page.rendering.unwrap().began_at)).collect();
    assert_eq!(short, [("/", State::Absent, at(6)), ("/a/b", State::Absent, at(5))]);
    assert_eq!(store.inspect(&all(Pages::Path(path("/a/b")))).unwrap().pages, [shown[1].clone()]);
}

#[test]
fn a_list_is_told_page_by_page() {
    let store = store();
    for n in 0..205 {
        let key = key(&format!("/many?n={n:03}"));
        let entry = Entry { page: Some(page(&key, n, ENDLESS, &["t"])), ..Entry::default() };
        save(&store, &key, &entry);
    }
    let leased = Entry {
        lease: Some(Lease { token: version(1), purpose: Purpose::Background, expires_at: at(9), attempt: 0 }),
        ..Entry::default()
    };
    save(&store, &key("/many?n=100x"), &leased);
    for (pages, count) in
        [(Pages::All, 206), (Pages::Path(path("/many")), 206), (Pages::Tag(tag("t")), 205), (Pages::Path(path("/")), 0)]
    {
        let (mut keys, mut after, mut sizes) = (Vec::new(), None, Vec::new());
        loop {
            let question = ShardQuestion { pages: pages.clone(), after, limit: 100, totals: false };
            let answer = store.inspect(&question).unwrap();
            assert_eq!((answer.shard, answer.totals), (None, None));
            sizes.push(answer.pages.len());
            keys.extend(answer.pages.into_iter().map(|page| page.key.as_str().to_owned()));
            after = keys.last().map(|key| PageKey::from_stored(key).unwrap());
            if !answer.more {
                break;
            }
        }
        assert!(keys.is_sorted(), "{pages:?}");
        assert_eq!((keys.len(), sizes.iter().all(|size| *size <= 100)), (count, true), "{pages:?}");
        keys.dedup();
        assert_eq!(keys.len(), count, "each once");
    }
    let exact = ShardQuestion { pages: Pages::Tag(tag("t")), after: None, limit: 205, totals: true };
    let answer = store.inspect(&exact).unwrap();
    assert_eq!((answer.more, answer.totals.map(|totals| totals.total)), (false, Some(205)));
    let none = store.inspect(&ShardQuestion { limit: 0, ..exact }).unwrap();
    assert_eq!((none.pages.len(), none.totals), (0, answer.totals));
}

#[test]
fn the_breaker_is_shown_as_it_acts() {
    for pauses in [0, 1, 7] {
        for probe_at in [0, 9, 10, 11] {
            let (store, now) = (store(), at(10));
            stop_clock(&store, now);
            let breaker = Breaker::from_stored(pauses, at(probe_at), "1:5:u 2:5:e 3:5:s");
            store.save(&key("/"), &Entry::default(), &Entry::default(), &Clock::resume(None), Some(&breaker)).unwrap();
            let is_ever_open = pauses > 0;
            let state = match (is_ever_open, breaker.holds_until(now, false)) {
                (false, _) => BreakerWord::Closed,
                (true, Some(_)) => BreakerWord::Open,
                (true, None) => BreakerWord::HalfOpen,
            };
            let probe_at = is_ever_open.then_some(breaker.probe_at);
            let shown = store.inspect(&all(Pages::All)).unwrap().shard.unwrap().breaker;
            assert_eq!(shown, BreakerState { state, failures: 2, probe_at });
        }
    }
}

#[test]
fn times_are_there_to_be_read() {
    let store = store();
    let windows = Windows { fresh_until: Some(at(1_700_000_060_007)), ..ENDLESS };
    save(
        &store,
        &key("/"),
        &Entry { page: Some(page(&key("/"), 1_700_000_000_000, windows, &[])), ..Entry::default() },
    );
    let texts = "SELECT state, render_began_utc, rendered_utc, fresh_until_utc, stale_until_utc FROM page_state";
    let row = store.sql().query(texts, &[]).unwrap().remove(0);
    let text = |text: &str| Value::Text(text.to_owned());
    let (began, rendered, fresh) = ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.003Z", "2023-11-14T22:14:20.007Z");
    assert_eq!(row, [text("stale"), text(began), text(rendered), text(fresh), Value::Null]);
}
