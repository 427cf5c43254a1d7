//! What led to the decision not to publish a response, in a few words for operators.
//!
//! The text is bounded and printable. It never contains the value of a cookie or the target of a redirect: both may be
//! secrets, and operators see this text in inspection and in logs.

use std::fmt;

use crate::semantics::headers::HeaderList;
use crate::semantics::storable::{NotStored, OriginFailure};

/// The most bytes of a text. A longer one is cut, and ends with `...`.
pub const MAX_EVIDENCE_BYTES: usize = 100;

/// The header, the limit or the status that led to a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence(String);

impl Evidence {
    /// Makes a text printable and bounds it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        const CUT: &str = "...";
        let printable = |char: char| if char == ' ' || char.is_ascii_graphic() { char } else { '?' };
        let mut kept: String = text.chars().take(MAX_EVIDENCE_BYTES + 1).map(printable).collect();
        if kept.len() > MAX_EVIDENCE_BYTES {
            kept.truncate(MAX_EVIDENCE_BYTES - CUT.len());
            kept.push_str(CUT);
        }
        Self(kept)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Describes a failure of the origin; `None` if the reason alone says everything.
    #[must_use]
    pub fn of_failure(failure: OriginFailure) -> Option<Self> {
        let text = match failure {
            OriginFailure::Status(status) => format!("status {status}"),
            OriginFailure::Pausing { status, retry_after } => {
                format!("status {status}, Retry-After {} s", retry_after.as_secs())
            }
            OriginFailure::Empty => "status 200 with an empty page".to_owned(),
            OriginFailure::Broken => "unreachable, or the connection broke off".to_owned(),
            OriginFailure::Timeout => return None,
        };
        Some(Self::new(&text))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a response may not be stored, and the part of it that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstorable {
    /// The reason.
    pub reason: NotStored,
    /// The header, the limit or the status; `None` if the reason alone says everything.
    pub detail: Option<Evidence>,
}

impl From<NotStored> for Unstorable {
    fn from(reason: NotStored) -> Self {
        Self { reason, detail: None }
    }
}

impl Unstorable {
    /// Names the part of a response that led to the reason.
    #[must_use]
    pub fn of(reason: NotStored, status: u16, headers: &HeaderList) -> Self {
        let detail = match reason {
            NotStored::Status => Some(format!("status {status}")),
            NotStored::Partial => first(headers, &["content-range"]),
            NotStored::CacheControl => first(headers, &CACHE_CONTROL),
            NotStored::SetCookie => cookies(headers).or_else(|| first(headers, &["clear-site-data"])),
            NotStored::ContentEncoding => first(headers, &["content-encoding"]),
            NotStored::EventStream => first(headers, &["content-type"]),
            NotStored::RevalidateZero => {
                let stated = first(headers, &["x-isr-revalidate"]).or_else(|| first(headers, &CACHE_CONTROL));
                stated.or_else(|| Some("revalidate = 0 of the route".to_owned()))
            }
            NotStored::Age => first(headers, &["age"]),
            NotStored::Vary => first(headers, &["vary"]),
            NotStored::MalformedHeader => malformed(headers),
            NotStored::TooLarge => match headers.for_sharing().check() {
                Err(flaw) => Some(flaw.to_string()),
                Ok(()) => first(headers, &["content-length"]),
            },
            NotStored::Authorization | NotStored::RedirectToItself => None,
        };
        Self { reason, detail: detail.as_deref().map(Evidence::new) }
    }

    /// Describes a body over `max_body_bytes`.
    #[must_use]
    pub fn body_over(max_body_bytes: u64) -> Self {
        let detail = Evidence::new(&format!("the body is over max_body_bytes = {max_body_bytes}"));
        Self { reason: NotStored::TooLarge, detail: Some(detail) }
    }
}

/// The headers that may forbid storing, those first that take precedence.
const CACHE_CONTROL: [&str; 4] = ["cloudflare-cdn-cache-control", "cdn-cache-control", "cache-control", "expires"];

/// Returns the first of these headers that is present, with its value.
fn first(headers: &HeaderList, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| headers.joined(name).map(|value| format!("{name}: {value}")))
}

/// Returns the names of the cookies that a response sets.
fn cookies(headers: &HeaderList) -> Option<String> {
    let is_cookie = |name: &str| matches!(name, "set-cookie" | "set-cookie2");
    let cookies = headers.iter().filter(|(name, _)| is_cookie(name));
    let names: Vec<&str> =
        cookies.map(|(_, value)| value.split(['=', ';']).next().unwrap_or_default().trim()).collect();
    (!names.is_empty()).then(|| format!("set-cookie: {}", names.join(", ")))
}

/// Returns the name of the first header that HTTP does not allow.
fn malformed(headers: &HeaderList) -> Option<String> {
    let is_flawed = |name: &str, value: &str| HeaderList::from_pairs(&[(name, value)]).check().is_err();
    headers.iter().find(|(name, value)| is_flawed(name, value)).map(|(name, _)| format!("header {name}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn detail(reason: NotStored, headers: &[(&str, &str)]) -> String {
        let unstorable = Unstorable::of(reason, 302, &HeaderList::from_pairs(headers));
        unstorable.detail.map_or_else(String::new, |detail| detail.to_string())
    }

    #[test]
    fn the_part_of_a_response_that_forbids_storing_is_named_without_secrets() {
        let both = [("cache-control", "public"), ("cdn-cache-control", "no-store")];
        let cookies = [("set-cookie", "session=secret; Path=/"), ("set-cookie", "theme=dark")];
        for (reason, headers, text) in [
            (NotStored::Status, &[][..], "status 302"),
            (NotStored::Partial, &[("content-range", "bytes 0-1/2")], "content-range: bytes 0-1/2"),
            (NotStored::CacheControl, &[("cache-control", "private, max-age=3")], "cache-control: private, max-age=3"),
            (NotStored::CacheControl, &both, "cdn-cache-control: no-store"),
            (NotStored::Authorization, &[], ""),
            (NotStored::SetCookie, &cookies, "set-cookie: session, theme"),
            (NotStored::SetCookie, &[("clear-site-data", "*")], "clear-site-data: *"),
            (NotStored::ContentEncoding, &[("content-encoding", "zstd")], "content-encoding: zstd"),
            (NotStored::EventStream, &[("content-type", "text/event-stream")], "content-type: text/event-stream"),
            (NotStored::RedirectToItself, &[("location", "/?token=secret")], ""),
            (NotStored::RevalidateZero, &[("x-isr-revalidate", "0")], "x-isr-revalidate: 0"),
            (NotStored::RevalidateZero, &[("cache-control", "max-age=0")], "cache-control: max-age=0"),
            (NotStored::RevalidateZero, &[], "revalidate = 0 of the route"),
            (NotStored::Age, &[("age", "700")], "age: 700"),
            (NotStored::Vary, &[("vary", "Accept"), ("vary", "*")], "vary: Accept, *"),
            (NotStored::MalformedHeader, &[("ok", "1"), ("b\u{e4}d", "1")], "header b?d"),
            (NotStored::TooLarge, &[("content-length", "99999999")], "content-length: 99999999"),
        ] {
            assert_eq!(detail(reason, headers), text, "{reason:?}");
        }
        let long = "x".repeat(20_000);
        assert!(detail(NotStored::TooLarge, &[("x-long", long.as_str())]).contains("bytes of headers are too many"));
    }

    #[test]
    fn a_failure_is_described_and_every_text_is_printable_and_bounded() {
        let pausing = OriginFailure::Pausing { status: 503, retry_after: Duration::from_mins(2) };
        for (failure, text) in [
            (OriginFailure::Status(500), Some("status 500")),
            (pausing, Some("status 503, Retry-After 120 s")),
            (OriginFailure::Empty, Some("status 200 with an empty page")),
            (OriginFailure::Broken, Some("unreachable, or the connection broke off")),
            (OriginFailure::Timeout, None),
        ] {
            assert_eq!(Evidence::of_failure(failure).as_ref().map(Evidence::as_str), text);
        }
        for (given, kept) in [("a\tb\u{fc}", "a?b?".to_owned()), (&"y".repeat(100), "y".repeat(100))] {
            assert_eq!(Evidence::new(given).as_str(), kept);
        }
        let cut = Evidence::new(&"\u{fc}".repeat(101));
        assert_eq!((cut.as_str().len(), cut.as_str().ends_with("?...")), (100, true));
    }
}
