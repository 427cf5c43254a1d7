//! Invalidations received, and the tags that are registered with the tag index.

use std::collections::BTreeSet;

use crate::coordinator::Decision;
use crate::coordinator::tables::CoordinatorStore;
use crate::invalidation::{Invalidation, Mode, PathPrefix, Refresh, Target};
use crate::page::PageMeta;
use crate::semantics::tag::Tag;
use crate::sql::{Columns, Row, Sql, StoreError, Value};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The tag index may have lost the tags of this shard. The rows stay, because pages carry the tags: see
/// [`CoordinatorStore::forget_tags`].
const UNCONFIRM_TAGS: &str = "UPDATE registered_tags SET confirmed = 0";

impl<S: Sql> CoordinatorStore<S> {
    /// Returns the strongest invalidation received since the render of `page` began.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn invalidated(&self, page: &PageMeta) -> Result<Option<Mode>, StoreError> {
        self.invalidated_since(page.version, page.key.path(), &page.tags)
    }

    /// Returns the strongest invalidation received since `version` was issued that names a path or one of some tags.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn invalidated_since(&self, version: Version, path: &str, tags: &[Tag]) -> Result<Option<Mode>, StoreError> {
        let rows = self.received("received > ?", version.to_string().into(), path, tags)?;
        let mode = |row| Columns::of("invalidations", row).parsed(|word| Some(Mode::recorded(word)));
        let modes = rows.into_iter().map(mode);
        modes.collect::<Result<Vec<Mode>, _>>().map(|modes| modes.into_iter().max())
    }

    /// Returns whether the invalidation of a page that the tag index received at this time has arrived here.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn has_received(&self, at: Timestamp, page: &PageMeta) -> Result<bool, StoreError> {
        let rows = self.received("at = ?", at.as_millis().into(), page.key.path(), &page.tags)?;
        Ok(!rows.is_empty())
    }

    /// Returns the modes of the invalidations that name a path or one of some tags, and meet a condition.
    fn received(&self, condition: &str, value: Value, path: &str, tags: &[Tag]) -> Result<Vec<Row>, StoreError> {
        // The tags are one parameter, because the platform allows 100. An object receives invalidations of its own route
        // only. A kind that a later version has recorded counts as everything: see `Target::UNKNOWN`.
        let by_tag = if tags.iter().any(Tag::is_every) { "" } else { "AND name IN (SELECT value FROM json_each(?))" };
        let prefixes: Vec<&str> = PathPrefix::all_of(path).collect();
        let places = |count| vec!["?"; count].join(", ");
        let statement = format!(
            "SELECT mode FROM invalidations WHERE {condition} \
             AND ((kind = 'path' AND name = ?) OR (kind = 'tag' {by_tag}) \
             OR (kind = 'prefix' AND name IN ({})) OR kind NOT IN ('path', 'tag', 'prefix'))",
            places(prefixes.len())
        );
        let mut parameters = vec![value, path.into()];
        parameters.extend((!by_tag.is_empty()).then(|| list_of(tags)));
        parameters.extend(prefixes.into_iter().map(Value::from));
        self.sql.query(&statement, &parameters)
    }

    /// Records an invalidation with the time at which this object received it. A repeated delivery of the same
    /// invalidation counts once: it does not affect a render that began between the two.
    ///
    /// Returns the number of pages that it names, if that was counted for the log of decisions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_invalidation(
        &self,
        invalidation: &Invalidation,
        received: Version,
        clock: &Clock,
        now: Timestamp,
    ) -> Result<Option<u64>, StoreError> {
        let (kind, name) = invalidation.target.kind_and_name();
        self.logged_transaction(now, || {
            let changed = self.sql.query(
                "INSERT INTO invalidations (kind, name, mode, seq, at, received) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (kind, name, mode) DO UPDATE SET seq = excluded.seq, at = excluded.at, \
                 received = excluded.received WHERE (excluded.at, excluded.seq) > (at, seq) RETURNING seq",
                &[
                    kind.into(),
                    name.into(),
                    invalidation.mode.as_str().into(),
                    invalidation.seq.into(),
                    invalidation.at.as_millis().into(),
                    received.to_string().into(),
                ],
            )?;
            if invalidation.target == Target::Everything {
                // The tag index may have lost what it knew of this object. No page is fresh before it is rendered
                // again, and its tags are registered again then.
                self.sql.query(UNCONFIRM_TAGS, &[])?;
            }
            if invalidation.mode == Mode::Purge || invalidation.refresh == Refresh::Eager {
                self.begin_sweep(invalidation, received)?;
            }
            self.set_fact("clock", &clock.last().to_string())?;
            let is_logged = self.is_logging() && !changed.is_empty();
            let pages = is_logged.then(|| self.matched(&invalidation.target)).transpose()?;
            let decision = pages.map(|pages| Decision::invalidated(invalidation, pages));
            Ok((pages, decision.into_iter().collect()))
        })
    }

    /// Returns those of a page's tags that are not registered with the tag index yet.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn unregistered(&self, tags: &[Tag]) -> Result<Vec<Tag>, StoreError> {
        let statement =
            "SELECT tag FROM registered_tags WHERE confirmed = 1 AND tag IN (SELECT value FROM json_each(?))";
        let rows = self.sql.query(statement, &[list_of(tags)])?;
        let known = rows.into_iter().map(|row| Columns::of("registered_tags", row).text());
        let known = known.collect::<Result<BTreeSet<String>, _>>()?;
        Ok(tags.iter().filter(|tag| !known.contains(tag.as_str())).cloned().collect())
    }

    /// Returns whether the tag index knows this object as one of `shards` shards.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_registered(&self, shards: u16) -> Result<bool, StoreError> {
        Ok(self.fact("registered_as_one_of")?.is_some_and(|known| known == shards.to_string()))
    }

    /// Returns whether the tag index knows this object, by any number of shards.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn has_registered(&self) -> Result<bool, StoreError> {
        Ok(self.fact("registered_as_one_of")?.is_some())
    }

    /// Records that the tag index knows this object as one of `shards` shards, and that it carries these tags.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_registered(&self, tags: &[Tag], shards: u16) -> Result<(), StoreError> {
        self.sql.transaction(|| {
            self.set_fact("registered_as_one_of", &shards.to_string())?;
            for tag in tags {
                let note = "INSERT INTO registered_tags (tag) VALUES (?) ON CONFLICT (tag) DO UPDATE SET confirmed = 1 \
                    WHERE confirmed = 0";
                self.sql.query(note, &[tag.as_str().into()])?;
            }
            Ok(())
        })
    }

    /// Records the number of tag index objects. Returns whether that number has changed.
    ///
    /// If it has, no tag counts as registered any more, and all pages rendered so far count as stale. Their tags may
    /// now belong to another tag index object, which would not deliver their invalidations to this object.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_tag_shards(
        &self,
        tag_shards: u16,
        received: Version,
        clock: &Clock,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.fact("tag_shards")?;
        if known.as_deref().unwrap_or("1") == tag_shards.to_string() {
            return Ok(false);
        }
        self.logged_transaction(now, || {
            self.sql.query(UNCONFIRM_TAGS, &[])?;
            self.sql.query("DELETE FROM facts WHERE name = 'registered_as_one_of'", &[])?;
            self.sql.query(
                "INSERT INTO invalidations (kind, name, mode, seq, at, received) VALUES ('everything', '', 'stale', 0, 0, ?) \
                 ON CONFLICT (kind, name, mode) DO UPDATE SET received = excluded.received",
                &[received.to_string().into()],
            )?;
            self.set_fact("tag_shards", &tag_shards.to_string())?;
            self.set_fact("clock", &clock.last().to_string())?;
            Ok(((), vec![Decision::tags_moved()]))
        })?;
        Ok(true)
    }
}

/// Returns tags as one parameter: a list in JSON.
fn list_of(tags: &[Tag]) -> Value {
    serde_json::json!(tags.iter().map(Tag::as_str).collect::<Vec<_>>()).to_string().into()
}
