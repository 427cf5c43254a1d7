//! Collects the facts about a page, and has [`Facts`] explain them.

use std::time::Duration;

use serde_json::{Value, json};
use worker::Env;

use crate::edge::caches::{envelope, feed_poll, l1, l2};
use crate::edge::platform::{calls, js};
use crate::edge::settings::Settings;
use crate::error::{CallError, ObjectError};
use crate::inspection::answer::{Pages, ShardAnswer, ShardQuestion};
use crate::inspection::explain::{Coordinator, Facts, FeedFacts, Outlook, Passed, RouteFacts, TierFacts, outlook};
use crate::inspection::{Explain, MAX_LIMIT, words};
use crate::protocol::ToCoordinator;
use crate::reason::Reason;
use crate::route::Route;
use crate::semantics::cache_status::CacheOutcome;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::vary::Visitor;
use crate::shard_name::ShardName;
use crate::visit::classify::{self, Destination, Pass, UrlClass};
use crate::visit::{CallFailure, L1Entry, L2_PATIENCE, Request, Sent, StoredPage};

/// How long the coordinator may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client without any headers.
struct Nobody;

impl Visitor for Nobody {
    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn country(&self) -> Option<String> {
        None
    }
}

/// Explains what the cache does with a GET without headers, here and now. Renders nothing and changes nothing.
pub(in crate::edge) async fn explain(env: &Env, explain: Explain) -> Result<Value, CallError> {
    let settings = Settings::of(env).map_err(CallError::Unconfigured)?;
    let nothing = Facts::about(explain.url.clone(), js::now());
    let facts = match classify::by_url(&settings.config, &explain.url) {
        UrlClass::NotForCache => nothing,
        UrlClass::Admin(_) => Facts { passed: Some(Passed::Admin), ..nothing },
        UrlClass::Routed { route, destination } => {
            let known = Facts { route: Some(RouteFacts::of(route)), ..nothing };
            match destination {
                Destination::Pass(pass) => passed(known, pass),
                Destination::Page(key) | Destination::Redirect { key, .. } => {
                    match key.with_variant(&route.vary().variant(&Nobody)) {
                        Ok(key) => collected(env, &settings, route, key, known).await,
                        Err(error) => passed(known, error.into()),
                    }
                }
            }
        }
    };
    let meaning = explain.detail.map(|reason| format!(" `{reason}` means: {}", reason.description()));
    let explanation = facts.sentence() + &meaning.unwrap_or_default();
    Ok(json!({ "explanation": explanation, "facts": words::with_utc(json!(facts)) }))
}

/// Adds why requests pass to the origin.
fn passed(facts: Facts, pass: Pass) -> Facts {
    let passed = match pass {
        Pass::NoKey(reason) | Pass::Demand(reason) => Passed::Because(reason),
        // A request without headers has neither token nor cookie.
        Pass::NeverStored | Pass::Draft | Pass::Cookie => Passed::NeverStored,
    };
    let reason = match passed {
        Passed::Because(reason) => Some(reason),
        Passed::NeverStored => Some(Reason::RevalidateZero),
        Passed::Admin => None,
    };
    Facts { passed: Some(passed), request: Outlook::new(CacheOutcome::Skip, reason), ..facts }
}

/// Adds what the tiers and the coordinator know of a page.
async fn collected(env: &Env, settings: &Settings, route: &Route, key: PageKey, facts: Facts) -> Facts {
    let config = &settings.config;
    let shard = ShardName::of(route, key.path());
    let (asked, found, stored, ()) = futures::join!(
        coordinator(env, &shard, &key),
        l1::get(settings, &key),
        in_l2(env, settings, &key),
        feed_poll::refresh_first(env, settings),
    );
    let found = match found {
        L1Entry::Page(StoredPage { meta, body }) => {
            envelope::discard(&body);
            L1Entry::Page(StoredPage { meta, body: () })
        }
        L1Entry::Pass(mark) => L1Entry::Pass(mark),
        L1Entry::Nothing => L1Entry::Nothing,
    };
    let (answer, unreachable) = match asked {
        Ok(answer) => (answer, None),
        Err(error) => {
            worker::console_error!("explain: {shard}: {error}");
            (ShardAnswer::default(), Some(error.failure()))
        }
    };
    let page = answer.pages.into_iter().find(|page| page.key == key);
    let (now, breaker) = (js::now(), answer.breaker);
    let request = Request {
        key: &key,
        route: route.id(),
        sent: Sent(&Nobody),
        renders: false,
        freshness_bound: config.freshness_bound,
        miss_timeout: config.miss_timeout,
        pass_ttl: config.pass_ttl,
    };
    settings.deployment.with(|polling| Facts {
        now,
        key: Some(key.as_str().to_owned()),
        l1: TierFacts::of_l1(&found, &request, polling),
        l2: stored.as_ref().map(|page| TierFacts::of_page(&page.meta, &request, polling)).unwrap_or_default(),
        feed: FeedFacts {
            is_current: polling.is_current(now, config.freshness_bound),
            complete_until: polling.complete_until(),
        },
        request: outlook(
            request,
            found,
            stored,
            polling,
            now,
            Coordinator { unreachable, page: page.as_ref(), breaker },
        ),
        shard: Some(shard),
        unreachable: unreachable.map(CallFailure::reason),
        page: page.clone(),
        breaker,
        ..facts
    })
}

async fn coordinator(env: &Env, shard: &ShardName, key: &PageKey) -> Result<ShardAnswer, ObjectError> {
    let Ok(path) = CanonicalPath::parse(key.path()) else {
        return Ok(ShardAnswer::default());
    };
    let question = ShardQuestion { pages: Pages::Path(path), after: None, limit: MAX_LIMIT, totals: false };
    let message = ToCoordinator::Inspect(question);
    let asked = calls::deliver(env, shard, &message);
    js::within(PATIENCE, asked).await.unwrap_or(Err(ObjectError::Timeout))
}

/// Reads L2. A store that fails or hangs counts as empty, as for a visit.
async fn in_l2(env: &Env, settings: &Settings, key: &PageKey) -> Option<StoredPage<()>> {
    let pages = l2::open(env, settings.config.l2).ok()?;
    let (head, _) = js::within(L2_PATIENCE, pages.get(key)).await?.ok()??;
    Some(StoredPage { meta: head.meta, body: () })
}
