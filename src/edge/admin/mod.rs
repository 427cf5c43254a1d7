//! Calls from outside: invalidation on demand, and inspection. `/__isr/...` serves callers with the token. The RPC
//! methods serve Workers that are bound to the gateway or to its objects.

mod authorization;
mod decisions;
mod explain;
mod health;
mod hooks;
mod http;
mod inspect;
mod lists;
mod metrics;
mod overview;
mod rpc;
mod survey;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use worker::Env;

pub(super) use self::explain::explain;
pub(super) use self::health::unconfigured;
pub(super) use self::http::http;
pub(super) use self::inspect::inspect;
pub(super) use self::rpc::{refusal, rpc, rpc_with};
use crate::edge::platform::calls;
use crate::edge::settings::Settings;
use crate::error::{CallError, ObjectError};
use crate::inspection::answer::{ShardEntry, TagEntry};
use crate::invalidation::{Batch, Call};
use crate::limits::OPEN_REQUESTS;
use crate::protocol::{InvalidateAnswer, Progress, ToTagIndex};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// Records invalidations, and knows which shards carry a tag.
pub(in crate::edge) trait TagIndex {
    /// Records the invalidations of a call in one object, which records all its targets, and delivers them.
    async fn record(&self, index: TagIndexName, call: &Call) -> Result<Vec<InvalidateAnswer>, CallError>;

    /// Returns the progress of an invalidation; `None` if the log does not have it (any more).
    async fn progress(&self, seq: u64) -> Result<Option<Progress>, CallError>;

    /// Returns what the index knows of a tag.
    async fn inspect_tag(&self, tag: Tag) -> Result<TagEntry, CallError>;

    /// Returns what the index knows of a coordinator; `None` if the coordinator has never announced a page.
    async fn inspect_shard(&self, shard: ShardName) -> Result<Option<ShardEntry>, CallError>;

    /// Returns the number of objects of the index.
    fn tag_shards(&self) -> Result<u16, CallError>;

    /// Returns the bindings that reach the coordinators.
    fn env(&self) -> &Env;
}

impl TagIndex for Env {
    async fn record(&self, index: TagIndexName, call: &Call) -> Result<Vec<InvalidateAnswer>, CallError> {
        let Call { targets, mode, refresh, key } = call.clone();
        let tag_shards = tag_shards(self)?;
        if targets.len() > 1 {
            let message = ToTagIndex::InvalidateAll { targets, mode, refresh, key };
            match calls::tag_index(self, index, tag_shards, message).await {
                // An object of an earlier version: it gets them one by one.
                Err(ObjectError::NotUnderstood) => {}
                answered => return answered.map_err(CallError::NotRecorded),
            }
        }
        let Call { targets, key, .. } = call;
        let answers = stream::iter(targets.clone()).map(|target| {
            let message = ToTagIndex::Invalidate { target, mode, refresh, key: key.clone() };
            calls::tag_index(self, index, tag_shards, message)
        });
        answers.buffered(OPEN_REQUESTS).try_collect().await.map_err(CallError::NotRecorded)
    }

    async fn progress(&self, seq: u64) -> Result<Option<Progress>, CallError> {
        // After a change of `tag_shards`, an object without new invalidations still knows its older numbers.
        let Some(index) = TagIndexName::of_seq(seq) else {
            return Ok(None);
        };
        let message = ToTagIndex::Progress { seq };
        calls::tag_index(self, index, tag_shards(self)?, message).await.map_err(CallError::Unreachable)
    }

    async fn inspect_tag(&self, tag: Tag) -> Result<TagEntry, CallError> {
        let tag_shards = tag_shards(self)?;
        let index = TagIndexName::of_tag(&tag, tag_shards);
        calls::tag_index(self, index, tag_shards, ToTagIndex::InspectTag { tag }).await.map_err(CallError::Unreachable)
    }

    async fn inspect_shard(&self, shard: ShardName) -> Result<Option<ShardEntry>, CallError> {
        let tag_shards = tag_shards(self)?;
        let asked = TagIndexName::all(tag_shards).map(|index| {
            let question = ToTagIndex::InspectShard { shard: shard.clone() };
            calls::tag_index::<Option<ShardEntry>>(self, index, tag_shards, question)
        });
        let told = try_join_all(asked).await.map_err(CallError::Unreachable)?;
        Ok(told.into_iter().flatten().reduce(ShardEntry::and))
    }

    fn tag_shards(&self) -> Result<u16, CallError> {
        tag_shards(self)
    }

    fn env(&self) -> &Env {
        self
    }
}

/// Returns the number of objects of the tag index.
fn tag_shards(env: &Env) -> Result<u16, CallError> {
    Ok(Settings::of(env).map_err(CallError::Unconfigured)?.config.tag_shards)
}

/// Logs what the answer to a failed call does not tell.
fn log(error: &CallError) {
    if let Some(cause) = error.cause() {
        worker::console_error!("{error}: {cause}");
    }
}

/// Performs a call. The receipts are in the order of the targets.
async fn invalidate_all(tag_index: &impl TagIndex, call: Call) -> Result<Vec<Value>, CallError> {
    Ok(record_all(tag_index, call).await?.iter().map(InvalidateAnswer::to_json).collect())
}

/// Performs a call, and notes the invalidations for this isolate.
pub(in crate::edge) async fn record_all(
    tag_index: &impl TagIndex,
    call: Call,
) -> Result<Vec<InvalidateAnswer>, CallError> {
    let settings = Settings::of(tag_index.env()).ok();
    let batches = call.batches(tag_index.tag_shards()?).into_iter();
    let recorded = stream::iter(batches.map(async |Batch { index, places, call }| {
        let answers = tag_index.record(index, &call).await?;
        if answers.len() != places.len() {
            return Err(CallError::NotRecorded(ObjectError::Garbled));
        }
        for answer in &answers {
            if let Some(settings) = &settings {
                settings.deployment.note(answer.invalidation.clone());
            }
        }
        Ok(places.into_iter().zip(answers).collect::<Vec<_>>())
    }));
    let mut answers = recorded.buffer_unordered(OPEN_REQUESTS).try_concat().await?;
    answers.sort_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Returns the progress of an invalidation as JSON.
async fn invalidation(tag_index: &impl TagIndex, seq: u64) -> Result<Value, CallError> {
    let progress = tag_index.progress(seq).await?.ok_or(CallError::UnknownInvalidation { seq })?;
    let Progress { invalidation, applied, pending, matched, .. } = progress.clone();
    let mut value = InvalidateAnswer { invalidation, applied, pending, matched, repeated: false }.to_json();
    value["pages"] = match progress.pages {
        Some(pages) => json!({
            "matched": progress.matched,
            "refreshed": pages.done,
            "failed": pages.failed,
            "pending": pages.pending,
        }),
        None => json!({ "matched": progress.matched }),
    };
    if !progress.downstream.is_empty() {
        let states = progress.downstream.into_iter();
        let states = states.map(|state| (state.cache, json!(if state.is_done { "done" } else { "pending" })));
        value["sinks"] = Value::Object(states.collect());
    }
    value["doneAt"] = json!(progress.pages.and_then(|pages| pages.done_at).map(Timestamp::as_millis));
    Ok(value)
}
