//! The edge's decision about how a stored page may be used.

use std::time::Duration;

use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::freshness::Freshness;
use crate::time::Timestamp;
use crate::visit::polling::Polling;

/// How the edge may use a stored page that it has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Serve it.
    Fresh,
    /// Serve it, and report to the coordinator that it is stale, unless only the feed is missing.
    Stale {
        /// Why.
        reason: Reason,
    },
    /// Ask the coordinator, and wait for its answer: the page is expired or invalidated.
    Unusable {
        /// Whether the page may be served if there is no answer.
        stands_in: bool,
    },
    /// Ask the coordinator, and wait for its answer: the edge can't tell whether the page was invalidated, or even
    /// purged. If the coordinator answers that it has no page, this one does not stand in.
    Unknown {
        /// Whether the page may be served if there is no answer.
        stands_in: bool,
    },
}

/// Judges a stored page of a route by its own times and by the feed. `bound` is the setting `freshness_bound`.
///
/// Nothing is fresh without a current feed. Invalidations that the feed does contain apply even if it is not current.
/// For a page from before the floor of the feed, and without any feed, only a coordinator's answer says whether the page
/// is valid. A page that says that there is none is not served stale.
#[must_use]
pub fn judge(page: &PageMeta, route: &RouteId, polling: &Polling, bound: Duration, now: Timestamp) -> Judgement {
    let stands_in = !page.is_not_found() && page.windows.serves_errors(now);
    let invalidated = polling.known().invalidation_of(page, route).map(|invalidated| invalidated.mode);
    let can_tell = polling.can_tell(page.render_start(), page.vouched.as_deref().copied(), now, bound);
    match (page.windows.freshness(now), invalidated) {
        (_, Some(Mode::Purge)) => Judgement::Unusable { stands_in: false },
        // It may have been purged, even if it is known to be expired.
        _ if !can_tell => Judgement::Unknown { stands_in },
        (Freshness::Expired, _) | (_, Some(Mode::Expire)) => Judgement::Unusable { stands_in },
        (Freshness::Stale, _) | (_, Some(Mode::Stale)) if page.is_not_found() => Judgement::Unusable { stands_in },
        (_, Some(Mode::Stale)) => Judgement::Stale { reason: Reason::Invalidated },
        (Freshness::Stale, None) => Judgement::Stale { reason: Reason::Aged },
        (Freshness::Fresh, None) if !polling.is_current(now, bound) => {
            Judgement::Stale { reason: Reason::FeedUnavailable }
        }
        (Freshness::Fresh, None) => Judgement::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invalidation::{FeedPage, Invalidation, Refresh, Target};
    use crate::page::Vouched;
    use crate::semantics::client_rules::ClientRules;
    use crate::semantics::freshness::{Revalidate, Windows};
    use crate::semantics::key::PageKey;
    use crate::semantics::tag::Tag;
    use crate::version::Version;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    const BOUND: Duration = Duration::from_secs(10);

    fn page() -> PageMeta {
        let second = Duration::from_secs(1);
        PageMeta {
            key: PageKey::from_stored("https://e.com/").unwrap(),
            version: Version::from_parts(at(100), 1),
            status: 200,
            rendered_at: at(100),
            windows: Windows::new(at(100), Revalidate::After(second * 10), second * 20, second * 40).unwrap(),
            tags: vec![Tag::parse("posts").unwrap()],
            body_bytes: Some(0),
            digest: None,
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        }
    }

    fn row(mode: Mode, time: u64) -> Invalidation {
        let target = Target::Tag(Tag::parse("posts").unwrap());
        Invalidation { seq: 1, at: at(time), target, mode, refresh: Refresh::Lazy }
    }

    /// Returns what an edge knows whose feed has this floor and was complete at `polled`.
    fn knowing(invalidated: Option<(Mode, u64)>, floor: u64, polled: Option<u64>) -> Polling {
        let mut polling = Polling::default();
        let rows: Vec<Invalidation> = invalidated.map(|(mode, time)| row(mode, time)).into_iter().collect();
        match polled {
            Some(time) => {
                polling.answered(at(time), FeedPage { seq: 1, floor: at(floor), rows, ..FeedPage::default() });
            }
            None => {
                for row in rows {
                    polling.note(row);
                }
            }
        }
        polling
    }

    #[test]
    fn a_copy_is_judged_by_age_and_by_feed() {
        let (page, route) = (page(), RouteId::from_stored("/*").unwrap());
        let with = |mode| Some((mode, 105));
        let (stale, expire, purge) = (with(Mode::Stale), with(Mode::Expire), with(Mode::Purge));
        let unusable = |stands_in| Judgement::Unusable { stands_in };
        let is_stale = |reason| Judgement::Stale { reason };
        for (now, invalidated, is_current, judgement) in [
            (105, None, true, Judgement::Fresh),
            (110, None, true, is_stale(Reason::Aged)),
            (130, None, true, unusable(true)),
            (150, None, true, unusable(false)),
            (105, None, false, is_stale(Reason::FeedUnavailable)),
            (110, None, false, is_stale(Reason::Aged)),
            (130, None, false, unusable(true)),
            (105, stale, true, is_stale(Reason::Invalidated)),
            (130, stale, true, unusable(true)),
            (105, expire, true, unusable(true)),
            (105, purge, true, unusable(false)),
            (105, stale, false, is_stale(Reason::Invalidated)),
            (105, expire, false, unusable(true)),
            (105, purge, false, unusable(false)),
        ] {
            let polling = knowing(invalidated, 0, Some(if is_current { now } else { now - 10 }));
            let judged = judge(&page, &route, &polling, BOUND, at(now));
            assert_eq!(judged, judgement, "{now} {invalidated:?} {is_current}");
        }
    }

    #[test]
    fn without_the_rows_of_its_time_a_page_is_asked_about() {
        let route = RouteId::from_stored("/*").unwrap();
        let vouched = |up_to, asked_at| Some(Vouched { up_to: at(up_to), asked_at: at(asked_at) });
        let (unknown, unusable) =
            (|stands_in| Judgement::Unknown { stands_in }, |stands_in| Judgement::Unusable { stands_in });
        let late = Judgement::Stale { reason: Reason::FeedUnavailable };
        for (now, polling, vouched, judgement) in [
            (105, knowing(None, 99, Some(105)), None, Judgement::Fresh),
            (105, knowing(None, 100, Some(105)), None, unknown(true)),
            (112, knowing(None, 100, Some(112)), None, unknown(true)),
            (131, knowing(None, 100, Some(131)), None, unknown(true)),
            (105, knowing(None, 104, Some(105)), vouched(104, 105), Judgement::Fresh),
            (105, knowing(None, 105, Some(105)), vouched(104, 105), unknown(true)),
            (105, knowing(Some((Mode::Stale, 104)), 101, Some(105)), None, unknown(true)),
            (105, knowing(Some((Mode::Purge, 104)), 101, Some(105)), vouched(104, 105), unusable(false)),
            (105, knowing(Some((Mode::Expire, 104)), 101, Some(105)), None, unknown(true)),
            // The edge has never had the feed.
            (105, knowing(None, 0, None), None, unknown(true)),
            (105, knowing(None, 0, None), vouched(0, 96), late),
            (105, knowing(None, 0, None), vouched(0, 95), unknown(true)),
            (105, knowing(None, 0, None), vouched(0, 107), unknown(true)),
            (105, knowing(Some((Mode::Purge, 104)), 0, None), vouched(0, 105), unusable(false)),
        ] {
            let page = PageMeta { vouched: vouched.map(Box::new), ..page() };
            assert_eq!(judge(&page, &route, &polling, BOUND, at(now)), judgement, "{now} {vouched:?} {polling:?}");
        }
    }

    #[test]
    fn a_page_that_says_that_there_is_none_is_not_served_stale() {
        let (missing, route) = (PageMeta { status: 404, ..page() }, RouteId::from_stored("/*").unwrap());
        let unusable = Judgement::Unusable { stands_in: false };
        for (now, invalidated, is_current, judgement) in [
            (105, None, true, Judgement::Fresh),
            (105, None, false, Judgement::Stale { reason: Reason::FeedUnavailable }),
            (110, None, true, unusable),
            (110, None, false, unusable),
            (105, Some((Mode::Stale, 105)), true, unusable),
            (105, Some((Mode::Expire, 105)), true, unusable),
        ] {
            let polling = knowing(invalidated, 0, Some(if is_current { now } else { now - 10 }));
            let judged = judge(&missing, &route, &polling, BOUND, at(now));
            assert_eq!(judged, judgement, "{now} {invalidated:?} {is_current}");
        }
    }
}
