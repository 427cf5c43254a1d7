//! The log records what the shard has decided, once, and nothing that it has not.

use super::*;
use crate::inspection::survey::DecisionQuestion;
use crate::semantics::evidence::Unstorable;
use crate::semantics::storable::NotStored;

/// Writes the decisions after a number in short form.
fn log(shard: &TestShard, after: u64) -> Vec<String> {
    let page = shard.store.decisions(DecisionQuestion { after: Some(after), limit: 1000 }).unwrap();
    let short = page.decisions.into_iter().map(|decision| {
        let path = decision.key.as_ref().map_or("", PageKey::path);
        let reason = decision.reason.map_or("", Reason::name);
        let took = decision.duration_ms.map(|took| format!("{took} ms")).unwrap_or_default();
        let words = [&decision.kind, path, reason, decision.detail.as_deref().unwrap_or_default(), &took];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    });
    short.collect()
}

/// Returns the number of the latest decision.
fn last(shard: &TestShard) -> u64 {
    shard.store.decisions(DecisionQuestion { after: None, limit: 1 }).unwrap().last
}

fn ended(shard: &mut TestShard, millis: u64, path: &str, outcome: RenderOutcome) {
    let token = token(shard, path);
    on(shard, at(millis), Input::Ended { key: key(path), token, outcome, answer: None });
}

#[test]
fn each_end_of_a_render_is_one_decision() {
    let mut shard = open();
    for (waiter, path) in (1..).zip(["/a", "/private", "/failing", "/full"]) {
        on(&mut shard, at(10), miss(waiter, path));
    }
    let published = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", published, &[]));
    // An outdated token changes nothing.
    on(&mut shard, at(51), rendered("/a", published, &[]));
    let private = Unstorable { reason: NotStored::CacheControl, detail: None };
    ended(&mut shard, 60, "/private", RenderOutcome::Uncacheable(private));
    ended(&mut shard, 70, "/failing", RenderOutcome::Failed(OriginFailure::Status(503)));
    ended(&mut shard, 80, "/full", RenderOutcome::NoRoom);
    // A HIT at the coordinator decides nothing.
    on(&mut shard, at(90), miss(9, "/a"));
    assert_eq!(
        log(&shard, 0),
        [
            "published /a 40 ms",
            "not-stored /private cache-control 50 ms",
            "failed /failing site-error status 503 60 ms",
            "given-up /full no-room 70 ms",
        ]
    );
}

#[test]
fn a_repeated_render_says_why_and_a_dead_one_that_it_is_lost() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let first = token(&shard, "/a");
    let target = Target::Path(crate::semantics::key::CanonicalPath::parse("/a").unwrap());
    let at_20 = Timestamp::from_millis(20);
    let invalidation = Invalidation { seq: 1, at: at_20, target, mode: Mode::Expire, refresh: Refresh::Lazy };
    on(&mut shard, at(20), Input::Invalidate(invalidation));
    on(&mut shard, at(50), rendered("/a", first, &[]));
    ended(&mut shard, 60, "/a", RenderOutcome::Failed(OriginFailure::Broken));
    on(&mut shard, at(10_000), miss(2, "/a"));
    assert_eq!(log(&shard, 0)[..2], ["invalidated expire path /a", "repeated /a invalidated 40 ms"]);
    let before = last(&shard);
    let (shard, _) = reopen(shard, at(10_100));
    assert_eq!(log(&shard, before), ["given-up /a lost 100 ms"]);
    let (shard, _) = reopen(shard, at(10_200));
    assert_eq!(last(&shard), before + 1, "another life decides nothing by itself");
}

#[test]
fn a_refused_write_and_a_lost_page_are_decisions() {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let version = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", version, &[]));
    on(&mut shard, at(60), Input::Wrote { key: key("/a"), version: Some(version), taken: false });
    let before = last(&shard);
    assert_eq!(log(&shard, 1), ["l2-refused /a attempt 1"]);
    let (mut shard, _) = reopen(shard, at(100));
    on(&mut shard, at(100_000), Input::Alarm { room: 6, writes: 50 });
    assert_eq!(log(&shard, before), ["lost /a"]);
}

#[test]
fn the_breaker_opens_once_and_closes_once() {
    let mut shard = open();
    for number in 0..40 {
        let path = format!("/{number}");
        let now = 1000 + number * 10;
        on(&mut shard, at(now), miss(number, &path));
        if shard.store.load(&key(&path)).unwrap().lease.is_some() {
            ended(&mut shard, now + 5, &path, RenderOutcome::Failed(OriginFailure::Timeout));
        }
    }
    let of_breaker = |shard: &TestShard| -> Vec<String> {
        log(shard, 0).into_iter().filter(|line| line.starts_with("breaker")).collect()
    };
    assert_eq!(of_breaker(&shard).len(), 1, "{:?}", log(&shard, 0));
    let mut now = 100_000;
    for waiter in 100..200 {
        now += 70_000;
        let path = format!("/healthy/{waiter}");
        on(&mut shard, at(now), miss(waiter, &path));
        if shard.store.load(&key(&path)).unwrap().lease.is_some() {
            let token = token(&shard, &path);
            on(&mut shard, at(now + 5), rendered(&path, token, &[]));
            break;
        }
    }
    assert_eq!(of_breaker(&shard).len(), 2, "{:?}", of_breaker(&shard));
    assert_eq!(of_breaker(&shard)[1], "breaker-closed");
}

#[test]
fn without_a_log_nothing_is_recorded() {
    let config = Config::from_json(&json!({ "decision_log": 0, "routes": { "/*": {} } })).unwrap();
    let mut shard: TestShard = Shard::open(MemorySql::new(), &config, at(0)).unwrap().0;
    shard.store.note_registered(&[], 1).unwrap();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    on(&mut shard, at(50), rendered("/a", token, &[]));
    assert_eq!(last(&shard), 0);
}
