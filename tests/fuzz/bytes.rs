//! Pages in their formats for L2 and L1, and messages between edge and objects.

use std::fmt::Debug;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bolero::check;
use cloudflare_isr::internals::codec::{decode, encode};
use cloudflare_isr::internals::inspection::answer::{Pages, ShardAnswer, ShardEntry, ShardQuestion, TagEntry, Totals};
use cloudflare_isr::internals::inspection::survey::{EntryQuestion, IndexSurvey, ShardSurvey};
use cloudflare_isr::internals::invalidation::{
    FeedPage, IdempotencyKey, Invalidation, LogId, LogPosition, Mode, PathPrefix, Refresh, Target,
};
use cloudflare_isr::internals::metrics::{ObjectCalls, PageVisits, RequestCount, RequestCounts};
use cloudflare_isr::internals::page::{PageHead, PageMeta, Prefix};
use cloudflare_isr::internals::protocol::{
    CarriedTags, FrameReader, InvalidateAnswer, Offer, PushFrame, RegisterAnswer, Reply, Ticket, ToCoordinator,
    ToTagIndex,
};
use cloudflare_isr::internals::reason::Reason;
use cloudflare_isr::internals::route::RouteId;
use cloudflare_isr::internals::semantics::cache_status::CacheOutcome;
use cloudflare_isr::internals::semantics::client_rules::ClientRules;
use cloudflare_isr::internals::semantics::digest::Digest;
use cloudflare_isr::internals::semantics::freshness::{Revalidate, Windows};
use cloudflare_isr::internals::semantics::headers::HeaderList;
use cloudflare_isr::internals::semantics::key::{CanonicalPath, PageKey};
use cloudflare_isr::internals::semantics::tag::{MAX_TAG_BYTES, Tag};
use cloudflare_isr::internals::shard_name::ShardName;
use cloudflare_isr::internals::time::Timestamp;
use cloudflare_isr::internals::version::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::TIME;
use crate::input::Bytes;
use crate::names::{check_key, check_path, check_shard};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const BODY: &[u8] = b"<p>Hello";

fn head() -> PageHead {
    let hour = Duration::from_hours(1);
    PageHead {
        meta: PageMeta {
            key: PageKey::from_stored("https://example.com/blog/hello?page=2").expect("it is a key"),
            version: version(),
            status: 200,
            rendered_at: START,
            windows: Windows::new(START, Revalidate::After(hour), hour, hour).expect("it is stored"),
            tags: tags(),
            body_bytes: Some(BODY.len() as u64),
            digest: Digest::parse("00112233445566778899aabbccddeeff"),
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        },
        headers: HeaderList::from_pairs(&[("content-type", "text/html"), ("link", "</a>"), ("link", "</b>")]),
    }
}

fn version() -> Version {
    Version::from_parts(START, 7)
}

fn tags() -> Vec<Tag> {
    Tag::of_page(&[], "blog, post:1")
}

fn invalidations() -> Vec<Invalidation> {
    let path = Target::Path(CanonicalPath::parse("/blog/hello").expect("it is a path"));
    let tag = Target::Tag(Tag::parse("blog").expect("it is a tag"));
    vec![
        Invalidation { seq: 1, at: START, target: path, mode: Mode::Stale, refresh: Refresh::Lazy },
        Invalidation { seq: 2, at: START, target: tag, mode: Mode::Expire, refresh: Refresh::Eager },
    ]
}

fn shard() -> ShardName {
    ShardName::from_stored("/blog/[slug]#3").expect("it is a shard")
}

fn check_tags(tags: &[Tag]) {
    for tag in tags {
        assert!(tag.as_str().len() <= MAX_TAG_BYTES);
        assert_eq!(Tag::parse(tag.as_str()).as_ref(), Ok(tag));
    }
}

fn check_invalidation(invalidation: &Invalidation) {
    check_target(&invalidation.target);
}

fn check_target(target: &Target) {
    match target {
        Target::Path(path) => check_path(path),
        Target::Tag(tag) => check_tags(std::slice::from_ref(tag)),
        Target::Prefix(prefix) => assert!(PathPrefix::all_of(prefix.as_str()).any(|own| own == prefix.as_str())),
        Target::Route(route) => assert_eq!(RouteId::from_stored(route.as_str()).as_ref(), Some(route)),
        Target::Everything => {}
    }
}

fn check_meta(meta: &PageMeta) {
    check_key(&meta.key);
    check_tags(&meta.tags);
    assert_eq!(PageMeta::from_header_value(&meta.to_header_value()).as_ref(), Ok(meta));
}

/// A decoded value has the requested key and the announced body, and encodes to the same bytes.
#[test]
fn an_l2_value() {
    let whole = [head().encode(), BODY.to_vec()].concat();
    let (samples, key) = ([whole, b"ISR\x01\0\0\0\0".to_vec()], head().meta.key);
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let value = input.of(&samples);
        let Ok(prefix) = Prefix::read(&value) else { return };
        let offset = prefix.body_offset();
        let before_body = &value[..offset.min(value.len())];
        if let Ok(head) = PageHead::decode(before_body, value.len(), &key) {
            assert_eq!(head.meta.key, key);
            assert_eq!(offset as u64 + head.meta.body_bytes.expect("L2 holds whole bodies"), value.len() as u64);
            check_meta(&head.meta);
            let again = head.encode();
            let total = again.len() + value.len() - offset;
            assert_eq!(PageHead::decode(&again, total, &key), Ok(head));
            // The whole value gives the same result as the part before the body.
            assert_eq!(PageHead::decode(&value, value.len(), &key).map(|_| ()), Ok(()));
        }
    });
}

/// A header value has one spelling: nothing may follow the value.
#[test]
fn a_meta_header() {
    let samples = [encode(&head().meta)];
    check!().with_test_time(TIME).with_type::<(bool, Bytes)>().for_each(|(as_text, input)| {
        let value = if *as_text {
            let text = [head().meta.to_header_value().into_bytes()];
            String::from_utf8_lossy(&input.of(&text)).into_owned()
        } else {
            URL_SAFE_NO_PAD.encode(input.of(&samples))
        };
        if let Ok(meta) = PageMeta::from_header_value(&value) {
            check_meta(&meta);
            let more = [URL_SAFE_NO_PAD.decode(&value).expect("it was read"), vec![0]].concat();
            assert!(PageMeta::from_header_value(&URL_SAFE_NO_PAD.encode(more)).is_err(), "a byte behind it");
        }
    });
}

#[test]
fn a_verdict_header() {
    let verdicts = [
        Reply::Page { rendered: true, collapsed: false },
        Reply::StandIn { reason: Reason::Backoff },
        Reply::Relay { reason: Reason::Unknown },
        Reply::Unchanged,
        Reply::Pass { until: START, reason: Some(Reason::Vary) },
        Reply::Unavailable { retry_at: START, reason: Reason::Breaker },
        Reply::Refused { reason: Reason::QueueFull },
        Reply::Lease { shard: shard(), token: version() },
    ];
    let samples = verdicts.map(|reply| encode(&reply));
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let bytes = input.of(&samples);
        let _ = Reply::from_header_value(&String::from_utf8_lossy(&bytes));
        if let Some(reply) = Reply::from_header_value(&URL_SAFE_NO_PAD.encode(&bytes)) {
            assert_eq!(Reply::from_header_value(&reply.to_header_value()), Some(reply));
        }
    });
}

/// Decodes damaged messages. A decoded message survives its own encoding, and nothing may follow a message.
fn a_message<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8], check: impl Fn(&T)) {
    if let Some(message) = decode::<T>(bytes) {
        check(&message);
        assert_eq!(decode::<T>(&encode(&message)), Some(message));
        assert_eq!(decode::<T>(&[bytes, &[0]].concat()), None, "a byte behind the message");
    }
}

#[test]
fn a_message_to_a_coordinator() {
    let key = head().meta.key;
    let [by_path, by_tag] = invalidations().try_into().expect("there are two");
    let entries = EntryQuestion { prefix: None, tag: tags().pop(), state: None, after: Some(key.clone()), limit: 7 };
    let messages = [
        ToCoordinator::Miss {
            shard: shard(),
            key: key.clone(),
            newer_than: None,
            forwarded: false,
            renders: false,
            visits: Vec::new(),
        },
        ToCoordinator::Stale {
            shard: shard(),
            key,
            version: version(),
            newer_than: Some(START),
            forwarded: true,
            visits: Vec::new(),
        },
        ToCoordinator::Visits { shard: shard(), visits: vec![PageVisits { key: head().meta.key, visits: 7 }] },
        ToCoordinator::Metrics,
        ToCoordinator::Progress(by_path.clone()),
        ToCoordinator::Invalidate(by_path),
        ToCoordinator::Invalidate(by_tag),
        inspect(Pages::All, None),
        inspect(Pages::Path(CanonicalPath::parse("/blog").expect("it is a path")), Some(head().meta.key)),
        inspect(Pages::Tag(tags().remove(0)), None),
        ToCoordinator::Survey(ShardSurvey::Entries(entries)),
    ];
    let samples = messages.map(|message| encode(&message));
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        a_message::<ToCoordinator>(&input.of(&samples), |message| match message {
            ToCoordinator::Miss { shard, key, .. } | ToCoordinator::Stale { shard, key, .. } => {
                check_shard(shard);
                check_key(key);
            }
            ToCoordinator::Invalidate(invalidation) | ToCoordinator::Progress(invalidation) => {
                check_invalidation(invalidation);
            }
            ToCoordinator::Visits { shard, visits } => {
                check_shard(shard);
                for page in visits {
                    check_key(&page.key);
                }
            }
            ToCoordinator::Retire { shard } => check_shard(shard),
            ToCoordinator::Survey(ShardSurvey::Entries(question)) => {
                question.after.iter().for_each(check_key);
                check_tags(question.tag.as_slice());
            }
            ToCoordinator::Metrics | ToCoordinator::Survey(_) => {}
            ToCoordinator::Inspect(question) => {
                question.after.iter().for_each(check_key);
                match &question.pages {
                    Pages::All => {}
                    Pages::Path(path) => check_path(path),
                    Pages::Tag(tag) => check_tags(std::slice::from_ref(tag)),
                }
            }
        });
    });
}

fn inspect(pages: Pages, after: Option<PageKey>) -> ToCoordinator {
    ToCoordinator::Inspect(ShardQuestion { pages, after, limit: 100, totals: true })
}

#[test]
fn a_ticket_and_an_offer() {
    let ticket = Ticket { shard: shard(), key: head().meta.key, token: version(), authorized: true, sent: Vec::new() };
    let samples = [encode(&ticket), encode(&Offer::new(ticket, 200, &head().headers))];
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let bytes = input.of(&samples);
        let text = URL_SAFE_NO_PAD.encode(&bytes);
        if let Some(ticket) = Ticket::parse(&text) {
            check_shard(&ticket.shard);
            check_key(&ticket.key);
            assert_eq!(Ticket::parse(&ticket.to_text()), Some(ticket));
        }
        if let Some(offer) = Offer::from_header_value(&text) {
            assert_eq!(Offer::from_header_value(&offer.to_header_value()), Some(offer));
        }
    });
}

fn carried() -> CarriedTags {
    CarriedTags { after: None, up_to: tags().pop(), tags: tags() }
}

#[test]
fn a_message_to_the_tag_index() {
    let messages = [
        ToTagIndex::Register {
            shard: shard(),
            shards: 4,
            tags: tags(),
            since: START,
            generation: 0,
            carried: Some(carried()),
        },
        ToTagIndex::Invalidate {
            target: invalidations().remove(0).target,
            mode: Mode::Expire,
            refresh: Refresh::Eager,
            key: Some(IdempotencyKey::of("cms", "1")),
        },
        ToTagIndex::InvalidateAll {
            targets: invalidations().into_iter().map(|row| row.target).collect(),
            mode: Mode::Stale,
            refresh: Refresh::Lazy,
            key: None,
        },
        ToTagIndex::Unregister { shard: shard(), generation: 7 },
        ToTagIndex::Progress { seq: 6 },
        ToTagIndex::Feed { since: 6, known: Some(LogPosition { log: LogId::new(3), seq: 7, at: START }) },
        ToTagIndex::Listen { since: 6, known: None, every: 2_500 },
        ToTagIndex::InspectTag { tag: tags().remove(0) },
        ToTagIndex::InspectShard { shard: shard() },
        ToTagIndex::Health { from: 3, limit: 16 },
        ToTagIndex::Survey(IndexSurvey::Shards { from: Some(shard()), route: None, limit: 3 }),
        ToTagIndex::Survey(IndexSurvey::Tags { prefix: "a".to_owned(), after: tags().pop(), limit: 3 }),
        ToTagIndex::Metrics { from: 3, limit: 16 },
        ToTagIndex::Count(RequestCounts {
            requests: vec![RequestCount {
                route: RouteId::from_stored("/blog/[slug]").expect("it is a route"),
                outcome: CacheOutcome::Stale,
                reason: Some(Reason::Aged),
                requests: 9,
            }],
            calls: ObjectCalls { coordinator: 1, tag_index: 2 },
        }),
    ];
    let samples = messages.map(|message| encode(&message));
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        a_message::<ToTagIndex>(&input.of(&samples), |message| match message {
            ToTagIndex::Register { shard, tags, .. } => {
                check_shard(shard);
                check_tags(tags);
            }
            ToTagIndex::Invalidate { target, .. } => check_target(target),
            ToTagIndex::InvalidateAll { targets, .. } => targets.iter().for_each(check_target),
            ToTagIndex::InspectTag { tag } => check_tags(std::slice::from_ref(tag)),
            ToTagIndex::InspectShard { shard } | ToTagIndex::Unregister { shard, .. } => check_shard(shard),
            ToTagIndex::Survey(IndexSurvey::Shards { from, .. }) => from.iter().for_each(check_shard),
            ToTagIndex::Survey(IndexSurvey::Tags { after, .. }) => check_tags(after.as_slice()),
            ToTagIndex::Survey(IndexSurvey::Invalidations { .. })
            | ToTagIndex::Feed { .. }
            | ToTagIndex::Listen { .. }
            | ToTagIndex::Progress { .. }
            | ToTagIndex::Count(_)
            | ToTagIndex::Metrics { .. }
            | ToTagIndex::Health { .. } => {}
        });
    });
}

#[test]
fn a_stream_of_the_tag_index() {
    let rows = FeedPage { seq: 7, rows: invalidations(), ..FeedPage::default() };
    let frames = [(0, Some(rows)), (1, None)];
    let frames = frames.map(|(number, page)| PushFrame { number, at: START, since: 5, page }.to_bytes());
    let samples = [frames.concat(), frames[1].clone()];
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let bytes = input.of(&samples);
        let mut reader = FrameReader::default();
        for piece in bytes.chunks(7) {
            let Ok(frames) = reader.take(piece) else { return };
            for page in frames.into_iter().filter_map(|frame| frame.page) {
                page.rows.iter().for_each(check_invalidation);
            }
        }
    });
}

#[test]
fn an_answer_of_the_tag_index() {
    let [by_path, by_tag] = invalidations().try_into().expect("there are two");
    let samples = [
        encode(&RegisterAnswer { invalidations: vec![by_tag.clone()], floor: START }),
        encode(&InvalidateAnswer { invalidation: by_path.clone(), applied: 3, pending: 1, matched: 9, repeated: true }),
        encode(&FeedPage {
            seq: 7,
            floor: START,
            rows: vec![by_path, by_tag],
            more: true,
            lagging: Vec::new(),
            log: Some(LogId::new(3)),
            newest: Some(LogPosition { log: LogId::new(3), seq: 9, at: START }),
        }),
    ];
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let bytes = input.of(&samples);
        a_message::<RegisterAnswer>(&bytes, |answer| answer.invalidations.iter().for_each(check_invalidation));
        a_message::<InvalidateAnswer>(&bytes, |answer| check_invalidation(&answer.invalidation));
        a_message::<FeedPage>(&bytes, |page| page.rows.iter().for_each(check_invalidation));
    });
}

#[test]
fn an_answer_to_an_inspection() {
    let rendering = json!({ "purpose": "cold", "beganAt": 1, "expiresAt": 2, "attempt": 0 });
    let pages = [("fresh", json!(null)), ("absent", rendering)].map(|(state, rendering)| {
        serde_json::from_value(json!({
            "key": "https://e.com/a", "path": "/a", "state": state, "status": 200, "tags": ["blog"], "heat": 1,
            "renderBeganAt": 1, "failures": 0, "rendering": rendering, "l2": { "state": "none", "attempts": 0 },
        }))
        .expect("it is a page's state")
    });
    let totals = Some(Totals { total: 1, fresh: 1, stale: 0, expired: 0 });
    let samples = [
        encode(&ShardAnswer { totals, pages: pages.into(), more: true, ..ShardAnswer::default() }),
        encode(&TagEntry { shards: vec![shard()], last_invalidation: None, pending: 1 }),
        encode(&Some(ShardEntry { pending: 1, oldest_pending: Some(7) })),
    ];
    check!().with_test_time(TIME).with_type::<Bytes>().for_each(|input| {
        let bytes = input.of(&samples);
        a_message::<ShardAnswer>(&bytes, |answer| {
            for page in &answer.pages {
                check_key(&page.key);
                check_tags(&page.tags);
            }
        });
        a_message::<TagEntry>(&bytes, |entry| entry.shards.iter().for_each(check_shard));
        a_message::<Option<ShardEntry>>(&bytes, |_| {});
    });
}
