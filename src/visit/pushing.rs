//! When an edge keeps a stream open to the tag index, and what it learns from it. `docs/design.md`, "The pushed feed", has
//! all states and events.
//!
//! A frame makes the feed current up to when it was made. The edge knows that by its own clock: the first frame was made
//! after the question was sent, and each later one so much later as the object's clock says. So neither the difference of
//! the clocks nor the time that a frame travels makes the feed younger than it is.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backoff;
use crate::config::{Config, FeedMode};
use crate::invalidation::{FeedProgress, FeedQuestion};
use crate::protocol::PushFrame;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::visit::polling::{LONGEST_PAUSE, PATIENCE, PAUSE, Polling};

/// The least bound with which streams are opened. With a shorter one, beats would be more than two in a second.
const LEAST_BOUND: Duration = Duration::from_secs(2);

/// The longest time between beats, so that a stream that has broken off silently is noticed.
const LONGEST_BEAT: Duration = Duration::from_secs(5);

/// How long after its opening a stream is replaced, if there is traffic: the object ends it after
/// [`OPEN_FOR`](crate::tag_index::OPEN_FOR).
const RENEW_AFTER: Duration = Duration::from_secs(20);

/// How long no stream is opened after one was refused, before jitter: the object is full, or of an older version.
const REFUSED_FOR: Duration = Duration::from_mins(1);

/// How long the edge reads a stream at most. The platform ends the request 30 s after its response.
pub const READ_FOR: Duration = Duration::from_secs(27);

/// What an edge wants of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedTerms {
    /// The setting `freshness_bound`.
    pub bound: Duration,
    /// The setting `feed`.
    pub mode: FeedMode,
}

impl FeedTerms {
    /// Reads the settings.
    #[must_use]
    pub const fn of(config: &Config) -> Self {
        Self { bound: config.freshness_bound, mode: config.feed }
    }

    /// Returns how often the object sends a frame at least.
    fn beat(self) -> Duration {
        (self.bound / 4).min(LONGEST_BEAT)
    }
}

/// How a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushEnd {
    /// The object has ended it in time.
    Over,
    /// It broke off, a frame is missing, or no frame came in time.
    Lost,
    /// The object has refused it.
    Refused,
}

/// What a visit does about the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PushDue {
    /// Opens one.
    Open,
    /// Nothing, and polls nothing either: one is being opened.
    Wait,
    /// Nothing.
    Nothing,
}

/// The stream that this isolate has opened last.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushing {
    open: Option<OpenPush>,
    last: u64,
    /// The number of streams that have failed since the last one that brought anything.
    failures: u32,
    /// No stream is opened before.
    paused_until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct OpenPush {
    number: u64,
    opened: Timestamp,
    /// When all objects were last known to have sent a frame.
    heard: Option<Timestamp>,
}

impl Pushing {
    /// Decides what a visit does. `is_current` is whether the feed is within the bound, and `is_old` whether half of the
    /// bound is over.
    pub(super) fn due(&self, terms: FeedTerms, now: Timestamp, is_current: bool, is_old: bool) -> PushDue {
        let is_wanted = terms.mode == FeedMode::Push && terms.bound >= LEAST_BOUND && is_current;
        // A longer pause than there can be was set before the clock was set back.
        let is_paused = now < self.paused_until && self.paused_until.since(now) <= REFUSED_FOR * 5 / 4;
        if !is_wanted || is_paused {
            return PushDue::Nothing;
        }
        let Some(open) = self.open.filter(|open| open.opened <= now) else {
            return if is_old { PushDue::Open } else { PushDue::Nothing };
        };
        let age = now.since(open.opened);
        let is_heard = open.heard.is_some_and(|heard| now.since(heard) <= silence(terms.beat()));
        match (is_heard, is_old) {
            (true, _) if age >= RENEW_AFTER => PushDue::Open,
            (false, true) if open.heard.is_none() && age <= PATIENCE => PushDue::Wait,
            // Nobody has reported its end: the platform has ended the request.
            (false, true) if age >= LONGEST_PAUSE => PushDue::Open,
            _ => PushDue::Nothing,
        }
    }

    pub(super) fn open(&mut self, terms: FeedTerms, now: Timestamp) -> PushNumber {
        self.last += 1;
        self.open = Some(OpenPush { number: self.last, opened: now, heard: None });
        PushNumber { number: self.last, opened: now, every: terms.beat() }
    }

    fn heard(&mut self, number: u64, now: Timestamp) {
        self.failures = 0;
        if let Some(open) = self.open.as_mut().filter(|open| open.number == number) {
            open.heard = Some(now);
        }
    }

    /// Ends a stream. One that was replaced changes nothing.
    pub(super) fn end(&mut self, push: PushNumber, how: PushEnd, now: Timestamp, random: u128) {
        if self.open.take_if(|open| open.number == push.number).is_none() {
            return;
        }
        let pause = match how {
            PushEnd::Over => return,
            PushEnd::Lost => {
                self.failures = self.failures.saturating_add(1);
                backoff::jittered(PAUSE, self.failures, random, LONGEST_PAUSE)
            }
            PushEnd::Refused => backoff::jittered(REFUSED_FOR, 1, random, REFUSED_FOR),
        };
        self.paused_until = now.plus(pause);
    }
}

/// How long a stream may be silent.
fn silence(beat: Duration) -> Duration {
    beat * 2 + PATIENCE
}

/// A stream that is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushNumber {
    number: u64,
    opened: Timestamp,
    every: Duration,
}

/// What follows a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushProgress {
    /// The next frame.
    Goes,
    /// The end: the frame does not continue what came before.
    Broken,
}

/// A stream from each tag index object, read by one request. [`Polling::end_push`] reports the end.
#[derive(Clone, Debug)]
pub struct Push {
    number: PushNumber,
    parts: BTreeMap<TagIndexName, PushPart>,
    /// When the last frame arrived.
    heard: Timestamp,
}

/// The stream from one object.
#[derive(Clone, Copy, Debug, Default)]
struct PushPart {
    /// The number of the next frame.
    next: u64,
    /// When the first frame was made, by the object's clock.
    began: Timestamp,
    /// The time up to which the part is complete, by this edge's clock.
    complete_until: Option<Timestamp>,
}

impl Push {
    /// Begins to read a stream from each of these objects.
    #[must_use]
    pub fn new(number: PushNumber, objects: impl IntoIterator<Item = TagIndexName>) -> Self {
        let parts = objects.into_iter().map(|index| (index, PushPart::default())).collect();
        Self { number, parts, heard: number.opened }
    }

    /// Returns the stream.
    #[must_use]
    pub fn number(&self) -> PushNumber {
        self.number
    }

    /// Returns the question for an object, and how often it sends a frame at least.
    #[must_use]
    pub fn question(&self, index: TagIndexName, polling: &Polling) -> (FeedQuestion, Duration) {
        let (since, known) = (polling.known().seq(index), polling.known().position(index));
        (FeedQuestion { since, known }, self.number.every)
    }

    /// Returns how long the reader waits for the next frame of an object.
    #[must_use]
    pub fn patience(&self, index: TagIndexName) -> Duration {
        let has_begun = self.parts.get(&index).is_some_and(|part| part.next > 0);
        if has_begun { silence(self.number.every) } else { PATIENCE }
    }

    /// Takes a frame of an object.
    pub fn hear(
        &mut self,
        polling: &mut Polling,
        index: TagIndexName,
        frame: PushFrame,
        now: Timestamp,
    ) -> PushProgress {
        let Some(part) = self.parts.get_mut(&index).filter(|_| self.heard <= now) else { return PushProgress::Broken };
        self.heard = now;
        if frame.number < part.next {
            // It came twice.
            return PushProgress::Goes;
        }
        if frame.number > part.next || frame.since > polling.known().seq(index) {
            return PushProgress::Broken;
        }
        if frame.number == 0 {
            part.began = frame.at;
        }
        part.next += 1;
        let made = self.number.opened.plus(frame.at.since(part.began)).min(now);
        let is_whole = frame.page.as_ref().is_none_or(|page| !page.more);
        if let Some(page) = frame.page
            && polling.extend(index, frame.since, page) == FeedProgress::StartsOver
        {
            return PushProgress::Broken;
        }
        if is_whole {
            part.complete_until = part.complete_until.max(Some(made));
            self.report(polling, now);
        }
        PushProgress::Goes
    }

    /// Reports the time up to which all parts are complete.
    fn report(&self, polling: &mut Polling, now: Timestamp) {
        let parts: Option<Vec<Timestamp>> = self.parts.values().map(|part| part.complete_until).collect();
        if let Some(complete_until) = parts.and_then(|parts| parts.into_iter().min()) {
            polling.pushing.heard(self.number.number, now);
            polling.complete_up_to(complete_until, now);
        }
    }
}

#[cfg(test)]
mod tests;
