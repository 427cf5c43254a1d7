//! What the deployment has answered.

use cloudflare_isr::Timestamp;
use cloudflare_isr::internals::inspection::answer::{BreakerState, PendingWrites, ShardState, Sweeps, Totals};
use serde::Deserialize;
use serde_json::Value;

use crate::commands::{Health, Receipt, read};
use crate::connection::{Call, Service};
use crate::failure::Failure;

/// The answers to one look.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The overview.
    pub(super) overview: Overview,
    /// The invalidations, the newest first.
    pub(super) invalidations: Vec<Receipt>,
    /// The health.
    pub(super) health: Health,
}

/// The answer to `GET /__isr/overview`.
#[derive(Debug, Deserialize)]
pub(super) struct Overview {
    /// When it was made.
    pub(super) now: Timestamp,
    /// The sums over the coordinators that were asked.
    pub(super) totals: Sums,
    /// The coordinators that were asked.
    pub(super) coordinators: Vec<Coordinator>,
    /// The pages that were rendered again most often.
    pub(super) hottest: Vec<Ranked>,
    /// What was asked.
    pub(super) checked: Checked,
    /// The place at which the list of coordinators continues.
    pub(super) after: Option<String>,
    invalidations: Vec<Value>,
}

/// Sums over coordinators.
#[derive(Debug, Deserialize)]
pub(super) struct Sums {
    /// All keys.
    pub(super) keys: u64,
    /// Pages by state.
    pub(super) pages: Totals,
    /// Keys whose requests pass to the origin.
    pub(super) passing: u64,
    /// Keys whose last render has failed.
    pub(super) failing: u64,
    /// Tags.
    pub(super) tags: u64,
    /// Renders under way or queued.
    pub(super) renders: u64,
    /// Pending writes to L2.
    pub(super) l2: PendingWrites,
    /// Circuit breakers by state.
    pub(super) breaker: Breakers,
    /// Purges and eager refreshes under way.
    pub(super) sweeps: Sweeps,
    /// Coordinators whose pages were not counted.
    pub(super) uncounted: u64,
}

/// Circuit breakers by state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Breakers {
    /// Open ones.
    pub(super) open: u64,
    /// Half open ones.
    pub(super) half_open: u64,
}

/// A coordinator.
#[derive(Debug, Deserialize)]
pub(super) struct Coordinator {
    /// Its name.
    pub(super) shard: String,
    /// The number of its keys.
    pub(super) keys: u64,
    /// Its state; `None`: its pages were not counted.
    pub(super) state: Option<ShardState>,
    /// Its circuit breaker.
    pub(super) breaker: BreakerState,
}

/// A page in a ranking.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ranked {
    /// Its URL.
    pub(super) key: String,
    /// How often it was rendered again recently.
    pub(super) heat: u64,
    /// The end of its freshness.
    pub(super) fresh_until: Option<Timestamp>,
}

/// What was asked.
#[derive(Debug, Deserialize)]
pub(super) struct Checked {
    /// The coordinators that were asked.
    pub(super) asked: u64,
    /// Those that answered.
    #[serde(default)]
    pub(super) answered: Option<u64>,
    /// All coordinators.
    #[serde(default)]
    pub(super) known: Option<u64>,
}

impl Snapshot {
    /// Asks the deployment.
    pub(super) fn ask(service: &dyn Service, after: Option<&str>) -> Result<Self, Failure> {
        let overview = service.ask(&Call::get("/__isr/overview").with_some("after", after))?;
        let health = Health::ask(service)?.1;
        Self::read(&overview, health)
    }

    fn read(overview: &Value, health: Health) -> Result<Self, Failure> {
        let overview: Overview = read(overview)?;
        let invalidations = overview.invalidations.iter().map(Receipt::read).collect::<Result<_, _>>()?;
        Ok(Self { overview, invalidations, health })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::connection::tests::Prepared;

    /// An answer, as a deployment writes it.
    pub(in crate::top) fn overview() -> Value {
        let state = json!({
            "pages": { "total": 10, "fresh": 6, "stale": 3, "expired": 1 }, "passing": 1, "failing": 2, "tags": 4, "renders": 3,
            "l2": { "pending": 5, "failing": 1 }, "breaker": { "state": "open", "failures": 9, "probeAt": null },
            "sweeps": { "open": 1, "pages": 7 }, "lastInvalidation": 8,
        });
        json!({
            "now": 1_700_000_210_000_u64,
            "totals": {
                "keys": 900_011, "pages": { "total": 10, "fresh": 6, "stale": 3, "expired": 1 }, "passing": 1, "failing": 2, "tags": 4,
                "renders": 3, "l2": { "pending": 5, "failing": 1 }, "breaker": { "closed": 1, "open": 1, "halfOpen": 0 },
                "sweeps": { "open": 1, "pages": 7 }, "uncounted": 1,
            },
            "coordinators": [
                { "shard": "/blog/*#0", "route": "/blog/*", "keys": 11, "state": state, "lastDecision": 9,
                  "breaker": { "state": "open", "failures": 9, "probeAt": null } },
                { "shard": "/blog/*#1", "route": "/blog/*", "keys": 900_000, "state": null, "lastDecision": 9,
                  "breaker": { "state": "closed", "failures": 0, "probeAt": null } },
            ],
            "hottest": [{ "key": "https://e.com/blog/hot", "heat": 42, "renderedAt": null, "freshUntil": 1_700_000_300_000_u64, "shard": "/blog/*#0" }],
            "stalest": [],
            "invalidations": [{
                "seq": 8, "tag": "post:42", "mode": "stale", "refresh": "lazy", "pages": { "matched": 3 }, "shards": { "applied": 1, "pending": 1 },
                "at": 1_700_000_200_000_u64,
            }],
            "checked": { "asked": 2, "answered": 2, "known": 40 }, "after": "/blog/*#1",
        })
    }

    /// What a deployment has answered.
    pub(in crate::top) fn snapshot() -> Snapshot {
        let health = json!({
            "healthy": false, "problems": [{ "code": "breaker_open", "message": "the circuit breaker of /blog/*#0 is open" }],
            "checked": { "tagIndexes": 1, "coordinators": 2, "of": 40 },
        });
        let service = Prepared::new([(200, overview()), (503, health)]);
        let snapshot = Snapshot::ask(&service, Some("/blog/*#0")).unwrap();
        assert_eq!(service.calls(), ["Get /__isr/overview?after=/blog/*#0", "Get /__isr/health?"]);
        snapshot
    }
}
