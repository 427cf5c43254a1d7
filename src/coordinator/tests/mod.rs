//! Scenarios of one key. Each step is compared completely: state and actions.

mod outcomes;
mod requests;
mod writes;

use std::time::Duration;

use super::*;
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::Digest;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::PageKey;
use crate::semantics::storable::{NotStored, OriginFailure};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

const SECOND: Duration = Duration::from_secs(1);
const ONE: WaiterId = WaiterId(1);
const TWO: WaiterId = WaiterId(2);

/// A key under test. Its pages are fresh for 10 s, then stale for 20 s, and serve as stale-if-error fallback for
/// another 60 s.
struct Key {
    entry: Entry,
    clock: Clock,
    now: Timestamp,
    invalidated: Option<Mode>,
    lifted: bool,
    room: Room,
    may_drive: bool,
    breaker: Breaker,
    budget: TokenBucket,
    name: PageKey,
    growing: Option<PageMeta>,
    copy_invalidated: bool,
}

impl Key {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let (entry, clock) = (Entry::default(), Clock::resume(None));
        Self {
            entry,
            clock,
            now,
            invalidated: None,
            lifted: false,
            room: Room::Now,
            may_drive: true,
            breaker: Breaker::default(),
            budget: TokenBucket::default(),
            name: PageKey::from_stored("https://e.com/").unwrap(),
            growing: None,
            copy_invalidated: false,
        }
    }

    fn named(key: &str) -> Self {
        Self { name: PageKey::from_stored(key).unwrap(), ..Self::new() }
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now = self.now.plus(pause);
        self
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let policy = RoutePolicy { expire: SECOND * 20, render_timeout: SECOND * 30, pass_ttl: SECOND * 5 };
        let mut context = Context {
            key: &self.name,
            now: self.now,
            random: 0,
            clock: &mut self.clock,
            policy,
            breaker: &mut self.breaker,
            budget: &mut self.budget,
            room: self.room,
            may_drive: self.may_drive,
            growing: self.growing.as_ref(),
            copy_invalidated: self.copy_invalidated,
            lifted: self.lifted,
            invalidated: self.invalidated,
        };
        let (entry, actions) = handle(self.entry.clone(), event, &mut context);
        self.entry = entry;
        actions
    }

    fn page(&self, token: Version) -> PageMeta {
        let windows = Windows::new(token.time(), Revalidate::After(SECOND * 10), SECOND * 20, SECOND * 60);
        PageMeta {
            key: PageKey::from_stored("https://e.com/").unwrap(),
            version: token,
            status: 200,
            rendered_at: self.now,
            windows: windows.unwrap(),
            tags: vec![],
            body_bytes: Some(5),
            digest: Digest::parse("00000000000000000000000000000005"),
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        }
    }

    fn stale(&self, page: &PageMeta) -> PageMeta {
        PageMeta { windows: page.windows.stale_from(self.now, SECOND * 20), ..page.clone() }
    }

    fn token(&self) -> Version {
        self.entry.lease.unwrap().token
    }

    fn fails(&mut self) -> Vec<Action> {
        self.ends(RenderOutcome::Failed(OriginFailure::Status(500)))
    }

    /// Ends the render under way.
    fn ends(&mut self, outcome: RenderOutcome) -> Vec<Action> {
        let token = self.token();
        self.on(Event::Ended { token, outcome })
    }

    /// Sends a miss from a client, so that a render begins.
    fn is_missed(&mut self) -> Version {
        self.on(Event::Miss { waiter: ONE });
        self.token()
    }

    /// Brings the key to a published page that L2 has.
    fn published() -> (Self, PageMeta) {
        let mut key = Self::new();
        key.on(Event::Miss { waiter: ONE });
        let page = key.page(key.token());
        key.on(Event::Ended { token: page.version, outcome: RenderOutcome::Done(page.clone()) });
        key.on(Event::Written { version: Some(page.version) });
        (key, page)
    }
}

fn answer(waiter: WaiterId, answer: Answer) -> Action {
    Action::Answer { waiter, answer }
}

fn page_answer(page: &PageMeta) -> Answer {
    Answer::Page(Box::new(page.clone()))
}
