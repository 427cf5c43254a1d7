//! All keys of one shard: the coordinator object without its I/O.
//!
//! The object feeds events ([`Input`]) to a [`Shard`] and performs the effects ([`Effect`]) it returns. The result of
//! an effect is another input. The shard writes SQLite before it returns an effect. The state that is in memory only
//! (waiters, running renders, held bytes) can be lost at any moment: [`Shard::open`] continues from SQLite.
//!
//! An input is a sequence of steps. Each step saves first and changes memory and effects afterwards, which can't fail.
//! So a step that fails has changed nothing, and the effects of the steps before it are performed.
//!
//! | the store fails while | then |
//! |---|---|
//! | a request is handled | it is refused, and does not wait |
//! | a render ends | its slot is free; the alarm ends its lease as lost, and answers its waiters |
//! | a queued render begins | it stays queued; each later input tries again |
//! | a registration is recorded | the page is not published; if the render goes on, its end registers again |
//! | the result of a write to L2 is recorded | the alarm records it: the write may have landed over a newer one |
//! | the alarm works | it continues with the other pages; the failed work is repeated after a pause |
//!
//! The clock of the object may be set back: see `clock.rs`.

mod admission;
mod answers;
mod clock;
mod counting;
mod registrations;
mod renders;
mod retire;
mod step;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::account::Account;
use crate::backoff;
use crate::config::Config;
use crate::coordinator::PageContent;
use crate::coordinator::failed_pages::FailedPages;
use crate::coordinator::frequency::Frequency;
use crate::coordinator::held_pages::HeldPages;
use crate::coordinator::io::{Effect, Handled, Input, Moment, PageRead, ReadResult};
use crate::coordinator::leases::Leases;
use crate::coordinator::renders::{Connection, Renders};
use crate::coordinator::tables::{CoordinatorStore, Removable};
use crate::coordinator::visits::Visits;
use crate::coordinator::{Bounds, Breaker, Event, RenderOutcome, TokenBucket, WaiterId};
use crate::invalidation::Invalidation;
use crate::metrics::{Counters, Persisted};
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The time after which each place shows a write to L2. A miss later than that is a reason to check whether L2 has lost
/// the page.
const SETTLED_AFTER: Duration = Duration::from_mins(5);

/// One invalidation in this many removes others that nothing needs any more. It examines more of them in turn.
const COLLECTS_EVERY: u128 = 4;

/// Limits the checks of L2 that are under way at the same time.
const MAX_CHECKS: usize = 4;

/// The bytes that a waiting request takes besides its key, and the copies of the key: in the request's message, in the
/// shard and in a read of L2.
const WAITER_BYTES: u64 = 1024;
const WAITER_KEYS: u64 = 4;

/// The bytes of a request whose key is not long.
const SHORT_WAITER: u64 = WAITER_BYTES + WAITER_KEYS * 512;

/// The pauses before work is repeated that the store has not let through, the first and the longest.
const AFTER_FAILURE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// One shard.
#[derive(Debug)]
pub struct Shard<S, B> {
    store: CoordinatorStore<S>,
    /// The object's own name, if it is known yet.
    name: Option<ShardName>,
    clock: Clock,
    /// The time of the last input.
    last_input: Timestamp,
    breaker: Breaker,
    budget: TokenBucket,
    /// Requests without an answer, with the bytes that each takes.
    waiting: BTreeMap<WaiterId, u64>,
    /// The bytes that they take.
    waiting_bytes: Account,
    /// Those of them that are reports of stale pages.
    reporting: BTreeSet<WaiterId>,
    /// The reads of L2 under way, by page and version, with the requests that have joined them.
    reads: BTreeMap<(PageKey, Version), Vec<PageRead>>,
    /// Requests that wait for a render, by page. The first of them started it. Requests that have stopped waiting are
    /// still listed.
    waiters: BTreeMap<PageKey, Vec<WaiterId>>,
    renders: Renders<B>,
    /// No invalidation was received after this version, so pages rendered later need no comparison with invalidations.
    received: Version,
    /// The latest invalidation, and the number of pages that it named, if that was counted.
    counted: Option<(Invalidation, u64)>,
    leases: Leases,
    /// The number of keys that have a row, counted when first needed.
    keys: Option<u64>,
    /// The number of negative keys among them, counted when first needed.
    negatives: Option<u64>,
    /// How often keys were requested.
    frequency: Frequency,
    /// The key at which the search for a key to displace continues.
    hand: Option<PageKey>,
    /// Limits how often keys are displaced.
    displacements: TokenBucket,
    /// When the pages of sweeps are due next.
    sweep_at: Timestamp,
    /// When a retired object forgets its next pages.
    retire_at: Option<Timestamp>,
    held: HeldPages<B>,
    failed: FailedPages<B>,
    /// Queued renders that must be unconditional.
    unconditional: BTreeSet<Version>,
    /// The checks of L2 that are under way.
    checks: usize,
    /// L2 was another store up to this version, so it does not have what was written before.
    copies_since: Version,
    effects: Vec<Effect<B>>,
    /// Results of writes to L2 that could not be recorded. As little is written while the store fails, these are no more
    /// than the writes that were under way.
    unrecorded: Vec<WriteResult>,
    /// The first failure of the store in this input.
    failure: Option<StoreError>,
    /// The number of consecutive alarms with a failure of the store, and when the next one may follow.
    failing: (u32, Timestamp),
    /// What was counted.
    counters: Persisted<Counters>,
    /// Visits that are not in the rows of their pages yet.
    visits: Visits,
}

/// The result of a write to L2.
#[derive(Clone, Debug)]
struct WriteResult {
    key: PageKey,
    /// The version that was written; `None` for a deletion.
    version: Option<Version>,
    /// Whether L2 has accepted it.
    is_taken: bool,
}

/// The input that is being handled: what all its steps have in common.
#[derive(Clone, Copy)]
struct Turn<'a> {
    config: &'a Config,
    moment: Moment,
}

/// Facts that accompany an event.
#[derive(Clone, Copy)]
struct EventDetails<'a, B> {
    /// The origin's response.
    answer: Option<&'a (PageMeta, B)>,
    /// The edge knows of an invalidation at this time.
    newer_than: Option<Timestamp>,
    /// The render that holds the lease has ended.
    is_over: bool,
    /// The client can render the page itself.
    by_client: bool,
}

impl<B> Default for EventDetails<'_, B> {
    fn default() -> Self {
        Self { answer: None, newer_than: None, is_over: false, by_client: false }
    }
}

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Opens the shard's database, and continues from the state that an earlier life of the object has left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(sql: S, config: &Config, moment: Moment) -> Result<(Self, Vec<Effect<B>>), StoreError> {
        let store = CoordinatorStore::open(sql)?.with_decision_log(config.decision_log)?;
        let name = store.shard()?.as_deref().and_then(ShardName::from_stored);
        let mut clock = store.clock()?;
        let mut received = clock.last();
        let mut moved = clock;
        let at_move = moved.issue(moment.now, moment.random);
        if store.note_tag_shards(config.tag_shards, at_move, &moved, moment.now)? {
            (clock, received) = (moved, at_move);
        }
        let copies_since = store.note_l2(config.l2, clock.last())?;
        let breaker = store.breaker()?;
        let counters = if config.metrics { store.counters()? } else { None };
        let mut shard = Self {
            store,
            name,
            clock,
            last_input: moment.now,
            breaker,
            budget: TokenBucket::default(),
            counted: None,
            waiting: BTreeMap::new(),
            waiting_bytes: Account::new(Bounds::default().waiter_bytes),
            leases: Leases::default(),
            reporting: BTreeSet::new(),
            reads: BTreeMap::new(),
            waiters: BTreeMap::new(),
            renders: Renders::within(Bounds::default()),
            received,
            keys: None,
            negatives: None,
            frequency: Frequency::new(moment.random),
            hand: None,
            displacements: TokenBucket::default(),
            sweep_at: Timestamp::default(),
            retire_at: None,
            held: HeldPages::default(),
            failed: FailedPages::default(),
            unconditional: BTreeSet::new(),
            checks: 0,
            copies_since,
            effects: Vec::new(),
            unrecorded: Vec::new(),
            failure: None,
            failing: (0, Timestamp::default()),
            counters: Persisted::load(counters.as_deref()),
            visits: Visits::default(),
        };
        // None of the recorded renders is running, and the time of the current alarm is unknown. A lease that can't be
        // ended now is left to the alarm.
        shard.notice_clock_at_start(moment.now)?;
        for (key, lease) in shard.store.leases(u32::MAX)? {
            shard.leases.replace(&key, None, Some(lease));
            let ended = shard.end(Turn { config, moment }, &key, lease.token, RenderOutcome::Lost, None);
            shard.note(ended);
        }
        shard.failure = None;
        if shard.is_retired(config) {
            shard.retire_at = Some(moment.now);
        }
        shard.wake_for_next()?;
        let effects = shard.take_effects();
        Ok((shard, effects))
    }

    /// Replaces the bounds of a shard that renders nothing yet.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.renders = Renders::within(bounds);
        self.waiting_bytes = Account::new(bounds.waiter_bytes);
        self
    }

    /// Counts what a shard that holds nothing yet will hold in memory as a part of its isolate's memory.
    #[must_use]
    pub fn in_isolate(mut self, memory: &Rc<Account>) -> Self {
        self.waiting_bytes = Account::part_of(memory, self.renders.bounds().waiter_bytes);
        self.held = HeldPages::in_isolate(memory);
        self.failed = FailedPages::in_isolate(memory);
        self
    }

    /// Handles an input, and returns the effects to perform.
    pub fn on(&mut self, config: &Config, moment: Moment, input: Input<B>) -> Handled<B> {
        let turn = Turn { config, moment };
        let is_alarm = matches!(input, Input::Alarm { .. });
        let noticed = self.notice_clock(moment.now);
        self.note(noticed);
        let handled = self.handle(turn, input);
        self.note(handled);
        let begun = self.begin_queued(turn);
        self.note(begun);
        if !is_alarm && self.has_queued() {
            self.effects.push(Effect::WakeAt(moment.now));
            self.effects.push(Effect::Ring);
        }
        let failure = self.failure.take();
        if failure.is_some() {
            self.effects.push(Effect::WakeAt(moment.now.plus(AFTER_FAILURE.0)));
        }
        self.save_counters(config, moment.now, is_alarm);
        Handled { effects: self.take_effects(), failure }
    }

    fn handle(&mut self, turn: Turn<'_>, input: Input<B>) -> Result<(), StoreError> {
        match input {
            Input::Request { waiter, shard, key, served, newer_than, forwarded, renders } => {
                let counters = &mut self.counters.live;
                let count = if served.is_none() { &mut counters.misses } else { &mut counters.reports };
                *count = count.saturating_add(1);
                let event = match served {
                    None => Event::Miss { waiter },
                    Some(version) => Event::Stale { waiter, version },
                };
                let handled = self.request(turn, waiter, &shard, forwarded, renders, &key, event, newer_than);
                if handled.is_err() {
                    self.forget_waiter(waiter);
                    let reply = Reply::Refused { reason: Reason::CoordinatorFailed };
                    self.effects.push(Effect::Reply { waiter, reply, page: None });
                }
                handled
            }
            Input::TimedOut { waiter } => {
                self.forget_waiter(waiter);
                Ok(())
            }
            Input::Visits(visits) => {
                self.visited(turn.config, visits);
                Ok(())
            }
            Input::Invalidate(invalidation) => self.invalidate(turn.moment, &invalidation),
            Input::Retire { shard } => self.retire(turn, &shard),
            Input::Unregistered { more } => self.unregistered(turn, more),
            Input::Answered { token } => {
                self.renders.answered(token);
                Ok(())
            }
            Input::Head { key, token, answer } => self.head(turn, &key, token, answer),
            Input::Ended { key, token, outcome, answer } => self.ended(turn, &key, token, outcome, answer),
            Input::Registered { token, answer } => self.registered(turn, token, answer),
            Input::Read { read, found } => {
                self.read(turn, read, &found);
                Ok(())
            }
            Input::Wrote { key, version, taken } => self.wrote(turn, WriteResult { key, version, is_taken: taken }),
            Input::Alarm { room, writes } => {
                self.alarm(turn, room, writes);
                Ok(())
            }
        }
    }

    /// Records a failure that does not end the input.
    fn note(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    /// Takes the collected effects. Of several wake-up times, only the earliest is returned, because the platform bills
    /// each setting of the alarm as a row written.
    fn take_effects(&mut self) -> Vec<Effect<B>> {
        let mut effects = std::mem::take(&mut self.effects);
        let wake = |effect: &Effect<B>| if let Effect::WakeAt(time) = effect { Some(*time) } else { None };
        if let Some(first) = effects.iter().filter_map(wake).min() {
            effects.retain(|effect| wake(effect).is_none());
            effects.push(Effect::WakeAt(first));
        }
        effects
    }

    /// Returns whether the alarm could begin a render. Without a connection for it, the end of another render wakes the
    /// alarm: until then it would find nothing to do.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        self.renders.next_background().is_some()
    }

    /// Returns the version in which a page is published, and the token of its running render.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn standing_of(&self, key: &PageKey) -> Result<(Option<Version>, Option<Version>), StoreError> {
        let entry = self.store.load(key)?;
        Ok((entry.page.map(|page| page.version), entry.lease.map(|lease| lease.token)))
    }

    /// Returns the last version issued or observed. Everything stored so far has this version or a lower one.
    #[must_use]
    pub fn last_version(&self) -> Version {
        self.clock.last()
    }

    /// Returns when the alarm is due next.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        let sweep = if self.retire_at.is_some() { self.retire_at } else { self.next_sweep()? };
        // What an alarm could not record is in memory alone.
        let again = (self.failing.0 > 0 || !self.unrecorded.is_empty()).then_some(self.failing.1);
        let next = self.store.next_write()?.into_iter().chain(self.leases.next_end()).chain(sweep).chain(again).min();
        // Work that the store has not let through must not keep the alarm busy.
        Ok(next.map(|next| next.max(self.failing.1)))
    }

    /// Handles a request. On an error, the request neither waits nor has an answer.
    #[allow(clippy::too_many_arguments, reason = "the fields of one input")]
    fn request(
        &mut self,
        turn: Turn<'_>,
        waiter: WaiterId,
        shard: &ShardName,
        forwarded: bool,
        by_client: bool,
        key: &PageKey,
        event: Event,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let refuse = |reason| Effect::Reply { waiter, reply: Reply::Refused { reason }, page: None };
        self.learn_name(turn, shard)?;
        let misplaced = match owner(turn.config, key) {
            Some(owner) if owner == *shard => (!self.has_place(key)).then(|| refuse(Reason::WaitersFull)),
            Some(owner) if !forwarded => Some(Effect::Forward { waiter, owner }),
            // During a deployment, the edge or the forwarding coordinator may have another configuration.
            Some(_) | None => Some(refuse(Reason::Moved)),
        };
        if let Some(effect) = misplaced {
            self.effects.push(effect);
            return Ok(());
        }
        self.frequency.note(key);
        let is_visitor = matches!(event, Event::Miss { .. });
        if !is_visitor && self.reporting.len() >= self.renders.bounds().reports {
            // Visitors come first. The edge reports the page again when it is stale still.
            self.effects.push(Effect::Reply { waiter, reply: Reply::Unchanged, page: None });
            return Ok(());
        }
        let bytes = waiter_bytes(key);
        self.waiting_bytes.add(bytes);
        self.waiting.insert(waiter, bytes);
        if !is_visitor {
            self.reporting.insert(waiter);
        }
        self.step(turn, key, event, EventDetails { newer_than, by_client, ..EventDetails::default() })?;
        if is_visitor && self.waiters.get(key).is_some_and(|waiters| waiters.last() == Some(&waiter)) {
            let hurried = self.hurry(turn, key);
            self.note(hurried);
        }
        Ok(())
    }

    /// Records the object's own name with its first message. An object that no request should reach ends again.
    fn learn_name(&mut self, turn: Turn<'_>, shard: &ShardName) -> Result<(), StoreError> {
        if self.name.is_none() {
            self.store.set_shard(shard.as_str())?;
            self.name = Some(shard.clone());
        }
        if self.retire_at.is_none() && !shard.is_served(&turn.config.routes) {
            self.retire_at = Some(turn.moment.now);
            self.effects.push(Effect::WakeAt(turn.moment.now));
        }
        Ok(())
    }

    /// Starts a render now that was left to the alarm, because a client waits for it.
    fn hurry(&mut self, turn: Turn<'_>, key: &PageKey) -> Result<(), StoreError> {
        match self.renders.to_hurry(key) {
            Some(token) => self.begin(turn, key.clone(), token, false),
            None => Ok(()),
        }
    }

    /// Begins the queued renders that clients wait for, as far as there is room for them.
    fn begin_queued(&mut self, turn: Turn<'_>) -> Result<(), StoreError> {
        while let Some((key, token)) = self.renders.next() {
            self.begin(turn, key, token, false)?;
        }
        Ok(())
    }

    /// Begins a queued render.
    fn begin(&mut self, turn: Turn<'_>, key: PageKey, token: Version, driven: bool) -> Result<(), StoreError> {
        self.step(turn, &key, Event::Begun { token }, EventDetails::default())?;
        let connection = if driven { Connection::Alarm } else { Connection::Client };
        self.renders.begin(key.clone(), token, connection);
        // Without the entry, the page is rendered anew.
        let base = self.store.load(&key).ok().and_then(|entry| self.base(&key, &entry, token));
        self.effects.push(Effect::Render { key, token, driven, base });
        Ok(())
    }

    fn invalidate(&mut self, moment: Moment, invalidation: &Invalidation) -> Result<(), StoreError> {
        let mut clock = self.clock;
        let received = clock.observe(invalidation.at, moment.now, moment.random);
        if self.name.is_none() {
            // It was never asked for a page, so it has none. A later render has a later version.
            self.store.save_clock(&clock)?;
            (self.clock, self.received) = (clock, received);
            return Ok(());
        }
        let counted = self.store.note_invalidation(invalidation, received, &clock, moment.now)?;
        self.counted = counted.map(|pages| (invalidation.clone(), pages));
        self.clock = clock;
        self.received = received;
        self.counters.live.invalidations = self.counters.live.invalidations.saturating_add(1);
        self.begin_sweep(moment.now, invalidation);
        if (moment.random >> 64).is_multiple_of(COLLECTS_EVERY) {
            // The invalidation is recorded, whatever becomes of the others.
            let kept_for = self.renders.bounds().invalidations_kept_for;
            let at = moment.now.minus(kept_for);
            let before = self.leases.oldest().unwrap_or(received.time());
            let collected = self.store.collect_invalidations(Removable { before, at });
            self.note(collected);
        }
        Ok(())
    }

    /// Ends a request's wait. Returns whether it was waiting.
    fn forget_waiter(&mut self, waiter: WaiterId) -> bool {
        self.reporting.remove(&waiter);
        let bytes = self.waiting.remove(&waiter);
        self.waiting_bytes.release(bytes.unwrap_or_default());
        bytes.is_some()
    }

    /// Returns whether one more request may wait.
    fn has_place(&self, key: &PageKey) -> bool {
        let (bounds, bytes) = (self.renders.bounds(), waiter_bytes(key));
        // Requests with long keys use at most half of the room, so that a flood of them leaves room for other clients.
        let is_short = bytes <= SHORT_WAITER || self.waiting_bytes.held() + bytes <= bounds.waiter_bytes / 2;
        self.waiting.len() < bounds.waiters && is_short && self.waiting_bytes.has_room_for(bytes)
    }

    /// Continues with the result of a check whether L2 has lost a page.
    fn checked(&mut self, turn: Turn<'_>, page: &PageMeta, found: &ReadResult<B>) {
        self.checks = self.checks.saturating_sub(1);
        if matches!(found, ReadResult::Other) {
            let is_held = self.held.get(&page.key, page.version).is_some();
            let event = Event::CopyLost { version: page.version, is_held };
            let stepped = self.step(turn, &page.key, event, EventDetails::default());
            self.note(stepped);
        }
    }

    /// Continues with what L2 has, for all requests that wait for it.
    fn read(&mut self, turn: Turn<'_>, read: PageRead, found: &ReadResult<B>) {
        if read.waiters.is_empty() {
            return self.checked(turn, &read.page, found);
        }
        let joined = self.reads.remove(&(read.page.key.clone(), read.page.version)).unwrap_or_default();
        for PageRead { page, reply, waiters, .. } in std::iter::once(read).chain(joined) {
            match found {
                ReadResult::Same(content) => self.reply_all(&waiters, &reply, Some(&(page, content.clone()))),
                // The page exists, but can't be read now.
                ReadResult::Unknown => {
                    self.reply_all(&waiters, &Reply::Refused { reason: Reason::Unreadable }, None);
                }
                ReadResult::Other => self.bytes_lost(turn, &page, waiters),
            }
        }
    }

    fn bytes_lost(&mut self, turn: Turn<'_>, page: &PageMeta, waiters: Vec<WaiterId>) {
        for waiter in waiters {
            let event = Event::BytesLost { waiter, version: page.version };
            if let Err(error) = self.step(turn, &page.key, event, EventDetails::default()) {
                self.reply(waiter, Reply::Refused { reason: Reason::CoordinatorFailed }, None);
                self.note(Err(error));
            }
        }
    }

    fn wrote(&mut self, turn: Turn<'_>, written: WriteResult) -> Result<(), StoreError> {
        let key = written.key.clone();
        self.unrecorded.push(written);
        self.record_writes(turn, &key)
    }

    /// Records the results of writes under a key in the order in which they came: the last one decides what L2 has.
    fn record_writes(&mut self, turn: Turn<'_>, key: &PageKey) -> Result<(), StoreError> {
        while let Some(at) = self.unrecorded.iter().position(|written| written.key == *key) {
            let WriteResult { version, is_taken, .. } = self.unrecorded[at];
            let event = if is_taken { Event::Written { version } } else { Event::WriteFailed { version } };
            self.step(turn, key, event, EventDetails::default())?;
            self.unrecorded.remove(at);
            self.count_write(version.is_none(), is_taken);
            if let Some(version) = version.filter(|_| is_taken) {
                self.held.written(key, version);
            }
        }
        Ok(())
    }

    /// Performs the work that is due: writes, and leases that have ended, expired, or lost their render. Then begins at
    /// most `room` queued renders. Begins at most `writes` writes to L2. A failure for one page does not stop the others.
    fn alarm(&mut self, turn: Turn<'_>, room: usize, writes: usize) {
        let now = turn.moment.now;
        let unrecorded: BTreeSet<PageKey> = self.unrecorded.iter().map(|written| written.key.clone()).collect();
        for key in unrecorded {
            let recorded = self.record_writes(turn, &key);
            self.note(recorded);
        }
        match self.store.writes_due(now, u32::try_from(writes).unwrap_or(u32::MAX)) {
            Ok(due) => {
                for key in due {
                    let begun = self.step(turn, &key, Event::WriteDue, EventDetails::default());
                    self.note(begun);
                }
            }
            Err(error) => self.note(Err(error)),
        }
        for (key, token) in self.leases.over(now, |token| self.renders.is_alive(token)) {
            let ended = self.end_lease(turn, &key, token);
            self.note(ended);
        }
        let swept = match self.retire_at {
            Some(_) => self.retire_pages(turn, writes),
            None => self.sweep(turn, room, writes),
        };
        self.note(swept);
        let begun = self.begin_background(turn, room);
        self.note(begun);
        self.save_visits_of_hour(now);
        let failures = if self.failure.is_some() { self.failing.0.saturating_add(1) } else { 0 };
        let pause = backoff::doubled(AFTER_FAILURE.0, failures, AFTER_FAILURE.1);
        self.failing = (failures, if failures > 0 { now.plus(pause) } else { Timestamp::default() });
    }

    /// Returns how many writes to L2 this input has begun.
    fn writes_begun(&self) -> usize {
        self.effects.iter().filter(|effect| matches!(effect, Effect::Write(..) | Effect::Delete(_))).count()
    }

    /// Begins at most `room` renders that wait for the alarm.
    fn begin_background(&mut self, turn: Turn<'_>, room: usize) -> Result<(), StoreError> {
        for _ in 0..room {
            let Some((key, token)) = self.renders.next_background() else { break };
            self.begin(turn, key, token, true)?;
        }
        Ok(())
    }

    /// Ends a lease that has expired, or whose render has ended without a record of it.
    fn end_lease(&mut self, turn: Turn<'_>, key: &PageKey, token: Version) -> Result<(), StoreError> {
        let outcome = match (self.renders.is_queued(token), self.renders.is_running(token)) {
            (true, _) => RenderOutcome::Refused,
            (false, true) => RenderOutcome::TooOld,
            (false, false) => RenderOutcome::Lost,
        };
        self.step(turn, key, Event::Ended { token, outcome }, EventDetails::default())?;
        self.renders.unqueue(token);
        Ok(())
    }

    fn wake_for_next(&mut self) -> Result<(), StoreError> {
        let deadline = self.next_deadline()?;
        self.effects.extend(deadline.map(Effect::WakeAt));
        Ok(())
    }
}

/// Returns the bytes that a waiting request takes.
fn waiter_bytes(key: &PageKey) -> u64 {
    WAITER_BYTES + WAITER_KEYS * key.as_str().len() as u64
}

/// Returns the coordinator that owns a page according to the configuration; `None` if no route matches any more.
fn owner(config: &Config, key: &PageKey) -> Option<ShardName> {
    config.routes.find(key.path()).map(|route| ShardName::of(route, key.path()))
}
