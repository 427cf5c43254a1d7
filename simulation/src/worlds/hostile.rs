//! Conditions that only a part of the worlds have. Each is drawn from random numbers of its own, so that a new one leaves
//! the stories of the other worlds as they are.

use super::in_isolate::InIsolate;
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

/// The conditions of a world. A condition holds once in that many cases on average; with 0, it never does.
#[derive(Debug)]
pub(super) struct Hostile {
    /// The most rows of the feed, so that its floor rises.
    pub(super) feed_rows: Option<u64>,
    /// The most older rows of the log, so that deliveries are dropped.
    pub(super) log_rows: Option<u64>,
    /// Isolates of edges end, per step, and begin again without any knowledge. L1 stays.
    isolates_end: u64,
    /// The tag index begins to hang, per step: it takes questions of edges and answers none of them.
    hangs: u64,
    /// Until when it does so.
    pub(super) hangs_until: u64,
    /// Many clients ask for the same page at once, per visit.
    crowds: u64,
    /// Reads of L2 hang, per read.
    reads_hang: u64,
    random: Random,
}

impl Hostile {
    /// Draws the conditions of a seed's world.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(16));
        let feed_rows = if random.one_in(4) { Some(random.pick(&[1, 2, 4])) } else { None };
        let mut sometimes = |every| if random.one_in(4) { every } else { 0 };
        let (isolates_end, hangs) = (sometimes(ENDS_EVERY), sometimes(HANGS_EVERY));
        let (crowds, reads_hang) = (sometimes(CROWDS_EVERY), sometimes(READS_HANG_EVERY));
        // Random numbers of its own, so that it does not change other conditions.
        let mut of_log = Random::new(seed.rotate_left(24) ^ 0x4c4f_4721);
        let log_rows = if of_log.one_in(4) { Some(of_log.pick(&[1, 2, 6])) } else { None };
        Self { feed_rows, log_rows, isolates_end, hangs, hangs_until: 0, crowds, reads_hang, random }
    }

    /// Returns how many more clients come with a client.
    pub(super) fn crowd(&mut self) -> usize {
        if self.random.one_in(self.crowds) { CROWD - 1 } else { 0 }
    }

    /// Returns whether a read of L2 hangs.
    pub(super) fn read_hangs(&mut self) -> bool {
        self.random.one_in(self.reads_hang)
    }

    /// Ends what an edge could wait for.
    pub(super) fn calm_down(&mut self) {
        (self.hangs_until, self.reads_hang) = (0, 0);
    }

    /// Returns the conditions of a friendly world.
    pub(super) fn none() -> Self {
        Self {
            feed_rows: None,
            log_rows: None,
            isolates_end: 0,
            hangs: 0,
            hangs_until: 0,
            crowds: 0,
            reads_hang: 0,
            random: Random::new(0),
        }
    }
}

impl World<'_> {
    /// Ends an isolate of an edge, in worlds in which that happens.
    pub(super) fn maybe_end_isolate(&mut self) {
        if self.hostile.random.one_in(self.hostile.isolates_end) {
            let edge = self.hostile.random.index(EDGES);
            self.end_isolate(edge);
        }
    }

    /// Makes the tag index hang for a while, in worlds in which that happens.
    pub(super) fn maybe_hang(&mut self) {
        if self.hostile.random.one_in(self.hostile.hangs) {
            self.hostile.hangs_until = self.now + self.hostile.random.below(HANGS_FOR);
            let (now, until) = (self.now, self.hostile.hangs_until);
            self.story.tell(now, || format!("the tag index answers no edge for {} ms", until - now));
        }
    }

    /// Ends an isolate: its visits and its knowledge are lost.
    pub(super) fn end_isolate(&mut self, edge: usize) {
        let now = self.now;
        self.story.tell(now, || format!("the isolate of edge {edge} ends"));
        self.visits.retain(|_, visit| visit.edge != edge);
        self.checks.isolate_ended(edge);
        self.overload.forget(edge, None);
        let at = &mut self.edges[edge];
        at.polling = Polling::in_blocks_of(super::edge::BLOCK);
        at.reports = Reports::default();
        at.crowds = Crowds::default();
        at.memory.iter_mut().for_each(InIsolate::end);
        at.polls.clear();
        at.streams.clear();
        at.opened_at = None;
        at.waiting.clear();
        at.told_at = None;
        at.heard.clear();
    }
}
