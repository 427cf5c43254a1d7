//! KV, with R2 for values above KV's limit.
//!
//! A value above KV's limit goes into R2, and KV stores [`ELSEWHERE`] in its place. So a page in KV, and a page that
//! does not exist, take one look-up. R2 is written first, so that a pointer in KV always has a target. KV may still
//! show a pointer when R2 has a newer page or none; the pointer then leads to that page or to none, because each value
//! identifies itself.
//!
//! A page that fits into KV again leaves its older value in R2 until the page is deleted or a lifecycle rule deletes
//! it. Nothing points to that value.

use js_sys::Uint8Array;

use super::kv::{KvStore, MAX_VALUE_BYTES};
use super::r2::R2Store;
use super::{L2, L2Future, PutOptions};
use crate::page::ELSEWHERE;
use crate::version::Version;

/// KV, with R2 for values above KV's limit.
pub(super) struct Overflow {
    kv: KvStore,
    bucket: R2Store,
}

impl Overflow {
    pub(super) fn new(kv: KvStore, bucket: R2Store) -> Self {
        Self { kv, bucket }
    }
}

impl L2 for Overflow {
    fn get<'a>(&'a self, name: &'a str) -> L2Future<'a, Option<Uint8Array>> {
        Box::pin(async move {
            match self.kv.get(name).await? {
                Some(value) if is_elsewhere(&value) => self.bucket.get(name).await,
                found => Ok(found),
            }
        })
    }

    fn put<'a>(&'a self, name: &'a str, value: &'a Uint8Array, options: PutOptions) -> L2Future<'a, ()> {
        Box::pin(async move {
            if value.length() <= MAX_VALUE_BYTES {
                return self.kv.put(name, value, options).await;
            }
            self.bucket.put(name, value, options).await?;
            self.kv.put(name, &Uint8Array::from(ELSEWHERE.as_slice()), options).await
        })
    }

    fn delete<'a>(&'a self, name: &'a str, up_to: Version) -> L2Future<'a, ()> {
        Box::pin(async move {
            self.kv.delete(name, up_to).await?;
            self.bucket.delete(name, up_to).await
        })
    }
}

fn is_elsewhere(value: &Uint8Array) -> bool {
    value.length() as usize == ELSEWHERE.len() && value.to_vec() == ELSEWHERE
}
