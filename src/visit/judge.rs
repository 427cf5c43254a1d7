//! The edge's decision about how a stored page may be used.

use crate::invalidation::{Feed, Mode};
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::freshness::Freshness;
use crate::time::Timestamp;

/// How the edge may use a stored page that it has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Serve it.
    Fresh,
    /// Serve it, and report to the coordinator that it is stale.
    Stale {
        /// Why, unless the page is stale by its own times.
        reason: Option<Reason>,
    },
    /// Ask the coordinator, and wait for its answer.
    Unusable {
        /// Whether the page may be served if there is no answer.
        stands_in: bool,
    },
}

/// Judges a stored page of a route by its own times and by the feed. Nothing is fresh without a current feed.
/// Invalidations that the feed does contain apply even if it is not current.
#[must_use]
pub fn judge(page: &PageMeta, route: &RouteId, feed: &Feed, is_current: bool, now: Timestamp) -> Judgement {
    let unusable = Judgement::Unusable { stands_in: page.windows.serves_errors(now) };
    let invalidated = feed.invalidation_of(page, route).map(|invalidated| invalidated.mode);
    match (page.windows.freshness(now), invalidated) {
        (_, Some(Mode::Purge)) => Judgement::Unusable { stands_in: false },
        (Freshness::Expired, _) | (_, Some(Mode::Expire)) => unusable,
        (_, Some(Mode::Stale)) => Judgement::Stale { reason: Some(Reason::Invalidated) },
        (Freshness::Stale, None) => Judgement::Stale { reason: None },
        (Freshness::Fresh, None) if !is_current => Judgement::Stale { reason: Some(Reason::FeedUnavailable) },
        (Freshness::Fresh, None) => Judgement::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::invalidation::Target;
    use crate::semantics::freshness::{Revalidate, Windows};
    use crate::semantics::key::PageKey;
    use crate::semantics::tag::Tag;
    use crate::version::Version;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_copy_is_judged_by_age_and_by_feed() {
        let second = Duration::from_secs(1);
        let page = PageMeta {
            key: PageKey::from_stored("https://e.com/").unwrap(),
            version: Version::from_parts(at(100), 1),
            status: 200,
            rendered_at: at(100),
            windows: Windows::new(at(100), Revalidate::After(second * 10), second * 20, second * 40).unwrap(),
            tags: vec![Tag::parse("posts").unwrap()],
            body_bytes: Some(0),
            digest: None,
        };
        let silent = Feed::default();
        let with = |mode| {
            let mut feed = Feed::default();
            feed.note(Target::Tag(Tag::parse("posts").unwrap()), mode, at(105));
            feed
        };
        let (stale, expire, purge) = (with(Mode::Stale), with(Mode::Expire), with(Mode::Purge));
        let route = RouteId::from_stored("/*").unwrap();
        for (now, feed, is_current, judgement) in [
            (105, &silent, true, Judgement::Fresh),
            (110, &silent, true, Judgement::Stale { reason: None }),
            (130, &silent, true, Judgement::Unusable { stands_in: true }),
            (150, &silent, true, Judgement::Unusable { stands_in: false }),
            (105, &silent, false, Judgement::Stale { reason: Some(Reason::FeedUnavailable) }),
            (110, &silent, false, Judgement::Stale { reason: None }),
            (130, &silent, false, Judgement::Unusable { stands_in: true }),
            (105, &stale, true, Judgement::Stale { reason: Some(Reason::Invalidated) }),
            (130, &stale, true, Judgement::Unusable { stands_in: true }),
            (105, &expire, true, Judgement::Unusable { stands_in: true }),
            (105, &purge, true, Judgement::Unusable { stands_in: false }),
            (105, &stale, false, Judgement::Stale { reason: Some(Reason::Invalidated) }),
            (105, &expire, false, Judgement::Unusable { stands_in: true }),
            (105, &purge, false, Judgement::Unusable { stands_in: false }),
        ] {
            assert_eq!(judge(&page, &route, feed, is_current, at(now)), judgement, "{now} {feed:?} {is_current}");
        }
    }
}
