//! All keys of one shard: the coordinator object without its I/O.
//!
//! The object feeds events ([`Input`]) to a [`Shard`] and performs the effects ([`Effect`]) it returns. The result of
//! an effect is another input. The shard writes SQLite before it returns an effect. The state that is in memory only
//! (waiters, running renders, held bytes) can be lost at any moment: [`Shard::open`] continues from SQLite.

mod answers;
mod renders;
mod step;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Config;
use crate::coordinator::held_pages::HeldPages;
use crate::coordinator::io::{Effect, Input, Moment, PageRead, ReadResult};
use crate::coordinator::renders::Renders;
use crate::coordinator::tables::CoordinatorStore;
use crate::coordinator::{Breaker, Event, Purpose, RenderOutcome, WaiterId};
use crate::invalidation::Invalidation;
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// Limits the requests that wait at one object.
const MAX_WAITERS: usize = 10_000;

/// How often useless keys are removed while there are too many, and how many at a time.
const FORGET: (Duration, u32) = (Duration::from_mins(1), 1000);

/// Limits the leases examined in one round of the alarm.
const LEASES_A_ROUND: u32 = 200;

/// Limits the writes to L2 begun in one round of the alarm.
const WRITES_A_ROUND: u32 = 50;

/// One shard.
#[derive(Debug)]
pub struct Shard<S, B> {
    store: CoordinatorStore<S>,
    /// The object's own name, if it is known yet.
    name: Option<ShardName>,
    clock: Clock,
    breaker: Breaker,
    /// Requests without an answer.
    waiting: BTreeSet<WaiterId>,
    /// Requests that wait for a render, by page. The first of them started it. Requests that have stopped waiting are
    /// still listed.
    waiters: BTreeMap<PageKey, Vec<WaiterId>>,
    renders: Renders<B>,
    /// No invalidation was received after this version, so pages rendered later need no comparison with invalidations.
    received: Version,
    /// The number of keys that have a row, counted when first needed.
    keys: Option<u64>,
    /// When useless keys may next be removed, if there are too many.
    forget_at: Timestamp,
    /// When the pages of sweeps are due next.
    sweep_at: Timestamp,
    held: HeldPages<B>,
    effects: Vec<Effect<B>>,
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
}

impl<B> Default for EventDetails<'_, B> {
    fn default() -> Self {
        Self { answer: None, newer_than: None, is_over: false }
    }
}

impl<S: Sql, B: Clone> Shard<S, B> {
    /// Opens the shard's database, and continues from the state that an earlier life of the object has left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(sql: S, config: &Config, moment: Moment) -> Result<(Self, Vec<Effect<B>>), StoreError> {
        let store = CoordinatorStore::open(sql)?;
        let name = store.shard()?.as_deref().and_then(ShardName::from_stored);
        let mut clock = store.clock()?;
        let mut received = clock.last();
        let mut moved = clock;
        let at_move = moved.issue(moment.now, moment.random);
        if store.note_tag_shards(config.tag_shards, at_move, &moved)? {
            (clock, received) = (moved, at_move);
        }
        let breaker = store.breaker()?;
        let mut shard = Self {
            store,
            name,
            clock,
            breaker,
            waiting: BTreeSet::new(),
            waiters: BTreeMap::new(),
            renders: Renders::default(),
            received,
            keys: None,
            forget_at: Timestamp::default(),
            sweep_at: Timestamp::default(),
            held: HeldPages::default(),
            effects: Vec::new(),
        };
        // None of the recorded renders is running, and the time of the current alarm is unknown.
        for (key, lease) in shard.store.leases(u32::MAX)? {
            shard.end(Turn { config, moment }, &key, lease.token, RenderOutcome::Lost, None)?;
        }
        shard.wake_for_next()?;
        let effects = shard.take_effects();
        Ok((shard, effects))
    }

    /// Handles an input, and returns the effects to perform.
    ///
    /// # Errors
    /// See [`StoreError`]. On an error, the input has changed nothing, and its request receives no answer.
    pub fn on(&mut self, config: &Config, moment: Moment, input: Input<B>) -> Result<Vec<Effect<B>>, StoreError> {
        let turn = Turn { config, moment };
        let result = match input {
            Input::Request { waiter, shard, key, served, newer_than, forwarded } => {
                let event = match served {
                    None => Event::Miss { waiter },
                    Some(version) => Event::Stale { waiter, version },
                };
                self.request(turn, waiter, &shard, forwarded, &key, event, newer_than)
            }
            Input::TimedOut { waiter } => {
                self.waiting.remove(&waiter);
                Ok(())
            }
            Input::Invalidate(invalidation) => self.invalidate(moment, &invalidation),
            Input::Head { key, token, answer } => self.head(turn, &key, token, answer),
            Input::Ended { key, token, outcome, answer } => self.ended(turn, &key, token, outcome, answer),
            Input::Registered { token, answer } => self.registered(turn, token, answer),
            Input::Read { read, found } => self.read(turn, read, found),
            Input::Wrote { key, version, taken } => self.wrote(turn, &key, version, taken),
            Input::Alarm { room } => self.alarm(turn, room),
        };
        let effects = self.take_effects();
        result.map(|()| effects)
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

    /// Returns whether renders wait for the alarm to start them.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        self.renders.awaits_alarm()
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
        Ok(self.store.next_deadline()?.into_iter().chain(self.next_sweep()?).min())
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one input")]
    fn request(
        &mut self,
        turn: Turn<'_>,
        waiter: WaiterId,
        shard: &ShardName,
        forwarded: bool,
        key: &PageKey,
        event: Event,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let refuse = |reason| Effect::Reply { waiter, reply: Reply::Refused { reason }, page: None };
        if self.name.is_none() {
            self.store.set_shard(shard.as_str())?;
            self.name = Some(shard.clone());
        }
        let misplaced = match owner(turn.config, key) {
            Some(owner) if owner == *shard => (self.waiting.len() >= MAX_WAITERS).then(|| refuse(Reason::WaitersFull)),
            Some(owner) if !forwarded => Some(Effect::Forward { waiter, owner }),
            // During a deployment, the edge or the forwarding coordinator may have another configuration.
            Some(_) | None => Some(refuse(Reason::Moved)),
        };
        if let Some(effect) = misplaced {
            self.effects.push(effect);
            return Ok(());
        }
        self.waiting.insert(waiter);
        let is_visitor = matches!(event, Event::Miss { .. });
        let stepped = self.step(turn, key, event, EventDetails { newer_than, ..EventDetails::default() });
        if stepped.is_err() {
            self.waiting.remove(&waiter);
        } else if is_visitor && self.waiters.get(key).is_some_and(|waiters| waiters.contains(&waiter)) {
            self.hurry(turn, key)?;
        }
        stepped
    }

    /// Returns whether an unknown key may be admitted: the first `max_pages` keys are. So a client that makes up keys
    /// can neither fill the object nor evict existing pages.
    fn admits(&mut self, turn: Turn<'_>, key: &PageKey) -> Result<bool, StoreError> {
        let most = turn.config.routes.find(key.path()).map_or(0, Route::max_pages);
        let mut keys = self.keys.map_or_else(|| self.store.count_keys(), Ok)?;
        if keys >= most && turn.moment.now >= self.forget_at {
            self.forget_at = turn.moment.now.plus(FORGET.0);
            keys = keys.saturating_sub(self.store.forget_ended(turn.moment.now, FORGET.1)?);
        }
        self.keys = Some(keys);
        Ok(keys < most)
    }

    /// Starts a render now that was left to the alarm, because a client waits for it.
    fn hurry(&mut self, turn: Turn<'_>, key: &PageKey) -> Result<(), StoreError> {
        match self.renders.hurry(key) {
            Some(token) => self.begin(turn, key.clone(), token, false),
            None => Ok(()),
        }
    }

    /// Begins a queued render.
    fn begin(&mut self, turn: Turn<'_>, key: PageKey, token: Version, driven: bool) -> Result<(), StoreError> {
        self.step(turn, &key, Event::Begun { token }, EventDetails::default())?;
        self.renders.begin(key.clone(), token);
        self.effects.push(Effect::Render { key, token, driven });
        Ok(())
    }

    fn invalidate(&mut self, moment: Moment, invalidation: &Invalidation) -> Result<(), StoreError> {
        let mut clock = self.clock;
        let received = clock.observe(invalidation.at, moment.now, moment.random);
        self.store.note_invalidation(invalidation, received, &clock)?;
        self.clock = clock;
        self.received = received;
        self.begin_sweep(moment.now, invalidation);
        Ok(())
    }

    fn read(&mut self, turn: Turn<'_>, read: PageRead, found: ReadResult<B>) -> Result<(), StoreError> {
        let PageRead { page, reply, waiters, .. } = read;
        match found {
            ReadResult::Same(content) => self.reply_all(&waiters, &reply, Some(&(page, content))),
            // The page exists, but can't be read now.
            ReadResult::Unknown => self.reply_all(&waiters, &Reply::Refused { reason: Reason::Unreadable }, None),
            ReadResult::Other => {
                for waiter in waiters {
                    let event = Event::BytesLost { waiter, version: page.version };
                    self.step(turn, &page.key, event, EventDetails::default())?;
                }
            }
        }
        Ok(())
    }

    fn wrote(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        version: Option<Version>,
        taken: bool,
    ) -> Result<(), StoreError> {
        if let Some(version) = version.filter(|_| taken) {
            self.held.written(key, version);
        }
        let event = if taken { Event::Written { version } } else { Event::WriteFailed { version } };
        self.step(turn, key, event, EventDetails::default())
    }

    /// Performs the work that is due: writes, and leases that have ended or expired. Then begins at most `room` queued
    /// renders.
    fn alarm(&mut self, turn: Turn<'_>, room: usize) -> Result<(), StoreError> {
        for key in self.store.writes_due(turn.moment.now, WRITES_A_ROUND)? {
            self.step(turn, &key, Event::WriteDue, EventDetails::default())?;
        }
        for (key, lease) in self.store.leases(LEASES_A_ROUND)? {
            if lease.expires_at <= turn.moment.now {
                self.expire(turn, &key, lease.token)?;
            } else if lease.purpose == Purpose::Background && !self.renders.is_alive(lease.token) {
                self.step(
                    turn,
                    &key,
                    Event::Ended { token: lease.token, outcome: RenderOutcome::Lost },
                    EventDetails::default(),
                )?;
            }
        }
        self.sweep(turn, room)?;
        for _ in 0..room {
            let Some((key, token)) = self.renders.next_background() else { break };
            self.begin(turn, key, token, true)?;
        }
        Ok(())
    }

    /// Ends an expired lease.
    fn expire(&mut self, turn: Turn<'_>, key: &PageKey, token: Version) -> Result<(), StoreError> {
        let outcome = if self.renders.unqueue(token) { RenderOutcome::Refused } else { RenderOutcome::TooOld };
        self.step(turn, key, Event::Ended { token, outcome }, EventDetails::default())
    }

    fn wake_for_next(&mut self) -> Result<(), StoreError> {
        let deadline = self.next_deadline()?;
        self.effects.extend(deadline.map(Effect::WakeAt));
        Ok(())
    }
}

/// Returns the coordinator that owns a page according to the configuration; `None` if no route matches any more.
fn owner(config: &Config, key: &PageKey) -> Option<ShardName> {
    config.routes.find(key.path()).map(|route| ShardName::of(route, key.path()))
}
