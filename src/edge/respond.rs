//! What the visitor gets.

use std::time::{Duration, UNIX_EPOCH};

use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Response};

use crate::edge::envelope;
use crate::page::PageMeta;
use crate::protocol::{META_HEADER, VERDICT_HEADER};
use crate::semantics::cache_status::{CacheStatus, Outcome};
use crate::time::Timestamp;

/// Browsers always ask, so that an invalidation reaches them too.
const CACHE_CONTROL: &str = "public, max-age=0, must-revalidate";

/// How a response came to be, to be told in its headers.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// For `X-ISR-Status`.
    pub(super) outcome: Outcome,
    /// For `Cache-Status`.
    pub(super) status: CacheStatus,
}

impl Told {
    fn set(&self, headers: &Headers, expose: bool) -> Result<(), JsValue> {
        if expose {
            headers.set("x-isr-status", self.outcome.as_str())?;
            headers.set("cache-status", &self.status.to_string())?;
        }
        Ok(())
    }
}

/// A header to set, or, without a value, to remove.
pub(super) type Change = (&'static str, Option<String>);

/// Returns what has to be changed in the headers of a wrapped page before a visitor gets it.
pub(super) fn changes(meta: &PageMeta, told: &Told, expose: bool, with_body: bool, now: Timestamp) -> Vec<Change> {
    let cache_control = if told.outcome == Outcome::Skip { "no-store" } else { CACHE_CONTROL };
    let mut changes = vec![
        (META_HEADER, None),
        (VERDICT_HEADER, None),
        ("cf-cache-status", None),
        ("cache-control", Some(cache_control.to_owned())),
        // RFC 9111 §5.1, in whole seconds.
        ("age", Some(now.since(meta.rendered_at).as_secs().to_string())),
    ];
    if expose {
        changes.push(("x-isr-cache-date", Some(http_date(meta.rendered_at))));
        changes.push(("x-isr-status", Some(told.outcome.as_str().to_owned())));
        changes.push(("cache-status", Some(told.status.to_string())));
    }
    if !with_body {
        changes.push(("content-length", meta.body_bytes.map(|bytes| bytes.to_string())));
    }
    changes
}

/// Unwraps a page for the visitor. `with_body` is false for HEAD.
pub(super) fn page(
    meta: &PageMeta,
    wrapped: &Response,
    told: &Told,
    expose: bool,
    with_body: bool,
    now: Timestamp,
) -> Result<Response, JsValue> {
    // The headers of a response that came from elsewhere are immutable.
    let headers = Headers::new_with_headers(&wrapped.headers())?;
    for (name, value) in changes(meta, told, expose, with_body, now) {
        match value {
            Some(value) => headers.set(name, &value)?,
            None => headers.delete(name)?,
        }
    }
    let body = wrapped.body();
    envelope::response(meta.status, &headers, if with_body { body.as_deref() } else { None })
}

/// Hands on an answer of the site, without the headers that are not a visitor's, and, if there is something to tell, with a
/// word on why it did not come from the cache.
pub(super) fn passed(response: Response, told: Option<&Told>, expose: bool) -> Result<Response, JsValue> {
    // An upgrade must be handed on as it is.
    if response.status() == 101 {
        return Ok(response);
    }
    let withheld = envelope::header_list(&response.headers()).withheld_from_visitor();
    if told.is_none() && withheld.is_empty() {
        return Ok(response);
    }
    // A response is itself a valid init: status and headers are copied, the body is handed over.
    let body = response.body();
    let copy = Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())?;
    let headers = copy.headers();
    withheld.iter().try_for_each(|name| headers.delete(name))?;
    if let Some(told) = told {
        told.set(&headers, expose)?;
        if told.outcome == Outcome::Bypass {
            // A draft is for this visitor's eyes.
            headers.set("cache-control", "private, no-store")?;
        }
    }
    Ok(copy)
}

/// Sends a visitor on to the path without a slash at its end. It depends on the configuration alone, which may change.
pub(super) fn moved(location: &str) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("location", location)?;
    headers.set("cache-control", CACHE_CONTROL)?;
    envelope::response(308, &headers, None)
}

/// Builds a small JSON answer of the gateway itself.
pub(super) fn json(status: u16, body: &serde_json::Value) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "application/json")?;
    headers.set("cache-control", "no-store")?;
    let body = js_sys::Uint8Array::from(body.to_string().as_bytes());
    envelope::response(status, &headers, Some(&body))
}

/// Formats an HTTP date (RFC 9110 §5.6.7).
fn http_date(time: Timestamp) -> String {
    // A date past the year 9999 can't be written as one.
    const LAST: u64 = 253_402_300_799;
    let seconds = (time.as_millis() / 1000).min(LAST);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}
