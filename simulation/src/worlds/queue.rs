//! Future events, in the order of their times.

use std::collections::BTreeMap;
use std::time::Duration;

use super::colo::SharedAnswer;
use super::l2::Value;
use super::origin::Body;
use crate::coordinator::{PageRead, WaiterId};
use crate::invalidation::{FeedQuestion, Invalidation, Mode, Refresh, Target};
use crate::page::PageMeta;
use crate::protocol::{PushFrame, RegisterAnswer, Reply, ToTagIndex};
use crate::tag_index::ListenerId;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::{PushEnd, StoredPage};

/// The coordinator's answer; `None` if there will be none.
pub(super) type ObjectReply = Option<(Reply, Option<(PageMeta, Body)>)>;

/// A future event.
#[derive(Debug)]
pub(super) enum Arrival {
    /// An edge's poll reaches the tag index, its answer reaches the edge, or the edge stops waiting for it.
    Poll {
        edge: usize,
        poll: u64,
        question: FeedQuestion,
        sent: Timestamp,
        asked_at: u64,
    },
    Polled {
        edge: usize,
        poll: u64,
        /// The question, if the tag index has answered it; `None` if another edge has.
        question: Option<u64>,
        answer: SharedAnswer,
    },
    PollOver {
        edge: usize,
        poll: u64,
    },
    /// The question for a stream reaches the tag index.
    Listen {
        edge: usize,
        push: u64,
        question: FeedQuestion,
        every: Duration,
    },
    /// A stream of the tag index looks whether something is due.
    PushLooks {
        life: u32,
        listener: ListenerId,
    },
    /// A frame reaches an edge. It was made at a time of the world.
    Frame {
        edge: usize,
        push: u64,
        frame: PushFrame,
        made_at: u64,
    },
    /// An edge has waited for a frame after so many, or its stream ends.
    PushSilent {
        edge: usize,
        push: u64,
        frames: u64,
    },
    PushEnds {
        edge: usize,
        push: u64,
        how: PushEnd,
    },
    /// A visit stops waiting for another visit's poll.
    FeedOver {
        visit: u64,
    },
    /// The content of L2 reaches an edge.
    FromL2 {
        visit: u64,
        value: Value,
    },
    /// The body of a page has been collected from L1, for the memory of an edge; `None` if it does not arrive in time.
    Collected {
        edge: usize,
        isolate: u64,
        key: usize,
        /// The page, and when L1's copy of it ends.
        page: Option<(StoredPage<Body>, Timestamp)>,
    },
    /// A visit's pause is over.
    Woke {
        visit: u64,
    },
    /// A client stops waiting.
    Leave {
        visit: u64,
    },
    /// An edge's message reaches the coordinator.
    Ask(EdgeRequest),
    /// The coordinator's answer reaches the edge; `None` if the object died.
    Answer {
        visit: u64,
        number: u32,
        answer: ObjectReply,
    },
    /// An edge learns that the coordinator has too many requests.
    Overloaded {
        visit: u64,
        number: u32,
    },
    /// An edge learns that its question was refused, or has an answer that it does not understand.
    NotUnderstood {
        visit: u64,
        number: u32,
    },
    /// An edge stops waiting for the answer to a question.
    GiveUp {
        visit: u64,
        number: u32,
    },
    /// A registration reaches the tag index.
    Register {
        object: usize,
        life: u32,
        token: Version,
        message: ToTagIndex,
    },
    /// A retired coordinator's message that makes the tag index forget it.
    Unregister {
        object: usize,
        life: u32,
        message: ToTagIndex,
    },
    /// The tag index calls a retired coordinator.
    Retire {
        object: usize,
    },
    /// A result of something that a coordinator began. A later life ignores it.
    Object {
        object: usize,
        life: u32,
        outcome: ObjectEvent,
    },
    /// L2 accepts a write, and confirms it or fails to.
    Commit {
        object: usize,
        life: u32,
        key: usize,
        value: Value,
        /// The newest version that a deletion concerns.
        up_to: Version,
        told: bool,
    },
    /// An invalidation reaches a coordinator. The latency of its answer to the tag index is given.
    Deliver {
        object: usize,
        invalidation: Invalidation,
        answer: Option<(Attempt, u64)>,
    },
    /// A result of something that the tag index began. A later life ignores it.
    TagIndex {
        life: u32,
        outcome: TagIndexEvent,
    },
}

/// A question of an edge to a coordinator.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdgeRequest {
    /// Its visit.
    pub(super) visit: u64,
    /// Its number within the visit.
    pub(super) number: u32,
    pub(super) key: usize,
    /// The version that was served stale, if any.
    pub(super) served: Option<Version>,
    pub(super) newer_than: Option<Timestamp>,
    /// The coordinator to which another one has forwarded it.
    pub(super) forwarded: Option<usize>,
}

/// An attempt of a delivery: the life of the tag index that makes it, and its number in that life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) life: u32,
    pub(super) number: u64,
}

/// The result of something that a life of the tag index began.
#[derive(Debug)]
pub(super) enum TagIndexEvent {
    /// A coordinator reports that it has applied an invalidation.
    Applied {
        attempt: u64,
    },
    /// A coordinator can't be called, or has not answered in time.
    Refused {
        attempt: u64,
    },
    Silent {
        attempt: u64,
    },
    /// A requested invalidation is recorded.
    Append {
        target: Target,
        mode: Mode,
        refresh: Refresh,
        edit: u64,
    },
}

/// The result of something that a life of the object began.
#[derive(Debug)]
pub(super) enum ObjectEvent {
    /// The head of a render's response arrives, though the response may not be stored.
    Answered {
        token: Version,
    },
    /// The response of a render begins to arrive, or ends.
    Head {
        token: Version,
    },
    Ended {
        token: Version,
    },
    Registered {
        token: Version,
        answer: Option<RegisterAnswer>,
    },
    Unregistered {
        more: Option<bool>,
    },
    Wrote {
        key: usize,
        version: Option<Version>,
        taken: bool,
    },
    Read(Box<PageRead>),
    /// A request has waited for the maximum time.
    TimedOut {
        waiter: WaiterId,
    },
    /// A run of the alarm wakes from its nap.
    Nap {
        number: u64,
    },
}

/// All future events.
#[derive(Debug, Default)]
pub(super) struct Queue {
    arrivals: BTreeMap<(u64, u64), Arrival>,
    count: u64,
}

impl Queue {
    pub(super) fn push(&mut self, due: u64, arrival: Arrival) {
        self.count += 1;
        self.arrivals.insert((due, self.count), arrival);
    }

    /// Returns the time of the next event.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.arrivals.first_key_value().map(|((due, _), _)| *due)
    }

    /// Removes the next event and returns it.
    pub(super) fn pop(&mut self) -> Option<(u64, Arrival)> {
        self.arrivals.pop_first().map(|((due, _), arrival)| (due, arrival))
    }

    /// Removes the events that `keeps` rejects.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(u64, &Arrival) -> bool) {
        self.arrivals.retain(|(due, _), arrival| keeps(*due, arrival));
    }

    /// Returns whether the queue has an event of some kind.
    pub(super) fn any(&self, is: impl Fn(&Arrival) -> bool) -> bool {
        self.arrivals.values().any(is)
    }
}
