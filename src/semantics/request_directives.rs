//! `Cache-Control` of a request (RFC 9111 §5.2.1). Only the standard rules read it.

use std::time::Duration;

use crate::semantics::cache_control::{argument_seconds, directives};

/// What a client demands of a stored response. `max-stale` has no effect: the client accepts more with it, and the cache
/// need not use that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `no-store`: neither the request nor the response may be stored (RFC 9111 §5.2.1.5).
    pub no_store: bool,
    /// `no-cache`: a stored response is not to be used without validation (RFC 9111 §5.2.1.4).
    pub no_cache: bool,
    /// `only-if-cached`: the origin is not to be asked (RFC 9111 §5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age`: the greatest age (RFC 9111 §5.2.1.1).
    pub max_age: Option<Duration>,
    /// `min-fresh`: the least remaining freshness (RFC 9111 §5.2.1.3).
    pub min_fresh: Option<Duration>,
}

impl RequestDirectives {
    /// Parses the value of a request's `Cache-Control`. An unreadable number has no effect: the directives are advice.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut found = Self::default();
        for (name, argument) in directives(value) {
            let seconds = argument.and_then(argument_seconds);
            match name.as_str() {
                "no-store" => found.no_store = true,
                "no-cache" => found.no_cache = true,
                "only-if-cached" => found.only_if_cached = true,
                "max-age" => found.max_age = found.max_age.or(seconds),
                "min-fresh" => found.min_fresh = found.min_fresh.or(seconds),
                _ => {}
            }
        }
        found
    }

    /// Returns whether no stored response meets the demands, so that there is no use in looking for one.
    #[must_use]
    pub fn pass(&self) -> bool {
        !self.only_if_cached && (self.no_store || self.no_cache || self.max_age == Some(Duration::ZERO))
    }

    /// Returns whether a stored response meets the demands. `ttl` is its remaining freshness in seconds, `None` without
    /// end.
    #[must_use]
    pub fn accept(&self, age: Duration, ttl: Option<i64>) -> bool {
        let is_young = self.max_age.is_none_or(|most| age <= most);
        let is_fresh_enough = self.min_fresh.is_none_or(|least| {
            ttl.is_none_or(|ttl| u64::try_from(ttl).is_ok_and(|ttl| Duration::from_secs(ttl) >= least))
        });
        !self.no_cache && !self.no_store && is_young && is_fresh_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_states_which_stored_responses_it_accepts() {
        // A response that is 10 s old, and fresh for 20 s.
        for (section, value, passes, is_accepted) in [
            ("no demands", "", false, true),
            ("§5.2.3: unknown", "foo=1, no-transform", false, true),
            ("§5.2.1.1", "max-age=0", true, false),
            ("§5.2.1.1", "max-age=9", false, false),
            ("§5.2.1.1", "max-age=10", false, true),
            ("§5.2.1.1: unreadable", "max-age=x", false, true),
            ("§5.2.1.2", "max-stale=1000", false, true),
            ("§5.2.1.3", "min-fresh=20", false, true),
            ("§5.2.1.3", "min-fresh=21", false, false),
            ("§5.2.1.4", "No-Cache", true, false),
            ("§5.2.1.5", "no-store", true, false),
            ("§5.2.1.7", "only-if-cached", false, true),
            ("§5.2.1.7", "only-if-cached, no-cache", false, false),
        ] {
            let found = RequestDirectives::parse(value);
            let accepted = found.accept(Duration::from_secs(10), Some(20));
            assert_eq!((found.pass(), accepted), (passes, is_accepted), "RFC 9111 {section}: {value:?}");
        }
        let endless = RequestDirectives::parse("min-fresh=31536000");
        assert!(endless.accept(Duration::ZERO, None) && !endless.accept(Duration::ZERO, Some(-1)));
    }
}
