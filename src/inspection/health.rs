//! The health of a deployment: judges what a bounded number of objects report.

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use crate::inspection::answer::{BreakerWord, ShardAnswer, TagIndexHealth};
use crate::inspection::words;
use crate::shard_name::ShardName;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;

/// How long a delivery of an invalidation may be pending before it counts as a problem.
pub const PENDING_BOUND: Duration = Duration::from_mins(1);

/// The most coordinators that are asked. If there are more, each check begins with another one.
pub const MAX_COORDINATORS: u32 = 16;

/// The number of failed attempts from which on a write to L2 counts as refused.
pub const REFUSED_ATTEMPTS: u32 = 5;

/// The most pending deliveries and writes that are counted.
pub const MAX_COUNTED: u64 = 1000;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HealthProblem {
    /// The configuration is not valid, or a binding is missing.
    #[error("{0}")]
    Misconfigured(String),
    /// An object of the tag index could not be reached.
    #[error("the tag index object {index} could not be reached: invalidations are not recorded")]
    TagIndexUnreachable {
        /// Its name.
        index: TagIndexName,
    },
    /// The edge that answers has no current feed.
    #[error("this colo has no current feed of invalidations: all pages are served as stale")]
    FeedNotCurrent,
    /// An invalidation has not reached a coordinator for long.
    #[error("invalidations have been pending since {}; {pending} deliveries are pending", words::iso(*oldest))]
    PendingDeliveries {
        /// How many deliveries are pending, counted up to [`MAX_COUNTED`].
        pending: u64,
        /// When the oldest of these invalidations was recorded.
        oldest: Timestamp,
    },
    /// A coordinator could not be reached.
    #[error("the coordinator {shard} could not be reached: its pages are not rendered")]
    CoordinatorUnreachable {
        /// Its name.
        shard: ShardName,
    },
    /// The circuit breaker of a coordinator is open.
    #[error("the circuit breaker of {shard} is open: the origin fails for {failures} pages")]
    BreakerOpen {
        /// Its name.
        shard: ShardName,
        /// How many pages failed in their last render.
        failures: u64,
    },
    /// L2 refuses the writes of a coordinator.
    #[error("L2 refuses writes of {shard}: {failing} pages have been refused at least {REFUSED_ATTEMPTS} times")]
    L2Refuses {
        /// Its name.
        shard: ShardName,
        /// How many pages.
        failing: u64,
    },
}

impl HealthProblem {
    /// All codes.
    pub const CODES: [&'static str; 7] = [
        "misconfigured",
        "tag_index_unreachable",
        "feed_not_current",
        "pending_deliveries",
        "coordinator_unreachable",
        "breaker_open",
        "l2_refuses",
    ];

    /// Returns the code, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Misconfigured(_) => "misconfigured",
            Self::TagIndexUnreachable { .. } => "tag_index_unreachable",
            Self::FeedNotCurrent => "feed_not_current",
            Self::PendingDeliveries { .. } => "pending_deliveries",
            Self::CoordinatorUnreachable { .. } => "coordinator_unreachable",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::L2Refuses { .. } => "l2_refuses",
        }
    }
}

/// What was checked, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong; empty if all is well.
    pub problems: Vec<HealthProblem>,
    /// The number of tag index objects that were asked.
    pub tag_indexes: u32,
    /// The number of coordinators that were asked.
    pub coordinators: u32,
    /// The number of coordinators that exist; `None`: not known.
    pub known_coordinators: Option<u64>,
}

impl Health {
    /// Describes a deployment that is not configured.
    #[must_use]
    pub fn misconfigured(problems: impl IntoIterator<Item = String>) -> Self {
        Self { problems: problems.into_iter().map(HealthProblem::Misconfigured).collect(), ..Self::default() }
    }

    /// Judges the answer of a tag index object.
    pub fn tag_index(&mut self, index: TagIndexName, answer: Option<&TagIndexHealth>, now: Timestamp) {
        self.tag_indexes += 1;
        let Some(answer) = answer else {
            return self.problems.push(HealthProblem::TagIndexUnreachable { index });
        };
        if let Some(oldest) = answer.oldest_pending.filter(|at| now.since(*at) > PENDING_BOUND) {
            self.problems.push(HealthProblem::PendingDeliveries { pending: answer.pending, oldest });
        }
    }

    /// Judges the answer of a coordinator.
    pub fn coordinator(&mut self, shard: &ShardName, answer: Option<&ShardAnswer>) {
        self.coordinators += 1;
        let shard = shard.clone();
        let Some(answer) = answer else {
            return self.problems.push(HealthProblem::CoordinatorUnreachable { shard });
        };
        if let Some(breaker) = answer.breaker.filter(|breaker| breaker.state != BreakerWord::Closed) {
            self.problems.push(HealthProblem::BreakerOpen { shard: shard.clone(), failures: breaker.failures });
        }
        if let Some(l2) = answer.refused_by_l2.filter(|refused| *refused > 0) {
            self.problems.push(HealthProblem::L2Refuses { shard, failing: l2 });
        }
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.problems.is_empty() { 200 } else { 503 }
    }

    /// Returns the answer to a caller.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let problem = |problem: &HealthProblem| json!({ "code": problem.code(), "message": problem.to_string() });
        json!({
            "healthy": self.problems.is_empty(),
            "problems": self.problems.iter().map(problem).collect::<Vec<_>>(),
            "checked": {
                "tagIndexes": self.tag_indexes,
                "coordinators": self.coordinators,
                "of": self.known_coordinators,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspection::answer::BreakerState;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn codes(health: &Health) -> Vec<&'static str> {
        health.problems.iter().map(HealthProblem::code).collect()
    }

    #[test]
    fn a_deployment_without_problems_is_healthy() {
        let mut health = Health { known_coordinators: Some(40), ..Health::default() };
        let fresh = TagIndexHealth { pending: 3, oldest_pending: Some(at(1000)), ..TagIndexHealth::default() };
        health.tag_index(TagIndexName::ROOT, Some(&fresh), at(61_000));
        let breaker = Some(BreakerState { state: BreakerWord::Closed, failures: 1, probe_at: None });
        let answer = ShardAnswer { breaker, refused_by_l2: Some(0), ..ShardAnswer::default() };
        health.coordinator(&ShardName::from_stored("/*#0").unwrap(), Some(&answer));
        health.coordinator(&ShardName::from_stored("/*#1").unwrap(), Some(&ShardAnswer::default()));
        assert_eq!((codes(&health), health.status()), (vec![], 200));
        let expected = json!({
            "healthy": true, "problems": [], "checked": { "tagIndexes": 1, "coordinators": 2, "of": 40 },
        });
        assert_eq!(health.to_json(), expected);
    }

    #[test]
    fn each_problem_is_named() {
        let shard = ShardName::from_stored("/*#0").unwrap();
        let mut health = Health::misconfigured(["the binding `ISR_CACHE` is missing".to_owned()]);
        let late = TagIndexHealth { pending: 3, oldest_pending: Some(at(1000)), ..TagIndexHealth::default() };
        health.tag_index(TagIndexName::ROOT, Some(&late), at(61_001));
        health.tag_index(TagIndexName::ROOT, None, at(0));
        health.problems.push(HealthProblem::FeedNotCurrent);
        for state in [BreakerWord::Open, BreakerWord::HalfOpen] {
            let breaker = Some(BreakerState { state, failures: 9, probe_at: Some(at(5)) });
            health.coordinator(&shard, Some(&ShardAnswer { breaker, ..ShardAnswer::default() }));
        }
        health.coordinator(&shard, Some(&ShardAnswer { refused_by_l2: Some(2), ..ShardAnswer::default() }));
        health.coordinator(&shard, None);
        let expected = [
            "misconfigured",
            "pending_deliveries",
            "tag_index_unreachable",
            "feed_not_current",
            "breaker_open",
            "breaker_open",
            "l2_refuses",
            "coordinator_unreachable",
        ];
        assert!(HealthProblem::CODES.iter().all(|code| expected.contains(code)));
        assert!(expected.iter().all(|code| HealthProblem::CODES.contains(code)));
        assert_eq!((codes(&health), health.status()), (expected.to_vec(), 503));
        let messages: Vec<String> = health.problems.iter().map(ToString::to_string).collect();
        assert!(messages[1].contains("since 1970-01-01T00:00:01.000Z; 3 deliveries"), "{messages:?}");
        assert!(messages[4].contains("/*#0") && messages[4].contains("9 pages"), "{messages:?}");
    }
}
