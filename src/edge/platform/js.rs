//! The platform's JavaScript functions: time, randomness, timers, buffers, and everything with a `fetch`.

use std::future::Future;
use std::time::Duration;

use futures::future::{Either, select};
use js_sys::{Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Request, Response};
use worker::{Delay, Env};

use crate::semantics::vary::Visitor;
use crate::time::Timestamp;

#[wasm_bindgen]
extern "C" {
    /// A service binding or the stub of a Durable Object.
    #[derive(Clone, Debug)]
    pub(in crate::edge) type Fetcher;

    #[wasm_bindgen(method, catch, js_name = fetch)]
    fn fetch_promise(this: &Fetcher, request: &Request) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_name = fetch)]
    fn global_fetch_promise(request: &Request) -> Result<Promise, JsValue>;

    /// A Durable Object namespace.
    #[derive(Clone, Debug)]
    pub(in crate::edge) type ObjectNamespace;

    #[wasm_bindgen(method, catch, js_name = getByName)]
    pub(in crate::edge) fn get_by_name(this: &ObjectNamespace, name: &str) -> Result<Fetcher, JsValue>;

    #[wasm_bindgen(method, catch, js_name = idFromName)]
    pub(in crate::edge) fn id_from_name(this: &ObjectNamespace, name: &str) -> Result<Object, JsValue>;

    /// A dataset of Workers Analytics Engine.
    pub(in crate::edge) type AnalyticsDataset;

    #[wasm_bindgen(method, catch, js_name = writeDataPoint)]
    pub(in crate::edge) fn write_data_point(this: &AnalyticsDataset, point: &Object) -> Result<(), JsValue>;

    /// The writable side of a stream.
    pub(in crate::edge) type Writable;

    #[wasm_bindgen(method, catch, js_name = getWriter)]
    pub(in crate::edge) fn writer(this: &Writable) -> Result<Writer, JsValue>;

    /// A writer of the stream.
    pub(in crate::edge) type Writer;

    #[wasm_bindgen(method, catch)]
    pub(in crate::edge) fn write(this: &Writer, chunk: &Uint8Array) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(in crate::edge) fn close(this: &Writer) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub(in crate::edge) fn abort(this: &Writer, reason: &JsValue) -> Result<Promise, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["crypto", "subtle"], js_name = digest)]
    fn digest_promise(algorithm: &str, bytes: &Uint8Array) -> Result<Promise, JsValue>;
}

impl Fetcher {
    /// Sends a request and waits for the headers of the response.
    pub(in crate::edge) async fn fetch(&self, request: &Request) -> Result<Response, JsValue> {
        JsFuture::from(self.fetch_promise(request)?).await?.dyn_into()
    }
}

/// The headers of a request, and the platform's data about the client.
pub(in crate::edge) struct RequestHeaders<'a>(pub(in crate::edge) &'a Request);

impl Visitor for RequestHeaders<'_> {
    fn header(&self, name: &str) -> Option<String> {
        self.0.headers().get(name).ok().flatten()
    }

    fn country(&self) -> Option<String> {
        let cf = Reflect::get(self.0, &"cf".into()).ok().filter(JsValue::is_object)?;
        Reflect::get(&cf, &"country".into()).ok()?.as_string()
    }
}

/// Sends a request to the address in its URL.
pub(in crate::edge) async fn fetch(request: &Request) -> Result<Response, JsValue> {
    JsFuture::from(global_fetch_promise(request)?).await?.dyn_into()
}

/// Returns a binding, or `None` if there is none of that name. Its kind can't be checked: classes of bindings are not
/// in scope on the platform.
pub(in crate::edge) fn binding<T: JsCast>(env: &Env, name: &str) -> Option<T> {
    let value = Reflect::get(env, &name.into()).ok()?;
    if value.is_undefined() || value.is_null() { None } else { Some(value.unchecked_into()) }
}

/// Reads the clock. On the platform it stands still between two awaits of I/O.
pub(in crate::edge) fn now() -> Timestamp {
    Timestamp::from_millis(worker::Date::now().as_millis())
}

/// Returns random bits for identifiers and jitter; not for secrets.
pub(in crate::edge) fn random() -> u128 {
    let word = || u128::from(js_sys::Math::random().to_bits());
    word() << 64 ^ word() << 40 ^ word()
}

/// Returns random bits for an identifier that few others have to differ from.
pub(in crate::edge) fn random_bits() -> u64 {
    js_sys::Math::random().to_bits().rotate_left(32) ^ js_sys::Math::random().to_bits()
}

/// Computes the SHA-256 of bytes, which stay in JavaScript.
pub(in crate::edge) async fn sha256(bytes: &Uint8Array) -> Result<[u8; 32], JsValue> {
    let digest = JsFuture::from(digest_promise("SHA-256", bytes)?).await?;
    let mut out = [0; 32];
    let digest = Uint8Array::new(&digest);
    if digest.length() != 32 {
        return Err(JsValue::from_str("a SHA-256 of another length"));
    }
    digest.copy_to(&mut out);
    Ok(out)
}

/// Awaits the bytes of a body: the promise of an `ArrayBuffer`. They stay in JavaScript.
pub(in crate::edge) async fn bytes(buffer: Promise) -> Result<Uint8Array, JsValue> {
    Ok(Uint8Array::new(&JsFuture::from(buffer).await?))
}

/// Ignores the outcome of a promise.
pub(in crate::edge) fn forget(promise: Promise) {
    spawn_local(async move {
        let _ = JsFuture::from(promise).await;
    });
}

/// Awaits a future for at most `limit`.
pub(in crate::edge) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let future = std::pin::pin!(future);
    match select(future, Delay::from(limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}

/// Returns the message of a JavaScript error, for the log.
pub(in crate::edge) fn describe(value: &JsValue) -> String {
    let message = || value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    value.as_string().or_else(message).unwrap_or_else(|| format!("{value:?}"))
}

/// Concatenates Rust bytes and a JavaScript buffer; the buffer is copied only within JavaScript.
pub(in crate::edge) fn concat(head: &[u8], body: &Uint8Array) -> Uint8Array {
    let head_length = u32::try_from(head.len()).unwrap_or(u32::MAX);
    let out = Uint8Array::new_with_length(head_length.saturating_add(body.length()));
    out.subarray(0, head_length).copy_from(head);
    out.set(body, head_length);
    out
}
