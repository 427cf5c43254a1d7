//! A world: coordinators, the tag index, edges, L2 and the origin, on a virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::attack::Attack;
use super::checks::{CheckResult, Checks, Violation, promise};
use super::colo::Colo;
use super::database::Database;
use super::deployment::Deployment;
use super::differing::Differing;
use super::edge::Edge;
use super::hostile::Hostile;
use super::in_isolate::InIsolate;
use super::l2::L2;
use super::memory::Memory;
use super::mishaps::Mishaps;
use super::object::Object;
use super::origin::{Body, Origin};
use super::overload::Overload;
use super::pushes::Pushes;
use super::queue::{Arrival, EdgeRequest, ObjectEvent, Queue};
use super::random::Random;
use super::settings::{Changes, Settings};
use super::story::{BEGINNING, Story};
use super::straits::Straits;
use super::tag_index::TagIndex;
use super::unknown::Unknown;
use super::validators::Validators;
use super::varied::Varied;
use super::versions::{Actor, Versions};
use super::visits::{Visit, VisitKind, VisitResult};
use super::weather::Weather;
use super::workshop::{Layout, PAGES, PATHS, Workshop};
use crate::config::Config;
use crate::coordinator::{Input, Moment, WaiterId};
use crate::invalidation::Invalidation;
use crate::protocol::ToCoordinator;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::Event;

/// The number of edges. The coordinators read L2 in a place of their own.
pub(super) const EDGES: usize = 3;
pub(super) const COORDINATOR: usize = EDGES;

/// The number of steps of a schedule.
pub(super) const STEPS: u32 = 120;

/// The number of steps within which the world becomes quiet if nothing new happens.
const STEPS_TO_REST: u32 = 20_000;

/// How long the last visits wait for the pauses after failures to end, in milliseconds.
const ALL_PAUSES: u64 = 400_000;

/// A logged answer, for the comparison of two worlds.
pub(super) type Line = (u64, String);

/// The complete state of a world.
pub(super) struct World<'w> {
    pub(super) workshop: &'w Workshop,
    pub(super) layout: &'w Layout,
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) weather: Weather,
    pub(super) objects: Vec<Object>,
    pub(super) tag_index: TagIndex,
    /// The conditions that only a part of the worlds have.
    pub(super) hostile: Hostile,
    /// The edit of each invalidation in the log, by its time. A restored log gives its numbers again.
    pub(super) edit_of: BTreeMap<Timestamp, u64>,
    /// The edit of each invalidation that is not acknowledged.
    pub(super) unacknowledged: BTreeMap<u64, (Invalidation, u64)>,
    pub(super) edges: Vec<Edge>,
    /// The cache that all edges share, in worlds that have one.
    pub(super) colo: Option<Colo>,
    pub(super) l2: L2,
    /// Whether the last write to L2 that began is a deletion.
    pub(super) is_deleted: Vec<bool>,
    /// The life in which that write began.
    pub(super) written_in: Vec<u32>,
    pub(super) origin: Origin,
    /// The body of each version.
    pub(super) bodies: BTreeMap<Version, Body>,
    /// The versions that are complete.
    pub(super) whole: BTreeSet<Version>,
    pub(super) checks: Checks,
    /// Whether a render is failing although there is a good page.
    pub(super) failing: bool,
    pub(super) queue: Queue,
    pub(super) visits: BTreeMap<u64, Visit<'w>>,
    pub(super) last_visit: u64,
    /// The result of the last client's visit that has ended.
    pub(super) last_ended: Option<VisitResult>,
    /// The question of each request.
    pub(super) asked: BTreeMap<WaiterId, EdgeRequest>,
    pub(super) last_waiter: u64,
    pub(super) story: Story,
    /// Whether two worlds of this seed are compared. Then random values depend on the time, not on earlier events.
    pub(super) is_calm: bool,
    /// The change of a route's shards, in worlds that have one.
    pub(super) deployment: Option<Deployment<'w>>,
    /// The different settings of the actors, in worlds in which they differ for long.
    pub(super) differing: Option<Differing<'w>>,
    /// Whether there is no room for all pages.
    pub(super) is_crowded: bool,
    /// An attacker who makes up URLs.
    pub(super) attack: Option<Attack>,
    /// The streams of the feed, in worlds in which edges open some.
    pub(super) pushes: Option<Pushes>,
    /// The changes of settings.
    pub(super) changes: Option<Changes>,
    /// The versions of the code, in worlds with two of them.
    pub(super) mixture: Option<Versions>,
    /// The kinds of messages that only the later version knows, in some of these worlds.
    pub(super) unknown: Option<Unknown>,
    /// What is special about the pages.
    pub(super) varied: Varied,
    /// The step before which L2 loses everything, in worlds in which it does.
    l2_loss: Option<u32>,
    /// The conditions of a narrow world.
    pub(super) straits: Option<Straits>,
    /// A restored database, or a clock that is set back, in worlds that have one.
    pub(super) mishaps: Mishaps,
    /// How many requests an object takes.
    pub(super) overload: Overload,
    /// The conditions of a world whose origin sends validators.
    pub(super) validators: Option<Validators>,
    /// Decides when idle objects are evicted.
    evictions: Option<Random>,
    pub(super) seed: u64,
    /// The logged answers.
    log: Vec<Line>,
    /// Versions in the order in which they first appeared.
    versions: BTreeMap<Version, usize>,
}

impl<'w> World<'w> {
    /// Creates the world of a seed.
    pub(super) fn new(workshop: &'w Workshop, seed: u64, is_told: bool) -> Self {
        let mut random = Random::new(seed);
        let weather = Weather::draw(&mut random);
        Self::with(workshop, seed, random, weather, Story::new(is_told), false)
    }

    /// Creates the world of a seed in which objects are evicted only on purpose. `evicts` tells whether they are.
    pub(super) fn calm(workshop: &'w Workshop, seed: u64, evicts: bool, is_told: bool) -> Self {
        let mut random = Random::new(seed);
        let weather = Weather::draw_calm(&mut random);
        let mut world = Self::with(workshop, seed, random, weather, Story::new(is_told), true);
        world.l2.forgets = false;
        // The comparison also shows that a remembered read is the same as a repeated one.
        workshop.databases_of(seed).each().for_each(|database| database.remember(!evicts));
        world.evictions = evicts.then(|| Random::new(!seed));
        world
    }

    fn with(
        workshop: &'w Workshop,
        seed: u64,
        mut random: Random,
        weather: Weather,
        story: Story,
        is_calm: bool,
    ) -> Self {
        let is_large = random.one_in(2);
        let deployment = if is_large && !is_calm { Deployment::draw(workshop, seed) } else { None };
        let may_differ = is_large && !is_calm && deployment.is_none();
        let differing = if may_differ { Differing::draw(workshop, seed) } else { None };
        let hostile = if is_calm { Hostile::none() } else { Hostile::draw(seed) };
        // Random numbers of its own, so that they do not change other worlds.
        let is_crowded = !is_large && !is_calm && Random::new(seed.rotate_left(48)).one_in(4);
        let attack = if is_large || is_calm || is_crowded { None } else { Attack::draw(seed) };
        let layout = match &deployment {
            Some(deployment) => deployment.before,
            None if differing.is_some() => differing.as_ref().map_or(&workshop.large, |differing| differing.layouts[0]),
            None if is_large => &workshop.large,
            None if is_crowded => &workshop.crowded,
            None if attack.is_some() => &workshop.attacked,
            None => &workshop.small,
        };
        let all = workshop.databases_of(seed);
        let databases = &all.coordinators[..layout.shards.len()];
        databases.iter().chain([&all.tag_index]).for_each(Database::clear);
        let routes =
            PATHS.iter().map(|path| (*path, layout.config.routes.find(path).expect("it has one").id().clone()));
        let Config { freshness_bound, miss_timeout, .. } = layout.config;
        let settings = Settings { freshness_bound, miss_timeout };
        let mut edges: Vec<_> = (0..EDGES).map(|_| Edge::new(skew(&mut random, weather.skew), settings)).collect();
        let colo = if is_calm { None } else { Colo::draw(seed, &mut edges) };
        if !is_calm {
            InIsolate::draw(seed, &mut edges);
        }
        let memory = if edges[0].memory.is_some() { ", with pages in memory" } else { "" };
        let mut world = Self {
            workshop,
            layout,
            now: BEGINNING,
            random,
            weather,
            objects: databases.iter().map(|database| Object::new(database.clone())).collect(),
            tag_index: TagIndex::new(all.tag_index.clone(), 0, hostile.feed_rows, hostile.log_rows),
            hostile,
            edit_of: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
            edges,
            colo,
            l2: L2::new(workshop.keys.len(), EDGES + 1),
            is_deleted: vec![false; workshop.keys.len()],
            written_in: vec![0; workshop.keys.len()],
            origin: Origin::default(),
            bodies: BTreeMap::new(),
            whole: BTreeSet::new(),
            checks: Checks::new(layout.shards.len(), &layout.owners, routes.collect()),
            failing: false,
            queue: Queue::default(),
            visits: BTreeMap::new(),
            last_visit: 0,
            last_ended: None,
            asked: BTreeMap::new(),
            last_waiter: 0,
            story,
            is_calm,
            deployment,
            differing,
            is_crowded,
            attack,
            pushes: if is_calm { None } else { Pushes::draw(seed) },
            changes: if is_calm { None } else { Changes::draw(seed) },
            mixture: if is_calm { None } else { Versions::draw(seed) },
            unknown: if is_calm || Versions::draw(seed).is_none() { None } else { Unknown::draw(seed) },
            varied: if is_calm { Varied::none() } else { Varied::draw(seed) },
            l2_loss: if is_calm { None } else { l2_loss(seed) },
            straits: if is_calm { None } else { Straits::draw(seed) },
            mishaps: if is_calm { Mishaps::default() } else { Mishaps::draw(seed) },
            overload: if is_calm { Overload::none() } else { Overload::draw(seed) },
            validators: if is_calm { None } else { Validators::draw(seed) },
            evictions: None,
            seed,
            log: Vec::new(),
            versions: BTreeMap::new(),
        };
        world.l2.is_consistent = world.differing.as_ref().is_some_and(|differing| differing.is_fenced);
        world.checks.purges_widen =
            world.hostile.log_rows.is_some() || world.hostile.feed_rows.is_some() || world.mixture.is_some();
        for at in 0..world.objects.len() {
            world.objects[at].is_narrow = world.straits.is_some();
            world.objects[at].memory = if is_calm { None } else { Memory::draw(seed) };
            world.objects[at].skew = world.draw_skew(world.weather.skew);
        }
        world.tag_index.skew = world.draw_skew(world.weather.skew);
        let colo = if world.colo.is_some() { ", in one colo beside a neighbour" } else { "" };
        let weather = format!("{:?} {:?}{colo}{memory} {:?}", world.weather, world.hostile, world.pushes);
        world.story.tell(world.now, || weather);
        world
    }

    /// Runs the schedule, ends all failures, and checks the final state.
    pub(super) fn run(&mut self) -> CheckResult {
        for step in 0..STEPS {
            self.maybe_deploy(step);
            self.maybe_differ();
            self.maybe_end_isolate();
            self.maybe_lose_l2(step);
            self.maybe_hang();
            self.maybe_mishap(step)?;
            self.maybe_change_settings();
            self.maybe_change_version();
            self.maybe_attack()?;
            self.maybe_traffic()?;
            self.step()?;
            self.maybe_evict();
        }
        self.agree();
        self.unknown = None;
        self.weather.clear();
        self.hostile.calm_down();
        self.overload.calm_down();
        self.pushes.iter_mut().for_each(Pushes::calm_down);
        self.straits.iter_mut().for_each(Straits::clear);
        self.validators.iter_mut().for_each(Validators::clear);
        self.origin.go_bad(0);
        self.l2.catch_up();
        // A lost alarm is set again when the object is called.
        self.wake_tag_index();
        self.come_to_rest()?;
        self.check_delivered()?;
        self.check_writes()?;
        // A coordinator that has died twice during a render starts with a pause, like any other pause.
        // Nothing but the tag index wakes one that no request reaches, unless the tag index does not know it.
        let is_served = |at: usize| self.layout.shards[at].is_served(&self.layout.config.routes);
        let is_unknown = |at: usize| !self.objects[at].is_known || self.is_stranded(at);
        let wakes = |at: &usize| is_served(*at) || is_unknown(*at);
        let woken: Vec<_> = (0..self.objects.len()).filter(wakes).collect();
        woken.into_iter().try_for_each(|at| self.wake(at))?;
        self.come_to_rest()?;
        self.now += ALL_PAUSES;
        let has_floor =
            self.hostile.feed_rows.is_some() || self.hostile.log_rows.is_some() || self.mishaps.has_restored;
        if has_floor || self.objects.iter().any(|object| object.was_set_back) {
            // A coordinator whose clock is from before the log's floor, or from before an invalidation that it has not
            // received, learns the time with the first render, which can't be published.
            self.visit_every_page()?;
            self.forget_last_visits();
            self.now += ALL_PAUSES;
        }
        self.visit_every_page()?;
        self.check_last_visits()?;
        self.check_quiet()?;
        self.check_ended()?;
        self.mend_clocks();
        self.check_hits()
    }

    /// Sends a client for each page. One at a time: until the origin is known to be healthy, the breaker admits only one.
    fn visit_every_page(&mut self) -> CheckResult {
        (0..PAGES).try_for_each(|key| {
            self.last_visit(key)?;
            self.come_to_rest()
        })
    }

    /// Returns the keys that may have pages.
    pub(super) fn keys(&self) -> Range<usize> {
        0..if self.attack.is_some() { self.workshop.keys.len() } else { PAGES }
    }

    /// Returns the story and the logged answers.
    pub(super) fn into_parts(self) -> (Vec<String>, Vec<Line>) {
        (self.story.into_lines(), self.log)
    }

    fn step(&mut self) -> CheckResult {
        match self.random.below(20) {
            0..6 => self.visit(),
            6 => {
                self.edit();
                Ok(())
            }
            7 => {
                let most = self.random.pick(&[1_000, 20_000, 20_000, 300_000]);
                let until = self.now + self.random.below(most);
                self.pass_until(until)
            }
            8 if self.random.one_in(self.weather.deaths) => {
                let at = self.random.index(self.objects.len());
                self.die(at);
                Ok(())
            }
            9 if self.random.one_in(self.weather.tag_index_deaths) => {
                self.tag_index_dies();
                Ok(())
            }
            // An evicted object may set its alarm once more, so the following events must not depend on the number of
            // events.
            _ if self.is_calm => {
                let most = self.random.pick(&[5, 200, 3_000]);
                let until = self.now + self.random.below(most);
                self.pass_until(until)
            }
            _ => self.pass_time().map(drop),
        }
    }

    /// Lets L2 lose everything if the step has come.
    fn maybe_lose_l2(&mut self, step: u32) {
        if self.l2_loss == Some(step) {
            let now = self.now;
            self.story.tell(now, || "L2 loses everything".to_owned());
            self.l2.lose_everything(now);
        }
    }

    /// Evicts the object between events, when it is idle.
    fn maybe_evict(&mut self) {
        if self.evictions.is_none() {
            return;
        }
        let now = self.now;
        for at in 0..self.objects.len() {
            if self.is_idle(at) && self.evictions.as_mut().is_some_and(|random| random.one_in(2)) {
                let shard = &self.layout.shards[at];
                self.story.tell(now, || format!("{shard} is evicted"));
                self.evict(at);
            }
        }
        if self.tag_index.is_idle() && self.evictions.as_mut().is_some_and(|random| random.one_in(2)) {
            self.story.tell(now, || "the tag index is evicted".to_owned());
            self.tag_index.die(now);
        }
    }

    fn is_idle(&self, at: usize) -> bool {
        let object = &self.objects[at];
        let is_own = |arrival: &Arrival| match arrival {
            Arrival::Object { object, .. } | Arrival::Commit { object, .. } | Arrival::Register { object, .. } => {
                *object == at
            }
            _ => false,
        };
        object.is_alive()
            && self.checks.nobody_waits(at)
            && object.run.is_none()
            && object.renders.is_empty()
            && !object.is_sweeping()
            && !self.queue.any(is_own)
            && !object.has_deadline()
    }

    /// Performs the next event in the queue. Returns whether there was one.
    fn pass_time(&mut self) -> Result<bool, Violation> {
        let due = self.queue.next_due();
        if let Some((alarm, at)) = self.next_alarm().filter(|(alarm, _)| due.is_none_or(|due| *alarm <= due)) {
            self.now = self.now.max(alarm);
            match at {
                Some(at) => self.alarm(at)?,
                None => self.tag_index_alarm(),
            }
            return Ok(true);
        }
        let Some((due, arrival)) = self.queue.pop() else { return Ok(false) };
        self.now = self.now.max(due);
        self.arrive(arrival)?;
        Ok(true)
    }

    fn next_due(&self) -> Option<u64> {
        self.queue.next_due().into_iter().chain(self.next_alarm().map(|(alarm, _)| alarm)).min()
    }

    /// Returns the time of the next alarm and its coordinator, or `None` for the tag index.
    fn next_alarm(&self) -> Option<(u64, Option<usize>)> {
        let of_objects = self.objects.iter().enumerate().filter_map(|(at, object)| Some((object.alarm?, Some(at))));
        of_objects.chain(self.tag_index.alarm().map(|alarm| (alarm, None))).min()
    }

    pub(super) fn pass_until(&mut self, until: u64) -> CheckResult {
        while self.next_due().is_some_and(|due| due <= until) {
            self.pass_time()?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    fn come_to_rest(&mut self) -> CheckResult {
        for _ in 0..STEPS_TO_REST {
            if !self.pass_time()? {
                return Ok(());
            }
            self.maybe_evict();
        }
        Err(Violation::of(4, "it does not come to rest"))
    }

    /// Lets time pass until no visit and no render is under way.
    pub(super) fn all_is_answered(&mut self) -> CheckResult {
        let is_last = |visit: &Visit<'_>| matches!(visit.why, VisitKind::Last { .. });
        let mut steps = 0;
        while !self.visits.values().all(is_last) || self.objects.iter().any(|object| !object.renders.is_empty()) {
            steps += 1;
            let has_passed = self.pass_time()? && steps < STEPS_TO_REST;
            promise(4, has_passed, || format!("{:?} are never over", self.visits))?;
        }
        Ok(())
    }

    fn arrive(&mut self, arrival: Arrival) -> CheckResult {
        match arrival {
            Arrival::Poll { edge, poll, question, sent, asked_at } => {
                self.poll(edge, poll, question, sent, asked_at);
                Ok(())
            }
            Arrival::Polled { edge, poll, question, answer } => self.polled(edge, poll, question, answer),
            Arrival::PollOver { edge, poll } => self.poll_over(edge, poll),
            Arrival::Listen { edge, push, question, every } => {
                self.listen(edge, push, question, every);
                Ok(())
            }
            Arrival::PushLooks { life, listener } => {
                self.push_looks(life, listener);
                Ok(())
            }
            Arrival::Frame { edge, push, frame, made_at } => self.frame(edge, push, frame, made_at),
            Arrival::PushSilent { edge, push, frames } => {
                self.push_silent(edge, push, frames);
                Ok(())
            }
            Arrival::PushEnds { edge, push, how } => {
                self.push_ends(edge, push, how);
                Ok(())
            }
            Arrival::FeedOver { visit } => self.feed_over(visit),
            Arrival::Collected { edge, isolate, key, page } => {
                self.collected(edge, isolate, key, page);
                Ok(())
            }
            Arrival::FromL2 { visit, value } => self.l2_was_read(visit, value),
            Arrival::Woke { visit } => self.take(visit, Event::Waited),
            Arrival::Leave { visit } => {
                self.leave(visit);
                Ok(())
            }
            Arrival::Ask(question) => self.ask_understandably(question),
            Arrival::NotUnderstood { visit, number } => self.not_understood(visit, number),
            Arrival::Overloaded { visit, number } => self.refused(visit, number),
            Arrival::Answer { visit, number, answer } => self.answer(visit, number, answer),
            Arrival::GiveUp { visit, number } => self.give_up(visit, number),
            Arrival::Register { .. } => {
                self.register(arrival);
                Ok(())
            }
            Arrival::Unregister { object, life, message } => {
                self.unregistered(object, life, &message);
                Ok(())
            }
            Arrival::Retire { object } => {
                let shard = self.layout.shards[object].clone();
                let message = ToCoordinator::Retire { shard: shard.clone() };
                if self.refuses(Actor::TagIndex, Actor::Coordinator(object), &message) {
                    return Ok(());
                }
                self.give(object, Input::Retire { shard })
            }
            Arrival::Object { object, life, outcome } if life == self.objects[object].life => self.own(object, outcome),
            Arrival::Commit { object, life, key, value, up_to, told } => {
                let version = value.as_ref().map(|(page, _)| page.version);
                let before = self.l2.last_written(key);
                let taken = self.l2_accepts(self.now, key, value, up_to) && told;
                self.check_fence(key, &before)?;
                let is_heard = life == self.objects[object].life;
                if is_heard { self.own(object, ObjectEvent::Wrote { key, version, taken }) } else { Ok(()) }
            }
            Arrival::Deliver { object, invalidation, answer } => self.delivered(object, invalidation, answer),
            Arrival::TagIndex { life, outcome } if life == self.tag_index.life => self.tag_index_hears(outcome),
            Arrival::Object { .. } | Arrival::TagIndex { .. } => Ok(()),
        }
    }

    /// Returns the latency of the next message.
    pub(super) fn latency(&mut self) -> u64 {
        1 + self.random.below(self.weather.latency)
    }

    pub(super) fn draw_skew(&mut self, most: u64) -> i64 {
        skew(&mut self.random, most)
    }

    /// Returns the moment of an input.
    pub(super) fn moment(&mut self, at: usize) -> Moment {
        let random = if self.is_calm { Random::new(self.bits(at)).next() } else { self.random.next() };
        self.moment_with(at, random)
    }

    /// Returns random bits that no other coordinator has at this time.
    fn bits(&self, at: usize) -> u64 {
        self.seed ^ self.now ^ (at as u64) << 56
    }

    /// Returns random bits for the pauses of edges. Drawing them changes no later draws.
    pub(super) fn jitter(&self) -> u128 {
        Random::new(self.seed ^ self.now).next().into()
    }

    /// Returns the moment at which a coordinator starts. It draws no random value that would change later draws.
    pub(super) fn waking_moment(&self, at: usize) -> Moment {
        self.moment_with(at, Random::new(!self.bits(at)).next())
    }

    /// Records the result of a visit.
    pub(super) fn log(&mut self, visit: u64, what: &str, page: Option<(Version, Body)>) {
        let known = self.versions.len();
        let line = match page {
            Some((version, body)) => {
                let number = self.versions.entry(version).or_insert(known);
                format!("{what}: version {number}, showing {}", body.shows)
            }
            None => what.to_owned(),
        };
        self.log.push((visit, line));
    }
}

/// Draws the step at which L2 loses everything, from random numbers of its own; `None` if it never does.
fn l2_loss(seed: u64) -> Option<u32> {
    let mut random = Random::new(seed.rotate_left(16));
    random.one_in(4).then(|| u32::try_from(random.below(STEPS.into())).unwrap_or_default())
}

fn skew(random: &mut Random, most: u64) -> i64 {
    let drawn = random.below(2 * most + 1);
    i64::try_from(drawn).unwrap_or_default() - i64::try_from(most).unwrap_or_default()
}
