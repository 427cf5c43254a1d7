//! URLs of origins.

use std::fmt;

use thiserror::Error;
use url::Url;

/// The URL of an origin: scheme, host and perhaps a path, to which the path of a page is appended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginUrl(String);

impl OriginUrl {
    /// Parses an `http` or `https` URL without credentials, query and fragment.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (origin, path) = split(text)?;
        Ok(Self(origin + &path))
    }

    /// Returns the URL without a slash at its end, so that the path of a page can be appended.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OriginUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Describes why a text is not the URL of an origin. The description follows the text in a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The URL has another scheme, or none.
    #[error("does not begin with https:// or http://")]
    Scheme,
    /// The text is not a URL, or its host or port is invalid.
    #[error("is not a URL ({0})")]
    Malformed(url::ParseError),
    /// The URL has a user name or a password.
    #[error("contains a user name or a password")]
    Credentials,
    /// The URL has a path where only an origin is accepted.
    #[error("has a path")]
    Path,
    /// The URL has a query.
    #[error("has a query")]
    Query,
    /// The URL has a fragment.
    #[error("has a fragment")]
    Fragment,
}

/// Splits a URL into its origin, as RFC 6454 serializes it, and its path without the slashes at the end.
pub(crate) fn split(text: &str) -> Result<(String, String), UrlError> {
    // `Url` accepts `https:example.com` too.
    if !["https://", "http://"].iter().any(|scheme| starts_with_ignore_case(text, scheme)) {
        return Err(UrlError::Scheme);
    }
    let url = Url::parse(text).map_err(UrlError::Malformed)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::Credentials);
    }
    if url.query().is_some() {
        return Err(UrlError::Query);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    Ok((url.origin().ascii_serialization(), url.path().trim_end_matches('/').to_owned()))
}

fn starts_with_ignore_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_are_removed() {
        assert_eq!(OriginUrl::parse("https://a.b/c/d/").unwrap().as_str(), "https://a.b/c/d");
        assert_eq!(OriginUrl::parse("HTTPS://A.b:443/").unwrap().as_str(), "https://a.b");
    }
}
