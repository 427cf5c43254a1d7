//! Headers that requests to the origin carry besides this cache's own.

use std::collections::BTreeMap;

use thiserror::Error;

use super::origin::is_binding_name;
use crate::semantics::headers::{HeaderKind, is_token};

/// The most headers that a request to the origin can be given.
pub const MAX_RENDER_HEADERS: usize = 16;

/// The longest value of such a header, in bytes.
pub const MAX_RENDER_HEADER_BYTES: usize = 1024;

/// Headers that authenticate a request. The response to an authenticated request may be meant for one user only, and
/// this cache serves it to every visitor, so each of these must be allowed by `render_sensitive_headers`.
pub const SENSITIVE_HEADERS: [&str; 8] = [
    "authorization",
    "cf-access-client-id",
    "cf-access-client-secret",
    "cf-access-token",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-auth-token",
];

/// Headers that the connection or this cache sets, besides those that [`HeaderKind`] classifies. A condition or a range would
/// make the response unstorable, and bodies are stored without a content coding.
const RESERVED: [&str; 9] = [
    "accept-encoding",
    "cdn-loop",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Headers by their names in lower case. They are the same for every visitor, so they are not part of a page's key.
pub type RenderHeaders = BTreeMap<String, RenderValue>;

/// The value of a header in requests to the origin.
///
/// ```
/// use cloudflare_isr::{Builder, RenderValue, RouteBuilder};
///
/// Builder::default()
///     .render_header("X-Preview", "off")
///     .render_header("X-Token", RenderValue::Secret("SITE_TOKEN".to_owned()))
///     .route("/*", RouteBuilder::default())
///     .check()?;
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderValue {
    /// This text.
    Text(String),
    /// The content of the secret with this name.
    Secret(String),
}

impl RenderValue {
    /// Parses a value that the configuration contains as text.
    ///
    /// # Errors
    ///
    /// As [`check_render_value`].
    #[doc(hidden)]
    pub fn text(text: &str) -> Result<Self, RenderHeaderError> {
        check_render_value(text).map(|()| Self::Text(text.to_owned()))
    }

    /// Parses the name of a secret.
    ///
    /// # Errors
    ///
    /// [`RenderHeaderError::NeitherTextNorSecret`].
    #[doc(hidden)]
    pub fn secret(name: &str) -> Result<Self, RenderHeaderError> {
        if is_binding_name(name) {
            Ok(Self::Secret(name.to_owned()))
        } else {
            Err(RenderHeaderError::NeitherTextNorSecret)
        }
    }
}

impl From<&str> for RenderValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Describes why a header can't be added to requests to the origin. The description follows "the value" in a message;
/// it never contains the value, which may be a credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenderHeaderError {
    /// The name is not a token (RFC 9110 section 5.6.2).
    #[error("belongs to a name that is not a header name")]
    NotAName,
    /// The connection, this cache or another setting sets the header.
    #[error("belongs to a header that the connection, this cache or another setting sets")]
    Reserved,
    /// The header is listed twice, in different upper and lower case.
    #[error("belongs to a header that is listed twice")]
    Duplicate,
    /// The header is one of [`SENSITIVE_HEADERS`] and not allowed.
    #[error("belongs to a sensitive header that `render_sensitive_headers` does not list")]
    Sensitive,
    /// The value is neither text nor the name of a secret.
    #[error("is not text, or {{ secret = \"NAME\" }}")]
    NeitherTextNorSecret,
    /// The value is empty.
    #[error("is empty")]
    Empty,
    /// The value has a character that is not visible ASCII, or a space at one of its ends.
    #[error("contains {0:?}")]
    Character(char),
    /// The value has this many bytes, more than [`MAX_RENDER_HEADER_BYTES`].
    #[error("is {0} bytes long")]
    TooLong(usize),
}

/// Checks the value of such a header: 1 to [`MAX_RENDER_HEADER_BYTES`] bytes of visible ASCII, with spaces only
/// between.
///
/// # Errors
///
/// Returns what is wrong with the value.
pub fn check_render_value(text: &str) -> Result<(), RenderHeaderError> {
    let has_outer_space = text.starts_with(' ') || text.ends_with(' ');
    let wrong = text.chars().find(|&c| !c.is_ascii_graphic() && c != ' ');
    match wrong.or(has_outer_space.then_some(' ')) {
        _ if text.is_empty() => Err(RenderHeaderError::Empty),
        Some(character) => Err(RenderHeaderError::Character(character)),
        None if text.len() > MAX_RENDER_HEADER_BYTES => Err(RenderHeaderError::TooLong(text.len())),
        None => Ok(()),
    }
}

/// Checks the name of such a header, in lower case; `allowed` are the sensitive headers that may be used.
///
/// # Errors
///
/// Returns what is wrong with the name.
pub fn check_render_name(name: &str, allowed: &[&str]) -> Result<(), RenderHeaderError> {
    if !is_token(name) {
        return Err(RenderHeaderError::NotAName);
    }
    if SENSITIVE_HEADERS.contains(&name) {
        return if allowed.contains(&name) { Ok(()) } else { Err(RenderHeaderError::Sensitive) };
    }
    if RESERVED.contains(&name) || HeaderKind::of(name) != HeaderKind::EndToEnd {
        Err(RenderHeaderError::Reserved)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused_and_sensitive_names_unless_they_are_allowed() {
        for name in ["accept", "user-agent", "accept-language", "x-forwarded-host", "referer", "content-type"] {
            assert_eq!(check_render_name(name, &[]), Ok(()), "{name}");
        }
        for name in [
            "host",
            "connection",
            "transfer-encoding",
            "upgrade",
            "content-length",
            "cache-control",
            "if-none-match",
            "range",
            "accept-encoding",
            "cdn-loop",
            "x-isr-render",
            "x-isr-anything",
            "x-middleware-subrequest",
        ] {
            assert_eq!(check_render_name(name, &[]), Err(RenderHeaderError::Reserved), "{name}");
        }
        for name in SENSITIVE_HEADERS {
            assert_eq!(check_render_name(name, &[]), Err(RenderHeaderError::Sensitive), "{name}");
            assert_eq!(check_render_name(name, &[name]), Ok(()), "{name}");
        }
        assert_eq!(check_render_name("a b", &[]), Err(RenderHeaderError::NotAName));
    }

    #[test]
    fn a_value_is_one_line_of_ascii() {
        for (text, error) in [
            ("", RenderHeaderError::Empty),
            ("a\r\nX-Other: 1", RenderHeaderError::Character('\r')),
            ("a\n", RenderHeaderError::Character('\n')),
            ("a\t", RenderHeaderError::Character('\t')),
            ("ä", RenderHeaderError::Character('ä')),
            (" a", RenderHeaderError::Character(' ')),
            ("a ", RenderHeaderError::Character(' ')),
            (&"a".repeat(1025), RenderHeaderError::TooLong(1025)),
        ] {
            assert_eq!(RenderValue::text(text), Err(error), "{text:?}");
        }
        assert!(check_render_value("off, please").is_ok() && check_render_value(&"a".repeat(1024)).is_ok());
        assert_eq!(RenderValue::secret("not a name"), Err(RenderHeaderError::NeitherTextNorSecret));
    }
}
