//! What an edge and a coordinator say to each other, and what the edge makes of it.

use super::checks::{Checked, promise};
use super::edge::Kept;
use super::queue::{Coming, Own, Question, Told};
use super::site::{Body, End, Plan};
use super::story::short;
use super::visits::{BOUND, MISS_PATIENCE, STALE_PATIENCE, Visit, Why};
use super::world::World;
use crate::coordinator::{Input, WaiterId};
use crate::page::PageMeta;
use crate::protocol::Verdict;
use crate::semantics::freshness::Freshness;
use crate::tag_index::tables::SKEW;
use crate::time::Timestamp;
use crate::version::Version;

/// How long a stale page is not reported again after a report that brought nothing, in milliseconds.
const STALE_PAUSE: u64 = 1_000;

impl World<'_> {
    /// Has an edge's message reach the coordinator that owns the page, as far as the edge knows.
    pub(super) fn ask(&mut self, question: Question) -> Checked {
        let Question { visit, key, served, newer_than, forwarded } = question;
        self.last_waiter += 1;
        let waiter = WaiterId(self.last_waiter);
        self.asked.insert(waiter, question);
        let at = if forwarded { self.layout.owners[key] } else { self.layout_of_visit(visit).owners[key] };
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
        let patience = if served.is_some() { STALE_PATIENCE } else { MISS_PATIENCE };
        let outcome = Own::TimedOut { waiter };
        self.queue.push(now + patience, Coming::Own { object: at, life: self.objects[at].life, outcome });
        let (shard, key) = (self.layout.shards[at].clone(), workshop.keys[key].clone());
        self.give(at, Input::Request { waiter, shard, key, served, newer_than, forwarded })
    }

    /// Has the coordinator stop waiting on behalf of a request. Promise 4: it must have been waiting for something.
    pub(super) fn time_out(&mut self, at: usize, waiter: WaiterId) -> Checked {
        if !self.checks.timed_out(waiter) {
            return Ok(());
        }
        let now = self.now;
        self.story.tell(now, || format!("{} has waited for long enough", waiter.0));
        if let Some(Question { visit, key, .. }) = self.asked.remove(&waiter) {
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
        self.give(at, Input::TimedOut { waiter })
    }

    /// Has the coordinator's answer reach the edge.
    pub(super) fn answer(&mut self, id: u64, answer: Told) -> Checked {
        let Some(visit) = self.visits.get(&id).cloned() else { return Ok(()) };
        match visit.why {
            Why::Visitor => return self.answer_visitor(id, &visit, answer),
            Why::Report => self.answer_report(id, &visit, answer),
            Why::Last { .. } => {
                let got_page = matches!(answer, Some((Verdict::Page { .. }, Some(_))));
                self.visits.insert(id, Visit { why: Why::Last { got_page }, ..visit });
            }
        }
        Ok(())
    }

    fn answer_visitor(&mut self, id: u64, visit: &Visit, answer: Told) -> Checked {
        let (edge, key) = (visit.edge, visit.key);
        let local = self.edges[edge].local(self.now);
        match answer {
            Some((Verdict::Page { .. }, Some((page, body)))) => {
                let invalid_since = self.edges[edge].invalidated_at(&page, &self.layout.routes[key]);
                if invalid_since > visit.newer_than && !visit.asked_again {
                    let again = Visit { newer_than: invalid_since, asked_again: true, ..visit.clone() };
                    self.visits.insert(id, again);
                    let due = self.now + self.latency();
                    let newer_than = invalid_since;
                    let question = Question { visit: id, key, served: None, newer_than, forwarded: false };
                    self.queue.push(due, Coming::Ask(question));
                    return Ok(());
                }
                // What the coordinator has made stale from now on may look fresh here for as long as clocks differ.
                let later = Timestamp::from_millis(local).plus(SKEW);
                if page.windows.freshness(later) == Freshness::Fresh {
                    self.checks.served_fresh(self.now, BOUND, &page, body)?;
                }
                let version = page.version;
                self.keep(edge, key, page, body);
                self.end(id, "answered", Some((version, body)));
            }
            Some((Verdict::StandIn { .. }, Some((page, body)))) => {
                self.end(id, "stands in", Some((page.version, body)));
            }
            Some((Verdict::Pass { until, .. }, _)) => {
                let mark = Kept::Pass { since: local, until: until.as_millis() };
                self.edges[edge].l1.insert(key, mark);
                self.end(id, "passes", None);
            }
            _ => self.without_answer(id, visit),
        }
        Ok(())
    }

    fn answer_report(&mut self, id: u64, visit: &Visit, answer: Told) {
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
        self.end(id, "reported", None);
    }

    /// Keeps a page in L1, once all of it has come.
    fn keep(&mut self, edge: usize, key: usize, page: PageMeta, body: Body) {
        if page.body_bytes.is_some() {
            self.edges[edge].l1.insert(key, Kept::Page(page, body));
        } else if let Some(render) =
            self.objects[self.layout.owners[key]].renders.get_mut(&page.version).filter(|render| !render.has_ended)
        {
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
    pub(super) fn give_up(&mut self, id: u64) {
        let Some(visit) = self.visits.get(&id).cloned() else { return };
        match visit.why {
            Why::Visitor => self.without_answer(id, &visit),
            Why::Report => self.answer_report(id, &visit, None),
            Why::Last { .. } => {}
        }
    }

    fn without_answer(&mut self, id: u64, visit: &Visit) {
        match &visit.stand_in {
            Some((page, body)) => self.end(id, "has to do", Some((page.version, *body))),
            None => self.end(id, "goes to the site", None),
        }
    }

    /// Has a visitor come to the coordinator when all is well again.
    pub(super) fn last_visit(&mut self, key: usize) -> Checked {
        let id = self.new_visit(0, key, Why::Last { got_page: false });
        self.ask(Question { visit: id, key, served: None, newer_than: None, forwarded: false })
    }

    /// Promise 4, when all is well again: whoever asks gets a page.
    pub(super) fn check_last_visits(&self) -> Checked {
        for visit in self.visits.values() {
            if let Why::Last { got_page } = visit.why {
                let key = &self.workshop.keys[visit.key];
                promise(4, got_page, || format!("{key} can't be had when all is well"))?;
            }
        }
        Ok(())
    }
}
