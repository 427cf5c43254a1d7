//! What no page needs any more: registrations of tags, and coordinators that no request reaches.
//!
//! A coordinator decides alone which tags it carries. It first forgets a tag itself, so that the next page with the tag
//! registers it again, and then tells the tag index which tags of a range it still carries. Each registration has the
//! coordinator's generation, and forgetting begins a new one.
//!
//! | what can go wrong | then |
//! |---|---|
//! | the message is lost | the rows stay until the coordinator examines the range again; invalidations are delivered in vain |
//! | a tag is registered again before the message arrives | the new registration has a later generation, and stays |
//! | the message arrives twice, or late | it concerns older generations only |
//! | a registration arrives after the coordinator has stopped waiting for it | as with a lost message |
//! | a retired coordinator comes back while it is forgotten | its generation is later than the one that is forgotten |
//!
//! A coordinator whose route has left the configuration gets no requests. So the tag index calls it, until it has
//! forgotten its pages and unregisters.

use std::time::Duration;

use crate::protocol::CarriedTags;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Row, Sql, StoreError};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::one_number;
use crate::time::Timestamp;

/// How many registrations are removed at a time.
const AT_ONCE: u64 = 1000;

/// How many numbers of shards are remembered for a coordinator. With more, it counts as one that may own any path of its
/// route.
const MAX_NUMBERS: u64 = 8;

/// The pause after a retired coordinator was called, for each call in a row, and the longest one.
const CALLED_AGAIN: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(6));

impl<S: Sql> TagIndexStore<S> {
    /// Records that a shard is one of `shards` of its route.
    pub(super) fn note_shard(&self, shard: &ShardName, shards: u16, generation: u64) -> Result<(), StoreError> {
        let note = "INSERT INTO shards (shard, route, shards, generation) VALUES (?, ?, ?, ?) \
            ON CONFLICT (shard, shards) DO UPDATE SET generation = excluded.generation \
            WHERE excluded.generation > generation";
        let row =
            |shards: u16| [shard.as_str().into(), shard.route().into(), u64::from(shards).into(), generation.into()];
        self.sql.query(note, &row(shards))?;
        let numbers = self.sql.query("SELECT COUNT(*) FROM shards WHERE shard = ?", &[shard.as_str().into()])?;
        if one_number("shards", numbers)? > MAX_NUMBERS {
            self.sql.query("DELETE FROM shards WHERE shard = ?", &[shard.as_str().into()])?;
            self.sql.query(note, &row(0))?;
            self.sql.query(note, &row(shards))?;
        }
        Ok(())
    }

    /// Removes the registrations of a shard in a range, except those that it still carries. Registrations of its current
    /// generation stay.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn forget_tags(&self, shard: &ShardName, generation: u64, carried: &CarriedTags) -> Result<(), StoreError> {
        let CarriedTags { after, up_to, tags } = carried;
        let tags: Vec<&str> = tags.iter().map(crate::semantics::tag::Tag::as_str).collect();
        let text = |tag: &Option<crate::semantics::tag::Tag>| tag.as_ref().map(|tag| tag.as_str().to_owned());
        self.sql
            .query(
                "DELETE FROM tag_shards WHERE shard = ?1 AND tag IN (SELECT tag FROM tag_shards WHERE shard = ?1 \
                 AND tag > COALESCE(?2, '') AND (?3 IS NULL OR tag <= ?3) AND generation < ?4 \
                 AND tag NOT IN (SELECT value FROM json_each(?5)) LIMIT ?6)",
                &[
                    shard.as_str().into(),
                    text(after).into(),
                    text(up_to).into(),
                    generation.into(),
                    serde_json::json!(tags).to_string().into(),
                    AT_ONCE.into(),
                ],
            )
            .map(drop)
    }

    /// Forgets a shard that has no pages any more, as far as it was registered in an older generation. Removes a bounded
    /// number of its tags. Returns whether there are more: then the shard repeats the call.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn unregister(&self, shard: &ShardName, generation: u64) -> Result<bool, StoreError> {
        let name = shard.as_str();
        self.sql.transaction(|| {
            let older = "SELECT tag FROM tag_shards WHERE shard = ?1 AND generation < ?2 LIMIT ?3";
            let found = self.sql.query(older, &[name.into(), generation.into(), AT_ONCE.into()])?.len() as u64;
            self.sql.query(
                &format!("DELETE FROM tag_shards WHERE shard = ?1 AND tag IN ({older})"),
                &[name.into(), generation.into(), AT_ONCE.into()],
            )?;
            if found >= AT_ONCE {
                return Ok(true);
            }
            self.sql
                .query("DELETE FROM shards WHERE shard = ? AND generation < ?", &[name.into(), generation.into()])?;
            if self.sql.query("SELECT 1 FROM shards WHERE shard = ? LIMIT 1", &[name.into()])?.is_empty() {
                // It has no page that an invalidation could concern.
                self.sql.query(
                    "UPDATE deliveries SET due = NULL, matched = 0 WHERE shard = ? AND due IS NOT NULL",
                    &[name.into()],
                )?;
                self.sql.query("DELETE FROM dropped_deliveries WHERE shard = ?", &[name.into()])?;
                self.sql.query("DELETE FROM retirements WHERE shard = ?", &[name.into()])?;
            }
            Ok(false)
        })
    }

    /// Compares the known coordinators with the configuration: those that no request reaches any more are to be called,
    /// and those that are back are not.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_retired(&self, is_served: impl Fn(&ShardName) -> bool, now: Timestamp) -> Result<(), StoreError> {
        let shard = |row: Row| Columns::of("shards", row).parsed(ShardName::from_stored);
        let known = self.sql.query("SELECT DISTINCT shard FROM shards", &[])?.into_iter().map(shard);
        let known = known.collect::<Result<Vec<ShardName>, StoreError>>()?;
        self.sql.transaction(|| {
            for shard in known.iter().filter(|shard| !is_served(shard)) {
                let call = "INSERT OR IGNORE INTO retirements (shard, due) VALUES (?, ?)";
                self.sql.query(call, &[shard.as_str().into(), now.as_millis().into()])?;
            }
            let called = self.sql.query("SELECT shard FROM retirements", &[])?.into_iter().map(shard);
            for shard in called.collect::<Result<Vec<ShardName>, StoreError>>()?.iter().filter(|shard| is_served(shard))
            {
                self.sql.query("DELETE FROM retirements WHERE shard = ?", &[shard.as_str().into()])?;
            }
            Ok(())
        })
    }

    /// Returns at most `limit` retired coordinators that are to be called now, and schedules the next call of each. A
    /// coordinator that unregisters is called no more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn retired_to_call(&self, now: Timestamp, limit: u32) -> Result<Vec<ShardName>, StoreError> {
        let due = "SELECT shard, attempts FROM retirements WHERE due <= ? ORDER BY due LIMIT ?";
        self.sql.transaction(|| {
            let rows = self.sql.query(due, &[now.as_millis().into(), u64::from(limit).into()])?;
            let mut shards = Vec::new();
            for row in rows {
                let mut columns = Columns::of("retirements", row);
                let shard = columns.parsed(ShardName::from_stored)?;
                let attempts = u32::try_from(columns.number()?).unwrap_or(u32::MAX);
                let pause = crate::backoff::doubled(CALLED_AGAIN.0, attempts.saturating_add(1), CALLED_AGAIN.1);
                self.sql.query(
                    "UPDATE retirements SET due = ?, attempts = attempts + 1 WHERE shard = ?",
                    &[now.plus(pause).as_millis().into(), shard.as_str().into()],
                )?;
                shards.push(shard);
            }
            Ok(shards)
        })
    }
}
