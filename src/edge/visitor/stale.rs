//! Telling the coordinator that a stale copy was served, behind the response.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::edge::caches::fill::Fill;
use crate::edge::caches::{envelope, l1};
use crate::edge::platform::{calls, js};
use crate::edge::visitor::visit::Visit;
use crate::page::PageMeta;
use crate::protocol::{ToCoordinator, Verdict};
use crate::semantics::key::PageKey;
use crate::time::Timestamp;

/// How long the edge listens for the page that replaces a stale one; `waitUntil` ends after 30 s (platform limit).
const PATIENCE: Duration = Duration::from_secs(25);

/// How long a stale page is not reported again after a report that brought nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// The most keys of which this isolate remembers that it has reported them.
const MAX_REPORTED: usize = 1000;

thread_local! {
    /// Stale pages that this isolate has reported, and until when it does not do so again.
    static REPORTED: RefCell<BTreeMap<PageKey, Timestamp>> = const { RefCell::new(BTreeMap::new()) };
}

impl Visit<'_> {
    /// Tells the coordinator that a stale copy was served, behind the response; the page that replaces it goes to L1.
    pub(in crate::edge) fn report_stale(&self, copy: &PageMeta) {
        if !begin(&self.key) {
            return;
        }
        let (isr, shard, key) = (self.isr.clone(), self.shard(), self.key.clone());
        let (version, newer_than) = (copy.version, self.invalidated_at(copy));
        self.context.wait_until(async move {
            let message =
                ToCoordinator::Stale { shard: shard.clone(), key: key.clone(), version, newer_than, forwarded: false };
            let answer = js::within(PATIENCE, calls::coordinator(&isr.env, &shard, &message)).await;
            let is_replaced = match answer {
                Some(Ok((Verdict::Page { .. }, response))) => {
                    let meta = envelope::meta(&response).filter(|meta| meta.key == key);
                    match (meta, Fill::begin(&key)) {
                        (Some(meta), Some(fill)) => fill.run(isr.config(), &meta, &response).await,
                        _ => envelope::discard(&response),
                    }
                    true
                }
                Some(Ok((Verdict::Pass { until, .. }, _))) => {
                    l1::put_pass(isr.config(), &key, until, js::now()).await;
                    true
                }
                Some(Ok(_)) | None => false,
                Some(Err(error)) => {
                    worker::console_error!("coordinator {shard}: {error}");
                    false
                }
            };
            end(key, is_replaced);
        });
    }
}

/// Notes that a page is being reported; false if that is so already.
fn begin(key: &PageKey) -> bool {
    let now = js::now();
    REPORTED.with_borrow_mut(|reported| {
        reported.retain(|_, until| *until > now);
        if reported.len() >= MAX_REPORTED || reported.contains_key(key) {
            return false;
        }
        reported.insert(key.clone(), now.plus(PATIENCE));
        true
    })
}

fn end(key: PageKey, is_replaced: bool) {
    REPORTED.with_borrow_mut(|reported| {
        if is_replaced {
            reported.remove(&key);
        } else {
            reported.insert(key, js::now().plus(PAUSE));
        }
    });
}
