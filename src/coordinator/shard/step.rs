//! One step of one key: load, decide, save, and turn the actions into effects.

use super::retire::without_owner;
use super::{EventDetails, Shard, Turn, owner};
use crate::config::Config;
use crate::coordinator::PageContent;
use crate::coordinator::base;
use crate::coordinator::decision::{self, Occasion};
use crate::coordinator::io::{Effect, Moment};
use crate::coordinator::renders::{Connection, Stage};
use crate::coordinator::tables::Decided;
use crate::coordinator::{Action, Base, Context, Decision, Entry, Event, RenderOutcome, RoutePolicy, WaiterId, handle};
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;
use crate::version::Version;

/// From this number on, the list of a page's waiters is cleared of those that have stopped waiting when it doubles.
const SWEPT_FROM: usize = 1024;

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Loads the entry, steps and saves it, and then turns the actions into effects.
    pub(super) fn step(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        event: Event,
        details: EventDetails<'_, B>,
    ) -> Result<(), StoreError> {
        let before = self.store.load(key)?;
        let owner = owner(turn.config, key);
        if self.name.is_some() && owner != self.name {
            let is_deleted = matches!(event, Event::Written { version: None });
            let after =
                if owner.is_some() || is_deleted { Entry::default() } else { without_owner(&before, turn.moment.now) };
            let is_write = matches!(event, Event::WriteDue | Event::Written { .. } | Event::WriteFailed { .. });
            // A deletion that is due is made like any other.
            if !(is_write && after == before && before != Entry::default()) {
                return self.disown(turn.moment.now, key, &before, &after, details.is_over);
            }
        }
        let Moment { now, random } = turn.moment;
        if let Some(lease) = before.lease.filter(|lease| is_request(&event) && lease.expires_at <= now) {
            // The alarm is late.
            self.end_lease(turn, key, lease.token)?;
            return self.step(turn, key, event, details);
        }
        if let Some(waiter) = waiter_of(&event).filter(|_| before.is_forgotten())
            && !self.admits(turn, key, before.has_row())?
        {
            self.reply(waiter, Reply::Refused { reason: Reason::PagesFull }, None);
            return Ok(());
        }
        let page = match &event {
            Event::Head { page, .. } | Event::Ended { outcome: RenderOutcome::Done(page), .. } => Some(page),
            _ => before.page.as_ref(),
        };
        let growing = before.lease.and_then(|lease| self.renders.growing(lease.token));
        let growing = match growing {
            Some(page) if self.invalidated(page, details.newer_than)?.is_none() => Some(page.clone()),
            _ => None,
        };
        let (mut clock, mut breaker, mut budget) = (self.clock, self.breaker.clone(), self.budget);
        if let Some(time) = details.newer_than {
            // Every later render gets a later time.
            clock.observe(time, now, random);
        }
        let mut context = Context {
            key,
            now,
            random,
            clock: &mut clock,
            breaker: &mut breaker,
            budget: &mut budget,
            policy: policy(turn.config, key),
            room: self.renders.room(details.by_client),
            may_drive: self.renders.may_await_alarm(),
            lifted: self.is_lifted(key, &before, page, details.newer_than)?,
            invalidated: page.map(|page| self.invalidated(page, details.newer_than)).transpose()?.flatten(),
            growing: growing.as_ref(),
            copy_invalidated: self.is_copy_invalidated(&before, page)?,
        };
        let is_doubtful = self.is_base_doubtful(&before, &event, details.newer_than);
        let occasion = Occasion::of(&event);
        let ended = self.with_end(turn, &before, &event);
        let (after, actions) = handle(before.clone(), event, &mut context);
        let decided = decision::of_step(now, key, &before, occasion, &after);
        let decisions = decided.into_iter().chain(Decision::of_breaker(&self.breaker, &breaker)).collect();
        let decided = Decided { at: now, decisions };
        let breaker_change = (breaker != self.breaker).then_some(&breaker);
        self.store.save_decided(key, &before, &after, &clock, breaker_change, &decided)?;
        self.count_end(ended);
        self.leases.replace(key, before.lease, after.lease);
        self.clock = clock;
        self.breaker = breaker;
        self.budget = budget;
        if is_doubtful {
            self.forbid_base(&after);
        }
        if let Some(deadline) = after.deadline() {
            self.effects.push(Effect::WakeAt(deadline));
        }
        let lost: Vec<_> =
            actions.into_iter().filter_map(|action| self.perform(turn.moment, key, &after, action, &details)).collect();
        if !details.is_over {
            self.abandon(&before, &after);
        }
        for version in lost {
            // If this fails, the write stays due, and the alarm comes to the same result.
            let forgotten = self.step(turn, key, Event::WriteLost { version }, EventDetails::default());
            self.note(forgotten);
        }
        let counted = self.note_keys(turn, key, &before, &after);
        self.note(counted);
        Ok(())
    }

    /// Removes a page that now belongs to another coordinator, because the route's number of shards or a pattern has
    /// changed. Nothing is written to L2: no two coordinators write one key.
    /// If no coordinator owns the page any more, its deletion from L2 is left.
    fn disown(
        &mut self,
        now: Timestamp,
        key: &PageKey,
        before: &Entry,
        after: &Entry,
        is_over: bool,
    ) -> Result<(), StoreError> {
        let decisions = Decision::forgotten(key, before, after).into_iter().collect();
        self.store.save_decided(key, before, after, &self.clock, None, &Decided { at: now, decisions })?;
        self.effects.extend(after.deadline().map(Effect::WakeAt));
        self.leases.replace(key, before.lease, None);
        self.held.remove(key);
        (self.keys, self.negatives) = (None, None);
        if let Some(lease) = before.lease.filter(|lease| !self.renders.unqueue(lease.token) && !is_over) {
            self.effects.push(Effect::Abandon { token: lease.token });
        }
        let waiters = self.waiters.remove(key).unwrap_or_default();
        self.reply_all(&waiters, &Reply::Refused { reason: Reason::Moved }, None);
        Ok(())
    }

    /// Returns the strongest invalidation of a page since its render began, whether delivered or reported by the edge.
    fn invalidated(&self, page: &PageMeta, newer_than: Option<Timestamp>) -> Result<Option<Mode>, StoreError> {
        let told = newer_than.filter(|time| page.render_start() <= *time).map(|_| Mode::Expire);
        Ok(self.received_since(page.version, page.key.path(), &page.tags)?.max(told))
    }

    /// Returns the strongest invalidation received since a version was issued.
    fn received_since(&self, version: Version, path: &str, tags: &[Tag]) -> Result<Option<Mode>, StoreError> {
        if version > self.received { Ok(None) } else { self.store.invalidated_since(version, path, tags) }
    }

    /// Returns whether a later invalidation lifts a back-off or a marker that a render has left.
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
        Ok(newer_than.is_some_and(|time| mark.time() <= time) || self.received_since(mark, key.path(), tags)?.is_some())
    }

    /// Returns whether the content of L2 was invalidated, or is in another store. This matters only if the page has the
    /// same content.
    fn is_copy_invalidated(&self, entry: &Entry, page: Option<&PageMeta>) -> Result<bool, StoreError> {
        match (entry.copy, page) {
            (Some(copy), Some(page)) if page.digest == Some(copy.digest) && page.version != copy.version => {
                let is_elsewhere = copy.version <= self.copies_since;
                Ok(is_elsewhere || self.received_since(copy.version, page.key.path(), &page.tags)?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Cancels a render that has lost its lease. A render that can't be published continues for the requests that
    /// already receive it.
    fn abandon(&mut self, before: &Entry, after: &Entry) {
        let (before, after) = (before.lease.map(|lease| lease.token), after.lease.map(|lease| lease.token));
        if let Some(token) = before.filter(|token| Some(*token) != after) {
            let is_wanted = self.renders.get_mut(token).is_none_or(|render| matches!(render.stage, Stage::Private));
            if !is_wanted {
                self.effects.push(Effect::Abandon { token });
            }
        }
    }

    /// Returns whether a render must not validate the page: the bytes are lost, or an edge knows of an invalidation that has
    /// not arrived here, and may be a purge.
    fn is_base_doubtful(&self, entry: &Entry, event: &Event, newer_than: Option<Timestamp>) -> bool {
        let Some(page) = entry.page.as_ref().filter(|page| page.has_validator) else {
            return false;
        };
        let is_lost = matches!(event, Event::BytesLost { .. });
        let told = newer_than.filter(|time| page.render_start() <= *time);
        // If the store fails, the render is unconditional.
        is_lost || told.is_some_and(|time| !self.store.has_received(time, page).unwrap_or(false))
    }

    /// Lets the render under this lease be unconditional, if it has not begun.
    fn forbid_base(&mut self, entry: &Entry) {
        let Some(lease) = entry.lease.filter(|lease| !self.renders.is_running(lease.token)) else { return };
        self.unconditional.retain(|token| self.renders.is_queued(*token));
        self.unconditional.insert(lease.token);
    }

    /// Returns the page that a render may validate, with its content if that is held.
    pub(super) fn base(&mut self, key: &PageKey, entry: &Entry, token: Version) -> Option<Box<Base<B>>> {
        if self.unconditional.remove(&token) {
            return None;
        }
        let Base { page, copy, content: _ } = base::of(entry, token)?;
        let content = self.held.get(key, page.version).map(|(_, content)| content);
        Some(Box::new(Base { page, copy, content }))
    }

    /// Performs an action, which can't fail. Returns the version of a due write whose bytes are lost.
    fn perform(
        &mut self,
        moment: Moment,
        key: &PageKey,
        entry: &Entry,
        action: Action,
        details: &EventDetails<'_, B>,
    ) -> Option<Version> {
        let from_origin = details.answer;
        match action {
            Action::Answer { waiter, answer } => self.answer(moment, key, entry, vec![waiter], answer),
            Action::Wait { waiter } => {
                let waiters = self.waiters.entry(key.clone()).or_default();
                waiters.push(waiter);
                if waiters.len() >= SWEPT_FROM && waiters.len().is_power_of_two() {
                    waiters.retain(|waiter| self.waiting.contains_key(waiter));
                }
            }
            Action::AnswerWaiters { answer } => self.answer_waiters(moment, key, entry, answer, from_origin),
            Action::Render { token } => {
                let connection = if details.by_client { Connection::Free } else { Connection::Client };
                self.renders.begin(key.clone(), token, connection);
                let base = self.base(key, entry, token).filter(|_| !details.by_client);
                self.effects.push(Effect::Render { key: key.clone(), token, driven: false, base });
            }
            Action::Enqueue { token } => self.renders.enqueue(key.clone(), token),
            Action::Drive { token } => {
                self.renders.enqueue_background(key.clone(), token);
                self.effects.push(Effect::WakeAt(moment.now));
                self.effects.push(Effect::Ring);
            }
            Action::Share { token } => {
                if let (Some(render), Some((page, content))) = (self.renders.get_mut(token), from_origin) {
                    let (page, content) = (page.clone(), content.clone());
                    render.stage = Stage::Growing { page, content, joined: 0 };
                }
            }
            Action::Hold { version } => {
                self.failed.remove(key);
                if let Some((page, content)) = from_origin.filter(|(page, _)| page.version == version) {
                    let is_unwritten = entry.pending.is_some_and(|write| write.version == Some(version));
                    self.held.put(page.clone(), content.clone(), is_unwritten);
                }
            }
            Action::Release => self.held.remove(key),
            Action::Write { version } => match self.held.get(key, version) {
                Some((page, content)) => {
                    let bytes = page.body_bytes.unwrap_or_default();
                    self.counters.live.written_bytes = self.counters.live.written_bytes.saturating_add(bytes);
                    self.effects.push(Effect::Write(page, content));
                }
                None => return Some(version),
            },
            Action::Delete => self.effects.push(Effect::Delete(key.clone())),
        }
        None
    }
}

fn is_request(event: &Event) -> bool {
    waiter_of(event).is_some()
}

/// Returns the request of an event.
fn waiter_of(event: &Event) -> Option<WaiterId> {
    match event {
        Event::Miss { waiter } | Event::Stale { waiter, .. } | Event::BytesLost { waiter, .. } => Some(*waiter),
        _ => None,
    }
}

fn policy(config: &Config, key: &PageKey) -> RoutePolicy {
    let route = config.routes.find(key.path());
    RoutePolicy {
        expire: route.map_or(config.expire, Route::expire),
        render_timeout: config.render_timeout,
        pass_ttl: config.pass_ttl,
    }
}
