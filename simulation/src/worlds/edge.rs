//! One edge: its L1, its copy of the feed, and its polls. `crate::visit` makes its decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::in_isolate::InIsolate;
use super::origin::Body;
use super::pushes::ReadStream;
use super::settings::Settings;
use crate::time::Timestamp;
use crate::visit::{Crowds, L1Entry, PartPoll, Poll, Polling, Reports};

/// Questions to the feed are rounded down to a multiple of this number. An answer has more rows than that, as in the
/// shipped code.
pub(super) const BLOCK: u64 = 2;

/// A poll that an edge waits for.
#[derive(Clone, Debug)]
pub(super) struct SentPoll {
    pub(super) poll: Poll,
    pub(super) part: PartPoll,
    /// When the oldest of its answers was asked for, in the world's time.
    pub(super) asked_at: Option<u64>,
    /// Whether its first question was sent.
    pub(super) has_asked: bool,
    /// The setting `freshness_bound` of the request that polls.
    pub(super) bound: Duration,
    /// The visit that waits for it. The poll ends if its client leaves.
    pub(super) visit: Option<u64>,
}

/// The page that L1 has under a key, and since when, in the world's time.
#[derive(Clone, Debug)]
pub(super) struct L1Slot {
    pub(super) at: u64,
    pub(super) found: L1Entry<Body>,
}

/// The state of an edge. Its times are by its own clock.
#[derive(Debug)]
pub(super) struct Edge {
    /// How far its clock is ahead or behind.
    pub(super) skew: i64,
    /// How far its clock was set back, in milliseconds. It is part of `skew`.
    pub(super) set_back: u64,
    /// When it was set back, in the world's time.
    pub(super) set_back_at: Option<u64>,
    /// With which it handles new requests.
    pub(super) settings: Settings,
    pub(super) l1: BTreeMap<usize, L1Slot>,
    /// Its in-isolate tier, in worlds that have one.
    pub(super) memory: Option<InIsolate>,
    pub(super) polling: Polling,
    pub(super) reports: Reports,
    pub(super) crowds: Crowds,
    /// Polls under way, by number.
    pub(super) polls: BTreeMap<u64, SentPoll>,
    pub(super) last_poll: u64,
    /// The streams that it reads, by number, and when it has opened the last one, in the world's time.
    pub(super) streams: BTreeMap<u64, ReadStream>,
    pub(super) last_push: u64,
    pub(super) opened_at: Option<u64>,
    /// When the last answered poll was sent, in the world's time.
    pub(super) told_at: Option<u64>,
    /// The edits of the invalidations that this edge has received.
    pub(super) heard: BTreeSet<u64>,
    /// Until when no message from this edge reaches the tag index, in the world's time.
    pub(super) cut_off_until: u64,
    /// Visits that wait for another one's poll.
    pub(super) waiting: Vec<u64>,
}

impl Edge {
    pub(super) fn new(skew: i64, settings: Settings) -> Self {
        Self {
            skew,
            settings,
            set_back: 0,
            set_back_at: None,
            l1: BTreeMap::new(),
            memory: None,
            polling: Polling::in_blocks_of(BLOCK),
            reports: Reports::default(),
            crowds: Crowds::default(),
            polls: BTreeMap::new(),
            last_poll: 0,
            streams: BTreeMap::new(),
            last_push: 0,
            opened_at: None,
            told_at: None,
            heard: BTreeSet::new(),
            cut_off_until: 0,
            waiting: Vec::new(),
        }
    }

    /// Returns the edge's own time.
    pub(super) fn local(&self, now: u64) -> Timestamp {
        Timestamp::from_millis(now.saturating_add_signed(self.skew))
    }
}
