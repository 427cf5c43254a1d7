//! Inspection: combines what the objects report about themselves.

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use worker::Env;

use super::TagIndex;
use crate::edge::platform::calls;
use crate::edge::settings::Settings;
use crate::error::CallError;
use crate::inspection::answer::{PageState, Pages, ShardAnswer, ShardQuestion, Totals};
use crate::inspection::{Cursor, Inspect, Subject};
use crate::limits::OPEN_REQUESTS;
use crate::protocol::ToCoordinator;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;

/// Answers a question. Totals over all pages are part of the first page of a list only.
pub(in crate::edge) async fn inspect(tag_index: &impl TagIndex, question: Inspect) -> Result<Value, CallError> {
    let limit = question.limit;
    match question.subject {
        Subject::Tag { tag, after } => inspect_tag(tag_index, tag, after, limit).await,
        Subject::Path { path, after } => inspect_path(tag_index.env(), path, after, limit).await,
        Subject::Shard { shard, after } => inspect_shard(tag_index, shard, after, limit).await,
    }
}

async fn inspect_tag(
    tag_index: &impl TagIndex,
    tag: Tag,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Value, CallError> {
    let env = tag_index.env();
    let entry = tag_index.inspect_tag(tag.clone()).await?;
    let question = |after, limit, totals| ShardQuestion { pages: Pages::Tag(tag.clone()), after, limit, totals };
    let totals = if after.is_none() {
        let asked = stream::iter(&entry.shards).map(|shard| ask(env, shard, question(None, 0, true)));
        let told: Vec<ShardAnswer> = asked.buffer_unordered(OPEN_REQUESTS).try_collect().await?;
        Some(told.into_iter().filter_map(|answer| answer.totals).fold(Totals::default(), Totals::and))
    } else {
        None
    };
    let mut listed: Vec<(&ShardName, PageState)> = Vec::new();
    let mut more = false;
    for shard in &entry.shards {
        let from = after.as_ref().filter(|place| place.shard >= *shard);
        if from.is_some_and(|place| place.shard > *shard) {
            continue;
        }
        let room = limit.saturating_sub(u32::try_from(listed.len()).unwrap_or(u32::MAX));
        // Once the list is full, one more page is requested, so that a cursor always leads to a page.
        let answer = ask(env, shard, question(from.map(|place| place.key.clone()), room.max(1), false)).await?;
        more = answer.more || (room == 0 && !answer.pages.is_empty());
        listed.extend(answer.pages.into_iter().take(room as usize).map(|page| (shard, page)));
        if more {
            break;
        }
    }
    let last = listed.last().filter(|_| more);
    let next = last.map(|(shard, page)| Cursor { shard: (*shard).clone(), key: page.key.clone() }.to_string());
    let entries = listed.iter().map(|(shard, page)| {
        let mut value = json!(page);
        value["shard"] = json!(shard);
        value
    });
    Ok(json!({
        "tag": tag,
        "lastInvalidation": entry.last_invalidation,
        "deliveries": { "pending": entry.pending },
        "shards": entry.shards.len(),
        "pages": totals,
        "entries": entries.collect::<Vec<_>>(),
        "after": next,
    }))
}

async fn inspect_path(env: &Env, path: CanonicalPath, after: Option<PageKey>, limit: u32) -> Result<Value, CallError> {
    let settings = settings(env)?;
    let Some(route) = settings.config.routes.find(path.as_str()) else {
        return Ok(json!({ "path": path, "route": null, "shard": null, "entries": [], "after": null }));
    };
    let shard = ShardName::of(route, path.as_str());
    let pages = Pages::Path(path.clone());
    let answer = ask(env, &shard, ShardQuestion { pages, after, limit, totals: false }).await?;
    Ok(json!({
        "path": path,
        "route": route.id().as_str(),
        "shard": shard,
        "after": next(&answer),
        "entries": answer.pages,
    }))
}

/// A request to any name would create an object: only shards that are known to exist are asked.
async fn inspect_shard(
    tag_index: &impl TagIndex,
    shard: ShardName,
    after: Option<PageKey>,
    limit: u32,
) -> Result<Value, CallError> {
    let entry = tag_index.inspect_shard(shard.clone()).await?;
    let settings = settings(tag_index.env())?;
    let route = settings.config.routes.by_id(shard.route());
    let is_configured = route.is_some_and(|route| shard.number() < route.shards());
    if entry.is_none() && !is_configured {
        return Err(CallError::UnknownShard { shard });
    }
    let totals = after.is_none();
    let question = ShardQuestion { pages: Pages::All, after, limit, totals };
    let answer = ask(tag_index.env(), &shard, question).await?;
    let entry = entry.unwrap_or_default();
    Ok(json!({
        "shard": shard,
        "route": shard.route(),
        "deliveries": { "pending": entry.pending, "oldestPending": entry.oldest_pending },
        "state": answer.shard,
        "after": next(&answer),
        "entries": answer.pages,
    }))
}

fn next(answer: &ShardAnswer) -> Option<PageKey> {
    answer.pages.last().filter(|_| answer.more).map(|page| page.key.clone())
}

async fn ask(env: &Env, shard: &ShardName, question: ShardQuestion) -> Result<ShardAnswer, CallError> {
    calls::deliver(env, shard, &ToCoordinator::Inspect(question)).await.map_err(CallError::Unreachable)
}

fn settings(env: &Env) -> Result<std::rc::Rc<Settings>, CallError> {
    Settings::of(env).map_err(CallError::Unconfigured)
}
