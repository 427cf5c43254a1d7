//! Reports to the coordinator that a stale page was served, behind the response.

use web_sys::Response;

use crate::edge::caches::fill::Fill;
use crate::edge::caches::{envelope, l1};
use crate::edge::platform::{calls, js};
use crate::edge::visitor::isr::Isr;
use crate::edge::visitor::visit::{Performer, answer_of};
use crate::protocol::ToCoordinator;
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::visit::reports::PATIENCE;
use crate::visit::{Replacement, Report};

impl Performer<'_> {
    /// Reports to the coordinator that a stale page was served, behind the response. The page that replaces it goes to
    /// L1.
    pub(in crate::edge) fn report(&self, report: Report) {
        if !self.isr.settings.deployment.reports.borrow_mut().begin(&self.key, report.newer_than, js::now()) {
            return;
        }
        let (isr, shard, key) = (self.isr.clone(), self.shard(), self.key.clone());
        self.context.wait_until(async move {
            let replacement = ask(&isr, &shard, &key, report).await;
            let is_replaced = replacement.is_some();
            match replacement {
                Replacement::Page(page) => match Fill::begin(isr.settings.deployment.id, &key) {
                    Some(fill) => fill.run(&isr.settings, &page.meta, &page.body).await,
                    None => envelope::discard(&page.body),
                },
                Replacement::Pass(mark) => l1::put_pass(&isr.settings, &key, mark, js::now()).await,
                Replacement::Nothing => {}
            }
            isr.settings.deployment.reports.borrow_mut().end(key, js::now(), is_replaced, js::random());
        });
    }
}

async fn ask(isr: &Isr, shard: &ShardName, key: &PageKey, report: Report) -> Replacement<Response> {
    let Report { version, newer_than, .. } = report;
    let visits = isr.take_visits(shard);
    let message =
        ToCoordinator::Stale { shard: shard.clone(), key: key.clone(), version, newer_than, forwarded: false, visits };
    match js::within(PATIENCE, calls::coordinator(&isr.env, shard, &message)).await {
        Some(Ok(answer)) => Replacement::of(key, &report, answer_of(answer), js::now()),
        Some(Err(error)) => {
            worker::console_error!("coordinator {shard}: {error}");
            Replacement::Nothing
        }
        None => Replacement::Nothing,
    }
}
