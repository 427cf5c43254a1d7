//! Sweeps: the pages that an invalidation deletes or renders again, one by one.
//!
//! An invalidation takes effect when it is received, because each read compares the page with it. The remaining work is
//! not urgent. The list of pages is in SQLite, and the alarm processes it at the pace of `refresh_rate`. If the object
//! dies, the sweep continues where it was. A page whose render fails is left to the next request, so that it does not
//! block the others.

use std::time::Duration;

use super::{EventDetails, Shard, Turn};
use crate::coordinator::io::Effect;
use crate::coordinator::tables::SweepPage;
use crate::coordinator::{Entry, Event, PageContent};
use crate::invalidation::{Invalidation, Mode, Refresh};
use crate::protocol::ShardProgress;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;

/// Limits the pages that one round of the alarm examines.
const PAGES_A_ROUND: u32 = 100;

/// The pause after a round in which nothing could be done.
const PAUSE: Duration = Duration::from_secs(1);

/// The result for a page in one round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was processed.
    Done,
    /// Its render has failed, or may not begin.
    Failed,
    /// Its render has begun.
    Begun,
    /// Its render is under way.
    UnderWay,
    /// It has to wait.
    Waits,
}

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Counts the published pages that an invalidation names, unless they were counted when it arrived.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn matched(&self, invalidation: &Invalidation) -> Result<u64, StoreError> {
        match &self.counted {
            Some((counted, pages)) if counted == invalidation => Ok(*pages),
            _ => self.store.matched(&invalidation.target),
        }
    }

    /// Returns this shard's progress with an invalidation.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn progress(&self, invalidation: &Invalidation) -> Result<ShardProgress, StoreError> {
        self.store.progress(invalidation)
    }

    /// Schedules a sweep over an invalidation's pages, if the invalidation needs one.
    pub(super) fn begin_sweep(&mut self, now: Timestamp, invalidation: &Invalidation) {
        if invalidation.mode == Mode::Purge || invalidation.refresh == Refresh::Eager {
            self.sweep_at = now;
            self.effects.push(Effect::WakeAt(now));
            self.effects.push(Effect::Ring);
        }
    }

    /// Processes listed pages, and begins at most `room` renders and, with the writes that have begun, `writes` writes.
    pub(super) fn sweep(&mut self, turn: Turn<'_>, room: usize, writes: usize) -> Result<(), StoreError> {
        let now = turn.moment.now;
        if now < self.sweep_at || !self.store.is_sweeping()? {
            return Ok(());
        }
        self.save_visits(usize::MAX, now);
        self.store.list_swept(now)?;
        let pace = Duration::from_secs(1) / turn.config.refresh_rate.max(1);
        let (mut begun, mut is_idle) = (0, true);
        for swept in self.store.swept(PAGES_A_ROUND)? {
            if self.writes_begun() >= writes {
                is_idle = false;
                break;
            }
            let fate = match self.sweep_page(turn, &swept, begun < room && now >= self.sweep_at) {
                // A page whose row can't be read must not block the others.
                Err(StoreError::Corrupt { .. }) => Fate::Failed,
                fate => fate?,
            };
            match fate {
                Fate::Done | Fate::Failed => self.store.strike_off(&swept, fate == Fate::Failed)?,
                Fate::Begun => {
                    self.store.note_begun(&swept)?;
                    begun += 1;
                    // Catches up on renders that could not begin in the last second.
                    let earliest = Timestamp::from_millis(now.as_millis().saturating_sub(1000));
                    self.sweep_at = self.sweep_at.max(earliest).plus(pace);
                }
                Fate::UnderWay => {}
                Fate::Waits => {
                    // The end of a render makes room, unless the running renders are not the alarm's.
                    is_idle = !self.renders.may_await_alarm();
                    break;
                }
            }
            is_idle &= fate == Fate::UnderWay;
        }
        self.store.end_sweeps(now)?;
        if is_idle {
            self.sweep_at = now.plus(PAUSE);
        }
        Ok(())
    }

    fn sweep_page(&mut self, turn: Turn<'_>, swept: &SweepPage, may_begin: bool) -> Result<Fate, StoreError> {
        let Some(key) = &swept.key else {
            return Ok(Fate::Failed);
        };
        let entry = self.store.load(key)?;
        if entry == Entry::default() || (entry.is_forgotten() && !self.has_free_place(turn, key, true)?) {
            return Ok(Fate::Done); // It was displaced.
        }
        if entry.page.as_ref().is_some_and(|page| page.version > swept.received) {
            return Ok(Fate::Done);
        }
        if swept.refresh == Refresh::Lazy {
            // The state machine deletes a purged page in any step.
            self.step(turn, key, Event::Swept, EventDetails::default())?;
            return Ok(Fate::Done);
        }
        match (entry.lease.is_some(), swept.begun) {
            (true, _) => Ok(Fate::UnderWay),
            (false, true) => Ok(Fate::Failed),
            (false, false) if !may_begin || !self.renders.may_await_alarm() => Ok(Fate::Waits),
            (false, false) => {
                self.step(turn, key, Event::Refresh, EventDetails::default())?;
                let has_begun = self.store.load(key)?.lease.is_some();
                Ok(if has_begun { Fate::Begun } else { Fate::Failed })
            }
        }
    }

    /// Returns when the listed pages are due again.
    pub(super) fn next_sweep(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.store.is_sweeping()?.then_some(self.sweep_at))
    }
}
