//! Visits of pages, as edges have counted them. Eager refreshes begin with the pages that are visited most.
//!
//! | state | event | next state |
//! |---|---|---|
//! | any | an edge reports visits, with a miss or the report of a stale page | added in memory |
//! | more than [`MAX_PAGES`] pages, or [`MAX_BYTES`] of keys | a visit of another page | all counts are halved, and pages without visits are forgotten. Without room after that, it is not counted |
//! | any | a sweep lists its pages | all visits are in the rows of their pages, as far as they have one |
//! | an hour since the last time | the alarm | so are those of the [`SAVED_AN_HOUR`] most visited pages: one row each |
//! | any | the object ends | the visits in memory are lost; the rows of pages keep earlier ones |
//!
//! The visits in a row are halved each day. They decide the order of a sweep, and nothing else: a client who visits pages
//! that exist can't keep others out, because admission does not look at visits.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::messages::{MAX_PAGES as MAX_PAGES_SENT, MAX_VISITS, PageVisits};
use crate::semantics::key::PageKey;
use crate::time::Timestamp;

/// The most pages with visits in memory.
pub(super) const MAX_PAGES: usize = 1000;

/// The most bytes of their keys.
pub(super) const MAX_BYTES: usize = 256 * 1024;

/// How often visits are saved besides sweeps.
const SAVED_EVERY: Duration = Duration::from_hours(1);

/// The pages whose visits are saved then.
pub(super) const SAVED_AN_HOUR: usize = 100;

/// Visits that are not saved yet.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pages: BTreeMap<PageKey, u64>,
    bytes: usize,
    saved_at: Option<Timestamp>,
}

impl Visits {
    /// Adds what an edge reports of pages of this shard. Returns how many visits were taken.
    pub(super) fn add(&mut self, reported: Vec<PageVisits>, is_own: impl Fn(&PageKey) -> bool) -> u64 {
        let mut taken: u64 = 0;
        for PageVisits { key, visits } in reported.into_iter().take(MAX_PAGES_SENT) {
            if is_own(&key) {
                let visits = visits.min(MAX_VISITS);
                taken = taken.saturating_add(visits);
                self.add_page(key, visits);
            }
        }
        taken
    }

    fn add_page(&mut self, key: PageKey, visits: u64) {
        if let Some(count) = self.pages.get_mut(&key) {
            *count = count.saturating_add(visits);
            return;
        }
        if !self.has_room_for(&key) {
            self.halve();
        }
        if self.has_room_for(&key) {
            self.bytes += key.as_str().len();
            self.pages.insert(key, visits);
        }
    }

    fn has_room_for(&self, key: &PageKey) -> bool {
        self.pages.len() < MAX_PAGES && self.bytes + key.as_str().len() <= MAX_BYTES
    }

    fn halve(&mut self) {
        self.pages.retain(|_, count| {
            *count /= 2;
            *count > 0
        });
        self.count_bytes();
    }

    fn count_bytes(&mut self) {
        self.bytes = self.pages.keys().map(|key| key.as_str().len()).sum();
    }

    /// Returns whether visits are to be saved although no sweep needs them.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        // An object that begins has nothing yet.
        let saved_at = *self.saved_at.get_or_insert(now);
        if now < saved_at {
            self.saved_at = Some(now);
        }
        !self.pages.is_empty() && now.since(saved_at) >= SAVED_EVERY
    }

    /// Takes the visits of the most visited pages.
    pub(super) fn take(&mut self, most: usize, now: Timestamp) -> Vec<(PageKey, u64)> {
        self.saved_at = Some(now);
        let mut pages: Vec<(PageKey, u64)> = std::mem::take(&mut self.pages).into_iter().collect();
        pages.sort_by_key(|(_, visits)| std::cmp::Reverse(*visits));
        let rest = pages.split_off(pages.len().min(most));
        self.pages = rest.into_iter().collect();
        self.count_bytes();
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> PageKey {
        PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
    }

    fn visits(number: usize, visits: u64) -> PageVisits {
        PageVisits { key: key(number), visits }
    }

    #[test]
    fn the_most_visited_pages_are_taken_first() {
        let mut all = Visits::default();
        assert_eq!(all.add(vec![visits(1, 3), visits(2, 5)], |_| true), 8);
        assert_eq!(all.add(vec![visits(1, 4), visits(3, 1), visits(4, 9)], |other| *other != key(4)), 5);
        assert_eq!(all.take(2, Timestamp::default()), [(key(1), 7), (key(2), 5)]);
        assert_eq!(all.take(2, Timestamp::default()), [(key(3), 1)]);
    }

    #[test]
    fn hostile_reports_are_bounded() {
        let mut all = Visits::default();
        let huge: Vec<PageVisits> = (0..10_000).map(|number| visits(number, u64::MAX)).collect();
        assert_eq!(all.add(huge, |_| true), 100 * MAX_VISITS);
        for number in 0..5000 {
            all.add(vec![visits(number, 1)], |_| true);
        }
        assert!(all.pages.len() <= MAX_PAGES && all.bytes <= MAX_BYTES);
        assert_eq!(all.take(1, Timestamp::default()).len(), 1, "and a page that is visited often stays");
        let long =
            |number: usize| PageKey::from_stored(&format!("https://e.com/{number}/{}", "x".repeat(1500))).unwrap();
        for number in 0..1000 {
            all.add(vec![PageVisits { key: long(number), visits: 1_000_000 }], |_| true);
        }
        assert!(all.bytes <= MAX_BYTES);
    }

    #[test]
    fn they_are_saved_once_an_hour() {
        let at = |minutes: u64| Timestamp::from_millis(minutes * 60_000);
        let mut all = Visits::default();
        all.add(vec![visits(1, 1)], |_| true);
        assert!(!all.is_due(at(100)) && !all.is_due(at(159)) && all.is_due(at(160)));
        all.take(1, at(160));
        all.add(vec![visits(1, 1)], |_| true);
        assert!(!all.is_due(at(219)) && all.is_due(at(220)));
    }
}
