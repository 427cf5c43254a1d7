//! The promises as properties. Each is checked against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::origin::Body;
use crate::coordinator::{Lease, WaiterId};
use crate::invalidation::{Invalidation, Mode, Target};
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::semantics::storable::OriginFailure;
use crate::time::Timestamp;
use crate::version::Version;

/// L2 accepts one write per key in this time, in milliseconds (platform limit).
pub(super) const WRITE_INTERVAL: u64 = 1000;

/// The longest pause of a key, and of all keys together, after failed renders, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
const LONGEST_PAUSE_OF_ALL: u64 = 60_000;

/// All keys pause once the failures of different keys within this time, in milliseconds, weigh this much. A key that
/// could not be reached weighs more than one whose response is an error, and successes of other keys weigh against them.
const FAILURES_COUNT_FOR: u64 = 60_000;
const ALL_PAUSE_AT: u32 = 24;
const UNREACHABLE_WEIGHS: u32 = 6;
const ERROR_WEIGHS: u32 = 2;
const SUCCESS_WEIGHS: u32 = 3;

/// Successes count once the failures weigh this much.
const SUCCESSES_COUNT_AT: u32 = ALL_PAUSE_AT / 2;

/// An edge polls at most once in this time, in milliseconds.
const POLL_INTERVAL: u64 = 2_000;

/// The longest pause of an edge after polls or reports without a result, in milliseconds. If so much time has passed
/// since the end of a pause, the next one may be a first one.
const LONGEST_EDGE_PAUSE: u64 = 30_000;

/// The maximum duration of a report, in milliseconds.
const REPORT_LASTS: u64 = 25_000;

/// How far the clocks of two machines may differ, in milliseconds.
const CLOCKS: u64 = 1_000;

/// The result of a check: success, or a violation.
pub(super) type CheckResult = Result<(), Violation>;

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    /// Its number in the list of promises.
    pub promise: u8,
    /// A description of the violation.
    pub what: String,
}

impl Violation {
    pub(super) fn of(promise: u8, what: impl Into<String>) -> Self {
        Self { promise, what: what.into() }
    }
}

/// Fails unless a condition holds.
pub(super) fn promise(number: u8, holds: bool, what: impl FnOnce() -> String) -> CheckResult {
    if holds { Ok(()) } else { Err(Violation::of(number, what())) }
}

/// An invalidation. Pages rendered before it are outdated.
#[derive(Debug)]
struct KnownInvalidation {
    at: u64,
    target: Target,
    mode: Mode,
    edit: u64,
    /// Whether the tag index has lost it, because its database was restored to an earlier point.
    is_lost: bool,
    /// The paths of its route, if it names a route.
    of_route: Vec<&'static str>,
}

impl KnownInvalidation {
    fn concerns(&self, page: &PageMeta, body: Body) -> bool {
        !self.is_lost && body.shows < self.edit && self.names(page)
    }

    fn names(&self, page: &PageMeta) -> bool {
        match &self.target {
            Target::Tag(tag) => page.tags.iter().any(|carried| carried == tag || carried.is_every()),
            _ => self.names_path(page.key.path()),
        }
    }

    /// Returns whether it names all pages of a path, regardless of their tags.
    fn names_path(&self, path: &str) -> bool {
        match &self.target {
            Target::Path(named) => named.as_str() == path,
            Target::Tag(_) => false,
            Target::Prefix(prefix) => {
                let below = path.strip_prefix(prefix.as_str());
                prefix.as_str() == "/" || below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
            }
            Target::Route(_) => self.of_route.contains(&path),
            Target::Everything => true,
        }
    }
}

/// The quality that a response claims for its page, best first. The mode of an invalidation forbids some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ServedAs {
    Fresh,
    Stale,
    /// As a fallback for a page that is unavailable.
    InPlace,
}

impl ServedAs {
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
pub(super) struct WaitingRequest {
    /// Its coordinator.
    object: usize,
    /// The number of invalidations acknowledged before it arrived.
    acknowledged: usize,
    /// The lower bound on the page's render time.
    newer_than: Option<Timestamp>,
    /// The number of the input before its own.
    input: u64,
}

/// The model of one key.
#[derive(Debug, Default)]
struct KeyModel {
    /// Its owner.
    object: usize,
    /// The running render, and the end of its lease.
    live: Option<(Version, u64)>,
    /// The newest version that was ever published.
    published: Option<Version>,
    /// When the last write to L2 began.
    written: Option<u64>,
    /// The number of consecutive failures of the origin for this key, and the time of the last one.
    failures: u32,
    failed: u64,
    /// Whether a render whose connection broke is repeated at once. This does not count as a failure, but happens only
    /// once.
    is_repeated: bool,
    /// Whether an event has lifted the pause.
    is_lifted: bool,
    /// The input after which an event could lift a pause.
    last_lift: u64,
}

/// The model of one coordinator's failures: the last result of each of its keys, and, while all of them pause, the
/// number of pauses so far and when a render last began or failed.
#[derive(Clone, Debug, Default)]
struct Outage {
    /// The time of each result, what it weighs as a failure, and what it weighs as a success.
    results: BTreeMap<usize, (u64, u32, u32)>,
    pauses: u32,
    last_attempt: u64,
}

impl Outage {
    fn note(&mut self, key: usize, now: u64, failure: u32, success: u32) {
        let has_failed = self.results.get(&key).is_some_and(|(_, failure, _)| *failure > 0);
        let weigh: u32 = self.results.values().map(|(_, failure, _)| failure).sum();
        if failure == 0 && weigh < SUCCESSES_COUNT_AT && !has_failed {
            return;
        }
        self.results.retain(|_, (at, ..)| now < *at + FAILURES_COUNT_FOR && *at <= now + CLOCKS);
        self.results.insert(key, (now, failure, success));
        let (failures, successes) =
            self.results.values().fold((0, 0), |(failures, successes), (_, f, s)| (failures + f, successes + s));
        let responds = failure == ERROR_WEIGHS;
        if failure > 0 && if self.pauses > 0 { responds } else { failures >= ALL_PAUSE_AT + successes } {
            self.pauses = 1;
        }
        self.last_attempt = now;
    }
}

/// The failures of a key, and those of its coordinator.
pub(super) struct Failures {
    of_key: (u32, bool),
    of_all: Outage,
}

/// The models of all keys under one number of shards.
#[derive(Debug, Default)]
pub(super) struct KeyModels(Vec<KeyModel>);

impl KeyModels {
    /// Creates the models of keys with these owners.
    pub(super) fn of(owners: &[usize]) -> Self {
        Self(owners.iter().map(|object| KeyModel { object: *object, ..KeyModel::default() }).collect())
    }
}

/// The models of all promises. The times of a coordinator are by its own clock.
#[derive(Debug, Default)]
pub(super) struct Checks {
    keys: Vec<KeyModel>,
    objects: Vec<Outage>,
    /// The route of each path.
    routes: Vec<(&'static str, RouteId)>,
    /// The invalidations that every affected coordinator has applied.
    acknowledged: Vec<KnownInvalidation>,
    /// The invalidations in the log, or sent to it. Some are not applied everywhere yet.
    recorded: Vec<KnownInvalidation>,
    /// Whether the log or the feed is so small that a purge may reach a coordinator as one of everything.
    pub(super) purges_widen: bool,
    waiting: BTreeMap<WaiterId, WaitingRequest>,
    /// The input after which each lease was granted.
    granted: BTreeMap<Version, u64>,
    inputs: u64,
    /// The polls of each edge, and its reports of each page.
    polled: BTreeMap<usize, Attempts>,
    reported: BTreeMap<(usize, usize), Attempts>,
}

/// What an edge repeats until it succeeds.
#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    /// When the last one began.
    began: u64,
    /// The next one must not begin before.
    due: u64,
    is_under_way: bool,
    /// The number of failures, one after another.
    failures: u32,
    /// The time of an invalidation that the last one named.
    newer_than: Option<Timestamp>,
}

impl Attempts {
    fn begin(&mut self, now: u64, lasts: u64) {
        (self.began, self.due, self.is_under_way) = (now, now + lasts, true);
    }
}

impl Checks {
    /// Creates the models for `objects` coordinators, for keys with these owners, and for these paths with their
    /// routes.
    pub(super) fn new(objects: usize, owners: &[usize], routes: Vec<(&'static str, RouteId)>) -> Self {
        let objects = vec![Outage::default(); objects];
        Self { keys: KeyModels::of(owners).0, objects, routes, ..Self::default() }
    }

    /// Counts an input.
    pub(super) fn input(&mut self) {
        self.inputs += 1;
    }

    /// Records that every affected coordinator has applied an invalidation.
    pub(super) fn acknowledge(&mut self, at: u64, invalidation: &Invalidation, edit: u64) {
        let told = self.told(at, &invalidation.target, invalidation.mode, edit);
        self.acknowledged.push(told);
    }

    fn told(&self, at: u64, target: &Target, mode: Mode, edit: u64) -> KnownInvalidation {
        let is_of_route = |id: &RouteId| matches!(target, Target::Route(route) if route == id);
        let of_route = self.routes.iter().filter(|(_, id)| is_of_route(id)).map(|(path, _)| *path).collect();
        KnownInvalidation { at, target: target.clone(), mode, edit, is_lost: false, of_route }
    }

    /// Promise 8: while the origin fails for all keys, one render begins per pause. Repetitions of a render that could
    /// not be used do not count: there are at most five. Renders of invalidated pages do not count either.
    pub(super) fn granted(&mut self, key: usize, lease: &Lease, now: u64, is_invalidated: bool) -> CheckResult {
        if self.knows(lease.token) {
            return Ok(());
        }
        self.granted.insert(lease.token, self.inputs);
        let known = &mut self.keys[key];
        // A repetition that never began leaves nothing behind.
        known.is_repeated &= lease.attempt > 0;
        if lease.attempt > 0 || is_invalidated || known.is_lifted {
            return Ok(());
        }
        let outage = &mut self.objects[known.object];
        if outage.pauses > 0 {
            let (pauses, last) = (outage.pauses, outage.last_attempt);
            let due = last + pause(pauses, LONGEST_PAUSE_OF_ALL);
            promise(8, now >= due, || {
                format!("a lease at {now}, in pause {pauses} of all keys since {last}, after {:?}", outage.results)
            })?;
            outage.pauses += 1;
            outage.last_attempt = now;
        }
        Ok(())
    }

    /// Returns whether a lease was seen before.
    pub(super) fn knows(&self, token: Version) -> bool {
        self.granted.contains_key(&token)
    }

    /// Promise 1: there is at most one live lease per key. Promise 8: after the n-th consecutive failure, the next
    /// attempt waits 2^(n-1) seconds, at most five minutes.
    /// The clock may have been set back by `clock_was_set` since.
    pub(super) fn render_begins(
        &mut self,
        key: usize,
        token: Version,
        now: u64,
        until: u64,
        clock_was_set: u64,
    ) -> CheckResult {
        let known = &mut self.keys[key];
        let live = known.live.filter(|(_, until)| now < *until);
        promise(1, live.is_none(), || format!("a render begins while that of {live:?} is under way"))?;
        known.live = Some((token, until));
        let (failures, failed) = (known.failures, known.failed);
        promise(8, known.is_lifted || now + clock_was_set >= failed + pause(failures, LONGEST_PAUSE), || {
            format!("a render begins at {now}, though the {failures}. in a row failed at {failed}")
        })
    }

    /// Records that a render has ended or was cancelled.
    pub(super) fn render_ends(&mut self, key: usize, token: Version) {
        let live = &mut self.keys[key].live;
        *live = live.filter(|(current, _)| *current != token);
    }

    /// Promises 1 and 2: versions rise, and a page that an acknowledged invalidation names is not published as good.
    pub(super) fn published(&mut self, key: usize, page: &PageMeta, body: Body, shown: ServedAs) -> CheckResult {
        let last = self.keys[key].published.replace(page.version);
        promise(1, last.is_none_or(|last| last < page.version), || {
            format!("{} is published after {last:?}", page.version)
        })?;
        self.not_invalidated(self.acknowledged.len(), page, body, shown, "is published")
    }

    /// Records a request that waits for its answer.
    pub(super) fn asked(&mut self, object: usize, waiter: WaiterId, newer_than: Option<Timestamp>) {
        let acknowledged = self.acknowledged.len();
        self.waiting.insert(waiter, WaitingRequest { object, acknowledged, newer_than, input: self.inputs });
    }

    /// Ends a request's wait. Returns whether it was still waiting.
    pub(super) fn timed_out(&mut self, waiter: WaiterId) -> bool {
        self.waiting.remove(&waiter).is_some()
    }

    /// Promise 4: each request is answered once.
    pub(super) fn answered(&mut self, waiter: WaiterId) -> Result<WaitingRequest, Violation> {
        let asked = self.waiting.remove(&waiter);
        asked.ok_or_else(|| Violation::of(4, format!("{waiter:?} is answered, but does not wait")))
    }

    /// Promise 2: a request that arrives after the acknowledgement gets no page from before it. Neither does a request
    /// that itself knows of an invalidation, unless it was waiting for a render that had begun before.
    pub(super) fn shown(&self, asked: WaitingRequest, page: &PageMeta, body: Body, shown: ServedAs) -> CheckResult {
        let start = page.render_start();
        let has_begun = |at: &u64| *at <= asked.input && asked.input + 1 < self.inputs;
        let has_waited = self.granted.get(&page.version).is_some_and(has_begun);
        let may_be_old = has_waited || shown == ServedAs::InPlace;
        promise(2, may_be_old || asked.newer_than.is_none_or(|time| start > time), || {
            format!("{} is the answer to a request that wants it newer than {:?}", page.version, asked.newer_than)
        })?;
        self.not_invalidated(asked.acknowledged, page, body, shown, "is answered")
    }

    fn not_invalidated(&self, first: usize, page: &PageMeta, body: Body, shown: ServedAs, what: &str) -> CheckResult {
        let broken = self.acknowledged[..first]
            .iter()
            .find(|invalidation| shown.is_forbidden_by(invalidation.mode) && invalidation.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {}, showing {}, {what} in spite of {broken:?}", page.version, page.key, body.shows)
        })
    }

    /// Promise 2: no edge serves a page as fresh longer than the bound after its invalidation, even if the coordinators
    /// do not know the invalidation yet. An invalidation in the log is also in the feed.
    pub(super) fn served_fresh(&self, now: u64, bound: u64, page: &PageMeta, body: Body) -> CheckResult {
        let broken = self.recorded.iter().find(|known| known.at + bound < now && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!(
                "{} of {}, showing {}, is served as fresh in spite of {broken:?}",
                page.version, page.key, body.shows
            )
        })
    }

    /// Promise 2: an edge that has asked for any version of a page does not serve it as fresh if it was invalidated
    /// before the edge's last question to the feed, even if the coordinator does not know that yet.
    pub(super) fn served_unknowingly(&self, told_at: Option<u64>, page: &PageMeta, body: Body) -> CheckResult {
        let is_known = |known: &&KnownInvalidation| told_at.is_some_and(|told_at| known.at < told_at);
        let broken = self.recorded.iter().find(|known| is_known(known) && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {} is served as fresh, though the edge knows of {broken:?}", page.version, page.key)
        })
    }

    /// Promise 2: an edge whose clock was set back takes pages for fresh that are stale by their own times. It does not if
    /// it has heard of their invalidation.
    pub(super) fn served_by_slow_clock(&self, heard: &BTreeSet<u64>, page: &PageMeta, body: Body) -> CheckResult {
        let broken = self.recorded.iter().find(|known| heard.contains(&known.edit) && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {} is served as fresh, though the edge has heard of {broken:?}", page.version, page.key)
        })
    }

    /// Promise 2: an edge serves no page that was purged before its last question to the feed, not even instead of an
    /// error. If it got no answer from the coordinator, only the purges that it has `heard` of count: the others had left
    /// the feed before it asked.
    pub(super) fn served_stale(
        &self,
        told_at: Option<u64>,
        heard: Option<&BTreeSet<u64>>,
        page: &PageMeta,
        body: Body,
    ) -> CheckResult {
        let is_heard = |edit: &u64| heard.is_none_or(|heard| heard.contains(edit));
        let is_known =
            |known: &&KnownInvalidation| told_at.is_some_and(|told_at| known.at < told_at) && is_heard(&known.edit);
        let mut purges = self.recorded.iter().filter(|known| known.mode == Mode::Purge);
        let broken = purges.find(|known| is_known(known) && known.concerns(page, body));
        promise(2, broken.is_none(), || format!("{} of {} stands in, in spite of {broken:?}", page.version, page.key))
    }

    /// Promise 2: without any answer of the feed, an edge serves a page without asking only if a coordinator has answered
    /// with it within the bound. So it serves no page whose purge was acknowledged longer ago.
    pub(super) fn served_without_feed(&self, now: u64, bound: u64, page: &PageMeta, body: Body) -> CheckResult {
        let is_old = |known: &&KnownInvalidation| known.at + bound + CLOCKS < now;
        let mut purges = self.acknowledged.iter().filter(|known| known.mode == Mode::Purge);
        let broken = purges.find(|known| is_old(known) && known.concerns(page, body));
        promise(2, broken.is_none(), || {
            format!("{} of {} is served without a feed, in spite of {broken:?}", page.version, page.key)
        })
    }

    /// Records that an edge has lost its knowledge.
    pub(super) fn isolate_ended(&mut self, edge: usize) {
        self.polled.remove(&edge);
        self.reported.retain(|(of, _), _| *of != edge);
    }

    /// Promise 2: a marker from `marked_at` does not hold after an invalidation of its path that was recorded before
    /// the edge's last question to the feed.
    pub(super) fn passed(&self, marked_at: u64, told_at: Option<u64>, path: &str) -> CheckResult {
        let is_known =
            |known: &&KnownInvalidation| told_at.is_some_and(|told_at| marked_at < known.at && known.at < told_at);
        let broken = self.recorded.iter().find(|known| !known.is_lost && is_known(known) && known.names_path(path));
        promise(2, broken.is_none(), || format!("{path} passes by a marker of {marked_at}, in spite of {broken:?}"))
    }

    /// Promise 10: an edge polls the tag index at most once in two seconds, and less often after failures. A poll that
    /// begins with an answer from the colo does not count: the next one may follow at once. No visit waits for a poll
    /// after one that failed, until one succeeds.
    pub(super) fn polls(&mut self, edge: usize, now: u64, is_waited_for: bool) -> CheckResult {
        let polled = self.polled.entry(edge).or_default();
        let last = *polled;
        polled.begin(now, POLL_INTERVAL);
        promise(10, now >= last.due, || format!("edge {edge} polls at {now}, after {last:?}"))?;
        promise(10, !is_waited_for || last.failures == 0, || format!("a visit waits for edge {edge}, after {last:?}"))
    }

    /// Records that a poll has ended.
    pub(super) fn polled(&mut self, edge: usize, now: u64, is_done: bool) {
        let polled = self.polled.entry(edge).or_default();
        let due = polled.due;
        polled.failures = if is_done { 0 } else { polled.failures + 1 };
        polled.due = due.max(now + (2 * pause(polled.failures, LONGEST_EDGE_PAUSE)).min(LONGEST_EDGE_PAUSE));
    }

    /// Records that a frame has brought the feed up to date: the tag index answers.
    pub(super) fn pushed(&mut self, edge: usize) {
        self.polled.entry(edge).or_default().failures = 0;
    }

    /// Records that a frame has shown that the log is another one. The next poll may follow at once.
    pub(super) fn feed_is_lost(&mut self, edge: usize) {
        let polled = self.polled.entry(edge).or_default();
        if polled.failures == 0 {
            polled.due = 0;
        }
    }

    /// Promise 10: an edge sends one report of a page at a time, and waits after unsuccessful ones, unless it knows of a
    /// later invalidation.
    pub(super) fn reports(&mut self, edge: usize, key: usize, now: u64, newer_than: Option<Timestamp>) -> CheckResult {
        let reported = self.reported.entry((edge, key)).or_default();
        let last = *reported;
        reported.begin(now, REPORT_LASTS);
        reported.newer_than = newer_than;
        if now >= last.due + LONGEST_EDGE_PAUSE {
            reported.failures = 0;
        }
        let is_lifted = !last.is_under_way && newer_than > last.newer_than;
        promise(10, now >= last.due || is_lifted, || format!("edge {edge} reports page {key} at {now}, after {last:?}"))
    }

    /// Records that a report has ended.
    pub(super) fn reported(&mut self, edge: usize, key: usize, now: u64, is_replaced: bool) {
        let reported = self.reported.entry((edge, key)).or_default();
        reported.is_under_way = false;
        reported.failures = if is_replaced { 0 } else { reported.failures + 1 };
        reported.due = now + pause(reported.failures, LONGEST_EDGE_PAUSE);
    }

    /// Records an invalidation in the log, or one that was reported as recorded.
    pub(super) fn record(&mut self, at: u64, target: &Target, mode: Mode, edit: u64) {
        let told = self.told(at, target, mode, edit);
        self.recorded.push(told);
    }

    /// Records that the tag index has lost the invalidations of all edits after `edit`.
    pub(super) fn lost_after(&mut self, edit: u64) {
        let known = self.recorded.iter_mut().chain(&mut self.acknowledged);
        known.filter(|known| known.edit > edit).for_each(|known| known.is_lost = true);
    }

    /// Forgets when an edge polled and reported: its clock was set.
    pub(super) fn clock_was_set(&mut self, edge: usize) {
        self.polled.remove(&edge);
        self.reported.retain(|(reporting, _), _| *reporting != edge);
    }

    /// Promise 3: a coordinator treats each page from before a recorded invalidation that names it as invalidated.
    pub(super) fn applied(&self, page: &PageMeta, body: Body, invalidated: Option<Mode>) -> CheckResult {
        let is_missed =
            |known: &&KnownInvalidation| known.concerns(page, body) && invalidated.is_none_or(|mode| mode < known.mode);
        let missed = self.recorded.iter().find(is_missed);
        promise(3, missed.is_none(), || {
            format!(
                "{} of {}, showing {}, counts as {invalidated:?} in spite of {missed:?}",
                page.version, page.key, body.shows
            )
        })
    }

    /// Returns whether a page may be gone forever. A late delivery of a purge also removes pages rendered since.
    pub(super) fn may_be_purged(&self, page: &PageMeta) -> bool {
        self.recorded.iter().any(|known| known.mode == Mode::Purge && (self.purges_widen || known.names(page)))
    }

    /// Returns whether anything was purged.
    pub(super) fn knows_a_purge(&self) -> bool {
        self.recorded.iter().any(|known| known.mode == Mode::Purge)
    }

    /// Returns whether a page was invalidated.
    pub(super) fn is_invalidated(&self, page: &PageMeta, body: Body) -> bool {
        self.acknowledged.iter().any(|known| known.concerns(page, body))
    }

    /// Promise 6: L2 gets at most one write per key and second, with a tolerance of `clock_was_set`, the clock's
    /// adjustment since the last write.
    pub(super) fn written(&mut self, key: usize, now: u64, clock_was_set: u64) -> CheckResult {
        let last = self.keys[key].written.replace(now);
        let is_late = |last| now + clock_was_set >= last + WRITE_INTERVAL;
        promise(6, last.is_none_or(is_late), || format!("L2 is written at {now} and at {last:?}"))
    }

    /// Records a good response of the origin, even if it may not be stored.
    pub(super) fn succeeded(&mut self, key: usize, now: u64) {
        let known = &mut self.keys[key];
        (known.failures, known.is_repeated) = (0, false);
        let outage = &mut self.objects[known.object];
        if outage.pauses > 0 {
            *outage = Outage::default();
        } else {
            outage.note(key, now, 0, SUCCESS_WEIGHS);
        }
    }

    /// Returns the failures of a key, and those of its coordinator.
    pub(super) fn failures_of(&self, key: usize) -> Failures {
        let known = &self.keys[key];
        Failures { of_key: (known.failures, known.is_repeated), of_all: self.objects[known.object].clone() }
    }

    /// Restores the failures of a key, and those of its coordinator.
    pub(super) fn set_failures_of(&mut self, key: usize, failures: Failures) {
        let known = &mut self.keys[key];
        (known.failures, known.is_repeated) = failures.of_key;
        self.objects[known.object] = failures.of_all;
    }

    /// Records that a render could not be published although the origin did not fail.
    pub(super) fn unpublished(&mut self, key: usize) {
        self.keys[key].is_repeated = false;
    }

    /// Records a failed render. `is_unseen` means that no request has received any part of the response.
    pub(super) fn failed(&mut self, key: usize, token: Version, now: u64, failure: OriginFailure, is_unseen: bool) {
        let granted = self.granted.get(&token).copied().unwrap_or_default();
        let known = &mut self.keys[key];
        let is_broken = failure == OriginFailure::Broken;
        let is_unreachable = is_broken || failure == OriginFailure::Timeout;
        let weight = if is_unreachable { UNREACHABLE_WEIGHS } else { ERROR_WEIGHS };
        self.objects[known.object].note(key, now, weight, 0);
        // A response that was invalidated as it arrived counts as one that had not begun.
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

    /// Records an event that lifts the pause of a key.
    pub(super) fn lift(&mut self, key: usize) {
        let known = &mut self.keys[key];
        known.last_lift = self.inputs;
        known.is_lifted = true;
    }

    /// Returns whether no request waits at a coordinator.
    pub(super) fn nobody_waits(&self, object: usize) -> bool {
        self.waiting.values().all(|asked| asked.object != object)
    }

    /// Returns how many requests wait at a coordinator.
    pub(super) fn waiting_at(&self, object: usize) -> u64 {
        self.waiting.values().filter(|asked| asked.object == object).count() as u64
    }

    /// Promise 4, when all is quiet: no request waits.
    pub(super) fn all_answered(&self) -> CheckResult {
        promise(4, self.waiting.is_empty(), || format!("{:?} are never answered", self.waiting.keys()))
    }

    /// Records that a key was displaced some time after its last pause: its failures are forgotten.
    pub(super) fn displaced(&mut self, key: usize) {
        let known = &mut self.keys[key];
        (known.failures, known.is_repeated) = (0, false);
    }

    /// Resets the model of a key whose owner has changed. The new owner knows nothing of the former one's work.
    pub(super) fn moved(&mut self, key: usize, object: usize) {
        self.keys[key] = KeyModel { object, ..KeyModel::default() };
    }

    /// Uses other models of the keys from now on, and returns those in use until now.
    pub(super) fn exchange(&mut self, others: &mut KeyModels) {
        std::mem::swap(&mut self.keys, &mut others.0);
    }

    /// Takes the model of a key from those of other settings: its owner is the same.
    pub(super) fn take_over(&mut self, key: usize, others: &mut KeyModels) {
        self.keys[key] = std::mem::take(&mut others.0[key]);
    }

    /// Returns the coordinator at which a request waits.
    pub(super) fn waits_at(&self, waiter: WaiterId) -> Option<usize> {
        self.waiting.get(&waiter).map(|asked| asked.object)
    }

    /// Adjusts the models to a coordinator's clock that was set back: what it has done is not in the future.
    pub(super) fn clock_of_object_was_set(&mut self, object: usize, back: u64) {
        // A pause that is longer than there can be has ended.
        let outage = &mut self.objects[object];
        outage.last_attempt = if back > LONGEST_PAUSE_OF_ALL { 0 } else { outage.last_attempt.saturating_sub(back) };
        for known in self.keys.iter_mut().filter(|known| known.object == object) {
            // Its pauses have ended.
            (known.failed, known.written) = (0, None);
            known.live = known.live.map(|(token, until)| (token, until.saturating_sub(back)));
        }
    }

    /// Removes the state that was lost with a coordinator.
    pub(super) fn died(&mut self, object: usize) {
        self.waiting.retain(|_, asked| asked.object != object);
        for known in self.keys.iter_mut().filter(|known| known.object == object) {
            // A lost repetition is none: the page's next render may be repeated.
            (known.live, known.is_repeated) = (None, false);
        }
    }
}

/// Returns the shortest pause after `failures` consecutive failures.
fn pause(failures: u32, longest: u64) -> u64 {
    match failures {
        0 => 0,
        n => 1000_u64
            .checked_mul(1_u64.checked_shl(n - 1).unwrap_or(u64::MAX))
            .map_or(longest, |pause| pause.min(longest)),
    }
}
