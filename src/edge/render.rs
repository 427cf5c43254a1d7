//! One render: ask the site, read the body within its bound, judge.

use std::rc::Rc;
use std::time::Duration;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, Response};

use crate::coordinator;
use crate::edge::site::Site;
use crate::edge::{envelope, js};
use crate::page::PageMeta;
use crate::route::Route;
use crate::semantics::freshness::Windows;
use crate::semantics::headers::HeaderList;
use crate::semantics::key::PageKey;
use crate::semantics::storable::{self, Asked, NotStored, SiteFailure, Storable, Verdict};
use crate::time::Timestamp;
use crate::version::Version;

/// What a render needs to know.
pub(super) struct Order<'a> {
    /// The page.
    pub(super) key: &'a PageKey,
    /// The token of the lease, which becomes the page's version.
    pub(super) token: Version,
    /// The page's route.
    pub(super) route: &'a Route,
    /// The most bytes of a body.
    pub(super) max_body_bytes: u64,
    /// How long the site may take, to the last byte.
    pub(super) timeout: Duration,
}

/// Headers and body of an answer. A clone copies neither: the body stays in JavaScript.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// The headers that are kept.
    pub(super) headers: Rc<HeaderList>,
    /// The body.
    pub(super) body: Uint8Array,
}

/// What has come of a render, and what the site answered: a page, or an answer of a failing site to be relayed.
pub(super) type Outcome = (coordinator::Outcome, Option<(PageMeta, Content)>);

/// Renders a page. Tags are not registered here.
pub(super) async fn render(site: &Site, order: &Order<'_>) -> Outcome {
    let failed = |failure| (coordinator::Outcome::Failed(failure), None);
    let Ok(abort) = AbortController::new() else {
        return failed(SiteFailure::Broken);
    };
    match js::within(order.timeout, ask(site, order, &abort)).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => {
            worker::console_warn!("render: {}: {}", order.key, js::describe(&error));
            failed(SiteFailure::Broken)
        }
        None => {
            abort.abort();
            failed(SiteFailure::Timeout)
        }
    }
}

async fn ask(site: &Site, order: &Order<'_>, abort: &AbortController) -> Result<Outcome, JsValue> {
    let response = site.render(order.key, &abort.signal()).await?;
    let status = response.status();
    let headers = envelope::header_list(&response.headers());
    let asked = Asked {
        key: order.key,
        start: order.token.time(),
        revalidate: order.route.revalidate(),
        expire: order.route.expire(),
        stale_if_error: order.route.stale_if_error(),
        tags: order.route.tags(),
        max_body_bytes: order.max_body_bytes,
    };
    let verdict = storable::judge(status, &headers, &asked);
    let (storable, mut failure) = match verdict {
        Verdict::Store(storable) => (storable, None),
        Verdict::Fail(failure) => (relayed(&headers, asked.start), Some(failure)),
        Verdict::Pass(reason) => {
            abort.abort();
            return Ok((coordinator::Outcome::Uncacheable(reason), None));
        }
    };
    let Some(body) = read(&response, order.max_body_bytes).await? else {
        abort.abort();
        let too_large = coordinator::Outcome::Uncacheable(NotStored::TooLarge);
        return Ok((failure.map_or(too_large, coordinator::Outcome::Failed), None));
    };
    let body_bytes = u64::from(body.length());
    failure = failure.or(storable::judge_body(status, body_bytes).err());
    let Storable { windows, tags, headers } = storable;
    let (key, version, rendered_at) = (order.key.clone(), order.token, js::now());
    let meta =
        PageMeta { key, version, status, rendered_at, windows, tags, body_bytes: Some(body_bytes), digest: None };
    let result = failure.map_or_else(|| coordinator::Outcome::Done(meta.clone()), coordinator::Outcome::Failed);
    Ok((result, Some((meta, Content { headers: Rc::new(headers), body }))))
}

/// Prepares the answer of a failing site to be handed to those who wait: it is never fresh, and has no tags.
fn relayed(headers: &HeaderList, now: Timestamp) -> Storable {
    let over = Some(now);
    let windows = Windows { fresh_until: over, stale_until: over, error_until: over };
    Storable { windows, tags: Vec::new(), headers: headers.for_sharing() }
}

/// Reads a body into one buffer, or returns `None` once it is over `limit`. The bytes stay in JavaScript.
async fn read(response: &Response, limit: u64) -> Result<Option<Uint8Array>, JsValue> {
    let Some(stream) = response.body() else {
        return Ok(Some(Uint8Array::new_with_length(0)));
    };
    let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
    let mut chunks: Vec<Uint8Array> = Vec::new();
    let mut total = 0_u32;
    loop {
        let step = JsFuture::from(reader.read()).await?;
        if Reflect::get(&step, &"done".into())?.is_truthy() {
            break;
        }
        let chunk: Uint8Array = Reflect::get(&step, &"value".into())?.unchecked_into();
        total = total.saturating_add(chunk.length());
        if u64::from(total) > limit {
            return Ok(None);
        }
        chunks.push(chunk);
    }
    let body = Uint8Array::new_with_length(total);
    let mut offset = 0;
    for chunk in chunks {
        body.set(&chunk, offset);
        offset += chunk.length();
    }
    Ok(Some(body))
}
