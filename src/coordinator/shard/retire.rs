//! The end of an object that no request reaches any more, because its route has left the configuration or has fewer
//! shards.
//!
//! ```text
//!  pages left ──▶ no pages ──▶ registrations forgotten here ──▶ forgotten by the tag index ──▶ storage deleted
//! ```
//!
//! The alarm works in bounded steps. Pages whose path has another owner are only forgotten. Pages without an owner are
//! deleted from L2 first. At each point, the object may die, or its route may come back:
//!
//! | state | the route comes back | then |
//! |---|---|---|
//! | pages left | the object serves those that it still has | a page that was deleted is rendered again |
//! | no pages; registrations forgotten here | it registers again before its first page | a late message of the end concerns an older generation |
//! | storage deleted | it begins like a new object | its generation is the time, which is later than that of the end |
//!
//! The tag index calls the object until it has unregistered, so a lost alarm only delays the end.

use std::time::Duration;

use super::{EventDetails, Shard, Turn, owner};
use crate::config::Config;
use crate::coordinator::io::Effect;
use crate::coordinator::{Entry, Event, PageContent, PendingWrite};
use crate::protocol::ToTagIndex;
use crate::shard_name::ShardName;
use crate::sql::{Sql, StoreError};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// Limits the pages that one round of the alarm forgets.
const PAGES_A_ROUND: u32 = 100;

/// Limits the deletions from L2 that are due at the same time.
const DELETIONS: u64 = 50;

/// The pause while something else must happen first: a deletion, or the end of a render.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause after the tag index could not be reached.
const UNREACHED: Duration = Duration::from_mins(1);

/// L2 accepts one write per key in this time (platform limit).
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Returns whether no request reaches this object any more.
    #[must_use]
    pub fn is_retired(&self, config: &Config) -> bool {
        self.name.as_ref().is_some_and(|name| !name.is_served(&config.routes))
    }

    /// Begins the end of the object, if its own configuration says that no request reaches it. An object that does not know
    /// its name has nothing, and learns it here.
    pub(super) fn retire(&mut self, turn: Turn<'_>, shard: &ShardName) -> Result<(), StoreError> {
        if shard.is_served(&turn.config.routes) {
            return Ok(());
        }
        self.learn_name(turn, shard)
    }

    /// Forgets some pages, or, once there are none, the registrations with the tag index.
    pub(super) fn retire_pages(&mut self, turn: Turn<'_>, writes: usize) -> Result<(), StoreError> {
        let now = turn.moment.now;
        if self.retire_at.is_none_or(|due| now < due) {
            return Ok(());
        }
        self.retire_at = Some(now.plus(PAUSE));
        let room = DELETIONS.saturating_sub(self.store.count_pending_writes(DELETIONS)?);
        let room = room.min(writes.saturating_sub(self.writes_begun()) as u64);
        let (mut deleted, mut has_forgotten) = (0, false);
        for key in self.store.keys_to_forget(PAGES_A_ROUND)? {
            let is_deleted = owner(turn.config, &key).is_none();
            if is_deleted && deleted >= room {
                break;
            }
            self.step(turn, &key, Event::Displaced, EventDetails::default())?;
            deleted += u64::from(is_deleted);
            has_forgotten = true;
        }
        if has_forgotten {
            self.retire_at = Some(now);
        } else if self.store.count_keys()? == 0 && self.leases.next_end().is_none() {
            self.unregister(turn)?;
        }
        Ok(())
    }

    fn unregister(&mut self, turn: Turn<'_>) -> Result<(), StoreError> {
        let Some(shard) = self.name.clone() else { return Ok(()) };
        let tag_shards = turn.config.tag_shards;
        let generation = self.store.forget_registrations(tag_shards, turn.moment.now)?;
        self.retire_at = Some(turn.moment.now.plus(UNREACHED));
        let message = |index| (index, ToTagIndex::Unregister { shard: shard.clone(), generation });
        self.effects.push(Effect::Unregister { messages: TagIndexName::all(tag_shards).map(message).collect() });
        Ok(())
    }

    /// Continues after the tag index has forgotten this shard, or a part of it: `more` is `None` if it could not be
    /// reached.
    pub(super) fn unregistered(&mut self, turn: Turn<'_>, more: Option<bool>) -> Result<(), StoreError> {
        let is_empty = self.store.count_keys()? == 0 && self.leases.next_end().is_none();
        let has_registered = self.store.has_registered()?;
        match more {
            _ if !self.is_retired(turn.config) => {}
            Some(false) if is_empty && !has_registered => self.effects.push(Effect::End),
            Some(_) => {
                self.retire_at = Some(turn.moment.now);
                self.effects.push(Effect::WakeAt(turn.moment.now));
            }
            None => {
                let again = turn.moment.now.plus(UNREACHED);
                self.retire_at = Some(again);
                self.effects.push(Effect::WakeAt(again));
            }
        }
        Ok(())
    }
}

/// Returns what is left of a page that no coordinator owns: its deletion from L2, unless L2 never had it.
pub(super) fn without_owner(before: &Entry, now: Timestamp) -> Entry {
    let is_in_l2 = before.page.is_some() || before.copy.is_some() || before.pending.is_some();
    if !is_in_l2 {
        return Entry::default();
    }
    let deletion = before.pending.filter(|write| write.version.is_none());
    let pending = deletion.unwrap_or_else(|| {
        let earliest = before.written_at.map_or(now, |last| last.plus(WRITE_INTERVAL).max(now));
        // A write that is under way must not take effect after the deletion.
        let due = if before.pending.is_some() { earliest.max(now.plus(WRITE_INTERVAL)) } else { earliest };
        PendingWrite { version: None, due, attempts: 0 }
    });
    Entry { pending: Some(pending), written_at: before.written_at, ..Entry::default() }
}
