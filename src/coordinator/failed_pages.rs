//! The last responses of a failing origin, which clients receive while its pages may not be rendered again.
//!
//! They are in memory only. If the object dies, clients receive a 503 of this cache until the next render.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::account::Account;
use crate::page::PageMeta;
use crate::semantics::key::PageKey;

/// Limits the responses held.
const MAX_PAGES: usize = 64;

/// Limits the bytes of one body.
const MAX_PAGE_BYTES: u64 = 128 * 1024;

/// Limits the bytes of all bodies together.
const MAX_BYTES: u64 = 1024 * 1024;

/// Holds one response for each page. Over a limit, it evicts the one that is oldest. `B` holds the headers and the body,
/// and is cheap to clone.
#[derive(Debug)]
pub(super) struct FailedPages<B> {
    pages: BTreeMap<PageKey, (PageMeta, B)>,
    account: Account,
}

impl<B> Default for FailedPages<B> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), account: Account::new(MAX_BYTES) }
    }
}

impl<B> FailedPages<B> {
    /// Makes an empty collection whose bytes are part of an isolate's.
    pub(super) fn in_isolate(memory: &Rc<Account>) -> Self {
        Self { account: Account::part_of(memory, MAX_BYTES), ..Self::default() }
    }
}

impl<B: Clone> FailedPages<B> {
    /// Holds a response in place of an earlier one.
    pub(super) fn put(&mut self, key: &PageKey, (meta, content): &(PageMeta, B)) {
        self.remove(key);
        let bytes = bytes_of(meta);
        if bytes > MAX_PAGE_BYTES {
            return;
        }
        self.account.add(bytes);
        self.pages.insert(key.clone(), (meta.clone(), content.clone()));
        while self.account.is_over() || self.pages.len() > MAX_PAGES {
            let oldest = self.pages.iter().min_by_key(|(_, (meta, _))| meta.version).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            self.remove(&oldest);
        }
    }

    /// Returns the last response for a page.
    pub(super) fn get(&self, key: &PageKey) -> Option<&(PageMeta, B)> {
        self.pages.get(key)
    }

    /// Removes the response for a page.
    pub(super) fn remove(&mut self, key: &PageKey) {
        if let Some((meta, _)) = self.pages.remove(key) {
            self.account.release(bytes_of(&meta));
        }
    }
}

/// Returns the bytes of a body. One of unknown length has not arrived completely, and is too large.
fn bytes_of(meta: &PageMeta) -> u64 {
    meta.body_bytes.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::client_rules::ClientRules;
    use crate::semantics::freshness::Windows;
    use crate::time::Timestamp;
    use crate::version::Version;

    fn page(name: u64, body_bytes: Option<u64>) -> PageMeta {
        let at = Timestamp::from_millis(name);
        PageMeta {
            key: PageKey::from_stored(&format!("https://e.com/{name}")).unwrap(),
            version: Version::from_parts(at, 0),
            status: 503,
            rendered_at: at,
            windows: Windows { fresh_until: Some(at), stale_until: Some(at), error_until: Some(at) },
            tags: vec![],
            body_bytes,
            digest: None,
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        }
    }

    fn put(failed: &mut FailedPages<u64>, name: u64, body_bytes: Option<u64>) {
        let page = page(name, body_bytes);
        failed.put(&page.key.clone(), &(page, name));
    }

    fn has(failed: &FailedPages<u64>, name: u64) -> bool {
        failed.get(&page(name, None).key).is_some_and(|(_, content)| *content == name)
    }

    #[test]
    fn responses_are_bounded_by_number_and_by_bytes_and_the_oldest_leaves_first() {
        let mut failed = FailedPages::default();
        for (name, body_bytes) in [(0, Some(0)), (1, Some(MAX_PAGE_BYTES)), (2, Some(MAX_PAGE_BYTES + 1)), (3, None)] {
            put(&mut failed, name, body_bytes);
        }
        assert_eq!([0, 1, 2, 3].map(|name| has(&failed, name)), [true, true, false, false]);
        for name in 10..10 + MAX_BYTES / MAX_PAGE_BYTES {
            put(&mut failed, name, Some(MAX_PAGE_BYTES));
        }
        assert_eq!([0, 1, 10, 17].map(|name| has(&failed, name)), [false, false, true, true]);
        failed.remove(&page(10, None).key);
        assert_eq!(failed.account.held(), 7 * MAX_PAGE_BYTES);
        for name in 100..200 {
            put(&mut failed, name, Some(1));
        }
        assert_eq!(failed.pages.len(), MAX_PAGES);
        assert_eq!([135, 136, 199].map(|name| has(&failed, name)), [false, true, true]);
        put(&mut failed, 199, None);
        assert!(!has(&failed, 199), "the earlier response is not the last one any more");
    }
}
