//! The caching policy of a response: the field that counts, and its consequences.

use std::time::Duration;

use crate::semantics::cache_control::{CacheControl, MAX_DELTA_SECONDS};
use crate::semantics::headers::HeaderList;
use crate::semantics::http_date;
use crate::semantics::http_rules::HttpRules;
use crate::time::Timestamp;

/// The target list (RFC 9213 §2.2): the first field that is present counts; fields for other caches do not.
const TARGETED: [&str; 2] = ["cloudflare-cdn-cache-control", "cdn-cache-control"];

/// The caching policy of a response: the one field that counts among those that may state one.
///
/// A targeted field completely replaces `Cache-Control` and `Expires`, even if those forbid storing (RFC 9213 §2.2): an
/// origin uses it to give browsers other rules than caches like this one. The request of a render contains nothing of a
/// client, so no response to it is private by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    control: CacheControl,
    is_targeted: bool,
    rules: HttpRules,
    /// Whether an unreadable targeted field, which otherwise does not count, forbids storing.
    is_forbidden_unread: bool,
}

impl CachePolicy {
    /// Finds the policy of a response.
    ///
    /// A malformed or empty targeted field counts as absent (RFC 9213 §2.1), except that a directive in it that seems
    /// to forbid storing still does: a typing error must not publish a page.
    #[must_use]
    pub fn of(headers: &HeaderList, rules: HttpRules) -> Self {
        let mut is_forbidden_unread = false;
        for value in TARGETED.iter().filter_map(|name| headers.joined(name)) {
            match CacheControl::parse_targeted(&value) {
                Some(control) => return Self { control, is_targeted: true, rules, is_forbidden_unread },
                None => is_forbidden_unread |= CacheControl::parse(&value).forbids_storing(),
            }
        }
        let control = headers.joined("cache-control").map(|value| CacheControl::parse(&value)).unwrap_or_default();
        Self { control, is_targeted: false, rules, is_forbidden_unread }
    }

    /// Returns whether the policy forbids storing for a shared cache that never revalidates what it has stored (RFC
    /// 9111 §3).
    #[must_use]
    pub fn forbids_storing(&self) -> bool {
        self.is_forbidden_unread || self.control.forbids_storing()
    }

    /// Returns whether the response to a request with `Authorization` may be stored (RFC 9111 §3.5).
    #[must_use]
    pub fn allows_authorized(&self) -> bool {
        self.control.allows_authorized()
    }

    /// Returns whether the response is `public` (RFC 9111 §5.2.2.9).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.control.public
    }

    /// Returns whether the origin says that the response is for all clients: by `public` or `s-maxage`, or by a field that
    /// is for shared caches only.
    #[must_use]
    pub fn declares_shared(&self) -> bool {
        self.is_targeted || self.control.public || self.control.s_maxage.is_some()
    }

    /// Returns the explicit freshness lifetime (RFC 9111 §4.2.1) of a response that arrived by `now`: `s-maxage`,
    /// otherwise `max-age`, otherwise `Expires`.
    ///
    /// With the rules of ISR, `max-age` of `Cache-Control`, and `Expires`, do not count: origins mean browsers by them,
    /// which no invalidation reaches. Pages without a lifetime of their own get that of their route.
    #[must_use]
    pub fn lifetime(&self, headers: &HeaderList, now: Timestamp) -> Option<Duration> {
        if let Some(lifetime) = self.control.s_maxage {
            return Some(lifetime);
        }
        match (self.is_targeted, self.rules) {
            (true, _) => self.control.max_age,
            (false, HttpRules::Standard) => self.control.max_age.or_else(|| expires(headers, now)),
            (false, HttpRules::Isr) => None,
        }
    }

    /// Returns how long a page may be served stale, and how long in place of an error: the response's values (RFC 5861
    /// §3 and §4), limited by the route's.
    ///
    /// With the standard rules, a page is served stale during revalidation only if the response permits it. The route
    /// permits it while the origin fails (RFC 9111 §4.2.4: "disconnected").
    #[must_use]
    pub fn stale_windows(&self, expire: Duration, stale_if_error: Duration) -> (Duration, Duration) {
        if self.forbids_stale() {
            return (Duration::ZERO, Duration::ZERO);
        }
        let within = |asked: Option<Duration>, bound: Duration| asked.map_or(bound, |asked| asked.min(bound));
        let expire = match self.rules {
            HttpRules::Isr => within(self.control.stale_while_revalidate, expire),
            HttpRules::Standard => self.control.stale_while_revalidate.unwrap_or_default().min(expire),
        };
        (expire, within(self.control.stale_if_error, stale_if_error))
    }

    /// Returns whether the page must not be served stale (RFC 9111 §4.2.4).
    ///
    /// Frameworks send `Cache-Control: max-age=0, must-revalidate` with every page, and mean browsers by both
    /// directives: a page that is stale from the beginning would not be stored here at all. `s-maxage` alone does not
    /// forbid stale responses, unlike in RFC 9111 §5.2.2.10 and §4.2.4: the route's `expire` is the origin's own
    /// permission, and otherwise `stale-while-revalidate` would have no meaning. The standard rules make neither
    /// exception.
    fn forbids_stale(&self) -> bool {
        if self.rules == HttpRules::Standard {
            let by_s_maxage = !self.is_targeted && self.control.s_maxage.is_some();
            return self.control.must_revalidate || self.control.proxy_revalidate || by_s_maxage;
        }
        let is_for_browsers =
            !self.is_targeted && self.control.s_maxage.is_none() && self.control.max_age == Some(Duration::ZERO);
        self.control.proxy_revalidate || (self.control.must_revalidate && !is_for_browsers)
    }
}

/// Returns the lifetime that `Expires` states (RFC 9111 §5.3): counted from `Date`, or without a valid one from `now`.
/// An invalid value, such as `0` or several dates, is in the past.
fn expires(headers: &HeaderList, now: Timestamp) -> Option<Duration> {
    let value = headers.joined("expires")?;
    let from = date(headers).unwrap_or(now);
    Some(http_date::read(value.trim()).map_or(Duration::ZERO, |end| end.since(from)))
}

/// Returns the `Date` of a response, if it is valid.
#[must_use]
pub fn date(headers: &HeaderList) -> Option<Timestamp> {
    http_date::read(headers.get("date")?.trim())
}

/// Returns the age at `start`, when its request was sent, of a response that is judged by the standard rules: the
/// greater one of `Age` and the apparent age (RFC 9111 §4.2.3). `None` if `Age` is not a number.
///
/// RFC 9111 §5.1 recommends that an invalid `Age` be ignored. But such a response has been in another cache for an
/// unknown time, and a cache ought to treat freshness information that it can't read as stale (§4.2.1).
#[must_use]
pub fn age_by_standard(headers: &HeaderList, start: Timestamp) -> Option<Duration> {
    let age_value = match headers.get("age") {
        Some(value) => delta_seconds(first_of(value))?,
        None => Duration::ZERO,
    };
    // `Date` counts in whole seconds.
    let start = Timestamp::from_millis(start.as_millis() / 1000 * 1000);
    let apparent = date(headers).map_or(Duration::ZERO, |date| start.since(date));
    Some(age_value.max(apparent))
}

fn first_of(list: &str) -> &str {
    list.split(',').next().unwrap_or_default().trim_matches([' ', '\t'])
}

fn delta_seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // Parsing digits can only fail by overflow.
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(MAX_DELTA_SECONDS).min(MAX_DELTA_SECONDS)))
}

/// Returns the age of a response on arrival, if another cache states it (RFC 9111 §5.1): the first member of a list
/// counts, and an invalid value is ignored.
///
/// `Date` does not count (unlike in RFC 9111 §4.2.3): otherwise no page of an origin with a slow clock would be stored.
#[must_use]
pub fn age(headers: &HeaderList) -> Duration {
    headers.get("age").and_then(|value| delta_seconds(first_of(value))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(headers: &[(&str, &str)]) -> CachePolicy {
        CachePolicy::of(&HeaderList::from_pairs(headers), HttpRules::Isr)
    }

    #[test]
    fn a_targeted_field_takes_the_place_of_cache_control_as_a_whole() {
        let (cc, cdn, cloudflare) = ("cache-control", "cdn-cache-control", "cloudflare-cdn-cache-control");
        for (headers, is_forbidden, lifetime) in [
            (vec![], false, None),
            (vec![(cc, "private")], true, None),
            (vec![(cc, "must-understand, no-store")], false, None),
            (vec![(cc, "must-understand, no-store, private")], true, None),
            (vec![(cc, "public, max-age=600"), ("expires", "0"), ("pragma", "no-cache")], false, None),
            (vec![(cc, "s-maxage=30, max-age=9")], false, Some(30)),
            (vec![(cc, "public"), (cc, "s-maxage=30")], false, Some(30)),
            // RFC 9213 §2.2: the first of the target list, and Cache-Control is ignored.
            (vec![(cc, "s-maxage=30"), (cdn, "s-maxage=40")], false, Some(40)),
            (vec![(cc, "no-store, private"), (cdn, "max-age=40")], false, Some(40)),
            (vec![(cc, "s-maxage=30"), (cdn, "no-store")], true, None),
            (vec![(cc, "s-maxage=30"), (cdn, "foo")], false, None),
            (vec![(cdn, "max-age=40, s-maxage=50")], false, Some(50)),
            (vec![(cdn, "no-store"), (cloudflare, "max-age=60")], false, Some(60)),
            (vec![(cdn, "max-age=60"), (cloudflare, "no-store")], true, None),
            // RFC 9213 §2.1: the field counts as absent, but forbidding directives in it still count.
            (vec![(cc, "s-maxage=30"), (cdn, "")], false, Some(30)),
            (vec![(cc, "s-maxage=30"), (cdn, "max-age=\"40\"")], false, Some(0)),
            (vec![(cc, "s-maxage=30"), (cdn, "max-age=40,")], false, Some(30)),
            (vec![(cc, "private"), (cdn, "Max-Age=40")], true, None),
            (vec![(cc, "s-maxage=30"), (cdn, "No-Store")], true, Some(30)),
            (vec![(cdn, "max-age=40"), (cloudflare, "Private")], true, Some(40)),
        ] {
            let policy = policy(&headers);
            let lifetime_of = policy.lifetime(&HeaderList::default(), Timestamp::default());
            let found = (policy.forbids_storing(), lifetime_of.map(|lifetime| lifetime.as_secs()));
            assert_eq!(found, (is_forbidden, lifetime), "{headers:?}");
        }
    }

    #[test]
    fn stale_windows_are_what_page_and_route_both_allow() {
        let second = Duration::from_secs(1);
        let (whole, none) = ((second * 10, second * 20), (Duration::ZERO, Duration::ZERO));
        for (name, value, windows) in [
            ("cache-control", "s-maxage=1", whole),
            ("cache-control", "stale-while-revalidate=5, stale-if-error=7", (second * 5, second * 7)),
            ("cache-control", "stale-while-revalidate=50, stale-if-error=70", whole),
            ("cache-control", "stale-while-revalidate, stale-if-error", whole),
            ("cache-control", "stale-while-revalidate=0", (Duration::ZERO, second * 20)),
            ("cache-control", "stale-while-revalidate=ten", (Duration::ZERO, second * 20)),
            ("cdn-cache-control", "stale-while-revalidate=5", (second * 5, second * 20)),
            // RFC 9111 §5.2.2.8 and §5.2.2.2.
            ("cache-control", "proxy-revalidate", none),
            ("cache-control", "max-age=0, must-revalidate", whole),
            ("cache-control", "must-revalidate", none),
            ("cache-control", "max-age=9, must-revalidate", none),
            ("cache-control", "s-maxage=9, max-age=0, must-revalidate, stale-while-revalidate=5", none),
            ("cdn-cache-control", "max-age=0, must-revalidate", none),
            ("cdn-cache-control", "max-age=9, must-revalidate", none),
        ] {
            let found = policy(&[(name, value)]).stale_windows(second * 10, second * 20);
            assert_eq!(found, windows, "{name}: {value}");
        }
    }

    #[test]
    fn age_is_told_by_other_caches() {
        for (value, seconds) in [
            ("0", 0),
            ("7", 7),
            (" 7", 7),
            ("7, 9", 7),
            ("0, 7", 0),
            ("99999999999999999999999", MAX_DELTA_SECONDS),
            ("-7", 0),
            ("7.5", 0),
            ("7;foo=8", 0),
            ("", 0),
            ("x, 7", 0),
        ] {
            assert_eq!(age(&HeaderList::from_pairs(&[("age", value)])).as_secs(), seconds, "{value:?}");
        }
        assert_eq!(age(&HeaderList::default()), Duration::ZERO);
    }
}
