//! The bounds of an object: connections, queues, waiters, reads and writes.

use super::*;
use crate::coordinator::AlarmRun;
use crate::semantics::freshness::Revalidate;

fn stale(waiter: u64, path: &str) -> Input<&'static str> {
    Input::Request {
        waiter: WaiterId(waiter),
        shard: name(),
        key: key(path),
        served: Some(Version::from_parts(Timestamp::from_millis(1), 1)),
        newer_than: None,
        forwarded: false,
        renders: false,
    }
}

fn answered(shard: &mut TestShard, moment: Moment, path: &str) -> Vec<String> {
    let token = token(shard, path);
    on(shard, moment, Input::Answered { token })
}

/// Publishes pages that are fresh for a second, and then stale for ten minutes.
fn publish(shard: &mut TestShard, paths: impl Iterator<Item = String>) {
    for (number, path) in (0..).zip(paths) {
        on(shard, at(10), miss(1_000_000 + number, &path));
        let token = token(shard, &path);
        let windows = Windows::new(
            token.time(),
            Revalidate::After(Duration::from_secs(1)),
            Duration::from_mins(10),
            Duration::ZERO,
        );
        let page = PageMeta { windows: windows.unwrap(), ..page(&path, token, &[]) };
        let ended = Input::Ended {
            key: key(&path),
            token,
            outcome: RenderOutcome::Done(page.clone()),
            answer: Some((page, "body")),
        };
        on(shard, at(20), ended);
        on(shard, at(30), Input::Wrote { key: key(&path), version: Some(token), taken: true });
    }
}

#[test]
fn a_slow_origin_gets_as_many_requests_as_there_are_connections_and_the_next_when_a_head_arrives() {
    let mut shard = open();
    let begun: Vec<usize> = (0..10).map(|n| on(&mut shard, at(10), miss(n, &format!("/{n}"))).len()).collect();
    assert_eq!(begun, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(answered(&mut shard, at(20), "/0"), ["render /4 driven=false"], "its body is still to come");
    assert_eq!(answered(&mut shard, at(21), "/0"), [""; 0], "a head arrives once");
    let (key, token) = (key("/1"), token(&shard, "/1"));
    let failed = Input::Ended { key, token, outcome: RenderOutcome::Failed(OriginFailure::Timeout), answer: None };
    assert!(on(&mut shard, at(30), failed).contains(&"render /5 driven=false".to_owned()));
    let lease = shard.store.load(&super::key("/5")).unwrap().lease.unwrap();
    let longest = config().render_timeout + Duration::from_secs(10);
    assert_eq!(lease.expires_at, at(30).now.plus(longest), "its time begins when its request is sent");
}

#[test]
fn the_alarm_leaves_a_connection_to_visitors_whose_renders_come_first() {
    let mut shard = open();
    publish(&mut shard, (0..6).map(|n| format!("/{n}")));
    for n in 0..6 {
        on(&mut shard, at(5_000), stale(n, &format!("/{n}")));
    }
    let begun = on(&mut shard, at(5_001), Input::Alarm { room: 6, writes: 0 });
    assert_eq!(begun, ["render /0 driven=true", "render /1 driven=true", "render /2 driven=true"]);
    assert_eq!(on(&mut shard, at(5_002), miss(10, "/new")), ["render /new driven=false"]);
    assert_eq!(on(&mut shard, at(5_003), miss(11, "/newer")), [""; 0]);
    assert_eq!(answered(&mut shard, at(5_004), "/0"), ["render /newer driven=false"]);
    assert_eq!(on(&mut shard, at(5_005), Input::Alarm { room: 6, writes: 0 }), [""; 0]);
    let next = AlarmRun::next_alarm(shard.has_queued(), shard.next_deadline(), at(5_005).now).unwrap();
    assert!(next.is_some_and(|next| next >= at(5_005).now.plus(Duration::from_secs(1))), "not at once: {next:?}");
    let token = token(&shard, "/1");
    let effects = shard.on(&config(), at(5_006), Input::Answered { token }).effects;
    let is_woken = matches!(effects[..], [Effect::Ring, Effect::WakeAt(time)] if time == at(5_006).now);
    assert!(is_woken, "the alarm has a connection again: {effects:?}");
}

#[test]
fn a_client_that_renders_itself_takes_no_connection() {
    let mut shard = open();
    for n in 0..4 {
        on(&mut shard, at(10), miss(n, &format!("/{n}")));
    }
    let Input::Request { waiter, shard: called, key, served, newer_than, forwarded, .. } = miss(5, "/own") else {
        unreachable!()
    };
    let own = Input::Request { waiter, shard: called, key, served, newer_than, forwarded, renders: true };
    assert_eq!(on(&mut shard, at(11), own), ["render /own driven=false"]);
}

#[test]
fn a_thousand_stale_reports_leave_two_hundred_renders_to_the_alarm() {
    let mut shard = open();
    publish(&mut shard, (0..300).map(|n| format!("/{n}")));
    for n in 0..300 {
        on(&mut shard, at(5_000), stale(n, &format!("/{n}")));
    }
    assert_eq!(shard.store.leases(1000).unwrap().len(), 200);
    assert_eq!(on(&mut shard, at(5_001), miss(1_000, "/299")).len(), 1, "the stale page is the answer");
    assert_eq!(on(&mut shard, at(5_001), miss(1_001, "/cold")), ["render /cold driven=false"]);
}

#[test]
fn reports_have_a_small_share_of_the_places_of_waiters() {
    let mut shard = open();
    publish(&mut shard, std::iter::once("/a".to_owned()));
    let bound = Bounds::default().reports as u64;
    for n in 0..bound {
        assert_eq!(on(&mut shard, at(5_000), stale(n, "/a")), [""; 0]);
    }
    assert_eq!(on(&mut shard, at(5_001), stale(bound, "/a")), [format!("reply {bound} Unchanged -")]);
    assert_eq!(on(&mut shard, at(5_002), miss(bound + 1, "/new")), ["render /new driven=false"]);
    on(&mut shard, at(5_003), Input::TimedOut { waiter: WaiterId(0) });
    assert_eq!(on(&mut shard, at(5_004), stale(bound + 2, "/a")), [""; 0], "there is room again");
}

#[test]
fn a_hundred_requests_for_a_page_that_is_not_held_read_l2_once() {
    let mut shard = open();
    publish(&mut shard, std::iter::once("/a".to_owned()));
    shard.held.remove(&key("/a"));
    let mut reads = Vec::new();
    for n in 0..100 {
        let effects = shard.on(&config(), at(100), miss(n, "/a")).effects;
        reads.extend(
            effects.into_iter().filter_map(|effect| if let Effect::Read(read) = effect { Some(read) } else { None }),
        );
    }
    let [read] = &reads[..] else { panic!("{reads:?}") };
    let found = Input::Read { read: read.clone(), found: ReadResult::Same("body") };
    let answers = on(&mut shard, at(101), found);
    assert_eq!(answers.len(), 100);
    assert!(answers.iter().all(|answer| answer.ends_with("page rendered=false collapsed=false body")));

    let again = shard.on(&config(), at(102), miss(200, "/a")).effects;
    assert!(matches!(&again[0], Effect::Read(_)), "the next one reads again");
    on(&mut shard, at(103), miss(201, "/a"));
    let [Effect::Read(read), ..] = &again[..] else { unreachable!() };
    let lost = on(&mut shard, at(104), Input::Read { read: read.clone(), found: ReadResult::Other });
    assert_eq!(lost, ["render /a driven=false"], "one render for both");
    assert_eq!(shard.waiters[&key("/a")].len(), 2);
}

#[test]
fn a_purge_of_many_pages_deletes_no_more_in_a_round_than_it_may() {
    let mut shard = open();
    publish(&mut shard, (0..30).map(|n| format!("/{n}")));
    let purge = Invalidation {
        seq: 1,
        at: Timestamp::from_millis(6_000),
        target: Target::Everything,
        mode: Mode::Purge,
        refresh: Refresh::Lazy,
    };
    on(&mut shard, at(6_000), Input::Invalidate(purge));
    let mut deleted = 0;
    for round in 0..4 {
        let effects = on(&mut shard, at(7_100 + round), Input::Alarm { room: 0, writes: 11 });
        assert!(effects.len() <= 11);
        deleted += effects.len();
        assert!(deleted == 30 || shard.next_deadline().unwrap().is_some_and(|due| due <= at(7_200).now), "at once");
    }
    assert_eq!(deleted, 30);
}
