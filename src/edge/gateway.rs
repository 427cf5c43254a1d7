//! The deployable Worker: the cache in front of the site that is bound as `ORIGIN` or named by `origin`, of a route or at the
//! top level.

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::edge::isr::{Handled, Isr, misconfigured};
use crate::edge::{front, js, respond, settings, site};
use crate::semantics::key::RequestUrl;

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
    let isr = match Isr::new(&env) {
        Ok(isr) => isr,
        Err(error) => return Ok(misconfigured(&error)?),
    };
    let is_render = isr.is_render(&request, &context);
    // A render may pass through another gateway on its way to the site. It has lost its signature when it comes back.
    if !is_render && site::is_loop(&request) {
        let message = "This request has come through this cache before: `origin` leads back to the gateway.";
        return Ok(failure(508, "loop", message)?);
    }
    let told = match isr.handle(&request, &context).await {
        Ok(Handled::Response(response)) => return Ok(response),
        Ok(Handled::Pass(told)) => told,
        Err(error) => {
            // Availability wins: the site can answer without the cache.
            worker::console_error!("the cache failed: {}", js::describe(&error));
            None
        }
    };
    let url = RequestUrl::parse(&request.url()).ok();
    let route = url.and_then(|url| isr.config().routes.find(url.path().as_str()));
    let site = settings::site(&env, &isr.settings, route).ok_or("the binding of the site is missing")?;
    match site.pass(&request).await {
        Ok(response) => {
            // A render is stored by the cache that has asked for it, which must see all that the site has said.
            if told.is_none() && is_render {
                return Ok(response);
            }
            let response = respond::passed(response, told.as_ref(), isr.config().expose_headers)?;
            Ok(front::forbidden(isr.config(), response)?)
        }
        Err(error) => {
            worker::console_error!("the site could not be reached: {}", js::describe(&error));
            Ok(failure(502, "site_unreachable", "The site could not be reached.")?)
        }
    }
}

fn failure(status: u16, code: &str, message: &str) -> Result<Response, JsValue> {
    respond::json(status, &serde_json::json!({ "error": { "code": code, "message": message } }))
}
