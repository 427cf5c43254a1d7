//! The name of a page: its canonical URL.
//!
//! Everything that a render may depend on is in the key, and the render is asked for by the key: what is not in the
//! key does not reach the site. So a key can't stand for two different pages.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::Url;

/// The longest key, in bytes. A longer one is not cached.
pub const MAX_KEY_BYTES: usize = 4096;

/// The longest name of a KV entry, in bytes (platform limit).
const MAX_KV_NAME_BYTES: usize = 512;

/// Which query parameters are part of a page's name. The others do not reach the site when the page is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryPolicy {
    /// The parameters with these names, as they are after percent-decoding. Empty: none.
    Only(BTreeSet<String>),
    /// Every parameter. Whoever can ask for a page can then make up new pages.
    All,
}

impl QueryPolicy {
    /// Tells whether a parameter is part of a page's key.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(name),
            Self::All => true,
        }
    }
}

impl Default for QueryPolicy {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

/// Why a URL has no key. The request then passes to the site uncached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is not an absolute `http` or `https` URL with a host.
    #[error("not an absolute http(s) URL")]
    NotAUrl,
    /// The path has a `%` that is not followed by two hexadecimal digits, or an encoded NUL.
    #[error("a percent-encoding is malformed, or does not encode UTF-8 in the query")]
    Encoding,
    /// The key is over [`MAX_KEY_BYTES`].
    #[error("the URL is too long to be cached")]
    TooLong,
}

/// A canonical path: begins with `/`, has no dot segments, no repeated or trailing slash, and exactly one spelling of
/// each percent-encoding (RFC 3986 §6.2.2): unreserved characters stand for themselves, hexadecimal digits are upper
/// case, and what is neither unreserved nor a delimiter is encoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CanonicalPath(String);

impl TryFrom<String> for CanonicalPath {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<CanonicalPath> for String {
    fn from(path: CanonicalPath) -> Self {
        path.0
    }
}

impl Borrow<str> for CanonicalPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl CanonicalPath {
    /// Brings the path of a URL into its one spelling. An encoded slash stays encoded: it does not separate segments.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] for a broken percent-encoding or an encoded NUL, [`KeyError::NotAUrl`] if the path does
    /// not begin with `/`, [`KeyError::TooLong`] past [`MAX_KEY_BYTES`], before or after.
    pub fn parse(path: &str) -> Result<Self, KeyError> {
        if !path.starts_with('/') {
            return Err(KeyError::NotAUrl);
        }
        if path.len() > MAX_KEY_BYTES {
            return Err(KeyError::TooLong);
        }
        let mut segments: Vec<String> = Vec::new();
        for raw in path.split('/') {
            let segment = canonical_segment(raw)?;
            match segment.as_ref() {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                _ => segments.push(segment.into_owned()),
            }
        }
        let canonical = format!("/{}", segments.join("/"));
        // Encoding may have made it longer.
        if canonical.len() > MAX_KEY_BYTES { Err(KeyError::TooLong) } else { Ok(Self(canonical)) }
    }

    /// Returns the path's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Normalises one segment. Most are canonical already and are borrowed.
fn canonical_segment(raw: &str) -> Result<Cow<'_, str>, KeyError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b);
    if raw.bytes().all(plain) {
        return Ok(Cow::Borrowed(raw));
    }
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let mut out = String::with_capacity(raw.len() + 8);
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, keeps) = if byte == b'%' {
            let mut digit = || bytes.next().and_then(|d| (d as char).to_digit(16)).ok_or(KeyError::Encoding);
            let decoded = u8::try_from(digit()? * 16 + digit()?).map_err(|_| KeyError::Encoding)?;
            (decoded, unreserved(decoded))
        } else {
            (byte, plain(byte))
        };
        match byte {
            0 => return Err(KeyError::Encoding),
            byte if keeps => out.push(byte as char),
            byte => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.push('%');
                out.push(HEX[usize::from(byte >> 4)] as char);
                out.push(HEX[usize::from(byte & 15)] as char);
            }
        }
    }
    Ok(Cow::Owned(out))
}

/// A URL taken apart at the rim, before it is known which route it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUrl {
    origin: String,
    path: CanonicalPath,
    query: String,
}

impl RequestUrl {
    /// Parses the URL of a request.
    ///
    /// # Errors
    /// A [`KeyError`] says why such a request can't be cached.
    pub fn parse(url: &str) -> Result<Self, KeyError> {
        let url = Url::parse(url).map_err(|_| KeyError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(KeyError::NotAUrl);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            path: CanonicalPath::parse(url.path())?,
            query: url.query().unwrap_or_default().to_owned(),
        })
    }

    /// Returns the canonical path, by which a route is found.
    #[must_use]
    pub fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// Builds the key: `<origin><path>[?<query>]`, the query reduced to what `policy` allows and sorted by name
    /// (equal names keep their order).
    ///
    /// # Errors
    /// [`KeyError::TooLong`] past [`MAX_KEY_BYTES`], [`KeyError::Encoding`] for a parameter that is not UTF-8.
    pub fn key(&self, canonical_origin: Option<&str>, policy: &QueryPolicy) -> Result<PageKey, KeyError> {
        let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            url::form_urlencoded::parse(self.query.as_bytes()).filter(|(name, _)| policy.allows(name)).collect();
        // Bytes that are not UTF-8 all decode to the same character: such values can't be told apart.
        if pairs.iter().any(|(name, value)| {
            name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER)
        }) {
            return Err(KeyError::Encoding);
        }
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        let mut text = String::from(canonical_origin.unwrap_or(&self.origin));
        text.push_str(self.path.as_str());
        if !pairs.is_empty() {
            text.push('?');
            text = url::form_urlencoded::Serializer::for_suffix(text.clone(), text.len()).extend_pairs(pairs).finish();
        }
        if text.len() > MAX_KEY_BYTES { Err(KeyError::TooLong) } else { Ok(PageKey(text)) }
    }
}

/// The name of a page: a canonical URL, which is also what the site is asked for when the page is rendered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageKey(String);

impl TryFrom<String> for PageKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::from_stored(&text)
    }
}

impl From<PageKey> for String {
    fn from(key: PageKey) -> Self {
        key.0
    }
}

impl PageKey {
    /// Takes a key that was made by [`RequestUrl::key`] and has been kept or sent since. It is not brought into its
    /// canonical spelling again: that of the code which made it is its name.
    ///
    /// # Errors
    /// [`KeyError`] if the text can't have been made there.
    pub fn from_stored(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(KeyError::NotAUrl)?;
        match rest.find('/') {
            Some(host_bytes) if host_bytes > 0 && text.len() <= MAX_KEY_BYTES => Ok(Self(text.to_owned())),
            _ => Err(KeyError::NotAUrl),
        }
    }

    /// Returns the canonical URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the canonical path, shared by all keys of one page.
    #[must_use]
    pub fn path(&self) -> &str {
        let after_scheme = self.0.find("://").map_or(0, |at| at + 3);
        let begin = self.0[after_scheme..].find('/').map_or(self.0.len(), |at| after_scheme + at);
        let end = self.0[begin..].find('?').map_or(self.0.len(), |at| begin + at);
        &self.0[begin..end]
    }

    /// Returns the name of the page's entry in KV: the key itself, or, where that is over 512 bytes, its SHA-256 as
    /// `sha256:<hex>`. The full key is in the entry and is compared when it is read.
    #[must_use]
    pub fn kv_name(&self) -> String {
        if self.0.len() <= MAX_KV_NAME_BYTES {
            return self.0.clone();
        }
        let digest = Sha256::digest(self.0.as_bytes());
        digest.iter().fold(String::from("sha256:"), |mut name, byte| {
            use fmt::Write;
            // Writing to a String can't fail.
            let _ = write!(name, "{byte:02x}");
            name
        })
    }
}

impl fmt::Display for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(url: &str, policy: &QueryPolicy) -> String {
        RequestUrl::parse(url).and_then(|url| url.key(None, policy)).map_or_else(|e| format!("{e:?}"), |key| key.0)
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (path, canonical) in [
            ("/", "/"),
            ("//", "/"),
            ("/a/", "/a"),
            ("/a//b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/a/%2e%2E/c", "/c"),
            ("/../x", "/x"),
            ("/%61%7e", "/a~"),
            ("/%2f/%3F", "/%2F/%3F"),
            ("/a%2fb", "/a%2Fb"),
            ("/ü|\"", "/%C3%BC%7C%22"),
            ("/%c3%bc", "/%C3%BC"),
            ("/a:b@c;d=1", "/a:b@c;d=1"),
        ] {
            assert_eq!(CanonicalPath::parse(path), Ok(CanonicalPath(canonical.to_owned())), "{path}");
        }
        for (path, why) in [
            ("a", KeyError::NotAUrl),
            ("", KeyError::NotAUrl),
            ("/%", KeyError::Encoding),
            ("/%2", KeyError::Encoding),
            ("/%zz", KeyError::Encoding),
            ("/%00", KeyError::Encoding),
        ] {
            assert_eq!(CanonicalPath::parse(path), Err(why), "{path}");
        }
        let third = MAX_KEY_BYTES / 3;
        assert_eq!(
            CanonicalPath::parse(&format!("/{}", "|".repeat(third))).map(|path| path.0.len()),
            Ok(1 + 3 * third)
        );
        assert_eq!(CanonicalPath::parse(&format!("/{}", "|".repeat(third + 1))), Err(KeyError::TooLong));
    }

    #[test]
    fn a_key_holds_what_the_route_allows() {
        let none = QueryPolicy::default();
        let some = QueryPolicy::Only(["page".into(), "q".into()].into());
        for (url, policy, expected) in [
            ("https://Example.com:443/a/?x=1#frag", &none, "https://example.com/a"),
            ("http://example.com:8787/a?page=2&utm=1", &some, "http://example.com:8787/a?page=2"),
            ("https://e.com/?q=b&page=2&q=a", &some, "https://e.com/?page=2&q=b&q=a"),
            ("https://e.com/?b=%20+&a", &QueryPolicy::All, "https://e.com/?a=&b=++"),
            ("https://e.com/?q=a%26b%3D", &some, "https://e.com/?q=a%26b%3D"),
            ("https://e.com/?q=%FF", &some, "Encoding"),
            ("https://e.com/?x=%FF", &some, "https://e.com/"),
            ("ftp://e.com/", &none, "NotAUrl"),
        ] {
            assert_eq!(key(url, policy), expected, "{url}");
        }
        let url = RequestUrl::parse("https://evil.example/a").unwrap();
        assert_eq!(url.key(Some("https://good.example"), &none).unwrap().as_str(), "https://good.example/a");
        assert_eq!(key(&format!("https://e.com/{}", "a".repeat(MAX_KEY_BYTES)), &none), "TooLong");
    }

    #[test]
    fn a_long_key_has_a_short_name() {
        let path = |n: usize| PageKey(format!("https://e.com/{}", "a".repeat(n)));
        assert_eq!(path(498).kv_name(), path(498).0);
        let name = path(499).kv_name();
        assert_eq!((name.len(), name.starts_with("sha256:")), (7 + 64, true));
        assert_ne!(name, path(500).kv_name());
        assert_eq!(PageKey("https://e.com/a/b?x=/y".into()).path(), "/a/b");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(path in "/[a-zA-Z0-9%./|ü -]{0,40}") {
            if let Ok(once) = CanonicalPath::parse(&path) {
                prop_assert_eq!(CanonicalPath::parse(once.as_str()), Ok(once));
            }
        }

        #[test]
        fn a_key_is_its_own_key(path in "[a-z%/.ü]{0,20}", query in "[a-c=&%+ü]{0,20}") {
            if let Ok(key) = RequestUrl::parse(&format!("https://e.com/{path}?{query}")).and_then(|u| u.key(None, &QueryPolicy::All)) {
                let again = RequestUrl::parse(key.as_str()).and_then(|url| url.key(None, &QueryPolicy::All));
                prop_assert_eq!(&again, &Ok(key.clone()));
                prop_assert_eq!(PageKey::from_stored(key.as_str()), Ok(key));
            }
        }
    }
}
