//! The meaning of `Set-Cookie` in the response to a render.

/// The meaning of a `Set-Cookie` in a response that does not say that it is for all clients.
///
/// ```
/// use cloudflare_isr::{Builder, SetCookie};
///
/// let settings = Builder::default().set_cookie(SetCookie::Strip);
/// assert_eq!(SetCookie::parse("strip"), Some(SetCookie::Strip));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetCookie {
    /// The response is for one client: a form with a token, or a page for a session. It is not stored.
    Pass,
    /// The page is for all: it is stored without the cookie.
    Strip,
}

impl SetCookie {
    /// The default of the configuration.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Pass;

    /// All meanings.
    pub const ALL: [Self; 2] = [Self::Pass, Self::Strip];

    /// The words in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 2] = [Self::Pass.as_str(), Self::Strip.as_str()];

    /// Returns the word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Strip => "strip",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.as_str() == word)
    }
}

impl Default for SetCookie {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for SetCookie {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}
