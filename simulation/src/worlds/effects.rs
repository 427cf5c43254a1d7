//! Performs the effects that a coordinator returns.

use super::checks::{CheckResult, ServedAs, WRITE_INTERVAL, promise};
use super::coordinator::OUTLIVES;
use super::object::{MAX_DRIVEN, Object, Render};
use super::origin::{Body, End, RenderPlan};
use super::queue::{Arrival, ObjectEvent};
use super::story::short;
use super::straits::{SUBREQUESTS, Straits};
use super::versions::Actor;
use super::world::{COORDINATOR, World};
use crate::coordinator::{Base, Effect, Input, Lease, PageRead, Purpose, ReadResult, WaiterId};
use crate::page::PageMeta;
use crate::protocol::{Reply, ToTagIndex};
use crate::reason::Reason;
use crate::semantics::storable::OriginFailure;
use crate::time::Timestamp;
use crate::version::Version;

/// The object's time limit for a render, and the remaining time of the lease after that, in milliseconds.
const RENDER_TIMEOUT: u64 = 20_000;
const LEASE_GRACE: u64 = 10_000;

/// The duration of a write to L2 that hangs, in milliseconds. The coordinator repeats it meanwhile.
const HANGS: u64 = 60_000;

impl World<'_> {
    pub(super) fn perform(&mut self, at: usize, effect: Effect<Body>) -> CheckResult {
        let (now, life) = (self.now, self.objects[at].life);
        match effect {
            Effect::Reply { waiter, reply, page } => return self.reply(at, waiter, reply, page),
            Effect::Forward { waiter, owner } => return self.hand_on(at, waiter, &owner),
            Effect::Render { key, token, driven, base } => {
                return self.render(at, self.workshop.number_of(&key), token, driven, base.as_deref());
            }
            Effect::Register { token, messages } => {
                self.spend(at, |object| object.spends_for.contains(&token))?;
                // There is one tag index object.
                for (_, message) in messages {
                    if let (Some(render), ToTagIndex::Register { since, .. }) =
                        (self.objects[at].renders.get_mut(&token), &message)
                    {
                        render.registering_since = Some(*since);
                    }
                    self.story.tell(now, || format!("registers for {}: {message:?}", short(token)));
                    let due = now + self.latency();
                    self.queue.push(due, Arrival::Register { object: at, life, token, message });
                }
            }
            Effect::Unregister { messages } => self.unregister(at, messages),
            Effect::End => self.end_object(at),
            Effect::Read(read) => {
                let what = (self.workshop.number_of(&read.page.key), read.page.version);
                let is_first = read.waiters.is_empty() || self.objects[at].reading.insert(what);
                promise(10, is_first, || format!("{} of {} is read twice at a time", what.1, read.page.key))?;
                self.story.tell(now, || format!("reads {} of {} in L2", short(read.page.version), read.page.key));
                if self.is_calm {
                    return self.read(at, read);
                }
                let due = now + self.latency();
                self.queue.push(due, Arrival::Object { object: at, life, outcome: ObjectEvent::Read(Box::new(read)) });
            }
            Effect::Write(page, body) => {
                let (key, version) = (self.workshop.number_of(&page.key), page.version);
                self.spend(at, |object| object.spends_for.contains(&version))?;
                return self.write(at, key, Some((page, body)));
            }
            Effect::Delete(key) => return self.write(at, self.workshop.number_of(&key), None),
            Effect::Abandon { .. } => {}
            Effect::WakeAt(time) => self.objects[at].wake_at(time, now),
            Effect::Ring => {
                self.see_leases(at)?;
                if self.objects[at].run.is_some() {
                    self.nap(at, 0);
                }
            }
        }
        Ok(())
    }

    /// Records the leases that were granted just now.
    pub(super) fn see_leases(&mut self, at: usize) -> CheckResult {
        let local = self.local(at);
        let leases = self.objects[at].leases();
        let are_new = leases.iter().filter(|(_, lease)| !self.checks.knows(lease.token)).cloned().collect::<Vec<_>>();
        are_new.into_iter().try_for_each(|(key, lease)| {
            let key = self.workshop.number_of(&key);
            let is_invalidated = match self.entry(key).page {
                Some(page) => self.objects[at].invalidated(&page).is_some(),
                // A purged page is gone once its render begins.
                None => self.checks.knows_a_purge(),
            };
            self.checks.granted(key, &lease, local, is_invalidated)
        })
    }

    fn reply(&mut self, at: usize, waiter: WaiterId, reply: Reply, page: Option<(PageMeta, Body)>) -> CheckResult {
        let now = self.now;
        let (reply, mut page) = if self.is_calm { without_last_response(reply, page) } else { (reply, page) };
        self.story.tell(now, || {
            let page = page.as_ref().map(|(page, body)| format!("{} showing {}", short(page.version), body.shows));
            format!("answers {}: {reply:?} {}", waiter.0, page.unwrap_or_default())
        });
        self.check_refused(at, waiter, &reply)?;
        let asked = self.checks.answered(waiter)?;
        if let Some((page, body)) = page.as_mut().filter(|_| !matches!(reply, Reply::Relay { .. })) {
            // L2 may have the same bytes under an older version.
            let own = self.bodies[&page.version];
            promise(2, body.bytes == own.bytes, || format!("the bytes of {} are others: {body:?}", page.version))?;
            *body = own;
            let shown = match reply {
                // Edges judge it by their own clocks, wherever that of the coordinator was set back to.
                Reply::Page { .. } if self.is_fresh(at, page) && !self.has_aged(at, page) => ServedAs::Fresh,
                Reply::Page { .. } => ServedAs::Stale,
                _ => ServedAs::InPlace,
            };
            self.checks.shown(asked, page, *body, shown)?;
        }
        if matches!(reply, Reply::Relay { .. } | Reply::Unavailable { .. }) {
            promise(5, !self.failing, || format!("{reply:?}, although there is a good copy"))?;
        }
        let (visit, number) = self.asked.remove(&waiter).map_or((0, 0), |question| (question.visit, question.number));
        self.log_answer(visit, &reply, page.as_ref());
        let due = now + self.latency();
        let edge = self.visits.get(&visit).map(|visit| visit.edge);
        if edge.is_some_and(|edge| self.refuses(Actor::Coordinator(at), Actor::Edge(edge), &reply)) {
            self.queue.push(due, Arrival::NotUnderstood { visit, number });
            return Ok(());
        }
        self.queue.push(due, Arrival::Answer { visit, number, answer: Some((reply, page)) });
        Ok(())
    }

    fn render(
        &mut self,
        at: usize,
        key: usize,
        token: Version,
        driven: bool,
        base: Option<&Base<Body>>,
    ) -> CheckResult {
        if let Some(run) = self.objects[at].run.as_mut().filter(|_| driven) {
            run.drive(token);
            self.objects[at].spends_for.insert(token);
            self.spend(at, |_| true)?;
            let others = self.objects[at].renders.values().filter(|render| render.is_driven).count();
            promise(8, others < MAX_DRIVEN, || format!("the alarm drives {} renders", others + 1))?;
        }
        if !self.checks.knows(token) {
            self.see_leases(at)?;
        }
        let workshop = self.workshop;
        let plan = self.origin.render(workshop.keys[key].path(), self.now, &self.weather, &mut self.random);
        let plan = self.validate(at, key, token, base, plan)?;
        let is_given_up = plan.takes > RENDER_TIMEOUT && self.random.one_in(2);
        let has_no_room = self.straits.as_mut().is_some_and(Straits::has_no_room);
        let plan = if has_no_room { RenderPlan { end: End::NoRoom, ..plan } } else { plan };
        let plan = if is_given_up {
            let head = plan.head.filter(|head| *head < RENDER_TIMEOUT);
            RenderPlan { head, takes: RENDER_TIMEOUT, end: End::Fails(OriginFailure::Timeout), ..plan }
        } else {
            plan
        };
        let (now, life) = (self.now, self.objects[at].life);
        self.story.tell(now, || {
            let by = if driven { "the alarm" } else { "a visitor" };
            format!("renders {} for {by}: {} {plan:?}", workshop.keys[key], short(token))
        });
        self.bodies.insert(token, plan.body);
        let render = Render {
            key,
            plan,
            is_driven: driven,
            has_ended: false,
            awaits_head: true,
            registering_since: None,
            is_unshared: false,
            readers: Vec::new(),
        };
        self.objects[at].renders.insert(token, render);
        if self.straits.is_some() && plan.head.is_none() {
            let outcome = ObjectEvent::Answered { token };
            self.queue.push(now + plan.takes / 2, Arrival::Object { object: at, life, outcome });
        }
        if let Some(head) = plan.head {
            self.queue.push(now + head, Arrival::Object { object: at, life, outcome: ObjectEvent::Head { token } });
        }
        self.queue.push(now + plan.takes, Arrival::Object { object: at, life, outcome: ObjectEvent::Ended { token } });
        let local = self.local(at);
        // A new life may have another clock.
        let clock_was_set = if self.objects[at].life == 0 { 0 } else { 2 * self.weather.skew };
        self.checks.render_begins(key, token, local, local + RENDER_TIMEOUT + LEASE_GRACE, clock_was_set)
    }

    /// Promise 8: a run of the alarm makes no more subrequests than the platform allows. Counts one, if it is the run's.
    pub(super) fn spend(&mut self, at: usize, is_its_own: impl FnOnce(&Object) -> bool) -> CheckResult {
        let object = &mut self.objects[at];
        if object.run.is_none() || !is_its_own(object) {
            return Ok(());
        }
        object.spent += 1;
        promise(8, !object.is_narrow || object.spent <= SUBREQUESTS, || {
            format!("a run of the alarm makes {} subrequests", object.spent)
        })
    }

    /// Promise 8: no request waits for a connection inside the platform, and no more renders are queued than may be.
    pub(super) fn check_narrow(&mut self, at: usize) -> CheckResult {
        if self.straits.is_none() {
            return Ok(());
        }
        let (object, bounds) = (&self.objects[at], Straits::bounds());
        let asked = object.renders.values().filter(|render| render.awaits_head).count();
        promise(8, asked <= bounds.asked, || format!("{asked} renders wait for the head of their response"))?;
        if object.life > 0 || !self.straits.as_ref().is_some_and(|straits| straits.has_sound_store) {
            return Ok(()); // A lease may have lost its render.
        }
        let leases = object.leases();
        let queued = |purpose| {
            let is_queued = |lease: &Lease| lease.purpose == purpose && !object.renders.contains_key(&lease.token);
            leases.iter().filter(|(_, lease)| is_queued(lease)).count()
        };
        let (cold, background) = (queued(Purpose::Cold), queued(Purpose::Background));
        // A client's render that must begin anew is queued in any case.
        promise(8, cold <= bounds.queued + bounds.running && background <= bounds.queued_for_alarm, || {
            format!("{cold} renders for clients and {background} for the alarm are queued")
        })
    }

    /// Cancels a render. Its end is still reported.
    pub(super) fn abandon(&mut self, at: usize, token: Version) {
        let Some(render) = self.objects[at].renders.get_mut(&token).filter(|render| !render.has_ended) else { return };
        render.plan.end = End::Fails(OriginFailure::Broken);
        render.awaits_head = false;
        let key = render.key;
        let (life, now) = (self.objects[at].life, self.now);
        self.checks.render_ends(key, token);
        self.story.tell(now, || format!("breaks {} off", short(token)));
        self.queue.push(now + 1, Arrival::Object { object: at, life, outcome: ObjectEvent::Ended { token } });
    }

    fn write(&mut self, at: usize, key: usize, value: Option<(PageMeta, Body)>) -> CheckResult {
        let (now, life) = (self.now, self.objects[at].life);
        promise(6, at == self.layout.owners[key], || {
            "L2 is written by a coordinator that is not the owner".to_owned()
        })?;
        let version = value.as_ref().map(|(page, _)| page.version);
        if let Some((page, _)) = &value {
            let is_whole = page.digest.is_some() && page.body_bytes.is_some();
            promise(6, is_whole, || format!("a page is written to L2 that is not whole: {page:?}"))?;
        }
        let (refused, hangs) = (self.random.one_in(self.weather.l2_refuses), self.random.one_in(self.weather.l2_hangs));
        let lands = now + self.random.below(if hangs { HANGS } else { OUTLIVES });
        // A lost answer looks like a refusal.
        let taken = !refused && !self.random.one_in(self.weather.l2_refuses * 2);
        let workshop = self.workshop;
        self.story.tell(now, || {
            let what = version.map_or_else(|| "a deletion".to_owned(), short);
            let fate = if refused { "refused" } else { "to land" };
            format!("writes {what} of {} to L2: {fate} after {}, told={taken}", workshop.keys[key], lands - now)
        });
        let arrival = if refused {
            Arrival::Object { object: at, life, outcome: ObjectEvent::Wrote { key, version, taken } }
        } else {
            let up_to = self.objects[at].last_version();
            Arrival::Commit { object: at, life, key, value, up_to, told: taken }
        };
        self.queue.push(lands, arrival);
        self.is_deleted[key] = version.is_none();
        let clock_was_set = match (self.written_in[key] == life, self.objects[at].was_set_back) {
            (true, _) => 0,
            (false, false) => 2 * self.weather.skew,
            // A slow clock has recorded the last write as an earlier one.
            (false, true) => WRITE_INTERVAL,
        };
        self.written_in[key] = life;
        self.checks.written(key, now, clock_was_set)
    }

    pub(super) fn read(&mut self, at: usize, read: PageRead) -> CheckResult {
        let key = self.workshop.number_of(&read.page.key);
        if !read.waiters.is_empty() {
            self.objects[at].reading.remove(&(key, read.page.version));
        }
        if !self.is_calm && self.random.one_in(self.weather.l2_unreadable) {
            return self.give(at, Input::Read { read, found: ReadResult::Unknown });
        }
        let value = self.l2.read(self.now, COORDINATOR, key, self.weather.l2_lag, &mut self.random);
        let found = match value {
            Some((page, body)) if read.is_met_by(page.version) => ReadResult::Same(body),
            _ => ReadResult::Other,
        };
        let now = self.now;
        self.story.tell(now, || format!("L2 shows the coordinator {found:?}"));
        self.give(at, Input::Read { read, found })
    }
}

/// Takes away the last response of a failing origin, which is in memory only: the twins of promise 7 have the answer of an
/// object that has lost it.
fn without_last_response(reply: Reply, page: Option<(PageMeta, Body)>) -> (Reply, Option<(PageMeta, Body)>) {
    match reply {
        Reply::Relay { reason: reason @ (Reason::Backoff | Reason::Breaker | Reason::RenderTimeout) }
        | Reply::Unavailable { reason, .. } => (Reply::Unavailable { retry_at: Timestamp::default(), reason }, None),
        reply => (reply, page),
    }
}
