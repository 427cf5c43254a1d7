use std::collections::BTreeMap;

use super::*;
use crate::config::FeedMode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::vary::Visitor;
use crate::version::Version;
use crate::visit::{CoordinatorReply, FeedRefresh, FeedTerms, L1Entry, Polling, Request, Sent, StoredPage, Visit};

const BOUND: Duration = Duration::from_secs(10);
const MISS_TIMEOUT: Duration = Duration::from_secs(15);

/// When the tests begin, in milliseconds.
const BEGIN: u64 = 100_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(BEGIN + millis)
}

fn key() -> PageKey {
    PageKey::from_stored("https://e.com/a").unwrap()
}

fn question(company: Company) -> Question {
    Question { newer_than: None, renders: false, patience: MISS_TIMEOUT, company }
}

fn since(millis: u64) -> Company {
    Company::Waiting { since: at(millis) }
}

/// The crowds, and the first request of one, which asks at 0.
fn led() -> (Crowds, Asker) {
    let mut crowds = Crowds::default();
    match crowds.turn(&key(), &question(Company::New), at(0)) {
        Turn::Ask(Some(asker)) => (crowds, asker),
        other => panic!("{other:?}"),
    }
}

fn asks(crowds: &mut Crowds, company: Company, millis: u64) -> bool {
    matches!(crowds.turn(&key(), &question(company), at(millis)), Turn::Ask(_))
}

#[test]
fn one_asks_and_the_others_wait_until_the_page_is_in_l1() {
    let (mut crowds, asker) = led();
    let wait = Turn::Others(Others::Ask);
    assert_eq!(crowds.turn(&key(), &question(Company::New), at(1)), wait);
    assert_eq!(crowds.turn(&key(), &question(since(1)), at(999)), wait);
    crowds.end(&key(), asker, CrowdResult::Arriving, at(999));
    assert_eq!(crowds.turn(&key(), &question(since(1)), at(1_000)), wait);
    crowds.filled(&key(), at(1_001));
    assert_eq!(crowds.turn(&key(), &question(since(1)), at(1_002)), Turn::Others(Others::Kept));
    assert!(asks(&mut crowds, Company::New, 1_002), "it has just looked into L1");
}

#[test]
fn each_second_another_request_asks_as_well() {
    let (mut crowds, _) = led();
    assert!(!asks(&mut crowds, since(1), 999));
    assert!(asks(&mut crowds, since(1), 1_000));
    assert!(!asks(&mut crowds, since(1), 1_001));
    assert!(asks(&mut crowds, since(1), 2_000));
}

#[test]
fn a_body_that_arrives_slowly_is_asked_for_a_few_at_a_time() {
    let (mut crowds, asker) = led();
    crowds.end(&key(), asker, CrowdResult::Arriving, at(10));
    assert!(!asks(&mut crowds, since(1), 309));
    let mut askers = Vec::new();
    for _ in 0..FEW {
        let Turn::Ask(Some(asker)) = crowds.turn(&key(), &question(since(1)), at(310)) else { panic!("it may ask") };
        askers.push(asker);
    }
    assert!(!asks(&mut crowds, since(1), 310));
    crowds.end(&key(), askers[0], CrowdResult::Arriving, at(320));
    assert!(asks(&mut crowds, Company::New, 321), "the patience is over for all");
}

#[test]
fn an_answer_without_a_page_is_for_all_who_waited() {
    let (mut crowds, asker) = led();
    let reply = Reply::Refused { reason: Reason::QueueFull };
    crowds.end(&key(), asker, CrowdResult::Bare(reply.clone()), at(10));
    let turn = crowds.turn(&key(), &question(since(1)), at(20));
    assert_eq!(turn, Turn::Others(Others::Answered(reply)));
    assert!(asks(&mut crowds, Company::New, 20), "a later request asks for itself");
}

#[test]
fn after_a_failure_one_asks_again_and_after_two_nobody() {
    let (mut crowds, asker) = led();
    crowds.end(&key(), asker, CrowdResult::Failed(CallFailure::Unreachable), at(10));
    let Turn::Ask(Some(asker)) = crowds.turn(&key(), &question(since(1)), at(20)) else { panic!("it may ask") };
    assert!(!asks(&mut crowds, since(1), 20));
    crowds.end(&key(), asker, CrowdResult::Failed(CallFailure::Overloaded), at(30));
    let turn = crowds.turn(&key(), &question(since(1)), at(40));
    assert_eq!(turn, Turn::Failed(CallFailure::Overloaded));
    assert!(asks(&mut crowds, since(1), 2_031), "later it may ask again");
}

#[test]
fn nobody_waits_for_a_body_from_before_the_clock_was_set_back() {
    let (mut crowds, asker) = led();
    crowds.end(&key(), asker, CrowdResult::Arriving, at(10));
    let before = Timestamp::from_millis(BEGIN / 2);
    assert!(matches!(crowds.turn(&key(), &question(Company::New), before), Turn::Ask(Some(_))));
}

#[test]
fn without_l1_a_few_ask_at_a_time() {
    let (mut crowds, asker) = led();
    crowds.end(&key(), asker, CrowdResult::Arriving, at(10));
    crowds.filled(&key(), at(10));
    for _ in 0..FEW {
        assert!(asks(&mut crowds, Company::Missed, 20));
    }
    let queue = Turn::Others(Others::Queue);
    assert_eq!(crowds.turn(&key(), &question(Company::Missed), at(20)), queue);
    assert_eq!(crowds.turn(&key(), &question(since(1)), at(20)), queue);
}

#[test]
fn a_request_that_knows_more_or_renders_does_not_wait() {
    let (mut crowds, _) = led();
    assert!(asks(&mut crowds, Company::Alone, 1));
    let newer = Question { newer_than: Some(at(0)), ..question(Company::New) };
    assert!(matches!(crowds.turn(&key(), &newer, at(1)), Turn::Ask(Some(_))));
    assert_eq!(crowds.turn(&key(), &newer, at(1)), Turn::Others(Others::Ask));
}

#[test]
fn above_the_bound_requests_ask_as_if_they_were_alone() {
    let mut crowds = Crowds::default();
    let turn = |crowds: &mut Crowds, number: usize, millis| {
        let key = PageKey::from_stored(&format!("https://e.com/{number}")).unwrap();
        crowds.turn(&key, &question(Company::New), at(millis))
    };
    for number in 0..MAX_PAGES {
        assert!(matches!(turn(&mut crowds, number, 0), Turn::Ask(Some(_))));
    }
    assert_eq!(turn(&mut crowds, MAX_PAGES, 0), Turn::Ask(None));
    assert!(matches!(turn(&mut crowds, MAX_PAGES, 1_000), Turn::Ask(Some(_))), "the others have ended");
    assert_eq!(crowds.pages.len(), 1);
}

/// How a world treats a crowd.
#[derive(Clone, Copy)]
struct Conditions {
    l1_keeps: bool,
    /// When the render ends, in milliseconds.
    answer: u64,
    /// How long its body takes.
    body: u64,
    /// The client of the first request leaves.
    first_leaves: bool,
    fails: bool,
}

const GOOD: Conditions = Conditions { l1_keeps: true, answer: 200, body: 20, first_leaves: false, fails: false };

/// What has happened to a crowd.
#[derive(Debug, PartialEq, Eq)]
struct Happened {
    questions: u32,
    /// How many got the page, and how many the origin's response.
    served: u32,
    passed: u32,
    /// When the last of them was over.
    over: u64,
}

enum Due {
    Event(usize, Event<&'static str>),
    Filled(StoredPage<&'static str>),
}

/// A request without headers.
struct Nobody;

impl Visitor for Nobody {
    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn country(&self) -> Option<String> {
        None
    }
}

/// Lets 200 clients of an isolate ask for a page at the same time.
fn crowd(conditions: Conditions) -> Happened {
    let mut polling = Polling::default();
    let FeedRefresh::PollFirst(poll) = polling.refresh(at(0), FeedTerms { bound: BOUND, mode: FeedMode::Poll }) else {
        panic!("it may poll")
    };
    polling.end(poll, at(0), Some(&[at(0)]), 0);
    let (key, route) = (key(), RouteId::from_stored("/*").unwrap());
    let request = Request {
        key: &key,
        route: &route,
        sent: Sent(&Nobody),
        renders: false,
        freshness_bound: BOUND,
        miss_timeout: MISS_TIMEOUT,
        pass_ttl: MISS_TIMEOUT,
    };
    let page = StoredPage { meta: meta(), body: "body" };
    let (mut crowds, mut l1) = (Crowds::default(), L1Entry::Nothing);
    let mut happened = Happened { questions: 0, served: 0, passed: 0, over: 0 };
    let (mut queue, mut number) = (BTreeMap::new(), 0_u64);
    let mut push = |queue: &mut BTreeMap<(u64, u64), Due>, time: u64, due: Due| {
        number += 1;
        queue.insert((time, number), due);
    };
    let mut visits: Vec<_> = (0..200).map(|_| (Visit::begin(request).0, CrowdPart::default())).collect();
    for visit in 0..visits.len() {
        for event in [Event::FeedReady, Event::L1(L1Entry::Nothing), Event::L2(None)] {
            push(&mut queue, 0, Due::Event(visit, event));
        }
    }
    while let Some(((time, _), due)) = queue.pop_first() {
        let (visit, event) = match due {
            Due::Filled(page) => {
                if conditions.l1_keeps {
                    l1 = L1Entry::Page(page);
                }
                crowds.filled(&key, at(time));
                continue;
            }
            Due::Event(visit, event) => (visit, event),
        };
        let (machine, part) = &mut visits[visit];
        part.hears(&event);
        let steps = machine.handle(event, at(time), &polling);
        if let Some((asker, result)) = part.result(&steps) {
            crowds.end(&key, asker, result, at(time));
        }
        for step in steps {
            match step {
                Step::Ask(question) => {
                    let event = match crowds.turn(&key, &question, at(time)) {
                        Turn::Ask(asker) => {
                            part.asks(asker);
                            happened.questions += 1;
                            if !(conditions.first_leaves && visit == 0) {
                                let reply = Reply::Page { rendered: true, collapsed: false };
                                let answer = Event::Answered(CoordinatorReply { reply, page: Some(page.clone()) });
                                let failure = Event::NotAnswered(CallFailure::Unreachable);
                                let event = if conditions.fails { failure } else { answer };
                                // All of them share a render.
                                push(&mut queue, conditions.answer.max(time + 20), Due::Event(visit, event));
                            }
                            continue;
                        }
                        Turn::Others(others) => Event::Others(others),
                        Turn::Failed(failure) => Event::NotAnswered(failure),
                    };
                    push(&mut queue, time, Due::Event(visit, event));
                }
                Step::Wait(pause) => {
                    let pause = u64::try_from(pause.as_millis()).unwrap();
                    push(&mut queue, time + pause, Due::Event(visit, Event::Waited));
                }
                Step::ReadL1 => push(&mut queue, time + 1, Due::Event(visit, Event::L1(l1.clone()))),
                Step::Serve(served) => {
                    assert_eq!(served.outcome, CacheOutcome::Miss);
                    (happened.served, happened.over) = (happened.served + 1, time);
                    if served.keep.is_some() {
                        push(&mut queue, time + conditions.body, Due::Filled(served.page));
                    }
                }
                Step::Pass(_) => (happened.passed, happened.over) = (happened.passed + 1, time),
                _ => {}
            }
        }
    }
    happened
}

fn meta() -> PageMeta {
    let hour = Duration::from_hours(1);
    PageMeta {
        key: key(),
        version: Version::from_parts(at(0), 1),
        status: 200,
        rendered_at: at(0),
        windows: Windows::new(at(0), Revalidate::After(hour), hour, hour).unwrap(),
        tags: Vec::new(),
        body_bytes: Some(4),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    }
}

#[test]
fn two_hundred_requests_for_a_page_ask_once() {
    let happened = crowd(GOOD);
    assert_eq!((happened.questions, happened.served), (1, 200));
    assert!(happened.over < 700, "{happened:?}");
}

#[test]
fn a_crowd_of_a_slow_page_asks_once_a_second() {
    let happened = crowd(Conditions { answer: 5_000, ..GOOD });
    assert_eq!(happened.served, 200);
    assert!(happened.questions <= 6, "{happened:?}");
    assert!(happened.over < 5_600, "{happened:?}");
}

#[test]
fn if_the_client_of_the_first_request_leaves_another_one_asks() {
    let happened = crowd(Conditions { first_leaves: true, ..GOOD });
    assert_eq!((happened.questions, happened.served), (2, 199));
    assert!(happened.over < 2_000, "{happened:?}");
}

#[test]
fn a_crowd_gets_its_page_without_l1_a_few_at_a_time() {
    let happened = crowd(Conditions { l1_keeps: false, answer: 20, ..GOOD });
    assert_eq!(happened.served, 200);
    assert!(happened.over < 3_000, "{happened:?}");
}

#[test]
fn a_crowd_does_not_wait_for_the_last_byte_of_a_slow_body() {
    let happened = crowd(Conditions { answer: 20, body: 60_000, ..GOOD });
    assert_eq!((happened.questions, happened.served), (200, 200));
    assert!(happened.over < 3_000, "{happened:?}");
}

#[test]
fn a_crowd_whose_questions_fail_asks_twice() {
    let happened = crowd(Conditions { fails: true, ..GOOD });
    assert_eq!((happened.questions, happened.passed), (2, 200));
}
