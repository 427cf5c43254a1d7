//! Which rules of HTTP caching apply to the pages of a route.

/// The rules by which responses are stored and reused.
///
/// ```
/// use cloudflare_isr::{Builder, HttpRules};
///
/// let settings = Builder::default().http(HttpRules::Standard);
/// assert_eq!(HttpRules::parse("standard"), Some(HttpRules::Standard));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRules {
    /// Those of incremental static regeneration. The route states lifetimes, clients always ask, and `max-age` is for
    /// browsers.
    Isr,
    /// Those of RFC 9111. The origin's `Cache-Control` and `Expires` state lifetimes, and clients receive both.
    Standard,
}

impl HttpRules {
    /// The default of the configuration.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Isr;

    /// All sets of rules.
    pub const ALL: [Self; 2] = [Self::Isr, Self::Standard];

    /// The words in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 2] = [Self::Isr.as_str(), Self::Standard.as_str()];

    /// Returns the word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Isr => "isr",
            Self::Standard => "standard",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rules| rules.as_str() == word)
    }
}

impl Default for HttpRules {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for HttpRules {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
