//! L1: the Cache API of this colo. It holds wrapped pages, and hit-for-pass markers.

use std::time::Duration;

use js_sys::Object;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Cache, Headers, Response, WorkerGlobalScope};

use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::page::PageMeta;
use crate::protocol::{META_HEADER, REPLY_HEADER};
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::{L1_PATIENCE, L1Entry, PassMarker, StoredPage};

/// The header of a hit-for-pass marker: the time from which it holds, and its end.
const PASS_HEADER: &str = "x-isr-pass";

/// The header of a hit-for-pass marker that names the reason. An earlier version of this cache did not write it.
const PASS_REASON_HEADER: &str = "x-isr-pass-reason";

/// The header of a page that states when it leaves L1, in milliseconds since the Unix epoch. Copies end with it.
pub(in crate::edge) const UNTIL_HEADER: &str = "x-isr-until";

/// Returns when a page leaves L1. An earlier version of this cache did not write that down.
pub(in crate::edge) fn end_of(page: &Response) -> Option<Timestamp> {
    page.headers().get(UNTIL_HEADER).ok()??.parse().ok().map(Timestamp::from_millis)
}

/// Reads a marker.
fn mark_of(headers: &Headers) -> Option<PassMarker> {
    let times = headers.get(PASS_HEADER).ok()??;
    let (since, until) = times.split_once('-')?;
    let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    let reason = headers.get(PASS_REASON_HEADER).ok().flatten().and_then(|name| Reason::parse(&name));
    Some(PassMarker { since: time(since)?, until: time(until)?, reason: reason.unwrap_or(Reason::NotStored) })
}

/// Opens the cache of this colo.
pub(in crate::edge) async fn open(settings: &Settings) -> Result<Cache, JsValue> {
    let name = &settings.l1_name;
    let opened = settings.deployment.l1.borrow().clone().filter(|(opened, _)| opened == name);
    if let Some((_, cache)) = opened {
        return Ok(cache);
    }
    let caches = js_sys::global().unchecked_into::<WorkerGlobalScope>().caches()?;
    let cache: Cache = JsFuture::from(caches.open(name)).await?.unchecked_into();
    settings.deployment.l1.replace(Some((name.clone(), cache.clone())));
    Ok(cache)
}

/// Looks a page up. A cache that fails or hangs counts as empty.
pub(in crate::edge) async fn get(settings: &Settings, key: &PageKey) -> L1Entry<Response> {
    let found = async { JsFuture::from(open(settings).await?.match_with_str(&key.cache_url())).await };
    let Some(found) = js::within(L1_PATIENCE, found).await else {
        worker::console_error!("L1: no answer within {L1_PATIENCE:?}");
        return L1Entry::Nothing;
    };
    let response = match found {
        Ok(found) => match found.dyn_into::<Response>() {
            Ok(response) => response,
            Err(_undefined) => return L1Entry::Nothing,
        },
        Err(error) => {
            worker::console_error!("L1: look-up failed: {}", js::describe(&error));
            return L1Entry::Nothing;
        }
    };
    if let Some(meta) = envelope::meta(&response).filter(|meta| meta.key == *key) {
        return L1Entry::Page(StoredPage { meta, body: response });
    }
    mark_of(&response.headers()).map_or(L1Entry::Nothing, L1Entry::Pass)
}

/// Stores a page for as long as it can be of use, at most `l1_ttl`. `wrapped` are the headers of the wrapped page. All
/// of the body must be here: the Cache API may keep one that breaks off.
pub(in crate::edge) async fn put_page(
    settings: &Settings,
    meta: &PageMeta,
    wrapped: &Headers,
    body: &Object,
    now: Timestamp,
) {
    let useful = meta.windows.end().map_or(Duration::MAX, |end| end.since(now));
    let result = async {
        // The headers of a response from elsewhere are immutable.
        let headers = Headers::new_with_headers(wrapped)?;
        headers.set(META_HEADER, &meta.to_header_value())?;
        // The coordinator's verdict is about one request; it is not part of the page.
        headers.delete(REPLY_HEADER)?;
        let ttl = Duration::from_secs(useful.min(settings.config.l1_ttl).as_secs());
        headers.set(UNTIL_HEADER, &now.plus(ttl).as_millis().to_string())?;
        put(settings, &meta.key, headers, Some(body), ttl).await
    };
    report(result.await);
}

/// Stores a hit-for-pass marker.
pub(in crate::edge) async fn put_pass(settings: &Settings, key: &PageKey, mark: PassMarker, now: Timestamp) {
    let PassMarker { since, until, reason } = mark;
    let result = async {
        let headers = Headers::new()?;
        headers.set(PASS_HEADER, &format!("{}-{}", since.as_millis(), until.as_millis()))?;
        headers.set(PASS_REASON_HEADER, reason.name())?;
        put(settings, key, headers, None, until.since(now)).await
    };
    report(result.await);
}

async fn put(
    settings: &Settings,
    key: &PageKey,
    headers: Headers,
    body: Option<&Object>,
    ttl: Duration,
) -> Result<(), JsValue> {
    if ttl.as_secs() == 0 {
        return Ok(());
    }
    headers.set("cache-control", &format!("public, max-age={}", ttl.as_secs()))?;
    let wrapped = envelope::response(200, &headers, body)?;
    JsFuture::from(open(settings).await?.put_with_str(&key.cache_url(), &wrapped)).await.map(drop)
}

fn report(result: Result<(), JsValue>) {
    if let Err(error) = result {
        worker::console_error!("L1: write failed: {}", js::describe(&error));
    }
}
