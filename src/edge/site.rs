//! The site behind the cache: a service binding, or a URL.

use thiserror::Error;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Request, RequestInit, RequestRedirect, Response};

use crate::edge::envelope;
use crate::edge::js::{self, Fetcher};
use crate::semantics::key::PageKey;
use crate::semantics::statuses;

/// Says through which caches a request has come (RFC 8586): a site by URL might lead back here.
const LOOP_HEADER: &str = "cdn-loop";

/// How this cache is called in [`LOOP_HEADER`].
const LOOP_NAME: &str = "cloudflare-isr";

/// The site.
#[derive(Clone, Debug)]
pub(super) enum Site {
    /// A Worker, by service binding.
    Service(Fetcher),
    /// A server: the URL without a trailing slash, to which path and query are added.
    Url(String),
}

/// Why a visitor's request got no answer of the site that can be handed on.
#[derive(Debug, Error)]
pub(super) enum SiteError {
    /// The site can't be reached, or broke off before its answer began.
    #[error("the site could not be reached: {}", js::describe(.0))]
    Unreachable(JsValue),
    /// The status of its answer is none (RFC 9110 §15): no response can be made with it.
    #[error("the site answered with the status {0}")]
    Status(u16),
}

impl From<JsValue> for SiteError {
    fn from(error: JsValue) -> Self {
        Self::Unreachable(error)
    }
}

impl Site {
    /// Passes a visitor's request on, but for the headers that are not to reach a site. The response is handed on as it
    /// comes, redirects included.
    pub(super) async fn pass(&self, request: &Request) -> Result<Response, SiteError> {
        let response = self.ask(request).await?;
        if statuses::is_valid(response.status()) { Ok(response) } else { Err(SiteError::Status(response.status())) }
    }

    async fn ask(&self, request: &Request) -> Result<Response, JsValue> {
        match self {
            Self::Service(service) => match withheld(request)? {
                None => service.fetch(request).await,
                Some(headers) => {
                    let init = RequestInit::new();
                    init.set_headers(&headers);
                    service.fetch(&Request::new_with_request_and_init(request, &init)?).await
                }
            },
            Self::Url(base) => {
                let init = RequestInit::new();
                init.set_redirect(RequestRedirect::Manual);
                let url = format!("{base}{}", path_and_query(&request.url()));
                let request = Request::new_with_str_and_init(&url, &as_init(request, &init)?)?;
                request.headers().append(LOOP_HEADER, LOOP_NAME)?;
                js::fetch(&request).await
            }
        }
    }

    /// Asks for a page to be stored. The request is made of the key alone: nothing of a visitor is in it but the values
    /// that the key names.
    pub(super) async fn render(&self, key: &PageKey, signal: &web_sys::AbortSignal) -> Result<Response, JsValue> {
        let headers = Headers::new()?;
        headers.set("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")?;
        headers.set("user-agent", concat!("cloudflare-isr/", env!("CARGO_PKG_VERSION")))?;
        for (name, value) in key.variant().request_headers() {
            headers.set(&name, &value)?;
        }
        let init = RequestInit::new();
        init.set_redirect(RequestRedirect::Manual);
        init.set_headers(&headers);
        init.set_signal(Some(signal));
        match self {
            Self::Service(service) => service.fetch(&Request::new_with_str_and_init(key.url(), &init)?).await,
            Self::Url(base) => {
                headers.set(LOOP_HEADER, LOOP_NAME)?;
                let url = format!("{base}{}", path_and_query(key.url()));
                js::fetch(&Request::new_with_str_and_init(&url, &init)?).await
            }
        }
    }
}

/// Tells whether a request has come through this cache before.
pub(super) fn is_loop(request: &Request) -> bool {
    let passed = request.headers().get(LOOP_HEADER).ok().flatten().unwrap_or_default();
    passed.split(',').any(|member| member.split(';').next().is_some_and(|name| name.trim() == LOOP_NAME))
}

/// Returns what follows the origin in an absolute URL.
fn path_and_query(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..].find('/').map_or("/", |at| &url[after_scheme + at..])
}

/// Returns a request's headers without those that are not to reach a site; `None` if all of them may.
fn withheld(request: &Request) -> Result<Option<Headers>, JsValue> {
    let names = envelope::header_list(&request.headers()).withheld_from_site();
    if names.is_empty() {
        return Ok(None);
    }
    let headers = Headers::new_with_headers(&request.headers())?;
    names.iter().try_for_each(|name| headers.delete(name))?;
    Ok(Some(headers))
}

/// Copies what is passed on of a request: method, headers and body.
fn as_init(request: &Request, init: &RequestInit) -> Result<RequestInit, JsValue> {
    let init = init.clone();
    init.set_method(&request.method());
    let headers = match withheld(request)? {
        Some(headers) => headers,
        None => Headers::new_with_headers(&request.headers())?,
    };
    headers.delete("host")?;
    init.set_headers(&headers);
    if let Some(body) = request.body() {
        init.set_body(&body);
    }
    Ok(init)
}
