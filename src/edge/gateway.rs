//! A whole Worker: the cache in front of its origin. The origin is bound as `ORIGIN`, named by `origin` of a route or
//! at the top level, or a handler of the Worker itself.

use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::edge::admin;
use crate::edge::caches::envelope;
use crate::edge::origin::{self, FetchError, OriginClient};
use crate::edge::platform::js::{self, Fetcher, RequestHeaders};
use crate::edge::visitor::isr::{Decision, Isr, Served};
use crate::edge::visitor::observe::Observer;
use crate::edge::visitor::{downstream, respond};
use crate::invalidation::{Call, Mode, Refresh, Target};
use crate::route::{Origin, Route};
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::{CanonicalPath, RequestUrl};
use crate::semantics::unsafe_methods;
use crate::visit::classify;

/// The status of the response to a request that the origin did not answer usably.
const UNREACHABLE_STATUS: u16 = 502;

/// Exports the `fetch` event of the deployable Worker.
#[cfg(feature = "gateway")]
#[worker::event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    gateway(request, env, context).await
}

/// Answers every request of a Worker that is only a cache in front of an origin. The response comes from the cache, or
/// from the origin that is bound as `ORIGIN` or named by `origin`.
///
/// # Errors
/// Fails if the platform refuses to build a response.
///
/// ```no_run
/// use worker::web_sys::{Request, Response};
/// use worker::{Context, Env, Result};
///
/// // With #[worker::event(fetch)]
/// async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
///     cloudflare_isr::gateway(request, env, context).await
/// }
/// ```
pub async fn gateway(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let isr = match Isr::of(&env) {
        Ok(isr) => isr,
        Err(error) => return Ok(admin::unconfigured(&request, &env, &error).await?),
    };
    if isr.config().origin == Some(Origin::Own) {
        return Ok(no_handler()?);
    }
    let origin = async |request: &Request| match origin::client_of(&env, &isr.settings, route_of(&isr, request)) {
        Some(origin) => origin.pass(request).await,
        None => Ok(no_handler()?),
    };
    Ok(answer(&isr, &request, &context, origin).await?.or_else(|error| failed(&error))?)
}

/// Answers every request of a Worker that has the cache in front of its own handler. The entry module calls it.
#[wasm_bindgen(js_name = isrGateway)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn gateway_of_own(
    request: Request,
    env: JsValue,
    context: JsValue,
    own: JsValue,
) -> Result<Response, JsValue> {
    let context = Context::new(context.unchecked_into());
    let env = env.unchecked_into();
    let isr = match Isr::of(&env) {
        Ok(isr) => isr,
        Err(error) => return admin::unconfigured(&request, &env, &error).await,
    };
    let own = own.unchecked_into::<Fetcher>();
    let own = OriginClient::Service { clients: own.clone(), renders: own };
    match answer_by_own(&isr, &request, &context, async |request| own.pass(request).await).await? {
        Ok(response) => Ok(response),
        // An exception of the handler is passed on unchanged.
        Err(FetchError::Unreachable(thrown)) => Err(thrown),
        Err(error @ FetchError::Status(_)) => failed(&error),
    }
}

/// Answers a request from the cache, or by the Worker's own handler, except on routes with another origin. The inner
/// error is the handler's.
pub(in crate::edge) async fn answer_by_own(
    isr: &Isr,
    request: &Request,
    context: &Context,
    own: impl AsyncFnOnce(&Request) -> Result<Response, FetchError>,
) -> Result<Result<Response, FetchError>, JsValue> {
    let elsewhere = route_of(isr, request).filter(|route| route.origin() != isr.config().origin.as_ref());
    match elsewhere.and_then(|route| origin::client_of(&isr.env, &isr.settings, Some(route))) {
        Some(origin) => {
            let answer = answer(isr, request, context, async |request| origin.pass(request).await).await?;
            answer.or_else(|error| failed(&error)).map(Ok)
        }
        None => answer(isr, request, context, own).await,
    }
}

fn route_of<'a>(isr: &'a Isr, request: &Request) -> Option<&'a Route> {
    isr.config().routes.find(RequestUrl::parse(&request.url()).ok()?.path().as_str())
}

/// Answers a request from the cache, or by the origin. The inner error is the origin's.
pub(in crate::edge) async fn answer(
    isr: &Isr,
    request: &Request,
    context: &Context,
    origin: impl AsyncFnOnce(&Request) -> Result<Response, FetchError>,
) -> Result<Result<Response, FetchError>, JsValue> {
    let is_render = isr.is_render_request(request, context);
    // A render may pass through another gateway on its way to the origin. Its signature is already removed when it
    // returns.
    if !is_render && classify::is_loop(&RequestHeaders(request), isr.settings.deployment.id) {
        let message = "This request has come through this cache before: `origin` leads back to the gateway.";
        return failure(508, "loop", message).map(Ok);
    }
    let observer = Observer::new(isr, request, context);
    let status_headers = match isr.handle(request, context, &observer).await {
        Ok(Decision::Response(response, served)) => {
            if let Some(served) = served {
                observer.answered(&served, Some(response.status()));
            }
            return Ok(Ok(response));
        }
        Ok(Decision::Pass(status_headers)) => status_headers,
        // A lease is given only to callers that asked for one.
        Ok(Decision::Lease(_)) => None,
        Err(error) => {
            // Availability wins: the origin can answer without the cache.
            worker::console_error!("the cache failed: {}", js::describe(&error));
            None
        }
    };
    let answered = origin(request).await;
    if let Some(served) = status_headers.clone().map(Served::without_page) {
        observer.answered(&served, Some(answered.as_ref().map_or(UNREACHABLE_STATUS, Response::status)));
    }
    if let Ok(response) = &answered
        && !is_render
    {
        invalidate_changed(isr, request, response).await;
    }
    let response = match answered {
        // The cache that sent the render stores its response, so it must see all of the origin's headers.
        Ok(response) if status_headers.is_none() && is_render => return Ok(Ok(response)),
        Ok(response) => respond::passed(response, status_headers.as_ref(), isr.config().expose_headers)?,
        Err(error) => return Ok(Err(error)),
    };
    downstream::forbidden(isr.config(), response).map(Ok)
}

/// Invalidates what a request with an unsafe method has changed, on routes with the standard rules (RFC 9111 §4.4). The
/// client gets its response afterwards, so that its next request in this isolate finds no older page.
async fn invalidate_changed(isr: &Isr, request: &Request, response: &Response) {
    let headers = || envelope::header_list(&response.headers());
    let (method, status) = (request.method(), response.status());
    if unsafe_methods::is_safe(&method) {
        return;
    }
    let routes = &isr.config().routes;
    let is_standard =
        |path: &CanonicalPath| routes.find(path.as_str()).is_some_and(|r| r.http() == HttpRules::Standard);
    let changed = unsafe_methods::invalidated(&method, &request.url(), status, &headers());
    let targets: Vec<Target> = changed.into_iter().filter(is_standard).map(Target::Path).collect();
    if targets.is_empty() {
        return;
    }
    let call = Call { targets, mode: Mode::Expire, refresh: Refresh::Lazy, key: None };
    if let Err(error) = admin::record_all(&isr.env, call).await {
        // The origin has made its change, so the client must get its response.
        worker::console_error!("{method} {}: its pages could not be invalidated: {error}", request.url());
    }
}

/// Builds the response to a request that the origin did not answer usably.
fn failed(error: &FetchError) -> Result<Response, JsValue> {
    worker::console_error!("{error}");
    match error {
        FetchError::Unreachable(_) => failure(UNREACHABLE_STATUS, "site_unreachable", "The site could not be reached."),
        FetchError::Status(_) => {
            failure(UNREACHABLE_STATUS, "site_invalid", "The site answered with a status that is none.")
        }
    }
}

fn no_handler() -> Result<Response, JsValue> {
    let message = "`origin` is \"self\", but this Worker has no handler of its own: its main module is to export \
        `withIsr(handler)` as its default. For a site elsewhere, name its URL as `origin`, or bind it as `ORIGIN`.";
    failure(500, "no_handler", message)
}

fn failure(status: u16, code: &str, message: &str) -> Result<Response, JsValue> {
    envelope::json(status, &serde_json::json!({ "error": { "code": code, "message": message } }))
}
