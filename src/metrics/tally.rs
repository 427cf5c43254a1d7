//! What an isolate has counted for one deployment and not handed over yet.
//!
//! A HIT costs two additions: its plan holds a [`HitCounter`] with the cells that it counts in. Everything else is counted
//! by its labels.
//!
//! | state | event | next state |
//! |---|---|---|
//! | any | a request is answered | its labels have one more; the page has one visit more |
//! | any | a miss, or the report of a stale page, goes to a coordinator | the visits of that coordinator's pages go with it, and are zero here |
//! | a minute since the last hand-over | a request on the long path | handing over: one message, behind that request's response |
//! | handing over | the object has answered | handed over; the next message follows a minute later at the earliest |
//! | handing over | the call fails | the counts are added again; the next attempt follows a minute later |
//! | handing over | no end for [`PATIENCE`]: the platform has ended the request | its counts are lost; the next message may be sent |
//!
//! The message of a minute contains the requests by route, for the root of the tag index. If visits of some coordinator's
//! pages have waited for [`VISITS_WAIT`], because none of its pages has become stale, every second message contains these
//! instead.
//!
//! # What can go wrong
//!
//! | what | then |
//! |---|---|
//! | the isolate ends | what it has not handed over is lost: at most a minute of requests |
//! | a message has taken effect, but its answer is lost | its counts are added again, and count twice |
//! | a visit's message takes effect although it counts as failed | its visits count once: they are not added again |
//! | more pages are visited than [`MAX_PAGES`] or [`MAX_PAGE_BYTES`] allow | visits of further pages are not counted until others were handed over |
//! | more labels than [`MAX_LABELS`] | further ones are not counted until the others were handed over |
//! | the clock is set back | the minute begins anew |
//! | an object of an earlier version refuses the message | as a call that fails |

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::metrics::label::RequestLabel;
use crate::metrics::messages::{
    CalledObject, MAX_KEY_BYTES, MAX_PAGES as MAX_PAGES_SENT, ObjectCalls, PageVisits, RequestCount, RequestCounts,
};
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::time::Timestamp;

/// The least time between two messages.
pub const INTERVAL: Duration = Duration::from_mins(1);

/// How long a message may be under way.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// How long visits wait for a message that goes to their coordinator anyway.
pub const VISITS_WAIT: Duration = Duration::from_mins(10);

/// The most labels.
pub const MAX_LABELS: usize = 1000;

/// The most pages whose visits are counted.
pub const MAX_PAGES: usize = 500;

/// The most bytes of their keys and of the names of their coordinators.
pub const MAX_PAGE_BYTES: usize = 128 * 1024;

type Count = Rc<Cell<u64>>;

/// Where the HITs of one plan are counted.
#[derive(Clone, Debug)]
pub struct HitCounter {
    requests: Option<Count>,
    visits: Option<Count>,
}

impl HitCounter {
    /// Counts a HIT.
    pub fn count(&self) {
        for count in [&self.requests, &self.visits].into_iter().flatten() {
            count.set(count.get().saturating_add(1));
        }
    }
}

/// A page whose visits are counted.
#[derive(Debug)]
struct Page {
    shard: ShardName,
    visits: Count,
    since: Timestamp,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Tally {
    labels: BTreeMap<RequestLabel, Count>,
    pages: BTreeMap<PageKey, Page>,
    /// The bytes of the pages' keys and coordinators.
    page_bytes: usize,
    calls: ObjectCalls,
    /// When the last message was sent, or counting began.
    since: Option<Timestamp>,
    /// When the message under way was sent.
    sent_at: Option<Timestamp>,
    /// Whether the last message contained visits.
    has_sent_visits: bool,
}

/// The content of the message of a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// For the root of the tag index.
    Requests(RequestCounts),
    /// For a coordinator.
    Visits(ShardName, Vec<PageVisits>),
}

impl Tally {
    /// Counts a request.
    pub fn request(&mut self, label: RequestLabel, now: Timestamp) {
        self.begin_at(now);
        if let Some(count) = self.label(label) {
            count.set(count.get().saturating_add(1));
        }
    }

    /// Counts the visit of a page.
    pub fn visit(&mut self, shard: &ShardName, key: &PageKey, now: Timestamp) {
        if let Some(visits) = self.page(shard, key, now) {
            visits.set(visits.get().saturating_add(1));
        }
    }

    /// Counts a call of an object.
    pub fn called(&mut self, object: CalledObject, now: Timestamp) {
        self.begin_at(now);
        let calls = match object {
            CalledObject::Coordinator => &mut self.calls.coordinator,
            CalledObject::TagIndex => &mut self.calls.tag_index,
        };
        *calls = calls.saturating_add(1);
    }

    /// Returns where the HITs of a plan are counted.
    pub fn hits(&mut self, label: RequestLabel, shard: &ShardName, key: &PageKey, now: Timestamp) -> HitCounter {
        self.begin_at(now);
        HitCounter { requests: self.label(label), visits: self.page(shard, key, now) }
    }

    /// Takes the visits of a coordinator's pages, for a message to it.
    #[must_use]
    pub fn take_visits(&mut self, shard: &ShardName) -> Vec<PageVisits> {
        let visited = |page: &Page| page.shard == *shard && page.visits.get() > 0;
        let mut found: Vec<(u64, &PageKey)> =
            self.pages.iter().filter(|(_, page)| visited(page)).map(|(key, page)| (page.visits.get(), key)).collect();
        found.sort_unstable_by_key(|(visits, _)| std::cmp::Reverse(*visits));
        let mut bytes = 0;
        let taken: Vec<PageVisits> = found
            .into_iter()
            .take(MAX_PAGES_SENT)
            .take_while(|(_, key)| {
                bytes += key.as_str().len();
                bytes <= MAX_KEY_BYTES
            })
            .map(|(visits, key)| PageVisits { key: key.clone(), visits })
            .collect();
        for PageVisits { key, .. } in &taken {
            if let Some(page) = self.pages.get(key) {
                page.visits.set(0);
            }
        }
        taken
    }

    /// Returns whether the minute is over, so that the next request should take the long path.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some(since) = self.since else { return false };
        now.since(since) >= INTERVAL && self.sent_at.is_none_or(|sent| now < sent || now.since(sent) >= PATIENCE)
    }

    /// Begins the message of this minute; `None` if it is not due, or if there is nothing to send.
    #[must_use]
    pub fn begin(&mut self, now: Timestamp) -> Option<HandOver> {
        if self.since.is_some_and(|since| now < since) {
            self.since = Some(now);
        }
        if !self.is_due(now) {
            return None;
        }
        self.since = Some(now);
        let waiting = if self.has_sent_visits { None } else { self.longest_waiting(now) };
        let hand_over = match waiting {
            Some(shard) => HandOver::Visits(shard.clone(), self.take_visits(&shard)),
            None => HandOver::Requests(self.take_requests()),
        };
        self.has_sent_visits = matches!(hand_over, HandOver::Visits(..));
        self.forget_unused();
        if matches!(&hand_over, HandOver::Requests(counts) if counts.is_empty()) {
            return None;
        }
        self.sent_at = Some(now);
        Some(hand_over)
    }

    /// Ends a message. If it has failed, requests are counted again. Visits are not: they need not be exact.
    pub fn end(&mut self, handed: HandOver, is_taken: bool) {
        self.sent_at = None;
        if let (HandOver::Requests(counts), false) = (handed, is_taken) {
            self.calls = self.calls.and(counts.calls);
            for counted in counts.requests {
                if let Some(count) = self.label(counted.label()) {
                    count.set(count.get().saturating_add(counted.requests));
                }
            }
        }
    }

    fn begin_at(&mut self, now: Timestamp) {
        self.since.get_or_insert(now);
    }

    fn label(&mut self, label: RequestLabel) -> Option<Count> {
        let is_full = self.labels.len() >= MAX_LABELS;
        match self.labels.get(&label) {
            Some(count) => Some(Rc::clone(count)),
            None if is_full => None,
            None => Some(Rc::clone(self.labels.entry(label).or_default())),
        }
    }

    fn page(&mut self, shard: &ShardName, key: &PageKey, now: Timestamp) -> Option<Count> {
        if let Some(page) = self.pages.get_mut(key)
            && page.shard == *shard
        {
            if page.visits.get() == 0 {
                page.since = now;
            }
            return Some(Rc::clone(&page.visits));
        }
        let bytes = bytes_of(shard, key);
        if self.pages.len() >= MAX_PAGES || self.page_bytes + bytes > MAX_PAGE_BYTES {
            self.forget_unused();
            if self.pages.len() >= MAX_PAGES || self.page_bytes + bytes > MAX_PAGE_BYTES {
                return None;
            }
        }
        let page = Page { shard: shard.clone(), visits: Count::default(), since: now };
        let visits = Rc::clone(&page.visits);
        self.page_bytes += bytes;
        if let Some(former) = self.pages.insert(key.clone(), page) {
            self.page_bytes -= bytes_of(&former.shard, key);
        }
        Some(visits)
    }

    /// Returns the coordinator whose pages' visits have waited longest, if that is too long.
    fn longest_waiting(&self, now: Timestamp) -> Option<ShardName> {
        let waiting = self.pages.values().filter(|page| page.visits.get() > 0);
        let oldest = waiting.min_by_key(|page| page.since)?;
        (now.since(oldest.since) >= VISITS_WAIT).then(|| oldest.shard.clone())
    }

    fn take_requests(&mut self) -> RequestCounts {
        let taken = self.labels.iter().filter(|(_, count)| count.get() > 0).map(|(label, count)| {
            let RequestLabel { route, outcome, reason } = label.clone();
            RequestCount { route, outcome, reason, requests: count.replace(0) }
        });
        RequestCounts { requests: taken.collect(), calls: std::mem::take(&mut self.calls) }
    }

    /// Forgets labels and pages without a count that no plan refers to.
    fn forget_unused(&mut self) {
        let is_used = |count: &Count| count.get() > 0 || Rc::strong_count(count) > 1;
        self.labels.retain(|_, count| is_used(count));
        self.pages.retain(|_, page| is_used(&page.visits));
        self.page_bytes = self.pages.iter().map(|(key, page)| bytes_of(&page.shard, key)).sum();
    }
}

fn bytes_of(shard: &ShardName, key: &PageKey) -> usize {
    shard.as_str().len() + key.as_str().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;
    use crate::route::RouteId;
    use crate::semantics::cache_status::CacheOutcome;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn key(number: usize) -> PageKey {
        PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
    }

    fn shard(number: u16) -> ShardName {
        ShardName::from_stored(&format!("/*#{number}")).unwrap()
    }

    fn label(outcome: CacheOutcome, reason: Option<Reason>) -> RequestLabel {
        RequestLabel { route: RouteId::from_stored("/*").unwrap(), outcome, reason }
    }

    fn requests(handed: Option<HandOver>) -> Vec<(CacheOutcome, Option<Reason>, u64)> {
        match handed {
            Some(HandOver::Requests(counts)) => {
                counts.requests.iter().map(|count| (count.outcome, count.reason, count.requests)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_minute_of_requests_is_one_message() {
        let mut tally = Tally::default();
        let hits = tally.hits(label(CacheOutcome::Hit, Some(Reason::Memory)), &shard(0), &key(1), at(100));
        (0..1000).for_each(|_| hits.count());
        tally.request(label(CacheOutcome::Miss, None), at(101));
        assert!(!tally.is_due(at(159)) && tally.begin(at(159)).is_none());
        assert!(tally.is_due(at(160)));
        let handed = tally.begin(at(160));
        assert_eq!(
            requests(handed.clone()),
            [(CacheOutcome::Hit, Some(Reason::Memory), 1000), (CacheOutcome::Miss, None, 1)]
        );
        hits.count();
        assert!(!tally.is_due(at(230)) || tally.begin(at(160)).is_none(), "it is under way");
        tally.end(handed.unwrap(), true);
        assert_eq!(requests(tally.begin(at(220))), [(CacheOutcome::Hit, Some(Reason::Memory), 1)]);
    }

    #[test]
    fn counts_whose_message_fails_are_sent_again_a_minute_later() {
        let mut tally = Tally::default();
        tally.request(label(CacheOutcome::Skip, Some(Reason::Backoff)), at(0));
        tally.called(CalledObject::Coordinator, at(0));
        let handed = tally.begin(at(60)).unwrap();
        tally.request(label(CacheOutcome::Skip, Some(Reason::Backoff)), at(61));
        tally.end(handed, false);
        assert!(tally.begin(at(119)).is_none());
        let Some(HandOver::Requests(counts)) = tally.begin(at(120)) else { panic!() };
        assert_eq!((counts.requests[0].requests, counts.calls.coordinator), (2, 1));
    }

    #[test]
    fn a_message_that_the_platform_has_ended_blocks_nothing() {
        let mut tally = Tally::default();
        tally.request(label(CacheOutcome::Miss, None), at(0));
        assert!(tally.begin(at(60)).is_some());
        tally.request(label(CacheOutcome::Miss, None), at(61));
        assert!(tally.is_due(at(120)));
        assert!(tally.begin(at(120)).is_some());
    }

    #[test]
    fn an_idle_isolate_sends_nothing() {
        let mut tally = Tally::default();
        assert!(!tally.is_due(at(1_000_000)));
        tally.request(label(CacheOutcome::Miss, None), at(0));
        let handed = tally.begin(at(60)).unwrap();
        tally.end(handed, true);
        assert!(tally.begin(at(600)).is_none());
    }

    #[test]
    fn visits_ride_on_a_message_to_their_coordinator() {
        let mut tally = Tally::default();
        for (page, visits) in [(1, 2), (2, 5)] {
            (0..visits).for_each(|_| tally.visit(&shard(0), &key(page), at(0)));
        }
        tally.visit(&shard(1), &key(3), at(0));
        let visits = |page, visits| PageVisits { key: key(page), visits };
        assert_eq!(tally.take_visits(&shard(0)), [visits(2, 5), visits(1, 2)], "the most visited first");
        assert_eq!(tally.take_visits(&shard(0)), []);
        assert_eq!(tally.take_visits(&shard(1)), [visits(3, 1)]);
    }

    #[test]
    fn visits_that_have_waited_for_long_have_every_second_message() {
        let mut tally = Tally::default();
        let mut sent = Vec::new();
        for minute in 0..15_u64 {
            tally.visit(&shard(0), &key(1), at(60 * minute));
            tally.visit(&shard(1), &key(2), at(60 * minute));
            tally.request(label(CacheOutcome::Hit, None), at(60 * minute));
            if let Some(handed) = tally.begin(at(60 * minute)) {
                sent.push((minute, matches!(handed, HandOver::Visits(..))));
                tally.end(handed, true);
            }
        }
        let visits: Vec<u64> = sent.iter().filter(|(_, is_visits)| *is_visits).map(|(minute, _)| *minute).collect();
        assert_eq!((sent.len(), visits), (14, vec![10, 12]));
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let mut tally = Tally::default();
        for number in 0..2 * MAX_PAGES {
            tally.visit(&shard(0), &key(number), at(0));
        }
        assert_eq!(tally.pages.len(), MAX_PAGES);
        let long =
            |number: usize| PageKey::from_stored(&format!("https://e.com/{number}/{}", "x".repeat(1500))).unwrap();
        let mut tally = Tally::default();
        for number in 0..MAX_PAGES {
            tally.visit(&shard(0), &long(number), at(0));
        }
        assert!(tally.page_bytes <= MAX_PAGE_BYTES && tally.pages.len() < 100);
        let taken = tally.take_visits(&shard(0));
        assert!(taken.iter().map(|page| page.key.as_str().len()).sum::<usize>() <= MAX_KEY_BYTES && taken.len() > 5);
        tally.request(label(CacheOutcome::Miss, None), at(0));
        let _ = tally.begin(at(60));
        assert_eq!(tally.pages.len() + taken.len(), MAX_PAGE_BYTES / bytes_of(&shard(0), &long(10)), "room again");
    }

    #[test]
    fn a_clock_that_is_set_back_begins_the_minute_anew() {
        let mut tally = Tally::default();
        tally.request(label(CacheOutcome::Miss, None), at(10_000));
        assert!(tally.begin(at(100)).is_none());
        assert!(tally.begin(at(160)).is_some());
    }
}
