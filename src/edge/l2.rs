//! L2: KV. Edges read it; the coordinator alone writes it.

use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::edge::js;
use crate::page::{FormatError, PageHead, Prefix};
use crate::semantics::key::PageKey;

/// How long an edge may answer from its own copy of a KV value, in seconds (platform minimum 30).
const CACHE_TTL_SECONDS: u32 = 60;

/// The shortest time after which KV can be told to drop a value (platform minimum).
const MIN_EXPIRATION_SECONDS: i32 = 60;

#[wasm_bindgen]
extern "C" {
    /// A KV namespace.
    #[derive(Clone, Debug)]
    pub(super) type KvNamespace;

    #[wasm_bindgen(method, catch)]
    fn get(this: &KvNamespace, name: &str, options: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(this: &KvNamespace, name: &str, value: &Object, options: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn delete(this: &KvNamespace, name: &str) -> Result<Promise, JsValue>;
}

/// Why L2 did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum L2Error {
    /// KV failed.
    #[error("KV: {0}")]
    Kv(String),
    /// There is no namespace.
    #[error("the binding ISR_CACHE is missing")]
    Unbound,
    /// Part of the page's body is not there.
    #[error("the page is not whole")]
    Partial,
    /// The value is not a page that this code can read.
    #[error("the value is not usable: {0}")]
    Format(#[from] FormatError),
}

impl From<JsValue> for L2Error {
    fn from(error: JsValue) -> Self {
        Self::Kv(js::describe(&error))
    }
}

impl KvNamespace {
    /// Reads a page. Only its header enters Wasm; the body stays the JavaScript buffer that KV gave.
    pub(super) async fn page(&self, key: &PageKey) -> Result<Option<(PageHead, Uint8Array)>, L2Error> {
        let options = Object::new();
        Reflect::set(&options, &"type".into(), &"arrayBuffer".into())?;
        Reflect::set(&options, &"cacheTtl".into(), &CACHE_TTL_SECONDS.into())?;
        let value = JsFuture::from(self.get(&key.kv_name(), &options)?).await?;
        let Ok(buffer) = value.dyn_into::<ArrayBuffer>() else {
            return Ok(None);
        };
        let bytes = Uint8Array::new(&buffer);
        let total = bytes.length() as usize;
        let first = bytes.subarray(0, u32::try_from(Prefix::BYTES).unwrap_or(u32::MAX)).to_vec();
        let body = u32::try_from(Prefix::read(&first)?.body_offset()).unwrap_or(u32::MAX);
        let head = PageHead::decode(&bytes.subarray(0, body).to_vec(), total, key)?;
        Ok(Some((head, bytes.subarray(body, bytes.length()))))
    }

    /// Writes a page.
    pub(super) async fn put_page(&self, head: &PageHead, body: &Uint8Array) -> Result<(), L2Error> {
        let value = js::concat(&head.encode(), body);
        let options = Object::new();
        // KV drops by itself what can't be served any more. It counts in 32 bits, and refuses what is to be kept for longer.
        let left = head.meta.windows.end().map(|end| end.since(js::now()).as_secs());
        if let Some(seconds) = left.and_then(|seconds| i32::try_from(seconds).ok()) {
            Reflect::set(&options, &"expirationTtl".into(), &seconds.max(MIN_EXPIRATION_SECONDS).into())?;
        }
        JsFuture::from(self.put(&head.meta.key.kv_name(), &value, &options)?).await?;
        Ok(())
    }

    /// Deletes a page.
    pub(super) async fn delete_page(&self, key: &PageKey) -> Result<(), L2Error> {
        JsFuture::from(self.delete(&key.kv_name())?).await?;
        Ok(())
    }
}
