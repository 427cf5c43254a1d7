//! A coordinator that gets more requests than an object can take: the platform refuses the rest.
//!
//! An edge learns at once that its question was refused. After two refusals in a row, none of the clients that wait for
//! the same page asks for it.

use std::collections::{BTreeMap, VecDeque};

use super::checks::{CheckResult, promise};
use super::queue::{Arrival, EdgeRequest};
use super::random::Random;
use super::visits::VisitKind;
use super::world::World;
use crate::visit::{CallFailure, Company, Event, Question};

/// The time for which requests count, and after which refusals are forgotten, in milliseconds.
const SECOND: u64 = 1_000;

/// The budget of the objects of a world.
pub(super) struct Overload {
    /// The requests that an object takes in a second; `None` if it takes all.
    budget: Option<usize>,
    /// When each object has taken its last requests.
    taken: BTreeMap<usize, VecDeque<u64>>,
    /// The last refusals of each edge and page, one after another.
    refusals: BTreeMap<(usize, usize), Vec<u64>>,
}

impl Overload {
    /// Draws the budget of a seed's world, with random numbers of its own: other worlds stay as they are.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(24) ^ 0x6F76_6572);
        let budget = if random.one_in(4) { Some(random.pick(&[1, 2, 4])) } else { None };
        Self { budget, ..Self::none() }
    }

    /// Returns a budget for everything.
    pub(super) fn none() -> Self {
        Self { budget: None, taken: BTreeMap::new(), refusals: BTreeMap::new() }
    }

    /// Lets the objects take all requests from now on.
    pub(super) fn calm_down(&mut self) {
        self.budget = None;
    }

    /// Counts a request. Returns false if the object must not get it.
    fn takes(&mut self, object: usize, now: u64) -> bool {
        let Some(budget) = self.budget else { return true };
        let taken = self.taken.entry(object).or_default();
        while taken.front().is_some_and(|at| *at + SECOND <= now) {
            taken.pop_front();
        }
        if taken.len() >= budget {
            return false;
        }
        taken.push_back(now);
        true
    }

    /// Records that an edge has learnt of a refusal.
    fn refused(&mut self, edge: usize, key: usize, now: u64) {
        let refusals = self.refusals.entry((edge, key)).or_default();
        if refusals.last().is_some_and(|last| *last + SECOND <= now) {
            refusals.clear();
        }
        refusals.push(now);
    }

    /// Forgets the refusals that an edge has learnt of, for one page or for all.
    pub(super) fn forget(&mut self, edge: usize, key: Option<usize>) {
        self.refusals.retain(|(of, page), _| *of != edge || key.is_some_and(|key| key != *page));
    }

    /// Returns when an edge has learnt of the second or a later refusal in a row, if it was just now.
    fn last_of_several(&self, edge: usize, key: usize, now: u64) -> Option<u64> {
        let refusals = self.refusals.get(&(edge, key)).filter(|refusals| refusals.len() >= 2)?;
        refusals.last().copied().filter(|last| now < *last + SECOND)
    }
}

impl World<'_> {
    /// Delivers an edge's message to a coordinator, unless that one has too many requests.
    pub(super) fn ask_within_budget(&mut self, question: EdgeRequest) -> CheckResult {
        let EdgeRequest { visit, number, key, forwarded, .. } = question;
        let at = self.layout_of_visit(visit).owners[key];
        if forwarded.is_some() || self.overload.takes(at, self.now) {
            return self.ask(question);
        }
        let (now, shard) = (self.now, &self.layout.shards[at]);
        self.story.tell(now, || format!("{shard} is overloaded, and refuses visit {visit}"));
        let due = now + self.latency();
        self.queue.push(due, Arrival::Overloaded { visit, number });
        Ok(())
    }

    /// Delivers the refusal to the edge.
    pub(super) fn refused(&mut self, id: u64, number: u32) -> CheckResult {
        let Some(visit) = self.visits.get(&id).filter(|visit| visit.questions == number) else { return Ok(()) };
        match &visit.why {
            VisitKind::Client(_) => {
                if visit.asks_for_others() {
                    self.overload.refused(visit.edge, visit.key, self.now);
                }
                self.take(id, Event::NotAnswered(CallFailure::Overloaded))
            }
            VisitKind::Report(report) => {
                let report = *report;
                self.answer_report(id, &report, None);
                Ok(())
            }
            VisitKind::Last { .. } => Ok(()),
        }
    }

    /// Promise 10: a client that has waited for another one's question does not ask after two refusals in a row.
    pub(super) fn check_refusals(&self, edge: usize, key: usize, question: &Question) -> CheckResult {
        let Company::Waiting { since } = question.company else { return Ok(()) };
        let last = self.overload.last_of_several(edge, key, self.now);
        let has_waited = last.is_some_and(|last| since <= self.edges[edge].local(last));
        promise(10, !has_waited, || {
            format!("edge {edge} asks for page {key}, although two others were refused at {last:?}")
        })
    }
}
