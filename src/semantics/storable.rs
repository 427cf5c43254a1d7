//! Judges what the site answered: keep it, hand it on, or count it as a failure.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::semantics::cache_control::CacheControl;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::headers::HeaderList;
use crate::semantics::key::{PageKey, QueryPolicy, RequestUrl, TrailingSlash};
use crate::semantics::tag::{Tag, TagError};
use crate::semantics::vary::Vary;
use crate::time::Timestamp;

/// Statuses that may be stored: heuristically cacheable ones (RFC 9110 §15.1) that make sense as a page.
const STORABLE: [u16; 6] = [200, 203, 301, 308, 404, 410];

/// The most bytes that the headers of a stored page may have.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// What was asked for, and what its route says where the response says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The page.
    pub key: &'a PageKey,
    /// When the render began.
    pub start: Timestamp,
    /// Freshness lifetime.
    pub revalidate: Revalidate,
    /// How long a stale copy may be served.
    pub expire: Duration,
    /// How long the last good copy may stand in for a failing site.
    pub stale_if_error: Duration,
    /// Tags of all pages of the route.
    pub tags: &'a [Tag],
    /// What makes pages of the route different, besides their URL.
    pub vary: &'a Vary,
    /// What a slash at the end of a path means.
    pub trailing_slash: TrailingSlash,
    /// The most bytes of a body.
    pub max_body_bytes: u64,
}

/// What is to be stored of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storable {
    /// The windows in force.
    pub windows: Windows,
    /// The tags of route and response.
    pub tags: Vec<Tag>,
    /// The headers that are kept.
    pub headers: HeaderList,
}

/// Why a response is not stored, although the site did not fail. Written as `Cache-Status` detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotStored {
    /// The status is not one of those that may be stored.
    #[error("status")]
    Status,
    /// `Cache-Control` forbids it (RFC 9111 §3).
    #[error("cache-control")]
    CacheControl,
    /// A redirect to the very URL that was asked for: stored, it would lead in a circle.
    #[error("redirect-to-itself")]
    RedirectToItself,
    /// The page or its route asks for `revalidate = 0`.
    #[error("revalidate-0")]
    RevalidateZero,
    /// The response varies by a request header that is not part of the key (RFC 9111 §4.1).
    #[error("vary")]
    Vary,
    /// A tag is malformed, or there are too many.
    #[error("cache-tag")]
    CacheTag,
    /// Headers or body are over their bound.
    #[error("too-large")]
    TooLarge,
}

impl NotStored {
    /// Returns the word for `Cache-Status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::CacheControl => "cache-control",
            Self::RedirectToItself => "redirect-to-itself",
            Self::RevalidateZero => "revalidate-0",
            Self::Vary => "vary",
            Self::CacheTag => "cache-tag",
            Self::TooLarge => "too-large",
        }
    }
}

impl From<TagError> for NotStored {
    fn from(_: TagError) -> Self {
        Self::CacheTag
    }
}

/// Why an answer of the site counts as a failure: it never takes the place of a good copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SiteFailure {
    /// A status of 5xx, or 429.
    #[error("the site answered {0}")]
    Status(u16),
    /// A 200 without a body.
    #[error("the site answered 200 with an empty body")]
    Empty,
    /// The site could not be reached, or broke off in the middle of the body.
    #[error("the site could not be reached or broke off")]
    Broken,
    /// The render took longer than `render_timeout`.
    #[error("the render timed out")]
    Timeout,
}

/// The verdict on a response's status and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To be stored, if the body turns out to be within its bound and not empty.
    Store(Storable),
    /// To be handed on, and remembered as not storable.
    Pass(NotStored),
    /// To be treated as a failure of the site.
    Fail(SiteFailure),
}

/// Judges status and headers, before the body is read.
#[must_use]
pub fn judge(status: u16, headers: &HeaderList, asked: &Asked<'_>) -> Verdict {
    if status >= 500 || status == 429 {
        return Verdict::Fail(SiteFailure::Status(status));
    }
    match storable(status, headers, asked) {
        Ok(storable) => Verdict::Store(storable),
        Err(reason) => Verdict::Pass(reason),
    }
}

/// Judges the length of a body that has been read, and is within its bound.
///
/// # Errors
/// A 200 without a body is a failure.
pub fn judge_body(status: u16, bytes: u64) -> Result<(), SiteFailure> {
    if status == 200 && bytes == 0 { Err(SiteFailure::Empty) } else { Ok(()) }
}

fn storable(status: u16, headers: &HeaderList, asked: &Asked<'_>) -> Result<Storable, NotStored> {
    if !STORABLE.contains(&status) {
        return Err(NotStored::Status);
    }
    // RFC 9213 §2.2: a targeted field takes the place of Cache-Control for the caches that it targets. The stricter
    // reading is taken here: either may forbid.
    for name in ["cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control"] {
        if headers.joined(name).is_some_and(|value| CacheControl::parse(&value).forbids_storing()) {
            return Err(NotStored::CacheControl);
        }
    }
    if headers.joined("vary").is_some_and(|value| !asked.vary.covers(&value)) {
        return Err(NotStored::Vary);
    }
    let revalidate = Revalidate::from_response(headers).unwrap_or(asked.revalidate);
    let (expire, stale_if_error) = stale_windows(headers, asked.expire, asked.stale_if_error);
    let windows = Windows::new(asked.start, revalidate, expire, stale_if_error).ok_or(NotStored::RevalidateZero)?;
    if headers.get("location").is_some_and(|location| leads_to(location, asked)) {
        return Err(NotStored::RedirectToItself);
    }
    let announced = headers.get("content-length").and_then(|length| length.parse::<u64>().ok());
    let kept = headers.for_sharing();
    if kept.byte_len() > MAX_HEADER_BYTES || announced.is_some_and(|length| length > asked.max_body_bytes) {
        return Err(NotStored::TooLarge);
    }
    let own = Tag::parse_list(&headers.joined("cache-tag").unwrap_or_default())?;
    Ok(Storable { windows, tags: Tag::unite(asked.tags, own)?, headers: kept })
}

/// Tells whether a `Location` names the page itself: the key may drop a trailing slash, which a site may insist on.
fn leads_to(location: &str, asked: &Asked<'_>) -> bool {
    let target = Url::parse(asked.key.url()).and_then(|base| base.join(location));
    let target = target.ok().and_then(|url| RequestUrl::parse(url.as_str()).ok());
    let target = target.and_then(|url| url.key(None, &QueryPolicy::All, asked.trailing_slash).ok());
    target.is_some_and(|target| target.url() == asked.key.url())
}

/// Returns `expire` and `stale_if_error` as the response asks for, within those of the route (RFC 5861 §3 and §4).
fn stale_windows(headers: &HeaderList, expire: Duration, stale_if_error: Duration) -> (Duration, Duration) {
    let stated = headers.joined("cache-control").map(|value| CacheControl::parse(&value)).unwrap_or_default();
    (
        stated.stale_while_revalidate.map_or(expire, |asked| asked.min(expire)),
        stated.stale_if_error.map_or(stale_if_error, |asked| asked.min(stale_if_error)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1000);
    const EXPIRE: Duration = Duration::from_secs(9);
    const MINUTE: Revalidate = Revalidate::After(Duration::from_mins(1));

    fn verdict(status: u16, headers: &[(&str, &str)]) -> Verdict {
        let (key, route_tag) = (PageKey::from_stored("https://e.com/a").unwrap(), [Tag::parse("route").unwrap()]);
        let asked = Asked {
            key: &key,
            start: START,
            revalidate: MINUTE,
            expire: EXPIRE,
            stale_if_error: EXPIRE,
            tags: &route_tag,
            vary: &Vary::default(),
            trailing_slash: TrailingSlash::Strip,
            max_body_bytes: 1000,
        };
        judge(status, &HeaderList::from_pairs(headers), &asked)
    }

    fn stored(revalidate: Revalidate, tags: &[&str], headers: &[(&str, &str)]) -> Verdict {
        let tags = tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let windows = Windows::new(START, revalidate, EXPIRE, EXPIRE).unwrap();
        Verdict::Store(Storable { windows, tags, headers: HeaderList::from_pairs(headers) })
    }

    #[test]
    fn statuses_are_allowed_by_list() {
        for status in STORABLE {
            assert_eq!(verdict(status, &[]), stored(MINUTE, &["route"], &[]), "{status}");
        }
        for status in [201, 204, 206, 302, 303, 304, 307, 400, 401, 403, 405] {
            assert_eq!(verdict(status, &[]), Verdict::Pass(NotStored::Status), "{status}");
        }
        for status in [429, 500, 502, 503, 599] {
            assert_eq!(verdict(status, &[]), Verdict::Fail(SiteFailure::Status(status)));
        }
        assert_eq!(judge_body(200, 0), Err(SiteFailure::Empty));
        assert_eq!((judge_body(404, 0), judge_body(200, 1)), (Ok(()), Ok(())));
    }

    #[test]
    fn headers_decide() {
        for (headers, expected) in [
            (vec![("content-type", "text/html")], stored(MINUTE, &["route"], &[("content-type", "text/html")])),
            (vec![("cache-tag", "b,a")], stored(MINUTE, &["a", "b", "route"], &[])),
            (vec![("cache-tag", "a b")], Verdict::Pass(NotStored::CacheTag)),
            (vec![("cache-control", "private")], Verdict::Pass(NotStored::CacheControl)),
            (vec![("cache-control", "no-store")], Verdict::Pass(NotStored::CacheControl)),
            (
                vec![("cache-control", "private"), ("cdn-cache-control", "s-maxage=9")],
                Verdict::Pass(NotStored::CacheControl),
            ),
            (vec![("x-isr-revalidate", "0")], Verdict::Pass(NotStored::RevalidateZero)),
            (vec![("x-isr-revalidate", "false")], stored(Revalidate::Never, &["route"], &[])),
            (vec![("vary", "Accept-Encoding")], stored(MINUTE, &["route"], &[])),
            (vec![("vary", "accept-encoding, Cookie")], Verdict::Pass(NotStored::Vary)),
            (vec![("vary", "*")], Verdict::Pass(NotStored::Vary)),
            (vec![("content-length", "1001")], Verdict::Pass(NotStored::TooLarge)),
            (vec![("set-cookie", "a=1")], stored(MINUTE, &["route"], &[])),
            (vec![("location", "/a/")], Verdict::Pass(NotStored::RedirectToItself)),
            (vec![("location", "https://e.com/a/#x")], Verdict::Pass(NotStored::RedirectToItself)),
            (vec![("location", "/b")], stored(MINUTE, &["route"], &[("location", "/b")])),
        ] {
            assert_eq!(verdict(200, &headers), expected, "{headers:?}");
        }
        let long = "x".repeat(MAX_HEADER_BYTES);
        assert_eq!(verdict(200, &[("x-long", long.as_str())]), Verdict::Pass(NotStored::TooLarge));
        assert_eq!(verdict(200, &vec![("x", ""); MAX_HEADER_BYTES / 5 + 1]), Verdict::Pass(NotStored::TooLarge));
    }

    #[test]
    fn a_page_may_shorten_the_windows_of_its_route() {
        let second = Duration::from_secs(1);
        let ask = |value| stale_windows(&HeaderList::from_pairs(&[("cache-control", value)]), second * 10, second * 20);
        assert_eq!(ask("s-maxage=1"), (second * 10, second * 20));
        assert_eq!(ask("stale-while-revalidate=5, stale-if-error=7"), (second * 5, second * 7));
        assert_eq!(ask("stale-while-revalidate=50, stale-if-error=70"), (second * 10, second * 20));
    }
}
