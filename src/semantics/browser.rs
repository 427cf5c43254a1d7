//! `Cache-Control` for browsers, and for caches between them and this one.

use std::borrow::Cow;
use std::time::Duration;

use crate::semantics::cache_control::CacheControl;
use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::headers::HeaderList;
use crate::semantics::http_date;
use crate::semantics::http_rules::HttpRules;
use crate::time::Timestamp;

/// Makes caches revalidate each time, so that an invalidation reaches all clients. `must-revalidate` applies to shared
/// caches as well (RFC 9111 §5.2.2.2).
pub const ALWAYS_ASK: &str = "public, max-age=0, must-revalidate";

/// Returns `Cache-Control` for a client that gets a page which is `age` old. `ttl` is the remaining freshness in
/// seconds, `None` without end; `browser_max_age` is how long a browser may use the page without asking.
///
/// Only a fresh page may be used without asking, and only while it is fresh here. `max-age` counts from when the page
/// was rendered (RFC 9111 §4.2.3), so its age is added. `max-age` would apply to shared caches too (§5.2.2.1), which no
/// invalidation reaches: `s-maxage=0` replaces it for them and makes them ask each time (§5.2.2.10). `proxy-revalidate`
/// would not, because it has no effect before `max-age` is over (§5.2.2.8).
///
/// `own` is the result of [`stated`], which takes precedence for a fresh page.
#[must_use]
pub fn cache_control(
    outcome: CacheOutcome,
    browser_max_age: Duration,
    ttl: Option<i64>,
    age: Duration,
    own: Option<&str>,
) -> Cow<'_, str> {
    if let (CacheOutcome::Hit | CacheOutcome::Miss, Some(own)) = (outcome, own) {
        return Cow::Borrowed(own);
    }
    let keep = match outcome {
        // The response must not be stored anywhere: another one may follow at once.
        CacheOutcome::Skip | CacheOutcome::Bypass => return Cow::Borrowed("no-store"),
        CacheOutcome::Stale => 0,
        CacheOutcome::Hit | CacheOutcome::Miss => {
            let most = ttl.map_or(u64::MAX, |ttl| u64::try_from(ttl).unwrap_or(0));
            browser_max_age.as_secs().min(most)
        }
    };
    if keep == 0 {
        return Cow::Borrowed(ALWAYS_ASK);
    }
    format!("public, max-age={}, s-maxage=0, must-revalidate", age.as_secs() + keep).into()
}

/// Statuses whose responses may state a lifetime for browsers.
const STATUSES: [u16; 2] = [200, 203];

/// The longest `Cache-Control` that clients receive unchanged, in bytes.
const MAX_STATED_BYTES: usize = 256;

/// Returns the origin's own `Cache-Control` for clients, if it states a lifetime and the response is not HTML.
///
/// A file with a lifetime, such as an image, a script or a font, is versioned by its URL, or its origin accepts that
/// browsers show it for that time. Frameworks send a lifetime with each HTML page as well, but mean a cache like this
/// one by it, and an invalidation must reach the page. Without a lifetime in `Cache-Control`, that of `Expires` counts
/// (RFC 9111 §5.3), from `Date` or, without one, from `now`.
#[must_use]
pub fn stated(status: u16, headers: &HeaderList, now: Timestamp) -> Option<String> {
    if !STATUSES.contains(&status) || headers.get("content-type").is_none_or(is_html) {
        return None;
    }
    let field = headers.joined("cache-control").unwrap_or_default();
    let control = CacheControl::parse(&field);
    if control.no_store || control.no_cache {
        return None;
    }
    match control.max_age {
        Some(Duration::ZERO) => None,
        Some(_) => (field.len() <= MAX_STATED_BYTES && field.is_ascii()).then_some(field),
        None => {
            let from = headers.get("date").and_then(http_date::read).unwrap_or(now);
            let left = http_date::read(headers.get("expires")?)?.since(from).as_secs();
            (left > 0).then(|| format!("max-age={left}"))
        }
    }
}

/// Returns whether a `Content-Type` is HTML, or states no type.
fn is_html(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(media_type.as_str(), "" | "text/html" | "application/xhtml+xml")
}

/// Statuses of responses that a browser may keep for an editor, and that confirm what it keeps.
const DRAFT_STATUSES: [u16; 3] = [200, 203, 304];

/// Returns `Cache-Control` for a response to a client in draft mode.
///
/// A draft must not be kept: no page, and no data without a validator. Files are no drafts. An editor's pages load the
/// same scripts, style sheets and images again and again, so the editor's browser keeps each for the lifetime that
/// [`stated`] returns, or revalidates it each time. A 304 for a file without a lifetime must not forbid that. Caches that
/// others share never keep the response.
#[must_use]
pub fn of_draft(status: u16, headers: &HeaderList, now: Timestamp) -> Cow<'static, str> {
    const NEVER: &str = "private, no-store";
    let is_file = status == 304 || headers.get("content-type").is_some_and(|value| !is_html(value));
    let has_validator = headers.get("etag").or_else(|| headers.get("last-modified")).is_some();
    let forbids = CacheControl::parse(&headers.joined("cache-control").unwrap_or_default()).no_store;
    if !DRAFT_STATUSES.contains(&status) || !is_file || forbids {
        return Cow::Borrowed(NEVER);
    }
    let stated = stated(status, headers, now).and_then(|own| CacheControl::parse(&own).max_age);
    match stated {
        Some(lifetime) => format!("private, max-age={}", lifetime.as_secs()).into(),
        None if has_validator || status == 304 => Cow::Borrowed("private, no-cache"),
        None => Cow::Borrowed(NEVER),
    }
}

/// Returns whether clients receive the origin's own `Cache-Control`, `Expires` and `Date` with a page (RFC 9111 §3.1).
///
/// They do with the standard rules. A page that is served stale may be invalidated: then its `max-age` no longer holds.
#[must_use]
pub fn replays(rules: HttpRules, outcome: CacheOutcome) -> bool {
    rules == HttpRules::Standard && matches!(outcome, CacheOutcome::Hit | CacheOutcome::Miss)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_the_lifetime_that_its_origin_states() {
        const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const HOUR_LATER: &str = "Sun, 06 Nov 1994 09:49:37 GMT";
        let long = format!("max-age=60, x={}", "x".repeat(MAX_STATED_BYTES));
        let immutable = "public, max-age=31536000, immutable";
        for (status, content_type, fields, expected) in [
            (200, Some("image/png"), vec![("cache-control", "max-age=2592000")], Some("max-age=2592000")),
            (200, Some("text/javascript; charset=utf-8"), vec![("cache-control", immutable)], Some(immutable)),
            (200, Some("image/png"), vec![("cache-control", "private, max-age=60")], Some("private, max-age=60")),
            (
                200,
                Some("image/png"),
                vec![("cache-control", "public"), ("cache-control", "max-age=60")],
                Some("public, max-age=60"),
            ),
            (203, Some("application/json"), vec![("cache-control", "max-age=1")], Some("max-age=1")),
            (200, Some("text/html; charset=utf-8"), vec![("cache-control", immutable)], None),
            (200, Some("Application/XHTML+XML"), vec![("cache-control", immutable)], None),
            (200, None, vec![("cache-control", immutable)], None),
            (404, Some("image/png"), vec![("cache-control", immutable)], None),
            (301, Some("image/png"), vec![("cache-control", immutable)], None),
            (200, Some("image/png"), vec![], None),
            (200, Some("image/png"), vec![("cache-control", "public, max-age=0, must-revalidate")], None),
            (200, Some("image/png"), vec![("cache-control", "max-age=soon")], None),
            (200, Some("image/png"), vec![("cache-control", "s-maxage=60")], None),
            (200, Some("image/png"), vec![("cache-control", "no-store, max-age=60")], None),
            (200, Some("image/png"), vec![("cache-control", "max-age=60, no-cache")], None),
            (200, Some("image/png"), vec![("cache-control", &long)], None),
            (200, Some("image/png"), vec![("expires", HOUR_LATER), ("date", DATE)], Some("max-age=3600")),
            (200, Some("image/png"), vec![("expires", HOUR_LATER)], Some("max-age=3601")),
            (200, Some("image/png"), vec![("expires", DATE), ("date", DATE)], None),
            (200, Some("image/png"), vec![("expires", "0")], None),
            (
                200,
                Some("image/png"),
                vec![("cache-control", "max-age=60"), ("expires", HOUR_LATER)],
                Some("max-age=60"),
            ),
        ] {
            let content_type = content_type.map(|value| ("content-type", value));
            let pairs: Vec<(&str, &str)> = fields.iter().copied().chain(content_type).collect();
            let now = http_date::read("Sun, 06 Nov 1994 08:49:36 GMT").unwrap();
            let told = stated(status, &HeaderList::from_pairs(&pairs), now);
            assert_eq!(told.as_deref(), expected, "{status} {pairs:?}");
        }
    }

    #[test]
    fn in_draft_mode_a_browser_keeps_files_and_no_drafts() {
        const NEVER: &str = "private, no-store";
        const ASK: &str = "private, no-cache";
        let immutable = ("cache-control", "public, max-age=31536000, immutable");
        let etag = ("etag", "\"1\"");
        for (status, content_type, fields, expected) in [
            (200, Some("text/css"), vec![immutable], "private, max-age=31536000"),
            (200, Some("text/css"), vec![("cache-control", "s-maxage=60, max-age=9"), etag], "private, max-age=9"),
            (200, Some("application/javascript"), vec![etag], ASK),
            (200, Some("image/png"), vec![("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], ASK),
            (200, Some("image/png"), vec![("cache-control", "no-cache"), etag], ASK),
            (200, Some("image/png"), vec![("cache-control", "no-store"), etag], NEVER),
            (200, Some("application/json"), vec![], NEVER),
            (200, Some("text/html; charset=utf-8"), vec![immutable, etag], NEVER),
            (200, None, vec![immutable, etag], NEVER),
            (404, Some("image/png"), vec![immutable, etag], NEVER),
            (206, Some("video/mp4"), vec![immutable, etag], NEVER),
            (304, None, vec![etag], ASK),
            (304, None, vec![("cache-control", "private, no-store"), etag], NEVER),
        ] {
            let content_type = content_type.map(|value| ("content-type", value));
            let pairs: Vec<(&str, &str)> = fields.iter().copied().chain(content_type).collect();
            let now = http_date::read("Sun, 06 Nov 1994 08:49:36 GMT").unwrap();
            assert_eq!(of_draft(status, &HeaderList::from_pairs(&pairs), now), expected, "{status} {pairs:?}");
        }
    }

    #[test]
    fn a_stale_file_is_not_kept() {
        let own = Some("max-age=60");
        for (outcome, expected) in [
            (CacheOutcome::Hit, "max-age=60"),
            (CacheOutcome::Miss, "max-age=60"),
            (CacheOutcome::Stale, ALWAYS_ASK),
            (CacheOutcome::Skip, "no-store"),
        ] {
            assert_eq!(cache_control(outcome, Duration::from_secs(9), Some(60), Duration::ZERO, own), expected);
        }
    }

    #[test]
    fn only_a_fresh_page_is_kept_without_asking_and_only_by_browsers() {
        let (ask, never) = ("public, max-age=0, must-revalidate", "no-store");
        for (outcome, setting, ttl, age, expected) in [
            (CacheOutcome::Hit, 0, Some(60), 5, ask),
            (CacheOutcome::Miss, 0, None, 0, ask),
            (CacheOutcome::Hit, 30, Some(60), 5, "public, max-age=35, s-maxage=0, must-revalidate"),
            (CacheOutcome::Hit, 30, None, 5, "public, max-age=35, s-maxage=0, must-revalidate"),
            (CacheOutcome::Miss, 30, Some(60), 0, "public, max-age=30, s-maxage=0, must-revalidate"),
            (CacheOutcome::Hit, 30, Some(10), 5, "public, max-age=15, s-maxage=0, must-revalidate"),
            (CacheOutcome::Hit, 30, Some(0), 5, ask),
            (CacheOutcome::Miss, 30, Some(-3), 5, ask),
            (CacheOutcome::Stale, 30, Some(60), 5, ask),
            (CacheOutcome::Skip, 30, Some(60), 5, never),
            (CacheOutcome::Bypass, 30, Some(60), 5, never),
        ] {
            let told = cache_control(outcome, Duration::from_secs(setting), ttl, Duration::from_secs(age), None);
            assert_eq!(told, expected, "{outcome:?} {setting} {ttl:?}");
        }
    }

    #[test]
    fn clients_receive_the_origins_own_fields_with_a_fresh_page_of_the_standard_rules() {
        use CacheOutcome::{Bypass, Hit, Miss, Skip, Stale};
        for outcome in [Hit, Miss, Stale, Skip, Bypass] {
            assert!(!replays(HttpRules::Isr, outcome), "{outcome:?}");
            let is_fresh = matches!(outcome, Hit | Miss);
            assert_eq!(replays(HttpRules::Standard, outcome), is_fresh, "RFC 9111 §3.1: {outcome:?}");
        }
    }
}
