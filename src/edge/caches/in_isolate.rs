//! The in-isolate tier: [`MemoryTier`] decides which pages are in it. Bodies are buffers of JavaScript, and never cross
//! into Wasm.
//!
//! A tier belongs to the settings of one `env`, because settings decide what a page is and how it is judged. Only the
//! tier that was filled last has pages: another one is emptied first. So all tiers of an isolate together hold no more
//! than one may.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::ArrayBuffer;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Response};

use crate::account::Lender;
use crate::config::Config;
use crate::edge::caches::{envelope, l1};
use crate::edge::memory;
use crate::edge::platform::js;
use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::visit::memory::COLLECTS_FOR;
use crate::visit::{MemoryTier, Remembered, StoredPage, TierBounds};

thread_local! {
    /// The tier that has pages.
    static FILLED: RefCell<Weak<InIsolate>> = const { RefCell::new(Weak::new()) };
}

/// A page as L1 has it: its headers, wrapped, and its body.
#[derive(Debug)]
pub(in crate::edge) struct Held {
    pub(in crate::edge) headers: Headers,
    pub(in crate::edge) body: ArrayBuffer,
}

/// The pages in the memory of this isolate, for the settings of one `env`.
#[derive(Debug)]
pub(in crate::edge) struct InIsolate(RefCell<MemoryTier<Held>>);

impl InIsolate {
    /// Makes an empty tier.
    pub(in crate::edge) fn new(config: &Config) -> Rc<Self> {
        let isolate = memory::isolate();
        isolate.set_lender(Rc::new(Filled));
        let bounds =
            TierBounds { bytes: config.memory_bytes, page_bytes: config.memory_page_bytes, l1_ttl: config.l1_ttl };
        Rc::new(Self(RefCell::new(MemoryTier::new(bounds, &isolate))))
    }

    /// Returns a page, which has yet to be judged.
    pub(in crate::edge) fn get(&self, key: &PageKey, now: Timestamp) -> Option<Rc<Remembered<Held>>> {
        self.0.borrow_mut().get(key, now)
    }

    /// Returns a page in the form in which L1 has it.
    pub(in crate::edge) fn page(&self, key: &PageKey, now: Timestamp) -> Option<StoredPage<Response>> {
        let found = self.get(key, now)?;
        let Held { headers, body } = &found.page.body;
        let body = envelope::response(200, headers, Some(body)).ok()?;
        Some(StoredPage { meta: found.page.meta.clone(), body })
    }

    /// Removes a page.
    pub(in crate::edge) fn forget(&self, key: &PageKey) {
        self.0.borrow_mut().forget(key);
    }

    /// Counts a HIT from L1. Returns whether the request has to call [`Self::collect`].
    pub(in crate::edge) fn hit(self: &Rc<Self>, key: &PageKey, body_bytes: Option<u64>, now: Timestamp) -> bool {
        if !self.0.borrow().admits(body_bytes) {
            return false;
        }
        let other = FILLED.with_borrow_mut(|filled| {
            let is_same = std::ptr::eq(filled.as_ptr(), Rc::as_ptr(self));
            if is_same { None } else { std::mem::replace(filled, Rc::downgrade(self)).upgrade() }
        });
        if let Some(other) = other {
            other.0.borrow_mut().clear();
        }
        self.0.borrow_mut().hit(key, body_bytes, now)
    }

    /// Collects the body of a page from L1, and keeps the page. Returns whether it is there now. `page` is not read by
    /// anything else.
    pub(in crate::edge) async fn collect(&self, meta: &PageMeta, page: &Response) -> bool {
        let collected = async {
            let until = l1::end_of(page).ok_or("L1 does not state its end")?;
            let body: ArrayBuffer = JsFuture::from(page.array_buffer()?).await?.unchecked_into();
            if Some(u64::from(body.byte_length())) != meta.body_bytes {
                return Err(JsValue::from_str("the body has another length"));
            }
            // Those of a response that came from elsewhere are immutable.
            Ok((Headers::new_with_headers(&page.headers())?, body, until))
        };
        let (headers, body, until) = match js::within(COLLECTS_FOR, collected).await {
            Some(Ok(collected)) => collected,
            failed => {
                let why = failed.map_or("it does not arrive".to_owned(), |failed| {
                    failed.err().map(|error| js::describe(&error)).unwrap_or_default()
                });
                worker::console_warn!("memory: {}: {why}", meta.key);
                self.0.borrow_mut().give_up(&meta.key);
                return false;
            }
        };
        let header_bytes: usize =
            envelope::header_list(&headers).iter().map(|(name, value)| name.len() + value.len()).sum();
        let (page, now) = (StoredPage { meta: meta.clone(), body: Held { headers, body } }, js::now());
        self.0.borrow_mut().admit(Remembered::new(page, header_bytes as u64, until, now), now)
    }
}

/// The pages of the tier that has some: everything else in the isolate comes first.
#[derive(Debug)]
struct Filled;

impl Filled {
    /// Does something with the tier, unless it is just being used.
    fn with<T>(act: impl FnOnce(&mut MemoryTier<Held>) -> T) -> Option<T> {
        let filled = FILLED.with_borrow(Weak::upgrade)?;
        let mut tier = filled.0.try_borrow_mut().ok()?;
        Some(act(&mut tier))
    }
}

impl Lender for Filled {
    fn lent(&self) -> u64 {
        Self::with(|tier| tier.lent()).unwrap_or_default()
    }

    fn give_back(&self, bytes: u64) {
        let _ = Self::with(|tier| tier.give_back(bytes));
    }
}
