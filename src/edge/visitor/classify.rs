//! Decides which requests the cache answers.

use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Context;

use crate::edge::admin;
use crate::edge::caches::envelope;
use crate::edge::origin::Task;
use crate::edge::platform::js::RequestHeaders;
use crate::edge::visitor::downstream;
use crate::edge::visitor::isr::{ClientKind, Decision, Isr, Served};
use crate::edge::visitor::observe::Observer;
use crate::edge::visitor::respond::{self, StatusHeaders};
use crate::edge::visitor::visit::{self, Performer};
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Forward};
use crate::semantics::vary::Visitor;
use crate::visit::classify::{self, Class, PageRequest, Pass, RequestParts, UrlClass, classify};

impl Isr {
    /// Decides how a request is handled, and what a downstream cache may store of the response.
    pub(in crate::edge) async fn handle(
        &self,
        request: &Request,
        context: &Context,
        observer: &Observer<'_>,
    ) -> Result<Decision, JsValue> {
        if Task::Purge.is_asked(context) {
            return Ok(Decision::Response(downstream::purge(request, context).await?, None));
        }
        let handled = self.decide(request, context, ClientKind::Visitor, observer).await?;
        if let Decision::Response(response, _) = &handled {
            downstream::forbid_unless_said(self.config(), response)?;
        }
        Ok(handled)
    }

    /// Classifies a request, and performs the result.
    pub(in crate::edge) async fn decide(
        &self,
        request: &Request,
        context: &Context,
        client: ClientKind,
        observer: &Observer<'_>,
    ) -> Result<Decision, JsValue> {
        let (method, url, headers) = (request.method(), request.url(), RequestHeaders(request));
        let is_render = self.is_render_request(request, context);
        let parts = RequestParts { method: &method, url: &url, headers: &headers, is_render };
        let class = classify(&self.settings.rules(), &parts);
        self.note_page(&class, &url, observer);
        match class {
            Class::NotForCache => Ok(Decision::Pass(None)),
            // A caller of `lookup` asks only for pages.
            Class::Admin(_) if client == ClientKind::Renderer => Ok(Decision::Pass(None)),
            Class::Admin(path) => {
                let response = admin::http(request, &method, path.as_str(), &self.env, &self.settings).await?;
                Ok(Decision::Response(response, None))
            }
            Class::Purge => Ok(Decision::Response(respond::no_purge()?, None)),
            Class::Pass(pass) => Ok(passed(pass)),
            Class::Redirect { location, page } => match self.visit(page, &url, &headers, context, client).await? {
                Decision::Response(response, served) => {
                    envelope::discard(&response);
                    // The redirect itself is never stale.
                    let as_hit = |served: Served| Served {
                        status: StatusHeaders { outcome: CacheOutcome::Hit, ..served.status },
                        ..served
                    };
                    Ok(Decision::Response(respond::moved(&location)?, served.map(as_hit)))
                }
                other => Ok(other),
            },
            Class::Page(page) => self.visit(page, &url, &headers, context, client).await,
        }
    }

    /// Tells the observer which page of which route a request is for.
    fn note_page(&self, class: &Class<'_>, url: &str, observer: &Observer<'_>) {
        match class {
            Class::Page(page) | Class::Redirect { page, .. } => {
                observer.is_about(page.route.id(), Some(page.key.clone()));
            }
            Class::Pass(_) => {
                if let UrlClass::Routed { route, .. } = classify::by_url(self.config(), url) {
                    observer.is_about(route.id(), None);
                }
            }
            Class::NotForCache | Class::Admin(_) | Class::Purge => {}
        }
    }

    async fn visit(
        &self,
        page: PageRequest<'_>,
        url: &str,
        sent: &dyn Visitor,
        context: &Context,
        client: ClientKind,
    ) -> Result<Decision, JsValue> {
        let PageRequest { route, key, with_body, conditions, demands, authorized } = page;
        // The response to a HEAD has no body that could be stored.
        let client = if with_body { client } else { ClientKind::Visitor };
        Performer { isr: self, context, route, key, url, sent, with_body, conditions, demands, client, authorized }
            .answer()
            .await
    }
}

/// Lets the origin answer, and adds the reason.
fn passed(pass: Pass) -> Decision {
    match pass {
        Pass::Draft => visit::pass_with(CacheOutcome::Bypass, CacheStatus::forwarded(Forward::Bypass)),
        Pass::NeverStored => {
            let status = CacheStatus::forwarded(Forward::Bypass).with_detail(Some(Reason::RevalidateZero));
            visit::pass_with(CacheOutcome::Skip, status)
        }
        Pass::Cookie => {
            let status = CacheStatus::forwarded(Forward::Bypass).with_detail(Some(Reason::BypassCookie));
            visit::pass_with(CacheOutcome::Skip, status)
        }
        Pass::NoKey(reason) | Pass::Demand(reason) => visit::skip(reason),
    }
}
