//! The coordinator Durable Object. Feeds events to its shard and performs the effects it returns.
#![allow(missing_docs, reason = "the macro that makes a class of a struct writes methods without docs")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use js_sys::Uint8Array;
use serde::Serialize;
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, Headers};
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use crate::account::Account;
use crate::codec::{decode, encode};
use crate::coordinator::tables::CoordinatorStore;
use crate::coordinator::{Base, Effect, Handled, Input, Moment, Shard, WaiterId};
use crate::edge::admin;
use crate::edge::body::Reader;
use crate::edge::caches::envelope;
use crate::edge::memory;
use crate::edge::objects::alarm::ObjectAlarm;
use crate::edge::objects::permits::Permits;
use crate::edge::objects::render::Content;
use crate::edge::objects::sql::ObjectSql;
use crate::edge::objects::tickets::Tickets;
use crate::edge::origin::Exports;
use crate::edge::platform::{calls, js};
use crate::edge::settings::Settings;
use crate::inspection::survey::ShardSurvey;
use crate::invalidation::Invalidation;
use crate::limits::{OPEN_RENDERS, OPEN_REQUESTS};
use crate::metrics::PageVisits;
use crate::page::PageMeta;
use crate::protocol::{
    ApplyAnswer, MESSAGE_PATH, NO_SQLITE_STATUS, NOT_UNDERSTOOD_STATUS, OFFER_HEADER, OFFER_PATH, Offer, REPLY_HEADER,
    RPC_PATH, Reply, RetireAnswer, ToCoordinator, UNKNOWN_PATH_STATUS,
};
use crate::reason::Reason;
use crate::semantics::headers::HeaderList;
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::sql::StoreError;
use crate::version::Version;

/// The most bytes of a message.
const MAX_MESSAGE_BYTES: u32 = 64 * 1024;

/// How much longer a request waits here than at the edge, so that the edge is the one that gives up.
const MISS_GRACE: Duration = Duration::from_secs(2);

/// How long the report of a stale page waits here for the page that replaces it.
const STALE_PATIENCE: Duration = Duration::from_secs(30);

/// Owns the pages of one route shard. Bind it as `COORDINATOR`, with SQLite.
///
/// ```
/// // A Worker exports the class by naming it. `wrangler.toml` binds it as `COORDINATOR`.
/// pub use cloudflare_isr::IsrCoordinator;
/// ```
#[durable_object(alarm)]
pub struct IsrCoordinator {
    object: Result<Rc<Object>, StoreError>,
}

impl DurableObject for IsrCoordinator {
    fn new(state: State, env: Env) -> Self {
        let object = Object::open(state, env);
        if let Err(error) = &object {
            worker::console_error!("coordinator: {error}");
        }
        Self { object }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        match &self.object {
            Ok(object) => object.fetch(&request).await,
            Err(error) => failed(error),
        }
    }

    async fn alarm(&self) -> worker::Result<Response> {
        match &self.object {
            Ok(object) => object.alarm().await,
            // The platform tries again, and restarts the object first.
            Err(error) => return Err(worker::Error::RustError(error.to_string())),
        }
        Response::empty()
    }
}

/// The answer to a waiting request.
enum WaiterReply {
    /// An answer without a page.
    Bare(Reply),
    /// An answer with a page, and a reader of its body.
    Page(Reply, Box<PageMeta>, Rc<HeaderList>, Reader),
    /// Another coordinator owns the page.
    Forward(ShardName),
}

/// The object's state in memory. All of it can be lost at any moment.
pub(in crate::edge) struct Object {
    pub(in crate::edge) env: Env,
    pub(in crate::edge) settings: Rc<Settings>,
    sql: ObjectSql,
    pub(in crate::edge) shard: RefCell<Shard<ObjectSql, Content>>,
    pub(in crate::edge) alarm: ObjectAlarm,
    waiters: RefCell<BTreeMap<WaiterId, oneshot::Sender<WaiterReply>>>,
    last_waiter: Cell<u64>,
    /// The byte budget of all growing bodies of the isolate.
    pub(in crate::edge) budget: Rc<Account>,
    /// The leases that callers hold.
    pub(in crate::edge) tickets: Tickets,
    /// The Worker's own entrypoints, for renders.
    pub(in crate::edge) exports: Exports,
    /// The connections for L2.
    pub(in crate::edge) l2_connections: Permits,
    /// Abort controllers of the renders under way.
    pub(in crate::edge) aborts: RefCell<BTreeMap<Version, AbortController>>,
    /// Renders that the alarm must begin.
    pub(in crate::edge) to_drive: RefCell<Vec<DrivenRender>>,
    /// Wakes an alarm that waits for its renders.
    pub(in crate::edge) bell: RefCell<Option<mpsc::Sender<()>>>,
    /// Whether the storage was deleted since the shard was opened.
    pub(in crate::edge) is_over: Cell<bool>,
}

/// A render that the alarm begins, and the page that it may validate.
pub(in crate::edge) type DrivenRender = (PageKey, Version, Option<Box<Base<Content>>>);

/// A tag registration under way. It resolves once the shard knows the outcome.
pub(in crate::edge) type Registration = oneshot::Receiver<()>;

impl Object {
    fn open(state: State, env: Env) -> Result<Rc<Self>, StoreError> {
        let settings = Settings::of(&env).map_err(|error| StoreError::Unconfigured(error.to_string()))?;
        let raw = state._inner();
        let exports = Exports::of(&raw);
        let (state, sql) = ObjectSql::of(State::from(raw));
        let sql = sql?;
        let (shard, effects) = Shard::open(sql.clone(), &settings.config, moment())?;
        let object = Rc::new(Self {
            env,
            settings,
            sql,
            shard: RefCell::new(shard.in_isolate(&memory::isolate())),
            alarm: ObjectAlarm::new(state),
            waiters: RefCell::default(),
            last_waiter: Cell::new(0),
            budget: memory::growing(),
            tickets: Tickets::default(),
            exports,
            l2_connections: Permits::new(OPEN_REQUESTS - OPEN_RENDERS),
            aborts: RefCell::default(),
            to_drive: RefCell::default(),
            bell: RefCell::default(),
            is_over: Cell::new(false),
        });
        object.perform_all(effects);
        Ok(object)
    }

    async fn fetch(self: &Rc<Self>, request: &Request) -> worker::Result<Response> {
        if let Err(error) = self.begin_anew() {
            return failed(&error);
        }
        let path = request.path();
        if path == OFFER_PATH {
            return self.offer(request.inner()).await;
        }
        let Some(body) = body_of(request.inner()).await? else {
            return Response::error("message too large", 413);
        };
        match path.as_str() {
            RPC_PATH => Response::ok(admin::rpc(&self.env, &body).await),
            MESSAGE_PATH => self.message(&body).await,
            _ => Response::error("not a path of this version", UNKNOWN_PATH_STATUS),
        }
    }

    /// Opens the shard again after its storage was deleted: the object is called nevertheless, and begins like a new one.
    fn begin_anew(self: &Rc<Self>) -> Result<(), StoreError> {
        if self.is_over.replace(false) {
            let opened = Shard::open(self.sql.clone(), &self.settings.config, moment());
            let (shard, effects) = opened.inspect_err(|_| self.is_over.set(true))?;
            self.shard.replace(shard);
            self.perform_all(effects);
        }
        Ok(())
    }

    /// Takes the page of a lease holder.
    async fn offer(&self, request: &web_sys::Request) -> worker::Result<Response> {
        let value = request.headers().get(OFFER_HEADER)?;
        match value.as_deref().and_then(Offer::from_header_value) {
            Some(offer) => message_response(&self.tickets.redeem(offer, request.body()).await),
            None => Response::error("not an offer of this version", NOT_UNDERSTOOD_STATUS),
        }
    }

    async fn message(self: &Rc<Self>, body: &[u8]) -> worker::Result<Response> {
        let Some(message) = decode::<ToCoordinator>(body) else {
            return Response::error("not a message of this version", NOT_UNDERSTOOD_STATUS);
        };
        let waiter = WaiterId(self.last_waiter.get() + 1);
        self.last_waiter.set(waiter.0);
        let (input, patience) = match message.clone() {
            ToCoordinator::Invalidate(invalidation) => {
                return match self.invalidate(invalidation) {
                    Ok(applied) => message_response(&applied),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Progress(invalidation) => {
                return match self.shard.borrow().progress(&invalidation) {
                    Ok(progress) => message_response(&progress),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Inspect(question) => {
                // Inspection only reads the store. It bypasses the shard's decisions.
                let store = CoordinatorStore::open(self.sql.clone());
                return match store.and_then(|store| store.inspect(&question)) {
                    Ok(answer) => message_response(&answer),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Survey(survey) => {
                let store = CoordinatorStore::open(self.sql.clone());
                return store.and_then(|store| answer_survey(&store, &survey)).unwrap_or_else(|error| failed(&error));
            }
            ToCoordinator::Retire { shard } => {
                let Handled { effects, failure } = self.handle(Input::Retire { shard });
                self.perform_all(effects);
                return match failure {
                    Some(error) => failed(&error),
                    None => message_response(&RetireAnswer {
                        retires: self.shard.borrow().is_retired(&self.settings.config),
                    }),
                };
            }
            ToCoordinator::Visits { visits, .. } => {
                self.visited(visits);
                return message_response(&());
            }
            ToCoordinator::Metrics => {
                let reported = self.shard.borrow_mut().metrics(&self.settings.config, js::now());
                return match reported {
                    Ok(metrics) => message_response(&metrics),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Miss { shard, key, newer_than, forwarded, renders, visits } => {
                self.visited(visits);
                let patience = self.settings.config.miss_timeout + MISS_GRACE;
                (Input::Request { waiter, shard, key, served: None, newer_than, forwarded, renders }, patience)
            }
            ToCoordinator::Stale { shard, key, version, newer_than, forwarded, visits } => {
                self.visited(visits);
                let served = Some(version);
                let request = Input::Request { waiter, shard, key, served, newer_than, forwarded, renders: false };
                (request, STALE_PATIENCE)
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.waiters.borrow_mut().insert(waiter, sender);
        match &message {
            ToCoordinator::Miss { shard, key, renders: true, .. } => {
                self.on_miss_of_renderer(input, waiter, shard, key);
            }
            _ => drop(self.on(input)),
        }
        match js::within(patience, receiver).await {
            Some(Ok(WaiterReply::Bare(reply))) => answer(&reply, envelope::response(200, &Headers::new()?, None)?),
            Some(Ok(WaiterReply::Page(reply, meta, headers, reader))) => {
                answer(&reply, envelope::wrap(&meta, &headers, &reader.into_js())?)
            }
            Some(Ok(WaiterReply::Forward(owner))) => self.forward(&owner, message, patience).await,
            Some(Err(oneshot::Canceled)) => Response::error("the request was given up", 503),
            None => {
                self.waiters.borrow_mut().remove(&waiter);
                self.on(Input::TimedOut { waiter });
                answer(&Reply::Refused { reason: Reason::Timeout }, envelope::response(200, &Headers::new()?, None)?)
            }
        }
    }

    /// Takes visits of the shard's pages that come with another message.
    fn visited(self: &Rc<Self>, visits: Vec<PageVisits>) {
        if !visits.is_empty() {
            drop(self.on(Input::Visits(visits)));
        }
    }

    /// Applies an invalidation, and counts the affected pages.
    fn invalidate(self: &Rc<Self>, invalidation: Invalidation) -> Result<ApplyAnswer, StoreError> {
        let Handled { effects, failure } = self.handle(Input::Invalidate(invalidation.clone()));
        self.perform_all(effects);
        failure.map_or(Ok(()), Err)?;
        let matched = self.shard.borrow().matched(&invalidation)?;
        self.settings.deployment.note(invalidation);
        Ok(ApplyAnswer { matched })
    }

    /// Gets the answer of the coordinator that owns the page.
    async fn forward(&self, owner: &ShardName, message: ToCoordinator, patience: Duration) -> worker::Result<Response> {
        match js::within(patience, calls::forward(&self.env, owner, message)).await {
            Some(Ok(response)) => Ok(response.into()),
            failure => {
                worker::console_error!("coordinator: {owner} owns the page, but did not answer: {failure:?}");
                Response::error("the owner of the page can't be reached", 503)
            }
        }
    }

    /// Feeds an input to the shard, and begins to perform the effects it returns.
    pub(in crate::edge) fn on(self: &Rc<Self>, input: Input<Content>) -> Vec<Registration> {
        let effects = self.handle(input).effects;
        self.perform_all(effects)
    }

    /// Feeds an input to the shard. Logs a failure of the store.
    pub(in crate::edge) fn handle(&self, input: Input<Content>) -> Handled<Content> {
        let handled = self.shard.borrow_mut().on(&self.settings.config, moment(), input);
        if let Some(error) = &handled.failure {
            worker::console_error!("coordinator: {error}");
        }
        handled
    }

    /// Feeds a miss to the shard whose client can render the page. If the miss begins a render, the client gets the
    /// lease, and no longer waits.
    fn on_miss_of_renderer(self: &Rc<Self>, input: Input<Content>, waiter: WaiterId, shard: &ShardName, key: &PageKey) {
        let mut effects = self.handle(input).effects;
        let is_own = |effect: &Effect<Content>| matches!(effect, Effect::Render { key: other, driven: false, .. } if other == key);
        let own = effects.iter().position(is_own).map(|at| effects.remove(at));
        self.perform_all(effects);
        if let Some(Effect::Render { key, token, .. }) = own {
            let pending = self.tickets.issue(key.clone(), token);
            self.on(Input::Answered { token });
            spawn_local(Rc::clone(self).render_for_ticket(key, token, pending));
            if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
                // If the client has stopped waiting, it never stores the page: the render times out.
                let _ = sender.send(WaiterReply::Bare(Reply::Lease { shard: shard.clone(), token }));
            }
            self.on(Input::TimedOut { waiter });
        }
    }

    pub(in crate::edge) fn perform_all(self: &Rc<Self>, effects: Vec<Effect<Content>>) -> Vec<Registration> {
        effects.into_iter().filter_map(|effect| self.perform(effect)).collect()
    }

    fn perform(self: &Rc<Self>, effect: Effect<Content>) -> Option<Registration> {
        let object = Rc::clone(self);
        match effect {
            Effect::Reply { waiter, reply, page } => {
                if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
                    // A request that has stopped waiting needs no answer. Dropping the reader signs it off from the
                    // body.
                    let _ = sender.send(WaiterReply::new(reply, page));
                }
            }
            Effect::Forward { waiter, owner } => {
                if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
                    let _ = sender.send(WaiterReply::Forward(owner));
                }
            }
            Effect::Render { key, token, driven: true, base } => self.to_drive.borrow_mut().push((key, token, base)),
            Effect::Render { key, token, driven: false, base } => {
                spawn_local(async move { object.render(key, token, base).await });
            }
            Effect::Abandon { token } => {
                self.tickets.revoke(token);
                if let Some(abort) = self.aborts.borrow().get(&token) {
                    abort.abort();
                }
            }
            Effect::Register { token, messages } => {
                let (sender, registration) = oneshot::channel();
                spawn_local(async move {
                    object.register(token, messages).await;
                    // It is fine if no one listens.
                    let _ = sender.send(());
                });
                return Some(registration);
            }
            Effect::Unregister { messages } => spawn_local(async move { object.unregister(messages).await }),
            Effect::End => spawn_local(async move { object.end().await }),
            Effect::Read(read) => spawn_local(async move { object.read(read).await }),
            Effect::Write(page, content) => spawn_local(async move { object.write(page, content).await }),
            Effect::Delete(key) => spawn_local(async move { object.delete(key).await }),
            Effect::WakeAt(time) => self.alarm.wake_at(time),
            Effect::Ring => {
                if let Some(bell) = self.bell.borrow_mut().as_mut() {
                    // A full channel means that the bell has already been rung.
                    let _ = bell.try_send(());
                }
            }
        }
        None
    }
}

/// Answers a survey, which only reads the store.
fn answer_survey(
    store: &CoordinatorStore<ObjectSql>,
    survey: &ShardSurvey,
) -> Result<worker::Result<Response>, StoreError> {
    Ok(match survey {
        ShardSurvey::Overview => message_response(&store.overview()?),
        ShardSurvey::Decisions(question) => message_response(&store.decisions(*question)?),
        ShardSurvey::Entries(question) => message_response(&store.entries(question)?),
        ShardSurvey::Leases { limit } => message_response(&store.running(*limit)?),
    })
}

/// Reads a message. Returns `None` if it is above its limit.
pub(in crate::edge) async fn body_of(request: &web_sys::Request) -> worker::Result<Option<Vec<u8>>> {
    let body = js::bytes(request.array_buffer()?).await?;
    Ok((body.length() <= MAX_MESSAGE_BYTES).then(|| body.to_vec()))
}

/// Answers with a message.
pub(in crate::edge) fn message_response<T: Serialize>(message: &T) -> worker::Result<Response> {
    let body = Uint8Array::from(encode(message).as_slice());
    Ok(envelope::response(200, &Headers::new()?, Some(&body))?.into())
}

/// Reports that the store failed. The edge falls back as for an unreachable object.
pub(in crate::edge) fn failed(error: &StoreError) -> worker::Result<Response> {
    worker::console_error!("store: {error}");
    let status = if *error == StoreError::NoSqlite { NO_SQLITE_STATUS } else { 500 };
    Response::error("the object's store failed", status)
}

impl WaiterReply {
    fn new(reply: Reply, page: Option<(PageMeta, Content)>) -> Self {
        let Some((meta, content)) = page else {
            return Self::Bare(reply);
        };
        // The table of pages does not have the rules.
        let meta = PageMeta { rules: (*content.rules).clone(), ..meta };
        match content.body.reader() {
            Some(reader) => Self::Page(reply, Box::new(meta), content.headers, reader),
            // The body broke off, or is above its limit and its first bytes are gone.
            None => Self::Bare(Reply::Refused { reason: Reason::Lost }),
        }
    }
}

fn moment() -> Moment {
    Moment { now: js::now(), random: js::random() }
}

fn answer(reply: &Reply, response: web_sys::Response) -> worker::Result<Response> {
    response.headers().set(REPLY_HEADER, &reply.to_header_value())?;
    Ok(response.into())
}
