//! Judges an origin's response: store it, pass it on, or count it as a failure.

use std::time::Duration;

use thiserror::Error;

use crate::reason::Reason;
use crate::route::RenderHeaders;
use crate::semantics::browser;
use crate::semantics::bypass_cookies::BypassCookies;
use crate::semantics::cache_policy::{self, CachePolicy};
use crate::semantics::client_rules::ClientRules;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::headers::{HeaderFlaw, HeaderList};
use crate::semantics::http_date;
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::{PageKey, QueryPolicy, TrailingSlash};
use crate::semantics::nominated::Nominated;
use crate::semantics::redirect;
use crate::semantics::set_cookie::SetCookie;
use crate::semantics::statuses::{self, Statuses};
use crate::semantics::tag::Tag;
use crate::semantics::vary::Vary;
use crate::time::Timestamp;

/// The request, and the route's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Criteria<'a> {
    /// The page.
    pub key: &'a PageKey,
    /// When the render began.
    pub start: Timestamp,
    /// Whether the request had a client's `Authorization`. A render's never has: values from `render_headers` belong to
    /// no client, and with them the configuration declares that the responses are for all.
    pub authorized: bool,
    /// The statuses that the route stores.
    pub statuses: &'a Statuses,
    /// Freshness lifetime.
    pub revalidate: Revalidate,
    /// Freshness lifetime of a response that says that there is no page.
    pub not_found_revalidate: Revalidate,
    /// How long the page may be served stale.
    pub expire: Duration,
    /// How long the last good page may be served in place of an error.
    pub stale_if_error: Duration,
    /// Tags of all pages of the route.
    pub tags: &'a [Tag],
    /// The request properties besides the URL that make the route's pages different.
    pub vary: &'a Vary,
    /// The cookies with which a request passes to the origin: no other cookie makes a difference.
    pub bypass_cookies: &'a BypassCookies,
    /// The headers that the configuration adds to a render.
    pub render_headers: &'a RenderHeaders,
    /// The meaning of `Set-Cookie` in a response that does not say that it is for all clients.
    pub set_cookie: SetCookie,
    /// The rules by which the response is judged.
    pub rules: HttpRules,
    /// Whether the origin has confirmed a stored page with a 304. By the standard rules, the page then answers the
    /// requests that wait for it, even if it is stale already (RFC 9111 §4.3.3).
    pub is_confirmed: bool,
    /// The query parameters that are part of a page's key.
    pub query: &'a QueryPolicy,
    /// The meaning of a slash at the end of a path.
    pub trailing_slash: TrailingSlash,
    /// The most bytes of a body.
    pub max_body_bytes: u64,
}

/// The part of a response that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storable {
    /// Its windows.
    pub windows: Windows,
    /// When the response was new. `None` with the rules of ISR, where that is when the last byte arrived, minus
    /// [`cache_policy::age`].
    pub dated: Option<Timestamp>,
    /// The tags of route and response.
    pub tags: Vec<Tag>,
    /// Its headers.
    pub headers: HeaderList,
    /// What it means for clients.
    pub rules: ClientRules,
    /// The length of the body according to the origin, if it is that of the bytes that are read: [`announced`].
    pub announced: Option<u64>,
}

/// Why a response is not stored although the origin did not fail: the part of [`Reason`] that [`judge`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The route does not store this status.
    Status,
    /// The response has `Content-Range`: it may be only a part of the page (RFC 9110 §14.4, RFC 9111 §3.3).
    Partial,
    /// `Cache-Control`, or the targeted field in its place, forbids storing (RFC 9111 §3, RFC 9213 §2.2).
    CacheControl,
    /// The request had `Authorization`, and the response does not allow storing in spite of it (RFC 9111 §3.5).
    Authorization,
    /// The response has `Set-Cookie`, and nothing says that it is for all clients; or it has `Clear-Site-Data`.
    SetCookie,
    /// The body has a coding that the platform does not undo: it would be stored as if it had none (RFC 9110 §8.4).
    ContentEncoding,
    /// A stream of events (HTML, "server-sent events"): it has no end, and each client has its own.
    EventStream,
    /// A redirect to the requested URL itself: stored, it would be a loop.
    RedirectToItself,
    /// The page or its route asks for `revalidate = 0`.
    RevalidateZero,
    /// The response comes from another cache, and its age has reached its lifetime (RFC 9111 §4.2).
    Age,
    /// The response varies by `*`, or by a request header that is not part of the key and that a render sends (RFC 9111
    /// §4.1).
    Vary,
    /// The name or the value of a header is not valid in HTTP (RFC 9110 §5.1 and §5.5).
    MalformedHeader,
    /// Headers or body are above their limit.
    TooLarge,
}

impl NotStored {
    /// Returns the reason for clients.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Status => Reason::Status,
            Self::Partial => Reason::Partial,
            Self::CacheControl => Reason::CacheControl,
            Self::Authorization => Reason::Authorization,
            Self::ContentEncoding => Reason::ContentEncoding,
            Self::SetCookie => Reason::SetCookie,
            Self::EventStream => Reason::EventStream,
            Self::RedirectToItself => Reason::RedirectToItself,
            Self::RevalidateZero => Reason::RevalidateZero,
            Self::Age => Reason::Age,
            Self::Vary => Reason::Vary,
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

/// Why a response counts as a failure of the origin: it never replaces a good page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OriginFailure {
    /// A status of 5xx, or 429.
    #[error("the site answered {0}")]
    Status(u16),
    /// The same, and the origin says with `Retry-After` when to ask again.
    #[error("the site answered {status}, and asks to be left alone for {} s", retry_after.as_secs())]
    Pausing {
        /// The status.
        status: u16,
        /// For how long, at most [`LONGEST_PAUSE`].
        retry_after: Duration,
    },
    /// An HTML page with the status 200, but without a body, which the origin has not announced as empty.
    #[error("the site answered 200 with an empty page")]
    Empty,
    /// The origin was unreachable, or broke off in the middle of the body.
    #[error("the site could not be reached or broke off")]
    Broken,
    /// The render took longer than `render_timeout`, or its first byte longer than `first_byte_timeout`.
    #[error("the render timed out")]
    Timeout,
}

impl OriginFailure {
    /// Returns for how long the origin asks to be left alone.
    #[must_use]
    pub const fn retry_after(self) -> Duration {
        match self {
            Self::Pausing { retry_after, .. } => retry_after,
            Self::Status(_) | Self::Empty | Self::Broken | Self::Timeout => Duration::ZERO,
        }
    }

    fn of_status(status: u16, headers: &HeaderList, now: Timestamp) -> Self {
        match retry_after(headers, now) {
            Some(retry_after) => Self::Pausing { status, retry_after },
            None => Self::Status(status),
        }
    }
}

/// The longest pause that a `Retry-After` may cause: a wrong value must not take a page away for days.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Returns the time until the moment that `Retry-After` names (RFC 9110 §10.2.3), in seconds or as a date; `None` if it
/// is unreadable or over.
fn retry_after(headers: &HeaderList, now: Timestamp) -> Option<Duration> {
    let value = headers.get("retry-after")?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Parsing digits can only fail by overflow.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        http_date::read(value)?.since(now)
    };
    (!wait.is_zero()).then(|| wait.min(LONGEST_PAUSE))
}

/// The verdict about a response's status and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storability {
    /// Store it, if [`judge_body`] accepts its body.
    Store(Storable),
    /// Pass it on, and remember that it is not storable.
    Pass(NotStored),
    /// Treat it as a failure of the origin.
    Fail(OriginFailure),
}

/// Judges status and headers, before the body is read.
#[must_use]
pub fn judge(status: u16, headers: &HeaderList, criteria: &Criteria<'_>) -> Storability {
    if status >= 500 || status == 429 {
        return Storability::Fail(OriginFailure::of_status(status, headers, criteria.start));
    }
    match storable(status, headers, criteria) {
        Ok(storable) => Storability::Store(storable),
        Err(reason) => Storability::Pass(reason),
    }
}

/// Judges the length of a complete body within its limit. `announced` is [`Storable::announced`], `content_type` the
/// value of that header.
///
/// An empty body is content if the origin announces it as empty, or if it is no HTML: a blank `robots.txt`, a style
/// sheet without rules. An empty HTML page that is not announced is what a program leaves behind that ended too early. A
/// body without a type counts as HTML.
///
/// # Errors
/// Such a page with the status 200 is a failure, and so is a body of another length than announced (RFC 9111 §3.3).
pub fn judge_body(
    status: u16,
    bytes: u64,
    announced: Option<u64>,
    content_type: Option<&str>,
) -> Result<(), OriginFailure> {
    match announced {
        Some(announced) if announced != bytes => Err(OriginFailure::Broken),
        None if status == 200 && bytes == 0 && is_html(content_type) => Err(OriginFailure::Empty),
        _ => Ok(()),
    }
}

/// Returns the length of a body according to its origin, if that is the length of the bytes that are read. The length of
/// a coded body is that of its coding (RFC 9110 §8.6), except that an empty body has no coding to undo.
#[must_use]
pub fn announced(headers: &HeaderList) -> Option<u64> {
    let is_coded = headers.get("content-encoding").is_some();
    content_length(headers).filter(|length| *length == 0 || !is_coded)
}

fn content_length(headers: &HeaderList) -> Option<u64> {
    headers.get("content-length").and_then(|length| length.parse().ok())
}

/// Returns whether a body is HTML according to its `Content-Type`, or has none.
fn is_html(content_type: Option<&str>) -> bool {
    content_type.is_none_or(|value| is_of_type(value, &["text/html", "application/xhtml+xml"]))
}

fn is_of_type(content_type: &str, media_types: &[&str]) -> bool {
    let written = content_type.split(';').next().unwrap_or_default().trim();
    media_types.iter().any(|media_type| written.eq_ignore_ascii_case(media_type))
}

/// Drops `Link` if it is above the limits: it only helps browsers to load the page faster.
fn without_long_links(mut headers: HeaderList) -> HeaderList {
    if headers.get("link").is_some() && matches!(headers.check(), Err(HeaderFlaw::TooLarge(_))) {
        headers.set("link", None);
    }
    headers
}

/// Returns the headers to relay the response of a failing origin to all waiting requests; `None` if it can't be
/// relayed.
#[must_use]
pub fn relayable(status: u16, headers: &HeaderList) -> Option<HeaderList> {
    let kept = headers.for_sharing();
    (statuses::is_valid(status) && is_decoded(headers) && kept.check().is_ok()).then_some(kept)
}

fn storable(status: u16, headers: &HeaderList, criteria: &Criteria<'_>) -> Result<Storable, NotStored> {
    if !criteria.statuses.contains(status) {
        return Err(NotStored::Status);
    }
    // RFC 9110 §14.4: the field has no meaning with these statuses. Still, a page is not trusted that has it.
    if headers.get("content-range").is_some() && criteria.rules == HttpRules::Isr {
        return Err(NotStored::Partial);
    }
    if is_of_type(headers.get("content-type").unwrap_or_default(), &["text/event-stream"]) {
        return Err(NotStored::EventStream);
    }
    let policy = CachePolicy::of(headers, criteria.rules);
    if policy.forbids_storing() {
        return Err(NotStored::CacheControl);
    }
    if criteria.authorized && !policy.allows_authorized() {
        return Err(NotStored::Authorization);
    }
    if is_for_one(headers, &policy, criteria) {
        return Err(NotStored::SetCookie);
    }
    let nominated = nominated(headers, criteria).ok_or(NotStored::Vary)?;
    let (expire, stale_if_error) = if statuses::is_not_found(status) {
        // "Not found" is no content: once its lifetime is over, the page may be there.
        (Duration::ZERO, Duration::ZERO)
    } else {
        policy.stale_windows(criteria.expire, criteria.stale_if_error)
    };
    let windows = match lifetime(status, headers, &policy, criteria) {
        Ok(Revalidate::NoStore) | Err(NotStored::Age) if may_be_stale(headers, criteria) => {
            Windows::over(criteria.start)
        }
        revalidate => {
            Windows::new(criteria.start, revalidate?, expire, stale_if_error).ok_or(NotStored::RevalidateZero)?
        }
    };
    let is_circular =
        |location| redirect::is_circular(location, criteria.key.url(), criteria.query, criteria.trailing_slash);
    if headers.get("location").is_some_and(is_circular) {
        return Err(NotStored::RedirectToItself);
    }
    if !is_decoded(headers) {
        return Err(NotStored::ContentEncoding);
    }
    if content_length(headers).is_some_and(|length| length > criteria.max_body_bytes) {
        return Err(NotStored::TooLarge);
    }
    let kept = without_long_links(headers.for_sharing());
    kept.check()?;
    let dated = (criteria.rules == HttpRules::Standard)
        .then(|| criteria.start.minus(cache_policy::age_by_standard(headers, criteria.start).unwrap_or_default()));
    Ok(Storable {
        windows,
        dated,
        tags: Tag::of_page(criteria.tags, &headers.joined("cache-tag").unwrap_or_default()),
        headers: kept,
        rules: ClientRules::new(nominated, browser::stated(status, headers, criteria.start)),
        announced: announced(headers),
    })
}

/// Returns the request headers with which a request is not for the page. `None`: the page is for no stored response.
fn nominated(headers: &HeaderList, criteria: &Criteria<'_>) -> Option<Nominated> {
    let is_in_key =
        |name: &str| criteria.vary.covers(name) || (name == "cookie" && !criteria.bypass_cookies.is_empty());
    let is_configured = |name: &str| criteria.render_headers.contains_key(name);
    Nominated::read(&headers.joined("vary").unwrap_or_default(), is_in_key, is_configured)
}

/// Returns whether a response changes the state of one client: it sets a cookie, without a declaration that it is for all.
/// RFC 9111 §7.3 leaves it to the origin to forbid storing; other caches do not store such a response either.
fn is_for_one(headers: &HeaderList, policy: &CachePolicy, criteria: &Criteria<'_>) -> bool {
    let is_declared = || policy.declares_shared() || Revalidate::from_header(headers).is_some();
    let sets_cookie = ["set-cookie", "set-cookie2"].iter().any(|name| headers.get(name).is_some());
    // RFC 9111 §3 makes no exception for it, and the origin has said how long the response may be reused.
    let is_kept_cleared = criteria.rules == HttpRules::Standard && policy.lifetime(headers, criteria.start).is_some();
    (headers.get("clear-site-data").is_some() && !is_kept_cleared)
        || (sets_cookie && criteria.set_cookie == SetCookie::Pass && !is_declared())
}

/// Decides the freshness lifetime: the page's own takes precedence over the route's.
///
/// A standard lifetime began when the page was made, so the time that it has spent in another cache is subtracted (RFC
/// 9111 §4.2.3). Seconds of `X-ISR-Revalidate` and of a route count from the beginning of the render.
fn lifetime(
    status: u16,
    headers: &HeaderList,
    policy: &CachePolicy,
    criteria: &Criteria<'_>,
) -> Result<Revalidate, NotStored> {
    let of_route = if statuses::is_not_found(status) { criteria.not_found_revalidate } else { criteria.revalidate };
    match (Revalidate::from_header(headers), policy.lifetime(headers, criteria.start)) {
        (Some(own), _) => Ok(own),
        // RFC 9111 §4.2.2: without an explicit lifetime, only these statuses may be reused, or a `public` response.
        (None, None) if criteria.rules == HttpRules::Standard && !may_guess(status, policy) => Err(NotStored::Status),
        (None, None) => Ok(of_route),
        (None, Some(Duration::ZERO)) => Ok(Revalidate::NoStore),
        (None, Some(lifetime)) => {
            let age = match criteria.rules {
                HttpRules::Isr => cache_policy::age(headers),
                HttpRules::Standard => cache_policy::age_by_standard(headers, criteria.start).ok_or(NotStored::Age)?,
            };
            match lifetime.saturating_sub(age) {
                Duration::ZERO => Err(NotStored::Age),
                left => Ok(Revalidate::After(left)),
            }
        }
    }
}

/// Returns whether a page may be stored that is stale from the beginning: it is validated each time.
fn may_be_stale(headers: &HeaderList, criteria: &Criteria<'_>) -> bool {
    criteria.is_confirmed && criteria.rules == HttpRules::Standard && Revalidate::from_header(headers).is_none()
}

/// Returns whether a lifetime may be assumed for a response that states none: the status permits it (RFC 9110 §15.1), or
/// the response is `public` (RFC 9111 §4.2.2).
fn may_guess(status: u16, policy: &CachePolicy) -> bool {
    const HEURISTIC: [u16; 8] = [200, 203, 300, 301, 308, 404, 410, 414];
    HEURISTIC.contains(&status) || policy.is_public()
}

/// Returns whether the body that is read has no coding any more. The platform undoes the two that it knows, if the
/// value is exactly that; any other arrives unchanged.
fn is_decoded(headers: &HeaderList) -> bool {
    let coding = headers.joined("content-encoding");
    coding.is_none_or(|coding| matches!(coding.as_str(), "" | "identity" | "gzip" | "br"))
}

#[cfg(test)]
mod tests;
