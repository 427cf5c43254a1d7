//! Edits, and their invalidations.

use super::queue::{Arrival, TagIndexEvent};
use super::tag_index::CALLERS_PATIENCE;
use super::versions::Actor;
use super::workshop::PAGES;
use super::world::{EDGES, World};
use crate::fault::{self, Fault};
use crate::invalidation::{Mode, Refresh, Target};
use crate::protocol::ToTagIndex;
use crate::tag_index::Round;
use crate::time::Timestamp;

/// The maximum duration of an outage of the origin, in milliseconds.
const BAD_TIME: u64 = 60_000;

/// The maximum time that an edge is cut off, in milliseconds.
const CUT_OFF: u64 = 40_000;

impl World<'_> {
    /// Edits something, and invalidates the pages that show it.
    pub(super) fn edit(&mut self) {
        if self.random.one_in(self.weather.origin_goes_bad) {
            let until = self.now + self.random.below(BAD_TIME);
            self.origin.go_bad(until);
        }
        if self.random.one_in(self.weather.edge_cut_off) {
            let edge = self.random.index(EDGES);
            self.edges[edge].cut_off_until = self.now + self.random.below(CUT_OFF);
            let (now, until) = (self.now, self.edges[edge].cut_off_until);
            self.story.tell(now, || format!("edge {edge} can't reach the tag index for {} ms", until - now));
        }
        let at_once = if self.random.one_in(self.weather.bursts) { 2 + self.random.below(6) } else { 1 };
        for _ in 0..at_once {
            self.invalidate();
        }
    }

    fn invalidate(&mut self) {
        self.origin.edit(&mut self.random);
        let edit = self.origin.edits;
        let workshop = self.workshop;
        let target = match self.random.below(12) {
            0..3 => Target::Path(workshop.paths[self.random.index(workshop.paths.len())].clone()),
            3 => Target::Prefix(workshop.prefixes[self.random.index(workshop.prefixes.len())].clone()),
            4 if self.random.one_in(2) => Target::Everything,
            4 => Target::Route(self.layout.routes[self.random.index(PAGES)].clone()),
            _ => Target::Tag(workshop.tags[self.random.index(workshop.tags.len())].clone()),
        };
        let (is_stale, is_purge) =
            (self.random.one_in(self.weather.stale_mode), self.random.one_in(self.weather.purges));
        let mode = match (is_stale, is_purge) {
            (true, _) => Mode::Stale,
            (_, true) => Mode::Purge,
            _ => Mode::Expire,
        };
        let refresh = if self.random.one_in(self.weather.eager) { Refresh::Eager } else { Refresh::Lazy };
        self.wake_tag_index();
        let message = ToTagIndex::Invalidate { target: target.clone(), mode, refresh, key: None };
        if self.refuses(Actor::Edge(0), Actor::TagIndex, &message) {
            // The caller gets the error `unavailable`, and nobody has a receipt.
            if fault::on(Fault::AcknowledgeRefused) {
                self.checks.record(self.now, &target, mode, edit);
            }
            return;
        }
        if fault::on(Fault::AcknowledgeFirst) {
            self.checks.record(self.now, &target, mode, edit);
            let (due, life) = (self.now + self.latency(), self.tag_index.life);
            let outcome = TagIndexEvent::Append { target, mode, refresh, edit };
            return self.queue.push(due, Arrival::TagIndex { life, outcome });
        }
        self.append(target, mode, refresh, edit);
    }

    /// Makes the tag index record an invalidation and begin to deliver it.
    pub(super) fn append(&mut self, target: Target, mode: Mode, refresh: Refresh, edit: u64) {
        let owner =
            if let Target::Path(path) = &target { self.layout_of_tag_index().owner_of(path.as_str()) } else { None };
        let local = self.tag_index.local(self.now);
        let store = self.tag_index.store();
        let invalidation = store.append(target, mode, refresh, owner.as_ref(), local).expect("it is sound");
        let seq = invalidation.seq;
        self.record_as_later(seq, mode);
        let now = self.now;
        self.story.tell(now, || format!("edit {edit}: {invalidation:?}"));
        if !fault::on(Fault::AcknowledgeFirst) {
            self.checks.record(now, &invalidation.target, mode, edit);
        }
        self.edit_of.insert(invalidation.at, edit);
        self.unacknowledged.insert(seq, (invalidation, edit));
        self.push_rows();
        if self.tag_index.store().pending(seq).expect("it is sound") > 0 {
            self.tag_index.wake_at(Timestamp::from_millis(local.as_millis() + CALLERS_PATIENCE), now);
            self.deliver(Round::Of { first: seq, last: seq, now: local });
        } else {
            self.acknowledge(seq);
        }
    }
}
