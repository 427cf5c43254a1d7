//! Entity tags: their syntax, creation and comparison (RFC 9110 §8.8.3).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::semantics::headers::HeaderList;

/// The number of hash bytes in an entity tag of this cache's own: enough that two bodies never share one.
const OWN_BYTES: usize = 16;

/// An entity tag, borrowed from its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it only means "semantically equivalent", not "the same bytes" (RFC 9110 §8.8.1).
    pub is_weak: bool,
    /// The opaque tag, without its quotes.
    pub opaque: &'a str,
}

impl<'a> EntityTag<'a> {
    /// Parses a field that is one entity tag: `ETag`, or an `If-Range` of that kind.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let (tag, rest) = Self::first(value.trim_matches(OWS))?;
        rest.is_empty().then_some(tag)
    }

    /// Parses the tag at the beginning of a text, and returns the rest. `W/` is case-sensitive, and the quotes may
    /// contain a comma (RFC 9110 §8.8.3).
    fn first(text: &'a str) -> Option<(Self, &'a str)> {
        let (is_weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (opaque, rest) = quoted.strip_prefix('"')?.split_once('"')?;
        // %x21 / %x23-7E / obs-text; JavaScript passes the bytes of obs-text as characters of the same number.
        let is_etagc = |c: char| matches!(c, '\u{21}'..='\u{7e}' | '\u{80}'..);
        opaque.chars().all(is_etagc).then_some((Self { is_weak, opaque }, rest))
    }

    /// Compares for `If-None-Match`: weak tags are also equal if their opaque tags are (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn equals_weakly(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }

    /// Compares for `If-Range`: only strong tags are equal (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn equals_strongly(self, other: EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }
}

impl fmt::Display for EntityTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weak = if self.is_weak { "W/" } else { "" };
        write!(f, "{weak}\"{}\"", self.opaque)
    }
}

/// Spaces around members of a list (RFC 9110 §5.6.3).
const OWS: [char; 2] = [' ', '\t'];

/// Returns whether an `If-None-Match` matches the page with this tag: by `*`, or in its list (RFC 9110 §13.1.2). A list
/// ends at the first member that is not an entity tag; if no tag before it matches, the client gets the whole page.
#[must_use]
pub fn names(if_none_match: &str, current: Option<EntityTag<'_>>) -> bool {
    let mut rest = if_none_match.trim_matches(OWS);
    if rest == "*" {
        return true;
    }
    let Some(current) = current else {
        return false;
    };
    // RFC 9110 §5.6.1.2: a list may have empty members.
    while let Some((tag, behind)) = EntityTag::first(rest.trim_start_matches([' ', '\t', ','])) {
        let behind = behind.trim_start_matches(OWS);
        if !(behind.is_empty() || behind.starts_with(',')) {
            return false;
        }
        if tag.equals_weakly(current) {
            return true;
        }
        rest = behind;
    }
    false
}

/// Returns whether a complete page gets an entity tag of this cache's own: a 200 without one of the origin.
///
/// For other statuses no condition counts (RFC 9110 §13.2.1). Also, a client that got the tag with a 404 would get a
/// 304 once there is a page of the same bytes, and would go on showing the 404.
#[must_use]
pub fn is_lacking(status: u16, etag: Option<&str>) -> bool {
    status == 200 && etag.is_none()
}

/// Headers that change what a browser does with the same bytes. A 304 does not have them.
const POLICIES: [&str; 12] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "content-disposition",
    "content-language",
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
];

/// Makes the entity tag of a page without one of the origin: strong, from the SHA-256 of the bytes, from their type, and
/// from the policies for them. After a `304` a browser keeps the type and the policies that it knows (RFC 9111 §3.2), so
/// others need another tag. `header` returns the value of a stored header by its name.
#[must_use]
pub fn of_page(body_sha256: &[u8; 32], header: impl Fn(&str) -> Option<String>) -> String {
    let mut hash = Sha256::new();
    hash.update(body_sha256);
    hash.update(header("content-type").unwrap_or_default());
    for name in POLICIES {
        if let Some(value) = header(name) {
            hash.update(format!("\n{name}: {value}"));
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..OWN_BYTES]))
}

/// Returns the origin's own entity tag in its form for the stored bytes; `None` if there is none, or an invalid one.
///
/// Bytes are stored without their content coding, and a strong tag distinguishes codings (RFC 9110 §8.8.3.3). So the
/// tag of a coded response becomes weak: it still identifies the page, and `If-Range` does not trust it any more.
#[must_use]
pub fn of_origin(headers: &HeaderList) -> Option<String> {
    let tag = EntityTag::parse(headers.get("etag")?)?;
    let coding = headers.joined("content-encoding");
    let is_coded = coding.is_some_and(|coding| !coding.trim_matches(OWS).eq_ignore_ascii_case("identity"));
    Some(EntityTag { is_weak: tag.is_weak || is_coded, ..tag }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(is_weak: bool, opaque: &str) -> EntityTag<'_> {
        EntityTag { is_weak, opaque }
    }

    #[test]
    fn tags_are_read_as_the_rfc_writes_them() {
        for (value, expected) in [
            // RFC 9110 §8.8.3, its examples.
            ("\"xyzzy\"", Some(tag(false, "xyzzy"))),
            ("W/\"xyzzy\"", Some(tag(true, "xyzzy"))),
            ("\"\"", Some(tag(false, ""))),
            // etagc: anything visible but the quote, including commas and obs-text.
            (" \"a,b\\\" ", Some(tag(false, "a,b\\"))),
            ("\"ü\"", Some(tag(false, "ü"))),
            ("w/\"xyzzy\"", None),
            ("W/ \"xyzzy\"", None),
            ("xyzzy", None),
            ("\"xyzzy", None),
            ("\"a b\"", None),
            ("\"a\u{7f}\"", None),
            ("\"a\", \"b\"", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(EntityTag::parse(value), expected, "{value:?}");
        }
    }

    #[test]
    fn tags_are_compared_as_in_the_table_of_the_rfc() {
        // RFC 9110 §8.8.3.2: two tags, strong comparison, weak comparison.
        for (one, other, strong, weak) in [
            (tag(true, "1"), tag(true, "1"), false, true),
            (tag(true, "1"), tag(true, "2"), false, false),
            (tag(true, "1"), tag(false, "1"), false, true),
            (tag(false, "1"), tag(false, "1"), true, true),
        ] {
            assert_eq!((one.equals_strongly(other), one.equals_weakly(other)), (strong, weak), "{one} {other}");
            assert_eq!((other.equals_strongly(one), other.equals_weakly(one)), (strong, weak), "{other} {one}");
        }
    }

    #[test]
    fn a_list_names_a_tag_or_does_not() {
        for (list, expected) in [
            // RFC 9110 §13.1.2, its examples.
            ("\"xyzzy\"", true),
            ("W/\"xyzzy\"", true),
            ("\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\"", true),
            ("W/\"a\", W/\"xyzzy\"", true),
            ("*", true),
            (" * ", true),
            // RFC 9110 §5.6.1.2.
            (", ,\"a\" ,, \"xyzzy\",", true),
            ("\"a\",\"xyzzy\"", true),
            ("\"a,\", \"xyzzy\"", true),
            ("\"a\"", false),
            ("\"a\", \"*\"", false),
            ("\"xyzzy\" \"a\"", false),
            ("xyzzy", false),
            ("a, \"xyzzy\"", false),
            ("*, \"xyzzy\"", false),
            ("\"XYZZY\"", false),
            ("\"a, \"xyzzy\"", false),
            ("", false),
        ] {
            assert_eq!(names(list, Some(tag(false, "xyzzy"))), expected, "{list:?}");
        }
        assert_eq!((names("*", None), names("\"xyzzy\"", None)), (true, false));
    }

    #[test]
    fn a_tag_of_our_own_is_that_of_the_bytes_of_their_type_and_of_their_policies() {
        let of = |byte: u8, headers: &[(&str, &str)]| {
            let headers = HeaderList::from_pairs(headers);
            of_page(&[byte; 32], |name| headers.joined(name))
        };
        let own = of(7, &[("content-type", "text/html"), ("x-request-id", "1")]);
        assert_eq!(own, "\"nB1aQQHwP6EsPFo3STOtBQ\"");
        assert!(EntityTag::parse(&own).is_some_and(|tag| !tag.is_weak && tag.opaque.len() == 22));
        let with_policy = |policy: &str| of(7, &[("content-type", "text/html"), ("content-security-policy", policy)]);
        for other in [
            of(8, &[("content-type", "text/html")]),
            of(7, &[("content-type", "text/plain")]),
            of(7, &[]),
            with_policy("default-src 'self'"),
            with_policy("default-src 'none'"),
        ] {
            assert_ne!(own, other);
        }
        assert_ne!(with_policy("default-src 'self'"), with_policy("default-src 'none'"));
        assert_eq!(
            (is_lacking(200, None), is_lacking(200, Some("\"a\"")), is_lacking(404, None)),
            (true, false, false)
        );
    }

    #[test]
    fn a_tag_of_the_site_holds_for_the_bytes_without_their_coding() {
        for (headers, expected) in [
            (vec![], None),
            (vec![("etag", "\"a\"")], Some("\"a\"")),
            (vec![("etag", "W/\"a\"")], Some("W/\"a\"")),
            (vec![("etag", "\"a\""), ("content-encoding", "gzip")], Some("W/\"a\"")),
            (vec![("etag", "\"a\""), ("content-encoding", "Identity")], Some("\"a\"")),
            (vec![("etag", "a")], None),
        ] {
            assert_eq!(of_origin(&HeaderList::from_pairs(&headers)).as_deref(), expected, "{headers:?}");
        }
    }
}
