//! One client's request for a page of a route: performs the steps of its [`Visit`] against the platform.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::{Context, Delay};

use crate::config::ConfigError;
use crate::edge::caches::fill::Fill;
use crate::edge::caches::{envelope, feed_poll, l1, l2};
use crate::edge::platform::calls;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::edge::visitor::downstream;
use crate::edge::visitor::isr::{ClientKind, Decision, Isr, Served, misconfigured};
use crate::edge::visitor::respond::{self, StatusHeaders, Terms};
use crate::error::ObjectError;
use crate::page::PageMeta;
use crate::protocol::{Reply, Ticket, ToCoordinator};
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Detail, Forward};
use crate::semantics::conditional::{Conditions, Form, SelectedRepresentation};
use crate::semantics::key::{PageKey, RequestUrl};
use crate::semantics::range::Range;
use crate::semantics::redirect;
use crate::semantics::request_directives::RequestDirectives;
use crate::semantics::vary::Visitor;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::visit::{
    CoordinatorReply, CrowdPart, Event, PassMarker, Question, Request, Sent, ServedPage, Step, StoredPage, Turn, Visit,
    WhenToKeep,
};

/// A request for a page of a route.
pub(in crate::edge) struct Performer<'a> {
    pub(in crate::edge) isr: &'a Isr,
    pub(in crate::edge) context: &'a Context,
    pub(in crate::edge) route: &'a Route,
    pub(in crate::edge) key: PageKey,
    /// The URL of the request.
    pub(in crate::edge) url: &'a str,
    /// The headers of the request.
    pub(in crate::edge) sent: &'a dyn Visitor,
    /// False for HEAD.
    pub(in crate::edge) with_body: bool,
    /// The conditions and the range of the request.
    pub(in crate::edge) conditions: Conditions,
    /// What the request demands of a stored page.
    pub(in crate::edge) demands: RequestDirectives,
    /// Whether the client can render the page.
    pub(in crate::edge) client: ClientKind,
    /// Whether the request has `Authorization`.
    pub(in crate::edge) authorized: bool,
}

impl Performer<'_> {
    /// Answers the client.
    pub(in crate::edge) async fn answer(&self) -> Result<Decision, JsValue> {
        let Settings { config, deployment, .. } = &*self.isr.settings;
        let request = Request {
            key: &self.key,
            route: self.route.id(),
            sent: Sent(self.sent),
            renders: self.client == ClientKind::Renderer,
            freshness_bound: config.freshness_bound,
            miss_timeout: config.miss_timeout,
            pass_ttl: config.pass_ttl,
        };
        let (mut visit, steps) = match self.isr.settings.memory.page(&self.key, js::now()) {
            Some(remembered) => Visit::begin_with(request, remembered),
            None => Visit::begin(request),
        };
        let mut decide = |event| deployment.with(|polling| visit.handle(event, js::now(), polling));
        let mut part = CrowdPart::default();
        let mut steps = steps.into_iter();
        while let Some(step) = steps.next() {
            let event = match step {
                Step::Look => {
                    let feed = feed_poll::refresh(&self.isr.env, self.context, &self.isr.settings);
                    let ((), found) = futures::join!(feed, l1::get(&self.isr.settings, &self.key));
                    let none_yet = decide(Event::FeedReady);
                    debug_assert_eq!(none_yet.len(), 0, "L1 is waited for as well");
                    Event::L1(found)
                }
                Step::RefreshFeed => {
                    feed_poll::refresh(&self.isr.env, self.context, &self.isr.settings).await;
                    Event::FeedReady
                }
                Step::ReadL1 => Event::L1(l1::get(&self.isr.settings, &self.key).await),
                Step::ReadL2 => l2::read_shared(&self.isr.env, &self.isr.settings, self.context, &self.key).await?,
                Step::Ask(_) if self.demands.only_if_cached => return self.not_cached(),
                Step::Ask(question) => match self.turn(&question) {
                    Turn::Ask(asker) => {
                        part.asks(asker);
                        self.ask(question).await
                    }
                    Turn::Others(others) => Event::Others(others),
                    Turn::Failed(failure) => Event::NotAnswered(failure),
                },
                Step::Wait(pause) => {
                    Delay::from(pause).await;
                    Event::Waited
                }
                Step::Report(report) => {
                    self.report(report);
                    continue;
                }
                Step::MarkPass(mark) => {
                    self.mark_pass(mark);
                    continue;
                }
                Step::Keep(StoredPage { meta, body }, when) => {
                    self.keep(&meta, &body, when, false)?;
                    continue;
                }
                Step::Discard(body) => {
                    envelope::discard(&body);
                    continue;
                }
                Step::Forget(body) => {
                    self.isr.settings.memory.forget(&self.key);
                    envelope::discard(&body);
                    continue;
                }
                Step::Serve(served) if served.outcome == CacheOutcome::Skip && self.has_more_than_key() => {
                    envelope::discard(&served.page.body);
                    return Ok(pass_with(CacheOutcome::Skip, served.status));
                }
                Step::Serve(served) if !self.accepts(&served) => {
                    envelope::discard(&served.page.body);
                    return self.passed_on_demand();
                }
                Step::Serve(served) => return self.serve(served),
                Step::Pass(status) if status.detail == Some(Detail::Plain(Reason::Misconfigured)) => {
                    return without_sqlite(status, config.expose_headers);
                }
                Step::Pass(status) => return Ok(pass_with(CacheOutcome::Skip, status)),
                Step::Unavailable { status, .. } if self.has_more_than_key() => {
                    return Ok(pass_with(CacheOutcome::Skip, status));
                }
                Step::Unavailable { retry_at, status } => return self.unavailable(retry_at, status),
                Step::Lease { shard, token } => {
                    let (key, authorized) = (self.key.clone(), self.authorized);
                    return Ok(Decision::Lease(Ticket { shard, key, token, authorized, sent: Vec::new() }));
                }
            };
            part.hears(&event);
            let decided = decide(event);
            if let Some((asker, result)) = part.result(&decided) {
                deployment.crowds.borrow_mut().end(&self.key, asker, result, js::now());
            }
            steps = decided.into_iter();
        }
        // Each event brings a step, until the visit ends above.
        Ok(Decision::Pass(None))
    }

    /// Decides whether this request asks, or takes part in another one's question.
    fn turn(&self, question: &Question) -> Turn {
        self.isr.settings.deployment.crowds.borrow_mut().turn(&self.key, question, js::now())
    }

    async fn ask(&self, question: Question) -> Event<Response> {
        let Question { newer_than, renders, patience, .. } = question;
        let (shard, key) = (self.shard(), self.key.clone());
        let visits = self.isr.take_visits(&shard);
        let message = ToCoordinator::Miss { shard: shard.clone(), key, newer_than, forwarded: false, renders, visits };
        let asked = js::within(patience, calls::coordinator(&self.isr.env, &shard, &message)).await;
        match asked.unwrap_or(Err(ObjectError::Timeout)) {
            Ok(answer) => Event::Answered(answer_of(answer)),
            Err(error) => {
                worker::console_error!("coordinator {shard}: {error}");
                Event::NotAnswered(error.failure())
            }
        }
    }

    /// Puts a hit-for-pass marker into L1, behind the response.
    fn mark_pass(&self, mark: PassMarker) {
        let (isr, key) = (self.isr.clone(), self.key.clone());
        self.context.wait_until(async move { l1::put_pass(&isr.settings, &key, mark, js::now()).await });
    }

    fn serve(&self, served: ServedPage<Response>) -> Result<Decision, JsValue> {
        if served.is_hit_of_l1() {
            self.offer_to_memory(&served.page)?;
        }
        let ServedPage { page: StoredPage { meta, body: page }, outcome, status, keep, is_for_downstream } = served;
        if let Some(when) = keep {
            let reads_body = self.reads_body(&meta, &page)?;
            self.keep(&meta, &page, when, reads_body)?;
        }
        if self.is_circular(&meta, &page)? {
            envelope::discard(&page);
            return Ok(skip(Reason::RedirectToItself));
        }
        let status_headers = StatusHeaders { outcome, status };
        let response = self.respond(&meta, &page, &status_headers)?;
        if is_for_downstream {
            respond::apply(&response.headers(), downstream::changes(self.isr.config(), &meta, self.route, js::now()))?;
        }
        self.isr.visited(self.route, &self.key);
        Ok(Decision::Response(response, Some(Served { status: status_headers, version: Some(meta.version) })))
    }

    /// Returns whether the request accepts a stored page. It accepts a page that was rendered for it.
    fn accepts(&self, served: &ServedPage<Response>) -> bool {
        let (meta, now) = (&served.page.meta, js::now());
        let is_stored = matches!(served.outcome, CacheOutcome::Hit | CacheOutcome::Stale);
        !is_stored || self.demands.accept(now.since(meta.rendered_at), meta.windows.ttl_seconds(now))
    }

    fn passed_on_demand(&self) -> Result<Decision, JsValue> {
        if self.demands.only_if_cached { self.not_cached() } else { Ok(skip(Reason::RequestDirective)) }
    }

    /// Answers a request that does not let the cache ask the origin (RFC 9111 §5.2.1.7).
    fn not_cached(&self) -> Result<Decision, JsValue> {
        let body = serde_json::json!({ "error": {
            "code": "not_cached",
            "message": "The request has `only-if-cached`, and there is no stored page that it accepts.",
        }});
        let status = CacheStatus::forwarded(Forward::UriMiss).with_detail(Some(Reason::RequestDirective));
        let status_headers = StatusHeaders { outcome: CacheOutcome::Skip, status };
        respond::passed(envelope::json(504, &body)?, Some(&status_headers), self.isr.config().expose_headers)
            .map(|response| Decision::Response(response, Some(Served::without_page(status_headers))))
    }

    fn unavailable(&self, retry_at: Timestamp, status: CacheStatus) -> Result<Decision, JsValue> {
        let wait = retry_at.since(js::now()).as_secs() + 1;
        let body = serde_json::json!({ "error": {
            "code": "site_unavailable",
            "message": "The site fails to render this page, and there is no earlier copy to show.",
        }});
        let response = envelope::json(503, &body)?;
        response.headers().set("retry-after", &wait.to_string())?;
        let status_headers = StatusHeaders { outcome: CacheOutcome::Skip, status };
        respond::passed(response, Some(&status_headers), self.isr.config().expose_headers)
            .map(|response| Decision::Response(response, Some(Served::without_page(status_headers))))
    }

    /// Puts a page of L1 into the in-isolate tier, behind the response, if it is requested often.
    fn offer_to_memory(&self, StoredPage { meta, body: page }: &StoredPage<Response>) -> Result<(), JsValue> {
        let is_whole = self.with_body && self.conditions.are_none() && meta.status == 200;
        let memory = &self.isr.settings.memory;
        if is_whole && memory.hit(&meta.key, meta.body_bytes, js::now()) {
            let (memory, meta, page) = (Rc::clone(memory), meta.clone(), page.clone()?);
            self.context.wait_until(async move {
                memory.collect(&meta, &page).await;
            });
        }
        Ok(())
    }

    /// Stores a page in L1, behind the response. `reads_body`: the client reads the body as well.
    fn keep(&self, meta: &PageMeta, page: &Response, when: WhenToKeep, reads_body: bool) -> Result<(), JsValue> {
        match when {
            WhenToKeep::AtOnce => self.keep_whole(meta, page, reads_body),
            WhenToKeep::WhenWhole => self.keep_arriving(meta, page, reads_body),
        }
    }

    /// Stores a complete page in L1, behind the response.
    fn keep_whole(&self, meta: &PageMeta, page: &Response, reads_body: bool) -> Result<(), JsValue> {
        // Without a body in the response there is only one reader.
        let copy = if reads_body { page.clone()? } else { Clone::clone(page) };
        let (isr, meta) = (self.isr.clone(), meta.clone());
        self.context.wait_until(async move {
            if let Some(body) = copy.body() {
                l1::put_page(&isr.settings, &meta, &copy.headers(), &body, js::now()).await;
            }
        });
        Ok(())
    }

    /// Stores a coordinator's page in L1 once all of it has arrived, behind the response.
    fn keep_arriving(&self, meta: &PageMeta, page: &Response, reads_body: bool) -> Result<(), JsValue> {
        match Fill::begin(self.isr.settings.deployment.id, &meta.key) {
            Some(fill) => {
                let copy = if reads_body { page.clone()? } else { Clone::clone(page) };
                let (isr, meta) = (self.isr.clone(), meta.clone());
                self.context.wait_until(async move {
                    fill.run(&isr.settings, &meta, &copy).await;
                    isr.settings.deployment.crowds.borrow_mut().filled(&meta.key, js::now());
                });
            }
            None if reads_body => {}
            None => envelope::discard(page),
        }
        Ok(())
    }

    fn respond(&self, meta: &PageMeta, page: &Response, status_headers: &StatusHeaders) -> Result<Response, JsValue> {
        let terms = Terms {
            expose: self.isr.config().expose_headers,
            browser_max_age: self.route.browser_max_age(),
            rules: self.route.http(),
            with_body: self.with_body,
            now: js::now(),
        };
        let form = self.form(meta, page)?;
        let response = respond::page(meta, page, status_headers, &terms, form, self.context)?;
        if let Some(field) = respond::vary_field(self.route, meta) {
            response.headers().set("vary", &field)?;
        }
        if let Some(location) = self.location_for_visitor(meta, page)? {
            response.headers().set("location", &location)?;
        }
        Ok(response)
    }

    /// Returns whether the request has parameters that its render did not have and that may matter to the origin: if such
    /// a render fails, the origin may still answer the request itself.
    fn has_more_than_key(&self) -> bool {
        RequestUrl::parse(self.url).is_ok_and(|url| url.has_more_than_key(self.route.query()))
    }

    /// Returns whether a stored redirect leads the visitor to the requested URL itself. It leads others on: they have asked
    /// another host, which `canonical_origin` treats as the same.
    fn is_circular(&self, meta: &PageMeta, page: &Response) -> Result<bool, JsValue> {
        let Some(location) = location_of(meta, page)? else { return Ok(false) };
        let (query, trailing_slash) = (self.route.query(), self.route.trailing_slash());
        let is_circular = redirect::is_circular(&location, self.url, query, trailing_slash);
        if is_circular {
            worker::console_warn!("{}", redirect::explain(&location, self.key.url()));
        }
        Ok(is_circular)
    }

    /// Returns the target of a stored redirect with the visitor's parameters that are not part of the key.
    fn location_for_visitor(&self, meta: &PageMeta, page: &Response) -> Result<Option<String>, JsValue> {
        let (Some(location), Ok(url)) = (location_of(meta, page)?, RequestUrl::parse(self.url)) else {
            return Ok(None);
        };
        Ok(redirect::with_rest(&location, self.url, &url.rest(self.route.query())))
    }

    /// Decides the form of the response. It depends on nothing that changes during the request.
    fn form(&self, meta: &PageMeta, page: &Response) -> Result<Form, JsValue> {
        if self.conditions.are_none() {
            return Ok(Form::Whole);
        }
        let headers = page.headers();
        let (etag, last_modified) = (headers.get("etag")?, headers.get("last-modified")?);
        let selected = SelectedRepresentation {
            status: meta.status,
            etag: etag.as_deref(),
            last_modified: last_modified.as_deref(),
            date: meta.rendered_at,
            body_bytes: meta.body_bytes,
        };
        Ok(self.conditions.form(self.with_body, &selected))
    }

    /// Returns whether the response to the client has a body, so that there is a second reader besides L1.
    fn reads_body(&self, meta: &PageMeta, page: &Response) -> Result<bool, JsValue> {
        let has_body = |form| matches!(form, Form::Whole | Form::Ranged(Range::Part(_)));
        Ok(self.with_body && has_body(self.form(meta, page)?))
    }

    pub(in crate::edge) fn shard(&self) -> ShardName {
        ShardName::of(self.route, self.key.path())
    }
}

/// Returns the target of a redirect.
fn location_of(meta: &PageMeta, page: &Response) -> Result<Option<String>, JsValue> {
    if redirect::is_redirect(meta.status) { page.headers().get("location") } else { Ok(None) }
}

/// Says that the coordinators can't work, like any other mistake in the configuration.
fn without_sqlite(status: CacheStatus, expose: bool) -> Result<Decision, JsValue> {
    let error = ConfigError::needs_sqlite();
    worker::console_error!("{error}");
    let status_headers = StatusHeaders { outcome: CacheOutcome::Skip, status };
    let response = respond::passed(misconfigured(&error)?, Some(&status_headers), expose)?;
    Ok(Decision::Response(response, Some(Served::without_page(status_headers))))
}

/// Reads a coordinator's answer.
pub(in crate::edge) fn answer_of((reply, response): (Reply, Response)) -> CoordinatorReply<Response> {
    let page = envelope::meta(&response).map(|meta| StoredPage { meta, body: response });
    CoordinatorReply { reply, page }
}

/// Lets the origin answer, and adds the explanation.
pub(in crate::edge) fn pass_with(outcome: CacheOutcome, status: CacheStatus) -> Decision {
    Decision::Pass(Some(StatusHeaders { outcome, status }))
}

/// Lets the origin answer, because the page is not stored or not available here.
pub(in crate::edge) fn skip(reason: Reason) -> Decision {
    pass_with(CacheOutcome::Skip, CacheStatus::forwarded(Forward::UriMiss).with_detail(Some(reason)))
}
