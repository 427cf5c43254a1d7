//! Cookies that identify a visitor: a request with one of them passes to the origin.

use thiserror::Error;

use crate::semantics::headers::is_token;

/// The longest name or prefix of a cookie, in bytes.
pub const MAX_COOKIE_NAME_BYTES: usize = 128;

/// The name of a cookie, or, with `*` at the end, the beginning of names. `*` alone stands for every cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookiePattern(String);

/// A text that is not a [`CookiePattern`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is neither the name of a cookie nor the beginning of names with `*` at its end")]
pub struct NotACookiePattern;

impl CookiePattern {
    /// Parses a name or a beginning (RFC 6265 §4.1.1).
    ///
    /// # Errors
    /// [`NotACookiePattern`].
    pub fn parse(text: &str) -> Result<Self, NotACookiePattern> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let is_valid = (name.is_empty() && !text.is_empty()) || (is_token(name) && !name.contains('*'));
        if is_valid && name.len() <= MAX_COOKIE_NAME_BYTES { Ok(Self(text.to_owned())) } else { Err(NotACookiePattern) }
    }

    /// Returns the text in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name, or the beginning of names: a text that every matching `Cookie` contains.
    #[must_use]
    pub fn literal(&self) -> &str {
        self.0.strip_suffix('*').unwrap_or(&self.0)
    }

    /// Returns whether a cookie of this name is one that the pattern stands for.
    fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }
}

/// The setting `bypass_cookies` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BypassCookies(Vec<CookiePattern>);

impl BypassCookies {
    /// Makes the setting of patterns.
    #[must_use]
    pub fn new(patterns: Vec<CookiePattern>) -> Self {
        Self(patterns)
    }

    /// Returns whether no cookie matters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over the patterns.
    pub fn iter(&self) -> impl Iterator<Item = &CookiePattern> {
        self.0.iter()
    }

    /// Returns whether a `Cookie` has one of the cookies, whatever its value. A cookie without `=` counts by its text.
    /// A comma separates as well: servers that join two `Cookie` fields write one.
    #[must_use]
    pub fn are_in(&self, cookie: &str) -> bool {
        let mut names = cookie.split([';', ',']).map(|pair| pair.split('=').next().unwrap_or_default().trim());
        names.any(|name| !name.is_empty() && self.0.iter().any(|pattern| pattern.matches(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(patterns: &[&str]) -> BypassCookies {
        BypassCookies::new(patterns.iter().map(|text| CookiePattern::parse(text).unwrap()).collect())
    }

    #[test]
    fn a_cookie_is_found_by_its_name_or_its_beginning() {
        let cookies = cookies(&["wordpress_logged_in_*", "sessionid"]);
        for (sent, is_found) in [
            ("", false),
            ("_ga=GA1.1; theme=dark", false),
            ("sessionid=abc", true),
            ("_ga=1; sessionid=abc", true),
            ("_ga=1;sessionid=", true),
            ("sessionid", true),
            ("_ga=1, sessionid=abc", true),
            ("sessionid2=abc; mysessionid=abc; SESSIONID=abc", false),
            ("theme=sessionid; x=sessionid", false),
            ("wordpress_logged_in_0f3a=admin", true),
            ("wordpress_logged_in_=", true),
            ("wordpress_test_cookie=wordpress_logged_in_1", false),
            ("; ;=;", false),
        ] {
            assert_eq!(cookies.are_in(sent), is_found, "{sent}");
            // The short path compares with less care, and must not find less.
            let is_contained = cookies.iter().any(|pattern| sent.contains(pattern.literal()));
            assert!(is_contained || !is_found, "{sent}");
        }
        assert!(BypassCookies::default().is_empty() && !BypassCookies::default().are_in("a=1"));
        let any = BypassCookies::new(vec![CookiePattern::parse("*").unwrap()]);
        assert!(any.are_in("a=1") && !any.are_in(""));
    }

    #[test]
    fn a_pattern_is_checked() {
        let longest = "x".repeat(MAX_COOKIE_NAME_BYTES);
        for good in ["sessionid", "__Host-session", "wp*", "*", longest.as_str()] {
            assert_eq!(CookiePattern::parse(good).map(|pattern| pattern.0), Ok(good.to_owned()));
        }
        for wrong in ["", "a=b", "a b", "a;", "*a", "a*b", "**", "grün", &"x".repeat(MAX_COOKIE_NAME_BYTES + 1)] {
            assert_eq!(CookiePattern::parse(wrong), Err(NotACookiePattern), "{wrong}");
        }
    }
}
