//! The pages that a coordinator holds in memory after it has rendered them, until L2 shows them everywhere.

use std::collections::BTreeMap;

use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::version::Version;

/// Limits the bytes of the bodies held. A Durable Object has 128 MB (platform limit), and shares them with other
/// objects.
const MAX_BYTES: u64 = 24 * 1024 * 1024;

/// Holds pages by key. Over the limit, it evicts pages that L2 has before pages that are not written yet, each in the
/// order of their last use. `B` holds the headers and the body, and is cheap to clone.
#[derive(Debug)]
pub(super) struct HeldPages<B> {
    pages: BTreeMap<PageKey, Page<B>>,
    bytes: u64,
    uses: u64,
}

#[derive(Debug)]
struct Page<B> {
    meta: PageMeta,
    content: B,
    used: u64,
    is_unwritten: bool,
}

impl<B> Default for HeldPages<B> {
    fn default() -> Self {
        Self { pages: BTreeMap::new(), bytes: 0, uses: 0 }
    }
}

impl<B: Clone> HeldPages<B> {
    /// Holds a page in place of an earlier version. `is_unwritten` means that the write to L2 is still due.
    pub(super) fn put(&mut self, meta: PageMeta, content: B, is_unwritten: bool) {
        let key = meta.key.clone();
        self.remove(&key);
        self.bytes += meta.body_bytes.unwrap_or_default();
        self.uses += 1;
        self.pages.insert(key.clone(), Page { meta, content, used: self.uses, is_unwritten });
        while self.bytes > MAX_BYTES {
            let others = self.pages.iter().filter(|(other, _)| **other != key);
            let first = others.min_by_key(|(_, page)| (page.is_unwritten, page.used)).map(|(key, _)| key.clone());
            let Some(first) = first else { break };
            self.remove(&first);
        }
    }

    /// Returns a page if it is held in this version.
    pub(super) fn get(&mut self, key: &PageKey, version: Version) -> Option<(PageMeta, B)> {
        self.uses += 1;
        let page = self.pages.get_mut(key).filter(|page| page.meta.version == version)?;
        page.used = self.uses;
        Some((page.meta.clone(), page.content.clone()))
    }

    /// Records that L2 has accepted a version.
    pub(super) fn written(&mut self, key: &PageKey, version: Version) {
        if let Some(page) = self.pages.get_mut(key).filter(|page| page.meta.version == version) {
            page.is_unwritten = false;
        }
    }

    /// Removes a page.
    pub(super) fn remove(&mut self, key: &PageKey) {
        if let Some(page) = self.pages.remove(key) {
            self.bytes -= page.meta.body_bytes.unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::semantics::freshness::{Revalidate, Windows};
    use crate::time::Timestamp;

    fn page(name: u64, body_bytes: u64) -> PageMeta {
        let start = Timestamp::from_millis(1);
        PageMeta {
            key: PageKey::from_stored(&format!("https://e.com/{name}")).unwrap(),
            version: Version::from_parts(start, u128::from(name)),
            status: 200,
            rendered_at: start,
            windows: Windows::new(start, Revalidate::Never, Duration::ZERO, Duration::ZERO).unwrap(),
            tags: vec![],
            body_bytes: Some(body_bytes),
            digest: None,
            vouched: None,
        }
    }

    #[test]
    fn the_page_longest_unused_leaves_first() {
        let mut held = HeldPages::default();
        let third = MAX_BYTES / 3;
        for name in 0..3 {
            held.put(page(name, third), name, false);
        }
        let get = |held: &mut HeldPages<u64>, name| held.get(&page(name, 0).key, page(name, 0).version).map(|(_, n)| n);
        assert_eq!(get(&mut held, 0), Some(0));
        held.put(page(3, third), 3, false);
        assert_eq!([0, 1, 2, 3].map(|name| get(&mut held, name)), [Some(0), None, Some(2), Some(3)]);
        held.put(page(4, MAX_BYTES + 1), 4, false);
        assert_eq!([0, 2, 3, 4].map(|name| get(&mut held, name)), [None, None, None, Some(4)]);
        assert_eq!(held.get(&page(4, 0).key, page(5, 0).version), None, "another version");
    }

    #[test]
    fn what_is_not_yet_written_stays_longer() {
        let mut held = HeldPages::default();
        let half = MAX_BYTES / 2;
        held.put(page(0, half), 0, true);
        held.put(page(1, half), 1, false);
        held.put(page(2, half), 2, false);
        let has = |held: &mut HeldPages<u64>, name| held.get(&page(name, 0).key, page(name, 0).version).is_some();
        assert_eq!([0, 1, 2].map(|name| has(&mut held, name)), [true, false, true]);
        held.written(&page(0, 0).key, page(0, 0).version);
        held.put(page(3, half), 3, false);
        assert_eq!([0, 2, 3].map(|name| has(&mut held, name)), [false, true, true]);
    }
}
