//! Validation of a stored page with the origin, and what is kept of a response for that.

use std::rc::Rc;

use wasm_bindgen::JsValue;

use crate::coordinator::RenderOutcome;
use crate::edge::objects::render::{self, Content, Order, RenderResult};
use crate::edge::platform::js;
use crate::page::PageMeta;
use crate::route::{Origin, RenderValue, Route};
use crate::semantics::evidence::Unstorable;
use crate::semantics::headers::HeaderList;
use crate::semantics::origin_headers::{self, OriginHeaders};
use crate::semantics::storable::{self, Criteria, Storability, Storable};
use crate::semantics::{cache_policy, freshen};

/// Makes a page of a stored one that the origin has confirmed with a 304. It is a new version, with the bytes of the
/// stored one (RFC 9111 §4.3.4).
pub(super) async fn confirmed(
    order: &Order<'_>,
    criteria: &Criteria<'_>,
    page: &PageMeta,
    content: Content,
    answer: &HeaderList,
) -> Result<RenderResult, JsValue> {
    let (Ok(fresh), Some(bytes)) = (freshen::freshen(&content.headers, answer), content.body.bytes()) else {
        worker::console_warn!("render: {}: {}", order.key, freshen::Mismatch);
        return Ok(RenderOutcome::Mismatched.into());
    };
    let Storable { windows, dated, tags, mut headers, rules, announced: _ } =
        match storable::judge(page.status, &fresh, &Criteria { is_confirmed: true, ..*criteria }) {
            Storability::Store(storable) => storable,
            Storability::Pass(reason) => {
                return Ok(RenderOutcome::Uncacheable(Unstorable::of(reason, page.status, &fresh)).into());
            }
            Storability::Fail(failure) => return Ok(RenderOutcome::Failed(failure).into()),
        };
    // The tag of a page that came in a coding is weak. One of this cache's own is made anew.
    let etag = content.headers.get("etag").filter(|_| fresh.get("etag").is_some());
    headers.set("etag", etag.map(str::to_owned));
    let has_validator = keep(order, page.status, &fresh, &mut headers);
    let meta = PageMeta {
        version: order.token,
        rendered_at: dated.unwrap_or_else(|| js::now().minus(cache_policy::age(&fresh))),
        windows,
        tags,
        rules: rules.clone(),
        has_validator,
        vouched: None,
        ..page.clone()
    };
    render::done(meta, Content { headers: Rc::new(headers), rules: Rc::new(rules), ..content }, &bytes).await
}

/// Adds what is kept of the origin's headers to those of the page. Returns whether the page can be validated.
pub(super) fn keep(order: &Order<'_>, status: u16, origin: &HeaderList, headers: &mut HeaderList) -> bool {
    OriginHeaders::of(status, origin, order.route.http(), &fingerprint(order.route), js::now()).store(headers);
    OriginHeaders::stored(headers).has_validator()
}

/// Identifies the request of the route's renders. A secret counts by its name.
pub(super) fn fingerprint(route: &Route) -> String {
    let headers = route.render_headers().iter().map(|(name, value)| match value {
        RenderValue::Text(text) => (name.as_str(), text.as_str()),
        RenderValue::Secret(secret) => (name.as_str(), secret.as_str()),
    });
    origin_headers::fingerprint(route.origin().map(Origin::as_str), headers)
}
