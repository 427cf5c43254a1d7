//! Decides what a coordinator's answer means, and what happens if there is no answer.
//!
//! Availability wins. Without an answer, these are tried in turn:
//!
//! | step | `X-ISR-Status` | reason in `Cache-Status` |
//! |---|---|---|
//! | the page at hand, if it may be served and is not known to be purged | `STALE` | the failure |
//! | L1, read a few times, if another request of this colo may have stored the page | `HIT`, `STALE` | `l1-after-` and the failure |
//! | the origin itself, uncollapsed and uncached | `SKIP` | the failure |
//!
//! A page whose validity is unknown stands in only without an answer of the coordinator. If the coordinator answers that
//! it has no page to serve, or refuses the question, this one may have been purged.

use std::time::Duration;

use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Forward};
use crate::time::CLOCK_DIFFERENCE;
use crate::visit::judge::Judgement;
use crate::visit::machine::{Asking, Retrying, State, Transition, View, pass};
use crate::visit::step::{Company, CoordinatorReply, L1Entry, PassMarker, ServedPage, Step, StoredPage, WhenToKeep};

/// The pauses before each read of L1: after 100, 300 and 600 ms.
const PAUSES: &[Duration] = &[Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(300)];

/// A single read of L1 without a pause, because the client has already waited for as long as it may.
const NO_PAUSE: &[Duration] = &[Duration::ZERO];

impl View<'_> {
    /// Decides what an answer means. If this edge knows of an invalidation of the answer that the coordinator does not
    /// know yet, the edge asks once more. It also does so if rows have left the feed since the question that neither the
    /// edge nor the coordinator may have known then.
    pub(super) fn answered<B>(self, asking: Asking<B>, answer: CoordinatorReply<B>) -> Transition<B> {
        if !asking.is_refreshed && self.needs_feed(&answer) {
            // The feed was refreshed before the coordinator was asked, and may have aged since.
            let unjudged = (Asking { is_refreshed: true, ..asking }, answer);
            return (State::Refreshing(Box::new(unjudged)), vec![Step::RefreshFeed]);
        }
        let CoordinatorReply { reply, page } = answer;
        match (&reply, page) {
            (Reply::Page { rendered, .. }, Some(page)) if self.is_outdated(&asking, *rendered, &page) => {
                let newer_than = self.invalidated_at(&page.meta);
                let (state, steps) =
                    self.ask_until(Asking { newer_than, is_again: true, company: Company::Alone, ..asking });
                (state, discard(page).chain(steps).collect())
            }
            (_, Some(page)) if page.meta.key == *self.request.key => self.with_answer(asking, reply, page),
            (_, page) => {
                let (state, steps) = self.with_bare_answer(asking, reply);
                (state, page.into_iter().flat_map(discard).chain(steps).collect())
            }
        }
    }

    fn is_outdated<B>(self, asking: &Asking<B>, rendered: bool, page: &StoredPage<B>) -> bool {
        let is_doubtful = !rendered && !self.can_tell_of_answer(asking, &page.meta);
        let is_old = is_doubtful || self.invalidated_at(&page.meta) > asking.newer_than;
        !asking.is_again && page.meta.key == *self.request.key && is_old
    }

    fn can_tell_of_answer<B>(self, asking: &Asking<B>, meta: &PageMeta) -> bool {
        let bound = self.request.freshness_bound;
        self.polling.can_tell(meta.render_start(), Some(asking.vouched), self.now, bound)
    }

    /// Returns whether the feed is too old to judge an answer.
    fn needs_feed<B>(self, answer: &CoordinatorReply<B>) -> bool {
        match (&answer.reply, &answer.page) {
            (Reply::Page { rendered, .. }, Some(page)) => !self.is_recent(*rendered, &page.meta),
            _ => false,
        }
    }

    /// Returns whether no invalidation of a page that the coordinator sends can be older than `freshness_bound`: the
    /// edge knows all of them, or the page was rendered for this request, by a render that began later than that.
    fn is_recent(self, rendered: bool, meta: &PageMeta) -> bool {
        let freshness_bound = self.request.freshness_bound;
        let start = meta.render_start();
        // If it began in the future, the clock was set back, and nobody knows how long the render has taken. Versions may
        // be ahead by another second: they follow the invalidations, which are.
        let is_timed = start.since(self.now) <= CLOCK_DIFFERENCE * 2;
        let is_new = rendered && is_timed && self.now.since(start) + CLOCK_DIFFERENCE < freshness_bound;
        is_new || self.polling.is_current(self.now, freshness_bound)
    }

    /// Decides what an answer means that contains the requested page.
    fn with_answer<B>(self, asking: Asking<B>, reply: Reply, page: StoredPage<B>) -> Transition<B> {
        let page = page.vouched_for(asking.vouched);
        let ttl = page.meta.windows.ttl_seconds(self.now);
        match reply {
            // The edge was told so twice: the coordinator has not heard of the invalidation yet.
            Reply::Page { rendered: true, .. } if !self.may_stand_in(&page.meta) => {
                let (state, steps) = self.without_answer(Reason::Invalidated, None);
                (state, discard(page).chain(steps).collect())
            }
            Reply::Page { rendered: true, collapsed } => {
                let fwd_status = Some(page.meta.status);
                let status = CacheStatus { fwd_status, stored: true, collapsed, ..forwarded(&asking) };
                let (outcome, reason) = match self.invalidated_at(&page.meta) {
                    Some(_) => (CacheOutcome::Stale, Some(Reason::Invalidated)),
                    None if self.is_recent(true, &page.meta) => (CacheOutcome::Miss, None),
                    None => (CacheOutcome::Stale, Some(Reason::FeedUnavailable)),
                };
                let status = status.with_detail(reason);
                self.serve(served(page, outcome, status, Some(WhenToKeep::WhenWhole)))
            }
            Reply::Page { rendered: false, .. } if !self.can_tell(&page.meta) => {
                let (state, steps) = self.without_answer(Reason::Invalidated, None);
                (state, discard(page).chain(steps).collect())
            }
            Reply::Page { rendered: false, .. } => {
                // Another colo's request rendered the page; L2 did not show it yet.
                let (outcome, reason) = match self.judge(&page.meta) {
                    Judgement::Fresh => (CacheOutcome::Hit, Reason::Coordinator),
                    // The coordinator may not know of all invalidations that are recorded.
                    Judgement::Stale { reason } => (CacheOutcome::Stale, reason),
                    Judgement::Unusable { .. } | Judgement::Unknown { .. } => {
                        let is_invalidated = self.invalidated_at(&page.meta).is_some();
                        (CacheOutcome::Stale, if is_invalidated { Reason::Invalidated } else { Reason::Aged })
                    }
                };
                let status = CacheStatus::hit(ttl).with_detail(Some(reason));
                self.serve(served(page, outcome, status, Some(WhenToKeep::WhenWhole)))
            }
            Reply::StandIn { reason } if self.may_stand_in(&page.meta) => stand_in(self, page, reason),
            Reply::Relay { reason } => {
                if let Some(copy) = asking.stand_in.filter(|page| self.stands_in_for_answer(&page.meta)) {
                    let (state, steps) = stand_in(self, copy, reason);
                    return (state, discard(page).chain(steps).collect());
                }
                let fwd_status = Some(page.meta.status);
                let status = CacheStatus { fwd_status, ..CacheStatus::forwarded(Forward::UriMiss) };
                self.serve(served(page, CacheOutcome::Skip, status.with_detail(Some(reason)), None))
            }
            reply => {
                let (state, steps) = self.with_bare_answer(asking, reply);
                (state, discard(page).chain(steps).collect())
            }
        }
    }

    /// Returns whether a page may be served although the coordinator has answered that it has none: the edge must be able
    /// to tell that the page was not purged.
    fn stands_in_for_answer(self, meta: &PageMeta) -> bool {
        self.may_stand_in(meta) && self.can_tell(meta)
    }

    /// Decides what an answer means that has no page, or no usable page.
    fn with_bare_answer<B>(self, asking: Asking<B>, reply: Reply) -> Transition<B> {
        match reply {
            Reply::Pass { until, reason } => {
                let reason = reason.unwrap_or(Reason::NotStored);
                let (state, mut steps) = pass(reason);
                steps.insert(0, Step::MarkPass(PassMarker { since: self.now, until, reason }));
                (state, steps)
            }
            Reply::Unavailable { retry_at, reason } => {
                let status = forwarded(&asking).with_detail(Some(reason));
                match asking.stand_in.filter(|page| self.stands_in_for_answer(&page.meta)) {
                    Some(page) => stand_in(self, page, reason),
                    None => (State::Over, vec![Step::Unavailable { retry_at, status }]),
                }
            }
            Reply::Lease { shard, token } if self.request.renders => (State::Over, vec![Step::Lease { shard, token }]),
            // This edge may know of a purge of the page that the coordinator would serve instead.
            Reply::StandIn { reason } | Reply::Refused { reason } => {
                self.without_answer(reason, asking.stand_in.filter(|page| self.can_tell(&page.meta)))
            }
            Reply::Page { .. } | Reply::Relay { .. } | Reply::Unchanged | Reply::Lease { .. } => {
                self.without_answer(Reason::CoordinatorFailed, asking.stand_in)
            }
        }
    }

    /// Continues without an answer: with the page at hand, or by reading L1 again.
    pub(super) fn without_answer<B>(self, failure: Reason, at_hand: Option<StoredPage<B>>) -> Transition<B> {
        match at_hand.filter(|page| self.may_stand_in(&page.meta)) {
            Some(page) => stand_in(self, page, failure),
            None if !failure.may_be_in_l1_soon() => pass(failure),
            None => retry(failure, if failure.has_waited_in_full() { NO_PAUSE } else { PAUSES }),
        }
    }

    /// Continues with the result of reading L1 after the coordinator has failed.
    pub(super) fn retried<B>(self, retrying: &Retrying, found: L1Entry<B>) -> Transition<B> {
        match found {
            L1Entry::Page(page) => {
                let outcome = match self.judge(&page.meta) {
                    Judgement::Fresh => CacheOutcome::Hit,
                    Judgement::Stale { .. } => CacheOutcome::Stale,
                    // The coordinator has answered: a page of which the edge can't tell whether it was purged does not
                    // stand in, whether or not a later invalidation of it is known.
                    Judgement::Unusable { stands_in: true } | Judgement::Unknown { stands_in: true }
                        if retrying.failure.is_silence() || self.can_tell(&page.meta) =>
                    {
                        CacheOutcome::Stale
                    }
                    Judgement::Unusable { .. } | Judgement::Unknown { .. } => {
                        return retry(retrying.failure, retrying.pauses);
                    }
                };
                let status = CacheStatus::hit(page.meta.windows.ttl_seconds(self.now)).with_l1_after(retrying.failure);
                self.serve(served(page, outcome, status, None))
            }
            L1Entry::Pass(mark) if self.passes(mark) => pass(mark.reason),
            L1Entry::Pass(_) | L1Entry::Nothing => retry(retrying.failure, retrying.pauses),
        }
    }
}

/// Reads L1 again after the next pause. Passes to the origin if no pause is left.
fn retry<B>(failure: Reason, pauses: &'static [Duration]) -> Transition<B> {
    match pauses {
        [] => pass(failure),
        [Duration::ZERO, pauses @ ..] => {
            (State::Retrying(Retrying { failure, is_reading: true, pauses }), vec![Step::ReadL1])
        }
        [pause, pauses @ ..] => {
            (State::Retrying(Retrying { failure, is_reading: false, pauses }), vec![Step::Wait(*pause)])
        }
    }
}

/// Serves a page in place of the requested one.
fn stand_in<B>(view: View<'_>, page: StoredPage<B>, reason: Reason) -> Transition<B> {
    let status = CacheStatus::hit(page.meta.windows.ttl_seconds(view.now)).with_detail(Some(reason));
    view.serve(served(page, CacheOutcome::Stale, status, None))
}

fn served<B>(
    page: StoredPage<B>,
    outcome: CacheOutcome,
    status: CacheStatus,
    keep: Option<WhenToKeep>,
) -> ServedPage<B> {
    ServedPage { page, outcome, status, keep, is_for_downstream: false }
}

/// Describes a request that passes to the origin because there is no page, or because the page at hand is not usable.
pub(super) fn forwarded<B>(asking: &Asking<B>) -> CacheStatus {
    CacheStatus::forwarded(if asking.stand_in.is_some() { Forward::Stale } else { Forward::UriMiss })
}

fn discard<B>(page: StoredPage<B>) -> std::iter::Once<Step<B>> {
    std::iter::once(Step::Discard(page.body))
}
