//! Judges what the site answered: keep it, hand it on, or count it as a failure.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::reason::Reason;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::headers::{HeaderFlaw, HeaderList};
use crate::semantics::key::{PageKey, QueryPolicy, RequestUrl, TrailingSlash};
use crate::semantics::policy::{self, Policy};
use crate::semantics::statuses::{self, Statuses};
use crate::semantics::tag::{Tag, TagError};
use crate::semantics::vary::Vary;
use crate::time::Timestamp;

/// What was asked for, and what its route says where the response says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The page.
    pub key: &'a PageKey,
    /// When the render began.
    pub start: Timestamp,
    /// Whether the request that the site has answered had `Authorization` of a visitor. A render's has not: what it may
    /// carry by `render_headers` is of nobody among them, and the configuration has said that the answers are for all.
    pub authorized: bool,
    /// The statuses that are stored.
    pub statuses: &'a Statuses,
    /// Freshness lifetime.
    pub revalidate: Revalidate,
    /// Freshness lifetime of an answer that says that there is no page.
    pub not_found_revalidate: Revalidate,
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
    /// The bytes of the body as the site announces them, if they are those that will be read.
    pub announced: Option<u64>,
}

/// Why a response is not stored, although the site did not fail: the part of [`Reason`] that [`judge`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The status is not one of those that the route has stored.
    Status,
    /// The answer has `Content-Range`: it may be a part of the page only (RFC 9110 §14.4, RFC 9111 §3.3).
    Partial,
    /// `Cache-Control`, or the targeted field in its place, forbids it (RFC 9111 §3, RFC 9213 §2.2).
    CacheControl,
    /// The request had `Authorization`, and the answer does not say that all the same it is for everybody (RFC 9111 §3.5).
    Authorization,
    /// The body has a coding that the platform does not undo: it would be stored as if it had none (RFC 9110 §8.4).
    ContentEncoding,
    /// A redirect to the very URL that was asked for: stored, it would lead in a circle.
    RedirectToItself,
    /// The page or its route asks for `revalidate = 0`.
    RevalidateZero,
    /// The answer comes from another cache, which has had it for as long as it is fresh (RFC 9111 §4.2).
    Age,
    /// The response varies by a request header that is not part of the key (RFC 9111 §4.1).
    Vary,
    /// A tag is malformed, or there are too many.
    CacheTag,
    /// The name or the value of a header is not one that HTTP allows (RFC 9110 §5.1 and §5.5).
    MalformedHeader,
    /// Headers or body are over their bound.
    TooLarge,
}

impl NotStored {
    /// Returns the reason, as clients see it.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Status => Reason::Status,
            Self::Partial => Reason::Partial,
            Self::CacheControl => Reason::CacheControl,
            Self::Authorization => Reason::Authorization,
            Self::ContentEncoding => Reason::ContentEncoding,
            Self::RedirectToItself => Reason::RedirectToItself,
            Self::RevalidateZero => Reason::RevalidateZero,
            Self::Age => Reason::Age,
            Self::Vary => Reason::Vary,
            Self::CacheTag => Reason::CacheTag,
            Self::MalformedHeader => Reason::MalformedHeader,
            Self::TooLarge => Reason::TooLarge,
        }
    }
}

impl From<HeaderFlaw> for NotStored {
    fn from(flaw: HeaderFlaw) -> Self {
        match flaw {
            HeaderFlaw::Name | HeaderFlaw::Value => Self::MalformedHeader,
            HeaderFlaw::TooMany(_) | HeaderFlaw::TooLarge(_) => Self::TooLarge,
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
    /// The render took longer than `render_timeout`, or its first byte longer than `first_byte_timeout`.
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

/// Judges the length of a body that has been read, and is within its bound; `announced` is [`Storable::announced`].
///
/// # Errors
/// A 200 without a body is a failure, and so is a body of another length than was announced (RFC 9111 §3.3).
pub fn judge_body(status: u16, bytes: u64, announced: Option<u64>) -> Result<(), SiteFailure> {
    if announced.is_some_and(|announced| announced != bytes) {
        return Err(SiteFailure::Broken);
    }
    if status == 200 && bytes == 0 { Err(SiteFailure::Empty) } else { Ok(()) }
}

/// Returns the headers with which the answer of a failing site can be handed to all who wait, if it can.
#[must_use]
pub fn relayable(status: u16, headers: &HeaderList) -> Option<HeaderList> {
    let kept = headers.for_sharing();
    (statuses::is_valid(status) && is_decoded(headers) && kept.check().is_ok()).then_some(kept)
}

fn storable(status: u16, headers: &HeaderList, asked: &Asked<'_>) -> Result<Storable, NotStored> {
    if !asked.statuses.contains(status) {
        return Err(NotStored::Status);
    }
    if headers.get("content-range").is_some() {
        return Err(NotStored::Partial);
    }
    let policy = Policy::of(headers);
    if policy.forbids_storing() {
        return Err(NotStored::CacheControl);
    }
    if asked.authorized && !policy.allows_authorized() {
        return Err(NotStored::Authorization);
    }
    if headers.joined("vary").is_some_and(|value| !asked.vary.covers(&value)) {
        return Err(NotStored::Vary);
    }
    let (expire, stale_if_error) = policy.stale_windows(asked.expire, asked.stale_if_error);
    let revalidate = lifetime(status, headers, &policy, asked)?;
    let windows = Windows::new(asked.start, revalidate, expire, stale_if_error).ok_or(NotStored::RevalidateZero)?;
    if headers.get("location").is_some_and(|location| leads_to(location, asked)) {
        return Err(NotStored::RedirectToItself);
    }
    if !is_decoded(headers) {
        return Err(NotStored::ContentEncoding);
    }
    let content_length = headers.get("content-length").and_then(|length| length.parse::<u64>().ok());
    if content_length.is_some_and(|length| length > asked.max_body_bytes) {
        return Err(NotStored::TooLarge);
    }
    let kept = headers.for_sharing();
    kept.check()?;
    let own = Tag::parse_list(&headers.joined("cache-tag").unwrap_or_default())?;
    // The length of a coded body is that of its coding (RFC 9110 §8.6).
    let announced = content_length.filter(|_| headers.get("content-encoding").is_none());
    Ok(Storable { windows, tags: Tag::unite(asked.tags, own)?, headers: kept, announced })
}

/// Decides on the freshness lifetime: the page's own word counts before the route's.
///
/// A lifetime in the standard's words began when the page was made, so the time that it has spent in another cache is
/// over (RFC 9111 §4.2.3). Seconds of `X-ISR-Revalidate` and of a route are counted from the beginning of the render.
fn lifetime(status: u16, headers: &HeaderList, policy: &Policy, asked: &Asked<'_>) -> Result<Revalidate, NotStored> {
    let of_route = if statuses::is_not_found(status) { asked.not_found_revalidate } else { asked.revalidate };
    match (Revalidate::from_header(headers), policy.lifetime()) {
        (Some(own), _) => Ok(own),
        (None, None) => Ok(of_route),
        (None, Some(Duration::ZERO)) => Ok(Revalidate::NoStore),
        (None, Some(lifetime)) => match lifetime.saturating_sub(policy::age(headers)) {
            Duration::ZERO => Err(NotStored::Age),
            left => Ok(Revalidate::After(left)),
        },
    }
}

/// Tells whether the body that is read has no coding any more. The platform undoes the two that it knows, if the value is
/// exactly that; any other reaches us as it was sent.
fn is_decoded(headers: &HeaderList) -> bool {
    let coding = headers.joined("content-encoding");
    coding.is_none_or(|coding| matches!(coding.as_str(), "" | "identity" | "gzip" | "br"))
}

/// Tells whether a `Location` names the page itself: the key may drop a trailing slash, which a site may insist on.
fn leads_to(location: &str, asked: &Asked<'_>) -> bool {
    let target = Url::parse(asked.key.url()).and_then(|base| base.join(location));
    let target = target.ok().and_then(|url| RequestUrl::parse(url.as_str()).ok());
    let target = target.and_then(|url| url.key(None, &QueryPolicy::All, asked.trailing_slash).ok());
    target.is_some_and(|target| target.url() == asked.key.url())
}

#[cfg(test)]
mod tests;
