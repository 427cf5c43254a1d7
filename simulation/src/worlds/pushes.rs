//! Streams of the feed, in a part of the worlds. The shipped code decides when an edge opens one, what the tag index sends
//! on it, and what a frame is worth. Here, frames are late, arrive twice or are lost, streams break off with or without a
//! word, and the platform ends the requests that read them.
//!
//! Assumption: a clock runs evenly as long as a stream is open, except where one is set back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::checks::{CheckResult, promise};
use super::edge::Edge;
use super::queue::Arrival;
use super::random::Random;
use super::versions::Actor;
use super::visits::millis;
use super::workshop::PAGES;
use super::world::{EDGES, World};
use crate::config::FeedMode;
use crate::invalidation::FeedQuestion;
use crate::protocol::{PushFrame, ToTagIndex};
use crate::tag_index::{ListenerId, ListenerStep, Listeners};
use crate::tag_index_name::TagIndexName;
use crate::visit::pushing::READ_FOR;
use crate::visit::{Event, Push, PushEnd, PushNumber, PushProgress};

/// The rows of one frame: fewer than some edits make at once.
const PUSH_ROWS: u32 = 3;

/// The longest delay of a late frame, in milliseconds: longer than most bounds.
const LATE: u64 = 15_000;

/// There are additional visits once in so many steps, so many of them, and the longest time after each, in milliseconds: an
/// edge opens streams only if it has traffic.
const TRAFFIC_EVERY: u64 = 2;
const TRAFFIC: usize = 3;
const TRAFFIC_PAUSE: u64 = 4_000;

/// The least time between two streams that an edge opens, in milliseconds.
const OPENS_EVERY: u64 = 2_000;

/// The conditions of a world. A condition holds once in that many cases on average; with 0, it never does.
#[derive(Debug)]
pub(super) struct Pushes {
    /// A frame is late, and all that follow it; it arrives twice; it is lost.
    late: u64,
    twice: u64,
    lost: u64,
    /// A stream breaks off, per frame; the edge may not notice.
    breaks: u64,
    /// The tag index refuses a stream.
    refuses: u64,
    /// The platform ends the request that reads a stream, per frame.
    ends: u64,
    /// The edge that most of the additional visits go to.
    busy: usize,
    random: Random,
}

impl Pushes {
    /// Draws whether the edges of a seed's world open streams, with random numbers of their own.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        // The seeds of `regressions.rs` keep their stories.
        let mut random = Random::new(seed.rotate_left(28) ^ 0x00C3_5055_5348_4544);
        if !random.one_in(4) {
            return None;
        }
        let mut pick = |from: &[u64]| random.pick(from);
        let (late, twice, lost) = (pick(&[0, 3, 10]), pick(&[0, 0, 4]), pick(&[0, 3, 8]));
        let (breaks, refuses, ends) = (pick(&[0, 0, 10]), pick(&[0, 0, 3]), pick(&[0, 0, 10]));
        let busy = random.index(EDGES);
        Some(Self { late, twice, lost, breaks, refuses, ends, busy, random })
    }

    /// Ends all failures.
    pub(super) fn calm_down(&mut self) {
        (self.late, self.twice, self.lost, self.breaks, self.refuses, self.ends) = (0, 0, 0, 0, 0, 0);
    }

    fn latency(&mut self, most: u64) -> u64 {
        1 + self.random.below(most)
    }
}

/// A stream at the edge that reads it.
#[derive(Clone, Debug)]
pub(super) struct ReadStream {
    push: Push,
    number: PushNumber,
    /// The number of frames that have arrived.
    frames: u64,
}

/// The streams of a life of the tag index.
#[derive(Debug, Default)]
pub(super) struct SentStreams {
    listeners: Listeners,
    open: BTreeMap<ListenerId, SentStream>,
}

/// A stream at the tag index.
#[derive(Debug)]
struct SentStream {
    edge: usize,
    push: u64,
    /// When it looks again. Its earlier plans do not count.
    looks_at: u64,
    /// When its last frame arrives: no later one arrives before.
    arrives_at: u64,
}

impl SentStreams {
    /// Records that something has changed that an answer may contain.
    pub(super) fn changed(&mut self) {
        self.listeners.changed();
    }
}

impl Edge {
    fn stream(&mut self, push: u64) -> Option<&mut ReadStream> {
        self.streams.get_mut(&push)
    }
}

impl World<'_> {
    /// Returns the setting `feed`.
    pub(super) fn feed_mode(&self) -> FeedMode {
        if self.pushes.is_some() { FeedMode::Push } else { FeedMode::Poll }
    }

    /// Sends additional visits to the edges of a world with streams.
    pub(super) fn maybe_traffic(&mut self) -> CheckResult {
        let Some(pushes) = self.pushes.as_mut() else { return Ok(()) };
        if !pushes.random.one_in(TRAFFIC_EVERY) {
            return Ok(());
        }
        let visit = |random: &mut Random, busy| {
            let edge = if random.one_in(3) { random.index(EDGES) } else { busy };
            (edge, random.index(PAGES), random.below(TRAFFIC_PAUSE))
        };
        let visits: [_; TRAFFIC] = std::array::from_fn(|_| visit(&mut pushes.random, pushes.busy));
        for (edge, key, pause) in visits {
            self.client(edge, key, false)?;
            self.pass_until(self.now + pause)?;
        }
        Ok(())
    }

    /// Makes an edge open a stream. Promise 10: it does so once in two seconds at most.
    pub(super) fn open_push(&mut self, edge: usize, number: PushNumber) -> CheckResult {
        let (now, most) = (self.now, self.weather.latency);
        let is_hanging = self.is_out_of_reach(edge);
        let Some(pushes) = self.pushes.as_mut() else { return Ok(()) };
        let due = now + pushes.latency(most);
        let at = &mut self.edges[edge];
        let last = at.opened_at.replace(now);
        let push = Push::new(number, [TagIndexName::ROOT]);
        let (question, every) = push.question(TagIndexName::ROOT, &at.polling);
        let patience = millis(push.patience(TagIndexName::ROOT));
        at.last_push += 1;
        let id = at.last_push;
        at.streams.insert(id, ReadStream { push, number, frames: 0 });
        self.story.tell(now, || format!("edge {edge} opens stream {id}, knowing {}", question.since));
        if !is_hanging {
            self.queue.push(due, Arrival::Listen { edge, push: id, question, every });
        }
        self.queue.push(now + patience, Arrival::PushSilent { edge, push: id, frames: 0 });
        self.queue.push(now + millis(READ_FOR), Arrival::PushEnds { edge, push: id, how: PushEnd::Lost });
        promise(10, last.is_none_or(|last| now >= last + OPENS_EVERY), || {
            format!("edge {edge} opens a stream at {now}, and has opened one at {last:?}")
        })
    }

    fn is_out_of_reach(&self, edge: usize) -> bool {
        self.now < self.edges[edge].cut_off_until.max(self.hostile.hangs_until)
    }

    /// Delivers the question for a stream to the tag index.
    pub(super) fn listen(&mut self, edge: usize, push: u64, question: FeedQuestion, every: Duration) {
        self.wake_tag_index();
        let every_millis = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        let message = ToTagIndex::Listen { since: question.since, known: question.known, every: every_millis };
        let is_unknown = self.refuses(Actor::Edge(edge), Actor::TagIndex, &message);
        let (now, most, local) = (self.now, self.weather.latency, self.tag_index.local(self.now));
        let Some(pushes) = self.pushes.as_mut() else { return };
        let refuses = pushes.random.one_in(pushes.refuses) || is_unknown;
        let streams = &mut self.tag_index.streams;
        match streams.listeners.admit(question, every, local) {
            Ok(id) if !refuses => {
                streams.open.insert(id, SentStream { edge, push, looks_at: now, arrives_at: now });
                self.push_turn(id);
            }
            other => {
                if let Ok(id) = other {
                    streams.listeners.leave(id);
                }
                let due = now + pushes.latency(most);
                self.queue.push(due, Arrival::PushEnds { edge, push, how: PushEnd::Refused });
            }
        }
    }

    /// Makes all streams look at once: rows were recorded.
    pub(super) fn push_rows(&mut self) {
        self.tag_index.streams.listeners.recorded();
        let all: Vec<ListenerId> = self.tag_index.streams.open.keys().copied().collect();
        for id in all {
            self.push_turn(id);
        }
    }

    /// Makes a stream look, as it has planned to in this life of the tag index.
    pub(super) fn push_looks(&mut self, life: u32, id: ListenerId) {
        let now = self.now;
        let is_planned = self.tag_index.streams.open.get(&id).is_some_and(|stream| stream.looks_at == now);
        if life == self.tag_index.life && is_planned {
            self.push_turn(id);
        }
    }

    /// Sends what is due on a stream, and plans when it looks again.
    fn push_turn(&mut self, id: ListenerId) {
        loop {
            let (now, local, life) = (self.now, self.tag_index.local(self.now), self.tag_index.life);
            let streams = &mut self.tag_index.streams;
            let Some(stream) = streams.open.get_mut(&id) else { return };
            let (edge, push) = (stream.edge, stream.push);
            match streams.listeners.next(id, local) {
                ListenerStep::Wait(time) => {
                    stream.looks_at = now + millis(time).max(1);
                    return self.queue.push(stream.looks_at, Arrival::PushLooks { life, listener: id });
                }
                ListenerStep::End => {
                    streams.listeners.leave(id);
                    streams.open.remove(&id);
                    return self.queue.push(now + 1, Arrival::PushEnds { edge, push, how: PushEnd::Over });
                }
                ListenerStep::Beat => {
                    let place = streams.listeners.beat(id, local);
                    let frame = PushFrame { number: place.number, at: local, since: place.since, page: None };
                    self.send_frame(id, &frame);
                }
                ListenerStep::Read(question) => {
                    // Its own random bits, as for a poll.
                    let random = Random::new(self.seed ^ self.now).next();
                    let page = self.tag_index.store().feed(question, PUSH_ROWS, local, random).expect("it is sound");
                    self.tag_index.follow(now);
                    let streams = &mut self.tag_index.streams;
                    if question.known.is_some_and(|known| page.log != Some(known.log)) {
                        streams.listeners.recorded();
                    }
                    let place = streams.listeners.answer(id, &page, local);
                    let frame = PushFrame { number: place.number, at: local, since: place.since, page: Some(page) };
                    self.send_frame(id, &frame);
                }
            }
        }
    }

    fn send_frame(&mut self, id: ListenerId, frame: &PushFrame) {
        let (now, most) = (self.now, self.weather.latency);
        let Some(&SentStream { edge, push, .. }) = self.tag_index.streams.open.get(&id) else { return };
        let is_out_of_reach = self.is_out_of_reach(edge);
        let Some(pushes) = self.pushes.as_mut() else { return };
        let late = if pushes.random.one_in(pushes.late) { pushes.random.below(LATE) } else { 0 };
        let is_lost = is_out_of_reach || pushes.random.one_in(pushes.lost);
        let is_twice = pushes.random.one_in(pushes.twice);
        let (breaks, is_told) = (pushes.random.one_in(pushes.breaks), pushes.random.one_in(2));
        let travels = pushes.latency(most) + late;
        let Some(stream) = self.tag_index.streams.open.get_mut(&id) else { return };
        stream.arrives_at = stream.arrives_at.max(now + travels);
        let due = stream.arrives_at;
        if breaks {
            self.tag_index.streams.listeners.leave(id);
            self.tag_index.streams.open.remove(&id);
            if is_told {
                self.queue.push(due, Arrival::PushEnds { edge, push, how: PushEnd::Lost });
            }
            return;
        }
        for due in [(!is_lost).then_some(due), is_twice.then_some(due + late)].into_iter().flatten() {
            self.queue.push(due, Arrival::Frame { edge, push, frame: frame.clone(), made_at: now });
        }
    }

    /// Breaks off all streams: the tag index has died. Half of the edges do not notice.
    pub(super) fn break_streams(&mut self) {
        let (now, most) = (self.now, self.weather.latency);
        let Some(pushes) = self.pushes.as_mut() else { return };
        for SentStream { edge, push, .. } in std::mem::take(&mut self.tag_index.streams).open.into_values() {
            let due = now + pushes.latency(most);
            if pushes.random.one_in(2) {
                self.queue.push(due, Arrival::PushEnds { edge, push, how: PushEnd::Lost });
            }
        }
    }

    /// Delivers a frame to the edge, unless it has stopped reading.
    pub(super) fn frame(&mut self, edge: usize, push: u64, frame: PushFrame, made_at: u64) -> CheckResult {
        let now = self.now;
        let Some(pushes) = self.pushes.as_mut() else { return Ok(()) };
        let ends = pushes.random.one_in(pushes.ends);
        let at = &mut self.edges[edge];
        let local = at.local(now);
        let Some(stream) = at.streams.get_mut(&push) else { return Ok(()) };
        if ends {
            // The platform ends the request, and nobody reports it.
            at.streams.remove(&push);
            return Ok(());
        }
        let rows: Vec<u64> = frame
            .page
            .iter()
            .flat_map(|page| &page.rows)
            .filter_map(|row| self.edit_of.get(&row.at))
            .copied()
            .collect();
        let is_whole = frame.page.as_ref().is_none_or(|page| !page.more);
        stream.frames += 1;
        let (frames, number) = (stream.frames, frame.number);
        let progress = stream.push.hear(&mut at.polling, TagIndexName::ROOT, frame, local);
        let patience = millis(stream.push.patience(TagIndexName::ROOT));
        self.story.tell(now, || {
            let made = now - made_at;
            format!("edge {edge} gets frame {number} of stream {push}, made {made} ms ago, with {rows:?}: {progress:?}")
        });
        if progress == PushProgress::Broken {
            self.checks.feed_is_lost(edge);
            self.push_ends(edge, push, PushEnd::Lost);
            return Ok(());
        }
        at.heard.extend(rows);
        if is_whole {
            at.told_at = at.told_at.max(Some(made_at));
            self.checks.pushed(edge);
        }
        self.queue.push(now + patience, Arrival::PushSilent { edge, push, frames });
        self.release(edge)
    }

    /// Ends a stream that has been silent for too long.
    pub(super) fn push_silent(&mut self, edge: usize, push: u64, frames: u64) {
        let is_silent = self.edges[edge].stream(push).is_some_and(|stream| stream.frames == frames);
        if is_silent {
            self.push_ends(edge, push, PushEnd::Lost);
        }
    }

    /// Ends a stream at its edge.
    pub(super) fn push_ends(&mut self, edge: usize, push: u64, how: PushEnd) {
        let (now, random) = (self.now, self.jitter());
        let at = &mut self.edges[edge];
        let local = at.local(now);
        let Some(stream) = at.streams.remove(&push) else { return };
        at.polling.end_push(stream.number, how, local, random);
        self.story.tell(now, || format!("stream {push} of edge {edge} ends: {how:?}"));
    }

    /// Ends the waiting of visits for a poll, if the feed has come meanwhile.
    fn release(&mut self, edge: usize) -> CheckResult {
        let at = &mut self.edges[edge];
        let local = at.local(self.now);
        let bound_of =
            |visit: &u64| self.visits.get(visit).map_or(Duration::ZERO, |visit| visit.settings.freshness_bound);
        let (polling, waiting) = (&at.polling, &mut at.waiting);
        let ready: Vec<u64> = waiting.extract_if(.., |visit| !polling.awaits_other(local, bound_of(visit))).collect();
        ready.into_iter().try_for_each(|visit| self.take(visit, Event::FeedReady))
    }
}
