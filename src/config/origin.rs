//! Where the site of a configuration, or of one of its routes, is to be found.

use super::error::Flaw;
use super::url::SiteUrl;

/// The longest name of a binding, in characters.
const MAX_BINDING_CHARS: usize = 64;

/// The word for the Worker of the cache itself, which no binding can have as its name.
const OWN: &str = "self";

/// The site behind the cache: a server, or a Worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A server.
    Url(SiteUrl),
    /// A Worker, by service binding.
    Service(ServiceName),
    /// The Worker of the cache itself: its default entrypoint answers renders by a handler of its own. Written `"self"`.
    Own,
}

/// The name of a service binding: an identifier of JavaScript in ASCII, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(String);

impl Origin {
    /// Parses a URL, `self`, or the name of a service binding: what has neither `:` nor `.` nor `/` in it is a name.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text == OWN {
            return Ok(Self::Own);
        }
        if text.contains([':', '.', '/']) {
            return SiteUrl::parse(text).map(Self::Url);
        }
        if is_binding_name(text) { Ok(Self::Service(ServiceName(text.to_owned()))) } else { Err(Flaw::NotASite) }
    }
}

/// Tells whether a binding or a secret may have this name: an identifier of JavaScript in ASCII, at most 64 characters.
pub(super) fn is_binding_name(text: &str) -> bool {
    let begins_well = text.chars().next().is_some_and(|c| !c.is_ascii_digit());
    begins_well && text.len() <= MAX_BINDING_CHARS && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl ServiceName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_or_the_name_of_a_binding() {
        let url = SiteUrl::parse("https://shop.example.com/base").unwrap();
        assert_eq!(Origin::parse("https://shop.example.com/base/"), Ok(Origin::Url(url)));
        assert_eq!(Origin::parse("SHOP_ORIGIN"), Ok(Origin::Service(ServiceName("SHOP_ORIGIN".to_owned()))));
        assert_eq!(Origin::parse("self"), Ok(Origin::Own));
        for (text, flaw) in [
            ("shop.example.com", Flaw::Scheme),
            ("ftp://a.b", Flaw::Scheme),
            ("", Flaw::NotASite),
            ("2ND", Flaw::NotASite),
            ("SHOP ORIGIN", Flaw::NotASite),
            ("SHÖP", Flaw::NotASite),
        ] {
            assert_eq!(Origin::parse(text), Err(flaw), "{text}");
        }
        assert_eq!(Origin::parse(&"A".repeat(65)), Err(Flaw::NotASite));
    }
}
