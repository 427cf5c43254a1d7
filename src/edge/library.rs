//! What a Worker calls that uses this crate as a library.

use serde_json::Value;
use wasm_bindgen::JsValue;
use web_sys::Response as WebResponse;
use worker::{Context, Env, Request, Response};

use crate::config::Builder;
use crate::edge::admin::{self, TagIndex};
use crate::edge::error::IsrError;
use crate::edge::origin::{self, SiteError, Task};
use crate::edge::visitor::isr::{self, Handled, Isr};
use crate::edge::visitor::lookup::Lookup;
use crate::edge::{gateway, settings};
use crate::inspection::Inspect;
use crate::invalidation::{Call, Invalidate, Mode};
use crate::page_policy::Scope;
use crate::protocol::{InvalidateAnswer, Progress, Ticket};

/// Installs settings that are given in code, for the edge and for the objects alike: call it from the event `start`, which
/// each isolate runs before anything else.
///
/// What the variable `ISR` says besides goes before it, setting by setting and route by route. All that is wrong with both
/// together is said by whatever reads the settings first.
///
/// ```no_run
/// use std::time::Duration;
/// use cloudflare_isr::config::{Builder, RouteBuilder};
///
/// // With #[worker::event(start)]
/// fn start() {
///     let blog = RouteBuilder::default().revalidate(Duration::from_secs(300));
///     cloudflare_isr::configure(Builder::default().origin("self").route("/blog/[slug]", blog));
/// }
/// ```
pub fn configure(settings: Builder) {
    settings::give(settings);
}

/// Answers a request of a Worker that has the cache in front of its own handler; the configuration says `origin = "self"`.
///
/// Pages of routes come from the cache, and are rendered by the handler with a request that has nothing of a visitor in it.
/// Whatever else is asked for, the handler answers as it would without the cache. While the configuration can't be used, the
/// answer is a 500 that says what is wrong.
///
/// # Errors
/// The handler's own; else those of the platform, when it refuses to build a response.
///
/// ```no_run
/// use worker::{Context, Env, Request, Response, Result};
/// pub use cloudflare_isr::{IsrCoordinator, IsrTagIndex};
///
/// // With #[worker::event(fetch)]
/// async fn fetch(request: Request, env: Env, ctx: Context) -> Result<Response> {
///     cloudflare_isr::serve(request, &env, &ctx, async |request| Response::ok(request.path())).await
/// }
/// ```
pub async fn serve(
    request: Request,
    env: &Env,
    context: &Context,
    handler: impl AsyncFnOnce(Request) -> worker::Result<Response>,
) -> worker::Result<Response> {
    if Task::Render.is_asked(context) {
        return handler(request).await;
    }
    let isr = match Isr::of(env) {
        Ok(isr) => isr,
        Err(error) => return Ok(isr::misconfigured(&error)?.into()),
    };
    let mut failed = None;
    let site = async |request: &web_sys::Request| {
        let passed = origin::passed(request)?;
        handler(passed.into()).await.map(WebResponse::from).map_err(|error| {
            failed = Some(error);
            SiteError::Unreachable(JsValue::UNDEFINED)
        })
    };
    let answer = gateway::answer_by_own(&isr, request.inner(), context, site).await?;
    match (answer, failed) {
        (Ok(response), _) => Ok(response.into()),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(worker::Error::RustError(error.to_string())),
    }
}

impl Isr {
    /// Reads the settings: what [`configure`] was given, and the variable `ISR`. Once per isolate, whatever comes after.
    ///
    /// # Errors
    /// [`IsrError::Misconfigured`], with all that is wrong.
    pub fn new(env: &Env) -> Result<Self, IsrError> {
        Ok(Self::of(env)?)
    }

    /// Answers a request from the cache, or returns `None` if it is not one that the cache answers: another method, no
    /// route, a draft token, a page that is not stored. Then the caller answers it itself.
    ///
    /// A page that nobody has is rendered by the site that is configured. A Worker that is its own site can use
    /// [`serve`] instead, which also passes on what is told in the headers of such answers, or [`Self::lookup`].
    ///
    /// # Errors
    /// [`IsrError::Platform`].
    ///
    /// ```no_run
    /// # async fn fetch(request: worker::Request, env: worker::Env, ctx: worker::Context) -> worker::Result<worker::Response> {
    /// if let Some(response) = cloudflare_isr::Isr::new(&env)?.handle_request(&request, &ctx).await? {
    ///     return Ok(response);
    /// }
    /// worker::Response::ok("not a page of the cache")
    /// # }
    /// ```
    pub async fn handle_request(&self, request: &Request, context: &Context) -> Result<Option<Response>, IsrError> {
        Ok(match self.handle(request.inner(), context).await? {
            Handled::Response(response, _) => Some(response.into()),
            Handled::Lease(_) | Handled::Pass(_) => None,
        })
    }

    /// Looks a page up, for a caller that can render it: the first half of the split life cycle.
    ///
    /// # Errors
    /// [`IsrError::Platform`]. A coordinator that can't be reached is a [`Lookup::Skip`].
    ///
    /// ```no_run
    /// use cloudflare_isr::{Isr, Lookup, PageSettings, Scope};
    /// # async fn render(request: worker::Request, scope: &mut Scope) -> worker::Result<worker::Response> {
    /// #     let _ = scope.set(PageSettings::default());
    /// #     worker::Response::ok(request.path())
    /// # }
    /// # async fn fetch(request: worker::Request, env: worker::Env, ctx: worker::Context) -> worker::Result<worker::Response> {
    /// let isr = Isr::new(&env)?;
    /// match isr.lookup(&request, &ctx).await? {
    ///     Lookup::Hit(response) | Lookup::Stale(response) | Lookup::Miss(response) => Ok(response),
    ///     Lookup::Lease { ticket, request } => {
    ///         let mut scope = Scope::default();
    ///         let page = render(request, &mut scope).await?;
    ///         Ok(isr.store(ticket, page, &scope, &ctx)?)
    ///     }
    ///     Lookup::Skip { .. } | Lookup::Bypass | Lookup::Pass => render(request, &mut Scope::default()).await,
    /// }
    /// # }
    /// ```
    pub async fn lookup(&self, request: &Request, context: &Context) -> Result<Lookup, IsrError> {
        Ok(self.look_up(request.inner(), context).await?)
    }

    /// Stores a page that was rendered under a ticket, behind the response, which the visitor gets at once: the second half
    /// of the split life cycle. What `scope` says counts as if the response had it in its headers.
    ///
    /// The response has no cookies if the page is to be stored, nor what it says to caches: it is as all others will get it. One
    /// that is not to be stored is left as it is, but for `X-ISR-Status: SKIP`; where such a page is the visitor's own, render his
    /// request in its place. The log says what has become of the page. A failed render is told by storing a 5xx; for a ticket that is not
    /// used, others wait until the lease is over.
    ///
    /// # Errors
    /// [`IsrError::Platform`], when the body has been read already.
    pub fn store(
        &self,
        ticket: Ticket,
        response: Response,
        scope: &Scope,
        context: &Context,
    ) -> Result<Response, IsrError> {
        let response = WebResponse::from(response);
        let (isr, copy, settings) = (self.clone(), response.clone()?, scope.resolve().unwrap_or_default());
        let shown = self.shown(&ticket, response, &settings)?;
        context.wait_until(async move {
            let key = ticket.key.clone();
            match isr.take(ticket, &copy, &settings).await {
                Ok(offered) => worker::console_debug!("store: {key}: {offered:?}"),
                Err(error) => worker::console_warn!("store: {key}: {error}"),
            }
        });
        Ok(shown.into())
    }

    /// Invalidates all variants of a path, on every host. Returns once every coordinator concerned has been told, or five
    /// seconds have passed; those that are left are told until they have heard.
    ///
    /// # Errors
    /// [`IsrError::InvalidArgument`]; [`IsrError::Unavailable`] if it could not be recorded.
    pub async fn revalidate_path(&self, path: &str, mode: Mode) -> Result<InvalidateAnswer, IsrError> {
        self.invalidate_one(Invalidate { paths: vec![path.to_owned()], mode, ..Invalidate::default() }).await
    }

    /// Invalidates every page that carries a tag. Returns, and fails, as [`Self::revalidate_path`] does.
    ///
    /// # Errors
    /// See there.
    pub async fn revalidate_tag(&self, tag: &str, mode: Mode) -> Result<InvalidateAnswer, IsrError> {
        self.invalidate_one(Invalidate { tags: vec![tag.to_owned()], mode, ..Invalidate::default() }).await
    }

    /// Invalidates what is named, at most 100 scopes. Returns a receipt for each: paths, tags, prefixes, routes, everything,
    /// in this order.
    ///
    /// # Errors
    /// As [`Self::revalidate_path`]. Some may be recorded when others could not be.
    pub async fn invalidate(&self, what: &Invalidate) -> Result<Vec<InvalidateAnswer>, IsrError> {
        let call = Call::try_from(what).map_err(admin::AdminError::from)?;
        Ok(admin::record_all(&self.env, call).await?)
    }

    async fn invalidate_one(&self, what: Invalidate) -> Result<InvalidateAnswer, IsrError> {
        let receipt = self.invalidate(&what).await?.pop();
        receipt.ok_or_else(|| IsrError::Unavailable("there is no receipt".to_owned()))
    }

    /// Tells what has come of an invalidation, by the number of its receipt; `None` if it is not known any more: the log
    /// keeps the newest 100,000.
    ///
    /// # Errors
    /// [`IsrError::Unavailable`].
    pub async fn invalidation(&self, seq: u64) -> Result<Option<Progress>, IsrError> {
        Ok(self.env.progress(seq).await?)
    }

    /// Tells what is known of pages, as the RPC methods `inspectTag`, `inspectPath` and `inspectShard` do:
    /// `Inspect::from_query("path=/blog/hello&limit=10")?` is a question. `docs/inspect.md` explains the answers.
    ///
    /// # Errors
    /// [`IsrError::Unavailable`]; [`IsrError::NotFound`] for a shard that there is not.
    pub async fn inspect(&self, question: Inspect) -> Result<Value, IsrError> {
        Ok(admin::inspect(&self.env, question).await?)
    }
}
