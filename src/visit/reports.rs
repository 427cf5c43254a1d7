//! Reports to the coordinator that a stale page was served: how often, and how the answer is used.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::Reply;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::{CoordinatorReply, PassMarker, Report, StoredPage};

/// How long the edge waits for the page that replaces a stale one. `waitUntil` ends after 30 s (platform limit).
pub const PATIENCE: Duration = Duration::from_secs(25);

/// How long a stale page is not reported again after a report without a result.
pub const PAUSE: Duration = Duration::from_secs(1);

/// The most pages that are remembered as reported. Above it, no page is reported until an earlier report has ended.
const MAX_REPORTED: usize = 1000;

/// Stale pages that an edge has reported, each with the time before which it is not reported again.
#[derive(Clone, Debug, Default)]
pub struct Reports(BTreeMap<PageKey, Timestamp>);

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
    pub fn begin(&mut self, key: &PageKey, now: Timestamp) -> bool {
        self.0.retain(|_, until| *until > now);
        if self.0.len() >= MAX_REPORTED || self.0.contains_key(key) {
            return false;
        }
        self.0.insert(key.clone(), now.plus(PATIENCE));
        true
    }

    /// Ends a report. `is_replaced` says whether the page was replaced.
    pub fn end(&mut self, key: PageKey, now: Timestamp, is_replaced: bool) {
        self.0.remove(&key);
        if !is_replaced && self.0.len() < MAX_REPORTED {
            self.0.insert(key, now.plus(PAUSE));
        }
    }
}

impl<B> Replacement<B> {
    /// Decides how the answer to a report is used.
    #[must_use]
    pub fn of(key: &PageKey, report: &Report, answer: CoordinatorReply<B>, now: Timestamp) -> Self {
        match (answer.reply, answer.page) {
            (Reply::Page { .. }, Some(page)) if page.meta.key == *key => Self::Page(page.vouched_for(report.vouched)),
            (Reply::Pass { until, .. }, _) => Self::Pass(PassMarker { since: now, until }),
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
    fn a_page_is_reported_once_at_a_time_and_again_after_a_pause() {
        let mut reports = Reports::default();
        assert!(reports.begin(&key(1), at(0)));
        assert!(!reports.begin(&key(1), at(24)), "it is being reported");
        assert!(reports.begin(&key(2), at(24)));
        assert!(reports.begin(&key(1), at(25)), "the first report was never ended: its client left with it");
        reports.end(key(1), at(26), true);
        assert!(reports.begin(&key(1), at(26)), "a page that was replaced and is stale again is reported");
        reports.end(key(1), at(30), false);
        assert!(!reports.begin(&key(1), Timestamp::from_millis(30_999)));
        assert!(reports.begin(&key(1), at(31)));
    }

    #[test]
    fn no_more_pages_are_reported_at_a_time_than_are_remembered() {
        let mut reports = Reports::default();
        assert!((0..MAX_REPORTED).all(|number| reports.begin(&key(number), at(0))));
        assert!(!reports.begin(&key(MAX_REPORTED), at(0)));
        assert!(reports.begin(&key(MAX_REPORTED), at(25)));
    }
}
