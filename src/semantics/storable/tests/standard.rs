//! The standard rules of HTTP: each row names the section of RFC 9111 that requires it.

use super::*;
use crate::semantics::http_date;

/// The start of the render, and dates before and after it.
const NOW: Timestamp = Timestamp::from_millis(1_000_000_900);

fn date(seconds: i64) -> String {
    http_date::write(Timestamp::from_millis(NOW.as_millis().saturating_add_signed(seconds * 1000)))
}

fn judged(status: u16, headers: &[(&str, &str)]) -> Result<Storable, NotStored> {
    let statuses = Statuses::new([200, 302, 404]).unwrap();
    let headers = HeaderList::from_pairs(headers);
    with_criteria(|criteria| {
        let standard = Criteria { rules: HttpRules::Standard, start: NOW, statuses: &statuses, ..*criteria };
        match judge(status, &headers, &standard) {
            Storability::Store(storable) => Ok(storable),
            Storability::Pass(reason) => Err(reason),
            Storability::Fail(failure) => panic!("{failure}"),
        }
    })
}

/// Returns the lifetime in whole seconds, rounded up, of a page that is stored.
fn lifetime(status: u16, headers: &[(&str, &str)]) -> Result<u64, NotStored> {
    judged(status, headers).map(|storable| storable.windows.fresh_until.unwrap().since(NOW).as_secs())
}

#[test]
fn the_first_lifetime_that_is_present_counts() {
    let (past, now, later, day_before) = (date(-60), date(0), date(90), date(-86_400));
    let cc = |value| ("cache-control", value);
    for (section, status, headers, expected) in [
        ("§5.2.2.1", 200, vec![cc("max-age=30")], Ok(30)),
        ("§5.2.2.1", 200, vec![cc("max-age=0")], Err(NotStored::RevalidateZero)),
        ("§5.2.2.10", 200, vec![cc("max-age=30, s-maxage=20")], Ok(20)),
        ("§4.2.1, unreadable", 200, vec![cc("max-age='30'")], Err(NotStored::RevalidateZero)),
        ("§5.3", 200, vec![("expires", later.as_str()), ("date", now.as_str())], Ok(90)),
        ("§5.3, without Date", 200, vec![("expires", later.as_str())], Ok(89)),
        ("§5.3", 200, vec![("expires", past.as_str())], Err(NotStored::RevalidateZero)),
        ("§5.3, invalid", 200, vec![("expires", "0")], Err(NotStored::RevalidateZero)),
        (
            "§5.3, two",
            200,
            vec![("expires", later.as_str()), ("expires", later.as_str())],
            Err(NotStored::RevalidateZero),
        ),
        ("§5.3, max-age first", 200, vec![cc("max-age=30"), ("expires", past.as_str())], Ok(30)),
        ("RFC 9213 §2.2", 200, vec![("cdn-cache-control", "max-age=7"), cc("max-age=30")], Ok(7)),
        ("RFC 9213 §2.2", 200, vec![("cdn-cache-control", "foo"), cc("max-age=30")], Ok(60)),
        ("§4.2.3, Age", 200, vec![cc("max-age=30"), ("age", "10")], Ok(20)),
        ("§5.1, the first of a list", 200, vec![cc("max-age=30"), ("age", "10, 90")], Ok(20)),
        ("§4.2, Age", 200, vec![cc("max-age=30"), ("age", "30")], Err(NotStored::Age)),
        ("§4.2.1, unreadable Age", 200, vec![cc("max-age=30"), ("age", "x")], Err(NotStored::Age)),
        ("§4.2.1, unreadable Age", 200, vec![cc("max-age=30"), ("age", "-1")], Err(NotStored::Age)),
        ("§4.2.3, Date", 200, vec![cc("max-age=90"), ("date", past.as_str())], Ok(30)),
        ("§4.2.3, the greater one", 200, vec![cc("max-age=90"), ("date", past.as_str()), ("age", "70")], Ok(20)),
        ("§4.2.3, Date", 200, vec![cc("max-age=90"), ("date", day_before.as_str())], Err(NotStored::Age)),
        ("§4.2.3, a clock ahead", 200, vec![cc("max-age=90"), ("date", later.as_str())], Ok(90)),
        ("§4.2.2", 200, vec![], Ok(60)),
        ("§4.2.2", 302, vec![], Err(NotStored::Status)),
        ("§4.2.2", 302, vec![cc("public")], Ok(60)),
        ("§4.2.1", 302, vec![cc("max-age=30")], Ok(30)),
        ("§5.2.2.4", 200, vec![cc("no-cache, max-age=30")], Err(NotStored::CacheControl)),
        ("§5.2.2.5", 200, vec![cc("no-store, max-age=30")], Err(NotStored::CacheControl)),
        ("§5.2.2.7", 200, vec![cc("private, max-age=30")], Err(NotStored::CacheControl)),
        ("§4.1, for requests without it", 200, vec![cc("max-age=30"), ("vary", "x-a")], Ok(30)),
        ("§4.1", 200, vec![cc("max-age=30"), ("vary", "*")], Err(NotStored::Vary)),
    ] {
        assert_eq!(lifetime(status, &headers), expected, "RFC 9111 {section}: {status} {headers:?}");
    }
}

#[test]
fn a_page_is_as_old_as_date_and_age_say() {
    let past = date(-60);
    for (headers, seconds) in [
        (vec![], 0),
        (vec![("age", "7")], 7),
        (vec![("date", past.as_str())], 60),
        (vec![("age", "70"), ("date", &past)], 70),
    ] {
        let headers = [&headers[..], &[("cache-control", "max-age=100")]].concat();
        let dated = judged(200, &headers).unwrap().dated.unwrap();
        assert_eq!(NOW.since(dated).as_secs(), seconds, "RFC 9111 §4.2.3: {headers:?}");
    }
}

#[test]
fn a_page_is_served_stale_only_if_its_response_permits_it() {
    let route = EXPIRE.as_secs();
    for (section, value, stale, in_place_of_errors) in [
        ("§4.2.4, disconnected", "max-age=30", 0, route),
        ("RFC 5861 §3", "max-age=30, stale-while-revalidate=5", 5, route),
        ("RFC 5861 §3, within the route's", "max-age=30, stale-while-revalidate=50", route, route),
        ("RFC 5861 §4", "max-age=30, stale-if-error=5", 0, 5),
        ("§5.2.2.2", "max-age=30, must-revalidate, stale-while-revalidate=5", 0, 0),
        ("§5.2.2.8", "max-age=30, proxy-revalidate, stale-if-error=5", 0, 0),
        ("§5.2.2.10", "s-maxage=30, stale-while-revalidate=5", 0, 0),
    ] {
        let Windows { fresh_until, stale_until, error_until } =
            judged(200, &[("cache-control", value)]).unwrap().windows;
        let seconds = |end: Option<Timestamp>| end.unwrap().since(fresh_until.unwrap()).as_secs();
        assert_eq!((seconds(stale_until), seconds(error_until)), (stale, in_place_of_errors), "{section}: {value}");
    }
}

#[test]
fn fields_are_stored_that_the_rules_of_isr_do_not_trust() {
    for (section, header) in [("RFC 9110 §14.4", ("content-range", "x")), ("§3.1", ("clear-site-data", "\"cache\""))]
    {
        let headers = [("cache-control", "max-age=30"), header];
        assert!(judged(200, &headers).unwrap().headers.get(header.0).is_some(), "{section}");
        assert!(matches!(storability(200, &headers), Storability::Pass(_)), "{section}");
    }
    let cleared = judged(200, &[("clear-site-data", "\"cache\"")]);
    assert_eq!(cleared, Err(NotStored::SetCookie), "without a lifetime of its own");
}

#[test]
fn a_page_that_its_origin_has_confirmed_is_used_once_even_if_it_is_stale() {
    let past = date(-60);
    for (headers, rules, expected) in [
        ([("expires", past.as_str())], HttpRules::Standard, true),
        ([("cache-control", "max-age=0")], HttpRules::Standard, true),
        ([("x-isr-revalidate", "0")], HttpRules::Standard, false),
        ([("cache-control", "no-store")], HttpRules::Standard, false),
        ([("cache-control", "s-maxage=0")], HttpRules::Isr, false),
    ] {
        let found = with_criteria(|criteria| {
            let confirmed = Criteria { rules, is_confirmed: true, start: NOW, ..*criteria };
            judge(200, &HeaderList::from_pairs(&headers), &confirmed)
        });
        let is_stale = matches!(&found, Storability::Store(page) if page.windows == Windows::over(NOW));
        assert_eq!(is_stale, expected, "RFC 9111 §4.3.3: {headers:?} {found:?}");
    }
}
