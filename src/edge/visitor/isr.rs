//! The cache of a Worker for one request, and the ways to handle the request.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::config::{Config, ConfigError};
use crate::edge::caches::envelope;
use crate::edge::origin::{self, Task};
use crate::edge::settings::Settings;
use crate::edge::visitor::respond::StatusHeaders;
use crate::protocol::Ticket;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Forward};
use crate::version::Version;

/// The cache of a Worker, for one request.
///
/// [`serve`](crate::serve()) is enough for a Worker with the cache in front of its own handler. The methods here
/// perform the single steps.
///
/// ```no_run
/// use cloudflare_isr::Isr;
/// use worker::{Context, Env, Request, Response, Result};
///
/// // With #[worker::event(fetch)]
/// async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
///     match Isr::new(&env)?.handle_request(&request, &context).await? {
///         Some(response) => Ok(response),
///         None => Response::ok("not a page of the cache"),
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Isr {
    pub(in crate::edge) env: Env,
    pub(in crate::edge) settings: Rc<Settings>,
}

/// How a request is handled.
pub(in crate::edge) enum Decision {
    /// This is the response. Without the second value, it is not about a page.
    Response(Response, Option<Served>),
    /// The caller renders the page. Only for callers that can.
    Lease(Ticket),
    /// The origin answers the client's own request. If there is an explanation, it is added to the headers.
    Pass(Option<StatusHeaders>),
}

/// How a response for a page came about.
#[derive(Clone)]
pub(in crate::edge) struct Served {
    /// What its headers say.
    pub(in crate::edge) status: StatusHeaders,
    /// The version of the page, if it is one.
    pub(in crate::edge) version: Option<Version>,
}

impl Served {
    /// Describes a response that is not a page.
    pub(in crate::edge) const fn without_page(status: StatusHeaders) -> Self {
        Self { status, version: None }
    }
}

impl Decision {
    /// Returns how the response came about; `None` if the request is not for a page.
    pub(in crate::edge) fn served(&self) -> Option<Served> {
        match self {
            Self::Response(_, served) => served.clone(),
            Self::Pass(status) => status.clone().map(Served::without_page),
            Self::Lease(_) => {
                let status = CacheStatus::forwarded(Forward::UriMiss);
                Some(Served::without_page(StatusHeaders { outcome: CacheOutcome::Miss, status }))
            }
        }
    }

    /// Returns the HTTP status of the response; `None` if the caller answers.
    pub(in crate::edge) fn http_status(&self) -> Option<u16> {
        match self {
            Self::Response(response, _) => Some(response.status()),
            Self::Pass(_) | Self::Lease(_) => None,
        }
    }
}

/// Whether the caller can render a page itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum ClientKind {
    /// A client: it can't.
    Visitor,
    /// A caller of `lookup`: it sends the page with `store`.
    Renderer,
}

/// Builds the response that lists the problems of the configuration.
pub(in crate::edge) fn misconfigured(error: &ConfigError) -> Result<Response, JsValue> {
    let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    envelope::json(500, &serde_json::json!({ "error": { "code": "misconfigured", "problems": problems } }))
}

impl Isr {
    /// Reads the settings of the deployment.
    pub(in crate::edge) fn of(env: &Env) -> Result<Self, Rc<ConfigError>> {
        Ok(Self { env: env.clone(), settings: Settings::of(env)? })
    }

    /// Returns whether a request is a render from this cache, which the renderer must answer. It is recognised by
    /// `props` of a service binding for renders alone, or by its signature with the secret `ISR_RENDER_SECRET`.
    pub(in crate::edge) fn is_render_request(&self, request: &Request, context: &Context) -> bool {
        let is_signed = |secret| origin::is_signed(request, secret);
        Task::Render.is_asked(context) || self.settings.render_secret.as_ref().is_some_and(is_signed)
    }

    pub(in crate::edge) fn config(&self) -> &Config {
        &self.settings.config
    }
}
