//! `GET /__isr/metrics`: asks a bounded number of objects what they have counted, and writes the answers as text.
//!
//! | asked | bound |
//! |---|---|
//! | the objects of the tag index | all, at most 32 |
//! | coordinators | [`MAX_COORDINATORS`], in the order of their names, from the query parameter `from` on |
//!
//! A counter of Prometheus must come from the same object each time. So the coordinators are not chosen at random, as for
//! the health check: a site with more of them scrapes the path several times, with another `from` each.

use std::time::Duration;

use futures::future::join;
use futures::stream::{self, StreamExt};
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response, ResponseInit};
use worker::Env;

use crate::edge::caches::feed_poll;
use crate::edge::platform::{calls, js};
use crate::edge::settings::Settings;
use crate::error::ObjectError;
use crate::inspection::answer::ShardAnswer;
use crate::inspection::health::{Health, HealthProblem, MAX_COORDINATORS};
use crate::limits::OPEN_REQUESTS;
use crate::metrics::scrape::Scrape;
use crate::metrics::{ShardMetrics, TagIndexMetrics, exposition};
use crate::protocol::{ToCoordinator, ToTagIndex};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;

/// How long an object may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers with the values of all metrics. `from` is the place of the first coordinator that is asked.
pub(super) async fn answer(env: &Env, settings: &Settings, from: u64) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", exposition::CONTENT_TYPE)?;
    headers.set("cache-control", "no-store")?;
    let text = exposition::text(scrape(env, settings, from).await);
    let init = ResponseInit::new();
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(Some(&text), &init)
}

async fn scrape(env: &Env, settings: &Settings, from: u64) -> Scrape {
    let tag_shards = settings.config.tag_shards;
    let asked = stream::iter(TagIndexName::all(tag_shards)).map(|index| async move {
        let question = ToTagIndex::Metrics { from, limit: MAX_COORDINATORS };
        (index, answered(calls::tag_index::<TagIndexMetrics>(env, index, tag_shards, question)).await)
    });
    let asked = asked.buffered(OPEN_REQUESTS).collect::<Vec<_>>();
    let (answers, ()) = join(asked, feed_poll::refresh_first(env, settings)).await;
    let (mut scrape, mut health, now) = (Scrape::default(), Health::default(), js::now());
    scrape.tag_indexes(&answers, now);
    for (index, answer) in &answers {
        health.tag_index(*index, answer.as_ref().map(|answer| &answer.health), now);
    }
    let bound = settings.config.freshness_bound;
    let (complete_until, is_current) =
        settings.deployment.with(|polling| (polling.complete_until(), polling.is_current(now, bound)));
    scrape.feed(complete_until, is_current, now);
    if !is_current {
        health.problems.push(HealthProblem::FeedNotCurrent);
    }
    // Each coordinator has announced itself to every object of the tag index.
    if let Some(known) = answers.into_iter().find_map(|(_, answer)| answer) {
        health.known_coordinators = Some(known.health.shards);
        let asked = stream::iter(known.health.some).map(|shard| async move { (coordinator(env, &shard).await, shard) });
        for (answer, shard) in asked.buffered(OPEN_REQUESTS).collect::<Vec<_>>().await {
            scrape.coordinator(&shard, answer.as_ref());
            health.coordinator(&shard, answer.as_ref().map(judged).as_ref());
        }
    }
    scrape.health(&health);
    scrape
}

/// Returns what the health check judges.
fn judged(metrics: &ShardMetrics) -> ShardAnswer {
    ShardAnswer { breaker: metrics.breaker, refused_by_l2: Some(metrics.refused_by_l2), ..ShardAnswer::default() }
}

async fn coordinator(env: &Env, shard: &ShardName) -> Option<ShardMetrics> {
    answered(calls::deliver(env, shard, &ToCoordinator::Metrics)).await
}

/// Waits for the answer of an object, and logs why there is none.
async fn answered<A>(asked: impl Future<Output = Result<A, ObjectError>>) -> Option<A> {
    let answer = js::within(PATIENCE, asked).await.unwrap_or(Err(ObjectError::Timeout));
    answer.inspect_err(|error| worker::console_error!("metrics: {error}")).ok()
}
