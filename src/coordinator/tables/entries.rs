//! Pages, their tags, their leases, and their writes to L2.

use crate::coordinator::tables::{CoordinatorStore, Decided};
use crate::coordinator::{Breaker, Cause, Entry, Lease, PendingWrite, Purpose, StoredCopy, Unpublished};
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::evidence::Evidence;
use crate::semantics::freshness::Windows;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::sql::{Columns, Row, Sql, StoreError, Value};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The value of `l2_pending` for a deletion. A version has 26 characters, so the two can't be confused.
const DELETE: &str = "delete";

/// Separates tags in [`LOAD_ENTRY`]. No tag contains it.
const TAG_SEPARATOR: char = '\n';

/// Loads everything about a key in one row. A statement costs more than the rows that it reads.
const LOAD_ENTRY: &str = "SELECT e.version, e.status, e.rendered_at, e.fresh_until, e.stale_until, e.error_until, \
    e.body_bytes, e.failures, e.retry_at, e.pass_until, e.marked_by, e.l2_pending, e.l2_due, e.l2_attempts, \
    e.l2_written_at, e.digest, e.l2_version, e.l2_digest, e.has_validator, \
    e.unpublished_by, e.unpublished_at, e.unpublished_reason, e.unpublished_detail, \
    (SELECT group_concat(tag, char(10)) FROM entry_tags t WHERE t.key = e.key), \
    l.token, l.purpose, l.expires_at, l.attempt \
    FROM (SELECT ? AS key) k LEFT JOIN entries e ON e.key = k.key LEFT JOIN leases l ON l.key = k.key";

/// Saves a key. An update changes only the indexes of the columns that change, because the platform bills each row
/// written.
const SAVE_ENTRY: &str = "INSERT INTO entries (key, path, version, status, rendered_at, fresh_until, stale_until, \
    error_until, body_bytes, failures, retry_at, pass_until, marked_by, l2_pending, l2_due, l2_attempts, l2_written_at, \
    digest, l2_version, l2_digest, has_validator, unpublished_by, unpublished_at, unpublished_reason, unpublished_detail) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (key) DO UPDATE SET version = excluded.version, status = excluded.status, \
    rendered_at = excluded.rendered_at, fresh_until = excluded.fresh_until, stale_until = excluded.stale_until, \
    error_until = excluded.error_until, body_bytes = excluded.body_bytes, failures = excluded.failures, \
    retry_at = excluded.retry_at, pass_until = excluded.pass_until, marked_by = excluded.marked_by, \
    l2_pending = excluded.l2_pending, l2_due = excluded.l2_due, l2_attempts = excluded.l2_attempts, \
    l2_written_at = excluded.l2_written_at, digest = excluded.digest, l2_version = excluded.l2_version, \
    l2_digest = excluded.l2_digest, has_validator = excluded.has_validator, \
    unpublished_by = excluded.unpublished_by, unpublished_at = excluded.unpublished_at, \
    unpublished_reason = excluded.unpublished_reason, unpublished_detail = excluded.unpublished_detail, \
    heat = CASE WHEN excluded.version IS NULL OR excluded.version = version THEN heat ELSE \
    (heat >> MAX(0, MIN(62, (excluded.rendered_at - COALESCE(rendered_at, excluded.rendered_at)) / 86400000))) + 1 END";

impl<S: Sql> CoordinatorStore<S> {
    /// Loads the entry of a key. An unknown key has an empty entry.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn load(&self, key: &PageKey) -> Result<Entry, StoreError> {
        let rows = self.sql.query(LOAD_ENTRY, &[key.as_str().into()])?;
        rows.into_iter().next().map_or_else(|| Ok(Entry::default()), |row| entry(key, row))
    }

    /// Saves the changes of a key, the clock, and the breaker if it has changed, in one transaction.
    ///
    /// # Errors
    /// See [`StoreError`]; on an error, nothing is changed.
    pub fn save(
        &self,
        key: &PageKey,
        before: &Entry,
        after: &Entry,
        clock: &Clock,
        breaker: Option<&Breaker>,
    ) -> Result<(), StoreError> {
        self.save_decided(key, before, after, clock, breaker, &Decided::default())
    }

    /// Saves as [`Self::save`] does, and records the decisions in the same transaction.
    ///
    /// # Errors
    /// See [`StoreError`]; on an error, nothing is changed.
    pub fn save_decided(
        &self,
        key: &PageKey,
        before: &Entry,
        after: &Entry,
        clock: &Clock,
        breaker: Option<&Breaker>,
        decided: &Decided,
    ) -> Result<(), StoreError> {
        if before == after && breaker.is_none() {
            return Ok(());
        }
        self.logged_transaction(decided.at, || {
            if let Some(breaker) = breaker {
                self.save_breaker(breaker)?;
            }
            if before.lease != after.lease {
                self.save_lease(key, after.lease)?;
            }
            let is_new = |lease: &Lease| before.lease.is_none_or(|before| before.token != lease.token);
            if after.lease.as_ref().is_some_and(is_new) {
                self.set_fact("clock", &clock.last().to_string())?;
            }
            let tags_changed =
                before.page.as_ref().map(|page| &page.tags) != after.page.as_ref().map(|page| &page.tags);
            if tags_changed {
                self.save_tags(key, after.page.as_ref().map_or(&[], |page| page.tags.as_slice()))?;
            }
            let (old, new) = (Entry { lease: None, ..before.clone() }, Entry { lease: None, ..after.clone() });
            if old != new && new == Entry::default() {
                self.sql.query("DELETE FROM entries WHERE key = ?", &[key.as_str().into()])?;
            } else if old != new {
                self.save_entry(key, &new)?;
            }
            Ok(((), decided.decisions.clone()))
        })
    }

    fn save_lease(&self, key: &PageKey, lease: Option<Lease>) -> Result<(), StoreError> {
        let Some(lease) = lease else {
            return self.sql.query("DELETE FROM leases WHERE key = ?", &[key.as_str().into()]).map(drop);
        };
        self.sql
            .query(
                "INSERT OR REPLACE INTO leases (key, token, purpose, expires_at, attempt) VALUES (?, ?, ?, ?, ?)",
                &[
                    key.as_str().into(),
                    lease.token.to_string().into(),
                    purpose_name(lease.purpose).into(),
                    lease.expires_at.as_millis().into(),
                    u64::from(lease.attempt).into(),
                ],
            )
            .map(drop)
    }

    fn save_tags(&self, key: &PageKey, tags: &[Tag]) -> Result<(), StoreError> {
        self.sql.query("DELETE FROM entry_tags WHERE key = ?", &[key.as_str().into()])?;
        for tag in tags {
            self.sql.query(
                "INSERT INTO entry_tags (tag, key) VALUES (?, ?)",
                &[tag.as_str().into(), key.as_str().into()],
            )?;
        }
        Ok(())
    }

    fn save_entry(&self, key: &PageKey, entry: &Entry) -> Result<(), StoreError> {
        let page = entry.page.as_ref();
        let millis = |time: Option<Timestamp>| Value::from(time.map(Timestamp::as_millis));
        let unpublished = entry.unpublished.as_ref();
        let cause = unpublished.map(|unpublished| &unpublished.cause);
        let pending = entry.pending.map(|write| write.version.map_or_else(|| DELETE.to_owned(), |v| v.to_string()));
        self.sql
            .query(
                SAVE_ENTRY,
                &[
                    key.as_str().into(),
                    key.path().into(),
                    page.map(|page| page.version.to_string()).into(),
                    page.map(|page| u64::from(page.status)).into(),
                    millis(page.map(|page| page.rendered_at)),
                    millis(page.and_then(|page| page.windows.fresh_until)),
                    millis(page.and_then(|page| page.windows.stale_until)),
                    millis(page.and_then(|page| page.windows.error_until)),
                    page.and_then(|page| page.body_bytes).into(),
                    u64::from(entry.failures).into(),
                    millis(entry.retry_at),
                    millis(entry.pass_until),
                    entry.marked_by.map(|token| token.to_string()).into(),
                    pending.into(),
                    millis(entry.pending.map(|write| write.due)),
                    u64::from(entry.pending.map_or(0, |write| write.attempts)).into(),
                    millis(entry.written_at),
                    page.and_then(|page| page.digest).map(|digest| digest.to_string()).into(),
                    entry.copy.map(|copy| copy.version.to_string()).into(),
                    entry.copy.map(|copy| copy.digest.to_string()).into(),
                    page.filter(|page| page.has_validator).map(|_| 1).into(),
                    unpublished.map(|unpublished| unpublished.token.to_string()).into(),
                    millis(unpublished.map(|unpublished| unpublished.at)),
                    cause.map(|cause| cause.reason.name()).into(),
                    cause.and_then(|cause| cause.detail.as_ref()).map(Evidence::as_str).into(),
                ],
            )
            .map(drop)
    }

    /// Returns the number of keys that have a row.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count_keys(&self) -> Result<u64, StoreError> {
        let rows = self.sql.query("SELECT COUNT(*) FROM entries", &[])?;
        rows.into_iter().next().map_or(Ok(0), |row| Columns::of("entries", row).number())
    }

    /// Returns the number of keys that have a row or are rendered for the first time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count_places(&self) -> Result<u64, StoreError> {
        let rows = self.sql.query(
            "SELECT (SELECT COUNT(*) FROM entries) + \
             (SELECT COUNT(*) FROM leases l WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.key = l.key))",
            &[],
        )?;
        rows.into_iter().next().map_or(Ok(0), |row| Columns::of("entries", row).number())
    }

    /// Returns at most `limit` keys with something besides the deletion from L2 that is due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn keys_to_forget(&self, limit: u32) -> Result<Vec<PageKey>, StoreError> {
        // Few deletions are due at the same time, so few rows are passed over.
        let statement = "SELECT key FROM entries WHERE l2_pending IS NOT ? LIMIT ?";
        let rows = self.sql.query(statement, &[DELETE.into(), u64::from(limit).into()])?;
        rows.into_iter().map(|row| Columns::of("entries", row).parsed(|key| PageKey::from_stored(key).ok())).collect()
    }

    /// Counts the writes to L2 that are due, up to `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn count_pending_writes(&self, limit: u64) -> Result<u64, StoreError> {
        let statement = "SELECT COUNT(*) FROM (SELECT 1 FROM entries WHERE l2_due IS NOT NULL LIMIT ?)";
        let rows = self.sql.query(statement, &[limit.into()])?;
        rows.into_iter().next().map_or(Ok(0), |row| Columns::of("entries", row).number())
    }

    /// Returns at most `limit` leases, those that expire first before the others. Skips a row that can't be read, so
    /// that it does not block the others.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn leases(&self, limit: u32) -> Result<Vec<(PageKey, Lease)>, StoreError> {
        let rows = self.sql.query(
            "SELECT token, purpose, expires_at, attempt, key FROM leases ORDER BY expires_at LIMIT ?",
            &[u64::from(limit).into()],
        )?;
        let readable = |row| {
            let mut columns = Columns::of("leases", row);
            let token = columns.parsed(Version::parse).ok()?;
            let lease = lease(token, &mut columns).ok()?;
            Some((columns.parsed(|key| PageKey::from_stored(key).ok()).ok()?, lease))
        };
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Returns at most `limit` keys whose write to L2 is due. Skips a row that can't be read.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn writes_due(&self, now: Timestamp, limit: u32) -> Result<Vec<PageKey>, StoreError> {
        let rows = self.sql.query(
            "SELECT key FROM entries WHERE l2_due <= ? ORDER BY l2_due LIMIT ?",
            &[now.as_millis().into(), u64::from(limit).into()],
        )?;
        let readable = |row| Columns::of("entries", row).parsed(|key| PageKey::from_stored(key).ok()).ok();
        Ok(rows.into_iter().filter_map(readable).collect())
    }

    /// Returns when the next write to L2 is due.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn next_write(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.sql.query("SELECT MIN(l2_due) FROM entries WHERE l2_due IS NOT NULL", &[])?;
        let at = rows.into_iter().next().map(|row| Columns::of("entries", row).optional_number()).transpose()?;
        Ok(at.flatten().map(Timestamp::from_millis))
    }
}

/// Reads a row of [`LOAD_ENTRY`].
fn entry(key: &PageKey, row: Row) -> Result<Entry, StoreError> {
    let mut columns = Columns::of("entries", row);
    let time = |number: Option<u64>| number.map(Timestamp::from_millis);
    let version = columns.optional_text()?;
    let (status, rendered_at) = (columns.optional_number()?, columns.optional_number()?);
    let windows = Windows {
        fresh_until: time(columns.optional_number()?),
        stale_until: time(columns.optional_number()?),
        error_until: time(columns.optional_number()?),
    };
    let body_bytes = columns.optional_number()?;
    let failures = u32::try_from(columns.optional_number()?.unwrap_or_default()).unwrap_or(u32::MAX);
    let (retry_at, pass_until) = (time(columns.optional_number()?), time(columns.optional_number()?));
    let marked_by = columns.optional_text()?.as_deref().and_then(Version::parse);
    let pending = columns.optional_parsed(|text| match text {
        DELETE => Some(None),
        version => Version::parse(version).map(Some),
    })?;
    let (due, attempts) = (time(columns.optional_number()?), columns.optional_number()?.unwrap_or_default());
    let pending = pending.map(|version| PendingWrite {
        version,
        due: due.unwrap_or_default(),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
    });
    let written_at = time(columns.optional_number()?);
    let digest = columns.optional_parsed(Digest::parse)?;
    let (l2_version, l2_digest) = (columns.optional_parsed(Version::parse)?, columns.optional_parsed(Digest::parse)?);
    let copy = l2_version.zip(l2_digest).map(|(version, digest)| StoredCopy { version, digest });
    let has_validator = columns.optional_number()?.is_some();
    let unpublished = unpublished(&mut columns)?.filter(|unpublished| unpublished.is_about(marked_by, failures));
    let tags = columns.optional_text()?.unwrap_or_default();
    let mut tags = tags
        .split(TAG_SEPARATOR)
        .filter(|tag| !tag.is_empty())
        .map(|tag| Tag::parse(tag).map_err(|_| StoreError::Corrupt { table: "entry_tags", column: 0 }))
        .collect::<Result<Vec<Tag>, _>>()?;
    tags.sort_unstable();
    let lease = match columns.optional_parsed(Version::parse)? {
        Some(token) => Some(lease(token, &mut columns)?),
        None => None,
    };
    let page = match version {
        Some(version) => Some(PageMeta {
            key: key.clone(),
            version: Version::parse(&version).ok_or(StoreError::Corrupt { table: "entries", column: 0 })?,
            status: u16::try_from(status.unwrap_or_default()).unwrap_or_default(),
            rendered_at: time(rendered_at).unwrap_or_default(),
            windows,
            tags,
            body_bytes,
            digest,
            rules: ClientRules::default(),
            has_validator,
            vouched: None,
        }),
        None => None,
    };
    Ok(Entry { page, lease, failures, retry_at, pass_until, marked_by, unpublished, pending, written_at, copy })
}

fn unpublished(columns: &mut Columns) -> Result<Option<Unpublished>, StoreError> {
    let token = columns.optional_text()?.as_deref().and_then(Version::parse);
    let at = columns.optional_number()?.map(Timestamp::from_millis);
    let reason = columns.optional_text()?.map(|name| Reason::parse(&name).unwrap_or(Reason::Unknown));
    let detail = columns.optional_text()?.as_deref().map(Evidence::new);
    let known = token.zip(at).zip(reason);
    Ok(known.map(|((token, at), reason)| Unpublished { token, at, cause: Cause { reason, detail } }))
}

fn lease(token: Version, columns: &mut Columns) -> Result<Lease, StoreError> {
    Ok(Lease {
        token,
        purpose: columns
            .parsed(|name| [Purpose::Cold, Purpose::Background].into_iter().find(|p| purpose_name(*p) == name))?,
        expires_at: Timestamp::from_millis(columns.number()?),
        attempt: u32::try_from(columns.number()?).unwrap_or(u32::MAX),
    })
}

const fn purpose_name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Cold => "cold",
        Purpose::Background => "background",
    }
}
