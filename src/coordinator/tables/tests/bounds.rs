//! Which invalidations and registrations are removed, and which must stay.

use std::collections::BTreeSet;

use super::*;

fn invalidate(store: &CoordinatorStore<MemorySql>, target: Target, mode: Mode, time: u64) {
    let invalidation = Invalidation { seq: time, at: at(time), target, mode, refresh: Refresh::Lazy };
    let received = Version::from_parts(at(time), 5);
    store.note_invalidation(&invalidation, received, &Clock::resume(None), Timestamp::default()).unwrap();
}

fn path(path: &str) -> Target {
    Target::Path(CanonicalPath::parse(path).unwrap())
}

fn prefix(path: &str) -> Target {
    Target::Prefix(CanonicalPath::parse(path).unwrap().try_into().unwrap())
}

fn save(store: &CoordinatorStore<MemorySql>, entry: &Entry, path: &str) {
    let key = page(path, &[], 1).key;
    let before = store.load(&key).unwrap();
    store.save(&key, &before, entry, &Clock::resume(None), None).unwrap();
}

fn names(store: &CoordinatorStore<MemorySql>) -> Vec<String> {
    let rows = store.sql().query("SELECT kind || ' ' || name FROM invalidations ORDER BY 1", &[]).unwrap();
    rows.into_iter().map(|mut row| if let Value::Text(text) = row.remove(0) { text } else { panic!() }).collect()
}

/// Moves the hand around.
fn collect(store: &CoordinatorStore<MemorySql>, before: u64, up_to: u64) {
    let rows = names(store).len();
    for _ in 0..=rows / 16 + 1 {
        store.collect_invalidations(Removable { before: at(before), at: at(up_to) }).unwrap();
    }
}

#[test]
fn an_invalidation_stays_while_something_from_before_it_exists() {
    let store = coordinator();
    let published =
        |path: &str, tags: &[&str], start| Entry { page: Some(page(path, tags, start)), ..Entry::default() };
    save(&store, &published("/old", &["old"], 100), "/old");
    save(&store, &published("/new", &["new"], 300), "/new");
    let marked = Entry { marked_by: Some(Version::from_parts(at(100), 1)), failures: 1, ..Entry::default() };
    save(&store, &marked, "/marked");
    let digest = Digest::parse(&"0".repeat(32)).unwrap();
    let copy = Some(StoredCopy { version: Version::from_parts(at(100), 1), digest });
    save(&store, &Entry { copy, ..published("/copied", &["copied"], 300) }, "/copied");
    for name in ["/old", "/new", "/marked", "/copied", "/none"] {
        invalidate(&store, path(name), Mode::Expire, 200);
    }
    for name in ["old", "new", "copied", "none"] {
        invalidate(&store, Target::Tag(tag(name)), Mode::Stale, 200);
    }
    invalidate(&store, Target::Everything, Mode::Stale, 200);
    invalidate(&store, prefix("/p"), Mode::Stale, 200);
    invalidate(&store, prefix("/q"), Mode::Purge, 200);
    let all = names(&store);
    collect(&store, 150, 1000);
    assert_eq!(names(&store), all, "a render from before them is under way");
    collect(&store, 1000, 199);
    assert_eq!(names(&store), all, "their deliveries may be repeated");
    collect(&store, 1000, 1000);
    let kept =
        ["everything ", "path /copied", "path /marked", "path /old", "prefix /p", "prefix /q", "tag copied", "tag old"];
    assert_eq!(names(&store), kept, "the purge is not completed");
    store.list_swept(Timestamp::default()).unwrap();
    store.end_sweeps(at(500)).unwrap();
    collect(&store, 1000, 1000);
    assert!(!names(&store).contains(&"prefix /q".to_owned()));
}

#[test]
fn invalidations_by_prefix_over_the_bound_become_wider_and_no_weaker() {
    let store = coordinator();
    for n in 0..1010 {
        invalidate(&store, prefix(&format!("/p{n}")), Mode::Expire, 1000 + n);
    }
    let first = page("/p0/x", &[], 999);
    let (other, last) = (page("/other", &[], 1000), page("/other", &[], 1500));
    assert_eq!(store.invalidated(&other), Ok(None));
    collect(&store, 10_000, 10_000);
    assert!(names(&store).len() <= 1001);
    assert_eq!(
        [&first, &other, &last].map(|page| store.invalidated(page).unwrap()),
        [Some(Mode::Expire), Some(Mode::Expire), None]
    );
}

#[test]
fn invalidations_by_tag_that_only_pages_with_every_tag_need_become_one() {
    let store = coordinator();
    let all = page("/all", &[Tag::every().as_str()], 100);
    save(&store, &Entry { page: Some(all.clone()), ..Entry::default() }, "/all");
    let some = page("/some", &["posts"], 100);
    save(&store, &Entry { page: Some(some.clone()), ..Entry::default() }, "/some");
    (0..100).for_each(|n| invalidate(&store, Target::Tag(tag(&format!("t{n}"))), Mode::Expire, 200 + n));
    invalidate(&store, Target::Tag(tag("posts")), Mode::Stale, 150);
    collect(&store, 1000, 1000);
    assert_eq!(names(&store), ["tag isr:every-tag", "tag posts"]);
    assert_eq!(store.invalidated(&all), Ok(Some(Mode::Expire)));
    assert_eq!(store.invalidated(&some), Ok(Some(Mode::Stale)), "it names no page without every tag");
    let newer = page("/all", &[Tag::every().as_str()], 299);
    assert_eq!(store.invalidated(&newer), Ok(Some(Mode::Expire)), "by the last of them");
    save(&store, &Entry { page: Some(page("/all", &[Tag::every().as_str()], 300)), ..Entry::default() }, "/all");
    collect(&store, 1000, 1000);
    assert_eq!(names(&store), ["tag posts"]);
}

#[test]
fn an_invalidation_that_is_widened_while_the_earlier_one_goes_is_kept() {
    let store = coordinator();
    let before = page("/all", &[Tag::every().as_str()], 100);
    save(&store, &Entry { page: Some(before), ..Entry::default() }, "/all");
    invalidate(&store, Target::Tag(tag("a")), Mode::Stale, 200);
    collect(&store, 1000, 1000);
    assert_eq!(names(&store), ["tag isr:every-tag"]);
    // Nothing needs that one any more. Another by the same tag is examined together with it.
    let after = page("/all", &[Tag::every().as_str()], 300);
    save(&store, &Entry { page: Some(after.clone()), ..Entry::default() }, "/all");
    invalidate(&store, Target::Tag(tag("a")), Mode::Stale, 400);
    collect(&store, 1000, 1000);
    assert_eq!(names(&store), ["tag isr:every-tag"]);
    assert_eq!(store.invalidated(&after), Ok(Some(Mode::Stale)));
}

#[test]
fn each_tag_index_object_is_told_that_a_page_carries_every_tag() {
    let store = coordinator();
    save(&store, &Entry { page: Some(page("/a", &[Tag::every().as_str()], 100)), ..Entry::default() }, "/a");
    store.note_registered(&[Tag::every()], 1).unwrap();
    for index in TagIndexName::all(3) {
        let (_, carried) = store.forget_tags((index, 3), &BTreeSet::new(), 1, at(5000)).unwrap();
        assert_eq!(carried.tags, [Tag::every()], "{index}");
        let (_, carried) = store.forget_tags((index, 3), &BTreeSet::from([Tag::every()]), 1, at(5000)).unwrap();
        assert_eq!(carried.tags, [Tag::every()], "{index}");
    }
}

#[test]
fn a_purge_is_swept_even_if_its_number_was_given_before() {
    let store = coordinator();
    save(&store, &Entry { page: Some(page("/a", &["posts"], 100)), ..Entry::default() }, "/a");
    let deliver = |target: Target, mode, refresh, time| {
        let invalidation = Invalidation { seq: 17, at: at(time), target, mode, refresh };
        let received = Version::from_parts(at(time), 5);
        store.note_invalidation(&invalidation, received, &Clock::resume(None), Timestamp::default()).unwrap();
        store.list_swept(Timestamp::default()).unwrap();
    };
    let modes = || store.swept(9).unwrap().iter().map(|swept| swept.mode).collect::<Vec<_>>();
    let refresh = || deliver(Target::Tag(tag("posts")), Mode::Stale, Refresh::Eager, 200);
    refresh();
    store.strike_off(&store.swept(9).unwrap()[0], false).unwrap();
    store.end_sweeps(at(250)).unwrap();
    refresh();
    assert_eq!(modes(), [], "it arrives twice");
    deliver(prefix("/"), Mode::Purge, Refresh::Lazy, 300);
    assert_eq!(modes(), [Mode::Purge], "the log was restored to an earlier point");
    refresh();
    assert_eq!(modes(), [Mode::Purge], "it arrives late");
}

#[test]
fn tags_without_a_page_are_forgotten_and_those_in_use_stay() {
    let store = coordinator();
    let (root, now) = (TagIndexName::ROOT, at(5000));
    let entry = Entry { page: Some(page("/a", &["carried"], 100)), ..Entry::default() };
    save(&store, &entry, "/a");
    let registered: Vec<Tag> = ["carried", "free", "in-use"].map(tag).into();
    store.note_registered(&registered, 1).unwrap();
    assert_eq!(store.generation(root), Ok(None));
    // Its registration is under way.
    let in_use: BTreeSet<Tag> = ["in-use", "new"].map(tag).into();
    let (generation, carried) = store.forget_tags((root, 1), &in_use, 1, now).unwrap();
    let kept: Vec<Tag> = ["carried", "in-use", "new"].map(tag).into();
    assert_eq!((carried.after, carried.up_to, carried.tags), (None, None, kept));
    assert_eq!((generation, store.generation(root)), (5000, Ok(Some(5000))));
    assert_eq!(store.unregistered(&registered), Ok(vec![tag("free")]));
    // Even if the clock goes back, a later generation has a higher number.
    assert_eq!(store.forget_tags((root, 1), &in_use, 1, at(3)).unwrap().0, 5001);
    assert_eq!(store.forget_registrations(1, at(3)), Ok(5002));
    assert_eq!(store.unregistered(&registered), Ok(registered.clone()));
}

#[test]
fn the_hand_passes_over_all_registered_tags_and_the_messages_stay_small() {
    let store = coordinator();
    let long = "x".repeat(200);
    let tags: Vec<Tag> = (0..1000).map(|n| tag(&format!("{n:04}{long}"))).collect();
    store.note_registered(&tags, 1).unwrap();
    let names: Vec<&str> = tags.iter().step_by(2).map(Tag::as_str).collect();
    for (n, names) in names.chunks(50).enumerate() {
        let at = format!("/{n}");
        save(&store, &Entry { page: Some(page(&at, names, 100)), ..Entry::default() }, &at);
    }
    let mut last = None;
    for round in 0..100 {
        let (_, carried) = store.forget_tags((TagIndexName::ROOT, 1), &BTreeSet::new(), 1, at(round)).unwrap();
        assert_eq!(carried.after, last, "ranges follow one another");
        assert!(carried.tags.iter().map(|tag| tag.as_str().len()).sum::<usize>() < 17_000);
        last = carried.up_to;
        if last.is_none() {
            assert_eq!(store.unregistered(&tags[..64]).unwrap().len(), 32);
            return;
        }
    }
    panic!("the hand does not reach the end");
}
