//! A whole Worker: the cache in front of the site that is bound as `ORIGIN` or named by `origin`, or of a handler of the
//! Worker's own.

use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::edge::isr::{self, Handled, Isr, misconfigured};
use crate::edge::js::Fetcher;
use crate::edge::site::{self, Site};
use crate::edge::{front, js, respond, settings};

/// Exports the `fetch` event of the deployable Worker.
#[cfg(feature = "gateway")]
#[worker::event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    gateway(request, env, context).await
}

/// Answers every request of a Worker that is nothing but a cache in front of a site: from the cache, or by the site that
/// is bound as `ORIGIN` or named by `origin`.
///
/// # Errors
/// When the platform refuses to build a response.
pub async fn gateway(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let isr = match Isr::of(&env) {
        Ok(isr) => isr,
        Err(error) => return Ok(misconfigured(&error)?),
    };
    let Some(site) = settings::site(&env, isr.config()) else {
        let message = "`origin` is \"self\", but this Worker has no handler of its own: its main module is to export \
            `withIsr(handler)` as its default. For a site elsewhere, name its URL as `origin`, or bind it as `ORIGIN`.";
        return Ok(failure(500, "no_handler", message)?);
    };
    match answer(&isr, &request, &context, async |request| site.pass(request).await).await? {
        Ok(response) => Ok(response),
        Err(error) => {
            worker::console_error!("the site could not be reached: {}", js::describe(&error));
            Ok(failure(502, "site_unreachable", "The site could not be reached.")?)
        }
    }
}

/// Answers every request of a Worker that has the cache in front of a handler of its own. Called by the entry module.
#[wasm_bindgen(js_name = isrGateway)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn gateway_of_own(
    request: Request,
    env: JsValue,
    context: JsValue,
    own: JsValue,
) -> Result<Response, JsValue> {
    let context = Context::new(context.unchecked_into());
    let isr = match Isr::of(&env.unchecked_into()) {
        Ok(isr) => isr,
        Err(error) => return misconfigured(&error),
    };
    let site = Site::Service(own.unchecked_into::<Fetcher>());
    // What the handler throws is its own.
    answer(&isr, &request, &context, async |request| site.pass(request).await).await?
}

/// Answers a request from the cache, or by the site. The inner error is the site's.
pub(super) async fn answer(
    isr: &Isr,
    request: &Request,
    context: &Context,
    site: impl AsyncFnOnce(&Request) -> Result<Response, JsValue>,
) -> Result<Result<Response, JsValue>, JsValue> {
    if site::is_loop(request) {
        let message = "This request has come through this cache before: `origin` leads back to the gateway.";
        return failure(508, "loop", message).map(Ok);
    }
    let told = match isr.handle(request, context).await {
        Ok(Handled::Response(response, _)) => return Ok(Ok(response)),
        Ok(Handled::Pass(told)) => told,
        // Not given to who has not asked for it.
        Ok(Handled::Lease(_)) => None,
        Err(error) => {
            // Availability wins: the site can answer without the cache.
            worker::console_error!("the cache failed: {}", js::describe(&error));
            None
        }
    };
    let response = match site(request).await {
        Ok(response) => respond::passed(response, told.as_ref(), isr.config().expose_headers)?,
        Err(error) => return Ok(Err(error)),
    };
    // A render is stored by this cache, which must see what the site has said.
    if told.is_none() && isr::is_render(context) {
        return Ok(Ok(response));
    }
    front::forbidden(isr.config(), response).map(Ok)
}

fn failure(status: u16, code: &str, message: &str) -> Result<Response, JsValue> {
    respond::json(status, &serde_json::json!({ "error": { "code": code, "message": message } }))
}
