//! The step of the state machine.

use std::time::Duration;

use crate::coordinator::action::{Action, Answer};
use crate::coordinator::backoff;
use crate::coordinator::entry::{Entry, Lease, PendingWrite, Purpose};
use crate::coordinator::event::{Event, RenderResult, WaiterId};
use crate::feed::Mode;
use crate::page::PageMeta;
use crate::semantics::freshness::Freshness;
use crate::semantics::storable::NotStored;
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// Added to the render timeout for what comes after the last byte: the registration of tags.
const LEASE_GRACE: Duration = Duration::from_secs(10);

/// How long a render may wait for the alarm to begin it.
const QUEUE_PATIENCE: Duration = Duration::from_mins(10);

/// How long the next render waits after one that could not be published although the site did not fail.
const UNPUBLISHED_PAUSE: Duration = Duration::from_secs(1);

/// KV takes one write per key and second (platform limit).
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// After this time without news of a write, it is made again.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// How often a render is begun anew because its page was invalidated under way, or because the object died, before
/// it is left to the next request.
const MAX_ATTEMPTS: u32 = 5;

/// The settings of the key's route that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a stale copy may be served.
    pub expire: Duration,
    /// How long a render may take.
    pub render_timeout: Duration,
    /// How long a response that may not be stored is remembered as such.
    pub pass_ttl: Duration,
}

/// What the step needs to know besides the entry and the event.
#[derive(Debug)]
pub struct Context<'a> {
    /// The time.
    pub now: Timestamp,
    /// Random bits, new for each step.
    pub random: u128,
    /// Issues fencing tokens; to be saved with the entry.
    pub clock: &'a mut Clock,
    /// The settings.
    pub policy: Policy,
    /// Whether there is room for another render.
    pub may_render: bool,
    /// Whether an invalidation of this key was received since the render that `entry.marked_by` names began.
    pub lifted: bool,
    /// The strongest invalidation received since the render of the page in question began: of the page that the event
    /// brings, or else of the entry's page.
    pub invalidated: Option<Mode>,
}

/// Takes an event, and returns the next state of the entry and what is to be done.
#[must_use]
pub fn handle(entry: Entry, event: Event, context: &mut Context<'_>) -> (Entry, Vec<Action>) {
    let mut step = Step { entry, context, actions: Vec::new() };
    match event {
        Event::Miss { waiter } => step.miss(waiter),
        Event::Stale { waiter, version } => step.stale(waiter, version),
        Event::Begun { token } => step.begun(token),
        Event::BytesLost { waiter, version } => step.bytes_lost(waiter, version),
        Event::Rendered { token, result } => step.rendered(token, result),
        Event::LeaseExpired => step.lease_expired(),
        Event::LeaseOrphaned => step.lease_orphaned(),
        Event::WriteDue => step.write_due(),
        Event::Written { version } => step.written(version),
        Event::WriteFailed { version } => step.write_failed(version),
        Event::WriteLost { version } => step.write_lost(version),
    }
    (step.entry, step.actions)
}

/// One step under way.
struct Step<'a, 'c> {
    entry: Entry,
    context: &'a mut Context<'c>,
    actions: Vec<Action>,
}

impl Step<'_, '_> {
    fn miss(&mut self, waiter: WaiterId) {
        self.tidy();
        if let Some(until) = self.passing() {
            return self.answer(waiter, Answer::Pass { until, reason: None });
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

    /// Lets a request wait for a render, which begins if need be and if it may. If it may not, the last good copy
    /// stands in, unless its bytes are what the request has not found.
    fn join_render(&mut self, waiter: WaiterId, has_bytes: bool) {
        if self.entry.lease.is_some() {
            return self.actions.push(Action::Park { waiter });
        }
        let (detail, otherwise) = match self.backing_off() {
            Some(retry_at) if self.entry.failures > 0 => ("backoff", Answer::Unavailable { retry_at }),
            Some(_) => ("backoff", Answer::Busy),
            None if !self.context.may_render => ("busy", Answer::Busy),
            None => {
                self.actions.push(Action::Park { waiter });
                let token = self.grant(Purpose::Cold, 0);
                return self.actions.push(Action::Render { token });
            }
        };
        let answer = if has_bytes { self.stand_in(detail) } else { None };
        self.answer(waiter, answer.unwrap_or(otherwise));
    }

    /// Ends a lease that is over, and lifts what an invalidation has made pointless: a pause after failures, or a pass
    /// mark. What was invalidated is asked for once more.
    fn tidy(&mut self) {
        self.lease_expired();
        if self.context.lifted {
            self.entry.retry_at = None;
            self.entry.pass_until = None;
            self.entry.marked_by = None;
        }
    }

    fn stale(&mut self, waiter: WaiterId, version: Version) {
        self.tidy();
        if let Some(until) = self.passing() {
            return self.answer(waiter, Answer::Pass { until, reason: None });
        }
        if let Standing::Fresh(page) = self.standing() {
            let newer = page.version > version;
            return self.answer(waiter, if newer { Answer::Page(Box::new(page)) } else { Answer::Unchanged });
        }
        self.revalidate();
        if self.entry.lease.is_some() {
            self.actions.push(Action::Park { waiter });
        } else {
            self.answer(waiter, Answer::Unchanged);
        }
    }

    /// Renders a page again that can't be handed out. It is not forgotten before: L2 may show it yet.
    fn bytes_lost(&mut self, waiter: WaiterId, version: Version) {
        if self.entry.page.as_ref().is_some_and(|page| page.version == version) {
            self.join_render(waiter, false);
        } else {
            self.miss(waiter);
        }
    }

    /// Counts the time of the lease from the beginning of the render, not from when it was queued.
    fn begun(&mut self, token: Version) {
        let expires_at = self.render_deadline();
        if let Some(lease) = self.entry.lease.as_mut().filter(|lease| lease.token == token) {
            lease.expires_at = expires_at;
        }
    }

    fn rendered(&mut self, token: Version, result: RenderResult) {
        let Some(lease) = self.entry.lease.filter(|lease| lease.token == token) else {
            return; // The lease has passed on: nothing of this result counts.
        };
        match (result, self.context.invalidated) {
            // Those who wait may have come after the invalidation: what was rendered before it is not for them.
            (RenderResult::Page(_), Some(Mode::Expire)) => self.begin_anew(lease),
            (RenderResult::Page(page), invalidated) => {
                let page = if invalidated.is_some() { self.stale_from_now(page) } else { page };
                self.publish(page);
            }
            (RenderResult::NotStored(reason), _) => self.not_stored(token, reason),
            (RenderResult::Failed(_), _) => self.failed(token),
            (RenderResult::Unregistered, _) => self.unpublished(token, "tag-index"),
        }
    }

    fn publish(&mut self, page: PageMeta) {
        self.entry.lease = None;
        self.entry.failures = 0;
        self.entry.retry_at = None;
        self.entry.pass_until = None;
        self.entry.marked_by = None;
        self.actions.push(Action::Hold { version: page.version });
        self.actions.push(Action::AnswerParked { answer: Answer::Page(Box::new(page.clone())) });
        let version = page.version;
        self.entry.page = Some(page);
        self.schedule_write(Some(version));
    }

    fn not_stored(&mut self, token: Version, reason: NotStored) {
        let until = self.context.now.plus(self.context.policy.pass_ttl);
        self.entry.lease = None;
        self.entry.failures = 0;
        self.entry.retry_at = None;
        self.entry.pass_until = Some(until);
        self.entry.marked_by = Some(token);
        self.actions.push(Action::AnswerParked { answer: Answer::Pass { until, reason: Some(reason) } });
        if self.entry.page.take().is_some() {
            self.actions.push(Action::Release);
            self.schedule_write(None);
        }
    }

    /// Counts a failed render. The last good copy stays.
    fn failed(&mut self, token: Version) {
        let detail = "site-error";
        self.back_off(token);
        let answer = self.stand_in(detail).unwrap_or(Answer::Relay { detail });
        self.actions.push(Action::AnswerParked { answer });
    }

    fn lease_expired(&mut self) {
        if let Some(lease) = self.entry.lease.filter(|lease| lease.expires_at <= self.context.now) {
            let retry_at = self.back_off(lease.token);
            let answer = self.stand_in("render-timeout").unwrap_or(Answer::Unavailable { retry_at });
            self.actions.push(Action::AnswerParked { answer });
        }
    }

    fn back_off(&mut self, token: Version) -> Timestamp {
        self.entry.lease = None;
        self.entry.marked_by = Some(token);
        self.entry.failures = self.entry.failures.saturating_add(1);
        let retry_at = self.context.now.plus(backoff::pause(self.entry.failures, self.context.random));
        self.entry.retry_at = Some(retry_at);
        retry_at
    }

    /// Hands a render on that can't be published, although the site did not fail.
    fn unpublished(&mut self, token: Version, detail: &'static str) {
        self.entry.lease = None;
        self.entry.marked_by = Some(token);
        self.entry.retry_at = Some(self.context.now.plus(UNPUBLISHED_PAUSE));
        self.actions.push(Action::AnswerParked { answer: Answer::Relay { detail } });
    }

    /// Takes up a lease whose render died with the object: a background render is driven again, a visitor's is over.
    fn lease_orphaned(&mut self) {
        match self.entry.lease {
            Some(lease) if lease.purpose == Purpose::Background && lease.attempt < MAX_ATTEMPTS => {
                let token = self.grant(Purpose::Background, lease.attempt + 1);
                self.actions.push(Action::Drive { token });
            }
            Some(_) => {
                self.entry.lease = None;
                self.actions.push(Action::AnswerParked { answer: Answer::Busy });
            }
            None => {}
        }
    }

    /// Renders again what was invalidated while it was rendered.
    fn begin_anew(&mut self, lease: Lease) {
        if lease.attempt >= MAX_ATTEMPTS {
            return self.unpublished(lease.token, "invalidated");
        }
        let token = self.grant(lease.purpose, lease.attempt + 1);
        self.actions.push(match lease.purpose {
            Purpose::Cold => Action::Render { token },
            Purpose::Background => Action::Drive { token },
        });
    }

    fn written(&mut self, version: Option<Version>) {
        self.entry.written_at = Some(self.context.now);
        match &mut self.entry.pending {
            Some(pending) if pending.version == version => self.entry.pending = None,
            // Something newer was decided while this was written.
            Some(pending) => pending.due = self.context.now.plus(WRITE_INTERVAL),
            None => {}
        }
        self.mend_overtaken(version);
    }

    /// Writes the current version once more after an older write that has been overtaken came last.
    fn mend_overtaken(&mut self, version: Option<Version>) {
        let current = self.entry.page.as_ref().map(|page| page.version);
        if self.entry.pending.is_none() && version != current {
            self.schedule_write(current);
        }
    }

    fn write_failed(&mut self, version: Option<Version>) {
        self.entry.written_at = Some(self.context.now);
        if let Some(pending) = self.entry.pending.as_mut() {
            if pending.version == version {
                pending.attempts = pending.attempts.saturating_add(1);
            }
            pending.due = self.context.now.plus(backoff::pause(pending.attempts.max(1), self.context.random));
        }
        self.mend_overtaken(version);
    }

    /// Forgets a page whose bytes died before L2 had them: it is rendered again, never believed published.
    fn write_lost(&mut self, version: Version) {
        if self.entry.pending.is_some_and(|pending| pending.version == Some(version)) {
            self.entry.pending = None;
            if self.entry.page.as_ref().is_some_and(|page| page.version == version) {
                self.entry.page = None;
            }
        }
    }

    /// Begins a render behind a stale copy, unless one is under way or held back. Without room for it, the next stale
    /// event tries again.
    fn revalidate(&mut self) {
        if self.entry.lease.is_none() && self.backing_off().is_none() && self.context.may_render {
            let token = self.grant(Purpose::Background, 0);
            self.actions.push(Action::Drive { token });
        }
    }

    fn grant(&mut self, purpose: Purpose, attempt: u32) -> Version {
        let token = self.context.clock.issue(self.context.now, self.context.random);
        let expires_at = match purpose {
            Purpose::Cold => self.render_deadline(),
            Purpose::Background => self.context.now.plus(QUEUE_PATIENCE),
        };
        self.entry.lease = Some(Lease { token, purpose, expires_at, attempt });
        token
    }

    fn render_deadline(&self) -> Timestamp {
        self.context.now.plus(self.context.policy.render_timeout).plus(LEASE_GRACE)
    }

    /// Decides a write to L2: now, or as soon as a second has passed since the last one. The newest decision counts.
    fn schedule_write(&mut self, version: Option<Version>) {
        let now = self.context.now;
        let earliest = self.entry.written_at.map_or(now, |last| last.plus(WRITE_INTERVAL));
        // While a write is on its way, the next one waits for its end.
        let due = if self.entry.pending.is_some() { earliest.max(now.plus(WRITE_INTERVAL)) } else { earliest };
        self.entry.pending = Some(PendingWrite { version, due, attempts: 0 });
        self.write_due();
    }

    /// Begins the write that is due. Should nothing be heard of it, the alarm begins it again.
    fn write_due(&mut self) {
        let now = self.context.now;
        if let Some(pending) = self.entry.pending.as_mut().filter(|pending| pending.due <= now) {
            pending.due = now.plus(WRITE_PATIENCE);
            self.actions.push(pending.version.map_or(Action::Delete, |version| Action::Write { version }));
        }
    }

    fn standing(&self) -> Standing {
        let Some(page) = &self.entry.page else {
            return Standing::Unusable;
        };
        match (page.windows.freshness(self.context.now), self.context.invalidated) {
            (_, Some(Mode::Expire)) | (Freshness::Expired, _) => Standing::Unusable,
            (_, Some(Mode::Stale)) => Standing::Stale(self.stale_from_now(page.clone())),
            (Freshness::Stale, None) => Standing::Stale(page.clone()),
            (Freshness::Fresh, None) => Standing::Fresh(page.clone()),
        }
    }

    /// Returns the page as edges are to see it when it was invalidated as stale: old from now on.
    fn stale_from_now(&self, page: PageMeta) -> PageMeta {
        PageMeta { windows: page.windows.stale_from(self.context.now, self.context.policy.expire), ..page }
    }

    fn stand_in(&self, detail: &'static str) -> Option<Answer> {
        let page = self.entry.page.as_ref().filter(|page| page.windows.serves_errors(self.context.now))?;
        Some(Answer::Stale { page: Box::new(self.stale_from_now(page.clone())), detail })
    }

    fn passing(&self) -> Option<Timestamp> {
        self.entry.pass_until.filter(|until| *until > self.context.now)
    }

    fn backing_off(&self) -> Option<Timestamp> {
        self.entry.retry_at.filter(|at| *at > self.context.now)
    }

    fn answer(&mut self, waiter: WaiterId, answer: Answer) {
        self.actions.push(Action::Answer { waiter, answer });
    }
}

/// What the stored page is good for.
enum Standing {
    Fresh(PageMeta),
    Stale(PageMeta),
    Unusable,
}
