//! Visits of clients: performs the steps that `crate::visit` decides, against this world.

use std::time::Duration;

use super::checks::{CheckResult, Violation, promise};
use super::edge::L1Slot;
use super::origin::Body;
use super::queue::{Arrival, EdgeRequest};
use super::settings::Settings;
use super::story::short;
use super::varied::Client;
use super::workshop::PAGES;
use super::world::{EDGES, World};
use crate::fault::{self, Fault};
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheOutcome, Detail};
use crate::semantics::freshness::Freshness;
use crate::tag_index::tables::SKEW;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::crowds::{CrowdResult, FEW, lead};
use crate::visit::reports::PATIENCE as REPORT_PATIENCE;
use crate::visit::{
    Company, CoordinatorReply, CrowdPart, Event, L1Entry, L2_PATIENCE, Others, PassMarker, Question, Report, Request,
    Sent, ServedPage, Step, StoredPage, Turn, Visit as Decisions, WhenToKeep,
};

/// How long a client waits at most until its visit ends, in milliseconds: for the feed, L2, the coordinator, and L1
/// again.
const LONGEST_VISIT: u64 = 22_000;

/// The maximum number of questions per visit.
const MOST_QUESTIONS: u32 = 2;

/// The maximum time until a leaving client leaves, in milliseconds.
const LEAVES_WITHIN: u64 = 4_000;

/// Returns whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A request at an edge.
#[derive(Debug)]
pub(super) struct Visit<'w> {
    pub(super) edge: usize,
    pub(super) key: usize,
    pub(super) why: VisitKind<'w>,
    pub(super) settings: Settings,
    /// Whether its client sends the header that some pages nominate.
    pub(super) sends: bool,
    /// When it began.
    began: u64,
    /// The number of questions so far. Only the last one still accepts an answer.
    pub(super) questions: u32,
    /// The lower bound on the page's render time in the last question.
    newer_than: Option<Timestamp>,
    /// Whether the last question was not answered, or its coordinator could not read what it knows.
    pub(super) is_unanswered: bool,
    part: CrowdPart,
    /// The question that is not answered yet, and when it was sent.
    asking: Option<(Question, u64)>,
}

impl Visit<'_> {
    /// Returns whether its question is one whose result counts for the others that wait for the page.
    pub(super) fn asks_for_others(&self) -> bool {
        self.asking.is_some_and(|(question, _)| question.company != Company::Alone)
    }
}

/// The purpose of a request.
#[derive(Debug)]
pub(super) enum VisitKind<'w> {
    Client(Box<Decisions<'w, Body>>),
    /// A stale page was served.
    Report(Report),
    /// A final check after all failures have ended. Holds whether it succeeded, and whether it asks for the second time.
    Last {
        got_page: bool,
        asks_again: bool,
    },
}

/// The result of a client's visit: the page it received, and the number of questions to the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VisitResult {
    pub(super) outcome: CacheOutcome,
    pub(super) questions: u32,
}

impl<'w> World<'w> {
    /// Sends a client to a random edge for a random page.
    pub(super) fn visit(&mut self) -> CheckResult {
        let (edge, key) = (self.random.index(EDGES), self.random.index(PAGES));
        let leaves = self.random.one_in(self.weather.clients_leave);
        let id = self.last_visit + 1;
        if leaves {
            let due = self.now + self.random.below(LEAVES_WITHIN);
            self.queue.push(due, Arrival::Leave { visit: id });
        }
        for _ in 0..=self.hostile.crowd() {
            let sends = self.varied.client_sends();
            self.client(edge, key, sends)?;
        }
        Ok(())
    }

    /// Sends a client to an edge, and returns the number of the visit. `sends` tells whether the client sends the header
    /// that some pages nominate.
    pub(super) fn client(&mut self, edge: usize, key: usize, sends: bool) -> Result<u64, Violation> {
        let (layout, settings) = (self.layout_of(edge), self.edges[edge].settings);
        let request = Request {
            key: &self.workshop.keys[key],
            route: &layout.routes[key],
            sent: Sent(Client::of(sends)),
            renders: false,
            freshness_bound: if fault::on(Fault::KeepSettings) {
                layout.config.freshness_bound
            } else {
                settings.freshness_bound
            },
            miss_timeout: settings.miss_timeout,
            pass_ttl: layout.config.pass_ttl,
        };
        let (decisions, steps) = match self.remembered(edge, key) {
            Some(page) => Decisions::begin_with(request, page),
            None => Decisions::begin(request),
        };
        let id = self.new_visit(edge, key, VisitKind::Client(Box::new(decisions)));
        self.visits.entry(id).and_modify(|visit| visit.sends = sends);
        let now = self.now;
        self.story.tell(now, || format!("visit {id} at edge {edge}: {}", self.workshop.keys[key]));
        self.perform_steps(id, steps)?;
        Ok(id)
    }

    pub(super) fn new_visit(&mut self, edge: usize, key: usize, why: VisitKind<'w>) -> u64 {
        self.last_visit += 1;
        let visit = Visit {
            edge,
            key,
            why,
            settings: self.edges[edge].settings,
            sends: false,
            began: self.now,
            questions: 0,
            newer_than: None,
            is_unanswered: false,
            part: CrowdPart::default(),
            asking: None,
        };
        self.visits.insert(self.last_visit, visit);
        self.last_visit
    }

    /// Ends a visit because its client leaves. A poll that the visit waits for ends with it.
    pub(super) fn leave(&mut self, id: u64) {
        let Some(Visit { edge, .. }) = self.visits.remove(&id) else { return };
        let now = self.now;
        self.story.tell(now, || format!("the client of visit {id} leaves"));
        let at = &mut self.edges[edge];
        at.polls.retain(|_, poll| poll.visit != Some(id));
        at.waiting.retain(|visit| *visit != id);
    }

    /// Feeds an event to a client's visit, and performs the steps it decides.
    pub(super) fn take(&mut self, id: u64, event: Event<Body>) -> CheckResult {
        let Some(visit) = self.visits.get_mut(&id) else { return Ok(()) };
        match &event {
            Event::NotAnswered(_) => visit.is_unanswered = true,
            Event::Answered(CoordinatorReply { reply, .. }) | Event::Others(Others::Answered(reply)) => {
                visit.is_unanswered = matches!(reply, Reply::Refused { reason: Reason::CoordinatorFailed });
            }
            _ => {}
        }
        if matches!(event, Event::NotAnswered(_) | Event::Answered(_)) {
            visit.asking = None;
        }
        visit.part.hears(&event);
        let (edge, VisitKind::Client(decisions)) = (&mut self.edges[visit.edge], &mut visit.why) else { return Ok(()) };
        let local = edge.local(self.now);
        let steps = decisions.handle(event, local, &edge.polling);
        if let Some((asker, result)) = visit.part.result(&steps) {
            if !matches!(result, CrowdResult::Failed(_)) {
                // An answer ends the row of refusals.
                self.overload.forget(visit.edge, Some(visit.key));
            }
            edge.crowds.end(&self.workshop.keys[visit.key], asker, result, local);
        }
        self.perform_steps(id, steps)
    }

    fn perform_steps(&mut self, id: u64, steps: Vec<Step<Body>>) -> CheckResult {
        steps.into_iter().try_for_each(|step| self.perform_step(id, step))
    }

    fn perform_step(&mut self, id: u64, step: Step<Body>) -> CheckResult {
        let Some(&Visit { edge, key, .. }) = self.visits.get(&id) else { return Ok(()) };
        match step {
            Step::Look => {
                self.refresh(id, edge)?;
                self.read_l1(id, edge, key)?;
            }
            Step::RefreshFeed => self.refresh(id, edge)?,
            Step::ReadL1 => self.read_l1(id, edge, key)?,
            Step::ReadL2 => self.read_l2(id, edge, key),
            Step::Ask(question) => {
                let local = self.edges[edge].local(self.now);
                let turn = self.edges[edge].crowds.turn(&self.workshop.keys[key], &question, local);
                let Some(visit) = self.visits.get_mut(&id) else { return Ok(()) };
                match turn {
                    Turn::Others(others) => return self.take(id, Event::Others(others)),
                    Turn::Failed(failure) => return self.take(id, Event::NotAnswered(failure)),
                    Turn::Ask(asker) => visit.part.asks(asker),
                }
                visit.asking = Some((question, self.now));
                visit.questions += 1;
                visit.newer_than = question.newer_than;
                let number = visit.questions;
                promise(10, number <= MOST_QUESTIONS, || format!("visit {id} asks {number} questions"))?;
                self.check_crowd(edge, key, &question)?;
                self.check_refusals(edge, key, &question)?;
                let newer_than = question.newer_than;
                let asks = EdgeRequest { visit: id, number, key, served: None, newer_than, forwarded: None };
                let due = self.now + self.latency();
                self.queue.push(due, Arrival::Ask(asks));
                self.queue.push(self.now + millis(question.patience), Arrival::GiveUp { visit: id, number });
            }
            Step::Wait(pause) => self.queue.push(self.now + millis(pause), Arrival::Woke { visit: id }),
            Step::Report(report) => self.report(edge, key, report)?,
            Step::MarkPass(mark) => self.mark(edge, key, mark),
            Step::Forget(_) => self.forget(edge, key),
            Step::Discard(_) => {}
            Step::Keep(page, WhenToKeep::AtOnce) => self.keep_whole(edge, key, page),
            Step::Keep(page, WhenToKeep::WhenWhole) => self.keep(edge, key, page),
            Step::Serve(served) => self.serve(id, served)?,
            Step::Pass(status) => {
                // The reasons of markers: those of the simulated origin's responses that may not be stored.
                if let Some(Detail::Plain(Reason::CacheControl | Reason::TooLarge | Reason::NotStored)) = status.detail
                {
                    self.check_mark(id, edge, key)?;
                }
                self.client_ends(id, "goes to the site", CacheOutcome::Skip, None)?;
            }
            Step::Unavailable { .. } => self.client_ends(id, "can't be had", CacheOutcome::Skip, None)?,
            Step::Lease { .. } => self.client_ends(id, "renders", CacheOutcome::Skip, None)?,
        }
        Ok(())
    }

    /// Promise 10: of the requests of an edge for a page, few ask at the same time, unless they know of different
    /// invalidations.
    fn check_crowd(&self, edge: usize, key: usize, question: &Question) -> CheckResult {
        let is_like = |visit: &&Visit<'_>| {
            let leads = |other: &Question, at: u64| self.now < at + millis(lead(other.patience));
            let is_here = visit.edge == edge && visit.key == key;
            // After the clock was set back, nobody knows how long the others have asked.
            let is_timed = |at: u64| self.edges[edge].set_back_at.is_none_or(|set_back_at| set_back_at < at);
            let asking = visit.asking.filter(|(other, at)| is_here && is_timed(*at) && leads(other, *at));
            asking.is_some_and(|(other, _)| other.newer_than == question.newer_than && other.company != Company::Alone)
        };
        let asking = self.visits.values().filter(is_like).count();
        promise(10, asking <= FEW, || format!("{asking} requests of edge {edge} ask for page {key} at the same time"))
    }

    fn read_l1(&mut self, id: u64, edge: usize, key: usize) -> CheckResult {
        let is_lost = self.random.one_in(self.weather.l1_forgets);
        let kept = self.edges[edge].l1.get(&key).filter(|_| !is_lost);
        let found = kept.map_or(L1Entry::Nothing, |kept| kept.found.clone());
        self.take(id, Event::L1(found))
    }

    fn read_l2(&mut self, id: u64, edge: usize, key: usize) {
        let value = self.l2.read(self.now, edge, key, self.weather.l2_lag, &mut self.random);
        let value = value.filter(|_| !self.random.one_in(self.weather.l2_unreadable));
        let due = self.now + self.latency() / 4;
        let (due, value) =
            if self.hostile.read_hangs() { (self.now + millis(L2_PATIENCE), None) } else { (due, value) };
        self.queue.push(due, Arrival::FromL2 { visit: id, value });
    }

    pub(super) fn l2_was_read(&mut self, id: u64, value: Option<(PageMeta, Body)>) -> CheckResult {
        self.take(id, Event::L2(value.map(|(meta, body)| StoredPage { meta, body })))
    }

    /// Serves a page to a client.
    fn serve(&mut self, id: u64, served: ServedPage<Body>) -> CheckResult {
        let Some(&Visit { edge, key, settings, questions, newer_than, is_unanswered, .. }) = self.visits.get(&id)
        else {
            return Ok(());
        };
        if served.is_hit_of_l1() {
            self.hit_of_l1(edge, key, &served.page);
        }
        let bound = millis(settings.freshness_bound);
        let ServedPage { page: StoredPage { meta, body }, outcome, keep, .. } = served;
        let (now, told_at) = (self.now, self.edges[edge].told_at);
        self.check_nominated(id, &meta)?;
        match outcome {
            CacheOutcome::Hit | CacheOutcome::Miss => {
                if outcome == CacheOutcome::Hit {
                    // A page counts as fresh only while the edge knows the invalidations.
                    promise(2, told_at.is_some_and(|told_at| now < told_at + bound), || {
                        format!(
                            "edge {edge} takes {} for fresh, but has asked the feed at {told_at:?} last",
                            meta.version
                        )
                    })?;
                }
                // A page that the coordinator has made stale from now on may look fresh here, by the difference between
                // clocks. The feed may lack its invalidation.
                let at = &self.edges[edge];
                let later = at.local(now + at.set_back).plus(if questions == 0 { Duration::ZERO } else { SKEW });
                if at.set_back > 0 {
                    self.checks.served_by_slow_clock(&at.heard, &meta, body)?;
                }
                if meta.windows.freshness(later) == Freshness::Fresh {
                    self.checks.served_fresh(now, bound, &meta, body)?;
                    if (questions, newer_than) == (1, None) {
                        self.checks.served_unknowingly(told_at, &meta, body)?;
                    }
                }
            }
            CacheOutcome::Stale => {
                let heard = is_unanswered.then_some(&self.edges[edge].heard);
                self.checks.served_stale(told_at, heard, &meta, body)?;
                // Without an answer of the coordinator, availability wins.
                if (questions, told_at, is_unanswered) == (0, None, false) {
                    self.checks.served_without_feed(now, bound, &meta, body)?;
                }
            }
            CacheOutcome::Skip | CacheOutcome::Bypass => {}
        }
        let page = (meta.version, body);
        match keep {
            Some(WhenToKeep::AtOnce) => self.keep_whole(edge, key, StoredPage { meta, body }),
            Some(WhenToKeep::WhenWhole) => self.keep(edge, key, StoredPage { meta, body }),
            None => {}
        }
        let what = match outcome {
            CacheOutcome::Hit => "hit",
            CacheOutcome::Stale => "stale",
            CacheOutcome::Miss => "answered",
            CacheOutcome::Skip | CacheOutcome::Bypass => "relayed",
        };
        self.client_ends(id, what, outcome, Some(page))
    }

    /// Promise 2: a known invalidation of the path lifts a marker.
    fn check_mark(&mut self, id: u64, edge: usize, key: usize) -> CheckResult {
        let Some(Visit { questions: 0, .. }) = self.visits.get(&id) else { return Ok(()) };
        let (told_at, path) = (self.edges[edge].told_at, self.workshop.keys[key].path());
        match self.edges[edge].l1.get(&key) {
            Some(L1Slot { at, found: L1Entry::Pass(_) }) => self.checks.passed(*at, told_at, path),
            _ => Ok(()),
        }
    }

    pub(super) fn mark(&mut self, edge: usize, key: usize, mark: PassMarker) {
        let kept = L1Slot { at: self.now, found: L1Entry::Pass(mark) };
        self.edges[edge].l1.insert(key, kept);
    }

    /// Reports a served stale page to the coordinator, after the response.
    fn report(&mut self, edge: usize, key: usize, report: Report) -> CheckResult {
        let local = self.edges[edge].local(self.now);
        if !self.edges[edge].reports.begin(&self.workshop.keys[key], report.newer_than, local) {
            return Ok(());
        }
        self.checks.reports(edge, key, self.now, report.newer_than)?;
        let id = self.new_visit(edge, key, VisitKind::Report(report));
        let Report { version, newer_than, .. } = report;
        let due = self.now + self.latency();
        let asks = EdgeRequest { visit: id, number: 0, key, served: Some(version), newer_than, forwarded: None };
        self.queue.push(due, Arrival::Ask(asks));
        self.queue.push(self.now + millis(REPORT_PATIENCE), Arrival::GiveUp { visit: id, number: 0 });
        Ok(())
    }

    /// Ends a client's visit. Promise 4: no client waits longer than an edge may wait.
    fn client_ends(
        &mut self,
        id: u64,
        what: &str,
        outcome: CacheOutcome,
        page: Option<(Version, Body)>,
    ) -> CheckResult {
        let Some(visit) = self.visits.get(&id) else { return Ok(()) };
        let (took, questions) = (self.now - visit.began, visit.questions);
        let is_set_back = self.edges[visit.edge].set_back_at.is_some_and(|at| at >= visit.began);
        self.end(id, what, page);
        self.last_ended = Some(VisitResult { outcome, questions });
        // A clock that is set back meanwhile costs the client the time for which it waits for the coordinator, once more.
        let again = if is_set_back { millis(self.layout.config.miss_timeout) } else { 0 };
        promise(4, took <= LONGEST_VISIT + again, || format!("visit {id} has taken {took} ms"))
    }

    /// Records the result of a visit.
    pub(super) fn end(&mut self, id: u64, what: &str, page: Option<(Version, Body)>) {
        self.visits.remove(&id);
        let now = self.now;
        self.story.tell(now, || {
            let page = page.map(|(version, body)| format!(": {} showing {}", short(version), body.shows));
            format!("visit {id} {what}{}", page.unwrap_or_default())
        });
        self.log(id, what, page);
    }

    /// Records the coordinator's answer.
    pub(super) fn log_answer(&mut self, visit: u64, reply: &Reply, page: Option<&(PageMeta, Body)>) {
        let kind = match reply {
            Reply::Page { rendered, collapsed } => format!("page rendered={rendered} collapsed={collapsed}"),
            Reply::StandIn { reason } => format!("stand-in {reason}"),
            Reply::Relay { reason } => format!("relay {reason}"),
            other => format!("{other:?}"),
        };
        self.log(visit, &kind, page.map(|(page, body)| (page.version, *body)));
    }
}
