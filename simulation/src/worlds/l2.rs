//! KV: one truth, and what each place sees of it.

use super::random::Random;
use super::site::Body;
use crate::page::PageMeta;

/// How long KV keeps at least what it is given (platform limit), in milliseconds.
const LEAST_LIFE: u64 = 60_000;

/// What is under a key, or that nothing is.
pub(super) type Value = Option<(PageMeta, Body)>;

/// A namespace: each place sees a write late, and remembers what it saw, also that there was nothing.
#[derive(Debug)]
pub(super) struct L2 {
    /// What was written under each key, and when.
    written: Vec<Vec<(u64, Value)>>,
    /// Whether it drops what can't be served any more. An older copy of the same content goes before the page does: that
    /// is a difference which eviction makes, since then the page is in L2 only.
    pub(super) forgets: bool,
    /// What each place has seen under each key, and until when it looks no further.
    seen: Vec<Vec<Option<(u64, Value)>>>,
}

impl L2 {
    pub(super) fn new(keys: usize, places: usize) -> Self {
        Self { written: vec![Vec::new(); keys], forgets: true, seen: vec![vec![None; keys]; places] }
    }

    /// Takes a write, or with `None` a deletion.
    pub(super) fn put(&mut self, now: u64, key: usize, value: Value) {
        self.written[key].push((now, value));
    }

    /// Returns what was written last, even if its time is over.
    pub(super) fn last_written(&self, key: usize) -> Value {
        self.written[key].last().and_then(|(_, value)| value.clone())
    }

    /// Returns what a place sees, at most `lag` late.
    pub(super) fn read(&mut self, now: u64, place: usize, key: usize, lag: u64, random: &mut Random) -> Value {
        if let Some((until, value)) = self.seen[place][key].as_ref().filter(|(until, _)| now < *until) {
            debug_assert!(*until - now <= lag, "it looks again in time");
            return value.clone();
        }
        if lag == 0 {
            return self.as_of(now, now, key);
        }
        let (late, remembered) = (random.below(lag / 2), random.below(lag / 2));
        let value = self.as_of(now.saturating_sub(late), now, key);
        self.seen[place][key] = Some((now + remembered, value.clone()));
        value
    }

    /// Has every place see what there is.
    pub(super) fn catch_up(&mut self) {
        self.seen.iter_mut().flatten().for_each(|seen| *seen = None);
    }

    fn as_of(&self, then: u64, now: u64, key: usize) -> Value {
        let (at, value) = self.written[key].iter().rev().find(|(at, _)| *at <= then)?;
        let lives = |page: &PageMeta| page.windows.end().is_none_or(|end| now < end.as_millis().max(at + LEAST_LIFE));
        value.clone().filter(|(page, _)| !self.forgets || lives(page))
    }
}
