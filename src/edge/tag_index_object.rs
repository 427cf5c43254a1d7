//! The tag index Durable Object: records invalidations and delivers them until they are applied.
#![allow(missing_docs, reason = "the macro that makes a class of a struct writes methods without docs")]

use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use js_sys::Uint8Array;
use serde::Serialize;
use web_sys::Headers;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::edge::alarm::Alarm;
use crate::edge::coordinator_object::{body_of, failed};
use crate::edge::settings::Settings;
use crate::edge::sql::ObjectSql;
use crate::edge::{admin, calls, envelope, feed_poll, js};
use crate::feed::{Mode, Scope};
use crate::protocol::{
    InvalidateAnswer, MESSAGE_PATH, RPC_PATH, RegisterAnswer, TAG_INDEX_NAME, ToCoordinator, ToTagIndex, decode, encode,
};
use crate::shard::ShardName;
use crate::store::{Delivery, StoreError, TagIndexStore};
use crate::tag_index::delivery_pause;

/// How long the caller of an invalidation waits for the coordinators.
const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// How many deliveries are made side by side: an object may wait for six response heads (platform limit).
const PARALLEL: usize = 6;

/// How many deliveries are loaded at a time.
const BATCH: u32 = 100;

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
        match answered {
            Ok(answer) => {
                let body = Uint8Array::from(answer.as_slice());
                Ok(envelope::response(200, &Headers::new()?, Some(&body))?.into())
            }
            Err(error) => failed(&error),
        }
    }

    async fn rpc(self: &Rc<Self>, call: &[u8]) -> worker::Result<Response> {
        if !self.is_the_one {
            return Response::ok(admin::rpc(&self.env, call).await);
        }
        let answer = match admin::rpc_scope(call) {
            Ok(scope) => match self.invalidate(scope, Mode::Expire).await {
                Ok(answer) => Ok(admin::receipt(answer)),
                Err(error) => return failed(&error),
            },
            Err(error) => Err(error),
        };
        Response::ok(admin::rpc_answer(answer))
    }

    async fn message(self: &Rc<Self>, message: ToTagIndex) -> Result<Vec<u8>, StoreError> {
        fn encoded<T: Serialize>(answer: &T) -> Vec<u8> {
            encode(answer)
        }
        match message {
            ToTagIndex::Register { shard, tags, since } => {
                let registered = self.store()?.register(&shard, &tags, since)?;
                let (invalidations, floor) = (registered.invalidations, registered.floor);
                Ok(encoded(&RegisterAnswer { invalidations, floor }))
            }
            ToTagIndex::Invalidate { scope, mode } => Ok(encoded(&self.invalidate(scope, mode).await?)),
            ToTagIndex::Feed { since } => Ok(encoded(&self.store()?.feed(since, FEED_ROWS)?)),
        }
    }

    /// Records an invalidation, and delivers it as far as that can be done in the time that a caller waits.
    async fn invalidate(self: &Rc<Self>, scope: Scope, mode: Mode) -> Result<InvalidateAnswer, StoreError> {
        let owners = self.owners(&scope)?;
        let store = self.store()?;
        let invalidation = store.append(scope, mode, &owners, js::now())?;
        let seq = invalidation.seq;
        let total = store.pending(seq)?;
        if total > 0 {
            // The alarm goes on with whatever is left, also if this object dies now.
            self.alarm.wake_at(js::now().plus(ACKNOWLEDGE_WITHIN));
            js::within(ACKNOWLEDGE_WITHIN, self.deliver_all(seq)).await;
        }
        feed_poll::note(invalidation.clone());
        let pending = self.store()?.pending(seq)?;
        Ok(InvalidateAnswer { invalidation, applied: total - pending.min(total), pending })
    }

    /// Returns the shards that own a path by the configuration.
    fn owners(&self, scope: &Scope) -> Result<Vec<ShardName>, StoreError> {
        let Scope::Path(path) = scope else {
            return Ok(Vec::new());
        };
        let settings = Settings::of(&self.env).map_err(|error| StoreError::Unconfigured(error.to_string()))?;
        let route = settings.config.routes.find(path.as_str());
        Ok(route.map(|route| ShardName::of(route, path.as_str())).into_iter().collect())
    }

    async fn deliver_all(&self, seq: u64) {
        loop {
            let batch = match self.store().and_then(|store| store.deliveries_of(seq, BATCH)) {
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
            let delivered = js::within(ACKNOWLEDGE_WITHIN, calls::deliver(&self.env, &delivery.shard, &message)).await;
            (delivery, delivered)
        });
        let mut attempts = attempts.buffer_unordered(PARALLEL);
        let mut made = 0;
        while let Some((delivery, delivered)) = attempts.next().await {
            let (seq, shard) = (delivery.invalidation.seq, &delivery.shard);
            let noted = match delivered {
                Some(Ok(())) => {
                    made += 1;
                    self.store().and_then(|store| store.delivered(seq, shard))
                }
                failure => {
                    worker::console_warn!("tag index: {seq} is not delivered to {shard} yet: {failure:?}");
                    let due = js::now().plus(delivery_pause(delivery.attempts + 1));
                    self.store().and_then(|store| store.put_off(seq, shard, due))
                }
            };
            if let Err(error) = noted {
                worker::console_error!("tag index: {error}");
            }
        }
        made
    }

    /// Attempts what is due, one batch, and sets the alarm for what is left.
    async fn alarm(&self) {
        self.alarm.begin();
        match self.store().and_then(|store| store.deliveries_due(js::now(), BATCH)) {
            Ok(due) => drop(self.deliver(due).await),
            Err(error) => worker::console_error!("tag index: {error}"),
        }
        self.alarm.end(self.store().and_then(TagIndexStore::next_deadline));
    }
}
