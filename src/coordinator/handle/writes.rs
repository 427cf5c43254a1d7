//! When the coordinator writes to L2.

use std::time::Duration;

use super::Handler;
use crate::backoff;
use crate::coordinator::action::Action;
use crate::coordinator::entry::{Entry, PendingWrite, StoredCopy};
use crate::page::PageMeta;
use crate::version::Version;

/// KV accepts one write per key and second (platform limit).
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// The maximum time that L2 may hold the same content under an older version.
const COPY_LIFE: Duration = Duration::from_hours(1);

impl Handler<'_, '_> {
    /// Returns whether the content of L2 equals the page, so that no write is needed: the same content under an older
    /// version, not invalidated since, and recent enough.
    ///
    /// This is safe, because an edge that finds the older version serves the same bytes. In the worst case, the edge
    /// treats them as stale, reports this to the coordinator, and receives the newer version for L1. It never finds
    /// them expired or missing: they are replaced long before.
    pub(super) fn copy_serves(&self, page: &PageMeta) -> bool {
        let Some(copy) = self.entry.copy else {
            return false;
        };
        let life = page.windows.stale_until.map_or(Duration::MAX, |end| end.since(page.render_start()));
        let age = page.render_start().since(copy.version.time());
        self.entry.pending.is_none()
            && !self.context.copy_invalidated
            && page.digest == Some(copy.digest)
            && age <= COPY_LIFE.min(life / 8)
    }

    /// Writes a page again that L2 has lost, or, if its bytes are not held, does so after its next render.
    pub(super) fn copy_lost(&mut self, version: Version, is_held: bool) {
        if self.entry.pending.is_some() || !self.is_published(version) {
            return; // A newer decision is on its way.
        }
        self.entry.copy = None;
        if is_held {
            self.schedule_write(Some(version));
        }
    }

    /// Forgets the key. Its bytes are deleted from L2, and its row stays until L2 has accepted that, and until the next
    /// write under the key may follow.
    pub(super) fn displaced(&mut self) {
        let now = self.context.now;
        let backs_off = self.entry.retry_at.is_some_and(|at| at > now);
        if self.entry.lease.is_some() || self.entry.pending.is_some() || backs_off {
            return;
        }
        self.drop_page();
        self.entry = Entry { pending: self.entry.pending, written_at: self.entry.written_at, ..Entry::default() };
        let may_be_written = self.entry.written_at.is_none_or(|last| last.plus(WRITE_INTERVAL) <= now);
        if self.entry.pending.is_none() && may_be_written {
            self.entry = Entry::default();
        }
    }

    pub(super) fn written(&mut self, version: Option<Version>) {
        self.entry.written_at = Some(self.context.now);
        match &mut self.entry.pending {
            Some(pending) if pending.version == version => {
                self.entry.pending = None;
                let page = self.entry.page.as_ref().filter(|page| Some(page.version) == version);
                self.entry.copy =
                    page.and_then(|page| Some(StoredCopy { version: page.version, digest: page.digest? }));
            }
            // A newer write was decided during this one.
            Some(pending) => pending.due = self.context.now.plus(WRITE_INTERVAL),
            None => {}
        }
        self.mend_overtaken(version);
    }

    /// Writes the current version again after an overtaken, older write has arrived last.
    fn mend_overtaken(&mut self, version: Option<Version>) {
        let current = self.entry.page.as_ref().map(|page| page.version);
        let is_known = version == current || self.entry.copy.is_some_and(|copy| Some(copy.version) == version);
        if self.entry.pending.is_none() && !is_known {
            self.schedule_write(current);
        }
    }

    pub(super) fn write_failed(&mut self, version: Option<Version>) {
        self.entry.written_at = Some(self.context.now);
        if let Some(pending) = self.entry.pending.as_mut() {
            if pending.version == version {
                pending.attempts = pending.attempts.saturating_add(1);
            }
            let pause = backoff::pause(pending.attempts.max(1), self.context.random, backoff::LONGEST);
            pending.due = self.context.now.plus(pause);
        }
        self.mend_overtaken(version);
    }

    /// Removes a page whose bytes were lost before L2 had them. It is rendered again, and never counts as published.
    pub(super) fn write_lost(&mut self, version: Version) {
        if self.entry.pending.is_some_and(|pending| pending.version == Some(version)) {
            self.entry.pending = None;
            if self.entry.page.as_ref().is_some_and(|page| page.version == version) {
                self.entry.page = None;
            }
        }
    }

    /// Schedules a write to L2: now, or a second after the previous write. The newest decision replaces earlier ones.
    pub(super) fn schedule_write(&mut self, version: Option<Version>) {
        let now = self.context.now;
        let earliest = self.entry.written_at.map_or(now, |last| last.plus(WRITE_INTERVAL));
        // While a write is under way, the next one waits for its end.
        let due = if self.entry.pending.is_some() { earliest.max(now.plus(WRITE_INTERVAL)) } else { earliest };
        self.entry.pending = Some(PendingWrite { version, due, attempts: 0 });
        self.entry.copy = None;
        self.write_due();
    }

    /// Begins the write that is due. If its result never arrives, because the object died, the alarm begins it again.
    /// The retry is due when the alarm would have examined the render, so the alarm need not be set again.
    pub(super) fn write_due(&mut self) {
        let (now, patience) = (self.context.now, self.render_deadline());
        if let Some(pending) = self.entry.pending.as_mut().filter(|pending| pending.due <= now) {
            pending.due = patience;
            self.actions.push(pending.version.map_or(Action::Delete, |version| Action::Write { version }));
        }
    }
}
