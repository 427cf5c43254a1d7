//! The effect of an invalidation on pages, and when they are rendered again.

use serde::{Deserialize, Serialize};

/// The effect of an invalidation on stored pages. Later variants are stronger.
///
/// ```
/// use cloudflare_isr::Mode;
///
/// assert_eq!(Mode::parse("stale"), Some(Mode::Stale));
/// assert_eq!(Mode::default().as_str(), "expire");
/// assert!(Mode::Purge > Mode::Expire);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The pages are stale: each is served once more while it is revalidated.
    Stale,
    /// The pages are expired: served only in place of an error.
    #[default]
    Expire,
    /// The pages are deleted.
    Purge,
}

impl Mode {
    /// What a recorded mode of a later version counts as. No client gets an expired page as if it were valid, so the
    /// invalidation holds. The pages stay as stale-if-error fallbacks: with a target that is also unknown, a purge would
    /// empty the cache.
    pub(crate) const UNKNOWN: Self = Self::Expire;

    /// The names of all modes.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 3] = [Self::Stale.as_str(), Self::Expire.as_str(), Self::Purge.as_str()];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Expire => "expire",
            Self::Purge => "purge",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Stale, Self::Expire, Self::Purge].into_iter().find(|mode| mode.as_str() == word)
    }

    /// Reads the result of [`Self::as_str`] from a table. Anything else counts as [`Self::UNKNOWN`].
    pub(crate) fn recorded(word: &str) -> Self {
        Self::parse(word).unwrap_or(Self::UNKNOWN)
    }
}

impl AsRef<str> for Mode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// When the affected pages are rendered again.
///
/// ```
/// use cloudflare_isr::{Invalidate, Refresh};
///
/// let what = Invalidate { tags: vec!["shop".to_owned()], refresh: Refresh::Eager, ..Invalidate::default() };
/// assert_eq!(what.refresh.as_str(), "eager");
/// assert_eq!(Refresh::parse("lazy"), Some(Refresh::default()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refresh {
    /// When a client asks for them.
    #[default]
    Lazy,
    /// Now, one after the other.
    Eager,
}

impl Refresh {
    /// What a recorded refresh of a later version counts as. The mode decides what clients get; pages are rendered again
    /// when a client asks.
    pub(crate) const UNKNOWN: Self = Self::Lazy;

    /// The names of both values.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 2] = [Self::Lazy.as_str(), Self::Eager.as_str()];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lazy => "lazy",
            Self::Eager => "eager",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Lazy, Self::Eager].into_iter().find(|refresh| refresh.as_str() == word)
    }

    /// Reads the result of [`Self::as_str`] from a table. Anything else counts as [`Self::UNKNOWN`].
    pub(crate) fn recorded(word: &str) -> Self {
        Self::parse(word).unwrap_or(Self::UNKNOWN)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
    pub(super) fn is_lazy(&self) -> bool {
        *self == Self::Lazy
    }
}

impl AsRef<str> for Refresh {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
