//! A store that fails at the n-th statement of an input, for every n and every input of a story: whatever was under way,
//! the object gets over it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::*;
use crate::coordinator::PageRead;
use crate::semantics::storable::NotStored;
use crate::sql::{Row, Value};

/// The renders that an object runs at the same time.
const SLOTS: u64 = 24;

/// How statements fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    Never,
    /// The statement after this many fails.
    Once(u64),
    /// Every statement after this many fails.
    From(u64),
}

#[derive(Clone)]
struct FailingSql {
    sql: Rc<MemorySql>,
    fails: Rc<Cell<Fails>>,
    /// The statements since the last input began.
    count: Rc<Cell<u64>>,
}

impl Sql for FailingSql {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let count = self.count.replace(self.count.get() + 1);
        match self.fails.get() {
            Fails::Once(at) if count == at => Err(StoreError::Sql("disk I/O error".to_owned())),
            Fails::From(at) if count >= at => Err(StoreError::Sql("disk I/O error".to_owned())),
            _ => self.sql.query(sql, parameters),
        }
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.sql.transaction(body)
    }
}

/// What happens next. A result belongs to the oldest render, registration, read or write under way.
#[derive(Clone, Copy, Debug)]
enum Op {
    Miss(&'static str),
    Stale(&'static str),
    TimeOut,
    Head,
    Done,
    NotStored,
    Fails,
    Registered(bool),
    Read(bool),
    Wrote(bool),
    Invalidate(Mode, Refresh),
    Alarm,
    Wait(u64),
}

/// A story in which each input occurs, in most of the states in which it can.
const STORY: &[Op] = &[
    Op::Miss("/a"),
    Op::Miss("/a"),
    Op::Head,
    Op::Registered(true),
    Op::Miss("/a"),
    Op::Done,
    Op::Wrote(true),
    Op::Miss("/b"),
    Op::Done,
    Op::Registered(true),
    Op::Wrote(false),
    Op::Wait(5_000),
    Op::Alarm,
    Op::Wrote(true),
    Op::Invalidate(Mode::Expire, Refresh::Lazy),
    Op::Miss("/a"),
    Op::Invalidate(Mode::Expire, Refresh::Lazy),
    Op::Head,
    Op::Done,
    Op::Wrote(true),
    Op::Invalidate(Mode::Stale, Refresh::Eager),
    Op::Stale("/a"),
    Op::Alarm,
    Op::Done,
    Op::Stale("/b"),
    Op::Miss("/b"),
    Op::Fails,
    Op::Wrote(true),
    Op::Miss("/tagged"),
    Op::Head,
    Op::Registered(false),
    Op::Done,
    Op::Miss("/other"),
    Op::Done,
    Op::Registered(false),
    Op::Miss("/c"),
    Op::NotStored,
    Op::Miss("/c"),
    Op::Miss("/d"),
    Op::TimeOut,
    Op::Fails,
    Op::Fails,
    Op::Miss("/d"),
    Op::Miss("/e"),
    Op::Wait(100_000),
    Op::Miss("/e"),
    Op::Done,
    Op::Invalidate(Mode::Purge, Refresh::Lazy),
    Op::Alarm,
    Op::Wrote(true),
    Op::Wrote(true),
    Op::Stale("/a"),
    Op::Alarm,
    Op::Done,
    Op::Wait(2_000),
    Op::Alarm,
    Op::Wrote(false),
];

/// A shard, and everything that is under way outside of it.
struct World {
    shard: Shard<FailingSql, &'static str>,
    sql: FailingSql,
    now: u64,
    waiters: u64,
    /// How often each request was answered.
    answers: BTreeMap<u64, u64>,
    renders: Vec<(PageKey, Version)>,
    registrations: Vec<Version>,
    reads: Vec<PageRead>,
    writes: Vec<(PageKey, Option<Version>)>,
    invalidations: u64,
}

impl World {
    fn new() -> Self {
        let sql = FailingSql {
            sql: Rc::new(MemorySql::new()),
            fails: Rc::new(Cell::new(Fails::Never)),
            count: Rc::default(),
        };
        let shard = Shard::open(sql.clone(), &config(), at(0)).unwrap().0;
        Self {
            shard,
            sql,
            now: 1_000,
            waiters: 0,
            answers: BTreeMap::new(),
            renders: Vec::new(),
            registrations: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            invalidations: 0,
        }
    }

    fn give(&mut self, input: Input<&'static str>) -> Option<StoreError> {
        self.now += 1;
        self.sql.count.set(0);
        let Handled { effects, failure } = self.shard.on(&config(), at(self.now), input);
        for effect in effects {
            match effect {
                Effect::Reply { waiter, .. } => *self.answers.entry(waiter.0).or_default() += 1,
                Effect::Render { key, token, .. } => self.renders.push((key, token)),
                Effect::Register { token, .. } => self.registrations.push(token),
                Effect::Read(read) => self.reads.push(read),
                Effect::Write(page, _) => self.writes.push((page.key, Some(page.version))),
                Effect::Delete(key) => self.writes.push((key, None)),
                Effect::Forward { .. }
                | Effect::Abandon { .. }
                | Effect::Unregister { .. }
                | Effect::End
                | Effect::WakeAt(_)
                | Effect::Ring => {}
            }
        }
        failure
    }

    fn ask(&mut self, path: &str, served: Option<Version>) -> Input<&'static str> {
        self.waiters += 1;
        self.answers.insert(self.waiters, 0);
        let waiter = WaiterId(self.waiters);
        Input::Request {
            waiter,
            shard: name(),
            key: key(path),
            served,
            newer_than: None,
            forwarded: false,
            renders: false,
        }
    }

    /// Returns the input of an operation; `None` if nothing of the kind is under way.
    fn input(&mut self, op: Op) -> Option<Input<&'static str>> {
        let has_tags = |key: &PageKey| key.path() == "/tagged" || key.path() == "/other";
        let rendered =
            |(key, token): &(PageKey, Version)| page(key.path(), *token, if has_tags(key) { &["t"] } else { &[] });
        let take = |renders: &mut Vec<(PageKey, Version)>| (!renders.is_empty()).then(|| renders.remove(0));
        Some(match op {
            Op::Miss(path) => self.ask(path, None),
            Op::Stale(path) => self.ask(path, Some(Version::from_parts(Timestamp::from_millis(1), 1))),
            Op::TimeOut => {
                let answers = self.answers.get_mut(&self.waiters)?;
                *answers = (*answers == 0).then_some(1)?;
                Input::TimedOut { waiter: WaiterId(self.waiters) }
            }
            Op::Head => {
                let render = self.renders.first()?;
                let page = PageMeta { body_bytes: None, ..rendered(render) };
                Input::Head { key: render.0.clone(), token: render.1, answer: (page, "body") }
            }
            Op::Done => {
                let render = take(&mut self.renders)?;
                let page = rendered(&render);
                let outcome = RenderOutcome::Done(page.clone());
                Input::Ended { key: render.0, token: render.1, outcome, answer: Some((page, "body")) }
            }
            Op::NotStored => {
                let (key, token) = take(&mut self.renders)?;
                Input::Ended {
                    key,
                    token,
                    outcome: RenderOutcome::Uncacheable(NotStored::CacheControl.into()),
                    answer: None,
                }
            }
            Op::Fails => {
                let (key, token) = take(&mut self.renders)?;
                Input::Ended { key, token, outcome: RenderOutcome::Failed(OriginFailure::Broken), answer: None }
            }
            Op::Registered(is_reached) => {
                let token = (!self.registrations.is_empty()).then(|| self.registrations.remove(0))?;
                let answer = RegisterAnswer { invalidations: Vec::new(), floor: Timestamp::default() };
                Input::Registered { token, answer: is_reached.then_some(answer) }
            }
            Op::Read(is_there) => {
                let read = (!self.reads.is_empty()).then(|| self.reads.remove(0))?;
                Input::Read { read, found: if is_there { ReadResult::Same("body") } else { ReadResult::Other } }
            }
            Op::Wrote(taken) => {
                let (key, version) = (!self.writes.is_empty()).then(|| self.writes.remove(0))?;
                Input::Wrote { key, version, taken }
            }
            Op::Invalidate(mode, refresh) => {
                self.invalidations += 1;
                let at = Timestamp::from_millis(self.now);
                Input::Invalidate(Invalidation {
                    seq: self.invalidations,
                    at,
                    target: Target::Everything,
                    mode,
                    refresh,
                })
            }
            Op::Alarm => Input::Alarm { room: 6, writes: 50 },
            Op::Wait(millis) => {
                self.now += millis;
                return None;
            }
        })
    }

    /// Performs an operation, and returns the number of statements and the failure.
    fn perform(&mut self, op: Op) -> (u64, Option<StoreError>) {
        self.sql.count.set(0);
        let failure = self.input(op).and_then(|input| self.give(input));
        (self.sql.count.get(), failure)
    }

    /// Lets everything end that is under way.
    fn come_to_rest(&mut self) {
        for _ in 0..50 {
            self.now += 700_000;
            assert_eq!(self.perform(Op::Alarm).1, None);
            while self.is_busy() {
                for op in [Op::Done, Op::Registered(true), Op::Read(true), Op::Wrote(true)] {
                    assert_eq!(self.perform(op).1, None);
                }
            }
            if self.shard.next_deadline() == Ok(None) {
                return;
            }
        }
        panic!("there is still something to do: {:?}", self.shard.next_deadline());
    }

    fn is_busy(&self) -> bool {
        let waits = [self.renders.len(), self.registrations.len(), self.reads.len(), self.writes.len()];
        waits.iter().sum::<usize>() > 0
    }

    /// Checks that the object is as good as new.
    fn check(&mut self, what: &str) {
        self.come_to_rest();
        assert!(self.answers.values().all(|answers| *answers == 1), "{what}: answers by request {:?}", self.answers);
        assert_eq!((self.shard.waiting.len(), self.shard.waiters.len()), (0, 0), "{what}");
        assert_eq!(self.shard.store.leases(100), Ok(vec![]), "{what}");
        for number in 0..SLOTS {
            let path: &'static str = format!("/new/{number}").leak();
            assert_eq!(self.perform(Op::Miss(path)).1, None);
            for token in self.renders.iter().map(|(_, token)| *token).collect::<Vec<_>>() {
                self.give(Input::Answered { token });
            }
        }
        assert_eq!(self.renders.len() as u64, SLOTS, "{what}: it no longer renders as much as before");
        self.come_to_rest();
        assert!(self.answers.values().all(|answers| *answers == 1), "{what}: answers by request {:?}", self.answers);
    }
}

/// Runs the story. During one of its inputs, statements fail. Returns whether one did.
fn run(failing: usize, fails: Fails) -> bool {
    let mut world = World::new();
    let mut has_failed = false;
    for (number, op) in STORY.iter().enumerate() {
        world.sql.fails.set(if number == failing { fails } else { Fails::Never });
        let (_, failure) = world.perform(*op);
        world.sql.fails.set(Fails::Never);
        has_failed |= failure.is_some();
    }
    world.check(&format!("{:?} of {failing} {fails:?}", STORY.get(failing)));
    has_failed
}

#[test]
fn whichever_statement_of_whichever_input_fails_no_slot_is_lost_and_each_waiter_is_answered_once() {
    assert!(!run(usize::MAX, Fails::Never));
    for failing in 0..STORY.len() {
        for fails in [Fails::Once, Fails::From] {
            let mut statement = 0;
            while run(failing, fails(statement)) {
                statement += 1;
            }
        }
    }
}

#[test]
fn after_as_many_failures_as_there_are_slots_pages_are_still_rendered() {
    let mut world = World::new();
    for number in 0..2 * SLOTS {
        let path: &'static str = format!("/{number}").leak();
        assert_eq!(world.perform(Op::Miss(path)).1, None);
        world.sql.fails.set(Fails::From(0));
        assert!(world.perform(Op::Done).1.is_some());
        world.sql.fails.set(Fails::Never);
    }
    world.check("failures one after the other");
}

/// The result of a deletion can't be recorded, and then an older write that has hung arrives in L2.
#[test]
fn results_of_writes_are_recorded_in_the_order_in_which_they_came() {
    let mut world = World::new();
    for op in [
        Op::Miss("/a"),
        Op::Done,
        Op::Registered(true),
        Op::Wait(20_000),
        Op::Invalidate(Mode::Purge, Refresh::Lazy),
        Op::Alarm,
        Op::Wait(3_000),
        Op::Alarm,
    ] {
        assert_eq!(world.perform(op).1, None);
    }
    let written = world.writes[0].1;
    assert!(written.is_some(), "it hangs");
    world.writes.rotate_left(1);
    world.sql.fails.set(Fails::From(0));
    assert!(world.perform(Op::Wrote(true)).1.is_some(), "the deletion");
    world.sql.fails.set(Fails::Never);
    assert_eq!(world.perform(Op::Wrote(true)).1, None, "the page");
    for op in [Op::Wait(3_000), Op::Alarm] {
        assert_eq!(world.perform(op).1, None);
    }
    let deleted: Vec<_> = world.writes.iter().map(|(key, version)| (key.path(), *version)).collect();
    assert_eq!(deleted, [("/a", None)], "L2 has the purged page");
}

/// The result of a write can't be recorded, and neither can the next alarm do so. Nothing else is due.
#[test]
fn a_result_that_the_alarm_could_not_record_is_due_again() {
    let mut world = World::new();
    for op in [Op::Miss("/a"), Op::Done, Op::Registered(true)] {
        assert_eq!(world.perform(op).1, None);
    }
    assert_eq!(world.perform(Op::Wrote(true)).1, None);
    world.writes.push((key("/a"), None));
    world.sql.fails.set(Fails::From(0));
    for op in [Op::Wrote(true), Op::Wait(1_000), Op::Alarm] {
        world.perform(op);
    }
    world.sql.fails.set(Fails::Never);
    assert!(matches!(world.shard.next_deadline(), Ok(Some(_))), "the late deletion is not mended");
    for op in [Op::Wait(2_000), Op::Alarm, Op::Wait(2_000), Op::Alarm] {
        assert_eq!(world.perform(op).1, None);
    }
    assert!(matches!(world.writes.as_slice(), [(_, Some(_))]), "the page is written again: {:?}", world.writes);
}
