//! Headers of the origin that are stored with a page, but are not sent to clients as they are.
//!
//! They are in one header of the stored page, [`ORIGIN_HEADER`], which no response to a client has. There are two uses:
//!
//! - With the standard rules, clients receive the origin's own `Cache-Control`, `Expires` and `Date` (RFC 9111 §3.1).
//! - A later render may validate the page. For this the cache needs the validators as the origin sent them, and the
//!   fields by which it judges a page, because a 304 may omit them: [`freshen`](super::freshen).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::codec;
use crate::semantics::cache_policy;
use crate::semantics::conditional::SETTLED;
use crate::semantics::etag::EntityTag;
use crate::semantics::headers::{HeaderList, MAX_VALUE_BYTES};
use crate::semantics::http_date;
use crate::semantics::http_rules::HttpRules;
use crate::time::Timestamp;

/// The header of a stored page that contains them.
pub const ORIGIN_HEADER: &str = "x-isr-origin";

/// The fields by which a page is judged, and which are not among the headers of a stored page.
const JUDGED: [&str; 6] =
    ["cache-control", "cache-tag", "cdn-cache-control", "cloudflare-cdn-cache-control", "vary", "x-isr-revalidate"];

/// The fields besides `Cache-Control` that clients receive with the standard rules.
const REPLAYED: [&str; 2] = ["date", "expires"];

/// The origin's `ETag`, unchanged. The one of the stored page may have become weak.
const ETAG: &str = "etag";

/// The name under which the [fingerprint](fingerprint) of the request is kept.
const REQUEST: &str = "x-isr-request";

/// The bytes of a fingerprint: configurations follow one another, and are few.
const FINGERPRINT_BYTES: usize = 8;

/// Headers of the origin that are kept with a stored page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginHeaders(HeaderList);

impl OriginHeaders {
    /// Selects the headers to keep of a response to a request with this [fingerprint](fingerprint). Empty if there is no
    /// use for any.
    #[must_use]
    pub fn of(status: u16, headers: &HeaderList, rules: HttpRules, request: &str, arrived: Timestamp) -> Self {
        let is_valid_tag = |value: &&str| EntityTag::parse(value).is_some();
        let etag = headers.get(ETAG).filter(is_valid_tag);
        let is_validated = status == 200 && (etag.is_some() || settled(headers, arrived).is_some());
        let is_replayed = rules == HttpRules::Standard;
        let mut kept = HeaderList::default();
        let mut keep = |name: &str, value: Option<String>| kept.set(name, value);
        for name in JUDGED.iter().filter(|_| is_validated || is_replayed) {
            keep(name, headers.joined(name));
        }
        for name in REPLAYED.iter().filter(|_| is_replayed) {
            keep(name, headers.joined(name));
        }
        if is_validated {
            keep(ETAG, etag.map(str::to_owned));
            keep(REQUEST, Some(request.to_owned()));
        }
        Self(kept)
    }

    /// Adds them to the headers of a page. Does nothing if there are none, or too many.
    pub fn store(&self, headers: &mut HeaderList) {
        let text = codec::to_text(&self.0);
        let is_kept = self.0.iter().next().is_some() && text.len() <= MAX_VALUE_BYTES;
        headers.set(ORIGIN_HEADER, is_kept.then_some(text));
    }

    /// Reads them from the headers of a stored page.
    #[must_use]
    pub fn stored(headers: &HeaderList) -> Self {
        headers.get(ORIGIN_HEADER).and_then(Self::parse).unwrap_or_default()
    }

    /// Reads the value of [`ORIGIN_HEADER`].
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        codec::from_text(value).map(Self)
    }

    /// Returns a field as the origin sent it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Iterates over the fields by which a page is judged.
    pub fn judged(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(name, _)| JUDGED.contains(name) || REPLAYED.contains(name))
    }

    /// Returns the origin's entity tag.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.0.get(ETAG)
    }

    /// Returns whether the page has a validator of the origin.
    #[must_use]
    pub fn has_validator(&self) -> bool {
        self.0.get(REQUEST).is_some()
    }

    /// Returns whether the page was rendered by a request with this [fingerprint](fingerprint).
    #[must_use]
    pub fn is_of_request(&self, fingerprint: &str) -> bool {
        self.0.get(REQUEST) == Some(fingerprint)
    }
}

/// Returns a `Last-Modified` that is old enough to identify the page: one that is less than a minute before `Date` might
/// name two versions (RFC 9110 §8.8.2.2). `arrived` takes the place of a missing `Date`.
#[must_use]
pub fn settled(headers: &HeaderList, arrived: Timestamp) -> Option<&str> {
    let value = headers.get("last-modified")?;
    let date = cache_policy::date(headers).unwrap_or(arrived);
    (http_date::read(value.trim())?.plus(SETTLED) <= date).then_some(value)
}

/// Identifies what a render's request contains besides its key: the origin and the headers of the configuration. Another
/// request may get another representation, whose validators say nothing about this one. A secret is known by its name.
#[must_use]
pub fn fingerprint<'a>(origin: Option<&str>, headers: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hash = Sha256::new();
    hash.update(origin.unwrap_or_default());
    for (name, value) in headers {
        hash.update([0]);
        hash.update(name);
        hash.update([0]);
        hash.update(value);
    }
    let hash: [u8; 32] = hash.finalize().into();
    URL_SAFE_NO_PAD.encode(&hash[..FINGERPRINT_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn kept(rules: HttpRules, headers: &[(&str, &str)]) -> OriginHeaders {
        let now = http_date::read(OLD).unwrap().plus(SETTLED * 2);
        let mut stored = HeaderList::default();
        OriginHeaders::of(200, &HeaderList::from_pairs(headers), rules, "r", now).store(&mut stored);
        OriginHeaders::stored(&stored)
    }

    #[test]
    fn a_page_is_validated_by_what_its_origin_has_sent() {
        let young = http_date::write(http_date::read(OLD).unwrap().plus(SETTLED * 2));
        for (section, header, expected) in [
            ("RFC 9110 §8.8.3", ("etag", "\"a\""), true),
            ("RFC 9110 §8.8.3: weak", ("etag", "W/\"a\""), true),
            ("RFC 9110 §8.8.3: not a tag", ("etag", "a"), false),
            ("RFC 9110 §8.8.2", ("last-modified", OLD), true),
            ("RFC 9110 §8.8.2.2: may name two versions", ("last-modified", &young), false),
            ("RFC 9110 §8.8.2: not a date", ("last-modified", "0"), false),
            ("none", ("x-a", "\"a\""), false),
        ] {
            assert_eq!(kept(HttpRules::Isr, &[header]).has_validator(), expected, "{section}");
        }
        let other = OriginHeaders::of(
            404,
            &HeaderList::from_pairs(&[("etag", "\"a\"")]),
            HttpRules::Isr,
            "r",
            Timestamp::default(),
        );
        assert!(!other.has_validator(), "RFC 9110 §13.2.1: only a 200 is validated");
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        let headers =
            [("cache-control", "max-age=1"), ("expires", "0"), ("date", OLD), ("x-isr-origin", "x"), ("x-a", "1")];
        assert_eq!(kept(HttpRules::Isr, &headers), OriginHeaders::default());
        let names = |rules, more: &[(&str, &str)]| {
            let found = kept(rules, &[&headers, more].concat());
            found.0.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(HttpRules::Isr, &[("etag", "\"a\"")]), ["cache-control", "etag", "x-isr-request"]);
        assert_eq!(names(HttpRules::Standard, &[]), ["cache-control", "date", "expires"]);
        let long = "x".repeat(MAX_VALUE_BYTES);
        assert_eq!(kept(HttpRules::Standard, &[("cache-control", &long)]), OriginHeaders::default());
    }

    #[test]
    fn a_request_is_known_by_origin_and_headers() {
        let print = |origin, headers: &[(&'static str, &'static str)]| fingerprint(origin, headers.iter().copied());
        let one = print(Some("https://a.test"), &[("x", "1")]);
        assert_eq!(one, print(Some("https://a.test"), &[("x", "1")]));
        for other in [print(Some("https://b.test"), &[("x", "1")]), print(Some("https://a.test"), &[("x", "2")])] {
            assert_ne!(one, other);
        }
        assert!(kept(HttpRules::Isr, &[("etag", "\"a\"")]).is_of_request("r"));
    }
}
