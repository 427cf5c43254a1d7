//! One step of the state machine.

mod renders;
mod requests;
mod writes;

use std::time::Duration;

use crate::coordinator::action::{Action, Answer};
use crate::coordinator::breaker::Breaker;
use crate::coordinator::entry::Entry;
use crate::coordinator::event::{Event, RenderOutcome, WaiterId};
use crate::coordinator::token_bucket::TokenBucket;
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::freshness::Freshness;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The settings of the key's route that the state machine needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoutePolicy {
    /// How long a stale page may be served.
    pub expire: Duration,
    /// How long a render may take.
    pub render_timeout: Duration,
    /// How long a hit-for-pass marker holds.
    pub pass_ttl: Duration,
}

/// Whether another render may begin in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// Now.
    Now,
    /// After a running render has ended.
    Later,
    /// Not at all: the queue is full.
    None,
}

/// The inputs of a step besides the entry and the event.
#[derive(Debug)]
pub struct Context<'a> {
    /// The key.
    pub key: &'a PageKey,
    /// The time.
    pub now: Timestamp,
    /// Random bits, new for each step.
    pub random: u128,
    /// Issues fencing tokens. It must be saved with the entry.
    pub clock: &'a mut Clock,
    /// The breaker of the route. It must be saved with the entry.
    pub breaker: &'a mut Breaker,
    /// The requests that may reach the origin while the breaker is open.
    pub budget: &'a mut TokenBucket,
    /// The settings.
    pub policy: RoutePolicy,
    /// Whether there is room for another render for a client.
    pub room: Room,
    /// Whether there is room for another render that is left to the alarm.
    pub may_drive: bool,
    /// Whether this key was invalidated since the render that `entry.marked_by` names began.
    pub lifted: bool,
    /// The strongest invalidation received since the render of the page began. The page is the event's, otherwise the
    /// entry's.
    pub invalidated: Option<Mode>,
    /// The response that is arriving under the entry's lease, if it was not invalidated since.
    pub growing: Option<&'a PageMeta>,
    /// Whether the content of L2 was invalidated since its render began.
    pub copy_invalidated: bool,
}

/// Handles an event, and returns the next state of the entry and the actions to perform.
#[must_use]
pub fn handle(entry: Entry, event: Event, context: &mut Context<'_>) -> (Entry, Vec<Action>) {
    context.invalidated = effective(context.invalidated, &entry, &event);
    let mut step = Handler { entry, context, actions: Vec::new() };
    if step.context.invalidated == Some(Mode::Purge) {
        // The event's page was rendered before the purge, and every published page is older still.
        step.drop_page();
    }
    match event {
        Event::Miss { waiter } => step.miss(waiter),
        Event::Stale { waiter, version } => step.stale(waiter, version),
        Event::BytesLost { waiter, version } => step.bytes_lost(waiter, version),
        Event::CopyLost { version, is_held } => step.copy_lost(version, is_held),
        Event::Refresh => step.refresh(),
        // The purged page is removed already.
        Event::Swept => {}
        Event::Displaced => step.displaced(),
        Event::Begun { token } => step.begun(token),
        Event::Head { token, page } => step.head(token, page),
        Event::Ended { token, outcome } => step.ended(token, outcome),
        Event::WriteDue => step.write_due(),
        Event::Written { version } => step.written(version),
        Event::WriteFailed { version } => step.write_failed(version),
        Event::WriteLost { version } => step.write_lost(version),
    }
    (step.entry, step.actions)
}

/// Returns the effect of an invalidation: a page that says that there is none is never served stale, so the mode `stale`
/// has the effect of `expire`.
fn effective(invalidated: Option<Mode>, entry: &Entry, event: &Event) -> Option<Mode> {
    let page = match event {
        Event::Head { page, .. } | Event::Ended { outcome: RenderOutcome::Done(page), .. } => Some(page),
        _ => entry.page.as_ref(),
    };
    let is_not_found = page.is_some_and(PageMeta::is_not_found);
    invalidated.map(|mode| if is_not_found { mode.max(Mode::Expire) } else { mode })
}

/// One step under way.
struct Handler<'a, 'c> {
    entry: Entry,
    context: &'a mut Context<'c>,
    actions: Vec<Action>,
}

/// Judges what the entry can be used for.
impl Handler<'_, '_> {
    fn standing(&self) -> Standing {
        let Some(page) = &self.entry.page else {
            return Standing::Unusable;
        };
        match (page.windows.freshness(self.context.now), self.context.invalidated) {
            (_, Some(Mode::Expire | Mode::Purge)) | (Freshness::Expired, _) => Standing::Unusable,
            (Freshness::Stale, None) if page.is_not_found() => Standing::Unusable,
            (_, Some(Mode::Stale)) => Standing::Stale(self.stale_from_now(page.clone())),
            (Freshness::Stale, None) => Standing::Stale(page.clone()),
            (Freshness::Fresh, None) => Standing::Fresh(page.clone()),
        }
    }

    /// Returns the page as edges must see it when it is not fresh any more: stale from now on.
    fn stale_from_now(&self, page: PageMeta) -> PageMeta {
        PageMeta { windows: page.windows.stale_from(self.context.now, self.context.policy.expire), ..page }
    }

    fn stand_in(&self, reason: Reason) -> Option<Answer> {
        let may_stand_in = |page: &&PageMeta| !page.is_not_found() && page.windows.serves_errors(self.context.now);
        let page = self.entry.page.as_ref().filter(may_stand_in)?;
        Some(Answer::Stale { page: Box::new(self.stale_from_now(page.clone())), reason })
    }

    fn is_published(&self, version: Version) -> bool {
        self.entry.page.as_ref().is_some_and(|page| page.version == version)
    }

    fn passing(&self) -> Option<Timestamp> {
        self.entry.pass_until.filter(|until| *until > self.context.now)
    }

    fn answer(&mut self, waiter: WaiterId, answer: Answer) {
        self.actions.push(Action::Answer { waiter, answer });
    }
}

/// What the stored page can be used for.
enum Standing {
    Fresh(PageMeta),
    Stale(PageMeta),
    Unusable,
}
