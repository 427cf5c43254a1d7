//! An attacker who makes up URLs, each of them once. Some are long.
//!
//! The origin answers them with 404, or with a page like any other. There are many more of them than a coordinator keeps,
//! and they wait beside the visitors of the pages.

use super::answers::BETWEEN_VISITS;
use super::checks::{CheckResult, promise};
use super::memory::REQUEST;
use super::random::Random;
use super::workshop::{MADE_UP, PAGES};
use super::world::{EDGES, World};
use crate::coordinator::{Entry, WaiterId};
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::route::Route;

/// The attacker asks once in this many steps, for at most so many URLs at once.
const ASKS_EVERY: u64 = 3;
const AT_ONCE: u64 = 3;

/// The URLs that are left for the end, when the visitors of the pages must have HITs soon.
const LEFT_FOR_THE_END: usize = 16;

/// The attack of a world.
#[derive(Debug)]
pub(super) struct Attack {
    random: Random,
    /// The number of URLs so far.
    asked: usize,
    /// The status of the origin's answers.
    pub(super) status: u16,
}

impl Attack {
    /// Draws the attack of a seed's world, if there is one, with random numbers of its own.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(48) ^ 0x4154_5441);
        random.one_in(4).then(|| Self { asked: 0, status: random.pick(&[404, 404, 200]), random })
    }

    /// Returns the next URL and the edge that gets it, while more than `left` are left.
    fn next(&mut self, left: usize) -> Option<(usize, usize)> {
        (self.asked + left < MADE_UP).then(|| {
            self.asked += 1;
            (self.random.index(EDGES), PAGES + self.asked - 1)
        })
    }
}

/// Returns whether an attacker has made up a key.
pub(super) fn is_made_up(key: usize) -> bool {
    key >= PAGES
}

impl World<'_> {
    /// Lets the attacker ask for a few URLs, in worlds with one.
    pub(super) fn maybe_attack(&mut self) -> CheckResult {
        let Some(attack) = &mut self.attack else { return Ok(()) };
        if !attack.random.one_in(ASKS_EVERY) {
            return Ok(());
        }
        for _ in 0..=attack.random.below(AT_ONCE) {
            self.attack_once(LEFT_FOR_THE_END)?;
        }
        Ok(())
    }

    fn attack_once(&mut self, left: usize) -> CheckResult {
        let Some((edge, key)) = self.attack.as_mut().and_then(|attack| attack.next(left)) else { return Ok(()) };
        self.client(edge, key, false).map(drop)
    }

    /// Lets the attacker go on while the visitors of the pages expect HITs.
    pub(super) fn attack_meanwhile(&mut self) -> CheckResult {
        if self.attack.is_some() {
            self.attack_once(0)?;
            self.all_is_answered()?;
            self.pass_until(self.now + BETWEEN_VISITS)?;
        }
        Ok(())
    }

    /// Promise 10: a made-up URL displaces no page that an edge may still serve.
    pub(super) fn check_displaced(&self, key: usize, before: &Entry, by: Option<usize>) -> CheckResult {
        let is_attack = self.attack.is_some() && by.is_some_and(is_made_up) && !is_made_up(key);
        let now = self.objects[self.layout.owners[key]].local(self.now);
        let is_good =
            before.page.as_ref().is_some_and(|page| page.windows.end().is_none_or(|end| now < end.as_millis()));
        promise(10, !(is_attack && is_good), || {
            format!("{} is displaced by {}: {before:?}", self.workshop.keys[key], self.workshop.keys[by.unwrap_or(key)])
        })
    }

    /// Promise 10: however many keys come at once, no more than `max_pages` have a page or are rendered.
    pub(super) fn check_places(&self, at: usize) -> CheckResult {
        let most = self.layout.config.routes.iter().map(Route::max_pages).max().unwrap_or_default();
        let has_place = |key: &usize| {
            let entry = self.entry(*key);
            self.layout.owners[*key] == at && (entry.page.is_some() || entry.lease.is_some())
        };
        let places = self.keys().filter(has_place).count() as u64;
        promise(10, places <= most, || format!("{places} keys have a page or are rendered, of {most}"))
    }

    /// Promise 10: long URLs leave room for other requests.
    pub(super) fn check_refused(&self, at: usize, waiter: WaiterId, reply: &Reply) -> CheckResult {
        let (Some(memory), Some(_)) = (self.objects[at].memory, &self.attack) else { return Ok(()) };
        let is_short = |key: usize| self.workshop.keys[key].as_str().len() < 100;
        let is_refused = matches!(reply, Reply::Refused { reason: Reason::WaitersFull })
            && self.asked.get(&waiter).is_some_and(|question| is_short(question.key));
        let owner = |key: usize| self.layout.owners[key];
        let mut others = self.asked.iter().filter(|(other, _)| **other != waiter).map(|(_, question)| question.key);
        let waiting = others.by_ref().filter(|key| owner(*key) == at && is_short(*key)).count() as u64;
        promise(10, !is_refused || waiting * REQUEST >= memory.bytes() / 2, || {
            format!("{waiter:?} has no place beside {waiting} requests, because others have long URLs")
        })
    }
}
