//! The setting `canonical_origin`.

use std::fmt;

use crate::route::{UrlError, split_url};

/// An origin that page keys contain: `https://host` or `http://host`, with `:port` unless it is the default port.
///
/// It is spelt like the origin of a [request](crate::semantics::key::RequestUrl), with the host in lower case and
/// ASCII, so equal origins are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalOrigin(String);

impl CanonicalOrigin {
    /// Parses an origin. Slashes after it are accepted, a path is not.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (origin, path) = split_url(text)?;
        if path.is_empty() { Ok(Self(origin)) } else { Err(UrlError::Path) }
    }

    /// Returns the origin, such as `https://example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns host and port, such as `example.com` or `localhost:8787`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&self.0, |(_, authority)| authority)
    }
}

impl fmt::Display for CanonicalOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_normalised() {
        for (text, origin, authority) in [
            ("https://Example.COM/", "https://example.com", "example.com"),
            ("http://localhost:8787", "http://localhost:8787", "localhost:8787"),
            ("http://a.b:443", "http://a.b:443", "a.b:443"),
            ("http://a.b:80", "http://a.b", "a.b"),
            ("https://müller.de", "https://xn--mller-kva.de", "xn--mller-kva.de"),
            ("https://[::1]:8443", "https://[::1]:8443", "[::1]:8443"),
        ] {
            let parsed = CanonicalOrigin::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.authority()), (origin, authority));
        }
        assert_eq!(CanonicalOrigin::parse("https://a.b/c"), Err(UrlError::Path));
    }
}
