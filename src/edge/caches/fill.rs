//! What goes into L1 of a coordinator's answer, behind the response to the visitor.
//!
//! A body is put there once all of its bytes have come. Given a stream, the Cache API may keep a body that has broken
//! off, and there is no telling it from a whole one later. So the bytes are collected here, in JavaScript:
//!
//! | what | then |
//! |---|---|
//! | the body breaks off, or has not the length that was announced | nothing is put |
//! | it is over `max_body_bytes` | a pass mark is put: the coordinator does not store it either |
//! | the same page is being collected already, by another request of this isolate | that one puts it |
//! | too many bytes are being collected by this isolate | nothing is put: L2 will have the page |
//! | a request is ended by the platform in the middle of it | its share is free again after [`LONGEST`] |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Response};

use crate::config::Config;
use crate::edge::body::Chunk;
use crate::edge::body::source::Source;
use crate::edge::caches::l1;
use crate::edge::platform::js;
use crate::page::PageMeta;
use crate::semantics::etag;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::PassMark;

/// The most bytes that this isolate collects at a time: it has 128 MB in all (platform limit).
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The most pages that this isolate collects at a time.
const MAX_PAGES: usize = 100;

/// How long a page counts as being collected: longer than any request goes on behind its response.
const LONGEST: Duration = Duration::from_mins(2);

thread_local! {
    /// The pages that are being collected.
    static FILLS: RefCell<BTreeMap<PageKey, Share>> = const { RefCell::new(BTreeMap::new()) };
}

/// What a fill that is under way takes.
struct Share {
    bytes: u64,
    until: Timestamp,
    /// Which fill of this key it is: a later one may have taken its place.
    since: Timestamp,
}

/// The right to fill L1 with a page, given to one request at a time.
pub(in crate::edge) struct Fill {
    key: PageKey,
    since: Timestamp,
}

/// What has come of collecting a body.
enum Collected {
    Whole(Uint8Array),
    OverBound,
    NoRoom,
    OtherLength,
}

impl Fill {
    /// Begins to fill L1 with a page, unless that is being done or there is no room for more.
    pub(in crate::edge) fn begin(key: &PageKey) -> Option<Self> {
        let since = js::now();
        FILLS.with_borrow_mut(|fills| {
            fills.retain(|_, share| share.until > since);
            if fills.len() >= MAX_PAGES || fills.contains_key(key) {
                return None;
            }
            fills.insert(key.clone(), Share { bytes: 0, until: since.plus(LONGEST), since });
            Some(Self { key: key.clone(), since })
        })
    }

    /// Puts the page of an answer into L1 when all of it has come.
    pub(in crate::edge) async fn run(self, config: &Config, meta: &PageMeta, answer: &Response) {
        match self.collect(config, meta, answer).await {
            Ok(Collected::Whole(body)) => {
                let meta = PageMeta { body_bytes: Some(body.bytes()), ..meta.clone() };
                match headers_of_whole(&meta, answer, &body).await {
                    Ok(headers) => l1::put_page(config, &meta, &headers, &body, js::now()).await,
                    Err(error) => worker::console_warn!("L1: {}: {}", self.key, js::describe(&error)),
                }
            }
            Ok(Collected::OverBound) => {
                let now = js::now();
                let mark = PassMark { since: now, until: now.plus(config.pass_ttl) };
                l1::put_pass(config, &self.key, mark, now).await;
            }
            Ok(Collected::NoRoom) => {}
            Ok(Collected::OtherLength) => worker::console_error!("L1: {}: the answer has another length", self.key),
            Err(error) => worker::console_warn!("L1: {}: {}", self.key, js::describe(&error)),
        }
    }

    async fn collect(&self, config: &Config, meta: &PageMeta, answer: &Response) -> Result<Collected, JsValue> {
        if let Some(bytes) = meta.body_bytes {
            // The platform collects what has a known length more cheaply than we can.
            if !self.take(bytes) {
                return Ok(Collected::NoRoom);
            }
            let body = js::bytes(answer.array_buffer()?).await?;
            return Ok(if body.bytes() == bytes { Collected::Whole(body) } else { Collected::OtherLength });
        }
        let source = Source::of(answer.body())?;
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        while let Some(piece) = source.next().await? {
            bytes += piece.bytes();
            if bytes > config.max_body_bytes {
                return Ok(Collected::OverBound);
            }
            if !self.take(piece.bytes()) {
                return Ok(Collected::NoRoom);
            }
            pieces.push(piece);
        }
        Ok(Collected::Whole(Uint8Array::join(pieces.iter(), bytes)))
    }

    /// Takes room for more bytes, if there is any.
    fn take(&self, bytes: u64) -> bool {
        FILLS.with_borrow_mut(|fills| {
            let taken: u64 = fills.values().map(|share| share.bytes).sum();
            if taken + bytes > MAX_BYTES {
                return false;
            }
            if let Some(share) = fills.get_mut(&self.key).filter(|share| share.since == self.since) {
                share.bytes += bytes;
            }
            true
        })
    }
}

/// Returns the headers of a page that is all here. An answer that came while the page was rendered has no entity tag but
/// the site's own: the coordinator makes the same one of the same bytes.
async fn headers_of_whole(meta: &PageMeta, answer: &Response, body: &Uint8Array) -> Result<Headers, JsValue> {
    let headers = Headers::new_with_headers(&answer.headers())?;
    if etag::is_lacking(meta.status, headers.get("etag")?.as_deref()) {
        let body_sha256 = js::sha256(body).await?;
        headers.set("etag", &etag::of_body(&body_sha256, headers.get("content-type")?.as_deref()))?;
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
