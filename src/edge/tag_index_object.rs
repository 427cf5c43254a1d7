//! The tag index Durable Object: records invalidations and delivers them until they are applied.
#![allow(missing_docs, reason = "the macro that makes a class of a struct writes methods without docs")]

use std::rc::Rc;

use futures::stream::{self, StreamExt, TryStreamExt};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::edge::admin::{AdminError, TagIndex};
use crate::edge::alarm::Alarm;
use crate::edge::coordinator_object::{body_of, failed, message_response};
use crate::edge::settings::Settings;
use crate::edge::sql::ObjectSql;
use crate::edge::{admin, calls, feed_poll, js};
use crate::feed::{Mode, Refresh, Scope};
use crate::inspect::answer::{ShardEntry, TagEntry};
use crate::protocol::{
    Applied, InvalidateAnswer, MESSAGE_PATH, Progress, RPC_PATH, RegisterAnswer, ShardProgress, TAG_INDEX_NAME,
    ToCoordinator, ToTagIndex, decode,
};
use crate::semantics::tag::Tag;
use crate::shard::ShardName;
use crate::store::{Delivery, StoreError, TagIndexStore};
use crate::tag_index::{ACKNOWLEDGE_WITHIN, BATCH, Round, attempts, settle};

/// How many deliveries are made side by side: an object may wait for six response heads (platform limit).
const PARALLEL: usize = 6;

/// The most rows of one answer to a poll.
const FEED_ROWS: u32 = 1000;

/// Keeps which shards carry a tag, the log of invalidations, and their delivery. Bind it as `TAG_INDEX`, with SQLite.
#[durable_object(alarm)]
pub struct IsrTagIndex {
    object: Rc<Object>,
}

impl DurableObject for IsrTagIndex {
    fn new(state: State, env: Env) -> Self {
        Self { object: Object::open(state, env) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        self.object.fetch(&request).await
    }

    async fn alarm(&self) -> worker::Result<Response> {
        self.object.alarm().await;
        Response::empty()
    }
}

/// The tag index, called by itself.
struct Itself<'a>(&'a Rc<Object>);

impl TagIndex for Itself<'_> {
    async fn invalidate(&self, scope: Scope, mode: Mode, refresh: Refresh) -> Result<InvalidateAnswer, AdminError> {
        Ok(self.0.invalidate(scope, mode, refresh).await?)
    }

    async fn progress(&self, seq: u64) -> Result<Option<Progress>, AdminError> {
        Ok(self.0.progress(seq).await?)
    }

    async fn inspect_tag(&self, tag: Tag) -> Result<TagEntry, AdminError> {
        Ok(self.0.store()?.inspect_tag(&tag)?)
    }

    async fn inspect_shard(&self, shard: ShardName) -> Result<Option<ShardEntry>, AdminError> {
        Ok(self.0.store()?.inspect_shard(&shard)?)
    }

    fn env(&self) -> &Env {
        &self.0.env
    }
}

struct Object {
    env: Env,
    store: Result<TagIndexStore<ObjectSql>, StoreError>,
    alarm: Alarm,
    /// Whether this is the object that edges and coordinators ask. One of another name has been called by mistake.
    is_the_one: bool,
}

impl Object {
    fn open(state: State, env: Env) -> Rc<Self> {
        let is_the_one = state.id().name().is_none_or(|name| name == TAG_INDEX_NAME);
        let (state, sql) = ObjectSql::of(state);
        let store = sql.and_then(TagIndexStore::open);
        let object = Rc::new(Self { env, store, alarm: Alarm::new(state), is_the_one });
        object.alarm.follow(object.store().and_then(TagIndexStore::next_deadline));
        object
    }

    fn store(&self) -> Result<&TagIndexStore<ObjectSql>, StoreError> {
        self.store.as_ref().map_err(Clone::clone)
    }

    async fn fetch(self: &Rc<Self>, request: &Request) -> worker::Result<Response> {
        let path = request.path();
        let Some(body) = body_of(request.inner()).await? else {
            return Response::error("message too large", 413);
        };
        let answered = match path.as_str() {
            RPC_PATH => return self.rpc(&body).await,
            MESSAGE_PATH => match decode::<ToTagIndex>(&body) {
                Some(message) => self.message(message).await,
                None => return Response::error("not a message of this version", 400),
            },
            _ => return Response::error("not a path of this version", 404),
        };
        answered.unwrap_or_else(|error| failed(&error))
    }

    async fn rpc(self: &Rc<Self>, call: &[u8]) -> worker::Result<Response> {
        if !self.is_the_one {
            return Response::ok(admin::rpc(&self.env, call).await);
        }
        Response::ok(admin::rpc_with(call, &Itself(self)).await)
    }

    async fn message(self: &Rc<Self>, message: ToTagIndex) -> Result<worker::Result<Response>, StoreError> {
        Ok(match message {
            ToTagIndex::Register { shard, shards, tags, since } => {
                let registered = self.store()?.register(&shard, shards, &tags, since)?;
                let (invalidations, floor) = (registered.invalidations, registered.floor);
                message_response(&RegisterAnswer { invalidations, floor })
            }
            ToTagIndex::Invalidate { scope, mode, refresh } => {
                message_response(&self.invalidate(scope, mode, refresh).await?)
            }
            ToTagIndex::Feed { since } => message_response(&self.store()?.feed(since, FEED_ROWS)?),
            ToTagIndex::Progress { seq } => message_response(&self.progress(seq).await?),
            ToTagIndex::InspectTag { tag } => message_response(&self.store()?.inspect_tag(&tag)?),
            ToTagIndex::InspectShard { shard } => message_response(&self.store()?.inspect_shard(&shard)?),
        })
    }

    /// Records an invalidation, and delivers it as far as that can be done in the time that a caller waits.
    async fn invalidate(
        self: &Rc<Self>,
        scope: Scope,
        mode: Mode,
        refresh: Refresh,
    ) -> Result<InvalidateAnswer, StoreError> {
        let owner = self.owner(&scope)?;
        let store = self.store()?;
        let invalidation = store.append(scope, mode, refresh, owner.as_ref(), js::now())?;
        let seq = invalidation.seq;
        let total = store.pending(seq)?;
        if total > 0 {
            // The alarm goes on with whatever is left, also if this object dies now.
            self.alarm.wake_at(js::now().plus(ACKNOWLEDGE_WITHIN));
            js::within(ACKNOWLEDGE_WITHIN, self.deliver_all(seq)).await;
        }
        feed_poll::note(invalidation.clone());
        let (pending, matched) = (self.store()?.pending(seq)?, self.store()?.matched(seq)?);
        Ok(InvalidateAnswer { invalidation, applied: total - pending.min(total), pending, matched })
    }

    /// Tells what has come of an invalidation: what the log says of its delivery, and what the coordinators say of its pages.
    async fn progress(&self, seq: u64) -> Result<Option<Progress>, StoreError> {
        let store = self.store()?;
        let Some(invalidation) = store.invalidation(seq)? else {
            return Ok(None);
        };
        let shards = store.applied(seq)?;
        let (applied, pending, matched) = (shards.len() as u64, store.pending(seq)?, store.matched(seq)?);
        let asked = stream::iter(shards).map(|shard| {
            let message = ToCoordinator::Progress(invalidation.clone());
            async move { calls::deliver::<ShardProgress>(&self.env, &shard, &message).await }
        });
        let told = js::within(ACKNOWLEDGE_WITHIN, asked.buffer_unordered(PARALLEL).try_collect::<Vec<_>>()).await;
        let pages = match told {
            Some(Ok(told)) => Some(told.into_iter().reduce(ShardProgress::and).unwrap_or_default()),
            failure => {
                worker::console_warn!("tag index: the progress of {seq} is not known: {failure:?}");
                None
            }
        };
        Ok(Some(Progress { invalidation, applied, pending, matched, pages }))
    }

    /// Returns the shard that owns a path by the configuration.
    fn owner(&self, scope: &Scope) -> Result<Option<ShardName>, StoreError> {
        let Scope::Path(path) = scope else {
            return Ok(None);
        };
        let settings = Settings::of(&self.env).map_err(|error| StoreError::Unconfigured(error.to_string()))?;
        let route = settings.config.routes.find(path.as_str());
        Ok(route.map(|route| ShardName::of(route, path.as_str())))
    }

    async fn deliver_all(&self, seq: u64) {
        loop {
            let batch = match self.store().and_then(|store| attempts(store, Round::Of(seq))) {
                Ok(batch) => batch,
                Err(error) => return worker::console_error!("tag index: {error}"),
            };
            if batch.is_empty() || self.deliver(batch).await < BATCH as usize {
                return;
            }
        }
    }

    /// Attempts deliveries side by side, and returns how many were made. A failed one is put off.
    async fn deliver(&self, batch: Vec<Delivery>) -> usize {
        let attempts = stream::iter(batch).map(|delivery| async move {
            let message = ToCoordinator::Invalidate(delivery.invalidation.clone());
            let call = calls::deliver::<Applied>(&self.env, &delivery.shard, &message);
            let delivered = js::within(ACKNOWLEDGE_WITHIN, call).await;
            (delivery, delivered)
        });
        let mut attempts = attempts.buffer_unordered(PARALLEL);
        let mut made = 0;
        while let Some((delivery, delivered)) = attempts.next().await {
            let (seq, shard) = (delivery.invalidation.seq, &delivery.shard);
            let matched = match delivered {
                Some(Ok(applied)) => {
                    made += 1;
                    Some(applied.matched)
                }
                failure => {
                    worker::console_warn!("tag index: {seq} is not delivered to {shard} yet: {failure:?}");
                    None
                }
            };
            if let Err(error) = self.store().and_then(|store| settle(store, &delivery, matched, js::now())) {
                worker::console_error!("tag index: {error}");
            }
        }
        made
    }

    /// Attempts what is due, one batch, and sets the alarm for what is left.
    async fn alarm(&self) {
        self.alarm.begin();
        match self.store().and_then(|store| attempts(store, Round::Due(js::now()))) {
            Ok(due) => drop(self.deliver(due).await),
            Err(error) => worker::console_error!("tag index: {error}"),
        }
        self.alarm.end(self.store().and_then(TagIndexStore::next_deadline));
    }
}
