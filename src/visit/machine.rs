//! The state machine of one request for a page: what L1 and L2 have, and whether that is usable.

use std::fmt;
use std::mem;
use std::time::Duration;

use crate::invalidation::Mode;
use crate::page::{PageMeta, Vouched};
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Forward};
use crate::semantics::key::PageKey;
use crate::semantics::vary::Visitor;
use crate::time::{CLOCK_DIFFERENCE, Timestamp};
use crate::visit::judge::{Judgement, judge};
use crate::visit::polling::Polling;
use crate::visit::step::{
    Company, CoordinatorReply, Event, L1Entry, PassMarker, Question, Report, ServedPage, Step, StoredPage, WhenToKeep,
};

/// The headers of the client's request, for pages that are not for every client.
#[derive(Clone, Copy)]
pub struct Sent<'a>(pub &'a dyn Visitor);

impl fmt::Debug for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sent(..)")
    }
}

/// The subject of a visit, and its limits.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The page.
    pub key: &'a PageKey,
    /// Its route.
    pub route: &'a RouteId,
    /// The headers of the request.
    pub sent: Sent<'a>,
    /// Whether the client can render the page itself.
    pub renders: bool,
    /// The setting `freshness_bound`.
    pub freshness_bound: Duration,
    /// The setting `miss_timeout`.
    pub miss_timeout: Duration,
    /// The setting `pass_ttl`.
    pub pass_ttl: Duration,
}

/// One request for a page of a route.
#[derive(Debug)]
pub struct Visit<'a, B> {
    request: Request<'a>,
    state: State<B>,
}

/// The event that a visit waits for.
#[derive(Debug)]
pub(super) enum State<B> {
    /// The feed and L1, with the results so far.
    Looking { is_feed_ready: bool, found: Option<L1Entry<B>> },
    /// The feed, to judge the page that is in memory.
    Remembering(StoredPage<B>),
    /// L2.
    ReadingL2,
    /// The coordinator.
    Asking(Asking<B>),
    /// A pause, while another request of the isolate asks.
    Following(Asking<B>),
    /// L1, where another request of the isolate has put the page.
    Joining(Asking<B>),
    /// The feed, to judge the coordinator's answer.
    Refreshing(Box<(Asking<B>, CoordinatorReply<B>)>),
    /// After the coordinator has failed: L1, or the pause before it is read again.
    Retrying(Retrying),
    /// Nothing: the visit is over.
    Over,
}

/// A question that is not answered yet.
#[derive(Debug)]
pub(super) struct Asking<B> {
    /// A page that may be served if there is no answer.
    pub(super) stand_in: Option<StoredPage<B>>,
    /// As in [`Question`].
    pub(super) newer_than: Option<Timestamp>,
    /// Whether the edge knew of an invalidation of the first answer.
    pub(super) is_again: bool,
    /// Whether the feed was refreshed for an answer.
    pub(super) is_refreshed: bool,
    /// How long the client waits.
    pub(super) deadline: Timestamp,
    /// What an answer is worth: the knowledge at the time of the question.
    pub(super) vouched: Vouched,
    /// As in [`Question`].
    pub(super) company: Company,
    /// The number of pauses so far while another request asks.
    pub(super) pauses: u32,
}

/// Reads of L1 after a failure: another request of this colo may have stored the page.
#[derive(Debug)]
pub(super) struct Retrying {
    /// Why there is no answer from the coordinator.
    pub(super) failure: Reason,
    /// Whether L1 is being read. Otherwise the pause before it is running.
    pub(super) is_reading: bool,
    /// The pauses before each further read.
    pub(super) pauses: &'static [Duration],
}

/// The next state, and the steps to perform.
pub(super) type Transition<B> = (State<B>, Vec<Step<B>>);

/// The inputs of a decision besides the event.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) request: Request<'a>,
    pub(super) now: Timestamp,
    pub(super) polling: &'a Polling,
}

/// Where a page was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Memory,
    L1,
    L2,
    /// L2, by the read of another request, which puts the page into L1.
    OthersL2,
}

impl Tier {
    /// Returns the reason that names the tier in `Cache-Status`.
    const fn reason(self) -> Option<Reason> {
        match self {
            Self::Memory => Some(Reason::Memory),
            Self::L1 => None,
            Self::L2 | Self::OthersL2 => Some(Reason::L2),
        }
    }
}

impl<'a, B> Visit<'a, B> {
    /// Begins a visit, and returns the first step: [`Step::Look`].
    #[must_use]
    pub fn begin(request: Request<'a>) -> (Self, Vec<Step<B>>) {
        let state = State::Looking { is_feed_ready: false, found: None };
        (Self { request, state }, vec![Step::Look])
    }

    /// Begins a visit of a page that [`MemoryTier`](crate::visit::MemoryTier) has, and returns the first step:
    /// [`Step::RefreshFeed`].
    #[must_use]
    pub fn begin_with(request: Request<'a>, remembered: StoredPage<B>) -> (Self, Vec<Step<B>>) {
        (Self { request, state: State::Remembering(remembered) }, vec![Step::RefreshFeed])
    }

    /// Handles an event, and returns the steps to perform. An event that the visit does not wait for changes nothing.
    pub fn handle(&mut self, event: Event<B>, now: Timestamp, polling: &Polling) -> Vec<Step<B>> {
        let view = View { request: self.request, now, polling };
        let (state, steps) = match (mem::replace(&mut self.state, State::Over), event) {
            (State::Looking { found, is_feed_ready: false }, Event::FeedReady) => view.looked(true, found),
            (State::Looking { found: None, is_feed_ready }, Event::L1(found)) => {
                view.looked(is_feed_ready, Some(found))
            }
            (State::Remembering(page), Event::FeedReady) => view.remembered(page),
            (State::ReadingL2, Event::L2(Some(page))) => view.with_page(page, Tier::L2),
            (State::ReadingL2, Event::OthersL2(Some(page))) => view.with_page(page, Tier::OthersL2),
            (State::ReadingL2, Event::L2(None) | Event::OthersL2(None)) => view.ask(None, None),
            (State::Asking(asking), Event::Answered(answer)) => view.answered(asking, answer),
            (State::Refreshing(unjudged), Event::FeedReady) => {
                let (asking, answer) = *unjudged;
                view.answered(asking, answer)
            }
            (State::Asking(asking), Event::Others(others)) => view.others(asking, others),
            (State::Following(asking), Event::Waited) => view.ask_until(asking),
            (State::Joining(asking), Event::L1(found)) => view.joined(asking, found),
            (State::Asking(asking), Event::NotAnswered(failure)) => {
                view.without_answer(failure.reason(), asking.stand_in)
            }
            (State::Retrying(retrying), Event::Waited) if !retrying.is_reading => {
                (State::Retrying(Retrying { is_reading: true, ..retrying }), vec![Step::ReadL1])
            }
            (State::Retrying(retrying), Event::L1(found)) if retrying.is_reading => view.retried(&retrying, found),
            (state, _) => (state, Vec::new()),
        };
        self.state = state;
        steps
    }

    /// Returns whether the visit is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

impl View<'_> {
    /// Continues once the feed and L1 have both arrived: judges what L1 has by the feed.
    fn looked<B>(self, is_feed_ready: bool, found: Option<L1Entry<B>>) -> Transition<B> {
        match found {
            Some(found) if is_feed_ready => match found {
                L1Entry::Page(page) => self.with_page(page, Tier::L1),
                L1Entry::Pass(mark) if self.passes(mark) => pass(mark.reason),
                L1Entry::Pass(_) | L1Entry::Nothing => (State::ReadingL2, vec![Step::ReadL2]),
            },
            found => (State::Looking { is_feed_ready, found }, Vec::new()),
        }
    }

    /// Serves a page that is in memory, if it is fresh. L1 may have a newer one in place of any other.
    fn remembered<B>(self, page: StoredPage<B>) -> Transition<B> {
        let judgement = self.judge(&page.meta);
        if judgement == Judgement::Fresh || self.is_for_others(&page.meta) {
            return self.with_page(page, Tier::Memory);
        }
        // The page is fresh again once the feed has come.
        let is_doubted = judgement == Judgement::Stale { reason: Reason::FeedUnavailable };
        let unread = if is_doubted { Step::Discard(page.body) } else { Step::Forget(page.body) };
        (State::Looking { is_feed_ready: true, found: None }, vec![unread, Step::ReadL1])
    }

    fn with_page<B>(self, page: StoredPage<B>, tier: Tier) -> Transition<B> {
        let status = CacheStatus::hit(page.meta.windows.ttl_seconds(self.now));
        let source = tier.reason();
        let judgement = self.judge(&page.meta);
        if self.is_for_others(&page.meta) {
            // Otherwise each such request would read L2.
            let is_usable = matches!(judgement, Judgement::Fresh | Judgement::Stale { .. });
            let is_worth_keeping = tier == Tier::L2 && is_usable;
            return pass_over(page, is_worth_keeping.then_some(WhenToKeep::AtOnce));
        }
        match judgement {
            Judgement::Fresh => self.serve(ServedPage {
                page,
                outcome: CacheOutcome::Hit,
                status: status.with_detail(source),
                keep: (tier == Tier::L2).then_some(WhenToKeep::AtOnce),
                is_for_downstream: true,
            }),
            Judgement::Stale { reason } => {
                let report = Report {
                    version: page.meta.version,
                    newer_than: self.invalidated_at(&page.meta),
                    vouched: self.polling.vouch(self.now),
                };
                let (state, mut steps) = self.serve(ServedPage {
                    page,
                    outcome: CacheOutcome::Stale,
                    status: status.with_detail(Some(reason)),
                    keep: None,
                    is_for_downstream: false,
                });
                // The coordinator can't change that the feed is missing.
                if reason != Reason::FeedUnavailable {
                    steps.insert(0, Step::Report(report));
                }
                (state, steps)
            }
            Judgement::Unusable { stands_in } | Judgement::Unknown { stands_in } => {
                let newer_than = self.invalidated_at(&page.meta);
                self.ask(stands_in.then_some(page), newer_than)
            }
        }
    }

    /// Serves a page of L1, or asks for a better one.
    pub(super) fn with_l1_page<B>(self, page: StoredPage<B>) -> Transition<B> {
        self.with_page(page, Tier::L1)
    }

    /// Asks the coordinator, and waits for its answer.
    fn ask<B>(self, stand_in: Option<StoredPage<B>>, newer_than: Option<Timestamp>) -> Transition<B> {
        let deadline = self.now.plus(self.request.miss_timeout);
        let vouched = self.polling.vouch(self.now);
        let company = if self.request.renders { Company::Alone } else { Company::New };
        let (is_again, is_refreshed, pauses) = (false, false, 0);
        self.ask_until(Asking { stand_in, newer_than, is_again, is_refreshed, deadline, vouched, company, pauses })
    }

    /// Asks the coordinator, with the rest of the client's waiting time as the limit.
    pub(super) fn ask_until<B>(self, asking: Asking<B>) -> Transition<B> {
        // If the clock was set back, the deadline would be far away.
        let deadline = asking.deadline.min(self.now.plus(self.request.miss_timeout));
        let asking = Asking { vouched: self.polling.vouch(self.now), deadline, ..asking };
        let question = Question {
            newer_than: asking.newer_than,
            renders: self.request.renders,
            patience: asking.deadline.since(self.now),
            company: asking.company,
        };
        (State::Asking(asking), vec![Step::Ask(question)])
    }

    /// Returns whether a page is for other clients only: the request has a header that the page's `Vary` nominates. Such
    /// a request passes to the origin without a look at anything else, whether the page is fresh or not.
    fn is_for_others(self, meta: &PageMeta) -> bool {
        meta.rules.nominated().is_sent_by(self.request.sent.0)
    }

    /// Serves a page and ends the visit, unless the page is for other clients only.
    pub(super) fn serve<B>(self, served: ServedPage<B>) -> Transition<B> {
        if self.is_for_others(&served.page.meta) {
            return pass_over(served.page, served.keep);
        }
        (State::Over, vec![Step::Serve(served)])
    }

    /// Judges a page by what the edge knows at this moment.
    pub(super) fn judge(self, meta: &PageMeta) -> Judgement {
        judge(meta, self.request.route, self.polling, self.request.freshness_bound, self.now)
    }

    /// Returns the time of the latest known invalidation of a page.
    pub(super) fn invalidated_at(self, meta: &PageMeta) -> Option<Timestamp> {
        self.polling.known().invalidation_of(meta, self.request.route).map(|invalidated| invalidated.at)
    }

    /// Returns whether a page may be served in place of a better one. A purged page may not be; the edge may have
    /// learnt of the purge while it asked the coordinator.
    pub(super) fn may_stand_in(self, meta: &PageMeta) -> bool {
        let invalidated = self.polling.known().invalidation_of(meta, self.request.route);
        invalidated.is_none_or(|invalidated| invalidated.mode != Mode::Purge)
    }

    /// Returns whether the edge can tell if a page was invalidated.
    pub(super) fn can_tell(self, meta: &PageMeta) -> bool {
        self.polling.can_tell(
            meta.render_start(),
            meta.vouched.as_deref().copied(),
            self.now,
            self.request.freshness_bound,
        )
    }

    /// Returns whether a hit-for-pass marker holds: an invalidation of the path lifts it. If the edge can't tell whether
    /// there was one, it asks the coordinator, which sets a new marker.
    pub(super) fn passes(self, mark: PassMarker) -> bool {
        let path = self.request.key.path();
        let is_lifted = self.polling.known().path_invalidation(path, self.request.route, mark.since).is_some();
        let vouched = Vouched { up_to: Timestamp::default(), asked_at: mark.since };
        let can_tell = self.polling.can_tell(mark.since, Some(vouched), self.now, self.request.freshness_bound);
        if mark.since.since(self.now) > CLOCK_DIFFERENCE {
            // The clock was set back, and nobody knows when the marker was set.
            return false;
        }
        // The end is by the coordinator's clock, which may be far from this one.
        let until = mark.until.min(mark.since.plus(self.request.pass_ttl));
        self.now < until && !is_lifted && can_tell
    }
}

/// Passes to the origin, because the page is for other clients only, and ends the visit. The others find it in L1.
fn pass_over<B>(page: StoredPage<B>, keep: Option<WhenToKeep>) -> Transition<B> {
    let status = CacheStatus::forwarded(Forward::VaryMiss).with_detail(Some(Reason::Vary));
    let unread = match keep {
        Some(when) => Step::Keep(page, when),
        None => Step::Discard(page.body),
    };
    (State::Over, vec![unread, Step::Pass(status)])
}

/// Passes to the origin, because the page is not stored or not available here, and ends the visit.
pub(super) fn pass<B>(reason: Reason) -> Transition<B> {
    (State::Over, vec![Step::Pass(CacheStatus::forwarded(Forward::UriMiss).with_detail(Some(reason)))])
}
