//! The answers to requests, and when a render begins.

use super::*;

#[test]
fn a_stale_page_is_served_and_rendered_behind() {
    let (mut key, page) = Key::published();
    let version = page.version;
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, Answer::Unchanged)]);

    let actions = key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version });
    let token = key.token();
    assert_eq!(actions, [Action::Drive { token }, Action::Wait { waiter: ONE }]);
    assert_eq!(key.on(Event::Stale { waiter: TWO, version }), [Action::Wait { waiter: TWO }]);
    assert_eq!(key.on(Event::Miss { waiter: TWO }), [answer(TWO, page_answer(&page))]);

    let newer = key.page(token);
    key.on(Event::Ended { token, outcome: RenderOutcome::Done(newer.clone()) });
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, page_answer(&newer))]);
}

#[test]
fn an_expired_page_is_rendered_before_it_is_answered() {
    let (mut key, _) = Key::published();
    key.invalidated = Some(Mode::Expire);
    let actions = key.on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]);
}

#[test]
fn an_invalidation_lifts_a_pause_and_a_pass_mark_once() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    key.fails();
    key.lifted = true;
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]
    );
    key.lifted = false;
    let (token, reason) = (key.token(), NotStored::Status);
    key.on(Event::Ended { token, outcome: RenderOutcome::Uncacheable(reason.into()) });
    assert_eq!(key.entry.marked_by, Some(token));
    key.lifted = true;
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]
    );
    assert_eq!(key.entry.unpublished, None, "it has no effect any more");
}

#[test]
fn a_queued_render_has_its_whole_time_from_when_it_begins() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version: page.version });
    let token = key.token();
    assert_eq!(key.after(SECOND * 300).on(Event::Begun { token }), []);
    assert_eq!(key.entry.deadline(), Some(key.now.plus(SECOND * 40)));
    let newer = key.page(token);
    assert_eq!(key.on(Event::Ended { token, outcome: RenderOutcome::Done(newer) }).len(), 3);
}

#[test]
fn a_page_whose_bytes_are_lost_is_rendered_again() {
    let (mut key, page) = Key::published();
    let actions = key.on(Event::BytesLost { waiter: ONE, version: page.version });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]);
    key.fails();
    assert_eq!(key.entry.page.as_ref(), Some(&page), "L2 may show it yet");
    let retry_at = key.now.plus(SECOND);
    let actions = key.on(Event::BytesLost { waiter: ONE, version: page.version });
    assert_eq!(
        actions,
        [answer(ONE, Answer::Unavailable { retry_at, reason: Reason::Backoff })],
        "and it is not looked for without end"
    );
}

#[test]
fn without_room_a_render_is_queued_and_then_refused() {
    let mut key = Key::new();
    key.room = Room::Later;
    let actions = key.on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Enqueue { token: key.token() }]);
    assert_eq!(key.entry.deadline(), Some(key.now.plus(SECOND * 10)));

    let mut key = Key::new();
    key.room = Room::None;
    let refused = Answer::Refused { reason: Reason::QueueFull };
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, refused)]);

    let (mut key, page) = Key::published();
    key.may_drive = false;
    let version = page.version;
    let actions = key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version });
    assert_eq!(actions, [answer(ONE, Answer::Unchanged)]);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, page_answer(&page))]);
    key.room = Room::None;
    let stand_in = Answer::Stale { page: Box::new(key.after(SECOND * 30).stale(&page)), reason: Reason::QueueFull };
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, stand_in)]);
}

#[test]
fn an_answer_that_comes_is_shared_from_its_first_byte_on() {
    let mut key = Key::new();
    let token = key.is_missed();
    let head = PageMeta { body_bytes: None, digest: None, ..key.page(token) };
    let growing = Answer::Growing(Box::new(head.clone()));
    let actions = key.on(Event::Head { token, page: head.clone() });
    assert_eq!(actions, [Action::Share { token }, Action::AnswerWaiters { answer: growing.clone() }]);

    key.growing = Some(head.clone());
    assert_eq!(key.on(Event::Miss { waiter: TWO }), [answer(TWO, growing.clone())]);
    let version = Version::from_parts(Timestamp::from_millis(5), 0);
    assert_eq!(key.on(Event::Stale { waiter: TWO, version }), [answer(TWO, growing)]);

    // The page was invalidated since: a request that arrives from now on waits for the next render.
    key.growing = None;
    assert_eq!(key.on(Event::Miss { waiter: TWO }), [Action::Wait { waiter: TWO }]);
    key.invalidated = Some(Mode::Expire);
    let actions = key.ends(RenderOutcome::Done(key.page(token)));
    assert_eq!(actions, [Action::Render { token: key.token() }]);
}

#[test]
fn an_answer_that_was_invalidated_before_its_first_byte_is_not_shared() {
    let mut key = Key::new();
    let first = key.is_missed();
    key.invalidated = Some(Mode::Expire);
    let page = key.page(first);
    assert_eq!(key.on(Event::Head { token: first, page }), [Action::Render { token: key.token() }]);
    assert!(key.token() > first);

    let token = key.token();
    key.invalidated = Some(Mode::Stale);
    let growing = Answer::Growing(Box::new(key.stale(&key.page(token))));
    let actions = key.on(Event::Head { token, page: key.page(token) });
    assert_eq!(actions, [Action::Share { token }, Action::AnswerWaiters { answer: growing }]);
    assert_eq!(key.on(Event::Head { token: first, page: key.page(first) }), [], "its lease has passed on");
}

/// Opens a breaker: the origin is unreachable for four keys.
fn open_breaker() -> Key {
    let mut key = Key::new();
    for number in 0..4 {
        key = Key { breaker: key.breaker, now: key.now, ..Key::named(&format!("https://e.com/{number}")) };
        key.is_missed();
        key.ends(RenderOutcome::TooOld);
    }
    key
}

#[test]
fn an_open_breaker_lets_a_cold_page_pass_within_a_budget_and_renders_only_the_probe() {
    let open = open_breaker();
    let (breaker, now) = (open.breaker, open.now);
    let retry_at = now.plus(SECOND);
    assert_eq!(breaker.holds_until(now, false), Some(retry_at));

    let mut other = Key { now, breaker, ..Key::new() };
    let reason = Reason::Breaker;
    for _ in 0..50 {
        assert_eq!(other.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Refused { reason })]);
    }
    assert_eq!(other.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Unavailable { retry_at, reason })]);
    let probe = other.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(probe, [Action::Wait { waiter: ONE }, Action::Render { token: other.token() }]);

    // During the probe, the answer for a third key, which has a page, shows that the breaker is still open.
    let (_, page) = Key::published();
    let windows = Windows { fresh_until: Some(now), stale_until: Some(now), error_until: None };
    let mut third = Key { breaker: other.breaker.clone(), now: other.now, ..Key::new() };
    third.entry.page = Some(PageMeta { windows, ..page });
    let [Action::Answer { answer: Answer::Stale { reason, .. }, .. }] = &third.on(Event::Miss { waiter: ONE })[..]
    else {
        panic!("the copy stands in")
    };
    assert_eq!(*reason, Reason::Breaker);

    let token = other.token();
    other.ends(RenderOutcome::Done(other.page(token)));
    assert_eq!(other.breaker, Breaker::default());
}

#[test]
fn a_page_that_says_that_there_is_none_is_not_served_stale() {
    let (mut key, page) = Key::published();
    let missing = PageMeta { status: 404, ..page };
    key.entry.page = Some(missing.clone());
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, page_answer(&missing))], "it is fresh");
    key.invalidated = Some(Mode::Stale);
    let actions = key.on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]);
    let again = key.token();
    let actions = key.ends(RenderOutcome::Done(PageMeta { status: 410, ..key.page(again) }));
    assert_eq!(actions, [Action::Render { token: key.token() }], "invalidated during the render");
    assert!(key.token() > again);
    let actions = key.fails();
    let relayed = Answer::Relay { reason: Reason::OriginError };
    assert_eq!(actions, [Action::AnswerWaiters { answer: relayed }], "nor does it stand in for an error");
}

#[test]
fn a_failed_page_uses_up_nothing_of_what_passes_an_open_breaker() {
    let mut key = open_breaker();
    let reason = Reason::Backoff;
    for _ in 0..100 {
        let retry_at = key.now.plus(SECOND);
        assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, Answer::Unavailable { retry_at, reason })]);
    }
    // Its back-off is over, and another page may probe before it does.
    let (retry_at, reason) = (key.now.plus(SECOND * 6), Reason::Breaker);
    let actions = key.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [answer(ONE, Answer::Unavailable { retry_at, reason })]);
    assert_eq!(key.budget, TokenBucket::default());
    key.after(SECOND * 5).is_missed();
}

#[test]
fn an_open_breaker_does_not_hold_back_an_invalidated_page() {
    let open = open_breaker();
    for mode in [Mode::Stale, Mode::Expire, Mode::Purge] {
        let (key, page) = Key::published();
        let mut key = Key { breaker: open.breaker.clone(), now: open.now, invalidated: Some(mode), ..key };
        key.on(Event::Stale { waiter: ONE, version: page.version });
        let purpose = key.entry.lease.map(|lease| lease.purpose);
        assert_eq!(purpose, Some(Purpose::Background), "{mode:?}");
        key.fails();
        key.on(Event::Stale { waiter: ONE, version: page.version });
        assert_eq!(key.entry.lease, None, "{mode:?}: its back-off holds");
    }
    let mut marked = Key { breaker: open.breaker, now: open.now, lifted: true, ..Key::new() };
    marked.is_missed();
}
