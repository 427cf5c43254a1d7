//! What is counted and logged of a request, and the message of a minute.
//!
//! The short path counts its HITs in `entry/hit.rs`. Every other request passes here once its response is known.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use web_sys::Request;
use worker::{Context, Env};

use crate::edge::platform::js::AnalyticsDataset;
use crate::edge::platform::{analytics, calls, js};
use crate::edge::settings::Settings;
use crate::edge::visitor::isr::{Decision, Isr, Served};
use crate::error::ObjectError;
use crate::metrics::log_line::AnsweredRequest;
use crate::metrics::{CalledObject, HandOver, PageVisits, RequestLabel};
use crate::protocol::{ToCoordinator, ToTagIndex};
use crate::route::{Route, RouteId};
use crate::semantics::key::PageKey;
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// How long an object may take to accept the message of a minute. It is shorter than
/// [`PATIENCE`](crate::metrics::tally::PATIENCE).
const HAND_OVER_WITHIN: Duration = Duration::from_secs(10);

/// Watches one request.
pub(in crate::edge) struct Observer<'a> {
    isr: &'a Isr,
    began: Timestamp,
    method: String,
    url: String,
    /// The route, and the page if the URL has a key.
    about: RefCell<Option<(RouteId, Option<PageKey>)>>,
}

impl<'a> Observer<'a> {
    /// Begins with a request, and sends the message of this minute behind its response.
    pub(in crate::edge) fn new(isr: &'a Isr, request: &Request, context: &Context) -> Self {
        isr.hand_over(context);
        Self { isr, began: js::now(), method: request.method(), url: request.url(), about: RefCell::default() }
    }

    /// Records that the request is for a page of a route.
    pub(in crate::edge) fn is_about(&self, route: &RouteId, key: Option<PageKey>) {
        self.about.replace(Some((route.clone(), key)));
    }

    /// Counts and logs a response that the cache gives, or that its caller gives.
    pub(in crate::edge) fn decided(&self, decision: &Decision) {
        if let Some(served) = decision.served() {
            self.answered(&served, decision.http_status());
        }
    }

    /// Counts and logs the response. `status` is its HTTP status; `None` if the caller answers.
    pub(in crate::edge) fn answered(&self, served: &Served, status: Option<u16>) {
        let Some((route, key)) = self.about.take() else { return };
        let Settings { config, deployment, .. } = &*self.isr.settings;
        let (outcome, cache_status, now) = (served.status.outcome, &served.status.status, js::now());
        if config.metrics {
            deployment.tally.borrow_mut().request(RequestLabel::of(&route, outcome, cache_status), now);
        }
        let answered = AnsweredRequest {
            method: &self.method,
            url: &self.url,
            route: &route,
            key: key.as_ref(),
            outcome,
            status: cache_status,
            http_status: status,
            version: served.version,
            duration: now.since(self.began),
        };
        if !answered.is_logged(config.log) {
            return;
        }
        let (budget, suppressed) = &mut *deployment.log.borrow_mut();
        if budget.take(now) {
            worker::console_log!("{}", answered.line(std::mem::take(suppressed)));
        } else {
            *suppressed = suppressed.saturating_add(1);
        }
    }
}

impl Isr {
    /// Counts the visit of a page.
    pub(in crate::edge) fn visited(&self, route: &Route, key: &PageKey) {
        if self.config().metrics {
            let shard = ShardName::of(route, key.path());
            self.settings.deployment.tally.borrow_mut().visit(&shard, key, js::now());
        }
    }

    /// Counts a call of a coordinator, and takes the visits of its pages, which go with the call.
    pub(in crate::edge) fn take_visits(&self, shard: &ShardName) -> Vec<PageVisits> {
        if !self.config().metrics {
            return Vec::new();
        }
        let mut tally = self.settings.deployment.tally.borrow_mut();
        tally.called(CalledObject::Coordinator, js::now());
        tally.take_visits(shard)
    }

    /// Sends the message of this minute, if it is due, behind the response.
    fn hand_over(&self, context: &Context) {
        if !self.config().metrics {
            return;
        }
        let begun = self.settings.deployment.tally.borrow_mut().begin(js::now());
        if let Some(handed) = begun {
            let (env, settings) = (self.env.clone(), Rc::clone(&self.settings));
            context.wait_until(async move {
                let sent = js::within(HAND_OVER_WITHIN, send(&env, &settings, &handed)).await;
                let sent = sent.unwrap_or(Err(ObjectError::Timeout));
                if let Err(error) = &sent {
                    worker::console_warn!("metrics: not handed over: {error}");
                }
                if let (Ok(()), HandOver::Requests(counts)) = (&sent, &handed)
                    && let Some(dataset) = js::binding::<AnalyticsDataset>(&env, analytics::BINDING)
                {
                    analytics::write(&dataset, counts);
                }
                settings.deployment.tally.borrow_mut().end(handed, sent.is_ok());
            });
        }
    }
}

async fn send(env: &Env, settings: &Settings, handed: &HandOver) -> Result<(), ObjectError> {
    let (object, tag_shards) = match handed {
        HandOver::Requests(_) => (CalledObject::TagIndex, settings.config.tag_shards),
        HandOver::Visits(..) => (CalledObject::Coordinator, settings.config.tag_shards),
    };
    settings.deployment.tally.borrow_mut().called(object, js::now());
    match handed.clone() {
        HandOver::Requests(counts) => {
            calls::tag_index(env, TagIndexName::ROOT, tag_shards, ToTagIndex::Count(counts)).await
        }
        HandOver::Visits(shard, visits) => {
            let message = ToCoordinator::Visits { shard: shard.clone(), visits };
            calls::deliver(env, &shard, &message).await
        }
    }
}
