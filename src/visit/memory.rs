//! The in-isolate tier: pages in the memory of an isolate that are requested often there, in front of L1.
//!
//! A page in this tier is a copy of what L1 has, and is judged exactly like that: see [`judge`](crate::visit::judge()).
//! This module decides which pages are in memory, and for how long. Bodies are opaque, and stay where the performer
//! holds them.
//!
//! | state of a page | event | next state |
//! |---|---|---|
//! | unknown | a HIT from L1 | seen once |
//! | seen once | a HIT from L1 within [`SEEN_FOR`] | its body is collected by that request, if there is room |
//! | seen once | a later HIT from L1, or another page needs its place in the list | seen once, or unknown |
//! | being collected | all of its body has arrived | in memory; other pages are evicted if needed |
//! | being collected | the body breaks off, hangs, or has another length | unknown |
//! | being collected | [`COLLECTS_FOR`] passes: the platform may have ended the request | unknown, its room is free again |
//! | in memory | L1's own copy reaches the end of its time | unknown |
//! | in memory | a visit finds that the page is not fresh any more | unknown |
//! | in memory | evicted, or something else in the isolate needs the memory | unknown |
//! | any | the settings change, or another deployment is bound | unknown: a tier belongs to the settings of one `env` |
//!
//! # What can go wrong
//!
//! | what | then |
//! |---|---|
//! | many different pages are requested once each | none of them is admitted |
//! | many different pages are requested twice each | they evict one another: pages that are requested again stay longest (`quick_cache`) |
//! | a crowd requests a page before it is in memory | one request at a time collects its body |
//! | an invalidation arrives while the body is collected, or later | the page is judged at each request, by the feed as it is then |
//! | L1 gets a newer page | this tier serves the older one for as long as it is fresh by its times and by the feed, as the L1 of another colo does |
//! | the copy in L1 is from an earlier version of this cache, which does not state its end | it is not admitted |
//! | the clock is set back | a copy from the future, or one that would stay longer than `l1_ttl`, is forgotten |
//! | the isolate ends | the tier is empty |

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::unsync::{Cache, DefaultLifecycle};

use crate::account::Account;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::step::StoredPage;

/// How soon after a HIT from L1 the next one admits the page.
pub const SEEN_FOR: Duration = Duration::from_secs(10);

/// How long a body may be collected.
pub const COLLECTS_FOR: Duration = Duration::from_secs(5);

/// What a page takes besides its body and its texts: the objects that hold them, in Wasm and in JavaScript.
pub const OVERHEAD: u64 = 2048;

/// Bodies that are collected take at most this part of the tier's bytes, in addition to them. One body may always be.
const PART_FOR_COLLECTING: u64 = 8;

/// If less than this part of a tier would be left, nothing is: the library scales its tables with its capacity, and does
/// not recover from a very small one.
const LEAST_KEPT: u64 = 16;

/// The number of pages of which the last HIT from L1 is remembered.
const SEEN_PAGES: usize = 1024;

/// The number of pages that is expected, from which the size of the tables follows.
const EXPECTED_PAGES: usize = 512;

/// The bounds of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierBounds {
    /// The setting `memory_bytes`.
    pub bytes: u64,
    /// The setting `memory_page_bytes`.
    pub page_bytes: u64,
    /// The setting `l1_ttl`.
    pub l1_ttl: Duration,
}

/// A page in memory.
#[derive(Debug)]
pub struct Remembered<B> {
    /// The page.
    pub page: StoredPage<B>,
    since: Timestamp,
    until: Timestamp,
    bytes: u64,
}

impl<B> Remembered<B> {
    /// Makes a copy of a page in L1 that ends there at `until`. `header_bytes` is the length of names and values of its
    /// headers.
    #[must_use]
    pub fn new(page: StoredPage<B>, header_bytes: u64, until: Timestamp, now: Timestamp) -> Self {
        let meta = &page.meta;
        let tag_bytes: usize = meta.tags.iter().map(|tag| tag.as_str().len()).sum();
        // The key is held twice. JavaScript may hold texts with two bytes for each character.
        let text_bytes = 2 * (meta.key.as_str().len() + tag_bytes) as u64 + 2 * header_bytes;
        let bytes = OVERHEAD + text_bytes + meta.body_bytes.unwrap_or_default();
        Self { page, since: now, until, bytes }
    }

    /// Returns whether the copy in L1 may still be there, so that this one may be used.
    fn is_usable(&self, now: Timestamp, l1_ttl: Duration) -> bool {
        self.since <= now && now < self.until && self.until.since(now) <= l1_ttl
    }
}

/// Weighs pages by their bytes.
#[derive(Clone)]
struct ByBytes;

impl<B> Weighter<PageKey, Rc<Remembered<B>>> for ByBytes {
    fn weight(&self, _: &PageKey, remembered: &Rc<Remembered<B>>) -> u64 {
        remembered.bytes
    }
}

/// The same hash for the same key in each run. Only keys of pages that exist are in the tables.
type Hasher = BuildHasherDefault<DefaultHasher>;

type Pages<B> = Cache<PageKey, Rc<Remembered<B>>, ByBytes, Hasher, DefaultLifecycle<PageKey, Rc<Remembered<B>>>>;

fn empty<B>(bytes: u64) -> Pages<B> {
    Cache::with(EXPECTED_PAGES, bytes, ByBytes, Hasher::default(), DefaultLifecycle::default())
}

/// A body that is being collected.
struct Collecting {
    key: PageKey,
    since: Timestamp,
    bytes: u64,
}

/// The pages in the memory of an isolate, for the settings of one `env`.
pub struct MemoryTier<B> {
    bounds: TierBounds,
    pages: Pages<B>,
    /// The hash of a key and the time of its last HIT from L1. A key has one place.
    seen: Vec<(u64, Timestamp)>,
    collecting: Vec<Collecting>,
    /// The bytes of the pages and of the bodies that are collected.
    held: Account,
}

impl<B> fmt::Debug for MemoryTier<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTier").field("bounds", &self.bounds).field("held", &self.held).finish_non_exhaustive()
    }
}

impl<B> MemoryTier<B> {
    /// Makes an empty tier. Its bytes count in the account of the isolate.
    #[must_use]
    pub fn new(bounds: TierBounds, isolate: &Rc<Account>) -> Self {
        Self {
            bounds,
            pages: empty(bounds.bytes),
            seen: Vec::new(),
            collecting: Vec::new(),
            held: Account::part_of(isolate, u64::MAX),
        }
    }

    /// Returns the bytes of the pages and of the bodies that are collected.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.held()
    }

    /// Returns the bytes that [`Self::give_back`] can release.
    #[must_use]
    pub fn lent(&self) -> u64 {
        self.pages.weight()
    }

    /// Returns the number of pages.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Returns whether a body of this length may be admitted.
    #[must_use]
    pub fn admits(&self, body_bytes: Option<u64>) -> bool {
        body_bytes.is_some_and(|bytes| bytes <= self.bounds.page_bytes && bytes + OVERHEAD <= self.bounds.bytes)
            && self.bounds.page_bytes > 0
    }

    /// Counts a HIT from L1. Returns whether the request collects the body, and then calls [`Self::admit`] or
    /// [`Self::give_up`].
    pub fn hit(&mut self, key: &PageKey, body_bytes: Option<u64>, now: Timestamp) -> bool {
        if !self.admits(body_bytes) || !self.is_seen_again(key, now) {
            return false;
        }
        let bytes = body_bytes.unwrap_or_default() + OVERHEAD;
        self.collecting.retain(|other| other.since <= now && now.since(other.since) < COLLECTS_FOR);
        let is_collected = self.collecting.iter().any(|other| other.key == *key);
        let in_all: u64 = self.collecting.iter().map(|other| other.bytes).sum();
        let is_over = in_all > 0 && in_all + bytes > self.bounds.bytes / PART_FOR_COLLECTING;
        let begins = !is_collected && !is_over && self.pages.peek(key).is_none() && self.held.has_free(bytes);
        if begins {
            self.collecting.push(Collecting { key: key.clone(), since: now, bytes });
        }
        self.count();
        begins
    }

    /// Records that a key was seen. Returns whether it was seen a short time ago.
    fn is_seen_again(&mut self, key: &PageKey, now: Timestamp) -> bool {
        if self.seen.is_empty() {
            self.seen = vec![(0, Timestamp::default()); SEEN_PAGES];
        }
        let hash = Hasher::default().hash_one(key);
        let place = usize::try_from(hash % SEEN_PAGES as u64).unwrap_or_default();
        let (last, at) = std::mem::replace(&mut self.seen[place], (hash, now));
        last == hash && at <= now && now.since(at) < SEEN_FOR
    }

    /// Ends the collection of a body: all of it is here. Returns whether the page is in memory now.
    pub fn admit(&mut self, remembered: Remembered<B>, now: Timestamp) -> bool {
        let key = remembered.page.meta.key.clone();
        let was_collected = self.ends(&key);
        let is_wanted = was_collected
            && self.admits(remembered.page.meta.body_bytes)
            && remembered.is_usable(now, self.bounds.l1_ttl);
        if is_wanted {
            self.pages.insert(key.clone(), Rc::new(remembered));
        }
        self.count();
        is_wanted && self.pages.peek(&key).is_some()
    }

    /// Ends the collection of a body without it.
    pub fn give_up(&mut self, key: &PageKey) {
        self.ends(key);
        self.count();
    }

    /// Returns whether the body of this page was being collected.
    fn ends(&mut self, key: &PageKey) -> bool {
        let before = self.collecting.len();
        self.collecting.retain(|other| other.key != *key);
        self.collecting.len() < before
    }

    /// Returns a page, which has yet to be judged. It counts as used.
    pub fn get(&mut self, key: &PageKey, now: Timestamp) -> Option<Rc<Remembered<B>>> {
        let found = self.pages.get(key).map(Rc::clone)?;
        if found.is_usable(now, self.bounds.l1_ttl) {
            return Some(found);
        }
        self.forget(key);
        None
    }

    /// Removes a page.
    pub fn forget(&mut self, key: &PageKey) {
        self.pages.remove(key);
        self.count();
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.collecting.clear();
        self.seen = Vec::new();
        self.count();
    }

    /// Evicts pages until this many bytes are free, because something else in the isolate needs them.
    pub fn give_back(&mut self, bytes: u64) {
        let kept = self.pages.weight().saturating_sub(bytes);
        if kept < self.bounds.bytes / LEAST_KEPT {
            self.pages = empty(self.bounds.bytes);
        } else {
            self.pages.set_capacity(kept);
            self.pages.set_capacity(self.bounds.bytes);
        }
        self.count();
    }

    /// Brings the account up to date.
    fn count(&mut self) {
        let collecting: u64 = self.collecting.iter().map(|other| other.bytes).sum();
        let (now, before) = (self.pages.weight() + collecting, self.held.held());
        if now > before {
            self.held.add(now - before);
        } else {
            self.held.release(before - now);
        }
    }
}

#[cfg(test)]
mod tests;
