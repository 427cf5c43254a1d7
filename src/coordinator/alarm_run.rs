//! One run of the alarm's handler: it drives renders behind stale pages to their end, and has done what is due.
//!
//! ```text
//!          ┌────────────────────────────────────────────────────────────┐
//!          ▼                                                            │
//!  begin ──▶ room ──▶ Input::Alarm ──▶ drive each render ──▶ next ─▶ Nap ─┘ a render ends, the bell rings, or the nap is over
//!                                                            └───▶ End ──▶ the alarm is set for what is due
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use crate::time::Timestamp;
use crate::version::Version;

/// The most renders that the alarm drives side by side: an object may wait for six response heads (platform limit).
pub const MAX_DRIVEN: usize = crate::limits::OPEN_REQUESTS;

/// How long one run goes on beginning renders: of the 15 min that it may take (platform limit), the longest render may
/// take 10.
const LONGEST: Duration = Duration::from_mins(4);

/// How long a run sleeps at the most while its renders go on, so that it hears of what is due.
const NAP: Duration = Duration::from_secs(1);

/// A run under way.
#[derive(Clone, Debug)]
pub struct AlarmRun {
    began: Timestamp,
    /// The most renders that it drives side by side.
    most: usize,
    /// The renders that it waits for.
    driven: BTreeSet<Version>,
}

/// What a run does after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sleeps, until a render ends, the bell rings, or this time has passed. Then the next round begins.
    Nap(Duration),
    /// Comes to its end: [`AlarmRun::next_alarm`].
    End,
}

impl AlarmRun {
    /// Begins a run that drives `most` renders side by side: [`MAX_DRIVEN`], but for a simulation that has fewer pages.
    #[must_use]
    pub fn begin(now: Timestamp, most: usize) -> Self {
        Self { began: now, most, driven: BTreeSet::new() }
    }

    /// Returns how many renders the next round may begin.
    #[must_use]
    pub fn room(&self, now: Timestamp) -> usize {
        let takes_more = now.since(self.began) < LONGEST;
        if takes_more { self.most.saturating_sub(self.driven.len()) } else { 0 }
    }

    /// Notes that the run waits for a render.
    pub fn drive(&mut self, token: Version) {
        self.driven.insert(token);
    }

    /// Notes that a render has ended; returns whether the run has waited for it.
    pub fn ended(&mut self, token: Version) -> bool {
        self.driven.remove(&token)
    }

    /// Decides what to do after a round.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.driven.is_empty() { Next::End } else { Next::Nap(NAP) }
    }

    /// Returns for when the alarm is to be set at the end: at once, if renders wait for the next run; else for the store's
    /// next deadline.
    ///
    /// # Errors
    /// That of the store, if the deadline can't be read.
    pub fn next_alarm<E>(
        has_queued: bool,
        deadline: Result<Option<Timestamp>, E>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, E> {
        if has_queued { Ok(Some(now)) } else { deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn token(number: u128) -> Version {
        Version::from_parts(at(1), number)
    }

    #[test]
    fn it_drives_six_renders_at_a_time_and_ends_when_all_have_ended() {
        let mut run = AlarmRun::begin(at(0), MAX_DRIVEN);
        assert_eq!((run.room(at(0)), run.next()), (6, Next::End));
        (0..5).for_each(|number| run.drive(token(number)));
        assert_eq!((run.room(at(0)), run.next()), (1, Next::Nap(NAP)));
        run.drive(token(5));
        assert_eq!(run.room(at(1)), 0);
        assert!(!run.ended(token(9)), "the render of a visitor");
        assert!((0..6).all(|number| run.ended(token(number))));
        assert_eq!((run.room(at(239)), run.next()), (6, Next::End));
    }

    #[test]
    fn after_four_minutes_it_begins_no_more() {
        let mut run = AlarmRun::begin(at(0), MAX_DRIVEN);
        run.drive(token(0));
        assert_eq!((run.room(at(240)), run.next()), (0, Next::Nap(NAP)));
        let due = Ok::<_, ()>(Some(at(500)));
        assert_eq!(AlarmRun::next_alarm(true, due, at(300)), Ok(Some(at(300))));
        assert_eq!(AlarmRun::next_alarm(false, due, at(300)), due);
    }
}
