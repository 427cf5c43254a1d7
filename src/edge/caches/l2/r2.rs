//! R2 as L2. Every colo sees a write at once, and writes are conditional, so that an older page never replaces a newer
//! one.
//!
//! | stored | written | what happens |
//! |---|---|---|
//! | nothing | any version | written, on condition that there is still nothing |
//! | an older version, or a foreign object | a newer one | written, on condition that the same object is still there |
//! | the same version | the same | nothing: the write is a repetition of one that succeeded |
//! | a newer version | an older one | refused |
//! | a condition does not hold any more | any version | refused: the coordinator tries again |
//!
//! R2 has no conditional deletion. The stored object is checked first; an object that is written between the check and
//! the deletion is deleted as well. That costs a render: the coordinator knows that the page exists, and edges that
//! don't find it ask the coordinator.

use js_sys::{Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Headers;

use super::{L2, L2Error, L2Future, PutOptions};
use crate::edge::platform::js;
use crate::version::Version;

/// The name of the version in an object's metadata.
const VERSION: &str = "version";

#[wasm_bindgen]
extern "C" {
    /// An R2 bucket.
    #[derive(Clone, Debug)]
    pub(super) type R2Bucket;

    #[wasm_bindgen(method, catch)]
    fn head(this: &R2Bucket, name: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn get(this: &R2Bucket, name: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn put(this: &R2Bucket, name: &str, value: &Uint8Array, options: &Object) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn delete(this: &R2Bucket, name: &str) -> Result<Promise, JsValue>;

    /// The metadata of an object, and, after a get, its bytes.
    type R2Object;

    #[wasm_bindgen(method, getter, js_name = httpEtag)]
    fn http_etag(this: &R2Object) -> String;

    #[wasm_bindgen(method, getter, js_name = customMetadata)]
    fn custom_metadata(this: &R2Object) -> JsValue;

    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    fn array_buffer(this: &R2Object) -> Result<Promise, JsValue>;
}

/// A bucket with pages.
pub(super) struct R2Store(R2Bucket);

impl R2Store {
    pub(super) fn new(bucket: R2Bucket) -> Self {
        Self(bucket)
    }

    async fn look_at(&self, name: &str) -> Result<Option<R2Object>, L2Error> {
        Ok(object(JsFuture::from(self.0.head(name)?).await?))
    }
}

impl L2 for R2Store {
    fn get<'a>(&'a self, name: &'a str) -> L2Future<'a, Option<Uint8Array>> {
        Box::pin(async move {
            let Some(object) = object(JsFuture::from(self.0.get(name)?).await?) else {
                return Ok(None);
            };
            Ok(Some(js::bytes(object.array_buffer()?).await?))
        })
    }

    fn put<'a>(&'a self, name: &'a str, value: &'a Uint8Array, put: PutOptions) -> L2Future<'a, ()> {
        Box::pin(async move {
            let condition = Headers::new()?;
            match self.look_at(name).await? {
                None => condition.set("if-none-match", "*")?,
                Some(there) => {
                    let stored = version(&there);
                    if stored == Some(put.version) {
                        return Ok(());
                    }
                    if !put.version.replaces(stored) {
                        return Err(L2Error::Newer);
                    }
                    condition.set("if-match", &there.http_etag())?;
                }
            }
            let (options, metadata) = (Object::new(), Object::new());
            Reflect::set(&metadata, &VERSION.into(), &put.version.to_string().into())?;
            Reflect::set(&options, &"customMetadata".into(), &metadata)?;
            Reflect::set(&options, &"onlyIf".into(), &condition)?;
            // A condition that does not hold is no exception: R2 returns no object.
            match object(JsFuture::from(self.0.put(name, value, &options)?).await?) {
                Some(_) => Ok(()),
                None => Err(L2Error::Newer),
            }
        })
    }

    fn delete<'a>(&'a self, name: &'a str, up_to: Version) -> L2Future<'a, ()> {
        Box::pin(async move {
            match self.look_at(name).await? {
                Some(there) if version(&there).is_none_or(|there| there <= up_to) => {
                    JsFuture::from(self.0.delete(name)?).await?;
                }
                Some(_) | None => {}
            }
            Ok(())
        })
    }
}

fn object(value: JsValue) -> Option<R2Object> {
    value.is_object().then(|| value.unchecked_into())
}

/// Returns the version of an object; `None` if this cache did not write it.
fn version(object: &R2Object) -> Option<Version> {
    let metadata = Some(object.custom_metadata()).filter(JsValue::is_object)?;
    Version::parse(&Reflect::get(&metadata, &VERSION.into()).ok()?.as_string()?)
}
