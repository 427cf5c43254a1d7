//! The request headers that a response's `Vary` nominates (RFC 9110 §12.5.5), besides those that are part of the key.
//!
//! A render sends none of these headers. So its response is the one for requests without them (RFC 9111 §4.1): the stored
//! page serves these, and every other request passes to the origin. The names are part of the page's metadata, so an
//! edge needs nothing else for the decision.

use serde::{Deserialize, Serialize};

use crate::semantics::headers::{HeaderKind, is_token};
use crate::semantics::vary::Visitor;

/// The most names of a page. Next.js nominates five.
const MAX_NAMES: usize = 32;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Headers that no client can change for an origin, because the cache states them itself: the key contains host and
/// scheme. Stored pages have no content coding.
const STATED: [&str; 5] = ["accept-encoding", "forwarded", "host", "x-forwarded-host", "x-forwarded-proto"];

/// Headers that the platform states itself, so that no client can set them. `CF-Visitor` contains the scheme, which is part
/// of the key. `CF-Worker` and `CF-EW-Via` name this deployment, in each request to the origin. All other headers of the
/// platform tell about the client, such as `CF-Connecting-IP` and `CF-IPCountry`, or about the one request, such as
/// `CF-Ray`: a page that varies by them is not the same for two requests.
const PLATFORM: [&str; 3] = ["cf-ew-via", "cf-visitor", "cf-worker"];

/// Headers that a render sends, whatever its key: its response is for requests with the same value, which no client
/// sends.
const SENT: [&str; 3] = ["accept", "cdn-loop", "user-agent"];

/// The nominated request headers of a stored page: names in lower case, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nominated(Vec<String>);

impl Nominated {
    /// Reads a `Vary`. `is_in_key` tells which headers are part of the key, and `is_configured` which ones
    /// `render_headers` adds to a render.
    ///
    /// Returns `None` if no stored response can be selected by it: for `*`, for a header that a render does send, for a
    /// name that is none, and above the bounds.
    #[must_use]
    pub fn read(vary: &str, is_in_key: impl Fn(&str) -> bool, is_configured: impl Fn(&str) -> bool) -> Option<Self> {
        let mut names = Vec::new();
        for name in vary.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()) {
            let is_constant = STATED.contains(&name.as_str()) || PLATFORM.contains(&name.as_str());
            if is_in_key(&name) || is_constant || never_reaches_origin(&name) {
                continue;
            }
            if name == "*" || !is_token(&name) || name.len() > MAX_NAME_BYTES {
                return None;
            }
            if SENT.contains(&name.as_str()) || is_configured(&name) {
                return None;
            }
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        (names.len() <= MAX_NAMES).then_some(Self(names))
    }

    /// Returns no names.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns whether there are none, as for most pages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Returns whether a request has one of the headers: the stored page is not for it.
    #[must_use]
    pub fn is_sent_by(&self, visitor: &dyn Visitor) -> bool {
        self.0.iter().any(|name| visitor.header(name).is_some())
    }

    /// Returns whether one of the names is in a list of names in lower case.
    #[must_use]
    pub fn is_among(&self, names: &[String]) -> bool {
        self.0.iter().any(|name| names.contains(name))
    }
}

/// Returns whether the cache removes a header of this name from every request to the origin.
fn never_reaches_origin(name: &str) -> bool {
    matches!(HeaderKind::of(name), HeaderKind::Internal | HeaderKind::Framework)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vary: &str) -> Option<Vec<String>> {
        let nominated = Nominated::read(vary, |name| name == "accept-language", |name| name == "x-preview")?;
        Some(nominated.iter().map(str::to_owned).collect())
    }

    #[test]
    fn headers_that_a_render_does_not_send_are_nominated() {
        for (vary, names) in [
            ("", &[][..]),
            ("Accept-Encoding, Accept-Language", &[]),
            ("X-Forwarded-Proto, Host, X-Forwarded-Host, Forwarded", &[]),
            ("X-ISR-Render, X-Middleware-Subrequest", &[]),
            ("CF-Visitor, CF-Worker, CF-EW-Via", &[]),
            ("CF-Visitor, CF-IPCountry, CF-Connecting-IP, CF-Ray", &["cf-connecting-ip", "cf-ipcountry", "cf-ray"]),
            ("Cookie", &["cookie"]),
            ("cookie,, Cookie ,\tOrigin", &["cookie", "origin"]),
            (
                "rsc, next-router-state-tree, next-router-prefetch, next-url, Accept-Encoding",
                &["next-router-prefetch", "next-router-state-tree", "next-url", "rsc"],
            ),
            ("Authorization", &["authorization"]),
        ] {
            assert_eq!(read(vary), Some(names.iter().map(|name| (*name).to_owned()).collect()), "{vary}");
        }
    }

    #[test]
    fn what_selects_no_stored_response_is_refused() {
        let many: Vec<String> = (0..=MAX_NAMES).map(|n| format!("x-{n}")).collect();
        for vary in [
            "*",
            "accept-encoding, *",
            "Accept",
            "Cookie, User-Agent",
            "X-Preview",
            "CDN-Loop",
            "grün",
            "a b",
            &"x".repeat(MAX_NAME_BYTES + 1),
            &many.join(","),
        ] {
            assert_eq!(read(vary), None, "{vary}");
        }
        assert!(read(&many[1..].join(",")).is_some());
    }

    #[test]
    fn a_request_is_served_without_the_headers() {
        struct Sent(&'static [&'static str]);
        impl Visitor for Sent {
            fn header(&self, name: &str) -> Option<String> {
                self.0.contains(&name).then(String::new)
            }

            fn country(&self) -> Option<String> {
                None
            }
        }
        let nominated = Nominated(vec!["cookie".to_owned(), "rsc".to_owned()]);
        for (sent, is_sent) in [(&[][..], false), (&["accept"], false), (&["rsc"], true), (&["accept", "cookie"], true)]
        {
            assert_eq!(nominated.is_sent_by(&Sent(sent)), is_sent, "{sent:?}");
        }
        assert!(!Nominated::default().is_sent_by(&Sent(&["cookie"])) && Nominated::default().is_empty());
        assert!(nominated.is_among(&["rsc".to_owned()]) && !nominated.is_among(&["rs".to_owned()]));
    }
}
