//! Seeds that have found mistakes. A seed leads to another schedule after a change of the simulation itself. Therefore
//! each mistake is also a deliberate fault, for which a new seed can be found (`cargo xtask sim --fault <name>`).

use crate::fault::Fault;

/// Each seed with the fault that it shows. The first were real mistakes once:
/// - a render that began again after a registration was not cancelled;
/// - the clock ran ahead with each invalidation, and edges treated a page as newer than the next invalidation;
/// - the tag index recorded that a shard had applied an invalidation, then gave up another attempt, and the delivery was pending again;
/// - the tag index's clock had gone back, and two invalidations had the same time: a page rendered between them counted as newer;
/// - the tag index still used the old number of shards, and the new owner of a path did not receive its invalidation;
/// - a purge had left the feed, and the purged page stood in for one that the coordinator did not have;
/// - an edge whose clock was behind took a page that the coordinator called stale for fresh, without the row in its feed;
/// - an overtaken write landed in L2 while the store failed, and the newer page was not written again;
/// - a coordinator whose clock was behind did not learn the time, and stored no page;
/// - an edge had read a part of the feed, whose rows a later row had replaced, and that row was lost by a restore;
/// - an invalidation by tag was removed although a page that carries every tag was from before it;
/// - a summary of dropped deliveries, one of them in a mode of a later version, was weaker than that;
/// - an invalidation was removed to which another had just been widened;
/// - after a restore, an edge took shared answers of the old log and of the new one in turn.
///
/// Some mistakes that such a search finds once in more than 100,000 schedules are shown by unit tests alone.
///
/// The others are faults that a search from the first seed finds late.
pub const SEEDS: [(u64, Fault); 24] = [
    (0, Fault::KeepRunning),
    (4_053, Fault::RunAhead),
    (0, Fault::PutOffApplied),
    (2_426, Fault::TimeStandsStill),
    (1_957, Fault::RegisterWithoutPaths),
    (4_829, Fault::StandInUnknown),
    (129_373, Fault::StaleByOwnClock),
    (19_219, Fault::ForgetUnrecorded),
    (19_813, Fault::StayBehind),
    (28_875, Fault::StateRowRead),
    (2_748, Fault::CollectForOthers),
    (11_343, Fault::WeakenDroppedMode),
    (575_783, Fault::RemoveWidened),
    (208_562, Fault::MakeRoomByPurge),
    (20_116, Fault::AlternateLogs),
    (8_686, Fault::NoReportBackOff),
    (14_505, Fault::KeepPassing),
    (4_866, Fault::ServeInvalidatedAnswer),
    (181, Fault::KeepSlot),
    (136, Fault::ShareOutOfOrder),
    (1_461, Fault::KeepRetired),
    (754, Fault::SpendUncounted),
    (683, Fault::ValidatePurged),
    (978, Fault::TrustRestoredLog),
];

/// Returns the seed that is known to show a fault.
#[must_use]
pub fn seed_of(fault: Fault) -> Option<u64> {
    SEEDS.iter().find(|(_, known)| *known == fault).map(|(seed, _)| *seed)
}
