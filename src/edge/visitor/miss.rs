//! A visitor whom only the coordinator can help: asking it, what its answer means, and what is done without an answer.
//!
//! Availability wins. Where no answer can be had, these are tried in turn:
//!
//! | step | `X-ISR-Status` | detail in `Cache-Status` |
//! |---|---|---|
//! | a copy at hand that may stand in | `STALE` | the failure |
//! | L1, looked at a few times: another request of this colo may have had more luck | `HIT`, `STALE` | `l1-after-` and the failure |
//! | the site itself, uncollapsed and uncached | `SKIP` | the failure |
//!
//! | failure | word |
//! |---|---|
//! | the object can't be reached, or throws | `coordinator-unreachable` |
//! | the platform says that it is overloaded | `coordinator-overloaded` |
//! | it does not answer within `miss_timeout` | `coordinator-timeout` |
//! | its answer is an error, or can't be understood | `coordinator-failed` |
//! | it answers that it has nothing to give | its own: `queue-full`, `lost`, … |

use std::time::Duration;

use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::Delay;

use crate::edge::caches::envelope;
use crate::edge::caches::l1::{self, Found};
use crate::edge::platform::calls::{self, CallError};
use crate::edge::platform::js;
use crate::edge::visitor::isr::{Asker, Handled};
use crate::edge::visitor::respond::{self, Told};
use crate::edge::visitor::visit::{Stored, Visit, skip};
use crate::page::PageMeta;
use crate::protocol::{Ticket, ToCoordinator, Verdict};
use crate::reason::Reason;
use crate::semantics::cache_status::{CacheStatus, Forward, Outcome};
use crate::time::Timestamp;
use crate::visit::Judgement;

/// The pauses before each look at L1: after 100, 300 and 600 ms.
const L1_PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(300)];

impl Visit<'_> {
    /// Asks the coordinator, and waits for its answer; `stand_in` is a copy that may be served if there is none. An
    /// answer that this edge knows to be invalidated, though the coordinator does not yet, is asked for once more.
    pub(in crate::edge) async fn miss(
        &self,
        stand_in: Option<Stored>,
        newer_than: Option<Timestamp>,
    ) -> Result<Handled, JsValue> {
        let asked = async {
            let (verdict, response) = self.ask(newer_than).await?;
            match envelope::meta(&response).as_ref().and_then(|meta| self.invalidated_at(meta)) {
                Some(at) if matches!(verdict, Verdict::Page { .. }) && Some(at) > newer_than => {
                    envelope::discard(&response);
                    self.ask(Some(at)).await
                }
                _ => Ok((verdict, response)),
            }
        };
        let asked = js::within(self.isr.config().miss_timeout, asked).await.unwrap_or(Err(CallError::Timeout));
        match asked {
            Ok((verdict, response)) => self.with_verdict(verdict, &response, stand_in).await,
            Err(error) => self.without_coordinator(&error, stand_in).await,
        }
    }

    async fn ask(&self, newer_than: Option<Timestamp>) -> Result<(Verdict, Response), CallError> {
        let shard = self.shard();
        let renders = self.asker == Asker::Renderer;
        let (shard_name, key) = (shard.clone(), self.key.clone());
        let message = ToCoordinator::Miss { shard: shard_name, key, newer_than, forwarded: false, renders };
        calls::coordinator(&self.isr.env, &shard, &message).await
    }

    async fn with_verdict(
        &self,
        verdict: Verdict,
        response: &Response,
        stand_in: Option<Stored>,
    ) -> Result<Handled, JsValue> {
        let meta = envelope::meta(response).filter(|meta| meta.key == self.key);
        let status = CacheStatus::forwarded(if stand_in.is_some() { Forward::Stale } else { Forward::UriMiss });
        match (verdict, meta) {
            (Verdict::Page { rendered: true, collapsed }, Some(meta)) => {
                self.keep(&meta, response)?;
                let status = CacheStatus { fwd_status: Some(meta.status), stored: true, collapsed, ..status };
                self.respond(&meta, response, Outcome::Miss, status)
            }
            (Verdict::Page { rendered: false, .. }, Some(meta)) => {
                // Another colo had it rendered; L2 did not show it yet.
                self.keep(&meta, response)?;
                let ttl = meta.windows.ttl_seconds(js::now());
                let outcome = if ttl.is_none_or(|ttl| ttl > 0) { Outcome::Hit } else { Outcome::Stale };
                self.respond(&meta, response, outcome, CacheStatus::hit(ttl).with_detail(Some(Reason::Coordinator)))
            }
            (Verdict::StandIn { reason }, Some(meta)) => self.stand_in(&(meta, Clone::clone(response)), reason),
            (Verdict::Relay { reason }, Some(meta)) => {
                if let Some(copy) = stand_in {
                    envelope::discard(response);
                    return self.stand_in(&copy, reason);
                }
                let status = CacheStatus { fwd_status: Some(meta.status), ..status }.with_detail(Some(reason));
                self.respond(&meta, response, Outcome::Skip, status)
            }
            (Verdict::Pass { until, reason }, _) => {
                let (isr, key) = (self.isr.clone(), self.key.clone());
                self.context.wait_until(async move { l1::put_pass(isr.config(), &key, until, js::now()).await });
                Ok(skip(reason.unwrap_or(Reason::NotStored)))
            }
            (Verdict::Unavailable { retry_at, reason }, _) => match stand_in {
                Some(copy) => self.stand_in(&copy, reason),
                None => self.unavailable(retry_at, status.with_detail(Some(reason))),
            },
            (Verdict::Refused { reason }, _) => self.without_answer(reason, stand_in).await,
            (Verdict::Lease { shard, token }, _) if self.asker == Asker::Renderer => {
                Ok(Handled::Lease(Ticket { shard, key: self.key.clone(), token, authorized: self.authorized }))
            }
            (Verdict::Unchanged | Verdict::Lease { .. }, _) | (_, None) => {
                self.without_coordinator(&CallError::Garbled, stand_in).await
            }
        }
    }

    fn unavailable(&self, retry_at: Timestamp, status: CacheStatus) -> Result<Handled, JsValue> {
        let wait = retry_at.since(js::now()).as_secs() + 1;
        let body = serde_json::json!({ "error": {
            "code": "site_unavailable",
            "message": "The site fails to render this page, and there is no earlier copy to show.",
        }});
        let response = envelope::json(503, &body)?;
        response.headers().set("retry-after", &wait.to_string())?;
        let told = Told { outcome: Outcome::Skip, status };
        respond::passed(response, Some(&told), self.isr.config().expose_headers)
            .map(|response| Handled::Response(response, Outcome::Skip))
    }

    async fn without_coordinator(&self, error: &CallError, stand_in: Option<Stored>) -> Result<Handled, JsValue> {
        worker::console_error!("coordinator {}: {error}", self.shard());
        self.without_answer(error.reason(), stand_in).await
    }

    /// Availability wins: a stale copy if there is any; else what another request may have brought into L1; else the
    /// site itself, uncollapsed and uncached.
    async fn without_answer(&self, failure: Reason, stand_in: Option<Stored>) -> Result<Handled, JsValue> {
        if let Some(copy) = stand_in {
            return self.stand_in(&copy, failure);
        }
        // Who has waited for the whole time that there is waits no longer.
        let pauses = if failure.has_waited_in_full() { &[Duration::ZERO][..] } else { &L1_PAUSES };
        for pause in pauses {
            if !pause.is_zero() {
                Delay::from(*pause).await;
            }
            match l1::get(self.isr.config(), &self.key).await {
                Found::Page(meta, page) => {
                    let outcome = match self.judge(&meta) {
                        Judgement::Fresh => Outcome::Hit,
                        Judgement::Stale { .. } | Judgement::Unusable { stands_in: true } => Outcome::Stale,
                        Judgement::Unusable { stands_in: false } => continue,
                    };
                    let status = CacheStatus::hit(meta.windows.ttl_seconds(js::now())).with_l1_after(failure);
                    return self.respond(&meta, &page, outcome, status);
                }
                Found::Pass(mark) if self.still_passes(mark) => return Ok(skip(Reason::NotStored)),
                Found::Pass(_) | Found::Nothing => {}
            }
        }
        Ok(skip(failure))
    }

    /// Serves a copy that is not what was asked for.
    fn stand_in(&self, (meta, page): &(PageMeta, Response), reason: Reason) -> Result<Handled, JsValue> {
        let status = CacheStatus::hit(meta.windows.ttl_seconds(js::now())).with_detail(Some(reason));
        self.respond(meta, page, Outcome::Stale, status)
    }
}
