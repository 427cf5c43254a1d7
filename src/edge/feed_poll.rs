//! What this isolate knows to be invalidated: one copy of the feed for all of its requests, asked for at most every
//! `freshness_bound` seconds.

use std::cell::RefCell;
use std::time::Duration;

use worker::{Context, Delay, Env};

use crate::edge::{calls, js};
use crate::feed::{Feed, FeedPage, Invalidation};
use crate::protocol::ToTagIndex;
use crate::time::Timestamp;

/// How long a request waits for the feed before it goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a failing tag index is left alone.
const PAUSE: Duration = Duration::from_secs(2);

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
pub(super) fn note(invalidation: Invalidation) {
    STATE.with_borrow_mut(|state| {
        state.epoch += 1;
        state.feed.note(invalidation.scope, invalidation.mode, invalidation.at);
    });
}

/// Gives `judge` the feed, or `None` if it is not known what was invalidated in the last `bound`.
pub(super) fn with_current<T>(bound: Duration, judge: impl FnOnce(Option<&Feed>) -> T) -> T {
    STATE.with_borrow(|state| judge(state.is_current(js::now(), bound).then_some(&state.feed)))
}

/// Returns which state of the feed this is, if it is current and a request need do nothing about it.
pub(super) fn quiet_epoch(bound: Duration, now: Timestamp) -> Option<u64> {
    STATE.with_borrow(|state| {
        let is_quiet = state.is_current(now, bound / 2) || (state.is_current(now, bound) && !state.may_poll(now));
        is_quiet.then_some(state.epoch)
    })
}

/// Gives `ask` what is known of the feed, however old it is.
pub(super) fn with_known<T>(ask: impl FnOnce(&Feed) -> T) -> T {
    STATE.with_borrow(|state| ask(&state.feed))
}

/// Sees to it that the feed is current, if that can be had within a second. In its second half of life the copy is
/// renewed behind the request.
pub(super) async fn refresh(env: &Env, context: &Context, bound: Duration) {
    let now = js::now();
    let (current, young, may_poll) = STATE
        .with_borrow(|state| (state.is_current(now, bound), state.is_current(now, bound / 2), state.may_poll(now)));
    if young {
        return;
    }
    if current {
        if may_poll {
            let env = env.clone();
            context.wait_until(async move { poll(&env).await });
        }
        return;
    }
    if may_poll {
        poll(env).await;
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

async fn poll(env: &Env) {
    let sent = js::now();
    STATE.with_borrow_mut(|state| state.polling_since = Some(sent));
    let answered = js::within(PATIENCE, fetch_rows(env)).await;
    STATE.with_borrow_mut(|state| {
        state.polling_since = None;
        match answered {
            Some(Ok(())) => state.complete_until = Some(sent),
            Some(Err(error)) => {
                worker::console_error!("feed: the tag index failed: {error}");
                state.paused_until = js::now().plus(PAUSE);
            }
            None => {
                worker::console_error!("feed: the tag index did not answer within {PATIENCE:?}");
                state.paused_until = js::now().plus(PAUSE);
            }
        }
    });
}

/// Asks until there is nothing more; the number of rows is bounded by the tag index.
async fn fetch_rows(env: &Env) -> Result<(), calls::CallError> {
    loop {
        let since = STATE.with_borrow(|state| state.feed.seq());
        let page: FeedPage = calls::tag_index(env, &ToTagIndex::Feed { since }).await?;
        let more = page.more && page.seq > since;
        STATE.with_borrow_mut(|state| {
            state.epoch += u64::from(!page.rows.is_empty());
            state.feed.extend(page);
        });
        if !more {
            return Ok(());
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
