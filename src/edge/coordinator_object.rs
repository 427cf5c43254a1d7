//! The coordinator Durable Object: loads, steps, saves, performs.
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
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Headers;
use worker::{Delay, DurableObject, Env, Request, Response, State, durable_object};

use crate::coordinator::{Action, Answer, Context, Event, Policy, Purpose, RenderResult, WaiterId, handle};
use crate::edge::alarm::Alarm;
use crate::edge::held::{Held, Rendered};
use crate::edge::l2::L2Error;
use crate::edge::render::{self, Order};
use crate::edge::settings::{self, Settings};
use crate::edge::sql::ObjectSql;
use crate::edge::{admin, calls, envelope, feed_poll, js};
use crate::feed::{Invalidation, Mode};
use crate::page::{PageHead, PageMeta};
use crate::protocol::{
    MESSAGE_PATH, RPC_PATH, RegisterAnswer, ToCoordinator, ToTagIndex, VERDICT_HEADER, Verdict, decode,
};
use crate::semantics::key::PageKey;
use crate::shard::ShardName;
use crate::store::{CoordinatorStore, StoreError};
use crate::time::Timestamp;
use crate::version::{Clock, Version};

/// The most requests that wait at one object.
const MAX_WAITERS: usize = 10_000;

/// The most renders that are under way in one object, for visitors and by the alarm together: their bodies share its
/// memory.
const MAX_RENDERS: usize = 24;

/// The most renders that the alarm drives side by side: an object may wait for six response heads (platform limit).
const MAX_DRIVEN: usize = 6;

/// The most leases looked at in one round of the alarm.
const LEASES_A_ROUND: u32 = 200;

/// The most writes to L2 made in one round of the alarm.
const WRITES_A_ROUND: u32 = 50;

/// How long one run of the alarm goes on beginning renders: of the 15 min that it may take (platform limit), the
/// longest render may take 10.
const ALARM_RUN: Duration = Duration::from_mins(4);

/// How long the tag index may take to register tags.
const REGISTER_WITHIN: Duration = Duration::from_secs(5);

/// How long the alarm sleeps at the most while its renders go on, so that it hears of what is due.
const NAP: Duration = Duration::from_secs(1);

/// The most bytes of a message.
const MAX_MESSAGE_BYTES: u32 = 64 * 1024;

/// Owns the pages of one route shard. Bind it as `COORDINATOR`, with SQLite.
#[durable_object(alarm)]
pub struct IsrCoordinator {
    object: Rc<Object>,
}

impl DurableObject for IsrCoordinator {
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

/// What a waiting request gets.
#[derive(Clone)]
struct Reply {
    verdict: Verdict,
    page: Option<Rendered>,
}

/// The object's state in memory: all of it can be lost at any moment.
struct Object {
    env: Env,
    store: Result<CoordinatorStore<ObjectSql>, StoreError>,
    alarm: Alarm,
    clock: Cell<Clock>,
    waiters: RefCell<BTreeMap<WaiterId, oneshot::Sender<Reply>>>,
    last_waiter: Cell<u64>,
    /// Requests that wait for a render, by page; the first of them began it.
    parked: RefCell<BTreeMap<PageKey, Vec<WaiterId>>>,
    /// Renders under way.
    running: RefCell<BTreeMap<PageKey, Version>>,
    /// Renders that the alarm is to begin.
    queued: RefCell<BTreeMap<PageKey, Version>>,
    held: RefCell<Held>,
    /// Wakes a run of the alarm that waits for its renders.
    bell: RefCell<Option<mpsc::Sender<()>>>,
}

impl Object {
    fn open(state: State, env: Env) -> Rc<Self> {
        let (state, sql) = ObjectSql::of(state);
        let store = sql.and_then(CoordinatorStore::open);
        let clock = store.as_ref().map_err(Clone::clone).and_then(CoordinatorStore::clock);
        if let Err(error) = &clock {
            worker::console_error!("coordinator: {error}");
        }
        let object = Rc::new(Self {
            env,
            store,
            alarm: Alarm::new(state),
            clock: Cell::new(clock.unwrap_or_else(|_| Clock::resume(None))),
            waiters: RefCell::default(),
            last_waiter: Cell::new(0),
            parked: RefCell::default(),
            running: RefCell::default(),
            queued: RefCell::default(),
            held: RefCell::default(),
            bell: RefCell::default(),
        });
        if let Err(error) = object.take_up() {
            worker::console_error!("coordinator: {error}");
        }
        object
    }

    /// Takes up what an earlier life of this object has left: none of its renders goes on, and for when it had set the
    /// alarm is not known here.
    fn take_up(self: &Rc<Self>) -> Result<(), StoreError> {
        let store = self.store()?;
        for (key, _) in store.leases(u32::MAX)? {
            self.step(&key, Event::LeaseOrphaned, None, None)?;
        }
        self.alarm.follow(store.next_deadline());
        Ok(())
    }

    fn store(&self) -> Result<&CoordinatorStore<ObjectSql>, StoreError> {
        self.store.as_ref().map_err(Clone::clone)
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
        let (shard, key, stale, newer_than) = match message {
            ToCoordinator::Invalidate(invalidation) => {
                return match self.invalidate(invalidation) {
                    Ok(()) => Response::empty(),
                    Err(error) => failed(&error),
                };
            }
            ToCoordinator::Miss { shard, key, newer_than } => (shard, key, None, newer_than),
            ToCoordinator::Stale { shard, key, version, newer_than } => (shard, key, Some(version), newer_than),
        };
        if let Err(error) = self.is_called(&shard) {
            return failed(&error);
        }
        if self.waiters.borrow().len() >= MAX_WAITERS {
            return answer(&Reply { verdict: Verdict::Busy, page: None });
        }
        let waiter = WaiterId(self.last_waiter.get() + 1);
        self.last_waiter.set(waiter.0);
        let (sender, receiver) = oneshot::channel();
        self.waiters.borrow_mut().insert(waiter, sender);
        let event = match stale {
            None => Event::Miss { waiter },
            Some(version) => Event::Stale { waiter, version },
        };
        if let Err(error) = self.step(&key, event, None, newer_than) {
            self.waiters.borrow_mut().remove(&waiter);
            return failed(&error);
        }
        match receiver.await {
            Ok(reply) => answer(&reply),
            Err(oneshot::Canceled) => Response::error("the request was given up", 503),
        }
    }

    /// Learns the object's own name from those who call it.
    fn is_called(&self, shard: &ShardName) -> Result<(), StoreError> {
        let store = self.store()?;
        if store.shard()?.is_none() { store.set_shard(shard.as_str()) } else { Ok(()) }
    }

    fn invalidate(&self, invalidation: Invalidation) -> Result<(), StoreError> {
        let mut clock = self.clock.get();
        let received = clock.observe(invalidation.at, js::now(), js::random());
        self.store()?.note_invalidation(&invalidation, received, &clock)?;
        self.clock.set(clock);
        feed_poll::note(invalidation);
        Ok(())
    }

    /// Loads, steps, saves, and then performs. `rendered` are the bytes that come with the event; `newer_than` is the
    /// time of an invalidation that the sender knows of, whether or not it has been delivered here.
    fn step(
        self: &Rc<Self>,
        key: &PageKey,
        event: Event,
        rendered: Option<&Rendered>,
        newer_than: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let store = self.store()?;
        let before = store.load(key)?;
        let page = match &event {
            Event::Rendered { result: RenderResult::Page(page), .. } => Some(page),
            _ => before.page.as_ref(),
        };
        let delivered = page.map(|page| store.invalidated(page)).transpose()?.flatten();
        let told = page.filter(|page| newer_than.is_some_and(|time| page.render_start() <= time)).map(|_| Mode::Expire);
        let lifted = match before.marked_by {
            Some(mark) => {
                let tags = page.map_or(&[][..], |page| page.tags.as_slice());
                newer_than.is_some_and(|time| mark.time() <= time)
                    || store.invalidated_since(mark, key.path(), tags)?.is_some()
            }
            None => false,
        };
        let mut clock = self.clock.get();
        if let Some(time) = newer_than {
            // Whatever is rendered from now on is later.
            clock.observe(time, js::now(), js::random());
        }
        let mut context = Context {
            now: js::now(),
            random: js::random(),
            clock: &mut clock,
            policy: self.policy(key),
            may_render: self.running.borrow().len() + self.queued.borrow().len() < MAX_RENDERS,
            lifted,
            invalidated: delivered.max(told),
        };
        let (after, actions) = handle(before.clone(), event, &mut context);
        store.save(key, &before, &after, &clock)?;
        self.clock.set(clock);
        if let Some(deadline) = after.deadline() {
            self.alarm.wake_at(deadline);
        }
        for action in actions {
            self.perform(key, action, rendered);
        }
        Ok(())
    }

    fn step_or_log(self: &Rc<Self>, key: &PageKey, event: Event, rendered: Option<&Rendered>) {
        if let Err(error) = self.step(key, event, rendered, None) {
            worker::console_error!("coordinator: {key}: {error}");
        }
    }

    fn policy(&self, key: &PageKey) -> Policy {
        let settings = Settings::of(&self.env).ok();
        let config = settings.as_ref().map(|settings| &settings.config);
        let route = config.and_then(|config| config.routes.find(key.path()));
        let or_minute = |value: Option<Duration>| value.unwrap_or(Duration::from_mins(1));
        Policy {
            expire: or_minute(route.map(crate::route::Route::expire)),
            render_timeout: or_minute(config.map(|config| config.render_timeout)),
            pass_ttl: or_minute(config.map(|config| config.pass_ttl)),
        }
    }

    fn perform(self: &Rc<Self>, key: &PageKey, action: Action, rendered: Option<&Rendered>) {
        match action {
            Action::Answer { waiter, answer } => self.answer_one(key, waiter, answer),
            Action::Park { waiter } => self.parked.borrow_mut().entry(key.clone()).or_default().push(waiter),
            Action::AnswerParked { answer } => self.answer_parked(key, &answer, rendered),
            Action::Render { token } => {
                self.running.borrow_mut().insert(key.clone(), token);
                let (object, key) = (Rc::clone(self), key.clone());
                spawn_local(async move { object.render(key, token).await });
            }
            Action::Drive { token } => {
                self.queued.borrow_mut().insert(key.clone(), token);
                self.alarm.wake_at(js::now());
                self.ring();
            }
            Action::Hold { version } => {
                if let Some(page) = rendered.filter(|page| page.head.meta.version == version) {
                    self.held.borrow_mut().put(page.clone());
                }
            }
            Action::Release => self.held.borrow_mut().remove(key),
            Action::Write { version } => self.write(key, Some(version)),
            Action::Delete => self.write(key, None),
        }
    }

    /// Answers one request. Bytes that are not held are looked for in L2.
    fn answer_one(self: &Rc<Self>, key: &PageKey, waiter: WaiterId, answer: Answer) {
        self.answer_all(key, vec![waiter], answer);
    }

    fn answer_all(self: &Rc<Self>, key: &PageKey, waiters: Vec<WaiterId>, answer: Answer) {
        let (meta, verdict) = match answer {
            Answer::Page(meta) => (*meta, Verdict::Page { rendered: false, collapsed: false }),
            Answer::Stale { page, detail } => (*page, Verdict::StandIn { detail: detail.to_owned() }),
            other => return self.reply_all(waiters, &Reply { verdict: bare_verdict(&other), page: None }),
        };
        let held = self.held.borrow_mut().get(key, meta.version);
        if let Some(page) = held {
            return self.reply_all(waiters, &Reply { verdict, page: Some(with_meta(page, meta)) });
        }
        let (object, key) = (Rc::clone(self), key.clone());
        spawn_local(async move {
            let version = meta.version;
            match object.look_in_l2(&key, version).await {
                Ok(Some(page)) => object.reply_all(waiters, &Reply { verdict, page: Some(with_meta(page, meta)) }),
                Ok(None) => {
                    for waiter in waiters {
                        object.step_or_log(&key, Event::BytesLost { waiter, version }, None);
                    }
                }
                // The page is there, but can't be read now.
                Err(error) => {
                    worker::console_error!("L2: {key}: {error}");
                    object.reply_all(waiters, &Reply { verdict: Verdict::Busy, page: None });
                }
            }
        });
    }

    async fn look_in_l2(&self, key: &PageKey, version: Version) -> Result<Option<Rendered>, L2Error> {
        let Some(l2) = settings::l2(&self.env) else {
            return Ok(None);
        };
        match l2.page(key).await {
            Ok(found) => {
                let same = found.filter(|(head, _)| head.meta.version == version);
                Ok(same.map(|(head, body)| Rendered { head, body }))
            }
            Err(L2Error::Format(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn answer_parked(self: &Rc<Self>, key: &PageKey, answer: &Answer, rendered: Option<&Rendered>) {
        let waiters = self.parked.borrow_mut().remove(key).unwrap_or_default();
        let page = match (answer, rendered) {
            (Answer::Page(meta), Some(page)) => with_meta(page.clone(), (**meta).clone()),
            (Answer::Relay { .. }, Some(page)) => page.clone(),
            _ => return self.answer_all(key, waiters, answer.clone()),
        };
        for (index, waiter) in waiters.into_iter().enumerate() {
            let verdict = match answer {
                Answer::Relay { detail } => Verdict::Relay { detail: (*detail).to_owned() },
                _ => Verdict::Page { rendered: true, collapsed: index > 0 },
            };
            self.reply(waiter, Reply { verdict, page: Some(page.clone()) });
        }
    }

    fn reply_all(&self, waiters: Vec<WaiterId>, reply: &Reply) {
        for waiter in waiters {
            self.reply(waiter, reply.clone());
        }
    }

    fn reply(&self, waiter: WaiterId, reply: Reply) {
        if let Some(sender) = self.waiters.borrow_mut().remove(&waiter) {
            // Whoever has stopped waiting needs no answer.
            let _ = sender.send(reply);
        }
    }

    /// Renders a page under a lease, registers its tags, and reports what came of it.
    async fn render(self: Rc<Self>, key: PageKey, token: Version) {
        let (result, rendered) = self.render_and_register(&key, token).await;
        if self.running.borrow().get(&key) == Some(&token) {
            self.running.borrow_mut().remove(&key);
        }
        self.step_or_log(&key, Event::Rendered { token, result }, rendered.as_ref());
    }

    async fn render_and_register(&self, key: &PageKey, token: Version) -> (RenderResult, Option<Rendered>) {
        let settings = Settings::of(&self.env).ok();
        let site = settings.as_ref().and_then(|settings| settings::site(&self.env, &settings.config));
        let route = settings.as_ref().and_then(|settings| settings.config.routes.find(key.path()));
        let (Some(settings), Some(site), Some(route)) = (&settings, site, route) else {
            return (RenderResult::Unregistered, None);
        };
        let config = &settings.config;
        let order = Order { key, token, route, max_body_bytes: config.max_body_bytes, timeout: config.render_timeout };
        let outcome = render::render(&site, &order).await;
        if let RenderResult::Page(meta) = &outcome.result
            && let Err(error) = self.register(meta).await
        {
            worker::console_error!("coordinator: {key}: tags are not registered: {error}");
            return (RenderResult::Unregistered, outcome.rendered);
        }
        (outcome.result, outcome.rendered)
    }

    /// Tells the tag index of tags that this shard carries for the first time. What was invalidated of them since the
    /// render began is noted here before the page is published.
    async fn register(&self, page: &PageMeta) -> Result<(), RegisterError> {
        let store = self.store()?;
        let tags = store.unregistered(&page.tags)?;
        if tags.is_empty() {
            return Ok(());
        }
        let shard = store.shard()?.as_deref().and_then(ShardName::from_stored).ok_or(RegisterError::Nameless)?;
        // A slower render of another page may carry the same tags, and find them registered when it comes to its end.
        let since = page.render_start().min(store.oldest_lease()?.unwrap_or(page.render_start()));
        let message = ToTagIndex::Register { shard, tags: tags.clone(), since };
        let asked = calls::tag_index(&self.env, &message);
        let answer: RegisterAnswer = js::within(REGISTER_WITHIN, asked).await.ok_or(RegisterError::Timeout)??;
        for invalidation in answer.invalidations {
            self.invalidate(invalidation)?;
        }
        if answer.floor >= since && answer.floor > Timestamp::default() {
            return Err(RegisterError::Floor);
        }
        Ok(store.note_registered(&tags)?)
    }

    /// Makes a write to L2 that has been decided.
    fn write(self: &Rc<Self>, key: &PageKey, version: Option<Version>) {
        let page = version.and_then(|version| self.held.borrow_mut().get(key, version));
        if let (Some(version), None) = (version, &page) {
            return self.step_or_log(key, Event::WriteLost { version }, None);
        }
        let (object, key) = (Rc::clone(self), key.clone());
        spawn_local(async move {
            let written = match (settings::l2(&object.env), &page) {
                (Some(l2), Some(page)) => l2.put_page(&page.head, &page.body).await.map_err(|error| error.to_string()),
                (Some(l2), None) => l2.delete_page(&key).await.map_err(|error| error.to_string()),
                (None, _) => Err("the binding ISR_CACHE is missing".to_owned()),
            };
            let event = match written {
                Ok(()) => Event::Written { version },
                Err(error) => {
                    worker::console_error!("L2: {key}: {error}");
                    Event::WriteFailed { version }
                }
            };
            object.step_or_log(&key, event, None);
        });
    }

    fn ring(&self) {
        if let Some(bell) = self.bell.borrow_mut().as_mut() {
            // A full channel means that the bell has been rung already.
            let _ = bell.try_send(());
        }
    }

    /// Drives renders behind stale copies to their end, makes writes that are due, ends leases that are over.
    async fn alarm(self: &Rc<Self>) {
        self.alarm.gone_off();
        let (bell, mut rung) = mpsc::channel(1);
        self.bell.replace(Some(bell));
        let began = js::now();
        let mut driven = FuturesUnordered::new();
        loop {
            if let Err(error) = self.do_what_is_due() {
                worker::console_error!("coordinator: {error}");
            }
            // The platform ends a run after 15 min: what is begun must have its time.
            let takes_more = js::now().since(began) < ALARM_RUN;
            while takes_more && driven.len() < MAX_DRIVEN {
                let Some((key, token)) = self.queued.borrow_mut().pop_first() else { break };
                self.running.borrow_mut().insert(key.clone(), token);
                self.step_or_log(&key, Event::Begun { token }, None);
                driven.push(Rc::clone(self).render(key, token));
            }
            if driven.is_empty() {
                break;
            }
            select(driven.next(), select(rung.next(), Delay::from(NAP))).await;
        }
        self.bell.replace(None);
        if self.queued.borrow().is_empty() {
            self.alarm.follow(self.store().and_then(CoordinatorStore::next_deadline));
        } else {
            self.alarm.wake_at(js::now());
        }
    }

    /// Begins writes that are due, and ends or takes up leases of which nothing is heard any more.
    fn do_what_is_due(self: &Rc<Self>) -> Result<(), StoreError> {
        let now = js::now();
        let store = self.store()?;
        for key in store.writes_due(now, WRITES_A_ROUND)? {
            self.step(&key, Event::WriteDue, None, None)?;
        }
        for (key, lease) in store.leases(LEASES_A_ROUND)? {
            if lease.expires_at <= now {
                self.queued.borrow_mut().remove(&key);
                self.step(&key, Event::LeaseExpired, None, None)?;
            } else if lease.purpose == Purpose::Background && !self.is_alive(&key, lease.token) {
                self.step(&key, Event::LeaseOrphaned, None, None)?;
            }
        }
        Ok(())
    }

    /// Tells whether this life of the object renders, or is about to render, under the token.
    fn is_alive(&self, key: &PageKey, token: Version) -> bool {
        self.running.borrow().get(key) == Some(&token) || self.queued.borrow().get(key) == Some(&token)
    }
}

/// Why a page's tags are not registered, so that it can't be published.
#[derive(Debug, thiserror::Error)]
enum RegisterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Call(#[from] calls::CallError),
    #[error("the tag index did not answer in time")]
    Timeout,
    #[error("this object has not been told its name")]
    Nameless,
    #[error("the tag index no longer knows what was invalidated since the render began")]
    Floor,
}

/// Reads a message, or returns `None` if it is over its bound.
pub(super) async fn body_of(request: &web_sys::Request) -> worker::Result<Option<Vec<u8>>> {
    let buffer: ArrayBuffer = JsFuture::from(request.array_buffer()?).await?.unchecked_into();
    Ok((buffer.byte_length() <= MAX_MESSAGE_BYTES).then(|| Uint8Array::new(&buffer).to_vec()))
}

/// Says that the store failed: the edge falls back as for an object that can't be reached.
pub(super) fn failed(error: &StoreError) -> worker::Result<Response> {
    worker::console_error!("store: {error}");
    Response::error("the object's store failed", 500)
}

fn with_meta(page: Rendered, meta: PageMeta) -> Rendered {
    Rendered { head: PageHead { meta, ..page.head }, ..page }
}

/// Writes an answer that has no page with it.
fn bare_verdict(answer: &Answer) -> Verdict {
    match answer {
        Answer::Unchanged => Verdict::Unchanged,
        Answer::Busy => Verdict::Busy,
        Answer::Pass { until, reason } => {
            Verdict::Pass { until: *until, detail: reason.map(|reason| reason.as_str().to_owned()) }
        }
        Answer::Unavailable { retry_at } => Verdict::Unavailable { retry_at: *retry_at },
        // Without its bytes an answer of the failing site can't be relayed: it could not be reached at all.
        Answer::Relay { .. } | Answer::Page(_) | Answer::Stale { .. } => Verdict::Unavailable { retry_at: js::now() },
    }
}

fn answer(reply: &Reply) -> worker::Result<Response> {
    let response = match &reply.page {
        Some(page) => envelope::wrap(&page.head, &page.body)?,
        None => envelope::response(200, &Headers::new()?, None)?,
    };
    response.headers().set(VERDICT_HEADER, &reply.verdict.to_header_value())?;
    Ok(response.into())
}
