//! Random pages and invalidations: the views show each page in the state that the state machine finds.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::coordinator::{
    Action, Answer, Cause, Context, Event, PendingWrite, Room, RoutePolicy, StoredCopy, TokenBucket, Unpublished,
    WaiterId, handle,
};
use crate::reason::Reason;
use crate::semantics::digest::Digest;
use crate::semantics::evidence::Evidence;
use crate::semantics::freshness::Freshness;

/// Asks the state machine what it does with a client that has no page, and returns the page's state.
fn state_by_code(store: &Store, key: &PageKey, entry: &Entry, now: Timestamp) -> State {
    let page = entry.page.as_ref();
    let tags = page.map_or(&[][..], |page| page.tags.as_slice());
    let since = |version| store.invalidated_since(version, key.path(), tags).unwrap();
    let mut context = Context {
        key,
        now,
        random: 0,
        clock: &mut Clock::resume(None),
        breaker: &mut Breaker::default(),
        budget: &mut TokenBucket::default(),
        policy: RoutePolicy {
            expire: Duration::from_secs(9),
            render_timeout: Duration::ZERO,
            pass_ttl: Duration::ZERO,
        },
        room: Room::Now,
        may_drive: true,
        lifted: entry.marked_by.is_some_and(|mark| since(mark).is_some()),
        invalidated: page.and_then(|page| since(page.version)),
        growing: None,
        copy_invalidated: false,
    };
    let (after, actions) = handle(entry.clone(), Event::Miss { waiter: WaiterId(1) }, &mut context);
    let answer =
        actions.iter().find_map(|action| if let Action::Answer { answer, .. } = action { Some(answer) } else { None });
    match answer {
        Some(Answer::Pass { .. }) => State::Passing,
        Some(Answer::Page(page)) if page.windows.freshness(now) == Freshness::Fresh => State::Fresh,
        Some(Answer::Page(_)) => State::Stale,
        _ if after.page.is_some() => State::Expired,
        _ => State::Absent,
    }
}

const PATHS: [&str; 8] = ["/", "/a", "/a/b", "/a/b/c", "/ab", "/a?x=1", "/a/b?y=2", "/%C3%BC"];
const TAGS: [&str; 3] = ["x", "y:1", "z"];
const END: u64 = 12;

fn time() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0..END)
}

fn target() -> impl Strategy<Value = Target> {
    let prefix = |text: &str| Target::Prefix(PathPrefix::try_from(path(text)).unwrap());
    prop_oneof![
        prop::sample::select(vec!["/", "/a", "/a/b", "/ab"]).prop_map(|text| Target::Path(path(text))),
        prop::sample::select(TAGS.to_vec()).prop_map(|name| Target::Tag(tag(name))),
        prop::sample::select(vec!["/", "/a", "/a/b", "/b"]).prop_map(prefix),
        Just(Target::Route(RouteId::from_stored("/*").unwrap())),
        Just(Target::Everything),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Stale, Mode::Expire, Mode::Purge])
}

/// Draws an entry. Its key is set later.
fn entry() -> impl Strategy<Value = Entry> {
    let windows = (time(), time(), time());
    let published = (0..END, windows, prop::sample::subsequence(TAGS.to_vec(), 0..=TAGS.len()));
    let lease = (0..END, any::<bool>(), 0..3_u32);
    let marks = (0..3_u32, time(), time(), time());
    let write = prop::option::of((any::<bool>(), 0..END, 0..3_u32));
    let unpublished = prop::option::of((time(), any::<bool>()));
    (prop::option::of(published), prop::option::of(lease), (marks, unpublished), write, time(), any::<bool>()).prop_map(
        |(parts, lease, ((failures, retry_at, pass_until, marked_by), unpublished), write, written_at, is_copied)| {
            Entry {
                page: parts.map(|(start, (fresh, stale, error), tags)| {
                    let windows =
                        Windows { fresh_until: fresh.map(at), stale_until: stale.map(at), error_until: error.map(at) };
                    page(&key("/"), start, windows, &tags)
                }),
                lease: lease.map(|(since, is_cold, attempt)| Lease {
                    token: version(since),
                    purpose: if is_cold { Purpose::Cold } else { Purpose::Background },
                    expires_at: at(since + 70),
                    attempt,
                }),
                failures,
                retry_at: retry_at.map(at),
                pass_until: pass_until.map(at),
                marked_by: marked_by.map(version),
                // Often about the render that has left the marks, and otherwise about another one.
                unpublished: unpublished.map(|(ended, has_detail)| Unpublished {
                    token: version(ended.or(marked_by).unwrap_or(1)),
                    at: at(ended.unwrap_or(2)),
                    cause: Cause {
                        reason: if has_detail { Reason::OriginError } else { Reason::TagIndex },
                        detail: has_detail.then(|| Evidence::new("status 503")),
                    },
                }),
                pending: write.map(|(is_deletion, due, attempts)| PendingWrite {
                    version: (!is_deletion).then(|| version(1)),
                    due: at(due),
                    attempts,
                }),
                written_at: written_at.map(at),
                copy: is_copied
                    .then(|| StoredCopy { version: version(2), digest: Digest::parse(&"7".repeat(32)).unwrap() }),
            }
        },
    )
}

/// Returns the token of the last failed render.
fn failed_by(entry: &Entry) -> Option<Version> {
    let token = entry.marked_by.or(entry.unpublished.as_ref().map(|unpublished| unpublished.token));
    token.filter(|_| entry.failures > 0)
}

fn unpublished_by_code(entry: &Entry) -> Option<UnpublishedRender> {
    let known = entry.unpublished.as_ref().filter(|known| known.is_about(entry.marked_by, entry.failures));
    known.map(|Unpublished { at, cause: Cause { reason, detail }, .. }| UnpublishedRender {
        reason: *reason,
        detail: detail.as_ref().map(ToString::to_string),
        at: *at,
    })
}

fn l2_by_code(entry: &Entry) -> L2State {
    let state = match (entry.pending, entry.written_at, &entry.page) {
        (Some(PendingWrite { version: None, .. }), ..) => L2Status::Deleting,
        (Some(_), ..) => L2Status::Writing,
        (None, None, _) => L2Status::None,
        (None, Some(_), Some(_)) => L2Status::Written,
        (None, Some(_), None) => L2Status::Unknown,
    };
    L2State {
        state,
        version: entry.copy.map(|copy| copy.version),
        written_at: entry.written_at,
        due_at: entry.pending.map(|write| write.due),
        attempts: entry.pending.map_or(0, |write| u64::from(write.attempts)),
    }
}

proptest! {
    // Eight pages each.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_page_is_in_the_state_in_which_the_code_sees_it(
        entries in prop::collection::vec(entry(), PATHS.len()),
        mut told in prop::collection::vec((0..END, target(), mode()), 0..8),
        now in 0..END,
    ) {
        let (store, now) = (store(), at(now));
        stop_clock(&store, now);
        let mut pages = Vec::new();
        for (path, entry) in PATHS.iter().zip(entries) {
            let key = key(path);
            let page = entry.page.clone().map(|page| PageMeta { key: key.clone(), ..page });
            let entry = Entry { page, ..entry };
            save(&store, &key, &entry);
            pages.push((key, entry));
        }
        store.note_registered(&TAGS.map(tag), 1).unwrap();
        // A coordinator's clock rises, so the times of receipt do as well.
        told.sort_by_key(|(time, ..)| *time);
        let mut received = Vec::new();
        for (seq, (time, target, mode)) in (1..).zip(told) {
            let invalidation = Invalidation { seq, at: at(time + 100), target, mode, refresh: Refresh::Lazy };
            let version = Version::from_parts(at(time), (2 << 40) + u128::from(seq));
            store.note_invalidation(&invalidation, version, &Clock::resume(None), Timestamp::default()).unwrap();
            received.push((version, invalidation));
        }
        let shown = store.inspect(&all(Pages::All)).unwrap();
        pages.retain(|(_, entry)| *entry != Entry::default());
        pages.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        prop_assert_eq!(shown.pages.len(), pages.len());
        let mut states = Vec::new();
        for (shown, (key, entry)) in shown.pages.iter().zip(&pages) {
            let state = state_by_code(&store, key, entry, now);
            let page = entry.page.as_ref();
            let since = received.iter().filter(|(version, invalidation)| {
                page.is_some_and(|page| *version > page.version && names(&invalidation.target, page))
            });
            let strongest = since.max_by_key(|(_, invalidation)| (invalidation.mode, invalidation.seq));
            let began = |version: Option<Version>| version.map(Version::time);
            let windows = page.map_or(ENDLESS, |page| page.windows);
            let expected = PageState {
                key: key.clone(),
                path: key.path().to_owned(),
                state,
                version: page.map(|page| page.version),
                status: page.map(|page| page.status),
                body_bytes: page.and_then(|page| page.body_bytes),
                tags: page.map(|page| page.tags.clone()).unwrap_or_default(),
                heat: 0,
                render_began_at: began(page.map(|page| page.version)),
                rendered_at: page.map(|page| page.rendered_at),
                fresh_until: windows.fresh_until,
                stale_until: windows.stale_until,
                error_until: windows.error_until,
                invalidated: strongest.map(|(_, invalidation)| {
                    let (kind, name) = invalidation.target.kind_and_name();
                    let (kind, name) = (kind.to_owned(), name.to_owned());
                    InvalidatedBy { seq: invalidation.seq, kind, name, mode: invalidation.mode, at: invalidation.at }
                }),
                failures: u64::from(entry.failures),
                failure_began_at: began(failed_by(entry)),
                retry_at: entry.retry_at,
                pass_until: entry.pass_until,
                unpublished: unpublished_by_code(entry),
                rendering: entry.lease.map(|lease| Rendering {
                    purpose: if lease.purpose == Purpose::Cold { RenderPurpose::Cold } else { RenderPurpose::Background },
                    began_at: lease.token.time(),
                    expires_at: lease.expires_at,
                    attempt: u64::from(lease.attempt),
                }),
                l2: l2_by_code(entry),
            };
            prop_assert_eq!(shown, &expected);
            prop_assert_eq!(shown.invalidated.as_ref().map(|by| by.mode), page.and_then(|page| store.invalidated(page).unwrap()));
            states.push((state, page));
        }
        let count = |wanted: State, tag: Option<&Tag>| {
            let carries = |page: &PageMeta| tag.is_none_or(|tag| page.tags.contains(tag));
            states.iter().filter(|(state, page)| *state == wanted && (tag.is_none() || page.is_some_and(carries))).count() as u64
        };
        let totals = |tag: Option<&Tag>| {
            let [fresh, stale, expired] = [State::Fresh, State::Stale, State::Expired].map(|state| count(state, tag));
            Totals { total: fresh + stale + expired, fresh, stale, expired }
        };
        let shard = shown.shard.unwrap();
        prop_assert_eq!((shard.pages, shard.passing), (totals(None), count(State::Passing, None)));
        prop_assert_eq!(shard.last_invalidation, received.last().map(|(_, invalidation)| invalidation.seq));
        prop_assert_eq!(shard.renders, pages.iter().filter(|(_, entry)| entry.lease.is_some()).count() as u64);
        prop_assert_eq!(shard.l2.pending, pages.iter().filter(|(_, entry)| entry.pending.is_some()).count() as u64);
        prop_assert_eq!(Some(shard.breaker), shown.breaker);
        prop_assert_eq!(shard.failing, pages.iter().filter(|(_, entry)| entry.failures > 0).count() as u64);
        for name in TAGS.map(tag) {
            let told = store.inspect(&all(Pages::Tag(name.clone()))).unwrap();
            let carried = states.iter().filter(|(_, page)| page.is_some_and(|page| page.tags.contains(&name)));
            prop_assert_eq!((told.totals, told.pages.len()), (Some(totals(Some(&name))), carried.count()));
        }
    }
}
