//! The polls of a deployment's feed that its [`Polling`](crate::visit::Polling) decides on.

use std::rc::Rc;

use futures::future::try_join_all;
use worker::{Context, Delay, Env};

use crate::config::FeedMode;
use crate::edge::caches::feed_push;
use crate::edge::platform::calls;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::error::ObjectError;
use crate::invalidation::{FeedPage, FeedQuestion};
use crate::metrics::CalledObject;
use crate::protocol::ToTagIndex;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::visit::polling::{LOOK_EVERY, PATIENCE};
use crate::visit::{FeedRefresh, FeedTerms, PartPoll, Poll};

/// Refreshes the feed. Waits for that for at most a second.
pub(in crate::edge) async fn refresh(env: &Env, context: &Context, settings: &Rc<Settings>) {
    let Settings { config, deployment, .. } = &**settings;
    let refresh = deployment.polling.borrow_mut().refresh(js::now(), FeedTerms::of(config));
    match refresh {
        FeedRefresh::Nothing => {}
        FeedRefresh::PollBehind(sent) => {
            let (env, settings) = (env.clone(), Rc::clone(settings));
            context.wait_until(async move { poll(&env, &settings, sent).await });
        }
        FeedRefresh::OpenPush(push) => feed_push::open(env, context, settings, push),
        FeedRefresh::PollFirst(sent) => poll(env, settings, sent).await,
        FeedRefresh::WaitForOther => wait_for_other(settings).await,
    }
}

/// Refreshes the feed outside of a visit: no poll runs behind a response.
pub(in crate::edge) async fn refresh_first(env: &Env, settings: &Settings) {
    let terms = FeedTerms { mode: FeedMode::Poll, ..FeedTerms::of(&settings.config) };
    let refresh = settings.deployment.polling.borrow_mut().refresh(js::now(), terms);
    match refresh {
        FeedRefresh::Nothing | FeedRefresh::OpenPush(_) => {}
        FeedRefresh::PollBehind(sent) | FeedRefresh::PollFirst(sent) => poll(env, settings, sent).await,
        FeedRefresh::WaitForOther => wait_for_other(settings).await,
    }
}

/// Waits for another request's poll. The platform does not allow this request to await another request's promise, but it
/// can use a timer of its own.
async fn wait_for_other(settings: &Settings) {
    let bound = settings.config.freshness_bound;
    let waited = async {
        while settings.deployment.with(|polling| polling.awaits_other(js::now(), bound)) {
            Delay::from(LOOK_EVERY).await;
        }
    };
    js::within(PATIENCE, waited).await;
}

async fn poll(env: &Env, settings: &Settings, sent: Poll) {
    let answered = js::within(PATIENCE, fetch_rows(env, settings)).await;
    let complete_until = match answered {
        Some(Ok(complete_until)) => Some(complete_until),
        Some(Err(error)) => {
            worker::console_error!("feed: the tag index failed: {error}");
            None
        }
        None => {
            worker::console_error!("feed: the tag index did not answer within {PATIENCE:?}");
            None
        }
    };
    let mut polling = settings.deployment.polling.borrow_mut();
    polling.end(sent, js::now(), complete_until.as_deref(), js::random());
}

/// Asks each object for its part. Returns the time up to which each part is complete.
async fn fetch_rows(env: &Env, settings: &Settings) -> Result<Vec<Timestamp>, ObjectError> {
    try_join_all(TagIndexName::all(settings.config.tag_shards).map(|index| fetch_part(env, settings, index))).await
}

/// Asks one object until no rows follow. The object bounds the number of rows.
async fn fetch_part(env: &Env, settings: &Settings, index: TagIndexName) -> Result<Timestamp, ObjectError> {
    let mut part = PartPoll::new(index);
    loop {
        let question = settings.deployment.with(|polling| part.question(polling));
        let (sent, page) = match colo::get(settings, question.since, &part).await {
            Some(shared) => shared,
            None => ask(env, settings, index, question).await?,
        };
        let complete_until = part.take(&mut settings.deployment.polling.borrow_mut(), sent, page);
        if let Some(complete_until) = complete_until {
            return Ok(complete_until);
        }
    }
}

async fn ask(
    env: &Env,
    settings: &Settings,
    index: TagIndexName,
    FeedQuestion { since, known }: FeedQuestion,
) -> Result<(Timestamp, FeedPage), ObjectError> {
    let sent = js::now();
    if settings.config.metrics {
        settings.deployment.tally.borrow_mut().called(CalledObject::TagIndex, sent);
    }
    let message = ToTagIndex::Feed { since, known };
    let page: FeedPage = calls::tag_index(env, index, settings.config.tag_shards, message).await?;
    colo::put(settings, since, sent, &page).await;
    Ok((sent, page))
}

/// The tag index answers that the isolates of a colo share in the Cache API.
mod colo {
    use js_sys::Uint8Array;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Headers, Response};

    use crate::codec::{decode, encode};
    use crate::edge::caches::{envelope, l1};
    use crate::edge::platform::js;
    use crate::edge::settings::Settings;
    use crate::invalidation::FeedPage;
    use crate::time::Timestamp;
    use crate::visit::{PartPoll, polling};

    /// When the tag index was asked.
    const SENT_HEADER: &str = "x-isr-sent";

    fn url(settings: &Settings, since: u64) -> String {
        settings.deployment.id.feed_url(settings.config.tag_shards, since)
    }

    /// Returns an answer that is recent enough, and when the tag index was asked for it.
    pub(in crate::edge) async fn get(
        settings: &Settings,
        since: u64,
        part: &PartPoll,
    ) -> Option<(Timestamp, FeedPage)> {
        polling::shared_for(settings.config.freshness_bound)?;
        let found = async {
            let cache = l1::open(settings).await?;
            let response: Response = JsFuture::from(cache.match_with_str(&url(settings, since))).await?.dyn_into()?;
            let sent = response.headers().get(SENT_HEADER)?;
            let body = js::bytes(response.array_buffer()?).await?;
            Ok::<_, JsValue>((sent, body.to_vec()))
        };
        // If there is nothing, or nothing readable, the edge asks the tag index.
        let (sent, body) = found.await.ok()?;
        let sent = Timestamp::from_millis(sent?.parse().ok()?);
        let page: FeedPage = decode(&body)?;
        part.takes_shared(sent, &page, js::now(), settings.config.freshness_bound).then_some((sent, page))
    }

    /// Shares an answer with the other isolates of the colo.
    pub(in crate::edge) async fn put(settings: &Settings, since: u64, sent: Timestamp, page: &FeedPage) {
        let Some(lifetime) = polling::shared_for(settings.config.freshness_bound) else {
            return;
        };
        let put = async {
            let headers = Headers::new()?;
            headers.set("cache-control", &format!("public, max-age={}", lifetime.as_secs()))?;
            headers.set(SENT_HEADER, &sent.as_millis().to_string())?;
            let answer = envelope::response(200, &headers, Some(&Uint8Array::from(encode(page).as_slice())))?;
            let cache = l1::open(settings).await?;
            JsFuture::from(cache.put_with_str(&url(settings, since), &answer)).await
        };
        if let Err(error) = put.await {
            worker::console_warn!("feed: not shared with the colo: {}", js::describe(&error));
        }
    }
}
