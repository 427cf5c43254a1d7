//! What is on its way, in the order in which it arrives.

use std::collections::BTreeMap;

use super::l2::Value;
use super::site::Body;
use crate::coordinator::{WaiterId, Wanted};
use crate::invalidation::{FeedPage, Invalidation, Mode, Refresh, Scope};
use crate::page::PageMeta;
use crate::protocol::{RegisterAnswer, Verdict};
use crate::semantics::tag::Tag;
use crate::time::Timestamp;
use crate::version::Version;

/// The coordinator's answer; `None` if there will be none.
pub(super) type Told = Option<(Verdict, Option<(PageMeta, Body)>)>;

/// Something on its way.
#[derive(Debug)]
pub(super) enum Coming {
    /// An edge's poll reaches the tag index, and its answer the edge; or the edge stops waiting for it.
    Poll {
        edge: usize,
        poll: u64,
        since: u64,
        sent: Timestamp,
    },
    Polled {
        edge: usize,
        poll: u64,
        sent: Timestamp,
        page: FeedPage,
    },
    PollOver {
        edge: usize,
        poll: u64,
    },
    /// A visit stops waiting for another one's poll.
    FeedOver {
        visit: u64,
    },
    /// What L2 has reaches an edge.
    FromL2 {
        visit: u64,
        value: Value,
    },
    /// A visit's pause is over.
    Woke {
        visit: u64,
    },
    /// A client does not wait any longer.
    Leave {
        visit: u64,
    },
    /// An edge's message reaches the coordinator.
    Ask(Question),
    /// The coordinator's answer reaches the edge; `None` if the object died.
    Answer {
        visit: u64,
        number: u32,
        answer: Told,
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
        shards: u16,
        tags: Vec<Tag>,
        since: Timestamp,
    },
    /// Something comes of what a coordinator began; it means nothing to a later life.
    Own {
        object: usize,
        life: u32,
        outcome: Own,
    },
    /// L2 takes a write, and tells so, or fails to.
    Commit {
        object: usize,
        life: u32,
        key: usize,
        value: Value,
        told: bool,
    },
    /// An invalidation reaches a coordinator. Its answer, if it comes to the tag index, takes so long.
    Deliver {
        object: usize,
        invalidation: Invalidation,
        answer: Option<(Attempt, u64)>,
    },
    /// Something comes of what the tag index began; it means nothing to a later life.
    TagIndex {
        life: u32,
        outcome: Outcome,
    },
}

/// What an edge asks a coordinator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// The visit that it is asked for.
    pub(super) visit: u64,
    /// Which of that visit's questions it is.
    pub(super) number: u32,
    pub(super) key: usize,
    /// The version that was served, of a stale copy.
    pub(super) served: Option<Version>,
    pub(super) newer_than: Option<Timestamp>,
    /// Whether another coordinator was asked, and has handed it on.
    pub(super) forwarded: bool,
}

/// An attempt at a delivery: the life of the tag index that makes it, and its number there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) life: u32,
    pub(super) number: u64,
}

/// What comes of something that a life of the tag index began.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A coordinator says that it has applied an invalidation.
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
    /// An invalidation is written that was told to be.
    Append {
        scope: Scope,
        mode: Mode,
        refresh: Refresh,
        edit: u64,
    },
}

/// What comes of something that a life of the object began.
#[derive(Debug)]
pub(super) enum Own {
    /// The answer to a render begins to come, or ends.
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
    Wrote {
        key: usize,
        version: Option<Version>,
        taken: bool,
    },
    Read(Box<Wanted>),
    /// A request has waited for long enough.
    TimedOut {
        waiter: WaiterId,
    },
    /// A run of the alarm wakes from its nap.
    Nap {
        number: u64,
    },
}

/// All that is on its way.
#[derive(Debug, Default)]
pub(super) struct Queue {
    coming: BTreeMap<(u64, u64), Coming>,
    count: u64,
}

impl Queue {
    pub(super) fn push(&mut self, due: u64, coming: Coming) {
        self.count += 1;
        self.coming.insert((due, self.count), coming);
    }

    /// Returns when the next thing arrives.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.coming.first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the next thing that arrives.
    pub(super) fn pop(&mut self) -> Option<(u64, Coming)> {
        self.coming.pop_first().map(|((due, _), coming)| (due, coming))
    }

    /// Drops what is not to arrive.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(u64, &Coming) -> bool) {
        self.coming.retain(|(due, _), coming| keeps(*due, coming));
    }

    /// Tells whether something of a kind is on its way.
    pub(super) fn any(&self, is: impl Fn(&Coming) -> bool) -> bool {
        self.coming.values().any(is)
    }
}
