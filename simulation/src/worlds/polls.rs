//! How an edge polls the feed: performs the decisions of `crate::visit::Polling`.

use std::time::Duration;

use super::checks::CheckResult;
use super::colo::SharedAnswer;
use super::edge::{Edge, SentPoll};
use super::queue::Arrival;
use super::random::Random;
use super::versions::Actor;
use super::visits::millis;
use super::world::World;
use crate::fault::{self, Fault};
use crate::invalidation::{FeedPage, FeedQuestion};
use crate::protocol::ToTagIndex;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::visit::polling::PATIENCE;
use crate::visit::{Event, FeedRefresh, FeedTerms, PartPoll, Poll};

/// The rows of one answer to a poll: so few that some polls need several answers, but more than a block.
const FEED_ROWS: u32 = 3;

impl World<'_> {
    /// Makes a visit ensure that the feed is current.
    pub(super) fn refresh(&mut self, id: u64, edge: usize) -> CheckResult {
        let bound = self.settings_of(Some(id), edge).freshness_bound;
        let local = self.edges[edge].local(self.now);
        let terms = FeedTerms { bound, mode: self.feed_mode() };
        match self.edges[edge].polling.refresh(local, terms) {
            FeedRefresh::Nothing => self.take(id, Event::FeedReady),
            FeedRefresh::PollBehind(poll) => {
                self.begin_poll(edge, poll, None, bound)?;
                self.take(id, Event::FeedReady)
            }
            FeedRefresh::OpenPush(push) => {
                self.open_push(edge, push)?;
                self.take(id, Event::FeedReady)
            }
            FeedRefresh::PollFirst(poll) => self.begin_poll(edge, poll, Some(id), bound),
            FeedRefresh::WaitForOther => {
                self.edges[edge].waiting.push(id);
                self.queue.push(self.now + millis(PATIENCE), Arrival::FeedOver { visit: id });
                Ok(())
            }
        }
    }

    fn begin_poll(&mut self, edge: usize, poll: Poll, visit: Option<u64>, bound: Duration) -> CheckResult {
        let now = self.now;
        let part = PartPoll::new(TagIndexName::ROOT);
        self.edges[edge].last_poll += 1;
        let number = self.edges[edge].last_poll;
        let sent = SentPoll { poll, part, asked_at: None, has_asked: false, bound, visit };
        self.edges[edge].polls.insert(number, sent);
        self.send_poll(edge, number)?;
        self.queue.push(now + millis(PATIENCE), Arrival::PollOver { edge, poll: number });
        Ok(())
    }

    /// Sends an edge's question to the feed, unless another edge of the colo has just had an answer. A lost question has
    /// no answer, and the edge stops waiting after a while.
    fn send_poll(&mut self, edge: usize, poll: u64) -> CheckResult {
        let now = self.now;
        let at = &mut self.edges[edge];
        let Some(under_way) = at.polls.get_mut(&poll) else { return Ok(()) };
        let question = under_way.part.question(&at.polling);
        let is_waited_for = under_way.visit.is_some();
        let (part, bound) = (under_way.part, under_way.bound);
        let is_first = !std::mem::replace(&mut under_way.has_asked, true);
        if let Some(answer) = self.shared_answer(edge, &part, question.since, bound) {
            self.queue.push(now + 1, Arrival::Polled { edge, poll, question: None, answer });
            return Ok(());
        }
        if is_first {
            self.checks.polls(edge, now, is_waited_for)?;
        }
        let is_cut_off = now < self.edges[edge].cut_off_until.max(self.hostile.hangs_until);
        let is_lost = is_cut_off || self.random.one_in(self.weather.tag_index_fails);
        let due = now + self.poll_latency();
        let sent = self.edges[edge].local(now);
        if !is_lost {
            self.queue.push(due, Arrival::Poll { edge, poll, question, sent, asked_at: now });
        }
        Ok(())
    }

    /// Returns the latency of a message between an edge and the tag index. It is rarely too long.
    fn poll_latency(&mut self) -> u64 {
        let slow = if self.random.one_in(self.weather.polls_slow) { self.random.below(millis(PATIENCE)) } else { 0 };
        1 + self.latency() / 4 + slow
    }

    /// Delivers a poll to the tag index.
    pub(super) fn poll(&mut self, edge: usize, poll: u64, question: FeedQuestion, sent: Timestamp, asked_at: u64) {
        let message = ToTagIndex::Feed { since: question.since, known: question.known };
        let is_refused = self.refuses(Actor::Edge(edge), Actor::TagIndex, &message);
        if is_refused && !fault::on(Fault::BelieveRefusedPoll) {
            let due = self.now + self.poll_latency();
            return self.queue.push(due, Arrival::PollOver { edge, poll });
        }
        self.wake_tag_index();
        let page = if fault::on(Fault::IgnoreFeed) || is_refused {
            FeedPage { seq: question.since, ..FeedPage::default() }
        } else {
            // Its own random bits: whether a log gets an id does not change what else happens.
            let random = Random::new(self.seed ^ self.now).next();
            let local = self.tag_index.local(self.now);
            let page = self.tag_index.store().feed(question, FEED_ROWS, local, random).expect("it is sound");
            self.tag_index.follow(self.now);
            if question.known.is_some_and(|known| page.log != Some(known.log)) {
                self.push_rows();
            }
            page
        };
        let due = self.now + self.poll_latency();
        let Some(page) = self.received_from(Actor::TagIndex, page) else { return };
        let answer = SharedAnswer { sent, asked_at, page };
        self.queue.push(due, Arrival::Polled { edge, poll, question: Some(question.since), answer });
    }

    /// Delivers rows of the feed to an edge, unless it has stopped waiting for them.
    pub(super) fn polled(
        &mut self,
        edge: usize,
        poll: u64,
        question: Option<u64>,
        answer: SharedAnswer,
    ) -> CheckResult {
        if !self.edges[edge].polls.contains_key(&poll) {
            return Ok(());
        }
        let bound = self.edges[edge].polls.get(&poll).map(|poll| poll.bound);
        if let (Some(since), Some(bound)) = (question, bound) {
            self.share_answer(since, answer.clone(), bound);
        }
        let at = &mut self.edges[edge];
        let Some(under_way) = at.polls.get_mut(&poll) else { return Ok(()) };
        let SharedAnswer { sent, asked_at, page } = answer;
        let asked_at = under_way.asked_at.map_or(asked_at, |oldest| oldest.min(asked_at));
        under_way.asked_at = Some(asked_at);
        at.heard.extend(page.rows.iter().filter_map(|row| self.edit_of.get(&row.at)));
        let Some(complete_until) = under_way.part.take(&mut at.polling, sent, page) else {
            return self.send_poll(edge, poll);
        };
        at.told_at = at.told_at.max(Some(asked_at));
        self.poll_ends(edge, poll, Some(complete_until))
    }

    /// Ends an edge's wait for a poll.
    pub(super) fn poll_over(&mut self, edge: usize, poll: u64) -> CheckResult {
        self.poll_ends(edge, poll, None)
    }

    fn poll_ends(&mut self, edge: usize, poll: u64, complete_until: Option<Timestamp>) -> CheckResult {
        let Some(ended) = self.edges[edge].polls.remove(&poll) else { return Ok(()) };
        let (now, local) = (self.now, self.edges[edge].local(self.now));
        let what = if complete_until.is_some() { "done" } else { "in vain" };
        self.story.tell(now, || format!("edge {edge} has polled the feed: {what}"));
        let random = self.jitter();
        self.checks.polled(edge, now, complete_until.is_some());
        let at = &mut self.edges[edge];
        at.polling.end(ended.poll, local, complete_until.as_ref().map(std::slice::from_ref), random);
        let mut ready: Vec<u64> = ended.visit.into_iter().collect();
        let bound_of = |visit: &u64| self.visits.get(visit).map_or(ended.bound, |visit| visit.settings.freshness_bound);
        let (polling, waiting) = (&at.polling, &mut at.waiting);
        ready.extend(waiting.extract_if(.., |visit| !polling.awaits_other(local, bound_of(visit))));
        ready.into_iter().try_for_each(|visit| self.take(visit, Event::FeedReady))
    }

    /// Ends a visit's wait for another visit's poll.
    pub(super) fn feed_over(&mut self, visit: u64) -> CheckResult {
        let is_waiting = |edge: &mut Edge| {
            let position = edge.waiting.iter().position(|waiting| *waiting == visit);
            position.map(|position| edge.waiting.remove(position))
        };
        if self.edges.iter_mut().find_map(is_waiting).is_some() { self.take(visit, Event::FeedReady) } else { Ok(()) }
    }
}
