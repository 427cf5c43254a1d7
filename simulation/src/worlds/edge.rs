//! One edge: its L1, its copy of the feed, and how it judges. It behaves as `src/edge/visitor/classify.rs` and `feed_poll.rs` do.

use std::collections::BTreeMap;

use super::site::Body;
use crate::invalidation::Feed;
use crate::page::PageMeta;
use crate::route::RouteId;
use crate::time::Timestamp;
use crate::visit::{Judgement, judge};

/// How long a failing tag index is left alone, in milliseconds.
const POLL_PAUSE: u64 = 2_000;

/// How long a poll is waited for, in milliseconds.
pub(super) const POLL_PATIENCE: u64 = 1_000;

/// What L1 has.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Page(PageMeta, Body),
    Pass { since: u64, until: u64 },
}

/// What a request does about the feed before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// Nothing.
    No,
    /// It polls behind the response.
    Behind,
    /// It polls, and waits for the answer.
    First,
    /// It waits for another's poll.
    Wait,
}

/// The state of an edge. Its times are of its own clock.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// How far its clock is ahead, or behind.
    pub(super) skew: i64,
    pub(super) l1: BTreeMap<usize, Kept>,
    pub(super) feed: Feed,
    complete_until: Option<u64>,
    polling_since: Option<u64>,
    paused_until: u64,
    /// Stale pages that it has reported, and until when it does not do so again.
    pub(super) reported: BTreeMap<usize, u64>,
    /// When the poll under way was sent, and the last that was answered, in the world's time.
    pub(super) asked_at: u64,
    pub(super) told_at: Option<u64>,
    /// Until when nothing from here reaches the tag index, in the world's time.
    pub(super) cut_off_until: u64,
    /// Visits that wait for the feed.
    pub(super) waiting: Vec<u64>,
}

impl Edge {
    pub(super) fn new(skew: i64) -> Self {
        Self { skew, ..Self::default() }
    }

    /// Returns its own time.
    pub(super) fn local(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }

    fn is_current(&self, now: u64, bound: u64) -> bool {
        self.complete_until.is_some_and(|until| now.saturating_sub(until) < bound)
    }

    /// Decides what to do about the feed, and notes that it is done.
    pub(super) fn refresh(&mut self, now: u64, bound: u64) -> Refresh {
        if self.is_current(now, bound / 2) {
            return Refresh::No;
        }
        let may_poll = now >= self.paused_until && self.polling_since.is_none();
        match (self.is_current(now, bound), may_poll) {
            (false, false) if self.polling_since.is_some() => return Refresh::Wait,
            (_, false) => return Refresh::No,
            (_, true) => self.polling_since = Some(now),
        }
        if self.is_current(now, bound) { Refresh::Behind } else { Refresh::First }
    }

    /// Tells whether the poll that was sent at `sent` is waited for.
    pub(super) fn is_polling(&self, sent: u64) -> bool {
        self.polling_since == Some(sent)
    }

    /// Notes the end of a poll that was sent at `sent`, and returns the visits that waited for it.
    pub(super) fn polled(&mut self, now: u64, sent: u64, answered: bool) -> Vec<u64> {
        self.polling_since = None;
        if answered {
            self.complete_until = Some(sent);
        } else {
            self.paused_until = now + POLL_PAUSE;
        }
        std::mem::take(&mut self.waiting)
    }

    /// Judges a copy.
    pub(super) fn judge(&self, page: &PageMeta, route: &RouteId, now: u64, bound: u64) -> Judgement {
        let feed = self.is_current(now, bound).then_some(&self.feed);
        judge(page, route, feed, Timestamp::from_millis(now))
    }

    /// Returns the time of the invalidation that has made a copy invalid, as far as is known here.
    pub(super) fn invalidated_at(&self, page: &PageMeta, route: &RouteId) -> Option<Timestamp> {
        self.feed.verdict(page, route).map(|invalidated| invalidated.at)
    }

    /// Tells whether a pass mark holds.
    pub(super) fn passes(&self, path: &str, route: &RouteId, since: u64, until: u64, now: u64) -> bool {
        now < until && self.feed.path_verdict(path, route, Timestamp::from_millis(since)).is_none()
    }
}
