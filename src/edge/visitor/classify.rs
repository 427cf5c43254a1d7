//! Decides which requests the cache answers.

use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Context;

use crate::edge::admin;
use crate::edge::origin::Task;
use crate::edge::platform::js::RequestHeaders;
use crate::edge::visitor::downstream;
use crate::edge::visitor::isr::{Asker, Handled, Isr};
use crate::edge::visitor::respond;
use crate::edge::visitor::visit::{self, Performer};
use crate::semantics::cache_status::{CacheStatus, Forward, Outcome};
use crate::visit::classify::{Class, PageRequest, Pass, RequestParts, classify};

impl Isr {
    /// Decides how a request is handled, and what a downstream cache may store of the response.
    pub(in crate::edge) async fn handle(&self, request: &Request, context: &Context) -> Result<Handled, JsValue> {
        if Task::Purge.is_asked(context) {
            return Ok(Handled::Response(downstream::purge(request, context).await?, Outcome::Skip));
        }
        let handled = self.decide(request, context, Asker::Visitor).await?;
        if let Handled::Response(response, _) = &handled {
            downstream::forbid_unless_said(self.config(), response)?;
        }
        Ok(handled)
    }

    /// Classifies a request, and performs the result.
    pub(in crate::edge) async fn decide(
        &self,
        request: &Request,
        context: &Context,
        asker: Asker,
    ) -> Result<Handled, JsValue> {
        let (method, url, headers) = (request.method(), request.url(), RequestHeaders(request));
        let is_render = self.is_render_request(request, context);
        let parts = RequestParts { method: &method, url: &url, headers: &headers, is_render };
        match classify(&self.settings.rules(), &parts) {
            Class::NotForCache => Ok(Handled::Pass(None)),
            // A caller of `lookup` asks only for pages.
            Class::Admin(_) if asker == Asker::Renderer => Ok(Handled::Pass(None)),
            Class::Admin(path) => {
                let response = admin::http(request, &method, path.as_str(), &self.env, &self.settings).await?;
                Ok(Handled::Response(response, Outcome::Skip))
            }
            Class::Pass(pass) => Ok(passed(pass)),
            Class::Redirect { location } => Ok(Handled::Response(respond::moved(&location)?, Outcome::Hit)),
            Class::Page(PageRequest { route, key, with_body, conditions, authorized }) => {
                // The response to a HEAD has no body that could be stored.
                let asker = if with_body { asker } else { Asker::Visitor };
                let performer = Performer { isr: self, context, route, key, with_body, conditions, asker, authorized };
                performer.answer().await
            }
        }
    }
}

/// Lets the origin answer, and adds the reason.
fn passed(pass: Pass) -> Handled {
    match pass {
        Pass::Draft => visit::told(Outcome::Bypass, CacheStatus::forwarded(Forward::Bypass)),
        Pass::NeverStored => visit::told(Outcome::Skip, CacheStatus::forwarded(Forward::Bypass)),
        Pass::NoKey(reason) => visit::skip(reason),
    }
}
