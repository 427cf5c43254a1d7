//! Which pages a shard keeps when it has as many as `max_pages` allows.
//!
//! An unknown key must prove itself before it displaces anything: it is admitted when it is requested for the second
//! time. What it displaces is worth less than it:
//!
//! | key | worth |
//! |---|---|
//! | nothing of use: expired even as a fallback, no marker that holds | collected whenever it is seen |
//! | negative: a 404 or 410, a marker, a page that was never good | 0 |
//! | any other page | how often it was requested at the coordinator recently, or three times its heat, whichever is more |
//!
//! HITs cost no call, so the coordinator does not see them. But a page that ages is rendered again and again while it is
//! visited, which its heat shows. Negative keys also have an eighth of the space for themselves: over it, and when the
//! shard is three quarters full, a new one displaces another one.
//!
//! What is displaced is found by a hand that moves over the keys in their order, like that of a clock: a few rows per
//! request, without an index.
//!
//! | what can go wrong | then |
//! |---|---|
//! | many new keys come at once | each takes its place when its render begins, not when it ends |
//! | the displaced page is in L2 | its deletion is due, and the row stays until L2 has accepted it; the hand collects it later |
//! | it is rendered or written at this moment | it is not displaced |
//! | it is requested again before its row has gone | it proves itself like any other key |
//! | it is failing | it is not displaced until five minutes after its back-off, so that a flood can't end the back-off |
//! | its tags are invalidated later | no tier has it. An edge may have it in L1, and judges it by the feed |
//! | a sweep has listed it | the sweep passes over it, unless there is a place for it again |
//! | a flood displaces pages all the time | at most 25 per second |
//! | L2 refuses the deletions | the rows that leave take at most another eighth of `max_pages`; then nothing is displaced |
//! | the object dies | the counts of requests are lost: a new page proves itself again |

use super::{EventDetails, Shard, Turn};
use crate::coordinator::frequency::MOST;
use crate::coordinator::tables::Candidate;
use crate::coordinator::{Entry, Event, PageContent};
use crate::route::Route;
use crate::semantics::key::PageKey;
use crate::sql::{Sql, StoreError};

/// The number of requests that admit a new key to a full shard.
const PROVEN: u8 = 2;

/// The worth of a page per unit of its heat.
const WORTH_OF_HEAT: u64 = 3;

/// The number of rows that the hand examines at a time.
const ROWS_A_TIME: u32 = 16;

/// The part of `max_pages` for negative keys, and for keys that are leaving.
const SMALL_PART: u64 = 8;

/// What the hand may displace besides keys of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Displaces {
    Nothing,
    Negative,
    /// Anything that is worth less than this.
    Below(u8),
}

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Returns whether a key without a page may be admitted. It may have a row nevertheless, because it has just left.
    pub(super) fn admits(&mut self, turn: Turn<'_>, key: &PageKey, has_row: bool) -> Result<bool, StoreError> {
        if self.has_free_place(turn, key, has_row)? {
            return Ok(true);
        }
        let (most, others) = (most(turn, key), self.count_others(has_row)?);
        let asked = self.frequency.of(key);
        // Without room for another row that leaves, a key that is displaced would make room for nothing.
        let has_no_room = others >= most + small_part(most);
        let displaces = if asked < PROVEN || has_no_room { Displaces::Nothing } else { Displaces::Below(asked) };
        let has_displaced = self.displace(turn, key, displaces)?;
        let others = self.count_others(has_row)?;
        Ok(others < most || (has_displaced && others < most + small_part(most)))
    }

    /// Returns whether there is a place for a key without a page, although nothing is displaced.
    pub(super) fn has_free_place(&mut self, turn: Turn<'_>, key: &PageKey, has_row: bool) -> Result<bool, StoreError> {
        Ok(self.count_others(has_row)? < most(turn, key))
    }

    /// Counts the places after a step, and makes room if there are too many negative ones.
    pub(super) fn note_keys(
        &mut self,
        turn: Turn<'_>,
        key: &PageKey,
        before: &Entry,
        after: &Entry,
    ) -> Result<(), StoreError> {
        let count = |known: &mut Option<u64>, before: bool, after: bool| {
            if let Some(known) = known {
                *known = (*known + u64::from(after)).saturating_sub(u64::from(before));
            }
        };
        let takes_place = |entry: &Entry| entry.has_row() || entry.lease.is_some();
        count(&mut self.keys, takes_place(before), takes_place(after));
        let (was_negative, is_negative) = (before.is_negative(), after.is_negative());
        count(&mut self.negatives, was_negative, is_negative);
        let most = most(turn, key);
        if was_negative || !is_negative || after.pending.is_some_and(|write| write.version.is_none()) {
            return Ok(());
        }
        if self.count_places()? >= most - most / 4 && self.count_negatives()? > small_part(most) {
            self.displace(turn, key, Displaces::Negative)?;
        }
        Ok(())
    }

    /// Counts the keys that take a place of `max_pages`: those with a row, and those that are rendered for the first time.
    fn count_places(&mut self) -> Result<u64, StoreError> {
        let keys = self.keys.map_or_else(|| self.store.count_places(), Ok)?;
        self.keys = Some(keys);
        Ok(keys)
    }

    /// Counts the places that other keys take.
    fn count_others(&mut self, has_row: bool) -> Result<u64, StoreError> {
        Ok(self.count_places()?.saturating_sub(u64::from(has_row)))
    }

    fn count_negatives(&mut self) -> Result<u64, StoreError> {
        let negatives = self.negatives.map_or_else(|| self.store.count_negatives(), Ok)?;
        self.negatives = Some(negatives);
        Ok(negatives)
    }

    /// Moves the hand over a few keys: collects those of no use, and displaces the one that is worth least. Returns
    /// whether it has displaced one.
    fn displace(&mut self, turn: Turn<'_>, newcomer: &PageKey, displaces: Displaces) -> Result<bool, StoreError> {
        let from = self.hand.take().unwrap_or_else(|| newcomer.clone());
        let mut candidates = self.store.candidates(&from, turn.moment.now, ROWS_A_TIME)?;
        if candidates.len() < ROWS_A_TIME as usize {
            // The hand goes round.
            candidates.extend(self.store.first_candidates(turn.moment.now, ROWS_A_TIME)?);
        }
        self.hand = candidates.last().map(|candidate| candidate.key.clone());
        candidates.retain(|candidate| candidate.key != *newcomer && !candidate.is_busy);
        let mut least: Option<(u8, &PageKey)> = None;
        for candidate in &candidates {
            if candidate.is_useless {
                self.step(turn, &candidate.key, Event::Displaced, EventDetails::default())?;
                continue;
            }
            let worth = self.worth(candidate);
            let is_eligible = match displaces {
                Displaces::Nothing => false,
                Displaces::Negative => candidate.is_negative,
                Displaces::Below(limit) => worth < limit,
            };
            if is_eligible && least.is_none_or(|(other, _)| worth < other) {
                least = Some((worth, &candidate.key));
            }
        }
        if matches!(displaces, Displaces::Below(_)) && self.count_places()? < most(turn, newcomer) {
            return Ok(false); // What was of no use has made room.
        }
        match least {
            Some((_, key)) if self.displacements.take(turn.moment.now) => {
                self.step(turn, key, Event::Displaced, EventDetails::default())?;
                // It stays if the step has deleted it from L2 for another reason: it was purged.
                Ok(self.store.load(key)?.is_forgotten())
            }
            _ => Ok(false),
        }
    }

    fn worth(&self, candidate: &Candidate) -> u8 {
        if candidate.is_negative {
            return 0;
        }
        let heat = u8::try_from(candidate.heat.saturating_mul(WORTH_OF_HEAT)).unwrap_or(MOST).min(MOST);
        heat.max(self.frequency.of(&candidate.key))
    }
}

fn most(turn: Turn<'_>, key: &PageKey) -> u64 {
    turn.config.routes.find(key.path()).map_or(0, Route::max_pages)
}

fn small_part(most: u64) -> u64 {
    (most / SMALL_PART).max(1)
}
