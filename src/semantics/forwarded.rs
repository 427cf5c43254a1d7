//! The headers that state the URL of a client's request to an origin by URL.
//!
//! The origin's own URL has another host, and often another scheme. Frameworks compare the visitor's host with `Origin`
//! (CSRF), write it into links, and redirect requests that did not come over `https`.

use url::{Position, Url};

/// Request headers that state the host, the scheme, the port or the path of the visitor's URL. A visitor's own values
/// never reach an origin by URL: a proxy that sets some of them would let visitors set the others.
pub const WITHHELD: [&str; 14] = [
    "forwarded",
    "front-end-https",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-host",
    "x-original-host",
    "x-scheme",
    "x-url-scheme",
];

/// Returns the headers that state host and scheme of a URL: the two that are common, and `Forwarded` (RFC 7239). Empty
/// if it is not a URL with a host.
///
/// `url` is that of the key for a render, and the request's own for a passed request.
#[must_use]
pub fn headers(url: &str) -> Vec<(&'static str, String)> {
    let Some(url) = Url::parse(url).ok().filter(Url::has_host) else {
        return Vec::new();
    };
    let (host, scheme) = (&url[Position::BeforeHost..Position::AfterPort], url.scheme());
    // RFC 7239 §4: a value that is not a token is quoted, as a host with a port is. A host contains nothing to escape.
    let quote = if host.bytes().any(|byte| matches!(byte, b':' | b'[' | b']')) { "\"" } else { "" };
    vec![
        ("x-forwarded-host", host.to_owned()),
        ("x-forwarded-proto", scheme.to_owned()),
        ("forwarded", format!("host={quote}{host}{quote};proto={scheme}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_scheme_come_from_the_url() {
        for (url, host, proto, forwarded) in [
            ("https://Example.com/a?b", "example.com", "https", "host=example.com;proto=https"),
            ("https://e.com:443/", "e.com", "https", "host=e.com;proto=https"),
            ("http://e.com:8080/", "e.com:8080", "http", "host=\"e.com:8080\";proto=http"),
            ("http://[::1]/", "[::1]", "http", "host=\"[::1]\";proto=http"),
            ("https://user:password@e.com/", "e.com", "https", "host=e.com;proto=https"),
        ] {
            let values: Vec<String> = headers(url).into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, [host, proto, forwarded], "{url}");
        }
        assert_eq!(headers("mailto:a@e.com"), []);
        assert_eq!(headers("/a"), []);
    }

    #[test]
    fn what_is_set_is_withheld_from_visitors() {
        assert!(headers("https://e.com/").iter().all(|(name, _)| WITHHELD.contains(name)));
        assert!(WITHHELD.is_sorted());
    }
}
