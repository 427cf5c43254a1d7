//! The health check: asks a bounded number of objects, and has [`Health`] judge their answers.

use std::time::Duration;

use futures::future::join;
use futures::stream::{self, StreamExt};
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::Env;

use super::http;
use crate::config::ConfigError;
use crate::edge::caches::feed_poll;
use crate::edge::platform::{calls, js};
use crate::edge::settings::{self, Settings};
use crate::edge::visitor::isr;
use crate::error::ObjectError;
use crate::inspection::answer::{Pages, ShardAnswer, ShardQuestion, TagIndexHealth};
use crate::inspection::health::{Health, HealthProblem, MAX_COORDINATORS};
use crate::limits::OPEN_REQUESTS;
use crate::protocol::{ToCoordinator, ToTagIndex};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;

/// How long an object may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Checks a deployment: the feed of this isolate, every object of the tag index, and at most [`MAX_COORDINATORS`].
pub(super) async fn check(env: &Env, settings: &Settings) -> Health {
    let tag_shards = settings.config.tag_shards;
    let from = js::random_bits() >> 32;
    let asked = stream::iter(TagIndexName::all(tag_shards)).map(|index| async move {
        let question = ToTagIndex::Health { from, limit: MAX_COORDINATORS };
        (index, answered(calls::tag_index::<TagIndexHealth>(env, index, tag_shards, question)).await)
    });
    let asked = asked.buffered(OPEN_REQUESTS).collect::<Vec<_>>();
    let (answers, ()) = join(asked, feed_poll::refresh_first(env, settings)).await;
    let (mut health, now) = (Health::default(), js::now());
    for (index, answer) in &answers {
        health.tag_index(*index, answer.as_ref(), now);
    }
    let bound = settings.config.freshness_bound;
    if !settings.deployment.with(|polling| polling.is_current(now, bound)) {
        health.problems.push(HealthProblem::FeedNotCurrent);
    }
    // Each coordinator has announced itself to every object of the tag index.
    let Some(known) = answers.into_iter().find_map(|(_, answer)| answer) else {
        return health;
    };
    health.known_coordinators = Some(known.shards);
    let asked = stream::iter(known.some).map(|shard| async move { (coordinator(env, &shard).await, shard) });
    for (answer, shard) in asked.buffered(OPEN_REQUESTS).collect::<Vec<_>>().await {
        health.coordinator(&shard, answer.as_ref());
    }
    health
}

async fn coordinator(env: &Env, shard: &ShardName) -> Option<ShardAnswer> {
    let question = ShardQuestion { pages: Pages::All, after: None, limit: 0, totals: false };
    answered(calls::deliver(env, shard, &ToCoordinator::Inspect(question))).await
}

/// Waits for the answer of an object, and logs why there is none.
async fn answered<A>(asked: impl Future<Output = Result<A, ObjectError>>) -> Option<A> {
    let answer = js::within(PATIENCE, asked).await.unwrap_or(Err(ObjectError::Timeout));
    answer.inspect_err(|error| worker::console_error!("health: {error}")).ok()
}

/// Answers any request while the configuration is not valid: a health check with the admin token and a session of the dashboard
/// as such, and each other request with the list of problems.
pub(in crate::edge) async fn unconfigured(
    request: &Request,
    env: &Env,
    error: &ConfigError,
) -> Result<Response, JsValue> {
    let health = Health::misconfigured(error.problems().iter().map(ToString::to_string));
    let token = settings::admin_token(env);
    http::unhealthy(request, token.as_ref(), &health).await.unwrap_or_else(|| isr::misconfigured(error))
}
