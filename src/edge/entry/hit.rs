//! The short way of a HIT, for the entry module.
//!
//! A HIT through [`Isr`](crate::edge::Isr) costs a dozen crossings between JavaScript and Wasm and a wake-up of the
//! executor. So the entry module looks into L1 by itself, and asks here: what is the key of this URL, what is to be done
//! with a copy that has this meta (a *plan*), does that plan still hold, and, of a visitor with `If-None-Match`, has he this
//! copy already. A repeated HIT needs the last two at the most. Whatever is not a plain fresh HIT goes the long way.
//!
//! The decision stays here: the entry module remembers what a plan makes of a copy, and never for how long it holds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use wasm_bindgen::prelude::*;
use worker::Env;

use crate::config::CanonicalOrigin;
use crate::edge::admin;
use crate::edge::caches::feed_poll;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::edge::visitor::downstream;
use crate::edge::visitor::respond::{self, Terms, Told};
use crate::page::PageMeta;
use crate::semantics::cache_status::{CacheStatus, Outcome};
use crate::semantics::conditional::NOT_IN_304;
use crate::semantics::etag::{self, EntityTag};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::{RequestUrl, TrailingSlash};
use crate::time::Timestamp;
use crate::visit::{Judgement, judge};

/// `Age` and `ttl` are told in whole seconds: a plan's words may be used for as long.
const LONGEST: Duration = Duration::from_secs(1);

/// The most plans remembered.
const MAX_PLANS: usize = 1000;

/// Until when the words of a plan may be used.
#[derive(Clone, Copy)]
struct Plan {
    until: Timestamp,
    /// The state of the feed by which the copy was judged.
    epoch: u64,
    bound: Duration,
}

thread_local! {
    /// By a number that is not used again, not even by a later Wasm instance in the same isolate.
    static PLANS: RefCell<BTreeMap<u64, Plan>> = const { RefCell::new(BTreeMap::new()) };
}

/// Returns the name of L1's cache, or nothing while the configuration is not valid.
#[wasm_bindgen(js_name = isrCacheName)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn cache_name(env: &JsValue) -> Option<String> {
    Settings::of(env.unchecked_ref::<Env>()).ok().map(|settings| settings.config.cache_name.clone())
}

/// Returns the key of a URL that a route caches. It depends on the configuration alone.
#[wasm_bindgen(js_name = isrKey)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn key(env: &JsValue, url: &str) -> Option<String> {
    let settings = Settings::of(env.unchecked_ref::<Env>()).ok()?;
    let url = RequestUrl::parse(url).ok().filter(|url| !admin::is_admin(url.path().as_str()))?;
    let route = settings.config.routes.find(url.path().as_str())?;
    if route.revalidate() == Revalidate::NoStore {
        return None;
    }
    let origin = settings.config.canonical_origin.as_ref().map(CanonicalOrigin::as_str);
    // What takes more than the URL to tell takes the long way.
    let is_redirected = url.has_trailing_slash() && route.trailing_slash() == TrailingSlash::Redirect;
    if is_redirected || !route.vary().is_empty() || !settings.config.serves_host(url.host()) {
        return None;
    }
    url.key(origin, route.query(), route.trailing_slash()).ok().map(|key| key.as_str().to_owned())
}

/// Returns what to do with a copy that is fresh: the plan's number, and then, line by line, a header to remove (`name`)
/// or to set (`name:value`); then, behind an empty line, the headers to remove if the answer is a 304. Nothing if the copy
/// is not to be served just like that.
#[wasm_bindgen(js_name = isrPlan)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
pub fn plan(env: &JsValue, key: &str, meta: &str) -> Option<String> {
    let settings = Settings::of(env.unchecked_ref::<Env>()).ok()?;
    let config = &settings.config;
    let (now, bound) = (js::now(), config.freshness_bound);
    let meta = PageMeta::from_header_value(meta).ok().filter(|meta| meta.key.as_str() == key && meta.status == 200)?;
    let route = config.routes.find(meta.key.path())?;
    let judgement = feed_poll::with_current(bound, |feed| judge(&meta, route.id(), feed, now));
    let epoch = feed_poll::quiet_epoch(bound, now).filter(|_| judgement == Judgement::Fresh)?;
    let until = meta.windows.fresh_until.map_or(now.plus(LONGEST), |end| end.min(now.plus(LONGEST)));
    let number = js_sys::Math::random();
    PLANS.with_borrow_mut(|plans| {
        if plans.len() >= MAX_PLANS {
            plans.retain(|_, plan| plan.until > now);
        }
        if plans.len() < MAX_PLANS {
            plans.insert(number.to_bits(), Plan { until, epoch, bound });
        }
    });
    let told = Told { outcome: Outcome::Hit, status: CacheStatus::hit(meta.windows.ttl_seconds(now)) };
    let mut words = number.to_string();
    let expose = config.expose_headers;
    let terms = Terms { expose, browser_max_age: route.browser_max_age(), with_body: true, now };
    let in_front = downstream::changes(config, &meta, route, now);
    for (name, value) in respond::changes(&meta, &told, &terms).into_iter().chain(in_front) {
        // Writing to a String can't fail.
        let _ = match value {
            Some(value) => write!(words, "\n{name}:{value}"),
            None => write!(words, "\n{name}"),
        };
    }
    words.push('\n');
    for name in NOT_IN_304 {
        words.push('\n');
        words.push_str(name);
    }
    Some(words)
}

/// Tells whether a visitor whose request has this `If-None-Match` has the copy that has this `ETag`: then the answer is a
/// 304 (RFC 9110 §13.1.2). A plan is made for pages with status 200 only, and the request has no `Range`, so nothing else
/// counts.
#[wasm_bindgen(js_name = isrHas)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
#[allow(clippy::needless_pass_by_value, reason = "an optional text can't be borrowed from JavaScript")]
pub fn has(if_none_match: &str, etag: Option<String>) -> bool {
    etag::names(if_none_match, etag.as_deref().and_then(EntityTag::parse))
}

/// Tells whether a plan still holds at `now`, in milliseconds since the Unix epoch: the copy is fresh, nothing has been
/// learnt to be invalidated since, and the feed need not be asked.
#[wasm_bindgen(js_name = isrHolds)]
#[must_use]
#[allow(unreachable_pub, reason = "it is reached from JavaScript")]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is a whole number below 2^53")]
pub fn holds(number: f64, now: f64) -> bool {
    let now = Timestamp::from_millis(now as u64);
    let plan = PLANS.with_borrow(|plans| plans.get(&number.to_bits()).copied());
    plan.is_some_and(|plan| now < plan.until && feed_poll::quiet_epoch(plan.bound, now) == Some(plan.epoch))
}
