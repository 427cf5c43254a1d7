//! The bytes that a coordinator holds of the pages that it has rendered, until L2 shows them everywhere.

use std::collections::BTreeMap;

use js_sys::Uint8Array;

use crate::page::PageHead;
use crate::semantics::key::PageKey;
use crate::version::Version;

/// The most bytes held: a Durable Object has 128 MB in all (platform limit), and shares them with others.
const MAX_BYTES: u64 = 24 * 1024 * 1024;

/// A page with its bytes. Cloning it copies no bytes of the body: it stays in JavaScript.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    /// Meta and headers.
    pub(super) head: PageHead,
    /// The body.
    pub(super) body: Uint8Array,
}

/// Pages by key, the one longest unused leaving first when there are too many bytes.
#[derive(Debug, Default)]
pub(super) struct Held {
    pages: BTreeMap<PageKey, (u64, Rendered)>,
    bytes: u64,
    uses: u64,
}

impl Held {
    /// Holds a page in place of an earlier version.
    pub(super) fn put(&mut self, page: Rendered) {
        let key = page.head.meta.key.clone();
        self.remove(&key);
        self.bytes += page.head.meta.body_bytes;
        self.uses += 1;
        self.pages.insert(key.clone(), (self.uses, page));
        while self.bytes > MAX_BYTES {
            let oldest = self.pages.iter().filter(|(k, _)| **k != key).min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            self.remove(&oldest);
        }
    }

    /// Returns a page if it is held in this version.
    pub(super) fn get(&mut self, key: &PageKey, version: Version) -> Option<Rendered> {
        self.uses += 1;
        let (used, page) = self.pages.get_mut(key).filter(|(_, page)| page.head.meta.version == version)?;
        *used = self.uses;
        Some(page.clone())
    }

    /// Lets go of a page.
    pub(super) fn remove(&mut self, key: &PageKey) {
        if let Some((_, page)) = self.pages.remove(key) {
            self.bytes -= page.head.meta.body_bytes;
        }
    }
}
