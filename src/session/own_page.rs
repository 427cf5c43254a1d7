//! The proof that a request comes from a page of the same origin.

use url::Url;

use crate::semantics::unsafe_methods;

/// What a browser says of the page that sends a request. No page can change these headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnPage<'a> {
    /// The header `Sec-Fetch-Site`.
    pub site: Option<&'a str>,
    /// The header `Origin`.
    pub origin: Option<&'a str>,
}

impl OwnPage<'_> {
    /// Returns whether a request with a session may be carried out.
    ///
    /// A request that changes something needs a proof that it comes from the same origin. One that only reads needs no proof,
    /// because no page of another origin can read the answer; but such a page must not make the gateway work either. A user may
    /// also open the address directly (`none`).
    #[must_use]
    pub fn admits(self, method: &str, url: &str) -> bool {
        let is_safe = unsafe_methods::is_safe(method);
        match (self.site, self.origin) {
            (Some(site), _) => site == "same-origin" || (is_safe && site == "none"),
            // An earlier browser sends no `Sec-Fetch-Site`.
            (None, Some(origin)) => Url::parse(url).is_ok_and(|url| url.origin().ascii_serialization() == origin),
            (None, None) => is_safe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://example.com/__isr/revalidate";

    fn admits(method: &str, site: Option<&str>, origin: Option<&str>) -> bool {
        OwnPage { site, origin }.admits(method, URL)
    }

    #[test]
    fn a_change_needs_a_proof() {
        let own = Some("https://example.com");
        for method in ["POST", "DELETE", "PUT", "ANYTHING"] {
            assert!(admits(method, Some("same-origin"), own));
            assert!(admits(method, Some("same-origin"), None));
            assert!(admits(method, None, own));
            assert!(!admits(method, None, None));
            for site in ["cross-site", "same-site", "none", "", "SAME-ORIGIN"] {
                assert!(!admits(method, Some(site), own), "{method} {site}");
            }
            for origin in [
                "null",
                "",
                "https://example.com:8443",
                "http://example.com",
                "https://example.com.evil",
                "https://evil",
            ] {
                assert!(!admits(method, None, Some(origin)), "{method} {origin}");
            }
        }
    }

    #[test]
    fn another_page_may_not_read_either() {
        assert!(admits("GET", Some("same-origin"), None));
        assert!(admits("GET", Some("none"), None));
        assert!(admits("GET", None, None));
        assert!(!admits("GET", Some("cross-site"), None));
        assert!(!admits("GET", Some("same-site"), None));
        assert!(!admits("GET", None, Some("https://evil")));
    }

    #[test]
    fn a_url_that_can_not_be_read_is_no_proof() {
        assert!(!OwnPage { site: None, origin: Some("null") }.admits("POST", "no url"));
    }
}
