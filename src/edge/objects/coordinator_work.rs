//! The slow work of a coordinator object: renders, the tag index, L2, the alarm. Each outcome is another input of the
//! shard.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, join_all, select, try_join_all};
use futures::stream::FuturesUnordered;
use js_sys::Uint8Array;
use web_sys::AbortController;
use worker::Delay;

use crate::coordinator::alarm_run::{Allowance, MAX_DRIVEN, Next};
use crate::coordinator::{AlarmRun, Base, Input, PageRead, ReadResult, RenderOutcome};
use crate::edge::body::Body;
use crate::edge::caches::l2::{self, L2Error, PageError};
use crate::edge::objects::coordinator::{Object, Registration};
use crate::edge::objects::permits::Urgency;
use crate::edge::objects::render::{self, Content, Order, Progress, RenderResult, Renderer};
use crate::edge::objects::tickets::PendingStore;
use crate::edge::origin;
use crate::edge::platform::{calls, js};
use crate::page::{PageHead, PageMeta};
use crate::protocol::{RegisterAnswer, StoreResult, ToTagIndex, UnregisterAnswer};
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::storable::OriginFailure;
use crate::tag_index_name::TagIndexName;
use crate::version::Version;

/// How long the tag index may take to register tags.
const REGISTER_WITHIN: Duration = Duration::from_secs(5);

/// How long a client waits for a page from L2.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// How long a render waits for the page that it may validate.
const BASE_WITHIN: Duration = Duration::from_secs(1);

/// How long a change of L2 may keep its connection.
const WRITE_WITHIN: Duration = Duration::from_secs(20);

impl Object {
    /// Lets the origin render a page. Returns once the page is published or given up.
    pub(in crate::edge) async fn render(
        self: Rc<Self>,
        key: PageKey,
        token: Version,
        base: Option<Box<Base<Content>>>,
    ) {
        let route = self.settings.config.routes.find(key.path());
        let origin = origin::renderer(&self.env, &self.settings, route, &self.exports);
        let base = match base {
            Some(base) => self.base(*base).await,
            None => None,
        };
        self.render_by(origin.map(|origin| Renderer::Origin(origin, base.map(Box::new))), &key, token).await;
    }

    /// Returns the page that a render validates, with its headers and its body. Without them, the render is
    /// unconditional: a page that is confirmed must be here.
    async fn base(&self, base: Base<Content>) -> Option<(PageMeta, Content)> {
        if let Some(content) = base.content {
            return Some((base.page, content));
        }
        match js::within(BASE_WITHIN, self.get(&base.page.key)).await? {
            Ok(Some((head, body))) if base.is_met_by(head.meta.version) => {
                let (headers, rules) = (Rc::new(head.headers), Rc::new(head.meta.rules));
                Some((base.page, Content { headers, rules, body: Body::whole(body) }))
            }
            Ok(_) => None,
            Err(error) => {
                worker::console_error!("L2: {}: {error}", base.page.key);
                None
            }
        }
    }

    /// Waits for a lease holder's page. Returns once the page is published or given up, and the holder knows the
    /// outcome.
    pub(in crate::edge) async fn render_for_ticket(
        self: Rc<Self>,
        key: PageKey,
        token: Version,
        pending: PendingStore,
    ) {
        let (unpublished, rest) = self.render_by(Some(Renderer::Ticket(pending.response)), &key, token).await;
        self.tickets.revoke(token);
        if let Some(rest) = rest {
            // Once the holder has the outcome, it need not send any more of the body.
            let _ = rest.await;
        }
        let store_result = match unpublished {
            Some(reason) => StoreResult::NotStored { reason },
            None => self.store_result(&key, token),
        };
        // It is fine if the holder no longer listens.
        let _ = pending.result.send(store_result);
    }

    /// Returns the outcome of a page that was good enough to publish.
    fn store_result(&self, key: &PageKey, token: Version) -> StoreResult {
        let not_stored = |reason| StoreResult::NotStored { reason };
        match self.shard.borrow().standing_of(key) {
            Ok((Some(published), _)) if published == token => StoreResult::Stored,
            // Another render is under way.
            Ok((_, Some(_))) => not_stored(Reason::Invalidated),
            Ok((_, None)) => not_stored(Reason::Unpublished),
            Err(error) => {
                worker::console_error!("coordinator: {error}");
                not_stored(Reason::Unpublished)
            }
        }
    }

    /// Renders a page to its end. Returns the reason why the response can't be published, if there is one, and
    /// [`RenderResult::rest`].
    async fn render_by(
        self: &Rc<Self>,
        renderer: Option<Renderer>,
        key: &PageKey,
        token: Version,
    ) -> (Option<Reason>, Option<oneshot::Receiver<()>>) {
        let mut registrations = Vec::new();
        let ended = self.run(renderer, key, token, &mut registrations).await;
        self.aborts.borrow_mut().remove(&token);
        let RenderResult { outcome, answer, rest } = ended;
        let unpublished = match &outcome {
            RenderOutcome::Done(_) => None,
            RenderOutcome::Uncacheable(unstorable) => Some(unstorable.reason.reason()),
            RenderOutcome::NoRoom => Some(Reason::NoRoom),
            RenderOutcome::Failed(_)
            | RenderOutcome::Mismatched
            | RenderOutcome::Unregistered
            | RenderOutcome::Lost
            | RenderOutcome::TooOld
            | RenderOutcome::Refused => Some(Reason::OriginError),
        };
        let ended = Input::Ended { key: key.clone(), token, outcome, answer };
        registrations.extend(self.on(ended));
        // A render is over once its tags are registered.
        join_all(registrations).await;
        (unpublished, rest)
    }

    async fn run(
        self: &Rc<Self>,
        renderer: Option<Renderer>,
        key: &PageKey,
        token: Version,
        registrations: &mut Vec<Registration>,
    ) -> RenderResult {
        let config = &self.settings.config;
        let (Some(renderer), Some(route)) = (renderer, config.routes.find(key.path())) else {
            // The route has left the configuration: no request asks for the page any more.
            return RenderOutcome::Unregistered.into();
        };
        let Ok(abort) = AbortController::new() else {
            return RenderOutcome::Failed(OriginFailure::Broken).into();
        };
        self.aborts.borrow_mut().insert(token, abort.clone());
        let order = Order {
            key,
            token,
            route,
            settings: &self.settings,
            max_body_bytes: config.max_body_bytes,
            budget: &self.budget,
            timeout: config.render_timeout,
            first_byte_timeout: config.first_byte_timeout,
            abort,
        };
        let report = |progress| {
            let input = match progress {
                Progress::Answered => Input::Answered { token },
                Progress::Began(answer) => Input::Head { key: key.clone(), token, answer: *answer },
            };
            registrations.extend(self.on(input));
        };
        render::render(renderer, &order, report).await
    }

    pub(in crate::edge) async fn register(self: Rc<Self>, token: Version, messages: Vec<(TagIndexName, ToTagIndex)>) {
        let tag_shards = self.settings.config.tag_shards;
        let asked = messages
            .into_iter()
            .map(|(index, message)| calls::tag_index::<RegisterAnswer>(&self.env, index, tag_shards, message));
        let answer = match js::within(REGISTER_WITHIN, try_join_all(asked)).await {
            Some(Ok(answers)) => answers.into_iter().reduce(RegisterAnswer::and),
            failure => {
                worker::console_error!("coordinator: tags could not be registered: {failure:?}");
                None
            }
        };
        self.on(Input::Registered { token, answer });
    }

    /// Makes the tag index forget this object.
    pub(in crate::edge) async fn unregister(self: Rc<Self>, messages: Vec<(TagIndexName, ToTagIndex)>) {
        let tag_shards = self.settings.config.tag_shards;
        let asked = messages
            .into_iter()
            .map(|(index, message)| calls::tag_index::<UnregisterAnswer>(&self.env, index, tag_shards, message));
        let more = match js::within(REGISTER_WITHIN, try_join_all(asked)).await {
            Some(Ok(answers)) => Some(answers.into_iter().any(|answer| answer.more)),
            failure => {
                worker::console_error!("coordinator: the retired object could not be unregistered: {failure:?}");
                None
            }
        };
        self.on(Input::Unregistered { more });
    }

    /// Deletes everything that this object has stored, and its alarm. If that fails, the tag index does not call it
    /// again, but the next call that reaches it ends it.
    pub(in crate::edge) async fn end(self: Rc<Self>) {
        self.is_over.set(true);
        if let Err(error) = self.alarm.delete_storage().await {
            worker::console_error!("coordinator: the storage of the retired object is not deleted: {error}");
        }
    }

    pub(in crate::edge) async fn read(self: Rc<Self>, read: PageRead) {
        let page = match js::within(READ_WITHIN, self.get(&read.page.key)).await {
            Some(page) => page,
            None => Err(timed_out()),
        };
        let found = match page {
            Ok(Some((head, body))) if read.is_met_by(head.meta.version) => {
                let PageHead { meta, headers } = head;
                let (headers, rules) = (Rc::new(headers), Rc::new(meta.rules));
                ReadResult::Same(Content { headers, rules, body: Body::whole(body) })
            }
            Ok(_) | Err(PageError::Format(_)) => ReadResult::Other,
            Err(error) => {
                worker::console_error!("L2: {}: {error}", read.page.key);
                ReadResult::Unknown
            }
        };
        self.on(Input::Read { read, found });
    }

    async fn get(&self, key: &PageKey) -> Result<Option<(PageHead, Uint8Array)>, PageError> {
        let _permit = self.l2_connections.take(Urgency::Client).await;
        l2::open(&self.env, self.settings.config.l2)?.get(key).await
    }

    pub(in crate::edge) async fn write(self: Rc<Self>, meta: PageMeta, content: Content) {
        let (key, version) = (meta.key.clone(), Some(meta.version));
        let head = PageHead { meta, headers: (*content.headers).clone() };
        let object = Rc::clone(&self);
        let put = async move {
            let l2 = l2::open(&object.env, object.settings.config.l2)?;
            l2.put(&head, &content.body.bytes().ok_or(PageError::Partial)?).await
        };
        self.change(key, version, put).await;
    }

    pub(in crate::edge) async fn delete(self: Rc<Self>, key: PageKey) {
        let up_to = self.shard.borrow().last_version();
        let (object, deleted) = (Rc::clone(&self), key.clone());
        let delete = async move { l2::open(&object.env, object.settings.config.l2)?.delete(&deleted, up_to).await };
        self.change(key, None, delete).await;
    }

    /// Changes L2, and reports the outcome. A change that takes too long counts as failed, and is made again later. It may
    /// take effect nevertheless, at any time, and is then reported once more, so that a newer version can be mended.
    async fn change(
        self: &Rc<Self>,
        key: PageKey,
        version: Option<Version>,
        change: impl Future<Output = Result<(), PageError>>,
    ) {
        let permit = self.l2_connections.take(Urgency::Nobody).await;
        let change = pin!(change);
        match select(change, Delay::from(WRITE_WITHIN)).await {
            Either::Left((changed, _)) => {
                drop(permit);
                self.wrote(key, version, &changed);
            }
            Either::Right(((), late)) => {
                drop(permit);
                self.wrote(key.clone(), version, &Err(timed_out()));
                if let Ok(()) = late.await {
                    self.wrote(key, version, &Ok(()));
                }
            }
        }
    }

    fn wrote(self: &Rc<Self>, key: PageKey, version: Option<Version>, result: &Result<(), PageError>) {
        if let Err(error) = result {
            worker::console_error!("L2: {key}: {error}");
        }
        self.on(Input::Wrote { key, version, taken: result.is_ok() });
    }

    /// Runs due background renders to their end, and performs other due work.
    pub(in crate::edge) async fn alarm(self: &Rc<Self>) {
        self.alarm.begin();
        let (bell, mut rung) = mpsc::channel(1);
        self.bell.replace(Some(bell));
        let mut run = AlarmRun::begin(js::now(), MAX_DRIVEN, self.settings.config.tag_shards);
        let mut driven = FuturesUnordered::new();
        loop {
            let Allowance { room, writes } = run.allowance(js::now());
            let effects = self.handle(Input::Alarm { room, writes }).effects;
            run.spend(&effects);
            self.perform_all(effects);
            for (key, token, base) in self.to_drive.take() {
                run.drive(token);
                let object = Rc::clone(self);
                driven.push(async move {
                    object.render(key, token, base).await;
                    token
                });
            }
            let nap = match run.next() {
                Next::Nap(nap) => nap,
                Next::End => break,
            };
            if let Either::Left((Some(token), _)) = select(driven.next(), select(rung.next(), Delay::from(nap))).await {
                run.ended(token);
            }
        }
        self.bell.replace(None);
        if self.is_over.get() {
            return;
        }
        let shard = self.shard.borrow();
        self.alarm.end(AlarmRun::next_alarm(shard.has_queued(), shard.next_deadline(), js::now()));
    }
}

fn timed_out() -> PageError {
    L2Error::Failed("no answer in time".to_owned()).into()
}
