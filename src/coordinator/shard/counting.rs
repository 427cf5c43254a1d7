//! What the shard counts of its own decisions, and what it reports. A count decides nothing, so a failure of the store
//! while counters are saved is no failure of the input.

use super::{Shard, Turn, owner};
use crate::config::Config;
use crate::coordinator::visits::SAVED_AN_HOUR;
use crate::coordinator::{Entry, Event, PageContent};
use crate::metrics::coordinator::Histogram;
use crate::metrics::{PageVisits, RenderCounts, ShardMetrics};
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;

/// The counts of renders after one has ended.
pub(super) type EndedRender = (RenderCounts, Histogram);

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Returns what the shard reports.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn metrics(&mut self, config: &Config, now: Timestamp) -> Result<ShardMetrics, StoreError> {
        self.save_counters(config, now, true);
        let (running, queued, queued_for_alarm) = self.renders.counts();
        let (pending_writes, refused_by_l2) = self.store.pending_writes()?;
        Ok(ShardMetrics {
            counters: self.counters.reported().clone(),
            running,
            queued,
            queued_for_alarm,
            waiting: self.waiting.len() as u64,
            waiting_bytes: self.waiting_bytes.held(),
            keys: self.keys.or(self.counters.reported().keys),
            pending_writes,
            refused_by_l2,
            breaker: Some(self.store.breaker_state()?),
        })
    }

    /// Adds visits of this shard's pages.
    pub(super) fn visited(&mut self, config: &Config, visits: Vec<PageVisits>) {
        let name = &self.name;
        let taken = self.visits.add(visits, |key| owner(config, key) == *name);
        let total = &mut self.counters.live.visits;
        *total = total.saturating_add(taken);
    }

    /// Saves the counters if that is due.
    pub(super) fn save_counters(&mut self, config: &Config, now: Timestamp, is_quiet: bool) {
        if !config.metrics || self.name.is_none() || self.retire_at.is_some() {
            return;
        }
        if self.keys.is_some() {
            self.counters.live.keys = self.keys;
        }
        if let Some(counters) = self.counters.due(now, is_quiet) {
            let is_saved = self.store.save_counters(&counters).is_ok();
            self.counters.tried(now, is_saved);
        }
    }

    /// Saves the visits of the most visited pages, once an hour.
    pub(super) fn save_visits_of_hour(&mut self, now: Timestamp) {
        if self.visits.is_due(now) {
            self.save_visits(SAVED_AN_HOUR, now);
        }
    }

    /// Saves the visits of the most visited pages. If the store fails, they are lost.
    pub(super) fn save_visits(&mut self, most: usize, now: Timestamp) {
        let visits = self.visits.take(most, now);
        if !visits.is_empty() {
            let _ = self.store.note_visits(&visits, now);
        }
    }

    /// Returns the counts of renders with the one that an event ends; `None` if the event ends none. The shard takes them
    /// over once the end is recorded.
    pub(super) fn with_end(&self, turn: Turn<'_>, before: &Entry, event: &Event) -> Option<EndedRender> {
        let Event::Ended { token, outcome } = event else { return None };
        before.lease.filter(|lease| lease.token == *token)?;
        let counters = &self.counters.live;
        let (mut renders, mut durations) = (counters.renders, counters.durations.clone());
        renders.count(outcome);
        durations.observe(turn.moment.now.since(token.time()));
        Some((renders, durations))
    }

    /// Takes over the counts of renders.
    pub(super) fn count_end(&mut self, ended: Option<EndedRender>) {
        if let Some((renders, durations)) = ended {
            self.counters.live.renders = renders;
            self.counters.live.durations = durations;
        }
    }

    /// Counts the result of a change of L2.
    pub(super) fn count_write(&mut self, is_deletion: bool, is_taken: bool) {
        let counters = &mut self.counters.live;
        let count = match (is_taken, is_deletion) {
            (false, _) => &mut counters.refused,
            (true, true) => &mut counters.deleted,
            (true, false) => &mut counters.written,
        };
        *count = count.saturating_add(1);
    }
}
