//! Conditions that only a part of the worlds have. Each is drawn from random numbers of its own, so that a new one leaves
//! the stories of the other worlds as they are.

use super::random::Random;
use super::world::{EDGES, World};
use crate::visit::{Crowds, Polling, Reports};

/// An isolate ends once in this many steps, in worlds in which isolates end.
const ENDS_EVERY: u64 = 12;

/// The tag index hangs once in this many steps, in worlds in which it does, and for so long, in milliseconds.
const HANGS_EVERY: u64 = 20;
const HANGS_FOR: u64 = 120_000;

/// A visit is one of a crowd once in this many visits, in worlds with crowds, and a crowd is so large.
const CROWDS_EVERY: u64 = 6;
const CROWD: usize = 12;

/// A read of L2 by an edge hangs once in this many reads, in worlds in which reads hang.
const READS_HANG_EVERY: u64 = 4;

/// The conditions of a world.
#[derive(Debug)]
pub(super) struct Hostile {
    /// The most rows of the feed, so that its floor rises.
    pub(super) feed_rows: Option<u64>,
    /// Whether isolates of edges end and begin again without any knowledge. L1 stays.
    isolates_end: bool,
    /// Whether the tag index sometimes takes questions of edges and answers none of them.
    hangs: bool,
    /// Until when it does so.
    pub(super) hangs_until: u64,
    /// Whether many clients sometimes ask for the same page at once.
    crowds: bool,
    /// Whether reads of L2 sometimes hang.
    reads_hang: bool,
    random: Random,
}

impl Hostile {
    /// Draws the conditions of a seed's world.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(16));
        let feed_rows = if random.one_in(4) { Some(random.pick(&[1, 2, 4])) } else { None };
        let (isolates_end, hangs) = (random.one_in(4), random.one_in(4));
        let (crowds, reads_hang) = (random.one_in(4), random.one_in(4));
        Self { feed_rows, isolates_end, hangs, hangs_until: 0, crowds, reads_hang, random }
    }

    /// Returns how many more clients come with a client.
    pub(super) fn crowd(&mut self) -> usize {
        if self.crowds && self.random.one_in(CROWDS_EVERY) { CROWD - 1 } else { 0 }
    }

    /// Returns whether a read of L2 hangs.
    pub(super) fn read_hangs(&mut self) -> bool {
        self.reads_hang && self.random.one_in(READS_HANG_EVERY)
    }

    /// Ends what an edge could wait for.
    pub(super) fn calm_down(&mut self) {
        (self.hangs_until, self.reads_hang) = (0, false);
    }

    /// Returns the conditions of a friendly world.
    pub(super) fn none() -> Self {
        Self {
            feed_rows: None,
            isolates_end: false,
            hangs: false,
            hangs_until: 0,
            crowds: false,
            reads_hang: false,
            random: Random::new(0),
        }
    }
}

impl World<'_> {
    /// Ends an isolate of an edge, in worlds in which that happens.
    pub(super) fn maybe_end_isolate(&mut self) {
        if self.hostile.isolates_end && self.hostile.random.one_in(ENDS_EVERY) {
            let edge = self.hostile.random.index(EDGES);
            self.end_isolate(edge);
        }
    }

    /// Makes the tag index hang for a while, in worlds in which that happens.
    pub(super) fn maybe_hang(&mut self) {
        if self.hostile.hangs && self.hostile.random.one_in(HANGS_EVERY) {
            self.hostile.hangs_until = self.now + self.hostile.random.below(HANGS_FOR);
            let (now, until) = (self.now, self.hostile.hangs_until);
            self.story.tell(now, || format!("the tag index answers no edge for {} ms", until - now));
        }
    }

    /// Ends an isolate: its visits and its knowledge are lost.
    fn end_isolate(&mut self, edge: usize) {
        let now = self.now;
        self.story.tell(now, || format!("the isolate of edge {edge} ends"));
        self.visits.retain(|_, visit| visit.edge != edge);
        self.checks.isolate_ended(edge);
        let at = &mut self.edges[edge];
        at.polling = Polling::in_blocks_of(super::edge::BLOCK);
        at.reports = Reports::default();
        at.crowds = Crowds::default();
        at.polls.clear();
        at.waiting.clear();
        at.told_at = None;
        at.heard.clear();
    }
}
