//! Invalidations at the edge: they determine which stored pages have become invalid since they were rendered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::invalidation::{Invalidation, Mode, PathPrefix, Target};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// The most rows that the tag index keeps for edges, all its objects together. Above it, the oldest rows are removed,
/// and the floor rises.
pub const MAX_FEED_ROWS: usize = 10_000;

/// The most targets that an edge remembers before it folds the older half into its floor. It is more than the tag index
/// ever returns at once.
const MAX_KNOWN: usize = 2 * MAX_FEED_ROWS;

/// The known invalidations, reduced to the latest time of each target and mode: older ones add nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// The number up to which each object's part is known.
    known: BTreeMap<TagIndexName, u64>,
    floor: Timestamp,
    paths: BTreeMap<CanonicalPath, Marks>,
    tags: BTreeMap<Tag, Marks>,
    prefixes: BTreeMap<PathPrefix, Marks>,
    routes: BTreeMap<RouteId, Marks>,
    everything: Marks,
}

/// When a target was last invalidated, by mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    stale: Option<Timestamp>,
    expire: Option<Timestamp>,
    purge: Option<Timestamp>,
}

impl Marks {
    fn note(&mut self, mode: Mode, at: Timestamp) {
        let mark = match mode {
            Mode::Stale => &mut self.stale,
            Mode::Expire => &mut self.expire,
            Mode::Purge => &mut self.purge,
        };
        *mark = (*mark).max(Some(at));
    }

    fn latest(&self) -> Timestamp {
        self.stale.max(self.expire).max(self.purge).unwrap_or_default()
    }

    fn concerning(&self, start: Timestamp) -> impl Iterator<Item = PageInvalidation> {
        [(Mode::Stale, self.stale), (Mode::Expire, self.expire), (Mode::Purge, self.purge)]
            .into_iter()
            .filter_map(move |(mode, at)| at.filter(|at| *at >= start).map(|at| PageInvalidation { mode, at }))
    }
}

/// The effect of invalidations on a page: the strongest mode since its render began, with its latest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageInvalidation {
    /// What the invalidation does to the page.
    pub mode: Mode,
    /// Its time: a render that began later is valid.
    pub at: Timestamp,
}

/// A part of the log, as the tag index returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage {
    /// The number up to which the answer is complete.
    pub seq: u64,
    /// Rows from before this time may be missing.
    pub floor: Timestamp,
    /// The rows after the requested number.
    pub rows: Vec<Invalidation>,
    /// Whether more rows follow.
    pub more: bool,
}

impl Feed {
    /// Returns the number after which to ask an object for rows.
    #[must_use]
    pub fn seq(&self, index: TagIndexName) -> u64 {
        self.known.get(&index).copied().unwrap_or_else(|| index.before_first())
    }

    /// Adds an answer of a tag index object.
    pub fn extend(&mut self, page: FeedPage) {
        self.floor = self.floor.max(page.floor);
        for row in page.rows {
            self.note(row.target, row.mode, row.at);
        }
        if let Some(index) = TagIndexName::of_seq(page.seq) {
            let known = self.known.entry(index).or_default();
            *known = page.seq.max(*known);
        }
    }

    /// Adds one invalidation that passed through this isolate. Its number is not counted, because earlier ones may
    /// still be unknown.
    pub fn note(&mut self, target: Target, mode: Mode, at: Timestamp) {
        match target {
            Target::Path(path) => self.paths.entry(path).or_default().note(mode, at),
            Target::Tag(tag) => self.tags.entry(tag).or_default().note(mode, at),
            Target::Prefix(prefix) => self.prefixes.entry(prefix).or_default().note(mode, at),
            Target::Route(route) => self.routes.entry(route).or_default().note(mode, at),
            Target::Everything => self.everything.note(mode, at),
        }
        if self.paths.len() + self.tags.len() + self.prefixes.len() + self.routes.len() > MAX_KNOWN {
            self.forget_half();
        }
    }

    /// Folds the older half of the targets into the floor.
    fn forget_half(&mut self) {
        let (paths, tags) = (self.paths.values(), self.tags.values());
        let marks = paths.chain(tags).chain(self.prefixes.values()).chain(self.routes.values());
        let mut times: Vec<Timestamp> = marks.map(Marks::latest).collect();
        times.sort_unstable();
        self.floor = times.get(times.len() / 2).copied().unwrap_or_default().max(self.floor);
        self.paths.retain(|_, marks| marks.latest() > self.floor);
        self.tags.retain(|_, marks| marks.latest() > self.floor);
        self.prefixes.retain(|_, marks| marks.latest() > self.floor);
        self.routes.retain(|_, marks| marks.latest() > self.floor);
    }

    /// Returns the effect of the known invalidations on a stored page of a route; `None` if none since its render began
    /// concerns it.
    ///
    /// A page from before the floor counts as expired, because the invalidations of that time are not known here any
    /// more.
    #[must_use]
    pub fn invalidation_of(&self, page: &PageMeta, route: &RouteId) -> Option<PageInvalidation> {
        let start = page.render_start();
        let by_tag = page.tags.iter().filter_map(|tag| self.tags.get(tag)).flat_map(|marks| marks.concerning(start));
        by_tag.chain(self.path_invalidation(page.key.path(), route, start)).max()
    }

    /// Returns whether a path of a route was invalidated at `since` or later.
    #[must_use]
    pub fn path_invalidation(&self, path: &str, route: &RouteId, since: Timestamp) -> Option<PageInvalidation> {
        let floor = (since <= self.floor && self.floor > Timestamp::default())
            .then_some(PageInvalidation { mode: Mode::Expire, at: self.floor });
        // Most sites never invalidate a prefix: then there is nothing to look up.
        let prefixes = PathPrefix::all_of(path).take(if self.prefixes.is_empty() { 0 } else { usize::MAX });
        let prefixes = prefixes.filter_map(|prefix| self.prefixes.get(prefix));
        let marks = prefixes.chain(self.paths.get(path)).chain(self.routes.get(route)).chain([&self.everything]);
        marks.flat_map(|marks| marks.concerning(since)).chain(floor).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::invalidation::{PrefixTooDeep, Refresh};
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
            body_bytes: Some(0),
            digest: None,
        }
    }

    fn tag(name: &str) -> Target {
        Target::Tag(Tag::parse(name).unwrap())
    }

    fn route() -> RouteId {
        RouteId::from_stored("/*").unwrap()
    }

    #[test]
    fn a_copy_rendered_after_the_invalidation_is_valid() {
        let mut feed = Feed::default();
        feed.note(tag("posts"), Mode::Expire, at(100));
        feed.note(tag("posts"), Mode::Stale, at(200));
        feed.note(Target::Path(CanonicalPath::parse("/a").unwrap()), Mode::Stale, at(300));
        for (page, verdict) in [
            (page("/b", &[], 50), None),
            (page("/b", &["other"], 50), None),
            (page("/b", &["posts"], 100), Some((Mode::Expire, 100))),
            (page("/b", &["posts"], 101), Some((Mode::Stale, 200))),
            (page("/b", &["posts"], 201), None),
            (page("/a", &["posts"], 100), Some((Mode::Expire, 100))),
            (page("/a?x=1", &[], 300), Some((Mode::Stale, 300))),
            (page("/a", &[], 301), None),
        ] {
            let verdict = verdict.map(|(mode, time)| PageInvalidation { mode, at: at(time) });
            assert_eq!(feed.invalidation_of(&page, &route()), verdict, "{page:?}");
        }
    }

    #[test]
    fn the_feed_is_bounded_and_forgets_on_the_safe_side() {
        let mut feed = Feed::default();
        for i in 0..=MAX_KNOWN as u64 {
            feed.note(tag(&format!("t{i}")), Mode::Stale, at(1000 + i));
        }
        let half = MAX_KNOWN as u64 / 2;
        assert_eq!((feed.tags.len() as u64, feed.floor), (half, at(1000 + half)));
        let floor = PageInvalidation { mode: Mode::Expire, at: feed.floor };
        assert_eq!(feed.invalidation_of(&page("/", &[], 1000 + half), &route()), Some(floor));
        assert_eq!(feed.invalidation_of(&page("/", &[], 1001 + half), &route()), None);
    }

    #[test]
    fn an_answer_is_taken_in_once_or_twice_alike() {
        let row = Invalidation { seq: 3, at: at(5), target: tag("a"), mode: Mode::Expire, refresh: Refresh::Lazy };
        let answer = FeedPage { seq: 3, floor: at(0), rows: vec![row], more: false };
        let mut once = Feed::default();
        once.extend(answer.clone());
        let mut twice = once.clone();
        twice.extend(answer);
        assert_eq!((once.seq(TagIndexName::ROOT), &once), (3, &twice));
    }

    #[test]
    fn a_path_belongs_to_its_prefixes() {
        assert_eq!(PathPrefix::all_of("/").collect::<Vec<_>>(), ["/"]);
        assert_eq!(PathPrefix::all_of("/a/b").collect::<Vec<_>>(), ["/", "/a", "/a/b"]);
        let deep = "/a".repeat(PathPrefix::MAX_SEGMENTS + 1);
        assert_eq!(PathPrefix::all_of(&deep).last(), Some(&deep[..PathPrefix::MAX_SEGMENTS * 2]));
        let prefix = |path: &str| PathPrefix::try_from(CanonicalPath::parse(path).unwrap());
        assert!(prefix(&deep[2..]).is_ok());
        assert_eq!(prefix(&deep), Err(PrefixTooDeep));
    }

    #[test]
    fn wide_scopes_concern_all_that_is_in_them() {
        let blog = PathPrefix::try_from(CanonicalPath::parse("/blog").unwrap()).unwrap();
        for (target, path, is_concerned) in [
            (Target::Prefix(blog.clone()), "/blog", true),
            (Target::Prefix(blog.clone()), "/blog/a/b", true),
            (Target::Prefix(blog), "/blogs", false),
            (Target::Route(route()), "/x", true),
            (Target::Route(RouteId::from_stored("/x").unwrap()), "/x", false),
            (Target::Everything, "/x", true),
        ] {
            let mut feed = Feed::default();
            feed.note(target.clone(), Mode::Purge, at(100));
            let expected = is_concerned.then_some(PageInvalidation { mode: Mode::Purge, at: at(100) });
            assert_eq!(feed.invalidation_of(&page(path, &[], 100), &route()), expected, "{target:?} {path}");
            assert_eq!(feed.invalidation_of(&page(path, &[], 101), &route()), None);
        }
    }
}
