//! A colo in which all edges share answers of the feed, and a neighbour: another deployment on the same zone, with a
//! longer log of its own. Both store their answers in the same cache, under URLs that the shipped code decides on.
//!
//! Assumption: the isolates of a colo have the same clock.

use std::collections::BTreeMap;
use std::time::Duration;

use super::edge::Edge;
use super::random::Random;
use super::visits::millis;
use super::world::World;
use crate::deployment::DeploymentId;
use crate::invalidation::{FeedPage, Invalidation, Mode, Refresh, Target};
use crate::semantics::tag::Tag;
use crate::time::Timestamp;
use crate::visit::{PartPoll, polling};

/// How many rows the neighbour's log is ahead of each question.
const AHEAD: u64 = 40;

/// An answer of the feed that isolates share.
#[derive(Clone, Debug)]
pub(super) struct SharedAnswer {
    /// When it was asked for, by the clock of the isolate that asked.
    pub(super) sent: Timestamp,
    /// When it was asked for, in the world's time.
    pub(super) asked_at: u64,
    pub(super) page: FeedPage,
}

/// The cache of the colo, as far as it holds answers of the feed.
#[derive(Debug)]
pub(super) struct Colo {
    own: DeploymentId,
    neighbour: DeploymentId,
    /// The answers by URL, and when each expires, in the world's time.
    answers: BTreeMap<String, (u64, SharedAnswer)>,
    /// Its own random numbers, so that they do not change worlds without a colo.
    random: Random,
}

impl Colo {
    /// Draws the colo of a seed's world, if it has one.
    pub(super) fn draw(seed: u64, edges: &mut [Edge]) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(16));
        if !random.one_in(4) {
            return None;
        }
        let skew = edges.first()?.skew;
        for edge in edges {
            edge.skew = skew;
        }
        let [own, neighbour] = ["production", "staging"].map(DeploymentId::of_tag_index);
        Some(Self { own, neighbour, answers: BTreeMap::new(), random })
    }

    fn put(&mut self, url: String, until: u64, answer: SharedAnswer) {
        self.answers.insert(url, (until, answer));
    }
}

impl World<'_> {
    /// Returns an answer in the colo that an edge takes. Before that, the neighbour may ask its own feed the same.
    pub(super) fn shared_answer(
        &mut self,
        edge: usize,
        part: &PartPoll,
        since: u64,
        bound: Duration,
    ) -> Option<SharedAnswer> {
        let config = &self.layout.config;
        let (now, local) = (self.now, self.edges[edge].local(self.now));
        let lifetime = polling::shared_for(bound)?;
        let colo = self.colo.as_mut()?;
        if colo.random.one_in(2) {
            let seq = since + AHEAD;
            let target = Target::Tag(Tag::parse("of-the-neighbour").expect("it is a tag"));
            let rows = vec![Invalidation { seq, target, mode: Mode::Expire, at: local, refresh: Refresh::default() }];
            let page = FeedPage { seq, rows, ..FeedPage::default() };
            let url = colo.neighbour.feed_url(config.tag_shards, since);
            colo.put(url, now + millis(lifetime), SharedAnswer { sent: local, asked_at: now, page });
        }
        let (until, answer) = colo.answers.get(&colo.own.feed_url(config.tag_shards, since))?;
        let is_taken = now < *until && part.takes_shared(answer.sent, &answer.page, local, bound);
        is_taken.then(|| answer.clone())
    }

    /// Shares an answer with the other edges of the colo.
    pub(super) fn share_answer(&mut self, since: u64, answer: SharedAnswer, bound: Duration) {
        let config = &self.layout.config;
        let (Some(colo), Some(lifetime)) = (self.colo.as_mut(), polling::shared_for(bound)) else {
            return;
        };
        let url = colo.own.feed_url(config.tag_shards, since);
        colo.put(url, self.now + millis(lifetime), answer);
    }
}
