//! One visitor's request for a page of a route: what L1 and L2 have, and whether that will do.

use wasm_bindgen::JsValue;
use web_sys::Response;
use worker::Context;

use crate::edge::caches::fill::Fill;
use crate::edge::caches::l1::{self, Found};
use crate::edge::caches::{envelope, feed_poll, l2};
use crate::edge::platform::js;
use crate::edge::visitor::downstream;
use crate::edge::visitor::isr::{Asker, Handled, Isr};
use crate::edge::visitor::respond::{self, Terms, Told};
use crate::page::PageMeta;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::cache_status::{CacheStatus, Forward, Outcome};
use crate::semantics::conditional::{Conditions, Form, Selected};
use crate::semantics::key::PageKey;
use crate::semantics::range::Range;
use crate::shard_name::ShardName;
use crate::time::Timestamp;
use crate::visit::{Judgement, judge};

/// A request for a page of a route.
pub(in crate::edge) struct Visit<'a> {
    pub(in crate::edge) isr: &'a Isr,
    pub(in crate::edge) context: &'a Context,
    pub(in crate::edge) route: &'a Route,
    pub(in crate::edge) key: PageKey,
    /// False for HEAD.
    pub(in crate::edge) with_body: bool,
    /// On which conditions the visitor wants the page, and which part of it.
    pub(in crate::edge) conditions: Conditions,
    /// Whether who asks can render the page.
    pub(in crate::edge) asker: Asker,
    /// Whether the request has `Authorization`.
    pub(in crate::edge) authorized: bool,
}

/// A wrapped page, and what is known of it.
pub(in crate::edge) type Stored = (PageMeta, Response);

/// Where a copy was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    L1,
    L2,
}

impl Visit<'_> {
    /// Answers the visitor.
    pub(in crate::edge) async fn answer(&self) -> Result<Handled, JsValue> {
        let config = self.isr.config();
        let feed = feed_poll::refresh(&self.isr.env, self.context, &self.isr.settings);
        let ((), found) = futures::join!(feed, l1::get(config, &self.key));
        match found {
            Found::Page(meta, page) => self.with_copy((meta, page), Source::L1).await,
            Found::Pass(mark) if self.still_passes(mark) => Ok(skip(Reason::NotStored)),
            Found::Pass(_) | Found::Nothing => match self.look_in_l2().await? {
                Some(copy) => self.with_copy(copy, Source::L2).await,
                None => self.miss(None, None).await,
            },
        }
    }

    /// Tells whether a pass mark holds: an invalidation of the path lifts it.
    pub(in crate::edge) fn still_passes(&self, mark: l1::PassMark) -> bool {
        let lifted =
            feed_poll::with_known(|feed| feed.path_verdict(self.key.path(), self.route.id(), mark.since).is_some());
        js::now() < mark.until && !lifted
    }

    async fn look_in_l2(&self) -> Result<Option<Stored>, JsValue> {
        let found = match l2::open(&self.isr.env, self.isr.config().l2) {
            Ok(l2) => l2.get(&self.key).await,
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(Some((head, body))) => {
                let page = envelope::wrap(&head.meta, &head.headers, &body)?;
                Ok(Some((head.meta, page)))
            }
            Ok(None) => Ok(None),
            // A value that can't be used is a miss: the coordinator overwrites it. So is one that can't be had.
            Err(error) => {
                worker::console_error!("L2: {}: {error}", self.key);
                Ok(None)
            }
        }
    }

    async fn with_copy(&self, (meta, page): Stored, source: Source) -> Result<Handled, JsValue> {
        let (outcome, reason) = match self.judge(&meta) {
            Judgement::Fresh => (Outcome::Hit, None),
            Judgement::Stale { reason } => (Outcome::Stale, reason),
            Judgement::Unusable { stands_in } => {
                let newer_than = self.invalidated_at(&meta);
                return self.miss(stands_in.then_some((meta, page)), newer_than).await;
            }
        };
        if outcome == Outcome::Stale {
            self.report_stale(&meta);
        } else if source == Source::L2 {
            self.keep_whole(&meta, &page)?;
        }
        let status = CacheStatus::hit(meta.windows.ttl_seconds(js::now())).with_detail(reason.or(source.reason()));
        let handled = self.respond(&meta, &page, outcome, status)?;
        // Only a HIT is kept in front: it is whole, and was judged a moment ago.
        if let (Outcome::Hit, Handled::Response(response, _)) = (outcome, &handled) {
            respond::apply(&response.headers(), downstream::changes(self.isr.config(), &meta, self.route, js::now()))?;
        }
        Ok(handled)
    }

    /// Judges a copy by what is known at this moment.
    pub(in crate::edge) fn judge(&self, meta: &PageMeta) -> Judgement {
        let bound = self.isr.config().freshness_bound;
        feed_poll::with_current(bound, |feed| judge(meta, self.route.id(), feed, js::now()))
    }

    /// Returns the time of the invalidation that has made a copy invalid, as far as this isolate knows.
    pub(in crate::edge) fn invalidated_at(&self, meta: &PageMeta) -> Option<Timestamp> {
        feed_poll::with_known(|feed| feed.verdict(meta, self.route.id())).map(|invalidated| invalidated.at)
    }

    /// Keeps a page in L1 whose bytes are all here, behind the response.
    fn keep_whole(&self, meta: &PageMeta, page: &Response) -> Result<(), JsValue> {
        // Without a body in the response there is no second reader.
        let copy = if self.reads_body(meta, page)? { page.clone()? } else { Clone::clone(page) };
        let (isr, meta) = (self.isr.clone(), meta.clone());
        self.context.wait_until(async move {
            if let Some(body) = copy.body() {
                l1::put_page(isr.config(), &meta, &copy.headers(), &body, js::now()).await;
            }
        });
        Ok(())
    }

    /// Keeps a coordinator's page in L1 once all of it has come, behind the response.
    pub(in crate::edge) fn keep(&self, meta: &PageMeta, page: &Response) -> Result<(), JsValue> {
        let reads_body = self.reads_body(meta, page)?;
        match Fill::begin(&meta.key) {
            Some(fill) => {
                let copy = if reads_body { page.clone()? } else { Clone::clone(page) };
                let (isr, meta) = (self.isr.clone(), meta.clone());
                self.context.wait_until(async move { fill.run(isr.config(), &meta, &copy).await });
            }
            None if reads_body => {}
            None => envelope::discard(page),
        }
        Ok(())
    }

    pub(in crate::edge) fn respond(
        &self,
        meta: &PageMeta,
        page: &Response,
        outcome: Outcome,
        status: CacheStatus,
    ) -> Result<Handled, JsValue> {
        let told = Told { outcome, status };
        let terms = Terms {
            expose: self.isr.config().expose_headers,
            browser_max_age: self.route.browser_max_age(),
            with_body: self.with_body,
            now: js::now(),
        };
        let form = self.form(meta, page)?;
        let response = respond::page(meta, page, &told, &terms, form, self.context)?;
        if let Some(field) = self.route.vary().field() {
            response.headers().set("vary", &field)?;
        }
        Ok(Handled::Response(response, outcome))
    }

    /// Decides in which form the visitor gets a page. It depends on nothing that changes while the request goes on.
    fn form(&self, meta: &PageMeta, page: &Response) -> Result<Form, JsValue> {
        if self.conditions.are_none() {
            return Ok(Form::Whole);
        }
        let headers = page.headers();
        let (etag, last_modified) = (headers.get("etag")?, headers.get("last-modified")?);
        let selected = Selected {
            status: meta.status,
            etag: etag.as_deref(),
            last_modified: last_modified.as_deref(),
            date: meta.rendered_at,
            body_bytes: meta.body_bytes,
        };
        Ok(self.conditions.form(self.with_body, &selected))
    }

    /// Tells whether the answer to the visitor has a body, so that there is a reader besides L1.
    fn reads_body(&self, meta: &PageMeta, page: &Response) -> Result<bool, JsValue> {
        let has_body = |form| matches!(form, Form::Whole | Form::Ranged(Range::Part(_)));
        Ok(self.with_body && has_body(self.form(meta, page)?))
    }

    pub(in crate::edge) fn shard(&self) -> ShardName {
        ShardName::of(self.route, self.key.path())
    }
}

impl Source {
    const fn reason(self) -> Option<Reason> {
        match self {
            Self::L1 => None,
            Self::L2 => Some(Reason::L2),
        }
    }
}

/// Lets the site answer, and says how that came.
pub(in crate::edge) fn told(outcome: Outcome, status: CacheStatus) -> Handled {
    Handled::Pass(Some(Told { outcome, status }))
}

/// Lets the site answer, for it is not stored or can't be had here.
pub(in crate::edge) fn skip(reason: Reason) -> Handled {
    told(Outcome::Skip, CacheStatus::forwarded(Forward::UriMiss).with_detail(Some(reason)))
}
