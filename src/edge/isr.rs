//! One visitor's request, from key to response.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Reflect;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::{Context, Env};

use crate::config::{CanonicalOrigin, Config, ConfigError};
use crate::edge::calls::{self, CallError};
use crate::edge::l1::{self, Found};
use crate::edge::respond::{self, Told};
use crate::edge::settings::{self, Settings};
use crate::edge::{admin, envelope, feed_poll, js};
use crate::page::PageMeta;
use crate::protocol::{ToCoordinator, Verdict};
use crate::route::Route;
use crate::semantics::cache_status::{CacheStatus, Forward, Outcome};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::{PageKey, RequestUrl};
use crate::serve::{self, Judgement};
use crate::shard::ShardName;
use crate::time::Timestamp;

/// The cookie and the header that carry the draft token.
const BYPASS_COOKIE: &str = "__isr_bypass";
const BYPASS_HEADER: &str = "x-isr-bypass";

/// How long the edge listens for the page that replaces a stale one; `waitUntil` ends after 30 s (platform limit).
const STALE_PATIENCE: Duration = Duration::from_secs(25);

/// How long a stale page is not reported again after a report that brought nothing.
const STALE_PAUSE: Duration = Duration::from_secs(1);

/// The most keys of which this isolate remembers that it has reported them.
const MAX_REPORTED: usize = 1000;

thread_local! {
    /// Stale pages that this isolate has reported, and until when it does not do so again.
    static REPORTED: RefCell<BTreeMap<PageKey, Timestamp>> = const { RefCell::new(BTreeMap::new()) };
}

/// The cache in front of a site, for one request.
#[derive(Clone)]
pub struct Isr {
    env: Env,
    settings: Rc<Settings>,
}

/// What is to become of a request.
pub(super) enum Handled {
    /// This is the response.
    Response(Response),
    /// The site answers the visitor's own request. If there is something to tell, it is told in the headers.
    Pass(Option<Told>),
}

/// Says what is wrong with the configuration, until it is mended.
pub(super) fn misconfigured(error: &ConfigError) -> Result<Response, JsValue> {
    let problems: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    respond::json(500, &serde_json::json!({ "error": { "code": "misconfigured", "problems": problems } }))
}

impl Isr {
    /// Reads the settings of the deployment.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn new(env: &Env) -> Result<Self, Rc<ConfigError>> {
        Ok(Self { env: env.clone(), settings: Settings::of(env)? })
    }

    /// Answers a request from the cache, or returns `None` if it is not one that the cache answers: another method, no
    /// route, a draft token, a page that is not stored. Then the caller answers it itself.
    ///
    /// # Errors
    /// When the platform refuses what can't be done without: building a response.
    pub async fn handle_request(&self, request: &Request, context: &Context) -> worker::Result<Option<Response>> {
        Ok(match self.handle(request, context).await? {
            Handled::Response(response) => Some(response),
            Handled::Pass(_) => None,
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.settings.config
    }

    /// Decides what is to become of a request.
    pub(super) async fn handle(&self, request: &Request, context: &Context) -> Result<Handled, JsValue> {
        let method = request.method();
        let Ok(url) = RequestUrl::parse(&request.url()) else {
            return Ok(Handled::Pass(None));
        };
        if admin::is_admin(url.path().as_str()) {
            let response = admin::http(request, &method, url.path().as_str(), &self.env, &self.settings).await?;
            return Ok(Handled::Response(response));
        }
        let headers = request.headers();
        if !matches!(method.as_str(), "GET" | "HEAD") || is_render(context) || headers.has("upgrade")? {
            return Ok(Handled::Pass(None));
        }
        let Some(route) = self.config().routes.find(url.path().as_str()) else {
            return Ok(Handled::Pass(None));
        };
        if self.has_bypass_token(request)? {
            return Ok(told(Outcome::Bypass, CacheStatus::forwarded(Forward::Bypass)));
        }
        let origin = self.config().canonical_origin.as_ref().map(CanonicalOrigin::as_str);
        let key = match (route.revalidate(), url.key(origin, route.query())) {
            (Revalidate::NoStore, _) => return Ok(told(Outcome::Skip, CacheStatus::forwarded(Forward::Bypass))),
            (_, Err(_)) => return Ok(skip("uri-too-long")),
            (_, Ok(key)) => key,
        };
        let visit = Visit { isr: self, context, route, key, with_body: method == "GET" };
        visit.answer().await
    }

    fn has_bypass_token(&self, request: &Request) -> Result<bool, JsValue> {
        let Some(token) = &self.settings.bypass_token else {
            return Ok(false);
        };
        if let Some(claim) = request.headers().get(BYPASS_HEADER)? {
            return Ok(token.is(&claim));
        }
        let cookies = request.headers().get("cookie")?.unwrap_or_default();
        let claim = cookies.split(';').find_map(|pair| pair.trim().strip_prefix(BYPASS_COOKIE)?.strip_prefix('='));
        Ok(claim.is_some_and(|claim| token.is(claim)))
    }
}

/// A request for a page of a route.
struct Visit<'a> {
    isr: &'a Isr,
    context: &'a Context,
    route: &'a Route,
    key: PageKey,
    with_body: bool,
}

impl Visit<'_> {
    async fn answer(&self) -> Result<Handled, JsValue> {
        let config = self.isr.config();
        let feed = feed_poll::refresh(&self.isr.env, self.context, &self.isr.settings);
        let ((), found) = futures::join!(feed, l1::get(config, &self.key));
        match found {
            Found::Page(meta, page) => self.with_copy(meta, page, Source::L1).await,
            Found::Pass(mark) if self.still_passes(mark) => Ok(skip("not-stored")),
            Found::Pass(_) | Found::Nothing => match self.look_in_l2().await? {
                Some((meta, page)) => self.with_copy(meta, page, Source::L2).await,
                None => self.miss(None, None).await,
            },
        }
    }

    /// Tells whether a pass mark holds: an invalidation of the path lifts it.
    fn still_passes(&self, mark: l1::PassMark) -> bool {
        let lifted =
            feed_poll::with_known(|feed| feed.path_verdict(self.key.path(), self.route.id(), mark.since).is_some());
        js::now() < mark.until && !lifted
    }

    async fn look_in_l2(&self) -> Result<Option<(PageMeta, Response)>, JsValue> {
        let Some(l2) = settings::l2(&self.isr.env) else {
            return Ok(None);
        };
        match l2.page(&self.key).await {
            Ok(Some((head, body))) => {
                let page = envelope::wrap(&head.meta, &head.headers, &body)?;
                Ok(Some((head.meta, page)))
            }
            Ok(None) => Ok(None),
            // A value that can't be used is a miss: the coordinator overwrites it.
            Err(error) => {
                worker::console_error!("L2: {}: {error}", self.key);
                Ok(None)
            }
        }
    }

    async fn with_copy(&self, meta: PageMeta, page: Response, source: Source) -> Result<Handled, JsValue> {
        let now = js::now();
        let bound = self.isr.config().freshness_bound;
        let judgement = feed_poll::with_current(bound, |feed| serve::judge(&meta, self.route.id(), feed, now));
        let (outcome, detail) = match judgement {
            Judgement::Fresh => (Outcome::Hit, None),
            Judgement::Stale { detail } => (Outcome::Stale, detail),
            Judgement::Unusable { stands_in } => {
                let newer_than = invalidated_at(&meta, self.route);
                return self.miss(stands_in.then_some((meta, page)), newer_than).await;
            }
        };
        if outcome == Outcome::Stale {
            self.report_stale(&meta);
        } else if source == Source::L2 {
            self.keep(&meta, &page)?;
        }
        let status = CacheStatus::hit(meta.windows.ttl_seconds(now)).with_detail(detail.or(source.detail()));
        self.respond(&meta, &page, outcome, status)
    }

    /// Asks the coordinator, and waits for its answer; `stand_in` is a copy that may be served if there is none. An
    /// answer that this edge knows to be invalidated, though the coordinator does not yet, is asked for once more.
    async fn miss(
        &self,
        stand_in: Option<(PageMeta, Response)>,
        newer_than: Option<Timestamp>,
    ) -> Result<Handled, JsValue> {
        let fwd = if stand_in.is_some() { Forward::Stale } else { Forward::UriMiss };
        let asked = async {
            let (verdict, response) = self.ask(newer_than).await?;
            match envelope::meta(&response).as_ref().and_then(|meta| invalidated_at(meta, self.route)) {
                Some(at) if matches!(verdict, Verdict::Page { .. }) && Some(at) > newer_than => {
                    self.ask(Some(at)).await
                }
                _ => Ok((verdict, response)),
            }
        };
        match js::within(self.isr.config().miss_timeout, asked).await {
            Some(Ok((verdict, response))) => self.with_verdict(verdict, &response, fwd, stand_in),
            Some(Err(error)) => self.without_coordinator(&error, stand_in),
            None => self.without_coordinator(&CallError::Unreachable("timed out".to_owned()), stand_in),
        }
    }

    async fn ask(&self, newer_than: Option<Timestamp>) -> Result<(Verdict, Response), CallError> {
        let shard = self.shard();
        let message = ToCoordinator::Miss { shard: shard.clone(), key: self.key.clone(), newer_than, forwarded: false };
        calls::coordinator(&self.isr.env, &shard, &message).await
    }

    fn with_verdict(
        &self,
        verdict: Verdict,
        response: &Response,
        fwd: Forward,
        stand_in: Option<(PageMeta, Response)>,
    ) -> Result<Handled, JsValue> {
        let meta = envelope::meta(response).filter(|meta| meta.key == self.key);
        let status = CacheStatus::forwarded(fwd);
        match (verdict, meta) {
            (Verdict::Page { rendered: true, collapsed }, Some(meta)) => {
                self.keep(&meta, response)?;
                let status = CacheStatus { fwd_status: Some(meta.status), stored: true, collapsed, ..status };
                self.respond(&meta, response, Outcome::Miss, status)
            }
            (Verdict::Page { rendered: false, .. }, Some(meta)) => {
                // Another colo had it rendered; L2 did not show it yet.
                self.keep(&meta, response)?;
                let ttl = meta.windows.ttl_seconds(js::now());
                let outcome = if ttl.is_none_or(|ttl| ttl > 0) { Outcome::Hit } else { Outcome::Stale };
                self.respond(&meta, response, outcome, CacheStatus::hit(ttl).with_detail(Some("coordinator")))
            }
            (Verdict::StandIn { detail }, Some(meta)) => {
                let status = CacheStatus::hit(meta.windows.ttl_seconds(js::now())).with_detail(known(&detail));
                self.respond(&meta, response, Outcome::Stale, status)
            }
            (Verdict::Relay { detail }, _) if stand_in.is_some() => self.stand_in(stand_in, known(&detail)),
            (Verdict::Relay { detail }, Some(meta)) => {
                let status = CacheStatus { fwd_status: Some(meta.status), ..status }.with_detail(known(&detail));
                self.respond(&meta, response, Outcome::Skip, status)
            }
            (Verdict::Pass { until, detail }, _) => {
                let (isr, key) = (self.isr.clone(), self.key.clone());
                self.context.wait_until(async move { l1::put_pass(isr.config(), &key, until, js::now()).await });
                Ok(skip(detail.as_deref().map_or(Some("not-stored"), known).unwrap_or("not-stored")))
            }
            (Verdict::Unavailable { .. }, _) if stand_in.is_some() => self.stand_in(stand_in, Some("backoff")),
            (Verdict::Unavailable { retry_at }, _) => {
                let wait = retry_at.since(js::now()).as_secs() + 1;
                let body = serde_json::json!({ "error": {
                    "code": "site_unavailable",
                    "message": "The site fails to render this page, and there is no earlier copy to show.",
                }});
                let response = respond::json(503, &body)?;
                response.headers().set("retry-after", &wait.to_string())?;
                let told = Told { outcome: Outcome::Skip, status: status.with_detail(Some("backoff")) };
                respond::passed(response, &told, self.isr.config().expose_headers).map(Handled::Response)
            }
            (Verdict::Refused { .. }, _) => self.without_coordinator(&CallError::Refused(503), stand_in),
            (Verdict::Unchanged, _) | (_, None) => self.without_coordinator(&CallError::Garbled, stand_in),
        }
    }

    /// Availability wins: a stale copy if there is any, else the site itself, uncollapsed and uncached.
    fn without_coordinator(
        &self,
        error: &CallError,
        stand_in: Option<(PageMeta, Response)>,
    ) -> Result<Handled, JsValue> {
        worker::console_error!("coordinator {}: {error}", self.shard());
        self.stand_in(stand_in, Some("coordinator-unavailable"))
    }

    /// Serves the copy at hand, or lets the site answer.
    fn stand_in(&self, copy: Option<(PageMeta, Response)>, detail: Option<&'static str>) -> Result<Handled, JsValue> {
        match copy {
            Some((meta, page)) => {
                let status = CacheStatus::hit(meta.windows.ttl_seconds(js::now())).with_detail(detail);
                self.respond(&meta, &page, Outcome::Stale, status)
            }
            None => Ok(skip(detail.unwrap_or("not-stored"))),
        }
    }

    /// Tells the coordinator that a stale copy was served, behind the response; the page that replaces it goes to L1.
    fn report_stale(&self, copy: &PageMeta) {
        let now = js::now();
        let (isr, shard, key) = (self.isr.clone(), self.shard(), self.key.clone());
        let (version, newer_than) = (copy.version, invalidated_at(copy, self.route));
        let reported = REPORTED.with_borrow_mut(|reported| {
            reported.retain(|_, until| *until > now);
            if reported.len() >= MAX_REPORTED || reported.contains_key(&key) {
                return true;
            }
            reported.insert(key.clone(), now.plus(STALE_PATIENCE));
            false
        });
        if reported {
            return;
        }
        self.context.wait_until(async move {
            let message =
                ToCoordinator::Stale { shard: shard.clone(), key: key.clone(), version, newer_than, forwarded: false };
            let answer = js::within(STALE_PATIENCE, calls::coordinator(&isr.env, &shard, &message)).await;
            let replaced = match answer {
                Some(Ok((Verdict::Page { .. }, response))) => {
                    if let Some(meta) = envelope::meta(&response).filter(|meta| meta.key == key) {
                        l1::put_page(isr.config(), &meta, response, js::now()).await;
                    }
                    true
                }
                Some(Ok((Verdict::Pass { until, .. }, _))) => {
                    l1::put_pass(isr.config(), &key, until, js::now()).await;
                    true
                }
                Some(Ok(_)) | None => false,
                Some(Err(error)) => {
                    worker::console_error!("coordinator {shard}: {error}");
                    false
                }
            };
            REPORTED.with_borrow_mut(|reported| {
                if replaced {
                    reported.remove(&key);
                } else {
                    reported.insert(key, js::now().plus(STALE_PAUSE));
                }
            });
        });
    }

    /// Keeps a copy of a wrapped page in L1, behind the response.
    fn keep(&self, meta: &PageMeta, page: &Response) -> Result<(), JsValue> {
        // Without a body in the response there is no second reader.
        let copy = if self.with_body { page.clone()? } else { Clone::clone(page) };
        let (isr, meta) = (self.isr.clone(), meta.clone());
        self.context.wait_until(async move { l1::put_page(isr.config(), &meta, copy, js::now()).await });
        Ok(())
    }

    fn respond(
        &self,
        meta: &PageMeta,
        page: &Response,
        outcome: Outcome,
        status: CacheStatus,
    ) -> Result<Handled, JsValue> {
        let told = Told { outcome, status };
        let expose = self.isr.config().expose_headers;
        respond::page(meta, page, &told, expose, self.with_body, js::now()).map(Handled::Response)
    }

    fn shard(&self) -> ShardName {
        ShardName::of(self.route, self.key.path())
    }
}

/// Returns the time of the invalidation that has made a copy of a page of a route invalid, as far as this isolate knows.
fn invalidated_at(meta: &PageMeta, route: &Route) -> Option<Timestamp> {
    feed_poll::with_known(|feed| feed.verdict(meta, route.id())).map(|invalidated| invalidated.at)
}

/// Where a copy was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    L1,
    L2,
}

impl Source {
    const fn detail(self) -> Option<&'static str> {
        match self {
            Self::L1 => None,
            Self::L2 => Some("l2"),
        }
    }
}

fn told(outcome: Outcome, status: CacheStatus) -> Handled {
    Handled::Pass(Some(Told { outcome, status }))
}

fn skip(detail: &'static str) -> Handled {
    told(Outcome::Skip, CacheStatus::forwarded(Forward::UriMiss).with_detail(Some(detail)))
}

/// Finds a word for `Cache-Status` among those that this version knows: what came over the wire is not shown.
fn known(detail: &str) -> Option<&'static str> {
    const WORDS: [&str; 13] = [
        "backoff",
        "busy",
        "cache-control",
        "cache-tag",
        "invalidated",
        "redirect-to-itself",
        "render-timeout",
        "revalidate-0",
        "site-error",
        "status",
        "tag-index",
        "too-large",
        "vary",
    ];
    WORDS.into_iter().find(|word| *word == detail)
}

/// Recognises a render that this cache itself has asked for, by something that no client can send: the `props` of the
/// service binding that it came over.
fn is_render(context: &Context) -> bool {
    let props = Reflect::get(context.as_ref(), &"props".into()).unwrap_or_default();
    props.is_object()
        && Reflect::get(&props, &"isr".into()).is_ok_and(|isr| isr.as_string().as_deref() == Some("render"))
}
