//! Where the pages of a route are rendered.

use thiserror::Error;

use super::url::{OriginUrl, UrlError};

/// The longest name of a binding or a secret, in characters.
pub const MAX_BINDING_NAME_CHARS: usize = 64;

/// The word for the Worker of the cache itself. No binding can have this name.
pub const SELF_ORIGIN: &str = "self";

/// The origin behind the cache: a server, or a Worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A server.
    Url(OriginUrl),
    /// A Worker, reached by a service binding.
    Service(ServiceName),
    /// The Worker of the cache itself: its default entrypoint renders pages with its own handler. Written as `"self"`.
    Own,
}

impl Origin {
    /// Parses a URL, `self`, or the name of a service binding. A text with `:`, `.` or `/` in it is parsed as a URL.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text == SELF_ORIGIN {
            return Ok(Self::Own);
        }
        if text.contains([':', '.', '/']) {
            return Ok(Self::Url(OriginUrl::parse(text)?));
        }
        if is_binding_name(text) {
            Ok(Self::Service(ServiceName(text.to_owned())))
        } else {
            Err(OriginError::NeitherUrlNorName)
        }
    }
}

impl Origin {
    /// Returns the text in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Url(url) => url.as_str(),
            Self::Service(name) => name.as_str(),
            Self::Own => SELF_ORIGIN,
        }
    }
}

/// The name of a service binding: a JavaScript identifier in ASCII, at most [`MAX_BINDING_NAME_CHARS`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl ServiceName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns whether a binding or a secret can have this name.
pub(super) fn is_binding_name(text: &str) -> bool {
    let begins_well = text.chars().next().is_some_and(|c| !c.is_ascii_digit());
    begins_well && text.len() <= MAX_BINDING_NAME_CHARS && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Describes why a text is not an [`Origin`]. The description follows the text in a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The text is meant as a URL, but is not one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The text is neither a URL nor the name of a service binding.
    #[error("is neither a URL nor the name of a service binding")]
    NeitherUrlNorName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_url_or_the_name_of_a_binding() {
        let url = OriginUrl::parse("https://shop.example.com/base").unwrap();
        assert_eq!(Origin::parse("https://shop.example.com/base/"), Ok(Origin::Url(url)));
        assert_eq!(Origin::parse("SHOP_ORIGIN"), Ok(Origin::Service(ServiceName("SHOP_ORIGIN".to_owned()))));
        assert_eq!(Origin::parse("self"), Ok(Origin::Own));
        for (text, error) in [
            ("shop.example.com", OriginError::Url(UrlError::Scheme)),
            ("ftp://a.b", OriginError::Url(UrlError::Scheme)),
            ("", OriginError::NeitherUrlNorName),
            ("2ND", OriginError::NeitherUrlNorName),
            ("SHOP ORIGIN", OriginError::NeitherUrlNorName),
            ("SHÖP", OriginError::NeitherUrlNorName),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text}");
        }
        assert_eq!(Origin::parse(&"A".repeat(65)), Err(OriginError::NeitherUrlNorName));
    }
}
