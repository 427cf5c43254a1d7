//! Edits, and the invalidations that tell of them.

use super::checks::Checked;
use super::queue::Coming;
use super::world::{EDGES, World};
use crate::coordinator::Input;
use crate::feed::{Invalidation, Mode, Refresh, Scope};
use crate::store::Delivery;
use crate::tag_index::delivery_pause;
use crate::time::Timestamp;

/// The most deliveries looked at in one round.
const BATCH: u32 = 100;

/// How long the tag index waits for a coordinator, in milliseconds.
const DELIVER_WITHIN: u64 = 5_000;

/// How long a bad time of the site lasts at the most, in milliseconds.
const BAD_TIME: u64 = 60_000;

impl World<'_> {
    /// Has somebody edit something, and invalidate what shows it.
    pub(super) fn edit(&mut self) {
        if self.random.one_in(self.weather.site_goes_bad) {
            let until = self.now + self.random.below(BAD_TIME);
            self.site.go_bad(until);
        }
        let at_once = if self.random.one_in(self.weather.bursts) { 2 + self.random.below(6) } else { 1 };
        for _ in 0..at_once {
            self.invalidate();
        }
    }

    fn invalidate(&mut self) {
        self.site.edit(&mut self.random);
        let edit = self.site.edits;
        let workshop = self.workshop;
        let mut owner = None;
        let scope = match self.random.below(12) {
            0..3 => {
                owner = Some(&workshop.shard);
                Scope::Path(workshop.paths[self.random.index(workshop.paths.len())].clone())
            }
            3 => Scope::Prefix(workshop.prefixes[self.random.index(workshop.prefixes.len())].clone()),
            4 => self.random.pick(&[Some(&workshop.route), None]).cloned().map_or(Scope::Everything, Scope::Route),
            _ => Scope::Tag(workshop.tags[self.random.index(workshop.tags.len())].clone()),
        };
        let (is_stale, is_purge) =
            (self.random.one_in(self.weather.stale_mode), self.random.one_in(self.weather.purges));
        let mode = match (is_stale, is_purge) {
            (true, _) => Mode::Stale,
            (_, true) => Mode::Purge,
            _ => Mode::Expire,
        };
        let refresh = if self.random.one_in(self.weather.eager) { Refresh::Eager } else { Refresh::Lazy };
        let now = Timestamp::from_millis(self.now);
        let invalidation = self.tag_index.append(scope, mode, refresh, owner, now).expect("it is sound");
        let seq = invalidation.seq;
        let time = self.now;
        self.story.tell(time, || format!("edit {edit}: {invalidation:?}"));
        self.checks.record(&invalidation, edit);
        self.unacknowledged.insert(seq, (invalidation, edit));
        for delivery in self.tag_index.deliveries_of(seq, BATCH).expect("it is sound") {
            self.attempt(&delivery);
        }
        self.acknowledge(seq);
    }

    /// Attempts a delivery. It may be lost, or the news of it, and it may come twice.
    fn attempt(&mut self, delivery: &Delivery) {
        let lost = self.random.one_in(self.weather.delivery_lost);
        if lost {
            self.queue.push(self.now + DELIVER_WITHIN, Coming::PutOff(delivery.clone()));
            if self.random.one_in(2) {
                return;
            }
        }
        let arrives = self.now + self.latency();
        self.queue.push(arrives, Coming::Deliver(delivery.invalidation.clone()));
        if self.random.one_in(self.weather.delivery_lost * 2) {
            let again = arrives + self.latency();
            self.queue.push(again, Coming::Deliver(delivery.invalidation.clone()));
        }
        if !lost {
            let heard = arrives + self.latency();
            self.queue.push(heard, Coming::Delivered { seq: delivery.invalidation.seq });
        }
    }

    /// Has an invalidation reach the coordinator.
    pub(super) fn deliver(&mut self, invalidation: Invalidation) -> Checked {
        for (number, key) in self.workshop.keys.iter().enumerate() {
            // Which tags a page has is not asked: a pause may be lifted, but need not be.
            let concerns = match &invalidation.scope {
                Scope::Path(path) => path.as_str() == key.path(),
                _ => true,
            };
            if concerns {
                self.checks.lift(number);
            }
        }
        let now = self.now;
        self.story.tell(now, || format!("invalidation {} reaches the coordinator", invalidation.seq));
        self.give(Input::Invalidate(invalidation))
    }

    /// Strikes a delivery off.
    pub(super) fn delivered(&mut self, seq: u64) {
        self.tag_index.delivered(seq, &self.workshop.shard, 0).expect("it is sound");
        self.acknowledge(seq);
    }

    fn acknowledge(&mut self, seq: u64) {
        if self.tag_index.pending(seq).expect("it is sound") > 0 {
            return;
        }
        let Some((invalidation, edit)) = self.unacknowledged.remove(&seq) else { return };
        let now = self.now;
        self.story.tell(now, || format!("invalidation {seq} is acknowledged"));
        self.checks.acknowledge(now, &invalidation, edit);
        if self.random.one_in(4) {
            // An edge that has had a hand in it need not wait for its next poll.
            let edge = self.random.index(EDGES);
            self.edges[edge].feed.note(invalidation.scope, invalidation.mode, invalidation.at);
        }
    }

    /// Puts off a delivery of which nothing was heard.
    pub(super) fn put_off(&mut self, delivery: &Delivery) {
        let due = self.now + u64::try_from(delivery_pause(delivery.attempts + 1).as_millis()).unwrap_or_default();
        let time = Timestamp::from_millis(due);
        self.tag_index.put_off(delivery.invalidation.seq, &delivery.shard, time).expect("it is sound");
        self.queue.push(due, Coming::Redeliver);
    }

    /// Attempts what is due.
    pub(super) fn redeliver(&mut self) {
        let now = Timestamp::from_millis(self.now);
        for delivery in self.tag_index.deliveries_due(now, BATCH).expect("it is sound") {
            self.attempt(&delivery);
        }
    }
}
