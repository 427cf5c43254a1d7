//! The cache of a Worker, as one request sees it, and what can become of the request.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::config::{Config, ConfigError};
use crate::edge::caches::envelope;
use crate::edge::origin::{self, Task};
use crate::edge::settings::Settings;
use crate::edge::visitor::respond::Told;
use crate::protocol::Ticket;
use crate::semantics::cache_status::Outcome;

/// The cache of a Worker, for one request.
///
/// [`serve`](crate::serve()) is all that a Worker needs that has the cache in front of its own handler. The methods here are
/// for those that go step by step; [`crate::edge`] says how they fit together.
#[derive(Clone)]
pub struct Isr {
    pub(in crate::edge) env: Env,
    pub(in crate::edge) settings: Rc<Settings>,
}

/// What is to become of a request.
pub(in crate::edge) enum Handled {
    /// This is the response, and how it came to be.
    Response(Response, Outcome),
    /// Who asks renders the page: only if he has said that he can.
    Lease(Ticket),
    /// The site answers the visitor's own request. If there is something to tell, it is told in the headers.
    Pass(Option<Told>),
}

/// Whether who asks for a page can render it himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Asker {
    /// A visitor.
    Visitor,
    /// A caller of `lookup`: it brings the page with `store`.
    Renderer,
}

/// Says what is wrong with the configuration, until it is mended.
pub(in crate::edge) fn misconfigured(error: &ConfigError) -> Result<Response, JsValue> {
    let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    envelope::json(500, &serde_json::json!({ "error": { "code": "misconfigured", "problems": problems } }))
}

impl Isr {
    /// Reads the settings of the deployment.
    pub(in crate::edge) fn of(env: &Env) -> Result<Self, Rc<ConfigError>> {
        Ok(Self { env: env.clone(), settings: Settings::of(env)? })
    }

    /// Tells whether a request is a render that this cache has asked for, which whoever renders is to answer: by `props` of
    /// the service binding that it came over, or by its signature with the secret `ISR_RENDER_SECRET`.
    pub(in crate::edge) fn is_render(&self, request: &Request, context: &Context) -> bool {
        let is_signed = |secret| origin::is_signed(request, secret);
        Task::Render.is_asked(context) || self.settings.render_secret.as_ref().is_some_and(is_signed)
    }

    pub(in crate::edge) fn config(&self) -> &Config {
        &self.settings.config
    }
}
