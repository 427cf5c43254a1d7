//! The end of an object whose route has left the configuration, and its return.

use super::*;
use crate::tag_index_name::TagIndexName;

/// The configuration without the route of the shard. With `other`, another route has its paths.
fn without_route(other: bool) -> Config {
    let routes = if other { json!({ "/:page": {} }) } else { json!({ "/other": {} }) };
    Config::from_json(&json!({ "routes": routes })).unwrap()
}

fn reopened(shard: TestShard, config: &Config, moment: Moment) -> TestShard {
    Shard::open(shard.store.into_sql(), config, moment).unwrap().0
}

/// Runs the alarm until it has nothing to do, and accepts each deletion. Returns the effects in short form.
fn run(shard: &mut TestShard, config: &Config, from: u64) -> Vec<String> {
    let mut seen = Vec::new();
    for second in 0..20 {
        let now = at(from + second * 1000);
        let effects = shard.on(config, now, Input::Alarm { room: 6, writes: 7 }).effects;
        for effect in &effects {
            seen.extend(short(effect));
            if let Effect::Delete(key) = effect {
                shard.on(config, now, Input::Wrote { key: key.clone(), version: None, taken: true });
            }
        }
        if effects.iter().any(|effect| matches!(effect, Effect::Unregister { .. })) {
            return seen;
        }
    }
    panic!("it does not end: {seen:?}");
}

fn published(paths: &[&str]) -> TestShard {
    let mut shard = open();
    publish(&mut shard, paths);
    shard
}

#[test]
fn an_object_without_a_route_deletes_its_pages_and_then_itself() {
    let config = without_route(false);
    let mut shard = reopened(published(&["/a", "/b"]), &config, at(10_000));
    assert_eq!(shard.next_deadline(), Ok(Some(at(10_000).now)));
    assert_eq!(run(&mut shard, &config, 20_000), ["delete /a", "delete /b", "unregister at 1"]);
    assert_eq!((shard.store.count_keys(), shard.store.has_registered()), (Ok(0), Ok(false)));
    assert_eq!(shard.store.unregistered(&[tag("x")]), Ok(vec![tag("x")]));
    let mut unregistered = |more| -> Vec<String> {
        shard.on(&config, at(90_000), Input::Unregistered { more }).effects.iter().filter_map(short).collect()
    };
    assert_eq!(unregistered(None), [""; 0], "the tag index could not be reached");
    assert_eq!(unregistered(Some(true)), [""; 0], "the tag index has not forgotten everything");
    assert_eq!(unregistered(Some(false)), ["end"]);
}

#[test]
fn pages_of_another_owner_are_left_in_l2() {
    let config = without_route(true);
    let mut shard = reopened(published(&["/a", "/b"]), &config, at(10_000));
    assert_eq!(run(&mut shard, &config, 20_000), ["unregister at 1"]);
}

#[test]
fn many_pages_end_in_small_steps() {
    let paths: Vec<String> = (0..30).map(|n| format!("/{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let config = without_route(false);
    let mut shard = reopened(published(&paths), &config, at(10_000));
    for _ in 0..5 {
        let effects = shard.on(&config, at(20_000), Input::Alarm { room: 6, writes: 7 }).effects;
        let deletions = effects.iter().filter(|effect| matches!(effect, Effect::Delete(_))).count();
        assert!(deletions <= 7, "{deletions}");
    }
}

#[test]
fn a_route_that_comes_back_before_the_end_is_registered_again() {
    let without = without_route(false);
    let mut shard = reopened(published(&["/a"]), &without, at(10_000));
    run(&mut shard, &without, 20_000);
    // The tag index has forgotten it, but its answer comes after the next deployment.
    let mut shard = reopened(shard, &config(), at(50_000));
    assert_eq!(on(&mut shard, at(50_001), Input::Unregistered { more: Some(false) }), [""; 0], "it has not ended");
    on(&mut shard, at(60_000), miss(1, "/a"));
    let token = token(&shard, "/a");
    let Handled { effects, .. } = shard.on(&config(), at(60_010), rendered("/a", token, &["x"]));
    let Effect::Register { messages, .. } = &effects[0] else { panic!("{effects:?}") };
    let [(TagIndexName::ROOT, ToTagIndex::Register { tags, generation, .. })] = messages.as_slice() else {
        panic!("{messages:?}")
    };
    assert_eq!(tags, &[tag("x")]);
    assert!(*generation >= 20_000, "later than the generation that was forgotten");
}

#[test]
fn the_tag_index_can_end_an_object_that_knows_nothing() {
    let config = without_route(false);
    let mut shard = Shard::open(MemorySql::new(), &config, at(0)).unwrap().0;
    let mut on =
        |now, input| -> Vec<String> { shard.on(&config, at(now), input).effects.iter().filter_map(short).collect() };
    assert_eq!(on(5, Input::Retire { shard: name() }), [""; 0]);
    assert_eq!(on(5, Input::Alarm { room: 6, writes: 7 }), ["unregister at 1"]);
    // An object that is served does not end.
    let mut served = open();
    assert_eq!(super::on(&mut served, at(5), Input::Retire { shard: name() }), [""; 0]);
    assert!(!served.is_retired(&super::config()));
}

#[test]
fn tags_of_a_page_that_is_arriving_are_not_forgotten() {
    let mut shard = open();
    shard.store.note_registered(&[tag("x")], 1).unwrap();
    for (waiter, path) in [(1, "/a"), (2, "/b")] {
        on(&mut shard, at(10), miss(waiter, path));
    }
    let (a, b) = (token(&shard, "/a"), token(&shard, "/b"));
    on(&mut shard, at(20), head("/a", a, &["x"]));
    // The registration of another page forgets tags, because it is the first one.
    let Handled { effects, .. } = shard.on(&config(), at(30), rendered("/b", b, &["y"]));
    let Some(Effect::Register { messages, .. }) = effects.iter().find(|e| matches!(e, Effect::Register { .. })) else {
        panic!("{effects:?}")
    };
    let ToTagIndex::Register { carried: Some(carried), .. } = &messages[0].1 else { panic!("{messages:?}") };
    assert_eq!(carried.tags, [tag("x"), tag("y")]);
    assert_eq!(shard.store.unregistered(&[tag("x")]), Ok(vec![]));
}
