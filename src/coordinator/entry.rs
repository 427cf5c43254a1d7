//! The state of one key, which SQLite stores.

use crate::coordinator::unpublished::Unpublished;
use crate::page::PageMeta;
use crate::semantics::digest::Digest;
use crate::semantics::statuses;
use crate::time::Timestamp;
use crate::version::Version;

/// The persisted state of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The page as last published. Its bytes are in L2, or their write is due.
    pub page: Option<PageMeta>,
    /// The lease of the render under way.
    pub lease: Option<Lease>,
    /// The number of failed renders since the last successful one.
    pub failures: u32,
    /// No render begins before this time, because of those failures.
    pub retry_at: Option<Timestamp>,
    /// Requests go to the origin until this time, because its response may not be stored (hit-for-pass marker).
    pub pass_until: Option<Timestamp>,
    /// The token of the render that set `retry_at` or `pass_until`. A later invalidation lifts them.
    pub marked_by: Option<Version>,
    /// Why the last render was not published, while that has an effect. Shown to operators and clients; no decision
    /// depends on it.
    pub unpublished: Option<Unpublished>,
    /// The write to L2 that is still due.
    pub pending: Option<PendingWrite>,
    /// The last write to L2 under this key. KV accepts one write per key and second (platform limit).
    pub written_at: Option<Timestamp>,
    /// The content of L2; `None` while that is not known for certain.
    pub copy: Option<StoredCopy>,
}

impl Entry {
    /// Returns whether the key needs a row of its own: whether the entry has anything except a lease.
    #[must_use]
    pub fn has_row(&self) -> bool {
        // Whatever `unpublished` explains is in another field.
        let Self {
            page,
            lease: _,
            failures,
            retry_at,
            pass_until,
            marked_by,
            unpublished: _,
            pending,
            written_at,
            copy,
        } = self;
        page.is_some()
            || *failures > 0
            || retry_at.is_some()
            || pass_until.is_some()
            || marked_by.is_some()
            || pending.is_some()
            || written_at.is_some()
            || copy.is_some()
    }

    /// Returns whether nothing is left of the key except what concerns its copy in L2, such as a deletion that is due.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        let Self { pending, written_at, copy, .. } = *self;
        *self == Self { pending, written_at, copy, ..Self::default() }
    }

    /// Returns whether the key has a row, but no page, or one that says that there is none.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.has_row() && self.page.as_ref().is_none_or(|page| statuses::is_not_found(page.status))
    }
}

/// The content of L2 under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredCopy {
    /// The version. It may be older than the page's if both have the same content.
    pub version: Version,
    /// The digest of its content.
    pub digest: Digest,
}

/// The right to render one key. At most one render holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The fencing token: only a result with this token is accepted.
    pub token: Version,
    /// The purpose of the render.
    pub purpose: Purpose,
    /// When the coordinator gives up the render.
    pub expires_at: Timestamp,
    /// The number of consecutive renders that began because the previous one could not be used: the page was
    /// invalidated during the render, the connection broke, or the object died.
    pub attempt: u32,
}

/// The purpose of a render. It determines what drives the render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client waits, and there is nothing to serve meanwhile. The render runs within the request.
    Cold,
    /// Edges serve a stale page meanwhile. The alarm drives the render, even if clients disconnect.
    Background,
}

/// A change of L2 that is decided but not confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// The version to write, or `None` for a deletion.
    pub version: Option<Version>,
    /// When the next attempt is due.
    pub due: Timestamp,
    /// The number of failed attempts.
    pub attempts: u32,
}

impl Entry {
    /// Returns when this key next needs the alarm: a lease ends, or a write to L2 is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let lease = self.lease.map(|lease| lease.expires_at);
        let write = self.pending.map(|write| write.due);
        lease.into_iter().chain(write).min()
    }
}
