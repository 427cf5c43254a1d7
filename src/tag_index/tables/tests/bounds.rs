//! What is dropped and forgotten, and what must not be.

use super::*;
use crate::protocol::CarriedTags;
use crate::tag_index::{Hanging, Round, attempts, settle};

fn small_log() -> TagIndexStore<MemorySql> {
    TagIndexStore::open(MemorySql::new()).unwrap().with_log_rows(10)
}

fn number(store: &TagIndexStore<MemorySql>, sql: &str) -> u64 {
    let rows = store.sql().query(sql, &[]).unwrap();
    crate::sql::Columns::of("test", rows[0].clone()).number().unwrap()
}

fn path(name: &str) -> Target {
    Target::Path(CanonicalPath::parse(name).unwrap())
}

#[test]
fn a_dropped_delivery_whose_mode_is_of_a_later_version_counts_as_expire() {
    let store = small_log();
    store.register(&shard("/a/*#0"), 1, 0, &[tag("x")], at(0)).unwrap();
    let append = |time| store.append(Target::Tag(tag("x")), Mode::Stale, Refresh::Lazy, None, at(time)).unwrap();
    append(0);
    // A later version makes the table anew, so that it takes its modes.
    store.sql().query("PRAGMA ignore_check_constraints = 1", &[]).unwrap();
    store.sql().query("UPDATE invalidations SET mode = 'of_a_later_version'", &[]).unwrap();
    (1..200).for_each(|time| drop(append(time)));
    let summary = attempts(&store, Round::Due(at(1000)), &Hanging::default()).unwrap().remove(0);
    assert_eq!((summary.is_summary, summary.invalidation.mode), (true, Mode::Expire));
}

#[test]
fn deliveries_that_the_log_can_not_keep_are_replaced_by_one_of_everything() {
    let store = small_log();
    let (dead, alive) = (shard("/a/*#0"), shard("/b/*#0"));
    for shard in [&dead, &alive] {
        store.register(shard, 1, 0, &[tag("x")], at(0)).unwrap();
    }
    let mut last = at(0);
    for n in 0..50 {
        let mode = if n == 3 { Mode::Purge } else { Mode::Stale };
        last = store.append(Target::Tag(tag("x")), mode, Refresh::Lazy, None, at(n)).unwrap().at;
        store.delivered(n + 1, &alive, 0).unwrap();
    }
    assert!(number(&store, "SELECT COUNT(*) FROM invalidations") <= 21);
    assert!(number(&store, "SELECT COUNT(*) FROM deliveries") <= 2 * 21);
    assert_eq!(number(&store, "SELECT COUNT(*) FROM dropped_deliveries"), 1);
    let pending = store.inspect_shard(&dead).unwrap().unwrap();
    assert!(pending.pending > 0 && store.pending(50) == Ok(1) && store.applied(50) == Ok(vec![alive.clone()]));

    // It is due like the others, and before them.
    let summary = attempts(&store, Round::Due(at(1000)), &Hanging::default()).unwrap().remove(0);
    let Delivery { invalidation, shard: to, is_summary, .. } = summary.clone();
    assert_eq!((to, is_summary, invalidation.target.clone()), (dead.clone(), true, Target::Everything));
    assert_eq!(invalidation.mode, Mode::Purge, "the strongest of those that were dropped");
    assert!(invalidation.at < last);
    settle(&store, &summary, None, at(1000)).unwrap();
    assert!(!attempts(&store, Round::Due(at(1000)), &Hanging::default()).unwrap()[0].is_summary, "it is postponed");

    // More deliveries are dropped during the next attempt: it does not cover them.
    let summary = attempts(&store, Round::Due(at(100_000)), &Hanging::default()).unwrap().remove(0);
    for n in 50..100 {
        store.append(Target::Tag(tag("x")), Mode::Stale, Refresh::Lazy, None, at(n)).unwrap();
    }
    settle(&store, &summary, Some(0), at(100_000)).unwrap();
    let later = attempts(&store, Round::Due(at(200_000)), &Hanging::default())
        .unwrap()
        .into_iter()
        .find(|delivery| delivery.shard == dead);
    let later = later.unwrap();
    assert!(later.is_summary && later.invalidation.seq > summary.invalidation.seq);
    assert_eq!(later.invalidation.mode, Mode::Purge);
    // An attempt of a dropped delivery is not one of the summary, whatever its number.
    store.delivered(later.invalidation.seq, &dead, 0).unwrap();
    assert_eq!(number(&store, "SELECT COUNT(*) FROM dropped_deliveries WHERE shard = '/a/*#0'"), 1);
    settle(&store, &later, Some(0), at(200_000)).unwrap();
    assert_eq!(number(&store, "SELECT COUNT(*) FROM dropped_deliveries WHERE shard = '/a/*#0'"), 0);

    // What a summary has applied stays applied when more is dropped.
    let applied = later.invalidation.seq;
    for n in 100..150 {
        store.append(Target::Tag(tag("x")), Mode::Stale, Refresh::Lazy, None, at(n)).unwrap();
    }
    assert!(number(&store, "SELECT since FROM dropped_deliveries WHERE shard = '/a/*#0'") > applied);
}

#[test]
fn the_feed_waits_for_a_dead_coordinator_until_it_is_twice_as_long() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap().with_feed_rows(10, Duration::ZERO);
    let dead = shard("/a/*#0");
    let route = RouteId::from_stored("/a/*").unwrap();
    store.register(&dead, 1, 0, &[], at(0)).unwrap();
    let append = |n: u64| store.append(path(&format!("/a/{n}")), Mode::Stale, Refresh::Lazy, None, at(n)).unwrap();
    (0..20).for_each(|n| drop(append(n)));
    let page = store.feed(after(0), 100, at(0), 7).unwrap();
    assert_eq!((page.rows.len(), page.floor, page.lagging), (20, at(0), vec![]));
    (20..30).for_each(|n| drop(append(n)));
    let page = store.feed(after(0), 100, at(0), 7).unwrap();
    assert_eq!(page.rows.len(), 10);
    assert_eq!(page.lagging, vec![(route.clone(), page.floor)], "what has left the feed is not applied");

    // An edge does not believe the coordinators of this route about pages from before the floor.
    let mut feed = Feed::default();
    let (floor, old) = (page.floor, super::page("/a/0", &[], 5));
    feed.extend(TagIndexName::ROOT, 0, page);
    assert_eq!(feed.invalidation_of(&old, &route).map(|known| (known.mode, known.at)), Some((Mode::Expire, floor)));
    assert_eq!(feed.invalidation_of(&old, &RouteId::from_stored("/b/*").unwrap()), None);
    assert_eq!(feed.invalidation_of(&super::page("/a/0", &[], floor.as_millis() + 1), &route), None);
    let summary = attempts(&store, Round::Due(at(1000)), &Hanging::default()).unwrap().remove(0);
    settle(&store, &summary, Some(0), at(1000)).unwrap();
    feed.extend(TagIndexName::ROOT, 30, store.feed(after(30), 100, at(0), 7).unwrap());
    assert_eq!(feed.invalidation_of(&old, &route), None, "the coordinator knows everything again");
    assert!(feed.may_miss(at(5)));
}

#[test]
fn a_forgotten_tag_is_forgotten_unless_it_is_registered_again() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (a, b) = (shard("/a/*#0"), shard("/b/*#0"));
    let tags: Vec<Tag> = ["p", "q", "r", "s"].map(tag).into();
    store.register(&a, 1, 10, &tags, at(0)).unwrap();
    store.register(&b, 1, 10, &tags, at(0)).unwrap();
    let carriers = |name: &str| store.inspect_tag(&tag(name)).unwrap().shards;
    // A new registration overtakes the message.
    store.register(&a, 1, 20, &[tag("r")], at(0)).unwrap();
    let carried = CarriedTags { after: Some(tag("p")), up_to: Some(tag("r")), tags: vec![] };
    store.forget_tags(&a, 20, &carried).unwrap();
    let both = [a.clone(), b.clone()];
    assert_eq!(["p", "q", "r", "s"].map(carriers), [&both[..], &both[1..], &both[..], &both[..]]);
    let carried = CarriedTags { after: None, up_to: None, tags: vec![tag("s")] };
    store.forget_tags(&a, 21, &carried).unwrap();
    assert_eq!(["p", "r", "s"].map(carriers), [&both[1..], &both[1..], &both[..]]);
    // The first message arrives once more.
    store.register(&a, 1, 21, &[tag("q")], at(0)).unwrap();
    store.forget_tags(&a, 20, &CarriedTags::default()).unwrap();
    assert_eq!(carriers("q"), both);
}

#[test]
fn a_retired_coordinator_is_called_until_it_unregisters() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (gone, stays) = (shard("/a/*#0"), shard("/b/*#0"));
    let tags: Vec<Tag> = (0..1500).map(|n| tag(&format!("t{n}"))).collect();
    store.register(&gone, 1, 10, &tags, at(0)).unwrap();
    store.register(&stays, 1, 10, &tags, at(0)).unwrap();
    let seq = store.append(Target::Everything, Mode::Stale, Refresh::Lazy, None, at(5)).unwrap().seq;
    store.note_retired(|shard| *shard == stays, at(100)).unwrap();
    store.note_retired(|shard| *shard == stays, at(100)).unwrap();
    assert_eq!(store.retired_to_call(at(100), 10), Ok(vec![gone.clone()]));
    assert_eq!(store.retired_to_call(at(100), 10), Ok(vec![]), "it has time to end");
    assert_eq!(store.retired_to_call(at(70_000), 10), Ok(vec![gone.clone()]));

    assert_eq!([store.unregister(&gone, 20), store.unregister(&gone, 20)], [Ok(true), Ok(false)]);
    assert_eq!(store.inspect_shard(&gone), Ok(None));
    assert_eq!((store.applied(seq), store.pending(seq)), (Ok(vec![gone.clone()]), Ok(1)), "it has no pages");
    assert_eq!(store.retired_to_call(at(10_000_000), 10), Ok(vec![]));
    assert_eq!(store.inspect_tag(&tag("t0")).unwrap().shards, [stays]);

    // It comes back, and the message of its end arrives once more.
    store.register(&gone, 1, 20, &[tag("t0")], at(0)).unwrap();
    assert_eq!(store.unregister(&gone, 20), Ok(false));
    assert_eq!(store.inspect_tag(&tag("t0")).unwrap().shards.len(), 2);
    assert!(store.inspect_shard(&gone).unwrap().is_some());
}

#[test]
fn a_coordinator_that_is_back_in_the_configuration_is_not_called() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    store.register(&shard("/a/*#0"), 1, 10, &[], at(0)).unwrap();
    store.note_retired(|_| false, at(100)).unwrap();
    assert_eq!(store.next_deadline(), Ok(Some(at(100))));
    store.note_retired(|_| true, at(200)).unwrap();
    assert_eq!((store.retired_to_call(at(200), 10), store.next_deadline()), (Ok(vec![]), Ok(None)));
}

#[test]
fn the_numbers_of_shards_that_a_coordinator_has_had_are_bounded() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let a = shard("/*#0");
    for shards in 1..100 {
        store.register(&a, shards, 0, &[], at(0)).unwrap();
    }
    assert!(number(&store, "SELECT COUNT(*) FROM shards") <= 9);
    let elsewhere = (0..1000).map(|n| format!("/{n}")).find(|path| !a.owns(path, 99)).unwrap();
    let seq = store.append(path(&elsewhere), Mode::Stale, Refresh::Lazy, None, at(5)).unwrap().seq;
    assert_eq!(store.pending(seq), Ok(1), "it may have owned any path");
}
