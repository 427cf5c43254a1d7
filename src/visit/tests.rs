//! The state machine as tables: events in, steps out.

use std::time::Duration;

use crate::config::FeedMode;
use crate::invalidation::{FeedPage, Invalidation, Mode, Refresh, Target};
use crate::page::PageMeta;
use crate::protocol::{PushFrame, Reply};
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::nominated::Nominated;
use crate::semantics::vary::Visitor;
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::{
    CallFailure, CoordinatorReply, Event, FeedRefresh, FeedTerms, L1Entry, Others, PassMarker, Polling, Push, Request,
    Sent, Step, StoredPage, Visit, WhenToKeep,
};

const BOUND: Duration = Duration::from_secs(10);
const TERMS: FeedTerms = FeedTerms { bound: BOUND, mode: FeedMode::Poll };
const MISS_TIMEOUT: Duration = Duration::from_secs(15);
const PASS_TTL: Duration = Duration::from_mins(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// A page that was rendered at 100 is fresh until 110, stale until 130, and served in place of an error until 150.
fn page(start: u64) -> StoredPage<&'static str> {
    let second = Duration::from_secs(1);
    let meta = PageMeta {
        key: PageKey::from_stored("https://e.com/a").unwrap(),
        version: Version::from_parts(at(start), 1),
        status: 200,
        rendered_at: at(start),
        windows: Windows::new(at(start), Revalidate::After(second * 10), second * 20, second * 40).unwrap(),
        tags: Vec::new(),
        body_bytes: Some(4),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    };
    StoredPage { meta, body: "body" }
}

fn invalidation(mode: Mode, time: u64) -> Invalidation {
    let target = Target::Path(CanonicalPath::parse("/a").unwrap());
    Invalidation { seq: 1, at: at(time), target, mode, refresh: Refresh::Lazy }
}

fn rendered(page: StoredPage<&'static str>) -> Event<&'static str> {
    let reply = Reply::Page { rendered: true, collapsed: false };
    Event::Answered(CoordinatorReply { reply, page: Some(page) })
}

fn bare(reply: Reply) -> Event<&'static str> {
    Event::Answered(CoordinatorReply { reply, page: None })
}

/// A visit in its world.
struct Bench {
    key: PageKey,
    route: RouteId,
    polling: Polling,
    renders: bool,
    /// The names of the request's headers.
    sent: &'static Names,
}

/// The names of a request's headers.
struct Names(&'static [&'static str]);

impl Visitor for Names {
    fn header(&self, name: &str) -> Option<String> {
        self.0.contains(&name).then(String::new)
    }

    fn country(&self) -> Option<String> {
        None
    }
}

impl Bench {
    /// Starts with a feed that was polled at `polled`.
    fn polled(polled: u64) -> Self {
        let mut polling = Polling::default();
        let FeedRefresh::PollFirst(poll) = polling.refresh(at(polled), TERMS) else { panic!("it may poll") };
        polling.end(poll, at(polled), Some(&[at(polled)]), 0);
        let key = PageKey::from_stored("https://e.com/a").unwrap();
        Self { key, route: RouteId::from_stored("/*").unwrap(), polling, renders: false, sent: &Names(&[]) }
    }

    /// Starts with a feed that was polled at 139, and whose rows up to `floor` are gone.
    fn below(floor: u64) -> Self {
        let mut bench = Self::polled(139);
        bench.polling.answered(at(139), FeedPage { seq: 1, floor: at(floor), ..FeedPage::default() });
        bench
    }

    /// Starts without any feed.
    fn without_feed() -> Self {
        Self { polling: Polling::default(), ..Self::polled(139) }
    }

    /// A stream was opened, and its last frame was made at a time.
    fn pushed(mut self, pushed: Option<(u64, u64)>) -> Self {
        if let Some((opened, made)) = pushed {
            let terms = FeedTerms { mode: FeedMode::Push, ..TERMS };
            let mut push = Push::new(self.polling.pushing.open(terms, at(opened)), [TagIndexName::ROOT]);
            for (number, time) in [(0, opened), (1, made.max(opened))] {
                let frame = PushFrame { number, at: at(time), since: 0, page: None };
                push.hear(&mut self.polling, TagIndexName::ROOT, frame, at(time));
            }
        }
        self
    }

    fn invalidated(mut self, mode: Mode, time: u64) -> Self {
        self.polling.note(invalidation(mode, time));
        self
    }

    fn request(&self) -> Request<'_> {
        let Self { key, route, renders, sent, .. } = self;
        Request {
            key,
            route,
            sent: Sent(*sent),
            renders: *renders,
            freshness_bound: BOUND,
            miss_timeout: MISS_TIMEOUT,
            pass_ttl: PASS_TTL,
        }
    }

    /// Plays events at their times, and returns the steps after the last in short form.
    fn play(&self, events: Vec<(u64, Event<&'static str>)>) -> String {
        let (mut visit, mut steps) = Visit::begin(self.request());
        assert_eq!(steps, [Step::Look]);
        for (time, event) in events {
            steps = visit.handle(event, at(time), &self.polling);
        }
        short(&steps)
    }

    /// Plays the contents of L1 and then L2, and returns the steps.
    fn looks(&self, now: u64, l1: L1Entry<&'static str>, l2: Option<StoredPage<&'static str>>) -> String {
        self.play(vec![(now, Event::FeedReady), (now, Event::L1(l1)), (now, Event::L2(l2))])
    }

    /// Plays a miss with an expired page at hand, and returns the steps.
    fn misses(&self, stand_in: Option<StoredPage<&'static str>>, events: Vec<(u64, Event<&'static str>)>) -> String {
        let found = stand_in.map_or(L1Entry::Nothing, L1Entry::Page);
        let is_found = matches!(found, L1Entry::Page(_));
        let mut all = vec![(140, Event::FeedReady), (140, Event::L1(found))];
        all.extend((!is_found).then_some((140, Event::L2(None))));
        all.extend(events);
        self.play(all)
    }
}

/// Writes steps in short form.
fn short(steps: &[Step<&'static str>]) -> String {
    let one = |step: &Step<&'static str>| match step {
        Step::Look => "look".to_owned(),
        Step::RefreshFeed => "refresh".to_owned(),
        Step::ReadL1 => "read L1".to_owned(),
        Step::ReadL2 => "read L2".to_owned(),
        Step::Ask(question) => {
            let newer =
                question.newer_than.map_or_else(String::new, |time| format!(" newer than {}", time.as_millis() / 1000));
            format!("ask{newer} for {:?}", question.patience)
        }
        Step::Wait(pause) => format!("wait {pause:?}"),
        Step::Report(report) => match report.newer_than {
            Some(time) => format!("report newer than {}", time.as_millis() / 1000),
            None => "report".to_owned(),
        },
        Step::MarkPass(mark) => format!("mark {}-{}", mark.since.as_millis() / 1000, mark.until.as_millis() / 1000),
        Step::Keep(_, WhenToKeep::AtOnce) => "keep".to_owned(),
        Step::Keep(_, WhenToKeep::WhenWhole) => "keep when whole".to_owned(),
        Step::Discard(_) => "discard".to_owned(),
        Step::Forget(_) => "forget".to_owned(),
        Step::Serve(served) => {
            let keep = match served.keep {
                None => "",
                Some(WhenToKeep::AtOnce) => ", keep",
                Some(WhenToKeep::WhenWhole) => ", keep when whole",
            };
            let downstream = if served.is_for_downstream { ", downstream" } else { "" };
            format!("{} {}{keep}{downstream}", served.outcome.as_str(), words(&served.status.to_string()))
        }
        Step::Pass(status) => format!("pass {}", words(&status.to_string())),
        Step::Unavailable { retry_at, status } => {
            format!("unavailable until {} {}", retry_at.as_millis() / 1000, words(&status.to_string()))
        }
        Step::Lease { .. } => "lease".to_owned(),
    };
    steps.iter().map(one).collect::<Vec<_>>().join(", then ")
}

fn words(status: &str) -> String {
    status.trim_start_matches("cloudflare-isr; ").to_owned()
}

#[test]
fn a_page_of_l1_is_judged_once_the_feed_has_come_too() {
    let bench = Bench::polled(100);
    let found = || Event::L1(L1Entry::Page(page(100)));
    for (events, expected) in [
        (vec![(105, Event::FeedReady)], ""),
        (vec![(105, found())], ""),
        (vec![(105, found()), (105, Event::FeedReady)], "HIT hit; ttl=5, downstream"),
        (vec![(105, Event::FeedReady), (105, found())], "HIT hit; ttl=5, downstream"),
        (vec![(105, Event::FeedReady), (105, Event::FeedReady)], ""),
        (vec![(105, found()), (105, found())], ""),
    ] {
        assert_eq!(bench.play(events.clone()), expected, "{events:?}");
    }
}

#[test]
fn a_page_of_another_ones_read_of_l2_is_served_and_not_put_into_l1_again() {
    let bench = Bench::polled(105);
    let looks = |event| bench.play(vec![(105, Event::FeedReady), (105, Event::L1(L1Entry::Nothing)), (105, event)]);
    assert_eq!(looks(Event::L2(Some(page(100)))), "HIT hit; ttl=5; detail=l2, keep, downstream");
    assert_eq!(looks(Event::OthersL2(Some(page(100)))), "HIT hit; ttl=5; detail=l2, downstream");
    assert_eq!(looks(Event::OthersL2(None)), looks(Event::L2(None)));
}

#[test]
fn what_l1_and_l2_have_is_served_or_asked_for() {
    let current = || Bench::polled(105);
    let nothing = L1Entry::Nothing;
    let mark = |since| L1Entry::Pass(PassMarker { since: at(since), until: at(200), reason: Reason::SetCookie });
    for (bench, now, l1, l2, expected) in [
        (current(), 105, nothing.clone(), Some(page(100)), "HIT hit; ttl=5; detail=l2, keep, downstream"),
        (current(), 112, L1Entry::Page(page(100)), None, "report, then STALE hit; ttl=-2; detail=aged"),
        (current(), 112, nothing.clone(), Some(page(100)), "report, then STALE hit; ttl=-2; detail=aged"),
        (Bench::polled(90), 105, L1Entry::Page(page(100)), None, "STALE hit; ttl=5; detail=feed-unavailable"),
        (
            current().invalidated(Mode::Stale, 103),
            105,
            L1Entry::Page(page(100)),
            None,
            "report newer than 103, then STALE hit; ttl=5; detail=invalidated",
        ),
        (current().invalidated(Mode::Expire, 103), 105, L1Entry::Page(page(100)), None, "ask newer than 103 for 15s"),
        (current().invalidated(Mode::Expire, 99), 105, L1Entry::Page(page(100)), None, "HIT hit; ttl=5, downstream"),
        (current(), 131, L1Entry::Page(page(100)), None, "ask for 15s"),
        (current(), 105, nothing.clone(), None, "ask for 15s"),
        (current(), 105, mark(100), None, "pass fwd=uri-miss; detail=set-cookie"),
        (current(), 200, mark(100), None, "ask for 15s"),
        (current().invalidated(Mode::Stale, 103), 105, mark(100), None, "ask for 15s"),
        (current().invalidated(Mode::Stale, 99), 105, mark(100), None, "pass fwd=uri-miss; detail=set-cookie"),
    ] {
        let ends_early = !matches!(l1, L1Entry::Nothing) && l2.is_none() && !expected.starts_with("ask for");
        let events = vec![(now, Event::FeedReady), (now, Event::L1(l1.clone()))];
        let seen = if ends_early || matches!(l1, L1Entry::Page(_)) {
            bench.play(events)
        } else {
            bench.looks(now, l1.clone(), l2)
        };
        assert_eq!(seen, expected, "{l1:?}");
    }
}

#[test]
fn what_the_coordinator_answers_is_served() {
    let with = |reply| Event::Answered(CoordinatorReply { reply, page: Some(page(139)) });
    let (stands_in, relayed) =
        (Reply::StandIn { reason: Reason::Backoff }, Reply::Relay { reason: Reason::OriginError });
    let unavailable = Reply::Unavailable { retry_at: at(160), reason: Reason::Breaker };
    let passed = Reply::Pass { until: at(170), reason: Some(Reason::Vary) };
    let found = Reply::Page { rendered: false, collapsed: false };
    for (event, without_copy, with_copy) in [
        (
            rendered(page(139)),
            "MISS fwd=uri-miss; fwd-status=200; stored, keep when whole",
            "MISS fwd=stale; fwd-status=200; stored, keep when whole",
        ),
        (
            with(found),
            "HIT hit; ttl=8; detail=coordinator, keep when whole",
            "HIT hit; ttl=8; detail=coordinator, keep when whole",
        ),
        (with(stands_in), "STALE hit; ttl=8; detail=backoff", "STALE hit; ttl=8; detail=backoff"),
        (
            with(relayed),
            "SKIP fwd=uri-miss; fwd-status=200; detail=site-error",
            "discard, then STALE hit; ttl=-31; detail=site-error",
        ),
        (
            bare(passed),
            "mark 141-170, then pass fwd=uri-miss; detail=vary",
            "mark 141-170, then pass fwd=uri-miss; detail=vary",
        ),
        (bare(unavailable), "unavailable until 160 fwd=uri-miss; detail=breaker", "STALE hit; ttl=-31; detail=breaker"),
        (bare(Reply::Refused { reason: Reason::QueueFull }), "wait 100ms", "STALE hit; ttl=-31; detail=queue-full"),
        (bare(Reply::Refused { reason: Reason::QueueTimeout }), "read L1", "STALE hit; ttl=-31; detail=queue-timeout"),
        (bare(Reply::Unchanged), "wait 100ms", "STALE hit; ttl=-31; detail=coordinator-failed"),
        (Event::NotAnswered(CallFailure::Timeout), "read L1", "STALE hit; ttl=-31; detail=coordinator-timeout"),
        (
            Event::NotAnswered(CallFailure::Unreachable),
            "wait 100ms",
            "STALE hit; ttl=-31; detail=coordinator-unreachable",
        ),
    ] {
        let bench = Bench::polled(139);
        assert_eq!(bench.misses(None, vec![(141, event.clone())]), without_copy, "{event:?}");
        assert_eq!(bench.misses(Some(page(100)), vec![(141, event.clone())]), with_copy, "{event:?}");
    }
}

#[test]
fn without_a_current_feed_an_answer_that_was_not_rendered_for_the_client_is_stale() {
    let reply = Reply::Page { rendered: false, collapsed: false };
    let answer = Event::Answered(CoordinatorReply { reply, page: Some(page(139)) });
    let bench = Bench::polled(100);
    assert_eq!(bench.misses(None, vec![(141, answer.clone())]), "refresh");
    let seen = bench.misses(None, vec![(141, answer), (142, Event::FeedReady)]);
    assert_eq!(seen, "STALE hit; ttl=7; detail=feed-unavailable, keep when whole");
}

#[test]
fn the_answer_of_a_slow_render_is_judged_by_a_current_feed() {
    let bench = Bench::polled(131);
    assert_eq!(
        bench.misses(None, vec![(140, rendered(page(140)))]),
        "MISS fwd=uri-miss; fwd-status=200; stored, keep when whole"
    );
    assert_eq!(
        bench.misses(None, vec![(148, rendered(page(140)))]),
        "MISS fwd=uri-miss; fwd-status=200; stored, keep when whole"
    );
    assert_eq!(bench.misses(None, vec![(151, rendered(page(140)))]), "refresh");
    let events = |ready| vec![(151, rendered(page(140))), (152, ready)];
    let stale = "STALE fwd=uri-miss; fwd-status=200; stored; detail=feed-unavailable, keep when whole";
    assert_eq!(bench.misses(None, events(Event::FeedReady)), stale);
    assert_eq!(bench.misses(None, events(Event::NotAnswered(CallFailure::Timeout))), "", "it waits for the feed alone");
}

#[test]
fn when_the_clock_is_set_back_no_render_is_quick_and_no_client_waits_for_longer() {
    let bench = Bench::polled(131);
    assert_eq!(bench.misses(None, vec![(50, rendered(page(53)))]), "refresh", "nobody knows when it began");
    let follows = vec![(50, Event::Others(Others::Ask)), (51, Event::Waited)];
    assert_eq!(bench.misses(None, follows), format!("ask for {MISS_TIMEOUT:?}"));
}

/// Plays events, and returns the page that is served in the end, with how it is served.
fn served(bench: &Bench, events: Vec<(u64, Event<&'static str>)>) -> (StoredPage<&'static str>, CacheOutcome) {
    let (mut visit, mut steps) = Visit::begin(bench.request());
    for (time, event) in events {
        steps = visit.handle(event, at(time), &bench.polling);
    }
    match steps.pop() {
        Some(Step::Serve(served)) => (served.page, served.outcome),
        other => panic!("{other:?}"),
    }
}

#[test]
fn below_the_floor_the_coordinator_is_asked_and_its_answer_is_believed() {
    let found = |page| vec![(139, Event::FeedReady), (139, Event::L1(L1Entry::Page(page)))];
    let reply = Reply::Page { rendered: false, collapsed: false };
    let answer = |page| Event::Answered(CoordinatorReply { reply: reply.clone(), page: Some(page) });
    let mut bench = Bench::below(135);
    assert_eq!(bench.play(found(page(136))), "HIT hit; ttl=7, downstream");
    assert_eq!(bench.play(found(page(135))), "ask for 15s", "it does not claim an invalidation");
    let mut events = found(page(135));
    events.push((139, answer(page(135))));
    let (kept, outcome) = served(&bench, events.clone());
    assert_eq!(outcome, CacheOutcome::Hit);
    assert_eq!(bench.play(found(kept.clone())), "HIT hit; ttl=6, downstream", "it is not asked about again");
    bench.polling.note(invalidation(Mode::Expire, 138));
    assert_eq!(bench.play(found(kept.clone())), "ask newer than 138 for 15s", "later invalidations count");

    let mut bench = Bench::below(137);
    assert_eq!(bench.play(found(kept)), "ask for 15s", "the floor has passed the question");
    let (key, route) = (bench.key.clone(), bench.route.clone());
    let (mut visit, _) = Visit::begin(Request { key: &key, route: &route, sent: Sent(bench.sent), ..bench.request() });
    let events = found(page(135)).into_iter().map(|(_, event)| event);
    events.for_each(|event| drop(visit.handle(event, at(139), &bench.polling)));
    bench.polling.answered(at(139), FeedPage { seq: 2, floor: at(138), ..FeedPage::default() });
    assert_eq!(short(&visit.handle(answer(page(135)), at(139), &bench.polling)), "discard, then ask for 15s");
    assert_eq!(
        short(&visit.handle(answer(page(135)), at(139), &bench.polling)),
        "HIT hit; ttl=6; detail=coordinator, keep when whole"
    );
}

#[test]
fn a_page_of_l1_that_may_be_purged_does_not_stand_in_after_a_refusal_even_if_a_later_invalidation_is_known() {
    let retried = |bench: &Bench, event| {
        bench.misses(None, vec![(140, event), (140, Event::Waited), (140, Event::L1(L1Entry::Page(page(130))))])
    };
    let refused = || bare(Reply::Refused { reason: Reason::WaitersFull });
    let silence = || Event::NotAnswered(CallFailure::Unreachable);
    let known = Bench::below(129).invalidated(Mode::Expire, 139);
    assert!(retried(&known, refused()).starts_with("STALE"));
    let unknown = Bench::below(139).invalidated(Mode::Expire, 139);
    assert_eq!(retried(&unknown, refused()), "wait 200ms");
    assert!(retried(&unknown, silence()).starts_with("STALE"), "availability wins");
}

#[test]
fn a_page_that_may_be_purged_stands_in_only_if_the_coordinator_does_not_answer() {
    let answered = |reply| Event::Answered(CoordinatorReply { reply, page: Some(page(139)) });
    let unavailable = Reply::Unavailable { retry_at: at(160), reason: Reason::Breaker };
    for (event, below_the_floor, known) in [
        (Event::NotAnswered(CallFailure::Unreachable), "STALE hit; ttl=6; detail=coordinator-unreachable", ""),
        (bare(Reply::Refused { reason: Reason::QueueFull }), "wait 100ms", "STALE hit; ttl=-31; detail=queue-full"),
        (bare(unavailable), "unavailable until 160 fwd=stale; detail=breaker", "STALE hit; ttl=-31; detail=breaker"),
        (
            answered(Reply::Relay { reason: Reason::OriginError }),
            "SKIP fwd=uri-miss; fwd-status=200; detail=site-error",
            "discard, then STALE hit; ttl=-31; detail=site-error",
        ),
    ] {
        let found = |page| vec![(139, Event::FeedReady), (139, Event::L1(L1Entry::Page(page))), (139, event.clone())];
        assert_eq!(Bench::below(135).play(found(page(135))), below_the_floor, "{event:?}");
        if !known.is_empty() {
            assert_eq!(Bench::polled(139).misses(Some(page(100)), vec![(141, event.clone())]), known, "{event:?}");
        }
    }
}

#[test]
fn an_edge_that_never_had_the_feed_asks_first_and_not_for_each_visit() {
    let bench = Bench::without_feed();
    let found = |now, page| vec![(now, Event::FeedReady), (now, Event::L1(L1Entry::Page(page)))];
    assert_eq!(bench.play(found(139, page(135))), "ask for 15s");
    let reply = Reply::Page { rendered: false, collapsed: false };
    let mut events = found(139, page(135));
    events.push((140, Event::Answered(CoordinatorReply { reply, page: Some(page(135)) })));
    assert_eq!(bench.play(events.clone()), "refresh");
    events.push((140, Event::FeedReady));
    let (kept, outcome) = served(&bench, events);
    assert_eq!(outcome, CacheOutcome::Stale, "without a feed nothing is fresh");
    let stale = bench.play(found(148, kept.clone()));
    assert_eq!(stale, "report, then STALE hit; ttl=-3; detail=aged");
    assert_eq!(bench.play(found(149, kept)), "ask for 15s");
    let mark = |since| L1Entry::Pass(PassMarker { since: at(since), until: at(200), reason: Reason::SetCookie });
    let passes = |since| bench.play(vec![(139, Event::FeedReady), (139, Event::L1(mark(since)))]);
    assert_eq!([129, 130].map(passes), ["read L2".to_owned(), "pass fwd=uri-miss; detail=set-cookie".to_owned()]);
    let passes = |since| Bench::below(135).play(vec![(139, Event::FeedReady), (139, Event::L1(mark(since)))]);
    assert_eq!([135, 136].map(passes), ["read L2".to_owned(), "pass fwd=uri-miss; detail=set-cookie".to_owned()]);
}

#[test]
fn an_answer_about_another_page_is_none() {
    let bench = Bench::polled(139);
    let mut other = page(139);
    other.meta.key = PageKey::from_stored("https://e.com/b").unwrap();
    assert_eq!(bench.misses(None, vec![(141, rendered(other))]), "discard, then wait 100ms");
}

#[test]
fn an_answer_that_is_known_to_be_invalidated_is_asked_for_once_more() {
    let bench = Bench::polled(139).invalidated(Mode::Expire, 140);
    let again = "discard, then ask newer than 140 for 14s";
    assert_eq!(bench.misses(None, vec![(141, rendered(page(139)))]), again);
    let twice = vec![(141, rendered(page(139))), (142, rendered(page(139)))];
    assert!(bench.misses(None, twice.clone()).starts_with("STALE"), "no more than once, and it is not fresh");
    let purged = Bench::polled(139).invalidated(Mode::Purge, 140);
    assert_eq!(purged.misses(None, twice), "discard, then wait 100ms", "it is not served at all");
    let newer = vec![(141, rendered(page(139))), (142, rendered(page(141)))];
    assert!(bench.misses(None, newer).starts_with("MISS"));
    let late = vec![(141, rendered(page(139))), (155, Event::NotAnswered(CallFailure::Timeout))];
    assert_eq!(bench.misses(None, late), "read L1");
}

#[test]
fn what_is_purged_meanwhile_does_not_stand_in() {
    let mut bench = Bench::polled(139);
    let key = bench.key.clone();
    let route = bench.route.clone();
    let request = Request { key: &key, route: &route, sent: Sent(bench.sent), ..bench.request() };
    let (mut visit, _) = Visit::begin(request);
    visit.handle(Event::FeedReady, at(140), &bench.polling);
    visit.handle(Event::L1(L1Entry::Page(page(100))), at(140), &bench.polling);
    bench.polling.note(invalidation(Mode::Purge, 141));
    let steps = visit.handle(Event::NotAnswered(CallFailure::Overloaded), at(142), &bench.polling);
    assert_eq!(short(&steps), "wait 100ms");
    let stands_in = CoordinatorReply { reply: Reply::StandIn { reason: Reason::Backoff }, page: Some(page(139)) };
    let seen = bench.misses(None, vec![(142, Event::Answered(stands_in))]);
    assert_eq!(seen, "discard, then pass fwd=uri-miss; detail=backoff");
}

#[test]
fn nobody_waits_for_l1_where_no_other_request_can_be_storing_the_page() {
    for reason in [Reason::PagesFull, Reason::Breaker] {
        let refused = CoordinatorReply { reply: Reply::Refused { reason }, page: None };
        let seen = Bench::polled(139).misses(None, vec![(142, Event::Answered(refused))]);
        assert_eq!(seen, format!("pass fwd=uri-miss; detail={reason}"));
    }
    let refused = CoordinatorReply { reply: Reply::Refused { reason: Reason::QueueFull }, page: None };
    assert_eq!(Bench::polled(139).misses(None, vec![(142, Event::Answered(refused))]), "wait 100ms");
}

#[test]
fn after_a_failure_l1_is_read_three_times() {
    let bench = Bench::polled(139);
    let failed = (141, Event::NotAnswered(CallFailure::Unreachable));
    let look = |found| [(141, Event::Waited), (141, Event::L1(found))];
    let mark = L1Entry::Pass(PassMarker { since: at(140), until: at(200), reason: Reason::SetCookie });
    let after = |looks: Vec<L1Entry<&'static str>>| {
        bench.misses(None, [failed.clone()].into_iter().chain(looks.into_iter().flat_map(look)).collect())
    };
    for (looks, expected) in [
        (vec![], "wait 100ms"),
        (vec![L1Entry::Nothing], "wait 200ms"),
        (vec![L1Entry::Nothing, L1Entry::Nothing], "wait 300ms"),
        (vec![L1Entry::Nothing; 3], "pass fwd=uri-miss; detail=coordinator-unreachable"),
        (vec![L1Entry::Nothing, L1Entry::Page(page(139))], "HIT hit; ttl=8; detail=l1-after-coordinator-unreachable"),
        (vec![L1Entry::Page(page(120))], "STALE hit; ttl=-11; detail=l1-after-coordinator-unreachable"),
        (vec![L1Entry::Page(page(110))], "STALE hit; ttl=-21; detail=l1-after-coordinator-unreachable"),
        (vec![L1Entry::Page(page(100))], "STALE hit; ttl=-31; detail=l1-after-coordinator-unreachable"),
        (vec![L1Entry::Page(page(50))], "wait 200ms"),
        (vec![mark], "pass fwd=uri-miss; detail=set-cookie"),
    ] {
        assert_eq!(after(looks.clone()), expected, "{looks:?}");
    }
    let timed_out = vec![(155, Event::NotAnswered(CallFailure::Timeout)), (155, Event::L1(L1Entry::Nothing))];
    assert_eq!(bench.misses(None, timed_out), "pass fwd=uri-miss; detail=coordinator-timeout");
}

#[test]
fn only_a_client_that_renders_gets_a_lease() {
    let lease = bare(Reply::Lease { shard: ShardName::from_stored("/*#0").unwrap(), token: page(140).meta.version });
    let mut bench = Bench::polled(139);
    assert_eq!(bench.misses(None, vec![(141, lease.clone())]), "wait 100ms");
    bench.renders = true;
    assert_eq!(bench.misses(None, vec![(141, lease)]), "lease");
}

#[test]
fn an_event_that_is_not_waited_for_changes_nothing() {
    let bench = Bench::polled(139);
    let late = || {
        vec![
            (141, Event::FeedReady),
            (141, Event::L1(L1Entry::Page(page(100)))),
            (141, Event::L2(Some(page(100)))),
            (141, Event::Waited),
        ]
    };
    let mut events = late();
    events.push((142, rendered(page(139))));
    assert!(bench.misses(None, events.clone()).starts_with("MISS"), "they did not disturb it");
    events.extend(late());
    events.push((143, rendered(page(142))));
    assert_eq!(bench.misses(None, events), "", "it is over");
}

#[test]
fn no_outcome_but_a_hit_goes_downstream() {
    let bench = Bench::polled(139);
    let (mut visit, _) = Visit::begin(bench.request());
    visit.handle(Event::FeedReady, at(140), &bench.polling);
    let steps = visit.handle(Event::L1(L1Entry::Page(page(139))), at(140), &bench.polling);
    assert!(
        matches!(&steps[..], [Step::Serve(served)] if served.outcome == CacheOutcome::Hit && served.is_for_downstream)
    );
    assert!(visit.is_over());
}

#[test]
fn a_page_in_memory_is_judged_like_that_of_l1_and_l1_is_read_in_place_of_one_that_is_not_fresh() {
    let remembers = |bench: &Bench, now, start| {
        let (mut visit, steps) = Visit::begin_with(bench.request(), page(start));
        assert_eq!(steps, [Step::RefreshFeed]);
        short(&visit.handle(Event::FeedReady, at(now), &bench.polling))
    };
    let (forget, later) = ("forget, then read L1", "discard, then read L1");
    let polled = |time| Bench::polled(time);
    for (bench, now, start, steps) in [
        (polled(100), 105, 100, "HIT hit; ttl=5; detail=memory, downstream"),
        (polled(110), 110, 100, forget),
        (polled(140), 140, 100, forget),
        (polled(100).invalidated(Mode::Stale, 102), 105, 100, forget),
        (polled(100).invalidated(Mode::Expire, 102), 105, 100, forget),
        (polled(100).invalidated(Mode::Purge, 102), 105, 100, forget),
        (polled(100).invalidated(Mode::Purge, 102), 105, 103, "HIT hit; ttl=8; detail=memory, downstream"),
        (Bench::below(136), 139, 135, forget),
        (Bench::without_feed(), 105, 100, forget),
        // The feed is missing. The page is as good as before once it has come.
        (polled(100), 111, 105, later),
    ] {
        assert_eq!(remembers(&bench, now, start), steps, "{now} {start}");
    }
    // What L1 has in its place is judged, too.
    let bench = polled(100).invalidated(Mode::Stale, 102);
    let (mut visit, _) = Visit::begin_with(bench.request(), page(100));
    visit.handle(Event::FeedReady, at(105), &bench.polling);
    let newer = visit.handle(Event::L1(L1Entry::Page(page(103))), at(105), &bench.polling);
    assert_eq!(short(&newer), "HIT hit; ttl=8, downstream");
    // A request with a nominated header passes.
    let nominated = Nominated::read("Cookie", |_| false, |_| false).unwrap();
    let StoredPage { meta, body } = page(100);
    let varied = StoredPage { meta: PageMeta { rules: ClientRules::new(nominated, None), ..meta }, body };
    let bench = Bench { sent: &Names(&["cookie"]), ..polled(100) };
    let (mut visit, _) = Visit::begin_with(bench.request(), varied);
    let steps = visit.handle(Event::FeedReady, at(105), &bench.polling);
    assert_eq!(short(&steps), "discard, then pass fwd=vary-miss; detail=vary");
}

#[test]
fn a_hit_of_l1_counts_for_memory_and_no_other_page_does() {
    let served = |bench: &Bench, now, l1: L1Entry<&'static str>, l2: Option<StoredPage<&'static str>>| {
        let (mut visit, _) = Visit::begin(bench.request());
        visit.handle(Event::FeedReady, at(now), &bench.polling);
        let mut steps = visit.handle(Event::L1(l1), at(now), &bench.polling);
        if l2.is_some() {
            steps = visit.handle(Event::L2(l2), at(now), &bench.polling);
        }
        let is_counted = |step: &Step<&'static str>| matches!(step, Step::Serve(served) if served.is_hit_of_l1());
        steps.iter().any(is_counted)
    };
    let bench = Bench::polled(100);
    assert!(served(&bench, 105, L1Entry::Page(page(100)), None));
    assert!(!served(&bench, 105, L1Entry::Nothing, Some(page(100))), "L2");
    assert!(!served(&Bench::polled(110), 112, L1Entry::Page(page(100)), None), "stale");
    let (mut visit, _) = Visit::begin_with(bench.request(), page(100));
    let steps = visit.handle(Event::FeedReady, at(105), &bench.polling);
    assert!(matches!(&steps[..], [Step::Serve(served)] if !served.is_hit_of_l1()), "memory");
}

mod short_path {
    use proptest::prelude::*;

    use super::*;
    use crate::visit::plan;

    #[derive(Clone, Copy, Debug)]
    struct Drawn {
        start: u64,
        polled: u64,
        invalidation: Option<(Mode, u64)>,
        planned_at: u64,
        later: u64,
        /// An event between the plan and its use.
        noted: Option<u64>,
        polls: bool,
        terms: FeedTerms,
        /// When a stream was opened, and when its last frame was made.
        pushed: Option<(u64, u64)>,
    }

    fn drawn() -> impl Strategy<Value = Drawn> {
        let mode = prop_oneof![Just(Mode::Stale), Just(Mode::Expire), Just(Mode::Purge)];
        let invalidation = prop::option::weighted(0.3, (mode, 90..115_u64));
        let noted = prop::option::weighted(0.2, 90..115_u64);
        let feed =
            (prop_oneof![Just(FeedMode::Push), Just(FeedMode::Poll)], prop::option::of((90..115_u64, 95..115_u64)));
        (95..105_u64, 95..112_u64, invalidation, 100..115_u64, 0..1_500_u64, noted, any::<bool>(), feed).prop_map(
            |(start, polled, invalidation, planned_at, later, noted, polls, (mode, pushed))| Drawn {
                start,
                polled,
                invalidation,
                planned_at,
                later,
                noted,
                polls,
                terms: FeedTerms { mode, ..TERMS },
                pushed,
            },
        )
    }

    proptest! {
        #[test]
        fn it_gives_the_same_answers_as_the_core(drawn in drawn()) {
            let mut bench = Bench::polled(drawn.polled).pushed(drawn.pushed);
            if let Some((mode, time)) = drawn.invalidation {
                bench.polling.note(invalidation(mode, time));
            }
            let now = at(drawn.planned_at);
            let found = page(drawn.start);
            let plan = plan(&found.meta, &bench.route, &bench.polling, drawn.terms, now);
            if drawn.polls {
                bench.polling.refresh(now, drawn.terms);
            }
            if let Some(time) = drawn.noted {
                bench.polling.note(invalidation(Mode::Expire, time));
            }
            let now = Timestamp::from_millis(now.as_millis() + drawn.later);
            if plan.is_some_and(|plan| plan.holds(&bench.polling, now)) {
                prop_assert_eq!(bench.polling.clone().refresh(now, drawn.terms), FeedRefresh::Nothing);
                let (mut visit, _) = Visit::begin(bench.request());
                visit.handle(Event::FeedReady, now, &bench.polling);
                let steps = visit.handle(Event::L1(L1Entry::Page(found)), now, &bench.polling);
                let is_plain = matches!(&steps[..], [Step::Serve(served)] if served.outcome == CacheOutcome::Hit && served.keep.is_none());
                prop_assert!(is_plain, "{}", short(&steps));
                let (mut visit, _) = Visit::begin_with(bench.request(), page(drawn.start));
                let steps = visit.handle(Event::FeedReady, now, &bench.polling);
                let is_plain = matches!(&steps[..], [Step::Serve(served)] if served.outcome == CacheOutcome::Hit && served.keep.is_none());
                prop_assert!(is_plain, "from memory: {}", short(&steps));
            }
        }

        #[test]
        fn it_is_taken_whenever_the_core_serves_a_hit_and_leaves_the_feed_alone(drawn in drawn()) {
            let mut bench = Bench::polled(drawn.polled).pushed(drawn.pushed);
            if let Some((mode, time)) = drawn.invalidation {
                bench.polling.note(invalidation(mode, time));
            }
            let now = at(drawn.planned_at);
            let found = page(drawn.start);
            let (mut visit, _) = Visit::begin(bench.request());
            visit.handle(Event::FeedReady, now, &bench.polling);
            let steps = visit.handle(Event::L1(L1Entry::Page(found.clone())), now, &bench.polling);
            let is_hit = matches!(&steps[..], [Step::Serve(served)] if served.outcome == CacheOutcome::Hit);
            let is_quiet = bench.polling.clone().refresh(now, drawn.terms) == FeedRefresh::Nothing;
            let plan = plan(&found.meta, &bench.route, &bench.polling, drawn.terms, now);
            prop_assert_eq!(plan.is_some(), is_hit && is_quiet);
            prop_assert!(plan.is_none_or(|plan| plan.holds(&bench.polling, now)));
        }
    }
}

#[test]
fn a_request_with_a_nominated_header_passes_and_the_page_stays_for_the_others() {
    const PASSES: &str = "pass fwd=vary-miss; detail=vary";
    let varied = |start| {
        let nominated = Nominated::read("Cookie, RSC", |_| false, |_| false).unwrap();
        let StoredPage { meta, body } = page(start);
        StoredPage { meta: PageMeta { rules: ClientRules::new(nominated, None), ..meta }, body }
    };
    let with = |bench: Bench, sent: &'static Names| Bench { sent, ..bench };
    let (anonymous, member) = (&Names(&["accept", "user-agent"]), &Names(&["accept", "cookie"]));
    let looks = |bench: &Bench, now, l1, l2: Option<_>| match l1 {
        L1Entry::Nothing => bench.looks(now, L1Entry::Nothing, l2),
        l1 => bench.play(vec![(now, Event::FeedReady), (now, Event::L1(l1))]),
    };
    let l1 = |start| L1Entry::Page(varied(start));

    let bench = with(Bench::polled(100), anonymous);
    assert_eq!(looks(&bench, 105, l1(100), None), "HIT hit; ttl=5, downstream");
    assert_eq!(looks(&bench, 105, L1Entry::Nothing, Some(varied(100))), "HIT hit; ttl=5; detail=l2, keep, downstream");

    // Without a question, and without a report: fresh, stale, expired and purged.
    let bench = with(Bench::polled(139), member);
    for start in [135, 120, 100] {
        assert_eq!(looks(&bench, 139, l1(start), None), format!("discard, then {PASSES}"), "{start}");
    }
    let purged = with(Bench::polled(139).invalidated(Mode::Purge, 138), member);
    assert_eq!(looks(&purged, 139, l1(135), None), format!("discard, then {PASSES}"));
    let unknown = with(Bench::without_feed(), member);
    assert_eq!(looks(&unknown, 139, l1(135), None), format!("discard, then {PASSES}"));
    assert_eq!(looks(&bench, 139, L1Entry::Nothing, Some(varied(135))), format!("keep, then {PASSES}"));
    assert_eq!(looks(&bench, 139, L1Entry::Nothing, Some(varied(120))), format!("keep, then {PASSES}"));
    assert_eq!(looks(&bench, 139, L1Entry::Nothing, Some(varied(100))), format!("discard, then {PASSES}"));
    assert_eq!(looks(&bench, 139, L1Entry::Page(page(135)), None), "HIT hit; ttl=6, downstream", "another page");

    // The question of such a request is of use to the others, and marks nothing.
    let kept = format!("keep when whole, then {PASSES}");
    assert_eq!(bench.misses(None, vec![(140, rendered(varied(140)))]), kept);
    let known = CoordinatorReply { reply: Reply::Page { rendered: false, collapsed: false }, page: Some(varied(135)) };
    assert_eq!(bench.misses(None, vec![(140, Event::Answered(known))]), kept);
    let stands_in = CoordinatorReply { reply: Reply::StandIn { reason: Reason::Backoff }, page: Some(varied(135)) };
    let steps = bench.misses(None, vec![(140, Event::Answered(stands_in))]);
    assert_eq!(steps, format!("discard, then {PASSES}"));
    let lease = Bench { renders: true, ..with(Bench::polled(139), member) };
    assert_eq!(looks(&lease, 139, l1(135), None), format!("discard, then {PASSES}"), "a caller renders its own answer");
}
