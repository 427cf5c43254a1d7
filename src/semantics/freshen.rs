//! Validation of a stored page with its origin (RFC 9111 §4.3).
//!
//! | origin's answer to the conditional request | consequence | section |
//! |---|---|---|
//! | 200, or anything but a 304 | as for any render | §4.3.3 |
//! | 304 that identifies the stored page, or has no validator | the page is published again, with updated headers | §4.3.4 |
//! | 304 that identifies another one | the page is rendered again, unconditionally | §4.3.4 |

use thiserror::Error;

use crate::semantics::etag::EntityTag;
use crate::semantics::headers::HeaderList;
use crate::semantics::http_date;
use crate::semantics::origin_headers::{ORIGIN_HEADER, OriginHeaders, settled};
use crate::time::Timestamp;

/// The status of an answer without a body: the page that the cache has is current (RFC 9110 §15.4.5).
pub const NOT_MODIFIED: u16 = 304;

/// Fields that a 304 does not update: they describe the stored bytes (RFC 9111 §3.2), or the tag that it has confirmed.
const NOT_UPDATED: [&str; 8] = [
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "digest",
    "etag",
    "repr-digest",
];

/// A 304 identifies another version than the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the site confirmed another version of the page than the stored one")]
pub struct Mismatch;

/// Returns the fields that make a request for this page conditional, from validators of the origin only. Empty if the
/// page has none, or if it was rendered by another request: see [`fingerprint`](super::origin_headers::fingerprint).
#[must_use]
pub fn conditions(stored: &HeaderList, rendered_at: Timestamp, request: &str) -> Vec<(&'static str, String)> {
    let origin = OriginHeaders::stored(stored);
    if !origin.is_of_request(request) {
        return Vec::new();
    }
    let etag = origin.etag().map(|tag| ("if-none-match", tag.to_owned()));
    let since = settled(stored, rendered_at).map(|date| ("if-modified-since", date.to_owned()));
    etag.into_iter().chain(since).collect()
}

/// Updates a stored page's headers by those of a 304 (RFC 9111 §3.2). Returns the headers as the origin would have sent
/// them with a 200, to be judged like those.
///
/// # Errors
/// Returns an error if the 304 is not about the stored page.
pub fn freshen(stored: &HeaderList, answer: &HeaderList) -> Result<HeaderList, Mismatch> {
    let origin = OriginHeaders::stored(stored);
    if !confirms(stored, &origin, answer) {
        return Err(Mismatch);
    }
    let withheld = answer.withheld_from_visitor();
    let updates = |name: &str| {
        let is_of_message = withheld.iter().any(|withheld| withheld == name);
        let is_judged = matches!(name, "cache-tag" | "x-isr-revalidate");
        !NOT_UPDATED.contains(&name) && (!is_of_message || is_judged)
    };
    let is_replaced = |name: &str| answer.get(name).is_some() && updates(name);
    // The age and the date are those of the message.
    let is_old = |name: &str| is_replaced(name) || matches!(name, "age" | "date" | "etag" | ORIGIN_HEADER);
    let mut fresh = HeaderList::default();
    let old = stored.iter().chain(origin.judged());
    for (name, value) in old.filter(|(name, _)| !is_old(name)).chain(answer.iter().filter(|(name, _)| updates(name))) {
        fresh.push(name.to_owned(), value.to_owned());
    }
    fresh.set("etag", origin.etag().map(str::to_owned));
    Ok(fresh)
}

/// Returns whether a 304 is about the stored page: its tag or, without one, its date is the page's (RFC 9111 §4.3.4). A
/// 304 without a validator is about the page, because the request has named no other one.
fn confirms(stored: &HeaderList, origin: &OriginHeaders, answer: &HeaderList) -> bool {
    if let Some(tag) = answer.get("etag") {
        let known = origin.etag().and_then(EntityTag::parse);
        return known.zip(EntityTag::parse(tag)).is_some_and(|(known, tag)| known.equals_weakly(tag));
    }
    let date = |headers: &HeaderList| headers.get("last-modified").and_then(http_date::read);
    match (date(stored), date(answer)) {
        (Some(known), Some(date)) => known == date,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::http_rules::HttpRules;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    /// A page as it is stored.
    fn stored(rules: HttpRules, headers: &[(&str, &str)]) -> HeaderList {
        let headers = HeaderList::from_pairs(headers);
        let mut kept = headers.for_sharing();
        OriginHeaders::of(200, &headers, rules, "r", http_date::read(LATER).unwrap()).store(&mut kept);
        kept
    }

    #[test]
    fn only_validators_of_the_origin_are_sent() {
        let conditions = |headers: &HeaderList| conditions(headers, http_date::read(LATER).unwrap(), "r");
        let both = stored(HttpRules::Isr, &[("etag", "\"a\""), ("last-modified", OLD)]);
        assert_eq!(
            conditions(&both),
            [("if-none-match", "\"a\"".to_owned()), ("if-modified-since", OLD.to_owned())],
            "RFC 9111 §4.3.1"
        );
        let mut own = stored(HttpRules::Isr, &[("last-modified", OLD)]);
        own.set("etag", Some("\"made-here\"".to_owned()));
        assert_eq!(conditions(&own), [("if-modified-since", OLD.to_owned())]);
        let mut none = stored(HttpRules::Standard, &[("cache-control", "max-age=1")]);
        none.set("etag", Some("\"made-here\"".to_owned()));
        assert_eq!(conditions(&none), []);
        let coded = stored(HttpRules::Isr, &[("etag", "\"a\""), ("content-encoding", "gzip")]);
        assert_eq!(conditions(&coded), [("if-none-match", "\"a\"".to_owned())], "as the origin has sent it");
        assert_eq!(super::conditions(&both, Timestamp::default(), "of another request"), []);
    }

    #[test]
    fn a_304_updates_headers_but_not_those_of_the_bytes() {
        let page = stored(
            HttpRules::Standard,
            &[
                ("etag", "\"a\""),
                ("cache-control", "max-age=1"),
                ("expires", OLD),
                ("date", OLD),
                ("age", "7"),
                ("cache-tag", "a"),
                ("content-type", "text/plain"),
                ("content-md5", "x"),
                ("link", "<1>"),
                ("link", "<2>"),
                ("x-kept", "1"),
            ],
        );
        let answer = HeaderList::from_pairs(&[
            ("etag", "\"a\""),
            ("cache-control", "max-age=9"),
            ("date", LATER),
            ("content-type", "text/html"),
            ("content-md5", "y"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("link", "<3>"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-isr-origin", "forged"),
        ]);
        let fresh = freshen(&page, &answer).unwrap();
        for (section, name, expected) in [
            ("RFC 9111 §3.2", "cache-control", Some("max-age=9")),
            ("RFC 9111 §3.2", "content-type", Some("text/html")),
            ("RFC 9111 §3.2, all lines", "link", Some("<3>")),
            ("RFC 9111 §3.2, omitted", "x-kept", Some("1")),
            ("RFC 9111 §3.2, omitted", "expires", Some(OLD)),
            ("RFC 9111 §3.2, omitted", "cache-tag", Some("a")),
            ("RFC 9111 §3.2, of the bytes", "content-md5", Some("x")),
            ("RFC 9111 §3.2", "content-length", None),
            ("RFC 9111 §3.2, of the bytes", "content-encoding", None),
            ("RFC 9111 §3.1", "x-hop", None),
            ("RFC 9111 §4.2.3, of the message", "age", None),
            ("RFC 9111 §4.2.3, of the message", "date", Some(LATER)),
            ("RFC 9111 §4.3.4", "etag", Some("\"a\"")),
            ("this cache's own", ORIGIN_HEADER, None),
        ] {
            assert_eq!(fresh.joined(name).as_deref(), expected, "{section}: {name}");
        }
    }

    #[test]
    fn a_304_is_about_the_stored_page_or_useless() {
        let (tagged, dated) = ([("etag", "\"a\""), ("last-modified", OLD)], [("last-modified", OLD)]);
        for (page, answer, expected) in [
            (&tagged[..], &[][..], true),
            (&tagged, &[("etag", "\"a\"")], true),
            (&tagged, &[("etag", "W/\"a\"")], true),
            (&tagged, &[("etag", "\"b\"")], false),
            (&tagged, &[("etag", "b")], false),
            (&tagged, &[("last-modified", OLD)], true),
            (&tagged, &[("last-modified", LATER)], false),
            (&dated, &[("etag", "\"a\"")], false),
            (&dated, &[("last-modified", OLD)], true),
            (&dated, &[("last-modified", LATER)], false),
        ] {
            let found = freshen(&stored(HttpRules::Isr, page), &HeaderList::from_pairs(answer));
            assert_eq!(found.is_ok(), expected, "RFC 9111 §4.3.4: {page:?} {answer:?}");
        }
    }
}
