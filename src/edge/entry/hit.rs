//! The short path of a HIT, for the entry module.
//!
//! A HIT through [`Isr`](crate::edge::Isr) costs a dozen crossings between JavaScript and Wasm and a wake-up of the
//! executor. So the entry module reads L1 itself and calls these functions:
//!
//! | function | question | how often |
//! |---|---|---|
//! | `isrConstants` | which requests take the short path? | once |
//! | `isrKey` | which page does this URL name? | once for each URL and `env` |
//! | `isrPlan` | which headers does this stored page get as a HIT? | once a second for each page |
//! | `isrHolds` | does that plan still hold? | for each HIT |
//! | `isrHas` | does this `If-None-Match` name the page? | for each HIT that has one |
//!
//! Everything but a plain fresh HIT takes the long path. The entry module remembers the headers of a plan. This module
//! decides each time whether the plan still holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{JSON, Object};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::Headers;
use worker::Env;

use crate::config::Config;
use crate::edge::deployment::Deployment;
use crate::edge::origin::Task;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::edge::visitor::downstream;
use crate::edge::visitor::respond::{self, StatusHeaders, Terms};
use crate::page::PageMeta;
use crate::protocol::META_HEADER;
use crate::route::Route;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus};
use crate::semantics::etag::{self, EntityTag};
use crate::semantics::http_rules::HttpRules;
use crate::semantics::origin_headers::ORIGIN_HEADER;
use crate::time::Timestamp;
use crate::visit::classify::{self, SHORT_PATH, ShortPath};
use crate::visit::{self, L1_PATIENCE, Plan};

/// The most plans remembered.
const MAX_PLANS: usize = 1000;

thread_local! {
    /// Plans by number. A number is never used again, not even by a later Wasm instance in the same isolate.
    static PLANS: RefCell<BTreeMap<u64, (Plan, Rc<Deployment>)>> = const { RefCell::new(BTreeMap::new()) };
}

/// Returns the name of L1's cache; `undefined` while the configuration is not valid.
#[wasm_bindgen(js_name = isrCacheName)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn cache_name(env: &JsValue) -> Option<String> {
    Settings::of(env.unchecked_ref::<Env>()).ok().map(|settings| settings.l1_name.clone())
}

/// The constants that the entry module needs before the first request: `Constants` in `entry/plain.ts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Constants {
    render_purpose: &'static str,
    meta_header: &'static str,
    l1_patience: u64,
    short_path: ShortPath,
}

/// Returns the constants that Rust and the entry module share.
#[wasm_bindgen(js_name = isrConstants)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn constants() -> Result<JsValue, JsValue> {
    let constants = Constants {
        render_purpose: Task::Render.as_str(),
        meta_header: META_HEADER,
        l1_patience: u64::try_from(L1_PATIENCE.as_millis()).unwrap_or(u64::MAX),
        short_path: SHORT_PATH,
    };
    let json = serde_json::to_string(&constants).map_err(|error| JsValue::from_str(&error.to_string()))?;
    JSON::parse(&json)
}

/// Returns the key of a URL, if the URL alone determines the page. It depends only on the configuration.
#[wasm_bindgen(js_name = isrKey)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn key(env: &JsValue, url: &str) -> Option<String> {
    let settings = Settings::of(env.unchecked_ref::<Env>()).ok()?;
    classify::short_path_key(&settings.config, url).map(String::from)
}

#[wasm_bindgen]
extern "C" {
    /// A plan in the form for the entry module: `Plan` in `entry/rust.d.ts`.
    #[wasm_bindgen(extends = Object)]
    pub type PlannedHit;

    #[wasm_bindgen(method, setter)]
    fn set_number(this: &PlannedHit, number: f64);

    #[wasm_bindgen(method, setter)]
    fn set_headers(this: &PlannedHit, headers: &Headers);

    #[wasm_bindgen(method, setter, js_name = isStandard)]
    fn set_is_standard(this: &PlannedHit, is_standard: bool);

    #[wasm_bindgen(method, setter, js_name = notModified)]
    fn set_not_modified(this: &PlannedHit, headers: &Headers);

    #[wasm_bindgen(method, setter)]
    fn set_excluded(this: &PlannedHit, exclusions: &JsValue);
}

/// Plans the response to a request for a stored page with this metadata and these headers. Returns nothing if the
/// response needs more than a plain HIT.
#[wasm_bindgen(js_name = isrPlan)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn plan(env: &JsValue, key: &str, meta: &str, stored: &Headers) -> Option<PlannedHit> {
    let settings = Settings::of(env.unchecked_ref::<Env>()).ok()?;
    let config = &settings.config;
    let (now, bound) = (js::now(), config.freshness_bound);
    let meta = PageMeta::from_header_value(meta).ok().filter(|meta| meta.key.as_str() == key && meta.status == 200)?;
    let route = config.routes.find(meta.key.path())?;
    let plan = settings.deployment.with(|polling| visit::plan(&meta, route.id(), polling, bound, now))?;
    let planned = headers_of_hit(config, &meta, route, stored, now).ok()?;
    planned.set_number(remember(plan, &settings.deployment, now));
    Some(planned)
}

/// Builds the headers of both forms of a HIT: 200 and 304.
fn headers_of_hit(
    config: &Config,
    meta: &PageMeta,
    route: &Route,
    stored: &Headers,
    now: Timestamp,
) -> Result<PlannedHit, JsValue> {
    let status_headers =
        StatusHeaders { outcome: CacheOutcome::Hit, status: CacheStatus::hit(meta.windows.ttl_seconds(now)) };
    let expose = config.expose_headers;
    let terms = Terms { expose, browser_max_age: route.browser_max_age(), rules: route.http(), with_body: true, now };
    // The headers of a stored response are immutable.
    let headers = Headers::new_with_headers(stored)?;
    let origin = headers.get(ORIGIN_HEADER)?;
    respond::apply(&headers, respond::changes(meta, origin.as_deref(), &status_headers, &terms))?;
    respond::apply(&headers, downstream::changes(config, meta, route, now))?;
    if let Some(field) = respond::vary_field(route, meta) {
        headers.set("vary", &field)?;
    }
    let not_modified = respond::of_304(&headers)?;
    let planned: PlannedHit = Object::new().unchecked_into();
    planned.set_is_standard(route.http() == HttpRules::Standard);
    planned.set_headers(&headers);
    planned.set_not_modified(&not_modified);
    planned.set_excluded(&excluded(route, meta)?);
    Ok(planned)
}

/// Returns which requests the plan is not for: `Exclusion[]` in `entry/plain.ts`; `undefined` if it is for all.
fn excluded(route: &Route, meta: &PageMeta) -> Result<JsValue, JsValue> {
    let exclusions = classify::exclusions(route, meta.rules.nominated());
    if exclusions.is_empty() {
        return Ok(JsValue::UNDEFINED);
    }
    let json = serde_json::to_string(&exclusions).map_err(|error| JsValue::from_str(&error.to_string()))?;
    JSON::parse(&json)
}

/// Stores a plan, and returns its number. If there is no room, the returned number does not hold.
fn remember(plan: Plan, deployment: &Rc<Deployment>, now: Timestamp) -> f64 {
    let number = js_sys::Math::random();
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= MAX_PLANS {
            plans.retain(|_, (plan, _)| plan.may_hold(now));
        }
        if plans.len() < MAX_PLANS {
            plans.insert(number.to_bits(), (plan, Rc::clone(deployment)));
        }
    });
    number
}

/// Returns whether an `If-None-Match` matches an `ETag`. If it does, the response is a 304 (RFC 9110 §13.1.2). A plan
/// is made only for pages with status 200, and the request has no `Range`, so no other condition applies.
#[wasm_bindgen(js_name = isrHas)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
#[allow(clippy::needless_pass_by_value, reason = "an optional text can't be borrowed from JavaScript")]
pub fn has(if_none_match: &str, etag: Option<String>) -> bool {
    etag::names(if_none_match, etag.as_deref().and_then(EntityTag::parse))
}

/// Returns whether a plan still holds at `now`, in milliseconds since the Unix epoch: the page is fresh, no
/// invalidation has arrived since, and no poll of the feed is due.
#[wasm_bindgen(js_name = isrHolds)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is a whole number below 2^53")]
pub fn holds(number: f64, now: f64) -> bool {
    let now = Timestamp::from_millis(now as u64);
    PLANS.with_borrow(|plans| {
        let plan = plans.get(&number.to_bits());
        plan.is_some_and(|(plan, deployment)| deployment.with(|polling| plan.holds(polling, now)))
    })
}
