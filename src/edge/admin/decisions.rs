//! The logs of decisions: merged lists, and a stream of events.

use std::fmt::Write as _;
use std::time::Duration;

use futures::stream;
use js_sys::{Object, Uint8Array};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_streams::ReadableStream;
use web_sys::{Headers, Response};
use worker::{Delay, Env};

use super::survey::{Checked, Surveyor};
use crate::admin_api::{DecisionsRequest, MAX_ASKED};
use crate::edge::caches::envelope;
use crate::edge::platform::js;
use crate::error::CallError;
use crate::inspection::places::{Merged, Places, merge};
use crate::inspection::survey::{DecisionPage, DecisionQuestion, LoggedDecision, ShardSurvey};
use crate::inspection::words;
use crate::limits::{OPEN_REQUESTS, SUBREQUESTS};
use crate::shard_name::ShardName;
use crate::time::Timestamp;

/// The pause between two rounds of questions of a stream.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a stream lasts. The client connects again.
const STREAM_TIME: Duration = Duration::from_secs(50);

/// Answers with decisions.
pub(in crate::edge) async fn decisions(env: &Env, request: DecisionsRequest) -> Result<Value, CallError> {
    let surveyor = Surveyor::new(env)?;
    let asked = surveyor.asked(request.shard.clone(), None, MAX_ASKED).await?;
    let (merged, answered) = read(&surveyor, &asked.shards, request.after.as_ref(), request.limit).await;
    let checked = Checked { asked: asked.shards.len(), answered, known: asked.known };
    let decisions = merged.decisions.iter().map(|(shard, decision)| to_json(shard, decision));
    Ok(json!({
        "decisions": decisions.collect::<Vec<_>>(),
        "after": merged.places.to_string(),
        "more": merged.more,
        "checked": checked.to_json(),
    }))
}

/// Reads and merges the logs of some coordinators. Returns how many have answered as well.
async fn read(surveyor: &Surveyor<'_>, shards: &[ShardName], after: Option<&Places>, limit: u32) -> (Merged, usize) {
    let question = |shard: &ShardName| {
        ShardSurvey::Decisions(DecisionQuestion { after: after.map(|places| places.of(shard)), limit })
    };
    let answers = surveyor.ask_all::<DecisionPage>(shards, question).await;
    let answered = answers.len();
    (merge(after, answers, limit as usize), answered)
}

fn to_json(shard: &ShardName, decision: &LoggedDecision) -> Value {
    let mut value = words::with_utc(json!(decision));
    value["shard"] = json!(shard);
    value
}

/// Answers with a stream of server-sent events: the latest decisions or those after a place, and then each new one. The id
/// of an event is the place after it.
pub(super) async fn stream_of_decisions(
    env: &Env,
    request: DecisionsRequest,
) -> Result<Result<Response, JsValue>, CallError> {
    let asked = Surveyor::new(env)?.asked(request.shard.clone(), None, MAX_ASKED).await?;
    let shards = u32::try_from(asked.shards.len()).unwrap_or(MAX_ASKED);
    let state = Stream {
        env: env.clone(),
        shards: asked.shards,
        places: request.after,
        limit: request.limit,
        end: js::now().plus(STREAM_TIME),
        // The directory was asked once.
        calls: SUBREQUESTS.saturating_sub(1).max(shards),
        has_begun: false,
    };
    let events = stream::unfold(state, |mut state| async move {
        let text = state.next().await?;
        Some((Ok(Uint8Array::from(text.as_bytes()).into()), state))
    });
    let body: Object = ReadableStream::from_stream(events).into_raw().unchecked_into();
    Ok(respond(&body))
}

fn respond(body: &Object) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("content-type", "text/event-stream")?;
    headers.set("cache-control", "no-store")?;
    envelope::response(200, &headers, Some(body))
}

/// A stream of decisions.
struct Stream {
    env: Env,
    shards: Vec<ShardName>,
    places: Option<Places>,
    limit: u32,
    /// When it ends.
    end: Timestamp,
    /// How many calls of objects it may still make.
    calls: u32,
    has_begun: bool,
}

impl Stream {
    /// Waits for the next round, and returns its events; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        let rounds = self.shards.len().div_ceil(OPEN_REQUESTS).max(1);
        if self.has_begun {
            Delay::from(PAUSE * u32::try_from(rounds).unwrap_or(1)).await;
        }
        let calls = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        if js::now() >= self.end || self.calls < calls {
            return None;
        }
        self.calls -= calls;
        let surveyor = Surveyor::new(&self.env).ok()?;
        let (merged, answered) = read(&surveyor, &self.shards, self.places.as_ref(), self.limit).await;
        if self.places.is_none() && answered < self.shards.len() {
            // Without its place in a log, the next round would repeat it.
            return None;
        }
        let text = self.events(merged);
        self.has_begun = true;
        Some(text)
    }

    fn events(&mut self, merged: Merged) -> String {
        let mut text = String::new();
        let mut places = self.places.take().unwrap_or_else(|| before(&merged));
        if !self.has_begun {
            // A client that gets no decision knows nevertheless where to continue.
            // Writing to a string can't fail.
            let _ = write!(text, "retry: {}\nid: {places}\nevent: open\ndata: {{}}\n\n", PAUSE.as_millis());
        }
        for (shard, decision) in &merged.decisions {
            places.set(shard, decision.seq);
            let _ = write!(text, "id: {places}\nevent: decision\ndata: {}\n\n", to_json(shard, decision));
        }
        if text.is_empty() {
            // A comment shows that the stream is alive.
            text.push_str(":\n\n");
        }
        self.places = Some(merged.places);
        text
    }
}

/// Returns the places before the first decisions.
fn before(merged: &Merged) -> Places {
    let mut places = merged.places.clone();
    for (shard, decision) in merged.decisions.iter().rev() {
        places.set(shard, decision.seq.saturating_sub(1));
    }
    places
}
