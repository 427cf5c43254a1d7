//! The step of the state machine.

mod renders;
mod requests;
mod writes;

use std::time::Duration;

use crate::coordinator::action::{Action, Answer};
use crate::coordinator::breaker::Breaker;
use crate::coordinator::entry::Entry;
use crate::coordinator::event::{Event, WaiterId};
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::freshness::Freshness;
use crate::time::Timestamp;
use crate::version::Clock;

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

/// Whether another render may begin in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// At once.
    Now,
    /// Once one of those under way has ended.
    Later,
    /// Not at all: too many are queued already.
    None,
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
    /// The breaker of the route; to be saved with the entry.
    pub breaker: &'a mut Breaker,
    /// The settings.
    pub policy: Policy,
    /// Whether there is room for another render.
    pub room: Room,
    /// Whether an invalidation of this key was received since the render that `entry.marked_by` names began.
    pub lifted: bool,
    /// The strongest invalidation received since the render of the page in question began: of the page that the event
    /// brings, or else of the entry's page.
    pub invalidated: Option<Mode>,
    /// The answer that has begun to come under the entry's lease, if it was not invalidated since.
    pub growing: Option<&'a PageMeta>,
    /// Whether what L2 holds was invalidated since its render began.
    pub copy_invalidated: bool,
}

/// Takes an event, and returns the next state of the entry and what is to be done.
#[must_use]
pub fn handle(entry: Entry, event: Event, context: &mut Context<'_>) -> (Entry, Vec<Action>) {
    let mut step = Step { entry, context, actions: Vec::new() };
    if step.context.invalidated == Some(Mode::Purge) {
        // Whatever is published is older than what was rendered before the purge.
        step.drop_page();
    }
    match event {
        Event::Miss { waiter } => step.miss(waiter),
        Event::Stale { waiter, version } => step.stale(waiter, version),
        Event::BytesLost { waiter, version } => step.bytes_lost(waiter, version),
        Event::Refresh => step.refresh(),
        // What was purged is dropped already.
        Event::Swept => {}
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

/// One step under way.
struct Step<'a, 'c> {
    entry: Entry,
    context: &'a mut Context<'c>,
    actions: Vec<Action>,
}

/// What the entry is good for.
impl Step<'_, '_> {
    fn standing(&self) -> Standing {
        let Some(page) = &self.entry.page else {
            return Standing::Unusable;
        };
        match (page.windows.freshness(self.context.now), self.context.invalidated) {
            (_, Some(Mode::Expire | Mode::Purge)) | (Freshness::Expired, _) => Standing::Unusable,
            (_, Some(Mode::Stale)) => Standing::Stale(self.stale_from_now(page.clone())),
            (Freshness::Stale, None) => Standing::Stale(page.clone()),
            (Freshness::Fresh, None) => Standing::Fresh(page.clone()),
        }
    }

    /// Returns the page as edges are to see it when it was invalidated as stale: old from now on.
    fn stale_from_now(&self, page: PageMeta) -> PageMeta {
        PageMeta { windows: page.windows.stale_from(self.context.now, self.context.policy.expire), ..page }
    }

    fn stand_in(&self, reason: Reason) -> Option<Answer> {
        let page = self.entry.page.as_ref().filter(|page| page.windows.serves_errors(self.context.now))?;
        Some(Answer::Stale { page: Box::new(self.stale_from_now(page.clone())), reason })
    }

    fn passing(&self) -> Option<Timestamp> {
        self.entry.pass_until.filter(|until| *until > self.context.now)
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
