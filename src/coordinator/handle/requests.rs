//! The answers to requests, and when a render begins.

use std::time::Duration;

use super::{Handler, Room, Standing};
use crate::coordinator::action::{Action, Answer};
use crate::coordinator::entry::Purpose;
use crate::coordinator::event::WaiterId;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::version::Version;

/// How long a render that a client waits for may be queued.
pub(super) const COLD_PATIENCE: Duration = Duration::from_secs(10);

impl Handler<'_, '_> {
    pub(super) fn miss(&mut self, waiter: WaiterId) {
        self.lift();
        if let Some(until) = self.passing() {
            return self.answer(waiter, Answer::Pass { until, reason: self.pass_reason() });
        }
        match self.standing() {
            Standing::Fresh(page) => self.answer(waiter, Answer::Page(Box::new(page))),
            Standing::Stale(page) => {
                self.answer(waiter, Answer::Page(Box::new(page)));
                self.revalidate();
            }
            Standing::Unusable => self.join_render(waiter, true),
        }
    }

    pub(super) fn stale(&mut self, waiter: WaiterId, version: Version) {
        self.lift();
        if let Some(until) = self.passing() {
            return self.answer(waiter, Answer::Pass { until, reason: self.pass_reason() });
        }
        if let Standing::Fresh(page) = self.standing() {
            let newer = page.version > version;
            return self.answer(waiter, if newer { Answer::Page(Box::new(page)) } else { Answer::Unchanged });
        }
        self.revalidate();
        if self.entry.lease.is_some() {
            self.join(waiter);
        } else {
            self.answer(waiter, Answer::Unchanged);
        }
    }

    /// Renders a page again whose bytes can't be found. The page stays published: L2 may show it later. But L2 does not
    /// count as having its content, so that the render is written even if it has the same content.
    pub(super) fn bytes_lost(&mut self, waiter: WaiterId, version: Version) {
        if self.is_published(version) {
            self.entry.copy = None;
            self.join_render(waiter, false);
        } else {
            self.miss(waiter);
        }
    }

    /// Renders a page again that is not fresh, although no client asks for it.
    pub(super) fn refresh(&mut self) {
        self.lift();
        if !matches!(self.standing(), Standing::Fresh(_)) {
            self.revalidate();
        }
    }

    /// Lifts what an invalidation makes obsolete: a back-off, or a hit-for-pass marker. The origin is asked once more
    /// for an invalidated page.
    fn lift(&mut self) {
        if self.context.lifted {
            self.entry.retry_at = None;
            self.entry.pass_until = None;
            self.entry.marked_by = None;
            if self.entry.failures == 0 {
                self.entry.unpublished = None;
            }
        }
    }

    /// Returns why requests pass to the origin. Earlier code does not record it.
    fn pass_reason(&self) -> Option<Reason> {
        self.entry.unpublished.as_ref().map(|unpublished| unpublished.cause.reason)
    }

    /// Lets a request share a render, which begins if necessary and allowed. If no render may begin, the last good page
    /// is the answer, unless its bytes are the ones that the request could not find.
    fn join_render(&mut self, waiter: WaiterId, has_bytes: bool) {
        if self.entry.lease.is_some() {
            return self.join(waiter);
        }
        let refused = |reason| (reason, Answer::Refused { reason });
        let (reason, otherwise) = match (self.refusal(), self.context.room) {
            (Some(Refusal::Failing { reason, retry_at }), _) => (reason, Answer::Unavailable { retry_at, reason }),
            (Some(Refusal::Unpublished), _) => refused(Reason::Unpublished),
            (None, Room::None) => refused(Reason::QueueFull),
            (None, Room::Now) => {
                self.actions.push(Action::Wait { waiter });
                let expires_at = self.render_deadline();
                let token = self.grant(Purpose::Cold, expires_at, 0);
                return self.actions.push(Action::Render { token });
            }
            (None, Room::Later) => {
                self.actions.push(Action::Wait { waiter });
                let token = self.grant(Purpose::Cold, self.context.now.plus(COLD_PATIENCE), 0);
                return self.actions.push(Action::Enqueue { token });
            }
        };
        let stand_in = if has_bytes { self.stand_in(reason) } else { None };
        let answer = match stand_in {
            Some(stand_in) => stand_in,
            None if reason == Reason::Breaker && self.may_pass() => Answer::Refused { reason },
            None => otherwise,
        };
        self.answer(waiter, answer);
    }

    /// Sends the response that is arriving, or, if it has not begun, lets the request wait for it.
    fn join(&mut self, waiter: WaiterId) {
        match self.context.growing {
            Some(page) => self.answer(waiter, Answer::Growing(Box::new(page.clone()))),
            None => self.actions.push(Action::Wait { waiter }),
        }
    }

    /// Begins a background render, unless one is running or may not begin. Without room for it, the next stale event
    /// tries again.
    fn revalidate(&mut self) {
        if self.entry.lease.is_none() && self.context.may_drive && self.refusal().is_none() {
            self.drive(0);
        }
    }

    /// Returns whether a request may reach the origin, uncollapsed and unstored, although the breaker is open. A page
    /// whose own last render has failed may not: it would use up what there is for pages that may be well.
    fn may_pass(&mut self) -> bool {
        self.entry.failures == 0 && self.context.budget.take(self.context.now)
    }

    /// Returns whether the page was invalidated since it was rendered or marked. Such a page is rendered even while
    /// the breaker is open, because there is nothing else that shows the change.
    fn is_invalidated(&self) -> bool {
        self.context.lifted || self.context.invalidated.is_some()
    }

    /// Returns why no render may begin now: this page has failed, it could not be published, or the origin fails for
    /// other pages as well. If none is returned, a render must follow, because it may have been taken out of a budget.
    fn refusal(&mut self) -> Option<Refusal> {
        let now = self.context.now;
        match self.entry.retry_at.filter(|at| *at > now) {
            Some(retry_at) if self.entry.failures > 0 => Some(Refusal::Failing { reason: Reason::Backoff, retry_at }),
            Some(_) => Some(Refusal::Unpublished),
            None => {
                let retry_at = self.context.breaker.holds_until(now, self.entry.failures > 0)?;
                if self.is_invalidated() && self.context.budget.take(now) {
                    return None;
                }
                Some(Refusal::Failing { reason: Reason::Breaker, retry_at })
            }
        }
    }
}

/// Why no render may begin.
enum Refusal {
    /// The origin fails.
    Failing { reason: Reason, retry_at: Timestamp },
    /// The page could not be published, although the origin did not fail.
    Unpublished,
}
