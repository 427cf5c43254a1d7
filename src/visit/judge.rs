//! The edge's decision: what a stored copy is good for.

use crate::invalidation::{Feed, Mode};
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::freshness::Freshness;
use crate::time::Timestamp;

/// What the edge may do with a copy that it has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Serve it.
    Fresh,
    /// Serve it, and tell the coordinator that it is stale.
    Stale {
        /// Why, unless the copy is stale by its own times.
        reason: Option<Reason>,
    },
    /// Ask the coordinator, and wait for its answer.
    Unusable {
        /// Whether the copy may be served if no answer can be had.
        stands_in: bool,
    },
}

/// Judges a copy of a page of a route by its own times and by the feed. `feed` is `None` when what was invalidated lately is not known: then
/// nothing counts as fresh.
#[must_use]
pub fn judge(page: &PageMeta, route: &RouteId, feed: Option<&Feed>, now: Timestamp) -> Judgement {
    let unusable = Judgement::Unusable { stands_in: page.windows.serves_errors(now) };
    let invalidated = feed.and_then(|feed| feed.verdict(page, route)).map(|invalidated| invalidated.mode);
    match (page.windows.freshness(now), invalidated, feed) {
        (_, Some(Mode::Purge), _) => Judgement::Unusable { stands_in: false },
        (Freshness::Expired, _, _) | (_, Some(Mode::Expire), _) => unusable,
        (_, Some(Mode::Stale), _) => Judgement::Stale { reason: Some(Reason::Invalidated) },
        (Freshness::Stale, None, _) => Judgement::Stale { reason: None },
        (Freshness::Fresh, None, None) => Judgement::Stale { reason: Some(Reason::FeedUnavailable) },
        (Freshness::Fresh, None, Some(_)) => Judgement::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::invalidation::Scope;
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
            feed.note(Scope::Tag(Tag::parse("posts").unwrap()), mode, at(105));
            feed
        };
        let (stale, expire, purge) = (with(Mode::Stale), with(Mode::Expire), with(Mode::Purge));
        let route = RouteId::from_stored("/*").unwrap();
        for (now, feed, judgement) in [
            (105, Some(&silent), Judgement::Fresh),
            (110, Some(&silent), Judgement::Stale { reason: None }),
            (130, Some(&silent), Judgement::Unusable { stands_in: true }),
            (150, Some(&silent), Judgement::Unusable { stands_in: false }),
            (105, None, Judgement::Stale { reason: Some(Reason::FeedUnavailable) }),
            (110, None, Judgement::Stale { reason: None }),
            (130, None, Judgement::Unusable { stands_in: true }),
            (105, Some(&stale), Judgement::Stale { reason: Some(Reason::Invalidated) }),
            (130, Some(&stale), Judgement::Unusable { stands_in: true }),
            (105, Some(&expire), Judgement::Unusable { stands_in: true }),
            (105, Some(&purge), Judgement::Unusable { stands_in: false }),
        ] {
            assert_eq!(judge(&page, &route, feed, at(now)), judgement, "{now} {feed:?}");
        }
    }
}
