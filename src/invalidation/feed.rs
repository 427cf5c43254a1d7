//! Invalidations at the edge: they determine which stored pages have become invalid since they were rendered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::invalidation::{Invalidation, LogId, LogPosition, Mode, PathPrefix, Target};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// The most rows that the tag index keeps for edges, all its objects together. Above it, the oldest rows are removed,
/// and the floor rises.
pub const MAX_FEED_ROWS: usize = 10_000;

/// The most targets that an edge remembers before it forgets those below the floor, and then the older half. It is more
/// than the tag index ever returns at once.
const MAX_KNOWN: usize = 2 * MAX_FEED_ROWS;

/// The known invalidations, reduced to the latest time of each target and mode: older ones add nothing.
///
/// Invalidations are missing here for two reasons, with different consequences:
///
/// | why | up to | then |
/// |---|---|---|
/// | the tag index has removed the row from its feed | the floor | every coordinator has applied it: ask the coordinator, and believe its answer |
/// | as above, but a coordinator of the page's route does not answer | the time in `lagging` | the coordinator may not have applied it: the page counts as expired |
/// | this edge has forgotten the row, because there were too many | `forgotten` | some coordinator may not have applied it yet: the page counts as expired |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// How far each object's part is known.
    known: BTreeMap<TagIndexName, KnownPart>,
    /// Rows up to this time may have left the feed.
    floor: Timestamp,
    /// Rows up to this time were forgotten here.
    forgotten: Timestamp,
    /// The routes with a coordinator that does not answer, as each object has returned them last.
    lagging: BTreeMap<TagIndexName, Vec<(RouteId, Timestamp)>>,
    /// The time of the newest row that the tag index has returned. All rows up to it are known, or below the floor.
    latest: Timestamp,
    paths: BTreeMap<CanonicalPath, Marks>,
    tags: BTreeMap<Tag, Marks>,
    /// The latest of all tags.
    every_tag: Marks,
    prefixes: BTreeMap<PathPrefix, Marks>,
    routes: BTreeMap<RouteId, Marks>,
    everything: Marks,
}

/// How far the log of one object is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KnownPart {
    /// The log, if its object states it: an object of an older version does not.
    log: Option<LogId>,
    /// The number up to which it is known.
    seq: u64,
    /// The newest row that it had when it answered, if it states it. An answer may end earlier: later rows were still to
    /// come then, but earlier ones of the same targets were left out because of them.
    newest: Option<LogPosition>,
}

impl KnownPart {
    fn nothing(index: TagIndexName) -> Self {
        Self { log: None, seq: index.before_first(), newest: None }
    }
}

/// What an answer of a tag index object adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedProgress {
    /// Nothing new.
    Nothing,
    /// Rows with new numbers.
    News,
    /// The log is another one than before, or was restored to an earlier point. It has to be read from its beginning.
    /// What is known already stays known: it can only make a page older.
    StartsOver,
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
    /// Routes with a coordinator that has not applied all rows below the floor, each with the time up to which it may
    /// not have applied them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lagging: Vec<(RouteId, Timestamp)>,
    /// The identity of the log. Older versions do not state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogId>,
    /// The newest row of the log, also if the answer ends earlier. Older versions do not state it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<LogPosition>,
}

impl Feed {
    /// Returns the number up to which an object's log is known.
    #[must_use]
    pub fn seq(&self, index: TagIndexName) -> u64 {
        self.part(index).seq
    }

    /// Returns the newest row of an object's log that this edge has heard of.
    #[must_use]
    pub fn position(&self, index: TagIndexName) -> Option<LogPosition> {
        self.part(index).newest
    }

    fn part(&self, index: TagIndexName) -> KnownPart {
        self.known.get(&index).copied().unwrap_or_else(|| KnownPart::nothing(index))
    }

    /// Adds an answer of a tag index object to a question for the rows after `since`.
    pub fn extend(&mut self, index: TagIndexName, since: u64, page: FeedPage) -> FeedProgress {
        self.floor = self.floor.max(page.floor);
        for row in page.rows {
            self.latest = self.latest.max(row.at);
            self.note(row.target, row.mode, row.at);
        }
        let mut known = self.part(index);
        let is_other = page.log.is_some() && page.log != known.log;
        if is_other {
            known = KnownPart { log: page.log, ..KnownPart::nothing(index) };
        }
        // The list grows only with further rows. An answer that ends earlier than another may lack some of it.
        if page.seq >= known.seq {
            self.lagging.insert(index, page.lagging);
        }
        // An answer that leaves a gap says nothing about the rows in it.
        let continues = since <= known.seq;
        let has_news = continues && page.seq > known.seq;
        if has_news {
            known.seq = page.seq;
        }
        let is_newer = |position: &LogPosition| known.newest.is_none_or(|newest| newest.seq < position.seq);
        known.newest = page.newest.filter(is_newer).or(known.newest);
        self.known.insert(index, known);
        match (continues, has_news) {
            (false, _) => FeedProgress::StartsOver,
            (true, true) => FeedProgress::News,
            (true, false) => FeedProgress::Nothing,
        }
    }

    /// Forgets how far an object's log is known.
    pub fn start_over(&mut self, index: TagIndexName) {
        self.known.remove(&index);
    }

    /// Adds one invalidation that passed through this isolate. Its number is not counted, because earlier ones may
    /// still be unknown.
    pub fn note(&mut self, target: Target, mode: Mode, at: Timestamp) {
        match target {
            Target::Path(path) => self.paths.entry(path).or_default().note(mode, at),
            Target::Tag(tag) => {
                self.every_tag.note(mode, at);
                self.tags.entry(tag).or_default().note(mode, at);
            }
            Target::Prefix(prefix) => self.prefixes.entry(prefix).or_default().note(mode, at),
            Target::Route(route) => self.routes.entry(route).or_default().note(mode, at),
            Target::Everything => self.everything.note(mode, at),
        }
        if self.is_full() {
            self.forget_up_to(self.floor);
        }
        if self.is_full() {
            self.forget_half();
        }
    }

    fn is_full(&self) -> bool {
        self.paths.len() + self.tags.len() + self.prefixes.len() + self.routes.len() > MAX_KNOWN
    }

    /// Forgets the older half of the targets.
    fn forget_half(&mut self) {
        let (paths, tags) = (self.paths.values(), self.tags.values());
        let marks = paths.chain(tags).chain(self.prefixes.values()).chain(self.routes.values());
        let mut times: Vec<Timestamp> = marks.map(Marks::latest).collect();
        times.sort_unstable();
        self.forgotten = times.get(times.len() / 2).copied().unwrap_or_default().max(self.forgotten);
        self.forget_up_to(self.forgotten);
    }

    fn forget_up_to(&mut self, time: Timestamp) {
        self.paths.retain(|_, marks| marks.latest() > time);
        self.tags.retain(|_, marks| marks.latest() > time);
        self.prefixes.retain(|_, marks| marks.latest() > time);
        self.routes.retain(|_, marks| marks.latest() > time);
    }

    /// Returns whether invalidations from `since` or later may be unknown here because they have left the feed. The
    /// coordinators have applied them.
    #[must_use]
    pub fn may_miss(&self, since: Timestamp) -> bool {
        since <= self.floor && self.floor > Timestamp::default()
    }

    /// Returns the time up to which a page is valid if a coordinator that is asked from now on calls it valid, and the
    /// known invalidations do not concern it. `complete_until` is the time up to which the feed is complete, by this
    /// edge's clock.
    ///
    /// The time of the newest row is enough, because the floor does not pass it without a newer row. Rows of several tag
    /// index objects are not ordered among each other, so `complete_until` is a limit as well.
    #[must_use]
    pub fn valid_up_to(&self, complete_until: Timestamp) -> Timestamp {
        self.latest.min(complete_until).max(self.floor)
    }

    /// Returns whether invalidations later than `valid_up_to` may be unknown here: see [`Self::valid_up_to`].
    #[must_use]
    pub fn may_miss_after(&self, valid_up_to: Timestamp) -> bool {
        self.floor > valid_up_to
    }

    /// Returns the effect of the known invalidations on a stored page of a route; `None` if none since its render began
    /// concerns it.
    #[must_use]
    pub fn invalidation_of(&self, page: &PageMeta, route: &RouteId) -> Option<PageInvalidation> {
        let start = page.render_start();
        let marks_of = |tag: &Tag| if tag.is_every() { Some(&self.every_tag) } else { self.tags.get(tag) };
        let by_tag = page.tags.iter().filter_map(marks_of).flat_map(|marks| marks.concerning(start));
        by_tag.chain(self.path_invalidation(page.key.path(), route, start)).max()
    }

    /// Returns whether a path of a route was invalidated at `since` or later.
    #[must_use]
    pub fn path_invalidation(&self, path: &str, route: &RouteId, since: Timestamp) -> Option<PageInvalidation> {
        let forgotten = (since <= self.forgotten && self.forgotten > Timestamp::default())
            .then_some(PageInvalidation { mode: Mode::Expire, at: self.forgotten });
        let lagging = self.lagging_route(route, since);
        // Most sites never invalidate a prefix: then there is nothing to look up.
        let prefixes = PathPrefix::all_of(path).take(if self.prefixes.is_empty() { 0 } else { usize::MAX });
        let prefixes = prefixes.filter_map(|prefix| self.prefixes.get(prefix));
        let marks = prefixes.chain(self.paths.get(path)).chain(self.routes.get(route)).chain([&self.everything]);
        marks.flat_map(|marks| marks.concerning(since)).chain(forgotten).chain(lagging).max()
    }

    /// Returns whether a coordinator of a route may not have applied rows from `since` or later that have left the feed.
    fn lagging_route(&self, route: &RouteId, since: Timestamp) -> Option<PageInvalidation> {
        if !self.may_miss(since) {
            return None;
        }
        let of_route = self.lagging.values().flatten().filter(|(lagging, _)| lagging == route);
        let at = of_route.map(|(_, at)| *at).max()?.min(self.floor);
        (since <= at).then_some(PageInvalidation { mode: Mode::Expire, at })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::invalidation::{PrefixTooDeep, Refresh};
    use crate::semantics::client_rules::ClientRules;
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
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        }
    }

    fn tag(name: &str) -> Target {
        Target::Tag(Tag::parse(name).unwrap())
    }

    fn route() -> RouteId {
        RouteId::from_stored("/*").unwrap()
    }

    #[test]
    fn a_page_that_carries_every_tag_is_concerned_by_each_of_them() {
        let mut feed = Feed::default();
        feed.note(tag("posts"), Mode::Expire, at(100));
        feed.note(tag("users"), Mode::Stale, at(200));
        feed.note(Target::Path(CanonicalPath::parse("/b").unwrap()), Mode::Purge, at(300));
        for (start, verdict) in [(100, Some((Mode::Expire, 100))), (101, Some((Mode::Stale, 200))), (201, None)] {
            let page = page("/a", &["other", Tag::every().as_str()], start);
            let found = feed.invalidation_of(&page, &route()).map(|found| (found.mode, found.at));
            assert_eq!(found, verdict.map(|(mode, time)| (mode, at(time))), "{start}");
        }
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
        assert_eq!((feed.tags.len() as u64, feed.forgotten), (half, at(1000 + half)));
        let forgotten = PageInvalidation { mode: Mode::Expire, at: feed.forgotten };
        assert_eq!(feed.invalidation_of(&page("/", &[], 1000 + half), &route()), Some(forgotten));
        assert_eq!(feed.invalidation_of(&page("/", &[], 1001 + half), &route()), None);
    }

    #[test]
    fn what_has_left_the_feed_is_forgotten_first() {
        let mut feed = Feed::default();
        feed.extend(TagIndexName::ROOT, 0, FeedPage { floor: at(1000 + MAX_KNOWN as u64 - 1), ..FeedPage::default() });
        for i in 0..=MAX_KNOWN as u64 {
            feed.note(tag(&format!("t{i}")), Mode::Stale, at(1000 + i));
        }
        assert_eq!((feed.tags.len(), feed.forgotten), (1, at(0)));
        assert_eq!(feed.invalidation_of(&page("/", &[], 900), &route()), None, "the coordinator is asked instead");
        assert!(feed.may_miss(at(900)));
    }

    #[test]
    fn below_the_floor_an_answer_of_the_coordinator_counts_until_the_floor_passes_it() {
        let mut feed = Feed::default();
        assert!(!feed.may_miss(at(0)), "nothing has left the feed");
        let row =
            |seq, time| Invalidation { seq, at: at(time), target: tag("a"), mode: Mode::Purge, refresh: Refresh::Lazy };
        let rows = vec![row(6, 400), row(7, 500)];
        feed.extend(TagIndexName::ROOT, 0, FeedPage { seq: 7, floor: at(300), rows, ..FeedPage::default() });
        assert_eq!([300, 301].map(|time| feed.may_miss(at(time))), [true, false]);
        let valid_up_to = feed.valid_up_to(at(10_000));
        assert_eq!(valid_up_to, at(500));
        assert_eq!(feed.valid_up_to(at(450)), at(450), "another object may have recorded a row since");
        assert_eq!(feed.valid_up_to(at(0)), at(300), "the coordinators have applied everything below the floor");
        for (floor, is_missing) in [(500, false), (501, true)] {
            feed.extend(TagIndexName::ROOT, 7, FeedPage { seq: 8, floor: at(floor), ..FeedPage::default() });
            assert_eq!(feed.may_miss_after(valid_up_to), is_missing, "{floor}");
        }
        assert_eq!(feed.invalidation_of(&page("/", &[], 100), &route()), None, "a missing row is no invalidation");
    }

    #[test]
    fn an_answer_is_taken_in_once_or_twice_alike() {
        let row = Invalidation { seq: 3, at: at(5), target: tag("a"), mode: Mode::Expire, refresh: Refresh::Lazy };
        let answer = FeedPage { seq: 3, rows: vec![row], ..FeedPage::default() };
        let mut once = Feed::default();
        assert_eq!(once.extend(TagIndexName::ROOT, 0, answer.clone()), FeedProgress::News);
        let mut twice = once.clone();
        assert_eq!(twice.extend(TagIndexName::ROOT, 0, answer), FeedProgress::Nothing);
        assert_eq!((once.seq(TagIndexName::ROOT), &once), (3, &twice));
    }

    #[test]
    fn another_log_is_read_from_its_beginning_and_what_is_known_stays_known() {
        let row = |seq, time| {
            let target = tag(&format!("t{time}"));
            Invalidation { seq, at: at(time), target, mode: Mode::Expire, refresh: Refresh::Lazy }
        };
        let answer = |log, seq, time| {
            let rows = vec![row(seq, time)];
            let log = LogId::new(log);
            FeedPage {
                seq,
                rows,
                log: Some(log),
                newest: Some(LogPosition { log, seq, at: at(time) }),
                ..FeedPage::default()
            }
        };
        let root = TagIndexName::ROOT;
        let mut feed = Feed::default();
        assert_eq!(feed.extend(root, 0, answer(1, 300, 500)), FeedProgress::News);
        let position = LogPosition { log: LogId::new(1), seq: 300, at: at(500) };
        assert_eq!(feed.position(root), Some(position));
        // The rows after 300 of another log say nothing about its first 300, however many such answers come.
        for _ in 0..2 {
            assert_eq!(feed.extend(root, 300, answer(2, 310, 600)), FeedProgress::StartsOver);
            let position = LogPosition { log: LogId::new(2), seq: 310, at: at(600) };
            assert_eq!((feed.seq(root), feed.position(root)), (0, Some(position)));
        }
        assert_eq!(feed.extend(root, 0, answer(2, 310, 600)), FeedProgress::News);
        for time in [500, 600] {
            let known = page("/", &[&format!("t{time}")], 100);
            assert!(feed.invalidation_of(&known, &route()).is_some(), "{time}");
        }
        // An object of an older version does not state its log.
        assert_eq!(feed.extend(root, 300, FeedPage { log: None, ..answer(0, 311, 700) }), FeedProgress::News);
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
