//! The freshness of a page, and how long it may be served stale after that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::semantics::cache_control::MAX_DELTA_SECONDS;
use crate::semantics::headers::HeaderList;
use crate::time::{CLOCK_DIFFERENCE, Timestamp};

/// The freshness lifetime of a page or a route.
///
/// ```
/// use std::time::Duration;
///
/// use cloudflare_isr::Revalidate;
///
/// assert_eq!(Revalidate::from_seconds(Duration::ZERO), Revalidate::NoStore);
/// assert_eq!(Revalidate::from(Duration::from_secs(60)), Revalidate::After(Duration::from_secs(60)));
/// assert_eq!(Revalidate::Never.to_header_value(), "false");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revalidate {
    /// Fresh for this long after the render began.
    After(Duration),
    /// Never expires: replaced only after an invalidation. Written `false`.
    Never,
    /// Never stored. Written `0`.
    NoStore,
}

impl Revalidate {
    /// Converts seconds, where 0 means [`Revalidate::NoStore`].
    #[must_use]
    pub fn from_seconds(lifetime: Duration) -> Self {
        if lifetime.is_zero() { Self::NoStore } else { Self::After(lifetime) }
    }

    /// Writes the format of [`Self::from_header`], in whole seconds.
    #[must_use]
    pub fn to_header_value(self) -> String {
        match self {
            Self::After(lifetime) => lifetime.as_secs().to_string(),
            Self::Never => "false".to_owned(),
            Self::NoStore => "0".to_owned(),
        }
    }

    /// Returns the shorter of this and a lifetime. `NoStore` stays `NoStore`.
    #[must_use]
    #[doc(hidden)]
    pub fn at_most(self, lifetime: Duration) -> Self {
        match self {
            Self::After(own) => Self::After(own.min(lifetime)),
            Self::Never => Self::After(lifetime),
            Self::NoStore => Self::NoStore,
        }
    }

    /// Parses `X-ISR-Revalidate`, which only this cache reads: seconds, or `false`. `None` if it is missing or
    /// unreadable.
    #[must_use]
    #[doc(hidden)]
    pub fn from_header(headers: &HeaderList) -> Option<Self> {
        match headers.get("x-isr-revalidate")?.trim() {
            "false" => Some(Self::Never),
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                // Parsing digits can only fail by overflow.
                let seconds = digits.parse().unwrap_or(MAX_DELTA_SECONDS).min(MAX_DELTA_SECONDS);
                Some(Self::from_seconds(Duration::from_secs(seconds)))
            }
            _ => None,
        }
    }
}

/// As [`Revalidate::from_seconds`].
impl From<Duration> for Revalidate {
    fn from(lifetime: Duration) -> Self {
        Self::from_seconds(lifetime)
    }
}

/// The three windows of a stored page, as points in time. `None` means without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// The end of the page's freshness.
    #[serde(rename = "f")]
    pub fresh_until: Option<Timestamp>,
    /// The end of the time in which a stale page may be served while it is revalidated (RFC 5861 §3).
    #[serde(rename = "s")]
    pub stale_until: Option<Timestamp>,
    /// The end of the time in which the page may be served in place of an error (RFC 5861 §4).
    #[serde(rename = "e")]
    pub error_until: Option<Timestamp>,
}

/// The state of a page according to its [`Windows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// May be served unchanged.
    Fresh,
    /// May be served while it is revalidated.
    Stale,
    /// May only be served in place of an error, or not at all.
    Expired,
}

impl Windows {
    /// Computes the windows of a page whose render began at `start`. Returns `None` if it must not be stored.
    #[must_use]
    pub fn new(start: Timestamp, revalidate: Revalidate, expire: Duration, stale_if_error: Duration) -> Option<Self> {
        let fresh_until = match revalidate {
            Revalidate::NoStore => return None,
            Revalidate::Never => None,
            Revalidate::After(lifetime) => Some(start.plus(lifetime)),
        };
        Some(Self {
            fresh_until,
            stale_until: fresh_until.map(|end| end.plus(expire)),
            error_until: fresh_until.map(|end| end.plus(stale_if_error)),
        })
    }

    /// Returns the windows of a page that is of no use any more at `end`.
    #[must_use]
    pub fn over(end: Timestamp) -> Self {
        let end = Some(end);
        Self { fresh_until: end, stale_until: end, error_until: end }
    }

    /// Returns the state of the page.
    #[must_use]
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        let before = |end: Option<Timestamp>| end.is_none_or(|end| now < end);
        if before(self.fresh_until) {
            Freshness::Fresh
        } else if before(self.stale_until) {
            Freshness::Stale
        } else {
            Freshness::Expired
        }
    }

    /// Returns whether the page may still be served in place of an error.
    #[must_use]
    pub fn serves_errors(&self, now: Timestamp) -> bool {
        self.error_until.is_none_or(|end| now < end)
    }

    /// Returns when the page is of no use any more; `None` if that never happens.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        Some(self.stale_until?.max(self.error_until?))
    }

    /// Returns the remaining freshness in whole seconds, negative once stale; `None` for a page that never expires.
    #[must_use]
    pub fn ttl_seconds(&self, now: Timestamp) -> Option<i64> {
        let end = self.fresh_until?;
        let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Some(if end >= now { whole(end.since(now)) } else { -whole(now.since(end)) })
    }

    /// Returns the windows of the same page if it becomes stale at `at`. They are stale for a machine whose clock is
    /// behind, too: an edge may not know of the invalidation otherwise.
    #[must_use]
    pub fn stale_from(self, at: Timestamp, expire: Duration) -> Self {
        let since = at.minus(CLOCK_DIFFERENCE);
        let fresh_until = Some(self.fresh_until.map_or(since, |end| end.min(since)));
        Self { fresh_until, stale_until: Some(self.stale_until.unwrap_or(at.plus(expire))), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn a_page_says_its_lifetime_in_seconds_or_false() {
        let after = |n| Some(Revalidate::After(Duration::from_secs(n)));
        for (value, expected) in [
            ("50", after(50)),
            (" 50 ", after(50)),
            ("0", Some(Revalidate::NoStore)),
            ("false", Some(Revalidate::Never)),
            ("99999999999999999999999", after(MAX_DELTA_SECONDS)),
            ("18446744073709551615", after(MAX_DELTA_SECONDS)),
            ("soon", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("50, 60", None),
        ] {
            assert_eq!(
                Revalidate::from_header(&HeaderList::from_pairs(&[("x-isr-revalidate", value)])),
                expected,
                "{value:?}"
            );
        }
        assert_eq!(Revalidate::from_header(&HeaderList::default()), None);
    }

    #[test]
    fn windows_follow_each_other() {
        let windows = Windows::new(at(100), Revalidate::After(SECOND * 10), SECOND * 20, SECOND * 50).unwrap();
        for (now, freshness, errors, ttl) in [
            (100, Freshness::Fresh, true, 10),
            (109, Freshness::Fresh, true, 1),
            (110, Freshness::Stale, true, 0),
            (129, Freshness::Stale, true, -19),
            (130, Freshness::Expired, true, -20),
            (160, Freshness::Expired, false, -50),
        ] {
            let now = at(now);
            assert_eq!(
                (windows.freshness(now), windows.serves_errors(now), windows.ttl_seconds(now)),
                (freshness, errors, Some(ttl)),
                "{now:?}"
            );
        }
        let forever = Windows::new(at(100), Revalidate::Never, SECOND, SECOND).unwrap();
        assert_eq!((forever.freshness(at(1 << 40)), forever.ttl_seconds(at(1))), (Freshness::Fresh, None));
        let stale = forever.stale_from(at(200), SECOND);
        assert_eq!((stale.freshness(at(200)), stale.freshness(at(199))), (Freshness::Stale, Freshness::Stale));
        assert_eq!(Windows::new(at(100), Revalidate::NoStore, SECOND, SECOND), None);
    }
}
