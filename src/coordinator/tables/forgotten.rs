//! Rows that no page needs any more: invalidations, and registrations of tags.
//!
//! Both tables are collected by a hand that moves over the rows in their order, like that of a clock. It moves when rows
//! are added, by several rows for each, so the tables stay within a multiple of what the pages need.
//!
//! An invalidation is needed while something from before it exists: a page that it names, a mark, or a copy in L2, or a
//! render under way. The number of invalidations by prefix is bounded instead: an old one becomes one of everything.
//! A page that carries every tag needs each invalidation by tag. Those that only such pages need become one.

use std::collections::BTreeSet;

use crate::coordinator::tables::CoordinatorStore;
use crate::protocol::CarriedTags;
use crate::semantics::tag::Tag;
use crate::sql::{Columns, Sql, StoreError, Value};
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::Version;

/// The number of invalidations that the hand examines at a time.
const ROWS_A_TIME: u64 = 16;

/// The number of pages that are compared with one invalidation. One that names more stays.
const COMPARED: u64 = 100;

/// The most invalidations by prefix.
const MAX_PREFIXES: u64 = 1000;

/// The bytes of the carried tags in one message.
const MAX_CARRIED_BYTES: usize = 16 * 1024;

/// The number of registered tags that are examined at a time, at least and at most, and for each tag that is added.
const TAGS_A_TIME: (usize, usize) = (64, 4096);
const TAGS_PER_NEW: usize = 16;

/// A condition on an invalidation's `received` (`?1`) and name (`?2`), for each kind: whether something needs it.
const NEEDED_BY_PATH: &str = "SELECT COUNT(*) > ?3 OR COALESCE(MAX(older), 0) FROM (SELECT COALESCE(version <= ?1, 0) \
    OR COALESCE(marked_by <= ?1, 0) OR COALESCE(l2_version <= ?1, 0) AS older FROM entries WHERE path = ?2 LIMIT ?3 + 1)";
const NEEDED_BY_TAG: &str = "SELECT COUNT(*) > ?3 OR COALESCE(MAX(older), 0) FROM (SELECT COALESCE(version <= ?1, 0) \
    OR COALESCE(marked_by <= ?1, 0) OR COALESCE(l2_version <= ?1, 0) AS older FROM entry_tags t JOIN entries e \
    ON e.key = t.key WHERE t.tag = ?2 LIMIT ?3 + 1)";
const NEEDED_BY_SWEEP: &str = "SELECT EXISTS (SELECT 1 FROM sweeps WHERE done_at IS NULL AND received <= ?1 \
    AND kind = 'prefix' AND name = ?2)";

/// The part of the invalidations that may be removed: those received before `before`, and recorded before `at`.
#[derive(Clone, Copy, Debug)]
pub struct Removable {
    /// No render that began at this time or earlier is under way.
    pub before: Timestamp,
    /// Younger rows stay, because their deliveries may be repeated.
    pub at: Timestamp,
}

impl<S: Sql> CoordinatorStore<S> {
    /// Moves the hand over a few invalidations, and removes those that nothing needs.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn collect_invalidations(&self, removable: Removable) -> Result<(), StoreError> {
        let hand = self.fact("hand")?.unwrap_or_default();
        let mut from = hand.split('\n');
        let mut from = || from.next().unwrap_or_default().into();
        let rows = self.sql.query(
            "SELECT kind, name, mode, received, at FROM invalidations WHERE (kind, name, mode) > (?, ?, ?) \
             ORDER BY kind, name, mode LIMIT ?",
            &[from(), from(), from(), ROWS_A_TIME.into()],
        )?;
        let is_end = (rows.len() as u64) < ROWS_A_TIME;
        let mut next = String::new();
        self.sql.transaction(|| {
            for row in rows {
                let mut columns = Columns::of("invalidations", row);
                let (kind, name, mode) = (columns.text()?, columns.text()?, columns.text()?);
                let received = columns.parsed(Version::parse)?;
                let at = Timestamp::from_millis(columns.number()?);
                let may_go = received.time() < removable.before && at <= removable.at;
                if may_go && !self.is_needed(&kind, &name, &mode, received)? {
                    if kind == "tag" && self.is_needed(&kind, Tag::every().as_str(), &mode, received)? {
                        self.widen_to((&kind, &name, &mode), ("tag", Tag::every().as_str()))?;
                    }
                    self.remove_invalidation(&kind, &name, &mode, received)?;
                }
                next = format!("{kind}\n{name}\n{mode}");
            }
            self.widen_prefixes()?;
            self.set_fact("hand", if is_end { "" } else { &next })
        })
    }

    fn is_needed(&self, kind: &str, name: &str, mode: &str, received: Version) -> Result<bool, StoreError> {
        let needed = match (kind, mode) {
            ("path", _) => NEEDED_BY_PATH,
            ("tag", _) => NEEDED_BY_TAG,
            // Its sweep deletes each page that it names.
            ("prefix", "purge") => NEEDED_BY_SWEEP,
            // At most three rows of each kind, and a bounded number of prefixes.
            _ => return Ok(true),
        };
        let mut parameters = vec![Value::from(received.to_string()), name.into()];
        parameters.extend((kind != "prefix").then(|| COMPARED.into()));
        let row = self.sql.query(needed, &parameters)?.into_iter().next().unwrap_or_default();
        Ok(Columns::of("invalidations", row).number()? > 0)
    }

    /// Removes an invalidation, unless another one has been widened to it since it was examined.
    fn remove_invalidation(&self, kind: &str, name: &str, mode: &str, received: Version) -> Result<(), StoreError> {
        let remove = "DELETE FROM invalidations WHERE kind = ? AND name = ? AND mode = ? AND received = ?";
        self.sql.query(remove, &[kind.into(), name.into(), mode.into(), received.to_string().into()]).map(drop)
    }

    /// Replaces the oldest invalidation by prefix by one of everything, if there are too many. It names more pages than
    /// before, but only pages that are older than all other invalidations by prefix.
    fn widen_prefixes(&self) -> Result<(), StoreError> {
        let (count, oldest) = ("SELECT COUNT(*)", "SELECT name, mode, received");
        let prefixes = "FROM invalidations WHERE kind = 'prefix' AND mode <> 'purge'";
        let row = self.sql.query(&format!("{count} {prefixes}"), &[])?.into_iter().next().unwrap_or_default();
        if Columns::of("invalidations", row).number()? <= MAX_PREFIXES {
            return Ok(());
        }
        let oldest = format!("{oldest} {prefixes} ORDER BY received LIMIT ?");
        for row in self.sql.query(&oldest, &[ROWS_A_TIME.into()])? {
            let mut columns = Columns::of("invalidations", row);
            let (name, mode) = (columns.text()?, columns.text()?);
            let received = columns.parsed(Version::parse)?;
            self.widen_to(("prefix", &name, &mode), ("everything", ""))?;
            self.remove_invalidation("prefix", &name, &mode, received)?;
        }
        Ok(())
    }

    /// Records that an invalidation also names what `wider` names.
    fn widen_to(&self, (kind, name, mode): (&str, &str, &str), wider: (&str, &str)) -> Result<(), StoreError> {
        let record = "INSERT INTO invalidations (kind, name, mode, seq, at, received) \
            SELECT ?, ?, mode, seq, at, received FROM invalidations WHERE kind = ? AND name = ? AND mode = ? \
            ON CONFLICT (kind, name, mode) DO UPDATE SET seq = MAX(seq, excluded.seq), at = MAX(at, excluded.at), \
            received = MAX(received, excluded.received)";
        let parameters = [wider.0, wider.1, kind, name, mode].map(Value::from);
        self.sql.query(record, &parameters).map(drop)
    }

    /// Returns this shard's generation at a tag index object; `None` before the first one.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn generation(&self, index: TagIndexName) -> Result<Option<u64>, StoreError> {
        Ok(self.registrations(index)?.map(|(generation, _)| generation))
    }

    fn registrations(&self, index: TagIndexName) -> Result<Option<(u64, String)>, StoreError> {
        let fact = self.fact(&registrations_of(index))?;
        Ok(fact.and_then(|fact| {
            let (generation, hand) = fact.split_once('\n')?;
            Some((generation.parse().ok()?, hand.to_owned()))
        }))
    }

    /// Forgets some of the tags that this shard has registered with a tag index object and that no page carries, and
    /// begins a new generation. Returns the generation, and what the tag index object needs to forget the same tags.
    ///
    /// The tags of renders under way, `in_use`, are not forgotten: their pages may be published without another
    /// registration. `added` is the number of tags that are registered now.
    ///
    /// # Errors
    /// See [`StoreError`]; on an error, nothing is forgotten.
    pub fn forget_tags(
        &self,
        (index, tag_shards): (TagIndexName, u16),
        in_use: &BTreeSet<Tag>,
        added: usize,
        now: Timestamp,
    ) -> Result<(u64, CarriedTags), StoreError> {
        let (before, hand) = self.registrations(index)?.unwrap_or_default();
        let generation = now.as_millis().max(before + 1);
        let limit = (TAGS_A_TIME.0 + TAGS_PER_NEW * added) * usize::from(tag_shards.max(1));
        let limit = limit.min(TAGS_A_TIME.1);
        let rows = self.sql.query(
            "SELECT tag, EXISTS (SELECT 1 FROM entry_tags e WHERE e.tag = r.tag) FROM registered_tags r \
             WHERE tag > ? ORDER BY tag LIMIT ?",
            &[hand.as_str().into(), (limit as u64).into()],
        )?;
        let mut is_end = rows.len() < limit;
        let (mut forgotten, mut carried, mut bytes) = (Vec::new(), BTreeSet::new(), 0);
        let mut last = None;
        for row in rows {
            let mut columns = Columns::of("registered_tags", row);
            let tag = columns.parsed(|text| Tag::parse(text).ok())?;
            let is_carried = columns.number()? > 0 || in_use.contains(&tag);
            last = Some(tag.clone());
            if !index.is_told_of(&tag, tag_shards) {
                continue;
            }
            if !is_carried {
                forgotten.push(tag);
                continue;
            }
            bytes += tag.as_str().len();
            carried.insert(tag);
            if bytes > MAX_CARRIED_BYTES {
                is_end = false;
                break;
            }
        }
        let (after, up_to) = (Tag::parse(&hand).ok(), last.filter(|_| !is_end));
        // Their registration may be under way.
        let is_in_range =
            |tag: &Tag| after.as_ref().is_none_or(|after| tag > after) && up_to.as_ref().is_none_or(|last| tag <= last);
        carried.extend(in_use.iter().filter(|tag| is_in_range(tag) && index.is_told_of(tag, tag_shards)).cloned());
        self.sql.transaction(|| {
            for tag in &forgotten {
                self.sql.query("DELETE FROM registered_tags WHERE tag = ?", &[tag.as_str().into()])?;
            }
            let hand = up_to.as_ref().map_or("", Tag::as_str);
            self.set_fact(&registrations_of(index), &format!("{generation}\n{hand}"))
        })?;
        Ok((generation, CarriedTags { after, up_to, tags: carried.into_iter().collect() }))
    }

    /// Forgets that the tag index knows this shard, and all tags. Returns the new generation, which is the same at all
    /// tag index objects.
    ///
    /// # Errors
    /// See [`StoreError`]; on an error, nothing is forgotten.
    pub fn forget_registrations(&self, tag_shards: u16, now: Timestamp) -> Result<u64, StoreError> {
        let mut generation = now.as_millis();
        for index in TagIndexName::all(tag_shards) {
            generation = generation.max(self.generation(index)?.unwrap_or_default() + 1);
        }
        self.sql.transaction(|| {
            self.sql.query("DELETE FROM registered_tags", &[])?;
            self.sql.query("DELETE FROM facts WHERE name = 'registered_as_one_of'", &[])?;
            TagIndexName::all(tag_shards)
                .try_for_each(|index| self.set_fact(&registrations_of(index), &format!("{generation}\n")))
        })?;
        Ok(generation)
    }
}

/// Returns the name of the fact that has the generation and the hand: `registrations tags#0`.
fn registrations_of(index: TagIndexName) -> String {
    format!("registrations {index}")
}
