//! The origin behind the cache: a service binding, a URL, or the Worker itself.

use thiserror::Error;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};

use crate::edge::caches::envelope;
use crate::edge::origin::loopback::Exports;
use crate::edge::platform::js::{self, Fetcher};
use crate::semantics::forwarded;
use crate::semantics::key::PageKey;
use crate::semantics::mapping;
use crate::semantics::render_signature::{RENDER_HEADER, RenderSecret};
use crate::semantics::statuses;
use crate::session::cookie;
use crate::visit::classify::LOOP_HEADER;

/// The origin.
#[derive(Clone, Debug)]
pub(in crate::edge) enum OriginClient {
    /// A Worker, by service binding.
    Service {
        /// The binding for clients' own requests.
        clients: Fetcher,
        /// The binding for renders. Its `props` are on no other request, if it is not the same.
        renders: Fetcher,
    },
    /// The Worker's own handler. Only renders reach it like this.
    Own(Exports),
    /// A server.
    Url {
        /// Its URL without a trailing slash. Path and query are appended.
        base: String,
        /// This deployment in `CDN-Loop`.
        member: String,
    },
}

/// Why a client's request got no usable response from the origin.
#[derive(Debug, Error)]
pub(in crate::edge) enum FetchError {
    /// The origin is unreachable, or broke off before its response began.
    #[error("the site could not be reached: {}", js::describe(.0))]
    Unreachable(JsValue),
    /// The status of the response is not valid (RFC 9110 §15): no response can be made with it.
    #[error("the site answered with the status {0}")]
    Status(u16),
}

impl From<JsValue> for FetchError {
    fn from(error: JsValue) -> Self {
        Self::Unreachable(error)
    }
}

impl OriginClient {
    /// Passes a client's request on, without the headers that must not reach an origin. The response is returned
    /// unchanged, redirects included.
    pub(in crate::edge) async fn pass(&self, request: &Request) -> Result<Response, FetchError> {
        let response = self.ask(request).await?;
        if statuses::is_valid(response.status()) { Ok(response) } else { Err(FetchError::Status(response.status())) }
    }

    async fn ask(&self, request: &Request) -> Result<Response, JsValue> {
        match self {
            Self::Service { clients, .. } => pass_to(clients, request).await,
            // The handler would take it for a render. Objects, which alone have this origin, pass no requests on.
            Self::Own(_) => Err(JsValue::from_str("a client's request came to an object")),
            // Clients' own requests have no time limit but the platform's: an upload is answered at its end.
            Self::Url { base, member } => mapped_back(js::fetch(&passed_by_url(request, base, member)?).await?, base),
        }
    }

    /// Renders a page to be stored. The request is made of the key alone: it contains nothing of a client except the
    /// values in the key. `headers` are those of `render_headers`. `conditions` are validators of the stored page.
    /// `secret` signs the request, whichever origin it goes to.
    pub(in crate::edge) async fn render<'a>(
        &self,
        key: &PageKey,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        conditions: &[(&'static str, String)],
        secret: Option<&RenderSecret>,
        signal: &web_sys::AbortSignal,
    ) -> Result<Response, JsValue> {
        let init = render_init(key, headers)?;
        init.set_signal(Some(signal));
        let url = match self {
            Self::Service { .. } | Self::Own(_) => key.url().to_owned(),
            Self::Url { base, .. } => format!("{base}{}", path_and_query(key.url())),
        };
        let request = Request::new_with_str_and_init(&url, &init)?;
        let headers = request.headers();
        for (name, value) in conditions {
            headers.set(name, value)?;
        }
        if let Some(secret) = secret {
            let signature = secret.sign(js::now(), &request.method(), path_and_query(&request.url()));
            headers.set(RENDER_HEADER, &signature)?;
        }
        match self {
            Self::Service { renders, .. } => renders.fetch(&request).await,
            Self::Own(exports) => exports.renderer()?.fetch(&request).await,
            Self::Url { base, member } => {
                headers.set(LOOP_HEADER, member)?;
                for (name, value) in forwarded::headers(key.url()) {
                    // A value of `render_headers` takes precedence.
                    if !headers.has(name)? {
                        headers.set(name, &value)?;
                    }
                }
                mapped_back(js::fetch(&request).await?, base)
            }
        }
    }
}

/// Maps URLs below the origin in the headers of its response to the visitor's host.
fn mapped_back(response: Response, base: &str) -> Result<Response, JsValue> {
    // An upgrade must be passed on unchanged, and no response can be made with a status that is none.
    if response.status() == 101 || !statuses::is_valid(response.status()) {
        return Ok(response);
    }
    let changes = mapping::changes(&envelope::header_list(&response.headers()), base);
    if changes.is_empty() {
        return Ok(response);
    }
    // A response is itself a valid init: status and headers are copied, the body is handed over.
    let copy = Response::new_with_opt_readable_stream_and_init(response.body().as_ref(), response.unchecked_ref())?;
    changes.iter().try_for_each(|(name, value)| copy.headers().set(name, value))?;
    Ok(copy)
}

/// Builds the request of a render.
pub(in crate::edge) fn render_request<'a>(
    key: &PageKey,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Request, JsValue> {
    Request::new_with_str_and_init(key.url(), &render_init(key, headers)?)
}

fn render_init<'a>(
    key: &PageKey,
    configured: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<RequestInit, JsValue> {
    let headers = Headers::new()?;
    headers.set("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")?;
    headers.set("user-agent", concat!("cloudflare-isr/", env!("CARGO_PKG_VERSION")))?;
    for (name, value) in configured {
        headers.set(name, value)?;
    }
    for (name, value) in key.variant().request_headers() {
        headers.set(&name, &value)?;
    }
    let init = RequestInit::new();
    init.set_redirect(RequestRedirect::Manual);
    init.set_headers(&headers);
    Ok(init)
}

/// Passes a client's request on to a Worker.
async fn pass_to(service: &Fetcher, request: &Request) -> Result<Response, JsValue> {
    service.fetch(&passed(request)?).await
}

/// Returns a client's request in the form for the origin. It shares the body of the original request.
pub(in crate::edge) fn passed(request: &Request) -> Result<Request, JsValue> {
    match withheld(request)? {
        None => Ok(Clone::clone(request)),
        Some(headers) => {
            let init = RequestInit::new();
            init.set_headers(&headers);
            Request::new_with_request_and_init(request, &init)
        }
    }
}

/// Returns whether a request carries a valid signature of a render.
pub(in crate::edge) fn is_signed(request: &Request, secret: &RenderSecret) -> bool {
    let signature = request.headers().get(RENDER_HEADER).ok().flatten();
    signature.is_some_and(|value| secret.verifies(&value, js::now(), &request.method(), path_and_query(&request.url())))
}

/// Returns the part of an absolute URL after the origin.
fn path_and_query(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
}

/// Returns a request's headers without those that must not reach an origin; `None` if all of them may.
fn withheld(request: &Request) -> Result<Option<Headers>, JsValue> {
    let names = envelope::header_list(&request.headers()).withheld_from_origin();
    let cookies = cookies_without_session(&request.headers())?;
    if names.is_empty() && cookies.is_none() {
        return Ok(None);
    }
    let headers = Headers::new_with_headers(&request.headers())?;
    names.iter().try_for_each(|name| headers.delete(name))?;
    set_cookies(&headers, cookies.as_deref())?;
    Ok(Some(headers))
}

/// Returns a request's `Cookie` without the session of the dashboard; `None` if it has none.
fn cookies_without_session(headers: &Headers) -> Result<Option<String>, JsValue> {
    Ok(headers.get("cookie")?.and_then(|cookies| cookie::without(&cookies)))
}

fn set_cookies(headers: &Headers, cookies: Option<&str>) -> Result<(), JsValue> {
    match cookies {
        None => Ok(()),
        Some("") => headers.delete("cookie"),
        Some(cookies) => headers.set("cookie", cookies),
    }
}

/// Returns a client's request in the form for an origin by URL.
///
/// The request itself serves as the init: its body is kept even for a GET, with which no request can be made otherwise
/// (Fetch standard, "new Request"). RFC 9110 §9.3.1 permits the content, and lets the origin decide about it.
fn passed_by_url(request: &Request, base: &str, member: &str) -> Result<Request, JsValue> {
    let url = format!("{base}{}", path_and_query(&request.url()));
    let copy = Request::new_with_str_and_init(&url, request.unchecked_ref())?;
    let headers = Headers::new_with_headers(&request.headers())?;
    let withheld = envelope::header_list(&request.headers()).withheld_from_origin();
    let withheld = withheld.iter().map(String::as_str).chain(forwarded::WITHHELD).chain(["host"]);
    withheld.into_iter().try_for_each(|name| headers.delete(name))?;
    set_cookies(&headers, cookies_without_session(&headers)?.as_deref())?;
    headers.append(LOOP_HEADER, member)?;
    for (name, value) in forwarded::headers(&request.url()) {
        headers.set(name, &value)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_redirect(RequestRedirect::Manual);
    Request::new_with_request_and_init(&copy, &init)
}
