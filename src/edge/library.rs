//! The library API: the functions that a Worker calls.

use serde_json::Value;
use wasm_bindgen::JsValue;
use web_sys::Response as WebResponse;
use worker::{Context, Env, Request, Response};

use crate::config::Builder;
use crate::edge::admin::{self, TagIndex};
use crate::edge::error::IsrError;
use crate::edge::origin::{self, FetchError, Task};
use crate::edge::visitor::isr::{Decision, Isr};
use crate::edge::visitor::lookup::Lookup;
use crate::edge::visitor::observe::Observer;
use crate::edge::{gateway, settings};
use crate::error::{CallError, ObjectError};
use crate::inspection::{Explain, Inspect};
use crate::invalidation::{Call, Invalidate, Mode};
use crate::page_policy::PagePolicy;
use crate::protocol::{InvalidateAnswer, Progress, Ticket};

/// Sets the configuration in code, for the edge and for the objects. Call it in the event `start`, which each isolate
/// runs first.
///
/// Values in the `ISR` variable override these, per setting and per route. The first read of the settings reports all
/// problems of both together.
///
/// ```no_run
/// use std::time::Duration;
/// use cloudflare_isr::{Builder, RouteBuilder};
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

/// Answers a request of a Worker that has the cache in front of its own handler. Requires `origin = "self"`.
///
/// Pages of routes come from the cache. The handler renders them from a request that contains nothing of the client.
/// The handler answers all other requests as it would without the cache. While the configuration is not valid, the
/// response is a 500 that lists the problems.
///
/// # Errors
/// Returns the handler's error, or the platform's if it refuses to build a response.
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
        Err(error) => return Ok(admin::unconfigured(request.inner(), env, &error).await?.into()),
    };
    let mut failed = None;
    let origin = async |request: &web_sys::Request| {
        let passed = origin::passed(request)?;
        handler(passed.into()).await.map(WebResponse::from).map_err(|error| {
            failed = Some(error);
            FetchError::Unreachable(JsValue::UNDEFINED)
        })
    };
    let answer = gateway::answer_by_own(&isr, request.inner(), context, origin).await?;
    match (answer, failed) {
        (Ok(response), _) => Ok(response.into()),
        (Err(_), Some(error)) => Err(error),
        (Err(error), None) => Err(worker::Error::RustError(error.to_string())),
    }
}

impl Isr {
    /// Reads the settings: those given to [`configure`], and the variable `ISR`. They are read once for each `env`.
    ///
    /// # Errors
    /// [`IsrError::Misconfigured`], with all problems.
    ///
    /// ```no_run
    /// # fn of(env: worker::Env) -> Result<(), cloudflare_isr::IsrError> {
    /// use cloudflare_isr::Isr;
    ///
    /// let isr = Isr::new(&env)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(env: &Env) -> Result<Self, IsrError> {
        Ok(Self::of(env)?)
    }

    /// Answers a request from the cache. Returns `None` if the cache does not answer the request: another method, no
    /// route, a draft token, a page that is not stored. The caller then answers it.
    ///
    /// If no tier has a page, the configured origin renders it. A Worker that is its own origin can use [`serve`]
    /// instead, which also adds the cache's headers to uncached responses, or [`Self::lookup`].
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
        let observer = Observer::new(self, request.inner(), context);
        let decision = self.handle(request.inner(), context, &observer).await?;
        observer.decided(&decision);
        Ok(match decision {
            Decision::Response(response, _) => Some(response.into()),
            Decision::Lease(_) | Decision::Pass(_) => None,
        })
    }

    /// Returns whether a request is a render from this cache: the response is for every client, not for one.
    ///
    /// A render is recognized by its signature with the secret `ISR_RENDER_SECRET`, or by the `props` of the service
    /// binding that it came over. A client can send neither. If another cache is bound to this Worker, only its binding for
    /// renders may have these `props`: `docs/origins.md`.
    ///
    /// ```no_run
    /// use cloudflare_isr::Isr;
    /// use worker::{Context, Env, Request, Response, Result};
    ///
    /// // With #[worker::event(fetch)]
    /// async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    ///     let isr = Isr::new(&env)?;
    ///     if isr.is_render(&request, &context) {
    ///         return Response::ok("a page for the cache");
    ///     }
    ///     match isr.handle_request(&request, &context).await? {
    ///         Some(response) => Ok(response),
    ///         None => Response::ok("a page for this visitor"),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn is_render(&self, request: &Request, context: &Context) -> bool {
        self.is_render_request(request.inner(), context)
    }

    /// Looks a page up, for a caller that can render it: the first half of the split life cycle.
    ///
    /// # Errors
    /// [`IsrError::Platform`]. An unreachable coordinator gives [`Lookup::Skip`].
    ///
    /// ```no_run
    /// use cloudflare_isr::{Isr, Lookup, PageSettings, PagePolicy};
    /// # async fn render(request: worker::Request, policy: &mut PagePolicy) -> worker::Result<worker::Response> {
    /// #     let _ = policy.set(PageSettings::default());
    /// #     worker::Response::ok(request.path())
    /// # }
    /// # async fn fetch(request: worker::Request, env: worker::Env, ctx: worker::Context) -> worker::Result<worker::Response> {
    /// let isr = Isr::new(&env)?;
    /// match isr.lookup(&request, &ctx).await? {
    ///     Lookup::Hit(response) | Lookup::Stale(response) | Lookup::Miss(response) => Ok(response),
    ///     Lookup::Lease { ticket, request } => {
    ///         let mut policy = PagePolicy::default();
    ///         let page = render(request, &mut policy).await?;
    ///         Ok(isr.store(ticket, page, &policy, &ctx)?)
    ///     }
    ///     Lookup::Skip { .. } | Lookup::Bypass | Lookup::Pass => render(request, &mut PagePolicy::default()).await,
    /// }
    /// # }
    /// ```
    pub async fn lookup(&self, request: &Request, context: &Context) -> Result<Lookup, IsrError> {
        Ok(self.look_up(request.inner(), context).await?)
    }

    /// Stores a page that was rendered under a ticket, and returns the response for the client at once: the second half
    /// of the split life cycle. The settings in `policy` count as if they were response headers.
    ///
    /// If the page is stored, the response has no cookies and this cache's `Cache-Control`, as for all other clients.
    /// If not, the response is unchanged except for `X-ISR-Status: SKIP`; if such a page is personal, render the
    /// client's own request instead. The log reports whether the page was stored. Store a 5xx to report a failed
    /// render. If a ticket is not used, other requests wait until the lease is over.
    ///
    /// # Errors
    /// [`IsrError::Platform`] if the body has been read already.
    pub fn store(
        &self,
        ticket: Ticket,
        response: Response,
        policy: &PagePolicy,
        context: &Context,
    ) -> Result<Response, IsrError> {
        let response = WebResponse::from(response);
        let (isr, copy, settings) = (self.clone(), response.clone()?, policy.resolve().unwrap_or_default());
        let shown = self.shown(&ticket, response, &settings)?;
        context.wait_until(async move {
            let key = ticket.key.clone();
            match isr.take(ticket, &copy, &settings).await {
                Ok(result) => worker::console_debug!("store: {key}: {result:?}"),
                Err(CallError::Unreachable(cause)) => worker::console_error!("store: {key}: {cause}"),
                Err(error) => worker::console_warn!("store: {key}: {error}"),
            }
        });
        Ok(shown.into())
    }

    /// Invalidates all variants of a path, on every host. Returns once every affected coordinator has applied the
    /// invalidation, or after five seconds. Delivery to the others continues until it succeeds.
    ///
    /// # Errors
    /// [`IsrError::InvalidArgument`], [`IsrError::NotRecorded`].
    ///
    /// ```no_run
    /// # async fn edited(isr: cloudflare_isr::Isr) -> worker::Result<()> {
    /// use cloudflare_isr::Mode;
    ///
    /// isr.revalidate_path("/blog/hello", Mode::Expire).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revalidate_path(&self, path: &str, mode: Mode) -> Result<InvalidateAnswer, IsrError> {
        self.invalidate_one(Invalidate { paths: vec![path.to_owned()], mode, ..Invalidate::default() }).await
    }

    /// Invalidates every page that carries a tag. Returns and fails like [`Self::revalidate_path`].
    ///
    /// # Errors
    /// See [`Self::revalidate_path`].
    ///
    /// ```no_run
    /// # async fn edited(isr: cloudflare_isr::Isr) -> worker::Result<()> {
    /// use cloudflare_isr::Mode;
    ///
    /// isr.revalidate_tag("post:42", Mode::Stale).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn revalidate_tag(&self, tag: &str, mode: Mode) -> Result<InvalidateAnswer, IsrError> {
        self.invalidate_one(Invalidate { tags: vec![tag.to_owned()], mode, ..Invalidate::default() }).await
    }

    /// Invalidates up to 100 targets. Returns a receipt for each: paths, tags, prefixes, routes, everything, in this
    /// order.
    ///
    /// # Errors
    /// See [`Self::revalidate_path`]. If the call fails, some of the targets may have been recorded.
    ///
    /// ```no_run
    /// # async fn edited(isr: cloudflare_isr::Isr) -> worker::Result<()> {
    /// use cloudflare_isr::{Invalidate, Mode};
    ///
    /// let what = Invalidate { prefixes: vec!["/blog".to_owned()], mode: Mode::Purge, ..Invalidate::default() };
    /// let receipts = isr.invalidate(&what).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn invalidate(&self, what: &Invalidate) -> Result<Vec<InvalidateAnswer>, IsrError> {
        let call = Call::try_from(what).map_err(CallError::from)?;
        Ok(admin::record_all(&self.env, call).await?)
    }

    async fn invalidate_one(&self, what: Invalidate) -> Result<InvalidateAnswer, IsrError> {
        let receipt = self.invalidate(&what).await?.pop();
        receipt.ok_or(IsrError::NotRecorded(ObjectError::Garbled))
    }

    /// Returns the progress of an invalidation, by the number of its receipt.
    ///
    /// # Errors
    /// [`IsrError::UnknownInvalidation`]: the log keeps the newest 100,000. [`IsrError::Unreachable`].
    ///
    /// ```no_run
    /// # async fn edited(isr: cloudflare_isr::Isr) -> worker::Result<()> {
    /// use cloudflare_isr::Mode;
    ///
    /// let receipt = isr.revalidate_path("/blog/hello", Mode::Expire).await?;
    /// let progress = isr.invalidation(receipt.invalidation.seq).await?;
    /// worker::console_log!("{} coordinators are still to be told", progress.pending);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn invalidation(&self, seq: u64) -> Result<Progress, IsrError> {
        self.env.progress(seq).await?.ok_or(IsrError::UnknownInvalidation { seq })
    }

    /// Explains what the cache does with a page, and why, as the RPC method `explain` does. `docs/operating.md` explains
    /// the answer.
    ///
    /// # Errors
    /// [`IsrError::Misconfigured`].
    ///
    /// ```no_run
    /// # async fn shown(isr: cloudflare_isr::Isr) -> worker::Result<String> {
    /// use cloudflare_isr::Explain;
    ///
    /// let page = Explain::from_query("url=https://example.com/blog/hello").map_err(|error| error.to_string())?;
    /// Ok(isr.explain(page).await?["explanation"].to_string())
    /// # }
    /// ```
    pub async fn explain(&self, page: Explain) -> Result<Value, IsrError> {
        Ok(admin::explain(&self.env, page).await?)
    }

    /// Inspects stored pages, as the RPC methods `inspectTag`, `inspectPath` and `inspectShard` do. For example, the
    /// question may be `Inspect::from_query("path=/blog/hello&limit=10")?`. `docs/inspect.md` explains the answers.
    ///
    /// # Errors
    /// [`IsrError::Unreachable`], [`IsrError::UnknownShard`].
    ///
    /// ```no_run
    /// # async fn shown(isr: cloudflare_isr::Isr) -> worker::Result<worker::Response> {
    /// use cloudflare_isr::Inspect;
    ///
    /// let question = Inspect::from_query("path=/blog/hello&limit=10").map_err(|error| error.to_string())?;
    /// worker::Response::from_json(&isr.inspect(question).await?)
    /// # }
    /// ```
    pub async fn inspect(&self, question: Inspect) -> Result<Value, IsrError> {
        Ok(admin::inspect(&self.env, question).await?)
    }
}
