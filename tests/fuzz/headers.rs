//! The response headers of an origin.

use std::time::Duration;

use bolero::{TypeGenerator, check, produce};
use cloudflare_isr::internals::page::{PageHead, PageMeta, Prefix};
use cloudflare_isr::internals::route::RenderHeaders;
use cloudflare_isr::internals::secret::Secret;
use cloudflare_isr::internals::semantics::bypass_cookies::BypassCookies;
use cloudflare_isr::internals::semantics::cache_control::CacheControl;
use cloudflare_isr::internals::semantics::cache_policy::{self, CachePolicy};
use cloudflare_isr::internals::semantics::conditional::{Conditions, Form, SelectedRepresentation};
use cloudflare_isr::internals::semantics::etag;
use cloudflare_isr::internals::semantics::freshness::Revalidate;
use cloudflare_isr::internals::semantics::headers::{HeaderKind, HeaderList};
use cloudflare_isr::internals::semantics::http_rules::HttpRules;
use cloudflare_isr::internals::semantics::key::{PageKey, QueryPolicy, TrailingSlash};
use cloudflare_isr::internals::semantics::range::Range;
use cloudflare_isr::internals::semantics::set_cookie::SetCookie;
use cloudflare_isr::internals::semantics::statuses::Statuses;
use cloudflare_isr::internals::semantics::storable::{Criteria, Storability, Storable, judge};
use cloudflare_isr::internals::semantics::tag::{MAX_TAGS_PER_PAGE, Tag};
use cloudflare_isr::internals::semantics::vary::Vary;
use cloudflare_isr::internals::session::{Session, cookie};
use cloudflare_isr::internals::time::Timestamp;
use cloudflare_isr::internals::version::Version;

use crate::TIME;
use crate::input::Text;

const CACHE_CONTROL: &[&str] = &[
    "no-store",
    "private",
    "no-cache",
    "max-age",
    "s-maxage",
    "stale-while-revalidate",
    "stale-if-error",
    "must-revalidate",
    "proxy-revalidate",
    "public",
    "=",
    "\"",
    "\\",
    ",",
    ", ",
    " ",
    "0",
    "60",
    "4294967296",
    "99999999999999999999999",
    "x=\"a, b\"",
    "No-Store",
];

const NAMES: &[&str] = &[
    "cache-control",
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "age",
    "content-encoding",
    "content-range",
    "cache-tag",
    "vary",
    "location",
    "content-length",
    "connection",
    "set-cookie",
    "x-isr-revalidate",
    "x-isr-meta",
    "content-type",
    "link",
    "x",
];

const VALUES: &[&str] = &[
    "s-maxage=60",
    "max-age=60",
    "stale-while-revalidate=10",
    "stale-if-error=10",
    "no-store",
    "private",
    "\"",
    ",",
    ", ",
    "post:1",
    "accept-encoding",
    "*",
    "/a",
    "/a/",
    "https://e.com/b",
    "link",
    "false",
    "0",
    "18446744073709551615",
    "text/html",
    "must-understand",
    "gzip",
    "ü",
    "\r\n",
];

const COOKIES: &[&str] =
    &["__Host-isr-session", "__Host-isr-session=", "=", ";", "; ", ".", "1800000000000", "AAAA", "a=1", " ", ","];

/// What was not made with the token is no session, and the other cookies pass without it.
#[test]
fn a_session() {
    let token = Secret::new("the admin token");
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let header = input.of(COOKIES);
        if let Some(value) = cookie::value(&header) {
            assert!(Session::open(value, &token, Timestamp::from_millis(1_700_000_000_000)).is_err());
        }
        let without = cookie::without(&header);
        let rest = without.as_deref().unwrap_or(&header);
        assert_eq!(cookie::value(rest), None, "{header}");
        assert_eq!(cookie::without(rest).unwrap_or_else(|| rest.to_owned()), rest, "{header}");
    });
}

/// A directive that forbids storing is found at any place among any others, and no lifetime is above its limit.
#[test]
fn cache_control() {
    check!().with_test_time(TIME).with_type::<Text>().for_each(|input| {
        let value = input.of(CACHE_CONTROL);
        let read = CacheControl::parse(&value);
        let lifetimes = [read.s_maxage, read.max_age, read.stale_while_revalidate, read.stale_if_error];
        assert!(lifetimes.into_iter().flatten().all(|lifetime| lifetime <= Duration::from_secs(1 << 31)), "{read:?}");
        for (more, forbids) in [
            (format!("no-store, {value}"), true),
            (format!("{value}, no-store"), true),
            (format!("{value}, private=\"x\""), true),
            (format!(" ,{value},\t, "), read.forbids_storing()),
        ] {
            assert_eq!(CacheControl::parse(&more).forbids_storing(), forbids, "{more:?}");
        }
    });
}

/// Among the fields for caches, the one for this cache counts. Whatever the others contain, and whatever its spelling,
/// the policy is bounded, and directives that plainly forbid storing in the field that counts are obeyed.
#[test]
fn a_policy() {
    check!().with_test_time(TIME).with_type::<(Text, Text, Text)>().for_each(|(cloudflare, cdn, plain)| {
        let texts = [cloudflare, cdn, plain].map(|text| text.of(CACHE_CONTROL));
        let [cloudflare, cdn, plain] = &texts;
        let policy = |cloudflare: &str, cdn: &str| {
            let fields =
                [("cloudflare-cdn-cache-control", cloudflare), ("cdn-cache-control", cdn), ("cache-control", plain)];
            CachePolicy::of(&HeaderList::from_pairs(&fields), HttpRules::Isr)
        };
        let read = policy(cloudflare, cdn);
        let day = Duration::from_hours(24);
        let (expire, stale_if_error) = read.stale_windows(day, day);
        assert!(
            expire <= day
                && stale_if_error <= day
                && read.lifetime(&HeaderList::default(), Timestamp::default()) <= Some(Duration::from_secs(1 << 31))
        );
        assert!(policy("no-store", cdn).forbids_storing() && policy("No-Store", cdn).forbids_storing());
        assert_eq!(policy("max-age=7", cdn), policy("max-age=7", ""));
        assert!(policy("", "").forbids_storing() == CacheControl::parse(plain).forbids_storing());
        for text in &texts {
            let control = CacheControl::parse_targeted(text);
            assert!(control.is_none() || text.is_ascii(), "{text:?}");
            assert!(cache_policy::age(&HeaderList::from_pairs(&[("age", text)])) <= Duration::from_secs(1 << 31));
        }
    });
}

const CONDITIONS: &[&str] = &[
    "\"a\"",
    "W/\"a\"",
    "\"b\"",
    "*",
    ",",
    ", ",
    "\"",
    "W/",
    "bytes=",
    "bytes=0-4",
    "-",
    "5",
    "18446744073709551615",
    "18446744073709551616",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
];

/// Whatever a client asks for, it gets bytes of the page, and a 304 only if the page has the client's validator.
#[test]
fn conditions() {
    check!().with_test_time(TIME).with_type::<([Option<Text>; 4], Text, Option<u64>)>().for_each(
        |(fields, etag, body_bytes)| {
            let [if_none_match, if_modified_since, range, if_range] =
                fields.clone().map(|field| field.map(|text| text.of(CONDITIONS)));
            let names_all = if_none_match.as_ref().is_some_and(|list| list.trim_matches([' ', '\t']) == "*");
            let has_since = if_none_match.is_none() && if_modified_since.is_some();
            let has_range = range.is_some();
            let etag = etag.of(CONDITIONS);
            let parsed = etag::EntityTag::parse(&etag);
            if let Some(tag) = parsed {
                assert_eq!(tag.to_string(), etag.trim_matches([' ', '\t']));
                assert!(etag::names(&format!("\"other\", {tag}"), parsed), "{tag}");
            }
            let names_tag = parsed.zip(if_none_match.as_ref()).is_some_and(|(tag, list)| list.contains(tag.opaque));
            let conditions = Conditions { if_none_match, if_modified_since, range, if_range };
            let date = Timestamp::from_millis(1_700_000_000_000);
            let page = SelectedRepresentation {
                status: 200,
                etag: Some(&etag),
                last_modified: None,
                date,
                body_bytes: *body_bytes,
            };
            match conditions.form(true, &page) {
                Form::Whole => {}
                Form::NotModified => assert!(names_all || names_tag || has_since, "{conditions:?}"),
                Form::Ranged(Range::Part(part)) => {
                    assert!(
                        has_range && part.start() <= part.end() && Some(*part.end()) < *body_bytes,
                        "{conditions:?}"
                    );
                }
                Form::Ranged(Range::Unsatisfiable) => assert!(has_range && body_bytes.is_some(), "{conditions:?}"),
            }
            assert_eq!(conditions.form(true, &SelectedRepresentation { status: 404, ..page }), Form::Whole);
        },
    );
}

/// The headers of a response: a few with a meaning, and perhaps many without.
#[derive(Clone, Debug, TypeGenerator)]
struct Response {
    #[generator(produce::<Vec<Header>>().with().len(0..=6_usize))]
    headers: Vec<Header>,
    many: u16,
}

#[derive(Clone, Debug, TypeGenerator)]
struct Header {
    name: u8,
    value: Text,
}

impl Response {
    fn headers(&self) -> HeaderList {
        let name = |number: u8| NAMES[usize::from(number) % NAMES.len()].to_owned();
        let headers = self.headers.iter().map(|header| (name(header.name), header.value.of(VALUES)));
        let many = if self.many.is_multiple_of(64) { self.many } else { 0 };
        let many = (0..many).map(|_| ("a".to_owned(), String::new()));
        HeaderList::from_pairs(&headers.chain(many).collect::<Vec<_>>())
    }
}

/// A stored page is within its limits, contains nothing that must not be shared, and can be read back from L2.
#[test]
fn a_response() {
    let key = PageKey::from_stored("https://e.com/a").expect("it is a key");
    let route_tags = [Tag::parse("route").expect("it is a tag")];
    let (start, minute) = (Timestamp::from_millis(1_700_000_000_000), Duration::from_mins(1));
    let vary = Vary::default();
    let criteria = Criteria {
        vary: &vary,
        bypass_cookies: &BypassCookies::default(),
        render_headers: &RenderHeaders::new(),
        set_cookie: SetCookie::Strip,
        rules: HttpRules::Isr,
        is_confirmed: false,
        query: &QueryPolicy::All,
        trailing_slash: TrailingSlash::Strip,
        key: &key,
        start,
        authorized: false,
        statuses: &Statuses::default(),
        revalidate: Revalidate::After(minute),
        not_found_revalidate: Revalidate::After(minute / 2),
        expire: minute * 2,
        stale_if_error: minute * 3,
        tags: &route_tags,
        max_body_bytes: 1000,
    };
    check!().with_test_time(TIME).with_type::<(u16, Response)>().for_each(|(status, response)| {
        let headers = response.headers();
        // Half of them may be stored.
        let status = if status % 2 == 0 { 200 } else { *status };
        match judge(status, &headers, &criteria) {
            Storability::Store(storable) => check_storable(status, storable, &criteria),
            Storability::Fail(_) => assert!(status == 429 || status >= 500),
            Storability::Pass(_) => assert!(status < 500),
        }
    });
}

fn check_storable(status: u16, storable: Storable, criteria: &Criteria<'_>) {
    let Storable { windows, dated: _, tags, headers, rules, announced } = storable;
    assert!(announced <= Some(criteria.max_body_bytes));
    assert!([200, 203, 301, 308, 404, 410].contains(&status), "{status}");
    assert!(tags.len() <= MAX_TAGS_PER_PAGE + 1 && tags.is_sorted_by(|a, b| a < b) && tags.contains(&criteria.tags[0]));
    assert_eq!(headers.check(), Ok(()));
    assert_eq!(headers.for_sharing(), headers);
    let may_be_kept =
        |name: &str| matches!(HeaderKind::of(name), HeaderKind::EndToEnd | HeaderKind::Coding | HeaderKind::Framework);
    assert!(headers.iter().all(|(name, _)| may_be_kept(name)), "{headers:?}");
    assert!(windows.fresh_until <= windows.stale_until && windows.fresh_until <= windows.error_until, "{windows:?}");
    if let Some(end) = windows.fresh_until {
        assert!(end > criteria.start && windows.end() <= Some(end.plus(criteria.stale_if_error)), "{windows:?}");
    }
    let meta = PageMeta {
        key: criteria.key.clone(),
        version: Version::from_parts(criteria.start, 0),
        status,
        rendered_at: criteria.start,
        windows,
        tags,
        body_bytes: Some(5),
        digest: None,
        rules,
        has_validator: false,
        vouched: None,
    };
    let head = PageHead { meta, headers };
    let bytes = head.encode();
    assert_eq!(Prefix::read(&bytes).map(Prefix::body_offset), Ok(bytes.len()));
    assert_eq!(PageHead::decode(&bytes, bytes.len() + 5, criteria.key), Ok(head));
}
