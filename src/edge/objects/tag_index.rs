//! The tag index Durable Object: records invalidations and delivers them until they are applied.
#![allow(missing_docs, reason = "the macro that makes a class of a struct writes methods without docs")]

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::codec::decode;
use crate::edge::admin::{self, TagIndex};
use crate::edge::objects::alarm::ObjectAlarm;
use crate::edge::objects::coordinator::{body_of, failed, message_response};
use crate::edge::objects::counting::Counting;
use crate::edge::objects::listening::Listening;
use crate::edge::objects::purges;
use crate::edge::objects::sql::ObjectSql;
use crate::edge::origin::Exports;
use crate::edge::platform::{calls, js};
use crate::edge::settings::{self, Settings};
use crate::error::CallError;
use crate::inspection::answer::{ShardEntry, TagEntry};
use crate::inspection::survey::{IndexSurvey, ShardPage};
use crate::invalidation::{Call, FeedPage, FeedQuestion, Invalidation, Target};
use crate::limits::OPEN_REQUESTS;
use crate::protocol::{
    ApplyAnswer, InvalidateAnswer, MESSAGE_PATH, NOT_UNDERSTOOD_STATUS, Progress, RPC_PATH, RegisterAnswer,
    RetireAnswer, ShardProgress, TagIndexCall, ToCoordinator, ToTagIndex, UNKNOWN_PATH_STATUS, UnregisterAnswer,
};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::sql::StoreError;
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::tag_index::{ACKNOWLEDGE_WITHIN, BATCH, DELIVER_WITHIN, Hanging, Round, attempts, settle};
use crate::tag_index_name::TagIndexName;

/// The most rows of one answer to a poll.
const FEED_ROWS: u32 = 1000;

/// The most rows of one frame of a stream.
const PUSH_ROWS: u32 = 200;

/// Limits the retired coordinators that one run of the alarm calls.
const RETIRED_AT_ONCE: u32 = 6;

/// Limits the coordinators that the root names in one answer.
const SHARDS_A_TIME: u32 = 500;

/// Keeps the shards of each tag, the log of invalidations, and their deliveries. Bind it as `TAG_INDEX`, with SQLite.
///
/// ```
/// // A Worker exports the class by naming it. `wrangler.toml` binds it as `TAG_INDEX`.
/// pub use cloudflare_isr::IsrTagIndex;
/// ```
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

/// An invalidation of a call.
struct Recorded {
    invalidation: Invalidation,
    /// Whether an earlier call with the same key has recorded it.
    is_repeated: bool,
}

/// The tag index called from within one of its objects: the object answers what it knows without a message.
struct Itself<'a>(&'a Rc<Object>);

impl Itself<'_> {
    fn is(&self, other: Option<TagIndexName>) -> bool {
        self.0.name.is_some() && self.0.name == other
    }
}

impl TagIndex for Itself<'_> {
    async fn record(&self, index: TagIndexName, call: &Call) -> Result<Vec<InvalidateAnswer>, CallError> {
        if self.is(Some(index)) {
            return self.0.invalidate(call).await.map_err(not_recorded);
        }
        self.0.env.record(index, call).await
    }

    async fn progress(&self, seq: u64) -> Result<Option<Progress>, CallError> {
        if self.is(TagIndexName::of_seq(seq)) {
            return self.0.progress(seq).await.map_err(unreachable);
        }
        self.0.env.progress(seq).await
    }

    async fn inspect_tag(&self, tag: Tag) -> Result<TagEntry, CallError> {
        if self.is(Some(TagIndexName::of_tag(&tag, self.0.tag_shards().map_err(unreachable)?))) {
            return self.0.store().and_then(|store| store.inspect_tag(&tag)).map_err(unreachable);
        }
        self.0.env.inspect_tag(tag).await
    }

    async fn inspect_shard(&self, shard: ShardName) -> Result<Option<ShardEntry>, CallError> {
        if self.is(Some(TagIndexName::ROOT)) && self.0.tag_shards().map_err(unreachable)? == 1 {
            return self.0.store().and_then(|store| store.inspect_shard(&shard)).map_err(unreachable);
        }
        self.0.env.inspect_shard(shard).await
    }

    fn tag_shards(&self) -> Result<u16, CallError> {
        self.0.tag_shards().map_err(not_recorded)
    }

    fn env(&self) -> &Env {
        &self.0.env
    }
}

fn not_recorded(error: StoreError) -> CallError {
    CallError::NotRecorded(error.into())
}

fn unreachable(error: StoreError) -> CallError {
    CallError::Unreachable(error.into())
}

struct Object {
    env: Env,
    store: Result<TagIndexStore<ObjectSql>, StoreError>,
    alarm: ObjectAlarm,
    exports: Exports,
    /// The object's name. A message to an object of another name is a mistake.
    name: Option<TagIndexName>,
    tag_shards: Result<u16, StoreError>,
    hanging: RefCell<Hanging>,
    listening: Rc<Listening>,
    counting: Counting,
}

impl Object {
    fn open(state: State, env: Env) -> Rc<Self> {
        // An object that was created before the platform passed names is the only one.
        let name = state.id().name().map_or(Some(TagIndexName::ROOT), |name| TagIndexName::parse(&name));
        let raw = state._inner();
        let exports = Exports::of(&raw);
        let (state, sql) = ObjectSql::of(State::from(raw));
        let config = settings::config(&env).map_err(|error| StoreError::Unconfigured(error.to_string()));
        let downstream = config.as_ref().map(purges::of).unwrap_or_default();
        let tag_shards = config.as_ref().map(|config| config.tag_shards).map_err(Clone::clone);
        let store = sql
            .and_then(TagIndexStore::open)
            .and_then(|store| store.one_of(name.unwrap_or(TagIndexName::ROOT), tag_shards.clone()?, js::now()))
            .map(|store| store.with_downstream(downstream))
            .and_then(|store| {
                let config = config.as_ref().map_err(Clone::clone)?;
                store.note_retired(|shard| shard.is_served(&config.routes), js::now())?;
                Ok(store)
            });
        let counting = Counting::load(&env, store.as_ref().map_err(Clone::clone));
        let object = Rc::new(Self {
            counting,
            env,
            store,
            alarm: ObjectAlarm::new(state),
            exports,
            name,
            tag_shards,
            hanging: RefCell::default(),
            listening: Rc::default(),
        });
        object.alarm.follow(object.store().and_then(TagIndexStore::next_deadline));
        object
    }

    fn store(&self) -> Result<&TagIndexStore<ObjectSql>, StoreError> {
        self.store.as_ref().map_err(Clone::clone)
    }

    fn tag_shards(&self) -> Result<u16, StoreError> {
        self.tag_shards.clone()
    }

    async fn fetch(self: &Rc<Self>, request: &Request) -> worker::Result<Response> {
        let path = request.path();
        let Some(body) = body_of(request.inner()).await? else {
            return Response::error("message too large", 413);
        };
        let answered = match path.as_str() {
            RPC_PATH => return self.rpc(&body).await,
            MESSAGE_PATH => match decode::<TagIndexCall>(&body) {
                Some(call) if self.tag_shards().is_ok_and(|tag_shards| tag_shards != call.tag_shards) => {
                    return Response::error("not for this number of tag index objects", 409);
                }
                Some(call) => {
                    let answer = self.message(call.message).await;
                    self.counting.save(self.store(), false);
                    answer
                }
                None => return Response::error("not a message of this version", NOT_UNDERSTOOD_STATUS),
            },
            _ => return Response::error("not a path of this version", UNKNOWN_PATH_STATUS),
        };
        answered.unwrap_or_else(|error| failed(&error))
    }

    async fn rpc(self: &Rc<Self>, call: &[u8]) -> worker::Result<Response> {
        Response::ok(admin::rpc_with(call, &Itself(self)).await)
    }

    async fn message(self: &Rc<Self>, message: ToTagIndex) -> Result<worker::Result<Response>, StoreError> {
        Ok(match message {
            ToTagIndex::Register { shard, shards, tags, since, generation, carried } => {
                let store = self.store()?;
                self.counting.count(|counters| counters.registrations += 1);
                if let Some(carried) = carried {
                    store.forget_tags(&shard, generation, &carried)?;
                }
                let registered = store.register(&shard, shards, generation, &tags, since)?;
                self.listening.changed();
                let (invalidations, floor) = (registered.invalidations, registered.floor);
                message_response(&RegisterAnswer { invalidations, floor })
            }
            ToTagIndex::Unregister { shard, generation } => {
                let more = self.store()?.unregister(&shard, generation)?;
                self.listening.changed();
                message_response(&UnregisterAnswer { more })
            }
            ToTagIndex::Invalidate { target, mode, refresh, key } => {
                let call = Call { targets: vec![target], mode, refresh, key };
                message_response(&self.invalidate(&call).await?.pop())
            }
            ToTagIndex::InvalidateAll { targets, mode, refresh, key } => {
                message_response(&self.invalidate(&Call { targets, mode, refresh, key }).await?)
            }
            ToTagIndex::Feed { since, known } => {
                self.counting.count(|counters| counters.polls += 1);
                message_response(&self.feed(FeedQuestion { since, known }, FEED_ROWS)?)
            }
            ToTagIndex::Listen { since, known, every } => {
                // Without a database, the edge polls, and learns of that.
                self.store()?;
                self.counting.count(|counters| counters.streams += 1);
                let object = Rc::clone(self);
                let read = move |question| object.feed(question, PUSH_ROWS);
                let every = Duration::from_millis(every);
                self.listening.open(FeedQuestion { since, known }, every, Rc::new(read))
            }
            ToTagIndex::Progress { seq } => message_response(&self.progress(seq).await?),
            ToTagIndex::InspectTag { tag } => message_response(&self.store()?.inspect_tag(&tag)?),
            ToTagIndex::Health { from, limit } => message_response(&self.store()?.health(from, limit)?),
            ToTagIndex::InspectShard { shard } => message_response(&self.store()?.inspect_shard(&shard)?),
            ToTagIndex::Survey(survey) => Self::survey(self.store()?, survey)?,
            ToTagIndex::Count(counts) => {
                self.counting.add(&self.env, counts);
                message_response(&())
            }
            ToTagIndex::Metrics { from, limit } => {
                message_response(&self.counting.report(self.store()?, (from, limit), self.listening.open_streams())?)
            }
        })
    }

    fn survey(store: &TagIndexStore<ObjectSql>, survey: IndexSurvey) -> Result<worker::Result<Response>, StoreError> {
        Ok(match survey {
            IndexSurvey::Shards { from, route, limit } => {
                message_response(&store.list_shards(from.as_ref(), route.as_deref(), limit)?)
            }
            IndexSurvey::Tags { prefix, after, limit } => {
                message_response(&store.list_tags(&prefix, after.as_ref(), limit)?)
            }
            IndexSurvey::Invalidations { before, before_time, limit } => {
                message_response(&store.list_invalidations(before, before_time, limit)?)
            }
        })
    }

    /// Reads the feed.
    fn feed(&self, question: FeedQuestion, rows: u32) -> Result<FeedPage, StoreError> {
        let page = self.store()?.feed(question, rows, js::now(), js::random_bits())?;
        if question.known.is_some_and(|known| page.log != Some(known.log)) {
            // A log that begins again has deliveries.
            self.alarm.follow(self.store()?.next_deadline());
            self.listening.recorded();
        }
        Ok(page)
    }

    /// Records the invalidations of a call, and delivers them as far as the caller's waiting time allows.
    async fn invalidate(self: &Rc<Self>, call: &Call) -> Result<Vec<InvalidateAnswer>, StoreError> {
        let store = self.store()?;
        if call.targets.iter().any(|target| matches!(target, Target::Tag(_))) && store.lacks_shards()? {
            self.learn_shards(store).await?;
        }
        let recorded: Vec<Recorded> =
            call.targets.iter().map(|target| self.record(target, call)).collect::<Result<_, _>>()?;
        let seqs = || recorded.iter().map(|recorded| recorded.invalidation.seq);
        let (Some(first), Some(last)) = (seqs().min(), seqs().max()) else {
            return Ok(Vec::new());
        };
        self.listening.recorded();
        if !store.deliveries_of(first, last, 1)?.is_empty() {
            // The alarm continues with the remaining deliveries, even if this object dies now.
            self.alarm.wake_at(js::now().plus(ACKNOWLEDGE_WITHIN));
            js::within(ACKNOWLEDGE_WITHIN, self.deliver_all(first, last)).await;
        }
        // The alarm purges a downstream cache after the receipt. An earlier purge would let it store the old page
        // again.
        for seq in seqs() {
            store.ripen(seq, js::now())?;
        }
        self.alarm.follow(store.next_deadline());
        if let Ok(settings) = Settings::of(&self.env) {
            for recorded in &recorded {
                settings.deployment.note(recorded.invalidation.clone());
            }
        }
        recorded.into_iter().map(|recorded| Self::receipt(store, recorded)).collect()
    }

    /// Records one target of a call, unless this call is repeated.
    fn record(&self, target: &Target, call: &Call) -> Result<Recorded, StoreError> {
        let &Call { mode, refresh, ref key, .. } = call;
        let (store, now) = (self.store()?, js::now());
        if let Some(key) = key
            && let Some(invalidation) = store.repeated(key, target, mode, refresh, now)?
        {
            return Ok(Recorded { invalidation, is_repeated: true });
        }
        let owner = self.owner(target)?;
        let invalidation = store.append(target.clone(), mode, refresh, owner.as_ref(), now)?;
        if let Some(key) = key {
            store.note_key(invalidation.seq, key)?;
        }
        self.counting.count(|counters| counters.invalidations += 1);
        Ok(Recorded { invalidation, is_repeated: false })
    }

    fn receipt(store: &TagIndexStore<ObjectSql>, recorded: Recorded) -> Result<InvalidateAnswer, StoreError> {
        let Recorded { invalidation, is_repeated: repeated } = recorded;
        let seq = invalidation.seq;
        let applied = store.applied(seq)?.len() as u64;
        let (pending, matched) = (store.pending(seq)?, store.matched(seq)?);
        Ok(InvalidateAnswer { invalidation, applied, pending, matched, repeated })
    }

    /// Learns the coordinators from the root. If that one can't tell, the invalidation is not recorded.
    async fn learn_shards(&self, store: &TagIndexStore<ObjectSql>) -> Result<(), StoreError> {
        let tag_shards = self.tag_shards()?;
        let mut from = None;
        loop {
            let message = ToTagIndex::Survey(IndexSurvey::Shards { from, route: None, limit: SHARDS_A_TIME });
            let asked = calls::tag_index::<ShardPage>(&self.env, TagIndexName::ROOT, tag_shards, message);
            let page = match js::within(DELIVER_WITHIN, asked).await {
                Some(Ok(page)) => page,
                failure => {
                    return Err(StoreError::Unconfigured(format!("the root tells no coordinators: {failure:?}")));
                }
            };
            let shards: Vec<ShardName> = page.shards.into_iter().map(|listed| listed.shard).collect();
            store.learn_shards(&shards, !page.more)?;
            match shards.into_iter().next_back().filter(|_| page.more) {
                // The next page begins with the last coordinator of this one.
                Some(last) => from = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Returns the progress of an invalidation: its delivery from the log, and its pages from the coordinators.
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
        let told = js::within(ACKNOWLEDGE_WITHIN, asked.buffer_unordered(OPEN_REQUESTS).try_collect::<Vec<_>>()).await;
        let pages = match told {
            Some(Ok(told)) => Some(told.into_iter().reduce(ShardProgress::and).unwrap_or_default()),
            failure => {
                worker::console_warn!("tag index: the progress of {seq} is unknown: {failure:?}");
                None
            }
        };
        let downstream = self.store()?.downstream_progress(seq)?;
        Ok(Some(Progress { invalidation, applied, pending, matched, pages, downstream }))
    }

    /// Returns the shard that owns a path according to the configuration.
    fn owner(&self, target: &Target) -> Result<Option<ShardName>, StoreError> {
        let Target::Path(path) = target else {
            return Ok(None);
        };
        let settings = Settings::of(&self.env).map_err(|error| StoreError::Unconfigured(error.to_string()))?;
        let route = settings.config.routes.find(path.as_str());
        Ok(route.map(|route| ShardName::of(route, path.as_str())))
    }

    async fn deliver_all(&self, first: u64, last: u64) {
        loop {
            let round = Round::Of { first, last, now: js::now() };
            let batch = match self.store().and_then(|store| attempts(store, round, &self.hanging.borrow())) {
                Ok(batch) => batch,
                Err(error) => return worker::console_error!("tag index: {error}"),
            };
            if batch.is_empty() || self.deliver(batch).await < BATCH as usize {
                return;
            }
        }
    }

    /// Attempts deliveries side by side, and returns how many succeeded. A failed one is postponed.
    async fn deliver(&self, batch: Vec<Delivery>) -> usize {
        let attempts = stream::iter(batch).map(|delivery| async move {
            let message = ToCoordinator::Invalidate(delivery.invalidation.clone());
            let call = calls::deliver::<ApplyAnswer>(&self.env, &delivery.shard, &message);
            let delivered = js::within(DELIVER_WITHIN, call).await;
            self.hanging.borrow_mut().note(&delivery.shard, delivered.is_some(), js::now());
            (delivery, delivered)
        });
        let mut attempts = attempts.buffer_unordered(OPEN_REQUESTS);
        let mut made = 0;
        while let Some((delivery, delivered)) = attempts.next().await {
            let (seq, shard) = (delivery.invalidation.seq, &delivery.shard);
            let matched = match delivered {
                Some(Ok(applied)) => {
                    made += 1;
                    self.counting.count(|counters| counters.delivered += 1);
                    Some(applied.matched)
                }
                failure => {
                    self.counting.count(|counters| counters.undelivered += 1);
                    worker::console_warn!("tag index: {seq} is not delivered to {shard} yet: {failure:?}");
                    None
                }
            };
            if let Err(error) = self.store().and_then(|store| settle(store, &delivery, matched, js::now())) {
                worker::console_error!("tag index: {error}");
            }
            self.listening.changed();
        }
        made
    }

    async fn purge_downstream(&self) -> Result<(), StoreError> {
        purges::purge(self.store()?, &self.env, &self.exports).await
    }

    /// Calls the coordinators that no request reaches any more, so that they end.
    async fn call_retired(&self) {
        let shards = match self.store().and_then(|store| store.retired_to_call(js::now(), RETIRED_AT_ONCE)) {
            Ok(shards) => shards,
            Err(error) => return worker::console_error!("tag index: {error}"),
        };
        for shard in shards {
            let message = ToCoordinator::Retire { shard: shard.clone() };
            let call = calls::deliver::<RetireAnswer>(&self.env, &shard, &message);
            match js::within(ACKNOWLEDGE_WITHIN, call).await {
                Some(Ok(RetireAnswer { retires: true })) => {}
                other => worker::console_warn!("tag index: {shard} does not retire yet: {other:?}"),
            }
        }
    }

    /// Attempts one batch of due deliveries, and sets the alarm for the rest.
    async fn alarm(&self) {
        self.alarm.begin();
        let deliver = async {
            match self.store().and_then(|store| attempts(store, Round::Due(js::now()), &self.hanging.borrow())) {
                Ok(due) => drop(self.deliver(due).await),
                Err(error) => worker::console_error!("tag index: {error}"),
            }
        };
        let ((), purged, ()) = futures::join!(deliver, self.purge_downstream(), self.call_retired());
        if let Err(error) = purged {
            worker::console_error!("tag index: {error}");
        }
        self.listening.changed();
        self.counting.save(self.store(), true);
        self.alarm.end(self.store().and_then(TagIndexStore::next_deadline));
    }
}
