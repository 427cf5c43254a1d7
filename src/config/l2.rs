//! The setting `l2`.

/// The store of L2.
///
/// ```
/// use cloudflare_isr::{Builder, L2Kind, RouteBuilder};
///
/// Builder::default().l2(L2Kind::R2).route("/*", RouteBuilder::default()).check()?;
/// assert_eq!(L2Kind::parse("r2"), Some(L2Kind::R2));
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum L2Kind {
    /// KV. Pages that are larger than a KV value go to R2, if a bucket is bound as well.
    Kv,
    /// R2.
    R2,
}

impl L2Kind {
    /// The store of a configuration that names none.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Kv;

    /// All stores.
    pub const ALL: [Self; 2] = [Self::Kv, Self::R2];

    /// The words for them in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 2] = [Self::Kv.as_str(), Self::R2.as_str()];

    /// Parses the word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::R2 => "r2",
        }
    }
}

impl Default for L2Kind {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for L2Kind {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
