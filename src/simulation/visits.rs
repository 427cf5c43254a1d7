//! Visitors: what becomes of a request at an edge, step by step.

use super::checks::{Checked, promise};
use super::edge::{Kept, POLL_PATIENCE, Refresh};
use super::queue::{Coming, Own};
use super::site::{Body, End, Plan};
use super::story::short;
use super::world::{EDGES, World};
use crate::coordinator::{Input, WaiterId};
use crate::fault::{self, Fault};
use crate::page::PageMeta;
use crate::protocol::Verdict;
use crate::semantics::freshness::Freshness;
use crate::serve::Judgement;
use crate::store::SKEW;
use crate::time::Timestamp;
use crate::version::Version;

/// How long an edge waits for the coordinator, in milliseconds: for a visitor, and behind a stale copy.
const MISS_PATIENCE: u64 = 15_000;
const STALE_PATIENCE: u64 = 25_000;

/// How long a stale page is not reported again after a report that brought nothing, in milliseconds.
const STALE_PAUSE: u64 = 1_000;

/// The rows of one answer to a poll: so few that some polls need several.
const FEED_ROWS: u32 = 3;

/// How long the feed may be behind, in milliseconds.
const BOUND: u64 = 10_000;

/// A request at an edge.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    edge: usize,
    key: usize,
    why: Why,
    /// A copy that may be served if there is nothing better.
    stand_in: Option<(PageMeta, Body)>,
    newer_than: Option<Timestamp>,
    /// Whether the coordinator was asked once more.
    asked_again: bool,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Why {
    Visitor,
    /// A stale copy was served.
    Report,
    /// All is well again, and must be seen to be. Holds the answer.
    Last(Option<(Verdict, Option<(PageMeta, Body)>)>),
}

impl World<'_> {
    /// Has a visitor come.
    pub(super) fn visit(&mut self) -> Checked {
        let (edge, key) = (self.random.index(EDGES), self.random.index(self.workshop.keys.len()));
        let id = self.new_visit(edge, key, Why::Visitor);
        let now = self.now;
        self.story.tell(now, || format!("visit {id} at edge {edge}: {}", self.workshop.keys[key]));
        let local = self.edges[edge].local(now);
        match self.edges[edge].refresh(local, BOUND) {
            Refresh::No => self.look(id),
            Refresh::Behind => {
                self.send_poll(edge, local);
                self.look(id)
            }
            Refresh::First => {
                self.send_poll(edge, local);
                self.edges[edge].waiting.push(id);
                Ok(())
            }
            Refresh::Wait => {
                self.edges[edge].waiting.push(id);
                Ok(())
            }
        }
    }

    fn new_visit(&mut self, edge: usize, key: usize, why: Why) -> u64 {
        self.last_visit += 1;
        let visit = Visit { edge, key, why, stand_in: None, newer_than: None, asked_again: false };
        self.visits.insert(self.last_visit, visit);
        self.last_visit
    }

    fn send_poll(&mut self, edge: usize, sent: u64) {
        let due = self.now + self.latency().min(POLL_PATIENCE);
        self.queue.push(due, Coming::Poll { edge, sent });
    }

    /// Has a poll reach the tag index; its answer is back at once.
    pub(super) fn poll(&mut self, edge: usize, sent: u64) -> Checked {
        let local = self.edges[edge].local(self.now);
        let fails = self.random.one_in(self.weather.tag_index_fails) || local > sent + POLL_PATIENCE;
        let mut is_over = true;
        if !fails && !fault::on(Fault::IgnoreFeed) {
            let since = self.edges[edge].feed.seq();
            let page = self.tag_index.feed(since, FEED_ROWS).expect("it is sound");
            is_over = !(page.more && page.seq > since);
            self.edges[edge].feed.extend(page);
        }
        if !is_over {
            self.send_poll(edge, sent);
            return Ok(());
        }
        let now = self.now;
        self.story.tell(now, || format!("edge {edge} has polled the feed: {}", if fails { "in vain" } else { "done" }));
        let waiting = self.edges[edge].polled(local, sent, !fails);
        waiting.into_iter().try_for_each(|visit| self.look(visit))
    }

    /// Looks for a copy in L1, then in L2, and judges it.
    fn look(&mut self, id: u64) -> Checked {
        let Some(Visit { edge, key, .. }) = self.visits.get(&id).cloned() else { return Ok(()) };
        let local = self.edges[edge].local(self.now);
        match self.edges[edge].l1.get(&key).filter(|_| !self.random.one_in(20)).cloned() {
            Some(Kept::Page(page, body)) => return self.with_copy(id, page, body, false),
            Some(Kept::Pass { since, until })
                if self.edges[edge].passes(
                    self.workshop.keys[key].path(),
                    &self.workshop.route,
                    since,
                    until,
                    local,
                ) =>
            {
                return self.end(id, "passes", None);
            }
            _ => {}
        }
        let in_l2 = self.l2.read(self.now, edge, key, self.weather.l2_lag, &mut self.random);
        match in_l2.filter(|_| !self.random.one_in(self.weather.l2_unreadable)) {
            Some((page, body)) => self.with_copy(id, page, body, true),
            None => self.miss(id, None, None),
        }
    }

    fn with_copy(&mut self, id: u64, page: PageMeta, body: Body, from_l2: bool) -> Checked {
        let Visit { edge, key, .. } = self.visits[&id];
        let local = self.edges[edge].local(self.now);
        match self.edges[edge].judge(&page, &self.workshop.route, local, BOUND) {
            Judgement::Fresh => {
                self.checks.served_fresh(self.now, BOUND, &page, body)?;
                if from_l2 {
                    self.edges[edge].l1.insert(key, Kept::Page(page.clone(), body));
                }
                self.end(id, "hit", Some((page.version, body)))
            }
            Judgement::Stale { .. } => {
                self.end(id, "stale", Some((page.version, body)))?;
                self.report(edge, key, &page);
                Ok(())
            }
            Judgement::Unusable { stands_in } => {
                let newer_than = self.edges[edge].invalidated_at(&page, &self.workshop.route);
                self.miss(id, stands_in.then_some((page, body)), newer_than)
            }
        }
    }

    fn miss(&mut self, id: u64, stand_in: Option<(PageMeta, Body)>, newer_than: Option<Timestamp>) -> Checked {
        let Some(visit) = self.visits.get_mut(&id) else { return Ok(()) };
        visit.stand_in = stand_in;
        visit.newer_than = newer_than;
        let key = visit.key;
        let due = self.now + self.latency();
        self.queue.push(due, Coming::Ask { visit: id, key, served: None, newer_than });
        self.queue.push(self.now + MISS_PATIENCE, Coming::GiveUp { visit: id });
        Ok(())
    }

    /// Tells the coordinator behind the response that a stale copy was served.
    fn report(&mut self, edge: usize, key: usize, page: &PageMeta) {
        let local = self.edges[edge].local(self.now);
        if self.edges[edge].reported.get(&key).is_some_and(|until| local < *until) {
            return;
        }
        self.edges[edge].reported.insert(key, local + STALE_PATIENCE);
        let newer_than = self.edges[edge].invalidated_at(page, &self.workshop.route);
        let id = self.new_visit(edge, key, Why::Report);
        let due = self.now + self.latency();
        self.queue.push(due, Coming::Ask { visit: id, key, served: Some(page.version), newer_than });
        self.queue.push(self.now + STALE_PATIENCE, Coming::GiveUp { visit: id });
    }

    /// Has an edge's message reach the coordinator.
    pub(super) fn ask(
        &mut self,
        visit: u64,
        key: usize,
        served: Option<Version>,
        newer_than: Option<Timestamp>,
    ) -> Checked {
        self.last_waiter += 1;
        let waiter = WaiterId(self.last_waiter);
        self.asked.insert(waiter, (visit, key));
        self.checks.asked(waiter, newer_than);
        if newer_than.is_some() {
            self.checks.lift(key);
        }
        let (now, workshop) = (self.now, self.workshop);
        self.story.tell(now, || {
            let served = served.map_or_else(|| "nothing".to_owned(), short);
            let newer = newer_than.map_or_else(String::new, |time| format!(", newer than {}", time.as_millis()));
            format!("visit {visit} asks as {}: {} in place of {served}{newer}", waiter.0, workshop.keys[key])
        });
        let patience = if served.is_some() { STALE_PATIENCE } else { MISS_PATIENCE };
        let outcome = Own::TimedOut { waiter };
        self.queue.push(now + patience, Coming::Own { life: self.object.life, outcome });
        let (shard, key) = (workshop.shard.clone(), workshop.keys[key].clone());
        self.give(Input::Request { waiter, shard, key, served, newer_than, forwarded: false })
    }

    /// Has the coordinator stop waiting on behalf of a request. Promise 4: it must have been waiting for something.
    pub(super) fn time_out(&mut self, waiter: WaiterId) -> Checked {
        if !self.checks.timed_out(waiter) {
            return Ok(());
        }
        let now = self.now;
        self.story.tell(now, || format!("{} has waited for long enough", waiter.0));
        if let Some((visit, key)) = self.asked.remove(&waiter) {
            let reads = |coming: &Coming| {
                let wanted =
                    if let Coming::Own { outcome: Own::Read(wanted), .. } = coming { Some(wanted) } else { None };
                wanted.is_some_and(|wanted| wanted.waiters.contains(&waiter))
            };
            let waits = self.entry(key).lease.is_some() || self.queue.any(reads);
            promise(4, waits, || format!("{waiter:?} is forgotten"))?;
            let due = now + self.latency();
            self.queue.push(due, Coming::Answer { visit, answer: None });
        }
        self.give(Input::TimedOut { waiter })
    }

    /// Has the coordinator's answer reach the edge.
    pub(super) fn answer(&mut self, id: u64, answer: Option<(Verdict, Option<(PageMeta, Body)>)>) -> Checked {
        let Some(visit) = self.visits.get(&id).cloned() else { return Ok(()) };
        match visit.why {
            Why::Visitor => self.answer_visitor(id, &visit, answer),
            Why::Report => self.answer_report(id, &visit, answer),
            Why::Last(_) => {
                if let Some(visit) = self.visits.get_mut(&id) {
                    visit.why = Why::Last(answer);
                }
                Ok(())
            }
        }
    }

    fn answer_visitor(
        &mut self,
        id: u64,
        visit: &Visit,
        answer: Option<(Verdict, Option<(PageMeta, Body)>)>,
    ) -> Checked {
        let (edge, key) = (visit.edge, visit.key);
        let local = self.edges[edge].local(self.now);
        match answer {
            Some((Verdict::Page { .. }, Some((page, body)))) => {
                let invalid_since = self.edges[edge].invalidated_at(&page, &self.workshop.route);
                if invalid_since > visit.newer_than && !visit.asked_again {
                    let again = Visit { newer_than: invalid_since, asked_again: true, ..visit.clone() };
                    self.visits.insert(id, again);
                    let due = self.now + self.latency();
                    self.queue.push(due, Coming::Ask { visit: id, key, served: None, newer_than: invalid_since });
                    return Ok(());
                }
                // What the coordinator has made stale from now on may look fresh here for as long as clocks differ.
                let later = Timestamp::from_millis(local).plus(SKEW);
                if page.windows.freshness(later) == Freshness::Fresh {
                    self.checks.served_fresh(self.now, BOUND, &page, body)?;
                }
                let version = page.version;
                self.keep(edge, key, page, body);
                self.end(id, "answered", Some((version, body)))
            }
            Some((Verdict::StandIn { .. }, Some((page, body)))) => {
                self.end(id, "stands in", Some((page.version, body)))
            }
            Some((Verdict::Pass { until, .. }, _)) => {
                let mark = Kept::Pass { since: local, until: until.as_millis() };
                self.edges[edge].l1.insert(key, mark);
                self.end(id, "passes", None)
            }
            _ => self.without_answer(id, visit),
        }
    }

    fn answer_report(
        &mut self,
        id: u64,
        visit: &Visit,
        answer: Option<(Verdict, Option<(PageMeta, Body)>)>,
    ) -> Checked {
        let (edge, key) = (visit.edge, visit.key);
        let local = self.edges[edge].local(self.now);
        let is_replaced = match answer {
            Some((Verdict::Page { .. }, Some((page, body)))) => {
                self.keep(edge, key, page, body);
                true
            }
            Some((Verdict::Pass { until, .. }, _)) => {
                self.edges[edge].l1.insert(key, Kept::Pass { since: local, until: until.as_millis() });
                true
            }
            _ => false,
        };
        if is_replaced {
            self.edges[edge].reported.remove(&key);
        } else {
            self.edges[edge].reported.insert(key, local + STALE_PAUSE);
        }
        self.end(id, "reported", None)
    }

    /// Keeps a page in L1, once all of it has come.
    fn keep(&mut self, edge: usize, key: usize, page: PageMeta, body: Body) {
        if page.body_bytes.is_some() {
            self.edges[edge].l1.insert(key, Kept::Page(page, body));
        } else if let Some(render) = self.object.renders.get_mut(&page.version).filter(|render| !render.has_ended) {
            render.readers.push((edge, page));
        } else if self.whole.contains(&page.version) {
            self.edges[edge].l1.insert(key, Kept::Page(page, body));
        }
    }

    /// Has the edges that read an answer as it comes see its end.
    pub(super) fn end_readers(&mut self, key: usize, token: Version, readers: Vec<(usize, PageMeta)>, plan: Plan) {
        if plan.end == End::Page {
            self.whole.insert(token);
            for (edge, page) in readers {
                self.edges[edge].l1.insert(key, Kept::Page(page, plan.body));
            }
        }
    }

    /// Has an edge stop waiting for an answer.
    pub(super) fn give_up(&mut self, id: u64) -> Checked {
        let Some(visit) = self.visits.get(&id).cloned() else { return Ok(()) };
        match visit.why {
            Why::Visitor => self.without_answer(id, &visit),
            Why::Report => self.answer_report(id, &visit, None),
            Why::Last(_) => Ok(()),
        }
    }

    fn without_answer(&mut self, id: u64, visit: &Visit) -> Checked {
        match &visit.stand_in {
            Some((page, body)) => self.end(id, "has to do", Some((page.version, *body))),
            None => self.end(id, "goes to the site", None),
        }
    }

    fn end(&mut self, id: u64, what: &str, page: Option<(Version, Body)>) -> Checked {
        self.visits.remove(&id);
        let now = self.now;
        self.story.tell(now, || {
            let page = page.map(|(version, body)| format!(": {} showing {}", short(version), body.shows));
            format!("visit {id} {what}{}", page.unwrap_or_default())
        });
        self.log(id, what, page);
        Ok(())
    }

    /// Notes what the coordinator has answered.
    pub(super) fn log_answer(&mut self, visit: u64, verdict: &Verdict, page: Option<&(PageMeta, Body)>) {
        let kind = match verdict {
            Verdict::Page { rendered, collapsed } => format!("page rendered={rendered} collapsed={collapsed}"),
            Verdict::StandIn { detail } => format!("stand-in {detail}"),
            Verdict::Relay { detail } => format!("relay {detail}"),
            other => format!("{other:?}"),
        };
        self.log(visit, &kind, page.map(|(page, body)| (page.version, *body)));
    }

    /// Has a visitor come to the coordinator when all is well again.
    pub(super) fn last_visit(&mut self, key: usize) -> Checked {
        let id = self.new_visit(0, key, Why::Last(None));
        self.ask(id, key, None, None)
    }

    /// Promise 4, when all is well again: whoever asks gets a page.
    pub(super) fn check_last_visits(&self) -> Checked {
        for visit in self.visits.values() {
            if let Why::Last(answer) = &visit.why {
                let is_page = matches!(answer, Some((Verdict::Page { .. }, Some(_))));
                let key = &self.workshop.keys[visit.key];
                promise(4, is_page, || format!("{key} can't be had when all is well: {answer:?}"))?;
            }
        }
        Ok(())
    }
}
