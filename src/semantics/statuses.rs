//! The statuses that may be stored.

use std::collections::BTreeSet;

use thiserror::Error;

/// The statuses that a route may store: final ones whose requirements for caches are known here (RFC 9110 §15, RFC 7725
/// §3), and whose response can stand for the page.
///
/// Never one of these: 1xx (not final), 204, 205 and 206 (not a whole page), 304 (about another response), 401 and 407
/// (for one client), 429 and 5xx (temporary failures).
pub const ALLOWED: [u16; 12] = [200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 414, 451];

/// The statuses that a route stores by default: those that are heuristically cacheable (RFC 9110 §15.1) and make sense
/// as a page.
pub const DEFAULT: [u16; 6] = [200, 203, 301, 308, 404, 410];

/// The statuses that a route stores: at least one of [`ALLOWED`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(BTreeSet<u16>);

/// A status that is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} is a status that is never stored")]
pub struct NeverStored(pub u16);

impl Statuses {
    /// Collects statuses.
    ///
    /// # Errors
    /// Reports the first that is not in [`ALLOWED`].
    pub fn new(statuses: impl IntoIterator<Item = u16>) -> Result<Self, NeverStored> {
        let statuses: BTreeSet<u16> = statuses.into_iter().collect();
        match statuses.iter().find(|status| !ALLOWED.contains(status)) {
            Some(status) => Err(NeverStored(*status)),
            None => Ok(Self(statuses)),
        }
    }

    /// Returns whether responses with this status are stored.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }

    /// Iterates over the statuses, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self(DEFAULT.into())
    }
}

/// Returns whether a status means that there is no page, for now or for good: such pages have a lifetime of their own,
/// because the page may appear at any moment.
#[must_use]
pub fn is_not_found(status: u16) -> bool {
    matches!(status, 404 | 410)
}

/// Returns whether a number is a valid status. A number above 599 is an origin's private error code (RFC 9110 §15), and
/// no response can be made with it.
#[must_use]
pub fn is_valid(status: u16) -> bool {
    (100..=599).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_final_and_shareable_answers_can_be_allowed() {
        let allowed = |status| Statuses::new([status]);
        for status in 100..=599 {
            let expected = ALLOWED.contains(&status);
            assert_eq!(allowed(status).is_ok_and(|statuses| statuses.contains(status)), expected, "{status}");
        }
        let never = [100, 101, 204, 205, 206, 304, 401, 407, 429];
        assert!(never.into_iter().chain(500..=599).all(|status| allowed(status) == Err(NeverStored(status))));
        assert_eq!(Statuses::new(DEFAULT), Ok(Statuses::default()));
        assert!(!Statuses::default().contains(302) && Statuses::new([302]).is_ok_and(|only| !only.contains(200)));
    }
}
