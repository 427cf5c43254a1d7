//! All keys of one shard: what the coordinator object is, without its I/O.
//!
//! The object gives a [`Shard`] what happens ([`Input`]) and performs what comes back ([`Effect`]); the outcome of an
//! effect is another input. SQLite is written before an effect is returned. What is in memory only (who waits, which
//! renders are under way, which bytes are held) can be lost at any moment: [`Shard::open`] takes up what is in SQLite.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::coordinator::held::Held;
use crate::coordinator::io::{Effect, Found, Input, Moment, Wanted};
use crate::coordinator::renders::{Registering, Renders, Stage};
use crate::coordinator::{Action, Answer, Breaker, Context, Entry, Event, Outcome, Policy, Purpose, WaiterId, handle};
use crate::fault::{self, Fault};
use crate::feed::{Invalidation, Mode};
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, Verdict};
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::shard::ShardName;
use crate::store::{CoordinatorStore, Sql, StoreError};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The most requests that wait at one object.
const MAX_WAITERS: usize = 10_000;

/// The most leases looked at in one round of the alarm.
const LEASES_A_ROUND: u32 = 200;

/// The most writes to L2 begun in one round of the alarm.
const WRITES_A_ROUND: u32 = 50;

/// One shard.
#[derive(Debug)]
pub struct Shard<S, B> {
    store: CoordinatorStore<S>,
    clock: Clock,
    breaker: Breaker,
    /// Requests that are not answered yet.
    waiting: BTreeSet<WaiterId>,
    /// Requests that wait for a render, by page; the first of them began it. Who has stopped waiting is here still.
    parked: BTreeMap<PageKey, Vec<WaiterId>>,
    renders: Renders<B>,
    held: Held<B>,
    effects: Vec<Effect<B>>,
}

/// One input under way: what all its steps have in common.
#[derive(Clone, Copy)]
struct Turn<'a> {
    config: &'a Config,
    moment: Moment,
}

/// What comes with an event besides the event itself.
#[derive(Clone, Copy)]
struct Beside<'a, B> {
    /// The answer of the site.
    answer: Option<&'a (PageMeta, B)>,
    /// The edge knows of an invalidation of that time.
    newer_than: Option<Timestamp>,
    /// The render that holds the lease is over.
    is_over: bool,
}

impl<B> Default for Beside<'_, B> {
    fn default() -> Self {
        Self { answer: None, newer_than: None, is_over: false }
    }
}

impl<S: Sql, B: Clone> Shard<S, B> {
    /// Opens the shard's database, and takes up what an earlier life of the object has left.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(sql: S, config: &Config, moment: Moment) -> Result<(Self, Vec<Effect<B>>), StoreError> {
        let store = CoordinatorStore::open(sql)?;
        let clock = store.clock()?;
        let breaker = store.breaker()?;
        let mut shard = Self {
            store,
            clock,
            breaker,
            waiting: BTreeSet::new(),
            parked: BTreeMap::new(),
            renders: Renders::default(),
            held: Held::default(),
            effects: Vec::new(),
        };
        // None of the renders that are on record goes on, and for when the alarm was set is not known here.
        for (key, lease) in shard.store.leases(u32::MAX)? {
            if !fault::on(Fault::ForgetOrphan) {
                shard.end(Turn { config, moment }, &key, lease.token, Outcome::Lost, None)?;
            }
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
        let turn = Turn { config, moment };
        let result = match input {
            Input::Request { waiter, shard, key, served, newer_than } => {
                let event = match served {
                    None => Event::Miss { waiter },
                    Some(version) => Event::Stale { waiter, version },
                };
                self.request(turn, waiter, &shard, &key, event, newer_than)
            }
            Input::TimedOut { waiter } => {
                self.waiting.remove(&waiter);
                Ok(())
            }
            Input::Invalidate(invalidation) => self.invalidate(moment, &invalidation),
            Input::Head { key, token, answer } => self.head(turn, &key, token, answer),
            Input::Ended { key, token, outcome, answer } => self.ended(turn, &key, token, outcome, answer),
            Input::Registered { token, answer } => self.registered(turn, token, answer),
            Input::Read { wanted, found } => self.read(turn, wanted, found),
            Input::Wrote { key, version, taken } => self.wrote(turn, &key, version, taken),
            Input::Alarm { room } => self.alarm(turn, room),
        };
        let effects = std::mem::take(&mut self.effects);
        result.map(|()| effects)
    }

    /// Tells whether renders wait for the alarm to begin them.
    #[must_use]
    pub fn has_queued(&self) -> bool {
        self.renders.awaits_alarm()
    }

    /// Returns when the alarm is to go off next.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_deadline(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.next_deadline()
    }

    fn request(
        &mut self,
        turn: Turn<'_>,
        waiter: WaiterId,
        shard: &ShardName,
        key: &PageKey,
        event: Event,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        if self.waiting.len() >= MAX_WAITERS {
            let verdict = Verdict::Refused { detail: "waiters-full".to_owned() };
            self.effects.push(Effect::Reply { waiter, verdict, page: None });
            return Ok(());
        }
        if self.store.shard()?.is_none() {
            self.store.set_shard(shard.as_str())?;
        }
        self.waiting.insert(waiter);
        let is_visitor = matches!(event, Event::Miss { .. });
        let stepped = self.step(turn, key, event, Beside { newer_than, ..Beside::default() });
        if stepped.is_err() {
            self.waiting.remove(&waiter);
        } else if is_visitor && self.parked.get(key).is_some_and(|parked| parked.contains(&waiter)) {
            self.hurry(turn, key)?;
        }
        stepped
    }

    /// Begins a render at once that was left to the alarm, now that a visitor waits for it.
    fn hurry(&mut self, turn: Turn<'_>, key: &PageKey) -> Result<(), StoreError> {
        match self.renders.hurry(key) {
            Some(token) => self.begin(turn, key.clone(), token, false),
            None => Ok(()),
        }
    }

    /// Begins a render that was queued.
    fn begin(&mut self, turn: Turn<'_>, key: PageKey, token: Version, driven: bool) -> Result<(), StoreError> {
        self.step(turn, &key, Event::Begun { token }, Beside::default())?;
        self.renders.begin(key.clone(), token);
        self.effects.push(Effect::Render { key, token, driven });
        Ok(())
    }

    fn invalidate(&mut self, moment: Moment, invalidation: &Invalidation) -> Result<(), StoreError> {
        let mut clock = self.clock;
        let received = clock.observe(invalidation.at, moment.now, moment.random);
        self.store.note_invalidation(invalidation, received, &clock)?;
        self.clock = clock;
        Ok(())
    }

    /// Shares an answer that has begun to come, once its tags are registered.
    fn head(&mut self, turn: Turn<'_>, key: &PageKey, token: Version, answer: (PageMeta, B)) -> Result<(), StoreError> {
        if !self.is_current(key, token)? {
            self.effects.push(Effect::Abandon { token });
            return Ok(());
        }
        if let Some(answer) = self.register(token, answer, None)? {
            self.share(turn, key, token, &answer)?;
        }
        Ok(())
    }

    fn share(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        answer: &(PageMeta, B),
    ) -> Result<(), StoreError> {
        let event = Event::Head { token, page: answer.0.clone() };
        self.step(turn, key, event, Beside { answer: Some(answer), ..Beside::default() })
    }

    /// Has the tags registered that a page is the first to carry here. Gives the answer back if there are none.
    fn register(
        &mut self,
        token: Version,
        answer: (PageMeta, B),
        ended: Option<(Outcome, Option<(PageMeta, B)>)>,
    ) -> Result<Option<(PageMeta, B)>, StoreError> {
        let tags = self.store.unregistered(&answer.0.tags)?;
        let shard = self.store.shard()?.as_deref().and_then(ShardName::from_stored);
        let (Some(render), Some(shard), false) = (self.renders.get_mut(token), shard, tags.is_empty()) else {
            return Ok(Some(answer));
        };
        // A slower render of another page may carry the same tags, and find them registered when it comes to its end:
        // what is told must reach back to the beginning of the oldest.
        let start = answer.0.render_start();
        let since = self.store.oldest_lease()?.map_or(start, |oldest| oldest.min(start));
        render.stage = Stage::Registering(Box::new(Registering { tags: tags.clone(), since, answer, ended }));
        self.effects.push(Effect::Register { token, shard, tags, since });
        Ok(None)
    }

    /// Ends a render; if its tags are being registered, then after that.
    fn ended(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        outcome: Outcome,
        answer: Option<(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        let is_asked = match self.renders.get_mut(token).map(|render| &mut render.stage) {
            Some(Stage::Registering(registering)) => {
                registering.ended = Some((outcome, answer));
                return Ok(());
            }
            Some(Stage::Asked) => true,
            Some(Stage::Growing { .. } | Stage::Private) | None => false,
        };
        if is_asked && matches!(outcome, Outcome::Done(_)) && self.is_current(key, token)? {
            // All of the body has come at once.
            if let Some(whole) = answer.clone() {
                let ended = Some((outcome.clone(), answer.clone()));
                if self.register(token, whole, ended)?.is_none() {
                    return Ok(());
                }
            }
        }
        self.end(turn, key, token, outcome, answer.as_ref())
    }

    /// Notes what was invalidated before the tags were known to be carried here, and goes on with the render.
    fn registered(&mut self, turn: Turn<'_>, token: Version, answer: Option<RegisterAnswer>) -> Result<(), StoreError> {
        let Some(render) = self.renders.get_mut(token) else {
            return Ok(());
        };
        let key = render.key.clone();
        let registering = match std::mem::replace(&mut render.stage, Stage::Private) {
            Stage::Registering(registering) => registering,
            other => {
                render.stage = other;
                return Ok(());
            }
        };
        let Registering { tags, since, answer: page, ended } = *registering;
        // Below the floor the tag index does not know any more what was invalidated.
        let known = answer.filter(|answer| answer.floor < since || answer.floor == Timestamp::default());
        let Some(known) = known else {
            let is_over = ended.is_some();
            self.step(
                turn,
                &key,
                Event::Ended { token, outcome: Outcome::Unregistered },
                Beside { answer: Some(&page), ..Beside::default() },
            )?;
            return if is_over { self.after_end(turn, token) } else { Ok(()) };
        };
        for invalidation in known.invalidations.iter().filter(|_| !fault::on(Fault::IgnoreRegistration)) {
            self.invalidate(turn.moment, invalidation)?;
        }
        self.store.note_registered(&tags)?;
        match ended {
            Some((outcome, answer)) => self.end(turn, &key, token, outcome, answer.as_ref()),
            None => self.share(turn, &key, token, &page),
        }
    }

    fn is_current(&self, key: &PageKey, token: Version) -> Result<bool, StoreError> {
        Ok(self.store.load(key)?.lease.is_some_and(|lease| lease.token == token) || fault::on(Fault::AnyToken))
    }

    /// Steps the end of a render, and begins the next one that is queued.
    fn end(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        token: Version,
        outcome: Outcome,
        answer: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        let stepped = self.step(
            turn,
            key,
            Event::Ended { token, outcome },
            Beside { answer, is_over: true, ..Beside::default() },
        );
        self.after_end(turn, token)?;
        stepped
    }

    fn after_end(&mut self, turn: Turn<'_>, token: Version) -> Result<(), StoreError> {
        self.renders.end(token);
        while let Some((key, token)) = self.renders.next() {
            self.begin(turn, key, token, false)?;
        }
        Ok(())
    }

    fn read(&mut self, turn: Turn<'_>, wanted: Wanted, found: Found<B>) -> Result<(), StoreError> {
        let Wanted { page, verdict, waiters, .. } = wanted;
        match found {
            Found::Same(content) => self.reply_all(&waiters, &verdict, Some(&(page, content))),
            // The page is there, but can't be read now.
            Found::Unknown => {
                self.reply_all(&waiters, &Verdict::Refused { detail: "unreadable".to_owned() }, None);
            }
            Found::Other => {
                for waiter in waiters {
                    let event = Event::BytesLost { waiter, version: page.version };
                    self.step(turn, &page.key, event, Beside::default())?;
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
        self.step(turn, key, event, Beside::default())
    }

    /// Does what is due: writes, leases that are over or of which nothing is heard any more; and begins renders that
    /// are queued, at most `room`.
    fn alarm(&mut self, turn: Turn<'_>, room: usize) -> Result<(), StoreError> {
        for key in self.store.writes_due(turn.moment.now, WRITES_A_ROUND)? {
            self.step(turn, &key, Event::WriteDue, Beside::default())?;
        }
        for (key, lease) in self.store.leases(LEASES_A_ROUND)? {
            if lease.expires_at <= turn.moment.now {
                self.expire(turn, &key, lease.token)?;
            } else if lease.purpose == Purpose::Background && !self.renders.is_alive(lease.token) {
                self.step(turn, &key, Event::Ended { token: lease.token, outcome: Outcome::Lost }, Beside::default())?;
            }
        }
        for _ in 0..room {
            let Some((key, token)) = self.renders.next_background() else { break };
            self.begin(turn, key, token, true)?;
        }
        Ok(())
    }

    /// Ends a lease whose time is over.
    fn expire(&mut self, turn: Turn<'_>, key: &PageKey, token: Version) -> Result<(), StoreError> {
        let outcome = if self.renders.unqueue(token) { Outcome::Refused } else { Outcome::TooOld };
        self.step(turn, key, Event::Ended { token, outcome }, Beside::default())
    }

    /// Loads, steps, saves, and then turns actions into effects.
    fn step(&mut self, turn: Turn<'_>, key: &PageKey, event: Event, beside: Beside<'_, B>) -> Result<(), StoreError> {
        let before = self.store.load(key)?;
        let Moment { now, random } = turn.moment;
        if let Some(lease) = before.lease.filter(|lease| is_request(&event) && lease.expires_at <= now) {
            // The alarm is late.
            self.expire(turn, key, lease.token)?;
            return self.step(turn, key, event, beside);
        }
        let page = match &event {
            Event::Head { page, .. } | Event::Ended { outcome: Outcome::Done(page), .. } => Some(page),
            _ => before.page.as_ref(),
        };
        let growing = before.lease.and_then(|lease| self.renders.growing(lease.token));
        let growing = match growing {
            Some(page) if self.invalidated(page, beside.newer_than)?.is_none() => Some(page.clone()),
            Some(page) if fault::on(Fault::JoinInvalidatedStream) => Some(page.clone()),
            _ => None,
        };
        let (mut clock, mut breaker) = (self.clock, self.breaker);
        if let Some(time) = beside.newer_than {
            // Whatever is rendered from now on is later.
            clock.observe(time, now, random);
        }
        let mut context = Context {
            now,
            random,
            clock: &mut clock,
            breaker: &mut breaker,
            policy: policy(turn.config, key),
            room: self.renders.room(),
            lifted: self.is_lifted(key, &before, page, beside.newer_than)?,
            invalidated: page.map(|page| self.invalidated(page, beside.newer_than)).transpose()?.flatten(),
            growing: growing.as_ref(),
            copy_invalidated: self.is_copy_invalidated(&before, page)?,
        };
        let (after, actions) = handle(before.clone(), event, &mut context);
        self.store.save(key, &before, &after, &clock, (breaker != self.breaker).then_some(&breaker))?;
        self.clock = clock;
        self.breaker = breaker;
        if let Some(deadline) = after.deadline() {
            self.effects.push(Effect::WakeAt(deadline));
        }
        for action in actions {
            self.perform(turn, key, &after, action, beside.answer)?;
        }
        if !beside.is_over {
            self.abandon(&before, &after);
        }
        Ok(())
    }

    /// Tells the strongest invalidation of a page since its render began, delivered or told by the edge.
    fn invalidated(&self, page: &PageMeta, newer_than: Option<Timestamp>) -> Result<Option<Mode>, StoreError> {
        let newer_than = newer_than.filter(|_| !fault::on(Fault::IgnoreNewerThan));
        let told = newer_than.filter(|time| page.render_start() <= *time).map(|_| Mode::Expire);
        Ok(self.store.invalidated(page)?.max(told))
    }

    /// Tells whether a mark that a render has left is lifted by an invalidation since.
    fn is_lifted(
        &self,
        key: &PageKey,
        entry: &Entry,
        page: Option<&PageMeta>,
        newer_than: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let Some(mark) = entry.marked_by else {
            return Ok(false);
        };
        let tags = page.map_or(&[][..], |page| page.tags.as_slice());
        Ok(newer_than.is_some_and(|time| mark.time() <= time)
            || self.store.invalidated_since(mark, key.path(), tags)?.is_some())
    }

    /// Tells whether what L2 holds was invalidated, where that matters: the page has the same content.
    fn is_copy_invalidated(&self, entry: &Entry, page: Option<&PageMeta>) -> Result<bool, StoreError> {
        match (entry.copy, page) {
            (Some(copy), Some(page)) if page.digest == Some(copy.digest) && page.version != copy.version => {
                Ok(self.store.invalidated_since(copy.version, page.key.path(), &page.tags)?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Breaks off a render that has lost its lease. One that can't be published goes on, for those who have its answer.
    fn abandon(&mut self, before: &Entry, after: &Entry) {
        let (before, after) = (before.lease.map(|lease| lease.token), after.lease.map(|lease| lease.token));
        if let Some(token) = before.filter(|token| Some(*token) != after) {
            let is_wanted = self.renders.get_mut(token).is_none_or(|render| matches!(render.stage, Stage::Private));
            if !is_wanted {
                self.effects.push(Effect::Abandon { token });
            }
        }
    }

    fn perform(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        entry: &Entry,
        action: Action,
        site: Option<&(PageMeta, B)>,
    ) -> Result<(), StoreError> {
        match action {
            Action::Answer { waiter, answer } => self.answer(turn.moment, entry, vec![waiter], answer),
            Action::Park { waiter } => self.parked.entry(key.clone()).or_default().push(waiter),
            Action::AnswerParked { answer } => self.answer_parked(turn.moment, key, entry, answer, site),
            Action::Render { token } => {
                self.renders.begin(key.clone(), token);
                self.effects.push(Effect::Render { key: key.clone(), token, driven: false });
            }
            Action::Enqueue { token } => self.renders.enqueue(key.clone(), token),
            Action::Drive { token } => {
                self.renders.enqueue_background(key.clone(), token);
                self.effects.push(Effect::WakeAt(turn.moment.now));
                self.effects.push(Effect::Ring);
            }
            Action::Share { token } => {
                if let (Some(render), Some((page, content))) = (self.renders.get_mut(token), site) {
                    let (page, content) = (page.clone(), content.clone());
                    render.stage = Stage::Growing { page, content, joined: 0 };
                }
            }
            Action::Hold { version } => {
                if let Some((page, content)) = site.filter(|(page, _)| page.version == version) {
                    let is_unwritten = entry.pending.is_some_and(|write| write.version == Some(version));
                    self.held.put(page.clone(), content.clone(), is_unwritten);
                }
            }
            Action::Release => self.held.remove(key),
            Action::Write { version } => match self.held.get(key, version) {
                Some((page, content)) => self.effects.push(Effect::Write(page, content)),
                None => self.step(turn, key, Event::WriteLost { version }, Beside::default())?,
            },
            Action::Delete => self.effects.push(Effect::Delete(key.clone())),
        }
        Ok(())
    }

    /// Answers requests. Bytes that are not held are looked for in L2.
    fn answer(&mut self, moment: Moment, entry: &Entry, waiters: Vec<WaiterId>, answer: Answer) {
        let (page, verdict) = match answer {
            Answer::Page(page) => (*page, Verdict::Page { rendered: false, collapsed: false }),
            Answer::Stale { page, detail } => (*page, Verdict::StandIn { detail: detail.to_owned() }),
            Answer::Growing(page) => return self.answer_growing(&waiters, &page, true),
            other => return self.reply_all(&waiters, &bare_verdict(&other, moment.now), None),
        };
        match self.held.get(&page.key, page.version) {
            Some((_, content)) => self.reply_all(&waiters, &verdict, Some(&(page, content))),
            None if waiters.is_empty() => {}
            None => {
                let same = |copy: &crate::coordinator::StoredCopy| page.digest == Some(copy.digest);
                let copy = entry.copy.filter(same).map(|copy| copy.version);
                self.effects.push(Effect::Read(Wanted { page, copy, verdict, waiters }));
            }
        }
    }

    /// Hands out an answer that is coming. The first of those for whom it was asked counts as the one who has caused it.
    fn answer_growing(&mut self, waiters: &[WaiterId], page: &PageMeta, are_late: bool) {
        for (index, waiter) in waiters.iter().enumerate() {
            let verdict = Verdict::Page { rendered: true, collapsed: are_late || index > 0 };
            match self.renders.join(page.version) {
                Some(content) => self.reply(*waiter, verdict, Some((page.clone(), content))),
                None => self.reply(*waiter, Verdict::Refused { detail: "lost".to_owned() }, None),
            }
        }
    }

    fn answer_parked(
        &mut self,
        moment: Moment,
        key: &PageKey,
        entry: &Entry,
        answer: Answer,
        site: Option<&(PageMeta, B)>,
    ) {
        let mut waiters = self.parked.remove(key).unwrap_or_default();
        if fault::on(Fault::ForgetWaiter) && waiters.len() > 1 {
            waiters.remove(0);
        }
        match (answer, site) {
            (Answer::Growing(page), _) => self.answer_growing(&waiters, &page, false),
            (Answer::Page(page), Some((_, content))) => {
                for (index, waiter) in waiters.into_iter().enumerate() {
                    let verdict = Verdict::Page { rendered: true, collapsed: index > 0 };
                    self.reply(waiter, verdict, Some(((*page).clone(), content.clone())));
                }
            }
            (Answer::Relay { detail }, Some(relayed)) => {
                self.reply_all(&waiters, &Verdict::Relay { detail: detail.to_owned() }, Some(relayed));
            }
            (answer, _) => self.answer(moment, entry, waiters, answer),
        }
    }

    fn reply_all(&mut self, waiters: &[WaiterId], verdict: &Verdict, page: Option<&(PageMeta, B)>) {
        for waiter in waiters {
            self.reply(*waiter, verdict.clone(), page.cloned());
        }
    }

    /// Answers a request, unless it is answered already or has stopped waiting.
    fn reply(&mut self, waiter: WaiterId, verdict: Verdict, page: Option<(PageMeta, B)>) {
        if fault::on(Fault::AnswerTwice) {
            self.effects.push(Effect::Reply { waiter, verdict: verdict.clone(), page: page.clone() });
        }
        if self.waiting.remove(&waiter) {
            self.effects.push(Effect::Reply { waiter, verdict, page });
        }
    }

    fn wake_for_next(&mut self) -> Result<(), StoreError> {
        let deadline = self.store.next_deadline()?;
        self.effects.extend(deadline.map(Effect::WakeAt));
        Ok(())
    }
}

fn is_request(event: &Event) -> bool {
    matches!(event, Event::Miss { .. } | Event::Stale { .. } | Event::BytesLost { .. })
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
        Answer::Refused { detail } => Verdict::Refused { detail: (*detail).to_owned() },
        Answer::Pass { until, reason } => {
            Verdict::Pass { until: *until, detail: reason.map(|reason| reason.as_str().to_owned()) }
        }
        Answer::Unavailable { retry_at } => Verdict::Unavailable { retry_at: *retry_at },
        // There is no answer of the failing site to be relayed: it could not be reached at all.
        Answer::Relay { .. } | Answer::Page(_) | Answer::Growing(_) | Answer::Stale { .. } => {
            Verdict::Unavailable { retry_at: now }
        }
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
