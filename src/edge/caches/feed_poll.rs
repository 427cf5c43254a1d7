//! What this isolate knows to be invalidated: one copy of the feed for all of its requests, asked for at most every
//! `freshness_bound` seconds, and then by one isolate of the colo for all of them. With a bound of 0 it is asked for on
//! each request.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::try_join_all;
use worker::{Context, Delay, Env};

use crate::config::Config;
use crate::edge::platform::calls::{self, CallError};
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::invalidation::{Feed, FeedPage, Invalidation};
use crate::protocol::ToTagIndex;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// How long a request waits for the feed before it goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a failing tag index is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Questions are rounded down to a multiple of this number: the answer repeats fewer rows than that.
const BLOCK: u64 = 100;

/// How often a request looks whether another one's poll has come back.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Default)]
struct State {
    feed: Feed,
    /// When the last poll that was answered had been sent: the copy is complete up to then.
    complete_until: Option<Timestamp>,
    /// When the poll under way was sent.
    polling_since: Option<Timestamp>,
    /// No poll is sent before.
    paused_until: Timestamp,
    /// How often the feed has changed.
    epoch: u64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Takes note of an invalidation that this isolate has had a hand in, without waiting for the next poll.
pub(in crate::edge) fn note(invalidation: Invalidation) {
    STATE.with_borrow_mut(|state| {
        state.epoch += 1;
        state.feed.note(invalidation.scope, invalidation.mode, invalidation.at);
    });
}

/// Gives `judge` the feed, or `None` if it is not known what was invalidated in the last `bound`. With a bound of 0 the
/// feed has been asked for in this request, by [`refresh`].
pub(in crate::edge) fn with_current<T>(bound: Duration, judge: impl FnOnce(Option<&Feed>) -> T) -> T {
    let bound = if bound.is_zero() { PATIENCE } else { bound };
    STATE.with_borrow(|state| judge(state.is_current(js::now(), bound).then_some(&state.feed)))
}

/// Returns which state of the feed this is, if it is current and a request need do nothing about it.
pub(in crate::edge) fn quiet_epoch(bound: Duration, now: Timestamp) -> Option<u64> {
    STATE.with_borrow(|state| {
        let is_quiet = state.is_current(now, bound / 2) || (state.is_current(now, bound) && !state.may_poll(now));
        is_quiet.then_some(state.epoch)
    })
}

/// Gives `ask` what is known of the feed, however old it is.
pub(in crate::edge) fn with_known<T>(ask: impl FnOnce(&Feed) -> T) -> T {
    STATE.with_borrow(|state| ask(&state.feed))
}

/// Sees to it that the feed is current, if that can be had within a second. In its second half of life the copy is
/// renewed behind the request.
pub(in crate::edge) async fn refresh(env: &Env, context: &Context, settings: &Rc<Settings>) {
    let (now, bound) = (js::now(), settings.config.freshness_bound);
    if bound.is_zero() {
        return poll(env, &settings.config).await;
    }
    let (current, young, may_poll) = STATE
        .with_borrow(|state| (state.is_current(now, bound), state.is_current(now, bound / 2), state.may_poll(now)));
    if young {
        return;
    }
    if current {
        if may_poll {
            let (env, settings) = (env.clone(), Rc::clone(settings));
            context.wait_until(async move { poll(&env, &settings.config).await });
        }
        return;
    }
    if may_poll {
        poll(env, &settings.config).await;
        return;
    }
    // Another request's poll is under way. Its promise is not ours to wait for on this platform; our own timer is.
    let waited = async {
        while STATE.with_borrow(|state| state.polling_since.is_some() && !state.is_current(js::now(), bound)) {
            Delay::from(LOOK_EVERY).await;
        }
    };
    js::within(PATIENCE, waited).await;
}

async fn poll(env: &Env, config: &Config) {
    let sent = js::now();
    STATE.with_borrow_mut(|state| state.polling_since = Some(sent));
    let answered = js::within(PATIENCE, fetch_rows(env, config)).await;
    STATE.with_borrow_mut(|state| {
        state.polling_since = None;
        let failure = match answered {
            Some(Ok(complete_until)) => {
                state.complete_until = state.complete_until.max(Some(complete_until));
                return;
            }
            Some(Err(error)) => format!("failed: {error}"),
            None => format!("did not answer within {PATIENCE:?}"),
        };
        worker::console_error!("feed: the tag index {failure}");
        if config.freshness_bound.is_zero() {
            // Whatever was known a moment ago is not enough.
            state.complete_until = None;
        } else {
            state.paused_until = js::now().plus(PAUSE);
        }
    });
}

/// Asks each object for its part. Returns until when the copy is complete now.
async fn fetch_rows(env: &Env, config: &Config) -> Result<Timestamp, CallError> {
    let parts = TagIndexName::all(config.tag_shards).map(|index| fetch_part(env, config, index));
    Ok(try_join_all(parts).await?.into_iter().min().unwrap_or_default())
}

/// Asks one object until there is nothing more; the number of rows is bounded there.
async fn fetch_part(env: &Env, config: &Config, index: TagIndexName) -> Result<Timestamp, CallError> {
    let mut sent = None;
    loop {
        let known = STATE.with_borrow(|state| state.feed.seq(index));
        // Isolates that are about equally far ask the same question, so that one answer serves the colo.
        let since = known - known % BLOCK;
        let (at, page) = match colo::get(config, since).await {
            Some(shared) => shared,
            None => ask(env, config, index, since).await?,
        };
        // What was asked for first is complete the least.
        let complete_until = *sent.get_or_insert(at);
        let more = page.more && page.seq > known;
        STATE.with_borrow_mut(|state| {
            state.epoch += u64::from(page.seq > known);
            state.feed.extend(page);
        });
        if !more {
            return Ok(complete_until);
        }
    }
}

async fn ask(env: &Env, config: &Config, index: TagIndexName, since: u64) -> Result<(Timestamp, FeedPage), CallError> {
    let sent = js::now();
    let page: FeedPage = calls::tag_index(env, index, config.tag_shards, ToTagIndex::Feed { since }).await?;
    colo::put(config, since, sent, &page).await;
    Ok((sent, page))
}

/// The answers of the tag index that the isolates of a colo share, by the Cache API.
mod colo {
    use std::time::Duration;

    use js_sys::{ArrayBuffer, Uint8Array};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Headers, Response};

    use crate::codec::{decode, encode};
    use crate::config::Config;
    use crate::edge::caches::{envelope, l1};
    use crate::edge::platform::js;
    use crate::invalidation::FeedPage;

    use crate::time::Timestamp;

    /// When the tag index was asked.
    const SENT_HEADER: &str = "x-isr-sent";

    /// The least bound for which an answer is shared: the Cache API counts in whole seconds.
    const LEAST_BOUND: Duration = Duration::from_secs(2);

    /// With another number of objects, answers from before are of no use: see `TagIndexStore::one_of`.
    fn url(config: &Config, since: u64) -> String {
        format!("https://feed.cloudflare-isr.invalid/v1/{}/{since}", config.tag_shards)
    }

    /// Returns an answer that is less than half of the bound old, and when it was asked for.
    pub(in crate::edge) async fn get(config: &Config, since: u64) -> Option<(Timestamp, FeedPage)> {
        if config.freshness_bound < LEAST_BOUND {
            return None;
        }
        let found = async {
            let cache = l1::open(config).await?;
            let response: Response = JsFuture::from(cache.match_with_str(&url(config, since))).await?.dyn_into()?;
            let sent = response.headers().get(SENT_HEADER)?;
            let body: ArrayBuffer = JsFuture::from(response.array_buffer()?).await?.unchecked_into();
            Ok::<_, JsValue>((sent, Uint8Array::new(&body).to_vec()))
        };
        // Nothing, or nothing that can be read: the tag index is asked.
        let (sent, body) = found.await.ok()?;
        let sent = Timestamp::from_millis(sent?.parse().ok()?);
        (js::now().since(sent) < config.freshness_bound / 2).then_some((sent, decode(&body)?))
    }

    /// Shares an answer with the other isolates of the colo.
    pub(in crate::edge) async fn put(config: &Config, since: u64, sent: Timestamp, page: &FeedPage) {
        if config.freshness_bound < LEAST_BOUND {
            return;
        }
        let put = async {
            let headers = Headers::new()?;
            headers
                .set("cache-control", &format!("public, max-age={}", (config.freshness_bound / 2).as_secs().max(1)))?;
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

impl State {
    fn is_current(&self, now: Timestamp, bound: Duration) -> bool {
        self.complete_until.is_some_and(|until| now.since(until) < bound)
    }

    fn may_poll(&self, now: Timestamp) -> bool {
        // A request whose visitor has gone may take its poll with it: after a while another may try.
        now >= self.paused_until && self.polling_since.is_none_or(|since| now.since(since) > PATIENCE * 2)
    }
}
