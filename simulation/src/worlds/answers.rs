//! Messages between an edge and a coordinator.

use super::checks::{CheckResult, Violation, promise};
use super::edge::L1Slot;
use super::origin::{Body, End, RenderPlan};
use super::queue::{Arrival, EdgeRequest, ObjectEvent, ObjectReply};
use super::story::short;
use super::visits::{Visit, VisitKind, VisitResult, millis};
use super::workshop::PAGES;
use super::world::{EDGES, World};
use crate::coordinator::{Input, WaiterId};
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::cache_status::CacheOutcome;
use crate::version::Version;
use crate::visit::reports::PATIENCE as REPORT_PATIENCE;
use crate::visit::{CallFailure, CoordinatorReply, Event, L1Entry, Replacement, Report, StoredPage};

/// The maximum delay of messages at which the last visits must have a HIT, in milliseconds.
const QUICK: u64 = 100;

/// One seed in this many ends with the check for HITs. The check takes as long as many of the world's steps.
const HITS_EVERY: u64 = 4;

/// The maximum number of visits until a HIT. The first may return a stale page, the second its replacement, unless
/// clocks differ.
const VISITS_TO_HIT: usize = 4;

/// The same while an attacker fills the coordinator: a new page must prove itself, even against pages that are worth
/// something.
const VISITS_TO_HIT_BESIDE_ATTACK: usize = 8;

/// The time between those visits, in milliseconds: longer than the pause after an unsuccessful report.
pub(super) const BETWEEN_VISITS: u64 = 1_500;

/// The longest pause between reports of a page, in milliseconds: `reports::LONGEST_PAUSE` and its jitter.
const LONGEST_PAUSE: u64 = 40_000;

impl World<'_> {
    /// Delivers an edge's message to the coordinator that owns the page according to the edge.
    pub(super) fn ask(&mut self, question: EdgeRequest) -> CheckResult {
        let EdgeRequest { visit, key, served, newer_than, forwarded, .. } = question;
        self.last_waiter += 1;
        let waiter = WaiterId(self.last_waiter);
        self.asked.insert(waiter, question);
        let at = forwarded.unwrap_or_else(|| self.layout_of_visit(visit).owners[key]);
        self.turn_to(at);
        self.checks.asked(at, waiter, newer_than);
        if newer_than.is_some() {
            self.checks.lift(key);
        }
        let (now, workshop) = (self.now, self.workshop);
        self.story.tell(now, || {
            let served = served.map_or_else(|| "nothing".to_owned(), short);
            let newer = newer_than.map_or_else(String::new, |time| format!(", newer than {}", time.as_millis()));
            format!("visit {visit} asks as {}: {} in place of {served}{newer}", waiter.0, workshop.keys[key])
        });
        let patience = if served.is_some() { REPORT_PATIENCE } else { self.layout.config.miss_timeout };
        let outcome = ObjectEvent::TimedOut { waiter };
        self.queue.push(now + millis(patience), Arrival::Object { object: at, life: self.objects[at].life, outcome });
        let (shard, key) = (self.layout.shards[at].clone(), workshop.keys[key].clone());
        let forwarded = forwarded.is_some();
        self.give(at, Input::Request { waiter, shard, key, served, newer_than, forwarded, renders: false })
    }

    /// Ends the wait of a request at the coordinator. Promise 4: the request must have had something to wait for.
    pub(super) fn time_out(&mut self, at: usize, waiter: WaiterId) -> CheckResult {
        if !self.checks.timed_out(waiter) {
            return Ok(());
        }
        let now = self.now;
        self.story.tell(now, || format!("{} has waited for long enough", waiter.0));
        if let Some(EdgeRequest { visit, number, key, .. }) = self.asked.remove(&waiter) {
            let reads = |arrival: &Arrival| {
                let read = if let Arrival::Object { outcome: ObjectEvent::Read(read), .. } = arrival {
                    Some(read)
                } else {
                    None
                };
                read.is_some_and(|read| read.waiters.contains(&waiter))
            };
            let waits = self.entry(key).lease.is_some() || self.queue.any(reads);
            promise(4, waits, || format!("{waiter:?} is forgotten"))?;
            let due = now + self.latency();
            let answer = Some((Reply::Refused { reason: Reason::Timeout }, None));
            self.queue.push(due, Arrival::Answer { visit, number, answer });
        }
        self.give(at, Input::TimedOut { waiter })
    }

    /// Delivers the coordinator's answer to the edge; `None` if the object has died.
    pub(super) fn answer(&mut self, id: u64, number: u32, answer: ObjectReply) -> CheckResult {
        let Some(visit) = self.visits.get_mut(&id).filter(|visit| visit.questions == number) else { return Ok(()) };
        let answer = answer.map(|(reply, page)| {
            let page = page.map(|(meta, body)| StoredPage { meta, body });
            CoordinatorReply { reply, page }
        });
        let (edge, key) = (visit.edge, visit.key);
        match &mut visit.why {
            VisitKind::Client(_) => {
                self.overload.forget(edge, Some(key));
                self.take(id, answer.map_or(Event::NotAnswered(CallFailure::Unreachable), Event::Answered))
            }
            VisitKind::Report(report) => {
                let report = *report;
                self.answer_report(id, &report, answer);
                Ok(())
            }
            VisitKind::Last { got_page, asks_again } => {
                let reply = answer.as_ref().map(|answer| &answer.reply);
                // A coordinator whose clock is behind learns the time from its first registration.
                let is_behind = self.objects[self.layout.owners[key]].was_set_back;
                if is_behind && reply == Some(&Reply::Relay { reason: Reason::TagIndex }) && !*asks_again {
                    *asks_again = true;
                    return self.ask_last(id, key);
                }
                *got_page =
                    answer.is_some_and(|answer| matches!(answer.reply, Reply::Page { .. }) && answer.page.is_some());
                Ok(())
            }
        }
    }

    pub(super) fn answer_report(&mut self, id: u64, report: &Report, answer: Option<CoordinatorReply<Body>>) {
        let Some(&Visit { edge, key, .. }) = self.visits.get(&id) else { return };
        let (local, name) = (self.edges[edge].local(self.now), &self.workshop.keys[key]);
        let replacement = answer.map_or(Replacement::Nothing, |answer| Replacement::of(name, report, answer, local));
        let is_replaced = replacement.is_some();
        match replacement {
            Replacement::Page(page) => self.keep(edge, key, page),
            Replacement::Pass(mark) => self.mark(edge, key, mark),
            Replacement::Nothing => {}
        }
        let random = self.jitter();
        self.edges[edge].reports.end(name.clone(), local, is_replaced, random);
        self.checks.reported(edge, key, self.now, is_replaced);
        self.end(id, "reported", None);
    }

    /// Stores a page in L1 as soon as it is complete.
    pub(super) fn keep(&mut self, edge: usize, key: usize, page: StoredPage<Body>) {
        // Several coordinators may render a page while settings differ.
        let mut renders = self.objects.iter_mut().filter_map(|object| object.renders.get_mut(&page.meta.version));
        if page.meta.body_bytes.is_some() {
            self.keep_whole(edge, key, page);
        } else if let Some(render) = renders.next().filter(|render| !render.has_ended) {
            render.readers.push((edge, page.meta));
        } else if self.whole.contains(&page.meta.version) {
            self.keep_whole(edge, key, page);
        }
    }

    /// Stores a complete page in L1.
    pub(super) fn keep_whole(&mut self, edge: usize, key: usize, page: StoredPage<Body>) {
        let kept = L1Slot { at: self.now, found: L1Entry::Page(page) };
        let local = self.edges[edge].local(self.now);
        self.edges[edge].l1.insert(key, kept);
        self.edges[edge].crowds.filled(&self.workshop.keys[key], local);
        self.overload.forget(edge, Some(key));
    }

    /// Ends the response for the edges that receive it as it arrives.
    pub(super) fn end_readers(
        &mut self,
        key: usize,
        token: Version,
        readers: Vec<(usize, PageMeta)>,
        plan: RenderPlan,
    ) {
        if plan.end == End::Page {
            self.whole.insert(token);
            for (edge, meta) in readers {
                self.keep_whole(edge, key, StoredPage { meta, body: plan.body });
            }
        }
    }

    /// Ends an edge's wait for the answer to a question.
    pub(super) fn give_up(&mut self, id: u64, number: u32) -> CheckResult {
        let Some(visit) = self.visits.get(&id).filter(|visit| visit.questions == number) else { return Ok(()) };
        match visit.why {
            VisitKind::Client(_) => self.take(id, Event::NotAnswered(CallFailure::Timeout)),
            VisitKind::Report(report) => {
                self.answer_report(id, &report, None);
                Ok(())
            }
            VisitKind::Last { .. } => Ok(()),
        }
    }

    /// Sends a client to the coordinator after all failures have ended.
    pub(super) fn last_visit(&mut self, key: usize) -> CheckResult {
        let id = self.new_visit(0, key, VisitKind::Last { got_page: false, asks_again: false });
        self.ask_last(id, key)
    }

    fn ask_last(&mut self, id: u64, key: usize) -> CheckResult {
        self.ask(EdgeRequest { visit: id, number: 0, key, served: None, newer_than: None, forwarded: None })
    }

    /// Forgets those clients.
    pub(super) fn forget_last_visits(&mut self) {
        self.visits.retain(|_, visit| !matches!(visit.why, VisitKind::Last { .. }));
    }

    /// Promise 4, after all failures have ended: every request gets a page, and no client waits at an edge.
    pub(super) fn check_last_visits(&self) -> CheckResult {
        self.visits.iter().try_for_each(|(id, visit)| {
            let key = &self.workshop.keys[visit.key];
            match visit.why {
                VisitKind::Last { got_page, .. } => {
                    promise(4, got_page || self.is_crowded || self.attack.is_some(), || {
                        format!("{key} can't be had when all is well")
                    })
                }
                VisitKind::Client(_) | VisitKind::Report(_) => {
                    promise(4, false, || format!("visit {id} is not over when all is quiet: {visit:?}"))
                }
            }
        })
    }

    /// Promise 9, after all failures have ended: at each edge, a client soon has a HIT, which costs no call.
    pub(super) fn check_hits(&mut self) -> CheckResult {
        if self.weather.latency > QUICK || !self.seed.is_multiple_of(HITS_EVERY) || self.is_crowded {
            return Ok(());
        }
        for edge in 0..EDGES {
            for key in 0..PAGES {
                self.check_hit(edge, key)?;
            }
        }
        Ok(())
    }

    fn check_hit(&mut self, edge: usize, key: usize) -> CheckResult {
        if self.is_hit_soon(edge, key)? {
            return Ok(());
        }
        // With a current feed, reports without a result may have led to a long pause before the next one.
        let at = &self.edges[edge];
        if at.polling.is_current(at.local(self.now), self.layout.config.freshness_bound) {
            self.pass_until(self.now + LONGEST_PAUSE)?;
            if self.is_hit_soon(edge, key)? {
                return Ok(());
            }
        }
        promise(9, false, || {
            let key = &self.workshop.keys[key];
            format!("{key} at edge {edge} is no HIT when all is well: {:?}", self.last_ended)
        })
    }

    fn is_hit_soon(&mut self, edge: usize, key: usize) -> Result<bool, Violation> {
        let visits = if self.attack.is_some() { VISITS_TO_HIT_BESIDE_ATTACK } else { VISITS_TO_HIT };
        for _ in 0..visits {
            self.last_ended = None;
            self.attack_meanwhile()?;
            self.client(edge, key, false)?;
            self.all_is_answered()?;
            if self.last_ended == Some(VisitResult { outcome: CacheOutcome::Hit, questions: 0 }) {
                return Ok(true);
            }
            self.pass_until(self.now + BETWEEN_VISITS)?;
        }
        Ok(false)
    }
}
