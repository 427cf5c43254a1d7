//! One line of the log for a request.
//!
//! Workers Logs indexes the fields of a JSON object, and bills each line. So the setting `log` says for which requests there
//! is one, and a bucket bounds how many an isolate writes. A plain HIT has none.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::LogMode;
use crate::reason::{Reason, ReasonKind};
use crate::route::RouteId;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Detail};
use crate::semantics::key::PageKey;
use crate::version::Version;

/// The most bytes of a path, and the most names of query parameters, in a line.
const MAX_PATH_BYTES: usize = 1024;
const MAX_NAMES: usize = 16;

/// What is known of a request for a page of a route.
#[derive(Clone, Debug)]
pub struct AnsweredRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: &'a str,
    /// The route.
    pub route: &'a RouteId,
    /// The page, if the URL has a key.
    pub key: Option<&'a PageKey>,
    /// The outcome.
    pub outcome: CacheOutcome,
    /// `Cache-Status`.
    pub status: &'a CacheStatus,
    /// The HTTP status; `None` if the caller answers.
    pub http_status: Option<u16>,
    /// The version of the page that was served.
    pub version: Option<Version>,
    /// How long the response took.
    pub duration: Duration,
}

impl AnsweredRequest<'_> {
    /// Returns the reason in `Cache-Status`.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.status.detail.map(Detail::reason)
    }

    /// Returns whether the setting `log` asks for a line.
    #[must_use]
    pub fn is_logged(&self, mode: LogMode) -> bool {
        match mode {
            LogMode::None => false,
            LogMode::Problems => self.is_problem(),
            LogMode::Requests => !self.is_plain_hit(),
        }
    }

    /// Returns whether something has failed.
    #[must_use]
    pub fn is_problem(&self) -> bool {
        let has_failed = |reason: Reason| {
            matches!(reason.kind(), ReasonKind::Failure | ReasonKind::Doubt) && reason != Reason::Invalidated
        };
        self.http_status.is_some_and(|status| status >= 500) || self.reason().is_some_and(has_failed)
    }

    fn is_plain_hit(&self) -> bool {
        let is_from_tier = self.reason().is_none_or(|reason| reason.kind() == ReasonKind::Source);
        self.outcome == CacheOutcome::Hit && is_from_tier && !matches!(self.status.detail, Some(Detail::L1After(_)))
    }

    /// Returns the fields of the line. `suppressed` is how many lines were left out since the last one.
    #[must_use]
    pub fn line(&self, suppressed: u64) -> Value {
        let (path, query) = parts_of(self.url);
        let mut line = json!({
            "message": "isr request",
            "method": self.method,
            "path": path,
            "route": self.route.as_str(),
            "outcome": self.outcome.as_str(),
            "cacheStatus": self.status.to_string(),
            "durationMs": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "version": env!("CARGO_PKG_VERSION"),
        });
        let detail = self.status.detail.filter(|detail| matches!(detail, Detail::L1After(_)));
        let more = [
            // The values of parameters may be secrets.
            ("query", (!query.is_empty()).then(|| json!(query))),
            // The variants of a path differ in it.
            ("keyHash", self.key.map(|key| json!(hash_of(key)))),
            ("reason", self.reason().map(|reason| json!(reason.name()))),
            ("detail", detail.map(|detail| json!(detail.to_string()))),
            ("status", self.http_status.map(|status| json!(status))),
            ("page", self.version.map(|version| json!(version.to_string()))),
            ("suppressed", (suppressed > 0).then(|| json!(suppressed))),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                line[name] = value;
            }
        }
        line
    }
}

/// Returns the path of a URL, and the names of its query parameters.
fn parts_of(url: &str) -> (String, Vec<String>) {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = after_scheme.find(['/', '?']).map_or("/", |at| after_scheme.split_at(at).1);
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let name = |part: &str| cut(part.split('=').next().unwrap_or_default(), MAX_PATH_BYTES / MAX_NAMES);
    let names = query.split('&').filter(|part| !part.is_empty()).take(MAX_NAMES).map(name).collect();
    (cut(path, MAX_PATH_BYTES), names)
}

/// Returns the beginning of a text.
fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.split_at(end).0.to_owned()
}

fn hash_of(key: &PageKey) -> String {
    let hash: [u8; 32] = Sha256::digest(key.as_str().as_bytes()).into();
    format!("{:016x}", hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(route: &'a RouteId, outcome: CacheOutcome, status: &'a CacheStatus) -> AnsweredRequest<'a> {
        AnsweredRequest {
            method: "GET",
            url: "https://e.com/a/b?q=secret&utm_source&x=",
            route,
            key: None,
            outcome,
            status,
            http_status: Some(200),
            version: None,
            duration: Duration::from_millis(12),
        }
    }

    #[test]
    fn a_line_has_no_value_of_the_query_and_the_reason_of_cache_status() {
        let route = RouteId::from_stored("/a/*").unwrap();
        let key = PageKey::from_stored("https://e.com/a/b").unwrap();
        let status = CacheStatus::hit(Some(-3)).with_detail(Some(Reason::Backoff));
        let line =
            AnsweredRequest { key: Some(&key), ..request(&route, CacheOutcome::Stale, &status) }.line(2).to_string();
        assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            line,
            json!({
                "message": "isr request", "method": "GET", "path": "/a/b", "query": ["q", "utm_source", "x"],
                "route": "/a/*", "keyHash": hash_of(&key), "outcome": "STALE", "reason": "backoff",
                "cacheStatus": "cloudflare-isr; hit; ttl=-3; detail=backoff", "status": 200, "durationMs": 12,
                "version": env!("CARGO_PKG_VERSION"), "suppressed": 2,
            })
        );
    }

    #[test]
    fn what_is_logged_depends_on_the_setting() {
        let route = RouteId::from_stored("/a/*").unwrap();
        let hit = CacheStatus::hit(Some(3));
        let with = |reason| hit.clone().with_detail(Some(reason));
        for (outcome, status, is_logged, is_problem) in [
            (CacheOutcome::Hit, hit.clone(), false, false),
            (CacheOutcome::Hit, with(Reason::L2), false, false),
            (CacheOutcome::Hit, hit.clone().with_l1_after(Reason::QueueFull), true, true),
            (CacheOutcome::Miss, hit.clone(), true, false),
            (CacheOutcome::Stale, with(Reason::Aged), true, false),
            (CacheOutcome::Stale, with(Reason::Invalidated), true, false),
            (CacheOutcome::Stale, with(Reason::FeedUnavailable), true, true),
            (CacheOutcome::Skip, with(Reason::SetCookie), true, false),
            (CacheOutcome::Skip, with(Reason::Breaker), true, true),
        ] {
            let request = request(&route, outcome, &status);
            let modes = [LogMode::None, LogMode::Problems, LogMode::Requests];
            assert_eq!(
                modes.map(|mode| request.is_logged(mode)),
                [false, is_problem, is_logged],
                "{outcome:?} {status}"
            );
            let failed = AnsweredRequest { http_status: Some(503), ..request };
            assert!(failed.is_problem());
        }
    }

    #[test]
    fn any_url_has_a_bounded_path() {
        let long = format!("https://e.com/{}?{}", "ä".repeat(2000), "n&".repeat(100));
        let (path, names) = parts_of(&long);
        assert!(path.len() <= MAX_PATH_BYTES && names.len() == MAX_NAMES);
        for (url, path) in [("https://e.com", "/"), ("https://e.com?x=1", ""), ("nonsense", "/"), ("", "/")] {
            assert_eq!(parts_of(url).0, path, "{url}");
        }
    }
}
