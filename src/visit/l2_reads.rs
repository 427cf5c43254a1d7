//! Requests of one isolate that need the same page from L2: one reads, and the others take what it has read.
//!
//! A crowd for a page that L1 does not have would read L2 once for each request. Reads of KV and R2 are billed, and an
//! isolate has six connections for a request. The value is a buffer in the memory of the isolate, which all requests may
//! use. The read itself belongs to the request that began it: on the platform, another one can't await it. So the others
//! look at this record with timers of their own.
//!
//! | the request that reads | the others |
//! |---|---|
//! | waits for L2 | look again after a [`pause`](L2Turn::Wait), each for at most [`L2_PATIENCE`] |
//! | has waited for [`LEAD`]: L2 is slow or hangs, or its client has left | one of them reads as well, and so on each [`LEAD`] |
//! | gets a page | take it, also those that come within [`SHARED`]. The first one puts the page into L1 meanwhile |
//! | gets nothing, an error, or no answer | those that have waited for it have nothing either. Later ones read |
//! | gets a page for which the isolate has no room | read by themselves |
//!
//! A page that is shared is judged by each request, like a copy of L1. A page that was replaced in L2 meanwhile may be
//! served for [`SHARED`] longer, which is far below what KV takes to show a write. Without a current feed nothing is
//! fresh, as everywhere.
//!
//! The record has a bound; above it, requests read as if they were alone. After a clock was set back, results from the
//! future do not count, and readers from the future no longer lead.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::step::L2_PATIENCE;

/// How long a request reads before another one does so as well. A cold read of KV takes less.
pub const LEAD: Duration = Duration::from_millis(500);

/// How long a page that was read is shared. L1 has it by then.
pub const SHARED: Duration = Duration::from_millis(250);

/// How long the result counts for those that have waited for it. They look more often than that.
const REMEMBERED: Duration = Duration::from_secs(1);

/// The first pause before a request looks again. Each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The most pages with a read.
const MAX_PAGES: usize = 1000;

/// The reads of an isolate, by page. `P` is a page as the performer shares it.
#[derive(Clone, Debug)]
pub struct L2Reads<P> {
    pages: BTreeMap<PageKey, Reads<P>>,
    last_reader: u64,
}

/// The reads of a page.
#[derive(Clone, Debug)]
struct Reads<P> {
    reading: Option<L2Reader>,
    result: Option<(Timestamp, L2Result<P>)>,
}

/// A request that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L2Reader {
    number: u64,
    since: Timestamp,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum L2Result<P> {
    /// A page, for all.
    Page(P),
    /// L2 has no usable page, or does not answer.
    Nothing,
    /// A page for this request alone, because there is no room to share it.
    Unshared,
}

/// A request that waits for another one's read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L2Waiter {
    since: Timestamp,
    pauses: u32,
}

/// What a request does that needs a page from L2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum L2Turn<P> {
    /// Reads. [`L2Reads::end`] follows, unless the client leaves.
    Read(Option<L2Reader>),
    /// Waits for so long, and looks again.
    Wait(Duration),
    /// Takes over the result of another request. That request puts the page into L1.
    Others(Option<P>),
}

impl L2Waiter {
    /// Makes a request that begins to look now.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { since: now, pauses: 0 }
    }
}

impl<P> Default for L2Reads<P> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), last_reader: 0 }
    }
}

impl<P: Clone> L2Reads<P> {
    /// Decides what a request does that needs a page from L2.
    pub fn turn(&mut self, key: &PageKey, waiter: &mut L2Waiter, now: Timestamp) -> L2Turn<P> {
        if now.since(waiter.since) >= L2_PATIENCE {
            return L2Turn::Others(None);
        }
        if !self.pages.contains_key(key) && self.pages.len() >= MAX_PAGES {
            self.forget_old(now);
            if self.pages.len() >= MAX_PAGES {
                return L2Turn::Read(None);
            }
        }
        let reads = self.pages.entry(key.clone()).or_insert(Reads { reading: None, result: None });
        match reads.result_for(*waiter, now) {
            Some(L2Result::Page(page)) => return L2Turn::Others(Some(page.clone())),
            Some(L2Result::Nothing) => return L2Turn::Others(None),
            Some(L2Result::Unshared) => return L2Turn::Read(None),
            None => {}
        }
        if reads.reading.is_some_and(|reader| reader.is_leading(now)) {
            let pause = FIRST_PAUSE.saturating_mul(1 << waiter.pauses.min(8)).min(LONGEST_PAUSE);
            waiter.pauses += 1;
            return L2Turn::Wait(pause);
        }
        self.last_reader += 1;
        let reader = L2Reader { number: self.last_reader, since: now };
        reads.reading = Some(reader);
        L2Turn::Read(Some(reader))
    }

    /// Ends a read. A read that another one has replaced counts as well: its page is no worse.
    pub fn end(&mut self, key: &PageKey, reader: L2Reader, result: L2Result<P>, now: Timestamp) {
        let Some(reads) = self.pages.get_mut(key) else { return };
        let is_replaced = reads.reading != Some(reader);
        if is_replaced && !matches!(result, L2Result::Page(_)) {
            return;
        }
        if !is_replaced {
            reads.reading = None;
        }
        reads.result = Some((now, result));
    }

    /// Releases pages that are no longer shared, and forgets everything that is over.
    pub fn forget_old(&mut self, now: Timestamp) {
        self.pages.retain(|_, reads| {
            reads.result = reads.result.take().filter(|(at, result)| {
                let counts_for = if matches!(result, L2Result::Page(_)) { SHARED } else { REMEMBERED };
                *at <= now && now.since(*at) < counts_for
            });
            reads.result.is_some() || reads.reading.is_some_and(|reader| reader.is_leading(now))
        });
    }
}

impl<P> Reads<P> {
    /// Returns what a result means for a request; `None` if it means nothing.
    fn result_for(&self, waiter: L2Waiter, now: Timestamp) -> Option<&L2Result<P>> {
        let (at, result) = self.result.as_ref().filter(|(at, _)| *at <= now)?;
        let has_waited = waiter.pauses > 0 && waiter.since <= *at && now.since(*at) < REMEMBERED;
        let is_shared = matches!(result, L2Result::Page(_)) && now.since(*at) < SHARED;
        (has_waited || is_shared).then_some(result)
    }
}

impl L2Reader {
    fn is_leading(self, now: Timestamp) -> bool {
        now.since(self.since) < LEAD && self.since.since(now) < LEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn key() -> PageKey {
        PageKey::from_stored("https://e.com/").unwrap()
    }

    /// Lets a request look, and expects that it reads.
    fn reader(reads: &mut L2Reads<u8>, millis: u64) -> L2Reader {
        match reads.turn(&key(), &mut L2Waiter::new(at(millis)), at(millis)) {
            L2Turn::Read(Some(reader)) => reader,
            other => panic!("it does not read: {other:?}"),
        }
    }

    /// Makes a request that waits for another one's read.
    fn waiter(reads: &mut L2Reads<u8>, millis: u64) -> L2Waiter {
        let mut waiter = L2Waiter::new(at(millis));
        assert!(matches!(reads.turn(&key(), &mut waiter, at(millis)), L2Turn::Wait(_)));
        waiter
    }

    #[test]
    fn one_reads_and_all_have_the_page() {
        let mut reads = L2Reads::default();
        let first = reader(&mut reads, 0);
        let mut others: Vec<L2Waiter> = (0..50).map(|_| waiter(&mut reads, 1)).collect();
        reads.end(&key(), first, L2Result::Page(7), at(20));
        for other in &mut others {
            assert_eq!(reads.turn(&key(), other, at(22)), L2Turn::Others(Some(7)));
        }
        // One that comes while the page goes into L1.
        let mut late = L2Waiter::new(at(100));
        assert_eq!(reads.turn(&key(), &mut late, at(100)), L2Turn::Others(Some(7)));
        reader(&mut reads, 20 + 250);
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let mut reads = L2Reads::default();
        reader(&mut reads, 0);
        let mut waiter = L2Waiter::new(at(0));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            if let L2Turn::Wait(pause) = reads.turn(&key(), &mut waiter, at(0)) {
                pauses.push(pause.as_millis());
            }
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 50, 50, 50]);
    }

    #[test]
    fn an_empty_l2_is_shared_only_with_those_that_have_waited() {
        let mut reads = L2Reads::default();
        let first = reader(&mut reads, 0);
        let mut waited = waiter(&mut reads, 1);
        reads.end(&key(), first, L2Result::Nothing, at(20));
        assert_eq!(reads.turn(&key(), &mut waited, at(30)), L2Turn::Others(None));
        reader(&mut reads, 30);
    }

    #[test]
    fn when_the_reader_leaves_another_one_reads_and_nobody_waits_longer_than_for_l2() {
        let mut reads = L2Reads::default();
        reader(&mut reads, 0);
        let (mut one, mut other) = (waiter(&mut reads, 1), waiter(&mut reads, 1));
        assert!(matches!(reads.turn(&key(), &mut one, at(499)), L2Turn::Wait(_)));
        assert!(matches!(reads.turn(&key(), &mut one, at(500)), L2Turn::Read(Some(_))));
        assert!(matches!(reads.turn(&key(), &mut other, at(500)), L2Turn::Wait(_)));
        assert_eq!(reads.turn(&key(), &mut other, at(3001)), L2Turn::Others(None));
    }

    #[test]
    fn a_slow_reader_that_was_replaced_ends_the_waiting_with_its_page_but_not_with_a_failure() {
        for (result, expected) in [(L2Result::Page(1), Some(L2Turn::Others(Some(1)))), (L2Result::Nothing, None)] {
            let mut reads = L2Reads::default();
            let slow = reader(&mut reads, 0);
            let second = reader(&mut reads, 600);
            let mut waiting = waiter(&mut reads, 601);
            reads.end(&key(), slow, result, at(700));
            let turn = reads.turn(&key(), &mut waiting, at(701));
            match expected {
                Some(expected) => assert_eq!(turn, expected),
                None => assert!(matches!(turn, L2Turn::Wait(_))),
            }
            reads.end(&key(), second, L2Result::Page(2), at(800));
            assert_eq!(reads.turn(&key(), &mut waiting, at(801)), L2Turn::Others(Some(2)));
        }
    }

    #[test]
    fn a_page_without_room_is_read_by_each() {
        let mut reads = L2Reads::<u8>::default();
        let first = reader(&mut reads, 0);
        let mut waited = waiter(&mut reads, 1);
        reads.end(&key(), first, L2Result::Unshared, at(20));
        assert_eq!(reads.turn(&key(), &mut waited, at(30)), L2Turn::Read(None));
    }

    #[test]
    fn nothing_is_kept_longer_than_it_counts_and_the_record_is_bounded() {
        let mut reads = L2Reads::default();
        let first = reader(&mut reads, 0);
        reads.end(&key(), first, L2Result::Page(7), at(20));
        reads.forget_old(at(269));
        assert_eq!(reads.pages.len(), 1);
        reads.forget_old(at(270));
        assert_eq!(reads.pages.len(), 0);
        let page = |number| PageKey::from_stored(&format!("https://e.com/{number}")).unwrap();
        for number in 0..MAX_PAGES {
            assert!(matches!(reads.turn(&page(number), &mut L2Waiter::new(at(0)), at(0)), L2Turn::Read(Some(_))));
        }
        assert_eq!(reads.turn(&key(), &mut L2Waiter::new(at(0)), at(0)), L2Turn::Read(None));
        assert!(matches!(reads.turn(&key(), &mut L2Waiter::new(at(600)), at(600)), L2Turn::Read(Some(_))));
    }

    #[test]
    fn after_the_clock_was_set_back_nothing_from_the_future_counts() {
        let mut reads = L2Reads::default();
        let first = reader(&mut reads, 10_000);
        reads.end(&key(), first, L2Result::Page(7), at(10_010));
        let second = reader(&mut reads, 0);
        assert_ne!(first, second);
        let mut reads = L2Reads::<u8>::default();
        reader(&mut reads, 10_000);
        reader(&mut reads, 0);
    }
}
