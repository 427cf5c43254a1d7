//! Renders: how they begin, and one method for each way in which they end.

use std::time::Duration;

use super::requests::COLD_PATIENCE;
use super::{Handler, Room};
use crate::backoff;
use crate::coordinator::action::{Action, Answer};
use crate::coordinator::breaker::OriginResult;
use crate::coordinator::entry::{Lease, Purpose};
use crate::coordinator::event::RenderOutcome;
use crate::coordinator::unpublished::{Cause, Unpublished};
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::evidence::Unstorable;
use crate::semantics::storable::OriginFailure;
use crate::time::Timestamp;
use crate::version::Version;

/// Added to the render timeout for the work after the last byte: the registration of tags.
const LEASE_GRACE: Duration = Duration::from_secs(10);

/// How long a render may wait for the alarm to start it.
const QUEUE_PATIENCE: Duration = Duration::from_mins(10);

/// The pause after a render that could not be published although the origin did not fail.
const UNPUBLISHED_PAUSE: Duration = Duration::from_secs(1);

/// How often a render is repeated because the previous one could not be used. After that, the next request renders.
const MAX_ATTEMPTS: u32 = 5;

impl Handler<'_, '_> {
    /// Starts the time of the lease when the render begins, not when it was queued.
    pub(super) fn begun(&mut self, token: Version) {
        let expires_at = self.render_deadline();
        if let Some(lease) = self.entry.lease.as_mut().filter(|lease| lease.token == token) {
            lease.expires_at = expires_at;
        }
    }

    /// Answers waiters with the response that begins to arrive. Later requests get it through `growing`.
    pub(super) fn head(&mut self, token: Version, page: PageMeta) {
        let Some(lease) = self.entry.lease.filter(|lease| lease.token == token) else {
            return;
        };
        if self.context.invalidated >= Some(Mode::Expire) {
            return self.begin_anew(lease);
        }
        let page = if self.context.invalidated.is_some() { self.stale_from_now(page) } else { page };
        self.actions.push(Action::Share { token });
        self.actions.push(Action::AnswerWaiters { answer: Answer::Growing(Box::new(page)) });
    }

    pub(super) fn ended(&mut self, token: Version, outcome: RenderOutcome) {
        let Some(lease) = self.entry.lease.filter(|lease| lease.token == token) else {
            return; // The token is not current: the outcome is ignored.
        };
        self.tell_breaker(&outcome);
        match outcome {
            RenderOutcome::Done(page) => self.done(lease, page),
            RenderOutcome::Uncacheable(unstorable) => self.uncacheable(token, unstorable),
            // A repeated render is unconditional.
            RenderOutcome::Mismatched => self.begin_anew(lease),
            RenderOutcome::Failed(OriginFailure::Broken) if self.elects_another(lease) => self.begin_anew(lease),
            RenderOutcome::Failed(failure) => self.failed(token, failure),
            RenderOutcome::Unregistered => self.unpublished(token, Reason::TagIndex),
            RenderOutcome::NoRoom => self.no_room(token),
            RenderOutcome::Lost => self.lost(lease),
            RenderOutcome::TooOld => self.too_old(token),
            RenderOutcome::Refused => self.refused(Reason::QueueTimeout),
        }
    }

    /// Records in the breaker what the end of a render says about the origin.
    fn tell_breaker(&mut self, outcome: &RenderOutcome) {
        let (key, now, random) = (self.context.key, self.context.now, self.context.random);
        let failed = match outcome {
            RenderOutcome::Done(_) | RenderOutcome::Uncacheable(_) | RenderOutcome::Mismatched => {
                return self.context.breaker.succeeded(key, now);
            }
            RenderOutcome::Failed(failure) => OriginResult::of(*failure),
            RenderOutcome::TooOld => OriginResult::Unreachable,
            RenderOutcome::Unregistered | RenderOutcome::NoRoom | RenderOutcome::Lost | RenderOutcome::Refused => {
                return;
            }
        };
        self.context.breaker.failed(key, failed, now, random);
    }

    fn done(&mut self, lease: Lease, page: PageMeta) {
        match self.context.invalidated {
            // Waiters may have arrived after the invalidation, so they must not receive what was rendered before it.
            Some(Mode::Expire | Mode::Purge) => self.begin_anew(lease),
            Some(Mode::Stale) => self.publish(self.stale_from_now(page)),
            _ => self.publish(page),
        }
    }

    fn publish(&mut self, page: PageMeta) {
        self.release_lease();
        self.actions.push(Action::Hold { version: page.version });
        self.actions.push(Action::AnswerWaiters { answer: Answer::Page(Box::new(page.clone())) });
        let (version, is_served) = (page.version, self.copy_serves(&page));
        self.entry.page = Some(page);
        if !is_served {
            self.schedule_write(Some(version));
        }
    }

    fn uncacheable(&mut self, token: Version, unstorable: Unstorable) {
        self.release_lease();
        let until = self.context.now.plus(self.context.policy.pass_ttl);
        let reason = Some(unstorable.reason.reason());
        self.entry.pass_until = Some(until);
        self.mark(token, unstorable);
        self.actions.push(Action::AnswerWaiters { answer: Answer::Pass { until, reason } });
        self.drop_page();
    }

    /// Removes the page, here and from L2.
    pub(super) fn drop_page(&mut self) {
        if self.entry.page.take().is_some() {
            self.actions.push(Action::Release);
            self.schedule_write(None);
        }
    }

    /// Ends a lease whose render has got a response.
    fn release_lease(&mut self) {
        self.entry.lease = None;
        self.entry.failures = 0;
        self.entry.retry_at = None;
        self.entry.pass_until = None;
        self.entry.marked_by = None;
        self.entry.unpublished = None;
    }

    /// Records which render has left what this step records, and why it is not published.
    fn mark(&mut self, token: Version, cause: impl Into<Cause>) {
        self.entry.marked_by = Some(token);
        self.entry.unpublished = Some(Unpublished { token, at: self.context.now, cause: cause.into() });
    }

    /// Counts a failed render. The last good page stays. The origin may have asked for a longer pause.
    fn failed(&mut self, token: Version, failure: OriginFailure) {
        let reason = Reason::OriginError;
        self.back_off(token, failure.retry_after(), failure);
        let answer = self.stand_in(reason).unwrap_or(Answer::Relay { reason });
        self.actions.push(Action::AnswerWaiters { answer });
    }

    fn too_old(&mut self, token: Version) {
        let reason = Reason::RenderTimeout;
        let retry_at = self.back_off(token, Duration::ZERO, reason);
        let answer = self.stand_in(reason).unwrap_or(Answer::Unavailable { retry_at, reason });
        self.actions.push(Action::AnswerWaiters { answer });
    }

    /// Sends waiters a response that can't be published, although the origin did not fail.
    fn unpublished(&mut self, token: Version, reason: Reason) {
        self.entry.lease = None;
        self.mark(token, reason);
        self.entry.retry_at = Some(self.context.now.plus(UNPUBLISHED_PAUSE));
        self.actions.push(Action::AnswerWaiters { answer: Answer::Relay { reason } });
    }

    /// Gives up a render whose body had no room. The page stays as it is. The pauses differ, so that the renders that
    /// have displaced one another do not begin again at the same time.
    fn no_room(&mut self, token: Version) {
        let reason = Reason::NoRoom;
        self.entry.lease = None;
        self.mark(token, reason);
        let random = self.context.random;
        let pause = backoff::pause(1 + u32::from(random.is_multiple_of(2)), random >> 1, backoff::LONGEST);
        self.entry.retry_at = Some(self.context.now.plus(pause));
        let answer = self.stand_in(reason).unwrap_or(Answer::Refused { reason });
        self.actions.push(Action::AnswerWaiters { answer });
    }

    /// Gives up a render that has not begun. The origin has not failed.
    fn refused(&mut self, reason: Reason) {
        self.entry.lease = None;
        let answer = self.stand_in(reason).unwrap_or(Answer::Refused { reason });
        self.actions.push(Action::AnswerWaiters { answer });
    }

    /// Recovers a lease whose render died with the object, or whose caller did not use its ticket. A background render
    /// starts again; a client's render is over. One loss may be chance; repeated losses of the same page increase its
    /// back-off.
    fn lost(&mut self, lease: Lease) {
        if lease.purpose == Purpose::Background && lease.attempt < MAX_ATTEMPTS {
            return self.drive_again(lease);
        }
        self.entry.lease = None;
        self.mark(lease.token, Reason::Lost);
        self.entry.failures = self.entry.failures.saturating_add(1);
        if self.entry.failures > 1 {
            let pause = backoff::pause(self.entry.failures - 1, self.context.random, backoff::LONGEST);
            self.entry.retry_at = Some(self.context.now.plus(pause));
        }
        self.actions.push(Action::AnswerWaiters { answer: Answer::Refused { reason: Reason::Lost } });
    }

    /// Returns whether a broken connection is followed by another attempt at once. A GET may be repeated (RFC 9110
    /// §9.2.2), and waiters need not know. This happens once, and not while the origin is known to fail.
    fn elects_another(&self, lease: Lease) -> bool {
        lease.attempt == 0 && self.entry.failures == 0 && self.context.growing.is_none()
    }

    /// Renders again for the requests that still wait, because the result can't be used.
    fn begin_anew(&mut self, lease: Lease) {
        if lease.attempt >= MAX_ATTEMPTS {
            return self.unpublished(lease.token, Reason::Invalidated);
        }
        match lease.purpose {
            Purpose::Cold => {
                // The connection of the previous render may have been passed on.
                let is_now = self.context.room == Room::Now;
                let end = if is_now { self.render_deadline() } else { self.context.now.plus(COLD_PATIENCE) };
                let token = self.grant(Purpose::Cold, end, lease.attempt + 1);
                self.actions.push(if is_now { Action::Render { token } } else { Action::Enqueue { token } });
            }
            Purpose::Background => self.drive_again(lease),
        }
    }

    fn back_off(&mut self, token: Version, at_least: Duration, cause: impl Into<Cause>) -> Timestamp {
        self.entry.lease = None;
        self.mark(token, cause);
        self.entry.failures = self.entry.failures.saturating_add(1);
        let pause = backoff::pause(self.entry.failures, self.context.random, backoff::LONGEST).max(at_least);
        let retry_at = self.context.now.plus(pause);
        self.entry.retry_at = Some(retry_at);
        retry_at
    }

    /// Leaves another attempt to the alarm, if there is room for it. Otherwise the next request renders.
    fn drive_again(&mut self, lease: Lease) {
        if self.context.may_drive { self.drive(lease.attempt + 1) } else { self.refused(Reason::QueueFull) }
    }

    /// Leaves a render to the alarm.
    pub(super) fn drive(&mut self, attempt: u32) {
        let token = self.grant(Purpose::Background, self.context.now.plus(QUEUE_PATIENCE), attempt);
        self.actions.push(Action::Drive { token });
    }

    pub(super) fn grant(&mut self, purpose: Purpose, expires_at: Timestamp, attempt: u32) -> Version {
        let token = self.context.clock.issue(self.context.now, self.context.random);
        self.context.breaker.begun(self.context.now, self.context.random);
        self.entry.lease = Some(Lease { token, purpose, expires_at, attempt });
        token
    }

    pub(super) fn render_deadline(&self) -> Timestamp {
        self.context.now.plus(self.context.policy.render_timeout).plus(LEASE_GRACE)
    }
}
