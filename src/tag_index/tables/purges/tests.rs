//! Purges of downstream caches on a real SQLite: each invalidation arrives twice, together with others, and a crash
//! loses none.

use std::time::Duration;

use super::*;
use crate::downstream::purges::{DownstreamCaches, PurgeOutcome};
use crate::invalidation::{Mode, Refresh, Target};
use crate::semantics::tag::Tag;
use crate::sql::rusqlite::MemorySql;

/// The time of an invalidation is a second ahead, an edge may not know it for ten, and a response may be in transit for
/// five.
const SETTLES_AFTER: u64 = 16_000;

const BOTH: [DownstreamCache; 2] = [DownstreamCache::PlatformCache, DownstreamCache::ZonePurge];

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn index(active: &[DownstreamCache]) -> TagIndexStore<MemorySql> {
    let downstream = DownstreamCaches { active: active.to_vec(), freshness_bound: Duration::from_secs(10) };
    TagIndexStore::open(MemorySql::new()).unwrap().with_downstream(downstream)
}

fn target(tag: &str) -> Target {
    Target::Tag(Tag::parse(tag).unwrap())
}

fn append(index: &TagIndexStore<MemorySql>, target: Target, now: u64) -> u64 {
    index.append(target, Mode::Expire, Refresh::Lazy, None, at(now)).unwrap().seq
}

/// Performs the purge that is due, and returns its tags.
fn purge(
    index: &TagIndexStore<MemorySql>,
    cache: DownstreamCache,
    now: u64,
    outcome: PurgeOutcome,
) -> Option<Vec<String>> {
    let batch = index.begin_purge(cache, at(now)).unwrap()?;
    index.end_purge(&batch, outcome, at(now + 1)).unwrap();
    Some(batch.tags)
}

fn states(index: &TagIndexStore<MemorySql>, seq: u64) -> Vec<(String, bool)> {
    index.downstream_progress(seq).unwrap().into_iter().map(|state| (state.cache, state.is_done)).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| String::from(*name)).collect()
}

#[test]
fn without_downstream_caches_nothing_is_noted() {
    let index = index(&[]);
    let seq = append(&index, target("a"), 1000);
    index.ripen(seq, at(1000)).unwrap();
    assert_eq!((states(&index, seq), index.next_deadline()), (vec![], Ok(None)));
}

#[test]
fn what_is_invalidated_is_purged_once_it_is_ripe_and_again_once_every_edge_has_heard() {
    for cache in BOTH {
        let index = index(&[cache]);
        let seq = append(&index, target("a"), 1000);
        assert_eq!(index.next_deadline(), Ok(Some(at(6000))), "should the object die now");
        assert_eq!(purge(&index, cache, 5999, PurgeOutcome::Done), None, "not before the coordinators know");
        index.ripen(seq, at(1500)).unwrap();
        assert_eq!(index.next_deadline(), Ok(Some(at(1500))));
        assert_eq!(purge(&index, cache, 1500, PurgeOutcome::Done), Some(names(&["a"])));
        assert_eq!(states(&index, seq), [(cache.as_str().to_owned(), false)]);
        assert_eq!(index.next_deadline(), Ok(Some(at(1000 + SETTLES_AFTER))));
        index.ripen(seq, at(2000)).unwrap();
        assert_eq!(purge(&index, cache, 999 + SETTLES_AFTER, PurgeOutcome::Done), None);
        assert_eq!(purge(&index, cache, 1000 + SETTLES_AFTER, PurgeOutcome::Done), Some(names(&["a"])));
        assert_eq!(states(&index, seq), [(cache.as_str().to_owned(), true)]);
        assert_eq!(index.next_deadline(), Ok(None));
    }
}

#[test]
fn a_purge_that_is_late_need_not_be_made_twice() {
    let index = index(&[DownstreamCache::ZonePurge]);
    let seq = append(&index, target("a"), 1000);
    assert_eq!(
        purge(&index, DownstreamCache::ZonePurge, 1000 + SETTLES_AFTER, PurgeOutcome::Done),
        Some(names(&["a"]))
    );
    assert_eq!(states(&index, seq), [("zone_purge".to_owned(), true)]);
}

#[test]
fn a_cache_that_fails_is_asked_again_after_a_pause_and_does_not_hold_up_the_other() {
    let index = index(&BOTH);
    let seq = append(&index, target("a"), 1000);
    index.ripen(seq, at(1000)).unwrap();
    let limited = PurgeOutcome::Limited { retry_after: Some(Duration::from_secs(30)) };
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 1000, limited), Some(names(&["a"])));
    assert_eq!(purge(&index, DownstreamCache::PlatformCache, 1000, PurgeOutcome::Done), Some(names(&["a"])));
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 31_000, PurgeOutcome::Done), None);
    assert_eq!(purge(&index, DownstreamCache::PlatformCache, 17_000, PurgeOutcome::Done), Some(names(&["a"])));
    assert_eq!(states(&index, seq), [("platform_cache".to_owned(), true), ("zone_purge".to_owned(), false)]);
    assert_eq!(index.next_deadline(), Ok(Some(at(31_001))));
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 31_001, PurgeOutcome::Done), Some(names(&["a"])));
    assert_eq!(states(&index, seq)[1], ("zone_purge".to_owned(), true));
}

#[test]
fn a_purge_of_which_nothing_was_heard_is_made_again() {
    let index = index(&[DownstreamCache::ZonePurge]);
    let seq = append(&index, target("a"), 1000);
    index.ripen(seq, at(1000)).unwrap();
    assert!(index.begin_purge(DownstreamCache::ZonePurge, at(1000)).unwrap().is_some());
    assert_eq!(index.begin_purge(DownstreamCache::ZonePurge, at(1001)), Ok(None), "one at a time");
    assert_eq!(index.next_deadline(), Ok(Some(at(1500))), "the object has died");
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 1500, PurgeOutcome::Done), Some(names(&["a"])));
}

#[test]
fn what_waits_is_purged_together_and_what_comes_meanwhile_is_not_forgotten() {
    let index = index(&[DownstreamCache::ZonePurge]);
    for n in 0..250 {
        append(&index, target(&format!("t{}", n / 2)), 1000);
    }
    let first = index.begin_purge(DownstreamCache::ZonePurge, at(6000)).unwrap().unwrap();
    let expected: Vec<String> = (0..MAX_TAGS).map(|n| format!("t{n}")).collect();
    assert_eq!(first.tags, expected);
    // It names a tag whose purge is under way.
    let late = append(&index, target("t0"), 6000);
    index.ripen(late, at(6000)).unwrap();
    index.end_purge(&first, PurgeOutcome::Done, at(6001)).unwrap();
    let second = purge(&index, DownstreamCache::ZonePurge, 6001, PurgeOutcome::Done).unwrap();
    assert_eq!((second.len(), &second[0]), (26, &"t100".to_owned()));
    assert!(second.contains(&"t0".to_owned()));
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 6002, PurgeOutcome::Done), None);
}

#[test]
fn a_purge_of_everything_stands_for_all_that_are_due() {
    let index = index(&[DownstreamCache::ZonePurge]);
    let before = append(&index, target("a"), 1000);
    let everything = append(&index, Target::Everything, 1001);
    let now = 1001 + SETTLES_AFTER;
    let after = append(&index, target("b"), now - 1000);
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, now, PurgeOutcome::Done), Some(names(&[headers::EVERYTHING])));
    let is_done = |seq| states(&index, seq)[0].1;
    assert_eq!([before, everything, after].map(is_done), [true, true, false]);
}

#[test]
fn what_a_cache_refuses_does_not_hold_up_the_others() {
    let index = index(&[DownstreamCache::ZonePurge]);
    let seqs = ["a", "b"].map(|tag| append(&index, target(tag), 1000));
    assert_eq!(purge(&index, DownstreamCache::ZonePurge, 6000, PurgeOutcome::Refused), Some(names(&["a", "b"])));
    // Of invalidations at the same moment, each is a millisecond later.
    assert_eq!(
        purge(&index, DownstreamCache::ZonePurge, 1001 + SETTLES_AFTER, PurgeOutcome::Done),
        Some(names(&[headers::EVERYTHING]))
    );
    assert_eq!(seqs.map(|seq| states(&index, seq)[0].1), [true, true]);
}

#[test]
fn too_many_that_wait_are_folded_into_one_purge_of_everything() {
    let index = index(&[DownstreamCache::ZonePurge]);
    let last = (0..=MAX_WAITING + 99).map(|n| append(&index, target(&format!("t{n}")), 1000)).last().unwrap();
    let settled = 1000 + last + SETTLES_AFTER;
    assert_eq!(
        purge(&index, DownstreamCache::ZonePurge, settled, PurgeOutcome::Done),
        Some(names(&[headers::EVERYTHING]))
    );
    assert_eq!([1, last - 100].map(|seq| states(&index, seq)[0].1), [true, true]);
    let open = index.sql().query("SELECT COUNT(*) FROM sink_deliveries WHERE due IS NOT NULL", &[]).unwrap();
    assert!(one_number("sink_deliveries", open).unwrap() < 100, "those since the last fold");
}
