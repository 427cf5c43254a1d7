//! L2: the store of pages that all colos share. Edges read it; only the coordinator writes it.
//!
//! | store | setting | binding |
//! |---|---|---|
//! | KV | `l2 = "kv"` (default) | `ISR_CACHE` |
//! | KV, and R2 for pages above KV's limit | the same | `ISR_BUCKET` as well |
//! | R2 | `l2 = "r2"` | `ISR_BUCKET` |
//! | one of your own | [`set_l2`] | your own |
//!
//! A store knows names and bytes. The code in `pages` above it knows the format of a page, and checks the bytes.

mod kv;
mod overflow;
mod pages;
mod r2;
mod shared;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::Uint8Array;
use thiserror::Error;
use wasm_bindgen::JsValue;
use worker::Env;

use self::kv::KvStore;
use self::overflow::Overflow;
pub(in crate::edge) use self::pages::{PageError, Pages};
use self::r2::R2Store;
pub(in crate::edge) use self::shared::{SharedPage, read_shared};
use crate::config::{Binding, L2Kind};
use crate::edge::platform::js;
use crate::time::Timestamp;
use crate::version::Version;

thread_local! {
    static INSTALLED: Cell<Option<L2Factory>> = const { Cell::new(None) };
}

/// The options of a write, besides name and bytes.
///
/// ```
/// use cloudflare_isr::PutOptions;
///
/// /// The metadata that a store keeps beside a value.
/// fn metadata(options: &PutOptions) -> (String, Option<u64>) {
///     (options.version.to_string(), options.expires_at.map(|time| time.as_millis()))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// The version of the value. Versions rise: a lower one is older.
    pub version: Version,
    /// The time after which the value is of no use, so that the store may delete it; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// Why a store did not perform an operation.
///
/// ```
/// use cloudflare_isr::L2Error;
///
/// fn failed(error: worker::Error) -> L2Error {
///     L2Error::Failed(error.to_string())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum L2Error {
    /// A binding is missing.
    #[error("the binding {0} is missing")]
    Unbound(String),
    /// The store failed. The message is the store's own, for the log.
    #[error("{0}")]
    Failed(String),
    /// The store has a newer value, or got one in between.
    #[error("a newer version is there")]
    Newer,
}

impl From<JsValue> for L2Error {
    fn from(error: JsValue) -> Self {
        Self::Failed(js::describe(&error))
    }
}

/// The result of a method of [`L2`]: a boxed future, so that the store can be chosen at run time.
///
/// ```
/// use cloudflare_isr::{L2Future, Version};
///
/// fn delete<'a>(_name: &'a str, _up_to: Version) -> L2Future<'a, ()> {
///     Box::pin(async { Ok(()) })
/// }
/// ```
pub type L2Future<'a, T> = Pin<Box<dyn Future<Output = Result<T, L2Error>> + 'a>>;

/// A store for pages that all colos share.
///
/// Names are at most 512 bytes of UTF-8. Values have up to 25 MiB, or up to `max_body_bytes` and 64 KiB. They stay
/// JavaScript buffers that Wasm does not read. A store may have weak consistency and need not expire values: each value
/// contains its version and its end, and the coordinator knows which pages exist. A store that shows old values for
/// long causes coordinators to answer more requests.
///
/// A failure is an error, never a panic, and loses no page: a failed read counts as a miss, and a failed write is
/// repeated after a pause until it succeeds.
///
/// ```no_run
/// use std::rc::Rc;
///
/// use cloudflare_isr::{L2, L2Error, L2Future, PutOptions, Version, set_l2};
/// use worker::js_sys::Uint8Array;
/// use worker::kv::KvStore;
/// use worker::{Env, event};
///
/// /// Another KV namespace, shared with other Workers: names begin with `isr/`.
/// struct Shared(KvStore);
///
/// fn failed(error: impl ToString) -> L2Error {
///     L2Error::Failed(error.to_string())
/// }
///
/// impl L2 for Shared {
///     fn get<'a>(&'a self, name: &'a str) -> L2Future<'a, Option<Uint8Array>> {
///         Box::pin(async move {
///             let bytes = self.0.get(&format!("isr/{name}")).bytes().await.map_err(failed)?;
///             Ok(bytes.map(|bytes| Uint8Array::from(bytes.as_slice())))
///         })
///     }
///
///     fn put<'a>(&'a self, name: &'a str, value: &'a Uint8Array, _: PutOptions) -> L2Future<'a, ()> {
///         Box::pin(async move {
///             let put = self.0.put_bytes(&format!("isr/{name}"), &value.to_vec()).map_err(failed)?;
///             put.execute().await.map_err(failed)
///         })
///     }
///
///     fn delete<'a>(&'a self, name: &'a str, _: Version) -> L2Future<'a, ()> {
///         Box::pin(async move { self.0.delete(&format!("isr/{name}")).await.map_err(failed) })
///     }
/// }
///
/// /// Runs whenever the code is loaded, for edges and objects.
/// #[event(start)]
/// fn start() {
///     set_l2(|env: &Env| Ok(Rc::new(Shared(env.kv("SHARED").map_err(failed)?))));
/// }
/// # fn main() {}
/// ```
pub trait L2 {
    /// Reads the value under a name; `None` if there is none.
    fn get<'a>(&'a self, name: &'a str) -> L2Future<'a, Option<Uint8Array>>;

    /// Writes a value. A store that can compare versions keeps a newer value, and fails with [`L2Error::Newer`].
    fn put<'a>(&'a self, name: &'a str, value: &'a Uint8Array, options: PutOptions) -> L2Future<'a, ()>;

    /// Deletes the value under a name. Succeeds if there is none. A store that can compare versions keeps a value that
    /// is newer than `up_to`, and succeeds.
    fn delete<'a>(&'a self, name: &'a str, up_to: Version) -> L2Future<'a, ()>;
}

/// Makes a store from the bindings of a Worker. It is called for each use, so it should only look bindings up.
///
/// ```
/// use cloudflare_isr::{L2Error, L2Factory};
///
/// /// Pages are kept nowhere but in L1 and in the coordinators.
/// const NONE: L2Factory = |_env| Err(L2Error::Unbound("SHARED".to_owned()));
/// ```
pub type L2Factory = fn(&Env) -> Result<Rc<dyn L2>, L2Error>;

/// Stores pages in a store of your own, in place of the setting `l2`. Then `ISR_CACHE` and `ISR_BUCKET` need not be
/// bound.
///
/// Call it in `#[event(start)]`. Edges and objects run the same module, but not the same instance of it, and each
/// instance must have the store before its first request. See [`L2`] for an example.
///
/// ```no_run
/// use cloudflare_isr::{L2Factory, set_l2};
///
/// // With #[worker::event(start)]
/// fn start(factory: L2Factory) {
///     set_l2(factory);
/// }
/// ```
pub fn set_l2(factory: L2Factory) {
    INSTALLED.set(Some(factory));
}

/// Returns whether the Worker has a store of its own, in place of the setting `l2`.
pub(in crate::edge) fn is_own() -> bool {
    INSTALLED.get().is_some()
}

/// Opens L2.
pub(in crate::edge) fn open(env: &Env, kind: L2Kind) -> Result<Pages, L2Error> {
    if let Some(factory) = INSTALLED.get() {
        return factory(env).map(Pages::new);
    }
    let unbound = |binding: Binding| L2Error::Unbound(binding.default_name().to_owned());
    let bucket: Option<R2Store> = js::binding(env, Binding::Bucket.default_name()).map(R2Store::new);
    match kind {
        L2Kind::R2 => bucket.map(Pages::of).ok_or_else(|| unbound(Binding::Bucket)),
        L2Kind::Kv => {
            let kv = js::binding(env, Binding::Cache.default_name()).map(KvStore::new);
            let kv = kv.ok_or_else(|| unbound(Binding::Cache))?;
            Ok(match bucket {
                Some(bucket) => Pages::of(Overflow::new(kv, bucket)),
                None => Pages::of(kv),
            })
        }
    }
}
