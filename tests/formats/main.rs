//! Pins stored and sent bytes: a change of a format fails here before it meets values that an earlier version wrote.
//!
//! Formats that outlast a deployment (pages in L2, their names, the names of objects) are lists that only grow: every
//! format that was ever written stays readable. Messages are between this version and the previous one, so today's bytes
//! are pinned, and `cargo xtask test --upgrade` reads those that the previous version has pinned.

mod pinned;
mod versions;

use std::fmt::Debug;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;
use cloudflare_isr::internals::codec::{decode, encode};
use cloudflare_isr::internals::config::Config;
use cloudflare_isr::internals::inspection::answer::{
    BreakerState, BreakerWord, InvalidatedBy, L2State, L2Status, LastInvalidation, PageState, Pages, PendingWrites,
    RenderPurpose, Rendering, ShardAnswer, ShardEntry, ShardQuestion, ShardState, State, Sweeps, TagEntry,
    TagIndexHealth, Totals, UnpublishedRender,
};
use cloudflare_isr::internals::inspection::survey::{
    DecisionPage, DecisionQuestion, EntryPage, EntryQuestion, IndexSurvey, InvalidationPage, LeasePage, ListedShard,
    ListedTag, LoggedDecision, LoggedInvalidation, RankedPage, RunningRender, ShardOverview, ShardPage, ShardSurvey,
    TagPage,
};
use cloudflare_isr::internals::invalidation::{
    FeedPage, IdempotencyKey, Invalidation, LogId, LogPosition, Mode, Refresh, Target,
};
use cloudflare_isr::internals::metrics::{
    ObjectCalls, PageVisits, RequestCount, RequestCounts, ShardMetrics, TagIndexMetrics,
};
use cloudflare_isr::internals::page::{ELSEWHERE, FormatError, PageHead, PageMeta, Prefix};
use cloudflare_isr::internals::protocol::{
    ApplyAnswer, CarriedTags, DownstreamProgress, InvalidateAnswer, MESSAGE_PATH, META_HEADER, OFFER_HEADER,
    OFFER_PATH, Offer, Progress, PushFrame, REPLY_HEADER, RPC_PATH, RegisterAnswer, Reply, RetireAnswer, ShardProgress,
    StoreResult, TagIndexCall, Ticket, ToCoordinator, ToTagIndex, UnregisterAnswer,
};
use cloudflare_isr::internals::reason::Reason;
use cloudflare_isr::internals::route::RouteId;
use cloudflare_isr::internals::semantics::cache_status::CacheOutcome;
use cloudflare_isr::internals::semantics::client_rules::ClientRules;
use cloudflare_isr::internals::semantics::digest::Digest;
use cloudflare_isr::internals::semantics::freshness::{Revalidate, Windows};
use cloudflare_isr::internals::semantics::headers::HeaderList;
use cloudflare_isr::internals::semantics::key::{CanonicalPath, PageKey, QueryPolicy, RequestUrl, TrailingSlash};
use cloudflare_isr::internals::semantics::tag::Tag;
use cloudflare_isr::internals::shard_name::ShardName;
use cloudflare_isr::internals::tag_index_name::TagIndexName;
use cloudflare_isr::internals::time::Timestamp;
use cloudflare_isr::internals::version::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::pinned::{Pinned, Section, cbor, head, line};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_hours(1);

/// Whether the code still writes a format, or only reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Today {
    Written,
    #[allow(dead_code, reason = "the first format is the one in use")]
    Read,
}

/// Every format in which a page was ever written, oldest first. Append; change neither a name nor the bytes under it.
/// When a field is added, this list says with which value old bytes are read.
fn pages() -> Vec<(&'static str, Today, PageHead, &'static [u8])> {
    vec![
        ("format 1, first fields", Today::Written, page(), b"<p>Hello"),
        ("format 1, first fields: never ages, no tags, no body", Today::Written, bare_page(), b""),
        ("format 1, with a digest", Today::Written, page_with_digest(), b"<p>Hello"),
    ]
}

fn page() -> PageHead {
    PageHead {
        meta: PageMeta {
            key: key("https://example.com/blog/hello?page=2"),
            version: version(),
            status: 200,
            rendered_at: START.plus(Duration::from_millis(250)),
            windows: Windows::new(START, Revalidate::After(HOUR), HOUR * 24, HOUR * 48).expect("it is stored"),
            tags: vec![tag("blog"), tag("post:1")],
            body_bytes: Some(8),
            digest: None,
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        },
        headers: HeaderList::from_pairs(&[("content-type", "text/html"), ("link", "</a>"), ("link", "</b>")]),
    }
}

fn page_with_digest() -> PageHead {
    let page = page();
    let digest = Digest::parse("00112233445566778899aabbccddeeff");
    PageHead { meta: PageMeta { digest, ..page.meta }, ..page }
}

fn bare_page() -> PageHead {
    PageHead {
        meta: PageMeta {
            key: key("http://localhost:8787/"),
            version: Version::from_parts(Timestamp::from_millis(1), 0),
            status: 404,
            rendered_at: Timestamp::from_millis(2),
            windows: Windows::new(START, Revalidate::Never, HOUR, HOUR).expect("it is stored"),
            tags: Vec::new(),
            body_bytes: Some(0),
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
            digest: None,
        },
        headers: HeaderList::default(),
    }
}

fn key(text: &str) -> PageKey {
    PageKey::from_stored(text).expect("it is a key")
}

fn path(text: &str) -> CanonicalPath {
    CanonicalPath::parse(text).expect("it is a path")
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).expect("it is a tag")
}

fn shard(text: &str) -> ShardName {
    ShardName::from_stored(text).expect("it is a shard")
}

fn version() -> Version {
    Version::from_parts(START, 0x0123_4567_89ab_cdef_0123)
}

#[test]
fn pages_in_l2_are_read_forever() {
    let pinned = Pinned::read(include_str!("l2.txt"));
    for (name, today, page, body) in pages() {
        let section = pinned.get(name);
        if today == Today::Written {
            let before = page.encode();
            let (prefix, header) = before.split_at(Prefix::BYTES);
            let prefix = line(prefix, &format!("\"ISR\", format {}, header of {} bytes", prefix[3], header.len()));
            let body = if body.is_empty() { String::new() } else { line(body, "the body") };
            assert_same(text_of(section), &(head(name) + &prefix + &cbor(header) + &body));
        }
        let bytes = &section.expect("it is pinned").bytes;
        let offset = Prefix::read(bytes).expect("it begins a page").body_offset();
        let read = PageHead::decode(&bytes[..offset], bytes.len(), &page.meta.key);
        assert_eq!((read.as_ref(), &bytes[offset..]), (Ok(&page), body), "{name}");
    }
    assert_eq!(pinned.names(), pages().iter().map(|(name, ..)| *name).collect::<Vec<_>>());
}

/// If both stores are bound, KV has this value for a page that is in R2. A version of this cache that knows only format
/// 1 takes it for a miss.
#[test]
fn what_stands_for_a_page_in_another_store_is_read_forever() {
    assert_eq!(ELSEWHERE, [0x49, 0x53, 0x52, 0x02, 0, 0, 0, 0]);
    assert_eq!(Prefix::read(&ELSEWHERE), Err(FormatError::Format(2)), "it is no page");
}

/// L1 keeps a page with this header for up to a day, across deployments.
#[test]
fn pages_in_l1_are_read_forever() {
    let pinned = Pinned::read(include_str!("meta.txt"));
    for (name, today, page, _) in pages() {
        let section = pinned.get(name);
        if today == Today::Written {
            assert_same(text_of(section), &(head(name) + &in_header(META_HEADER, &page.meta.to_header_value())));
        }
        let header = &section.expect("it is pinned").header;
        assert_eq!(PageMeta::from_header_value(header), Ok(page.meta), "{name}");
    }
    assert_eq!(pinned.names(), pages().iter().map(|(name, ..)| *name).collect::<Vec<_>>());
}

/// The calls of edges that invalidate.
fn send_invalidations(now: &mut Messages) {
    now.sent(
        "ToTagIndex::Invalidate",
        &ToTagIndex::Invalidate {
            target: Target::Tag(tag("post:1")),
            mode: Mode::Expire,
            refresh: Refresh::Lazy,
            key: None,
        },
    );
    let blog = path("/blog").try_into().expect("it is a prefix");
    now.sent(
        "ToTagIndex::Invalidate, a prefix",
        &ToTagIndex::Invalidate { target: Target::Prefix(blog), mode: Mode::Stale, refresh: Refresh::Eager, key: None },
    );
    let route = Target::Route(RouteId::from_stored("/blog/[slug]").expect("it is a route"));
    now.sent(
        "ToTagIndex::Invalidate, a route",
        &ToTagIndex::Invalidate { target: route, mode: Mode::Expire, refresh: Refresh::Lazy, key: None },
    );
    let (target, key) = (Target::Tag(tag("post:1")), Some(IdempotencyKey::of("cms", "delivery 1")));
    now.sent(
        "ToTagIndex::Invalidate, with a key",
        &ToTagIndex::Invalidate {
            target: target.clone(),
            mode: Mode::Expire,
            refresh: Refresh::Lazy,
            key: key.clone(),
        },
    );
    now.sent(
        "ToTagIndex::InvalidateAll",
        &ToTagIndex::InvalidateAll {
            targets: vec![target, Target::Everything],
            mode: Mode::Stale,
            refresh: Refresh::Eager,
            key,
        },
    );
}

#[test]
fn messages_are_what_they_were() {
    let invalidation = |target, mode| Invalidation {
        seq: 7,
        at: START.plus(Duration::from_secs(1)),
        target,
        mode,
        refresh: Refresh::Lazy,
    };
    let by_tag = || invalidation(Target::Tag(tag("post:1")), Mode::Expire);
    let everything = || Invalidation { refresh: Refresh::Eager, ..invalidation(Target::Everything, Mode::Purge) };
    let page_of = |path: &str| key(&format!("https://example.com{path}"));
    let by_path = || invalidation(Target::Path(path("/blog/hello")), Mode::Stale);
    let (owner, page) = (shard("/blog/[slug]#3"), key("https://example.com/blog/hello"));

    let mut now = Messages::new(include_str!("messages.txt"));
    now.sent(
        "ToCoordinator::Miss",
        &ToCoordinator::Miss {
            shard: owner.clone(),
            key: page.clone(),
            newer_than: None,
            forwarded: false,
            renders: false,
            visits: Vec::new(),
        },
    );
    now.sent(
        "ToCoordinator::Stale",
        &ToCoordinator::Stale {
            shard: owner.clone(),
            key: page,
            version: version(),
            newer_than: Some(START),
            forwarded: false,
            visits: Vec::new(),
        },
    );
    let (shard, key) = (owner.clone(), page_of("/"));
    let miss = |forwarded, renders| ToCoordinator::Miss {
        shard: shard.clone(),
        key: key.clone(),
        newer_than: None,
        forwarded,
        renders,
        visits: Vec::new(),
    };
    now.sent("ToCoordinator::Miss, handed on", &miss(true, false));
    now.sent("ToCoordinator::Miss, by one who renders", &miss(false, true));
    now.sent("ToCoordinator::Progress", &ToCoordinator::Progress(everything()));
    now.sent("ToCoordinator::Invalidate, a tag", &ToCoordinator::Invalidate(by_tag()));
    now.sent("ToCoordinator::Invalidate, a path", &ToCoordinator::Invalidate(by_path()));
    now.sent("ToTagIndex::Register", &registration(owner));
    send_invalidations(&mut now);
    now.sent("ToTagIndex::Progress", &ToTagIndex::Progress { seq: 7 });
    let call = |message| TagIndexCall { tag_shards: 4, message };
    now.sent("TagIndexCall, ToTagIndex::Feed", &call(ToTagIndex::Feed { since: 6, known: None }));
    let known = Some(LogPosition { log: LogId::new(11), seq: 7, at: START });
    now.sent("TagIndexCall, ToTagIndex::Feed, with what the edge knows", &call(ToTagIndex::Feed { since: 6, known }));
    now.sent("RegisterAnswer", &RegisterAnswer { invalidations: vec![by_tag()], floor: START });
    now.sent(
        "InvalidateAnswer",
        &InvalidateAnswer { invalidation: by_path(), applied: 3, pending: 1, matched: 9, repeated: false },
    );
    now.sent("Applied", &ApplyAnswer { matched: 9 });
    let pages = ShardProgress { done: 4, failed: 1, pending: 4, done_at: Some(START) };
    now.sent("ShardProgress", &pages);
    let progress = Progress {
        invalidation: everything(),
        applied: 3,
        pending: 1,
        matched: 9,
        pages: Some(pages),
        downstream: Vec::new(),
    };
    now.sent("Progress", &progress);
    let downstream = vec![DownstreamProgress { cache: "zone_purge".to_owned(), is_done: true }];
    now.sent("Progress, with a cache in front", &Progress { downstream, ..progress });
    let rows = vec![by_tag(), by_path()];
    let page = FeedPage { seq: 7, floor: START, rows, more: true, lagging: Vec::new(), log: None, newest: None };
    now.sent("FeedPage", &page);
    let page = FeedPage { log: Some(LogId::new(11)), ..page };
    now.sent("FeedPage, of a log with an id", &page);
    now.sent("FeedPage, with the newest row of the log", &FeedPage { newest: known, ..page });
    now.end();
}

#[test]
fn messages_of_streams_are_what_they_were() {
    let mut now = Messages::new(include_str!("push.txt"));
    let known = Some(LogPosition { log: LogId::new(11), seq: 7, at: START });
    now.sent("ToTagIndex::Listen", &ToTagIndex::Listen { since: 6, known, every: 2_500 });
    let beat = PushFrame::<FeedPage> { number: 4, at: START, since: 7, page: None };
    now.sent("PushFrame, a beat", &beat);
    now.sent("PushFrame, with rows", &PushFrame { number: 5, page: Some(FeedPage::default()), ..beat });
    now.end();
}

#[test]
fn messages_about_what_is_counted_are_what_they_were() {
    let mut now = Messages::new(include_str!("metrics.txt"));
    let (owner, page) = (shard("/blog/[slug]#3"), key("https://example.com/blog/hello"));
    let visits = vec![PageVisits { key: page.clone(), visits: 7 }];
    now.sent(
        "ToCoordinator::Stale, with visits",
        &ToCoordinator::Stale {
            shard: owner.clone(),
            key: page,
            version: version(),
            newer_than: None,
            forwarded: false,
            visits: visits.clone(),
        },
    );
    now.sent("ToCoordinator::Visits", &ToCoordinator::Visits { shard: owner, visits });
    now.sent("ToCoordinator::Metrics", &ToCoordinator::Metrics);
    let count = RequestCount {
        route: RouteId::from_stored("/blog/[slug]").expect("it is a route"),
        outcome: CacheOutcome::Stale,
        reason: Some(Reason::Aged),
        requests: 9,
    };
    let calls = ObjectCalls { coordinator: 1, tag_index: 2 };
    now.sent("ToTagIndex::Count", &ToTagIndex::Count(RequestCounts { requests: vec![count], calls }));
    now.sent("ToTagIndex::Metrics", &ToTagIndex::Metrics { from: 16, limit: 16 });
    now.sent("ShardMetrics", &ShardMetrics { keys: Some(4), ..ShardMetrics::default() });
    now.sent("TagIndexMetrics", &TagIndexMetrics::default());
    now.end();
}

#[test]
fn messages_about_what_is_forgotten_are_what_they_were() {
    let mut now = Messages::new(include_str!("forgotten.txt"));
    let owner = shard("/blog/[slug]#3");
    let lagging = vec![(RouteId::from_stored("/blog/[slug]").expect("it is a route"), START)];
    now.sent("FeedPage, with a route that lags", &FeedPage { seq: 7, floor: START, lagging, ..FeedPage::default() });
    let carried = CarriedTags { after: None, up_to: Some(tag("post:9")), tags: vec![tag("post:1")] };
    now.sent(
        "ToTagIndex::Register, by a shard that has forgotten tags",
        &ToTagIndex::Register {
            shard: owner.clone(),
            shards: 4,
            tags: vec![tag("blog")],
            since: START,
            generation: 1_700_000_000_000,
            carried: Some(carried),
        },
    );
    let generation = 1_700_000_000_000;
    now.sent("ToTagIndex::Unregister", &ToTagIndex::Unregister { shard: owner.clone(), generation });
    now.sent("UnregisterAnswer", &UnregisterAnswer { more: true });
    now.sent("ToCoordinator::Retire", &ToCoordinator::Retire { shard: owner });
    now.sent("RetireAnswer", &RetireAnswer { retires: true });
    now.end();
}

fn registration(shard: ShardName) -> ToTagIndex {
    let tags = vec![tag("blog"), tag("post:1")];
    ToTagIndex::Register { shard, shards: 4, tags, since: START, generation: 0, carried: None }
}

/// The names of the fields are also those in the answers of an inspection.
#[test]
fn messages_of_an_inspection_are_what_they_were() {
    let page = key("https://example.com/blog/hello");
    let mut now = Messages::new(include_str!("inspection.txt"));
    let question = |pages, after, limit, totals| ToCoordinator::Inspect(ShardQuestion { pages, after, limit, totals });
    now.sent("ToCoordinator::Inspect", &question(Pages::All, None, 100, true));
    now.sent("ToCoordinator::Inspect, a path", &question(Pages::Path(path("/blog/hello")), Some(page), 7, false));
    now.sent("ToCoordinator::Inspect, a tag", &question(Pages::Tag(tag("post:1")), None, 0, true));
    now.sent("ToTagIndex::InspectTag", &ToTagIndex::InspectTag { tag: tag("post:1") });
    now.sent("ToTagIndex::InspectShard", &ToTagIndex::InspectShard { shard: shard("/blog/[slug]#3") });
    let totals = Totals { total: 6, fresh: 3, stale: 2, expired: 1 };
    let pages = vec![shown_page(), shown_render()];
    now.sent("ShardAnswer", &ShardAnswer { totals: Some(totals), pages, more: true, ..ShardAnswer::default() });
    now.sent("ToTagIndex::Health", &ToTagIndex::Health { from: 3, limit: 16 });
    let some = vec![shard("/blog/[slug]#3")];
    now.sent("TagIndexHealth", &TagIndexHealth { pending: 2, oldest_pending: Some(START), shards: 40, some });
    let breaker = BreakerState { state: BreakerWord::HalfOpen, failures: 9, probe_at: Some(START) };
    let state = ShardState {
        pages: totals,
        passing: 1,
        failing: 2,
        tags: 12,
        renders: 3,
        l2: PendingWrites { pending: 2, failing: 1 },
        breaker,
        sweeps: Sweeps { open: 1, pages: 5 },
        last_invalidation: Some(7),
    };
    now.sent(
        "ShardAnswer, a whole shard",
        &ShardAnswer { shard: Some(state), breaker: Some(breaker), refused_by_l2: Some(1), ..ShardAnswer::default() },
    );
    let last_invalidation = Some(LastInvalidation { seq: 7, mode: Mode::Expire, at: START });
    now.sent("TagEntry", &TagEntry { shards: vec![shard("/blog/[slug]#3")], last_invalidation, pending: 1 });
    now.sent("ShardEntry", &Some(ShardEntry { pending: 2, oldest_pending: Some(7) }));
    now.end();
}

/// The names of the fields are also those in the answers of the admin API.
#[test]
fn messages_of_surveys_are_what_they_were() {
    let mut now = Messages::new(include_str!("surveys.txt"));
    let page = || key("https://example.com/blog/hello");
    let owner = || shard("/blog/[slug]#3");
    let survey = |survey| ToCoordinator::Survey(survey);
    now.sent("ToCoordinator::Survey, overview", &survey(ShardSurvey::Overview));
    let decisions = ShardSurvey::Decisions(DecisionQuestion { after: Some(7), limit: 100 });
    now.sent("ToCoordinator::Survey, decisions", &survey(decisions));
    let entries = EntryQuestion {
        prefix: Some(path("/blog").try_into().expect("it is a prefix")),
        tag: Some(tag("post:1")),
        state: Some(State::Stale),
        after: Some(page()),
        limit: 100,
    };
    now.sent("ToCoordinator::Survey, entries", &survey(ShardSurvey::Entries(entries)));
    now.sent("ToCoordinator::Survey, leases", &survey(ShardSurvey::Leases { limit: 100 }));
    let survey = |survey| ToTagIndex::Survey(survey);
    let shards = IndexSurvey::Shards { from: Some(owner()), route: Some("/blog/[slug]".to_owned()), limit: 16 };
    now.sent("ToTagIndex::Survey, coordinators", &survey(shards));
    let tags = IndexSurvey::Tags { prefix: "post:".to_owned(), after: Some(tag("post:1")), limit: 100 };
    now.sent("ToTagIndex::Survey, tags", &survey(tags));
    let log = IndexSurvey::Invalidations { before: Some(7), before_time: Some(START), limit: 10 };
    now.sent("ToTagIndex::Survey, invalidations", &survey(log));
    let breaker = BreakerState { state: BreakerWord::Open, failures: 9, probe_at: Some(START) };
    let ranked = RankedPage { key: page(), heat: 3, rendered_at: Some(START), fresh_until: Some(START.plus(HOUR)) };
    let (hottest, stalest) = (vec![ranked], Vec::new());
    let overview = ShardOverview { keys: 12, state: None, breaker, last_decision: 7, hottest, stalest };
    now.sent("ShardOverview", &overview);
    let decision = LoggedDecision {
        seq: 7,
        at: START,
        kind: "failed".to_owned(),
        key: Some(page()),
        version: Some(version()),
        reason: Some(Reason::OriginError),
        detail: Some("status 503".to_owned()),
        invalidation: Some(9),
        pages: Some(4),
        duration_ms: Some(250),
    };
    now.sent("DecisionPage", &DecisionPage { last: 7, decisions: vec![decision] });
    now.sent("EntryPage", &EntryPage { pages: vec![shown_render()], after: Some(page()) });
    let lease = RunningRender {
        key: page(),
        token: version(),
        purpose: RenderPurpose::Cold,
        began_at: START,
        expires_at: START.plus(HOUR),
        attempt: 1,
    };
    now.sent("LeasePage", &LeasePage { total: 1, leases: vec![lease] });
    let listed = ListedShard { shard: owner(), deliveries: ShardEntry { pending: 2, oldest_pending: Some(7) } };
    now.sent("ShardPage", &ShardPage { known: 40, shards: vec![listed], more: true });
    let last_invalidation = Some(LastInvalidation { seq: 7, mode: Mode::Expire, at: START });
    let listed = ListedTag { tag: tag("post:1"), shards: 3, last_invalidation };
    now.sent("TagPage", &TagPage { tags: vec![listed], more: false });
    let target = Target::Tag(tag("post:1"));
    let invalidation = Invalidation { seq: 7, at: START, target, mode: Mode::Expire, refresh: Refresh::Lazy };
    let listed = LoggedInvalidation { invalidation, applied: 3, pending: 1, matched: 9 };
    now.sent("InvalidationPage", &InvalidationPage { invalidations: vec![listed], more: true });
    now.end();
}

fn shown_page() -> PageState {
    let page = page();
    let windows = page.meta.windows;
    PageState {
        path: page.meta.key.path().to_owned(),
        key: page.meta.key,
        state: State::Expired,
        version: Some(version()),
        status: Some(200),
        body_bytes: Some(8),
        tags: page.meta.tags,
        heat: 3,
        render_began_at: Some(START),
        rendered_at: Some(page.meta.rendered_at),
        fresh_until: windows.fresh_until,
        stale_until: windows.stale_until,
        error_until: windows.error_until,
        invalidated: Some(InvalidatedBy {
            seq: 7,
            kind: "tag".to_owned(),
            name: "post:1".to_owned(),
            mode: Mode::Expire,
            at: START.plus(HOUR),
        }),
        failures: 1,
        failure_began_at: Some(START.plus(HOUR)),
        retry_at: Some(START.plus(HOUR * 2)),
        pass_until: None,
        unpublished: Some(UnpublishedRender {
            reason: Reason::OriginError,
            detail: Some("status 503".to_owned()),
            at: START.plus(HOUR),
        }),
        rendering: None,
        l2: L2State {
            state: L2Status::Written,
            version: Some(version()),
            written_at: Some(START),
            due_at: None,
            attempts: 0,
        },
    }
}

fn shown_render() -> PageState {
    let expires_at = START.plus(HOUR);
    let rendering = Rendering { purpose: RenderPurpose::Background, began_at: START, expires_at, attempt: 1 };
    PageState {
        key: key("https://example.com/"),
        path: "/".to_owned(),
        state: State::Absent,
        version: None,
        status: None,
        body_bytes: None,
        tags: Vec::new(),
        heat: 0,
        render_began_at: None,
        rendered_at: None,
        fresh_until: None,
        stale_until: None,
        error_until: None,
        invalidated: None,
        failures: 0,
        failure_began_at: None,
        retry_at: None,
        pass_until: None,
        unpublished: None,
        rendering: Some(rendering),
        l2: L2State { state: L2Status::None, version: None, written_at: None, due_at: None, attempts: 0 },
    }
}

#[test]
fn verdicts_are_what_they_were() {
    let reason = Reason::Backoff;
    let mut now = Messages::new(include_str!("verdicts.txt"));
    now.said("Page", &Reply::Page { rendered: true, collapsed: false });
    now.said("StandIn", &Reply::StandIn { reason });
    now.said("Relay", &Reply::Relay { reason });
    now.said("Unchanged", &Reply::Unchanged);
    now.said("Pass", &Reply::Pass { until: START, reason: None });
    now.said("Pass, with a word", &Reply::Pass { until: START, reason: Some(reason) });
    now.said("Unavailable", &Reply::Unavailable { retry_at: START, reason });
    now.said("Refused", &Reply::Refused { reason });
    now.said("Lease", &Reply::Lease { shard: shard("/blog/[slug]#3"), token: version() });
    now.end();
}

/// A ticket lasts about a minute, but callers may be deployed separately from the gateway.
#[test]
fn tickets_and_offers_are_what_they_were() {
    let ticket = Ticket {
        shard: shard("/blog/[slug]#3"),
        key: page().meta.key,
        token: version(),
        authorized: false,
        sent: Vec::new(),
    };
    assert_eq!(Ticket::parse(&ticket.to_text()).as_ref(), Some(&ticket));
    let mut now = Messages::new(include_str!("offers.txt"));
    now.sent("Ticket", &ticket);
    now.sent("Offer", &Offer::new(ticket, 200, &page().headers));
    now.sent("Offered::Stored", &StoreResult::Stored);
    now.sent("Offered::NotStored", &StoreResult::NotStored { reason: Reason::Vary });
    now.sent("Offered::LeaseLost", &StoreResult::LeaseLost);
    now.end();
}

#[test]
fn messages_go_by_these_paths_and_headers() {
    assert_eq!((MESSAGE_PATH, RPC_PATH, OFFER_PATH), ("/v1/message", "/v1/rpc", "/v1/offer"));
    assert_eq!((META_HEADER, REPLY_HEADER, OFFER_HEADER), ("x-isr-meta", "x-isr-verdict", "x-isr-offer"));
}

/// Every object keeps its SQLite under its name: an object of another name starts empty. Append, never change.
#[test]
fn objects_are_found_under_their_names_forever() {
    assert_eq!(TagIndexName::ROOT.to_string(), "tags#0");
    for (tag_shards, text, name) in
        [(1, "post:1", "tags#0"), (2, "post:1", "tags#1"), (8, "post:1", "tags#3"), (32, "blog", "tags#10")]
    {
        assert_eq!(TagIndexName::of_tag(&tag(text), tag_shards).to_string(), name);
    }
    for (pattern, shards, path, name) in [
        ("/*", 1, "/", "/*#0"),
        ("/*", 8, "/", "/*#2"),
        ("/*", 8, "/about", "/*#7"),
        ("/blog/[slug]", 1, "/blog/hello", "/blog/[slug]#0"),
        ("/blog/[slug]", 8, "/blog/hello", "/blog/[slug]#0"),
        ("/blog/:slug", 8, "/blog/hello", "/blog/:slug#2"),
        ("/blog/[slug]", 256, "/blog/hello", "/blog/[slug]#240"),
        ("/blog/[slug]", 256, "/blog/%C3%BCber", "/blog/[slug]#167"),
        ("/blog/[slug]", 3, "/blog/%C3%BCber", "/blog/[slug]#1"),
        ("/über uns/*", 256, "/%C3%BCber%20uns/a/b", "/über uns/*#139"),
    ] {
        let settings = json!({ "routes": { pattern: { "shards": shards } } });
        let routes = Config::from_json(&settings).expect("it is a configuration").routes;
        let route = routes.by_id(pattern).expect("it is named by its pattern");
        let owner = ShardName::of(route, path);
        assert_eq!((owner.as_str(), Some(&owner)), (name, ShardName::from_stored(name).as_ref()));
    }
}

/// L2 finds a page under the name of its key, and the key is the canonical form of a URL. Append, never change.
#[test]
fn pages_are_found_under_their_names_forever() {
    let long = |n: usize| format!("https://example.com/{}", "a".repeat(n));
    let (longest, too_long, query) = (long(492), long(493), long(4000) + "?q=1");
    let policy = QueryPolicy::Only(["page".to_owned(), "q".to_owned()].into());
    for (url, key, name) in [
        ("https://example.com/", "https://example.com/", None),
        ("https://Example.COM:443//a/./b/../c/?x=1#y", "https://example.com/a/c", None),
        ("http://localhost:8787/a?q=a%20b&page=2&q=%c3%bc", "http://localhost:8787/a?page=2&q=a%20b&q=%C3%BC", None),
        ("http://localhost:8787/a?q&page=", "http://localhost:8787/a?page=&q", None),
        ("https://müller.de/%7eä|%2f", "https://xn--mller-kva.de/~%C3%A4%7C%2F", None),
        ("https://[::1]/it's(a)+b;c=d,e@f!$&*:~", "https://[::1]/it's(a)+b;c=d,e@f!$&*:~", None),
        (&longest, &longest, None),
        (&too_long, &too_long, Some("sha256:73d33dc2683bffaa60e2a95f2a024a8580a7526f9eacdb83ba380e715d6efde1")),
        (&query, &query, Some("sha256:411fb1be3725fba9c3d0d2fd32bd82a40304d2bd3b0352f66b755d0e493233cd")),
    ] {
        let found =
            RequestUrl::parse(url).and_then(|url| url.key(None, &policy, TrailingSlash::Strip)).expect("it has a key");
        assert_eq!((found.as_str(), found.kv_name().as_str()), (key, name.unwrap_or(key)));
        assert_eq!(PageKey::from_stored(key), Ok(found));
    }
}

/// Versions are stored in SQLite, in L2 and in L1, and compared as text. Append, never change.
#[test]
fn versions_are_read_forever() {
    for (time, random, text) in [
        (0, 0, "00000000000000000000000000"),
        (1, 1, "00000000010000000000000001"),
        (START.as_millis(), 0x0123_4567_89ab_cdef_0123, "01HF7YAT0004HMASW9NF6YY093"),
        ((1 << 48) - 1, (1 << 80) - 1, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"),
    ] {
        let version = Version::from_parts(Timestamp::from_millis(time), random);
        assert_eq!((version.to_string().as_str(), Version::parse(text)), (text, Some(version)));
    }
}

/// The current messages, next to the pinned ones.
struct Messages {
    file: &'static str,
    pinned: Pinned,
    now: Vec<String>,
}

impl Messages {
    fn new(file: &'static str) -> Self {
        Self { file, pinned: Pinned::read(file), now: Vec::new() }
    }

    fn sent<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, message: &T) {
        self.now.push(head(name) + &cbor(&encode(message)));
        if let Some(section) = self.pinned.get(name) {
            assert_eq!(decode::<T>(&section.bytes).as_ref(), Some(message), "{name}");
        }
    }

    fn said(&mut self, name: &str, verdict: &Reply) {
        self.now.push(head(name) + &in_header(REPLY_HEADER, &verdict.to_header_value()));
        if let Some(section) = self.pinned.get(name) {
            assert_eq!(Reply::from_header_value(&section.header).as_ref(), Some(verdict), "{name}");
        }
    }

    /// Compares the file as a whole: no message is missing, and none is superfluous.
    fn end(self) {
        assert_same(self.file, &self.now.join("\n"));
    }
}

/// Writes a header value, and the CBOR in it.
fn in_header(name: &str, value: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(value).expect("it is unpadded base64url");
    format!("{name}: {value}\n{}", cbor(&bytes))
}

/// Returns the text of a section, or nothing.
fn text_of(section: Option<&Section>) -> &str {
    section.map_or("", |section| &section.text)
}

/// Compares texts of many lines, and shows the whole new text.
fn assert_same(pinned: &str, now: &str) {
    let first = pinned.lines().zip(now.lines()).find(|(pinned, now)| pinned != now);
    assert!(pinned == now, "the bytes are not those that are pinned, first at {first:?}; now they are\n\n{now}");
}
