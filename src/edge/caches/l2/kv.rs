//! KV as L2. It accepts one write per second and name, and other colos see a write after a minute or more (platform
//! limits).

use js_sys::{ArrayBuffer, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::{L2, L2Future, PutOptions};
use crate::edge::platform::js;
use crate::version::Version;

/// The most bytes of a value (platform limit).
pub(super) const MAX_VALUE_BYTES: u32 = 25 * 1024 * 1024;

/// How long an edge may answer from its own copy of a KV value, in seconds (platform minimum 30).
const CACHE_TTL_SECONDS: u32 = 60;

/// The shortest expiration of a KV value (platform minimum).
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

/// A KV namespace with pages. KV can't compare versions: the last write wins.
pub(super) struct KvStore(KvNamespace);

impl KvStore {
    pub(super) fn new(namespace: KvNamespace) -> Self {
        Self(namespace)
    }
}

impl L2 for KvStore {
    fn get<'a>(&'a self, name: &'a str) -> L2Future<'a, Option<Uint8Array>> {
        Box::pin(async move {
            let options = Object::new();
            Reflect::set(&options, &"type".into(), &"arrayBuffer".into())?;
            Reflect::set(&options, &"cacheTtl".into(), &CACHE_TTL_SECONDS.into())?;
            let value = JsFuture::from(self.0.get(name, &options)?).await?;
            Ok(value.dyn_into::<ArrayBuffer>().ok().map(|buffer| Uint8Array::new(&buffer)))
        })
    }

    fn put<'a>(&'a self, name: &'a str, value: &'a Uint8Array, put: PutOptions) -> L2Future<'a, ()> {
        Box::pin(async move {
            let options = Object::new();
            // KV deletes a value once it can't be served any more. The expiration is a 32-bit number; KV rejects larger
            // ones.
            let left = put.expires_at.map(|end| end.since(js::now()).as_secs());
            if let Some(seconds) = left.and_then(|seconds| i32::try_from(seconds).ok()) {
                Reflect::set(&options, &"expirationTtl".into(), &seconds.max(MIN_EXPIRATION_SECONDS).into())?;
            }
            JsFuture::from(self.0.put(name, value, &options)?).await?;
            Ok(())
        })
    }

    fn delete<'a>(&'a self, name: &'a str, _: Version) -> L2Future<'a, ()> {
        Box::pin(async move {
            JsFuture::from(self.0.delete(name)?).await?;
            Ok(())
        })
    }
}
