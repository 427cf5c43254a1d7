//! Kinds of messages that only a later version knows, in some of the worlds with two versions. The receiver decodes the
//! message with the shipped code, refuses it, and changes nothing. Its sender goes on as `crate::protocol` says:
//!
//! | sender | message | then |
//! |---|---|---|
//! | edge | a miss, a report, also a forwarded one | as for a failing coordinator |
//! | edge | a question to the feed, or for a stream | as for a failing tag index |
//! | edge | an invalidation | it is not recorded, and the caller learns that |
//! | coordinator | a registration | the page is not published |
//! | coordinator | its end | it asks again a minute later |
//! | coordinator | an answer | as that of a failing object |
//! | tag index | an invalidation | it stays in the log, and is delivered again |
//! | tag index | the end of a shard | it is sent again |
//!
//! Once the deployment is complete, all understand each other.

use ciborium::Value as Cbor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checks::CheckResult;
use super::queue::{Arrival, EdgeRequest};
use super::random::Random;
use super::versions::{Actor, LATER};
use super::visits::VisitKind;
use super::world::World;
use crate::codec::{decode, encode};
use crate::protocol::ToCoordinator;
use crate::visit::{CallFailure, Event};

/// One message in so many is of an unknown kind, if a later version sends it to an earlier one.
const UNKNOWN: u64 = 3;

/// The messages of unknown kinds of a world.
#[derive(Debug)]
pub(super) struct Unknown {
    random: Random,
}

impl Unknown {
    /// Draws whether a seed's world has such messages, with random numbers of their own. None of the seeds in
    /// `regressions.rs` has.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(28) ^ 0x0000_554E_4BA1_2E35);
        random.one_in(2).then_some(Self { random })
    }
}

impl World<'_> {
    /// Returns whether the receiver refuses a message, because it is of a kind that only the sender's version knows.
    pub(super) fn refuses<T>(&mut self, sender: Actor, receiver: Actor, message: &T) -> bool
    where
        T: Serialize + DeserializeOwned,
    {
        let is_mixed = self.is_later(sender) && !self.is_later(receiver);
        let is_unknown = is_mixed && self.unknown.as_mut().is_some_and(|unknown| unknown.random.one_in(UNKNOWN));
        if !is_unknown || of_unknown_kind(message).is_some() {
            return false;
        }
        let now = self.now;
        self.story.tell(now, || format!("{receiver:?} does not understand {sender:?}"));
        true
    }

    /// Delivers an edge's message to a coordinator, unless that one does not understand it.
    pub(super) fn ask_understandably(&mut self, question: EdgeRequest) -> CheckResult {
        let EdgeRequest { visit, number, key, forwarded, .. } = question;
        let Some(edge) = self.visits.get(&visit).map(|visit| visit.edge) else {
            return self.ask_within_budget(question);
        };
        let at = forwarded.unwrap_or_else(|| self.layout_of_visit(visit).owners[key]);
        // A forwarded message was understood once.
        if forwarded.is_some() || !self.refuses(Actor::Edge(edge), Actor::Coordinator(at), &self.message(at, &question))
        {
            return self.ask_within_budget(question);
        }
        let due = self.now + self.latency();
        self.queue.push(due, Arrival::NotUnderstood { visit, number });
        Ok(())
    }

    /// Returns the message of a question.
    pub(super) fn message(&self, at: usize, question: &EdgeRequest) -> ToCoordinator {
        let (shard, key) = (self.layout.shards[at].clone(), self.workshop.keys[question.key].clone());
        let (newer_than, forwarded, visits) = (question.newer_than, question.forwarded.is_some(), Vec::new());
        match question.served {
            None => ToCoordinator::Miss { shard, key, newer_than, forwarded, renders: false, visits },
            Some(version) => ToCoordinator::Stale { shard, key, version, newer_than, forwarded, visits },
        }
    }

    /// Tells an edge that its question was refused, or that it does not understand the answer.
    pub(super) fn not_understood(&mut self, id: u64, number: u32) -> CheckResult {
        let Some(visit) = self.visits.get(&id).filter(|visit| visit.questions == number) else { return Ok(()) };
        match &visit.why {
            VisitKind::Client(_) => self.take(id, Event::NotAnswered(CallFailure::Failed)),
            VisitKind::Report(report) => {
                let report = *report;
                self.answer_report(id, &report, None);
                Ok(())
            }
            VisitKind::Last { .. } => Ok(()),
        }
    }
}

/// Returns what the shipped code reads where a later version has sent another kind of message.
fn of_unknown_kind<T: Serialize + DeserializeOwned>(message: &T) -> Option<T> {
    let kind = match decode::<Cbor>(&encode(message))? {
        Cbor::Map(pairs) if pairs.len() == 1 => {
            Cbor::Map(pairs.into_iter().map(|(_, content)| (LATER.into(), content)).collect())
        }
        _ => LATER.into(),
    };
    decode(&encode(&kind))
}
