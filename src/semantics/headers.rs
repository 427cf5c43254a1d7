//! Headers as a plain list, and how each is handled according to its name.
//!
//! | kind | stored page, to all clients | passed response, to one client | passed request, to the origin |
//! |---|---|---|---|
//! | [`HeaderKind::EndToEnd`] | yes | yes | yes |
//! | [`HeaderKind::Connection`], and names in `Connection` | no | no | no, except for an upgrade |
//! | [`HeaderKind::Personal`] | no | yes | yes |
//! | [`HeaderKind::Consumed`] | no | yes, except `Cache-Tag` | yes |
//! | [`HeaderKind::Coding`] | no, once the coding is undone | yes | yes |
//! | [`HeaderKind::Framework`] | yes | yes | no |
//! | [`HeaderKind::Internal`] | no | no | no |
//!
//! The request of a render has none of a client's headers. So headers that a client sends to mislead an origin
//! (`X-Forwarded-Host`, `X-Original-URL`, `X-HTTP-Method-Override` and so on) can't influence a stored page. In a
//! passed request they affect only that client's own response. Those that state host and scheme reach no origin by URL:
//! [`forwarded`](super::forwarded).

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most headers of a stored page.
pub const MAX_HEADERS: usize = 100;

/// The most bytes of one header's value in a stored page.
pub const MAX_VALUE_BYTES: usize = 16 * 1024;

/// The most bytes of all headers of a stored page, as [`HeaderList::byte_len`] counts them.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The prefix of this cache's own headers: values from outside are neither trusted nor passed on.
pub const INTERNAL_PREFIX: &str = "x-isr-";

/// Names that describe one connection, or are meant for the next proxy (RFC 9110 §7.6.1, RFC 9111 §3.1, RFC 7838 §3).
const CONNECTION: [&str; 11] = [
    "alt-svc",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names of personal response headers. The last is Next.js's: `Set-Cookie` on its way between parts.
const PERSONAL: [&str; 5] =
    ["set-cookie", "set-cookie2", "www-authenticate", "authentication-info", "x-middleware-set-cookie"];

/// Names that are meant for caches, and lengths and codings that are new in each response. The page's own values took
/// effect when it was rendered; this cache decides `Cache-Control` for the client.
const CONSUMED: [&str; 14] = [
    "age",
    "cache-control",
    "cache-status",
    "cache-tag",
    "cdn-cache-control",
    "cf-cache-status",
    "cloudflare-cdn-cache-control",
    "content-encoding",
    "content-length",
    "date",
    "expires",
    "pragma",
    "surrogate-control",
    "vary",
];

/// Digests of the coded bytes (RFC 9530 §2 and §3, and earlier headers): wrong once the coding is undone.
const CODING: [&str; 4] = ["content-digest", "content-md5", "digest", "repr-digest"];

/// Names by which parts of a framework communicate in requests. No client needs them, and an origin that trusts them
/// from outside skips its own checks (CVE-2025-29927), or mistakes a route for another (CVE-2024-46982).
const FRAMEWORK: [&str; 9] = [
    "x-matched-path",
    "x-middleware-next",
    "x-middleware-override-headers",
    "x-middleware-redirect",
    "x-middleware-rewrite",
    "x-middleware-skip",
    "x-middleware-subrequest",
    "x-middleware-subrequest-id",
    "x-now-route-matches",
];

/// Names and prefixes of the platform's data about the client. A client can't remove them by naming them in its
/// `Connection`, which may only name headers for the next recipient (RFC 9110 §7.6.1).
const NEVER_NOMINATED: [&str; 9] =
    ["authorization", "cdn-loop", "cf-", "cookie", "forwarded", "host", "true-client-ip", "x-forwarded-", "x-real-ip"];

/// The kind of a header, by its name. The table of this [module](self) says how each kind is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    /// Part of the message.
    EndToEnd,
    /// For one connection.
    Connection,
    /// For one client.
    Personal,
    /// For caches, or new in each response.
    Consumed,
    /// About the coded bytes.
    Coding,
    /// Between parts of a framework.
    Framework,
    /// This cache's own.
    Internal,
}

impl HeaderKind {
    /// Returns the kind of a header by its name, which must be in lower case.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            name if name.starts_with(INTERNAL_PREFIX) => Self::Internal,
            name if CONNECTION.contains(&name) => Self::Connection,
            name if PERSONAL.contains(&name) => Self::Personal,
            name if CONSUMED.contains(&name) => Self::Consumed,
            name if CODING.contains(&name) => Self::Coding,
            name if FRAMEWORK.contains(&name) => Self::Framework,
            _ => Self::EndToEnd,
        }
    }
}

/// Returns whether a text may be the name of a header or a cookie (`token`, RFC 9110 §5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// Headers in order, with names in lower case and repeated names kept apart.
///
/// A list from storage has valid names and values, so no value can end its line and begin another. A list from the
/// origin is checked by [`Self::check`] before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeaderList(#[serde(deserialize_with = "well_formed")] Vec<(String, String)>);

/// Why headers can't be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderFlaw {
    /// A name is not a token (RFC 9110 §5.6.2), or not in lower case.
    #[error("the name of a header is not a token in lower case")]
    Name,
    /// A value contains a control character (RFC 9110 §5.5).
    #[error("the value of a header has a control character in it")]
    Value,
    /// There are more than [`MAX_HEADERS`].
    #[error("{0} headers are more than {MAX_HEADERS}")]
    TooMany(usize),
    /// One value is above [`MAX_VALUE_BYTES`], or all headers are above [`MAX_HEADER_BYTES`].
    #[error("{0} bytes of headers are too many")]
    TooLarge(usize),
}

impl HeaderList {
    /// Collects headers; names are converted to lower case.
    #[must_use]
    pub fn from_pairs<N: AsRef<str>, V: Into<String> + Clone>(pairs: &[(N, V)]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.clone().into())).collect())
    }

    /// Adds a header at the end; the name must be in lower case.
    pub fn push(&mut self, name: String, value: String) {
        self.0.push((name, value));
    }

    /// Returns the first value of a name given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values of a name as one list (RFC 9110 §5.3).
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self.0.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect();
        if values.is_empty() { None } else { Some(values.join(", ")) }
    }

    /// Sets a header, whose name must be in lower case, or removes it. Drops all earlier values of the name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.0.retain(|(n, _)| n != name);
        self.0.extend(value.map(|value| (name.to_owned(), value)));
    }

    /// Iterates over all headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the bytes of all headers in HTTP/1.1, each with `: ` and the end of its line: many short ones count for
    /// more than their names and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + ": ".len() + value.len() + "\r\n".len()).sum()
    }

    /// Checks headers before they are stored: number, sizes, and valid names and values.
    ///
    /// # Errors
    /// Reports the first flaw.
    pub fn check(&self) -> Result<(), HeaderFlaw> {
        if self.0.len() > MAX_HEADERS {
            return Err(HeaderFlaw::TooMany(self.0.len()));
        }
        let longest = self.0.iter().map(|(_, value)| value.len()).max().unwrap_or_default();
        if longest > MAX_VALUE_BYTES || self.byte_len() > MAX_HEADER_BYTES {
            return Err(HeaderFlaw::TooLarge(self.byte_len()));
        }
        check_form(&self.0)
    }

    /// Keeps the headers that may be stored and shared. Drops personal, connection, internal and consumed headers,
    /// those that `Connection` names (RFC 9110 §7.6.1), and those that are true only of the coded bytes.
    #[must_use]
    pub fn for_sharing(&self) -> Self {
        let was_coded = self.get("content-encoding").is_some_and(|coding| coding != "identity");
        let nominated = self.nominated();
        let kept = |name: &str| match HeaderKind::of(name) {
            HeaderKind::EndToEnd | HeaderKind::Framework => !nominated.iter().any(|nominated| nominated == name),
            HeaderKind::Coding => !was_coded,
            HeaderKind::Connection | HeaderKind::Personal | HeaderKind::Consumed | HeaderKind::Internal => false,
        };
        Self(self.0.iter().filter(|(name, _)| kept(name)).cloned().collect())
    }

    /// Returns the names that are removed from a client's request to the origin, each once.
    #[must_use]
    pub fn withheld_from_origin(&self) -> Vec<String> {
        let kept_for_upgrade = self.get("upgrade").is_some();
        let is_known_to_all = |name: &str| {
            NEVER_NOMINATED
                .iter()
                .any(|known| if known.ends_with('-') { name.starts_with(known) } else { name == *known })
        };
        let nominated = self.nominated();
        self.names(|name| match HeaderKind::of(name) {
            HeaderKind::Internal | HeaderKind::Framework => true,
            HeaderKind::Connection => !kept_for_upgrade,
            HeaderKind::EndToEnd | HeaderKind::Personal | HeaderKind::Consumed | HeaderKind::Coding => {
                !is_known_to_all(name) && nominated.iter().any(|nominated| nominated == name)
            }
        })
    }

    /// Returns the names that are removed from the origin's response to one client, each once. A protocol switch loses
    /// none.
    #[must_use]
    pub fn withheld_from_visitor(&self) -> Vec<String> {
        let nominated = self.nominated();
        self.names(|name| match HeaderKind::of(name) {
            HeaderKind::Internal | HeaderKind::Connection => true,
            // A response keeps its own rules for caches and its cookies, whatever `Connection` names. Tags are for the
            // caches of the origin's operator alone.
            HeaderKind::Personal | HeaderKind::Consumed | HeaderKind::Coding => name == "cache-tag",
            HeaderKind::EndToEnd | HeaderKind::Framework => nominated.iter().any(|nominated| nominated == name),
        })
    }

    /// Returns the names that `Connection` lists (RFC 9110 §7.6.1).
    fn nominated(&self) -> Vec<String> {
        let listed = self.joined("connection").unwrap_or_default().to_ascii_lowercase();
        listed.split(',').map(|name| name.trim().to_owned()).collect()
    }

    fn names(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.iter().filter(|(name, _)| is_wanted(name)).map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn check_form(headers: &[(String, String)]) -> Result<(), HeaderFlaw> {
    for (name, value) in headers {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(HeaderFlaw::Name);
        }
        if !value.chars().all(is_field_character) {
            return Err(HeaderFlaw::Value);
        }
    }
    Ok(())
}

/// Returns whether a byte may occur in a token (RFC 9110 §5.6.2), capitals excepted.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns whether a character may occur in a value: visible ASCII, space, tab, and non-ASCII characters, whose bytes
/// are `obs-text` (RFC 9110 §5.5). Control characters may not: a CR, LF or NUL could end the value.
fn is_field_character(character: char) -> bool {
    character == '\t' || !character.is_ascii_control()
}

fn well_formed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let headers = Vec::deserialize(deserializer)?;
    check_form(&headers).map_err(serde::de::Error::custom)?;
    Ok(headers)
}

#[cfg(test)]
mod tests;
