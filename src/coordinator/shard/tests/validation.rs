//! Which renders validate the published page.

use super::*;
use crate::semantics::key::CanonicalPath;

/// A configuration whose pages are stale at once.
fn shard_with_page(has_validator: bool) -> (TestShard, Version) {
    let mut shard = open();
    on(&mut shard, at(10), miss(1, "/a"));
    let token = token(&shard, "/a");
    let digest = Digest::parse("00000000000000000000000000000001");
    let over = Some(token.time());
    let windows = Windows { fresh_until: over, stale_until: over, error_until: None };
    let page = PageMeta { windows, digest, has_validator, ..page("/a", token, &[]) };
    let outcome = RenderOutcome::Done(page.clone());
    shard.on(&config(), at(20), Input::Ended { key: key("/a"), token, outcome, answer: Some((page, "body")) });
    shard.on(&config(), at(21), Input::Wrote { key: key("/a"), version: Some(token), taken: true });
    (shard, token)
}

fn asked(newer_than: Option<Timestamp>) -> Input<&'static str> {
    let Input::Request { waiter: _, shard, key, served, forwarded, renders, .. } = miss(2, "/a") else {
        unreachable!()
    };
    Input::Request { waiter: WaiterId(2), shard, key, served, newer_than, forwarded, renders }
}

fn invalidation(mode: Mode) -> Input<&'static str> {
    let target = Target::Path(CanonicalPath::parse("/a").unwrap());
    Input::Invalidate(Invalidation { seq: 1, target, mode, refresh: Refresh::Lazy, at: at(30).now })
}

/// Returns the version that the next render validates, and whether its content is held.
fn base_of(shard: &mut TestShard, moment: Moment, input: Input<&'static str>) -> Option<(Version, bool)> {
    let effects = shard.on(&config(), moment, input).effects;
    let base = effects.into_iter().find_map(|effect| match effect {
        Effect::Render { base, .. } => Some(base),
        _ => None,
    });
    base.expect("a render begins").map(|base| (base.page.version, base.content.is_some()))
}

#[test]
fn a_page_that_is_stale_or_expired_is_validated() {
    let (mut shard, version) = shard_with_page(true);
    assert_eq!(base_of(&mut shard, at(40), asked(None)), Some((version, true)));
    let (mut shard, version) = shard_with_page(true);
    on(&mut shard, at(31), invalidation(Mode::Expire));
    assert_eq!(base_of(&mut shard, at(40), asked(None)), Some((version, true)));
    assert_eq!(shard.store.has_received(at(30).now, &page("/a", version, &[])), Ok(true));
    let (mut shard, version) = shard_with_page(true);
    on(&mut shard, at(31), invalidation(Mode::Expire));
    assert_eq!(base_of(&mut shard, at(40), asked(Some(at(30).now))), Some((version, true)), "the shard knows it, too");
    let (mut shard, _) = shard_with_page(true);
    on(&mut shard, at(31), invalidation(Mode::Expire));
    assert_eq!(base_of(&mut shard, at(40), asked(Some(at(32).now))), None, "another one has not arrived");
    let (shard, version) = shard_with_page(true);
    let (mut shard, _) = reopen(shard, at(30));
    assert_eq!(base_of(&mut shard, at(40), asked(None)), Some((version, false)), "its content is in L2");
}

#[test]
fn a_page_that_may_be_purged_is_not_validated() {
    let (mut shard, _) = shard_with_page(true);
    on(&mut shard, at(31), invalidation(Mode::Purge));
    assert_eq!(base_of(&mut shard, at(40), asked(None)), None);
    let (mut shard, _) = shard_with_page(true);
    assert_eq!(base_of(&mut shard, at(40), asked(Some(at(30).now))), None, "an edge knows more than the shard");
    let (mut shard, version) = shard_with_page(true);
    assert_eq!(base_of(&mut shard, at(40), asked(Some(at(5).now))), Some((version, true)), "from before the page");
    let (mut shard, _) = shard_with_page(false);
    assert_eq!(base_of(&mut shard, at(40), asked(None)), None, "without a validator");
}

#[test]
fn a_page_that_was_invalidated_during_its_validation_is_rendered_anew() {
    let (mut shard, version) = shard_with_page(true);
    assert_eq!(base_of(&mut shard, at(40), asked(None)), Some((version, true)));
    on(&mut shard, at(41), invalidation(Mode::Expire));
    let token = token(&shard, "/a");
    let ended = rendered("/a", token, &[]);
    assert_eq!(base_of(&mut shard, at(50), ended), None, "it is a new attempt");
}
