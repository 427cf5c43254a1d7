//! Purges of downstream caches, performed by the tag index.

use std::time::Duration;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};
use worker::Env;

use crate::config::{Config, ZoneId};
use crate::downstream::purges::{DownstreamCache, DownstreamCaches, PurgeOutcome, retry_after};
use crate::edge::objects::sql::ObjectSql;
use crate::edge::origin::Exports;
use crate::edge::platform::js;
use crate::edge::settings::{ApiToken, Settings};
use crate::sql::StoreError;
use crate::tag_index::tables::TagIndexStore;

/// The address of Cloudflare's API.
const API: &str = "https://api.cloudflare.com/client/v4";

/// The variable that overrides the address, for tests.
const API_VARIABLE: &str = "ISR_PURGE_API";

/// How long a purge may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Returns the downstream caches that a configuration names.
pub(in crate::edge) fn of(config: &Config) -> DownstreamCaches {
    let platform = config.platform_cache.then_some(DownstreamCache::PlatformCache);
    let zone = config.zone_purge.is_some().then_some(DownstreamCache::ZonePurge);
    DownstreamCaches { active: platform.into_iter().chain(zone).collect(), freshness_bound: config.freshness_bound }
}

/// Purges all downstream caches side by side: of each, one batch of its due tags.
pub(in crate::edge) async fn purge(
    store: &TagIndexStore<ObjectSql>,
    env: &Env,
    exports: &Exports,
) -> Result<(), StoreError> {
    let Ok(settings) = Settings::of(env) else {
        return Ok(());
    };
    let purges = of(&settings.config).active.into_iter().map(|cache| one(store, env, &settings, exports, cache));
    futures::future::join_all(purges).await.into_iter().collect()
}

async fn one(
    store: &TagIndexStore<ObjectSql>,
    env: &Env,
    settings: &Settings,
    exports: &Exports,
    cache: DownstreamCache,
) -> Result<(), StoreError> {
    let Some(batch) = store.begin_purge(cache, js::now())? else {
        return Ok(());
    };
    let outcome = match (cache, &settings.config.zone_purge, &settings.purge_token) {
        (DownstreamCache::PlatformCache, ..) => exports.purge(&batch.tags).await,
        (DownstreamCache::ZonePurge, Some(zone), Some(token)) => purge_zone(env, zone, token, &batch.tags).await,
        // Unreachable: a cache that is not configured is not in the list.
        (DownstreamCache::ZonePurge, ..) => PurgeOutcome::Failed { retry_after: None },
    };
    store.end_purge(&batch, outcome, js::now())
}

/// Purges a zone by tags: `POST /zones/{zone_id}/purge_cache`.
async fn purge_zone(env: &Env, zone: &ZoneId, token: &ApiToken, tags: &[String]) -> PurgeOutcome {
    let answered = js::within(WITHIN, async {
        let response = js::fetch(&zone_request(env, zone, token, tags)?).await?;
        let text = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
        Ok::<_, JsValue>((response, text))
    });
    let (response, text) = match answered.await {
        Some(Ok(answer)) => answer,
        failure => {
            let why =
                failure.and_then(Result::err).map_or("no answer in time".to_owned(), |error| js::describe(&error));
            worker::console_error!("zone purge: the API can't be reached: {why}");
            return PurgeOutcome::Failed { retry_after: None };
        }
    };
    let retry_after = asked_to_wait(&response);
    let success = || serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| value["success"] == true);
    match response.status() {
        429 => {
            worker::console_warn!("zone purge: the API accepts no more purges for now: {retry_after:?}");
            PurgeOutcome::Limited { retry_after }
        }
        200..300 if success() => PurgeOutcome::Done,
        status => {
            // The API's error text explains what is wrong with a token or a zone.
            let said: String = text.chars().take(500).collect();
            worker::console_error!("zone purge: the API answered {status}: {said}");
            if matches!(status, 400 | 413 | 422) { PurgeOutcome::Refused } else { PurgeOutcome::Failed { retry_after } }
        }
    }
}

fn zone_request(env: &Env, zone: &ZoneId, token: &ApiToken, tags: &[String]) -> Result<Request, JsValue> {
    let variable = Reflect::get(env, &API_VARIABLE.into()).ok().and_then(|value| value.as_string());
    let url = format!("{}/zones/{}/purge_cache", variable.as_deref().unwrap_or(API), zone.as_str());
    let headers = Headers::new()?;
    headers.set("authorization", &format!("Bearer {}", token.as_str()))?;
    headers.set("content-type", "application/json")?;
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    init.set_body(&serde_json::json!({ "tags": tags }).to_string().into());
    Request::new_with_str_and_init(&url, &init)
}

fn asked_to_wait(response: &Response) -> Option<Duration> {
    let value = response.headers().get("retry-after").ok().flatten()?;
    retry_after(&value, js::now())
}
