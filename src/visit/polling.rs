//! When an edge asks the tag index for invalidations, and what it knows from the answers. `pushing` decides when it opens a
//! stream in place of a poll.
//!
//! An isolate has one [`Polling`] for all its requests. It polls at most every `freshness_bound`: one request polls for
//! all others. In the second half of that time, the poll runs behind a response, so that no request waits for it. With
//! a bound of 0 each request polls.
//!
//! | what goes wrong | then |
//! |---|---|
//! | a poll fails, or has no answer after [`PATIENCE`] | no other is sent for [`PAUSE`], and for twice as long after each further failure, up to [`LONGEST_PAUSE`]. The feed stays current until its time is over |
//! | the tag index hangs | one poll is waited for. Later ones run behind responses, until one succeeds |
//! | the platform ends the request that polls | another may poll after twice [`PATIENCE`] |
//! | an answer is late | it counts from when the question was sent, not from when the answer arrived |
//! | there are more rows than an answer holds | the part counts as answered only once its last row has come |
//! | another isolate shares an answer that it asked for before this one's first question | it is not used for the rows that follow |
//! | another isolate shares an answer that is older than what is known | the tag index is asked |
//! | the log is another one: its database is new, or was restored to an earlier point | nothing is current until the whole log has been read; what is known stays known |
//! | the clock is set back | a time in the future is not current, ends no pause, and no poll was sent then |

use std::time::Duration;

use crate::backoff;
use crate::invalidation::{Feed, FeedPage, FeedProgress, FeedQuestion, Invalidation};
use crate::page::Vouched;
use crate::tag_index_name::TagIndexName;
use crate::time::{CLOCK_DIFFERENCE, Timestamp};
use crate::visit::pushing::{FeedTerms, PushDue, PushEnd, PushNumber, Pushing};

/// How long a request waits for the feed before it goes on without.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How long no poll is sent after the first one that failed.
pub const PAUSE: Duration = Duration::from_secs(2);

/// How long no poll is sent after many that failed, before jitter. Until the next poll nothing is fresh, even if the tag
/// index has recovered.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a request checks whether another request's poll has ended.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Questions are rounded down to a multiple of this number, so that isolates with similar knowledge ask the same
/// question. An answer repeats up to this many rows, so it has to hold more.
pub const BLOCK: u64 = 100;

/// The least bound for which answers are shared within a colo: the Cache API counts in whole seconds.
const LEAST_SHARED_BOUND: Duration = Duration::from_secs(2);

/// The invalidations that an edge knows, and its polls.
#[derive(Clone, Debug)]
pub struct Polling {
    feed: Feed,
    /// When the last answered poll was sent: the feed is complete up to then.
    complete_until: Option<Timestamp>,
    /// The poll under way.
    under_way: Option<Poll>,
    /// No poll is sent before.
    paused_until: Timestamp,
    /// The number of polls that have failed since the last one that succeeded.
    failures: u32,
    /// How often the feed has changed.
    epoch: u64,
    block: u64,
    /// The stream from the tag index.
    pub(super) pushing: Pushing,
}

/// A poll that was sent: the end of it is reported by [`Polling::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    sent: Timestamp,
}

/// The action of a request before it judges a page by the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedRefresh {
    /// Nothing: the feed is current, or not available now.
    Nothing,
    /// Polls behind the response: the feed is current, but not for long.
    PollBehind(Poll),
    /// Opens a stream behind the response, in place of a poll. [`Polling::end_push`] reports its end.
    OpenPush(PushNumber),
    /// Polls, and waits for the answer.
    PollFirst(Poll),
    /// Waits for another request's poll, for as long as [`Polling::awaits_other`] and at most [`PATIENCE`].
    WaitForOther,
}

impl Default for Polling {
    fn default() -> Self {
        Self::in_blocks_of(BLOCK)
    }
}

impl Polling {
    /// Starts empty. Questions are rounded down to a multiple of `block`.
    #[must_use]
    pub fn in_blocks_of(block: u64) -> Self {
        Self {
            feed: Feed::default(),
            complete_until: None,
            under_way: None,
            paused_until: Timestamp::default(),
            failures: 0,
            epoch: 0,
            block: block.max(1),
            pushing: Pushing::default(),
        }
    }

    /// Decides what a request does about the feed. A poll counts as sent from now on.
    pub fn refresh(&mut self, now: Timestamp, terms: FeedTerms) -> FeedRefresh {
        let bound = terms.bound;
        // After the clock was set back, nobody knows how old the last answer is, now or when its time comes again.
        self.complete_until = self.complete_until.filter(|until| *until <= now);
        if bound.is_zero() && self.failures == 0 {
            return FeedRefresh::PollFirst(self.begin(now));
        }
        match self.push_due(now, terms) {
            PushDue::Open => return FeedRefresh::OpenPush(self.pushing.open(terms, now)),
            PushDue::Wait => return FeedRefresh::Nothing,
            PushDue::Nothing if self.is_within(now, bound / 2) => return FeedRefresh::Nothing,
            PushDue::Nothing => {}
        }
        match (self.is_within(now, bound), self.may_poll(now)) {
            (true, true) => FeedRefresh::PollBehind(self.begin(now)),
            // No request waits for a tag index that has just failed another one.
            (false, true) if self.failures > 0 => FeedRefresh::PollBehind(self.begin(now)),
            (false, true) => FeedRefresh::PollFirst(self.begin(now)),
            (false, false) if self.awaits_other(now, bound) => FeedRefresh::WaitForOther,
            (_, false) => FeedRefresh::Nothing,
        }
    }

    fn push_due(&self, now: Timestamp, terms: FeedTerms) -> PushDue {
        let [is_current, is_young] = [terms.bound, terms.bound / 2].map(|age| self.is_within(now, age));
        self.pushing.due(terms, now, is_current, !is_young)
    }

    /// Returns whether it is worth waiting for another request's poll.
    #[must_use]
    pub fn awaits_other(&self, now: Timestamp, bound: Duration) -> bool {
        let is_promising = |poll: Poll| now.since(poll.sent) <= PATIENCE && self.failures == 0;
        self.under_way.is_some_and(is_promising) && !self.is_within(now, bound)
    }

    fn begin(&mut self, now: Timestamp) -> Poll {
        let poll = Poll { sent: now };
        self.under_way = Some(poll);
        poll
    }

    /// Returns whether the answer to a poll still counts.
    #[must_use]
    pub fn is_under_way(&self, poll: Poll) -> bool {
        self.under_way == Some(poll)
    }

    /// Ends a poll. `complete_until` are the times up to which each tag index object has answered, by
    /// [`PartPoll::take`]; `None` if one of them has not. `random` is any random number.
    pub fn end(&mut self, poll: Poll, now: Timestamp, complete_until: Option<&[Timestamp]>, random: u128) {
        if self.is_under_way(poll) {
            self.under_way = None;
        }
        if let Some(parts) = complete_until {
            self.failures = 0;
            // The clock may have been set back during the poll.
            let answered = parts.iter().min().copied().filter(|until| *until <= now);
            self.complete_until = self.complete_until.filter(|until| *until <= now).max(answered);
        } else {
            self.failures = self.failures.saturating_add(1);
            self.paused_until = now.plus(backoff::jittered(PAUSE, self.failures, random, LONGEST_PAUSE));
        }
    }

    /// Ends a stream. `random` is any random number.
    pub fn end_push(&mut self, push: PushNumber, how: PushEnd, now: Timestamp, random: u128) {
        self.pushing.end(push, how, now, random);
    }

    /// Adds the rows of an answer.
    pub(super) fn extend(&mut self, index: TagIndexName, since: u64, page: FeedPage) -> FeedProgress {
        let progress = self.feed.extend(index, since, page);
        if progress != FeedProgress::Nothing {
            self.epoch += 1;
        }
        if progress == FeedProgress::StartsOver {
            self.complete_until = None;
        }
        progress
    }

    /// Records that all rows up to a time have been pushed.
    pub(super) fn complete_up_to(&mut self, until: Timestamp, now: Timestamp) {
        self.failures = 0;
        self.complete_until = self.complete_until.filter(|known| *known <= now).max(Some(until));
    }

    /// Takes a complete answer, for tests.
    #[cfg(test)]
    pub(crate) fn answered(&mut self, complete_until: Timestamp, page: FeedPage) {
        self.feed.extend(TagIndexName::ROOT, 0, page);
        self.complete_until = Some(complete_until);
    }

    /// Records an invalidation that passed through this edge, without waiting for the next poll.
    pub fn note(&mut self, invalidation: Invalidation) {
        self.epoch += 1;
        self.feed.note(invalidation.target, invalidation.mode, invalidation.at);
    }

    /// Returns whether the feed is complete up to `bound` ago. With a bound of 0 each request has just polled: after a
    /// failure, knowledge from a moment ago is not enough.
    #[must_use]
    pub fn is_current(&self, now: Timestamp, bound: Duration) -> bool {
        let is_doubted = bound.is_zero() && self.failures > 0;
        !is_doubted && self.is_within(now, Self::lifetime(bound))
    }

    /// Returns how long an answer counts.
    fn lifetime(bound: Duration) -> Duration {
        if bound.is_zero() { PATIENCE } else { bound }
    }

    /// Returns whether this edge can tell if something from `since` was invalidated; `vouched` is the last answer of a
    /// coordinator about it.
    ///
    /// The rows of that time may have left the feed. Then the answer counts until the floor has passed it. If this edge
    /// has never had the feed, an answer counts for `bound`, as an answer of the feed would: a shorter time would ask the
    /// coordinator for each visit.
    #[must_use]
    pub fn can_tell(&self, since: Timestamp, vouched: Option<Vouched>, now: Timestamp, bound: Duration) -> bool {
        if self.complete_until.is_none() {
            let is_recent = |asked_at: Timestamp| {
                now.since(asked_at) < Self::lifetime(bound) && asked_at.since(now) <= CLOCK_DIFFERENCE
            };
            return vouched.is_some_and(|vouched| is_recent(vouched.asked_at));
        }
        !self.feed.may_miss(since) || vouched.is_some_and(|vouched| !self.feed.may_miss_after(vouched.up_to))
    }

    /// Returns what the answer of a coordinator will be worth that is asked now.
    #[must_use]
    pub fn vouch(&self, now: Timestamp) -> Vouched {
        let up_to = self.complete_until.map(|complete_until| self.feed.valid_up_to(complete_until));
        Vouched { up_to: up_to.unwrap_or_default(), asked_at: now }
    }

    /// Returns up to when the feed is complete; `None`: the tag index has never answered.
    #[must_use]
    pub fn complete_until(&self) -> Option<Timestamp> {
        self.complete_until
    }

    /// Returns the feed, however old it is.
    #[must_use]
    pub fn known(&self) -> &Feed {
        &self.feed
    }

    /// Returns the state of the feed, if it is current and [`Self::refresh`] would do nothing.
    #[must_use]
    pub fn quiet_epoch(&self, now: Timestamp, terms: FeedTerms) -> Option<u64> {
        let bound = terms.bound;
        match self.push_due(now, terms) {
            PushDue::Open => return None,
            PushDue::Wait => return Some(self.epoch),
            PushDue::Nothing => {}
        }
        let is_quiet = self.is_within(now, bound / 2) || (self.is_within(now, bound) && !self.may_poll(now));
        is_quiet.then_some(self.epoch)
    }

    fn is_within(&self, now: Timestamp, bound: Duration) -> bool {
        self.complete_until.is_some_and(|until| until <= now && now.since(until) < bound)
    }

    fn may_poll(&self, now: Timestamp) -> bool {
        // If the client of a polling request leaves, its poll may be lost: after a while another request may try.
        let is_taken = self.under_way.is_some_and(|poll| poll.sent <= now && now.since(poll.sent) <= PATIENCE * 2);
        // A longer pause than there can be was set before the clock was set back.
        let is_paused = now < self.paused_until && self.paused_until.since(now) <= LONGEST_PAUSE * 5 / 4;
        !is_paused && !is_taken
    }
}

/// The part of a poll that is about one tag index object: questions and answers, until no rows follow.
#[derive(Clone, Copy, Debug)]
pub struct PartPoll {
    index: TagIndexName,
    /// The known number when the question was sent, and the number in the question.
    known: u64,
    since: u64,
    /// When the first of its questions was asked. If the clock was set back since, that is in the future, and the poll
    /// counts for nothing.
    complete_until: Option<Timestamp>,
    /// Whether an answer was from another log than the edge knew.
    has_started_over: bool,
}

impl PartPoll {
    /// Begins to ask an object.
    #[must_use]
    pub fn new(index: TagIndexName) -> Self {
        Self { index, known: 0, since: 0, complete_until: None, has_started_over: false }
    }

    /// Returns the question to ask.
    pub fn question(&mut self, polling: &Polling) -> FeedQuestion {
        self.known = polling.feed.seq(self.index);
        self.since = self.known - self.known % polling.block;
        FeedQuestion { since: self.since, known: polling.feed.position(self.index) }
    }

    /// Returns whether the answer that another isolate asked for at `sent` is recent enough. An answer from before an
    /// earlier one of this part is not: it may lack rows that follow the earlier one. Neither is one that knows less
    /// than this edge. After the log has changed, the shared answers may be of both logs: taking them in turn has no end.
    #[must_use]
    pub fn takes_shared(&self, sent: Timestamp, page: &FeedPage, now: Timestamp, bound: Duration) -> bool {
        let is_in_order = self.complete_until.is_none_or(|until| sent >= until);
        is_in_order
            && !self.has_started_over
            && !self.is_behind(page)
            && bound >= LEAST_SHARED_BOUND
            && sent <= now
            && now.since(sent) < bound / 2
    }

    /// Returns whether an answer ends before the number that was known when the question was sent.
    fn is_behind(&self, page: &FeedPage) -> bool {
        !page.more && page.seq < self.known
    }

    /// Takes the answer to a question that was asked at `sent`, by this edge or by another one of the colo. Returns the
    /// time up to which the part is complete, or `None` if there is more to ask for.
    pub fn take(&mut self, polling: &mut Polling, sent: Timestamp, page: FeedPage) -> Option<Timestamp> {
        // Of several answers, the one that was requested first is the least complete.
        let complete_until = *self.complete_until.get_or_insert(sent);
        // An answer that ends at the number known before can't have more.
        let (more, goes_on) = (page.more, page.more && page.seq > self.known);
        if page.log.is_some() && self.is_behind(&page) {
            // The log was restored to an earlier point.
            polling.feed.start_over(self.index);
        }
        match polling.extend(self.index, self.since, page) {
            // Another poll may have brought these rows meanwhile, and not those that follow.
            FeedProgress::Nothing => (!goes_on).then_some(complete_until),
            FeedProgress::News => (!more).then_some(complete_until),
            FeedProgress::StartsOver => {
                self.has_started_over = true;
                None
            }
        }
    }
}

/// Returns for how long an answer of the tag index is shared with the other isolates of the colo, if it is.
#[must_use]
pub fn shared_for(bound: Duration) -> Option<Duration> {
    (bound >= LEAST_SHARED_BOUND).then(|| (bound / 2).max(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests;
