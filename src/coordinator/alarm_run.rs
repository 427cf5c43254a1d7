//! One run of the alarm's handler: drives background renders to their end, and performs the work that is due.
//!
//! ```text
//!            ┌─── a render ends, the bell rings, or the nap is over ────┐
//!            ▼                                                          │
//!  begin ──▶ room ──▶ Input::Alarm ──▶ drive each render ──▶ next ──▶ Nap
//!                                                             └─────▶ End: the alarm is set for the next deadline
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use crate::time::Timestamp;
use crate::version::Version;

/// Limits the renders that the alarm drives at the same time: an object may wait for six response heads (platform
/// limit).
pub const MAX_DRIVEN: usize = crate::limits::OPEN_REQUESTS;

/// How long one run starts new renders. A run may take 15 min (platform limit), and the longest render takes 10.
const LONGEST: Duration = Duration::from_mins(4);

/// How long a run sleeps at most while its renders go on, so that it notices new work in time.
const NAP: Duration = Duration::from_secs(1);

/// A run of the alarm.
#[derive(Clone, Debug)]
pub struct AlarmRun {
    began: Timestamp,
    /// The maximum number of renders that it drives at the same time.
    most: usize,
    /// The renders that it waits for.
    driven: BTreeSet<Version>,
}

/// The next step of a run after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sleeps until a render ends, the bell rings, or this time has passed. Then the next round begins.
    Nap(Duration),
    /// Ends the run: see [`AlarmRun::next_alarm`].
    End,
}

impl AlarmRun {
    /// Begins a run that drives at most `most` renders at the same time: [`MAX_DRIVEN`], or fewer in a simulation with
    /// few pages.
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

    /// Records that the run waits for a render.
    pub fn drive(&mut self, token: Version) {
        self.driven.insert(token);
    }

    /// Records that a render has ended. Returns whether the run was waiting for it.
    pub fn ended(&mut self, token: Version) -> bool {
        self.driven.remove(&token)
    }

    /// Decides what follows a round.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.driven.is_empty() { Next::End } else { Next::Nap(NAP) }
    }

    /// Returns the time of the next alarm at the end of a run: at once if renders wait for the next run, otherwise the
    /// store's next deadline.
    ///
    /// # Errors
    /// Returns the store's error if the deadline can't be read.
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
