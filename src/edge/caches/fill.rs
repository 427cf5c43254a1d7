//! Fills L1 with the page of a coordinator's answer, behind the response to the client.
//!
//! A body goes into L1 once all of its bytes have arrived. If the Cache API gets a stream, it may keep a body that
//! broke off, and such a body looks like a complete one later. So the bytes are collected here, in JavaScript:
//!
//! | what | then |
//! |---|---|
//! | the body breaks off, or has another length than announced | nothing is stored |
//! | it is over `max_body_bytes` | a hit-for-pass marker is stored: the coordinator does not store the page either |
//! | another request of this isolate is collecting the same page | that request stores it |
//! | this isolate is collecting too many bytes | nothing is stored: L2 will have the page |
//! | the platform ends a request while it collects | its share is free again after [`LONGEST`] |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response};

use crate::account::Account;
use crate::config::Config;
use crate::deployment::DeploymentId;
use crate::edge::body::Chunk;
use crate::edge::body::source::Source;
use crate::edge::caches::l1;
use crate::edge::memory;
use crate::edge::platform::js;
use crate::edge::settings::Settings;
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::semantics::etag;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::PassMarker;

/// The most pages that this isolate collects at a time.
const MAX_PAGES: usize = 100;

/// How long a page counts as being collected: longer than any request continues behind its response.
const LONGEST: Duration = Duration::from_mins(2);

thread_local! {
    /// The pages that are being collected, by deployment. They share the isolate's room.
    static FILLS: RefCell<BTreeMap<(DeploymentId, PageKey), Share>> = const { RefCell::new(BTreeMap::new()) };
}

/// The share of a fill that is under way.
struct Share {
    bytes: Account,
    until: Timestamp,
    /// Identifies this fill of the key: a later one may have replaced it.
    since: Timestamp,
}

/// The right to fill L1 with a page, given to one request at a time.
pub(in crate::edge) struct Fill {
    key: (DeploymentId, PageKey),
    since: Timestamp,
}

/// The result of collecting a body.
enum CollectResult {
    Whole(Uint8Array),
    OverBound,
    NoRoom,
    OtherLength,
}

impl Fill {
    /// Begins to fill L1 with a page, unless another request does so or there is no room.
    pub(in crate::edge) fn begin(deployment: DeploymentId, key: &PageKey) -> Option<Self> {
        let (since, key) = (js::now(), (deployment, key.clone()));
        FILLS.with_borrow_mut(|fills| {
            fills.retain(|_, share| share.until > since);
            if fills.len() >= MAX_PAGES || fills.contains_key(&key) {
                return None;
            }
            fills.insert(key.clone(), Share { bytes: memory::fill(), until: since.plus(LONGEST), since });
            Some(Self { key, since })
        })
    }

    /// Puts the page of an answer into L1 once all of it has arrived.
    pub(in crate::edge) async fn run(self, settings: &Settings, meta: &PageMeta, answer: &Response) {
        let key = &self.key.1;
        match self.collect(&settings.config, meta, answer).await {
            Ok(CollectResult::Whole(body)) => {
                let meta = PageMeta { body_bytes: Some(body.bytes()), ..meta.clone() };
                match headers_of_whole(&meta, answer, &body).await {
                    Ok(headers) => l1::put_page(settings, &meta, &headers, &body, js::now()).await,
                    Err(error) => worker::console_warn!("L1: {key}: {}", js::describe(&error)),
                }
            }
            Ok(CollectResult::OverBound) => {
                let now = js::now();
                let mark =
                    PassMarker { since: now, until: now.plus(settings.config.pass_ttl), reason: Reason::TooLarge };
                l1::put_pass(settings, key, mark, now).await;
            }
            Ok(CollectResult::NoRoom) => {}
            Ok(CollectResult::OtherLength) => worker::console_error!("L1: {key}: the body has another length"),
            Err(error) => worker::console_warn!("L1: {key}: {}", js::describe(&error)),
        }
    }

    async fn collect(&self, config: &Config, meta: &PageMeta, answer: &Response) -> Result<CollectResult, JsValue> {
        if let Some(bytes) = meta.body_bytes {
            // The platform collects a body of known length more cheaply than this code can.
            if !self.take(bytes) {
                return Ok(CollectResult::NoRoom);
            }
            let body = js::bytes(answer.array_buffer()?).await?;
            return Ok(if body.bytes() == bytes { CollectResult::Whole(body) } else { CollectResult::OtherLength });
        }
        let source = Source::of(answer.body())?;
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = source.next().await? {
            bytes += piece.bytes();
            if bytes > config.max_body_bytes {
                return Ok(CollectResult::OverBound);
            }
            if !self.take(piece.bytes()) {
                return Ok(CollectResult::NoRoom);
            }
            pieces.push(piece);
        }
        Ok(CollectResult::Whole(Uint8Array::join(pieces.iter(), bytes)))
    }

    /// Reserves room for more bytes. Returns whether there was any.
    fn take(&self, bytes: u64) -> bool {
        FILLS.with_borrow(|fills| {
            let share = fills.get(&self.key).filter(|share| share.since == self.since);
            share.is_some_and(|share| share.bytes.take(bytes))
        })
    }
}

/// Returns the headers of a complete page. A page that was sent while it was rendered has only the origin's entity tag,
/// if any. The coordinator computes the same entity tag from the same bytes.
async fn headers_of_whole(meta: &PageMeta, answer: &Response, body: &Uint8Array) -> Result<Headers, JsValue> {
    let headers = Headers::new_with_headers(&answer.headers())?;
    if etag::is_lacking(meta.status, headers.get("etag")?.as_deref()) {
        let body_sha256 = js::sha256(body).await?;
        headers.set("etag", &etag::of_page(&body_sha256, |name| headers.get(name).ok().flatten()))?;
    }
    Ok(headers)
}

impl Drop for Fill {
    fn drop(&mut self) {
        FILLS.with_borrow_mut(|fills| {
            if fills.get(&self.key).is_some_and(|share| share.since == self.since) {
                fills.remove(&self.key);
            }
        });
    }
}
