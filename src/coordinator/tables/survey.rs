//! Answers the surveys of the admin API. Each statement reads a bounded number of rows.

use crate::coordinator::tables::CoordinatorStore;
use crate::inspection::answer::{PageState, RenderPurpose};
use crate::inspection::survey::{
    EntryPage, EntryQuestion, LeasePage, MAX_COUNTING, MAX_EXAMINED, MAX_JUDGED, MAX_RANKED, RANKED, RankedPage,
    RunningRender, ShardOverview,
};
use crate::invalidation::PathPrefix;
use crate::semantics::key::PageKey;
use crate::sql::{Columns, Row, Sql, StoreError, Value};
use crate::time::Timestamp;
use crate::version::Version;

/// The most keys that are counted.
const MAX_KEYS: u64 = 1_000_000;

impl<S: Sql> CoordinatorStore<S> {
    /// Describes the object as a whole. Leaves out what would take too long to count.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn overview(&self) -> Result<ShardOverview, StoreError> {
        let keys = self.count_up_to("entries", MAX_KEYS)?;
        let invalidations = self.count_up_to("invalidations", MAX_COUNTING)?;
        let is_cheap = keys.saturating_mul(1 + invalidations) <= MAX_COUNTING;
        let is_ranked = keys <= MAX_RANKED;
        let ranked = |order| if is_ranked { self.ranked(order) } else { Ok(Vec::new()) };
        Ok(ShardOverview {
            keys,
            state: if is_cheap { Some(self.shard_state()?) } else { None },
            breaker: self.breaker_state()?,
            last_decision: self.last_decision()?,
            hottest: ranked("WHERE version IS NOT NULL AND heat > 0 ORDER BY heat DESC, key")?,
            stalest: ranked(
                "WHERE version IS NOT NULL AND fresh_until <= (SELECT now FROM moment) ORDER BY fresh_until, key",
            )?,
        })
    }

    fn count_up_to(&self, table: &str, most: u64) -> Result<u64, StoreError> {
        let statement = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT ?)");
        let rows = self.sql().query(&statement, &[most.into()])?;
        Columns::of("entries", rows.into_iter().next().unwrap_or_default()).number()
    }

    fn ranked(&self, order: &str) -> Result<Vec<RankedPage>, StoreError> {
        let statement = format!("SELECT key, heat, rendered_at, fresh_until FROM entries {order} LIMIT ?");
        let page = |row: Row| {
            let mut columns = Columns::of("entries", row);
            Ok(RankedPage {
                key: columns.parsed(|key| PageKey::from_stored(key).ok())?,
                heat: columns.number()?,
                rendered_at: columns.optional_time()?,
                fresh_until: columns.optional_time()?,
            })
        };
        self.sql().query(&statement, &[u64::from(RANKED).into()])?.into_iter().map(page).collect()
    }

    /// Lists pages that meet all conditions. Examines a bounded number of rows, so that the list may be shorter than
    /// requested although more pages follow.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn entries(&self, question: &EntryQuestion) -> Result<EntryPage, StoreError> {
        let end = self.end_of_examined(question)?;
        let most = if question.state.is_some() { MAX_JUDGED } else { question.limit };
        let mut keys = self.candidates_for(question, end.as_ref(), most + 1)?;
        let is_cut = keys.len() > most as usize;
        keys.truncate(most as usize);
        let (mut pages, mut judged) = (Vec::new(), 0);
        let limit = question.limit as usize;
        for some in keys.chunks(limit.clamp(1, super::inspection::PAGES_A_STATEMENT)) {
            if pages.len() >= limit {
                break;
            }
            judged += some.len();
            let is_wanted = |page: &PageState| question.state.is_none_or(|state| page.state == state);
            pages.extend(self.page_states(some)?.into_iter().filter(is_wanted));
        }
        let last_page = pages.get(limit.saturating_sub(1)).map(|page| page.key.clone());
        let has_more = pages.len() > limit || judged < keys.len() || is_cut || end.is_some();
        pages.truncate(limit);
        let last_judged = keys.get(judged.wrapping_sub(1)).and_then(key_of).filter(|_| judged < keys.len() || is_cut);
        let after = last_page.or(last_judged).or(end);
        Ok(EntryPage { pages, after: after.filter(|_| has_more) })
    }

    /// Returns the last key that is examined, if keys follow it.
    fn end_of_examined(&self, question: &EntryQuestion) -> Result<Option<PageKey>, StoreError> {
        let after = Value::from(question.after.as_ref().map_or("", PageKey::as_str));
        let skipped = Value::from(u64::from(MAX_EXAMINED) - 1);
        let rows = match &question.tag {
            Some(tag) => self.sql().query(
                "SELECT key FROM entry_tags WHERE tag = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?",
                &[tag.as_str().into(), after, skipped],
            )?,
            None => self
                .sql()
                .query("SELECT key FROM entries WHERE key > ? ORDER BY key LIMIT 1 OFFSET ?", &[after, skipped])?,
        };
        Ok(rows.first().and_then(|row| row.first()).and_then(key_of))
    }

    /// Lists keys by path and tag.
    fn candidates_for(
        &self,
        question: &EntryQuestion,
        end: Option<&PageKey>,
        limit: u32,
    ) -> Result<Vec<Value>, StoreError> {
        let mut parameters = vec![Value::from(question.after.as_ref().map_or("", PageKey::as_str))];
        let mut statement = match &question.tag {
            Some(tag) => {
                parameters.push(tag.as_str().into());
                "SELECT t.key FROM entry_tags t JOIN entries e ON e.key = t.key WHERE t.key > ? AND t.tag = ?"
                    .to_owned()
            }
            None => "SELECT e.key FROM entries e WHERE e.key > ?".to_owned(),
        };
        if let Some(end) = end {
            statement.push_str(" AND e.key <= ?");
            parameters.push(end.as_str().into());
        }
        if let Some(prefix) = question.prefix.as_ref().map(PathPrefix::as_str).filter(|prefix| *prefix != "/") {
            // '0' is the character after '/'.
            statement.push_str(" AND (e.path = ? OR (e.path > ? AND e.path < ?))");
            parameters.extend([prefix.into(), format!("{prefix}/").into(), format!("{prefix}0").into()]);
        }
        statement.push_str(" ORDER BY e.key LIMIT ?");
        parameters.push(u64::from(limit).into());
        Ok(self.sql().query(&statement, &parameters)?.into_iter().flatten().collect())
    }

    /// Lists the running and queued renders, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn running(&self, limit: u32) -> Result<LeasePage, StoreError> {
        let total = self.count_up_to("leases", MAX_KEYS)?;
        let rows = self.sql().query(
            "SELECT key, token, purpose, expires_at, attempt FROM leases ORDER BY token LIMIT ?",
            &[u64::from(limit).into()],
        )?;
        Ok(LeasePage { total, leases: rows.into_iter().map(running).collect::<Result<_, _>>()? })
    }
}

fn running(row: Row) -> Result<RunningRender, StoreError> {
    let mut columns = Columns::of("leases", row);
    let key = columns.parsed(|key| PageKey::from_stored(key).ok())?;
    let token = columns.parsed(Version::parse)?;
    Ok(RunningRender {
        key,
        token,
        purpose: columns.parsed(RenderPurpose::parse)?,
        began_at: token.time(),
        expires_at: Timestamp::from_millis(columns.number()?),
        attempt: columns.number()?,
    })
}

fn key_of(value: &Value) -> Option<PageKey> {
    if let Value::Text(key) = value { PageKey::from_stored(key).ok() } else { None }
}
