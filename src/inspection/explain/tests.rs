//! One situation for each reason, and the sentences for them.

use std::time::Duration;

use super::*;
use crate::inspection::answer::{InvalidatedBy, L2State, L2Status, RenderPurpose, Rendering, UnpublishedRender};
use crate::invalidation::FeedPage;
use crate::reason::ReasonKind;
use crate::route::RouteId;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::Windows;
use crate::semantics::key::PageKey;
use crate::semantics::vary::Visitor;
use crate::visit::{CallFailure, PassMarker, Sent};

/// 2026-11-30T12:00:00Z.
const NOON: u64 = 1_796_040_000_000;

const SHARD: &str = "/blog/[slug]#0";

fn noon(minutes: u64, seconds: u64) -> Timestamp {
    Timestamp::from_millis(NOON + (minutes * 60 + seconds) * 1000)
}

fn shard() -> ShardName {
    ShardName::from_stored(SHARD).unwrap()
}

/// A page that was rendered at 12:00:10, and is fresh for five minutes, then stale for an hour.
fn page(state: State) -> PageState {
    let is_published = !matches!(state, State::Absent | State::Passing);
    let published = |at: Timestamp| is_published.then_some(at);
    PageState {
        key: PageKey::from_stored("https://e.com/blog/hello").unwrap(),
        path: "/blog/hello".to_owned(),
        state,
        version: is_published.then(|| Version::from_parts(noon(0, 10), 1)),
        status: is_published.then_some(200),
        body_bytes: is_published.then_some(17),
        tags: Vec::new(),
        heat: 0,
        render_began_at: published(noon(0, 10)),
        rendered_at: published(noon(0, 10)),
        fresh_until: published(noon(5, 10)),
        stale_until: published(noon(65, 10)),
        error_until: published(noon(1445, 10)),
        invalidated: None,
        failures: 0,
        failure_began_at: None,
        retry_at: None,
        pass_until: None,
        unpublished: None,
        rendering: None,
        l2: L2State { state: L2Status::None, version: None, written_at: None, due_at: None, attempts: 0 },
    }
}

fn failed(page: PageState, reason: Reason, detail: Option<&str>) -> PageState {
    PageState {
        failures: 1,
        failure_began_at: Some(noon(5, 11)),
        retry_at: Some(noon(5, 27)),
        unpublished: Some(UnpublishedRender { reason, detail: detail.map(str::to_owned), at: noon(5, 11) }),
        ..page
    }
}

fn passing(reason: Reason, detail: Option<&str>) -> PageState {
    let unpublished = Some(UnpublishedRender { reason, detail: detail.map(str::to_owned), at: noon(5, 0) });
    PageState { pass_until: Some(noon(6, 0)), unpublished, ..page(State::Passing) }
}

fn invalidated(page: PageState, mode: Mode) -> PageState {
    let by = InvalidatedBy { seq: 7, kind: "tag".to_owned(), name: "post:42".to_owned(), mode, at: noon(4, 0) };
    PageState { invalidated: Some(by), ..page }
}

/// The facts at 12:05:20, with a current feed.
fn facts(page: Option<PageState>, request: Outlook) -> Facts {
    Facts {
        route: Some(RouteFacts {
            pattern: "/blog/[slug]".to_owned(),
            revalidate_seconds: Some(300),
            expire_seconds: 3600,
            stale_if_error_seconds: 86_400,
        }),
        shard: Some(shard()),
        page,
        feed: FeedFacts { is_current: true, complete_until: Some(noon(5, 15)) },
        request,
        ..Facts::about("https://e.com/blog/hello".to_owned(), noon(5, 20))
    }
}

fn gets(outcome: CacheOutcome, reason: Reason) -> Outlook {
    Outlook::new(outcome, Some(reason))
}

fn open_breaker() -> BreakerState {
    BreakerState { state: BreakerWord::Open, failures: 9, probe_at: Some(noon(6, 0)) }
}

/// Returns the situation of a reason, and its explanation.
#[allow(clippy::too_many_lines, reason = "it is a table")]
fn situation(reason: Reason) -> (Facts, &'static str) {
    use CacheOutcome::{Hit, Skip, Stale};
    const STALE: &str = "Stale since 12:05:10 UTC: rendered 12:00:10, fresh for 5 min. No invalidation matched.";
    let fresh = || PageState { fresh_until: Some(noon(10, 10)), ..page(State::Fresh) };
    let because = |reason| Facts { passed: Some(Passed::Because(reason)), ..facts(None, gets(Skip, reason)) };
    let silent = |failure: CallFailure| {
        let reason = failure.reason();
        Facts { unreachable: Some(reason), ..facts(None, gets(Skip, reason)) }
    };
    let unstorable = |detail| facts(Some(passing(reason, detail)), gets(Skip, reason));
    let unpublished = || {
        let pause = failed(page(State::Stale), reason, None);
        facts(Some(PageState { failures: 0, failure_began_at: None, ..pause }), gets(Stale, Reason::Aged))
    };
    match reason {
        Reason::Memory => (
            facts(Some(fresh()), gets(Hit, reason)),
            "Fresh until 12:10:10 UTC: rendered 12:00:10, fresh for 10 min. No invalidation matched. A request here gets HIT (memory).",
        ),
        Reason::L2 => (
            facts(Some(fresh()), gets(Hit, reason)),
            "Fresh until 12:10:10 UTC: rendered 12:00:10, fresh for 10 min. No invalidation matched. A request here gets HIT (l2).",
        ),
        Reason::Coordinator => (
            facts(Some(PageState { fresh_until: None, ..page(State::Fresh) }), gets(Hit, reason)),
            "Fresh: rendered 12:00:10, never ages. No invalidation matched. A request here gets HIT (coordinator).",
        ),
        Reason::Aged => (facts(Some(page(State::Stale)), gets(Stale, reason)), "A request here gets STALE (aged)."),
        Reason::FeedUnavailable => (
            Facts {
                feed: FeedFacts { is_current: false, complete_until: Some(noon(4, 0)) },
                ..facts(Some(fresh()), gets(Stale, reason))
            },
            "Nothing is fresh here: this isolate's feed is complete only up to 12:04:00. A request here gets STALE (feed-unavailable).",
        ),
        Reason::Invalidated => (
            facts(
                Some(invalidated(fresh(), Mode::Stale)).map(|page| PageState { state: State::Stale, ..page }),
                gets(Stale, reason),
            ),
            "Stale since 12:04:00 UTC: invalidated by tag post:42 (number 7, mode stale); rendered 12:00:10, fresh for 10 min. \
             A request here gets STALE (invalidated).",
        ),
        Reason::OriginError => (
            facts(Some(failed(page(State::Stale), reason, Some("status 503"))), gets(Stale, Reason::Aged)),
            "Stale since 12:05:10 UTC: rendered 12:00:10, fresh for 5 min. No invalidation matched. \
             The last render failed at 12:05:11 (503); next attempt 12:05:27. A request here gets STALE (aged).",
        ),
        Reason::RenderTimeout => (
            facts(Some(failed(page(State::Stale), reason, None)), gets(Stale, Reason::Aged)),
            "The last render failed at 12:05:11 (render-timeout); next attempt 12:05:27.",
        ),
        Reason::Lost => (
            facts(
                Some(PageState { failures: 3, ..failed(page(State::Absent), reason, None) }),
                gets(Skip, Reason::Backoff),
            ),
            "Not stored: no render has been published. \
             The last 3 renders failed, the last one at 12:05:11 (lost); next attempt 12:05:27.",
        ),
        Reason::Backoff => (
            facts(
                Some(PageState {
                    stale_until: Some(noon(5, 15)),
                    ..failed(page(State::Expired), Reason::OriginError, Some("status 500"))
                }),
                gets(Stale, reason),
            ),
            "Expired since 12:05:15 UTC: rendered 12:00:10, fresh for 5 min, and served stale until then. No invalidation matched. \
             The last render failed at 12:05:11 (500); next attempt 12:05:27. A request here gets STALE (backoff).",
        ),
        Reason::Breaker => (
            Facts { breaker: Some(open_breaker()), ..facts(None, gets(Skip, reason)) },
            "Not stored: the coordinator knows nothing of the page. The circuit breaker of /blog/[slug]#0 is open, because 9 pages fail; \
             next attempt 12:06:00. A request here gets SKIP (breaker).",
        ),
        Reason::NoRoom | Reason::TagIndex => (
            unpublished(),
            if reason == Reason::NoRoom {
                "The last render could not be published at 12:05:11 (no-room); next attempt 12:05:27."
            } else {
                "The last render could not be published at 12:05:11 (tag-index); next attempt 12:05:27."
            },
        ),
        Reason::CoordinatorUnreachable => (
            silent(CallFailure::Unreachable),
            "The state of the page is not known: the coordinator can't be reached, or threw an exception.",
        ),
        Reason::CoordinatorOverloaded => (
            silent(CallFailure::Overloaded),
            "The state of the page is not known: the platform does not let more requests through to the coordinator.",
        ),
        Reason::CoordinatorTimeout => (
            silent(CallFailure::Timeout),
            "The state of the page is not known: the coordinator did not answer within `miss_timeout`.",
        ),
        Reason::CoordinatorFailed => {
            (silent(CallFailure::Failed), "The state of the page is not known: the coordinator answered with an error.")
        }
        Reason::Misconfigured => (
            silent(CallFailure::NoSqlite),
            "The state of the page is not known: the class of the coordinator has no SQLite",
        ),
        Reason::Status => (
            unstorable(Some("status 302")),
            "Not stored, and passed to the origin until 12:06:00 UTC: the route does not store answers with this status (status 302). A request here gets SKIP (status).",
        ),
        Reason::CacheControl => (
            unstorable(Some("cache-control: private")),
            "until 12:06:00 UTC: `Cache-Control`, or `CDN-Cache-Control` in its place, forbids it (cache-control: private). A request here gets SKIP (cache-control).",
        ),
        Reason::SetCookie => {
            (unstorable(Some("set-cookie: session")), "(set-cookie: session). A request here gets SKIP (set-cookie).")
        }
        Reason::Query | Reason::UriTooLong | Reason::UriEncoding | Reason::Host => (
            because(reason),
            match reason {
                Reason::Query => "Not stored: the URL has a query parameter that the route does not name.",
                Reason::UriTooLong => "Not stored: the URL is too long for a key.",
                Reason::UriEncoding => "Not stored: the URL contains an invalid percent-encoding.",
                _ => "Not stored: the host is not among `hosts`.",
            },
        ),
        // The origin's response led to these, and the coordinator keeps the reason.
        _ if reason.kind() == ReasonKind::Unstorable => {
            (unstorable(None), "Not stored, and passed to the origin until 12:06:00 UTC: ")
        }
        // These are about single requests. An explanation names the state of the page, and, if asked, what the word means.
        _ => (facts(Some(page(State::Stale)), gets(Stale, Reason::Aged)), STALE),
    }
}

#[test]
fn each_reason_has_a_situation_with_a_sentence() {
    for reason in Reason::ALL.iter().copied() {
        let (facts, expected) = situation(reason);
        let sentence = facts.sentence();
        assert!(sentence.contains(expected), "{reason}: {sentence:?} has not {expected:?}");
        assert!(sentence.ends_with('.') && !sentence.contains(".."), "{reason}: {sentence}");
        assert!(sentence.starts_with(char::is_uppercase), "{reason}: {sentence}");
    }
}

#[test]
fn a_url_without_a_page_is_explained() {
    let nothing = || Facts::about("https://e.com/".to_owned(), noon(0, 0));
    assert_eq!(nothing().sentence(), "No route matches this URL: the origin answers without the cache.");
    let own = Facts { passed: Some(Passed::Admin), ..nothing() };
    assert_eq!(own.sentence(), "This path belongs to the cache itself.");
    let never = Facts { passed: Some(Passed::NeverStored), ..facts(None, Outlook::default()) };
    assert_eq!(never.sentence(), "Not stored: the route has `revalidate = 0`, so the origin answers each request.");
}

#[test]
fn a_purged_page_and_a_render_under_way_are_named() {
    let rendering =
        Some(Rendering { purpose: RenderPurpose::Cold, began_at: noon(5, 19), expires_at: noon(6, 0), attempt: 0 });
    let purged = PageState { rendering, ..invalidated(page(State::Absent), Mode::Purge) };
    let sentence = facts(Some(purged), Outlook::new(CacheOutcome::Miss, None)).sentence();
    let expected = "Not stored since 12:04:00 UTC: invalidated by tag post:42 (number 7, mode purge). \
        A render is under way since 12:05:19. A request here gets MISS.";
    assert_eq!(sentence, expected);
}

#[test]
fn what_led_to_a_state_long_ago_has_its_date() {
    let page = PageState { fresh_until: None, rendered_at: Some(Timestamp::from_millis(0)), ..page(State::Fresh) };
    let sentence = facts(Some(page), gets(CacheOutcome::Hit, Reason::L2)).sentence();
    assert!(sentence.starts_with("Fresh: rendered 1970-01-01 00:00:00, never ages."), "{sentence}");
}

/// A client without headers.
struct Nobody;

impl Visitor for Nobody {
    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn country(&self) -> Option<String> {
        None
    }
}

fn stored() -> StoredPage<()> {
    let shown = page(State::Fresh);
    let windows =
        Windows { fresh_until: shown.fresh_until, stale_until: shown.stale_until, error_until: shown.error_until };
    let meta = PageMeta {
        key: shown.key,
        version: Version::from_parts(noon(0, 10), 1),
        status: 200,
        rendered_at: noon(0, 10),
        windows,
        tags: Vec::new(),
        body_bytes: Some(17),
        digest: None,
        rules: ClientRules::default(),
        has_validator: false,
        vouched: None,
    };
    StoredPage { meta, body: () }
}

#[test]
fn the_outlook_is_what_the_machine_of_visits_decides() {
    let (key, route) = (page(State::Fresh).key, RouteId::from_stored("/blog/[slug]").unwrap());
    let second = Duration::from_secs(1);
    let request = Request {
        key: &key,
        route: &route,
        sent: Sent(&Nobody),
        renders: false,
        freshness_bound: second * 10,
        miss_timeout: second * 15,
        pass_ttl: second * 60,
    };
    let mark = |reason| L1Entry::Pass(PassMarker { since: noon(5, 0), until: noon(6, 0), reason });
    let none = Coordinator { unreachable: None, page: None, breaker: None };
    let of = |page| Coordinator { page: Some(page), ..none };
    let fresh = page(State::Fresh);
    let expired = PageState { failures: 1, retry_at: Some(noon(90, 30)), ..page(State::Expired) };
    let paused = PageState { failures: 0, ..expired.clone() };
    let gone = PageState { error_until: Some(noon(80, 0)), ..expired.clone() };
    let not_stored = passing(Reason::Vary, None);
    let open = Coordinator { breaker: Some(open_breaker()), ..none };
    let silent = Coordinator { unreachable: Some(CallFailure::Timeout), ..none };
    let nothing = || L1Entry::Nothing;
    for (minutes, l1, l2, coordinator, expected) in [
        (3, L1Entry::Page(stored()), None, none, "HIT -"),
        (3, nothing(), Some(stored()), none, "HIT l2"),
        (6, L1Entry::Page(stored()), None, none, "STALE aged"),
        (5, mark(Reason::SetCookie), None, none, "SKIP set-cookie"),
        (3, nothing(), None, none, "MISS -"),
        (3, nothing(), None, of(&fresh), "HIT coordinator"),
        (3, nothing(), None, of(&not_stored), "SKIP vary"),
        (3, nothing(), None, open, "SKIP breaker"),
        (3, nothing(), None, silent, "SKIP coordinator-timeout"),
        (90, L1Entry::Page(stored()), None, silent, "STALE coordinator-timeout"),
        (90, nothing(), None, of(&expired), "STALE backoff"),
        (90, nothing(), None, of(&paused), "STALE unpublished"),
        (90, nothing(), None, of(&gone), "SKIP backoff"),
        (91, nothing(), None, of(&expired), "MISS -"),
    ] {
        let now = noon(minutes, 0);
        let mut polling = Polling::default();
        polling.answered(now, FeedPage::default());
        let Outlook { status, reason } = outlook(request, l1, l2, &polling, now, coordinator);
        let seen = format!("{} {}", status.unwrap_or("-"), reason.map_or("-", Reason::name));
        assert_eq!(seen, expected, "{minutes} {coordinator:?}");
    }
}
