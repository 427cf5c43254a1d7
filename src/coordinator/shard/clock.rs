//! What a shard does when its clock is set back. Versions rise nevertheless.
//!
//! | recorded before | otherwise | so |
//! |---|---|---|
//! | a page backs off, or has a marker | it would until that time comes again | the pause ends. The count of failures stays, so the next pause is longer |
//! | a write to L2 is due | it would be made late | it is due a second later |
//! | the breaker is open | no probe would begin | the breaker ignores a pause that is longer than there can be |
//! | a page is fresh | it stays fresh for as much longer, at the coordinator alone | a known limit |

use std::time::Duration;

use super::Shard;
use crate::coordinator::{Moment, PageContent};
use crate::sql::{Sql, StoreError};
use crate::time::{CLOCK_DIFFERENCE, Timestamp};

/// How far the clock is behind the last version, at the start of a life, if it was set back. Versions follow
/// invalidations, which are a second ahead by a clock that may be another second ahead.
const BEHIND: Duration = Duration::from_secs(3);

/// The longest pause of a page or a write, unless the origin has asked for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(375);

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Ends the pauses that were recorded before the clock was set back, if it was.
    pub(super) fn notice_clock(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let is_set_back = self.last_input.since(now) > CLOCK_DIFFERENCE;
        self.last_input = now;
        if is_set_back { self.end_pauses(now) } else { Ok(()) }
    }

    /// Does the same when the object starts. Pauses that may have been recorded since then stay.
    pub(super) fn notice_clock_at_start(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let is_behind = self.clock.last().time().since(now) > BEHIND;
        if is_behind { self.end_pauses(now.plus(LONGEST_PAUSE)) } else { Ok(()) }
    }

    /// Observes a time of the tag index: every later render has a later version, even if this clock is far behind.
    pub(super) fn observe(&mut self, moment: Moment, time: Timestamp) -> Result<(), StoreError> {
        let mut clock = self.clock;
        clock.observe(time, moment.now, moment.random);
        self.store.save_clock(&clock)?;
        self.clock = clock;
        Ok(())
    }

    /// Ends the pauses that would last beyond a time.
    fn end_pauses(&mut self, beyond: Timestamp) -> Result<(), StoreError> {
        self.sweep_at = self.sweep_at.min(beyond);
        self.retire_at = self.retire_at.map(|at| at.min(beyond));
        self.failing.1 = self.failing.1.min(beyond);
        self.store.end_pauses(beyond)?;
        self.wake_for_next()
    }
}
