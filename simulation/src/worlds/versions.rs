//! Two versions of the code at once: a gradual deployment that changes one coordinator, the tag index or one edge at a time,
//! at any step. It may stop half-way, be rolled back, and begin again.
//!
//! The later version is this one, and writes more than this one knows:
//!
//! | part | what the later version adds |
//! |---|---|
//! | schema | a column in each table, and a table (`Database::expand`); the databases have them from the beginning |
//! | messages | a field in each map of fields |
//! | recorded invalidations | kinds and modes that this version does not know, in its messages and in its tables |
//!
//! A coordinator or a tag index that changes begins a new life, and an edge a new isolate.
//!
//! In some of these worlds, the later version also sends kinds of messages that this one refuses (`unknown.rs`).
//!
//! Not simulated: sweeps of unknown kinds, which `coordinator::tables::tests::versions` tests; and a later version that makes better use of what it alone knows.

use std::collections::BTreeSet;

use ciborium::Value as Cbor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::random::Random;
use super::world::{EDGES, World};
use crate::codec::{decode, encode};
use crate::fault::{self, Fault};
use crate::invalidation::Mode;

/// An actor changes once in this many steps, in worlds in which they do.
const CHANGES_EVERY: u64 = 8;

/// The word of a later version, for everything that this one does not know.
pub(super) const LATER: &str = "of_a_later_version";

/// What runs code of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Actor {
    Coordinator(usize),
    TagIndex,
    Edge(usize),
}

/// The versions of a world's actors.
#[derive(Debug)]
pub(super) struct Versions {
    random: Random,
    later: BTreeSet<Actor>,
}

impl Versions {
    /// Draws whether a seed's world has two versions, with random numbers of their own. None of the seeds in `regressions.rs`
    /// has, so their stories stay.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(24) ^ 0x0200_5645_5253);
        random.one_in(4).then(|| Self { random, later: BTreeSet::new() })
    }

    /// Changes the version of an actor. Returns the actor, and whether it now runs the later version.
    fn next(&mut self, coordinators: usize) -> Option<(Actor, bool)> {
        self.random.one_in(CHANGES_EVERY).then(|| {
            let actor = match self.random.index(coordinators + 1 + EDGES) {
                0 => Actor::TagIndex,
                edge if edge <= EDGES => Actor::Edge(edge - 1),
                number => Actor::Coordinator(number - 1 - EDGES),
            };
            let is_later = !self.later.remove(&actor) && self.later.insert(actor);
            (actor, is_later)
        })
    }
}

impl World<'_> {
    /// Deploys the other version to one actor, in worlds that have two.
    pub(super) fn maybe_change_version(&mut self) {
        let coordinators = self.objects.len();
        let Some((actor, is_later)) = self.mixture.as_mut().and_then(|versions| versions.next(coordinators)) else {
            return;
        };
        let now = self.now;
        let what = if is_later { "the later version" } else { "the earlier version" };
        self.story.tell(now, || format!("{actor:?} runs {what}"));
        match actor {
            Actor::Coordinator(at) => self.die(at),
            Actor::TagIndex => self.tag_index_dies(),
            Actor::Edge(edge) => self.end_isolate(edge),
        }
    }

    /// Returns whether an actor runs the later version.
    pub(super) fn is_later(&self, actor: Actor) -> bool {
        self.mixture.as_ref().is_some_and(|versions| versions.later.contains(&actor))
    }

    /// Sends a message: one of the later version has fields and kinds that a receiver does not know. `None` if the receiver
    /// refuses it.
    pub(super) fn received_from<T: Serialize + DeserializeOwned>(&self, sender: Actor, message: T) -> Option<T> {
        if !self.is_later(sender) {
            return Some(message);
        }
        if fault::on(Fault::RefuseUnknownField) {
            return None;
        }
        let mut value = decode::<Cbor>(&encode(&message))?;
        as_later(&mut value);
        decode(&encode(&value))
    }

    /// Rewrites an invalidation that a tag index of the later version has recorded, as that version may have.
    pub(super) fn record_as_later(&mut self, seq: u64, mode: Mode) {
        if !self.is_later(Actor::TagIndex) {
            return;
        }
        let Some(versions) = &mut self.mixture else { return };
        let (kind, is_unknown) = (versions.random.one_in(2), versions.random.one_in(3));
        for table in ["invalidations", "feed"] {
            if kind {
                self.tag_index.rewrite(table, "kind = ?, name = kind || ' ' || name", seq);
            }
            if is_unknown && mode == Mode::Expire {
                self.tag_index.rewrite(table, "mode = ?", seq);
            }
        }
    }

    /// Rewrites an invalidation that a coordinator of the later version has received.
    pub(super) fn receive_as_later(&mut self, at: usize, seq: u64) {
        if !self.is_later(Actor::Coordinator(at)) {
            return;
        }
        let Some(versions) = &mut self.mixture else { return };
        if versions.random.one_in(2) {
            self.objects[at].rewrite("invalidations", "kind = ?, name = kind || ' ' || name", seq);
            // It now names every page of the coordinator, and lifts their pauses.
            let keys = self.keys();
            keys.filter(|key| self.layout.owners[*key] == at).for_each(|key| self.checks.lift(key));
        }
    }
}

/// Adds a field to each map of fields, and names the widest target and the mode `expire` in a way that only the later
/// version knows.
fn as_later(value: &mut Cbor) {
    match value {
        Cbor::Array(items) => items.iter_mut().for_each(as_later),
        Cbor::Map(pairs) => {
            for (key, item) in pairs.iter_mut() {
                let word = (key.as_text(), item.as_text());
                let is_unknown = matches!(word, (Some("scope"), Some("everything")) | (Some("mode"), Some("expire")));
                if is_unknown {
                    *item = Cbor::Map(vec![(LATER.into(), 7.into())]);
                } else {
                    as_later(item);
                }
            }
            // A map of one pair may be a kind with its content.
            if pairs.len() > 1 {
                pairs.push((LATER.into(), Cbor::Array(vec![LATER.into()])));
            }
        }
        _ => {}
    }
}
