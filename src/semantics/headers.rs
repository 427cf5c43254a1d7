//! Response headers as a plain list, and the sets of names that never travel.

use serde::{Deserialize, Serialize};

/// Names that describe one connection, not the message (RFC 9110 §7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names of a response that belong to one visitor: they never reach another one.
const PERSONAL: [&str; 4] = ["set-cookie", "set-cookie2", "www-authenticate", "authentication-info"];

/// Names that speak to caches, and lengths and codings that are made anew for each answer. The page's own values have
/// been acted upon when it was rendered; `Cache-Control` for the visitor is this cache's to say.
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

/// The prefix of this cache's own headers: what stands under it from outside is never believed.
pub const INTERNAL_PREFIX: &str = "x-isr-";

/// Headers in their order, names in lower case, repeated names kept apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HeaderList(Vec<(String, String)>);

impl HeaderList {
    /// Collects headers; names are put in lower case.
    #[must_use]
    pub fn from_pairs<N: AsRef<str>, V: Into<String> + Clone>(pairs: &[(N, V)]) -> Self {
        Self(pairs.iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.clone().into())).collect())
    }

    /// Adds a header behind the others; the name must be in lower case.
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

    /// Sets a header, whose name must be in lower case, or removes it: what stood under the name is dropped.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.0.retain(|(n, _)| n != name);
        self.0.extend(value.map(|value| (name.to_owned(), value)));
    }

    /// Goes through all headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the bytes of all headers as HTTP/1.1 has them, each with `: ` and the end of its line: many short ones
    /// count for more than their names and values.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + ": ".len() + value.len() + "\r\n".len()).sum()
    }

    /// Keeps what may be stored and shared: what is personal, of one connection, internal, or consumed by this cache
    /// is dropped, and so is what `Connection` names (RFC 9110 §7.6.1).
    #[must_use]
    pub fn for_sharing(&self) -> Self {
        let nominated = self.joined("connection").unwrap_or_default().to_ascii_lowercase();
        let dropped = |name: &str| {
            HOP_BY_HOP.contains(&name)
                || PERSONAL.contains(&name)
                || CONSUMED.contains(&name)
                || name.starts_with(INTERNAL_PREFIX)
                || nominated.split(',').any(|n| n.trim() == name)
        };
        Self(self.0.iter().filter(|(name, _)| !dropped(name)).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_holds_nothing_personal_internal_or_consumed() {
        let page = HeaderList::from_pairs(&[
            ("Content-Type", "text/html"),
            ("Set-Cookie", "a=1"),
            ("Cache-Control", "s-maxage=5"),
            ("X-ISR-Meta", "forged"),
            ("Connection", "X-Hop, close"),
            ("X-Hop", "1"),
            ("Link", "</a>"),
            ("Link", "</b>"),
            ("Content-Encoding", "gzip"),
        ]);
        let shared = HeaderList::from_pairs(&[("content-type", "text/html"), ("link", "</a>"), ("link", "</b>")]);
        assert_eq!(page.for_sharing(), shared);
        assert_eq!(shared.joined("link"), Some("</a>, </b>".to_owned()));
    }

    #[test]
    fn a_header_that_is_set_takes_the_place_of_all_of_its_name() {
        let mut list = HeaderList::from_pairs(&[("link", "</a>"), ("x", "1"), ("link", "</b>")]);
        list.set("link", Some("</c>".to_owned()));
        assert_eq!(list, HeaderList::from_pairs(&[("x", "1"), ("link", "</c>")]));
        list.set("x", None);
        assert_eq!(list, HeaderList::from_pairs(&[("link", "</c>")]));
    }
}
