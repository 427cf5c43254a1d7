//! When the coordinator writes to L2.

use super::*;

#[test]
fn l2_is_written_once_a_second_and_the_newest_wins() {
    let mut key = Key::new();
    let render = |key: &mut Key| {
        key.invalidated = Some(Mode::Expire);
        key.on(Event::Miss { waiter: ONE });
        key.invalidated = None;
        let token = key.token();
        let outcome = RenderOutcome::Done(key.page(token));
        (token, key.on(Event::Ended { token, outcome }))
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

    // A slow, older write has arrived last. The coordinator writes the current page again.
    assert_eq!(key.after(SECOND).on(Event::Written { version: Some(first) }), []);
    assert_eq!(key.after(SECOND).on(Event::WriteDue), [Action::Write { version: third }]);
}

#[test]
fn a_page_whose_bytes_died_before_l2_had_them_is_forgotten() {
    let mut key = Key::new();
    let token = key.is_missed();
    key.ends(RenderOutcome::Done(key.page(token)));
    assert_eq!(key.on(Event::WriteLost { version: token }), []);
    assert_eq!((&key.entry.page, key.entry.pending), (&None, None));
}

/// Renders the page again, and returns whether the coordinator writes to L2.
fn renders_again(key: &mut Key, change: impl FnOnce(&mut PageMeta)) -> bool {
    let token = key.is_missed();
    let mut page = key.page(token);
    change(&mut page);
    key.ends(RenderOutcome::Done(page)).contains(&Action::Write { version: token })
}

#[test]
fn what_l2_has_already_is_not_written_again() {
    let expired = |seconds| {
        let (mut key, page) = Key::published();
        key.after(SECOND * seconds);
        key.entry.page = Some(PageMeta { windows: page.windows.stale_from(key.now, Duration::ZERO), ..page });
        key
    };
    // A page lives for 30 s here: an eighth of the lifetime.
    let mut key = expired(3);
    let copy = key.entry.copy;
    assert!(copy.is_some());
    assert!(!renders_again(&mut key, |_| {}));
    assert_eq!((key.entry.pending, key.entry.copy), (None, copy));
    let digest = Digest::parse("00000000000000000000000000000006");
    assert!(renders_again(&mut expired(3), |page| page.digest = digest), "another content");
    assert!(renders_again(&mut expired(3), |page| page.digest = None), "content that is not known");
    assert!(renders_again(&mut expired(4), |_| {}), "freshness has moved on too far");
    let mut key = expired(3);
    key.copy_invalidated = true;
    assert!(renders_again(&mut key, |_| {}), "edges take what L2 has for invalidated");
    let mut key = expired(3);
    key.on(Event::Written { version: Some(Version::from_parts(Timestamp::from_millis(7), 7)) });
    assert!(!renders_again(&mut key, |_| {}), "an older write came last, and is mended already");
    assert_eq!(key.entry.pending.map(|write| write.version), Some(Some(key.entry.page.as_ref().unwrap().version)));
}

#[test]
fn what_l2_has_lost_is_written_again_although_it_is_unchanged() {
    let (mut key, page) = Key::published();
    key.after(SECOND * 2).on(Event::BytesLost { waiter: ONE, version: page.version });
    let token = key.token();
    let actions = key.ends(RenderOutcome::Done(key.page(token)));
    assert!(actions.contains(&Action::Write { version: token }), "{actions:?}");

    for is_held in [true, false] {
        let (mut key, page) = Key::published();
        let version = page.version;
        let actions = key.after(SECOND * 2).on(Event::CopyLost { version, is_held });
        assert_eq!(actions, if is_held { vec![Action::Write { version }] } else { vec![] });
        assert_eq!((&key.entry.page, key.entry.copy), (&Some(page), None));
        assert_eq!(key.on(Event::CopyLost { version: key.clock.last(), is_held }), [], "it is on its way");
        let other = Version::from_parts(Timestamp::from_millis(5), 0);
        assert_eq!(key.on(Event::CopyLost { version: other, is_held }), []);
    }
}
