//! The short path for a repeated HIT: a decision that stays valid for a moment.
//!
//! A plan gives the same answer as [`Visit`](crate::visit::Visit): it serves the page in L1 as a HIT, and does not
//! touch the feed.

use std::time::Duration;

use crate::page::PageMeta;
use crate::route::RouteId;
use crate::time::Timestamp;
use crate::visit::judge::{Judgement, judge};
use crate::visit::polling::Polling;
use crate::visit::pushing::FeedTerms;

/// How long a plan holds at most: `Age` and `ttl` are sent in whole seconds.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a page may be served as a HIT without being judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    until: Timestamp,
    /// The state of the feed by which the page was judged.
    epoch: u64,
    terms: FeedTerms,
}

/// Plans how to serve a page of a route from L1. Returns `None` if the response needs more than a plain HIT.
#[must_use]
pub fn plan(meta: &PageMeta, route: &RouteId, polling: &Polling, terms: FeedTerms, now: Timestamp) -> Option<Plan> {
    let epoch = polling.quiet_epoch(now, terms)?;
    if judge(meta, route, polling, terms.bound, now) != Judgement::Fresh {
        return None;
    }
    let longest = now.plus(LONGEST);
    Some(Plan { until: meta.windows.fresh_until.map_or(longest, |end| end.min(longest)), epoch, terms })
}

impl Plan {
    /// Returns whether the plan still holds: the page is fresh, no invalidation has arrived since, and no poll of the
    /// feed is due.
    #[must_use]
    pub fn holds(&self, polling: &Polling, now: Timestamp) -> bool {
        now < self.until && polling.quiet_epoch(now, self.terms) == Some(self.epoch)
    }

    /// Returns whether the plan can hold at this time or later.
    #[must_use]
    pub fn may_hold(&self, now: Timestamp) -> bool {
        now < self.until
    }
}
