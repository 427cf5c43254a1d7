//! The name of a page: its canonical URL, and its variant.
//!
//! The key contains everything that a render may depend on, and the render's request is made of the key: nothing else
//! reaches the origin. So a key can't stand for two different pages.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use url::Url;

use crate::semantics::vary::Variant;
use crate::text::text_conversions;

/// The longest key, in bytes. A longer one is not cached.
pub const MAX_KEY_BYTES: usize = 4096;

/// The longest name of a KV entry, in bytes (platform limit).
const MAX_KV_NAME_BYTES: usize = 512;

/// The query parameters that are part of a page's name. The origin does not get the others when the page is rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryPolicy {
    /// The parameters with these names after percent-decoding. Empty: none.
    Only(BTreeSet<String>),
    /// Every parameter. Then every client can create new pages.
    All,
    /// Every parameter except those that match one of the patterns: a name, or a prefix with `*` at its end.
    AllBut(Vec<String>),
    /// None, and only those that match one of the patterns make no difference. A URL with any other has no key: the page
    /// may depend on it.
    NoneBesides(Vec<String>),
}

/// The parameter with which Next.js requests the data of a page instead of the page. Its values are made up for caches that
/// do not know `Vary`, and there are many of them for each page. Where all parameters count, a URL with it has no key.
const RSC_PARAMETER: &str = "_rsc";

/// Parameters that record where a visitor comes from and that never change what a page shows.
pub const TRACKING_PARAMETERS: [&str; 18] = [
    "utm_*",
    "gclid",
    "gclsrc",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "mc_cid",
    "mc_eid",
    "igshid",
    "_ga",
    "_gl",
    "srsltid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "yclid",
];

/// Returns whether a parameter has one of these names, or begins with one that has `*` at its end.
fn matches(name: &str, patterns: &[impl AsRef<str>]) -> bool {
    patterns.iter().map(AsRef::as_ref).any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    })
}

impl QueryPolicy {
    /// Returns whether a parameter is part of a page's key.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(name),
            Self::All => true,
            Self::AllBut(patterns) => name != RSC_PARAMETER && !matches(name, patterns),
            Self::NoneBesides(_) => false,
        }
    }

    /// Returns whether a URL with this parameter has a key.
    fn has_key_with(&self, name: &str) -> bool {
        match self {
            Self::Only(_) | Self::All => true,
            Self::AllBut(patterns) => name != RSC_PARAMETER || matches(name, patterns),
            Self::NoneBesides(patterns) => matches(name, patterns),
        }
    }

    /// Returns whether the parameters in a key keep the order that the client wrote. Where a route names its parameters,
    /// it declares that their order makes no difference.
    fn keeps_order(&self) -> bool {
        matches!(self, Self::All | Self::AllBut(_))
    }
}

impl Default for QueryPolicy {
    fn default() -> Self {
        Self::Only(BTreeSet::new())
    }
}

/// The meaning of a slash at the end of a path.
///
/// ```
/// use cloudflare_isr::{Builder, TrailingSlash};
///
/// let settings = Builder::default().trailing_slash(TrailingSlash::Redirect);
/// assert_eq!(TrailingSlash::parse("redirect"), Some(TrailingSlash::Redirect));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailingSlash {
    /// None: it is not part of the key, and does not reach the origin.
    Strip,
    /// The path with the slash is another page.
    Keep,
    /// None, but clients are redirected to the path without it (308).
    Redirect,
}

impl TrailingSlash {
    /// The default of the configuration.
    #[doc(hidden)]
    pub const DEFAULT: Self = Self::Keep;

    /// All meanings.
    pub const ALL: [Self; 3] = [Self::Strip, Self::Keep, Self::Redirect];

    /// The words in the configuration.
    #[doc(hidden)]
    pub const WORDS: [&'static str; 3] = [Self::Strip.as_str(), Self::Keep.as_str(), Self::Redirect.as_str()];

    /// Returns the word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Keep => "keep",
            Self::Redirect => "redirect",
        }
    }

    /// Parses the result of [`Self::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slash| slash.as_str() == word)
    }
}

impl Default for TrailingSlash {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl AsRef<str> for TrailingSlash {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Why a URL has no key. The request then passes to the origin uncached.
///
/// ```
/// use cloudflare_isr::{CanonicalPath, KeyError};
///
/// assert_eq!(CanonicalPath::parse("blog"), Err(KeyError::NotAUrl));
/// assert_eq!(CanonicalPath::parse("/%zz"), Err(KeyError::Encoding));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The text is not an absolute `http` or `https` URL with a host.
    #[error("not an absolute http(s) URL")]
    NotAUrl,
    /// The path has a `%` that is not followed by two hexadecimal digits, or an encoded NUL.
    #[error("a percent-encoding is malformed, or does not encode UTF-8 in the query")]
    Encoding,
    /// The key is above [`MAX_KEY_BYTES`].
    #[error("the URL is too long to be cached")]
    TooLong,
    /// The query has a parameter on which the page may depend, and which the route does not name.
    #[error("the query has a parameter that the route does not name")]
    Query,
}

impl KeyError {
    /// Returns the message for a caller that has given only a path.
    #[must_use]
    #[doc(hidden)]
    pub fn of_path(self) -> String {
        match self {
            Self::NotAUrl => "it must begin with `/`, as \"/blog/hello\" does".to_owned(),
            Self::Encoding | Self::TooLong | Self::Query => self.to_string(),
        }
    }
}

/// A canonical path: begins with `/`, has no dot segments, no repeated or trailing slash, and exactly one spelling of
/// each percent-encoding (RFC 3986 §6.2.2): unreserved characters are not encoded, hexadecimal digits are upper case,
/// and all other characters except delimiters are encoded.
///
/// ```
/// use cloudflare_isr::CanonicalPath;
///
/// assert_eq!(CanonicalPath::parse("/blog//./%7Ehello/")?.as_str(), "/blog/~hello");
/// # Ok::<(), cloudflare_isr::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CanonicalPath(String);

text_conversions!(CanonicalPath, KeyError, CanonicalPath::parse, |path| path.0);

impl Borrow<str> for CanonicalPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl CanonicalPath {
    /// Converts the path of a URL to its canonical spelling. An encoded slash stays encoded: it does not separate
    /// segments.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] for a broken percent-encoding or an encoded NUL, [`KeyError::NotAUrl`] if the path does
    /// not begin with `/`, [`KeyError::TooLong`] above [`MAX_KEY_BYTES`], before or after.
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

/// Normalises one segment. Borrows canonical ones, which are the most frequent.
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

/// A parsed URL, before its route is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUrl {
    origin: String,
    host: String,
    path: CanonicalPath,
    slash: bool,
    query: String,
}

impl RequestUrl {
    /// Parses the URL of a request.
    ///
    /// # Errors
    /// A [`KeyError`] with the reason why the request can't be cached.
    pub fn parse(url: &str) -> Result<Self, KeyError> {
        let url = Url::parse(url).map_err(|_| KeyError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(KeyError::NotAUrl);
        }
        let path = CanonicalPath::parse(url.path())?;
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            host: url.host_str().unwrap_or_default().to_owned(),
            slash: url.path().ends_with('/') && path.as_str() != "/",
            path,
            query: url.query().unwrap_or_default().to_owned(),
        })
    }

    /// Returns the canonical path, by which a route is found.
    #[must_use]
    pub fn path(&self) -> &CanonicalPath {
        &self.path
    }

    /// Returns the host, in lower case and ASCII, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether the path has a trailing slash and is more than that.
    #[must_use]
    pub fn has_trailing_slash(&self) -> bool {
        self.slash
    }

    /// Returns the canonical path with the unchanged query: the target of a redirect that removes a trailing slash. It
    /// never begins with two slashes, so it does not lead to another host.
    #[must_use]
    pub fn without_slash(&self) -> String {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        format!("{}{query}", self.path.as_str())
    }

    /// Builds the key of the page without variants: `<origin><path>[?<query>]`, the query reduced to what `policy`
    /// allows. Parameters keep their spelling, but for percent-encodings that mean the same (RFC 3986 §6.2.2): the origin
    /// may distinguish `?a` from `?a=`, and `+` from `%20`. They are sorted by name if the route names them; equal names
    /// keep their order.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] above [`MAX_KEY_BYTES`], [`KeyError::Encoding`] for a parameter that is not UTF-8,
    /// [`KeyError::Query`] for one that the page may depend on and that the route does not name.
    pub fn key(
        &self,
        canonical_origin: Option<&str>,
        policy: &QueryPolicy,
        trailing_slash: TrailingSlash,
    ) -> Result<PageKey, KeyError> {
        let mut parameters: Vec<Parameter<'_>> = Vec::new();
        for parameter in self.parameters() {
            if policy.allows(&parameter.name) {
                parameter.check()?;
                parameters.push(parameter);
            } else if !policy.has_key_with(&parameter.name) {
                return Err(KeyError::Query);
            }
        }
        if !policy.keeps_order() {
            parameters.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let mut text = String::from(canonical_origin.unwrap_or(&self.origin));
        text.push_str(self.path.as_str());
        if self.slash && trailing_slash == TrailingSlash::Keep {
            text.push('/');
        }
        for (index, parameter) in parameters.iter().enumerate() {
            text.push(if index == 0 { '?' } else { '&' });
            text.push_str(&spelling(parameter.written));
        }
        if text.len() > MAX_KEY_BYTES { Err(KeyError::TooLong) } else { Ok(PageKey(text)) }
    }

    /// Returns the parameters that are not part of the key, as the client wrote them.
    #[must_use]
    pub fn rest(&self, policy: &QueryPolicy) -> String {
        let rest = self.parameters().filter(|parameter| !policy.allows(&parameter.name));
        rest.map(|parameter| parameter.written).collect::<Vec<_>>().join("&")
    }

    /// Returns whether a parameter on which the response may depend is not part of the key.
    #[must_use]
    pub fn has_more_than_key(&self, policy: &QueryPolicy) -> bool {
        self.parameters()
            .any(|parameter| !policy.allows(&parameter.name) && !matches(&parameter.name, &TRACKING_PARAMETERS))
    }

    fn parameters(&self) -> impl Iterator<Item = Parameter<'_>> {
        parameters(&self.query)
    }
}

/// A parameter of a query.
struct Parameter<'a> {
    /// As the client wrote it, with its value.
    written: &'a str,
    /// The decoded name.
    name: Cow<'a, str>,
    /// The decoded value.
    value: Cow<'a, str>,
}

impl Parameter<'_> {
    /// Bytes that are not UTF-8 all decode to the same character: such values are indistinguishable for many programs.
    fn check(&self) -> Result<(), KeyError> {
        let is_broken = |text: &str| text.contains(char::REPLACEMENT_CHARACTER);
        if is_broken(&self.name) || is_broken(&self.value) { Err(KeyError::Encoding) } else { Ok(()) }
    }
}

/// Splits a query (WHATWG URL, "application/x-www-form-urlencoded parsing").
fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    query.split('&').filter_map(|written| {
        let (name, value) = url::form_urlencoded::parse(written.as_bytes()).next()?;
        Some(Parameter { written, name, value })
    })
}

/// Returns the one spelling of a parameter (RFC 3986 §6.2.2): unreserved characters are not encoded, and hexadecimal
/// digits are in upper case. A parameter with a malformed encoding stays as it is: what it means is not defined.
fn spelling(written: &str) -> Cow<'_, str> {
    if !written.contains('%') {
        return Cow::Borrowed(written);
    }
    let mut pieces = written.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let encoded = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(byte) = encoded.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Cow::Borrowed(written);
        };
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            out.push_str(&piece[..2].to_ascii_uppercase());
        }
        out.push_str(&piece[2..]);
    }
    Cow::Owned(out)
}

/// The name of a page: a canonical URL, which is also the URL of the render; then, if its route has variants, `#` and
/// the [`Variant`]. No URL that reaches a server has a fragment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageKey(String);

text_conversions!(PageKey, KeyError, PageKey::from_stored, |key| key.0);

impl PageKey {
    /// Accepts a key that was made by [`RequestUrl::key`] and has been stored or sent since. It is not normalised
    /// again: its spelling at that time is its name.
    ///
    /// # Errors
    /// [`KeyError`] if the text can't have been made there.
    pub fn from_stored(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(KeyError::NotAUrl)?;
        match rest.find(['/', '?', '#']) {
            Some(host_bytes)
                if host_bytes > 0 && rest[host_bytes..].starts_with('/') && text.len() <= MAX_KEY_BYTES =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(KeyError::NotAUrl),
        }
    }

    /// Names a variant of this page.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] above [`MAX_KEY_BYTES`].
    pub fn with_variant(self, variant: &Variant) -> Result<Self, KeyError> {
        if variant.is_empty() {
            return Ok(self);
        }
        let text = format!("{}#{}", self.url(), variant.to_text());
        if text.len() > MAX_KEY_BYTES { Err(KeyError::TooLong) } else { Ok(Self(text)) }
    }

    /// Returns the whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the canonical URL, which is the URL of the render.
    #[must_use]
    pub fn url(&self) -> &str {
        self.0.split_once('#').map_or(&self.0, |(url, _)| url)
    }

    /// Returns the variant.
    #[must_use]
    pub fn variant(&self) -> Variant {
        self.0.split_once('#').map(|(_, variant)| Variant::from_text(variant)).unwrap_or_default()
    }

    /// Returns the URL of the page in the Cache API. The Cache API ignores a fragment, so a variant gets a host of its
    /// own that no one owns.
    #[must_use]
    pub fn cache_url(&self) -> Cow<'_, str> {
        if !self.0.contains('#') {
            return Cow::Borrowed(&self.0);
        }
        let name: String = url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        Cow::Owned(format!("https://variants.cloudflare-isr.invalid/?{name}"))
    }

    /// Returns the canonical path, which all keys of one page share: without a trailing slash.
    #[must_use]
    pub fn path(&self) -> &str {
        let url = self.url();
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let begin = url[after_scheme..].find('/').map_or(url.len(), |at| after_scheme + at);
        let end = url[begin..].find('?').map_or(url.len(), |at| begin + at);
        let path = &url[begin..end];
        path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
    }

    /// Returns the name of the page in KV: the key itself, or, if that is longer than 512 bytes, its SHA-256 as
    /// `sha256:<hex>`. The value contains the full key, which is compared when it is read.
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
        RequestUrl::parse(url)
            .and_then(|url| url.key(None, policy, TrailingSlash::Strip))
            .map_or_else(|e| format!("{e:?}"), |key| key.0)
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
        let besides = QueryPolicy::NoneBesides(["utm_*".into(), "gclid".into()].into());
        let all_but = QueryPolicy::AllBut(vec!["utm_*".into()]);
        for (url, policy, expected) in [
            ("https://Example.com:443/a/?x=1#frag", &none, "https://example.com/a"),
            ("http://example.com:8787/a?page=2&utm=1", &some, "http://example.com:8787/a?page=2"),
            ("https://e.com/?q=b&page=2&q=a", &some, "https://e.com/?page=2&q=b&q=a"),
            ("https://e.com/?b=%20+&a", &QueryPolicy::All, "https://e.com/?b=%20+&a"),
            ("https://e.com/?a=&b=2&&a", &QueryPolicy::All, "https://e.com/?a=&b=2&a"),
            ("https://e.com/?q=%61%7e%2f%c3%bc", &QueryPolicy::All, "https://e.com/?q=a~%2F%C3%BC"),
            ("https://e.com/?q=100%&p=%%61", &QueryPolicy::All, "https://e.com/?q=100%&p=%%61"),
            ("https://e.com/?q=%E4%B&p=1", &QueryPolicy::All, "Encoding"),
            ("https://e.com/?utm_x=1&gclid", &besides, "https://e.com/"),
            ("https://e.com/?utm_x=1&q", &besides, "Query"),
            ("https://e.com/?%75tm_x=1&&", &besides, "https://e.com/"),
            ("https://e.com/?q=1&_rsc=1ab", &all_but, "Query"),
            ("https://e.com/?q=1&x_rsc=1&_rsc2", &all_but, "https://e.com/?q=1&x_rsc=1&_rsc2"),
            ("https://e.com/?q=1&_rsc=1ab", &QueryPolicy::AllBut(vec!["_rsc".into()]), "https://e.com/?q=1"),
            ("https://e.com/?q=1&_rsc=1ab", &besides, "Query"),
            ("https://e.com/?q=1&_rsc=1ab", &some, "https://e.com/?q=1"),
            ("https://e.com/?q=a%26b%3D", &some, "https://e.com/?q=a%26b%3D"),
            ("https://e.com/?q=%FF", &some, "Encoding"),
            ("https://e.com/?x=%FF", &some, "https://e.com/"),
            ("ftp://e.com/", &none, "NotAUrl"),
        ] {
            assert_eq!(key(url, policy), expected, "{url}");
        }
        let url = RequestUrl::parse("https://evil.example/a").unwrap();
        assert_eq!(
            url.key(Some("https://good.example"), &none, TrailingSlash::Strip).unwrap().as_str(),
            "https://good.example/a"
        );
        assert_eq!(key(&format!("https://e.com/{}", "a".repeat(MAX_KEY_BYTES)), &none), "TooLong");
    }

    #[test]
    fn parameters_besides_the_key_are_known() {
        let some = QueryPolicy::Only(["page".into()].into());
        for (url, rest, has_more) in [
            ("https://e.com/?page=2", "", false),
            ("https://e.com/?utm_source=a%20b&page=2&gclid", "utm_source=a%20b&gclid", false),
            ("https://e.com/?page=2&x=%2F&&y", "x=%2F&y", true),
        ] {
            let url = RequestUrl::parse(url).unwrap();
            assert_eq!((url.rest(&some).as_str(), url.has_more_than_key(&some)), (rest, has_more));
        }
    }

    #[test]
    fn a_slash_at_the_end_means_what_the_route_says() {
        let key =
            |url: &str, slash| RequestUrl::parse(url).and_then(|url| url.key(None, &QueryPolicy::All, slash)).unwrap();
        for (url, stripped, kept) in [
            ("https://e.com/", "https://e.com/", "https://e.com/"),
            ("https://e.com//", "https://e.com/", "https://e.com/"),
            ("https://e.com/a/?x", "https://e.com/a?x", "https://e.com/a/?x"),
            ("https://e.com/a//", "https://e.com/a", "https://e.com/a/"),
            ("https://e.com/a/%2e/", "https://e.com/a", "https://e.com/a/"),
            ("https://e.com/a", "https://e.com/a", "https://e.com/a"),
        ] {
            assert_eq!(key(url, TrailingSlash::Strip).as_str(), stripped);
            assert_eq!(key(url, TrailingSlash::Redirect).as_str(), stripped);
            let kept_key = key(url, TrailingSlash::Keep);
            assert_eq!((kept_key.as_str(), kept_key.path()), (kept, key(url, TrailingSlash::Strip).path()));
        }
        for (url, slash, to) in [
            ("https://e.com/a/?x=%20", true, "/a?x=%20"),
            ("https://e.com//evil.example//", true, "/evil.example"),
            ("https://e.com/\\evil.example/", true, "/evil.example"),
            ("https://e.com/", false, "/"),
        ] {
            let url = RequestUrl::parse(url).unwrap();
            assert_eq!((url.has_trailing_slash(), url.without_slash().as_str()), (slash, to));
        }
    }

    #[test]
    fn a_variant_is_part_of_the_key_but_not_of_the_url() {
        let page = PageKey::from_stored("https://e.com/a?x=1").unwrap();
        let variant = Variant::from_text("language=de&cookie.theme=dark%23%3F");
        let key = page.clone().with_variant(&variant).unwrap();
        assert_eq!(key.as_str(), "https://e.com/a?x=1#language=de&cookie.theme=dark%23%3F");
        assert_eq!((key.url(), key.path(), key.variant()), (page.as_str(), "/a", variant));
        assert_eq!(page.clone().with_variant(&Variant::default()), Ok(page.clone()));
        assert_eq!((page.variant(), page.cache_url().as_ref()), (Variant::default(), page.as_str()));
        let other = page.with_variant(&Variant::from_text("language=en")).unwrap();
        assert_ne!(key.cache_url(), other.cache_url());
        assert!(!key.cache_url().contains('#') && Url::parse(&key.cache_url()).is_ok());
        assert_eq!(PageKey::from_stored(key.as_str()), Ok(key));
        for wrong in ["https://e.com#language=de", "https://#https://e.com/", "https://e.com?x=/", "https:///a"] {
            assert_eq!(PageKey::from_stored(wrong), Err(KeyError::NotAUrl), "{wrong}");
        }
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
        /// The key determines the page, so two pages never have one key.
        #[test]
        fn a_key_says_all_that_it_stands_for(
            path in "(/[a-z%/.#?ü]{0,6}){1,3}",
            pairs in prop::collection::vec(("[a-c=&%+#ü]{0,4}", "[a-c=&%+#ü /]{0,4}"), 0..4),
            slash in prop::sample::select(vec![TrailingSlash::Strip, TrailingSlash::Keep]),
            values in prop::collection::vec(("cookie\\.[a-z=&#]{1,4}", "[a-z=&#%? ]{1,4}"), 0..3),
        ) {
            let mut url = Url::parse("https://e.com/").unwrap();
            url.set_path(&path);
            url.query_pairs_mut().extend_pairs(&pairs);
            let variant = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&values).finish();
            let variant = Variant::from_text(&variant);
            let Ok(parsed) = RequestUrl::parse(url.as_str()) else { return Ok(()) };
            let Ok(key) = parsed.key(None, &QueryPolicy::All, slash).and_then(|key| key.with_variant(&variant)) else {
                return Ok(());
            };
            let read = Url::parse(key.url()).unwrap();
            prop_assert_eq!(read.query_pairs().into_owned().collect::<Vec<_>>(), pairs);
            let kept = slash == TrailingSlash::Keep && parsed.has_trailing_slash();
            prop_assert_eq!(read.path(), format!("{}{}", parsed.path().as_str(), if kept { "/" } else { "" }));
            prop_assert_eq!((key.path(), key.variant()), (parsed.path().as_str(), variant));
        }

        #[test]
        fn normalising_twice_changes_nothing(path in "/[a-zA-Z0-9%./|ü -]{0,40}") {
            if let Ok(once) = CanonicalPath::parse(&path) {
                prop_assert_eq!(CanonicalPath::parse(once.as_str()), Ok(once));
            }
        }

        #[test]
        fn a_key_is_its_own_key(path in "[a-z%/.ü]{0,20}", query in "[a-c=&%+ü]{0,20}") {
            if let Ok(key) = RequestUrl::parse(&format!("https://e.com/{path}?{query}")).and_then(|u| u.key(None, &QueryPolicy::All, TrailingSlash::Keep)) {
                let again = RequestUrl::parse(key.as_str()).and_then(|url| url.key(None, &QueryPolicy::All, TrailingSlash::Keep));
                prop_assert_eq!(&again, &Ok(key.clone()));
                prop_assert_eq!(PageKey::from_stored(key.as_str()), Ok(key));
            }
        }
    }
}
