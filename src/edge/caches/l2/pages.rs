//! Pages in L2: their format, for any store.

use std::rc::Rc;

use js_sys::Uint8Array;
use thiserror::Error;

use super::{L2, L2Error, PutOptions};
use crate::edge::platform::js;
use crate::page::{FormatError, PageHead, Prefix};
use crate::semantics::key::PageKey;
use crate::version::Version;

/// L2, as a store of pages.
pub(in crate::edge) struct Pages(Rc<dyn L2>);

/// Why a page could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::edge) enum PageError {
    /// The store refuses or fails.
    #[error(transparent)]
    Store(#[from] L2Error),
    /// The page's body is incomplete.
    #[error("the page is incomplete")]
    Partial,
    /// This code can't read the value as a page.
    #[error("the value is not usable: {0}")]
    Format(#[from] FormatError),
}

impl Pages {
    /// Keeps pages in a store.
    pub(in crate::edge) fn new(store: Rc<dyn L2>) -> Self {
        Self(store)
    }

    pub(in crate::edge) fn of(store: impl L2 + 'static) -> Self {
        Self(Rc::new(store))
    }

    /// Reads a page. Only its header enters Wasm; the body stays in the store's JavaScript buffer.
    pub(in crate::edge) async fn get(&self, key: &PageKey) -> Result<Option<(PageHead, Uint8Array)>, PageError> {
        let Some(bytes) = self.0.get(&key.kv_name()).await? else {
            return Ok(None);
        };
        let total = bytes.length() as usize;
        let first = bytes.subarray(0, u32::try_from(Prefix::BYTES).unwrap_or(u32::MAX)).to_vec();
        let body = u32::try_from(Prefix::read(&first)?.body_offset()).unwrap_or(u32::MAX);
        let head = PageHead::decode(&bytes.subarray(0, body).to_vec(), total, key)?;
        Ok(Some((head, bytes.subarray(body, bytes.length()))))
    }

    /// Writes a page.
    pub(in crate::edge) async fn put(&self, head: &PageHead, body: &Uint8Array) -> Result<(), PageError> {
        let value = js::concat(&head.encode(), body);
        let options = PutOptions { version: head.meta.version, expires_at: head.meta.windows.end() };
        Ok(self.0.put(&head.meta.key.kv_name(), &value, options).await?)
    }

    /// Deletes a page, unless it is newer than `up_to`.
    pub(in crate::edge) async fn delete(&self, key: &PageKey, up_to: Version) -> Result<(), PageError> {
        Ok(self.0.delete(&key.kv_name(), up_to).await?)
    }
}
