//! The deployable Worker: the cache in front of the site that is bound as `ORIGIN` or named by `origin`.

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::edge::isr::{self, Handled, Isr, misconfigured};
use crate::edge::site::SiteError;
use crate::edge::{front, js, respond, settings, site};

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
    if site::is_loop(&request) {
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
    let site = settings::site(&env, isr.config()).ok_or("the binding ORIGIN is missing")?;
    match site.pass(&request).await {
        Ok(response) => {
            let response = respond::passed(response, told.as_ref(), isr.config().expose_headers)?;
            // A render is stored by this cache, which must see what the site has said.
            if told.is_none() && isr::is_render(&context) {
                return Ok(response);
            }
            Ok(front::forbidden(isr.config(), response)?)
        }
        Err(error) => {
            worker::console_error!("{error}");
            Ok(match error {
                SiteError::Unreachable(_) => failure(502, "site_unreachable", "The site could not be reached."),
                SiteError::Status(_) => failure(502, "site_invalid", "The site answered with a status that is none."),
            }?)
        }
    }
}

fn failure(status: u16, code: &str, message: &str) -> Result<Response, JsValue> {
    respond::json(status, &serde_json::json!({ "error": { "code": code, "message": message } }))
}
