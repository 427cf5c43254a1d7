//! The pages that a coordinator holds in memory after it has rendered them, until L2 shows them everywhere.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::account::Account;
use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::version::Version;

/// Limits the bytes of the pages held.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What a page costs besides its body, its headers, its tags and its key: the structs, the nodes of the maps, and the
/// JavaScript objects of the body, rounded up.
const OVERHEAD: u64 = 1024;

/// How often a page's key is in memory: in the page, and in the map.
const KEY_COPIES: u64 = 2;

/// The headers and the body of a page. It is cheap to clone.
pub trait PageContent: Clone {
    /// Returns the bytes of the headers.
    fn header_bytes(&self) -> u64;
}

/// Holds pages by key. Over the limit, or if the isolate holds too much, it evicts pages that L2 has before pages that are
/// not written yet, each in the order of their last use.
#[derive(Debug)]
pub(super) struct HeldPages<B> {
    places: BTreeMap<PageKey, Place>,
    /// The pages, those that leave first before the others.
    pages: BTreeMap<Place, Page<B>>,
    account: Account,
    uses: u64,
}

/// The place of a page in the order in which pages leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    is_unwritten: bool,
    used: u64,
}

#[derive(Debug)]
struct Page<B> {
    meta: PageMeta,
    content: B,
    bytes: u64,
}

impl<B> Default for HeldPages<B> {
    fn default() -> Self {
        Self { places: BTreeMap::new(), pages: BTreeMap::new(), account: Account::new(MAX_BYTES), uses: 0 }
    }
}

impl<B> HeldPages<B> {
    /// Makes an empty collection whose bytes are part of an isolate's.
    pub(super) fn in_isolate(memory: &Rc<Account>) -> Self {
        Self { account: Account::part_of(memory, MAX_BYTES), ..Self::default() }
    }
}

impl<B: PageContent> HeldPages<B> {
    /// Holds a page in place of an earlier version. `is_unwritten` means that the write to L2 is still due.
    pub(super) fn put(&mut self, meta: PageMeta, content: B, is_unwritten: bool) {
        self.remove(&meta.key);
        let bytes = cost(&meta, &content);
        self.account.add(bytes);
        let place = self.next_place(is_unwritten);
        self.places.insert(meta.key.clone(), place);
        self.pages.insert(place, Page { meta, content, bytes });
        while self.account.is_over() {
            // The page itself stays: it is still to be sent and written.
            let Some(first) = self.pages.iter().find(|(other, _)| **other != place) else { break };
            let first = first.1.meta.key.clone();
            self.remove(&first);
        }
    }

    /// Returns a page if it is held in this version.
    pub(super) fn get(&mut self, key: &PageKey, version: Version) -> Option<(PageMeta, B)> {
        let place = *self.places.get(key)?;
        let found = self.pages.get(&place).filter(|page| page.meta.version == version)?;
        let found = (found.meta.clone(), found.content.clone());
        self.replace(key, place, place.is_unwritten);
        Some(found)
    }

    /// Records that L2 has accepted a version.
    pub(super) fn written(&mut self, key: &PageKey, version: Version) {
        let Some(place) = self.places.get(key).copied() else { return };
        if self.pages.get(&place).is_some_and(|page| page.meta.version == version) {
            let written = Place { is_unwritten: false, ..place };
            if let Some(page) = self.pages.remove(&place) {
                self.pages.insert(written, page);
                self.places.insert(key.clone(), written);
            }
        }
    }

    /// Removes a page.
    pub(super) fn remove(&mut self, key: &PageKey) {
        if let Some(page) = self.places.remove(key).and_then(|place| self.pages.remove(&place)) {
            self.account.release(page.bytes);
        }
    }

    /// Gives a page the last place.
    fn replace(&mut self, key: &PageKey, place: Place, is_unwritten: bool) {
        let last = self.next_place(is_unwritten);
        if let Some(page) = self.pages.remove(&place) {
            self.pages.insert(last, page);
            if let Some(known) = self.places.get_mut(key) {
                *known = last;
            }
        }
    }

    fn next_place(&mut self, is_unwritten: bool) -> Place {
        self.uses += 1;
        Place { is_unwritten, used: self.uses }
    }
}

/// Returns the bytes that a page takes in memory.
fn cost<B: PageContent>(meta: &PageMeta, content: &B) -> u64 {
    let tags: usize = meta.tags.iter().map(|tag| tag.as_str().len() + size_of_val(tag)).sum();
    let text = tags as u64 + KEY_COPIES * meta.key.as_str().len() as u64;
    OVERHEAD + text + content.header_bytes() + meta.body_bytes.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::semantics::client_rules::ClientRules;
    use crate::semantics::freshness::{Revalidate, Windows};
    use crate::time::Timestamp;

    impl PageContent for u64 {
        fn header_bytes(&self) -> u64 {
            0
        }
    }

    impl PageContent for &'static str {
        fn header_bytes(&self) -> u64 {
            0
        }
    }

    fn page_at(path: &str, body_bytes: u64) -> PageMeta {
        let start = Timestamp::from_millis(1);
        PageMeta {
            key: PageKey::from_stored(&format!("https://e.com/{path}")).unwrap(),
            version: Version::from_parts(start, u128::from(body_bytes)),
            status: 200,
            rendered_at: start,
            windows: Windows::new(start, Revalidate::Never, Duration::ZERO, Duration::ZERO).unwrap(),
            tags: vec![],
            body_bytes: Some(body_bytes),
            digest: None,
            rules: ClientRules::default(),
            has_validator: false,
            vouched: None,
        }
    }

    fn page(name: u64, body_bytes: u64) -> PageMeta {
        let page = page_at(&name.to_string(), body_bytes);
        PageMeta { version: Version::from_parts(page.rendered_at, u128::from(name)), ..page }
    }

    /// The largest body of which `number` pages are held.
    fn part(number: u64) -> u64 {
        MAX_BYTES / number - 2 * OVERHEAD
    }

    #[test]
    fn the_page_longest_unused_leaves_first() {
        let mut held = HeldPages::default();
        let third = part(3);
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
        let half = part(2);
        held.put(page(0, half), 0, true);
        held.put(page(1, half), 1, false);
        held.put(page(2, half), 2, false);
        let has = |held: &mut HeldPages<u64>, name| held.get(&page(name, 0).key, page(name, 0).version).is_some();
        assert_eq!([0, 1, 2].map(|name| has(&mut held, name)), [true, false, true]);
        held.written(&page(0, 0).key, page(0, 0).version);
        held.put(page(3, half), 3, false);
        held.put(page(4, half), 4, false);
        assert_eq!([0, 2, 3, 4].map(|name| has(&mut held, name)), [false, false, true, true]);
    }

    #[test]
    fn the_objects_of_an_isolate_share_its_memory() {
        let memory = Rc::new(Account::new(MAX_BYTES + MAX_BYTES / 2));
        let (mut first, mut second) = (HeldPages::in_isolate(&memory), HeldPages::in_isolate(&memory));
        (0..4).for_each(|name| first.put(page(name, part(4)), name, true));
        (0..4).for_each(|name| second.put(page(name, part(4)), name, true));
        assert_eq!((first.pages.len(), second.pages.len()), (4, 2));
        assert!(memory.held() <= memory.limit());
        drop(first);
        second.put(page(4, part(4)), 4, true);
        assert_eq!(second.pages.len(), 3);
    }

    #[test]
    fn small_pages_and_long_keys_count_with_everything_that_they_take() {
        let entries = 2 * (size_of::<Page<u64>>() + size_of::<Place>() + size_of::<PageKey>());
        assert!(OVERHEAD > entries as u64);
        let mut held = HeldPages::default();
        for name in 0..100_000 {
            held.put(page(name, 10), name, false);
        }
        assert!(held.pages.len() < 17_000, "{} small pages are held", held.pages.len());
        let long = "x".repeat(4000);
        for name in 0..20_000 {
            held.put(page_at(&format!("{long}{name}"), 10), name, true);
        }
        let keys: usize = held.places.keys().map(|key| 2 * key.as_str().len()).sum();
        assert!(keys as u64 <= MAX_BYTES && !held.account.is_over(), "{keys} bytes of keys");
        assert_eq!(held.pages.len(), held.places.len());
    }
}
