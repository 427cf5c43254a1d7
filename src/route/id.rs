//! The name of a route.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::pattern::{MAX_PATTERN_BYTES, Pattern};

/// The name of a route: its pattern as written, at most [`MAX_PATTERN_BYTES`] bytes, without `#`.
///
/// It is part of the names of coordinator objects, so it must not change while pages are cached. A pattern that is
/// written another way is another route, with its own objects.
///
/// ```
/// use cloudflare_isr::{InvalidateAnswer, Target};
///
/// fn pattern(receipt: &InvalidateAnswer) -> Option<&str> {
///     match &receipt.invalidation.target {
///         Target::Route(route) => Some(route.as_str()),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(String);

impl RouteId {
    /// Returns the id of the route with this pattern.
    pub(super) fn of(pattern: &Pattern) -> Self {
        Self(pattern.as_str().to_owned())
    }

    /// Restores an id that was stored or sent. The current configuration need not have this route.
    #[must_use]
    #[doc(hidden)]
    pub fn from_stored(text: &str) -> Option<Self> {
        let is_id = !text.is_empty() && text.len() <= MAX_PATTERN_BYTES && !text.contains('#');
        is_id.then(|| Self(text.to_owned()))
    }

    /// Returns the pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for RouteId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
