//! `Cache-Control` for browsers, and for caches between them and this one.

use std::borrow::Cow;
use std::time::Duration;

use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::http_rules::HttpRules;

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
#[must_use]
pub fn cache_control(
    outcome: CacheOutcome,
    browser_max_age: Duration,
    ttl: Option<i64>,
    age: Duration,
) -> Cow<'static, str> {
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
            let told = cache_control(outcome, Duration::from_secs(setting), ttl, Duration::from_secs(age));
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
