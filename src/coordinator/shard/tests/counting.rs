//! What a shard counts, and the order that visits give to a sweep.

use super::*;
use crate::metrics::PageVisits;

fn visits(path: &str, visits: u64) -> PageVisits {
    PageVisits { key: key(path), visits }
}

fn begun(effects: &[String]) -> Vec<&str> {
    effects.iter().map(String::as_str).filter(|effect| effect.starts_with("render")).collect()
}

#[test]
fn an_eager_refresh_begins_with_the_pages_that_are_visited_most() {
    let mut shard = open();
    publish(&mut shard, &["/a", "/b", "/c", "/d"]);
    on(&mut shard, at(20), Input::Visits(vec![visits("/c", 9), visits("/b", 3), visits("/unknown", 99)]));
    let (mut shard, _) = {
        // What is in memory is saved by the first sweep, and stays in the rows.
        on(&mut shard, at(3000), Input::Invalidate(Invalidation { seq: 4, ..eager(Mode::Stale) }));
        on(&mut shard, at(3000), Input::Alarm { room: 0, writes: 50 });
        reopen(shard, at(3100))
    };
    let mut order = Vec::new();
    for time in [3100, 3200, 3300, 3400] {
        let effects = on(&mut shard, at(time), Input::Alarm { room: 1, writes: 50 });
        order.extend(begun(&effects).iter().map(|effect| (*effect).to_owned()));
        for path in ["/a", "/b", "/c", "/d"] {
            let (_, token) = shard.standing_of(&key(path)).unwrap();
            if let Some(token) = token.filter(|token| shard.renders.is_running(*token)) {
                on(&mut shard, at(time + 10), rendered(path, token, &["x"]));
            }
        }
    }
    assert_eq!(
        order,
        ["render /c driven=true", "render /b driven=true", "render /a driven=true", "render /d driven=true"]
    );
}

#[test]
fn visits_are_halved_each_day() {
    let mut shard = open();
    publish(&mut shard, &["/a", "/b"]);
    let day = |days: u64| Timestamp::from_millis(days * 86_400_000 + 5);
    let visits = |shard: &TestShard| {
        let rows = shard.store.sql().query("SELECT visits FROM entries WHERE path = '/a'", &[]).unwrap();
        rows[0][0].clone()
    };
    for (days, added, expected) in [(1, 8, 8), (1, 2, 10), (2, 0, 5), (4, 1, 2), (100, 0, 0)] {
        shard.store.note_visits(&[(key("/a"), added), (key("/none"), 1)], day(days)).unwrap();
        assert_eq!(visits(&shard), crate::sql::Value::Integer(expected), "{days}");
    }
}

#[test]
fn decisions_are_counted_and_the_counters_outlive_the_object() {
    let mut shard = open();
    publish(&mut shard, &["/a"]);
    on(&mut shard, at(20), miss(1, "/b"));
    let token = token(&shard, "/b");
    let failed = RenderOutcome::Failed(OriginFailure::Status(503));
    let ended = Input::Ended { key: key("/b"), token, outcome: failed, answer: None };
    on(&mut shard, at(270), ended.clone());
    on(&mut shard, at(280), ended);
    on(&mut shard, at(300), Input::Invalidate(eager(Mode::Stale)));
    let metrics = shard.metrics(&config(), at(310).now).unwrap();
    let Counters { misses, reports, renders, durations, written, written_bytes, invalidations, .. } =
        metrics.counters.clone();
    assert_eq!((misses, reports, written, written_bytes, invalidations), (2, 0, 1, 4, 1));
    assert_eq!((renders.done, renders.failed_status, durations.count()), (1, 1, 2), "an end counts once");
    assert_eq!(durations.by_end()[2], (0.25, 1));
    assert_eq!((metrics.running, metrics.keys, metrics.pending_writes), (0, Some(2), 0));

    on(&mut shard, at(320), miss(2, "/b"));
    assert_eq!(shard.metrics(&config(), at(330).now).unwrap().counters, metrics.counters, "once a minute");
    let (mut shard, _) = reopen(shard, at(70_000));
    assert_eq!(
        shard.metrics(&config(), at(70_000).now).unwrap().counters,
        metrics.counters,
        "never more than is saved"
    );
}

#[test]
fn without_the_setting_nothing_is_saved() {
    let config = Config::from_json(&json!({ "metrics": false, "routes": { "/*": {} } })).unwrap();
    let mut shard: TestShard = Shard::open(MemorySql::new(), &config, at(0)).unwrap().0;
    for time in [10, 100_000, 200_000] {
        shard.on(&config, at(time), miss(time, "/a"));
    }
    assert_eq!(shard.store.counters(), Ok(None));
}

#[test]
fn counters_that_can_not_be_saved_are_no_failure_of_an_input() {
    let mut shard = open();
    publish(&mut shard, &["/a"]);
    shard
        .store
        .sql()
        .query(
            "CREATE TRIGGER no BEFORE INSERT ON facts WHEN NEW.name = 'counters' BEGIN SELECT RAISE(ABORT, 'no'); END",
            &[],
        )
        .unwrap();
    on(&mut shard, at(100_000), Input::Alarm { room: 1, writes: 1 });
    assert_eq!(shard.metrics(&config(), at(100_001).now).unwrap().counters, Counters::default());
}
