//! The URL of a deployment, and where a token may be sent.

use std::fmt;

use url::{Host, Url};

use crate::failure::Failure;

/// The origin of a deployment: scheme, host and port. A token may be sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site(Url);

impl Site {
    /// Parses the URL of a deployment. Over plain HTTP, only this machine is accepted: anybody on the way to another one
    /// could read the token.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::Usage(format!("{text:?} {what}. Give the URL of a deployment, as in https://example.com."))
        };
        let url = Url::parse(text.trim()).map_err(|_| wrong("is not an absolute URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is not a URL of the web"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::Usage("The URL of a deployment must not contain a user or a password.".to_owned()));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a path, a query or a fragment"));
        }
        let site = Self(url);
        if site.0.scheme() == "http" && !site.is_local() {
            return Err(Failure::Usage(format!(
                "{site} has the scheme http, over which anybody on the way can read the admin token. Write https; http \
                 is accepted only for this machine, as in http://localhost:8787."
            )));
        }
        Ok(site)
    }

    /// Returns whether the deployment runs on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Returns the absolute URL of a page, which is given by its URL or its path.
    pub(crate) fn page(&self, text: &str) -> Result<Url, Failure> {
        let page = if text.starts_with('/') && !text.starts_with("//") { self.0.join(text) } else { Url::parse(text) };
        let page = page.ok().filter(|page| matches!(page.scheme(), "http" | "https"));
        page.ok_or_else(|| {
            Failure::Usage(format!("{text:?} is not a page: give a URL, or a path that begins with `/`"))
        })
    }

    /// Returns the URL of one of the deployment's own paths.
    pub(crate) fn own(&self, path: &str, query: &[(&'static str, String)]) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_tls_or_stays_on_this_machine() {
        for url in [
            "https://example.com",
            "https://example.com/",
            "http://localhost:8787",
            "http://isr.localhost",
            "http://127.0.0.1:1",
            "http://127.8.0.1",
            "http://[::1]:8787",
        ] {
            assert!(Site::parse(url).is_ok(), "{url}");
        }
        for (url, part) in [
            ("http://example.com", "Write https"),
            ("http://localhost.example.com", "Write https"),
            ("http://10.0.0.1", "Write https"),
            ("example.com", "absolute URL"),
            ("ftp://example.com", "URL of the web"),
            ("https://example.com/blog", "has a path"),
            ("https://example.com/?a", "has a path"),
            ("https://me:secret@example.com", "user or a password"),
        ] {
            let failure = Site::parse(url).unwrap_err();
            assert!(failure.code() == 2 && failure.to_string().contains(part), "{url}: {failure}");
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
    }

    #[test]
    fn a_page_is_a_url_or_a_path() {
        let site = Site::parse("https://example.com").unwrap();
        for (text, url) in [
            ("/blog/hello?page=2", "https://example.com/blog/hello?page=2"),
            ("http://other.example/a", "http://other.example/a"),
        ] {
            assert_eq!(site.page(text).unwrap().as_str(), url);
        }
        for wrong in ["blog", "//other.example/a", "mailto:a@example.com", ""] {
            assert_eq!(site.page(wrong).unwrap_err().code(), 2, "{wrong}");
        }
    }
}
