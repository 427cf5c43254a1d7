mod standard;

use super::*;
use crate::semantics::bypass_cookies::CookiePattern;
use crate::semantics::headers::{MAX_HEADER_BYTES, MAX_HEADERS, MAX_VALUE_BYTES};
use crate::semantics::http_rules::HttpRules;
use crate::semantics::statuses::DEFAULT;

const START: Timestamp = Timestamp::from_millis(1000);
const EXPIRE: Duration = Duration::from_secs(9);
const MINUTE: Revalidate = Revalidate::After(Duration::from_mins(1));
const NOT_FOUND: Revalidate = after(20);

const fn after(seconds: u64) -> Revalidate {
    Revalidate::After(Duration::from_secs(seconds))
}

fn with_criteria<T>(judge: impl FnOnce(&Criteria<'_>) -> T) -> T {
    let (key, route_tag) = (PageKey::from_stored("https://e.com/a").unwrap(), [Tag::parse("route").unwrap()]);
    judge(&Criteria {
        key: &key,
        start: START,
        authorized: false,
        statuses: &Statuses::default(),
        revalidate: MINUTE,
        not_found_revalidate: NOT_FOUND,
        expire: EXPIRE,
        stale_if_error: EXPIRE,
        tags: &route_tag,
        vary: &Vary::default(),
        bypass_cookies: &BypassCookies::default(),
        render_headers: &RenderHeaders::new(),
        set_cookie: SetCookie::Pass,
        rules: HttpRules::Isr,
        is_confirmed: false,
        query: &QueryPolicy::default(),
        trailing_slash: TrailingSlash::Strip,
        max_body_bytes: 1000,
    })
}

fn storability(status: u16, headers: &[(&str, &str)]) -> Storability {
    with_criteria(|criteria| judge(status, &HeaderList::from_pairs(headers), criteria))
}

fn stored(revalidate: Revalidate, headers: &[(&str, &str)]) -> Storability {
    let windows = Windows::new(START, revalidate, EXPIRE, EXPIRE).unwrap();
    let tags = vec![Tag::parse("route").unwrap()];
    Storability::Store(Storable {
        windows,
        dated: None,
        tags,
        headers: HeaderList::from_pairs(headers),
        rules: ClientRules::default(),
        announced: None,
    })
}

/// A page that is not for requests with these headers.
fn nominating(names: &[&str]) -> Storability {
    let Storability::Store(storable) = stored(MINUTE, &[]) else { unreachable!("it is stored") };
    let nominated = Nominated::read(&names.join(","), |_| false, |_| false).unwrap();
    Storability::Store(Storable { rules: ClientRules::new(nominated, None), ..storable })
}

/// A page that says that there is none: it is never served stale.
fn not_found(revalidate: Revalidate) -> Storability {
    let windows = Windows::new(START, revalidate, Duration::ZERO, Duration::ZERO).unwrap();
    let Storability::Store(storable) = stored(revalidate, &[]) else { unreachable!("it is stored") };
    Storability::Store(Storable { windows, ..storable })
}

fn pass(reason: NotStored) -> Storability {
    Storability::Pass(reason)
}

#[test]
fn statuses_are_allowed_by_list() {
    for status in DEFAULT {
        let expected = if matches!(status, 404 | 410) { not_found(NOT_FOUND) } else { stored(MINUTE, &[]) };
        assert_eq!(storability(status, &[]), expected, "{status}");
    }
    for status in [100, 101, 201, 204, 206, 302, 303, 304, 307, 400, 401, 403, 405] {
        // RFC 9111 §3: an explicit lifetime makes any final status storable; this cache asks for more.
        assert_eq!(storability(status, &[("cache-control", "s-maxage=60")]), pass(NotStored::Status), "{status}");
    }
    for status in [429, 500, 502, 503, 599] {
        let headers = [("cache-control", "public, s-maxage=60")];
        assert_eq!(storability(status, &headers), Storability::Fail(OriginFailure::Status(status)));
    }
}

#[test]
fn a_route_has_a_list_of_its_own() {
    let only_found = Statuses::new([302]).unwrap();
    let storability = |status| {
        with_criteria(|criteria| {
            judge(status, &HeaderList::default(), &Criteria { statuses: &only_found, ..*criteria })
        })
    };
    assert_eq!((storability(302), storability(200)), (stored(MINUTE, &[]), pass(NotStored::Status)));
    assert_eq!(storability(503), Storability::Fail(OriginFailure::Status(503)));
}

/// The section, the response's headers, and the verdict.
type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, Storability);

/// One row for each rule.
#[test]
fn an_answer_of_200_is_stored_by_these_rules() {
    let shared = ("cache-control", "public");
    let long = "x".repeat(MAX_VALUE_BYTES + 1);
    let rows: Vec<Row<'_>> = vec![
        // Storability.
        ("9111 3", vec![("content-type", "text/html")], stored(MINUTE, &[("content-type", "text/html")])),
        ("9111 3.3", vec![("content-range", "bytes 0-4/9")], pass(NotStored::Partial)),
        ("9111 3.3", vec![("content-length", "1000")], {
            let Storability::Store(storable) = stored(MINUTE, &[]) else { unreachable!() };
            Storability::Store(Storable { announced: Some(1000), ..storable })
        }),
        ("9111 4.1", vec![("vary", "Accept-Encoding")], stored(MINUTE, &[])),
        ("9111 4.1", vec![("vary", "accept-encoding, Cookie")], nominating(&["cookie"])),
        ("9111 4.1", vec![("vary", "RSC"), ("vary", "origin, rsc")], nominating(&["origin", "rsc"])),
        ("9111 4.1", vec![("vary", "user-agent")], pass(NotStored::Vary)),
        ("9111 4.1", vec![("vary", "*")], pass(NotStored::Vary)),
        ("9111 4.1", vec![("vary", "accept-encoding"), ("vary", "accept")], pass(NotStored::Vary)),
        ("9111 5.2.2.3", vec![("cache-control", "must-understand, no-store")], stored(MINUTE, &[])),
        ("9111 5.2.2.4", vec![("cache-control", "no-cache")], pass(NotStored::CacheControl)),
        ("9111 5.2.2.4", vec![("cache-control", "no-cache=\"set-cookie\"")], pass(NotStored::CacheControl)),
        ("9111 5.2.2.5", vec![("cache-control", "no-store, s-maxage=60")], pass(NotStored::CacheControl)),
        (
            "9111 5.2.2.5",
            vec![("cache-control", "s-maxage=60"), ("cache-control", "no-store")],
            pass(NotStored::CacheControl),
        ),
        ("9111 5.2.2.7", vec![("cache-control", "private")], pass(NotStored::CacheControl)),
        ("9111 5.2.2.7", vec![("cache-control", "private=\"x\"")], pass(NotStored::CacheControl)),
        ("9111 5.4", vec![("pragma", "no-cache")], stored(MINUTE, &[])),
        ("9213 2.2", vec![("cache-control", "private"), ("cdn-cache-control", "max-age=9")], stored(after(9), &[])),
        (
            "9213 2.2",
            vec![("cache-control", "s-maxage=9"), ("cdn-cache-control", "no-store")],
            pass(NotStored::CacheControl),
        ),
        ("9110 8.4", vec![("content-encoding", "gzip"), ("content-length", "7")], stored(MINUTE, &[])),
        ("9110 8.4", vec![("content-encoding", "br")], stored(MINUTE, &[])),
        ("9110 8.4", vec![("content-encoding", "zstd")], pass(NotStored::ContentEncoding)),
        ("9110 8.4", vec![("content-encoding", "gzip, br")], pass(NotStored::ContentEncoding)),
        ("9110 8.4", vec![("content-encoding", "GZIP")], pass(NotStored::ContentEncoding)),
        ("9110 15.4", vec![("location", "/a/")], pass(NotStored::RedirectToItself)),
        ("9110 15.4", vec![("location", "https://e.com/a/#x")], pass(NotStored::RedirectToItself)),
        ("9110 15.4", vec![("location", "/b")], stored(MINUTE, &[("location", "/b")])),
        // Freshness.
        ("9111 4.2.1", vec![("cache-control", "s-maxage=30, max-age=9")], stored(after(30), &[])),
        ("9111 4.2.1", vec![("cache-control", "s-maxage=30, s-maxage=9")], stored(after(30), &[])),
        ("9111 4.2.1", vec![("cache-control", "s-maxage=x")], pass(NotStored::RevalidateZero)),
        ("9111 4.2.1", vec![("cache-control", "s-maxage=0")], pass(NotStored::RevalidateZero)),
        ("own", vec![("cache-control", "max-age=0"), ("expires", "0")], stored(MINUTE, &[])),
        ("9111 4.2.3", vec![("cache-control", "s-maxage=30"), ("age", "10")], stored(after(20), &[])),
        ("9111 4.2.3", vec![("cdn-cache-control", "max-age=30"), ("age", "29")], stored(after(1), &[])),
        ("9111 4.2.3", vec![("cache-control", "s-maxage=30"), ("age", "30")], pass(NotStored::Age)),
        ("9111 4.2.3", vec![("cache-control", "s-maxage=30"), ("age", "9999")], pass(NotStored::Age)),
        ("9111 4.2.3", vec![("age", "9999")], stored(MINUTE, &[])),
        ("9111 5.1", vec![("cache-control", "s-maxage=30"), ("age", "-5")], stored(after(30), &[])),
        (
            "9110 6.6.1",
            vec![("cache-control", "s-maxage=30"), ("date", "Thu, 01 Jan 1970 00:00:00 GMT")],
            stored(after(30), &[]),
        ),
        (
            "own",
            vec![("cdn-cache-control", "s-maxage=40"), ("x-isr-revalidate", "50"), ("age", "9")],
            stored(after(50), &[]),
        ),
        ("own", vec![("cdn-cache-control", "s-maxage=40"), ("x-isr-revalidate", "soon")], stored(after(40), &[])),
        ("own", vec![("x-isr-revalidate", "false")], stored(Revalidate::Never, &[])),
        ("own", vec![("x-isr-revalidate", "0")], pass(NotStored::RevalidateZero)),
        // Headers.
        ("9111 3.1", vec![("set-cookie", "a=1"), ("connection", "x"), ("x", "1"), shared], stored(MINUTE, &[])),
        ("9110 5.5", vec![("x", "a\r\nset-cookie: b=1")], pass(NotStored::MalformedHeader)),
        ("9110 5.1", vec![("a b", "1")], pass(NotStored::MalformedHeader)),
        ("bound", vec![("x", ""); MAX_HEADERS], stored(MINUTE, &vec![("x", ""); MAX_HEADERS])),
        ("bound", vec![("x", ""); MAX_HEADERS + 1], pass(NotStored::TooLarge)),
        ("bound", [vec![("set-cookie", ""); MAX_HEADERS + 1], vec![shared]].concat(), stored(MINUTE, &[])),
        ("bound", vec![("x", long.as_str())], pass(NotStored::TooLarge)),
        ("bound", vec![("x", &long[..MAX_HEADER_BYTES / 3]); 3], pass(NotStored::TooLarge)),
        ("bound", vec![("content-length", "1001")], pass(NotStored::TooLarge)),
    ];
    for (section, headers, expected) in rows {
        assert_eq!(storability(200, &headers), expected, "{section}: {headers:?}");
    }
}

#[test]
fn tags_of_route_and_page_are_united() {
    let Storability::Store(storable) = storability(200, &[("cache-tag", "b,a"), ("cache-tag", "b")]) else {
        unreachable!()
    };
    assert_eq!(storable.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), ["a", "b", "route"]);
}

#[test]
fn what_is_not_there_has_a_lifetime_of_its_own() {
    let storability = |status, headers: &[(&str, &str)], not_found_revalidate| {
        with_criteria(|criteria| {
            judge(status, &HeaderList::from_pairs(headers), &Criteria { not_found_revalidate, ..*criteria })
        })
    };
    for status in [404, 410] {
        assert_eq!(storability(status, &[], after(5)), not_found(after(5)));
        assert_eq!(storability(status, &[("cache-control", "s-maxage=7")], after(5)), not_found(after(7)));
        assert_eq!(storability(status, &[], Revalidate::NoStore), pass(NotStored::RevalidateZero));
    }
    assert_eq!(storability(200, &[], after(5)), stored(MINUTE, &[]));
}

/// RFC 9111 §3.5. No render has `Authorization`; the rule applies if one ever does.
#[test]
fn the_answer_to_a_request_with_authorization_must_be_meant_for_everybody() {
    let storability = |value: &str| {
        let headers = HeaderList::from_pairs(&[("cache-control", value)]);
        with_criteria(|criteria| judge(200, &headers, &Criteria { authorized: true, ..*criteria }))
    };
    for value in ["", "max-age=60", "proxy-revalidate"] {
        assert_eq!(storability(value), pass(NotStored::Authorization), "{value:?}");
    }
    for value in ["public", "must-revalidate", "s-maxage=60"] {
        assert!(matches!(storability(value), Storability::Store(_)), "{value:?}");
    }
}

#[test]
fn a_body_is_whole_and_not_empty() {
    for (status, bytes, announced, content_type, expected) in [
        (200, 5, None, None, Ok(())),
        (200, 5, Some(5), None, Ok(())),
        (200, 0, None, None, Err(OriginFailure::Empty)),
        (200, 0, None, Some("text/html"), Err(OriginFailure::Empty)),
        (200, 0, None, Some("Text/HTML ;charset=utf-8"), Err(OriginFailure::Empty)),
        (200, 0, None, Some("application/xhtml+xml"), Err(OriginFailure::Empty)),
        (200, 0, None, Some("text/css"), Ok(())),
        (200, 0, None, Some("text/html-like"), Ok(())),
        (200, 0, Some(0), None, Ok(())),
        (200, 0, Some(0), Some("text/html"), Ok(())),
        (200, 4, Some(5), None, Err(OriginFailure::Broken)),
        (200, 6, Some(5), None, Err(OriginFailure::Broken)),
        (200, 1, Some(0), None, Err(OriginFailure::Broken)),
        (301, 0, None, None, Ok(())),
        (404, 0, None, Some("text/html"), Ok(())),
        (404, 0, Some(0), None, Ok(())),
    ] {
        let judged = judge_body(status, bytes, announced, content_type);
        assert_eq!(judged, expected, "{status}: {bytes} of {announced:?}, {content_type:?}");
    }
}

#[test]
fn the_length_of_a_coded_body_says_nothing_unless_it_is_zero() {
    for (coding, length, expected) in [
        (None, "5", Some(5)),
        (None, "0", Some(0)),
        (None, "five", None),
        (Some("gzip"), "5", None),
        (Some("gzip"), "0", Some(0)),
    ] {
        let mut headers = HeaderList::from_pairs(&[("content-length", length)]);
        headers.set("content-encoding", coding.map(str::to_owned));
        assert_eq!(announced(&headers), expected, "{coding:?} {length}");
    }
}

#[test]
fn what_is_not_found_is_never_stale() {
    for status in [404, 410] {
        for value in ["s-maxage=20", "s-maxage=20, stale-while-revalidate=60, stale-if-error=60"] {
            let Storability::Store(storable) = storability(status, &[("cache-control", value)]) else {
                panic!("{status} is stored")
            };
            let Windows { fresh_until, stale_until, error_until } = storable.windows;
            assert_eq!((stale_until, error_until), (fresh_until, fresh_until), "{status} {value}");
        }
    }
}

#[test]
fn an_answer_of_a_failing_site_is_relayed_without_what_is_personal_if_it_can_be() {
    let relayed = |headers: &[(&str, &str)]| relayable(503, &HeaderList::from_pairs(headers));
    let kept = HeaderList::from_pairs(&[("retry-after", "9")]);
    assert_eq!(relayed(&[("retry-after", "9"), ("set-cookie", "a"), ("content-encoding", "gzip")]), Some(kept));
    assert_eq!(relayed(&[("content-encoding", "zstd")]), None);
    assert_eq!(relayed(&[("x", "\n")]), None);
    // RFC 9110 §15: a number above 599 is not a valid status.
    let of = |status| relayable(status, &HeaderList::default());
    assert_eq!((of(599), of(600), of(999)), (Some(HeaderList::default()), None, None));
}

/// The package's `isPlainlyForAll` decides without the cache whether a page may go to any client. It may be stricter
/// than this module, but never less strict: `tests/e2e/package.test.mjs` reads the same cases.
#[test]
fn what_is_plainly_for_all_to_the_package_is_not_kept_from_anybody_here() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        status: u16,
        headers: std::collections::BTreeMap<String, String>,
        #[serde(default)]
        authorized: bool,
        storability: String,
        plain: bool,
    }

    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/vectors/storable.json")).unwrap();
    let mut wrong = Vec::new();
    for Case { name, status, headers, authorized, storability, plain } in cases {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let judged = with_criteria(|criteria| {
            judge(status, &HeaderList::from_pairs(&headers), &Criteria { authorized, ..*criteria })
        });
        let (word, is_for_all) = match judged {
            Storability::Store(_) => ("store".to_owned(), true),
            Storability::Pass(reason) => (reason.reason().name().to_owned(), is_about_form(reason)),
            Storability::Fail(_) => ("fail".to_owned(), true),
        };
        if word != storability || (plain && !is_for_all) {
            wrong.push(format!("{name}: {word}"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Returns whether a reason is about what can be stored, and not about which clients may see it.
const fn is_about_form(reason: NotStored) -> bool {
    match reason {
        NotStored::Partial
        | NotStored::ContentEncoding
        | NotStored::EventStream
        | NotStored::RedirectToItself
        | NotStored::MalformedHeader
        | NotStored::TooLarge => true,
        NotStored::Status
        | NotStored::CacheControl
        | NotStored::Authorization
        | NotStored::SetCookie
        | NotStored::RevalidateZero
        | NotStored::Age
        | NotStored::Vary => false,
    }
}

#[test]
fn a_failing_origin_says_when_to_ask_again() {
    let pausing = |seconds| OriginFailure::Pausing { status: 503, retry_after: Duration::from_secs(seconds) };
    for (value, expected) in [
        ("600", pausing(600)),
        (" 600 ", pausing(600)),
        ("3601", pausing(3600)),
        ("99999999999999999999999", pausing(3600)),
        ("Thu, 01 Jan 1970 00:05:01 GMT", pausing(300)),
        ("0", OriginFailure::Status(503)),
        ("-1", OriginFailure::Status(503)),
        ("1.5", OriginFailure::Status(503)),
        ("soon", OriginFailure::Status(503)),
        ("", OriginFailure::Status(503)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", OriginFailure::Status(503)),
    ] {
        assert_eq!(storability(503, &[("retry-after", value)]), Storability::Fail(expected), "{value:?}");
    }
}

#[test]
fn a_stream_of_events_is_each_clients_own() {
    for value in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
        let headers = [("content-type", value), ("cache-control", "public, s-maxage=60")];
        assert_eq!(storability(200, &headers), pass(NotStored::EventStream), "{value}");
    }
}

#[test]
fn a_page_is_stored_without_links_that_are_too_long() {
    let long = "a".repeat(MAX_VALUE_BYTES + 1);
    assert_eq!(storability(200, &[("link", &long), ("x-own", "kept")]), stored(MINUTE, &[("x-own", "kept")]));
    let third = "a".repeat(MAX_HEADER_BYTES / 3);
    let kept = [("x-a", third.as_str()), ("x-b", third.as_str())];
    assert_eq!(storability(200, &[kept[0], ("link", &third), kept[1]]), stored(MINUTE, &kept), "together too long");
    assert_eq!(storability(200, &[("link", &long), ("x-own", &long)]), pass(NotStored::TooLarge));
}

#[test]
fn a_response_with_a_cookie_is_for_one_client_unless_it_says_otherwise() {
    let is_stored = |set_cookie, headers: &[(&str, &str)]| {
        let headers = HeaderList::from_pairs(headers);
        match with_criteria(|criteria| judge(200, &headers, &Criteria { set_cookie, ..*criteria })) {
            Storability::Store(storable) => Some(storable.headers.get("set-cookie").is_none()),
            other => {
                assert_eq!(other, pass(NotStored::SetCookie));
                None
            }
        }
    };
    let cookie = ("set-cookie", "token=1");
    assert_eq!(is_stored(SetCookie::Pass, &[cookie]), None);
    assert_eq!(is_stored(SetCookie::Pass, &[cookie, ("cache-control", "max-age=60")]), None);
    assert_eq!(is_stored(SetCookie::Pass, &[cookie, ("x-isr-revalidate", "soon")]), None);
    for declared in [
        ("cache-control", "public"),
        ("cache-control", "s-maxage=60"),
        ("cdn-cache-control", "max-age=60"),
        ("x-isr-revalidate", "60"),
    ] {
        assert_eq!(is_stored(SetCookie::Pass, &[cookie, declared]), Some(true), "{declared:?}");
    }
    assert_eq!(is_stored(SetCookie::Strip, &[cookie]), Some(true));
    let cleared = [("clear-site-data", "\"cookies\""), ("cache-control", "public, s-maxage=60")];
    assert_eq!(is_stored(SetCookie::Strip, &cleared), None);
}

#[test]
fn the_settings_decide_what_a_vary_nominates() {
    let cookies = BypassCookies::new(vec![CookiePattern::parse("sessionid").unwrap()]);
    let configured: RenderHeaders = [("x-preview".to_owned(), "off".into())].into();
    let vary = Vary { headers: [("x-ab".to_owned(), vec!["a".to_owned()])].into(), ..Vary::default() };
    for (field, expected) in [
        ("Cookie, X-AB, Origin", nominating(&["origin"])),
        ("Cookie", stored(MINUTE, &[])),
        ("X-Preview", pass(NotStored::Vary)),
    ] {
        let judged = with_criteria(|criteria| {
            let criteria = Criteria { vary: &vary, bypass_cookies: &cookies, render_headers: &configured, ..*criteria };
            judge(200, &HeaderList::from_pairs(&[("vary", field)]), &criteria)
        });
        assert_eq!(judged, expected, "{field}");
    }
}

#[test]
fn the_lifetime_of_a_file_is_for_browsers() {
    let image = [("content-type", "image/png"), ("cache-control", "public, max-age=60, immutable")];
    let Storability::Store(Storable { rules, windows, .. }) = storability(200, &image) else { panic!("it is stored") };
    assert_eq!(rules.cache_control(), Some("public, max-age=60, immutable"));
    assert_eq!(windows, Windows::new(START, MINUTE, EXPIRE, EXPIRE).unwrap(), "it has no effect here");
}
