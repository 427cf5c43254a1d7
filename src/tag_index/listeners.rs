//! The streams that edges keep open to a tag index object: what is sent on each, and when.
//!
//! The performer makes a frame only when the reader has read the last one, and asks for it with [`Listeners::next`]. So
//! nothing piles up for a slow reader.
//!
//! | state | event | then |
//! |---|---|---|
//! | fewer than [`MAX_LISTENERS`] | a question | it is admitted, and its first frame is due at once |
//! | [`MAX_LISTENERS`] | a question | it is refused: the edge polls |
//! | a stream | rows are recorded | a frame with the rows is due, at the earliest [`GATHER`] after the last one |
//! | a stream | something else has changed | the next beat is a frame that was read from the database |
//! | a stream | nothing was sent for the time that the edge asked for | a beat is due |
//! | a stream | [`OPEN_FOR`] after its beginning | it ends |
//! | a stream | the object's clock is set back | what is due is due at once; the stream ends |
//! | any | the object dies | all streams break off |
//! | any | a reader has gone without a word | its stream ends after [`OPEN_FOR`] |

use std::collections::BTreeMap;
use std::time::Duration;

use crate::invalidation::{FeedPage, FeedQuestion};
use crate::time::Timestamp;

/// The most streams of an object. Each takes some 10 KiB of the 128 MB that the objects of an isolate share (platform
/// limit), and a timer.
pub const MAX_LISTENERS: usize = 2_000;

/// How long a stream stays open: the platform ends the request that reads it 30 s after its response.
pub const OPEN_FOR: Duration = Duration::from_secs(25);

/// The least time between two frames of a stream, so that a burst of invalidations makes few frames.
const GATHER: Duration = Duration::from_millis(100);

/// The least and the longest time between beats, whatever an edge asks for.
const BEATS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// A stream of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenerId(u64);

/// The object takes no further stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// All streams of an object. They are in memory only.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    open: BTreeMap<ListenerId, Listener>,
    last: u64,
    /// How often rows were recorded, and how often anything has changed.
    recorded: u64,
    changed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Listener {
    /// The rows up to this number were sent. The first question also says what the edge knows.
    question: FeedQuestion,
    every: Duration,
    began: Timestamp,
    /// The number of frames that were sent, and when the last one was.
    frames: u64,
    sent_at: Timestamp,
    /// Whether more rows follow the last frame.
    more: bool,
    /// The counts of the object when the last frame was read.
    recorded: u64,
    changed: u64,
}

/// What a stream does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerStep {
    /// Read the feed, and send the answer with [`Listeners::answer`].
    Read(FeedQuestion),
    /// Send a beat with [`Listeners::beat`].
    Beat,
    /// Look again after this time, or when rows are recorded.
    Wait(Duration),
    /// End the stream.
    End,
}

/// What a frame says of its place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// Its number.
    pub number: u64,
    /// The number of the row before its first one.
    pub since: u64,
}

impl Listeners {
    /// Begins a stream whose reader wants a frame at least `every` so often.
    ///
    /// # Errors
    /// There are too many.
    pub fn admit(&mut self, question: FeedQuestion, every: Duration, now: Timestamp) -> Result<ListenerId, Full> {
        if self.open.len() >= MAX_LISTENERS {
            return Err(Full);
        }
        self.last += 1;
        let id = ListenerId(self.last);
        let every = every.clamp(BEATS.0, BEATS.1);
        let (recorded, changed) = (self.recorded, self.changed);
        let listener = Listener { question, every, began: now, frames: 0, sent_at: now, more: true, recorded, changed };
        self.open.insert(id, listener);
        Ok(id)
    }

    /// Returns the number of streams.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// Records that rows were recorded. The performer then wakes all streams.
    pub fn recorded(&mut self) {
        self.recorded += 1;
        self.changed += 1;
    }

    /// Records that anything else may have changed that an answer contains.
    pub fn changed(&mut self) {
        self.changed += 1;
    }

    /// Returns a number that rises with each change: an answer from the database holds while it is the same.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changed
    }

    /// Decides what a stream does now.
    #[must_use]
    pub fn next(&self, id: ListenerId, now: Timestamp) -> ListenerStep {
        let Some(listener) = self.open.get(&id) else { return ListenerStep::End };
        if now < listener.sent_at || now.since(listener.began) >= OPEN_FOR {
            return ListenerStep::End;
        }
        if listener.more {
            return ListenerStep::Read(listener.question);
        }
        let (has_rows, quiet) = (listener.recorded != self.recorded, now.since(listener.sent_at));
        let after = if has_rows { GATHER.min(listener.every) } else { listener.every };
        if let Some(rest) = after.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
            return ListenerStep::Wait(rest);
        }
        let is_changed = listener.changed != self.changed;
        if is_changed { ListenerStep::Read(listener.question) } else { ListenerStep::Beat }
    }

    /// Records that an answer is sent. Returns its place in the stream.
    pub fn answer(&mut self, id: ListenerId, page: &FeedPage, now: Timestamp) -> FramePlace {
        let (recorded, changed) = (self.recorded, self.changed);
        let Some(listener) = self.open.get_mut(&id) else { return FramePlace { number: 0, since: page.seq } };
        (listener.recorded, listener.changed, listener.more) = (recorded, changed, page.more);
        let place = listener.sends(now);
        listener.question = FeedQuestion { since: page.seq, known: None };
        place
    }

    /// Records that a beat is sent. Returns its place in the stream.
    pub fn beat(&mut self, id: ListenerId, now: Timestamp) -> FramePlace {
        self.open.get_mut(&id).map_or(FramePlace { number: 0, since: 0 }, |listener| listener.sends(now))
    }

    /// Ends a stream: its reader has gone, or has got everything.
    pub fn leave(&mut self, id: ListenerId) {
        self.open.remove(&id);
    }
}

impl Listener {
    fn sends(&mut self, now: Timestamp) -> FramePlace {
        let place = FramePlace { number: self.frames, since: self.question.since };
        self.frames += 1;
        self.sent_at = now;
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn question(since: u64) -> FeedQuestion {
        FeedQuestion { since, known: None }
    }

    fn page(seq: u64, more: bool) -> FeedPage {
        FeedPage { seq, more, ..FeedPage::default() }
    }

    /// A stream whose first frame was sent at 1 s, with all rows up to 7.
    fn listening() -> (Listeners, ListenerId) {
        let mut listeners = Listeners::default();
        let id = listeners.admit(question(3), EVERY, at(1_000)).unwrap();
        assert_eq!(listeners.next(id, at(1_000)), ListenerStep::Read(question(3)));
        assert_eq!(listeners.answer(id, &page(7, false), at(1_000)), FramePlace { number: 0, since: 3 });
        (listeners, id)
    }

    #[test]
    fn the_first_frames_bring_everything_and_then_beats_follow() {
        let mut listeners = Listeners::default();
        let id = listeners.admit(question(0), EVERY, at(1_000)).unwrap();
        for since in [0, 5] {
            assert_eq!(listeners.next(id, at(1_000)), ListenerStep::Read(question(since)));
            listeners.answer(id, &page(since + 5, since == 0), at(1_000));
        }
        assert_eq!(listeners.next(id, at(1_500)), ListenerStep::Wait(Duration::from_millis(1_500)));
        assert_eq!(listeners.next(id, at(3_000)), ListenerStep::Beat);
        assert_eq!(listeners.beat(id, at(3_000)), FramePlace { number: 2, since: 10 });
        assert_eq!(listeners.next(id, at(3_000)), ListenerStep::Wait(EVERY));
    }

    #[test]
    fn rows_are_sent_at_once_and_a_burst_of_them_together() {
        let (mut listeners, id) = listening();
        listeners.recorded();
        assert_eq!(listeners.next(id, at(1_040)), ListenerStep::Wait(Duration::from_millis(60)));
        assert_eq!(listeners.next(id, at(1_100)), ListenerStep::Read(question(7)));
        listeners.answer(id, &page(8, false), at(1_100));
        assert_eq!(listeners.next(id, at(1_200)), ListenerStep::Wait(Duration::from_millis(1_900)));
        listeners.recorded();
        assert_eq!(listeners.next(id, at(1_300)), ListenerStep::Read(question(8)));
    }

    #[test]
    fn anything_else_that_changed_comes_with_the_next_beat() {
        let (mut listeners, id) = listening();
        let before = listeners.changes();
        listeners.changed();
        assert!(listeners.changes() > before);
        assert_eq!(listeners.next(id, at(1_200)), ListenerStep::Wait(Duration::from_millis(1_800)));
        assert_eq!(listeners.next(id, at(3_000)), ListenerStep::Read(question(7)));
        listeners.answer(id, &page(7, false), at(3_000));
        assert_eq!(listeners.next(id, at(5_000)), ListenerStep::Beat);
    }

    #[test]
    fn a_stream_ends_in_time_or_when_the_clock_is_set_back() {
        let (mut listeners, id) = listening();
        assert_eq!(listeners.next(id, at(25_999)), ListenerStep::Beat);
        assert_eq!(listeners.next(id, at(26_000)), ListenerStep::End);
        assert_eq!(listeners.next(id, at(999)), ListenerStep::End);
        listeners.leave(id);
        assert_eq!(listeners.next(id, at(1_000)), ListenerStep::End);
    }

    #[test]
    fn the_number_of_streams_is_bounded() {
        let mut listeners = Listeners::default();
        let all: Vec<_> = (0..MAX_LISTENERS).map(|_| listeners.admit(question(0), EVERY, at(0)).unwrap()).collect();
        assert_eq!(listeners.admit(question(0), EVERY, at(0)), Err(Full));
        listeners.leave(all[0]);
        assert!(listeners.admit(question(0), EVERY, at(0)).is_ok());
    }

    #[test]
    fn an_edge_can_not_ask_for_a_flood_of_beats() {
        let mut listeners = Listeners::default();
        let id = listeners.admit(question(0), Duration::ZERO, at(0)).unwrap();
        listeners.answer(id, &page(0, false), at(0));
        assert_eq!(listeners.next(id, at(0)), ListenerStep::Wait(BEATS.0));
    }
}
