//! Seeds that have found mistakes. A seed leads to another schedule after a change of the simulation itself. Therefore
//! each mistake is also a deliberate fault, for which a new seed can be found (`cargo xtask sim --fault <name>`).

use crate::fault::Fault;

/// Each seed with the fault that it shows. Each fault was once a real mistake:
/// - a render that began again after a registration was not cancelled;
/// - the clock ran ahead with each invalidation, and edges treated a page as newer than the next invalidation;
/// - the tag index recorded that a shard had applied an invalidation, then gave up another attempt, and the delivery was pending again;
/// - the tag index's clock had gone back, and two invalidations had the same time: a page rendered between them counted as newer;
/// - the tag index still used the old number of shards, and the new owner of a path did not receive its invalidation;
/// - the new owner registered twice, and the second answer, which lacked that invalidation, arrived first;
/// - an edge's feed aged during a slow render, and the edge served the result as fresh;
/// - a purge had left the feed, and the purged page stood in for one that the coordinator did not have;
/// - an edge whose clock was behind took a page that the coordinator called stale for fresh, without the row in its feed;
/// - an overtaken write landed in L2 while the store failed, and the newer page was not written again;
/// - an expired page that may have been purged stood in after the coordinator had refused the question.
pub const SEEDS: [(u64, Fault); 11] = [
    (2, Fault::KeepRunning),
    (25_062, Fault::RunAhead),
    (21, Fault::PutOffApplied),
    (2_344, Fault::TimeStandsStill),
    (493, Fault::RegisterWithoutPaths),
    (601, Fault::RegisterWithoutPaths),
    (9_107, Fault::TrustSlowRender),
    (5_250, Fault::StandInUnknown),
    (5_001_301, Fault::StaleByOwnClock),
    (5_070_539, Fault::ForgetUnrecorded),
    (5_073_365, Fault::ExpireBeforeUnknown),
];

/// Returns the seed that is known to show a fault.
#[must_use]
pub fn seed_of(fault: Fault) -> Option<u64> {
    SEEDS.iter().find(|(_, known)| *known == fault).map(|(seed, _)| *seed)
}
