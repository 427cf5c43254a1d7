//! Versions of pages. They are also the fencing tokens of leases.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use ulid::Ulid;

use crate::text::text_conversions;
use crate::time::Timestamp;

/// A ULID. The [`Clock`] of one object issues it when a render begins. It is the lease's fencing token, and the version
/// of the page if the render is published. A later version is greater, as value and as text.
///
/// ```
/// use cloudflare_isr::Version;
///
/// let version = Version::parse("01HF7YAT000000000000000001").expect("it is a ULID");
/// assert_eq!(version.time().as_millis(), 1_700_000_000_000);
/// assert_eq!(version.to_string(), "01HF7YAT000000000000000001");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(Ulid);

/// The error for a text that is not the 26 characters of a ULID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a ULID")]
pub struct NotAVersion;

/// The number of random bits of a ULID.
const RANDOM_BITS: u32 = 80;

/// The last time that a ULID can contain, in the year 10889: 48 bits of milliseconds.
const MAX_MILLIS: u64 = (1 << 48) - 1;

impl Version {
    /// Builds a version from its parts. Clamps the time to the last that a ULID can contain. Uses only the lowest 80
    /// bits of `random`.
    #[must_use]
    #[doc(hidden)]
    pub fn from_parts(time: Timestamp, random: u128) -> Self {
        Self(Ulid::from_parts(time.as_millis().min(MAX_MILLIS), random))
    }

    /// Parses the 26 characters of a ULID, in upper case only, so that one version has one text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The crate also accepts lower case, and drops bits above 128.
        Ulid::from_string(text).ok().map(Self).filter(|version| version.to_string() == text)
    }

    /// Returns whether a write of this version replaces what a store has. A store that compares versions never replaces a page
    /// with an older one, whichever coordinator writes.
    #[must_use]
    #[doc(hidden)]
    pub fn replaces(self, stored: Option<Self>) -> bool {
        stored.is_none_or(|stored| stored < self)
    }

    /// Returns the time at which it was issued: when the render began.
    #[must_use]
    pub fn time(self) -> Timestamp {
        Timestamp::from_millis(self.0.timestamp_ms())
    }
}

text_conversions!(Version, NotAVersion, |text| Version::parse(text).ok_or(NotAVersion), |version| version.to_string());

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Issues [`Version`]s in rising order, regardless of the wall clock.
///
/// It is a hybrid logical clock: it follows the wall clock, but is never behind a version that it has issued or
/// observed. The last version issued is persisted and restored after a restart, so the order holds across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    last: Version,
}

impl Clock {
    /// Continues from the last persisted version, or starts a new clock.
    #[must_use]
    pub fn resume(last: Option<Version>) -> Self {
        Self { last: last.unwrap_or(Version(Ulid::nil())) }
    }

    /// Returns the last version issued, which must be persisted.
    #[must_use]
    pub fn last(&self) -> Version {
        self.last
    }

    /// Issues a version greater than all before. `random` must be new random bits.
    pub fn issue(&mut self, now: Timestamp, random: u128) -> Version {
        let last = self.last.time();
        let fresh = Version::from_parts(now, random);
        self.last = if now > last {
            fresh
        } else {
            // The same millisecond, or the wall clock went back: increment, into the next millisecond if necessary.
            self.last.0.increment().map_or_else(|_| Version::from_parts(next_millisecond(last), random), Version)
        };
        self.last
    }

    /// Observes a time from another object, and issues a version for it. Every later version has a later time.
    ///
    /// After any number of observations of the same time, the clock is ahead of it by a millisecond at most. A greater
    /// lead would be wrong: where only times are compared, a render that begins now would count as newer than a future
    /// invalidation.
    pub fn observe(&mut self, time: Timestamp, now: Timestamp, random: u128) -> Version {
        let received = self.issue(now.max(time), random);
        if received.time() == time {
            self.last = Version::from_parts(received.time(), (1 << RANDOM_BITS) - 1);
        }
        received
    }
}

fn next_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_version_has_one_text() {
        let version = Version::from_parts(Timestamp::from_millis(1_700_000_000_000), 1);
        let text = "01HF7YAT000000000000000001";
        assert_eq!((version.to_string().as_str(), Version::parse(text)), (text, Some(version)));
        for wrong in ["", "01hf7yat000000000000000001", "81HF7YAT000000000000000001", "01HF7YAT00000000000000000U"] {
            assert_eq!(Version::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_time_past_the_last_does_not_go_round() {
        let last = Version::from_parts(Timestamp::from_millis(MAX_MILLIS), 1);
        assert_eq!(Version::from_parts(Timestamp::from_millis(u64::MAX), 1), last);
    }

    #[test]
    fn it_runs_ahead_of_what_it_was_told_by_a_millisecond_at_most() {
        let (told, now) = (Timestamp::from_millis(5_000), Timestamp::from_millis(10));
        let mut clock = Clock::resume(None);
        for random in 0..1_000 {
            clock.observe(told, now, random);
        }
        assert_eq!(clock.issue(now, 1).time(), Timestamp::from_millis(5_001));
    }

    proptest! {
        #[test]
        fn versions_rise_whatever_the_wall_clock_does(
            steps in prop::collection::vec((0..50_u64, 0..50_u64, any::<bool>(), any::<bool>()), 1..60)
        ) {
            let mut clock = Clock::resume(None);
            let mut issued: Vec<Version> = Vec::new();
            let mut told = None;
            for (now, time, observes, restarts) in steps {
                let (now, time) = (Timestamp::from_millis(now), Timestamp::from_millis(time));
                if restarts {
                    clock = Clock::resume(Some(clock.last()));
                }
                let version = if observes { clock.observe(time, now, u128::MAX) } else { clock.issue(now, u128::MAX) };
                prop_assert!(issued.last().is_none_or(|last| *last < version));
                prop_assert!(issued.last().is_none_or(|last| last.to_string() < version.to_string()));
                if observes {
                    told = told.max(Some(time));
                } else {
                    prop_assert!(told.is_none_or(|told| version.time() > told), "later than what was told");
                }
                issued.push(version);
            }
        }
    }
}
