//! What happens to one key, told as scenarios: each step is compared whole, state and actions.

use std::time::Duration;

use super::*;
use crate::feed::Mode;
use crate::page::PageMeta;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::key::PageKey;
use crate::semantics::storable::{NotStored, SiteFailure};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

const SECOND: Duration = Duration::from_secs(1);
const ONE: WaiterId = WaiterId(1);
const TWO: WaiterId = WaiterId(2);

/// A key under test: pages are fresh for 10 s, stale for 20 s after, stand in for errors for 60 s after.
struct Key {
    entry: Entry,
    clock: Clock,
    now: Timestamp,
    invalidated: Option<Mode>,
    lifted: bool,
    may_render: bool,
}

impl Key {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let (entry, clock) = (Entry::default(), Clock::resume(None));
        Self { entry, clock, now, invalidated: None, lifted: false, may_render: true }
    }

    fn after(&mut self, pause: Duration) -> &mut Self {
        self.now = self.now.plus(pause);
        self
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        let policy = Policy { expire: SECOND * 20, render_timeout: SECOND * 30, pass_ttl: SECOND * 5 };
        let mut context = Context {
            now: self.now,
            random: 0,
            clock: &mut self.clock,
            policy,
            may_render: self.may_render,
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
            body_bytes: 5,
        }
    }

    fn stale(&self, page: &PageMeta) -> PageMeta {
        PageMeta { windows: page.windows.stale_from(self.now, SECOND * 20), ..page.clone() }
    }

    fn token(&self) -> Version {
        self.entry.lease.unwrap().token
    }

    fn fails(&mut self) -> Vec<Action> {
        let (token, result) = (self.token(), RenderResult::Failed(SiteFailure::Status(500)));
        self.on(Event::Rendered { token, result })
    }

    /// Brings the key to a published page that L2 has.
    fn published() -> (Self, PageMeta) {
        let mut key = Self::new();
        key.on(Event::Miss { waiter: ONE });
        let page = key.page(key.token());
        key.on(Event::Rendered { token: page.version, result: RenderResult::Page(page.clone()) });
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

#[test]
fn a_cold_page_is_rendered_once_and_all_who_wait_get_it() {
    let mut key = Key::new();
    let actions = key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    assert_eq!(actions, [Action::Park { waiter: ONE }, Action::Render { token }]);
    assert_eq!(key.after(SECOND).on(Event::Miss { waiter: TWO }), [Action::Park { waiter: TWO }]);

    let page = key.page(token);
    let actions = key.on(Event::Rendered { token, result: RenderResult::Page(page.clone()) });
    let expected = [
        Action::Hold { version: token },
        Action::AnswerParked { answer: page_answer(&page) },
        Action::Write { version: token },
    ];
    assert_eq!(actions, expected);
    assert_eq!((key.entry.lease, key.entry.page.as_ref()), (None, Some(&page)));
    assert_eq!(key.on(Event::Written { version: Some(token) }), []);
    assert_eq!(key.entry.pending, None);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, page_answer(&page))]);
}

#[test]
fn a_stale_page_is_served_and_rendered_behind() {
    let (mut key, page) = Key::published();
    let version = page.version;
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, Answer::Unchanged)]);

    let actions = key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version });
    let token = key.token();
    assert_eq!(actions, [Action::Drive { token }, Action::Park { waiter: ONE }]);
    assert_eq!(key.on(Event::Stale { waiter: TWO, version }), [Action::Park { waiter: TWO }]);
    assert_eq!(key.on(Event::Miss { waiter: TWO }), [answer(TWO, page_answer(&page))]);

    let newer = key.page(token);
    key.on(Event::Rendered { token, result: RenderResult::Page(newer.clone()) });
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, page_answer(&newer))]);
}

#[test]
fn a_result_without_the_current_token_changes_nothing() {
    let (mut key, _) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let before = key.entry.clone();
    let late = Version::from_parts(key.now, 99);
    let result = RenderResult::Page(key.page(late));
    assert_eq!(key.on(Event::Rendered { token: late, result }), []);
    assert_eq!(key.entry, before);
}

#[test]
fn a_failed_render_keeps_the_last_good_copy_and_backs_off() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), detail: "site-error" };
    assert_eq!(key.fails(), [Action::AnswerParked { answer: stand_in }]);
    assert_eq!(key.entry.page.as_ref(), Some(&page));

    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), detail: "backoff" };
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, stand_in)]);
    let version = page.version;
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, Answer::Unchanged)]);

    let actions = key.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]);
    key.fails();
    assert_eq!(key.entry.retry_at, Some(key.now.plus(SECOND * 2)));
}

#[test]
fn a_failure_without_a_copy_is_relayed_once_and_then_held_back() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    assert_eq!(key.fails(), [Action::AnswerParked { answer: Answer::Relay { detail: "site-error" } }]);
    let retry_at = key.now.plus(SECOND);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Unavailable { retry_at })]);
    assert_eq!(key.entry.lease, None);
}

#[test]
fn what_may_not_be_stored_leaves_a_pass_mark_and_drops_the_old_page() {
    let (mut key, _) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let (token, until) = (key.token(), key.now.plus(SECOND * 5));
    let reason = NotStored::CacheControl;
    let expected = [
        Action::AnswerParked { answer: Answer::Pass { until, reason: Some(reason) } },
        Action::Release,
        Action::Delete,
    ];
    assert_eq!(key.on(Event::Rendered { token, result: RenderResult::NotStored(reason) }), expected);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Pass { until, reason: None })]);
    assert_eq!(
        key.after(SECOND * 5).on(Event::Miss { waiter: ONE }).last(),
        Some(&Action::Render { token: key.token() })
    );
}

#[test]
fn an_expired_page_is_rendered_before_it_is_answered() {
    let (mut key, _) = Key::published();
    key.invalidated = Some(Mode::Expire);
    let actions = key.on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]);
}

#[test]
fn what_is_invalidated_while_it_is_rendered_is_rendered_again() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let first = key.token();
    key.invalidated = Some(Mode::Expire);
    let result = RenderResult::Page(key.page(first));
    let actions = key.on(Event::Rendered { token: first, result });
    let second = key.token();
    assert!(second > first);
    assert_eq!((actions, key.entry.page.clone()), (vec![Action::Render { token: second }], None));

    // A site that is invalidated all the time is not rendered for ever.
    let attempts = std::iter::from_fn(|| {
        let token = key.entry.lease?.token;
        let result = RenderResult::Page(key.page(token));
        key.on(Event::Rendered { token, result });
        Some(())
    });
    assert_eq!(attempts.count(), 5);
    assert_eq!((key.entry.failures, key.entry.lease, key.entry.page.clone()), (0, None, None));
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [answer(ONE, Answer::Busy)],
        "the site did not fail: it may be asked"
    );
}

#[test]
fn a_page_whose_tags_could_not_be_registered_is_handed_on_but_not_published() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    let actions = key.on(Event::Rendered { token, result: RenderResult::Unregistered });
    assert_eq!(actions, [Action::AnswerParked { answer: Answer::Relay { detail: "tag-index" } }]);
    assert_eq!((&key.entry.page, key.entry.failures, key.entry.lease), (&None, 0, None));
    let actions = key.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]);
}

#[test]
fn an_invalidation_lifts_a_pause_and_a_pass_mark_once() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    key.fails();
    key.lifted = true;
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]
    );
    key.lifted = false;
    let (token, reason) = (key.token(), NotStored::Status);
    key.on(Event::Rendered { token, result: RenderResult::NotStored(reason) });
    assert_eq!(key.entry.marked_by, Some(token));
    key.lifted = true;
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]
    );
}

#[test]
fn a_request_ends_a_lease_that_nobody_has_ended() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let actions = key.after(SECOND * 41).on(Event::Miss { waiter: TWO });
    let unavailable = Answer::Unavailable { retry_at: key.now.plus(SECOND) };
    assert_eq!(actions, [Action::AnswerParked { answer: unavailable.clone() }, answer(TWO, unavailable)]);
}

#[test]
fn a_queued_render_has_its_whole_time_from_when_it_begins() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version: page.version });
    let token = key.token();
    assert_eq!(key.after(SECOND * 300).on(Event::Begun { token }), []);
    assert_eq!(key.entry.deadline(), Some(key.now.plus(SECOND * 40)));
    let newer = key.page(token);
    assert_eq!(key.on(Event::Rendered { token, result: RenderResult::Page(newer) }).len(), 3);
}

#[test]
fn what_is_made_stale_while_it_is_rendered_is_published_as_stale() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    let page = key.page(token);
    key.invalidated = Some(Mode::Stale);
    let stale = key.stale(&page);
    let actions = key.on(Event::Rendered { token, result: RenderResult::Page(page) });
    assert_eq!(actions[1], Action::AnswerParked { answer: page_answer(&stale) });
    assert_eq!(key.on(Event::Miss { waiter: ONE })[1], Action::Drive { token: key.token() });
}

#[test]
fn a_lease_that_is_over_answers_those_who_wait() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    assert_eq!(key.after(SECOND * 39).on(Event::LeaseExpired), []);
    let actions = key.after(SECOND).on(Event::LeaseExpired);
    let retry_at = key.now.plus(SECOND);
    assert_eq!(actions, [Action::AnswerParked { answer: Answer::Unavailable { retry_at } }]);
    assert_eq!(key.entry.lease, None);
    let result = RenderResult::Page(key.page(token));
    assert_eq!(key.on(Event::Rendered { token, result }), [], "the result comes too late");
}

#[test]
fn after_a_crash_a_visitors_lease_is_dropped_and_a_background_render_driven_again() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    assert_eq!(key.on(Event::LeaseOrphaned), [Action::AnswerParked { answer: Answer::Busy }]);
    assert_eq!(key.on(Event::Miss { waiter: ONE })[1], Action::Render { token: key.token() });

    let (mut key, page) = Key::published();
    key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version: page.version });
    let dead = key.token();
    for _ in 0..5 {
        let actions = key.on(Event::LeaseOrphaned);
        assert_eq!(actions, [Action::Drive { token: key.token() }]);
        assert!(key.token() > dead);
    }
    let actions = key.on(Event::LeaseOrphaned);
    assert_eq!(
        actions,
        [Action::AnswerParked { answer: Answer::Busy }],
        "what kills the object is not driven for ever"
    );
    assert_eq!(key.entry.lease, None);
}

#[test]
fn without_room_nothing_is_rendered() {
    let mut key = Key::new();
    key.may_render = false;
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Busy)]);
    let (mut key, page) = Key::published();
    key.may_render = false;
    let version = page.version;
    let actions = key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version });
    assert_eq!(actions, [answer(ONE, Answer::Unchanged)]);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, page_answer(&page))]);
}

#[test]
fn l2_is_written_once_a_second_and_the_newest_wins() {
    let mut key = Key::new();
    let render = |key: &mut Key| {
        key.invalidated = Some(Mode::Expire);
        key.on(Event::Miss { waiter: ONE });
        key.invalidated = None;
        let token = key.token();
        let result = RenderResult::Page(key.page(token));
        (token, key.on(Event::Rendered { token, result }))
    };
    let (first, actions) = render(&mut key);
    assert_eq!(actions.last(), Some(&Action::Write { version: first }));
    let (_, actions) = render(&mut key);
    assert!(!actions.iter().any(|action| matches!(action, Action::Write { .. })), "the first write is on its way");
    let (third, _) = render(&mut key);
    assert_eq!(key.on(Event::Written { version: Some(first) }), []);
    assert_eq!(key.on(Event::WriteDue), [], "a second has not passed");
    assert_eq!(key.after(SECOND).on(Event::WriteDue), [Action::Write { version: third }]);
    assert_eq!(key.on(Event::WriteDue), [], "it is on its way");
    assert_eq!(key.on(Event::WriteFailed { version: Some(third) }), []);
    assert_eq!(key.after(SECOND).on(Event::WriteDue), [Action::Write { version: third }]);
    key.on(Event::Written { version: Some(third) });
    assert_eq!((key.entry.pending, key.entry.deadline()), (None, None));

    // An older write that was slow has come last: L2 is mended.
    assert_eq!(key.after(SECOND).on(Event::Written { version: Some(first) }), []);
    assert_eq!(key.after(SECOND).on(Event::WriteDue), [Action::Write { version: third }]);
}

#[test]
fn a_page_whose_bytes_are_lost_is_rendered_again() {
    let (mut key, page) = Key::published();
    let actions = key.on(Event::BytesLost { waiter: ONE, version: page.version });
    assert_eq!(actions, [Action::Park { waiter: ONE }, Action::Render { token: key.token() }]);
    key.fails();
    assert_eq!(key.entry.page.as_ref(), Some(&page), "L2 may show it yet");
    let retry_at = key.now.plus(SECOND);
    let actions = key.on(Event::BytesLost { waiter: ONE, version: page.version });
    assert_eq!(actions, [answer(ONE, Answer::Unavailable { retry_at })], "and it is not looked for without end");

    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    let result = RenderResult::Page(key.page(token));
    key.on(Event::Rendered { token, result });
    assert_eq!(key.on(Event::WriteLost { version: token }), []);
    assert_eq!((&key.entry.page, key.entry.pending), (&None, None));
}
