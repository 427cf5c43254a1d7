//! The views say what the code does: they are compared with it, in situations drawn at random.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::coordinator::{
    Action, Answer, Breaker, Context, Entry, Event, Lease, PendingWrite, Policy, Purpose, Room, StoredCopy, WaiterId,
    handle,
};
use crate::feed::{Invalidation, Mode, PathPrefix, Refresh, Scope};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::{Freshness, Windows};
use crate::semantics::key::CanonicalPath;
use crate::store::rusqlite::MemorySql;
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

fn shard(name: &str) -> ShardName {
    ShardName::from_stored(name).unwrap()
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
    }
}

const ENDLESS: Windows = Windows { fresh_until: None, stale_until: None, error_until: None };

/// Says whether a scope names a page, in as plain a way as there is.
fn names(scope: &Scope, page: &PageMeta) -> bool {
    let own = page.key.path();
    match scope {
        Scope::Path(path) => path.as_str() == own,
        Scope::Tag(tag) => page.tags.contains(tag),
        Scope::Prefix(prefix) => {
            let segments =
                |path: &str| path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            segments(own).starts_with(&segments(prefix.as_str()))
        }
        Scope::Route(_) | Scope::Everything => true,
    }
}

/// Asks the state machine what it would do with a visitor who has nothing, and says in which state the page is.
fn state_by_code(store: &Store, key: &PageKey, entry: &Entry, now: Timestamp) -> State {
    let page = entry.page.as_ref();
    let tags = page.map_or(&[][..], |page| page.tags.as_slice());
    let since = |version| store.invalidated_since(version, key.path(), tags).unwrap();
    let mut context = Context {
        now,
        random: 0,
        clock: &mut Clock::resume(None),
        breaker: &mut Breaker::default(),
        policy: Policy { expire: Duration::from_secs(9), render_timeout: Duration::ZERO, pass_ttl: Duration::ZERO },
        room: Room::Now,
        lifted: entry.marked_by.is_some_and(|mark| since(mark).is_some()),
        invalidated: page.and_then(|page| since(page.version)),
        growing: None,
        copy_invalidated: false,
    };
    let (after, actions) = handle(entry.clone(), Event::Miss { waiter: WaiterId(1) }, &mut context);
    let answer =
        actions.iter().find_map(|action| if let Action::Answer { answer, .. } = action { Some(answer) } else { None });
    match answer {
        Some(Answer::Pass { .. }) => State::Passing,
        Some(Answer::Page(page)) if page.windows.freshness(now) == Freshness::Fresh => State::Fresh,
        Some(Answer::Page(_)) => State::Stale,
        _ if after.page.is_some() => State::Expired,
        _ => State::Absent,
    }
}

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/a?x=1", "/a/b?y=2", "/%C3%BC"];
const TAGS: [&str; 3] = ["x", "y:1", "z"];
const END: u64 = 12;

fn time() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0..END)
}

fn scope() -> impl Strategy<Value = Scope> {
    let prefix = |text: &str| Scope::Prefix(PathPrefix::try_from(path(text)).unwrap());
    prop_oneof![
        prop::sample::select(vec!["/", "/a", "/a/b", "/ab"]).prop_map(|text| Scope::Path(path(text))),
        prop::sample::select(TAGS.to_vec()).prop_map(|name| Scope::Tag(tag(name))),
        prop::sample::select(vec!["/", "/a", "/a/b", "/b"]).prop_map(prefix),
        Just(Scope::Route(RouteId::from_stored("/*").unwrap())),
        Just(Scope::Everything),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Stale, Mode::Expire, Mode::Purge])
}

/// What an entry may be; which page it is of comes later.
fn entry() -> impl Strategy<Value = Entry> {
    let windows = (time(), time(), time());
    let published = (0..END, windows, prop::sample::subsequence(TAGS.to_vec(), 0..=TAGS.len()));
    let lease = (0..END, any::<bool>(), 0..3_u32);
    let marks = (0..3_u32, time(), time(), time());
    let write = prop::option::of((any::<bool>(), 0..END, 0..3_u32));
    (prop::option::of(published), prop::option::of(lease), marks, write, time(), any::<bool>()).prop_map(
        |(parts, lease, (failures, retry_at, pass_until, marked_by), write, written_at, is_copied)| Entry {
            page: parts.map(|(start, (fresh, stale, error), tags)| {
                let windows =
                    Windows { fresh_until: fresh.map(at), stale_until: stale.map(at), error_until: error.map(at) };
                page(&key("/"), start, windows, &tags)
            }),
            lease: lease.map(|(since, is_cold, attempt)| Lease {
                token: version(since),
                purpose: if is_cold { Purpose::Cold } else { Purpose::Background },
                expires_at: at(since + 70),
                attempt,
            }),
            failures,
            retry_at: retry_at.map(at),
            pass_until: pass_until.map(at),
            marked_by: marked_by.map(version),
            pending: write.map(|(is_deletion, due, attempts)| PendingWrite {
                version: (!is_deletion).then(|| version(1)),
                due: at(due),
                attempts,
            }),
            written_at: written_at.map(at),
            copy: is_copied
                .then(|| StoredCopy { version: version(2), digest: Digest::parse(&"7".repeat(32)).unwrap() }),
        },
    )
}

fn l2_by_code(entry: &Entry) -> L2State {
    let state = match (entry.pending, entry.written_at, &entry.page) {
        (Some(PendingWrite { version: None, .. }), ..) => L2::Deleting,
        (Some(_), ..) => L2::Writing,
        (None, None, _) => L2::None,
        (None, Some(_), Some(_)) => L2::Written,
        (None, Some(_), None) => L2::Unknown,
    };
    L2State {
        state,
        version: entry.copy.map(|copy| copy.version),
        written_at: entry.written_at,
        due_at: entry.pending.map(|write| write.due),
        attempts: entry.pending.map_or(0, |write| u64::from(write.attempts)),
    }
}

proptest! {
    // Eight pages each.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_page_is_in_the_state_in_which_the_code_sees_it(
        entries in prop::collection::vec(entry(), PATHS.len()),
        mut told in prop::collection::vec((0..END, scope(), mode()), 0..8),
        now in 0..END,
    ) {
        let (store, now) = (store(), at(now));
        stop_clock(&store, now);
        let mut pages = Vec::new();
        for (path, entry) in PATHS.iter().zip(entries) {
            let key = key(path);
            let page = entry.page.clone().map(|page| PageMeta { key: key.clone(), ..page });
            let entry = Entry { page, ..entry };
            save(&store, &key, &entry);
            pages.push((key, entry));
        }
        store.note_registered(&TAGS.map(tag), 1).unwrap();
        // A coordinator's clock rises: so do the times at which it receives.
        told.sort_by_key(|(time, ..)| *time);
        let mut received = Vec::new();
        for (seq, (time, scope, mode)) in (1..).zip(told) {
            let invalidation = Invalidation { seq, at: at(time + 100), scope, mode, refresh: Refresh::Lazy };
            let version = Version::from_parts(at(time), (2 << 40) + u128::from(seq));
            store.note_invalidation(&invalidation, version, &Clock::resume(None)).unwrap();
            received.push((version, invalidation));
        }
        let shown = store.inspect(&all(Pages::All)).unwrap();
        pages.retain(|(_, entry)| *entry != Entry::default());
        pages.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        prop_assert_eq!(shown.pages.len(), pages.len());
        let mut states = Vec::new();
        for (shown, (key, entry)) in shown.pages.iter().zip(&pages) {
            let state = state_by_code(&store, key, entry, now);
            let page = entry.page.as_ref();
            let since = received.iter().filter(|(version, invalidation)| {
                page.is_some_and(|page| *version > page.version && names(&invalidation.scope, page))
            });
            let strongest = since.max_by_key(|(_, invalidation)| (invalidation.mode, invalidation.seq));
            let began = |version: Option<Version>| version.map(Version::time);
            let windows = page.map_or(ENDLESS, |page| page.windows);
            let expected = PageState {
                key: key.clone(),
                path: key.path().to_owned(),
                state,
                version: page.map(|page| page.version),
                status: page.map(|page| page.status),
                body_bytes: page.and_then(|page| page.body_bytes),
                tags: page.map(|page| page.tags.clone()).unwrap_or_default(),
                heat: 0,
                render_began_at: began(page.map(|page| page.version)),
                rendered_at: page.map(|page| page.rendered_at),
                fresh_until: windows.fresh_until,
                stale_until: windows.stale_until,
                error_until: windows.error_until,
                invalidated: strongest.map(|(_, invalidation)| {
                    let (kind, name) = crate::store::coordinator::scope_columns(&invalidation.scope);
                    let (kind, name) = (kind.to_owned(), name.to_owned());
                    InvalidatedBy { seq: invalidation.seq, kind, name, mode: invalidation.mode, at: invalidation.at }
                }),
                failures: u64::from(entry.failures),
                failure_began_at: began(entry.marked_by.filter(|_| entry.failures > 0)),
                retry_at: entry.retry_at,
                pass_until: entry.pass_until,
                rendering: entry.lease.map(|lease| Rendering {
                    purpose: if lease.purpose == Purpose::Cold { RenderPurpose::Cold } else { RenderPurpose::Background },
                    began_at: lease.token.time(),
                    expires_at: lease.expires_at,
                    attempt: u64::from(lease.attempt),
                }),
                l2: l2_by_code(entry),
            };
            prop_assert_eq!(shown, &expected);
            prop_assert_eq!(shown.invalidated.as_ref().map(|by| by.mode), page.and_then(|page| store.invalidated(page).unwrap()));
            states.push((state, page));
        }
        let count = |wanted: State, tag: Option<&Tag>| {
            let carries = |page: &PageMeta| tag.is_none_or(|tag| page.tags.contains(tag));
            states.iter().filter(|(state, page)| *state == wanted && (tag.is_none() || page.is_some_and(carries))).count() as u64
        };
        let totals = |tag: Option<&Tag>| {
            let [fresh, stale, expired] = [State::Fresh, State::Stale, State::Expired].map(|state| count(state, tag));
            Totals { total: fresh + stale + expired, fresh, stale, expired }
        };
        let shard = shown.shard.unwrap();
        prop_assert_eq!((shard.pages, shard.passing), (totals(None), count(State::Passing, None)));
        prop_assert_eq!(shard.last_invalidation, received.last().map(|(_, invalidation)| invalidation.seq));
        prop_assert_eq!(shard.renders, pages.iter().filter(|(_, entry)| entry.lease.is_some()).count() as u64);
        prop_assert_eq!(shard.l2.pending, pages.iter().filter(|(_, entry)| entry.pending.is_some()).count() as u64);
        prop_assert_eq!(shard.failing, pages.iter().filter(|(_, entry)| entry.failures > 0).count() as u64);
        for name in TAGS.map(tag) {
            let told = store.inspect(&all(Pages::Tag(name.clone()))).unwrap();
            let carried = states.iter().filter(|(_, page)| page.is_some_and(|page| page.tags.contains(&name)));
            prop_assert_eq!((told.totals, told.pages.len()), (Some(totals(Some(&name))), carried.count()));
        }
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
            let scope = Scope::Prefix(PathPrefix::try_from(path(prefix)).unwrap());
            let invalidation = Invalidation { seq: 1, at: at(2), scope, mode: Mode::Stale, refresh: Refresh::Lazy };
            store.note_invalidation(&invalidation, version(2), &Clock::resume(None)).unwrap();
            let is_concerned = store.invalidated(&page).unwrap().is_some();
            assert_eq!(is_concerned, names(&invalidation.scope, &page), "{prefix} {path_of_page}");
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
    for failures in [0, 1, 7, 8, 20] {
        for probe_at in [0, 9, 10, 11] {
            let (store, now) = (store(), at(10));
            stop_clock(&store, now);
            let breaker = Breaker { failures, probe_at: at(probe_at) };
            store.save(&key("/"), &Entry::default(), &Entry::default(), &Clock::resume(None), Some(&breaker)).unwrap();
            let is_ever_open = Breaker { probe_at: at(99), ..breaker }.holds_until(now).is_some();
            let state = match (is_ever_open, breaker.holds_until(now)) {
                (false, _) => BreakerWord::Closed,
                (true, Some(_)) => BreakerWord::Open,
                (true, None) => BreakerWord::HalfOpen,
            };
            let probe_at = is_ever_open.then_some(breaker.probe_at);
            let shown = store.inspect(&all(Pages::All)).unwrap().shard.unwrap().breaker;
            assert_eq!(shown, BreakerState { state, failures: u64::from(failures), probe_at });
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

#[test]
fn the_tag_index_tells_where_a_tag_is_and_what_is_on_its_way() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (a, b) = (shard("/a/*#0"), shard("/b/*#1"));
    store.register(&b, 2, &[tag("x")], at(0)).unwrap();
    store.register(&b, 8, &[], at(0)).unwrap();
    store.register(&a, 1, &[tag("x"), tag("y")], at(0)).unwrap();
    let append = |scope, mode| store.append(scope, mode, Refresh::Lazy, None, at(100)).unwrap().seq;
    let first = append(Scope::Tag(tag("x")), Mode::Expire);
    let second = append(Scope::Tag(tag("x")), Mode::Stale);
    let everything = append(Scope::Everything, Mode::Purge);
    append(Scope::Tag(tag("nowhere")), Mode::Expire);
    store.delivered(first, &a, 3).unwrap();
    store.delivered(first, &b, 4).unwrap();
    store.delivered(second, &a, 0).unwrap();
    store.put_off(second, &b, at(1_700_000_000_000)).unwrap();
    store.delivered(everything, &a, 9).unwrap();

    let last = |seq, mode| Some(LastInvalidation { seq, mode, at: at(1100) });
    for (name, entry) in [
        (
            "x",
            TagEntry { shards: vec![a.clone(), b.clone()], last_invalidation: last(second, Mode::Stale), pending: 1 },
        ),
        ("y", TagEntry { shards: vec![a.clone()], last_invalidation: None, pending: 0 }),
        ("nowhere", TagEntry { shards: vec![], last_invalidation: last(4, Mode::Expire), pending: 0 }),
        ("unheard-of", TagEntry::default()),
    ] {
        assert_eq!(store.inspect_tag(&tag(name)), Ok(entry), "{name}");
    }
    assert_eq!(store.inspect_shard(&a), Ok(Some(ShardEntry::default())));
    assert_eq!(store.inspect_shard(&b), Ok(Some(ShardEntry { pending: 2, oldest_pending: Some(second) })));
    assert_eq!(store.inspect_shard(&shard("/c#0")), Ok(None));

    let rows = |sql: &str| -> Vec<String> {
        let text = |value| match value {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
        };
        let rows = store.sql().query(sql, &[]).unwrap().into_iter();
        rows.map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(
        rows(
            "SELECT seq, kind, name, shards, applied, pending, matched, pending_shards, failed_attempts, next_attempt_utc \
              FROM delivery_state ORDER BY seq"
        ),
        [
            "1 tag x 2 2 0 7 - - -",
            "2 tag x 2 1 1 0 /b/*#1 1 2023-11-14T22:13:20.000Z",
            "3 everything  2 1 1 9 /b/*#1 0 1970-01-01T00:00:00.100Z",
            "4 tag nowhere 0 0 0 0 - - -",
        ]
    );
    let directory = rows("SELECT shard, route, spread_over, tags, pending FROM shard_directory ORDER BY shard");
    assert_eq!(directory, ["/a/*#0 /a/* 1 2 0", "/b/*#1 /b/* 2, 8 1 2"]);
}
