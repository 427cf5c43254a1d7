//! How a lease ends: at least one scenario for each outcome, with all its consequences.

use super::*;

#[test]
fn a_cold_page_is_rendered_once_and_all_who_wait_get_it() {
    let mut key = Key::new();
    let actions = key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token }]);
    assert_eq!(key.after(SECOND).on(Event::Miss { waiter: TWO }), [Action::Wait { waiter: TWO }]);

    let page = key.page(token);
    let actions = key.on(Event::Ended { token, outcome: RenderOutcome::Done(page.clone()) });
    let expected = [
        Action::Hold { version: token },
        Action::AnswerWaiters { answer: page_answer(&page) },
        Action::Write { version: token },
    ];
    assert_eq!(actions, expected);
    assert_eq!((key.entry.lease, key.entry.page.as_ref()), (None, Some(&page)));
    assert_eq!(key.on(Event::Written { version: Some(token) }), []);
    assert_eq!(key.entry.pending, None);
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, page_answer(&page))]);
}

#[test]
fn a_result_without_the_current_token_changes_nothing() {
    let (mut key, _) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let before = key.entry.clone();
    let late = Version::from_parts(key.now, 99);
    let outcome = RenderOutcome::Done(key.page(late));
    assert_eq!(key.on(Event::Ended { token: late, outcome }), []);
    assert_eq!(key.entry, before);
}

#[test]
fn a_failed_render_keeps_the_last_good_copy_and_backs_off() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), reason: Reason::OriginError };
    assert_eq!(key.fails(), [Action::AnswerWaiters { answer: stand_in }]);
    assert_eq!(key.entry.page.as_ref(), Some(&page));

    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), reason: Reason::Backoff };
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, stand_in)]);
    let version = page.version;
    assert_eq!(key.on(Event::Stale { waiter: ONE, version }), [answer(ONE, Answer::Unchanged)]);

    let actions = key.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]);
    key.fails();
    assert_eq!(key.entry.retry_at, Some(key.now.plus(SECOND * 2)));
}

#[test]
fn a_failure_without_a_copy_is_relayed_once_and_then_held_back() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    assert_eq!(key.fails(), [Action::AnswerWaiters { answer: Answer::Relay { reason: Reason::OriginError } }]);
    let retry_at = key.now.plus(SECOND);
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [answer(ONE, Answer::Unavailable { retry_at, reason: Reason::Backoff })]
    );
    assert_eq!(key.entry.lease, None);
}

#[test]
fn what_may_not_be_stored_leaves_a_pass_mark_and_drops_the_old_page() {
    let (mut key, _) = Key::published();
    key.after(SECOND * 40).on(Event::Miss { waiter: ONE });
    let (token, until) = (key.token(), key.now.plus(SECOND * 5));
    let reason = NotStored::CacheControl;
    let expected = [
        Action::AnswerWaiters { answer: Answer::Pass { until, reason: Some(Reason::CacheControl) } },
        Action::Release,
        Action::Delete,
    ];
    assert_eq!(key.on(Event::Ended { token, outcome: RenderOutcome::Uncacheable(reason.into()) }), expected);
    let passed = Answer::Pass { until, reason: Some(Reason::CacheControl) };
    assert_eq!(key.on(Event::Miss { waiter: ONE }), [answer(ONE, passed)], "for as long as it passes");
    assert_eq!(
        key.after(SECOND * 5).on(Event::Miss { waiter: ONE }).last(),
        Some(&Action::Render { token: key.token() })
    );
}

#[test]
fn what_is_invalidated_while_it_is_rendered_is_rendered_again() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let first = key.token();
    key.invalidated = Some(Mode::Expire);
    let outcome = RenderOutcome::Done(key.page(first));
    let actions = key.on(Event::Ended { token: first, outcome });
    let second = key.token();
    assert!(second > first);
    assert_eq!((actions, key.entry.page.clone()), (vec![Action::Render { token: second }], None));

    // An origin whose page is invalidated all the time is not rendered forever.
    let attempts = std::iter::from_fn(|| {
        let token = key.entry.lease?.token;
        let outcome = RenderOutcome::Done(key.page(token));
        key.on(Event::Ended { token, outcome });
        Some(())
    });
    assert_eq!(attempts.count(), 5);
    assert_eq!((key.entry.failures, key.entry.lease, key.entry.page.clone()), (0, None, None));
    assert_eq!(
        key.on(Event::Miss { waiter: ONE }),
        [answer(ONE, Answer::Refused { reason: Reason::Unpublished })],
        "the site did not fail: it may be asked"
    );
}

#[test]
fn a_page_whose_tags_could_not_be_registered_is_handed_on_but_not_published() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    let actions = key.on(Event::Ended { token, outcome: RenderOutcome::Unregistered });
    assert_eq!(actions, [Action::AnswerWaiters { answer: Answer::Relay { reason: Reason::TagIndex } }]);
    assert_eq!((&key.entry.page, key.entry.failures, key.entry.lease), (&None, 0, None));
    let actions = key.after(SECOND).on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [Action::Wait { waiter: ONE }, Action::Render { token: key.token() }]);
}

#[test]
fn what_is_made_stale_while_it_is_rendered_is_published_as_stale() {
    let mut key = Key::new();
    key.on(Event::Miss { waiter: ONE });
    let token = key.token();
    let page = key.page(token);
    key.invalidated = Some(Mode::Stale);
    let stale = key.stale(&page);
    let actions = key.on(Event::Ended { token, outcome: RenderOutcome::Done(page) });
    assert_eq!(actions[1], Action::AnswerWaiters { answer: page_answer(&stale) });
    assert_eq!(key.on(Event::Miss { waiter: ONE })[1], Action::Drive { token: key.token() });
}

#[test]
fn a_broken_connection_is_tried_again_once() {
    let mut key = Key::new();
    key.is_missed();
    let broken = || RenderOutcome::Failed(OriginFailure::Broken);
    let actions = key.ends(broken());
    assert_eq!(actions, [Action::Render { token: key.token() }], "who waits needn't hear of it");
    let relay = Answer::Relay { reason: Reason::OriginError };
    assert_eq!(key.ends(broken()), [Action::AnswerWaiters { answer: relay.clone() }]);
    assert_eq!((key.entry.failures, key.breaker.failing()), (1, 1));
    key.after(SECOND).is_missed();
    assert_eq!(key.ends(broken()), [Action::AnswerWaiters { answer: relay }], "the site is known to fail");

    let mut key = Key::new();
    let token = key.is_missed();
    key.growing = Some(key.page(token));
    key.ends(broken());
    assert_eq!((key.entry.lease, key.entry.failures), (None, 1), "half of an answer has been handed out");
}

#[test]
fn a_lease_that_is_too_old_answers_those_who_wait() {
    let mut key = Key::new();
    let token = key.is_missed();
    assert_eq!(key.entry.deadline(), Some(key.now.plus(SECOND * 40)));
    let actions = key.after(SECOND * 40).on(Event::Ended { token, outcome: RenderOutcome::TooOld });
    let retry_at = key.now.plus(SECOND);
    assert_eq!(
        actions,
        [Action::AnswerWaiters { answer: Answer::Unavailable { retry_at, reason: Reason::RenderTimeout } }]
    );
    assert_eq!((key.entry.lease, key.entry.failures), (None, 1));
    let outcome = RenderOutcome::Done(key.page(token));
    assert_eq!(key.on(Event::Ended { token, outcome }), [], "the result comes too late");

    let (mut key, page) = Key::published();
    key.after(SECOND * 30).is_missed();
    key.after(SECOND * 39);
    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), reason: Reason::RenderTimeout };
    assert_eq!(key.ends(RenderOutcome::TooOld), [Action::AnswerWaiters { answer: stand_in }]);
}

#[test]
fn a_lost_leader_is_replaced_by_the_alarm_or_by_the_next_visitor() {
    let mut key = Key::new();
    key.is_missed();
    let lost = [Action::AnswerWaiters { answer: Answer::Refused { reason: Reason::Lost } }];
    assert_eq!(key.ends(RenderOutcome::Lost), lost);
    assert_eq!(key.on(Event::Miss { waiter: ONE })[1], Action::Render { token: key.token() }, "at once");
    assert_eq!(key.ends(RenderOutcome::Lost), lost);
    let retry_at = key.now.plus(SECOND);
    let actions = key.on(Event::Miss { waiter: ONE });
    assert_eq!(actions, [answer(ONE, Answer::Unavailable { retry_at, reason: Reason::Backoff })], "but not for ever");

    let (mut key, page) = Key::published();
    key.after(SECOND * 10).on(Event::Stale { waiter: ONE, version: page.version });
    let dead = key.token();
    for _ in 0..5 {
        let actions = key.ends(RenderOutcome::Lost);
        assert_eq!(actions, [Action::Drive { token: key.token() }]);
        assert!(key.token() > dead);
    }
    assert_eq!(key.ends(RenderOutcome::Lost), lost, "what kills the object is not driven for ever");
    assert_eq!((key.entry.lease, key.entry.page.as_ref()), (None, Some(&page)));
}

#[test]
fn a_render_that_was_never_begun_is_no_failure() {
    let mut key = Key::new();
    key.room = Room::Later;
    key.is_missed();
    let refused = Answer::Refused { reason: Reason::QueueTimeout };
    assert_eq!(key.after(SECOND * 10).ends(RenderOutcome::Refused), [Action::AnswerWaiters { answer: refused }]);
    assert_eq!(key.entry, Entry::default());

    let (mut key, page) = Key::published();
    key.room = Room::Later;
    key.after(SECOND * 40).is_missed();
    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), reason: Reason::QueueTimeout };
    assert_eq!(key.ends(RenderOutcome::Refused), [Action::AnswerWaiters { answer: stand_in }]);
    assert_eq!((key.entry.retry_at, key.breaker), (None, Breaker::default()));
}

#[test]
fn an_origin_that_says_when_to_ask_again_is_left_alone_until_then() {
    for (asked, pause) in [(600, 600), (0, 1)] {
        let mut key = Key::new();
        key.is_missed();
        let failure = OriginFailure::Pausing { status: 503, retry_after: SECOND * asked };
        key.ends(RenderOutcome::Failed(failure));
        let retry_at = key.now.plus(SECOND * pause);
        assert_eq!(key.entry.retry_at, Some(retry_at));
        let actions = key.after(SECOND * (pause - 1)).on(Event::Miss { waiter: TWO });
        assert_eq!(actions, [answer(TWO, Answer::Unavailable { retry_at, reason: Reason::Backoff })]);
        let actions = key.after(SECOND).on(Event::Miss { waiter: TWO });
        assert_eq!(actions, [Action::Wait { waiter: TWO }, Action::Render { token: key.token() }]);
    }
}

#[test]
fn a_render_without_room_for_its_body_costs_no_page_and_leaves_no_marker() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 40);
    key.is_missed();
    let stand_in = Answer::Stale { page: Box::new(key.stale(&page)), reason: Reason::NoRoom };
    assert_eq!(key.ends(RenderOutcome::NoRoom), [Action::AnswerWaiters { answer: stand_in }]);
    assert_eq!((key.entry.page.as_ref(), key.entry.pass_until, key.entry.failures), (Some(&page), None, 0));
    assert_eq!(key.breaker, Breaker::default());
    key.on(Event::Stale { waiter: TWO, version: page.version });
    assert_eq!(key.entry.lease, None, "not at once");
    key.after(SECOND * 3);
    key.on(Event::Stale { waiter: TWO, version: page.version });
    assert!(key.entry.lease.is_some());

    let mut cold = Key::new();
    cold.is_missed();
    let refused = Answer::Refused { reason: Reason::NoRoom };
    assert_eq!(cold.ends(RenderOutcome::NoRoom), [Action::AnswerWaiters { answer: refused }]);
}

#[test]
fn a_304_about_another_version_begins_a_render_that_costs_no_page() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 40);
    let first = key.is_missed();
    let actions = key.ends(RenderOutcome::Mismatched);
    assert_eq!(actions, [Action::Render { token: key.token() }]);
    assert!(key.token() > first, "its token rises");
    let attempt = key.entry.lease.unwrap().attempt;
    assert_eq!((attempt, key.entry.page.as_ref(), key.entry.failures), (1, Some(&page), 0));
    assert_eq!(key.breaker, Breaker::default());
}
