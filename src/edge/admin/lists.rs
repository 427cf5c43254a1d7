//! Lists of coordinators, pages, tags, invalidations and renders.

use serde_json::{Value, json};
use worker::Env;

use super::TagIndex;
use super::inspect::inspect;
use super::survey::{Checked, Surveyor};
use crate::admin_api::{
    EntriesRequest, EntryRequest, InvalidationsRequest, LeasesRequest, ListAfter, MAX_ASKED, ShardsRequest, TagsRequest,
};
use crate::error::CallError;
use crate::inspection::survey::{
    EntryPage, EntryQuestion, IndexSurvey, InvalidationPage, LeasePage, ListedShard, ListedTag, LoggedInvalidation,
    RunningRender, ShardPage, ShardSurvey, TagPage,
};
use crate::inspection::{Inspect, MAX_LIMIT, Subject, words};
use crate::protocol::InvalidateAnswer;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::visit::classify::{self, Destination, UrlClass};

/// Lists coordinators.
pub(super) async fn shards(surveyor: &Surveyor<'_>, request: ShardsRequest) -> Result<Value, CallError> {
    let page = surveyor.shards_after(request.after.as_ref(), request.route, request.limit).await?;
    let ShardPage { known, shards, more } = page;
    let routes = &surveyor.settings.config.routes;
    let one = |ListedShard { shard, deliveries }: &ListedShard| {
        json!({
            "shard": shard,
            "route": shard.route(),
            "number": shard.number(),
            "configured": shard.is_served(routes),
            "deliveries": { "pending": deliveries.pending, "oldestPending": deliveries.oldest_pending },
        })
    };
    let after = shards.last().filter(|_| more).map(|listed| &listed.shard);
    Ok(json!({ "shards": shards.iter().map(one).collect::<Vec<_>>(), "known": known, "after": after }))
}

/// Lists pages, coordinator by coordinator.
pub(super) async fn entries(env: &Env, surveyor: &Surveyor<'_>, request: EntriesRequest) -> Result<Value, CallError> {
    let shards = shards_with_entries(env, surveyor, &request).await?;
    let mut listed: Vec<Value> = Vec::new();
    let (mut asked, mut after) = (0, None);
    for shard in shards {
        let room = request.limit.saturating_sub(u32::try_from(listed.len()).unwrap_or(u32::MAX));
        if room == 0 || asked == MAX_ASKED {
            after = Some(ListAfter { shard, key: None });
            break;
        }
        asked += 1;
        let place = request.after.as_ref().filter(|place| place.shard == shard);
        let question = EntryQuestion {
            prefix: request.prefix.clone(),
            tag: request.tag.clone(),
            state: request.state,
            after: place.and_then(|place| place.key.clone()),
            limit: room,
        };
        let page: EntryPage = surveyor.ask(&shard, ShardSurvey::Entries(question)).await?;
        listed.extend(page.pages.iter().map(|page| with_shard(&shard, json!(page))));
        if let Some(key) = page.after {
            after = Some(ListAfter { shard, key: Some(key) });
            break;
        }
    }
    Ok(json!({ "entries": listed, "after": after.map(|place| place.to_string()) }))
}

/// Returns the coordinators that may have such pages, from the place on at which the list continues, and one more than
/// are asked.
async fn shards_with_entries(
    env: &Env,
    surveyor: &Surveyor<'_>,
    request: &EntriesRequest,
) -> Result<Vec<ShardName>, CallError> {
    let from = request.after.as_ref().map(|place| &place.shard);
    if let Some(shard) = &request.shard {
        surveyor.known(shard).await?;
        return Ok(vec![shard.clone()]);
    }
    let mut shards: Vec<ShardName> = if let Some(tag) = &request.tag {
        env.inspect_tag(tag.clone()).await?.shards
    } else {
        let page = surveyor.shards(from.cloned(), request.route.clone(), MAX_ASKED + 1).await?;
        page.shards.into_iter().map(|listed| listed.shard).collect()
    };
    shards.retain(|shard| from.is_none_or(|from| shard >= from));
    shards.retain(|shard| request.route.as_ref().is_none_or(|route| shard.route() == route));
    Ok(shards)
}

/// Shows the variants of a page.
pub(super) async fn entry(env: &Env, surveyor: &Surveyor<'_>, request: EntryRequest) -> Result<Value, CallError> {
    let (path, key) = match request {
        EntryRequest::Path(path) => (Some(path), None),
        EntryRequest::Url(url) => match classify::by_url(&surveyor.settings.config, &url) {
            UrlClass::Routed { destination: Destination::Page(key) | Destination::Redirect { key, .. }, .. } => {
                (CanonicalPath::parse(key.path()).ok(), Some(key))
            }
            UrlClass::Routed { .. } | UrlClass::NotForCache | UrlClass::Admin(_) => (None, None),
        },
    };
    let Some(path) = path else {
        return Ok(json!({ "key": null, "path": null, "route": null, "shard": null, "entries": [] }));
    };
    let question = Inspect { subject: Subject::Path { path, after: None }, limit: MAX_LIMIT };
    let mut found = inspect(env, question).await?;
    let mut entries = found["entries"].take();
    if let (Some(key), Some(entries)) = (&key, entries.as_array_mut()) {
        let is_of_key = |entry: &Value| entry["key"].as_str().is_some_and(|entry| is_variant(entry, key));
        entries.retain(is_of_key);
    }
    Ok(json!({
        "key": key,
        "path": found["path"],
        "route": found["route"],
        "shard": found["shard"],
        "entries": entries,
    }))
}

fn is_variant(entry: &str, key: &PageKey) -> bool {
    entry.split_once('#').map_or(entry, |(url, _)| url) == key.url()
}

/// Lists tags. Each tag index object knows its own.
pub(super) async fn tags(surveyor: &Surveyor<'_>, request: &TagsRequest) -> Result<Value, CallError> {
    let survey =
        |_| IndexSurvey::Tags { prefix: request.prefix.clone(), after: request.after.clone(), limit: request.limit };
    let pages: Vec<TagPage> = surveyor.indexes(survey).await?;
    let limit = request.limit as usize;
    let mut more = pages.iter().any(|page| page.more);
    let mut tags: Vec<ListedTag> = pages.into_iter().flat_map(|page| page.tags).collect();
    tags.sort_by(|one, other| one.tag.cmp(&other.tag));
    // Each object knows the tag that stands for every tag.
    tags.dedup_by(|one, other| one.tag == other.tag);
    more |= tags.len() > limit;
    tags.truncate(limit);
    let after = tags.last().filter(|_| more).map(|listed| listed.tag.clone());
    Ok(words::with_utc(json!({ "tags": tags, "after": after })))
}

/// Lists the invalidations in the log, the newest first.
pub(super) async fn invalidations(surveyor: &Surveyor<'_>, request: &InvalidationsRequest) -> Result<Value, CallError> {
    let survey = |index| {
        let (before, before_time) = before(index, request.after);
        IndexSurvey::Invalidations { before, before_time, limit: request.limit }
    };
    let pages: Vec<InvalidationPage> = surveyor.indexes(survey).await?;
    let limit = request.limit as usize;
    let mut more = pages.iter().any(|page| page.more);
    let mut rows: Vec<LoggedInvalidation> = pages.into_iter().flat_map(|page| page.invalidations).collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.invalidation.at, row.invalidation.seq)));
    more |= rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    let after = last.map(|row| InvalidationsRequest::after(row.invalidation.at, row.invalidation.seq));
    let rows = rows.into_iter().map(|LoggedInvalidation { invalidation, applied, pending, matched }| {
        let at = invalidation.at;
        let mut value = InvalidateAnswer { invalidation, applied, pending, matched, repeated: false }.to_json();
        value["at"] = json!(at);
        value
    });
    Ok(words::with_utc(json!({ "invalidations": rows.collect::<Vec<_>>(), "after": after })))
}

/// Returns before which number and time a tag index object lists invalidations. Of the same moment, those of a later object
/// come first.
fn before(index: TagIndexName, after: Option<(Timestamp, u64)>) -> (Option<u64>, Option<Timestamp>) {
    match after {
        None => (None, None),
        Some((at, seq)) => match TagIndexName::of_seq(seq) {
            Some(own) if own == index => (Some(seq), None),
            Some(own) if own > index => (None, Some(Timestamp::from_millis(at.as_millis().saturating_add(1)))),
            _ => (None, Some(at)),
        },
    }
}

/// Lists running and queued renders.
pub(super) async fn leases(surveyor: &Surveyor<'_>, request: LeasesRequest) -> Result<Value, CallError> {
    let LeasesRequest { shard, after, limit } = request;
    let asked = surveyor.asked(shard, after.as_ref(), MAX_ASKED).await?;
    let answers: Vec<(ShardName, LeasePage)> = surveyor.ask_all(&asked.shards, |_| ShardSurvey::Leases { limit }).await;
    let checked = Checked { asked: asked.shards.len(), answered: answers.len(), known: asked.known };
    let total: u64 = answers.iter().map(|(_, page)| page.total).sum();
    let mut leases: Vec<(ShardName, RunningRender)> = answers
        .into_iter()
        .flat_map(|(shard, page)| page.leases.into_iter().map(move |lease| (shard.clone(), lease)))
        .collect();
    leases.sort_by_key(|(_, lease)| lease.token);
    let leases = leases.iter().map(|(shard, lease)| with_shard(shard, json!(lease)));
    Ok(words::with_utc(json!({
        "leases": leases.collect::<Vec<_>>(),
        "total": total,
        "after": asked.after,
        "checked": checked.to_json(),
    })))
}

fn with_shard(shard: &ShardName, mut value: Value) -> Value {
    value["shard"] = json!(shard);
    value
}
