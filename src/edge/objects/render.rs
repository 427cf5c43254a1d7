//! One render: sends the request to the origin, or waits for the lease holder's page. Judges the response, and streams
//! its body.
//!
//! A render reports two things, in this order: its *head*, if the response can be stored and its body has begun; and
//! its end. A body above its limit ends the render, but streams on to its present readers.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::AbortController;

use crate::account::Account;
use crate::coordinator::{PageContent, RenderOutcome};
use crate::edge::body::source::Source;
use crate::edge::body::{Body, Deserted, Fit, Writer};
use crate::edge::caches::envelope;
use crate::edge::objects::tickets::TicketResponse;
use crate::edge::objects::validation;
use crate::edge::origin::OriginClient;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::page::PageMeta;
use crate::route::{Route, RouteId};
use crate::semantics::client_rules::ClientRules;
use crate::semantics::digest::{Digest, Parts};
use crate::semantics::evidence::Unstorable;
use crate::semantics::freshen;
use crate::semantics::freshness::{Revalidate, Windows};
use crate::semantics::headers::{HeaderList, MAX_VALUE_BYTES};
use crate::semantics::key::PageKey;
use crate::semantics::storable::{self, Criteria, NotStored, OriginFailure, Storability, Storable};
use crate::semantics::tag::{MAX_TAG_LIST_BYTES, MAX_TAGS_PER_PAGE, Tag};
use crate::semantics::{cache_policy, etag, redirect};
use crate::time::Timestamp;
use crate::version::Version;

/// How long a reader may hold up a body above its limit without taking anything.
const STALLED: Duration = Duration::from_secs(10);

/// The source of a render's response.
pub(in crate::edge) enum Renderer {
    /// The origin. If there is a page, the origin is asked whether it is current.
    Origin(OriginClient, Option<Box<(PageMeta, Content)>>),
    /// The lease holder, which sends the page here.
    Ticket(oneshot::Receiver<TicketResponse>),
}

/// A response whose body is still to be read.
struct OriginResponse {
    status: u16,
    /// `None` if there were too many to send.
    headers: Option<HeaderList>,
    body: Source,
    /// Whether the rendered request has `Authorization`.
    authorized: bool,
    /// The page whose validators were sent.
    base: Option<Box<(PageMeta, Content)>>,
}

impl Renderer {
    async fn answer(self, order: &Order<'_>) -> Result<OriginResponse, JsValue> {
        match self {
            Self::Origin(origin, base) => {
                let headers = order.settings.render_headers(order.route);
                let secret = order.settings.render_secret.as_ref();
                let conditions = base.as_deref().map_or_else(Vec::new, |(page, content)| {
                    freshen::conditions(&content.headers, page.rendered_at, &validation::fingerprint(order.route))
                });
                let base = base.filter(|_| !conditions.is_empty());
                let response = origin.render(order.key, headers, &conditions, secret, &order.abort.signal()).await?;
                let headers = Some(envelope::header_list(&response.headers()));
                let body = Source::of(response.body())?;
                Ok(OriginResponse { status: response.status(), headers, body, authorized: false, base })
            }
            Self::Ticket(response) => {
                let TicketResponse { offer, body } = response.await.map_err(|_| "the lease is over")?;
                let (body, authorized) = (Source::of_sealed(body, order.token)?, offer.ticket.authorized);
                Ok(OriginResponse { status: offer.status, headers: offer.headers(), body, authorized, base: None })
            }
        }
    }
}

/// The parameters of a render.
pub(in crate::edge) struct Order<'a> {
    /// The page.
    pub(in crate::edge) key: &'a PageKey,
    /// The token of the lease, which becomes the page's version.
    pub(in crate::edge) token: Version,
    /// The page's route.
    pub(in crate::edge) route: &'a Route,
    /// The deployment's settings.
    pub(in crate::edge) settings: &'a Settings,
    /// The most bytes of a body.
    pub(in crate::edge) max_body_bytes: u64,
    /// The byte budget of all bodies of the object together.
    pub(in crate::edge) budget: &'a Rc<Account>,
    /// The time limit for the whole response.
    pub(in crate::edge) timeout: Duration,
    /// Time allowed for response headers; counts towards `timeout`.
    pub(in crate::edge) first_byte_timeout: Duration,
    /// Aborts the render.
    pub(in crate::edge) abort: AbortController,
}

/// Headers and body of a response. A clone copies neither: the body stays in JavaScript.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Content {
    /// The headers that are kept.
    pub(in crate::edge) headers: Rc<HeaderList>,
    /// What the page means for clients.
    pub(in crate::edge) rules: Rc<ClientRules>,
    /// The body.
    pub(in crate::edge) body: Body,
}

impl PageContent for Content {
    fn header_bytes(&self) -> u64 {
        const A_HEADER: usize = 64;
        (self.headers.byte_len() + A_HEADER * self.headers.iter().count() + self.rules.byte_len()) as u64
    }
}

/// The end of a render.
pub(in crate::edge) struct RenderResult {
    /// The outcome for the shard.
    pub(in crate::edge) outcome: RenderOutcome,
    /// The origin's complete response: a page, or the response of a failing origin to be relayed.
    pub(in crate::edge) answer: Option<(PageMeta, Content)>,
    /// Resolves when a body above its limit has streamed to all its readers.
    pub(in crate::edge) rest: Option<oneshot::Receiver<()>>,
}

impl From<RenderOutcome> for RenderResult {
    fn from(outcome: RenderOutcome) -> Self {
        Self { outcome, answer: None, rest: None }
    }
}

/// The progress of a render before its end.
pub(in crate::edge) enum Progress {
    /// The head of a response has arrived, whether or not it can be stored.
    Answered,
    /// The body of a response that can be stored has begun.
    Began(Box<(PageMeta, Content)>),
}

/// Renders a page, and reports its progress. Does not register tags.
pub(in crate::edge) async fn render(
    renderer: Renderer,
    order: &Order<'_>,
    report: impl FnMut(Progress),
) -> RenderResult {
    let awaits_caller = Cell::new(matches!(renderer, Renderer::Ticket(_)));
    match js::within(order.timeout, ask(renderer, order, report, &awaits_caller)).await {
        Some(Ok(result)) => result,
        Some(Err(error)) => {
            worker::console_warn!("render: {}: {}", order.key, js::describe(&error));
            RenderOutcome::Failed(OriginFailure::Broken).into()
        }
        None => late(order, &awaits_caller).into(),
    }
}

/// Aborts a render that takes too long. A lease holder that sends nothing is no failure of the origin.
fn late(order: &Order<'_>, awaits_caller: &Cell<bool>) -> RenderOutcome {
    order.abort.abort();
    if awaits_caller.get() {
        worker::console_warn!("render: {}: a lease was not used", order.key);
        return RenderOutcome::Lost;
    }
    RenderOutcome::Failed(OriginFailure::Timeout)
}

async fn ask(
    renderer: Renderer,
    order: &Order<'_>,
    mut report: impl FnMut(Progress),
    awaits_caller: &Cell<bool>,
) -> Result<RenderResult, JsValue> {
    let began = js::now();
    let Some(answer) = js::within(order.first_byte_timeout, renderer.answer(order)).await else {
        worker::console_warn!("render: {}: no answer began within {:?}", order.key, order.first_byte_timeout);
        return Ok(late(order, awaits_caller).into());
    };
    awaits_caller.set(false);
    report(Progress::Answered);
    let OriginResponse { status, headers, body: source, authorized, base } = answer?;
    let Some(headers) = headers else {
        return Ok(RenderOutcome::Uncacheable(NotStored::TooLarge.into()).into());
    };
    let criteria = Criteria { authorized, ..criteria(order.route, order.key, order.token, order.max_body_bytes) };
    note_oddities(order, &headers);
    if let Some(base) = base.filter(|_| status == freshen::NOT_MODIFIED) {
        let (page, content) = *base;
        return validation::confirmed(order, &criteria, &page, content, &headers).await;
    }
    let (mut storable, failure) = match storable::judge(status, &headers, &criteria) {
        Storability::Store(storable) => (storable, None),
        Storability::Fail(failure) => {
            let Some(relayed) = relayed(status, &headers, criteria.start) else {
                order.abort.abort();
                return Ok(RenderOutcome::Failed(failure).into());
            };
            (relayed, Some(failure))
        }
        Storability::Pass(reason) => {
            if let (NotStored::RedirectToItself, Some(location)) = (reason, headers.get("location")) {
                worker::console_warn!("{}", redirect::explain(location, order.key.url()));
            }
            order.abort.abort();
            return Ok(RenderOutcome::Uncacheable(Unstorable::of(reason, status, &headers)).into());
        }
    };
    storable.headers.set("etag", etag::of_origin(&headers));
    let has_validator = failure.is_none() && validation::keep(order, status, &headers, &mut storable.headers);
    let age = cache_policy::age(&headers);
    let (mut writer, body) = Body::grow(order.max_body_bytes, order.budget);
    let Storable { windows, dated, tags, headers, rules, announced } = storable;
    if tags.iter().any(Tag::is_every) {
        note_tags(order);
    }
    let content = Content { headers: Rc::new(headers), rules: Rc::new(rules), body };
    let head = || PageMeta {
        key: order.key.clone(),
        version: order.token,
        status,
        rendered_at: dated.unwrap_or_else(|| js::now().minus(age)),
        windows,
        tags: tags.clone(),
        body_bytes: announced,
        digest: None,
        rules: (*content.rules).clone(),
        has_validator,
        vouched: None,
    };

    let mut has_begun = failure.is_some();
    while let Some(chunk) = next_of(&source, announced).await? {
        let fit = writer.push(chunk);
        if fit != Fit::Within {
            if let Some(failure) = failure {
                order.abort.abort();
                return Ok(RenderOutcome::Failed(failure).into());
            }
            let left = order.timeout.saturating_sub(js::now().since(began));
            let (over, rest) = oneshot::channel();
            let passed = stream_on(writer, source, order.abort.clone(), left);
            spawn_local(async move {
                passed.await;
                // It is fine if no one listens.
                let _ = over.send(());
            });
            let outcome = match fit {
                Fit::NoRoom => RenderOutcome::NoRoom,
                Fit::Over | Fit::Within => RenderOutcome::Uncacheable(Unstorable::body_over(order.max_body_bytes)),
            };
            return Ok(RenderResult { rest: Some(rest), ..outcome.into() });
        }
        if !std::mem::replace(&mut has_begun, true) {
            report(Progress::Began(Box::new((head(), content.clone()))));
        }
    }
    // A body within its limit is kept completely.
    let bytes = writer.end().unwrap_or_else(|| Uint8Array::new_with_length(0));
    let meta = PageMeta { body_bytes: Some(bytes.length().into()), ..head() };
    let content_type = content.headers.get("content-type");
    let failure = failure.or(storable::judge_body(status, bytes.length().into(), announced, content_type).err());
    if let Some(failure) = failure {
        return Ok(RenderResult { answer: Some((meta, content)), ..RenderOutcome::Failed(failure).into() });
    }
    done(meta, content, &bytes).await
}

/// Completes a page whose body has arrived.
pub(super) async fn done(meta: PageMeta, content: Content, bytes: &Uint8Array) -> Result<RenderResult, JsValue> {
    let body_sha256 = js::sha256(bytes).await?;
    let content = with_etag(content, meta.status, &body_sha256);
    let digest = Digest::of(&Parts {
        status: meta.status,
        headers: &content.headers,
        tags: &meta.tags,
        start: meta.version.time(),
        windows: &meta.windows,
        rules: &meta.rules,
        body_sha256: &body_sha256,
    });
    let meta = PageMeta { digest: Some(digest), ..meta };
    Ok(RenderResult { answer: Some((meta.clone(), content)), ..RenderOutcome::Done(meta).into() })
}

thread_local! {
    /// The routes whose pages have tags that could not be kept, as far as the log says so.
    static WARNED: RefCell<BTreeSet<RouteId>> = const { RefCell::new(BTreeSet::new()) };
}

/// Tells the operator once for each route of an isolate that a page has tags that can't be kept.
fn note_tags(order: &Order<'_>) {
    if WARNED.with_borrow_mut(|warned| warned.insert(order.route.id().clone())) {
        worker::console_warn!(
            "{}: its tags are more than {MAX_TAGS_PER_PAGE} or over {MAX_TAG_LIST_BYTES} bytes, or one is malformed: \
             every invalidation by tag concerns the page",
            order.key
        );
    }
}

/// Tells the operator what in a response has no effect.
fn note_oddities(order: &Order<'_>, headers: &HeaderList) {
    let lifetime = headers.get("x-isr-revalidate");
    if let Some(value) = lifetime.filter(|_| Revalidate::from_header(headers).is_none()) {
        worker::console_warn!(
            "{}: `X-ISR-Revalidate: {value}` is neither a whole number of seconds nor `false`, and is ignored",
            order.key
        );
    }
    if headers.joined("link").is_some_and(|value| value.len() > MAX_VALUE_BYTES) {
        worker::console_warn!(
            "{}: `Link` is longer than {MAX_VALUE_BYTES} bytes: the page is stored without it",
            order.key
        );
    }
}

/// Reads the next piece of a body. The platform fails to undo the coding of a body without any bytes.
async fn next_of(source: &Source, announced: Option<u64>) -> Result<Option<Uint8Array>, JsValue> {
    match source.next().await {
        Err(_) if announced == Some(0) => Ok(None),
        next => next,
    }
}

/// Builds the criteria for judging a response rendered for this route.
pub(in crate::edge) fn criteria<'a>(
    route: &'a Route,
    key: &'a PageKey,
    token: Version,
    max_body_bytes: u64,
) -> Criteria<'a> {
    Criteria {
        key,
        start: token.time(),
        authorized: false,
        statuses: route.statuses(),
        revalidate: route.revalidate(),
        not_found_revalidate: route.not_found_revalidate(),
        expire: route.expire(),
        stale_if_error: route.stale_if_error(),
        tags: route.tags(),
        vary: route.vary(),
        bypass_cookies: route.bypass_cookies(),
        render_headers: route.render_headers(),
        set_cookie: route.set_cookie(),
        rules: route.http(),
        is_confirmed: false,
        query: route.query(),
        trailing_slash: route.trailing_slash(),
        max_body_bytes,
    }
}

/// Adds an entity tag to a complete page if the origin sent none. Clients that got the page as a stream got it without.
fn with_etag(content: Content, status: u16, body_sha256: &[u8; 32]) -> Content {
    if !etag::is_lacking(status, content.headers.get("etag")) {
        return content;
    }
    let mut headers = (*content.headers).clone();
    headers.set("etag", Some(etag::of_page(body_sha256, |name| headers.joined(name))));
    Content { headers: Rc::new(headers), ..content }
}

/// Streams the rest of a body above its limit to its present readers.
async fn stream_on(mut writer: Writer, source: Source, abort: AbortController, left: Duration) {
    let passed = js::within(left, async move {
        while wait_for_room(&mut writer).await.is_ok() {
            let Some(chunk) = source.next().await? else {
                writer.end();
                break;
            };
            writer.push(chunk);
        }
        Ok::<_, JsValue>(())
    });
    match passed.await {
        Some(Ok(())) => {}
        Some(Err(error)) => worker::console_warn!("render: broken off above the limit: {}", js::describe(&error)),
        None => abort.abort(),
    }
}

/// Waits for the readers of a body above its limit. A reader that takes nothing at all is let go.
async fn wait_for_room(writer: &mut Writer) -> Result<(), Deserted> {
    loop {
        let taken = writer.taken_by_all();
        match js::within(STALLED, writer.room()).await {
            Some(room) => return room,
            None if writer.taken_by_all() == taken => writer.let_go(),
            None => {}
        }
    }
}

/// Prepares the response of a failing origin for all waiting requests, if it can be relayed. It is never fresh, and has
/// no tags.
fn relayed(status: u16, headers: &HeaderList, now: Timestamp) -> Option<Storable> {
    let windows = Windows::over(now);
    let (headers, announced) = (storable::relayable(status, headers)?, storable::announced(headers));
    Some(Storable { windows, dated: None, tags: Vec::new(), headers, rules: ClientRules::default(), announced })
}
