//! The invalidations that this isolate knows: one [`Polling`] for all of its requests, and the polls that it decides
//! on.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::try_join_all;
use worker::{Context, Delay, Env};

use crate::config::Config;
use crate::edge::platform::calls;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::error::ObjectError;
use crate::invalidation::{FeedPage, Invalidation};
use crate::protocol::ToTagIndex;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::visit::polling::{LOOK_EVERY, PATIENCE};
use crate::visit::{FeedRefresh, PartPoll, Poll, Polling};

thread_local! {
    static POLLING: RefCell<Polling> = RefCell::default();
}

/// Records an invalidation that passed through this isolate, without waiting for the next poll.
pub(in crate::edge) fn note(invalidation: Invalidation) {
    POLLING.with_borrow_mut(|polling| polling.note(invalidation));
}

/// Makes a decision with the current [`Polling`].
pub(in crate::edge) fn with<T>(decide: impl FnOnce(&Polling) -> T) -> T {
    POLLING.with_borrow(decide)
}

/// Refreshes the feed. Waits for that for at most a second.
pub(in crate::edge) async fn refresh(env: &Env, context: &Context, settings: &Rc<Settings>) {
    let bound = settings.config.freshness_bound;
    match POLLING.with_borrow_mut(|polling| polling.refresh(js::now(), bound)) {
        FeedRefresh::Nothing => {}
        FeedRefresh::PollBehind(sent) => {
            let (env, settings) = (env.clone(), Rc::clone(settings));
            context.wait_until(async move { poll(&env, &settings.config, sent).await });
        }
        FeedRefresh::PollFirst(sent) => poll(env, &settings.config, sent).await,
        FeedRefresh::WaitForOther => {
            // The platform does not allow this request to await another request's promise, but it can use a timer of
            // its own.
            let waited = async {
                while with(|polling| polling.awaits_other(js::now(), bound)) {
                    Delay::from(LOOK_EVERY).await;
                }
            };
            js::within(PATIENCE, waited).await;
        }
    }
}

async fn poll(env: &Env, config: &Config, sent: Poll) {
    let answered = js::within(PATIENCE, fetch_rows(env, config)).await;
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
    POLLING.with_borrow_mut(|polling| {
        polling.end(sent, js::now(), config.freshness_bound, complete_until.as_deref());
    });
}

/// Asks each object for its part. Returns the time up to which each part is complete.
async fn fetch_rows(env: &Env, config: &Config) -> Result<Vec<Timestamp>, ObjectError> {
    try_join_all(TagIndexName::all(config.tag_shards).map(|index| fetch_part(env, config, index))).await
}

/// Asks one object until no rows follow. The object bounds the number of rows.
async fn fetch_part(env: &Env, config: &Config, index: TagIndexName) -> Result<Timestamp, ObjectError> {
    let mut part = PartPoll::new(index);
    loop {
        let since = with(|polling| part.question(polling));
        let (sent, page) = match colo::get(config, since).await {
            Some(shared) => shared,
            None => ask(env, config, index, since).await?,
        };
        if let Some(complete_until) = POLLING.with_borrow_mut(|polling| part.take(polling, sent, page)) {
            return Ok(complete_until);
        }
    }
}

async fn ask(
    env: &Env,
    config: &Config,
    index: TagIndexName,
    since: u64,
) -> Result<(Timestamp, FeedPage), ObjectError> {
    let sent = js::now();
    let page: FeedPage = calls::tag_index(env, index, config.tag_shards, ToTagIndex::Feed { since }).await?;
    colo::put(config, since, sent, &page).await;
    Ok((sent, page))
}

/// The tag index answers that the isolates of a colo share in the Cache API.
mod colo {
    use js_sys::Uint8Array;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Headers, Response};

    use crate::codec::{decode, encode};
    use crate::config::Config;
    use crate::edge::caches::{envelope, l1};
    use crate::edge::platform::js;
    use crate::invalidation::FeedPage;
    use crate::time::Timestamp;
    use crate::visit::polling;

    /// When the tag index was asked.
    const SENT_HEADER: &str = "x-isr-sent";

    /// The URL contains the number of objects: answers from before a change are of no use. See `TagIndexStore::one_of`.
    fn url(config: &Config, since: u64) -> String {
        format!("https://feed.cloudflare-isr.invalid/v1/{}/{since}", config.tag_shards)
    }

    /// Returns an answer that is recent enough, and when the tag index was asked for it.
    pub(in crate::edge) async fn get(config: &Config, since: u64) -> Option<(Timestamp, FeedPage)> {
        polling::shared_for(config.freshness_bound)?;
        let found = async {
            let cache = l1::open(config).await?;
            let response: Response = JsFuture::from(cache.match_with_str(&url(config, since))).await?.dyn_into()?;
            let sent = response.headers().get(SENT_HEADER)?;
            let body = js::bytes(response.array_buffer()?).await?;
            Ok::<_, JsValue>((sent, body.to_vec()))
        };
        // If there is nothing, or nothing readable, the edge asks the tag index.
        let (sent, body) = found.await.ok()?;
        let sent = Timestamp::from_millis(sent?.parse().ok()?);
        polling::takes_shared(sent, js::now(), config.freshness_bound).then_some((sent, decode(&body)?))
    }

    /// Shares an answer with the other isolates of the colo.
    pub(in crate::edge) async fn put(config: &Config, since: u64, sent: Timestamp, page: &FeedPage) {
        let Some(lifetime) = polling::shared_for(config.freshness_bound) else {
            return;
        };
        let put = async {
            let headers = Headers::new()?;
            headers.set("cache-control", &format!("public, max-age={}", lifetime.as_secs()))?;
            headers.set(SENT_HEADER, &sent.as_millis().to_string())?;
            let answer = envelope::response(200, &headers, Some(&Uint8Array::from(encode(page).as_slice())))?;
            let cache = l1::open(config).await?;
            JsFuture::from(cache.put_with_str(&url(config, since), &answer)).await
        };
        if let Err(error) = put.await {
            worker::console_warn!("feed: not shared with the colo: {}", js::describe(&error));
        }
    }
}
