//! The split life cycle, for callers that render pages themselves: `lookup`, then `store`.

use js_sys::{JSON, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::edge::admin::AdminError;
use crate::edge::isr::{Asker, Handled, Isr};
use crate::edge::{calls, envelope, site};
use crate::scope::PageSettings;
use crate::semantics::cache_status::Outcome;
use crate::split::{Offer, Offered, Ticket};

impl Isr {
    /// Looks a page up for a caller that can render it.
    pub(super) async fn look_up(&self, request: &Request, context: &Context) -> Result<Handled, JsValue> {
        self.decide(request, context, Asker::Renderer).await
    }

    /// Takes the page that was rendered under a ticket. Its body is read to the end.
    pub(super) async fn take(
        &self,
        ticket: &str,
        response: &Response,
        settings: &PageSettings,
    ) -> Result<Offered, AdminError> {
        let ticket = Ticket::parse(ticket)
            .ok_or_else(|| AdminError::Argument("the ticket is not one that lookup has given".to_owned()))?;
        let mut headers = envelope::header_list(&response.headers());
        settings.write(&mut headers);
        let offer = Offer::new(ticket, response.status(), &headers);
        match calls::offer(&self.env, &offer, response.body().as_ref()).await {
            Ok(Offered::LeaseLost) => Err(AdminError::LeaseLost),
            Ok(offered) => Ok(offered),
            Err(error) => {
                worker::console_error!("store: {}: {error}", offer.ticket.key);
                Err(AdminError::Unanswered)
            }
        }
    }
}

/// Carries out `lookup`. Called by the entry module, also in an object, whose state has all that is wanted of a context
/// here. Returns the answer, or `{ error: { code, message } }`, which the entry module throws.
#[wasm_bindgen(js_name = isrLookup)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn lookup(env: JsValue, context: JsValue, request: Request) -> Result<JsValue, JsValue> {
    let context = Context::new(context.unchecked_into());
    let isr = match isr_of(env) {
        Ok(isr) => isr,
        Err(error) => return error_object(&error),
    };
    let (status, field, value): (_, _, JsValue) = match isr.look_up(&request, &context).await? {
        Handled::Response(response, Outcome::Hit) => ("HIT", "response", response.into()),
        Handled::Response(response, Outcome::Stale) => ("STALE", "response", response.into()),
        Handled::Response(response, _) => ("MISS", "response", response.into()),
        Handled::Lease(ticket) => {
            let answer = object("MISS", "ticket", &ticket.to_text().into())?;
            Reflect::set(&answer, &"request".into(), &site::render_request(&ticket.key)?.into())?;
            return Ok(answer.into());
        }
        Handled::Pass(None) => return object("PASS", "reason", &JsValue::NULL).map(Into::into),
        Handled::Pass(Some(told)) => {
            (told.outcome.as_str(), "reason", told.status.detail.map_or(JsValue::NULL, |word| JsValue::from_str(&word)))
        }
    };
    object(status, field, &value).map(Into::into)
}

/// Carries out `store`, like [`lookup`].
#[wasm_bindgen(js_name = isrStore)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn store(env: JsValue, ticket: String, response: Response, settings: String) -> Result<JsValue, JsValue> {
    let stored = async {
        let settings = serde_json::from_str(&settings).map_err(|error| AdminError::Argument(error.to_string()))?;
        let settings = PageSettings::from_json(&settings).map_err(|error| AdminError::Argument(error.to_string()))?;
        isr_of(env)?.take(&ticket, &response, &settings).await
    };
    let reason = match stored.await {
        Ok(Offered::NotStored { reason }) => JsValue::from_str(&reason),
        Ok(Offered::Stored | Offered::LeaseLost) => JsValue::NULL,
        Err(error) => return error_object(&error),
    };
    let answer = Object::new();
    Reflect::set(&answer, &"stored".into(), &reason.is_null().into())?;
    Reflect::set(&answer, &"reason".into(), &reason)?;
    Ok(answer.into())
}

fn isr_of(env: JsValue) -> Result<Isr, AdminError> {
    // All that is wrong has been logged.
    Isr::new(&env.unchecked_into::<Env>()).map_err(|_| AdminError::Unconfigured)
}

fn object(status: &str, field: &str, value: &JsValue) -> Result<Object, JsValue> {
    let answer = Object::new();
    Reflect::set(&answer, &"status".into(), &status.into())?;
    Reflect::set(&answer, &field.into(), value)?;
    Ok(answer)
}

fn error_object(error: &AdminError) -> Result<JsValue, JsValue> {
    JSON::parse(&error.to_json().to_string())
}
