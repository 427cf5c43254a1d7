//! What an invalidation does to pages, and when they are rendered again.

use serde::{Deserialize, Serialize};

/// What an invalidation does to the copies that exist. The later variant is the stronger one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// They are stale: served once more while they are revalidated.
    Stale,
    /// They are not served, except in place of an error.
    #[default]
    Expire,
    /// They are gone for ever.
    Purge,
}

impl Mode {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Expire => "expire",
            Self::Purge => "purge",
        }
    }

    /// Reads what [`Self::as_str`] returned.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Stale, Self::Expire, Self::Purge].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// When the pages that an invalidation concerns are rendered again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refresh {
    /// When somebody asks for them.
    #[default]
    Lazy,
    /// Now, one after the other.
    Eager,
}

impl Refresh {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lazy => "lazy",
            Self::Eager => "eager",
        }
    }

    /// Reads what [`Self::as_str`] returned.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Lazy, Self::Eager].into_iter().find(|refresh| refresh.as_str() == word)
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
    pub(super) fn is_lazy(&self) -> bool {
        *self == Self::Lazy
    }
}
