//! The sum of several coordinators.

use serde_json::{Value, json};

use crate::inspection::answer::{BreakerWord, PendingWrites, Sweeps, Totals};
use crate::inspection::survey::{RANKED, RankedPage, ShardOverview};
use crate::shard_name::ShardName;
use crate::time::Timestamp;

/// Sums up coordinators. A coordinator whose pages were not counted has `null` in place of its state.
#[derive(Debug, Default)]
pub struct Overview {
    coordinators: Vec<(ShardName, ShardOverview)>,
}

impl Overview {
    /// Collects the answers of coordinators.
    #[must_use]
    pub fn of(coordinators: Vec<(ShardName, ShardOverview)>) -> Self {
        Self { coordinators }
    }

    /// Returns the answer to a caller, without what is not about coordinators.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let one = |(shard, overview): &(ShardName, ShardOverview)| {
            json!({
                "shard": shard,
                "route": shard.route(),
                "keys": overview.keys,
                "state": overview.state,
                "breaker": overview.breaker,
                "lastDecision": overview.last_decision,
            })
        };
        let hottest = self.ranked(|overview| &overview.hottest, |page| (u64::MAX - page.heat, 0));
        let stalest =
            self.ranked(|overview| &overview.stalest, |page| (0, page.fresh_until.map_or(0, Timestamp::as_millis)));
        json!({
            "totals": self.totals(),
            "coordinators": self.coordinators.iter().map(one).collect::<Vec<_>>(),
            "hottest": hottest,
            "stalest": stalest,
        })
    }

    fn totals(&self) -> Value {
        let (mut pages, mut l2) = (Totals::default(), PendingWrites { pending: 0, failing: 0 });
        let mut sweeps = Sweeps { open: 0, pages: 0 };
        let (mut passing, mut failing, mut tags, mut renders) = (0, 0, 0, 0);
        for state in self.coordinators.iter().filter_map(|(_, overview)| overview.state) {
            pages = pages.and(state.pages);
            l2 = PendingWrites { pending: l2.pending + state.l2.pending, failing: l2.failing + state.l2.failing };
            sweeps = Sweeps { open: sweeps.open + state.sweeps.open, pages: sweeps.pages + state.sweeps.pages };
            passing += state.passing;
            failing += state.failing;
            tags += state.tags;
            renders += state.renders;
        }
        let breakers = |word| self.coordinators.iter().filter(|(_, overview)| overview.breaker.state == word).count();
        json!({
            "keys": self.coordinators.iter().map(|(_, overview)| overview.keys).sum::<u64>(),
            "pages": pages,
            "passing": passing,
            "failing": failing,
            "tags": tags,
            "renders": renders,
            "l2": l2,
            "breaker": {
                "closed": breakers(BreakerWord::Closed),
                "open": breakers(BreakerWord::Open),
                "halfOpen": breakers(BreakerWord::HalfOpen),
            },
            "sweeps": sweeps,
            "uncounted": self.coordinators.iter().filter(|(_, overview)| overview.state.is_none()).count(),
        })
    }

    /// Merges rankings.
    fn ranked(
        &self,
        of: impl Fn(&ShardOverview) -> &Vec<RankedPage>,
        rank: impl Fn(&RankedPage) -> (u64, u64),
    ) -> Vec<Value> {
        let pages =
            self.coordinators.iter().flat_map(|(shard, overview)| of(overview).iter().map(move |page| (shard, page)));
        let mut pages: Vec<_> = pages.collect();
        pages.sort_by_key(|(_, page)| rank(page));
        pages.truncate(RANKED as usize);
        let with_shard = |(shard, page): (&ShardName, &RankedPage)| {
            let mut value = json!(page);
            value["shard"] = json!(shard);
            value
        };
        pages.into_iter().map(with_shard).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspection::answer::{BreakerState, ShardState};
    use crate::semantics::key::PageKey;

    fn page(path: &str, heat: u64, fresh_until: u64) -> RankedPage {
        let key = PageKey::from_stored(&format!("https://e.com{path}")).unwrap();
        RankedPage { key, heat, rendered_at: None, fresh_until: Some(Timestamp::from_millis(fresh_until)) }
    }

    fn overview(fresh: u64, word: BreakerWord, ranked: Vec<RankedPage>) -> ShardOverview {
        let breaker = BreakerState { state: word, failures: 0, probe_at: None };
        let state = ShardState {
            pages: Totals { total: fresh, fresh, stale: 0, expired: 0 },
            passing: 1,
            failing: 2,
            tags: 3,
            renders: 4,
            l2: PendingWrites { pending: 5, failing: 6 },
            breaker,
            sweeps: Sweeps { open: 7, pages: 8 },
            last_invalidation: None,
        };
        ShardOverview {
            keys: fresh,
            state: Some(state),
            breaker,
            last_decision: 9,
            hottest: ranked.clone(),
            stalest: ranked,
        }
    }

    #[test]
    fn coordinators_are_summed_up_and_their_rankings_merged() {
        let shard = |name: &str| ShardName::from_stored(name).unwrap();
        let first = overview(10, BreakerWord::Closed, vec![page("/hot", 9, 500), page("/warm", 5, 300)]);
        let second = overview(1, BreakerWord::Open, vec![page("/warmer", 7, 400)]);
        let large = ShardOverview { keys: 900_000, state: None, hottest: vec![], stalest: vec![], ..first.clone() };
        let json =
            Overview::of(vec![(shard("/a#0"), first), (shard("/b#0"), second), (shard("/c#0"), large)]).to_json();
        assert_eq!(
            json["totals"],
            json!({
                "keys": 900_011, "pages": { "total": 11, "fresh": 11, "stale": 0, "expired": 0 },
                "passing": 2, "failing": 4, "tags": 6, "renders": 8, "l2": { "pending": 10, "failing": 12 },
                "breaker": { "closed": 2, "open": 1, "halfOpen": 0 }, "sweeps": { "open": 14, "pages": 16 }, "uncounted": 1,
            })
        );
        let keys = |name: &str| -> Vec<String> {
            json[name]
                .as_array()
                .unwrap()
                .iter()
                .map(|page| page["key"].as_str().unwrap().replace("https://e.com", ""))
                .collect()
        };
        assert_eq!(keys("hottest"), ["/hot", "/warmer", "/warm"]);
        assert_eq!(keys("stalest"), ["/warm", "/warmer", "/hot"]);
        assert_eq!(json["hottest"][1]["shard"], "/b#0");
        assert_eq!(json["coordinators"][2]["state"], Value::Null);
    }
}
