//! Redirects that are stored for all: which of them would lead in a circle, and what of the visitor's query they keep.

use url::Url;

use crate::semantics::key::{QueryPolicy, RequestUrl, TrailingSlash};

/// Returns whether a status leads to the URL in `Location` (RFC 9110 §15.4).
#[must_use]
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Returns whether a redirect leads to the page that was requested: two URLs with the same key are the same page, even
/// if the origin distinguishes them by a slash or by a parameter that is not in the key.
#[must_use]
pub fn is_circular(location: &str, requested: &str, query: &QueryPolicy, trailing_slash: TrailingSlash) -> bool {
    let key = |url: &str| RequestUrl::parse(url).ok()?.key(None, query, trailing_slash).ok();
    let target = target(location, requested).and_then(|target| key(target.as_str()));
    target.zip(key(requested)).is_some_and(|(target, requested)| target == requested)
}

/// Explains to the operator why a redirect leads in a circle. `page` is the URL of the page's key, from which the origin
/// redirects.
#[must_use]
pub fn explain(location: &str, page: &str) -> String {
    let (page_url, target) = (Url::parse(page).ok(), target(location, page));
    let Some((page_url, target)) = page_url.zip(target) else {
        return format!("the site redirects {page} to itself: the redirect passes, and is not stored");
    };
    let what = if page_url.origin() != target.origin() {
        let (configured, own) = (page_url.origin().ascii_serialization(), target.origin().ascii_serialization());
        format!("`canonical_origin` is \"{configured}\", but the site's own address is {own}")
    } else if page_url.path() != target.path() {
        "`trailing_slash` disagrees with the site, for which the URL with a slash and the one without are two"
            .to_owned()
    } else if page_url.query() != target.query() {
        "`query` does not name a parameter that the site adds or removes".to_owned()
    } else {
        "it is the same URL".to_owned()
    };
    format!(
        "the site redirects {page} to {target}, which is the requested page: {what}. The request passes to the site"
    )
}

/// Returns the value of `Location` with the parameters of the visitor's query that are not part of the key, as the origin
/// would have sent it if the render had contained them; `None` if it stays as it is. A host of somebody else receives none
/// of them, and a parameter that the redirect sets itself keeps its value.
#[must_use]
pub fn with_rest(location: &str, page: &str, rest: &str) -> Option<String> {
    let (page, target) = (Url::parse(page).ok()?, target(location, page)?);
    let site = |url: &Url| url.host_str().map(|host| host.strip_prefix("www.").unwrap_or(host).to_owned());
    if !matches!(target.scheme(), "http" | "https") || site(&page) != site(&target) {
        return None;
    }
    let name_of =
        |written: &str| url::form_urlencoded::parse(written.as_bytes()).next().map(|(name, _)| name.into_owned());
    let is_new = |written: &&str| {
        name_of(written).is_some_and(|name| target.query_pairs().all(|(other, _)| other != name.as_str()))
    };
    let added: Vec<&str> = rest.split('&').filter(is_new).collect();
    if added.is_empty() {
        return None;
    }
    let (before, fragment) = location.split_at(location.find('#').unwrap_or(location.len()));
    let separator = match before.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    Some(format!("{before}{separator}{}{fragment}", added.join("&")))
}

fn target(location: &str, base: &str) -> Option<Url> {
    Url::parse(base).and_then(|base| base.join(location)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_to_another_url_of_the_same_page_is_a_circle() {
        let id = QueryPolicy::Only(["id".into()].into());
        for (location, requested, slash, expected) in [
            ("/a", "https://e.com/a", TrailingSlash::Keep, true),
            ("https://e.com/a#b", "https://e.com/a", TrailingSlash::Keep, true),
            ("/a/", "https://e.com/a", TrailingSlash::Keep, false),
            ("/a/", "https://e.com/a", TrailingSlash::Strip, true),
            ("/a/", "https://e.com/a", TrailingSlash::Redirect, true),
            ("?lang=en", "https://e.com/a", TrailingSlash::Keep, true),
            ("?id=1", "https://e.com/a", TrailingSlash::Keep, false),
            ("/a", "https://e.com/a?utm_source=b", TrailingSlash::Keep, true),
            ("http://e.com/a", "https://e.com/a", TrailingSlash::Keep, false),
            ("https://www.e.com/a", "https://www.e.com/a?x", TrailingSlash::Keep, true),
            ("https://www.e.com/a", "https://e.com/a", TrailingSlash::Keep, false),
            ("mailto:a@e.com", "https://e.com/a", TrailingSlash::Keep, false),
            ("/%", "https://e.com/a", TrailingSlash::Keep, false),
        ] {
            assert_eq!(is_circular(location, requested, &id, slash), expected, "{location} from {requested}");
        }
    }

    #[test]
    fn the_explanation_names_what_disagrees() {
        for (location, page, expected) in [
            (
                "https://www.e.com/a",
                "https://e.com/a",
                "`canonical_origin` is \"https://e.com\", but the site's own address is https://www.e.com",
            ),
            ("/a/", "https://e.com/a", "`trailing_slash`"),
            ("?lang=en", "https://e.com/a", "`query`"),
            ("/a", "https://e.com/a", "the same URL"),
        ] {
            let text = explain(location, page);
            assert!(text.contains(expected) && text.contains(page), "{text}");
        }
    }

    #[test]
    fn what_makes_no_difference_to_the_redirect_stays_with_the_visitor() {
        let page = "https://e.com/old";
        for (location, rest, expected) in [
            ("/new", "utm_source=mail", Some("/new?utm_source=mail")),
            ("/new?id=1", "a&b=%20", Some("/new?id=1&a&b=%20")),
            ("/new?", "a", Some("/new?a")),
            ("/new#part", "a=1", Some("/new?a=1#part")),
            ("/new?a=own#part", "a=1&b=2", Some("/new?a=own&b=2#part")),
            ("/new?a=own", "a=1", None),
            ("/new", "", None),
            ("https://www.e.com/new", "a=1", Some("https://www.e.com/new?a=1")),
            ("http://e.com:8080/new", "a=1", Some("http://e.com:8080/new?a=1")),
            ("https://other.com/new", "a=1", None),
            ("//other.com/new", "a=1", None),
            ("mailto:a@e.com", "a=1", None),
        ] {
            assert_eq!(with_rest(location, page, rest).as_deref(), expected, "{location} {rest}");
        }
    }
}
