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
    for internal in [META_HEADER, VERDICT_HEADER, "cf-cache-status"] {
        headers.delete(internal)?;
    }
    headers.set("cache-control", if told.outcome == Outcome::Skip { "no-store" } else { CACHE_CONTROL })?;
    // RFC 9111 §5.1, in whole seconds.
    headers.set("age", &now.since(meta.rendered_at).as_secs().to_string())?;
    if expose {
        headers.set("x-isr-cache-date", &http_date(meta.rendered_at))?;
    }
    told.set(&headers, expose)?;
    if !with_body {
        headers.set("content-length", &meta.body_bytes.to_string())?;
    }
    let body = wrapped.body();
    envelope::response(meta.status, &headers, if with_body { body.as_deref() } else { None })
}

/// Hands on an answer of the site, with a word on why it did not come from the cache.
pub(super) fn passed(response: Response, told: &Told, expose: bool) -> Result<Response, JsValue> {
    // An upgrade must be handed on as it is.
    if response.status() == 101 {
        return Ok(response);
    }
    // A response is itself a valid init: status and headers are copied, the body is handed over.
    let body = response.body();
    let copy = Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())?;
    told.set(&copy.headers(), expose)?;
    if told.outcome == Outcome::Bypass {
        // A draft is for this visitor's eyes.
        copy.headers().set("cache-control", "private, no-store")?;
    }
    Ok(copy)
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
