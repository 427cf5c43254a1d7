//! The shards that carry a tag, the log of invalidations, and the feed.

use std::time::Duration;

use crate::invalidation::{IdempotencyKey, Invalidation, Mode, Refresh, Target};
use crate::route::Pattern;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::{Columns, Sql, StoreError};
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::tables::store::{SKEW, UNSURE, invalidation, logged, one_number};
use crate::time::Timestamp;

/// How long a purge of a downstream cache waits for the coordinators: an invalidation is acknowledged by then.
const RIPE_AFTER: Duration = Duration::from_secs(5);

/// The time between two invalidations, at least.
const TICK: Duration = Duration::from_millis(1);

/// How long the repetition of a call is recognized.
const REPEATED_WITHIN: Duration = Duration::from_hours(24);

/// How often the log and the feed are trimmed, in rows appended.
const TRIM_EVERY: u64 = 100;

/// How many rows of the log are removed at a time: more than are appended meanwhile.
const TRIMMED_AT_ONCE: u64 = 1000;

/// The answer to a registration of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterResult {
    /// The invalidations of these tags since the requested time.
    pub invalidations: Vec<Invalidation>,
    /// Invalidations up to this time may be missing.
    pub floor: Timestamp,
}

impl<S: Sql> TagIndexStore<S> {
    /// Records that a shard, one of `shards` of its route, carries tags, in its current generation. Returns the invalidations at `since` or later:
    /// of these tags, of the paths that the shard owns, and of everything wider.
    ///
    /// Every registration returns the invalidations by path, not only the first one of a shard. This object may have
    /// delivered them to another shard: it did not know this one, or used an old number of shards to find the owner. The
    /// answer to the first registration may be lost, or be overtaken by the answer to a later one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn register(
        &self,
        shard: &ShardName,
        shards: u16,
        generation: u64,
        tags: &[Tag],
        since: Timestamp,
    ) -> Result<RegisterResult, StoreError> {
        self.sql.transaction(|| {
            self.note_shard(shard, shards, generation)?;
            // Its number of tag index objects is this object's, so its tags are known here.
            let sure = "DELETE FROM tag_shards WHERE tag = ? AND shard = ?";
            self.sql.query(sure, &[UNSURE.into(), shard.as_str().into()])?;
            let rows = self.sql.query(
                // A kind that a later version has recorded counts as everything: see `Target::UNKNOWN`.
                "SELECT seq, at, kind, name, mode FROM feed WHERE at >= ? AND (kind NOT IN ('tag', 'route') \
                 OR (kind = 'route' AND name = ?))",
                &[since.as_millis().into(), shard.route().into()],
            )?;
            let rows = rows.into_iter().map(|row| invalidation(&mut Columns::of("feed", row)));
            let mut invalidations = rows.collect::<Result<Vec<Invalidation>, _>>()?;
            invalidations.retain(|row| match &row.target {
                Target::Path(path) => may_own(shard, shards, path),
                Target::Prefix(_) | Target::Route(_) | Target::Everything | Target::Tag(_) => true,
            });
            for tag in tags {
                self.sql.query(
                    "INSERT INTO tag_shards (tag, shard, generation) VALUES (?, ?, ?) ON CONFLICT (tag, shard) \
                     DO UPDATE SET generation = excluded.generation WHERE excluded.generation > generation",
                    &[tag.as_str().into(), shard.as_str().into(), generation.into()],
                )?;
                let by_name = if tag.is_every() { "? IS NOT NULL" } else { "name = ?" };
                let rows = self.sql.query(
                    &format!("SELECT seq, at, kind, name, mode FROM feed WHERE kind = 'tag' AND {by_name} AND at >= ?"),
                    &[tag.as_str().into(), since.as_millis().into()],
                )?;
                for row in rows {
                    invalidations.push(invalidation(&mut Columns::of("feed", row))?);
                }
            }
            Ok(RegisterResult { invalidations, floor: self.floor()? })
        })
    }

    /// Appends an invalidation to the log, with one delivery for each shard that it affects: the shards that carry the
    /// tag or belong to the route, or all shards. For a path, these are `owner` and the shards that may have owned it
    /// before.
    ///
    /// Its time is [`SKEW`] ahead of `now`, and after every earlier one. So the times alone identify a render that
    /// began before the invalidation, even if the renderer's clock runs ahead by as much. A page rendered after a
    /// delivery is still later, because a coordinator's clock continues from the latest time it has received. The time
    /// is one millisecond ahead of the previous one: if two invalidations had the same time, because the clock went
    /// back, a render between them would count as one after both.
    ///
    /// # Errors
    /// See [`StoreError`]; on an error, nothing is appended.
    pub fn append(
        &self,
        target: Target,
        mode: Mode,
        refresh: Refresh,
        owner: Option<&ShardName>,
        now: Timestamp,
    ) -> Result<Invalidation, StoreError> {
        let (kind, name) = target.kind_and_name();
        let (seq, at) = self.sql.transaction(|| {
            let (last, time) = self.last_row()?;
            let seq = last.max(self.numbers_given()?) + 1;
            let at = now.plus(SKEW).max(time.plus(TICK)).max(self.floor()?.plus(TICK));
            self.sql.query(
                "INSERT INTO invalidations (seq, at, kind, name, mode, refresh) VALUES (?, ?, ?, ?, ?, ?)",
                &[
                    seq.into(),
                    at.as_millis().into(),
                    kind.into(),
                    name.into(),
                    mode.as_str().into(),
                    refresh.as_str().into(),
                ],
            )?;
            self.sql.query(
                "INSERT INTO feed (kind, name, mode, seq, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name, mode) \
                 DO UPDATE SET seq = excluded.seq, at = MAX(at, excluded.at)",
                &[kind.into(), name.into(), mode.as_str().into(), seq.into(), at.as_millis().into()],
            )?;
            let concerned = match &target {
                Target::Tag(_) => "SELECT DISTINCT ?, shard, ? FROM tag_shards WHERE tag IN (?, ?, ?)",
                Target::Route(_) => "SELECT DISTINCT ?, shard, ? FROM shards WHERE route = ?",
                Target::Prefix(_) | Target::Everything => "SELECT DISTINCT ?, shard, ? FROM shards WHERE ? IS NOT NULL",
                Target::Path(path) => {
                    for shard in self.may_hold(path)?.iter().chain(owner) {
                        self.sql.query(
                            "INSERT OR IGNORE INTO deliveries (seq, shard, due) VALUES (?, ?, ?)",
                            &[seq.into(), shard.as_str().into(), now.as_millis().into()],
                        )?;
                    }
                    ""
                }
            };
            if !concerned.is_empty() {
                let mut parameters = vec![seq.into(), now.as_millis().into(), name.into()];
                if matches!(target, Target::Tag(_)) {
                    parameters.extend([Tag::every().as_str().into(), UNSURE.into()]);
                }
                self.sql.query(&format!("INSERT INTO deliveries (seq, shard, due) {concerned}"), &parameters)?;
            }
            self.note_for_downstream(seq, at, &target, now.plus(RIPE_AFTER))?;
            if seq % TRIM_EVERY.min(self.feed_rows).min(self.log_rows) == 0 {
                self.trim(seq)?;
            }
            Ok((seq, at))
        })?;
        Ok(Invalidation { seq, at, target, mode, refresh })
    }

    /// Records which call has requested an invalidation. If this is lost, a repetition of the call invalidates again,
    /// which costs renders and breaks no promise.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_key(&self, seq: u64, key: &IdempotencyKey) -> Result<(), StoreError> {
        let update = "UPDATE invalidations SET idempotency_key = ? WHERE seq = ?";
        self.sql.query(update, &[key.as_str().into(), seq.into()]).map(drop)
    }

    /// Returns the invalidation that an earlier call with the same key has requested, in the last day and as far as the
    /// log has it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn repeated(
        &self,
        key: &IdempotencyKey,
        target: &Target,
        mode: Mode,
        refresh: Refresh,
        now: Timestamp,
    ) -> Result<Option<Invalidation>, StoreError> {
        let (kind, name) = target.kind_and_name();
        let since = now.as_millis().saturating_sub(u64::try_from(REPEATED_WITHIN.as_millis()).unwrap_or(u64::MAX));
        let rows = self.sql.query(
            "SELECT seq, at, kind, name, mode, refresh FROM invalidations \
             WHERE idempotency_key = ? AND kind = ? AND name = ? AND mode = ? AND refresh = ? AND at >= ? \
             ORDER BY seq DESC LIMIT 1",
            &[
                key.as_str().into(),
                kind.into(),
                name.into(),
                mode.as_str().into(),
                refresh.as_str().into(),
                since.into(),
            ],
        )?;
        rows.into_iter().next().map(|row| logged(&mut Columns::of("invalidations", row))).transpose()
    }

    /// Returns the shards that own a path, or may have owned it when their route had another number of shards. There
    /// are at most as many as there were objects, a few hundred.
    fn may_hold(&self, path: &CanonicalPath) -> Result<Vec<ShardName>, StoreError> {
        let rows = self.sql.query("SELECT shard, shards FROM shards", &[])?;
        let mut holders = Vec::new();
        for row in rows {
            let mut columns = Columns::of("shards", row);
            let shard = columns.parsed(ShardName::from_stored)?;
            let shards = u16::try_from(columns.number()?).unwrap_or_default();
            if may_own(&shard, shards, path) {
                holders.push(shard);
            }
        }
        Ok(holders)
    }

    /// Trims the feed and the log. Rows that leave the feed raise its floor. Deliveries that would keep older rows are
    /// dropped.
    fn trim(&self, seq: u64) -> Result<(), StoreError> {
        let kept = self.feed_rows / u64::from(self.tag_shards.max(1));
        let log_from = seq.saturating_sub(self.log_rows);
        self.drop_overdue(log_from, kept)?;
        let rows = self.sql.query("SELECT seq FROM feed ORDER BY seq DESC LIMIT 1 OFFSET ?", &[kept.into()])?;
        if !rows.is_empty() {
            let newest_gone = one_number("feed", rows)?.min(self.last_that_may_leave()?);
            let rows = self.sql.query("SELECT COALESCE(MAX(at), 0) FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
            self.raise_floor(Timestamp::from_millis(one_number("feed", rows)?))?;
            self.sql.query("DELETE FROM feed WHERE seq <= ?", &[newest_gone.into()])?;
        }
        let first = "SELECT COALESCE(MIN(seq), 0) FROM invalidations";
        let first = one_number("invalidations", self.sql.query(first, &[])?)?;
        let gone = log_from.min(first + TRIMMED_AT_ONCE);
        self.sql.query("DELETE FROM invalidations WHERE seq < ?", &[gone.into()])?;
        self.sql.query("DELETE FROM deliveries WHERE seq < ?", &[gone.into()])?;
        self.trim_purges(log_from)
    }

    /// Returns the number of the last row of the feed that is old enough to leave it, and that every coordinator has
    /// applied or can't be waited for, like all rows before it: edges believe what a coordinator answers about a page from before the floor.
    fn last_that_may_leave(&self) -> Result<u64, StoreError> {
        let rows = self.sql.query(
            "SELECT MIN(COALESCE((SELECT MAX(seq) FROM feed WHERE at <= (SELECT MAX(at) FROM feed) - ?), 0), \
             COALESCE((SELECT MIN(seq) - 1 FROM deliveries WHERE due IS NOT NULL), 9007199254740991))",
            &[u64::try_from(self.feed_age.as_millis()).unwrap_or(u64::MAX).into()],
        )?;
        one_number("feed", rows)
    }

    /// Returns an invalidation that is still in the log.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn invalidation(&self, seq: u64) -> Result<Option<Invalidation>, StoreError> {
        let rows = self
            .sql
            .query("SELECT seq, at, kind, name, mode, refresh FROM invalidations WHERE seq = ?", &[seq.into()])?;
        rows.into_iter().next().map(|row| logged(&mut Columns::of("invalidations", row))).transpose()
    }
}

/// Returns whether a shard, one of `shards` of its route, owns a path. If its number of shards is unknown, returns
/// whether it may own the path.
fn may_own(shard: &ShardName, shards: u16, path: &CanonicalPath) -> bool {
    let is_match = Pattern::parse(shard.route()).is_ok_and(|pattern| pattern.matches(path.as_str()));
    is_match && (shards == 0 || shard.owns(path.as_str(), shards))
}
