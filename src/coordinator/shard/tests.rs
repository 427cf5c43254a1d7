//! Tests across the keys of a shard, and across its restarts, on a real SQLite.

use std::time::Duration;

use serde_json::json;

mod bounds;
mod clock;
mod counting;
mod decisions;
mod failing_store;
mod retire;
mod validation;

use super::*;
use crate::coordinator::{Entry, RenderOutcome};
use crate::invalidation::{Mode, Refresh, Target};
use crate::protocol::{RegisterAnswer, Reply, ToTagIndex};
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::storable::OriginFailure;
use crate::semantics::tag::Tag;
use crate::sql::rusqlite::MemorySql;

type TestShard = Shard<MemorySql, &'static str>;

fn config() -> Config {
    Config::from_json(&json!({ "routes": { "/*": {} } })).unwrap()
}

fn at(millis: u64) -> Moment {
    Moment { now: Timestamp::from_millis(millis), random: 7 }
}

fn key(path: &str) -> PageKey {
    PageKey::from_stored(&format!("https://e.com{path}")).unwrap()
}

fn name() -> ShardName {
    ShardName::from_stored("/*#0").unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::parse(name).unwrap()
}

fn page(path: &str, token: Version, tags: &[&str]) -> PageMeta {
    PageMeta {
        key: key(path),
        version: token,
        status: 200,
        rendered_at: token.time(),
        windows: Windows::new(token.time(), Revalidate::Never, Duration::ZERO, Duration::ZERO).unwrap(),
        tags: tags.iter().map(|name| tag(name)).collect(),
        body_bytes: Some(4),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    }
}

fn miss(waiter: u64, path: &str) -> Input<&'static str> {
    Input::Request {
        waiter: WaiterId(waiter),
        shard: name(),
        key: key(path),
        served: None,
        newer_than: None,
        forwarded: false,
        renders: false,
    }
}

fn rendered(path: &str, token: Version, tags: &[&str]) -> Input<&'static str> {
    let page = page(path, token, tags);
    let outcome = RenderOutcome::Done(page.clone());
    Input::Ended { key: key(path), token, outcome, answer: Some((page, "body")) }
}

/// Gives the shard an input, and writes the effects in short form.
fn on(shard: &mut TestShard, moment: Moment, input: Input<&'static str>) -> Vec<String> {
    let Handled { effects, failure } = shard.on(&config(), moment, input);
    assert_eq!(failure, None);
    effects.iter().filter_map(short).collect()
}

fn short(effect: &Effect<&'static str>) -> Option<String> {
    Some(match effect {
        Effect::Reply { waiter, reply, page } => {
            let reply = match reply {
                Reply::Page { rendered, collapsed } => format!("page rendered={rendered} collapsed={collapsed}"),
                other => format!("{other:?}"),
            };
            format!("reply {} {reply} {}", waiter.0, page.as_ref().map_or("-", |(_, body)| body))
        }
        Effect::Render { key, driven, .. } => format!("render {} driven={driven}", key.path()),
        Effect::Forward { waiter, owner } => format!("forward {} to {owner}", waiter.0),
        Effect::Abandon { .. } => "abandon".to_owned(),
        Effect::Register { messages, .. } => {
            let of = |message: &ToTagIndex| match message {
                ToTagIndex::Register { tags, since, .. } => (tags.clone(), since.as_millis()),
                other => panic!("{other:?}"),
            };
            let messages: Vec<_> = messages.iter().map(|(_, message)| of(message)).collect();
            let mut tags: Vec<&str> = messages.iter().flat_map(|(tags, _)| tags).map(Tag::as_str).collect();
            tags.sort_unstable();
            format!("register {} since {}", tags.join(" "), messages[0].1)
        }
        Effect::Unregister { messages } => format!("unregister at {}", messages.len()),
        Effect::End => "end".to_owned(),
        Effect::Read(read) => format!("read {} for {}", read.page.key.path(), read.waiters.len()),
        Effect::Write(page, _) => format!("write {}", page.key.path()),
        Effect::Delete(key) => format!("delete {}", key.path()),
        Effect::WakeAt(_) | Effect::Ring => return None,
    })
}

fn token(shard: &TestShard, path: &str) -> Version {
    shard.store.load(&key(path)).unwrap().lease.unwrap().token
}

/// Opens a shard that the tag index already knows.
fn open() -> TestShard {
    let shard = Shard::open(MemorySql::new(), &config(), at(0)).unwrap().0;
    shard.store.note_registered(&[], 1).unwrap();
    shard
}

fn reopen(shard: TestShard, moment: Moment) -> (TestShard, Vec<String>) {
    let (shard, effects) = Shard::open(shard.store.into_sql(), &config(), moment).unwrap();
    let effects = effects.iter().filter_map(short).collect();
    (shard, effects)
}

#[test]
fn all_who_wait_get_one_render_and_who_comes_later_what_is_held() {
    let mut shard = open();
    assert_eq!(on(&mut shard, at(10), miss(1, "/a")), ["render /a driven=false"]);
    assert_eq!(on(&mut shard, at(11), miss(2, "/a")), [""; 0]);
    let token = token(&shard, "/a");
    let effects = on(&mut shard, at(50), rendered("/a", token, &[]));
    let first = "reply 1 page rendered=true collapsed=false body";
    assert_eq!(effects, [first, "reply 2 page rendered=true collapsed=true body", "write /a"]);
    assert_eq!(on(&mut shard, at(60), miss(3, "/a")), ["reply 3 page rendered=false collapsed=false body"]);
    assert_eq!(shard.waiting.len(), 0);
}

#[test]
fn a_shard_registers_itself_before_its_first_page() {
    let mut shard: TestShard = Shard::open(MemorySql::new(), &config(), at(0)).unwrap().0;
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(50), rendered("/a", token, &[])), ["register  since 10"]);
    let everything = Invalidation {
        seq: 1,
        at: Timestamp::from_millis(30),
        target: Target::Everything,
        mode: Mode::Purge,
        refresh: Refresh::Lazy,
    };
    let answer = Some(RegisterAnswer { invalidations: vec![everything], floor: Timestamp::default() });
    assert_eq!(on(&mut shard, at(60), Input::Registered { token, answer }), ["render /a driven=false"]);
    let token = self::token(&shard, "/a");
    let reply = "reply 1 page rendered=true collapsed=false body";
    assert_eq!(on(&mut shard, at(70), rendered("/a", token, &[])), [reply, "write /a"]);
}

#[test]
fn after_a_change_of_tag_shards_tags_are_registered_anew_before_a_page_is_fresh() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", first, &["x"]));
    on(&mut shard, at(60), Input::Registered { token: first, answer: Some(RegisterAnswer::default()) });
    assert_eq!(on(&mut shard, at(70), miss(2, "/a")), ["reply 2 page rendered=false collapsed=false body"]);

    let config = Config { tag_shards: 4, ..config() };
    let reopened = Shard::open(shard.store.into_sql(), &config, at(100)).unwrap();
    let (mut shard, _): (TestShard, _) = reopened;
    on(&mut shard, at(110), miss(3, "/a"));
    let second = token(&shard, "/a");
    assert_ne!(first, second, "the page is stale, and is rendered again");
    assert_eq!(on(&mut shard, at(111), Input::Alarm { room: 1, writes: 50 }), ["render /a driven=true"]);
    assert_eq!(on(&mut shard, at(120), rendered("/a", second, &["x"])), ["register x since 110"]);
    let (mut shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &config, at(130)).unwrap();
    on(&mut shard, at(140), miss(4, "/b"));
    let third = token(&shard, "/b");
    on(&mut shard, at(150), rendered("/b", third, &[]));
    on(&mut shard, at(160), Input::Registered { token: third, answer: Some(RegisterAnswer::default()) });
    let (mut shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &config, at(170)).unwrap();
    on(&mut shard, at(180), miss(5, "/b"));
    assert_eq!(shard.store.load(&key("/b")).unwrap().lease, None, "the same number again changes nothing");
}

/// A configuration with few pages.
fn few(max_pages: u64) -> Config {
    Config::from_json(&json!({ "routes": { "/*": { "max_pages": max_pages } } })).unwrap()
}

/// Sends a visitor to a page of a shard with few pages, and lets L2 accept everything. Returns the replies and the
/// deletions from L2.
fn visit_full(shard: &mut TestShard, few: &Config, moment: Moment, waiter: u64, path: &str, status: u16) -> String {
    let mut seen = Vec::new();
    let mut inputs = vec![miss(waiter, path)];
    while let Some(input) = inputs.pop() {
        let Handled { effects, failure } = shard.on(few, moment, input);
        assert_eq!(failure, None);
        for effect in effects {
            match &effect {
                Effect::Reply { .. } => {}
                Effect::Render { key, token, .. } => {
                    let page = PageMeta { status, ..page(key.path(), *token, &[]) };
                    let outcome = RenderOutcome::Done(page.clone());
                    let answer = Some((page, "body"));
                    inputs.push(Input::Ended { key: key.clone(), token: *token, outcome, answer });
                    continue;
                }
                Effect::Write(page, _) => {
                    inputs.push(Input::Wrote { key: page.key.clone(), version: Some(page.version), taken: true });
                    continue;
                }
                Effect::Delete(key) => inputs.push(Input::Wrote { key: key.clone(), version: None, taken: true }),
                Effect::Read(read) => {
                    inputs.push(Input::Read { read: read.clone(), found: ReadResult::Same("body") });
                    continue;
                }
                _ => continue,
            }
            seen.extend(short(&effect));
        }
    }
    seen.join(", ")
}

fn is_page(seen: &str) -> bool {
    seen.contains(" page rendered=")
}

#[test]
fn a_full_shard_admits_a_page_that_is_asked_for_again_whatever_the_others_are() {
    for status in [404, 200] {
        let few = few(100);
        let mut shard = open();
        // All of them come before there is pressure.
        for number in 0..100 {
            visit_full(&mut shard, &few, at(10 * number), number, &format!("/made-up/{number}"), status);
        }
        let later = 700_000_000;
        let first = visit_full(&mut shard, &few, at(later), 1000, "/new", 200);
        if status == 200 {
            assert_eq!(first, "reply 1000 Refused { reason: PagesFull } -");
        }
        let second = visit_full(&mut shard, &few, at(later + 100), 1001, "/new", 200);
        assert!(is_page(&second), "{status}: {second}");
        if status == 200 {
            assert!(second.contains("delete /made-up/"), "{second}");
        }
        assert!(shard.store.count_keys().unwrap() <= 100 + 100 / 8);
    }
}

#[test]
fn a_flood_of_made_up_urls_neither_displaces_what_is_asked_for_nor_keeps_a_new_page_out() {
    let few = few(1000);
    let mut shard = open();
    let real: Vec<String> = (0..100).map(|number| format!("/real/{number}")).collect();
    let (mut waiter, mut lost, mut millis) = (0, 0, 1_000_000);
    let mut published = BTreeSet::new();
    for round in 0..100 {
        for made_up in 0..100 {
            let path = format!("/{}/{made_up}", round * 7919 % 104_729);
            let status = if made_up % 3 == 0 { 404 } else { 200 };
            for _ in 0..=made_up % 2 {
                waiter += 1;
                millis += 3;
                visit_full(&mut shard, &few, at(millis), waiter, &path, status);
            }
        }
        for path in &real {
            waiter += 1;
            millis += 3;
            let seen = visit_full(&mut shard, &few, at(millis), waiter, path, 200);
            assert!(is_page(&seen), "{round}: {path}: {seen}");
            lost += usize::from(seen.contains("rendered=true") && !published.insert(path));
        }
        let keys = shard.store.count_keys().unwrap();
        assert!(keys <= 1000 + 1000 / 8, "{keys} rows");
    }
    assert_eq!(lost, 0, "a real page was rendered again");
    let first = visit_full(&mut shard, &few, at(millis + 1000), 1, "/new", 200);
    let second = visit_full(&mut shard, &few, at(millis + 1001), 2, "/new", 200);
    assert!(is_page(&first) || is_page(&second), "{first}, {second}");
}

#[test]
fn a_page_that_is_rendered_for_the_first_time_has_a_place_already() {
    let few = few(8);
    let mut shard = open();
    for number in 0..30 {
        for time in 0..3 {
            shard.on(&few, at(100 * number + time), miss(3 * number + time, &format!("/{number}")));
        }
    }
    let places = |shard: &TestShard| (shard.store.count_keys().unwrap(), shard.store.count_places().unwrap());
    assert_eq!(places(&shard), (0, 8), "all of them are rendered or wait for that");
    let (mut shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &few, at(4000)).unwrap();
    let seen = visit_full(&mut shard, &few, at(4000), 1000, "/new", 200);
    assert_eq!(seen, "reply 1000 Refused { reason: PagesFull } -", "another life counts them as well");
}

#[test]
fn without_room_for_rows_that_leave_nothing_is_displaced() {
    let few = few(8);
    let mut shard = open();
    for number in 0..8 {
        visit_full(&mut shard, &few, at(number), number, &format!("/{number}"), 200);
    }
    // L2 refuses each deletion, so one row stays although its page has left.
    let mut deletions = 0;
    for number in 0..20 {
        for time in 0..3 {
            let moment = at(100_000 + 1000 * number + time);
            let Handled { effects, .. } =
                shard.on(&few, moment, miss(100 + 3 * number + time, &format!("/new/{number}")));
            for effect in effects {
                if let Effect::Delete(key) = effect {
                    deletions += 1;
                    shard.on(&few, moment, Input::Wrote { key, version: None, taken: false });
                }
            }
        }
    }
    assert_eq!(deletions, 1);
}

/// Fills a shard of one page with `/a`, and displaces it by `/b`, whose render does not end. L2 refuses to delete `/a`.
fn with_leaving_page() -> (TestShard, Config) {
    let few = few(1);
    let mut shard = open();
    visit_full(&mut shard, &few, at(10), 1, "/a", 200);
    shard.on(&few, at(5000), miss(2, "/b"));
    shard.on(&few, at(5001), miss(3, "/b"));
    shard.on(&few, at(5002), Input::Wrote { key: key("/a"), version: None, taken: false });
    assert!(shard.store.load(&key("/a")).unwrap().is_forgotten() && shard.store.count_keys().unwrap() == 1);
    (shard, few)
}

#[test]
fn a_key_that_is_leaving_needs_a_place_like_any_other() {
    let (mut shard, few) = with_leaving_page();
    let seen = visit_full(&mut shard, &few, at(5003), 4, "/a", 200);
    assert_eq!(seen, "reply 4 Refused { reason: PagesFull } -");
}

#[test]
fn a_sweep_renders_no_key_that_is_leaving_without_a_place() {
    let few = few(1);
    let mut shard = open();
    visit_full(&mut shard, &few, at(10), 1, "/a", 200);
    let everything = Invalidation { target: Target::Everything, ..eager(Mode::Expire) };
    shard.on(&few, at(4000), Input::Invalidate(everything));
    shard.on(&few, at(4000), Input::Alarm { room: 0, writes: 20 });
    for waiter in 2..4 {
        shard.on(&few, at(5000 + waiter), miss(waiter, "/b"));
    }
    shard.on(&few, at(5005), Input::Wrote { key: key("/a"), version: None, taken: false });
    let effects = shard.on(&few, at(6000), Input::Alarm { room: 1, writes: 20 }).effects;
    let rendered: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Render { .. })).collect();
    assert!(rendered.is_empty(), "{rendered:?}");
    assert!(shard.store.load(&key("/a")).unwrap().is_forgotten());
}

#[test]
fn what_is_under_way_and_what_backs_off_is_not_displaced() {
    let few = few(4);
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/rendering"));
    let lease = token(&shard, "/rendering");
    on(&mut shard, at(10), miss(2, "/failing"));
    let failing = token(&shard, "/failing");
    let outcome = RenderOutcome::Failed(OriginFailure::Timeout);
    on(&mut shard, at(20), Input::Ended { key: key("/failing"), token: failing, outcome, answer: None });
    on(&mut shard, at(20), miss(3, "/unwritten"));
    let unwritten = token(&shard, "/unwritten");
    on(&mut shard, at(20), rendered("/unwritten", unwritten, &[]));
    on(&mut shard, at(20), miss(4, "/page"));
    let written = token(&shard, "/page");
    on(&mut shard, at(20), rendered("/page", written, &[]));
    on(&mut shard, at(21), Input::Wrote { key: key("/page"), version: Some(written), taken: true });

    let refused = |waiter| format!("reply {waiter} Refused {{ reason: PagesFull }} -");
    for number in 0..8 {
        let seen = visit_full(&mut shard, &few, at(5_000 + number), 10 + number, "/new", 200);
        if number == 0 {
            assert_eq!(seen, refused(10));
        }
    }
    assert_eq!(token(&shard, "/rendering"), lease);
    let failed = shard.store.load(&key("/failing")).unwrap();
    assert_eq!((failed.failures, failed.retry_at.is_some()), (1, true));
    assert_eq!(token_of_page(&shard, "/unwritten"), unwritten);
    assert_eq!(shard.store.load(&key("/page")).unwrap().page, None, "the only one that could go");
    assert!(shard.store.load(&key("/new")).unwrap().page.is_some());
}

#[test]
fn a_displaced_page_is_deleted_from_l2_until_l2_accepts_it() {
    let few = few(1);
    let mut shard = open();
    visit_full(&mut shard, &few, at(10), 1, "/a", 200);
    visit_full(&mut shard, &few, at(5000), 2, "/b", 200);
    let on = |shard: &mut TestShard, at, input| -> Vec<String> {
        shard.on(&few, at, input).effects.iter().filter_map(short).collect()
    };
    assert_eq!(on(&mut shard, at(5001), miss(3, "/b")), ["delete /a", "render /b driven=false"]);
    on(&mut shard, at(5002), Input::Wrote { key: key("/a"), version: None, taken: false });
    assert_eq!(on(&mut shard, at(7000), Input::Alarm { room: 0, writes: 20 }), ["delete /a"]);
    on(&mut shard, at(7001), Input::Wrote { key: key("/a"), version: None, taken: true });
    let entry = shard.store.load(&key("/a")).unwrap();
    assert_eq!((entry.page.is_none(), entry.pending), (true, None));
    // The hand collects the row.
    let token = token(&shard, "/b");
    on(&mut shard, at(7002), rendered("/b", token, &[]));
    on(&mut shard, at(9000), miss(4, "/c"));
    assert_eq!(shard.store.load(&key("/a")).unwrap(), Entry::default());
}

#[test]
fn pages_of_no_use_make_room_at_once() {
    let few = few(2);
    let mut shard = open();
    for (number, path) in [(1, "/a"), (2, "/b")] {
        visit_full(&mut shard, &few, at(10), number, path, 200);
    }
    assert_eq!(visit_full(&mut shard, &few, at(30), 3, "/c", 200), "reply 3 Refused { reason: PagesFull } -");
    assert_eq!(shard.waiting.len(), 0);
    let end = "UPDATE entries SET fresh_until = 50, stale_until = 50, error_until = 50 WHERE path = '/a'";
    shard.store.sql().query(end, &[]).unwrap();
    let (mut shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &few, at(10_000)).unwrap();
    visit_full(&mut shard, &few, at(10_000), 4, "/c", 200);
    let seen = visit_full(&mut shard, &few, at(12_000), 5, "/c", 200);
    assert!(is_page(&seen), "{seen}");
    assert!(token_of_page(&shard, "/b") < token_of_page(&shard, "/c"));
}

#[test]
fn tags_are_registered_before_the_page_is_published() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(50), rendered("/a", token, &["x"])), ["register x since 10"]);
    assert_eq!(shard.store.load(&key("/a")).unwrap().page, None);

    // The tag was invalidated after the render began: the page is rendered again, with a newer token.
    let invalidation = Invalidation {
        seq: 1,
        at: Timestamp::from_millis(30),
        target: Target::Tag(tag("x")),
        mode: Mode::Expire,
        refresh: Refresh::Lazy,
    };
    let answer = Some(RegisterAnswer { invalidations: vec![invalidation], floor: Timestamp::default() });
    let input = Input::Registered { token, answer };
    assert_eq!(on(&mut shard, at(60), input), ["render /a driven=false"]);
    let second = self::token(&shard, "/a");
    let effects = on(&mut shard, at(90), rendered("/a", second, &["x"]));
    assert_eq!(effects, ["reply 1 page rendered=true collapsed=false body", "write /a"], "x is registered by now");
}

#[test]
fn a_page_whose_tags_can_not_be_registered_is_handed_on_only() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", token, &["x"]));
    let effects = on(&mut shard, at(60), Input::Registered { token, answer: None });
    assert_eq!(effects, ["reply 1 Relay { reason: TagIndex } body"]);
    assert_eq!(shard.store.load(&key("/a")).unwrap().page, None);
}

/// Otherwise a coordinator whose clock is behind would store nothing until the clock has caught up.
#[test]
fn after_a_late_floor_of_the_tag_index_the_next_render_counts_as_later() {
    let mut shard = open();
    let floor = Timestamp::from_millis(3_000_000);
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", first, &["x"]));
    let registered = |token| Input::Registered { token, answer: Some(RegisterAnswer { invalidations: vec![], floor }) };
    assert_eq!(on(&mut shard, at(60), registered(first)), ["reply 1 Relay { reason: TagIndex } body"]);

    let (mut shard, _) = reopen(shard, at(5_000));
    on(&mut shard, at(5_010), miss(2, "/a"));
    let second = token(&shard, "/a");
    assert!(second.time() > floor);
    on(&mut shard, at(5_050), rendered("/a", second, &["x"]));
    assert_eq!(
        on(&mut shard, at(5_060), registered(second)),
        ["reply 2 page rendered=true collapsed=false body", "write /a"]
    );
}

#[test]
fn a_slow_render_is_not_overtaken_by_the_registration_of_another() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/slow"));
    // Meanwhile, at 80, the tag is invalidated, and no shard is known to carry it.
    on(&mut shard, at(100), miss(2, "/fast"));
    let (slow, fast) = (token(&shard, "/slow"), token(&shard, "/fast"));
    let effects = on(&mut shard, at(120), rendered("/fast", fast, &["x"]));
    assert_eq!(effects, ["register x since 10"], "since the oldest render under way began");
    let invalidation = Invalidation {
        seq: 1,
        at: Timestamp::from_millis(80),
        target: Target::Tag(tag("x")),
        mode: Mode::Expire,
        refresh: Refresh::Lazy,
    };
    let answer = Some(RegisterAnswer { invalidations: vec![invalidation], floor: Timestamp::default() });
    on(&mut shard, at(130), Input::Registered { token: fast, answer });
    assert_eq!(on(&mut shard, at(140), rendered("/slow", slow, &["x"])), ["render /slow driven=false"]);
}

#[test]
fn what_an_edge_knows_to_be_invalidated_is_rendered_again() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(20), rendered("/a", first, &[]));
    let told = Some(Timestamp::from_millis(5_000));
    let input = Input::Request {
        waiter: WaiterId(2),
        shard: name(),
        key: key("/a"),
        served: None,
        newer_than: told,
        forwarded: false,
        renders: false,
    };
    assert_eq!(on(&mut shard, at(30), input), ["render /a driven=false"]);
    assert!(token(&shard, "/a").time() > Timestamp::from_millis(5_000), "an edge that compares times sees it is newer");
}

#[test]
fn after_a_crash_the_page_is_found_in_l2_or_rendered_again() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(20), rendered("/a", first, &[]));
    let wrote = Input::Wrote { key: key("/a"), version: Some(first), taken: true };
    on(&mut shard, at(21), wrote);

    let (mut shard, _) = reopen(shard, at(1000));
    assert_eq!(on(&mut shard, at(1001), miss(1, "/a")), ["read /a for 1"]);
    let read = PageRead {
        page: page("/a", first, &[]),
        copy: None,
        reply: Reply::Page { rendered: false, collapsed: false },
        waiters: vec![WaiterId(1)],
    };
    let unknown = Input::Read { read: read.clone(), found: ReadResult::Unknown };
    let mut other_life = shard.clone_for_test();
    on(&mut other_life, at(1001), miss(1, "/a"));
    assert_eq!(on(&mut other_life, at(1002), unknown), ["reply 1 Refused { reason: Unreadable } -"]);
    let found = Input::Read { read: read.clone(), found: ReadResult::Same("body") };
    on(&mut other_life, at(1001), miss(1, "/a"));
    assert_eq!(on(&mut other_life, at(1002), found), ["reply 1 page rendered=false collapsed=false body"]);
    let other = Input::Read { read, found: ReadResult::Other };
    assert_eq!(on(&mut shard, at(1002), other), ["render /a driven=false"]);
}

#[test]
fn a_background_render_is_driven_again_in_the_next_life_and_a_cold_one_is_not_in_the_way() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/cold"));
    on(&mut shard, at(10), miss(2, "/old"));
    let old = token(&shard, "/old");
    on(&mut shard, at(20), rendered("/old", old, &[]));
    on(&mut shard, at(21), Input::Wrote { key: key("/old"), version: Some(old), taken: true });
    let soft = Invalidation {
        seq: 1,
        at: Timestamp::from_millis(30),
        target: Target::Path("/old".to_owned().try_into().unwrap()),
        mode: Mode::Stale,
        refresh: Refresh::Lazy,
    };
    on(&mut shard, at(30), Input::Invalidate(soft));
    let stale = Input::Request {
        waiter: WaiterId(3),
        shard: name(),
        key: key("/old"),
        served: Some(old),
        newer_than: None,
        forwarded: false,
        renders: false,
    };
    assert_eq!(on(&mut shard, at(40), stale), [""; 0]);
    assert_eq!(on(&mut shard, at(41), Input::Alarm { room: 6, writes: 50 }), ["render /old driven=true"]);
    let dead = token(&shard, "/old");

    let (mut shard, effects) = reopen(shard, at(1000));
    assert_eq!(effects, [""; 0]);
    assert!(shard.has_queued());
    assert_eq!(on(&mut shard, at(1001), Input::Alarm { room: 6, writes: 50 }), ["render /old driven=true"]);
    assert_eq!(
        on(&mut shard, at(1002), rendered("/old", dead, &[])),
        [""; 0],
        "what the dead life rendered is fenced out"
    );
    assert_eq!(on(&mut shard, at(1003), miss(1, "/cold")), ["render /cold driven=false"]);
}

impl TestShard {
    /// Opens another life on a copy of the same database.
    fn clone_for_test(&self) -> Self {
        Shard::open(self.store.sql().copy(), &config(), at(1000)).unwrap().0
    }
}

fn head(path: &str, token: Version, tags: &[&str]) -> Input<&'static str> {
    let page = PageMeta { body_bytes: None, ..page(path, token, tags) };
    Input::Head { key: key(path), token, answer: (page, "first") }
}

#[test]
fn the_first_byte_reaches_all_who_wait_and_who_comes_later_joins() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    on(&mut shard, at(11), miss(2, "/a"));
    let token = token(&shard, "/a");
    let first = "reply 1 page rendered=true collapsed=false first";
    let second = "reply 2 page rendered=true collapsed=true first";
    assert_eq!(on(&mut shard, at(20), head("/a", token, &[])), [first, second]);
    assert_eq!(on(&mut shard, at(30), miss(3, "/a")), ["reply 3 page rendered=true collapsed=true first"]);
    assert_eq!(on(&mut shard, at(90), rendered("/a", token, &[])), ["write /a"]);
    assert_eq!(on(&mut shard, at(91), miss(4, "/a")), ["reply 4 page rendered=false collapsed=false body"]);
}

#[test]
fn nobody_gets_a_byte_before_the_tags_are_registered() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(20), head("/a", token, &["x"])), ["register x since 10"]);
    assert_eq!(on(&mut shard, at(21), miss(2, "/a")), [""; 0]);
    let answer = Some(RegisterAnswer::default());
    let first = "reply 1 page rendered=true collapsed=false first";
    let second = "reply 2 page rendered=true collapsed=true first";
    assert_eq!(on(&mut shard, at(30), Input::Registered { token, answer }), [first, second]);
    assert_eq!(on(&mut shard, at(40), rendered("/a", token, &["x"])), ["write /a"]);
}

#[test]
fn a_request_does_not_join_what_was_invalidated_since_it_began() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    on(&mut shard, at(20), head("/a", token, &[]));
    let target = Target::Path("/a".to_owned().try_into().unwrap());
    let invalidation =
        Invalidation { seq: 1, at: Timestamp::from_millis(30), target, mode: Mode::Expire, refresh: Refresh::Lazy };
    on(&mut shard, at(30), Input::Invalidate(invalidation));
    assert_eq!(on(&mut shard, at(31), miss(2, "/a")), [""; 0]);
    assert_eq!(on(&mut shard, at(90), rendered("/a", token, &[])), ["render /a driven=false"]);
    let second = self::token(&shard, "/a");
    let effects = on(&mut shard, at(95), rendered("/a", second, &[]));
    assert_eq!(effects, ["reply 2 page rendered=true collapsed=false body", "write /a"]);
}

#[test]
fn an_answer_that_was_invalidated_before_its_head_is_broken_off() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    let target = Target::Path("/a".to_owned().try_into().unwrap());
    let invalidation =
        Invalidation { seq: 1, at: Timestamp::from_millis(15), target, mode: Mode::Expire, refresh: Refresh::Lazy };
    on(&mut shard, at(15), Input::Invalidate(invalidation));
    assert_eq!(on(&mut shard, at(20), head("/a", token, &[])), ["render /a driven=false", "abandon"]);
    let late =
        Input::Ended { key: key("/a"), token, outcome: RenderOutcome::Failed(OriginFailure::Broken), answer: None };
    assert_eq!(on(&mut shard, at(21), late), [""; 0]);
}

#[test]
fn a_request_ends_a_lease_that_nobody_has_ended() {
    let mut shard = open();
    on(&mut shard, at(0), miss(1, "/a"));
    let late = 70_000 + 1;
    let effects = on(&mut shard, at(late), miss(2, "/a"));
    let unavailable = |waiter, reason: Reason| {
        let retry_at = late + 1006;
        format!("reply {waiter} Unavailable {{ retry_at: Timestamp({retry_at}), reason: {reason:?} }} -")
    };
    let expected = [unavailable(1, Reason::RenderTimeout), "abandon".to_owned(), unavailable(2, Reason::Backoff)];
    assert_eq!(effects, expected);
}

#[test]
fn renders_over_the_bound_are_queued_and_begin_in_order() {
    let mut shard = open();
    let path = |n: u64| format!("/{n}");
    for n in 0..24 {
        assert_eq!(on(&mut shard, at(10), miss(n, &path(n))), [format!("render /{n} driven=false")]);
        let token = token(&shard, &path(n));
        assert_eq!(on(&mut shard, at(10), Input::Answered { token }), [""; 0]);
    }
    for n in 24..224 {
        assert_eq!(on(&mut shard, at(10), miss(n, &path(n))), [""; 0]);
    }
    let refused = "reply 224 Refused { reason: QueueFull } -";
    assert_eq!(on(&mut shard, at(10), miss(224, "/224")), [refused]);
    let token = token(&shard, "/7");
    let effects = on(&mut shard, at(20), rendered("/7", token, &[]));
    assert_eq!(effects[1..], ["write /7".to_owned(), "render /24 driven=false".to_owned()]);
    // The others have waited for the maximum time.
    let effects = on(&mut shard, at(10_010), Input::Alarm { room: 6, writes: 50 });
    assert_eq!(effects.len(), 199);
    assert!(effects.iter().all(|effect| effect.ends_with("Refused { reason: QueueTimeout } -")));
}

#[test]
fn a_visitor_does_not_wait_for_the_alarm() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(20), rendered("/a", first, &[]));
    let target = Target::Path("/a".to_owned().try_into().unwrap());
    let invalidation = |seq, mode| Invalidation {
        seq,
        at: Timestamp::from_millis(30),
        target: target.clone(),
        mode,
        refresh: Refresh::Lazy,
    };
    on(&mut shard, at(30), Input::Invalidate(invalidation(1, Mode::Stale)));
    assert_eq!(on(&mut shard, at(40), miss(2, "/a")), ["reply 2 page rendered=false collapsed=false body"]);
    on(&mut shard, at(50), Input::Invalidate(invalidation(2, Mode::Expire)));
    assert_eq!(on(&mut shard, at(60), miss(3, "/a")), ["render /a driven=false"]);
    assert!(!shard.has_queued());
}

#[test]
fn who_has_stopped_waiting_is_not_answered() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    on(&mut shard, at(11), miss(2, "/a"));
    on(&mut shard, at(12), Input::TimedOut { waiter: WaiterId(1) });
    let token = token(&shard, "/a");
    let effects = on(&mut shard, at(50), rendered("/a", token, &[]));
    assert_eq!(effects, ["reply 2 page rendered=true collapsed=true body", "write /a"]);
}

#[test]
fn what_l2_has_under_an_older_version_is_answered_as_the_newer_one() {
    let mut shard = open();
    let digest = Digest::parse("00000000000000000000000000000001");
    let whole = |token| PageMeta { digest, ..page("/a", token, &[]) };
    let done = |token| {
        let outcome = RenderOutcome::Done(whole(token));
        Input::Ended { key: key("/a"), token, outcome, answer: Some((whole(token), "body")) }
    };
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(20), done(first)).last().unwrap(), "write /a");
    on(&mut shard, at(30), Input::Wrote { key: key("/a"), version: Some(first), taken: true });
    let told = Some(Timestamp::from_millis(500));
    let input = Input::Request {
        waiter: WaiterId(2),
        shard: name(),
        key: key("/a"),
        served: None,
        newer_than: told,
        forwarded: false,
        renders: false,
    };
    on(&mut shard, at(40), input);
    let second = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(50), done(second)), ["reply 2 page rendered=true collapsed=false body"]);

    let (mut shard, _) = reopen(shard, at(1000));
    let effects = shard.on(&config(), at(1001), miss(3, "/a")).effects;
    let Effect::Read(read) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!((read.page.version, read.copy), (second, Some(first)));
    assert!(read.is_met_by(first) && read.is_met_by(second));
}

#[test]
fn a_page_that_has_moved_is_handed_on_and_never_written_again() {
    let mut shard = open();
    let path = (0..100).map(|n| format!("/{n}")).find(|path| !name().owns(path, 2)).unwrap();
    on(&mut shard, at(10), miss(1, &path));
    let old = token(&shard, &path);
    on(&mut shard, at(20), rendered(&path, old, &[]));
    let invalidation = |seq| {
        let target = Target::Path(path.clone().try_into().unwrap());
        Input::Invalidate(Invalidation {
            seq,
            at: Timestamp::from_millis(20 + seq),
            target,
            mode: Mode::Expire,
            refresh: Refresh::Lazy,
        })
    };
    on(&mut shard, at(21), invalidation(1));
    on(&mut shard, at(22), miss(2, &path));
    let token = token(&shard, &path);

    // A new configuration normally comes with a new life of the object; here it comes during a render.
    let spread = Config::from_json(&json!({ "routes": { "/*": { "shards": 2 } } })).unwrap();
    let mut on =
        |moment, input| -> Vec<String> { shard.on(&spread, moment, input).effects.iter().filter_map(short).collect() };
    assert_eq!(on(at(30), miss(3, &path)), ["forward 3 to /*#1"]);
    let Input::Request { waiter, shard: called, key, served, newer_than, .. } = miss(4, &path) else { unreachable!() };
    let twice = Input::Request { waiter, shard: called, key, served, newer_than, forwarded: true, renders: false };
    assert_eq!(on(at(31), twice), ["reply 4 Refused { reason: Moved } -"]);
    assert_eq!(on(at(40), rendered(&path, token, &[])), ["reply 2 Refused { reason: Moved } -"]);
    assert_eq!(on(at(50), Input::Wrote { key: self::key(&path), version: Some(old), taken: false }), [""; 0]);
    assert_eq!(on(at(100_000), Input::Alarm { room: 6, writes: 50 }), [""; 0], "nothing is left to be written");
    assert_eq!(shard.store.load(&self::key(&path)).unwrap(), Entry::default());
}

/// Publishes pages with the tag `x`, and lets L2 accept them.
fn publish(shard: &mut TestShard, paths: &[&str]) {
    for (n, path) in (0..).zip(paths) {
        on(shard, at(10), miss(1000 + n, path));
        let token = token(shard, path);
        on(shard, at(11), rendered(path, token, &["x"]));
        on(shard, at(11), Input::Registered { token, answer: Some(RegisterAnswer::default()) });
        on(shard, at(12), Input::Wrote { key: key(path), version: Some(token), taken: true });
    }
}

fn eager(mode: Mode) -> Invalidation {
    Invalidation {
        seq: 5,
        at: Timestamp::from_millis(100),
        target: Target::Tag(tag("x")),
        mode,
        refresh: Refresh::Eager,
    }
}

#[test]
fn an_eager_refresh_renders_every_page_paced_and_through_the_death_of_the_object() {
    let mut shard = open();
    publish(&mut shard, &["/a", "/b", "/c"]);
    // The hottest page: it was rendered once more.
    on(&mut shard, at(50), Input::Invalidate(Invalidation { seq: 4, refresh: Refresh::Lazy, ..eager(Mode::Expire) }));
    on(&mut shard, at(50), miss(1, "/c"));
    let hot = token(&shard, "/c");
    on(&mut shard, at(51), rendered("/c", hot, &["x"]));
    assert_eq!(on(&mut shard, at(2000), Input::Alarm { room: 6, writes: 50 }), ["write /c"]);
    on(&mut shard, at(2001), Input::Wrote { key: key("/c"), version: Some(hot), taken: true });
    let again = Invalidation { at: Timestamp::from_millis(3000), ..eager(Mode::Stale) };
    assert_eq!(shard.matched(&again), Ok(3));
    on(&mut shard, at(3000), Input::Invalidate(again.clone()));
    on(&mut shard, at(3000), Input::Invalidate(again.clone()));
    let progress = |shard: &TestShard| {
        let p = shard.progress(&again).unwrap();
        (p.done, p.failed, p.pending, p.done_at.is_some())
    };
    assert_eq!(on(&mut shard, at(3000), Input::Alarm { room: 1, writes: 50 }), ["render /c driven=true"]);
    assert_eq!(progress(&shard), (0, 0, 3, false));
    let c = token(&shard, "/c");
    on(&mut shard, at(3010), rendered("/c", c, &["x"]));
    assert_eq!(on(&mut shard, at(3010), Input::Alarm { room: 6, writes: 50 }), [""; 0], "10 a second");
    assert_eq!(on(&mut shard, at(3101), Input::Alarm { room: 6, writes: 50 }), ["render /a driven=true"]);

    let (mut shard, _) = reopen(shard, at(3200));
    assert!(shard.next_deadline().unwrap().is_some());
    let effects = on(&mut shard, at(3200), Input::Alarm { room: 6, writes: 50 });
    assert_eq!(effects, ["render /a driven=true", "render /b driven=true"], "the dead render is driven again");
    let (a, b) = (token(&shard, "/a"), token(&shard, "/b"));
    on(&mut shard, at(3300), rendered("/a", a, &["x"]));
    let failed = RenderOutcome::Failed(OriginFailure::Timeout);
    on(&mut shard, at(3300), Input::Ended { key: key("/b"), token: b, outcome: failed, answer: None });
    assert_eq!(on(&mut shard, at(3400), Input::Alarm { room: 6, writes: 50 }), [""; 0]);
    assert_eq!(progress(&shard), (2, 1, 0, true));
    assert!(!shard.store.is_sweeping().unwrap());
}

#[test]
fn a_purge_deletes_each_page_from_l2_and_no_render_from_before_brings_it_back() {
    let mut shard = open();
    publish(&mut shard, &["/a", "/b"]);
    let soft = Invalidation { seq: 1, refresh: Refresh::Lazy, ..eager(Mode::Stale) };
    on(&mut shard, at(2000), Input::Invalidate(soft));
    let stale = token_of_page(&shard, "/b");
    let input = Input::Request {
        waiter: WaiterId(1),
        shard: name(),
        key: key("/b"),
        served: Some(stale),
        newer_than: None,
        forwarded: false,
        renders: false,
    };
    on(&mut shard, at(2001), input);
    assert_eq!(on(&mut shard, at(2002), Input::Alarm { room: 6, writes: 50 }), ["render /b driven=true"]);
    let before = token(&shard, "/b");
    let purge = Invalidation { seq: 2, refresh: Refresh::Lazy, ..eager(Mode::Purge) };
    on(&mut shard, at(2100), Input::Invalidate(purge.clone()));
    assert_eq!(on(&mut shard, at(2101), Input::Alarm { room: 6, writes: 50 }), ["delete /a", "delete /b"]);
    assert_eq!(shard.progress(&purge).unwrap().done, 2);
    assert_eq!(on(&mut shard, at(2200), rendered("/b", before, &["x"])), [""; 0], "it is rendered once more");
    assert_eq!(shard.store.load(&key("/b")).unwrap().page, None);
    let failed = RenderOutcome::Failed(OriginFailure::Timeout);
    on(&mut shard, at(2201), Input::Alarm { room: 6, writes: 50 });
    let token = token(&shard, "/b");
    on(&mut shard, at(2210), Input::Ended { key: key("/b"), token, outcome: failed, answer: None });
    let effects = on(&mut shard, at(2211), miss(2, "/b"));
    assert!(effects[0].starts_with("reply 2 Unavailable"), "no purged copy stands in: {effects:?}");
}

fn token_of_page(shard: &TestShard, path: &str) -> Version {
    shard.store.load(&key(path)).unwrap().page.unwrap().version
}

/// A page whose content is the same in each render.
fn same_again(path: &str, token: Version) -> Input<&'static str> {
    let page = PageMeta { digest: Digest::parse("00000000000000000000000000000001"), ..page(path, token, &[]) };
    let outcome = RenderOutcome::Done(page.clone());
    Input::Ended { key: key(path), token, outcome, answer: Some((page, "body")) }
}

/// A shard with one page that L2 has accepted.
fn with_page_in_l2(path: &str) -> (TestShard, Version) {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, path));
    let version = token(&shard, path);
    on(&mut shard, at(20), same_again(path, version));
    on(&mut shard, at(30), Input::Wrote { key: key(path), version: Some(version), taken: true });
    (shard, version)
}

#[test]
fn a_held_page_that_edges_do_not_find_in_l2_for_long_is_looked_for_there_and_written_again() {
    let (mut shard, version) = with_page_in_l2("/a");
    let reply = "reply 2 page rendered=false collapsed=false body";
    assert_eq!(on(&mut shard, at(290_000), miss(2, "/a")), [reply], "some colo may not show it yet");
    let late = 301_000;
    let effects = shard.on(&config(), at(late), miss(2, "/a")).effects;
    assert_eq!(effects.iter().filter_map(short).collect::<Vec<_>>(), [reply, "read /a for 0"]);
    let Some(Effect::Read(read)) = effects.into_iter().find(|effect| matches!(effect, Effect::Read(_))) else {
        unreachable!()
    };
    let found = |found| Input::Read { read: read.clone(), found };
    assert_eq!(on(&mut shard, at(late), found(ReadResult::Same("body"))), [""; 0]);
    assert_eq!(on(&mut shard, at(late), found(ReadResult::Unknown)), [""; 0]);
    assert_eq!(on(&mut shard, at(late), found(ReadResult::Other)), ["write /a"]);
    on(&mut shard, at(late), Input::Wrote { key: key("/a"), version: Some(version), taken: true });
    assert_eq!(on(&mut shard, at(late + 1), miss(3, "/a")), ["reply 3 page rendered=false collapsed=false body"]);
}

#[test]
fn checks_of_l2_are_bounded() {
    let (mut shard, _) = with_page_in_l2("/a");
    for number in 2..10 {
        let effects = on(&mut shard, at(400_000), miss(number, "/a"));
        assert_eq!(effects.len(), if number < 6 { 2 } else { 1 }, "{effects:?}");
    }
}

#[test]
fn after_a_change_of_the_store_an_unchanged_page_is_written_to_the_new_one() {
    for is_changed in [false, true] {
        let (shard, first) = with_page_in_l2("/a");
        let l2 = if is_changed { crate::config::L2Kind::R2 } else { crate::config::L2Kind::Kv };
        let other = Config { l2, ..config() };
        let (mut shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &other, at(1000)).unwrap();
        let stale = Invalidation {
            seq: 1,
            at: Timestamp::from_millis(5),
            target: Target::Path("/b".to_owned().try_into().unwrap()),
            mode: Mode::Stale,
            refresh: Refresh::Lazy,
        };
        shard.on(&other, at(1001), Input::Invalidate(stale));
        let told = Some(Timestamp::from_millis(500));
        let input = Input::Request {
            waiter: WaiterId(2),
            shard: name(),
            key: key("/a"),
            served: Some(first),
            newer_than: told,
            forwarded: false,
            renders: false,
        };
        shard.on(&other, at(1002), input);
        let second = token(&shard, "/a");
        shard.on(&other, at(1003), Input::Alarm { room: 1, writes: 50 });
        let effects = shard.on(&other, at(1100), same_again("/a", second)).effects;
        let effects: Vec<String> = effects.iter().filter_map(short).collect();
        assert_eq!(effects.contains(&"write /a".to_owned()), is_changed, "{effects:?}");
        // The same store in the next life: what was written since is there.
        let (shard, _): (TestShard, _) = Shard::open(shard.store.into_sql(), &other, at(2000)).unwrap();
        assert!(second > shard.copies_since);
    }
}

/// Sends a visitor to a page of an origin whose page either is well or fails. Returns the replies.
fn visit(shard: &mut TestShard, moment: Moment, waiter: u64, path: &str, failure: Option<OriginFailure>) -> String {
    let mut effects = on(shard, moment, miss(waiter, path));
    if effects.iter().any(|effect| effect.starts_with("render")) {
        let token = token(shard, path);
        let ended = match failure {
            None => rendered(path, token, &[]),
            Some(failure) => {
                let outcome = RenderOutcome::Failed(failure);
                Input::Ended { key: key(path), token, outcome, answer: Some((page(path, token, &[]), "error")) }
            }
        };
        effects = on(shard, moment, ended);
    }
    effects.join(", ")
}

#[test]
fn twenty_pages_that_fail_twenty_times_a_second_cost_no_visitor_of_a_healthy_page_an_error() {
    let mut shard = open();
    let (mut waiter, mut passed, mut stored) = (0, 0, 0);
    for second in 0..600 {
        for failing in 0..20 {
            waiter += 1;
            let moment = at(1000 * second + 50 * failing);
            visit(&mut shard, moment, waiter, &format!("/failing/{failing}"), Some(OriginFailure::Status(429)));
        }
        waiter += 1;
        let seen = visit(&mut shard, at(1000 * second + 999), waiter, &format!("/well/{second}"), None);
        if seen.contains("Refused { reason: Breaker }") {
            passed += 1;
        } else {
            assert!(seen.contains("page rendered=true"), "{second}: {seen}");
            stored += 1;
        }
    }
    assert!(passed <= 20, "the breaker measures the origin: {passed} visits passed, {stored} pages were stored");
}

#[test]
fn an_origin_that_can_not_be_reached_is_asked_a_bounded_number_of_times_and_soon_again_when_it_is_well() {
    let mut shard = open();
    let (mut attempts, mut passed) = (0, 0);
    for number in 0..60_000 {
        let (moment, path) = (at(number), format!("/{number}"));
        let effects = on(&mut shard, moment, miss(number, &path));
        passed += usize::from(effects.iter().any(|effect| effect.contains("Refused { reason: Breaker }")));
        if effects.iter().any(|effect| effect.starts_with("render")) {
            attempts += 1;
            let (key, token) = (key(&path), token(&shard, &path));
            let outcome = RenderOutcome::Failed(OriginFailure::Timeout);
            on(&mut shard, moment, Input::Ended { key, token, outcome, answer: None });
        }
    }
    assert!(attempts <= 4 + 6, "{attempts} renders in a minute of 1000 visits a second");
    assert!(passed <= 50 + 25 * 60, "{passed} passed");
    assert_eq!(
        visit(&mut shard, at(120_000), 1, "/new", None),
        "reply 1 page rendered=true collapsed=false body, write /new"
    );
    for number in 0..24 {
        let seen = on(&mut shard, at(120_001), miss(number, &format!("/well/{number}")));
        assert_eq!(seen, [format!("render /well/{number} driven=false")]);
        let token = token(&shard, &format!("/well/{number}"));
        on(&mut shard, at(120_001), Input::Answered { token });
    }
}

#[test]
fn one_broken_page_holds_back_no_other() {
    let mut shard = open();
    for second in (0..3600).step_by(10) {
        visit(&mut shard, at(1000 * second), second, "/broken", Some(OriginFailure::Timeout));
        let path = format!("/{second}");
        let seen = visit(&mut shard, at(1000 * second + 1), second + 1, &path, None);
        assert!(seen.contains("page rendered=true"), "{seen}");
    }
}
