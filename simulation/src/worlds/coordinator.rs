//! The coordinators of a world: feeds them inputs, and checks the effects they return.

use std::collections::BTreeSet;

use super::attack::is_made_up;
use super::checks::{CheckResult, ServedAs, promise};
use super::origin::{Body, End, Origin};
use super::queue::{Arrival, EdgeRequest, ObjectEvent};
use super::story::short;
use super::straits::Straits;
use super::visits::millis;
use super::world::World;
use crate::coordinator::alarm_run::{Allowance, Next};
use crate::coordinator::{AlarmRun, Effect, Entry, Input, Lease, Moment, RenderOutcome};
use crate::page::PageMeta;
use crate::protocol::RegisterAnswer;
use crate::semantics::freshness::Freshness;
use crate::semantics::key::PageKey;
use crate::semantics::storable::OriginFailure;
use crate::time::Timestamp;
use crate::version::Version;

/// How long after the object's death a write to L2 that it had begun may still take effect, in milliseconds.
pub(super) const OUTLIVES: u64 = 900;

impl World<'_> {
    /// Feeds an input to a coordinator, and performs the effects it returns.
    pub(super) fn give(&mut self, at: usize, input: Input<Body>) -> CheckResult {
        self.wake(at)?;
        self.checks.input();
        let moment = self.moment(at);
        let own = match &input {
            Input::Request { key, .. } | Input::Head { key, .. } | Input::Ended { key, .. } => Some(key.clone()),
            _ => None,
        };
        let before = (self.is_crowded || self.attack.is_some()).then(|| self.entries());
        let is_alarm = matches!(input, Input::Alarm { .. });
        let fails_after = match &input {
            // The tag index repeats the delivery.
            Input::Invalidate(_) => None,
            _ => self.straits.as_mut().and_then(Straits::failing_statement),
        };
        let effects = self.objects[at].on(&self.layout.config, moment, input, fails_after);
        if self.objects[at].has_failed {
            let now = self.now;
            self.story.tell(now, || "the store fails".to_owned());
        }
        if let Some(run) = self.objects[at].run.as_mut().filter(|_| is_alarm) {
            run.spend(&effects);
        }
        if let Some(before) = before {
            self.note_displaced(own.as_ref(), &before)?;
            self.check_places(at)?;
        }
        // A render may have been queued, which is no effect.
        self.see_leases(at)?;
        self.perform_all(at, effects)?;
        self.check_memory(at)?;
        self.check_narrow(at)
    }

    fn entries(&self) -> Vec<Entry> {
        self.keys().map(|key| self.entry(key)).collect()
    }

    /// Notes the keys that others have displaced. Promises 1 and 8: none of them was being rendered or written, or
    /// backing off. Promise 6: L2 loses them as well.
    fn note_displaced(&mut self, own: Option<&PageKey>, before: &[Entry]) -> CheckResult {
        for (key, before) in before.iter().enumerate() {
            let (after, name) = (self.entry(key), &self.workshop.keys[key]);
            let (now, is_gone) =
                (self.now, after.page.is_none() && after.pass_until.is_none() && after.lease.is_none());
            if before.failures > 0 && after.failures == 0 && is_gone {
                self.checks.displaced(key);
            }
            let is_displaced = own.is_some_and(|own| own != name) && before.page.is_some() && is_gone;
            if is_displaced {
                self.story.tell(now, || format!("{name} is displaced"));
                self.check_displaced(key, before, own.map(|own| self.workshop.number_of(own)))?;
                let is_busy = before.lease.is_some() || before.pending.is_some();
                promise(1, !is_busy, || format!("{name} is displaced: {before:?}"))?;
                self.is_deleted[key] = true;
            }
        }
        Ok(())
    }

    /// Begins a life of the object, unless it is alive. Promise 7: work of its previous life does not block it.
    pub(super) fn wake(&mut self, at: usize) -> CheckResult {
        self.turn_to(at);
        if self.objects[at].is_alive() {
            return Ok(());
        }
        let moment = self.waking_moment(at);
        let effects = self.objects[at].awake(&self.layout.config, moment);
        let (now, life, shard) = (self.now, self.objects[at].life, &self.layout.shards[at]);
        self.story.tell(now, || format!("{shard} wakes to life {life}"));
        for (_, lease) in self.objects[at].leases().iter() {
            promise(7, !self.checks.knows(lease.token), || format!("{lease:?} has outlived its render"))?;
        }
        if self.is_crowded || self.attack.is_some() {
            // A page whose render was lost may have displaced another one.
            let is_forgotten = |key: &usize| self.entry(*key) == Entry::default();
            let forgotten: Vec<_> = self.keys().filter(is_forgotten).collect();
            for key in forgotten {
                self.checks.displaced(key);
            }
        }
        self.perform_all(at, effects)
    }

    pub(super) fn local(&self, at: usize) -> u64 {
        self.objects[at].local(self.now)
    }

    fn local_time(&self, at: usize) -> Timestamp {
        Timestamp::from_millis(self.local(at))
    }

    pub(super) fn moment_with(&self, at: usize, random: u64) -> Moment {
        let low = u128::from(random);
        Moment { now: self.local_time(at), random: low << 64 | low }
    }

    /// Returns whether a page is fresh by a coordinator's clock.
    pub(super) fn is_fresh(&self, at: usize, page: &PageMeta) -> bool {
        page.windows.freshness(self.local_time(at)) == Freshness::Fresh
    }

    /// Returns whether a page is not fresh by any other clock than that of a coordinator whose clock was set back.
    pub(super) fn has_aged(&self, at: usize, page: &PageMeta) -> bool {
        let now = Timestamp::from_millis(self.now.saturating_sub(self.weather.skew));
        self.objects[at].was_set_back && page.windows.freshness(now) != Freshness::Fresh
    }

    fn perform_all(&mut self, at: usize, effects: Vec<Effect<Body>>) -> CheckResult {
        // A cancelled render is not live any more when the next one begins, regardless of the order of the effects.
        for effect in &effects {
            if let Effect::Abandon { token } = effect {
                self.abandon(at, *token);
            }
        }
        effects.into_iter().try_for_each(|effect| self.perform(at, effect))
    }

    /// Feeds a coordinator the result of something that its current life began.
    pub(super) fn own(&mut self, at: usize, outcome: ObjectEvent) -> CheckResult {
        self.turn_to(at);
        match outcome {
            ObjectEvent::Answered { token } => self.answered(at, token),
            ObjectEvent::Unregistered { more } => self.give(at, Input::Unregistered { more }),
            ObjectEvent::Head { token } => self.head(at, token),
            ObjectEvent::Ended { token } => self.ended(at, token),
            ObjectEvent::Registered { token, answer } => self.registered(at, token, answer),
            ObjectEvent::Wrote { key, version, taken } => {
                self.give(at, Input::Wrote { key: self.workshop.keys[key].clone(), version, taken })
            }
            ObjectEvent::Read(read) => self.read(at, *read),
            ObjectEvent::TimedOut { waiter } => self.time_out(at, waiter),
            ObjectEvent::Nap { number } if number == self.objects[at].nap => self.run_alarm(at),
            ObjectEvent::Nap { .. } => Ok(()),
        }
    }

    fn page(&self, number: usize, token: Version, body: Body) -> PageMeta {
        let key = self.workshop.keys[number].clone();
        let digest = Origin::digest(key.path(), body);
        let tags = Origin::tags(key.path(), body).into_iter();
        PageMeta {
            version: token,
            status: self.attack.as_ref().filter(|_| is_made_up(number)).map_or(200, |attack| attack.status),
            rendered_at: self.local_time(self.layout.owners[number]),
            windows: Origin::windows(key.path(), token.time()),
            tags: self.varied.tags(key.path(), body, tags.map(|tag| self.workshop.tags[tag].clone()).collect()),
            body_bytes: Some(8),
            digest: Some(digest),
            rules: self.varied.rules(key.path(), body),
            has_validator: self.validators.is_some(),
            vouched: None,
            key,
        }
    }

    fn answered(&mut self, at: usize, token: Version) -> CheckResult {
        let Some(render) = self.objects[at].renders.get_mut(&token) else { return Ok(()) };
        render.awaits_head = false;
        self.give(at, Input::Answered { token })
    }

    fn head(&mut self, at: usize, token: Version) -> CheckResult {
        let Some(render) = self.objects[at].renders.get_mut(&token) else { return Ok(()) };
        render.awaits_head = false;
        let (key, body) = (render.key, render.plan.body);
        let page = PageMeta { body_bytes: None, digest: None, ..self.page(key, token, body) };
        let now = self.now;
        self.story.tell(now, || format!("the answer to {} begins", short(token)));
        let is_current = self.is_current(key, token);
        let input = Input::Head { key: self.workshop.keys[key].clone(), token, answer: (page, body) };
        if !is_current {
            return self.give_in_vain(key, token, input);
        }
        self.give(at, input)?;
        self.note_unshared(at, token);
        Ok(())
    }

    /// Records that the store has not let a response be shared, if it has just failed.
    fn note_unshared(&mut self, at: usize, token: Version) {
        let has_failed = self.objects[at].has_failed;
        if let Some(render) = self.objects[at].renders.get_mut(&token).filter(|_| has_failed) {
            render.is_unshared = true;
        }
    }

    fn ended(&mut self, at: usize, token: Version) -> CheckResult {
        let Some(render) = self.objects[at].renders.get_mut(&token) else { return Ok(()) };
        render.has_ended = true;
        render.awaits_head = false;
        let (key, plan, waits) = (render.key, render.plan, render.registering_since.is_some());
        let is_unseen = plan.head.is_none() || render.is_unshared;
        let readers = std::mem::take(&mut render.readers);
        let (now, workshop) = (self.now, self.workshop);
        self.story.tell(now, || format!("the render {} of {} ends: {:?}", short(token), workshop.keys[key], plan.end));
        self.end_readers(key, token, readers, plan);
        let page = self.page(key, token, plan.body);
        let (outcome, answer) = match plan.end {
            End::Page => (RenderOutcome::Done(page.clone()), Some((page, plan.body))),
            End::NotStored(reason) => (RenderOutcome::Uncacheable(reason.into()), None),
            End::Mismatched => (RenderOutcome::Mismatched, None),
            End::NoRoom => (RenderOutcome::NoRoom, None),
            End::Fails(failure @ OriginFailure::Status(_)) => (RenderOutcome::Failed(failure), Some((page, plan.body))),
            End::Fails(failure) => (RenderOutcome::Failed(failure), None),
        };
        let input = Input::Ended { key: self.workshop.keys[key].clone(), token, outcome, answer };
        self.checks.render_ends(key, token);
        if waits {
            // The result counts when the tags are registered.
            self.give(at, input)
        } else if self.is_current(key, token) {
            self.conclude(at, token, input, is_unseen)?;
            // Its tags may have to be registered first.
            let is_over = self.objects[at].renders.get(&token).is_none_or(|render| render.registering_since.is_none());
            if is_over { self.render_is_over(at, token) } else { Ok(()) }
        } else {
            self.give_in_vain(key, token, input)?;
            self.render_is_over(at, token)
        }
    }

    fn registered(&mut self, at: usize, token: Version, answer: Option<RegisterAnswer>) -> CheckResult {
        let Some(render) = self.objects[at].renders.get_mut(&token) else { return Ok(()) };
        let since = render.registering_since.take().unwrap_or_default();
        let (key, has_ended) = (render.key, render.has_ended);
        let is_current = self.is_current(key, token);
        if answer.as_ref().is_some_and(|answer| !answer.invalidations.is_empty()) {
            let keys = self.keys();
            keys.filter(|key| self.layout.owners[*key] == at).for_each(|key| self.checks.lift(key));
        }
        // An answer whose floor has passed the time since which it was asked lacks invalidations.
        let is_complete = |answer: &RegisterAnswer| answer.floor < since || answer.floor == Timestamp::default();
        let counts = is_current && answer.as_ref().is_some_and(is_complete);
        if is_current && !counts {
            // The render continues without the lease, for the requests that already receive it.
            self.checks.render_ends(key, token);
            self.checks.unpublished(key);
        }
        let input = Input::Registered { token, answer };
        match (has_ended, counts) {
            (true, true) => self.conclude(at, token, input, true)?,
            _ => self.give(at, input)?,
        }
        self.note_unshared(at, token);
        if has_ended { self.render_is_over(at, token) } else { Ok(()) }
    }

    fn is_current(&self, key: usize, token: Version) -> bool {
        self.entry(key).lease.is_some_and(|lease| lease.token == token)
    }

    /// Returns the entry of a page at its owner.
    pub(super) fn entry(&self, key: usize) -> Entry {
        self.objects[self.layout.owners[key]].entry(&self.workshop.keys[key])
    }

    /// Promise 1: a result under a token that is not current changes nothing.
    fn give_in_vain(&mut self, key: usize, token: Version, input: Input<Body>) -> CheckResult {
        let at = self.layout.owners[key];
        let running: BTreeSet<Version> = self.objects[at].renders.keys().copied().collect();
        let (before, leases) = (self.objects[at].dump(), self.objects[at].leases());
        let queued = leases.iter().filter(|(_, lease)| !running.contains(&lease.token));
        let mut stepped = queued.map(|(key, _)| self.workshop.number_of(key)).chain([key]);
        if stepped.any(|key| self.entry(key).page.is_some_and(|page| self.checks.may_be_purged(&page))) {
            // Any step for a purged page deletes it.
            return self.give(at, input);
        }
        self.give(at, input)?;
        // It frees a connection, so a queued render of another page may begin. The end of its lease is stored.
        let object = &self.objects[at];
        let has_begun = |lease: &Lease| object.renders.contains_key(&lease.token) && !running.contains(&lease.token);
        let others = |leases: &[(PageKey, Lease)]| {
            let tokens: BTreeSet<_> = leases.iter().map(|(key, lease)| (key.clone(), lease.token)).collect();
            (tokens, leases.iter().filter(|(_, lease)| !has_begun(lease)).cloned().collect::<Vec<_>>())
        };
        let is_untouched = others(&object.leases()) == others(&leases)
            && object.dump().iter().zip(&before).all(|(after, before)| after == before || after.0 == "leases");
        promise(1, is_untouched, || format!("{}, which is not current, changes something", short(token)))
    }

    /// Feeds a coordinator the end of a render whose token is current, and checks the consequences. `is_unseen` means
    /// that no request has received any part of the response.
    fn conclude(&mut self, at: usize, token: Version, input: Input<Body>, is_unseen: bool) -> CheckResult {
        let render = &self.objects[at].renders[&token];
        let (key, plan) = (render.key, render.plan);
        let before = self.entry(key).page;
        match plan.end {
            End::Fails(failure) => {
                self.checks.failed(key, token, self.local(at), failure, is_unseen);
                let now = self.local_time(at);
                let may_stand_in = |page: &PageMeta| page.windows.serves_errors(now) && !page.is_not_found();
                let is_good = |page: &&PageMeta| may_stand_in(page) && !self.checks.may_be_purged(page);
                self.failing = before.as_ref().is_some_and(|page| is_good(&page));
                self.give(at, input)?;
                self.failing = false;
                self.forgive(at, key);
                // Promise 5: a failed render leaves the last good page unchanged.
                let after = self.entry(key).page;
                let may_go = before.as_ref().is_some_and(|page| self.checks.may_be_purged(page));
                let is_kept = after == before || (after.is_none() && may_go);
                promise(5, is_kept, || format!("a failure made {after:?} of {before:?}"))
            }
            End::NotStored(_) => {
                self.checks.succeeded(key, self.local(at));
                self.give(at, input)
            }
            End::Mismatched => {
                self.checks.succeeded(key, self.local(at));
                self.give(at, input)?;
                // Promise 5: a useless 304 costs no page.
                let after = self.entry(key).page;
                let may_go = before.as_ref().is_some_and(|page| self.checks.may_be_purged(page));
                let is_kept = after == before || (after.is_none() && may_go);
                promise(5, is_kept, || format!("a useless 304 made {after:?} of {before:?}"))
            }
            End::NoRoom => {
                self.checks.unpublished(key);
                self.give(at, input)?;
                // Promise 5: lack of room costs no page.
                let after = self.entry(key).page;
                let may_go = before.as_ref().is_some_and(|page| self.checks.may_be_purged(page));
                let is_kept = after == before || (after.is_none() && may_go);
                promise(5, is_kept, || format!("lack of room made {after:?} of {before:?}"))
            }
            End::Page => {
                let failures = self.checks.failures_of(key);
                self.checks.succeeded(key, self.local(at));
                self.give(at, input)?;
                if self.objects[at].renders.get(&token).is_some_and(|render| render.registering_since.is_some()) {
                    // It counts when its tags are registered.
                    self.checks.set_failures_of(key, failures);
                    return Ok(());
                }
                self.check_published(key, before.as_ref(), token)
            }
        }
    }

    /// Resets the model of a key whose failure the store has not recorded.
    fn forgive(&mut self, at: usize, key: usize) {
        if self.objects[at].has_failed {
            let local = self.local(at);
            self.checks.succeeded(key, local);
        }
    }

    /// Checks promises 1 and 2 for a page that may have been published just now.
    fn check_published(&mut self, key: usize, before: Option<&PageMeta>, token: Version) -> CheckResult {
        let Some(page) = self.entry(key).page else {
            // A purge of the rendered page also removes the older page.
            let rendered = self.page(key, token, self.bodies[&token]);
            let may_go = |page: &PageMeta| self.checks.may_be_purged(page) || self.checks.may_be_purged(&rendered);
            // A made-up URL may be displaced as soon as its render has ended.
            let is_gone = before.is_none_or(may_go) || is_made_up(key);
            return promise(5, is_gone, || format!("a render has cost the copy {before:?}"));
        };
        if before == Some(&page) {
            return Ok(());
        }
        let body = self.bodies[&page.version];
        let now = self.now;
        self.story.tell(now, || format!("published: {} of {}, showing {}", short(page.version), page.key, body.shows));
        let shown = if self.is_fresh(self.layout.owners[key], &page) { ServedAs::Fresh } else { ServedAs::Stale };
        self.checks.published(key, &page, body, shown)
    }

    /// Fires the alarm of a coordinator.
    pub(super) fn alarm(&mut self, at: usize) -> CheckResult {
        self.objects[at].alarm = None;
        self.wake(at)?;
        let now = self.now;
        self.objects[at].alarm_begins(now);
        self.run_alarm(at)
    }

    fn run_alarm(&mut self, at: usize) -> CheckResult {
        let local = self.local_time(at);
        let Some(allowance) = self.objects[at].run.as_ref().map(|run| run.allowance(local)) else { return Ok(()) };
        let Allowance { room, writes } = allowance;
        let (now, shard) = (self.now, &self.layout.shards[at]);
        self.story.tell(now, || format!("the alarm of {shard} runs, with room for {room}"));
        self.give(at, Input::Alarm { room, writes })?;
        match self.objects[at].run.as_ref().map(AlarmRun::next) {
            Some(Next::Nap(nap)) => self.nap(at, millis(nap)),
            Some(Next::End) => self.objects[at].alarm_ends(now),
            None => {}
        }
        Ok(())
    }

    pub(super) fn nap(&mut self, at: usize, length: u64) {
        let object = &mut self.objects[at];
        object.nap += 1;
        let outcome = ObjectEvent::Nap { number: object.nap };
        self.queue.push(self.now + length, Arrival::Object { object: at, life: object.life, outcome });
    }

    fn render_is_over(&mut self, at: usize, token: Version) -> CheckResult {
        let object = &mut self.objects[at];
        object.renders.remove(&token);
        if object.run.as_mut().is_some_and(|run| run.ended(token)) { self.run_alarm(at) } else { Ok(()) }
    }

    /// Ends the life of a coordinator. Its unfinished work is lost, except messages that have already left it.
    pub(super) fn die(&mut self, at: usize) {
        self.turn_to(at);
        let (now, shard) = (self.now, &self.layout.shards[at]);
        if !self.objects[at].is_alive() {
            return;
        }
        self.story.tell(now, || format!("{shard} dies"));
        // The platform repeats an interrupted run of the alarm.
        let interrupted = self.objects[at].run.is_some().then(|| now + self.latency());
        let object = &mut self.objects[at];
        object.alarm = object.alarm.into_iter().chain(interrupted).min();
        if self.random.one_in(self.weather.alarm_lost) {
            object.alarm = None;
        }
        self.forget_overtaken_deletions(at);
        let pending: Vec<_> = self.keys().map(|key| self.entry(key).pending).collect();
        let waiting: Vec<_> =
            self.asked.keys().filter(|waiter| self.checks.waits_at(**waiter) == Some(at)).copied().collect();
        let is_last = |key: usize, version| pending[key].is_some_and(|pending| pending.version == version);
        self.evict(at);
        let half = self.random.next();
        // With a slow clock, the next life does not know how recently the last write began.
        let outlives = if self.objects[at].was_set_back { 0 } else { OUTLIVES };
        self.queue.retain(|due, arrival| match arrival {
            Arrival::Object { object, .. } => *object != at,
            Arrival::Commit { object, key, value, .. } if *object == at => {
                let version = value.as_ref().map(|(page, _)| page.version);
                due <= now + outlives && (half ^ due).is_multiple_of(2) && is_last(*key, version)
            }
            _ => true,
        });
        let skew = self.weather.skew;
        self.objects[at].skew = self.draw_skew(skew);
        for question in waiting.iter().filter_map(|waiter| self.asked.remove(waiter)).collect::<Vec<_>>() {
            let due = now + self.latency();
            let EdgeRequest { visit, number, .. } = question;
            self.queue.push(due, Arrival::Answer { visit, number, answer: None });
        }
    }

    /// Handles a deletion that was not made yet and was replaced by a write of a newer page. It is lost with that
    /// page's bytes, and L2 then has an older page, as after any lost page.
    fn forget_overtaken_deletions(&mut self, at: usize) {
        for key in self.keys() {
            if self.layout.owners[key] == at && self.entry(key).pending.is_some_and(|pending| pending.version.is_some())
            {
                self.is_deleted[key] = false;
            }
        }
    }

    /// Ends the life of a coordinator, as the platform does when the object is idle.
    pub(super) fn evict(&mut self, at: usize) {
        self.objects[at].die(self.is_calm);
        self.checks.died(at);
    }

    /// Checks the final state of each page, when all is quiet.
    pub(super) fn check_quiet(&self) -> CheckResult {
        self.checks.all_answered()?;
        for key in self.keys() {
            let (entry, name) = (self.entry(key), &self.workshop.keys[key]);
            promise(4, entry.lease.is_none(), || format!("{name} has a lease when all is quiet: {:?}", entry.lease))?;
            promise(6, entry.pending.is_none(), || format!("{name} is to be written still: {:?}", entry.pending))?;
            // A lost page is written again once it was asked for, and nobody asks for made-up URLs again.
            if !(is_made_up(key) && self.l2.has_lost(key)) {
                self.check_l2(key, &entry)?;
            }
        }
        Ok(())
    }

    /// Promise 3, when all is quiet: no coordinator treats an invalidated page as good.
    pub(super) fn check_applied(&self) -> CheckResult {
        self.keys().try_for_each(|key| {
            let Some(page) = self.entry(key).page else { return Ok(()) };
            let invalidated = self.objects[self.layout.owners[key]].invalidated(&page);
            self.checks.applied(&page, self.bodies[&page.version], invalidated)
        })
    }

    /// Promise 6, before a client has asked for pages with unfinished work: L2 has every page without a due write.
    pub(super) fn check_writes(&self) -> CheckResult {
        self.keys().try_for_each(|key| {
            let entry = self.entry(key);
            // A lost page is written again once it was asked for.
            if entry.pending.is_some() || self.l2.has_lost(key) { Ok(()) } else { self.check_l2(key, &entry) }
        })
    }

    /// Promise 6: when all is quiet, L2 has the page that the coordinator has published, or the same content under an
    /// older, equivalent version.
    fn check_l2(&self, key: usize, entry: &Entry) -> CheckResult {
        let l2 = self.l2.last_written(key);
        let is_met = match (&entry.page, &l2) {
            (Some(page), Some((copy, body))) => {
                // A late delivery of an invalidation also applies to pages rendered since.
                let is_as_good = !self.checks.is_invalidated(copy, *body)
                    || self.objects[self.layout.owners[key]].invalidated(page).is_some();
                copy.version == page.version || (copy.digest == page.digest && is_as_good)
            }
            (Some(_), None) => false,
            // The last decision was a deletion; otherwise the page published last was lost before it was written.
            (None, copy) => !self.is_deleted[key] || copy.is_none(),
        };
        promise(6, is_met, || format!("L2 has {l2:?}, the coordinator {:?}", entry.page))
    }
}
