//! The URLs of a configuration.

use std::fmt;

use url::Url;

use super::error::Flaw;

/// An origin that pages are keyed by: `https://host` or `http://host`, with `:port` unless it is the scheme's own.
///
/// Spelt as the origin of a [request](crate::semantics::key::RequestUrl) is: the host in lower case and ASCII, so that
/// equal origins are equal texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalOrigin(String);

impl CanonicalOrigin {
    /// Parses an origin; one slash after it is allowed, a path is not.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let (origin, path) = split(text)?;
        if path.is_empty() { Ok(Self(origin)) } else { Err(Flaw::Path) }
    }

    /// Returns the origin, `https://example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns host and port, `example.com` or `localhost:8787`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&self.0, |(_, authority)| authority)
    }
}

/// The URL of a site: an [origin](CanonicalOrigin) and perhaps a path, to which the path of a page is appended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteUrl(String);

impl SiteUrl {
    /// Parses a URL without credentials, query and fragment.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let (origin, path) = split(text)?;
        Ok(Self(origin + &path))
    }

    /// Returns the URL without a slash at its end, ready for a page's path to be appended.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads a host as it stands in [`RequestUrl::host`](crate::semantics::key::RequestUrl::host), or `*.` and a host.
pub(super) fn host_pattern(text: &str) -> Result<String, Flaw> {
    let (beginning, host) = text.strip_prefix("*.").map_or(("", text), |host| ("*.", host));
    let host = url::Host::parse(host).ok().filter(|_| !host.contains('*')).ok_or(Flaw::NotAHost)?.to_string();
    Ok(format!("{beginning}{host}"))
}

/// Splits a URL into its origin and its path without the slashes at the end.
fn split(text: &str) -> Result<(String, String), Flaw> {
    // `Url` takes `https:example.com` as well.
    if !["https://", "http://"].iter().any(|scheme| starts_with_ignore_case(text, scheme)) {
        return Err(Flaw::Scheme);
    }
    let url = Url::parse(text).map_err(Flaw::NotUrl)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Flaw::Credentials);
    }
    if url.query().is_some() {
        return Err(Flaw::Query);
    }
    if url.fragment().is_some() {
        return Err(Flaw::Fragment);
    }
    Ok((url.origin().ascii_serialization(), url.path().trim_end_matches('/').to_owned()))
}

fn starts_with_ignore_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}
