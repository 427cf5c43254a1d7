use proptest::prelude::*;

use super::*;

fn list(pairs: &[(&str, &str)]) -> HeaderList {
    HeaderList::from_pairs(pairs)
}

/// A header of each name with a kind of its own, and some others; with the directions in which it is passed.
#[test]
fn names_travel_as_the_table_says() {
    let table = [
        (
            HeaderKind::EndToEnd,
            (true, true, true),
            &["content-type", "link", "etag", "x-forwarded-host", "cookie", "x"][..],
        ),
        (HeaderKind::Connection, (false, false, false), &CONNECTION[..]),
        (HeaderKind::Personal, (false, true, true), &PERSONAL),
        (HeaderKind::Consumed, (false, true, true), &CONSUMED),
        (HeaderKind::Coding, (true, true, true), &CODING),
        (HeaderKind::Framework, (true, true, false), &FRAMEWORK),
        (
            HeaderKind::Internal,
            (false, false, false),
            &["x-isr-", "x-isr-meta", "x-isr-verdict", "x-isr-status", "x-isr-bypass"],
        ),
    ];
    for (kind, (is_stored, reaches_visitor, reaches_origin), names) in table {
        for name in names {
            // An upgrade is tested below.
            let one = list(&[(name, "identity")]);
            let found = (
                one.for_sharing() == one,
                // The tags of a page are for caches that its operator purges.
                one.withheld_from_visitor().is_empty() || *name == "cache-tag",
                one.withheld_from_origin().is_empty() && *name != "upgrade",
            );
            assert_eq!((HeaderKind::of(name), found), (kind, (is_stored, reaches_visitor, reaches_origin)), "{name}");
        }
    }
}

#[test]
fn what_is_shared_holds_nothing_personal_internal_or_consumed() {
    let page = list(&[
        ("Content-Type", "text/html"),
        ("Set-Cookie", "a=1"),
        ("Cache-Control", "s-maxage=5"),
        ("X-ISR-Meta", "forged"),
        ("Connection", "X-Hop, close"),
        ("X-Hop", "1"),
        ("Link", "</a>"),
        ("Repr-Digest", "of what was coded"),
        ("Link", "</b>"),
        ("Content-Encoding", "gzip"),
    ]);
    let shared = list(&[("content-type", "text/html"), ("link", "</a>"), ("link", "</b>")]);
    assert_eq!(page.for_sharing(), shared);
    assert_eq!(shared.joined("link"), Some("</a>, </b>".to_owned()));
}

#[test]
fn a_request_keeps_what_is_the_visitors_own_business() {
    let request = list(&[
        ("connection", "X-Hop, X-Forwarded-For, CF-Connecting-IP, Cookie, Host, close"),
        ("x-hop", "1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("cookie", "a=b"),
        ("host", "e.com"),
        ("authorization", "Basic"),
        ("x-http-method-override", "PUT"),
        ("x-middleware-subrequest", "middleware"),
        ("x-isr-meta", "forged"),
        ("te", "trailers"),
        ("cache-control", "no-cache"),
    ]);
    assert_eq!(request.withheld_from_origin(), ["connection", "te", "x-hop", "x-isr-meta", "x-middleware-subrequest"]);
    let upgrade = list(&[("connection", "Upgrade"), ("upgrade", "websocket"), ("x-isr-meta", "forged")]);
    assert_eq!(upgrade.withheld_from_origin(), ["x-isr-meta"]);
}

#[test]
fn an_answer_keeps_what_is_for_the_one_who_asked() {
    let answer = list(&[
        ("connection", "x-hop, set-cookie, cache-control"),
        ("x-hop", "1"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=1"),
        ("cache-control", "private"),
        ("x-isr-revalidate", "60"),
        ("x-isr-status", "HIT"),
        ("keep-alive", "timeout=5"),
    ]);
    let withheld = ["connection", "keep-alive", "x-hop", "x-isr-revalidate", "x-isr-status"];
    assert_eq!(answer.withheld_from_visitor(), withheld);
}

#[test]
fn what_is_stored_is_bounded_and_such_as_http_allows() {
    let long = "x".repeat(MAX_VALUE_BYTES);
    for (headers, expected) in [
        (vec![], Ok(())),
        (vec![("x-all!#$%&'*+-.^_`|~", "\t !~\u{80}ü\u{ff}€")], Ok(())),
        (vec![("x", long.as_str())], Ok(())),
        (vec![("x", ""); MAX_HEADERS], Ok(())),
        (vec![("x", ""); MAX_HEADERS + 1], Err(HeaderFlaw::TooMany(MAX_HEADERS + 1))),
        (vec![("x", long.as_str()); 2], Err(HeaderFlaw::TooLarge(2 * (MAX_VALUE_BYTES + 5)))),
        (vec![("", "a")], Err(HeaderFlaw::Name)),
        (vec![("a b", "a")], Err(HeaderFlaw::Name)),
        (vec![("a:", "a")], Err(HeaderFlaw::Name)),
        (vec![("a\r\n", "a")], Err(HeaderFlaw::Name)),
        (vec![("ü", "a")], Err(HeaderFlaw::Name)),
        (vec![("x", "a\r\nset-cookie: b")], Err(HeaderFlaw::Value)),
        (vec![("x", "a\rb")], Err(HeaderFlaw::Value)),
        (vec![("x", "a\nb")], Err(HeaderFlaw::Value)),
        (vec![("x", "a\0b")], Err(HeaderFlaw::Value)),
        (vec![("x", "a\u{7f}b")], Err(HeaderFlaw::Value)),
    ] {
        assert_eq!(list(&headers).check(), expected, "{headers:?}");
    }
    let longer = format!("{long}x");
    assert_eq!(list(&[("x", longer.as_str())]).check(), Err(HeaderFlaw::TooLarge(MAX_VALUE_BYTES + 6)));
}

fn read_back(headers: &HeaderList) -> Result<HeaderList, String> {
    let mut bytes = Vec::new();
    ciborium::into_writer(headers, &mut bytes).unwrap();
    ciborium::from_reader(bytes.as_slice()).map_err(|error: ciborium::de::Error<_>| error.to_string())
}

/// Even a manipulated L2 value can't split a response.
#[test]
fn what_http_does_not_allow_is_not_read_from_storage() {
    for (name, value) in [("x", "a\r\nset-cookie: b"), ("x\r\nset-cookie", "b"), ("X", "a"), ("", "a"), ("x", "\0")] {
        let mut headers = HeaderList::default();
        headers.push(name.to_owned(), value.to_owned());
        assert!(read_back(&headers).is_err(), "{headers:?}");
    }
}

/// Names with a meaning, in any case, and names without one.
fn name() -> impl Strategy<Value = String> {
    let known =
        [CONNECTION.as_slice(), &PERSONAL, &CONSUMED, &CODING, &FRAMEWORK, &["x-isr-meta", "link", "x-hop"]].concat();
    let known = prop::sample::select(known).prop_map(str::to_owned);
    prop_oneof![known.clone(), known.prop_map(|name| name.to_ascii_uppercase()), "[!#-'*+.^_`|~0-9A-Za-z-]{1,12}"]
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let value = prop_oneof![Just("x-hop, link".to_owned()), Just("gzip".to_owned()), "[\t -~\u{80}-\u{ff}]{0,40}"];
    prop::collection::vec((name(), value), 0..20)
}

proptest! {
    /// The same end-to-end headers are kept in the same order, each as often as it occurs.
    #[test]
    fn what_is_replayed_is_what_came_without_what_is_not_shared(pairs in headers()) {
        let came = HeaderList::from_pairs(&pairs);
        let kept = came.for_sharing();
        prop_assert_eq!(kept.check(), Ok(()));
        prop_assert_eq!(read_back(&kept), Ok(kept.clone()));
        // Headers are kept in number and order: the two lists have the same names.
        let is_kept = |name: &str| kept.get(name).is_some();
        let expected: Vec<_> = came.iter().filter(|(name, _)| is_kept(name)).collect();
        prop_assert_eq!(kept.iter().collect::<Vec<_>>(), expected);
        // Only headers of the table's kinds and those that `Connection` names are dropped.
        let hops = came.joined("connection").unwrap_or_default().to_ascii_lowercase();
        for (name, _) in came.iter().filter(|(name, _)| !is_kept(name)) {
            let is_nominated = hops.split(',').any(|hop| hop.trim() == name);
            let stays_by_kind = matches!(HeaderKind::of(name), HeaderKind::EndToEnd | HeaderKind::Framework);
            prop_assert!(!stays_by_kind || is_nominated, "{name} was lost");
        }
        // One match is enough.
        prop_assert_eq!(kept.for_sharing(), kept);
    }
}

#[test]
fn a_header_that_is_set_takes_the_place_of_all_of_its_name() {
    let mut list = HeaderList::from_pairs(&[("link", "</a>"), ("x", "1"), ("link", "</b>")]);
    list.set("link", Some("</c>".to_owned()));
    assert_eq!(list, HeaderList::from_pairs(&[("x", "1"), ("link", "</c>")]));
    list.set("x", None);
    assert_eq!(list, HeaderList::from_pairs(&[("link", "</c>")]));
}
