//! Reports to the coordinator that a stale page was served: how often, and how the answer is used.
//!
//! | what | bound |
//! |---|---|
//! | reports of one page | one at a time. After one without a result, none for a second, and for twice as long after each further one, up to [`LONGEST_PAUSE`] |
//! | the edge learns of a later invalidation of the page | the pause is over: the coordinator may have another answer |
//! | reports of all pages that had no result yet | [`BURST`] at once, and one more each [`INTERVAL`]. A report that replaces its page does not count |
//! | the platform ends the request that reports | the page may be reported again after [`PATIENCE`] |
//! | the clock goes back | no pause lasts longer than the longest one |

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backoff;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::{CoordinatorReply, PassMarker, Report, StoredPage};

/// How long the edge waits for the page that replaces a stale one. `waitUntil` ends after 30 s (platform limit).
pub const PATIENCE: Duration = Duration::from_secs(25);

/// How long a stale page is not reported again after many reports without a result, before jitter.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest time for which a page is not reported.
const LONGEST: Duration = Duration::from_secs(40);

/// The most pages that are remembered as reported. Above it, no page is reported until an earlier report has ended.
const MAX_REPORTED: usize = 1000;

/// The most reports without a result at once, of all pages together.
pub const BURST: u32 = 25;

/// How often another report may be sent when that many have had no result.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// The reports of stale pages by an edge.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    pages: BTreeMap<PageKey, Reported>,
    /// Each report takes an interval from the burst, which begins at the present moment.
    taken_until: Timestamp,
}

/// A page that was reported.
#[derive(Clone, Copy, Debug)]
struct Reported {
    /// It is not reported again before.
    until: Timestamp,
    /// Whether the report is under way.
    is_under_way: bool,
    /// The number of reports without a result, one after another.
    failures: u32,
    /// As in [`Report`].
    newer_than: Option<Timestamp>,
}

impl Reported {
    fn is_paused(&self, now: Timestamp) -> bool {
        now < self.until && self.until.since(now) <= LONGEST
    }
}

/// The result of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement<B> {
    /// The page that replaces the stale one. It goes into L1 once all of it has arrived.
    Page(StoredPage<B>),
    /// The page is not stored any more: the hit-for-pass marker replaces it in L1.
    Pass(PassMarker),
    /// Nothing: there is no answer, no newer page, or the answer is not usable.
    Nothing,
}

impl Reports {
    /// Begins a report. Returns false if the page must not be reported now.
    #[must_use]
    pub fn begin(&mut self, key: &PageKey, newer_than: Option<Timestamp>, now: Timestamp) -> bool {
        let known = self.pages.get(key).copied();
        let holds = |known: &Reported| known.is_paused(now) && (known.is_under_way || newer_than <= known.newer_than);
        if known.as_ref().is_some_and(holds) || (known.is_none() && self.is_full(now)) {
            return false;
        }
        let burst = INTERVAL * BURST;
        let taken = self.taken_until.since(now).min(burst);
        let has_room = taken + INTERVAL <= burst;
        self.taken_until = now.plus(if has_room { taken + INTERVAL } else { taken });
        if !has_room {
            return false;
        }
        let failures = known.filter(|known| now < known.until.plus(LONGEST)).map_or(0, |known| known.failures);
        let reported = Reported { until: now.plus(PATIENCE), is_under_way: true, failures, newer_than };
        self.pages.insert(key.clone(), reported);
        true
    }

    /// Ends a report. `is_replaced` says whether the page was replaced. `random` is any random number.
    pub fn end(&mut self, key: PageKey, now: Timestamp, is_replaced: bool, random: u128) {
        let ended = self.pages.remove(&key);
        if is_replaced {
            self.taken_until = self.taken_until.minus(INTERVAL);
            return;
        }
        let failures = ended.map_or(0, |ended| ended.failures).saturating_add(1);
        let until = now.plus(backoff::pause(failures, random, LONGEST_PAUSE));
        if ended.is_some() || self.pages.len() < MAX_REPORTED {
            let newer_than = ended.and_then(|ended| ended.newer_than);
            self.pages.insert(key, Reported { until, is_under_way: false, failures, newer_than });
        }
    }

    /// Returns whether no further page can be remembered. Forgets those whose pause is over.
    fn is_full(&mut self, now: Timestamp) -> bool {
        if self.pages.len() >= MAX_REPORTED {
            self.pages.retain(|_, reported| reported.is_paused(now));
        }
        self.pages.len() >= MAX_REPORTED
    }
}

impl<B> Replacement<B> {
    /// Decides how the answer to a report is used.
    #[must_use]
    pub fn of(key: &PageKey, report: &Report, answer: CoordinatorReply<B>, now: Timestamp) -> Self {
        match (answer.reply, answer.page) {
            (Reply::Page { .. }, Some(page)) if page.meta.key == *key => Self::Page(page.vouched_for(report.vouched)),
            (Reply::Pass { until, reason }, _) => {
                Self::Pass(PassMarker { since: now, until, reason: reason.unwrap_or(Reason::NotStored) })
            }
            _ => Self::Nothing,
        }
    }

    /// Returns whether the stale page is replaced.
    #[must_use]
    pub fn is_some(&self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn key(number: usize) -> PageKey {
        PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
    }

    #[test]
    fn a_page_is_reported_once_at_a_time_and_again_after_a_growing_pause() {
        let mut reports = Reports::default();
        assert!(reports.begin(&key(1), None, at(0)));
        assert!(!reports.begin(&key(1), Some(at(1)), at(24)), "it is being reported");
        assert!(reports.begin(&key(2), None, at(24)));
        assert!(reports.begin(&key(1), None, at(25)), "the first report was never ended: its client left with it");
        reports.end(key(1), at(26), true, 0);
        assert!(reports.begin(&key(1), None, at(26)), "a page that was replaced and is stale again is reported");
        let mut ended = 30;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            reports.end(key(1), at(ended), false, 0);
            let due = ended + pause;
            assert!(!reports.begin(&key(1), None, Timestamp::from_millis(due * 1000 - 1)), "{pause}");
            assert!(reports.begin(&key(1), None, at(due)), "{pause}");
            ended = due;
        }
        reports.end(key(1), at(ended), false, 255);
        assert!(!reports.begin(&key(1), None, at(ended + 37)), "and jitter of up to a quarter");
        assert!(reports.begin(&key(1), None, at(ended + 38)));
        reports.end(key(1), at(ended + 40), false, 0);
        assert!(reports.begin(&key(1), None, at(ended + 120)), "it was not stale for long");
        reports.end(key(1), at(ended + 120), false, 0);
        assert!(reports.begin(&key(1), None, at(ended + 121)), "the first pause again");
    }

    #[test]
    fn a_later_invalidation_ends_the_pause() {
        let mut reports = Reports::default();
        assert!(reports.begin(&key(1), Some(at(90)), at(100)));
        reports.end(key(1), at(100), false, 0);
        assert!(!reports.begin(&key(1), None, at(100)));
        assert!(!reports.begin(&key(1), Some(at(90)), at(100)));
        assert!(reports.begin(&key(1), Some(at(91)), at(100)));
    }

    #[test]
    fn no_pause_outlasts_a_clock_that_goes_back() {
        let mut reports = Reports::default();
        for number in 0..usize::try_from(BURST).unwrap() {
            assert!(reports.begin(&key(number), None, at(10_000)));
            reports.end(key(number), at(10_000), false, 0);
        }
        assert!(!reports.begin(&key(99), None, at(5_000)), "the burst is over");
        assert!(reports.begin(&key(1), None, at(5_001)));
    }

    #[test]
    fn no_more_pages_are_reported_at_a_time_than_are_remembered() {
        let mut reports = Reports::default();
        let later = |number: usize| at(number as u64);
        for number in 0..MAX_REPORTED {
            let now = later(number);
            assert!(reports.begin(&key(number), None, now));
            let reported = reports.pages.get_mut(&key(number)).unwrap();
            reported.until = later(MAX_REPORTED).plus(PATIENCE);
        }
        assert!(!reports.begin(&key(MAX_REPORTED), None, later(MAX_REPORTED)));
        assert!(reports.begin(&key(MAX_REPORTED), None, later(MAX_REPORTED + 25)));
    }

    /// Twenty stale pages are visited ten times a second, for ten seconds. Returns the number of reports.
    fn reports_of_twenty_pages(is_replaced: bool) -> usize {
        let mut reports = Reports::default();
        let mut sent = 0;
        for time in (0..10_000).step_by(100) {
            for number in 0..20 {
                let now = Timestamp::from_millis(time);
                if reports.begin(&key(number), None, now) {
                    sent += 1;
                    reports.end(key(number), now, is_replaced, 0);
                }
            }
        }
        sent
    }

    #[test]
    fn while_nothing_answers_an_isolate_sends_few_reports() {
        assert_eq!(reports_of_twenty_pages(false), 34);
        assert_eq!(reports_of_twenty_pages(true), 2_000, "reports with a result are not held back");
    }
}
