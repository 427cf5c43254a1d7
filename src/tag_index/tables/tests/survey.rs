//! Surveys of a tag index object.

use super::*;

fn index() -> TagIndexStore<MemorySql> {
    let store = TagIndexStore::open(MemorySql::new()).unwrap();
    for (name, tags) in [("/b#1", vec!["x", "post:2"]), ("/a#0", vec!["x", "post:1"]), ("/b#0", vec!["post:3"])] {
        let tags: Vec<Tag> = tags.into_iter().map(tag).collect();
        store.register(&shard(name), 2, 0, &tags, at(0)).unwrap();
    }
    store
}

#[test]
fn coordinators_are_listed_from_a_name_on() {
    let store = index();
    store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(100)).unwrap();
    let names = |from: Option<&str>, route, limit| {
        let page = store.list_shards(from.map(shard).as_ref(), route, limit).unwrap();
        let listed = page.shards.iter().map(|listed| (listed.shard.to_string(), listed.deliveries.pending));
        (listed.collect::<Vec<_>>(), page.more, page.known)
    };
    let listed = |name: &str, pending| (name.to_owned(), pending);
    assert_eq!(names(None, None, 2), (vec![listed("/a#0", 1), listed("/b#0", 0)], true, 3));
    assert_eq!(names(Some("/b#0"), None, 2), (vec![listed("/b#0", 0), listed("/b#1", 1)], false, 3));
    assert_eq!(names(None, Some("/a"), 2), (vec![listed("/a#0", 1)], false, 3));
}

#[test]
fn tags_are_listed_by_their_beginning() {
    let store = index();
    store.append(Target::Tag(tag("post:2")), Mode::Stale, Refresh::Lazy, None, at(100)).unwrap();
    let names = |prefix, after: Option<&str>, limit| {
        let page = store.list_tags(prefix, after.map(tag).as_ref(), limit).unwrap();
        let listed =
            page.tags.iter().map(|it| (it.tag.to_string(), it.shards, it.last_invalidation.map(|last| last.mode)));
        (listed.collect::<Vec<_>>(), page.more)
    };
    let listed = |name: &str, shards, mode| (name.to_owned(), shards, mode);
    let (first, second) = (listed("post:1", 1, None), listed("post:2", 1, Some(Mode::Stale)));
    assert_eq!(names("post:", None, 2), (vec![first, second], true));
    assert_eq!(names("post:", Some("post:2"), 2), (vec![listed("post:3", 1, None)], false));
    assert_eq!(names("x", None, 2), (vec![listed("x", 2, None)], false));
    assert_eq!(names("", None, 9).0.len(), 4);
    assert_eq!(names("y", None, 9), (vec![], false));
}

#[test]
fn invalidations_are_listed_the_newest_first() {
    let store = index();
    for time in [100, 200, 300] {
        store.append(Target::Tag(tag("x")), Mode::Expire, Refresh::Lazy, None, at(time)).unwrap();
    }
    store.delivered(3, &shard("/a#0"), 5).unwrap();
    let numbers = |before, time, limit| {
        let page = store.list_invalidations(before, time, limit).unwrap();
        let listed = page.invalidations.iter().map(|it| (it.invalidation.seq, it.applied, it.pending, it.matched));
        (listed.collect::<Vec<_>>(), page.more)
    };
    assert_eq!(numbers(None, None, 2), (vec![(3, 1, 1, 5), (2, 0, 2, 0)], true));
    assert_eq!(numbers(Some(2), None, 2), (vec![(1, 0, 2, 0)], false));
    assert_eq!(numbers(None, Some(at(300).plus(SKEW)), 9).0.len(), 2);
}
