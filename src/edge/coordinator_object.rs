//! The coordinator Durable Object: gives its shard what happens, and performs what comes back.
#![allow(missing_docs, reason = "the macro that makes a class of a struct writes methods without docs")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::select;
use futures::stream::FuturesUnordered;
use js_sys::{ArrayBuffer, Uint8Array};
use serde::Serialize;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Headers;
use worker::{Delay, DurableObject, Env, Request, Response, State, durable_object};

use crate::coordinator::{Effect, Found, Input, Moment, Outcome, Shard, WaiterId, Wanted};
use crate::edge::alarm::Alarm;
use crate::edge::l2::L2Error;
use crate::edge::render::{self, Content, Order};
use crate::edge::settings::{self, Settings};
use crate::edge::sql::ObjectSql;
use crate::edge::{admin, calls, envelope, feed_poll, js};
use crate::feed::Invalidation;
use crate::page::{PageHead, PageMeta};
use crate::protocol::{
    Applied, MESSAGE_PATH, RPC_PATH, RegisterAnswer, ToCoordinator, ToTagIndex, VERDICT_HEADER, Verdict, decode, encode,
};
use crate::semantics::key::PageKey;
use crate::shard::ShardName;
use crate::store::{CoordinatorStore, StoreError};
use crate::version::Version;

/// The most renders that the alarm drives side by side: an object may wait for six response heads (platform limit).
const MAX_DRIVEN: usize = 6;

/// How long one run of the alarm goes on beginning renders: of the 15 min that it may take (platform limit), the
/// longest render may take 10.
const ALARM_RUN: Duration = Duration::from_mins(4);

/// How long the alarm sleeps at the most while its renders go on, so that it hears of what is due.
const NAP: Duration = Duration::from_secs(1);

/// How long the tag index may take to register tags.
const REGISTER_WITHIN: Duration = Duration::from_secs(5);

/// The most bytes of a message.
const MAX_MESSAGE_BYTES: u32 = 64 * 1024;

/// Owns the pages of one route shard. Bind it as `COORDINATOR`, with SQLite.
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
            // The platform tries again, and gives the object a new life before.
            Err(error) => return Err(worker::Error::RustError(error.to_string())),
        }
        Response::empty()
    }
}

/// What a waiting request gets.
enum Reply {
    /// An answer, with or without a page.
    Answer(Verdict, Option<(PageMeta, Content)>),
    /// Word that another coordinator owns the page.
    Forward(ShardName),
}

/// The object's life in memory: all of it can be lost at any moment.
struct Object {
    env: Env,
    settings: Rc<Settings>,
    sql: ObjectSql,
    shard: RefCell<Shard<ObjectSql, Content>>,
    alarm: Alarm,
    waiters: RefCell<BTreeMap<WaiterId, oneshot::Sender<Reply>>>,
    last_waiter: Cell<u64>,
    /// Renders that the run of the alarm is to begin.
    to_drive: RefCell<Vec<(PageKey, Version)>>,
    /// Wakes a run of the alarm that waits for its renders.
    bell: RefCell<Option<mpsc::Sender<()>>>,
}

fn moment() -> Moment {
    Moment { now: js::now(), random: js::random() }
}

impl Object {
    fn open(state: State, env: Env) -> Result<Rc<Self>, StoreError> {
        let settings = Settings::of(&env).map_err(|error| StoreError::Unconfigured(error.to_string()))?;
        let (state, sql) = ObjectSql::of(state);
        let sql = sql?;
        let (shard, effects) = Shard::open(sql.clone(), &settings.config, moment())?;
        let object = Rc::new(Self {
            env,
            settings,
            sql,
            shard: RefCell::new(shard),
            alarm: Alarm::new(state),
            waiters: RefCell::default(),
            last_waiter: Cell::new(0),
            to_drive: RefCell::default(),
            bell: RefCell::default(),
        });
        object.perform_all(effects);
        Ok(object)
    }

    async fn fetch(self: &Rc<Self>, request: &Request) -> worker::Result<Response> {
        let path = request.path();
        let Some(body) = body_of(request.inner()).await? else {
            return Response::error("message too large", 413);
        };
        match path.as_str() {
            RPC_PATH => Response::ok(admin::rpc(&self.env, &body).await),
            MESSAGE_PATH => self.message(&body).await,
            _ => Response::error("not a path of this version", 404),
        }
    }

    async fn message(self: &Rc<Self>, body: &[u8]) -> worker::Result<Response> {
        let Some(message) = decode::<ToCoordinator>(body) else {
            return Response::error("not a message of this version", 400);
        };
        let waiter = WaiterId(self.last_waiter.get() + 1);
        self.last_waiter.set(waiter.0);
        let input = match message.clone() {
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
                // The views are read beside the shard, which is not asked, and not changed.
                let store = CoordinatorStore::open(self.sql.clone());
                return match store.and_then(|store| store.inspect(&question)) {
                    Ok(answer) => message_response(&answer),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Miss { shard, key, newer_than, forwarded } => {
                Input::Request { waiter, shard, key, served: None, newer_than, forwarded }
            }
            ToCoordinator::Stale { shard, key, version, newer_than, forwarded } => {
                Input::Request { waiter, shard, key, served: Some(version), newer_than, forwarded }
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.waiters.borrow_mut().insert(waiter, sender);
        if let Err(error) = self.on(input) {
            self.waiters.borrow_mut().remove(&waiter);
            return failed(&error);
        }
        match receiver.await {
            Ok(Reply::Answer(verdict, page)) => answer(&verdict, page),
            Ok(Reply::Forward(owner)) => match calls::forward(&self.env, &owner, message).await {
                Ok(response) => Ok(response.into()),
                Err(error) => {
                    worker::console_error!("coordinator: {owner} owns the page, but: {error}");
                    Response::error("the owner of the page can't be reached", 503)
                }
            },
            Err(oneshot::Canceled) => Response::error("the request was given up", 503),
        }
    }

    /// Has an invalidation applied, and counts the pages that it concerns.
    fn invalidate(self: &Rc<Self>, invalidation: Invalidation) -> Result<Applied, StoreError> {
        self.on(Input::Invalidate(invalidation.clone()))?;
        let matched = self.shard.borrow().matched(&invalidation.scope)?;
        feed_poll::note(invalidation);
        Ok(Applied { matched })
    }

    /// Gives the shard an input, and performs what comes back.
    fn on(self: &Rc<Self>, input: Input<Content>) -> Result<(), StoreError> {
        let effects = self.shard.borrow_mut().on(&self.settings.config, moment(), input)?;
        self.perform_all(effects);
        Ok(())
    }

    fn on_or_log(self: &Rc<Self>, input: Input<Content>) {
        if let Err(error) = self.on(input) {
            worker::console_error!("coordinator: {error}");
        }
    }

    fn perform_all(self: &Rc<Self>, effects: Vec<Effect<Content>>) {
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(self: &Rc<Self>, effect: Effect<Content>) {
        let object = Rc::clone(self);
        match effect {
            Effect::Reply { waiter, verdict, page } => {
                if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
                    // Whoever has stopped waiting needs no answer.
                    let _ = sender.send(Reply::Answer(verdict, page));
                }
            }
            Effect::Forward { waiter, owner } => {
                if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
                    let _ = sender.send(Reply::Forward(owner));
                }
            }
            Effect::Render { key, token, driven: true } => self.to_drive.borrow_mut().push((key, token)),
            Effect::Render { key, token, driven: false } => {
                spawn_local(async move { object.render(key, token).await });
            }
            Effect::Abandon { .. } => {}
            Effect::Register { token, shard, shards, tags, since } => {
                let message = ToTagIndex::Register { shard, shards, tags, since };
                spawn_local(async move { object.register(token, message).await });
            }
            Effect::Read(wanted) => spawn_local(async move { object.read(wanted).await }),
            Effect::Write(page, content) => spawn_local(async move { object.write(page, content).await }),
            Effect::Delete(key) => spawn_local(async move { object.delete(key).await }),
            Effect::WakeAt(time) => self.alarm.wake_at(time),
            Effect::Ring => {
                if let Some(bell) = self.bell.borrow_mut().as_mut() {
                    // A full channel means that the bell has been rung already.
                    let _ = bell.try_send(());
                }
            }
        }
    }

    /// Renders a page to its end: until it is published, or will not be.
    async fn render(self: Rc<Self>, key: PageKey, token: Version) {
        let config = &self.settings.config;
        let site = settings::site(&self.env, config);
        let (outcome, answer) = match (site, config.routes.find(key.path())) {
            (Some(site), Some(route)) => {
                let order = Order {
                    key: &key,
                    token,
                    route,
                    max_body_bytes: config.max_body_bytes,
                    timeout: config.render_timeout,
                };
                render::render(&site, &order).await
            }
            // The route has left the configuration: nobody will ask for the page any more.
            _ => (Outcome::Unregistered, None),
        };
        let input = Input::Ended { key, token, outcome, answer };
        let effects = self.shard.borrow_mut().on(config, moment(), input);
        match effects {
            Ok(effects) => {
                for effect in effects {
                    match effect {
                        Effect::Register { token, shard, shards, tags, since } => {
                            let message = ToTagIndex::Register { shard, shards, tags, since };
                            Rc::clone(&self).register(token, message).await;
                        }
                        effect => self.perform(effect),
                    }
                }
            }
            Err(error) => worker::console_error!("coordinator: {error}"),
        }
    }

    async fn register(self: Rc<Self>, token: Version, message: ToTagIndex) {
        let asked = calls::tag_index::<RegisterAnswer>(&self.env, &message);
        let answer = match js::within(REGISTER_WITHIN, asked).await {
            Some(Ok(answer)) => Some(answer),
            failure => {
                worker::console_error!("coordinator: tags could not be registered: {failure:?}");
                None
            }
        };
        self.on_or_log(Input::Registered { token, answer });
    }

    async fn read(self: Rc<Self>, wanted: Wanted) {
        let page = match settings::l2(&self.env) {
            Some(l2) => l2.page(&wanted.page.key).await,
            None => Ok(None),
        };
        let found = match page {
            Ok(Some((head, body))) if wanted.is_met_by(head.meta.version) => {
                Found::Same(Content { headers: Rc::new(head.headers), body })
            }
            Ok(_) | Err(L2Error::Format(_)) => Found::Other,
            Err(error) => {
                worker::console_error!("L2: {}: {error}", wanted.page.key);
                Found::Unknown
            }
        };
        self.on_or_log(Input::Read { wanted, found });
    }

    async fn write(self: Rc<Self>, meta: PageMeta, content: Content) {
        let (key, version) = (meta.key.clone(), Some(meta.version));
        let head = PageHead { meta, headers: (*content.headers).clone() };
        let written = match settings::l2(&self.env) {
            Some(l2) => l2.put_page(&head, &content.body).await,
            None => Err(L2Error::Unbound),
        };
        self.wrote(key, version, &written);
    }

    async fn delete(self: Rc<Self>, key: PageKey) {
        let deleted = match settings::l2(&self.env) {
            Some(l2) => l2.delete_page(&key).await,
            None => Err(L2Error::Unbound),
        };
        self.wrote(key, None, &deleted);
    }

    fn wrote(self: &Rc<Self>, key: PageKey, version: Option<Version>, result: &Result<(), L2Error>) {
        if let Err(error) = result {
            worker::console_error!("L2: {key}: {error}");
        }
        self.on_or_log(Input::Wrote { key, version, taken: result.is_ok() });
    }

    /// Drives renders behind stale copies to their end, and has done what is due.
    async fn alarm(self: &Rc<Self>) {
        self.alarm.begin();
        let (bell, mut rung) = mpsc::channel(1);
        self.bell.replace(Some(bell));
        let began = js::now();
        let mut driven = FuturesUnordered::new();
        loop {
            let takes_more = js::now().since(began) < ALARM_RUN;
            let room = if takes_more { MAX_DRIVEN.saturating_sub(driven.len()) } else { 0 };
            self.on_or_log(Input::Alarm { room });
            driven.extend(self.to_drive.take().into_iter().map(|(key, token)| Rc::clone(self).render(key, token)));
            if driven.is_empty() {
                break;
            }
            select(driven.next(), select(rung.next(), Delay::from(NAP))).await;
        }
        self.bell.replace(None);
        let shard = self.shard.borrow();
        self.alarm.end(if shard.has_queued() { Ok(Some(js::now())) } else { shard.next_deadline() });
    }
}

/// Reads a message, or returns `None` if it is over its bound.
pub(super) async fn body_of(request: &web_sys::Request) -> worker::Result<Option<Vec<u8>>> {
    let buffer: ArrayBuffer = JsFuture::from(request.array_buffer()?).await?.unchecked_into();
    Ok((buffer.byte_length() <= MAX_MESSAGE_BYTES).then(|| Uint8Array::new(&buffer).to_vec()))
}

/// Answers with a message.
pub(super) fn message_response<T: Serialize>(message: &T) -> worker::Result<Response> {
    let body = Uint8Array::from(encode(message).as_slice());
    Ok(envelope::response(200, &Headers::new()?, Some(&body))?.into())
}

/// Says that the store failed: the edge falls back as for an object that can't be reached.
pub(super) fn failed(error: &StoreError) -> worker::Result<Response> {
    worker::console_error!("store: {error}");
    Response::error("the object's store failed", 500)
}

fn answer(verdict: &Verdict, page: Option<(PageMeta, Content)>) -> worker::Result<Response> {
    let response = match page {
        Some((meta, content)) => envelope::wrap(&meta, &content.headers, &content.body)?,
        None => envelope::response(200, &Headers::new()?, None)?,
    };
    response.headers().set(VERDICT_HEADER, &verdict.to_header_value())?;
    Ok(response.into())
}
