//! The URLs that a request with an unsafe method invalidates (RFC 9111 §4.4). Only the standard rules know this.

use url::Url;

use crate::semantics::headers::HeaderList;
use crate::semantics::key::{CanonicalPath, RequestUrl};

/// The methods that change nothing (RFC 9110 §9.2.1).
const SAFE: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Returns whether a request with this method changes nothing.
#[must_use]
pub fn is_safe(method: &str) -> bool {
    SAFE.contains(&method)
}

/// Returns the paths that a response invalidates: of the requested URL, and of what `Location` and `Content-Location`
/// name on the same origin. A response other than 2xx and 3xx invalidates nothing.
///
/// A path stands for all pages of the URL: with any query, and in any variant.
#[must_use]
pub fn invalidated(method: &str, url: &str, status: u16, headers: &HeaderList) -> Vec<CanonicalPath> {
    if is_safe(method) || !(200..400).contains(&status) {
        return Vec::new();
    }
    let Ok(base) = Url::parse(url) else {
        return Vec::new();
    };
    let named = ["location", "content-location"].into_iter().filter_map(|name| {
        let target = base.join(headers.get(name)?.trim()).ok()?;
        (target.origin() == base.origin()).then(|| target.to_string())
    });
    let path = |url: String| RequestUrl::parse(&url).ok().map(|url| url.path().clone());
    let mut paths: Vec<CanonicalPath> = std::iter::once(url.to_owned()).chain(named).filter_map(path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successful_change_invalidates_its_url_and_what_it_names() {
        let (at, own) = ("https://e.com/a?x=1", vec!["/a"]);
        for (method, status, headers, expected) in [
            ("POST", 200, vec![], own.clone()),
            ("PUT", 204, vec![], own.clone()),
            ("DELETE", 303, vec![], own.clone()),
            ("UNKNOWN", 200, vec![], own.clone()),
            ("POST", 400, vec![], vec![]),
            ("POST", 500, vec![], vec![]),
            ("POST", 101, vec![], vec![]),
            ("GET", 200, vec![("location", "/b")], vec![]),
            ("HEAD", 200, vec![], vec![]),
            ("OPTIONS", 200, vec![], vec![]),
            ("TRACE", 200, vec![], vec![]),
            ("POST", 201, vec![("location", "/b?y=2")], vec!["/a", "/b"]),
            ("POST", 200, vec![("content-location", "https://e.com:443/b/../c#d")], vec!["/a", "/c"]),
            ("POST", 200, vec![("location", "b"), ("content-location", "c")], vec!["/a", "/b", "/c"]),
            ("POST", 200, vec![("location", "https://other.com/b")], own.clone()),
            ("POST", 200, vec![("location", "http://e.com/b")], own.clone()),
            ("POST", 200, vec![("location", "https://e.com:8443/b")], own.clone()),
            ("POST", 200, vec![("location", "/a")], own),
        ] {
            let found = invalidated(method, at, status, &HeaderList::from_pairs(&headers));
            let found: Vec<&str> = found.iter().map(CanonicalPath::as_str).collect();
            assert_eq!(found, expected, "RFC 9111 §4.4: {method} {status} {headers:?}");
        }
    }
}
