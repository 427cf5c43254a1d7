//! Compares this crate's reading of RFC 9111 with another: `http-cache-semantics` as an oracle.
//!
//! For random responses, this cache must store the same ones as the oracle, with the same lifetimes, after the intended
//! differences are removed. Each of [`DIFFERENCES`] is a rule with its reason, a change to the response, and an example
//! that distinguishes the two readings. A difference that no longer exists, or that is not listed, fails the test.

// `cargo bolero` instruments every test program, and its runtime has to be in each.
use bolero as _;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use cloudflare_isr::internals::route::RenderHeaders;
use cloudflare_isr::internals::semantics::bypass_cookies::BypassCookies;
use cloudflare_isr::internals::semantics::freshness::Revalidate;
use cloudflare_isr::internals::semantics::headers::HeaderList;
use cloudflare_isr::internals::semantics::http_rules::HttpRules;
use cloudflare_isr::internals::semantics::key::{PageKey, QueryPolicy, TrailingSlash};
use cloudflare_isr::internals::semantics::set_cookie::SetCookie;
use cloudflare_isr::internals::semantics::statuses::{ALLOWED, Statuses};
use cloudflare_isr::internals::semantics::storable::{Criteria, Storability, judge};
use cloudflare_isr::internals::semantics::vary::Vary;
use cloudflare_isr::internals::time::Timestamp;
use http_cache_semantics::{CacheOptions, CachePolicy};
use proptest::prelude::*;

/// The lifetime of a route's pages.
const ROUTE_SECONDS: u64 = 60;

/// When the response arrived, in seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;

/// The statuses of the route.
const STATUSES: [u16; 11] = [200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 451];

/// A response, with the parts of its request that make a difference.
#[allow(clippy::struct_excessive_bools, reason = "each is there or not, whatever the others are")]
#[derive(Clone, Debug, Default)]
struct Response {
    status: u16,
    control: Vec<Directive>,
    targeted: Vec<Directive>,
    /// Whether `control` comes from a targeted field, which only this cache reads.
    is_targeted: bool,
    expires: Option<&'static str>,
    pragma: bool,
    vary: Option<&'static str>,
    age: Option<String>,
    date: Option<&'static str>,
    set_cookie: bool,
    authorized: bool,
}

type Directive = (String, Option<String>);

/// The verdict about a response: stored with a lifetime in seconds, or not stored. A response without freshness is not
/// stored either, because this cache never revalidates with the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Fresh(u64),
    No,
}

/// An intended difference.
struct Difference {
    name: &'static str,
    why: &'static str,
    /// Changes a response into one for which the oracle should give our verdict on the original.
    translate: fn(&mut Response),
    /// A response on which the oracle disagrees unless it is changed.
    example: fn() -> Response,
}

/// The differences, in the order of their application.
const DIFFERENCES: [Difference; 12] = [
    Difference {
        name: "targeted fields",
        why: "RFC 9213 §2.2, which the oracle does not know: CDN-Cache-Control takes the place of Cache-Control and Expires",
        translate: |response| {
            if !response.targeted.is_empty() {
                response.control = std::mem::take(&mut response.targeted);
                response.is_targeted = true;
                response.expires = None;
            }
        },
        example: || Response { targeted: vec![of("max-age", "9")], ..response(&[("private", None)]) },
    },
    Difference {
        name: "spelling",
        why: "RFC 9111 §5.2: names of directives are case-insensitive, and a comma in a quoted string separates nothing",
        translate: |response| {
            for (name, argument) in &mut response.control {
                name.make_ascii_lowercase();
                *argument =
                    argument.take().map(|text| if text.starts_with('"') { text.replace(',', "") } else { text });
            }
        },
        example: || response(&[("No-Store", None)]),
    },
    Difference {
        name: "repeated directives",
        why: "RFC 9111 §4.2.1: the first counts. The oracle takes it too, but makes the response must-revalidate, which then \
              allows storing the answer to a request with Authorization",
        translate: |response| {
            let mut seen = BTreeSet::new();
            response.control.retain(|(name, _)| seen.insert(name.clone()));
        },
        example: || Response {
            authorized: true,
            ..response(&[("stale-if-error", Some("1")), ("stale-if-error", Some("2"))])
        },
    },
    Difference {
        name: "invalid lifetimes",
        why: "RFC 9111 §4.2.1: invalid freshness information is to be taken for stale; the oracle passes over a lifetime \
              without a value, and takes `+5` for 5",
        translate: |response| {
            for (name, argument) in &mut response.control {
                let digits = argument.as_deref().map(|text| text.trim_matches('"')).unwrap_or_default();
                let is_valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                if matches!(name.as_str(), "s-maxage" | "max-age") && !is_valid {
                    *argument = Some("0".to_owned());
                }
            }
        },
        example: || response(&[("s-maxage", Some("+5"))]),
    },
    Difference {
        name: "lifetimes past 2^31",
        why: "RFC 9111 §1.2.2: a value that overflows is 2^31; the oracle takes what it can't hold for 0",
        translate: |response| {
            for (_, argument) in &mut response.control {
                let digits = argument.as_deref().unwrap_or_default();
                if digits.len() > 9 && digits.bytes().all(|b| b.is_ascii_digit()) {
                    *argument = Some((1_u64 << 31).to_string());
                }
            }
        },
        example: || response(&[("s-maxage", Some("99999999999999999999999"))]),
    },
    Difference {
        name: "must-understand",
        why: "RFC 9111 §5.2.2.3, newer than the oracle: it outweighs no-store where the status is known",
        translate: |response| {
            if has(response, "must-understand") {
                response.control.retain(|(name, _)| name != "no-store");
            }
        },
        example: || response(&[("must-understand", None), ("no-store", None)]),
    },
    Difference {
        name: "proxy-revalidate",
        why: "RFC 9111 §5.2.2.8: it forbids to use what is stale, not what is fresh; the oracle has it never fresh",
        translate: |response| response.control.retain(|(name, _)| name != "proxy-revalidate"),
        example: || response(&[("s-maxage", Some("9")), ("proxy-revalidate", None)]),
    },
    Difference {
        name: "Set-Cookie",
        why: "RFC 9111 §7.3 has nothing against storing; here it is removed before a page is shared, where the oracle has the \
              page never fresh",
        translate: |response| response.set_cookie = false,
        example: || Response { set_cookie: true, ..response(&[]) },
    },
    Difference {
        name: "lists of ages",
        why: "RFC 9111 §5.1: the first of a list counts; the oracle takes a list for nothing, and `+5` for 5",
        translate: |response| {
            response.age = response.age.take().and_then(|age| {
                let first = age.split(',').next()?.trim().to_owned();
                (!first.is_empty() && first.bytes().all(|b| b.is_ascii_digit())).then_some(first)
            });
        },
        example: || Response { age: Some("5, 7".to_owned()), ..response(&[("s-maxage", Some("9"))]) },
    },
    Difference {
        name: "a lifetime by the route",
        why: "RFC 9111 §4.2.2 leaves to a cache what the response does not say. To this one none of max-age, Expires and \
              Pragma (§5.4) says anything: they are for browsers. The route does, in seconds from the render, whatever Age \
              says",
        translate: |response| {
            response.expires = None;
            if !response.is_targeted {
                response.control.retain(|(name, _)| name != "max-age");
            }
            if !has(response, "max-age") && !has(response, "s-maxage") {
                response.control.push(("max-age".to_owned(), Some(ROUTE_SECONDS.to_string())));
                response.age = None;
            }
        },
        example: || response(&[("max-age", Some("9"))]),
    },
    Difference {
        name: "statuses by the route",
        why: "RFC 9111 §3 lets a cache store any final status with a lifetime; here only what the route lists, which is never \
              a failure or a part of a page",
        translate: |response| {
            if !STATUSES.contains(&response.status) {
                response.control.push(("no-store".to_owned(), None));
            }
        },
        example: || Response { status: 204, ..response(&[]) },
    },
    Difference {
        name: "451",
        why: "RFC 7725 §3: cacheable like 404; the oracle does not know it",
        translate: |response| {
            if response.status == 451 {
                response.status = 404;
            }
        },
        example: || Response { status: 451, ..response(&[]) },
    },
];

fn of(name: &str, argument: &str) -> Directive {
    (name.to_owned(), Some(argument.to_owned()))
}

fn has(response: &Response, name: &str) -> bool {
    response.control.iter().any(|(directive, _)| directive == name)
}

fn response(control: &[(&str, Option<&str>)]) -> Response {
    let control = control.iter().map(|(name, argument)| ((*name).to_owned(), argument.map(str::to_owned))).collect();
    Response { status: 200, control, ..Response::default() }
}

impl Response {
    fn headers(&self) -> Vec<(&'static str, String)> {
        let written = |directives: &[Directive]| {
            let written = directives.iter().map(|(name, argument)| match argument {
                Some(argument) => format!("{name}={argument}"),
                None => name.clone(),
            });
            written.collect::<Vec<_>>().join(", ")
        };
        let mut headers = Vec::new();
        if !self.control.is_empty() {
            headers.push(("cache-control", written(&self.control)));
        }
        if !self.targeted.is_empty() {
            headers.push(("cdn-cache-control", written(&self.targeted)));
        }
        headers.extend(self.expires.map(|date| ("expires", date.to_owned())));
        headers.extend(self.pragma.then(|| ("pragma", "no-cache".to_owned())));
        headers.extend(self.vary.map(|names| ("vary", names.to_owned())));
        headers.extend(self.age.clone().map(|age| ("age", age)));
        headers.extend(self.date.map(|date| ("date", date.to_owned())));
        headers.extend(self.set_cookie.then(|| ("set-cookie", "a=1".to_owned())));
        headers
    }

    /// Returns this cache's verdict.
    fn ours(&self) -> Kept {
        let start = Timestamp::from_millis(NOW * 1000);
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
            key: &PageKey::from_stored("https://e.com/").expect("it is a key"),
            start,
            authorized: self.authorized,
            statuses: &Statuses::new(STATUSES).expect("they may be stored"),
            revalidate: Revalidate::After(Duration::from_secs(ROUTE_SECONDS)),
            not_found_revalidate: Revalidate::After(Duration::from_secs(ROUTE_SECONDS)),
            expire: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            tags: &[],
            max_body_bytes: 1000,
        };
        match judge(self.status, &HeaderList::from_pairs(&self.headers()), &criteria) {
            Storability::Store(storable) => {
                let end = storable.windows.fresh_until.expect("none of these never ages");
                Kept::Fresh(end.since(start).as_secs())
            }
            Storability::Pass(_) | Storability::Fail(_) => Kept::No,
        }
    }

    /// Returns the oracle's verdict, as a shared cache without heuristic lifetimes.
    fn theirs(&self) -> Kept {
        let mut request = http::Request::builder().uri("https://e.com/");
        if self.authorized {
            request = request.header("authorization", "Basic");
        }
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in self.headers() {
            response = response.header(name, value);
        }
        let options = CacheOptions {
            shared: true,
            cache_heuristic: 0.0,
            immutable_min_time_to_live: Duration::ZERO,
            ignore_cargo_cult: false,
        };
        let (request, response) = (request.body(()).expect("it is one"), response.body(()).expect("it is one"));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let policy = CachePolicy::new_options(&request, &response, now, options);
        match policy.time_to_live(now).as_secs() {
            0 => Kept::No,
            seconds if policy.is_storable() => Kept::Fresh(seconds),
            _ => Kept::No,
        }
    }

    /// Removes all differences except one.
    fn translated(&self, without: Option<&str>) -> Self {
        let mut response = self.clone();
        for difference in DIFFERENCES.iter().filter(|difference| Some(difference.name) != without) {
            (difference.translate)(&mut response);
        }
        response
    }
}

fn directive() -> impl Strategy<Value = Directive> {
    let lifetime =
        prop::sample::select(vec!["s-maxage", "S-MaxAge", "max-age", "stale-while-revalidate", "stale-if-error"]);
    let argument = prop_oneof![
        6 => (0..200_u64).prop_map(|n| Some(n.to_string())),
        1 => (0..200_u64).prop_map(|n| Some(format!("\"{n}\""))),
        1 => prop::sample::select(vec![None, Some("-5"), Some("+5"), Some("1.5"), Some("x"), Some("")])
            .prop_map(|argument| argument.map(str::to_owned)),
        1 => prop::sample::select(vec!["4294967296", "18446744073709551616"]).prop_map(|n| Some(n.to_owned())),
    ];
    let flag = prop::sample::select(vec![
        ("public", None),
        ("public", None),
        ("must-revalidate", None),
        ("proxy-revalidate", None),
        ("immutable", None),
        ("must-understand", None),
        ("no-transform", None),
        ("no-store", None),
        ("NO-STORE", None),
        ("no-cache", None),
        ("no-cache", Some("\"set-cookie, x\"")),
        ("private", None),
        ("private", Some("\"x\"")),
        ("foo", Some("bar")),
        ("foo", Some("\"private, no-store\"")),
    ]);
    let flag = flag.prop_map(|(name, argument)| (name.to_owned(), argument.map(str::to_owned)));
    prop_oneof![2 => (lifetime, argument).prop_map(|(name, argument)| (name.to_owned(), argument)), 1 => flag]
}

/// Writes directives as a structured dictionary: names in lower case, each once, and values of their type.
fn targeted() -> impl Strategy<Value = Vec<Directive>> {
    let names =
        vec!["s-maxage", "max-age", "stale-if-error", "no-store", "private", "must-revalidate", "public", "foo"];
    let member = |name: &str, seconds: u64| {
        let is_lifetime = name.ends_with("age") || name == "stale-if-error";
        (name.to_owned(), is_lifetime.then(|| seconds.to_string()))
    };
    let dictionary = (prop::sample::subsequence(names, 1..4), 0..200_u64);
    let dictionary = dictionary.prop_map(move |(names, n)| names.into_iter().map(|name| member(name, n)).collect());
    prop_oneof![3 => Just(Vec::new()), 1 => dictionary]
}

fn responses() -> impl Strategy<Value = Response> {
    let others = [201, 204, 206, 304, 400, 401, 403, 405, 414, 429, 500, 501, 503];
    let status = prop_oneof![
        6 => Just(200_u16),
        3 => prop::sample::select(STATUSES.to_vec()),
        1 => prop::sample::select(others.to_vec()),
    ];
    let dates = || {
        prop::sample::select(vec![
            None,
            Some("0"),
            Some("Tue, 14 Nov 2023 22:03:20 GMT"),
            Some("Tue, 14 Nov 2023 22:13:20 GMT"),
            Some("Tue, 14 Nov 2023 23:13:20 GMT"),
        ])
    };
    let vary = prop::sample::select(vec![None, None, Some("Accept-Encoding"), Some("*"), Some("Cookie")]);
    let age = prop::sample::select(vec![
        None,
        None,
        Some("0"),
        Some("7"),
        Some("150"),
        Some("-7"),
        Some("+5"),
        Some("7, 9"),
        Some("x"),
    ]);
    let control = prop::collection::vec(directive(), 0..4);
    let rare = || prop::bool::weighted(0.15);
    (status, control, targeted(), dates(), vary, age, dates(), (rare(), rare(), rare())).prop_map(
        |(status, control, targeted, expires, vary, age, date, (pragma, set_cookie, authorized))| Response {
            status,
            control,
            targeted,
            is_targeted: false,
            expires,
            pragma,
            vary,
            age: age.map(str::to_owned),
            date,
            set_cookie,
            authorized,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn ours_is_the_oracles_reading_but_for_the_differences_that_are_meant(response in responses()) {
        let translated = response.translated(None);
        prop_assert_eq!(response.ours(), translated.theirs(), "{:?}", translated);
    }
}

#[test]
fn each_difference_is_one() {
    for Difference { name, why, example, .. } in DIFFERENCES {
        let example = example();
        assert_eq!(example.ours(), example.translated(None).theirs(), "{name}: {why}");
        assert_ne!(example.ours(), example.translated(Some(name)).theirs(), "{name} is no difference: {why}");
    }
}

/// Where nothing has to be changed, both agree on the simplest responses.
#[test]
fn plain_answers_are_read_alike() {
    for (control, kept) in [
        (vec![("s-maxage", Some("30"))], Kept::Fresh(30)),
        (vec![("s-maxage", Some("30")), ("public", None)], Kept::Fresh(30)),
        (vec![("s-maxage", Some("0"))], Kept::No),
        (vec![("s-maxage", Some("30")), ("no-store", None)], Kept::No),
        (vec![("s-maxage", Some("30")), ("private", None)], Kept::No),
        (vec![("s-maxage", Some("30")), ("no-cache", None)], Kept::No),
    ] {
        let response = response(&control);
        assert_eq!((response.ours(), response.theirs()), (kept, kept), "{control:?}");
    }
    let aged = Response { age: Some("10".to_owned()), ..response(&[("s-maxage", Some("30"))]) };
    assert_eq!((aged.ours(), aged.theirs()), (Kept::Fresh(20), Kept::Fresh(20)));
    let authorized = Response { authorized: true, ..response(&[("s-maxage", Some("30"))]) };
    assert_eq!((authorized.ours(), authorized.theirs()), (Kept::Fresh(30), Kept::Fresh(30)));
}

#[test]
fn the_route_has_statuses_that_may_be_stored() {
    assert!(STATUSES.iter().all(|status| ALLOWED.contains(status)));
}
