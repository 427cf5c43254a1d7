//! Settings that differ for a long time: each coordinator, each edge and the tag index have one of two numbers of a route's
//! shards, and change from one to the other at any step, as in a gradual deployment that stops half-way. At the end, all have
//! the same number.
//!
//! So two coordinators may own one page, each by its own settings, and render and write it side by side. Or none does: each
//! forwards to the other, and the second refuses.
//!
//! | L2 in this world | what fences two writers of one key |
//! |---|---|
//! | like R2: it compares versions, and shows each write at once | an older version never replaces a newer one |
//! | like KV: the last write wins, and places see it late | nothing. A page is judged by its own version, times and tags, wherever it comes from |
//!
//! A coordinator that changes begins a new life. The models of its keys are those of its settings: each number of shards has
//! models of its own, and the models of the object at work are in use.
//!
//! Assumption: a write to L2 that a coordinator had begun before its change takes effect at that moment, or never.

use super::checks::{CheckResult, KeyModels, promise};
use super::in_isolate::InIsolate;
use super::l2::Value;
use super::queue::Arrival;
use super::random::Random;
use super::versions::Actor;
use super::workshop::{Layout, PAGES, Workshop};
use super::world::{EDGES, World};
use crate::version::Version;

/// An actor changes once in so many steps.
const CHANGES_EVERY: u64 = 8;

/// What the world knows of the keys under one number of shards.
#[derive(Default)]
struct View {
    models: KeyModels,
    is_deleted: Vec<bool>,
    written_in: Vec<u32>,
}

/// The settings of a world's actors.
pub(super) struct Differing<'w> {
    pub(super) layouts: [&'w Layout; 2],
    random: Random,
    /// The number of each actor's layout.
    objects: Vec<usize>,
    edges: [usize; EDGES],
    tag_index: usize,
    /// The layout whose models are in use, and the models of the other one.
    current: usize,
    other: View,
    /// Whether L2 compares versions.
    pub(super) is_fenced: bool,
}

impl<'w> Differing<'w> {
    /// Draws whether the actors of a seed's world have different settings, with random numbers of their own. None of the seeds
    /// in `regressions.rs` has such a world.
    pub(super) fn draw(workshop: &'w Workshop, seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(20) ^ 0x0044_4946_4645_04B0);
        if !random.one_in(3) {
            return None;
        }
        let [fewer, more] = &workshop.moving;
        let layouts = if random.one_in(2) { [fewer, more] } else { [more, fewer] };
        let keys = workshop.keys.len();
        let other = View {
            models: KeyModels::of(&layouts[1].owners),
            is_deleted: vec![false; keys],
            written_in: vec![0; keys],
        };
        Some(Self {
            layouts,
            is_fenced: random.one_in(2),
            random,
            objects: vec![0; layouts[0].shards.len()],
            edges: [0; EDGES],
            tag_index: 0,
            current: 0,
            other,
        })
    }

    fn next(&mut self) -> Option<Actor> {
        let coordinators = self.objects.len();
        self.random.one_in(CHANGES_EVERY).then(|| match self.random.index(coordinators + 1 + EDGES) {
            0 => Actor::TagIndex,
            edge if edge <= EDGES => Actor::Edge(edge - 1),
            number => Actor::Coordinator(number - 1 - EDGES),
        })
    }

    fn of(&mut self, actor: Actor) -> &mut usize {
        match actor {
            Actor::Coordinator(at) => &mut self.objects[at],
            Actor::TagIndex => &mut self.tag_index,
            Actor::Edge(edge) => &mut self.edges[edge],
        }
    }

    /// Returns the layout of an edge, or after the last one, of the tag index.
    pub(super) fn layout_of(&self, who: usize) -> &'w Layout {
        self.layouts[self.edges.get(who).copied().unwrap_or(self.tag_index)]
    }
}

impl World<'_> {
    /// Uses the settings and the models of a coordinator, in worlds in which settings differ.
    pub(super) fn turn_to(&mut self, at: usize) {
        if let Some(view) = self.differing.as_ref().map(|differing| differing.objects[at]) {
            self.view(view);
        }
    }

    fn view(&mut self, view: usize) {
        let Some(differing) = self.differing.as_mut().filter(|differing| differing.current != view) else { return };
        let View { models, is_deleted, written_in } = &mut differing.other;
        self.checks.exchange(models);
        std::mem::swap(&mut self.is_deleted, is_deleted);
        std::mem::swap(&mut self.written_in, written_in);
        differing.current = view;
        self.layout = differing.layouts[view];
    }

    /// Changes the settings of one actor, in worlds in which they differ.
    pub(super) fn maybe_differ(&mut self) {
        let Some(actor) = self.differing.as_mut().and_then(Differing::next) else { return };
        self.change(actor);
    }

    fn change(&mut self, actor: Actor) {
        if let Actor::Coordinator(at) = actor {
            self.die(at);
        }
        let Some(differing) = &mut self.differing else { return };
        let number = differing.of(actor);
        *number = 1 - *number;
        let (number, now) = (*number, self.now);
        self.story.tell(now, || format!("{actor:?} has the settings {number}"));
        match actor {
            Actor::Coordinator(at) => self.coordinator_changes(at),
            Actor::TagIndex => self.tag_index_dies(),
            Actor::Edge(edge) => self.edges[edge].memory.iter_mut().for_each(InIsolate::end),
        }
    }

    /// Moves the models of a coordinator's keys to those of its new settings.
    fn coordinator_changes(&mut self, at: usize) {
        self.turn_to(at);
        let (now, own) = (self.now, self.layout);
        let mut landed: Vec<(usize, Value, Version)> = Vec::new();
        let random = &mut self.random;
        self.queue.retain(|_, arrival| match arrival {
            Arrival::Commit { object, key, value, up_to, .. } if *object == at && own.owners[*key] != at => {
                if random.one_in(2) {
                    landed.push((*key, value.clone(), *up_to));
                }
                false
            }
            _ => true,
        });
        let mut was_owner = Vec::new();
        if let Some(differing) = &mut self.differing {
            let before = differing.layouts[1 - differing.current];
            was_owner.extend((0..own.owners.len()).map(|key| before.owners[key] == at));
            let View { models, is_deleted, written_in } = &mut differing.other;
            for key in (0..own.owners.len()).filter(|key| own.owners[*key] == at) {
                if was_owner[key] {
                    self.checks.take_over(key, models);
                    (self.is_deleted[key], self.written_in[key]) = (is_deleted[key], written_in[key]);
                } else {
                    self.checks.moved(key, at);
                    self.is_deleted[key] = false;
                }
            }
        }
        for (key, value, up_to) in landed {
            self.l2_accepts(now, key, value, up_to);
        }
    }

    /// Gives all actors the same settings, at the end of the schedule.
    pub(super) fn agree(&mut self) {
        let Some(differing) = &mut self.differing else { return };
        let last = usize::from(differing.random.one_in(2));
        let coordinators = (0..differing.objects.len()).map(Actor::Coordinator);
        let edges = (0..EDGES).map(Actor::Edge);
        let all: Vec<_> = coordinators.chain(edges).chain([Actor::TagIndex]).collect();
        for actor in all {
            if self.differing.as_mut().is_some_and(|differing| *differing.of(actor) != last) {
                self.change(actor);
            }
        }
        self.view(last);
        // It learns when it starts which coordinators no request reaches.
        self.tag_index_dies();
        self.forget_of_others();
    }

    /// Treats the pages in L2 that another owner may have written as lost: the owner writes its own when it is next asked. The
    /// store that compares versions refuses that if the other page is newer, until the next render. The simulation deletes it.
    fn forget_of_others(&mut self) {
        let Some(differing) = &self.differing else { return };
        let [one, other] = differing.layouts;
        for key in (0..PAGES).filter(|key| one.owners[*key] != other.owners[*key]) {
            let stored = self.l2.last_written(key).map(|(page, _)| page.version);
            let own = self.entry(key).page.map(|page| page.version);
            if differing.is_fenced && stored > own {
                self.l2.put(self.now, key, None);
            }
            self.l2.overwritten(key);
            self.is_deleted[key] = false;
        }
    }

    /// Makes L2 accept a write, or with no value a deletion of what is not newer than `up_to`. Returns whether it does.
    pub(super) fn l2_accepts(&mut self, now: u64, key: usize, value: Value, up_to: Version) -> bool {
        let is_fenced = self.differing.as_ref().is_some_and(|differing| differing.is_fenced);
        let stored = self.l2.last_written(key).map(|(page, _)| page.version).filter(|_| is_fenced);
        match value.as_ref().map(|(page, _)| page.version) {
            Some(version) if stored == Some(version) => true,
            Some(version) if !version.replaces(stored) => false,
            None if stored.is_some_and(|stored| stored > up_to) => true,
            _ => {
                self.l2.put(now, key, value);
                true
            }
        }
    }

    /// Promise 6: a store that compares versions never replaces a page with an older one.
    pub(super) fn check_fence(&self, key: usize, before: &Value) -> CheckResult {
        let is_fenced = self.differing.as_ref().is_some_and(|differing| differing.is_fenced);
        let after = self.l2.last_written(key);
        let is_kept = match (before, &after) {
            (Some((before, _)), Some((after, _))) => before.version <= after.version,
            _ => true,
        };
        promise(6, !is_fenced || is_kept, || format!("{before:?} in L2 is replaced with {after:?}, which is older"))
    }
}
