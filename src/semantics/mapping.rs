//! URLs of an origin, as visitors know them: what `origin` names is the root of the visitor's host.
//!
//! An origin by URL may write its own address into headers. Such a URL is mapped to a path, as gateways do by default
//! (nginx `proxy_redirect`, Apache `ProxyPassReverse`). Bodies are not changed.

use std::borrow::Cow;

use url::{Position, Url};

use crate::semantics::headers::HeaderList;

/// Maps the URLs in a value; `None` if it stays as it is.
type Mapper = fn(&Url, &str) -> Option<String>;

/// Returns the headers that change: each with its new value.
///
/// `base` is the value of `origin`: a URL without a trailing slash.
#[must_use]
pub fn changes(headers: &HeaderList, base: &str) -> Vec<(&'static str, String)> {
    let Ok(base) = Url::parse(base) else {
        return Vec::new();
    };
    let mappers: [(&'static str, Mapper); 4] =
        [("location", map), ("content-location", map), ("refresh", map_refresh), ("link", map_links)];
    let changed = mappers.into_iter().filter_map(|(name, map)| Some((name, map(&base, &headers.joined(name)?)?)));
    changed.collect()
}

/// Maps a URL reference below the origin to a path. `None` if it stays as it is: it leads elsewhere, or is relative to
/// the page.
fn map(base: &Url, reference: &str) -> Option<String> {
    let reference = reference.trim();
    let path = if reference.starts_with('/') && !reference.starts_with("//") {
        Cow::Borrowed(reference)
    } else if reference.starts_with("//") || reference.contains("://") {
        let target = base.join(reference).ok().filter(|target| target.origin() == base.origin())?;
        if !target.username().is_empty() {
            return None;
        }
        Cow::Owned(target[Position::BeforePath..].to_owned())
    } else {
        return None;
    };
    let rest = path.strip_prefix(base.path().trim_end_matches('/'))?;
    let mapped = match rest.as_bytes() {
        [b'/', b'/' | b'\\', ..] => format!("/.{rest}"), // Two slashes would name a host (RFC 3986 §4.2).
        [b'/', ..] => rest.to_owned(),
        [] | [b'?' | b'#', ..] => format!("/{rest}"),
        _ => return None,
    };
    (mapped != reference).then_some(mapped)
}

/// Maps the URL of a `Refresh` (HTML, "shared declarative refresh steps"): `5; url=/b`.
fn map_refresh(base: &Url, value: &str) -> Option<String> {
    let at = value.to_ascii_lowercase().find("url")?;
    let begin = at + 3 + value[at + 3..].find('=')? + 1;
    if !value[at + 3..begin - 1].trim().is_empty() {
        return None;
    }
    let begin = begin + (value[begin..].len() - value[begin..].trim_start_matches([' ', '\t', '"', '\'']).len());
    let end = begin + value[begin..].trim_end_matches([' ', '\t', '"', '\'']).len();
    let mapped = map(base, &value[begin..end])?;
    Some(format!("{}{mapped}{}", &value[..begin], &value[end..]))
}

/// Maps the targets of a `Link` (RFC 8288 §3): what is between `<` and `>`, outside of quoted strings.
fn map_links(base: &Url, value: &str) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(value.len()), value);
    let (mut is_quoted, mut is_changed) = (false, false);
    while let Some(at) = rest.find(['<', '"', '\\']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let length = match found.as_bytes() {
            // A quoted pair; the character after it may have more than one byte.
            [b'\\', ..] if is_quoted => 1 + found[1..].chars().next().map_or(0, char::len_utf8),
            [b'"', ..] => {
                is_quoted = !is_quoted;
                1
            }
            [b'<', ..] if !is_quoted => {
                let Some(end) = found.find('>') else {
                    rest = found;
                    break;
                };
                let mapped = map(base, &found[1..end]);
                is_changed |= mapped.is_some();
                out.push('<');
                out.push_str(mapped.as_deref().unwrap_or(&found[1..end]));
                rest = &found[end..];
                continue;
            }
            _ => 1,
        };
        out.push_str(&found[..length]);
        rest = &found[length..];
    }
    is_changed.then(|| out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(base: &str, name: &str, value: &str) -> Option<String> {
        changes(&HeaderList::from_pairs(&[(name, value)]), base).pop().map(|(_, value)| value)
    }

    #[test]
    fn urls_below_the_origin_become_paths() {
        let (root, site) = ("http://origin.test:8080", "http://origin.test:8080/site");
        for (base, value, expected) in [
            (root, "http://origin.test:8080/b?x=%20#y", Some("/b?x=%20#y")),
            (root, "HTTP://Origin.test:8080/b", Some("/b")),
            (root, "//origin.test:8080/b", Some("/b")),
            (root, "http://origin.test:8080", Some("/")),
            (root, "http://origin.test:8080?x", Some("/?x")),
            (root, "http://origin.test:8080//evil.test/", Some("/.//evil.test/")),
            (root, "/b", None),
            (root, "b", None),
            (root, "http://origin.test/b", None),
            (root, "https://origin.test:8080/b", None),
            (root, "http://origin.test:8080@evil.test/", None),
            (root, "http://user@origin.test:8080/", None),
            (root, "//evil.test/http://origin.test:8080/", None),
            (root, "/to?url=http://origin.test:8080/b", None),
            (root, "mailto:a@origin.test", None),
            (site, "http://origin.test:8080/site/b", Some("/b")),
            (site, "http://origin.test:8080/site", Some("/")),
            (site, "http://origin.test:8080/site#x", Some("/#x")),
            (site, "http://origin.test:8080/site//evil.test", Some("/.//evil.test")),
            (site, "/site/\\evil.test", Some("/./\\evil.test")),
            (site, "/site/b", Some("/b")),
            (site, "/site?x", Some("/?x")),
            (site, "/site-other/b", None),
            (site, "http://origin.test:8080/other", None),
            (site, "/other", None),
        ] {
            assert_eq!(mapped(base, "location", value).as_deref(), expected, "{value} below {base}");
            assert_eq!(mapped(base, "content-location", value).as_deref(), expected, "{value} below {base}");
        }
    }

    #[test]
    fn a_refresh_and_links_contain_urls() {
        let site = "http://origin.test/site";
        for (name, value, expected) in [
            ("refresh", "5; url=http://origin.test/site/b", Some("5; url=/b")),
            ("refresh", "0;URL = \"http://origin.test/site/b\"", Some("0;URL = \"/b\"")),
            ("refresh", "0, url='/site/b' ", Some("0, url='/b' ")),
            ("refresh", "5", None),
            ("refresh", "5; url", None),
            ("refresh", "5; urls of=/site/b", None),
            ("link", "</site/a>; rel=next", Some("</a>; rel=next")),
            ("link", "</a>; rel=next", None),
            (
                "link",
                "<http://origin.test/site/a,b>; title=\"</site/no> \\\"</site/no>\", <https://e.com/>, </site/c>",
                Some("</a,b>; title=\"</site/no> \\\"</site/no>\", <https://e.com/>, </c>"),
            ),
            ("link", "</site/a>, </site/b", Some("</a>, </site/b")),
            ("link", "<", None),
            ("link", "\"\\", None),
            ("x-own", "http://origin.test/site/b", None),
        ] {
            assert_eq!(mapped(site, name, value).as_deref(), expected, "{value}");
        }
    }
}
