//! Builds the response for the client.

use std::time::Duration;

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Response};
use worker::Context;

use crate::edge::body::range;
use crate::edge::caches::envelope;
use crate::edge::caches::l1::UNTIL_HEADER;
use crate::edge::platform::js;
use crate::page::PageMeta;
use crate::protocol::{META_HEADER, REPLY_HEADER};
use crate::route::Route;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Forward};
use crate::semantics::conditional::{self, Form, NOT_IN_206};
use crate::semantics::freshness::Revalidate;
use crate::semantics::http_rules::HttpRules;
use crate::semantics::origin_headers::{ORIGIN_HEADER, OriginHeaders};
use crate::semantics::range::Range;
use crate::semantics::{browser, http_date};
use crate::time::Timestamp;

/// How a response came about, for its headers.
#[derive(Clone, Debug)]
pub(in crate::edge) struct StatusHeaders {
    /// For `X-ISR-Status`.
    pub(in crate::edge) outcome: CacheOutcome,
    /// For `Cache-Status`.
    pub(in crate::edge) status: CacheStatus,
}

impl StatusHeaders {
    fn set(&self, headers: &Headers, expose: bool) -> Result<(), JsValue> {
        if expose {
            headers.set("x-isr-status", self.outcome.as_str())?;
            headers.set("cache-status", &self.status.to_string())?;
        }
        Ok(())
    }
}

/// Headers of the page that a 416 does not have, because it is not the page.
const NOT_IN_416: [&str; 8] = [
    "content-digest",
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "etag",
    "last-modified",
];

/// The response parameters besides the page.
#[derive(Clone, Copy)]
pub(in crate::edge) struct Terms {
    /// The setting `expose_headers`.
    pub(in crate::edge) expose: bool,
    /// The route's `browser_max_age`.
    pub(in crate::edge) browser_max_age: Duration,
    /// The route's `http`.
    pub(in crate::edge) rules: HttpRules,
    /// False for HEAD.
    pub(in crate::edge) with_body: bool,
    /// The present moment.
    pub(in crate::edge) now: Timestamp,
}

/// A header to set, or, without a value, to remove.
pub(in crate::edge) type Change = (&'static str, Option<String>);

/// Returns the header changes that turn a wrapped page into a complete response. `origin` is the page's
/// [`ORIGIN_HEADER`].
pub(in crate::edge) fn changes(
    meta: &PageMeta,
    origin: Option<&str>,
    status_headers: &StatusHeaders,
    terms: &Terms,
) -> Vec<Change> {
    let age = terms.now.since(meta.rendered_at);
    let ttl = meta.windows.ttl_seconds(terms.now);
    let is_replayed = browser::replays(terms.rules, status_headers.outcome);
    let origin = origin.filter(|_| is_replayed).and_then(OriginHeaders::parse).unwrap_or_default();
    let replayed = |name: &str| origin.get(name).map(str::to_owned);
    let own = meta.rules.cache_control();
    let own_control =
        || browser::cache_control(status_headers.outcome, terms.browser_max_age, ttl, age, own).into_owned();
    let own_date = http_date::write(meta.rendered_at);
    // RFC 9110 §14.3. This cache answers ranges itself, so the origin's own value does not count.
    let has_ranges = meta.status == 200 && meta.body_bytes.is_some();
    let mut changes = vec![
        (META_HEADER, None),
        (REPLY_HEADER, None),
        (ORIGIN_HEADER, None),
        (UNTIL_HEADER, None),
        ("cf-cache-status", None),
        ("accept-ranges", has_ranges.then(|| "bytes".to_owned())),
        ("cache-control", Some(replayed("cache-control").unwrap_or_else(own_control))),
        ("expires", replayed("expires")),
        // RFC 9111 §5.1, in whole seconds.
        ("age", Some(age.as_secs().to_string())),
        // RFC 9110 §6.6.1: when the response arrived, by our clock, which `Age` counts by as well.
        ("date", Some(replayed("date").unwrap_or_else(|| own_date.clone()))),
    ];
    if terms.expose {
        changes.push(("x-isr-cache-date", Some(own_date)));
        changes.push(("x-isr-status", Some(status_headers.outcome.as_str().to_owned())));
        changes.push(("cache-status", Some(status_headers.status.to_string())));
    }
    if !terms.with_body {
        // RFC 9110 §9.3.2: a HEAD has the headers of the GET.
        changes.push(("content-length", meta.body_bytes.map(|bytes| bytes.to_string())));
    }
    changes
}

/// Returns the `Vary` of a page: the headers that select one of its variants, and those with which requests pass to the
/// origin.
pub(in crate::edge) fn vary_field(route: &Route, meta: &PageMeta) -> Option<String> {
    let cookie = (!route.bypass_cookies().is_empty()).then_some("cookie");
    route.vary().field(cookie.into_iter().chain(meta.rules.nominated().iter()))
}

/// Applies changes to headers.
pub(in crate::edge) fn apply(headers: &Headers, changes: Vec<Change>) -> Result<(), JsValue> {
    changes.into_iter().try_for_each(|(name, value)| match value {
        Some(value) => headers.set(name, &value),
        None => headers.delete(name),
    })
}

/// Returns the headers of a page that its 304 has.
pub(in crate::edge) fn of_304(page: &Headers) -> Result<Headers, JsValue> {
    let has_etag = page.has("etag")?;
    let kept = Headers::new()?;
    let all = envelope::header_list(page);
    let is_kept = |name: &str| conditional::is_in_304(name, has_etag);
    all.iter().filter(|(name, _)| is_kept(name)).try_for_each(|(name, value)| kept.append(name, value))?;
    Ok(kept)
}

/// Removes headers.
fn remove(headers: &Headers, names: &[&str]) -> Result<(), JsValue> {
    names.iter().try_for_each(|name| headers.delete(name))
}

/// Unwraps a page for the client, in the given form.
pub(in crate::edge) fn page(
    meta: &PageMeta,
    wrapped: &Response,
    status_headers: &StatusHeaders,
    terms: &Terms,
    form: Form,
    context: &Context,
) -> Result<Response, JsValue> {
    // The headers of a response that came from elsewhere are immutable.
    let headers = Headers::new_with_headers(&wrapped.headers())?;
    let origin = headers.get(ORIGIN_HEADER)?;
    apply(&headers, changes(meta, origin.as_deref(), status_headers, terms))?;
    let body_bytes = meta.body_bytes.unwrap_or_default();
    match form {
        Form::Whole => {
            let body = wrapped.body();
            envelope::response(meta.status, &headers, if terms.with_body { body.as_deref() } else { None })
        }
        Form::NotModified => envelope::response(304, &of_304(&headers)?, None),
        Form::Ranged(range) => {
            headers.set("content-range", &range.content_range(body_bytes))?;
            match range {
                Range::Part(positions) => {
                    remove(&headers, &NOT_IN_206)?;
                    headers.set("content-length", &(positions.end() - positions.start() + 1).to_string())?;
                    envelope::response(206, &headers, Some(&range::of(wrapped, positions, context)?))
                }
                Range::Unsatisfiable => {
                    remove(&headers, &NOT_IN_416)?;
                    // The response is about one range, and must not be stored in the page's place.
                    headers.set("cache-control", "no-store")?;
                    envelope::response(416, &headers, None)
                }
            }
        }
    }
}

/// Passes on a response of the origin without internal headers, adding, where known, the reason it was not served from
/// cache.
pub(in crate::edge) fn passed(
    response: Response,
    status_headers: Option<&StatusHeaders>,
    expose: bool,
) -> Result<Response, JsValue> {
    // An upgrade must be passed on unchanged.
    if response.status() == 101 {
        return Ok(response);
    }
    let own = envelope::header_list(&response.headers());
    let withheld = own.withheld_from_visitor();
    if status_headers.is_none() && withheld.is_empty() {
        return Ok(response);
    }
    // A response is itself a valid init: status and headers are copied, the body is handed over.
    let body = response.body();
    let copy = Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())?;
    let headers = copy.headers();
    withheld.iter().try_for_each(|name| headers.delete(name))?;
    let is_draft = status_headers.is_some_and(|status| status.outcome == CacheOutcome::Bypass);
    // The page opts out of the cache: by its header, or by its route.
    let opts_out = Revalidate::from_header(&own) == Some(Revalidate::NoStore)
        || status_headers.is_some_and(|status| status.status.fwd == Some(Forward::Bypass));
    if let Some(status_headers) = status_headers {
        status_headers.set(&headers, expose)?;
    }
    if is_draft {
        headers.set("cache-control", &browser::of_draft(response.status(), &own, js::now()))?;
    } else if opts_out && own.get("cache-control").is_none() {
        headers.set("cache-control", "private, no-store")?;
    }
    Ok(copy)
}

/// Redirects a client to the path without its trailing slash. The redirect depends only on the configuration, which may
/// change.
pub(in crate::edge) fn moved(location: &str) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("location", location)?;
    headers.set("cache-control", browser::ALWAYS_ASK)?;
    envelope::response(308, &headers, None)
}

/// Answers a `PURGE` (RFC 9110 §15.6.2): invalidations need the admin token, and may concern more than a URL.
pub(in crate::edge) fn no_purge() -> Result<Response, JsValue> {
    let message = "This cache has no method PURGE. Send `POST /__isr/revalidate` with the admin token and \
        {\"path\": \"/the/page\", \"mode\": \"purge\"}.";
    envelope::json(501, &serde_json::json!({ "error": { "code": "method_not_implemented", "message": message } }))
}
