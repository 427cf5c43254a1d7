//! Conditional and partial requests: the form of a response from a stored page (RFC 9110 §13 and §14).
//!
//! | request | response for a page with status 200 | section |
//! |---|---|---|
//! | `If-None-Match` names the page's `ETag`, or is `*` | 304 | RFC 9110 §13.1.2 |
//! | `If-None-Match` does not | the whole page, or the range | |
//! | `If-Modified-Since`, without `If-None-Match`, is not before `Last-Modified`, or without that `Date` | 304 | RFC 9110 §13.1.3, RFC 9111 §4.3.2 |
//! | GET, one range of bytes, the page's length is known, no `If-Range` or one that holds | 206, or 416 | RFC 9110 §14.2, §13.1.5 |
//! | `If-Match`, `If-Unmodified-Since` | ignored: they are for the origin | RFC 9111 §4.3.2 |
//!
//! For a page with another status, each of these requests gets the whole page (RFC 9110 §13.2.1, §14.2, §15.4.5).

use std::time::Duration;

use crate::semantics::etag::{self, EntityTag};
use crate::semantics::http_date;
use crate::semantics::range::Range;
use crate::time::Timestamp;

/// How much older than `Date` a `Last-Modified` must be to be strong. The origin's clock and ours may differ; with one
/// clock, a second would be enough (RFC 9110 §8.8.2.2).
pub const SETTLED: Duration = Duration::from_mins(1);

/// Headers of a page that a 304 has as well (RFC 9110 §15.4.5).
const IN_304: [&str; 6] = ["cache-control", "content-location", "date", "etag", "expires", "vary"];

/// Headers of this cache's own, which describe the response and not the page, and those for a downstream cache.
const OF_RESPONSE: [&str; 6] =
    ["age", "cache-status", "cache-tag", "cloudflare-cdn-cache-control", "x-isr-cache-date", "x-isr-status"];

/// Returns whether a header of the 200 is in a 304 as well, by its name in lower case. Everything else would replace what
/// the client has (RFC 9111 §3.2), and may contradict the body that the client has: a `Content-Security-Policy` with the
/// nonce of another render, for example. Without an entity tag, `Last-Modified` is the validator.
#[must_use]
pub fn is_in_304(name: &str, has_etag: bool) -> bool {
    IN_304.contains(&name) || OF_RESPONSE.contains(&name) || (name == "last-modified" && !has_etag)
}

/// Headers that a 206 does not have: they describe all bytes of the content (RFC 9530 §2).
pub const NOT_IN_206: [&str; 2] = ["content-digest", "content-md5"];

/// The fields that make a request conditional or partial, unchanged. Most requests have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// `Range`.
    pub range: Option<String>,
    /// `If-Range`.
    pub if_range: Option<String>,
}

/// The metadata of a stored page that conditions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectedRepresentation<'a> {
    /// Its status.
    pub status: u16,
    /// Its `ETag`.
    pub etag: Option<&'a str>,
    /// Its `Last-Modified`.
    pub last_modified: Option<&'a str>,
    /// Its `Date`: when its last byte arrived.
    pub date: Timestamp,
    /// Its length in bytes; `None` while it still streams.
    pub body_bytes: Option<u64>,
}

/// The form of a response from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// With its own status, and all of its bytes.
    Whole,
    /// 304: the client has it.
    NotModified,
    /// 206 with [`Range::Part`], or 416.
    Ranged(Range),
}

impl Conditions {
    /// Returns whether there are none, as in most requests.
    #[must_use]
    pub fn are_none(&self) -> bool {
        // Without `Range`, `If-Range` has no effect (RFC 9110 §13.1.5).
        self.if_none_match.is_none() && self.if_modified_since.is_none() && self.range.is_none()
    }

    /// Decides the form, in the order of RFC 9110 §13.2.2. `is_get` is false for HEAD.
    #[must_use]
    pub fn form(&self, is_get: bool, page: &SelectedRepresentation<'_>) -> Form {
        // RFC 9110 §13.2.1: preconditions count only if the response without them would be a success.
        if page.status != 200 {
            return Form::Whole;
        }
        let etag = page.etag.and_then(EntityTag::parse);
        let has_page = match (&self.if_none_match, &self.if_modified_since) {
            // Step 3. RFC 9110 §13.1.3: If-Modified-Since is ignored if there is an If-None-Match.
            (Some(list), _) => etag::names(list, etag),
            // Step 4.
            (None, Some(since)) => http_date::read(since).is_some_and(|since| page.is_unmodified_since(since)),
            (None, None) => false,
        };
        if has_page {
            return Form::NotModified;
        }
        // Step 5. RFC 9110 §14.2: Range is defined for GET only, and evaluated after the other preconditions.
        let range = match (&self.range, page.body_bytes) {
            (Some(range), Some(bytes)) if is_get && self.if_range_holds(page, etag) => Range::of(range, bytes),
            _ => None,
        };
        range.map_or(Form::Whole, Form::Ranged)
    }

    /// Returns whether the part that the client already has is of this version of the page (RFC 9110 §13.1.5).
    fn if_range_holds(&self, page: &SelectedRepresentation<'_>, etag: Option<EntityTag<'_>>) -> bool {
        let Some(if_range) = &self.if_range else {
            return true;
        };
        match EntityTag::parse(if_range) {
            Some(tag) => etag.is_some_and(|etag| etag.equals_strongly(tag)),
            None => http_date::read(if_range).is_some_and(|date| {
                // The date must be equal, and strong (RFC 9110 §8.8.2.2).
                page.last_modified.and_then(http_date::read) == Some(date) && date.plus(SETTLED) <= page.date
            }),
        }
    }
}

impl SelectedRepresentation<'_> {
    /// Compares dates in whole seconds. `Date` replaces a missing `Last-Modified` (RFC 9111 §4.3.2), but not an
    /// unreadable one (RFC 9110 §13.1.3: no modification date is available).
    fn is_unmodified_since(&self, since: Timestamp) -> bool {
        let modified = match self.last_modified {
            Some(date) => http_date::read(date),
            None => Some(Timestamp::from_millis(self.date.as_millis() / 1000 * 1000)),
        };
        modified.is_some_and(|modified| modified <= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"a\"";
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const SECOND_BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const HOUR_LATER: &str = "Sun, 06 Nov 1994 09:49:37 GMT";
    const HOUR_LATER_850: &str = "Sunday, 06-Nov-94 09:49:37 GMT";
    const HOUR_LATER_ASCTIME: &str = "Sun Nov  6 09:49:37 1994";

    fn page() -> SelectedRepresentation<'static> {
        SelectedRepresentation {
            status: 200,
            etag: Some(TAG),
            last_modified: Some(MODIFIED),
            // Half a second past the hour.
            date: http_date::read(HOUR_LATER).unwrap().plus(Duration::from_millis(500)),
            body_bytes: Some(100),
        }
    }

    fn asked(fields: &[(&str, &str)]) -> Conditions {
        let get = |name| fields.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Conditions {
            if_none_match: get("if-none-match"),
            if_modified_since: get("if-modified-since"),
            range: get("range"),
            if_range: get("if-range"),
        }
    }

    #[test]
    fn preconditions_are_taken_in_the_order_of_the_rfc() {
        let part = || Form::Ranged(Range::Part(0..=9));
        let range = ("range", "bytes=0-9");
        for (section, fields, expected) in [
            ("nothing", vec![], Form::Whole),
            ("§13.1.2", vec![("if-none-match", "\"a\"")], Form::NotModified),
            ("§13.1.2, weak comparison", vec![("if-none-match", "W/\"a\"")], Form::NotModified),
            ("§13.1.2, a list", vec![("if-none-match", "\"b\", \"a\"")], Form::NotModified),
            ("§13.1.2, *", vec![("if-none-match", "*")], Form::NotModified),
            ("§13.1.2, no match", vec![("if-none-match", "\"b\"")], Form::Whole),
            (
                "§13.1.3: If-None-Match takes precedence",
                vec![("if-none-match", "\"b\""), ("if-modified-since", HOUR_LATER)],
                Form::Whole,
            ),
            ("§13.1.3: as late", vec![("if-modified-since", MODIFIED)], Form::NotModified),
            ("§13.1.3: later", vec![("if-modified-since", HOUR_LATER)], Form::NotModified),
            ("§5.6.7: rfc850-date", vec![("if-modified-since", HOUR_LATER_850)], Form::NotModified),
            ("§5.6.7: asctime-date", vec![("if-modified-since", HOUR_LATER_ASCTIME)], Form::NotModified),
            ("§13.1.3: earlier", vec![("if-modified-since", SECOND_BEFORE)], Form::Whole),
            ("§13.1.3: not a date", vec![("if-modified-since", "yesterday")], Form::Whole),
            ("§14.2", vec![range], part()),
            ("§15.5.17", vec![("range", "bytes=100-")], Form::Ranged(Range::Unsatisfiable)),
            ("§13.2.2: 304 before 206", vec![("if-none-match", "\"a\""), range], Form::NotModified),
            ("§13.2.2: 206 after a condition that fails", vec![("if-none-match", "\"b\""), range], part()),
            ("§13.1.5: the tag", vec![range, ("if-range", "\"a\"")], part()),
            ("§13.1.5: another tag", vec![range, ("if-range", "\"b\"")], Form::Whole),
            ("§13.1.5: strong comparison", vec![range, ("if-range", "W/\"a\"")], Form::Whole),
            ("§13.1.5: the date", vec![range, ("if-range", MODIFIED)], part()),
            ("§13.1.5: the very date", vec![range, ("if-range", HOUR_LATER)], Form::Whole),
            ("§13.1.5: neither", vec![range, ("if-range", "a")], Form::Whole),
            ("§13.1.5: no 416 either", vec![("range", "bytes=100-"), ("if-range", "\"b\"")], Form::Whole),
            ("§13.1.5: without Range", vec![("if-range", "\"a\"")], Form::Whole),
        ] {
            assert_eq!(asked(&fields).form(true, &page()), expected, "{section}");
        }
    }

    #[test]
    fn the_page_and_the_method_decide_which_conditions_count() {
        let (tag, since) = (("if-none-match", TAG), ("if-modified-since", HOUR_LATER));
        let range = ("range", "bytes=0-9");
        let weak = SelectedRepresentation { etag: Some("W/\"a\""), ..page() };
        let bare = SelectedRepresentation { etag: None, last_modified: None, ..page() };
        let streams = SelectedRepresentation { body_bytes: None, ..page() };
        let fresh =
            SelectedRepresentation { date: http_date::read(MODIFIED).unwrap().plus(Duration::from_secs(59)), ..page() };
        let undated = SelectedRepresentation { last_modified: Some("yesterday"), ..page() };
        for (section, is_get, page, fields, expected) in [
            ("§13.2.1: another status", true, SelectedRepresentation { status: 404, ..page() }, vec![tag], Form::Whole),
            ("§13.2.1", true, SelectedRepresentation { status: 404, ..page() }, vec![since], Form::Whole),
            ("§14.2: only of a 200", true, SelectedRepresentation { status: 203, ..page() }, vec![range], Form::Whole),
            ("§13.1.2: HEAD as well", false, page(), vec![tag], Form::NotModified),
            ("§14.2: GET only", false, page(), vec![range], Form::Whole),
            ("§13.1.2: * needs no tag", true, bare, vec![("if-none-match", "*")], Form::NotModified),
            ("§13.1.2: no tag to match", true, bare, vec![tag], Form::Whole),
            ("§13.1.2: a weak tag", true, weak, vec![tag], Form::NotModified),
            ("§13.1.5: not a strong tag", true, weak, vec![range, ("if-range", "W/\"a\"")], Form::Whole),
            ("RFC 9111 §4.3.2: Date", true, bare, vec![since], Form::NotModified),
            ("RFC 9111 §4.3.2: Date", true, bare, vec![("if-modified-since", MODIFIED)], Form::Whole),
            ("§13.1.3: no date available", true, undated, vec![since], Form::Whole),
            ("§13.1.5: no date", true, bare, vec![range, ("if-range", HOUR_LATER)], Form::Whole),
            ("§8.8.2.2: a weak date", true, fresh, vec![range, ("if-range", MODIFIED)], Form::Whole),
            ("the length is not known", true, streams, vec![range], Form::Whole),
            ("but the tag is", true, streams, vec![tag], Form::NotModified),
        ] {
            assert_eq!(asked(&fields).form(is_get, &page), expected, "{section} {fields:?}");
        }
    }

    #[test]
    fn a_304_has_nothing_that_contradicts_the_body() {
        for name in ["cache-control", "content-location", "date", "etag", "expires", "vary", "age", "cache-status"] {
            assert!(is_in_304(name, true), "{name}");
        }
        for name in ["content-security-policy", "content-type", "content-length", "link", "set-cookie", "x-own"] {
            assert!(!is_in_304(name, false), "{name}");
        }
        assert!(is_in_304("last-modified", false) && !is_in_304("last-modified", true));
    }

    #[test]
    fn most_requests_have_no_conditions() {
        assert!(asked(&[]).are_none() && asked(&[("if-range", TAG)]).are_none());
        for field in ["if-none-match", "if-modified-since", "range"] {
            assert!(!asked(&[(field, "")]).are_none(), "{field}");
        }
    }
}
