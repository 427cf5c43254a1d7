//! Which requests the cache answers at all.

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::Request;
use worker::Context;

use crate::config::CanonicalOrigin;
use crate::edge::admin;
use crate::edge::origin::Task;
use crate::edge::visitor::downstream;
use crate::edge::visitor::isr::{Asker, Handled, Isr};
use crate::edge::visitor::respond;
use crate::edge::visitor::visit::{self, Visit};
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheStatus, Forward, Outcome};
use crate::semantics::conditional::Conditions;
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::{KeyError, RequestUrl, TrailingSlash};
use crate::semantics::vary::Visitor;

/// The cookie and the header that carry the draft token.
const BYPASS_COOKIE: &str = "__isr_bypass";
const BYPASS_HEADER: &str = "x-isr-bypass";

impl Isr {
    /// Decides what is to become of a request, and what a cache in front may keep of it.
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

    /// Decides what is to become of a request.
    pub(in crate::edge) async fn decide(
        &self,
        request: &Request,
        context: &Context,
        asker: Asker,
    ) -> Result<Handled, JsValue> {
        let method = request.method();
        let Ok(url) = RequestUrl::parse(&request.url()) else {
            return Ok(Handled::Pass(None));
        };
        if admin::is_admin(url.path().as_str()) {
            if asker == Asker::Renderer {
                return Ok(Handled::Pass(None));
            }
            let response = admin::http(request, &method, url.path().as_str(), &self.env, &self.settings).await?;
            return Ok(Handled::Response(response, Outcome::Skip));
        }
        let headers = request.headers();
        let is_page = matches!(method.as_str(), "GET" | "HEAD") && !headers.has("upgrade")?;
        if !is_page || self.is_render(request, context) {
            return Ok(Handled::Pass(None));
        }
        let Some(route) = self.config().routes.find(url.path().as_str()) else {
            return Ok(Handled::Pass(None));
        };
        if self.has_bypass_token(request)? {
            return Ok(visit::told(Outcome::Bypass, CacheStatus::forwarded(Forward::Bypass)));
        }
        if route.revalidate() == Revalidate::NoStore {
            return Ok(visit::told(Outcome::Skip, CacheStatus::forwarded(Forward::Bypass)));
        }
        if !self.config().serves_host(url.host()) {
            return Ok(visit::skip(Reason::Host));
        }
        if url.has_trailing_slash() && route.trailing_slash() == TrailingSlash::Redirect {
            return Ok(Handled::Response(respond::moved(&url.without_slash())?, Outcome::Hit));
        }
        let origin = self.config().canonical_origin.as_ref().map(CanonicalOrigin::as_str);
        let key = url.key(origin, route.query(), route.trailing_slash());
        let variant = route.vary().variant(&Sent(request));
        let key = match key.and_then(|key| key.with_variant(&variant)) {
            Ok(key) => key,
            Err(KeyError::TooLong) => return Ok(visit::skip(Reason::UriTooLong)),
            Err(KeyError::Encoding | KeyError::NotAUrl) => return Ok(visit::skip(Reason::UriEncoding)),
        };
        let conditions = Conditions {
            if_none_match: headers.get("if-none-match")?,
            if_modified_since: headers.get("if-modified-since")?,
            range: headers.get("range")?,
            if_range: headers.get("if-range")?,
        };
        let with_body = method == "GET";
        // What answers a HEAD has no body that could be stored.
        let asker = if with_body { asker } else { Asker::Visitor };
        let authorized = headers.has("authorization")?;
        let visit = Visit { isr: self, context, route, key, with_body, conditions, asker, authorized };
        visit.answer().await
    }

    fn has_bypass_token(&self, request: &Request) -> Result<bool, JsValue> {
        let Some(token) = &self.settings.bypass_token else {
            return Ok(false);
        };
        if let Some(claim) = request.headers().get(BYPASS_HEADER)? {
            return Ok(token.is(&claim));
        }
        let cookies = request.headers().get("cookie")?.unwrap_or_default();
        let claim = cookies.split(';').find_map(|pair| pair.trim().strip_prefix(BYPASS_COOKIE)?.strip_prefix('='));
        Ok(claim.is_some_and(|claim| token.is(claim)))
    }
}

/// What a visitor has sent.
struct Sent<'a>(&'a Request);

impl Visitor for Sent<'_> {
    fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    fn country(&self) -> Option<String> {
        let cf = Reflect::get(self.0, &"cf".into()).ok().filter(JsValue::is_object)?;
        Reflect::get(&cf, &"country".into()).ok()?.as_string()
    }
}
