//! What a coordinator knows of one key, and keeps in SQLite.

use crate::page::PageMeta;
use crate::semantics::digest::Digest;
use crate::time::Timestamp;
use crate::version::Version;

/// The persisted state of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The page as last published. Its bytes are in L2, or on the way there.
    pub page: Option<PageMeta>,
    /// Who renders it now.
    pub lease: Option<Lease>,
    /// How many renders have failed since the last one that did not.
    pub failures: u32,
    /// No render is begun before this time, because of those failures.
    pub retry_at: Option<Timestamp>,
    /// Until when requests pass to the site, because the site's answer was not one to be stored.
    pub pass_until: Option<Timestamp>,
    /// The token of the render that left `retry_at` or `pass_until`: an invalidation that came later lifts them.
    pub marked_by: Option<Version>,
    /// The write to L2 that is still to be made.
    pub pending: Option<PendingWrite>,
    /// When L2 was last written under this key: KV takes one write per key and second (platform limit).
    pub written_at: Option<Timestamp>,
    /// What L2 holds; `None` while that is not known for certain.
    pub copy: Option<StoredCopy>,
}

impl Entry {
    /// Tells whether anything is known of the key besides a lease: whether it has a row of its own.
    #[must_use]
    pub fn has_row(&self) -> bool {
        let Self { page, lease: _, failures, retry_at, pass_until, marked_by, pending, written_at, copy } = self;
        page.is_some()
            || *failures > 0
            || retry_at.is_some()
            || pass_until.is_some()
            || marked_by.is_some()
            || pending.is_some()
            || written_at.is_some()
            || copy.is_some()
    }
}

/// What L2 holds under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredCopy {
    /// The version, which may be older than the page's if that has the same content.
    pub version: Version,
    /// What it consists of.
    pub digest: Digest,
}

/// The right to render one key, held by one render at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: only the result that carries it is taken.
    pub token: Version,
    /// For whom the page is rendered.
    pub purpose: Purpose,
    /// When the render is given up.
    pub expires_at: Timestamp,
    /// How many renders in a row were begun because the one before could not be used: the page was invalidated under
    /// way, the connection broke, or the object died.
    pub attempt: u32,
}

/// For whom a page is rendered, and so what drives the render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A visitor waits, and nothing can be served meanwhile. The render runs in the request.
    Cold,
    /// A stale copy is served meanwhile. The alarm drives the render, whoever comes or goes.
    Background,
}

/// A change of L2 that is decided and not yet known to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// The version to be written, or `None` for a deletion.
    pub version: Option<Version>,
    /// When to make the (next) attempt.
    pub due: Timestamp,
    /// How many attempts have failed.
    pub attempts: u32,
}

impl Entry {
    /// Returns when this key wants attention next: a lease ends, or a write to L2 is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let lease = self.lease.map(|lease| lease.expires_at);
        let write = self.pending.map(|write| write.due);
        lease.into_iter().chain(write).min()
    }
}
