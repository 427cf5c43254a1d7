//! Points in time. The core receives the current time as an argument and never reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The greatest difference between the clocks of two machines.
#[doc(hidden)]
pub const CLOCK_DIFFERENCE: Duration = Duration::from_secs(1);

/// A point in time, in milliseconds since the Unix epoch.
///
/// Arithmetic saturates: a hostile or corrupt value can make a page old or young, but can't cause a panic.
///
/// ```
/// use cloudflare_isr::Timestamp;
///
/// assert_eq!(Timestamp::from_millis(1_700_000_000_000).as_millis(), 1_700_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates a point in time from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns this time plus `duration`.
    #[must_use]
    #[doc(hidden)]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns this time minus `duration`.
    #[must_use]
    #[doc(hidden)]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns the time since `earlier`, or zero if `earlier` is later.
    #[must_use]
    #[doc(hidden)]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
