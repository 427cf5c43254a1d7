//! All keys of one shard: what the coordinator object is, without its I/O.
//!
//! The object gives a [`Shard`] what happens ([`Input`]) and performs what comes back ([`Effect`]); the outcome of an
//! effect is another input. SQLite is written before an effect is returned. What is in memory only (who waits, which
//! renders are under way, which bytes are held) can be lost at any moment: [`Shard::open`] takes up what is in SQLite.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::coordinator::held::Held;
use crate::coordinator::{Action, Answer, Context, Event, Policy, Purpose, RenderResult, WaiterId, handle};
use crate::feed::{Invalidation, Mode};
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, Verdict};
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::shard::ShardName;
use crate::store::{CoordinatorStore, Sql, StoreError};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The most requests that wait at one object.
const MAX_WAITERS: usize = 10_000;

/// The most renders that are under way in one object, for visitors and by the alarm together: their bodies share its
/// memory.
const MAX_RENDERS: usize = 24;

/// The most leases looked at in one round of the alarm.
const LEASES_A_ROUND: u32 = 200;

/// The most writes to L2 begun in one round of the alarm.
const WRITES_A_ROUND: u32 = 50;

/// When something happens, and random bits for it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Random bits, new for each input.
    pub random: u128,
}

/// Something that has happened. `B` is what holds a page's headers and body.
#[derive(Clone, Debug)]
pub enum Input<B> {
    /// An edge asks.
    Request {
        /// The object's name for the request, used once.
        waiter: WaiterId,
        /// The shard's own name, by which the edge has called it.
        shard: ShardName,
        /// The page.
        key: PageKey,
        /// The version that was served stale; `None` for a miss.
        served: Option<Version>,
        /// The edge knows of an invalidation of that time.
        newer_than: Option<Timestamp>,
    },
    /// An invalidation is delivered.
    Invalidate(Invalidation),
    /// A render has ended.
    Rendered {
        /// The page.
        key: PageKey,
        /// The token under which it ran.
        token: Version,
        /// What came of it.
        result: RenderResult,
        /// What the site answered, also if it is not to be published.
        answer: Option<(PageMeta, B)>,
    },
    /// The tag index has answered a registration, or, with `None`, has not.
    Registered {
        /// The page whose tags were registered.
        key: PageKey,
        /// The token of its render.
        token: Version,
        /// The answer.
        answer: Option<RegisterAnswer>,
    },
    /// L2 has been read for those who wait.
    Read {
        /// What was wanted.
        wanted: Wanted,
        /// What L2 has under this key and version.
        found: Found<B>,
    },
    /// L2 has been written, or not.
    Wrote {
        /// The page.
        key: PageKey,
        /// The version that was to be written, or `None` for a deletion.
        version: Option<Version>,
        /// Whether L2 took it.
        taken: bool,
    },
    /// The alarm goes off, or a render that it drives has ended.
    Alarm {
        /// How many renders it may begin.
        room: usize,
    },
}

/// A page that is to be handed out, and whose bytes are not held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The page, as it is to be handed out.
    pub page: PageMeta,
    /// What those who wait are told with it.
    pub verdict: Verdict,
    /// Who waits.
    pub waiters: Vec<WaiterId>,
}

/// What L2 has.
#[derive(Clone, Debug)]
pub enum Found<B> {
    /// The page in the version that was wanted.
    Same(B),
    /// Another version, nothing, or nothing that can be read.
    Other,
    /// L2 failed: it is not known.
    Unknown,
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub enum Effect<B> {
    /// Answer a request.
    Reply {
        /// The request.
        waiter: WaiterId,
        /// The answer.
        verdict: Verdict,
        /// The page that comes with it.
        page: Option<(PageMeta, B)>,
    },
    /// Render a page. [`Input::Rendered`] follows.
    Render {
        /// The page.
        key: PageKey,
        /// The token of the lease.
        token: Version,
        /// Whether the alarm is to wait for its end.
        driven: bool,
    },
    /// Register tags with the tag index. [`Input::Registered`] follows.
    Register {
        /// The page that carries them.
        key: PageKey,
        /// The token of its render.
        token: Version,
        /// The shard.
        shard: ShardName,
        /// The tags.
        tags: Vec<Tag>,
        /// What was invalidated since then is to be told.
        since: Timestamp,
    },
    /// Read L2. [`Input::Read`] follows.
    Read(Wanted),
    /// Write L2. [`Input::Wrote`] follows.
    Write(PageMeta, B),
    /// Delete from L2. [`Input::Wrote`] follows.
    Delete(PageKey),
    /// See to it that the alarm goes off by then.
    WakeAt(Timestamp),
    /// An alarm that waits for its renders is to look for new ones.
    Ring,
}

/// A page that waits for its tags to be registered.
#[derive(Debug)]
struct Registering<B> {
    token: Version,
    since: Timestamp,
    tags: Vec<Tag>,
    result: RenderResult,
    rendered: Option<(PageMeta, B)>,
}

/// One shard.
#[derive(Debug)]
pub struct Shard<S, B> {
    store: CoordinatorStore<S>,
    clock: Clock,
    waiting: usize,
    /// Requests that wait for a render, by page; the first of them began it.
    parked: BTreeMap<PageKey, Vec<WaiterId>>,
    /// Renders under way.
    running: BTreeMap<PageKey, Version>,
    /// Renders that the alarm is to begin.
    queued: BTreeMap<PageKey, Version>,
    registering: BTreeMap<PageKey, Registering<B>>,
    held: Held<B>,
    effects: Vec<Effect<B>>,
}

impl<S: Sql, B: Clone> Shard<S, B> {
    /// Opens the shard's database, and takes up what an earlier life of the object has left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(sql: S, config: &Config, moment: Moment) -> Result<(Self, Vec<Effect<B>>), StoreError> {
        let store = CoordinatorStore::open(sql)?;
        let clock = store.clock()?;
        let mut shard = Self {
            store,
            clock,
            waiting: 0,
            parked: BTreeMap::new(),
            running: BTreeMap::new(),
            queued: BTreeMap::new(),
            registering: BTreeMap::new(),
            held: Held::default(),
            effects: Vec::new(),
        };
        // None of the renders that are on record goes on, and for when the alarm was set is not known here.
        for (key, _) in shard.store.leases(u32::MAX)? {
            shard.step(config, moment, &key, Event::LeaseOrphaned, None, None)?;
        }
        shard.wake_for_next()?;
        let effects = std::mem::take(&mut shard.effects);
        Ok((shard, effects))
    }

    /// Takes what has happened, and returns what is to be done.
    ///
    /// # Errors
    /// See [`StoreError`]: then nothing that the input would have changed is changed, and a request that came with it
    /// is not answered.
    pub fn on(&mut self, config: &Config, moment: Moment, input: Input<B>) -> Result<Vec<Effect<B>>, StoreError> {
        let result = match input {
            Input::Request { waiter, shard, key, served, newer_than } => {
                self.request(config, moment, waiter, &shard, &key, served, newer_than)
            }
            Input::Invalidate(invalidation) => self.invalidate(moment, &invalidation),
            Input::Rendered { key, token, result, answer } => {
                self.rendered(config, moment, &key, token, result, answer)
            }
            Input::Registered { key, token, answer } => self.registered(config, moment, &key, token, answer),
            Input::Read { wanted, found } => self.read(config, moment, wanted, found),
            Input::Wrote { key, version, taken } => {
                let event = if taken { Event::Written { version } } else { Event::WriteFailed { version } };
                self.step(config, moment, &key, event, None, None)
            }
            Input::Alarm { room } => self.alarm(config, moment, room),
        };
        let effects = std::mem::take(&mut self.effects);
        result.map(|()| effects)
    }

    /// Tells whether renders wait for the alarm to begin them.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Returns when the alarm is to go off next.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_deadline()
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one input")]
    fn request(
        &mut self,
        config: &Config,
        moment: Moment,
        waiter: WaiterId,
        shard: &ShardName,
        key: &PageKey,
        served: Option<Version>,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.waiting += 1;
        if self.waiting > MAX_WAITERS {
            self.reply(waiter, Verdict::Busy, None);
            return Ok(());
        }
        if self.store.shard()?.is_none() {
            self.store.set_shard(shard.as_str())?;
        }
        let event = match served {
            None => Event::Miss { waiter },
            Some(version) => Event::Stale { waiter, version },
        };
        let stepped = self.step(config, moment, key, event, None, newer_than);
        if stepped.is_err() {
            self.waiting -= 1;
        }
        stepped
    }

    fn invalidate(&mut self, moment: Moment, invalidation: &Invalidation) -> Result<(), StoreError> {
        let mut clock = self.clock;
        let received = clock.observe(invalidation.at, moment.now, moment.random);
        self.store.note_invalidation(invalidation, received, &clock)?;
        self.clock = clock;
        Ok(())
    }

    /// Has the tags registered that the page is the first to carry here, or publishes it.
    fn rendered(
        &mut self,
        config: &Config,
        moment: Moment,
        key: &PageKey,
        token: Version,
        result: RenderResult,
        rendered: Option<(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        let is_current = self.store.load(key)?.lease.is_some_and(|lease| lease.token == token);
        let (tags, start) = match &result {
            RenderResult::Page(page) if is_current => (self.store.unregistered(&page.tags)?, page.render_start()),
            _ => return self.finished(config, moment, key, token, result, rendered.as_ref()),
        };
        let shard = self.store.shard()?.as_deref().and_then(ShardName::from_stored);
        match shard {
            _ if tags.is_empty() => self.finished(config, moment, key, token, result, rendered.as_ref()),
            None => self.finished(config, moment, key, token, RenderResult::Unregistered, rendered.as_ref()),
            Some(shard) => {
                // A slower render of another page may carry the same tags, and find them registered when it comes to
                // its end: what is told must reach back to the beginning of the oldest.
                let since = self.store.oldest_lease()?.map_or(start, |oldest| oldest.min(start));
                let registering = Registering { token, since, tags: tags.clone(), result, rendered };
                self.registering.insert(key.clone(), registering);
                self.effects.push(Effect::Register { key: key.clone(), token, shard, tags, since });
                Ok(())
            }
        }
    }

    /// Notes what was invalidated before the tags were known to be carried here, and then publishes the page.
    fn registered(
        &mut self,
        config: &Config,
        moment: Moment,
        key: &PageKey,
        token: Version,
        answer: Option<RegisterAnswer>,
    ) -> Result<(), StoreError> {
        if self.registering.get(key).is_none_or(|registering| registering.token != token) {
            return Ok(());
        }
        let Some(registering) = self.registering.remove(key) else {
            return Ok(());
        };
        let Registering { since, tags, result, rendered, .. } = registering;
        // Below the floor the tag index does not know any more what was invalidated.
        let known = answer.filter(|answer| answer.floor < since || answer.floor == Timestamp::default());
        let result = match known {
            Some(answer) => {
                for invalidation in &answer.invalidations {
                    self.invalidate(moment, invalidation)?;
                }
                self.store.note_registered(&tags)?;
                result
            }
            None => RenderResult::Unregistered,
        };
        self.finished(config, moment, key, token, result, rendered.as_ref())
    }

    fn finished(
        &mut self,
        config: &Config,
        moment: Moment,
        key: &PageKey,
        token: Version,
        result: RenderResult,
        rendered: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        if self.running.get(key) == Some(&token) {
            self.running.remove(key);
        }
        self.step(config, moment, key, Event::Rendered { token, result }, rendered, None)
    }

    fn read(&mut self, config: &Config, moment: Moment, wanted: Wanted, found: Found<B>) -> Result<(), StoreError> {
        let Wanted { page, verdict, waiters } = wanted;
        match found {
            Found::Same(content) => self.reply_all(&waiters, &verdict, Some(&(page, content))),
            // The page is there, but can't be read now.
            Found::Unknown => self.reply_all(&waiters, &Verdict::Busy, None),
            Found::Other => {
                for waiter in waiters {
                    let event = Event::BytesLost { waiter, version: page.version };
                    self.step(config, moment, &page.key, event, None, None)?;
                }
            }
        }
        Ok(())
    }

    /// Does what is due: writes, leases that are over or of which nothing is heard any more; and begins renders that
    /// are queued, at most `room`.
    fn alarm(&mut self, config: &Config, moment: Moment, room: usize) -> Result<(), StoreError> {
        for key in self.store.writes_due(moment.now, WRITES_A_ROUND)? {
            self.step(config, moment, &key, Event::WriteDue, None, None)?;
        }
        for (key, lease) in self.store.leases(LEASES_A_ROUND)? {
            if lease.expires_at <= moment.now {
                self.queued.remove(&key);
                self.step(config, moment, &key, Event::LeaseExpired, None, None)?;
            } else if lease.purpose == Purpose::Background && !self.is_alive(&key, lease.token) {
                self.step(config, moment, &key, Event::LeaseOrphaned, None, None)?;
            }
        }
        for _ in 0..room {
            let Some((key, token)) = self.queued.pop_first() else { break };
            self.step(config, moment, &key, Event::Begun { token }, None, None)?;
            self.running.insert(key.clone(), token);
            self.effects.push(Effect::Render { key, token, driven: true });
        }
        Ok(())
    }

    /// Tells whether this life of the object renders, or is about to render, under the token.
    fn is_alive(&self, key: &PageKey, token: Version) -> bool {
        self.running.get(key) == Some(&token) || self.queued.get(key) == Some(&token)
    }

    /// Loads, steps, saves, and then turns actions into effects. `rendered` is what comes with the event.
    fn step(
        &mut self,
        config: &Config,
        moment: Moment,
        key: &PageKey,
        event: Event,
        rendered: Option<&(PageMeta, B)>,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let before = self.store.load(key)?;
        let page = match &event {
            Event::Rendered { result: RenderResult::Page(page), .. } => Some(page),
            _ => before.page.as_ref(),
        };
        let delivered = page.map(|page| self.store.invalidated(page)).transpose()?.flatten();
        let told = page.filter(|page| newer_than.is_some_and(|time| page.render_start() <= time)).map(|_| Mode::Expire);
        let lifted = match before.marked_by {
            Some(mark) => {
                let tags = page.map_or(&[][..], |page| page.tags.as_slice());
                newer_than.is_some_and(|time| mark.time() <= time)
                    || self.store.invalidated_since(mark, key.path(), tags)?.is_some()
            }
            None => false,
        };
        let mut clock = self.clock;
        if let Some(time) = newer_than {
            // Whatever is rendered from now on is later.
            clock.observe(time, moment.now, moment.random);
        }
        let mut context = Context {
            now: moment.now,
            random: moment.random,
            clock: &mut clock,
            policy: policy(config, key),
            may_render: self.running.len() + self.queued.len() < MAX_RENDERS,
            lifted,
            invalidated: delivered.max(told),
        };
        let (after, actions) = handle(before.clone(), event, &mut context);
        self.store.save(key, &before, &after, &clock)?;
        self.clock = clock;
        if let Some(deadline) = after.deadline() {
            self.effects.push(Effect::WakeAt(deadline));
        }
        for action in actions {
            self.perform(config, moment, key, action, rendered)?;
        }
        Ok(())
    }

    fn perform(
        &mut self,
        config: &Config,
        moment: Moment,
        key: &PageKey,
        action: Action,
        rendered: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        match action {
            Action::Answer { waiter, answer } => self.answer(moment, vec![waiter], answer),
            Action::Park { waiter } => self.parked.entry(key.clone()).or_default().push(waiter),
            Action::AnswerParked { answer } => self.answer_parked(moment, key, answer, rendered),
            Action::Render { token } => {
                self.running.insert(key.clone(), token);
                self.effects.push(Effect::Render { key: key.clone(), token, driven: false });
            }
            Action::Drive { token } => {
                self.queued.insert(key.clone(), token);
                self.effects.push(Effect::WakeAt(moment.now));
                self.effects.push(Effect::Ring);
            }
            Action::Hold { version } => {
                if let Some((page, content)) = rendered.filter(|(page, _)| page.version == version) {
                    self.held.put(page.clone(), content.clone());
                }
            }
            Action::Release => self.held.remove(key),
            Action::Write { version } => match self.held.get(key, version) {
                Some((page, content)) => self.effects.push(Effect::Write(page, content)),
                None => self.step(config, moment, key, Event::WriteLost { version }, None, None)?,
            },
            Action::Delete => self.effects.push(Effect::Delete(key.clone())),
        }
        Ok(())
    }

    /// Answers requests. Bytes that are not held are looked for in L2.
    fn answer(&mut self, moment: Moment, waiters: Vec<WaiterId>, answer: Answer) {
        let (page, verdict) = match answer {
            Answer::Page(page) => (*page, Verdict::Page { rendered: false, collapsed: false }),
            Answer::Stale { page, detail } => (*page, Verdict::StandIn { detail: detail.to_owned() }),
            other => return self.reply_all(&waiters, &bare_verdict(&other, moment.now), None),
        };
        match self.held.get(&page.key, page.version) {
            Some((_, content)) => self.reply_all(&waiters, &verdict, Some(&(page, content))),
            None if waiters.is_empty() => {}
            None => self.effects.push(Effect::Read(Wanted { page, verdict, waiters })),
        }
    }

    fn answer_parked(&mut self, moment: Moment, key: &PageKey, answer: Answer, rendered: Option<&(PageMeta, B)>) {
        let waiters = self.parked.remove(key).unwrap_or_default();
        match (answer, rendered) {
            (Answer::Page(page), Some((_, content))) => {
                for (index, waiter) in waiters.into_iter().enumerate() {
                    let verdict = Verdict::Page { rendered: true, collapsed: index > 0 };
                    self.reply(waiter, verdict, Some(((*page).clone(), content.clone())));
                }
            }
            (Answer::Relay { detail }, Some(rendered)) => {
                self.reply_all(&waiters, &Verdict::Relay { detail: detail.to_owned() }, Some(rendered));
            }
            (answer, _) => self.answer(moment, waiters, answer),
        }
    }

    fn reply_all(&mut self, waiters: &[WaiterId], verdict: &Verdict, page: Option<&(PageMeta, B)>) {
        for waiter in waiters {
            self.reply(*waiter, verdict.clone(), page.cloned());
        }
    }

    fn reply(&mut self, waiter: WaiterId, verdict: Verdict, page: Option<(PageMeta, B)>) {
        self.waiting = self.waiting.saturating_sub(1);
        self.effects.push(Effect::Reply { waiter, verdict, page });
    }

    fn wake_for_next(&mut self) -> Result<(), StoreError> {
        let deadline = self.store.next_deadline()?;
        self.effects.extend(deadline.map(Effect::WakeAt));
        Ok(())
    }
}

fn policy(config: &Config, key: &PageKey) -> Policy {
    let route = config.routes.find(key.path());
    Policy {
        expire: route.map_or(config.expire, Route::expire),
        render_timeout: config.render_timeout,
        pass_ttl: config.pass_ttl,
    }
}

/// Writes an answer that has no page with it.
fn bare_verdict(answer: &Answer, now: Timestamp) -> Verdict {
    match answer {
        Answer::Unchanged => Verdict::Unchanged,
        Answer::Busy => Verdict::Busy,
        Answer::Pass { until, reason } => {
            Verdict::Pass { until: *until, detail: reason.map(|reason| reason.as_str().to_owned()) }
        }
        Answer::Unavailable { retry_at } => Verdict::Unavailable { retry_at: *retry_at },
        // There is no answer of the failing site to be relayed: it could not be reached at all.
        Answer::Relay { .. } | Answer::Page(_) | Answer::Stale { .. } => Verdict::Unavailable { retry_at: now },
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "simulation.rs"]
mod simulation;
