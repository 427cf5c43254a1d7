//! Invalidations as edges see them: which stored copies were made invalid since they were rendered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::page::PageMeta;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::time::Timestamp;

/// The most rows of a feed. Past it the oldest are folded into [`Feed::floor`].
pub const MAX_FEED_ROWS: usize = 10_000;

/// Which pages an invalidation concerns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All variants of one path, on every host.
    Path(CanonicalPath),
    /// All pages that carry the tag.
    Tag(Tag),
}

/// What an invalidation does to the copies that exist. The later variant is the stronger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are stale: served once more while they are revalidated.
    Stale,
    /// They are not served, except in place of an error.
    Expire,
}

/// One invalidation, numbered by the tag index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalidation {
    /// Its number in the log.
    pub seq: u64,
    /// When it was acknowledged as received.
    pub at: Timestamp,
    /// Which pages it concerns.
    pub scope: Scope,
    /// What it does to them.
    pub mode: Mode,
}

/// What was invalidated, reduced to the latest row of each scope and mode: an older one says nothing more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    seq: u64,
    floor: Timestamp,
    rows: BTreeMap<(Scope, Mode), Timestamp>,
}

/// A part of the log, as the tag index hands it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage {
    /// The number up to which the answer is complete.
    pub seq: u64,
    /// Rows of before this time may be missing.
    pub floor: Timestamp,
    /// The rows after the number that was asked for.
    pub rows: Vec<Invalidation>,
    /// Whether more rows follow.
    pub more: bool,
}

impl Feed {
    /// Returns the number from which to ask on.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Takes in an answer of the tag index.
    pub fn extend(&mut self, page: FeedPage) {
        self.floor = self.floor.max(page.floor);
        for row in page.rows {
            self.note(row.scope, row.mode, row.at);
        }
        self.seq = self.seq.max(page.seq);
    }

    /// Takes in one invalidation that this isolate has learnt of by itself. Its number is not counted: others before
    /// it may be unknown still.
    pub fn note(&mut self, scope: Scope, mode: Mode, at: Timestamp) {
        let known = self.rows.entry((scope, mode)).or_insert(at);
        *known = at.max(*known);
        if self.rows.len() > MAX_FEED_ROWS {
            let oldest = self.rows.iter().min_by_key(|(_, at)| **at).map(|(scope, at)| (scope.clone(), *at));
            if let Some((scope, at)) = oldest {
                self.rows.remove(&scope);
                self.floor = self.floor.max(at);
            }
        }
    }

    /// Tells what has become of a copy: `None` if no invalidation since its render began concerns it.
    ///
    /// A copy from before the floor counts as expired: whether it is concerned is no longer known here.
    #[must_use]
    pub fn verdict(&self, page: &PageMeta) -> Option<Mode> {
        let start = page.render_start();
        if start <= self.floor && self.floor > Timestamp::default() {
            return Some(Mode::Expire);
        }
        if self.rows.is_empty() {
            return None;
        }
        let path = CanonicalPath::parse(page.key.path()).ok().map(Scope::Path);
        let scopes = page.tags.iter().cloned().map(Scope::Tag).chain(path);
        scopes
            .flat_map(|scope| [(scope.clone(), Mode::Stale), (scope, Mode::Expire)])
            .filter(|row| self.rows.get(row).is_some_and(|at| *at >= start))
            .map(|(_, mode)| mode)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::semantics::freshness::{Revalidate, Windows};
    use crate::semantics::key::PageKey;
    use crate::version::Version;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn page(path: &str, tags: &[&str], start: u64) -> PageMeta {
        PageMeta {
            key: PageKey::from_stored(&format!("https://e.com{path}")).unwrap(),
            version: Version::from_parts(at(start), 1),
            status: 200,
            rendered_at: at(start),
            windows: Windows::new(at(start), Revalidate::Never, Duration::ZERO, Duration::ZERO).unwrap(),
            tags: tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect(),
            body_bytes: 0,
        }
    }

    fn tag(name: &str) -> Scope {
        Scope::Tag(Tag::parse(name).unwrap())
    }

    #[test]
    fn a_copy_rendered_after_the_invalidation_is_valid() {
        let mut feed = Feed::default();
        feed.note(tag("posts"), Mode::Expire, at(100));
        feed.note(tag("posts"), Mode::Stale, at(200));
        feed.note(Scope::Path(CanonicalPath::parse("/a").unwrap()), Mode::Stale, at(300));
        for (page, verdict) in [
            (page("/b", &[], 50), None),
            (page("/b", &["other"], 50), None),
            (page("/b", &["posts"], 100), Some(Mode::Expire)),
            (page("/b", &["posts"], 101), Some(Mode::Stale)),
            (page("/b", &["posts"], 201), None),
            (page("/a", &["posts"], 100), Some(Mode::Expire)),
            (page("/a?x=1", &[], 300), Some(Mode::Stale)),
            (page("/a", &[], 301), None),
        ] {
            assert_eq!(feed.verdict(&page), verdict, "{page:?}");
        }
    }

    #[test]
    fn the_feed_is_bounded_and_forgets_on_the_safe_side() {
        let mut feed = Feed::default();
        for i in 0..=MAX_FEED_ROWS as u64 {
            feed.note(tag(&format!("t{i}")), Mode::Stale, at(1000 + i));
        }
        assert_eq!((feed.rows.len(), feed.floor), (MAX_FEED_ROWS, at(1000)));
        assert_eq!(feed.verdict(&page("/", &[], 1000)), Some(Mode::Expire));
        assert_eq!(feed.verdict(&page("/", &[], 1001)), None);
    }

    #[test]
    fn an_answer_is_taken_in_once_or_twice_alike() {
        let row = Invalidation { seq: 3, at: at(5), scope: tag("a"), mode: Mode::Expire };
        let answer = FeedPage { seq: 3, floor: at(0), rows: vec![row], more: false };
        let mut once = Feed::default();
        once.extend(answer.clone());
        let mut twice = once.clone();
        twice.extend(answer);
        assert_eq!((once.seq(), &once), (3, &twice));
    }
}
