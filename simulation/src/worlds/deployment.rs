//! A change of the number of a route's shards, or a route that is removed and may return, while pages are cached and
//! requests are under way.
//!
//! All objects begin a new life with the new number at one moment. Edges and the tag index may use the old one for a
//! while. Then a coordinator receives requests for a page that it does not own any more, and an invalidation by path
//! goes to the former owner.
//!
//! Assumption: a write to L2 that a former owner had begun takes effect at that moment, or never.

use super::checks::{CheckResult, promise};
use super::in_isolate::InIsolate;
use super::queue::{Arrival, EdgeRequest};
use super::random::Random;
use super::versions::Actor;
use super::workshop::{Layout, Workshop};
use super::world::{EDGES, STEPS, World};
use crate::coordinator::WaiterId;
use crate::shard_name::ShardName;

/// How long an edge or the tag index may use the old number, in milliseconds.
const BEHIND: u64 = 20_000;

/// One change: the configuration before it, and its effects.
#[derive(Clone)]
pub(super) struct Deployment<'w> {
    pub(super) before: &'w Layout,
    after: &'w Layout,
    /// The step before which it happens.
    step: u32,
    /// The step before which the configuration is as before again, in worlds in which a route is removed and returns.
    back: Option<u32>,
    /// Its own random numbers, so that they do not change worlds without a deployment.
    random: Random,
    /// Until when each edge, and last the tag index, uses the old number.
    behind_until: [u64; EDGES + 1],
}

impl<'w> Deployment<'w> {
    /// Draws the deployment of a seed's world, if it has one.
    pub(super) fn draw(workshop: &'w Workshop, seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(32));
        if !random.one_in(2) {
            return None;
        }
        let [fewer, more] = &workshop.moving;
        let (mut before, mut after) = if random.one_in(2) { (fewer, more) } else { (more, fewer) };
        let mut step = u32::try_from(random.below(STEPS.into())).unwrap_or_default();
        // Random numbers of its own, so that the other deployments stay as they are.
        let mut of_route = Random::new(seed.rotate_left(32) ^ 0x524f_5554_4521);
        let mut back = None;
        if of_route.one_in(3) {
            [before, after] = workshop.removed.each_ref();
            step = u32::try_from(of_route.below(u64::from(STEPS) / 2)).unwrap_or_default();
            let away = u32::try_from(1 + of_route.below(u64::from(STEPS) / 2)).unwrap_or_default();
            back = of_route.one_in(2).then_some(step + away);
        }
        Some(Self { before, after, step, back, random, behind_until: [0; EDGES + 1] })
    }
}

impl<'w> World<'w> {
    /// Deploys the new number if its step has come.
    pub(super) fn maybe_deploy(&mut self, step: u32) {
        if self.deployment.as_ref().is_some_and(|deployment| deployment.step == step) {
            self.deploy();
        }
        if let Some(deployment) = self.deployment.as_mut().filter(|deployment| deployment.back == Some(step)) {
            (deployment.before, deployment.after) = (deployment.after, deployment.before);
            self.deploy();
        }
    }

    fn deploy(&mut self) {
        (0..self.objects.len()).for_each(|at| self.die(at));
        self.tag_index_dies();
        let Some(mut deployment) = self.deployment.take() else { return };
        let (before, after) = (deployment.before, deployment.after);
        let now = self.now;
        self.story.tell(now, || "the routes change".to_owned());
        let moves = |key: usize| before.owners[key] != after.owners[key];
        let mut written = Vec::new();
        self.queue.retain(|_, arrival| match arrival {
            Arrival::Commit { key, value, .. } if moves(*key) => {
                if deployment.random.one_in(2) {
                    written.push((*key, value.clone()));
                }
                false
            }
            _ => true,
        });
        for (key, value) in written {
            self.l2.put(now, key, value);
        }
        for key in (0..after.owners.len()).filter(|key| moves(*key)) {
            self.checks.moved(key, after.owners[key]);
            self.is_deleted[key] = false;
        }
        for until in &mut deployment.behind_until {
            *until = now + deployment.random.below(BEHIND);
        }
        // The settings of an edge change.
        self.edges.iter_mut().filter_map(|edge| edge.memory.as_mut()).for_each(InIsolate::end);
        self.layout = after;
        self.deployment = Some(deployment);
    }

    /// Returns the layout of pages over coordinators that an edge or the tag index uses.
    pub(super) fn layout_of(&self, who: usize) -> &'w Layout {
        if let Some(differing) = &self.differing {
            return differing.layout_of(who);
        }
        match &self.deployment {
            Some(deployment) if self.now < deployment.behind_until[who] => deployment.before,
            _ => self.layout,
        }
    }

    /// Returns the layout that the edge of a visit uses.
    pub(super) fn layout_of_visit(&self, visit: u64) -> &'w Layout {
        let own = self.differing.as_ref().map_or(self.layout, |differing| differing.layouts[0]);
        self.visits.get(&visit).map_or(own, |visit| self.layout_of(visit.edge))
    }

    /// Returns the layout that the tag index uses.
    pub(super) fn layout_of_tag_index(&self) -> &'w Layout {
        self.layout_of(EDGES)
    }

    /// Forwards a request from a coordinator to the owner. Promise 4: the owner is another coordinator, and is asked
    /// once.
    pub(super) fn hand_on(&mut self, at: usize, waiter: WaiterId, owner: &ShardName) -> CheckResult {
        self.checks.answered(waiter)?;
        let Some(question) = self.asked.remove(&waiter) else { return Ok(()) };
        let is_owner = self.layout.number_of(owner) == self.layout.owners[question.key];
        promise(4, is_owner && question.forwarded.is_none(), || format!("{question:?} is handed on to {owner}"))?;
        let now = self.now;
        self.story.tell(now, || format!("{} is handed on to {owner}", waiter.0));
        let due = now + self.latency();
        let to = self.layout.number_of(owner);
        let forwarded = EdgeRequest { forwarded: Some(to), ..question };
        if self.refuses(Actor::Coordinator(at), Actor::Coordinator(to), &self.message(to, &forwarded)) {
            // The edge is told that the owner failed.
            self.queue.push(due, Arrival::NotUnderstood { visit: question.visit, number: question.number });
            return Ok(());
        }
        self.queue.push(due, Arrival::Ask(forwarded));
        Ok(())
    }
}
