//! The leases of an object, as SQLite has them: few enough to be kept in memory, so that no event scans a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::coordinator::Lease;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::version::Version;

/// All leases, by token and by the end of their time.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_token: BTreeMap<Version, (PageKey, Timestamp)>,
    by_end: BTreeSet<(Timestamp, Version)>,
}

impl Leases {
    /// Records that a page's lease has changed.
    pub(super) fn replace(&mut self, key: &PageKey, before: Option<Lease>, after: Option<Lease>) {
        if before == after {
            return;
        }
        if let Some((_, end)) = before.and_then(|lease| self.by_token.remove(&lease.token))
            && let Some(lease) = before
        {
            self.by_end.remove(&(end, lease.token));
        }
        if let Some(lease) = after {
            self.by_token.insert(lease.token, (key.clone(), lease.expires_at));
            self.by_end.insert((lease.expires_at, lease.token));
        }
    }

    /// Returns when the oldest render under way began.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.by_token.first_key_value().map(|(token, _)| token.time())
    }

    /// Returns when the first lease ends.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.by_end.first().map(|(end, _)| *end)
    }

    /// Returns the leases that have expired, and those whose render is not alive.
    pub(super) fn over(&self, now: Timestamp, is_alive: impl Fn(Version) -> bool) -> Vec<(PageKey, Version)> {
        let is_over = |(token, (_, end)): &(&Version, &(PageKey, Timestamp))| *end <= now || !is_alive(**token);
        self.by_token.iter().filter(is_over).map(|(token, (key, _))| (key.clone(), *token)).collect()
    }
}
