//! The response headers for a downstream cache, and the purge of the Worker's own.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, Response};
use worker::Context;

use crate::config::Config;
use crate::downstream::headers;
use crate::edge::caches::envelope;
use crate::edge::visitor::respond::{self, Change};
use crate::page::PageMeta;
use crate::route::Route;
use crate::time::Timestamp;

/// Returns the header changes of a HIT for a downstream cache, if one is configured.
///
/// `Age` is removed: the sent lifetime is the remaining one, and a cache would subtract the age once more (RFC 9111
/// §4.2.3).
pub(in crate::edge) fn changes(config: &Config, meta: &PageMeta, route: &Route, now: Timestamp) -> Vec<Change> {
    if !config.platform_cache {
        return Vec::new();
    }
    // The downstream cache's key does not contain the values that make variants, or with which requests pass.
    let is_for_some = respond::vary_field(route, meta).is_some();
    let control = if is_for_some { headers::FORBIDDEN.to_owned() } else { headers::control(&meta.windows, now) };
    if control == headers::FORBIDDEN {
        return vec![(headers::CONTROL_HEADER, Some(control))];
    }
    let Some(tags) = headers::tags(&meta.tags, meta.key.path(), route.id()) else {
        return vec![(headers::CONTROL_HEADER, Some(headers::FORBIDDEN.to_owned()))];
    };
    vec![("age", None), (headers::CONTROL_HEADER, Some(control)), (headers::TAG_HEADER, Some(tags))]
}

/// Forbids a downstream cache to store the origin's own response. No invalidation would reach it there, and without
/// this header the cache would store it for hours, even a personal one.
pub(in crate::edge) fn forbidden(config: &Config, response: Response) -> Result<Response, JsValue> {
    // An upgrade must be passed on unchanged, and is never stored.
    if !config.platform_cache || response.status() == 101 {
        return Ok(response);
    }
    let body = response.body();
    let copy = Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())?;
    copy.headers().set(headers::CONTROL_HEADER, headers::FORBIDDEN)?;
    Ok(copy)
}

/// Forbids storing for a response that was built here, unless it already has a header for the downstream cache.
pub(in crate::edge) fn forbid_unless_said(config: &Config, response: &Response) -> Result<(), JsValue> {
    let headers = response.headers();
    if config.platform_cache && response.status() != 101 && !headers.has(headers::CONTROL_HEADER)? {
        headers.set(headers::CONTROL_HEADER, headers::FORBIDDEN)?;
    }
    Ok(())
}

/// Purges the downstream cache of this entrypoint of the tags in the request's body, a JSON list. Responds with 204
/// when it is done or there is no such cache, and with 429 when the platform takes no more purges.
pub(in crate::edge) async fn purge(request: &Request, context: &Context) -> Result<Response, JsValue> {
    let cache = Reflect::get(context.as_ref(), &"cache".into())?;
    if cache.is_undefined() || cache.is_null() {
        // Workers Caching is not switched on for this entrypoint: it stores nothing.
        return empty(204);
    }
    let tags = JsFuture::from(request.json()?).await?;
    let options = Object::new();
    Reflect::set(&options, &"tags".into(), &tags)?;
    let purge: Function = Reflect::get(&cache, &"purge".into())?.dyn_into()?;
    let promise: Promise = purge.call1(&cache, &options)?.dyn_into()?;
    let result = JsFuture::from(promise).await?;
    if Reflect::get(&result, &"success".into())?.is_truthy() {
        return empty(204);
    }
    let errors = Reflect::get(&result, &"errors".into()).and_then(|errors| js_sys::JSON::stringify(&errors));
    let errors = errors.map(String::from).unwrap_or_default();
    envelope::json(429, &serde_json::json!({ "errors": errors.chars().take(500).collect::<String>() }))
}

fn empty(status: u16) -> Result<Response, JsValue> {
    let init = web_sys::ResponseInit::new();
    init.set_status(status);
    Response::new_with_opt_str_and_init(None, &init)
}
