//! The end of coordinators that no request reaches after a deployment, and their return.

use super::checks::{CheckResult, promise};
use super::queue::{Arrival, ObjectEvent};
use super::versions::Actor;
use super::world::World;
use crate::protocol::ToTagIndex;
use crate::sql::{Row, Value};
use crate::tag_index_name::TagIndexName;

/// How long a coordinator waits for the tag index, in milliseconds.
const UNREGISTER_WITHIN: u64 = 5_000;

/// The maximum delay of a message that arrives twice, in milliseconds.
const LATE: u64 = 60_000;

impl World<'_> {
    /// Makes the tag index call the retired coordinators that are due.
    pub(super) fn call_retired(&mut self) {
        if !self.tag_index.is_alive() {
            return;
        }
        let (now, local) = (self.now, self.tag_index.local(self.now));
        for shard in self.tag_index.store().retired_to_call(local, 6).expect("it is sound") {
            self.story.tell(now, || format!("the tag index calls {shard}, which no request reaches"));
            let object = self.layout.number_of(&shard);
            let due = now + self.latency();
            self.queue.push(due, Arrival::Retire { object });
        }
    }

    /// Sends the message that makes the tag index forget a coordinator. It may be lost, and may arrive again later.
    pub(super) fn unregister(&mut self, at: usize, messages: Vec<(TagIndexName, ToTagIndex)>) {
        let (now, life) = (self.now, self.objects[at].life);
        let shard = &self.layout.shards[at];
        self.story.tell(now, || format!("{shard} has no pages, and unregisters"));
        for (_, message) in messages {
            let due = now + self.latency();
            if self.random.one_in(self.weather.delivery_twice) {
                let again = due + self.random.below(LATE);
                // Nobody waits for the second answer.
                let life = u32::MAX;
                self.queue.push(again, Arrival::Unregister { object: at, life, message: message.clone() });
            }
            self.queue.push(due, Arrival::Unregister { object: at, life, message });
        }
    }

    /// Delivers such a message.
    pub(super) fn unregistered(&mut self, object: usize, life: u32, message: &ToTagIndex) {
        let ToTagIndex::Unregister { shard, generation } = message else { return };
        let (now, fails) = (self.now, self.random.one_in(self.weather.tag_index_fails));
        let is_refused = self.refuses(Actor::Coordinator(object), Actor::TagIndex, message);
        let more = if is_refused || fails && self.random.one_in(2) {
            None
        } else {
            self.wake_tag_index();
            let more = self.tag_index.store().unregister(shard, *generation).expect("it is sound");
            // A coordinator without pages has applied every invalidation.
            self.acknowledge_all();
            (!fails).then_some(more)
        };
        self.story.tell(now, || format!("the tag index forgets {shard}: {more:?}"));
        let due = now + if fails { UNREGISTER_WITHIN } else { self.latency() };
        self.queue.push(due, Arrival::Object { object, life, outcome: ObjectEvent::Unregistered { more } });
    }

    /// Deletes the storage of a coordinator.
    pub(super) fn end_object(&mut self, at: usize) {
        let (now, shard) = (self.now, &self.layout.shards[at]);
        self.story.tell(now, || format!("{shard} ends"));
        self.objects[at].end();
        self.checks.died(at);
    }

    /// Returns whether a coordinator has died before it heard that the tag index has forgotten it, and its alarm was lost. On
    /// the platform, no alarm is lost for good.
    pub(super) fn is_stranded(&self, at: usize) -> bool {
        let is_forgotten =
            || self.tag_index.store().inspect_shard(&self.layout.shards[at]).expect("it is sound").is_none();
        self.objects[at].alarm.is_none() && !self.objects[at].is_alive() && is_forgotten() && self.has_name(at)
    }

    fn has_name(&self, at: usize) -> bool {
        let is_name = |row: &Row| row.first() == Some(&Value::Text("shard".to_owned()));
        self.objects[at].dump().iter().any(|(table, rows)| table == "facts" && rows.iter().any(is_name))
    }

    /// Promise 10, when all is quiet: an object that no request reaches has nothing in its storage. A late message may have
    /// opened it again: then it has facts, but not its name.
    pub(super) fn check_ended(&self) -> CheckResult {
        let is_served = |at: &usize| self.layout.shards[*at].is_served(&self.layout.config.routes);
        let retired = (0..self.objects.len()).filter(|at| !is_served(at));
        retired.into_iter().try_for_each(|at| {
            let is_name = |row: &Row| row.first() == Some(&Value::Text("shard".to_owned()));
            let is_empty =
                |(table, rows): &(String, Vec<Row>)| rows.is_empty() || (table == "facts" && !rows.iter().any(is_name));
            let left: Vec<_> = self.objects[at].dump().into_iter().filter(|table| !is_empty(table)).collect();
            let shard = &self.layout.shards[at];
            promise(10, left.is_empty(), || format!("{shard} is reached by no request, and has {left:?}"))
        })
    }
}
