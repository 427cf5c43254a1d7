//! What happens between the keys of a shard, and between its lives, on a real SQLite.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::feed::Scope;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::store::rusqlite::MemorySql;

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
        body_bytes: 4,
    }
}

fn miss(waiter: u64, path: &str) -> Input<&'static str> {
    Input::Request { waiter: WaiterId(waiter), shard: name(), key: key(path), served: None, newer_than: None }
}

fn rendered(path: &str, token: Version, tags: &[&str]) -> Input<&'static str> {
    let page = page(path, token, tags);
    Input::Rendered { key: key(path), token, result: RenderResult::Page(page.clone()), answer: Some((page, "body")) }
}

/// Gives an input, and writes down what comes back in short.
fn on(shard: &mut TestShard, moment: Moment, input: Input<&'static str>) -> Vec<String> {
    let effects = shard.on(&config(), moment, input).unwrap();
    effects.iter().filter_map(short).collect()
}

fn short(effect: &Effect<&'static str>) -> Option<String> {
    Some(match effect {
        Effect::Reply { waiter, verdict, page } => {
            let verdict = match verdict {
                Verdict::Page { rendered, collapsed } => format!("page rendered={rendered} collapsed={collapsed}"),
                other => format!("{other:?}"),
            };
            format!("reply {} {verdict} {}", waiter.0, page.as_ref().map_or("-", |(_, body)| body))
        }
        Effect::Render { key, driven, .. } => format!("render {} driven={driven}", key.path()),
        Effect::Register { key, tags, since, .. } => {
            let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
            format!("register {} of {} since {}", tags.join(" "), key.path(), since.as_millis())
        }
        Effect::Read(wanted) => format!("read {} for {}", wanted.page.key.path(), wanted.waiters.len()),
        Effect::Write(page, _) => format!("write {}", page.key.path()),
        Effect::Delete(key) => format!("delete {}", key.path()),
        Effect::WakeAt(_) | Effect::Ring => return None,
    })
}

fn token(shard: &TestShard, path: &str) -> Version {
    shard.store.load(&key(path)).unwrap().lease.unwrap().token
}

fn open() -> TestShard {
    Shard::open(MemorySql::new(), &config(), at(0)).unwrap().0
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
    assert_eq!(shard.waiting, 0);
}

#[test]
fn tags_are_registered_before_the_page_is_published() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    assert_eq!(on(&mut shard, at(50), rendered("/a", token, &["x"])), ["register x of /a since 10"]);
    assert_eq!(shard.store.load(&key("/a")).unwrap().page, None);

    // The tag was invalidated after the render began: it is rendered again, under a token that is newer.
    let invalidation =
        Invalidation { seq: 1, at: Timestamp::from_millis(30), scope: Scope::Tag(tag("x")), mode: Mode::Expire };
    let answer = Some(RegisterAnswer { invalidations: vec![invalidation], floor: Timestamp::default() });
    let input = Input::Registered { key: key("/a"), token, answer };
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
    let effects = on(&mut shard, at(60), Input::Registered { key: key("/a"), token, answer: None });
    assert_eq!(effects, ["reply 1 Relay { detail: \"tag-index\" } body"]);
    assert_eq!(shard.store.load(&key("/a")).unwrap().page, None);
}

#[test]
fn a_slow_render_is_not_overtaken_by_the_registration_of_another() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/slow"));
    // Meanwhile, at 80, the tag is invalidated; nobody is known to carry it.
    on(&mut shard, at(100), miss(2, "/fast"));
    let (slow, fast) = (token(&shard, "/slow"), token(&shard, "/fast"));
    let effects = on(&mut shard, at(120), rendered("/fast", fast, &["x"]));
    assert_eq!(effects, ["register x of /fast since 10"], "since the oldest render under way began");
    let invalidation =
        Invalidation { seq: 1, at: Timestamp::from_millis(80), scope: Scope::Tag(tag("x")), mode: Mode::Expire };
    let answer = Some(RegisterAnswer { invalidations: vec![invalidation], floor: Timestamp::default() });
    on(&mut shard, at(130), Input::Registered { key: key("/fast"), token: fast, answer });
    assert_eq!(on(&mut shard, at(140), rendered("/slow", slow, &["x"])), ["render /slow driven=false"]);
}

#[test]
fn what_an_edge_knows_to_be_invalidated_is_rendered_again() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    on(&mut shard, at(20), rendered("/a", first, &[]));
    let told = Some(Timestamp::from_millis(5_000));
    let input = Input::Request { waiter: WaiterId(2), shard: name(), key: key("/a"), served: None, newer_than: told };
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
    let wanted = Wanted {
        page: page("/a", first, &[]),
        verdict: Verdict::Page { rendered: false, collapsed: false },
        waiters: vec![WaiterId(1)],
    };
    let unknown = Input::Read { wanted: wanted.clone(), found: Found::Unknown };
    assert_eq!(on(&mut shard.clone_for_test(), at(1002), unknown), ["reply 1 Busy -"]);
    let found = Input::Read { wanted: wanted.clone(), found: Found::Same("body") };
    assert_eq!(on(&mut shard.clone_for_test(), at(1002), found), ["reply 1 page rendered=false collapsed=false body"]);
    let other = Input::Read { wanted, found: Found::Other };
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
        scope: Scope::Path("/old".to_owned().try_into().unwrap()),
        mode: Mode::Stale,
    };
    on(&mut shard, at(30), Input::Invalidate(soft));
    let stale =
        Input::Request { waiter: WaiterId(3), shard: name(), key: key("/old"), served: Some(old), newer_than: None };
    assert_eq!(on(&mut shard, at(40), stale), [""; 0]);
    assert_eq!(on(&mut shard, at(41), Input::Alarm { room: 6 }), ["render /old driven=true"]);
    let dead = token(&shard, "/old");

    let (mut shard, effects) = reopen(shard, at(1000));
    assert_eq!(effects, [""; 0]);
    assert!(shard.has_queued());
    assert_eq!(on(&mut shard, at(1001), Input::Alarm { room: 6 }), ["render /old driven=true"]);
    assert_eq!(
        on(&mut shard, at(1002), rendered("/old", dead, &[])),
        [""; 0],
        "what the dead life rendered is fenced out"
    );
    assert_eq!(on(&mut shard, at(1003), miss(1, "/cold")), ["render /cold driven=false"]);
}

impl TestShard {
    /// Another life on a copy of the same database.
    fn clone_for_test(&self) -> Self {
        Shard::open(self.store.sql().copy(), &config(), at(1000)).unwrap().0
    }
}
