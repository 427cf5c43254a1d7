//! The promises as properties, each against a model that is too simple to be wrong.

use std::collections::BTreeMap;

use super::site::Body;
use crate::coordinator::{Lease, WaiterId};
use crate::invalidation::{Invalidation, Mode, Scope};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::time::Timestamp;
use crate::version::Version;

/// L2 takes one write per key in this time, in milliseconds (platform limit).
const WRITE_INTERVAL: u64 = 1000;

/// The longest pause of a key after a failed render, and of all keys together, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
const LONGEST_PAUSE_OF_ALL: u64 = 60_000;

/// After how many failures in a row, of any keys, all of them pause.
const ALL_PAUSE_AFTER: u32 = 8;

/// An edge polls at most once in this time, in milliseconds.
const POLL_INTERVAL: u64 = 2_000;

/// How long a report lasts at the most, and how long a page is not reported after one in vain, in milliseconds.
const REPORT_LASTS: u64 = 25_000;
const REPORT_PAUSE: u64 = 1_000;

/// What a check says: nothing, or what is wrong.
pub(super) type Checked = Result<(), Violation>;

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Its number in the list of promises.
    pub promise: u8,
    /// What has happened.
    pub what: String,
}

impl Violation {
    pub(super) fn of(promise: u8, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}

/// Fails unless a condition holds.
pub(super) fn promise(number: u8, holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation::of(number, what())) }
}

/// An invalidation: what was rendered before it is old.
#[derive(Debug)]
struct Told {
    at: u64,
    scope: Scope,
    mode: Mode,
    edit: u64,
    /// The paths of its route, if it is about one.
    of_route: Vec<&'static str>,
}

impl Told {
    fn concerns(&self, page: &PageMeta, body: Body) -> bool {
        body.shows < self.edit && self.names(page)
    }

    fn names(&self, page: &PageMeta) -> bool {
        match &self.scope {
            Scope::Tag(tag) => page.tags.contains(tag),
            _ => self.names_path(page.key.path()),
        }
    }

    /// Tells whether all pages of a path are concerned, whatever they carry.
    fn names_path(&self, path: &str) -> bool {
        match &self.scope {
            Scope::Path(named) => named.as_str() == path,
            Scope::Tag(_) => false,
            Scope::Prefix(prefix) => {
                let below = path.strip_prefix(prefix.as_str());
                prefix.as_str() == "/" || below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            }
            Scope::Route(_) => self.of_route.contains(&path),
            Scope::Everything => true,
        }
    }
}

/// As what a page is shown: whatever is shown as good as this is forbidden by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    Fresh,
    Stale,
    /// In place of what can't be had.
    InPlace,
}

impl Shown {
    fn is_forbidden_by(self, mode: Mode) -> bool {
        match mode {
            Mode::Stale => self == Self::Fresh,
            Mode::Expire => self <= Self::Stale,
            Mode::Purge => true,
        }
    }
}

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// At which coordinator.
    object: usize,
    /// How many invalidations had been acknowledged when it came.
    acknowledged: usize,
    /// How new the page must be.
    newer_than: Option<Timestamp>,
    /// The input before the one with which it came.
    input: u64,
}

/// What is remembered of one key.
#[derive(Debug, Default)]
struct Known {
    /// Its owner.
    object: usize,
    /// The render under way, and until when its lease lasts.
    live: Option<(Version, u64)>,
    /// The newest version that was ever published.
    published: Option<Version>,
    /// When a write to L2 was begun last.
    written: Option<u64>,
    /// How often in a row the site has failed for it, and when it did last.
    failures: u32,
    failed: u64,
    /// Whether a render whose connection broke is repeated at once: that is not counted, but comes once.
    is_repeated: bool,
    /// Whether something has come that lifts the pause.
    is_lifted: bool,
    /// After which input something came that could lift a pause.
    last_lift: u64,
}

/// What is remembered of one coordinator: how often in a row the site has failed for any of its keys, and when a render
/// last began or failed in that row.
#[derive(Clone, Debug, Default)]
struct Streak {
    failures: u32,
    last_attempt: u64,
}

/// The models of all promises. Times that a coordinator goes by are of its own clock.
#[derive(Debug, Default)]
pub(super) struct Checks {
    keys: Vec<Known>,
    objects: Vec<Streak>,
    /// The route of each path.
    routes: Vec<(&'static str, RouteId)>,
    /// What was applied wherever it had to be.
    acknowledged: Vec<Told>,
    /// What is in the log, or was told to be: a part of it is not applied everywhere yet.
    recorded: Vec<Told>,
    waiting: BTreeMap<WaiterId, Asked>,
    /// After which input each lease was granted.
    granted: BTreeMap<Version, u64>,
    inputs: u64,
    /// When each edge polled last, and until when it is not to report a page again.
    polled: BTreeMap<usize, u64>,
    reported: BTreeMap<(usize, usize), u64>,
}

impl Checks {
    /// Knows nothing yet of so many coordinators, of keys that have these owners, and of these paths with their routes.
    pub(super) fn new(objects: usize, owners: &[usize], routes: Vec<(&'static str, RouteId)>) -> Self {
        let known = |object: &usize| Known { object: *object, ..Known::default() };
        let objects = vec![Streak::default(); objects];
        Self { keys: owners.iter().map(known).collect(), objects, routes, ..Self::default() }
    }

    /// Counts an input.
    pub(super) fn input(&mut self) {
        self.inputs += 1;
    }

    /// Notes that an invalidation was applied wherever it had to be.
    pub(super) fn acknowledge(&mut self, at: u64, invalidation: &Invalidation, edit: u64) {
        let told = self.told(at, &invalidation.scope, invalidation.mode, edit);
        self.acknowledged.push(told);
    }

    fn told(&self, at: u64, scope: &Scope, mode: Mode, edit: u64) -> Told {
        let is_of_route = |id: &RouteId| matches!(scope, Scope::Route(route) if route == id);
        let of_route = self.routes.iter().filter(|(_, id)| is_of_route(id)).map(|(path, _)| *path).collect();
        Told { at, scope: scope.clone(), mode, edit, of_route }
    }

    /// Promise 8: while the site fails for all keys, one render is begun per pause. Repetitions of a render that could
    /// not be used are not counted: there are at most five.
    pub(super) fn granted(&mut self, object: usize, lease: &Lease, now: u64) -> Checked {
        if self.knows(lease.token) {
            return Ok(());
        }
        self.granted.insert(lease.token, self.inputs);
        if lease.attempt > 0 {
            return Ok(());
        }
        let streak = &mut self.objects[object];
        if streak.failures >= ALL_PAUSE_AFTER {
            let (failures, last) = (streak.failures, streak.last_attempt);
            let due = last + pause(failures - ALL_PAUSE_AFTER + 1, LONGEST_PAUSE_OF_ALL);
            promise(8, now >= due, || format!("a lease at {now}, after {failures} failures in a row up to {last}"))?;
        }
        streak.last_attempt = now;
        Ok(())
    }

    /// Tells whether a lease was seen before.
    pub(super) fn knows(&self, token: Version) -> bool {
        self.granted.contains_key(&token)
    }

    /// Promise 1: there is at most one live lease per key. Promise 8: after the n-th failure in a row the next attempt
    /// waits 2^(n-1) seconds, at most five minutes.
    pub(super) fn render_begins(&mut self, key: usize, token: Version, now: u64, until: u64) -> Checked {
        let known = &mut self.keys[key];
        let live = known.live.filter(|(_, until)| now < *until);
        promise(1, live.is_none(), || format!("a render begins while that of {live:?} is under way"))?;
        known.live = Some((token, until));
        let (failures, failed) = (known.failures, known.failed);
        promise(8, known.is_lifted || now >= failed + pause(failures, LONGEST_PAUSE), || {
            format!("a render begins at {now}, though the {failures}. in a row failed at {failed}")
        })
    }

    /// Notes that a render has ended, or that nobody wants it any more.
    pub(super) fn render_ends(&mut self, key: usize, token: Version) {
        let live = &mut self.keys[key].live;
        *live = live.filter(|(current, _)| *current != token);
    }

    /// Promises 1 and 2: versions rise, and what an acknowledged invalidation concerns is not published as good.
    pub(super) fn published(&mut self, key: usize, page: &PageMeta, body: Body, shown: Shown) -> Checked {
        let last = self.keys[key].published.replace(page.version);
        promise(1, last.is_none_or(|last| last < page.version), || {
            format!("{} is published after {last:?}", page.version)
        })?;
        self.not_invalidated(self.acknowledged.len(), page, body, shown, "is published")
    }

    /// Notes a request that waits for its answer.
    pub(super) fn asked(&mut self, object: usize, waiter: WaiterId, newer_than: Option<Timestamp>) {
        let acknowledged = self.acknowledged.len();
        self.waiting.insert(waiter, Asked { object, acknowledged, newer_than, input: self.inputs });
    }

    /// Tells whether a request waits still, and notes that it does not any more.
    pub(super) fn timed_out(&mut self, waiter: WaiterId) -> bool {
        self.waiting.remove(&waiter).is_some()
    }

    /// Promise 4: each request is answered once.
    pub(super) fn answered(&mut self, waiter: WaiterId) -> Result<Asked, Violation> {
        let asked = self.waiting.remove(&waiter);
        asked.ok_or_else(|| Violation::of(4, format!("{waiter:?} is answered, but does not wait")))
    }

    /// Promise 2: whoever asks after the acknowledgement gets nothing from before, and whoever knows of an invalidation
    /// by itself neither, unless it was waiting for a render that had begun before.
    pub(super) fn shown(&self, asked: Asked, page: &PageMeta, body: Body, shown: Shown) -> Checked {
        let start = page.render_start();
        let has_begun = |at: &u64| *at <= asked.input && asked.input + 1 < self.inputs;
        let has_waited = self.granted.get(&page.version).is_some_and(has_begun);
        let may_be_old = has_waited || shown == Shown::InPlace;
        promise(2, may_be_old || asked.newer_than.is_none_or(|time| start > time), || {
            format!("{} is the answer to a request that wants it newer than {:?}", page.version, asked.newer_than)
        })?;
        self.not_invalidated(asked.acknowledged, page, body, shown, "is answered")
    }

    fn not_invalidated(&self, first: usize, page: &PageMeta, body: Body, shown: Shown, what: &str) -> Checked {
        let broken = self.acknowledged[..first]
            .iter()
            .find(|invalidation| shown.is_forbidden_by(invalidation.mode) && invalidation.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {}, showing {}, {what} in spite of {broken:?}", page.version, page.key, body.shows)
        })
    }

    /// Promise 2: no edge serves as fresh what was invalidated longer ago than the bound, also where the coordinators don't
    /// know of it yet: what is in the log is in the feed.
    pub(super) fn served_fresh(&self, now: u64, bound: u64, page: &PageMeta, body: Body) -> Checked {
        let broken = self.recorded.iter().find(|known| known.at + bound < now && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!(
                "{} of {}, showing {}, is served as fresh in spite of {broken:?}",
                page.version, page.key, body.shows
            )
        })
    }

    /// Promise 2: an edge that has asked for any version of a page does not serve as fresh what was invalidated before it
    /// asked the feed last, also where the coordinator does not know of it yet.
    pub(super) fn served_unknowingly(&self, told_at: Option<u64>, page: &PageMeta, body: Body) -> Checked {
        let is_known = |known: &&Told| told_at.is_some_and(|told_at| known.at < told_at);
        let broken = self.recorded.iter().find(|known| is_known(known) && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {} is served as fresh, though the edge knows of {broken:?}", page.version, page.key)
        })
    }

    /// Promise 2: an edge serves nothing that was purged before it asked the feed last, not even in place of an error.
    pub(super) fn served_stale(&self, told_at: Option<u64>, page: &PageMeta, body: Body) -> Checked {
        let is_known = |known: &&Told| told_at.is_some_and(|told_at| known.at < told_at);
        let mut purges = self.recorded.iter().filter(|known| known.mode == Mode::Purge);
        let broken = purges.find(|known| is_known(known) && known.concerns(page, body));
        promise(2, broken.is_none(), || format!("{} of {} stands in, in spite of {broken:?}", page.version, page.key))
    }

    /// Promise 2: a marker from `marked_at` does not outlive an invalidation of its path that was recorded before the edge
    /// asked the feed last.
    pub(super) fn passed(&self, marked_at: u64, told_at: Option<u64>, path: &str) -> Checked {
        let is_known = |known: &&Told| told_at.is_some_and(|told_at| marked_at < known.at && known.at < told_at);
        let broken = self.recorded.iter().find(|known| is_known(known) && known.names_path(path));
        promise(2, broken.is_none(), || format!("{path} passes by a marker of {marked_at}, in spite of {broken:?}"))
    }

    /// Promise 10: an edge polls at most once in two seconds.
    pub(super) fn polls(&mut self, edge: usize, now: u64) -> Checked {
        let last = self.polled.insert(edge, now);
        promise(10, last.is_none_or(|last| now >= last + POLL_INTERVAL), || {
            format!("edge {edge} polls at {now} and at {last:?}")
        })
    }

    /// Promise 10: an edge reports a page once at a time, and not within a second of a report in vain.
    pub(super) fn reports(&mut self, edge: usize, key: usize, now: u64) -> Checked {
        let last = self.reported.insert((edge, key), now + REPORT_LASTS);
        promise(10, last.is_none_or(|until| now >= until), || format!("edge {edge} reports page {key} before {last:?}"))
    }

    /// Notes that a report has ended.
    pub(super) fn reported(&mut self, edge: usize, key: usize, now: u64, is_replaced: bool) {
        self.reported.insert((edge, key), if is_replaced { now } else { now + REPORT_PAUSE });
    }

    /// Notes that an invalidation is recorded, or that somebody was told so.
    pub(super) fn record(&mut self, at: u64, scope: &Scope, mode: Mode, edit: u64) {
        let told = self.told(at, scope, mode, edit);
        self.recorded.push(told);
    }

    /// Promise 3: what a coordinator holds from before a recorded invalidation that names it, it counts as invalidated.
    pub(super) fn applied(&self, page: &PageMeta, body: Body, invalidated: Option<Mode>) -> Checked {
        let is_missed = |known: &&Told| known.concerns(page, body) && invalidated.is_none_or(|mode| mode < known.mode);
        let missed = self.recorded.iter().find(is_missed);
        promise(3, missed.is_none(), || {
            format!(
                "{} of {}, showing {}, counts as {invalidated:?} in spite of {missed:?}",
                page.version, page.key, body.shows
            )
        })
    }

    /// Tells whether a page may be gone for ever. A purge that is delivered late also takes what was rendered since.
    pub(super) fn may_be_purged(&self, page: &PageMeta) -> bool {
        self.recorded.iter().any(|known| known.mode == Mode::Purge && known.names(page))
    }

    /// Tells whether a copy was invalidated.
    pub(super) fn is_invalidated(&self, page: &PageMeta, body: Body) -> bool {
        self.acknowledged.iter().any(|known| known.concerns(page, body))
    }

    /// Promise 6: L2 gets at most one write per key and second, give or take what `clock_was_set` by since the last.
    pub(super) fn written(&mut self, key: usize, now: u64, clock_was_set: u64) -> Checked {
        let last = self.keys[key].written.replace(now);
        let is_late = |last| now + clock_was_set >= last + WRITE_INTERVAL;
        promise(6, last.is_none_or(is_late), || format!("L2 is written at {now} and at {last:?}"))
    }

    /// Notes that the site has answered well, even if with what is not to be stored.
    pub(super) fn succeeded(&mut self, key: usize) {
        let known = &mut self.keys[key];
        (known.failures, known.is_repeated) = (0, false);
        self.objects[known.object].failures = 0;
    }

    /// Notes that a render could not be published although the site did not fail.
    pub(super) fn unpublished(&mut self, key: usize) {
        self.keys[key].is_repeated = false;
    }

    /// Notes that a render has failed: whether because the connection broke, and whether anybody has seen something of
    /// the answer.
    pub(super) fn failed(&mut self, key: usize, token: Version, now: u64, is_broken: bool, is_unseen: bool) {
        let granted = self.granted.get(&token).copied().unwrap_or_default();
        let known = &mut self.keys[key];
        let streak = &mut self.objects[known.object];
        streak.failures += 1;
        streak.last_attempt = now;
        // An answer that was invalidated as it came counts as one that had not begun.
        let may_repeat = is_broken && (is_unseen || known.last_lift >= granted);
        if may_repeat && known.failures == 0 && !known.is_repeated {
            known.is_repeated = true;
            return;
        }
        known.is_repeated = false;
        known.failures += 1;
        known.failed = now;
        known.is_lifted = known.last_lift >= granted;
    }

    /// Notes that something came which lifts the pause of a key.
    pub(super) fn lift(&mut self, key: usize) {
        let known = &mut self.keys[key];
        known.last_lift = self.inputs;
        known.is_lifted = true;
    }

    /// Tells whether nobody waits at a coordinator.
    pub(super) fn nobody_waits(&self, object: usize) -> bool {
        self.waiting.values().all(|asked| asked.object != object)
    }

    /// Promise 4, when all is quiet: nobody waits.
    pub(super) fn all_answered(&self) -> Checked {
        promise(4, self.waiting.is_empty(), || format!("{:?} are never answered", self.waiting.keys()))
    }

    /// Forgets what the former owner of a key had done: the new one begins anew, and knows nothing of it.
    pub(super) fn moved(&mut self, key: usize, object: usize) {
        self.keys[key] = Known { object, ..Known::default() };
    }

    /// Forgets what died with a coordinator.
    pub(super) fn died(&mut self, object: usize) {
        self.waiting.retain(|_, asked| asked.object != object);
        self.keys.iter_mut().filter(|known| known.object == object).for_each(|known| known.live = None);
    }
}

/// The shortest pause after so many failures in a row.
fn pause(failures: u32, longest: u64) -> u64 {
    match failures {
        0 => 0,
        n => 1000_u64
            .checked_mul(1_u64.checked_shl(n - 1).unwrap_or(u64::MAX))
            .map_or(longest, |pause| pause.min(longest)),
    }
}
