//! The setting `feed`.

/// How an edge learns of invalidations.
///
/// ```
/// use cloudflare_isr::{Builder, FeedMode, RouteBuilder};
///
/// Builder::default().feed(FeedMode::Push).route("/*", RouteBuilder::default()).check()?;
/// assert_eq!(FeedMode::parse("push"), Some(FeedMode::Push));
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedMode {
    /// It keeps a stream open to the tag index while it has traffic, and polls without one.
    Push,
    /// It polls.
    Poll,
}

impl FeedMode {
    /// The mode of a configuration that names none.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Poll;

    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Push, Self::Poll];

    /// The words for them in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 2] = [Self::Push.as_str(), Self::Poll.as_str()];

    /// Parses the word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Returns the word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Poll => "poll",
        }
    }
}

impl Default for FeedMode {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for FeedMode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
