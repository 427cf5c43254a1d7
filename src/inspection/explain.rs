//! Explains in plain words what the cache does with a page, and why: from facts, without any I/O.
//!
//! The outlook of a request is decided by the machine that decides real ones, [`Visit`], with what L1 and L2 hold. Where a
//! request would go on to the coordinator, its inspection stands for its answer.

use serde::Serialize;

use crate::inspection::answer::{BreakerState, BreakerWord, PageState, State};
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::cache_status::{CacheOutcome, Detail};
use crate::semantics::freshness::Revalidate;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::{CallFailure, Event, L1Entry, Polling, Request, ServedPage, Step, StoredPage, Visit};

mod sentences;
#[cfg(test)]
mod tests;

/// Everything that the explanation is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// When they were collected.
    pub now: Timestamp,
    /// The explained URL.
    pub url: String,
    /// Its route; `None`: no route matches it.
    pub route: Option<RouteFacts>,
    /// The key of the page, for a request without headers; `None`: the URL has none.
    pub key: Option<String>,
    /// Why requests for the URL never reach the cache.
    pub passed: Option<Passed>,
    /// The coordinator that owns the page.
    pub shard: Option<ShardName>,
    /// Why the coordinator could not be asked.
    pub unreachable: Option<Reason>,
    /// What the coordinator knows of the page; `None`: nothing.
    pub page: Option<PageState>,
    /// The circuit breaker of the coordinator.
    pub breaker: Option<BreakerState>,
    /// What this colo's L1 holds.
    pub l1: TierFacts,
    /// What L2 holds, as this colo sees it.
    pub l2: TierFacts,
    /// What this isolate knows of invalidations.
    pub feed: FeedFacts,
    /// What a GET without headers would get here now.
    pub request: Outlook,
}

/// The settings of a route that matter here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteFacts {
    /// Its pattern.
    pub pattern: String,
    /// `revalidate`, in seconds; `None`: `false`, pages never age.
    pub revalidate_seconds: Option<u64>,
    /// `expire`, in seconds.
    pub expire_seconds: u64,
    /// `stale_if_error`, in seconds.
    pub stale_if_error_seconds: u64,
}

impl RouteFacts {
    /// Describes a route.
    #[must_use]
    pub fn of(route: &Route) -> Self {
        let revalidate_seconds = match route.revalidate() {
            Revalidate::After(lifetime) => Some(lifetime.as_secs()),
            Revalidate::NoStore => Some(0),
            Revalidate::Never => None,
        };
        Self {
            pattern: route.id().as_str().to_owned(),
            revalidate_seconds,
            expire_seconds: route.expire().as_secs(),
            stale_if_error_seconds: route.stale_if_error().as_secs(),
        }
    }
}

/// Why requests for a URL never reach the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    /// The path is one of the gateway's own.
    Admin,
    /// The route has `revalidate = 0`.
    NeverStored,
    /// The URL has no key, or the host is not served.
    #[serde(untagged)]
    Because(Reason),
}

/// What a tier holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierFacts {
    /// Whether it holds the page, or a marker.
    pub holds: Holding,
    /// The version of the page.
    pub version: Option<Version>,
    /// Until when the page is fresh by its own times.
    pub fresh_until: Option<Timestamp>,
    /// The mode of the strongest invalidation of it that this isolate knows.
    pub invalidated: Option<Mode>,
    /// Until when a marker lets requests pass to the origin.
    pub pass_until: Option<Timestamp>,
    /// Why the page is not stored, according to the marker.
    pub reason: Option<Reason>,
}

/// What is in a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holding {
    /// Nothing, or it could not be read.
    #[default]
    Nothing,
    /// The page.
    Page,
    /// A hit-for-pass marker.
    Marker,
}

impl TierFacts {
    /// Describes what L1 holds.
    #[must_use]
    pub fn of_l1<B>(found: &L1Entry<B>, request: &Request<'_>, polling: &Polling) -> Self {
        match found {
            L1Entry::Page(page) => Self::of_page(&page.meta, request, polling),
            L1Entry::Pass(mark) => Self {
                holds: Holding::Marker,
                pass_until: Some(mark.until),
                reason: Some(mark.reason),
                ..Self::default()
            },
            L1Entry::Nothing => Self::default(),
        }
    }

    /// Describes a page in a tier.
    #[must_use]
    pub fn of_page(page: &PageMeta, request: &Request<'_>, polling: &Polling) -> Self {
        Self {
            holds: Holding::Page,
            version: Some(page.version),
            fresh_until: page.windows.fresh_until,
            invalidated: polling.known().invalidation_of(page, request.route).map(|invalidated| invalidated.mode),
            ..Self::default()
        }
    }
}

/// What an isolate knows of invalidations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedFacts {
    /// Whether it is complete up to `freshness_bound` ago. Otherwise nothing is fresh here.
    pub is_current: bool,
    /// Up to when it is complete; `None`: the tag index has never answered.
    pub complete_until: Option<Timestamp>,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// As in `X-ISR-Status`; `None`: the cache adds nothing to the origin's response.
    pub status: Option<&'static str>,
    /// As in `detail` of `Cache-Status`.
    pub reason: Option<Reason>,
}

impl Outlook {
    /// Makes an outlook.
    #[must_use]
    pub fn new(outcome: CacheOutcome, reason: Option<Reason>) -> Self {
        Self { status: Some(outcome.as_str()), reason }
    }
}

/// The coordinator's side of an outlook.
#[derive(Clone, Copy, Debug)]
pub struct Coordinator<'a> {
    /// Why it could not be asked.
    pub unreachable: Option<CallFailure>,
    /// What it knows of the page.
    pub page: Option<&'a PageState>,
    /// Its circuit breaker.
    pub breaker: Option<BreakerState>,
}

/// Returns what a request gets now. `l1` and `l2` are what the tiers hold.
#[must_use]
pub fn outlook(
    request: Request<'_>,
    l1: L1Entry<()>,
    l2: Option<StoredPage<()>>,
    polling: &Polling,
    now: Timestamp,
    coordinator: Coordinator<'_>,
) -> Outlook {
    let (mut visit, _) = Visit::begin(request);
    let mut steps = visit.handle(Event::FeedReady, now, polling);
    steps.extend(visit.handle(Event::L1(l1), now, polling));
    if steps.iter().any(|step| matches!(step, Step::ReadL2)) {
        steps = visit.handle(Event::L2(l2), now, polling);
    }
    if let Some(failure) = coordinator.unreachable
        && steps.iter().any(|step| matches!(step, Step::Ask(_)))
    {
        // Without a page at hand, the visit would now read L1 again, and find nothing.
        let steps = visit.handle(Event::NotAnswered(failure), now, polling);
        return decided(steps).unwrap_or_else(|| Outlook::new(CacheOutcome::Skip, Some(failure.reason())));
    }
    // A visit that is not decided asks the coordinator.
    decided(steps).unwrap_or_else(|| coordinator.outlook(now))
}

/// Returns the outlook of a visit that is over.
fn decided(steps: Vec<Step<()>>) -> Option<Outlook> {
    steps.into_iter().find_map(|step| match step {
        Step::Serve(ServedPage { outcome, status, .. }) => {
            Some(Outlook::new(outcome, status.detail.map(Detail::reason)))
        }
        Step::Pass(status) => Some(Outlook::new(CacheOutcome::Skip, status.detail.map(Detail::reason))),
        _ => None,
    })
}

impl Coordinator<'_> {
    /// Returns what the answer to a miss means to a client.
    fn outlook(self, now: Timestamp) -> Outlook {
        let Some(page) = self.page else {
            return match self.held_back(now, None) {
                Some(reason) => Outlook::new(CacheOutcome::Skip, Some(reason)),
                None => Outlook::new(CacheOutcome::Miss, None),
            };
        };
        match page.state {
            State::Passing => Outlook::new(CacheOutcome::Skip, Some(reason_of_passing(page))),
            State::Fresh => Outlook::new(CacheOutcome::Hit, Some(Reason::Coordinator)),
            State::Stale => Outlook::new(CacheOutcome::Stale, Some(reason_of_staleness(page))),
            State::Expired | State::Absent => match self.held_back(now, Some(page)) {
                None => Outlook::new(CacheOutcome::Miss, None),
                Some(reason) if page.state == State::Expired && stands_in(page, now) => {
                    Outlook::new(CacheOutcome::Stale, Some(reason))
                }
                Some(reason) => Outlook::new(CacheOutcome::Skip, Some(reason)),
            },
        }
    }

    /// Returns why no render may begin now.
    fn held_back(self, now: Timestamp, page: Option<&PageState>) -> Option<Reason> {
        let pauses = page.filter(|page| page.retry_at.is_some_and(|at| at > now));
        let is_open = self.breaker.is_some_and(|breaker| breaker.state == BreakerWord::Open);
        let is_invalidated = page.is_some_and(|page| page.invalidated.is_some());
        match pauses {
            Some(page) if page.failures > 0 => Some(Reason::Backoff),
            Some(_) => Some(Reason::Unpublished),
            None => (is_open && !is_invalidated).then_some(Reason::Breaker),
        }
    }
}

fn reason_of_passing(page: &PageState) -> Reason {
    page.unpublished.as_ref().map_or(Reason::NotStored, |unpublished| unpublished.reason)
}

fn reason_of_staleness(page: &PageState) -> Reason {
    if page.invalidated.is_some() { Reason::Invalidated } else { Reason::Aged }
}

fn stands_in(page: &PageState, now: Timestamp) -> bool {
    page.error_until.is_none_or(|until| until > now)
}

impl Facts {
    /// Begins with a URL of which nothing is known.
    #[must_use]
    pub fn about(url: String, now: Timestamp) -> Self {
        Self {
            now,
            url,
            route: None,
            key: None,
            passed: None,
            shard: None,
            unreachable: None,
            page: None,
            breaker: None,
            l1: TierFacts::default(),
            l2: TierFacts::default(),
            feed: FeedFacts::default(),
            request: Outlook::default(),
        }
    }
}
