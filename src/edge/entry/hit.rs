//! The short path of a HIT, for the entry module.
//!
//! A HIT through [`Isr`](crate::edge::Isr) costs a dozen crossings between JavaScript and Wasm and a wake-up of the
//! executor. So the entry module reads L1 itself and calls these functions:
//!
//! | function | question | how often |
//! |---|---|---|
//! | `isrConstants` | which requests take the short path? | once |
//! | `isrKey` | which page does this URL name? | once for each URL and `env` |
//! | `isrVariant` | which variant does this request select? | once for each URL and what the variant depends on |
//! | `isrRemembered` | is the page in memory, and which headers does it get as a HIT? | once a second for each page |
//! | `isrRecall` | does that plan still hold, and which body does it have? | for each HIT from memory |
//! | `isrPlan` | which headers does this page of L1 get as a HIT? | once a second for each page |
//! | `isrHolds` | does that plan still hold, and does the page go into memory? | for each HIT from L1 |
//! | `isrCollect` | | puts a page into memory, behind the response |
//! | `isrHas` | does this `If-None-Match` name the page? | for each HIT that has one |
//! | `isrCount` | | counts the first HIT of a plan |
//!
//! Everything but a plain fresh HIT takes the long path. The entry module remembers the headers of a plan. This module
//! decides each time whether the plan still holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use js_sys::{Array, ArrayBuffer, JSON, Object};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{Headers, Response};
use worker::Env;

use crate::config::Config;
use crate::edge::caches::in_isolate::{Held, InIsolate};
use crate::edge::deployment::Deployment;
use crate::edge::origin::Task;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::edge::visitor::downstream;
use crate::edge::visitor::respond::{self, StatusHeaders, Terms};
use crate::metrics::{HitCounter, RequestLabel};
use crate::page::PageMeta;
use crate::protocol::META_HEADER;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus};
use crate::semantics::etag::{self, EntityTag};
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::PageKey;
use crate::semantics::origin_headers::ORIGIN_HEADER;
use crate::semantics::vary::Visitor;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::visit::classify::{self, DASHBOARD_PATH, SHORT_PATH, ShortPath, ShortPathPage};
use crate::visit::{self, FeedTerms, L1_PATIENCE, Plan, Remembered};

/// The most plans remembered.
const MAX_PLANS: usize = 1000;

thread_local! {
    /// Plans by number. A number is never used again, not even by a later Wasm instance in the same isolate.
    static PLANS: RefCell<BTreeMap<u64, Planned>> = const { RefCell::new(BTreeMap::new()) };
}

/// A plan, and what it is for.
struct Planned {
    plan: Plan,
    deployment: Rc<Deployment>,
    of: PlannedPage,
    /// Where its HITs are counted; `None` without the setting `metrics`.
    counter: Option<HitCounter>,
}

/// The page that a plan serves.
enum PlannedPage {
    /// The entry module reads it from L1. Each HIT counts for its admission to the in-isolate tier.
    L1 { key: PageKey, body_bytes: Option<u64>, memory: Weak<InIsolate> },
    /// It is in the in-isolate tier, until it is evicted.
    Memory(Weak<Remembered<Held>>),
}

impl Planned {
    /// Returns whether the plan holds. It does not when the counts of a minute are due: the long path sends them.
    fn holds(&self, now: Timestamp) -> bool {
        self.deployment.with(|polling| self.plan.holds(polling, now))
            && !(self.counter.is_some() && self.deployment.tally.borrow().is_due(now))
    }

    /// Counts a HIT.
    fn count(&self) {
        if let Some(counter) = &self.counter {
            counter.count();
        }
    }
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
    dashboard_path: &'static str,
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
        dashboard_path: DASHBOARD_PATH,
    };
    parsed(&constants)
}

/// Returns the key of a URL if the URL alone determines the page, or what the variant depends on: `VariantSources` in
/// `entry/plain.ts`. It depends only on the configuration. Returns `undefined` if the URL is not that of a page.
#[wasm_bindgen(js_name = isrKey)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn key(env: &JsValue, url: &str) -> Result<JsValue, JsValue> {
    let Ok(settings) = Settings::of(env.unchecked_ref::<Env>()) else { return Ok(JsValue::UNDEFINED) };
    match classify::short_path_page(&settings.config, url) {
        None => Ok(JsValue::UNDEFINED),
        Some(ShortPathPage::Key(key)) => Ok(JsValue::from_str(key.as_str())),
        Some(ShortPathPage::Varies(sources)) => parsed(&sources),
    }
}

/// Returns the key of the variant that a request selects, and its URL in L1; `undefined` if there is none.
#[wasm_bindgen(js_name = isrVariant)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn variant(env: &JsValue, url: &str, headers: &Headers, country: Option<String>) -> Option<Array> {
    let settings = Settings::of(env.unchecked_ref::<Env>()).ok()?;
    let key = classify::short_path_variant(&settings.config, url, &PlainRequest { headers, country })?;
    Some(Array::of2(&key.as_str().into(), &key.cache_url().as_ref().into()))
}

/// The headers of a request on the short path, and its country.
struct PlainRequest<'a> {
    headers: &'a Headers,
    country: Option<String>,
}

impl Visitor for PlainRequest<'_> {
    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    fn country(&self) -> Option<String> {
        self.country.clone()
    }
}

/// Passes a value on as JavaScript.
fn parsed(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let json = serde_json::to_string(value).map_err(|error| JsValue::from_str(&error.to_string()))?;
    JSON::parse(&json)
}

#[wasm_bindgen]
extern "C" {
    /// A plan in the form for the entry module: `Plan` in `entry/rust.d.ts`.
    #[wasm_bindgen(extends = Object)]
    pub type PlannedHit;

    #[wasm_bindgen(method, setter)]
    fn set_number(this: &PlannedHit, number: f64);

    #[wasm_bindgen(method, setter)]
    fn set_body(this: &PlannedHit, body: &ArrayBuffer);

    #[wasm_bindgen(method, setter)]
    fn set_admits(this: &PlannedHit, admits: bool);

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
    let (now, terms) = (js::now(), FeedTerms::of(config));
    let meta = PageMeta::from_header_value(meta).ok().filter(|meta| meta.key.as_str() == key && meta.status == 200)?;
    let route = config.routes.find(meta.key.path())?;
    let counter = counter(&settings, &meta, route, None, now).ok()?;
    let plan = settings.deployment.with(|polling| visit::plan(&meta, route.id(), polling, terms, now))?;
    let planned = headers_of_hit(config, &meta, route, stored, None, now).ok()?;
    let of = PlannedPage::L1 { key: meta.key, body_bytes: meta.body_bytes, memory: Rc::downgrade(&settings.memory) };
    planned.set_admits(of.is_admitted_by_hit(now));
    let deployment = Rc::clone(&settings.deployment);
    planned.set_number(remember(Planned { plan, deployment, of, counter }, now));
    Some(planned)
}

/// The counts of a minute are due: the long path has to answer, and sends them.
struct CountsAreDue;

/// Returns where the HITs of a plan are counted; `None` without the setting `metrics`.
fn counter(
    settings: &Settings,
    meta: &PageMeta,
    route: &Route,
    reason: Option<Reason>,
    now: Timestamp,
) -> Result<Option<HitCounter>, CountsAreDue> {
    if !settings.config.metrics {
        return Ok(None);
    }
    let mut tally = settings.deployment.tally.borrow_mut();
    if tally.is_due(now) {
        return Err(CountsAreDue);
    }
    let label = RequestLabel { route: route.id().clone(), outcome: CacheOutcome::Hit, reason };
    Ok(Some(tally.hits(label, &ShardName::of(route, meta.key.path()), &meta.key, now)))
}

/// Plans the response to a request for a page that is in memory, as [`plan()`] does. Returns `undefined` if the page is
/// not in memory, and `null` if the long path has to answer.
#[wasm_bindgen(js_name = isrRemembered)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn remembered(env: &JsValue, key: &str) -> JsValue {
    let Ok(settings) = Settings::of(env.unchecked_ref::<Env>()) else { return JsValue::NULL };
    let now = js::now();
    let found = PageKey::from_stored(key).ok().and_then(|key| settings.memory.get(&key, now));
    found.map_or(JsValue::UNDEFINED, |found| {
        plan_of_remembered(&settings, &found, now).map_or(JsValue::NULL, JsValue::from)
    })
}

fn plan_of_remembered(settings: &Settings, found: &Rc<Remembered<Held>>, now: Timestamp) -> Option<PlannedHit> {
    let (config, meta, held) = (&settings.config, &found.page.meta, &found.page.body);
    let route = config.routes.find(meta.key.path()).filter(|_| meta.status == 200)?;
    let terms = FeedTerms::of(config);
    let counter = counter(settings, meta, route, Some(Reason::Memory), now).ok()?;
    let plan = settings.deployment.with(|polling| visit::plan(meta, route.id(), polling, terms, now))?;
    let planned = headers_of_hit(config, meta, route, &held.headers, Some(Reason::Memory), now).ok()?;
    planned.set_body(&held.body);
    let of = PlannedPage::Memory(Rc::downgrade(found));
    let deployment = Rc::clone(&settings.deployment);
    planned.set_number(remember(Planned { plan, deployment, of, counter }, now));
    Some(planned)
}

/// Collects the body of a page from L1 and keeps the page in memory. Returns whether it is there now.
#[wasm_bindgen(js_name = isrCollect)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub async fn collect(env: JsValue, meta: String, page: Response) -> bool {
    match (Settings::of(env.unchecked_ref::<Env>()), PageMeta::from_header_value(&meta)) {
        (Ok(settings), Ok(meta)) => settings.memory.collect(&meta, &page).await,
        _ => false,
    }
}

/// Builds the headers of both forms of a HIT: 200 and 304.
fn headers_of_hit(
    config: &Config,
    meta: &PageMeta,
    route: &Route,
    stored: &Headers,
    source: Option<Reason>,
    now: Timestamp,
) -> Result<PlannedHit, JsValue> {
    let status = CacheStatus::hit(meta.windows.ttl_seconds(now)).with_detail(source);
    let status_headers = StatusHeaders { outcome: CacheOutcome::Hit, status };
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
    parsed(&exclusions)
}

/// Stores a plan, and returns its number. If there is no room, the returned number does not hold.
fn remember(planned: Planned, now: Timestamp) -> f64 {
    let number = js_sys::Math::random();
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= MAX_PLANS {
            plans.retain(|_, planned| planned.plan.may_hold(now));
        }
        if plans.len() < MAX_PLANS {
            plans.insert(number.to_bits(), planned);
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

/// The answer of [`holds`]: the plan holds.
const HOLDS: u8 = 1;

/// The answer of [`holds`]: the plan holds, and the request puts the page into memory with [`collect()`].
const HOLDS_AND_ADMITS: u8 = 2;

/// Counts the first HIT of a plan. [`holds`] and [`recall`] count the others: the entry module calls them only for requests
/// that the plan is for.
#[wasm_bindgen(js_name = isrCount)]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn count(number: f64) {
    PLANS.with_borrow(|plans| {
        if let Some(planned) = plans.get(&number.to_bits()) {
            planned.count();
        }
    });
}

/// Returns whether the plan of a page in L1 still holds at `now`, in milliseconds since the Unix epoch: the page is fresh,
/// no invalidation has arrived since, and no poll of the feed is due. Otherwise returns 0. Counts a HIT if it holds.
#[wasm_bindgen(js_name = isrHolds)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn holds(number: f64, now: f64) -> u8 {
    let now = time(now);
    PLANS.with_borrow(|plans| match plans.get(&number.to_bits()) {
        Some(planned) if planned.holds(now) => {
            planned.count();
            if planned.of.is_admitted_by_hit(now) { HOLDS_AND_ADMITS } else { HOLDS }
        }
        _ => 0,
    })
}

/// Returns the body of a page in memory, if its plan still holds at `now` and the page is still there. Then it counts a HIT.
#[wasm_bindgen(js_name = isrRecall)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn recall(number: f64, now: f64) -> Option<ArrayBuffer> {
    PLANS.with_borrow(|plans| {
        let planned = plans.get(&number.to_bits()).filter(|planned| planned.holds(time(now)))?;
        match &planned.of {
            PlannedPage::Memory(remembered) => {
                let body = remembered.upgrade()?.page.body.body.clone();
                planned.count();
                Some(body)
            }
            PlannedPage::L1 { .. } => None,
        }
    })
}

impl PlannedPage {
    /// Counts a HIT. Returns whether the request puts the page into memory.
    fn is_admitted_by_hit(&self, now: Timestamp) -> bool {
        match self {
            Self::L1 { key, body_bytes, memory } => {
                memory.upgrade().is_some_and(|memory| memory.hit(key, *body_bytes, now))
            }
            Self::Memory(_) => false,
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is a whole number below 2^53")]
fn time(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}
