//! KV: one latest state, and each place's view of it.

use super::origin::Body;
use super::random::Random;
use crate::page::PageMeta;

/// The shortest lifetime that KV accepts (platform limit), in milliseconds.
const LEAST_LIFE: u64 = 60_000;

/// The page under a key; `None` if there is none.
pub(super) type Value = Option<(PageMeta, Body)>;

/// A namespace. Each place sees a write late, and caches what it has read, including the absence of a page.
#[derive(Debug)]
pub(super) struct L2 {
    /// The writes under each key, with their times.
    written: Vec<Vec<(u64, Value)>>,
    /// Whether it removes expired pages. An older version of the same content is removed before the page expires.
    /// Evictions make this difference visible, because then only L2 has the page.
    pub(super) forgets: bool,
    /// Whether each place sees a write at once, as in R2.
    pub(super) is_consistent: bool,
    /// What each place has read under each key, and until when it uses that.
    seen: Vec<Vec<Option<(u64, Value)>>>,
    /// The pages that it has lost and that were not written since.
    lost: Vec<bool>,
}

impl L2 {
    pub(super) fn new(keys: usize, places: usize) -> Self {
        Self {
            written: vec![Vec::new(); keys],
            forgets: true,
            is_consistent: false,
            seen: vec![vec![None; keys]; places],
            lost: vec![false; keys],
        }
    }

    /// Accepts a write, or with `None` a deletion.
    pub(super) fn put(&mut self, now: u64, key: usize, value: Value) {
        self.lost[key] = false;
        self.written[key].push((now, value));
    }

    /// Loses all pages.
    pub(super) fn lose_everything(&mut self, now: u64) {
        for key in 0..self.written.len() {
            if self.last_written(key).is_some() {
                self.put(now, key, None);
                self.lost[key] = true;
            }
        }
    }

    /// Records that another writer may have replaced a page.
    pub(super) fn overwritten(&mut self, key: usize) {
        self.lost[key] = true;
    }

    /// Returns whether a page was lost and not written since.
    pub(super) fn has_lost(&self, key: usize) -> bool {
        self.lost[key]
    }

    /// Returns the last write, even if the page has expired.
    pub(super) fn last_written(&self, key: usize) -> Value {
        self.written[key].last().and_then(|(_, value)| value.clone())
    }

    /// Returns a place's view of a key, which lags by at most `lag`.
    pub(super) fn read(&mut self, now: u64, place: usize, key: usize, lag: u64, random: &mut Random) -> Value {
        if let Some((until, value)) = self.seen[place][key].as_ref().filter(|(until, _)| now < *until) {
            debug_assert!(*until - now <= lag, "it looks again in time");
            return value.clone();
        }
        if lag == 0 || self.is_consistent {
            return self.as_of(now, now, key);
        }
        let (late, remembered) = (random.below(lag / 2), random.below(lag / 2));
        let value = self.as_of(now.saturating_sub(late), now, key);
        self.seen[place][key] = Some((now + remembered, value.clone()));
        value
    }

    /// Updates every place's view to the latest state.
    pub(super) fn catch_up(&mut self) {
        self.seen.iter_mut().flatten().for_each(|seen| *seen = None);
    }

    fn as_of(&self, then: u64, now: u64, key: usize) -> Value {
        let (at, value) = self.written[key].iter().rev().find(|(at, _)| *at <= then)?;
        let lives = |page: &PageMeta| page.windows.end().is_none_or(|end| now < end.as_millis().max(at + LEAST_LIFE));
        value.clone().filter(|(page, _)| !self.forgets || lives(page))
    }
}
