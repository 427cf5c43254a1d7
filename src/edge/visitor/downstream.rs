//! The Worker's own cache in front of it: what answers say to it, and how it is purged from within.
//!
//! A purge reaches the cache of the entrypoint that calls it, and no other (Cloudflare, "Workers Caching: purging the
//! cache"); a zone's API does not reach it at all. An object has no such cache. So the tag index asks the Worker's
//! default entrypoint, over the loopback binding `ctx.exports.default`, to purge itself. It says who it is by `props`,
//! which no visitor can send.

use std::time::Duration;

use js_sys::{Array, Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, RequestInit, Response};
use worker::Context;

use crate::config::Config;
use crate::downstream::headers;
use crate::downstream::purges::Purged;
use crate::edge::platform::js::{self, Fetcher};
use crate::edge::visitor::isr;
use crate::edge::visitor::respond::{self, Change};
use crate::page::PageMeta;
use crate::route::Route;
use crate::time::Timestamp;

/// The value of `props.isr` of a request to purge.
const PURGE: &str = "purge";

/// How long a purge may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Returns what a HIT says to a cache in front, if there is to be one.
///
/// Its `Age` goes: the lifetime that is told is what is left of it, and a cache would take the age off once more
/// (RFC 9111 §4.2.3).
pub(in crate::edge) fn changes(config: &Config, meta: &PageMeta, route: &Route, now: Timestamp) -> Vec<Change> {
    if !config.platform_cache {
        return Vec::new();
    }
    // Its key has nothing of what makes variants.
    let has_variants = !route.vary().is_empty();
    let control = if has_variants { headers::FORBIDDEN.to_owned() } else { headers::control(&meta.windows, now) };
    if control == headers::FORBIDDEN {
        return vec![(headers::CONTROL_HEADER, Some(control))];
    }
    let tags = headers::tags(&meta.tags, meta.key.path(), route.id());
    vec![("age", None), (headers::CONTROL_HEADER, Some(control)), (headers::TAG_HEADER, Some(tags))]
}

/// Makes such changes to a response.
pub(in crate::edge) fn apply(response: &Response, changes: Vec<Change>) -> Result<(), JsValue> {
    for (name, value) in changes {
        match value {
            Some(value) => response.headers().set(name, &value)?,
            None => response.headers().delete(name)?,
        }
    }
    Ok(())
}

/// Forbids a cache in front to keep an answer of the site's own: no invalidation would reach it there, and without a word
/// of its own it would be kept for hours, whoever it was for.
pub(in crate::edge) fn forbidden(config: &Config, response: Response) -> Result<Response, JsValue> {
    // An upgrade must be handed on as it is, and is not kept anyway.
    if !config.platform_cache || response.status() == 101 {
        return Ok(response);
    }
    let body = response.body();
    let copy = Response::new_with_opt_readable_stream_and_init(body.as_ref(), response.unchecked_ref())?;
    copy.headers().set(headers::CONTROL_HEADER, headers::FORBIDDEN)?;
    Ok(copy)
}

/// Forbids it for an answer that was built here, unless it has said already what may be done with it.
pub(in crate::edge) fn forbid_unless_said(config: &Config, response: &Response) -> Result<(), JsValue> {
    let headers = response.headers();
    if config.platform_cache && response.status() != 101 && !headers.has(headers::CONTROL_HEADER)? {
        headers.set(headers::CONTROL_HEADER, headers::FORBIDDEN)?;
    }
    Ok(())
}

/// Tells whether a request is the tag index's, to purge the cache in front of this entrypoint.
pub(in crate::edge) fn is_purge(context: &Context) -> bool {
    isr::is_asked_to(context, PURGE)
}

/// Purges the cache in front of this entrypoint of the tags in the request's body, a JSON list: 204 when it is done or
/// there is no such cache, 429 when the platform takes no more purges.
pub(in crate::edge) async fn purge(request: &Request, context: &Context) -> Result<Response, JsValue> {
    let cache = Reflect::get(context.as_ref(), &"cache".into())?;
    if cache.is_undefined() || cache.is_null() {
        // Workers Caching is not switched on for this entrypoint: it keeps nothing.
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
    respond::json(429, &serde_json::json!({ "errors": errors.chars().take(500).collect::<String>() }))
}

fn empty(status: u16) -> Result<Response, JsValue> {
    let init = web_sys::ResponseInit::new();
    init.set_status(status);
    Response::new_with_opt_str_and_init(None, &init)
}

/// The loopback bindings of an object, by which it reaches its Worker's entrypoints.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Exports(JsValue);

impl Exports {
    /// Takes them from an object's state, as JavaScript has it.
    pub(in crate::edge) fn of(state: &JsValue) -> Self {
        Self(Reflect::get(state, &"exports".into()).unwrap_or_default())
    }

    /// Has the default entrypoint purge its cache of tags.
    pub(in crate::edge) async fn purge(&self, tags: &[String]) -> Purged {
        match js::within(WITHIN, self.ask(tags)).await {
            Some(Ok(response)) if response.status() == 204 => Purged::Done,
            Some(Ok(response)) if response.status() == 429 => {
                worker::console_warn!("the platform takes no more purges of the cache in front for now");
                Purged::Limited { retry_after: None }
            }
            Some(Ok(response)) => {
                worker::console_error!("the cache in front is not purged: the Worker answered {}", response.status());
                Purged::Failed { retry_after: None }
            }
            Some(Err(error)) => {
                worker::console_error!("the cache in front is not purged: {}", js::describe(&error));
                Purged::Failed { retry_after: None }
            }
            None => {
                worker::console_error!("the cache in front is not purged: no answer in time");
                Purged::Failed { retry_after: None }
            }
        }
    }

    /// Returns the default entrypoint as it is to be asked for a render.
    ///
    /// A cache in front of it keeps answers by path, query and `props` (Cloudflare, "Workers Caching: cache keys"), for as long as
    /// the site says or two hours. So that none of them is given for a later render, no two have the same `props`.
    pub(in crate::edge) fn renderer(&self) -> Result<Fetcher, JsValue> {
        self.entrypoint(isr::RENDER, Some(&format!("{:x}", js::random())))
    }

    /// Returns the default entrypoint; it sees in its `props.isr` what is wanted of it.
    fn entrypoint(&self, wanted: &str, once: Option<&str>) -> Result<Fetcher, JsValue> {
        let default =
            Reflect::get(&self.0, &"default".into()).and_then(JsCast::dyn_into::<Function>).map_err(|_| {
                JsValue::from_str("the Worker has no `ctx.exports`: its compatibility date must be 2025-11-17 or later")
            })?;
        let (options, props) = (Object::new(), Object::new());
        Reflect::set(&props, &"isr".into(), &wanted.into())?;
        if let Some(once) = once {
            Reflect::set(&props, &"once".into(), &once.into())?;
        }
        Reflect::set(&options, &"props".into(), &props)?;
        // Not by the function's own `call`: on a loopback binding that is the name of an RPC method.
        Ok(Reflect::apply(&default, &self.0, &Array::of1(&options))?.unchecked_into())
    }

    async fn ask(&self, tags: &[String]) -> Result<Response, JsValue> {
        let entrypoint = self.entrypoint(PURGE, None)?;
        let tags: Array = tags.iter().map(|tag| JsValue::from_str(tag)).collect();
        let init = RequestInit::new();
        // A POST never comes from a cache.
        init.set_method("POST");
        init.set_body(&js_sys::JSON::stringify(&tags)?.into());
        entrypoint.fetch(&Request::new_with_str_and_init("https://entrypoint/__isr/purge", &init)?).await
    }
}
