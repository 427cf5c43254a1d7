//! The tag index's tables on a real SQLite: each appended invalidation is delivered, in the feed, and reported once.

use std::time::Duration;

mod bounds;
mod survey;
mod versions;

use super::*;
use crate::inspection::answer::{LastInvalidation, ShardEntry, TagEntry, TagIndexHealth};
use crate::invalidation::{
    Feed, FeedProgress, FeedQuestion, IdempotencyKey, Invalidation, MAX_FEED_ROWS, Mode, Refresh, Target,
};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::rusqlite::MemorySql;
use crate::sql::{Sql, Value};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::Version;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn after(since: u64) -> FeedQuestion {
    FeedQuestion { since, known: None }
}

fn tag(name: &str) -> Tag {
    Tag::parse(name).unwrap()
}

fn shard(name: &str) -> ShardName {
    ShardName::from_stored(name).unwrap()
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

#[test]
fn health_is_what_is_pending_since_when_and_a_few_coordinators() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    assert_eq!(store.health(7, 16), Ok(TagIndexHealth::default()));
    let names: Vec<ShardName> = (0..4).map(|number| shard(&format!("/[slug]#{number}"))).collect();
    for name in &names {
        store.register(name, 4, 0, &[tag("x")], at(0)).unwrap();
    }
    // After a change of `shards`, a coordinator is announced for each number of them.
    store.register(&names[0], 5, 0, &[], at(0)).unwrap();
    let some = |from, limit| store.health(from, limit).unwrap().some;
    assert_eq!((some(0, 16), some(2, 1), some(7, 16)), (names.clone(), vec![names[2].clone()], vec![names[3].clone()]));
    let first = store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
    let second = store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(5000)).unwrap();
    let pending = || store.health(0, 1).map(|health| (health.shards, health.pending, health.oldest_pending)).unwrap();
    assert_eq!(pending(), (4, 8, Some(first.at)));
    for name in &names {
        store.delivered(first.seq, name, 0).unwrap();
    }
    assert_eq!(pending(), (4, 4, Some(second.at)));
    for name in &names {
        store.delivered(second.seq, name, 0).unwrap();
    }
    assert_eq!(pending(), (4, 0, None));
}

#[test]
fn a_repeated_call_is_recognized_for_a_day_by_its_key_and_all_that_it_says() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (key, target) = (IdempotencyKey::of("cms", "1"), Target::Tag(tag("x")));
    let repeated = |key: &IdempotencyKey, target: &Target, mode, refresh, now| {
        store.repeated(key, target, mode, refresh, at(now)).unwrap()
    };
    assert_eq!(repeated(&key, &target, Mode::Expire, Refresh::Lazy, 100), None);
    let first = store.append(target.clone(), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
    store.note_key(first.seq, &key).unwrap();
    store.append(target.clone(), Mode::Expire, Refresh::Lazy, None, at(200)).unwrap();
    assert_eq!(repeated(&key, &target, Mode::Expire, Refresh::Lazy, 300), Some(first.clone()));
    assert_eq!(repeated(&key, &target, Mode::Expire, Refresh::Lazy, DAY), Some(first.clone()));
    for (key, target, mode, refresh, now) in [
        (&IdempotencyKey::of("cms", "2"), &target, Mode::Expire, Refresh::Lazy, 300),
        (&key, &Target::Tag(tag("y")), Mode::Expire, Refresh::Lazy, 300),
        (&key, &Target::Everything, Mode::Expire, Refresh::Lazy, 300),
        (&key, &target, Mode::Purge, Refresh::Lazy, 300),
        (&key, &target, Mode::Expire, Refresh::Eager, 300),
        (&key, &target, Mode::Expire, Refresh::Lazy, first.at.as_millis() + DAY + 1),
    ] {
        assert_eq!(repeated(key, target, mode, refresh, now), None, "{key:?} {target:?} {mode:?} {refresh:?} {now}");
    }
}

#[test]
fn the_deliveries_of_a_call_are_those_of_all_its_targets() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    store.register(&shard("/[slug]#0"), 1, 0, &[tag("x"), tag("y")], at(0)).unwrap();
    let seqs = ["x", "y", "x"]
        .map(|name| store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap().seq);
    let due = |first, last| {
        let due = store.deliveries_of(first, last, 10).unwrap();
        due.into_iter().map(|delivery| delivery.invalidation.seq).collect::<Vec<_>>()
    };
    assert_eq!(due(seqs[0], seqs[1]), seqs[..2]);
    assert_eq!(due(seqs[1], seqs[2]), seqs[1..]);
}

#[test]
fn an_invalidation_is_due_at_each_shard_that_carries_the_tag() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (a, b) = (shard("/[slug]#0"), shard("/[slug]#1"));
    store.register(&a, 1, 0, &[tag("x"), tag("y")], at(0)).unwrap();
    store.register(&b, 1, 0, &[tag("x")], at(0)).unwrap();
    store.register(&b, 1, 0, &[tag("x")], at(0)).unwrap();

    let first = store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
    let delivery = |shard: &ShardName| Delivery {
        invalidation: first.clone(),
        shard: shard.clone(),
        attempts: 0,
        is_summary: false,
    };
    assert_eq!(store.deliveries_of(first.seq, first.seq, 10), Ok(vec![delivery(&a), delivery(&b)]));
    store.delivered(first.seq, &a, 0).unwrap();
    store.put_off(first.seq, &b, at(500)).unwrap();
    assert_eq!((store.pending(first.seq), store.next_deadline()), (Ok(1), Ok(Some(at(500)))));
    assert_eq!(store.deliveries_due(at(499), 10), Ok(vec![]));
    assert_eq!(store.deliveries_due(at(500), 10), Ok(vec![Delivery { attempts: 1, ..delivery(&b) }]));
    // Of two concurrent attempts, one may be given up after the other has succeeded.
    store.put_off(first.seq, &a, at(600)).unwrap();
    assert_eq!((store.pending(first.seq), store.applied(first.seq)), (Ok(1), Ok(vec![a.clone()])));

    let none = store.append(Target::Tag(tag("unknown")), Mode::Expire, Refresh::Lazy, None, at(200)).unwrap();
    assert_eq!((none.seq, store.pending(none.seq)), (first.seq + 1, Ok(0)));
    let path = Target::Path(CanonicalPath::parse("/p").unwrap());
    let third = store.append(path, Mode::Stale, Refresh::Lazy, Some(&a), at(300)).unwrap();
    assert_eq!(store.pending(third.seq), Ok(1));
}

#[test]
fn a_registration_tells_what_was_invalidated_since_the_render_began() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let a = shard("/#0");
    let invalidation = store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
    let told = |since| store.register(&a, 1, 0, &[tag("x"), tag("y")], at(since)).map(|answer| answer.invalidations);
    assert_eq!(invalidation.at, at(100).plus(SKEW));
    assert_eq!(told(1101), Ok(vec![]));
    assert_eq!(told(1100), Ok(vec![invalidation]), "the renderer's clock may have run ahead");
    let second = store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(50)).unwrap();
    assert_eq!(second.at, at(1101), "times rise though the clock goes back");
}

#[test]
fn the_feed_gives_the_latest_of_each_scope_and_is_cut_at_its_bound() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let append =
        |name: &str, time| store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap();
    append("x", 100);
    let y = append("y", 200);
    let x = append("x", 300);
    let all = store.feed(after(0), 10, at(0), 7).unwrap();
    assert_eq!((all.rows, all.seq, all.more), (vec![y.clone(), x.clone()], 3, false));
    let half = store.feed(after(0), 1, at(0), 7).unwrap();
    assert_eq!((half.rows, half.seq, half.more), (vec![y], 2, true));
    assert_eq!(store.feed(after(3), 10, at(0), 7).map(|page| (page.rows, page.seq)), Ok((vec![], 3)));

    for i in 0..MAX_FEED_ROWS as u64 + 97 {
        append(&format!("t{i}"), 1000 + i);
    }
    let mut feed = Feed::default();
    loop {
        let answer = store.feed(after(feed.seq(TagIndexName::ROOT)), 1000, at(0), 7).unwrap();
        let more = answer.more;
        feed.extend(TagIndexName::ROOT, feed.seq(TagIndexName::ROOT), answer);
        if !more {
            break;
        }
    }
    let verdict = |page: &PageMeta| {
        feed.invalidation_of(page, &RouteId::from_stored("/*").unwrap()).map(|invalidated| invalidated.mode)
    };
    assert!(feed.may_miss(at(250)), "the row of this time has left the feed");
    assert_eq!(verdict(&page("/", &["x"], 250)), None);
    assert!(!feed.may_miss(at(11_000)));
    assert_eq!(verdict(&page("/", &["t9000"], 11_000)), Some(Mode::Expire));
    assert_eq!(verdict(&page("/", &["t9000"], 11_001)), None);
}

/// Opens the root of a tag index with `tag_shards` objects, on a database that may have had another life.
fn root_of(tag_shards: u16, sql: MemorySql, now: u64) -> TagIndexStore<MemorySql> {
    TagIndexStore::open(sql).and_then(|store| store.one_of(TagIndexName::ROOT, tag_shards, at(now))).unwrap()
}

#[test]
fn each_object_gives_numbers_of_its_own_and_keeps_its_part_of_the_feed() {
    let first = TagIndexName::all(2).last().unwrap();
    let store = TagIndexStore::open(MemorySql::new()).and_then(|store| store.one_of(first, 2, at(0))).unwrap();
    let append = |tag_name: String, time| {
        store.append(Target::Tag(tag(&tag_name)), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap().seq
    };
    assert_eq!(append("a".to_owned(), 100), first.before_first() + 1);
    assert_eq!(append("b".to_owned(), 100), first.before_first() + 2);
    for number in 0..MAX_FEED_ROWS as u64 / 2 + 98 {
        append(format!("t{number}"), 1000 + number);
    }
    let rows = store.feed(after(first.before_first()), 100_000, at(0), 7).unwrap().rows;
    assert_eq!(rows.len(), MAX_FEED_ROWS / 2, "all objects together keep as many rows as one would");
    assert_eq!(rows.last().map(|row| row.seq), Some(first.before_first() + MAX_FEED_ROWS as u64 / 2 + 100));
}

#[test]
fn another_number_of_tag_index_objects_raises_the_floor_once() {
    let fresh = root_of(4, MemorySql::new(), 100);
    assert_eq!(fresh.feed(after(0), 10, at(0), 7).unwrap().floor, at(0), "there is nothing that an edge could miss");
    fresh.register(&shard("/#0"), 1, 0, &[tag("x")], at(0)).unwrap();
    let sql = |store: &TagIndexStore<MemorySql>| store.sql().copy();
    let same = root_of(4, sql(&fresh), 200);
    assert_eq!(same.feed(after(0), 10, at(0), 7).unwrap().floor, at(0));
    let fewer = root_of(1, sql(&same), 300);
    assert_eq!(fewer.feed(after(0), 10, at(0), 7).unwrap().floor, at(300).plus(SKEW));
    assert_eq!(root_of(1, sql(&fewer), 400).feed(after(0), 10, at(0), 7).unwrap().floor, at(300).plus(SKEW));
}

#[test]
fn after_a_change_of_their_number_a_coordinator_gets_every_tag_until_it_registers() {
    let (early, late) = (shard("/#0"), shard("/#1"));
    let due = |store: &TagIndexStore<MemorySql>, name: &str| {
        let seq = store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(500)).unwrap().seq;
        store.deliveries_of(seq, seq, 10).unwrap().iter().map(|due| due.shard.to_string()).collect::<Vec<_>>()
    };
    let one = root_of(1, MemorySql::new(), 100);
    for shard in [&early, &late] {
        one.register(shard, 2, 0, &[tag("x")], at(0)).unwrap();
    }
    assert_eq!(due(&one, "y"), [""; 0]);

    let root = root_of(2, one.sql().copy(), 300);
    assert_eq!(due(&root, "y"), ["/#0", "/#1"], "both may have registered it with another object");
    root.register(&late, 2, 0, &[], at(400)).unwrap();
    assert_eq!(due(&root, "y"), ["/#0"]);
    assert!(!root.lacks_shards().unwrap(), "the root knows them all");

    let open = |sql| {
        let name = TagIndexName::all(2).last().unwrap();
        TagIndexStore::open(sql).and_then(|store| store.one_of(name, 2, at(300))).unwrap()
    };
    let other = open(MemorySql::new());
    assert!(other.lacks_shards().unwrap());
    other.learn_shards(std::slice::from_ref(&early), false).unwrap();
    assert!(open(other.sql().copy()).lacks_shards().unwrap(), "until it has learnt all");
    other.learn_shards(std::slice::from_ref(&late), true).unwrap();
    assert!(!open(other.sql().copy()).lacks_shards().unwrap());
    assert_eq!(due(&other, "x"), ["/#0", "/#1"]);
    other.register(&early, 2, 0, &[tag("z")], at(400)).unwrap();
    assert_eq!(due(&other, "x"), ["/#1"]);
}

#[test]
fn a_wide_scope_is_due_at_every_shard_that_it_may_concern() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let blog = RouteId::from_stored("/blog/*").unwrap();
    let (old, new, page_shard) = (shard("/blog/*#1"), shard("/blog/*#5"), shard("/:page#0"));
    store.register(&old, 2, 0, &[], at(0)).unwrap();
    store.register(&old, 8, 0, &[], at(0)).unwrap();
    store.register(&new, 8, 0, &[], at(0)).unwrap();
    store.register(&page_shard, 1, 0, &[tag("x")], at(0)).unwrap();
    let due = |target, owner: Option<&ShardName>| {
        let seq = store.append(target, Mode::Purge, Refresh::Lazy, owner, at(100)).unwrap().seq;
        let mut shards: Vec<String> =
            store.deliveries_of(seq, seq, 10).unwrap().iter().map(|due| due.shard.to_string()).collect();
        shards.sort();
        shards
    };
    assert_eq!(due(Target::Everything, None), ["/:page#0", "/blog/*#1", "/blog/*#5"]);
    assert_eq!(due(Target::Route(blog), None), ["/blog/*#1", "/blog/*#5"]);
    let prefix = CanonicalPath::parse("/blog").unwrap().try_into().unwrap();
    assert_eq!(due(Target::Prefix(prefix), None).len(), 3);

    // Searches for a path that shard 1 of 2 owned, and shard 5 of 8 owns.
    let moved = (0..10_000).map(|n| format!("/blog/{n}")).find(|path| old.owns(path, 2) && new.owns(path, 8)).unwrap();
    let moved = due(Target::Path(CanonicalPath::parse(&moved).unwrap()), Some(&new));
    assert_eq!(moved, ["/blog/*#1", "/blog/*#5"], "the page may be at its former owner still");
    let answer = store.register(&shard("/:page#1"), 2, 0, &[], at(50)).unwrap();
    assert_eq!(answer.invalidations.len(), 2, "a shard that is new hears of what is wide, but not of other routes");
}

#[test]
fn the_new_owner_of_a_path_hears_of_what_came_before_it_was_known() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (old, new) = (shard("/blog/*#1"), shard("/blog/*#5"));
    store.register(&old, 2, 0, &[], at(0)).unwrap();
    let path = |is_wanted: &dyn Fn(&str) -> bool| {
        let found = (0..10_000).map(|n| format!("/blog/{n}")).find(|path| is_wanted(path)).unwrap();
        Target::Path(CanonicalPath::parse(&found).unwrap())
    };
    let moved = path(&|path| old.owns(path, 2) && new.owns(path, 8));
    let others = path(&|path| !new.owns(path, 8));
    let elsewhere = Target::Path(CanonicalPath::parse("/about").unwrap());
    // The object still uses two shards.
    for (target, time) in [(&moved, 100), (&others, 100), (&elsewhere, 100), (&moved, 5000)] {
        store.append(target.clone(), Mode::Expire, Refresh::Lazy, Some(&old), at(time)).unwrap();
    }
    let told = |since| -> Vec<Target> {
        let answer = store.register(&new, 8, 0, &[], at(since)).unwrap();
        answer.invalidations.into_iter().map(|invalidation| invalidation.target).collect()
    };
    assert_eq!(told(50), std::slice::from_ref(&moved), "once for each target, and no other owner's");
    assert_eq!(told(50), [moved], "the first answer may have been lost, or be overtaken by this one");
    assert_eq!(told(60_000), [], "nothing since then");
}

#[test]
fn each_scope_and_mode_is_stored_and_read_back() {
    let path = |path: &str| CanonicalPath::parse(path).unwrap();
    let targets = [
        Target::Path(path("/a/b")),
        Target::Tag(tag("x")),
        Target::Prefix(path("/a").try_into().unwrap()),
        Target::Prefix(path("/").try_into().unwrap()),
        Target::Route(RouteId::from_stored("/*").unwrap()),
        Target::Everything,
    ];
    for target in targets {
        for mode in [Mode::Stale, Mode::Expire, Mode::Purge] {
            let store = TagIndexStore::open(MemorySql::new()).unwrap();
            store.append(target.clone(), mode, Refresh::Lazy, None, at(1000)).unwrap();
            let appended =
                Invalidation { seq: 1, at: at(1000).plus(SKEW), target: target.clone(), mode, refresh: Refresh::Lazy };
            assert_eq!(store.feed(after(0), 10, at(0), 7).unwrap().rows, [appended]);
        }
    }
}

#[test]
fn the_tag_index_tells_where_a_tag_is_and_what_is_on_its_way() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (a, b) = (shard("/a/*#0"), shard("/b/*#1"));
    store.register(&b, 2, 0, &[tag("x")], at(0)).unwrap();
    store.register(&b, 8, 0, &[], at(0)).unwrap();
    store.register(&a, 1, 0, &[tag("x"), tag("y")], at(0)).unwrap();
    let append = |target, mode| store.append(target, mode, Refresh::Lazy, None, at(100)).unwrap().seq;
    let first = append(Target::Tag(tag("x")), Mode::Expire);
    let second = append(Target::Tag(tag("x")), Mode::Stale);
    let everything = append(Target::Everything, Mode::Purge);
    append(Target::Tag(tag("nowhere")), Mode::Expire);
    store.delivered(first, &a, 3).unwrap();
    store.delivered(first, &b, 4).unwrap();
    store.delivered(second, &a, 0).unwrap();
    store.put_off(second, &b, at(1_700_000_000_000)).unwrap();
    store.delivered(everything, &a, 9).unwrap();

    // Of invalidations at the same moment, each is a millisecond later.
    let last = |seq, mode| Some(LastInvalidation { seq, mode, at: at(1099 + seq) });
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

#[test]
fn a_restored_database_gets_another_log_as_soon_as_an_edge_knows_more() {
    let root = TagIndexName::ROOT;
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    store.register(&shard("/*#0"), 1, 0, &[tag("x")], at(0)).unwrap();
    let append = |store: &TagIndexStore<MemorySql>, time| {
        store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap()
    };
    let ask = |store: &TagIndexStore<MemorySql>, feed: &Feed, since, random| {
        store.feed(FeedQuestion { since, known: feed.position(root) }, 100, at(9_000), random).unwrap()
    };
    append(&store, 1_000);
    let mut behind = Feed::default();
    behind.extend(root, 0, ask(&store, &behind, 0, 1));
    let backup = store.sql.copy();
    append(&store, 2_000);
    let mut edge = behind.clone();
    edge.extend(root, 0, ask(&store, &edge, 0, 2));
    assert_eq!(edge.position(root).unwrap().log, behind.position(root).unwrap().log, "the id stays");

    // The numbers that the edge knows come again, for other rows.
    for rows in [0, 1, 2] {
        let restored = TagIndexStore::open(backup.copy()).unwrap();
        (0..rows).for_each(|row| drop(append(&restored, 5_000 + row)));
        let same = ask(&restored, &behind, 0, 3);
        assert_eq!(same.log, Some(behind.position(root).unwrap().log), "an edge that knows less can't tell");
        let other = ask(&restored, &edge, 2, 3);
        assert_ne!(other.log, same.log, "{rows} rows later");
        assert_eq!(other.floor, at(9_000).plus(SKEW), "the coordinators know what is lost");
        assert_eq!(edge.clone().extend(root, 2, other.clone()), FeedProgress::StartsOver);
        let everything = restored.invalidation(other.seq).unwrap().unwrap();
        assert_eq!((everything.target, everything.mode), (Target::Everything, Mode::Stale));
        assert!(everything.at > other.floor && other.seq > 2, "no number and no time is given twice");
        assert_eq!(restored.pending(other.seq), Ok(1));
        // Once is enough.
        let mut again = edge.clone();
        again.extend(root, 2, other.clone());
        assert_eq!(ask(&restored, &again, 0, 4).log, other.log);
        assert_eq!(ask(&restored, &edge, 2, 4).log, other.log, "what another log has given says nothing of this one");
    }
}

/// A row leaves out earlier ones of its target. An edge that has read only a part of the feed would never hear of them
/// if that row is lost.
#[test]
fn an_edge_that_has_read_a_part_of_the_feed_notices_that_a_row_of_the_rest_is_lost() {
    let root = TagIndexName::ROOT;
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    store.register(&shard("/*#0"), 1, 0, &[tag("x"), tag("y")], at(0)).unwrap();
    let append = |store: &TagIndexStore<MemorySql>, name, time| {
        store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap()
    };
    append(&store, "x", 1_000);
    append(&store, "y", 2_000);
    let backup = store.sql.copy();
    append(&store, "x", 3_000);
    let mut edge = Feed::default();
    let part = store.feed(after(0), 1, at(4_000), 1).unwrap();
    assert_eq!((part.seq, part.more), (2, true), "row 1 is left out because of row 3");
    edge.extend(root, 0, part);

    let restored = TagIndexStore::open(backup).unwrap();
    let question = FeedQuestion { since: edge.seq(root), known: edge.position(root) };
    let other = restored.feed(question, 100, at(9_000), 2).unwrap();
    assert_eq!(edge.extend(root, 2, other), FeedProgress::StartsOver);
}

#[test]
fn a_restored_database_gets_another_log_even_if_the_row_that_an_edge_knows_has_left_it() {
    let root = TagIndexName::ROOT;
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let append = |store: &TagIndexStore<MemorySql>, name: &str, time| {
        store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap();
    };
    append(&store, "x", 1_000);
    let backup = store.sql.copy();
    append(&store, "y", 2_000);
    append(&store, "y", 3_000);
    let mut edge = Feed::default();
    edge.extend(root, 0, store.feed(after(0), 100, at(4_000), 1).unwrap());

    let restored = TagIndexStore::open(backup).unwrap();
    for (name, time) in [("z", 5_000), ("x", 6_000), ("x", 7_000)] {
        append(&restored, name, time);
    }
    let question = FeedQuestion { since: edge.seq(root), known: edge.position(root) };
    restored.sql.query("DELETE FROM invalidations WHERE seq < 4", &[]).unwrap();
    let other = restored.feed(question, 100, at(9_000), 2).unwrap();
    assert_eq!(edge.extend(root, 3, other), FeedProgress::StartsOver, "row 2 is another one than it knows");
}

#[test]
fn a_new_database_has_another_log() {
    let ask = |random| TagIndexStore::open(MemorySql::new()).unwrap().feed(after(0), 10, at(0), random).unwrap().log;
    assert!(ask(1).is_some());
    assert_ne!(ask(1), ask(2));
}

#[test]
fn a_shard_with_a_page_that_carries_every_tag_hears_of_each_invalidation_by_tag() {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    let (a, b) = (shard("/[slug]#0"), shard("/[slug]#1"));
    store.register(&a, 1, 0, &[Tag::every(), tag("x")], at(0)).unwrap();
    store.register(&b, 1, 0, &[tag("x")], at(0)).unwrap();
    for (name, expected) in [("x", vec![a.clone(), b.clone()]), ("unknown", vec![a.clone()])] {
        let row = store.append(Target::Tag(tag(name)), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
        let told = store.deliveries_of(row.seq, row.seq, 10).unwrap();
        assert_eq!(told.into_iter().map(|delivery| delivery.shard).collect::<Vec<_>>(), expected, "{name}");
    }
    let answer = store.register(&b, 1, 0, &[Tag::every()], at(50)).unwrap();
    assert_eq!(answer.invalidations.len(), 2, "it may concern the page that is being rendered");
    assert_eq!(store.register(&b, 1, 0, &[Tag::every()], at(5000)).unwrap().invalidations, []);
}
