//! The split life cycle, for callers that render pages themselves: `lookup`, then `store`.

use js_sys::{JSON, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::Response as WebResponse;
use worker::{Context, Env, Request, Response};

use crate::edge::admin;
use crate::edge::body::sealed;
use crate::edge::caches::envelope;
use crate::edge::objects::render;
use crate::edge::origin;
use crate::edge::platform::calls;
use crate::edge::visitor::isr::{ClientKind, Decision, Isr};
use crate::edge::visitor::observe::Observer;
use crate::edge::visitor::respond::{self, StatusHeaders};
use crate::error::{ArgumentError, CallError};
use crate::page_policy::{PageSettings, PageSettingsError};
use crate::protocol::{MAX_SENT, Offer, StoreResult, Ticket};
use crate::reason::Reason;
use crate::route::{RenderValue, Route};
use crate::semantics::browser;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Detail, Forward};
use crate::semantics::storable::{self, Criteria};

/// The result of [`Isr::lookup`]. Responses are ready for the client, and may be a 304, a 206 or a 416.
///
/// ```
/// use cloudflare_isr::Lookup;
///
/// fn status(lookup: &Lookup) -> &'static str {
///     match lookup {
///         Lookup::Hit(_) => "HIT",
///         Lookup::Stale(_) => "STALE",
///         Lookup::Miss(_) | Lookup::Lease { .. } => "MISS",
///         Lookup::Skip { .. } => "SKIP",
///         Lookup::Bypass => "BYPASS",
///         Lookup::Pass => "PASS",
///     }
/// }
/// ```
#[derive(Debug)]
pub enum Lookup {
    /// The page, fresh.
    Hit(Response),
    /// The page, stale. The configured origin renders it again in the background.
    Stale(Response),
    /// The page, rendered by another request meanwhile; or a 503, if a render has just failed.
    Miss(Response),
    /// No tier has the page. You hold the lease: render the request, and store the response.
    Lease {
        /// For [`Isr::store`].
        ticket: Ticket,
        /// The request to render: the canonical URL, without anything of the client.
        request: Request,
    },
    /// The page is not stored, or not available now: answer the request yourself.
    Skip {
        /// Why.
        reason: Option<Reason>,
    },
    /// The client has a draft token: answer the request yourself, with `Cache-Control: private, no-store`.
    Bypass,
    /// Not a page of this cache: answer the request yourself.
    Pass,
}

impl Isr {
    /// Looks a page up for a caller that can render it.
    pub(in crate::edge) async fn look_up(
        &self,
        request: &web_sys::Request,
        context: &Context,
    ) -> Result<Lookup, JsValue> {
        let observer = Observer::new(self, request, context);
        let decision = self.decide(request, context, ClientKind::Renderer, &observer).await?;
        observer.decided(&decision);
        Ok(match decision {
            Decision::Response(response, served) => match served.map(|served| served.status.outcome) {
                Some(CacheOutcome::Hit) => Lookup::Hit(response.into()),
                Some(CacheOutcome::Stale) => Lookup::Stale(response.into()),
                _ => Lookup::Miss(response.into()),
            },
            Decision::Lease(ticket) => {
                let sent = envelope::header_list(&request.headers());
                let sent = sent.iter().map(|(name, _)| name.to_owned()).take(MAX_SENT).collect();
                let ticket = Ticket { sent, ..ticket };
                let route = self.config().routes.find(ticket.key.path());
                let request = origin::render_request(&ticket.key, route.into_iter().flat_map(open_headers))?.into();
                Lookup::Lease { ticket, request }
            }
            Decision::Pass(None) => Lookup::Pass,
            Decision::Pass(Some(status_headers)) if status_headers.outcome == CacheOutcome::Bypass => Lookup::Bypass,
            Decision::Pass(Some(status_headers)) => {
                Lookup::Skip { reason: status_headers.status.detail.map(Detail::reason) }
            }
        })
    }

    /// Builds the client's response from a page that was rendered under a ticket. If the page can be stored, the client
    /// gets it like all others: without cookies, and with this cache's `Cache-Control`.
    pub(in crate::edge) fn shown(
        &self,
        ticket: &Ticket,
        response: WebResponse,
        settings: &PageSettings,
    ) -> Result<WebResponse, JsValue> {
        let Ticket { key, token, authorized, sent, .. } = ticket;
        let mut headers = envelope::header_list(&response.headers());
        settings.write(&mut headers);
        let judged = self.config().routes.find(key.path()).map(|route| {
            let criteria = render::criteria(route, key, *token, self.config().max_body_bytes);
            storable::judge(response.status(), &headers, &Criteria { authorized: *authorized, ..criteria })
        });
        let status = CacheStatus { fwd_status: Some(response.status()), ..CacheStatus::forwarded(Forward::UriMiss) };
        let (response, outcome) = match judged {
            // The page is for others; the visitor's own request is to be rendered.
            Some(storable::Storability::Store(page)) if page.rules.nominated().is_among(sent) => {
                (response, CacheOutcome::Skip)
            }
            Some(storable::Storability::Store(page)) => {
                let headers = envelope::js_headers(&page.headers)?;
                let own = page.rules.cache_control();
                headers.set("cache-control", own.unwrap_or(browser::ALWAYS_ASK))?;
                (envelope::response(response.status(), &headers, response.body().as_deref())?, CacheOutcome::Miss)
            }
            Some(storable::Storability::Pass(_) | storable::Storability::Fail(_)) | None => {
                (response, CacheOutcome::Skip)
            }
        };
        respond::passed(response, Some(&StatusHeaders { outcome, status }), self.config().expose_headers)
    }

    /// Takes the page that was rendered under a ticket. Reads its body to the end.
    pub(in crate::edge) async fn take(
        &self,
        ticket: Ticket,
        response: &WebResponse,
        settings: &PageSettings,
    ) -> Result<StoreResult, CallError> {
        let mut headers = envelope::header_list(&response.headers());
        settings.write(&mut headers);
        let offer = Offer::new(ticket, response.status(), &headers);
        let sent = async {
            let (body, pump) = sealed::seal(response.body(), offer.ticket.token)?;
            calls::offer(&self.env, &offer, &body, pump).await
        };
        match sent.await {
            Ok(StoreResult::LeaseLost) => Err(CallError::LeaseLost),
            Ok(result) => Ok(result),
            Err(error) => Err(CallError::Unreachable(error)),
        }
    }
}

/// Returns the `render_headers` of a route without secrets, which are only for the configured origin.
fn open_headers(route: &Route) -> impl Iterator<Item = (&str, &str)> {
    route.render_headers().iter().filter_map(|(name, value)| match value {
        RenderValue::Text(text) => Some((name.as_str(), text.as_str())),
        RenderValue::Secret(_) => None,
    })
}

impl Lookup {
    /// Returns the answer in the form for RPC callers.
    fn into_js(self) -> Result<JsValue, JsValue> {
        let answer = Object::new();
        let set = |field: &str, value: JsValue| Reflect::set(&answer, &field.into(), &value).map(drop);
        match self {
            Self::Hit(response) => (set("status", "HIT".into())?, set("response", response_to_js(response))?),
            Self::Stale(response) => (set("status", "STALE".into())?, set("response", response_to_js(response))?),
            Self::Miss(response) => (set("status", "MISS".into())?, set("response", response_to_js(response))?),
            Self::Lease { ticket, request } => {
                set("request", request.inner().into())?;
                (set("status", "MISS".into())?, set("ticket", ticket.to_text().into())?)
            }
            Self::Skip { reason } => {
                let reason = reason.map_or(JsValue::NULL, |reason| reason.name().into());
                (set("status", "SKIP".into())?, set("reason", reason)?)
            }
            Self::Bypass => (set("status", "BYPASS".into())?, set("reason", JsValue::NULL)?),
            Self::Pass => (set("status", "PASS".into())?, ()),
        };
        Ok(answer.into())
    }
}

fn response_to_js(response: Response) -> JsValue {
    WebResponse::from(response).into()
}

/// Performs `lookup` for the entry module. Returns the answer, or `{ error: { code, message } }`, which the entry
/// module throws.
#[wasm_bindgen(js_name = isrLookup)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn lookup(env: JsValue, context: JsValue, request: web_sys::Request) -> Result<JsValue, JsValue> {
    let context = Context::new(context.unchecked_into());
    match isr_of(env) {
        Ok(isr) => isr.look_up(&request, &context).await?.into_js(),
        Err(error) => error_to_js(&error),
    }
}

/// Performs `store` for the entry module, like [`lookup`].
#[wasm_bindgen(js_name = isrStore)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn store(env: JsValue, ticket: String, response: WebResponse, settings: String) -> Result<JsValue, JsValue> {
    let stored = async {
        let settings = page_settings(&settings).map_err(ArgumentError::from)?;
        let ticket = Ticket::parse(&ticket).ok_or(ArgumentError::Ticket)?;
        isr_of(env)?.take(ticket, &response, &settings).await
    };
    let reason = match stored.await {
        Ok(StoreResult::NotStored { reason }) => JsValue::from_str(reason.name()),
        Ok(StoreResult::Stored | StoreResult::LeaseLost) => JsValue::NULL,
        Err(error) => return error_to_js(&error),
    };
    let answer = Object::new();
    Reflect::set(&answer, &"stored".into(), &reason.is_null().into())?;
    Reflect::set(&answer, &"reason".into(), &reason)?;
    Ok(answer.into())
}

fn page_settings(text: &str) -> Result<PageSettings, PageSettingsError> {
    let json = serde_json::from_str(text).map_err(|_| PageSettingsError::NotAnObject { found: text.to_owned() })?;
    PageSettings::from_json(&json)
}

fn isr_of(env: JsValue) -> Result<Isr, CallError> {
    Isr::of(&env.unchecked_into::<Env>()).map_err(CallError::Unconfigured)
}

fn error_to_js(error: &CallError) -> Result<JsValue, JsValue> {
    JSON::parse(&admin::refusal(error).to_string())
}
