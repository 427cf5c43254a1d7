//! Requests of one isolate that need the same page from its coordinator: one asks, and the others wait for its answer.
//!
//! A coordinator accepts some 1,000 requests a second, so a crowd must not reach it one by one. On the platform a request
//! can't await the promise of another one. The waiting requests look at this record with timers of their own, and read
//! the page from L1 once the answer is there.
//!
//! | the request that asks | the others |
//! |---|---|
//! | waits for its answer | wait, each at most for its own `miss_timeout` |
//! | has waited for [`LEAD`]: the render is slow, or its client has left | one of them asks as well, and so on each [`LEAD`] |
//! | gets a page, whose body arrives | wait for [`BODY_PATIENCE`]. Most bodies are complete by then. From then on they ask, a [few](FEW) at a time: the coordinator shares a body that is growing, and a client should not wait for its last byte |
//! | has put the page into L1 | read it there, and judge it by what they know |
//! | gets an answer without a page: pass, refused, unavailable | take the same answer |
//! | gets a page that L1 does not keep, or L1 keeps nothing | ask, a few at a time |
//! | gets no answer | one of them asks again. If that fails too, all go on as the first one did |
//!
//! A request asks at once, without waiting for the others, if it knows of a later invalidation than they, or if its client
//! can render the page. The record has a bound; above it, requests ask as if they were alone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::Reply;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::step::{CallFailure, Company, Event, Others, Question, Step};

/// How long a request asks before another one does so as well; at most half of the time for which it waits.
pub const LEAD: Duration = Duration::from_secs(1);

/// The least of it, for requests whose time is nearly over.
const SHORTEST_LEAD: Duration = Duration::from_millis(250);

/// Returns how long a request asks alone that waits for an answer for `patience`.
#[must_use]
pub fn lead(patience: Duration) -> Duration {
    LEAD.min(patience / 2).max(SHORTEST_LEAD)
}

/// The most requests that ask at the same time if they can't share an answer.
pub const FEW: usize = 4;

/// How long requests wait for a body that arrives.
pub const BODY_PATIENCE: Duration = Duration::from_millis(300);

/// How long a body may be arriving.
const LONGEST_BODY: Duration = Duration::from_secs(30);

/// How long a result counts for those that wait. They look more often than that.
const REMEMBERED: Duration = Duration::from_secs(2);

/// The number of failures after which nobody asks again.
const MOST_FAILURES: u32 = 2;

/// The most pages with a crowd.
const MAX_PAGES: usize = 1000;

/// The crowds of an isolate, by page.
#[derive(Clone, Debug, Default)]
pub struct Crowds {
    pages: BTreeMap<PageKey, Crowd>,
    last_asker: u64,
}

/// The requests for a page.
#[derive(Clone, Debug, Default)]
struct Crowd {
    asking: Vec<Asker>,
    /// The latest invalidation that a question has named.
    newer_than: Option<Timestamp>,
    result: Option<(Timestamp, CrowdResult)>,
    /// The number of questions without an answer, one after another.
    failures: u32,
    /// Whether a request has not found an answer in L1. Then nobody waits for L1 any more.
    is_missed: bool,
}

/// A request that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    number: u64,
    since: Timestamp,
    /// How long it asks alone.
    lead: Duration,
}

/// What a request does that needs an answer of the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Asks. [`Crowds::end`] follows, unless the client leaves.
    Ask(Option<Asker>),
    /// Waits, or takes over the result of another one.
    Others(Others),
    /// Goes on without an answer, as the others do.
    Failed(CallFailure),
}

/// The result of a question, for the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrowdResult {
    /// A page, whose body goes into L1 once it is complete.
    Arriving,
    /// The page is in L1.
    Kept,
    /// An answer without a page.
    Bare(Reply),
    /// A page that L1 does not keep.
    Unkept,
    /// No answer.
    Failed(CallFailure),
}

impl Crowds {
    /// Decides what a request does that has a question.
    #[must_use]
    pub fn turn(&mut self, key: &PageKey, question: &Question, now: Timestamp) -> Turn {
        if question.company == Company::Alone {
            return Turn::Ask(None);
        }
        if !self.pages.contains_key(key) {
            if self.pages.len() >= MAX_PAGES {
                self.pages.retain(|_, crowd| crowd.is_alive(now));
            }
            if self.pages.len() >= MAX_PAGES {
                return Turn::Ask(None);
            }
        }
        let crowd = self.pages.entry(key.clone()).or_default();
        crowd.forget_old(now);
        if let Some(turn) = crowd.result_for(question.company, now) {
            return turn;
        }
        if question.company == Company::Missed {
            crowd.result = Some((now, CrowdResult::Unkept));
            crowd.is_missed = true;
        }
        let is_newer = question.newer_than > crowd.newer_than;
        let most = crowd.most_at_a_time(now);
        if crowd.asking.len() >= most && !is_newer {
            return Turn::Others(if most == 1 { Others::Ask } else { Others::Queue });
        }
        self.last_asker += 1;
        let asker = Asker { number: self.last_asker, since: now, lead: lead(question.patience) };
        crowd.asking.push(asker);
        crowd.newer_than = crowd.newer_than.max(question.newer_than);
        Turn::Ask(Some(asker))
    }

    /// Ends a question.
    pub fn end(&mut self, key: &PageKey, asker: Asker, result: CrowdResult, now: Timestamp) {
        let Some(crowd) = self.pages.get_mut(key) else { return };
        crowd.asking.retain(|other| *other != asker);
        crowd.failures = if matches!(result, CrowdResult::Failed(_)) { crowd.failures + 1 } else { 0 };
        let arrives = |result: &CrowdResult| *result == CrowdResult::Arriving;
        let result = if arrives(&result) && crowd.is_missed { CrowdResult::Unkept } else { result };
        // The others have waited since the body began to arrive.
        if !(arrives(&result) && crowd.result.as_ref().is_some_and(|(_, known)| arrives(known))) {
            crowd.result = Some((now, result));
        }
    }

    /// Records that an arriving body is complete, and in L1 if L1 keeps anything.
    pub fn filled(&mut self, key: &PageKey, now: Timestamp) {
        if let Some(crowd) = self.pages.get_mut(key).filter(|crowd| !crowd.is_missed) {
            crowd.result = Some((now, CrowdResult::Kept));
        }
    }
}

impl Crowd {
    fn is_alive(&self, now: Timestamp) -> bool {
        self.asking.iter().any(|asker| asker.is_leading(now)) || self.has_result(now)
    }

    fn has_result(&self, now: Timestamp) -> bool {
        self.result.as_ref().is_some_and(|(at, result)| {
            let counts_for = if *result == CrowdResult::Arriving { LONGEST_BODY } else { REMEMBERED };
            // A result from the future is from before the clock was set back.
            *at <= now && now.since(*at) < counts_for
        })
    }

    fn forget_old(&mut self, now: Timestamp) {
        self.asking.retain(|asker| asker.is_leading(now));
        if !self.has_result(now) {
            self.result = None;
        }
        if self.asking.is_empty() && self.result.is_none() {
            *self = Self::default();
        }
    }

    /// Returns what a result means for a request; `None` if it has to ask.
    fn result_for(&self, company: Company, now: Timestamp) -> Option<Turn> {
        let (at, result) = self.result.as_ref()?;
        let has_waited = matches!(company, Company::Waiting { since } if since <= *at);
        match result {
            CrowdResult::Arriving if company != Company::Missed && now.since(*at) < BODY_PATIENCE => {
                Some(Turn::Others(Others::Ask))
            }
            CrowdResult::Kept if has_waited => Some(Turn::Others(Others::Kept)),
            CrowdResult::Bare(reply) if has_waited => Some(Turn::Others(Others::Answered(reply.clone()))),
            CrowdResult::Failed(failure) if has_waited && self.failures >= MOST_FAILURES => {
                Some(Turn::Failed(*failure))
            }
            _ => None,
        }
    }

    fn most_at_a_time(&self, now: Timestamp) -> usize {
        match &self.result {
            Some((_, CrowdResult::Unkept)) => FEW,
            Some((at, CrowdResult::Arriving)) if now.since(*at) >= BODY_PATIENCE => FEW,
            _ => 1,
        }
    }
}

impl Asker {
    fn is_leading(self, now: Timestamp) -> bool {
        now.since(self.since) < self.lead && self.since.since(now) < self.lead
    }
}

/// A request's part in the crowd of its page, for the performer of a visit.
#[derive(Debug, Default)]
pub struct CrowdPart {
    asker: Option<Asker>,
    heard: Option<CrowdResult>,
}

impl CrowdPart {
    /// Records that the request asks.
    pub fn asks(&mut self, asker: Option<Asker>) {
        *self = Self { asker, heard: None };
    }

    /// Records an event, before the visit handles it.
    pub fn hears<B>(&mut self, event: &Event<B>) {
        let heard = match event {
            Event::Answered(answer) if answer.page.is_none() => Some(CrowdResult::Bare(answer.reply.clone())),
            Event::Answered(_) => Some(CrowdResult::Unkept),
            Event::NotAnswered(failure) => Some(CrowdResult::Failed(*failure)),
            _ => None,
        };
        self.heard = heard.or_else(|| self.heard.take());
    }

    /// Returns the result of the request's question for [`Crowds::end`], once the visit has decided on these steps.
    pub fn result<B>(&mut self, steps: &[Step<B>]) -> Option<(Asker, CrowdResult)> {
        let goes_on = |step: &Step<B>| matches!(step, Step::Ask(_) | Step::RefreshFeed);
        if self.asker.is_none() || self.heard.is_none() || steps.iter().any(goes_on) {
            return None;
        }
        let is_kept = |step: &Step<B>| match step {
            Step::Serve(served) => served.keep.is_some(),
            Step::Keep(..) => true,
            _ => false,
        };
        let heard = self.heard.take()?;
        let result = if steps.iter().any(is_kept) { CrowdResult::Arriving } else { heard };
        Some((self.asker.take()?, result))
    }
}

#[cfg(test)]
mod tests;
