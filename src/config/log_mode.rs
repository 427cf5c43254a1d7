//! The setting `log`.

/// Which requests the log has a line for.
///
/// ```
/// use cloudflare_isr::{Builder, LogMode, RouteBuilder};
///
/// Builder::default().log(LogMode::Requests).route("/*", RouteBuilder::default()).check()?;
/// assert_eq!(LogMode::parse("requests"), Some(LogMode::Requests));
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMode {
    /// None.
    None,
    /// Those for which something has failed.
    Problems,
    /// Those that are not a plain HIT.
    Requests,
}

impl LogMode {
    /// The mode of a configuration that names none.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Problems;

    /// All modes.
    pub const ALL: [Self; 3] = [Self::None, Self::Problems, Self::Requests];

    /// The words for them in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 3] = [Self::None.as_str(), Self::Problems.as_str(), Self::Requests.as_str()];

    /// Parses the word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// Returns the word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Problems => "problems",
            Self::Requests => "requests",
        }
    }
}

impl Default for LogMode {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for LogMode {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
