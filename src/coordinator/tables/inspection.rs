//! Reads the views of `migrations/coordinator/` for callers.

use crate::coordinator::tables::CoordinatorStore;
use crate::inspection::answer::{
    BreakerState, BreakerWord, InvalidatedBy, L2State, L2Status, PageState, Pages, PendingWrites, RenderPurpose,
    Rendering, ShardAnswer, ShardQuestion, ShardState, State, Sweeps, Totals, UnpublishedRender,
};
use crate::inspection::health::{MAX_COUNTED, REFUSED_ATTEMPTS};
use crate::invalidation::Mode;
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::sql::{Columns, Row, Sql, StoreError, Value};
use crate::version::Version;

#[cfg(test)]
mod tests;

/// The number of pages that one statement reads. Each page takes a parameter, and a statement has at most 100 (platform
/// limit).
pub(super) const PAGES_A_STATEMENT: usize = 90;

/// Separates tags in `page_state`. No tag contains it.
const TAG_SEPARATOR: &str = ", ";

const PAGE_COLUMNS: &str = "key, path, state, version, status, body_bytes, tags, heat, render_began_at, rendered_at, \
    fresh_until, stale_until, error_until, invalidated_by, invalidated_kind, invalidated_name, invalidated_mode, \
    invalidated_at, failures, failure_began_at, retry_at, pass_until, unpublished_reason, unpublished_detail, \
    unpublished_at, rendering, rendering_since, rendering_until, rendering_attempt, l2, l2_version, l2_written_at, l2_due, l2_attempts";

impl<S: Sql> CoordinatorStore<S> {
    /// Returns the state of pages.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn inspect(&self, question: &ShardQuestion) -> Result<ShardAnswer, StoreError> {
        let mut keys = self.listed(question)?;
        let more = keys.len() > question.limit as usize;
        keys.truncate(question.limit as usize);
        let mut pages = Vec::with_capacity(keys.len());
        for some in keys.chunks(PAGES_A_STATEMENT) {
            pages.extend(self.page_states(some)?);
        }
        let (shard, totals) = match &question.pages {
            Pages::All if question.totals => (Some(self.shard_state()?), None),
            Pages::Tag(tag) if question.totals => (None, Some(self.tag_totals(tag)?)),
            _ => (None, None),
        };
        let breaker = Some(self.breaker_state()?);
        let is_whole = question.pages == Pages::All;
        let refused_by_l2 = if is_whole { Some(self.pending_writes()?.1) } else { None };
        Ok(ShardAnswer { shard, totals, pages, more, breaker, refused_by_l2 })
    }

    /// Returns the states of at most [`PAGES_A_STATEMENT`] pages, in the order of their keys.
    pub(super) fn page_states(&self, keys: &[Value]) -> Result<Vec<PageState>, StoreError> {
        let places = vec!["?"; keys.len()].join(", ");
        let statement = format!("SELECT {PAGE_COLUMNS} FROM page_state WHERE key IN ({places}) ORDER BY key");
        self.sql().query(&statement, keys)?.into_iter().map(page_state).collect()
    }

    /// Lists the requested keys, and one more if there are more.
    fn listed(&self, question: &ShardQuestion) -> Result<Vec<Value>, StoreError> {
        if question.limit == 0 {
            return Ok(Vec::new());
        }
        let after = Value::from(question.after.as_ref().map_or("", PageKey::as_str));
        let (statement, mut parameters) = match &question.pages {
            // Each side is already sorted by key, and SQLite reads no further than necessary.
            Pages::All => (
                "SELECT key FROM entries WHERE key > ? UNION SELECT key FROM leases WHERE key > ? ORDER BY key LIMIT ?",
                vec![after.clone(), after],
            ),
            Pages::Path(path) => (
                "SELECT key FROM page_state WHERE path = ? AND key > ? ORDER BY key LIMIT ?",
                vec![path.as_str().into(), after],
            ),
            Pages::Tag(tag) => (
                "SELECT key FROM entry_tags WHERE tag = ? AND key > ? ORDER BY key LIMIT ?",
                vec![tag.as_str().into(), after],
            ),
        };
        parameters.push((u64::from(question.limit) + 1).into());
        Ok(self.sql().query(statement, &parameters)?.into_iter().flatten().collect())
    }

    /// Returns the breaker as `shard_state` shows it, without a look at the pages.
    pub(crate) fn breaker_state(&self) -> Result<BreakerState, StoreError> {
        let rows = self.sql().query(
            "SELECT CASE WHEN COALESCE(b.pauses, 0) = 0 THEN 'closed' WHEN b.probe_at > m.now THEN 'open' \
             ELSE 'half-open' END, COALESCE(b.failures, 0), CASE WHEN b.pauses > 0 THEN b.probe_at END \
             FROM moment m LEFT JOIN breaker b ON 1",
            &[],
        )?;
        breaker(&mut Columns::of("breaker", rows.into_iter().next().unwrap_or_default()))
    }

    /// Counts the pending writes to L2, and those of them that L2 has refused again and again.
    pub(crate) fn pending_writes(&self) -> Result<(u64, u64), StoreError> {
        let statement = "SELECT COUNT(*), COUNT(*) FILTER (WHERE l2_attempts >= ?) FROM \
            (SELECT l2_attempts FROM entries WHERE l2_due IS NOT NULL LIMIT ?)";
        let rows = self.sql().query(statement, &[u64::from(REFUSED_ATTEMPTS).into(), MAX_COUNTED.into()])?;
        rows.into_iter().next().map_or(Ok((0, 0)), |row| {
            let mut columns = Columns::of("entries", row);
            Ok((columns.number()?, columns.number()?))
        })
    }

    fn tag_totals(&self, tag: &Tag) -> Result<Totals, StoreError> {
        let statement = "SELECT pages, fresh, stale, expired FROM tag_state WHERE tag = ?";
        let row = self.sql().query(statement, &[tag.as_str().into()])?.into_iter().next();
        row.map_or(Ok(Totals::default()), |row| totals(&mut Columns::of("tag_state", row)))
    }

    pub(super) fn shard_state(&self) -> Result<ShardState, StoreError> {
        let rows = self.sql().query(
            "SELECT pages, fresh, stale, expired, passing, failing, tags, renders, l2_pending, l2_failing, breaker, \
             breaker_failures, probe_at, open_sweeps, sweep_pages, last_invalidation FROM shard_state",
            &[],
        )?;
        let mut columns = Columns::of("shard_state", rows.into_iter().next().unwrap_or_default());
        Ok(ShardState {
            pages: totals(&mut columns)?,
            passing: columns.number()?,
            failing: columns.number()?,
            tags: columns.number()?,
            renders: columns.number()?,
            l2: PendingWrites { pending: columns.number()?, failing: columns.number()? },
            breaker: breaker(&mut columns)?,
            sweeps: Sweeps { open: columns.number()?, pages: columns.number()? },
            last_invalidation: columns.optional_number()?,
        })
    }
}

/// Reads a row of [`PAGE_COLUMNS`].
fn page_state(row: Row) -> Result<PageState, StoreError> {
    let mut columns = Columns::of("page_state", row);
    Ok(PageState {
        key: columns.parsed(|key| PageKey::from_stored(key).ok())?,
        path: columns.text()?,
        state: columns.parsed(State::parse)?,
        version: columns.optional_parsed(Version::parse)?,
        status: columns.optional_number()?.and_then(|status| u16::try_from(status).ok()),
        body_bytes: columns.optional_number()?,
        tags: columns
            .optional_parsed(|tags| tags.split(TAG_SEPARATOR).map(|tag| Tag::parse(tag).ok()).collect())?
            .unwrap_or_default(),
        heat: columns.number()?,
        render_began_at: columns.optional_time()?,
        rendered_at: columns.optional_time()?,
        fresh_until: columns.optional_time()?,
        stale_until: columns.optional_time()?,
        error_until: columns.optional_time()?,
        invalidated: invalidated(&mut columns)?,
        failures: columns.number()?,
        failure_began_at: columns.optional_time()?,
        retry_at: columns.optional_time()?,
        pass_until: columns.optional_time()?,
        unpublished: unpublished(&mut columns)?,
        rendering: rendering(&mut columns)?,
        l2: L2State {
            state: columns.parsed(|word| match word {
                "none" => Some(L2Status::None),
                "written" => Some(L2Status::Written),
                "writing" => Some(L2Status::Writing),
                "deleting" => Some(L2Status::Deleting),
                "unknown" => Some(L2Status::Unknown),
                _ => None,
            })?,
            version: columns.optional_parsed(Version::parse)?,
            written_at: columns.optional_time()?,
            due_at: columns.optional_time()?,
            attempts: columns.number()?,
        },
    })
}

fn invalidated(columns: &mut Columns) -> Result<Option<InvalidatedBy>, StoreError> {
    let (seq, kind, name) = (columns.optional_number()?, columns.optional_text()?, columns.optional_text()?);
    let (mode, at) = (columns.optional_parsed(|word| Some(Mode::recorded(word)))?, columns.optional_time()?);
    Ok(seq.zip(kind).zip(name).zip(mode.zip(at)).map(|(((seq, kind), name), (mode, at))| InvalidatedBy {
        seq,
        kind,
        name,
        mode,
        at,
    }))
}

fn breaker(columns: &mut Columns) -> Result<BreakerState, StoreError> {
    Ok(BreakerState {
        state: columns.parsed(|word| match word {
            "closed" => Some(BreakerWord::Closed),
            "open" => Some(BreakerWord::Open),
            "half-open" => Some(BreakerWord::HalfOpen),
            _ => None,
        })?,
        failures: columns.number()?,
        probe_at: columns.optional_time()?,
    })
}

fn unpublished(columns: &mut Columns) -> Result<Option<UnpublishedRender>, StoreError> {
    let reason = columns.optional_text()?.map(|name| Reason::parse(&name).unwrap_or(Reason::Unknown));
    let (detail, at) = (columns.optional_text()?, columns.optional_time()?);
    Ok(reason.zip(at).map(|(reason, at)| UnpublishedRender { reason, detail, at }))
}

fn rendering(columns: &mut Columns) -> Result<Option<Rendering>, StoreError> {
    let purpose = columns.optional_parsed(RenderPurpose::parse)?;
    let (began_at, expires_at, attempt) =
        (columns.optional_time()?, columns.optional_time()?, columns.optional_number()?);
    Ok(purpose.map(|purpose| Rendering {
        purpose,
        began_at: began_at.unwrap_or_default(),
        expires_at: expires_at.unwrap_or_default(),
        attempt: attempt.unwrap_or_default(),
    }))
}

fn totals(columns: &mut Columns) -> Result<Totals, StoreError> {
    Ok(Totals {
        total: columns.number()?,
        fresh: columns.number()?,
        stale: columns.number()?,
        expired: columns.number()?,
    })
}
