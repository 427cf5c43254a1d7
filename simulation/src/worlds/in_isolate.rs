//! Edges with an in-isolate tier, in a part of the worlds. The shipped code decides which pages are in memory; here, bodies
//! take a while to be collected from L1, or never arrive, and other things in the isolate need the memory.

use std::rc::Rc;
use std::time::Duration;

use super::edge::{Edge, L1Slot};
use super::origin::Body;
use super::queue::Arrival;
use super::random::Random;
use super::visits::millis;
use super::world::World;
use crate::account::Account;
use crate::visit::memory::{COLLECTS_FOR, OVERHEAD};
use crate::visit::{L1Entry, MemoryTier, Remembered, StoredPage, TierBounds};

/// A page in a tier leaves it after so many uses on average, because others need the memory.
const GIVEN_BACK_EVERY: u64 = 40;

/// A body that is collected never arrives, once in so many.
const LOST_EVERY: u64 = 6;

/// The in-isolate tier of an edge.
#[derive(Debug)]
pub(super) struct InIsolate {
    tier: MemoryTier<Body>,
    bounds: TierBounds,
    /// The number of the isolate: a body that was collected for an earlier one is lost.
    isolate: u64,
    /// Its own random numbers, so that they do not change worlds without a tier.
    random: Random,
}

impl InIsolate {
    /// Draws the tiers of a seed's world, if it has some.
    pub(super) fn draw(seed: u64, edges: &mut [Edge]) {
        let mut random = Random::new(seed.rotate_left(20) ^ 0x4D45_4D4F_5259);
        if !random.one_in(4) {
            return;
        }
        let bytes = random.pick(&[2 * OVERHEAD, 64 * OVERHEAD]);
        let l1_ttl = Duration::from_secs(random.pick(&[20, 3600]));
        let bounds = TierBounds { bytes, page_bytes: 64, l1_ttl };
        for edge in edges {
            let random = Random::new(random.below(u64::MAX));
            edge.memory = Some(Self { tier: empty(bounds), bounds, isolate: 0, random });
        }
    }

    /// Empties the tier: its isolate ends, or the settings change.
    pub(super) fn end(&mut self) {
        self.isolate += 1;
        self.tier = empty(self.bounds);
    }
}

fn empty(bounds: TierBounds) -> MemoryTier<Body> {
    MemoryTier::new(bounds, &Rc::new(Account::new(u64::MAX)))
}

impl World<'_> {
    /// Returns a page that an edge has in memory.
    pub(super) fn remembered(&mut self, edge: usize, key: usize) -> Option<StoredPage<Body>> {
        let local = self.edges[edge].local(self.now);
        let InIsolate { tier, random, .. } = self.edges[edge].memory.as_mut()?;
        if random.one_in(GIVEN_BACK_EVERY) {
            tier.give_back(OVERHEAD);
        }
        tier.get(&self.workshop.keys[key], local).map(|remembered| remembered.page.clone())
    }

    /// Removes a page from the memory of an edge.
    pub(super) fn forget(&mut self, edge: usize, key: usize) {
        if let Some(memory) = self.edges[edge].memory.as_mut() {
            memory.tier.forget(&self.workshop.keys[key]);
        }
    }

    /// Counts a HIT of an edge from L1. If the page is to be in memory, its body is collected.
    pub(super) fn hit_of_l1(&mut self, edge: usize, key: usize, page: &StoredPage<Body>) {
        let (now, local) = (self.now, self.edges[edge].local(self.now));
        // When the copy of L1 ends, by the clock with which it was put there.
        let Some(L1Slot { at, found: L1Entry::Page(_) }) = self.edges[edge].l1.get(&key) else { return };
        let put_at = self.edges[edge].local(*at);
        let Some(InIsolate { tier, bounds, isolate, random }) = self.edges[edge].memory.as_mut() else { return };
        if !tier.hit(&self.workshop.keys[key], page.meta.body_bytes, local) {
            return;
        }
        let (isolate, until) = (*isolate, put_at.plus(bounds.l1_ttl));
        let takes = random.below(millis(COLLECTS_FOR) + 1_000);
        // The request may end without a word.
        if !random.one_in(LOST_EVERY) {
            let page = (takes < millis(COLLECTS_FOR)).then(|| (page.clone(), until));
            self.queue.push(now + takes, Arrival::Collected { edge, isolate, key, page });
        }
    }

    /// A body has been collected, or has not arrived in time.
    pub(super) fn collected(
        &mut self,
        edge: usize,
        isolate: u64,
        key: usize,
        page: Option<(StoredPage<Body>, crate::time::Timestamp)>,
    ) {
        let (now, local) = (self.now, self.edges[edge].local(self.now));
        let Some(memory) = self.edges[edge].memory.as_mut().filter(|memory| memory.isolate == isolate) else { return };
        match page {
            Some((page, until)) => {
                let is_there = memory.tier.admit(Remembered::new(page, 0, until, local), local);
                self.story.tell(now, || format!("edge {edge} has page {key} in memory: {is_there}"));
            }
            None => memory.tier.give_up(&self.workshop.keys[key]),
        }
    }
}
