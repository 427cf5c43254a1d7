//! The deliveries of the tag index, and the failures in between.

use super::checks::{CheckResult, promise};
use super::queue::{Arrival, Attempt, ObjectEvent, TagIndexEvent};
use super::tag_index::{DeliveryAttempt, PATIENCE};
use super::versions::Actor;
use super::world::{EDGES, World};
use crate::coordinator::Input;
use crate::fault::{self, Fault};
use crate::invalidation::{Invalidation, Target};
use crate::protocol::{RegisterAnswer, ToCoordinator, ToTagIndex};
use crate::tag_index::{Round, attempts, settle};
use crate::time::Timestamp;

/// How long a coordinator waits for the answer to a registration, in milliseconds.
const REGISTER_WITHIN: u64 = 5_000;

/// The maximum delay of a delivery, in milliseconds.
const LATE: u64 = 90_000;

impl World<'_> {
    /// Begins a life of the tag index, unless it is alive.
    pub(super) fn wake_tag_index(&mut self) {
        let layout = if self.differing.is_some() { self.layout_of_tag_index() } else { self.layout };
        if self.tag_index.awake(self.now, |shard| shard.is_served(&layout.config.routes)) {
            let (now, life) = (self.now, self.tag_index.life);
            self.story.tell(now, || format!("the tag index wakes to life {life}"));
        }
    }

    /// Ends the life of the tag index. It does not receive the results that it was waiting for.
    pub(super) fn tag_index_dies(&mut self) {
        if !self.tag_index.is_alive() {
            return;
        }
        let now = self.now;
        self.story.tell(now, || "the tag index dies".to_owned());
        self.break_streams();
        let repeated_at = now + self.latency();
        self.tag_index.die(repeated_at);
        if self.random.one_in(self.weather.alarm_lost) {
            self.tag_index.forget_alarm();
        }
        let skew = self.weather.skew;
        self.tag_index.skew = self.draw_skew(skew);
        self.queue.retain(|_, arrival| !matches!(arrival, Arrival::TagIndex { .. }));
    }

    /// Fires the alarm of the tag index, which attempts the deliveries that are due.
    pub(super) fn tag_index_alarm(&mut self) {
        self.tag_index.alarm_goes_off();
        self.wake_tag_index();
        self.tag_index.alarm_begins();
        let now = self.now;
        self.story.tell(now, || "the alarm of the tag index runs".to_owned());
        self.deliver(Round::Due(self.tag_index.local(now)));
        self.call_retired();
        self.tag_index.streams.changed();
        self.tag_index.alarm_may_end(now);
    }

    /// Attempts a round of deliveries. The tag index may die before each.
    pub(super) fn deliver(&mut self, round: Round) {
        let by_alarm = matches!(round, Round::Due(_));
        for delivery in attempts(self.tag_index.store(), round, &self.tag_index.hanging).expect("it is sound") {
            if self.random.one_in(self.weather.tag_index_deaths * 4) {
                return self.tag_index_dies();
            }
            let number = self.tag_index.attempt(DeliveryAttempt { delivery: delivery.clone(), by_alarm });
            let attempt = Attempt { life: self.tag_index.life, number };
            self.send(self.layout.number_of(&delivery.shard), delivery.invalidation, attempt);
        }
    }

    /// Sends a delivery. The delivery or its answer may be lost. The delivery may also arrive late, or twice.
    fn send(&mut self, object: usize, invalidation: Invalidation, attempt: Attempt) {
        let Attempt { life, number } = attempt;
        let (lost, late) =
            (self.random.one_in(self.weather.delivery_lost), self.random.one_in(self.weather.delivery_late));
        let comes = !lost || self.random.one_in(2);
        let travels = if late { self.random.below(LATE) } else { self.latency() };
        let returns = self.latency();
        let is_heard = !lost && travels + returns < PATIENCE;
        if self.random.one_in(self.weather.delivery_twice) {
            let most = self.random.pick(&[self.weather.latency, LATE]);
            let again = self.now + travels + self.random.below(most);
            self.queue.push(again, Arrival::Deliver { object, invalidation: invalidation.clone(), answer: None });
        }
        if comes {
            let answer = is_heard.then_some((attempt, returns));
            self.queue.push(self.now + travels, Arrival::Deliver { object, invalidation, answer });
        }
        if !is_heard {
            // Some calls fail at once.
            let is_refused = lost && self.random.one_in(2);
            let (after, outcome) = if is_refused {
                (returns, TagIndexEvent::Refused { attempt: number })
            } else {
                (PATIENCE, TagIndexEvent::Silent { attempt: number })
            };
            self.queue.push(self.now + after, Arrival::TagIndex { life, outcome });
        }
    }

    /// Delivers an invalidation to a coordinator.
    pub(super) fn delivered(
        &mut self,
        object: usize,
        invalidation: Invalidation,
        answer: Option<(Attempt, u64)>,
    ) -> CheckResult {
        self.turn_to(object);
        let message = ToCoordinator::Invalidate(invalidation.clone());
        if self.refuses(Actor::TagIndex, Actor::Coordinator(object), &message) {
            if let Some((Attempt { life, number: attempt }, returns)) = answer
                && fault::on(Fault::ForgetRefusedDelivery)
            {
                let due = self.now + returns;
                self.queue.push(due, Arrival::TagIndex { life, outcome: TagIndexEvent::Applied { attempt } });
            } else {
                self.delivery_refused(answer);
            }
            return Ok(());
        }
        let Some(invalidation) = self.received_from(Actor::TagIndex, invalidation) else {
            self.delivery_refused(answer);
            return Ok(());
        };
        for number in self.keys() {
            let key = &self.workshop.keys[number];
            // The tags of the pages are not checked: an invalidation by tag may lift a pause, but need not.
            let concerns = match &invalidation.target {
                Target::Path(path) => path.as_str() == key.path(),
                _ => true,
            };
            if concerns && self.layout.owners[number] == object {
                self.checks.lift(number);
            }
        }
        let (now, shard) = (self.now, &self.layout.shards[object]);
        self.story.tell(now, || format!("invalidation {} reaches {shard}", invalidation.seq));
        let seq = invalidation.seq;
        self.give(object, Input::Invalidate(invalidation))?;
        self.receive_as_later(object, seq);
        if let Some((Attempt { life, number: attempt }, returns)) = answer {
            self.queue.push(now + returns, Arrival::TagIndex { life, outcome: TagIndexEvent::Applied { attempt } });
        }
        Ok(())
    }

    /// Tells the tag index that a coordinator has refused a delivery.
    fn delivery_refused(&mut self, answer: Option<(Attempt, u64)>) {
        if let Some((Attempt { life, number: attempt }, returns)) = answer {
            let due = self.now + returns;
            self.queue.push(due, Arrival::TagIndex { life, outcome: TagIndexEvent::Refused { attempt } });
        }
    }

    /// Feeds the tag index the result of something that its current life began.
    pub(super) fn tag_index_hears(&mut self, outcome: TagIndexEvent) -> CheckResult {
        let (attempt, applied) = match outcome {
            TagIndexEvent::Append { target, mode, refresh, edit } => {
                self.append(target, mode, refresh, edit);
                return Ok(());
            }
            TagIndexEvent::Applied { attempt } => (attempt, Some(0)),
            TagIndexEvent::Refused { attempt } | TagIndexEvent::Silent { attempt } => (attempt, None),
        };
        let is_silent = matches!(outcome, TagIndexEvent::Silent { .. });
        let Some(DeliveryAttempt { delivery, .. }) = self.tag_index.attempted(attempt) else { return Ok(()) };
        let (now, seq, shard) = (self.now, delivery.invalidation.seq, &delivery.shard);
        self.story.tell(now, || format!("the tag index hears that {seq} is applied by {shard}: {}", applied.is_some()));
        let local = self.tag_index.local(now);
        // An eviction forgets this, which changes when a delivery arrives: the worlds that are compared do without.
        if !self.is_calm {
            self.tag_index.hanging.note(shard, !is_silent, local);
        }
        settle(self.tag_index.store(), &delivery, applied, local).expect("it is sound");
        self.acknowledge(seq);
        if delivery.is_summary {
            // It replaces the deliveries of earlier invalidations.
            self.acknowledge_all();
        }
        let is_in_log = self.tag_index.store().invalidation(seq).expect("it is sound").is_some();
        let pending = if is_in_log { self.pending(seq) } else { 0 };
        let is_settled = pending == 0 || self.unacknowledged.contains_key(&seq) || self.mishaps.has_restored;
        promise(3, is_settled, || format!("{seq} was applied everywhere, and is pending again"))?;
        self.tag_index.streams.changed();
        self.tag_index.alarm_may_end(now);
        Ok(())
    }

    fn pending(&self, seq: u64) -> u64 {
        self.tag_index.store().pending(seq).expect("it is sound")
    }

    /// Records an invalidation as acknowledged when every coordinator has applied it.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        if !self.unacknowledged.contains_key(&seq) || self.pending(seq) > 0 {
            return;
        }
        let Some((invalidation, edit)) = self.unacknowledged.remove(&seq) else { return };
        let now = self.now;
        self.story.tell(now, || format!("invalidation {seq} is acknowledged"));
        self.checks.acknowledge(now, &invalidation, edit);
        if self.random.one_in(4) {
            // An edge that took part in it need not wait for its next poll.
            let edge = self.random.index(EDGES);
            self.edges[edge].polling.note(invalidation);
            self.edges[edge].heard.insert(edit);
        }
    }

    /// Records the invalidations that every coordinator has applied as acknowledged.
    pub(super) fn acknowledge_all(&mut self) {
        let known: Vec<u64> = self.unacknowledged.keys().copied().collect();
        for seq in known {
            self.acknowledge(seq);
        }
    }

    /// Delivers a coordinator's registration of tags to the tag index.
    pub(super) fn register(&mut self, arrival: Arrival) {
        let Arrival::Register { object, life, token, message } = arrival else { return };
        if self.refuses(Actor::Coordinator(object), Actor::TagIndex, &message) {
            let is_published = fault::on(Fault::PublishRefused);
            let answer =
                is_published.then(|| RegisterAnswer { invalidations: Vec::new(), floor: Timestamp::default() });
            let due = self.now + self.latency();
            let outcome = ObjectEvent::Registered { token, answer };
            return self.queue.push(due, Arrival::Object { object, life, outcome });
        }
        let message = self.received_from(Actor::Coordinator(object), message);
        let Some(ToTagIndex::Register { shards, tags, since, generation, carried, .. }) = message else { return };
        let now = self.now;
        let fails = self.random.one_in(self.weather.tag_index_fails);
        // Either the answer is lost, or the whole registration.
        let answer = if fails && self.random.one_in(2) {
            None
        } else {
            self.wake_tag_index();
            let shard = &self.layout.shards[object];
            let store = self.tag_index.store();
            if let Some(carried) = carried {
                store.forget_tags(shard, generation, &carried).expect("it is sound");
            }
            self.objects[object].is_known = true;
            let registered = store.register(shard, shards, generation, &tags, since).expect("it is sound");
            let (invalidations, floor) = (registered.invalidations, registered.floor);
            self.tag_index.streams.changed();
            let answer = RegisterAnswer { invalidations, floor };
            if fails { None } else { self.received_from(Actor::TagIndex, answer) }
        };
        self.story.tell(now, || format!("the tag index registers {tags:?}: {answer:?}"));
        let due = now + if fails { REGISTER_WITHIN } else { self.latency() };
        self.queue.push(due, Arrival::Object { object, life, outcome: ObjectEvent::Registered { token, answer } });
    }

    /// Promise 3, when all is quiet: no delivery is pending, and every shard that an invalidation affects has received
    /// it.
    pub(super) fn check_delivered(&mut self) -> CheckResult {
        self.wake_tag_index();
        promise(3, self.unacknowledged.is_empty(), || format!("{:?} are never applied", self.unacknowledged))?;
        let due = self.tag_index.store().next_deadline().expect("it is sound");
        promise(3, due.is_none(), || format!("a delivery is due at {due:?} when all is quiet"))?;
        self.check_applied()
    }
}
