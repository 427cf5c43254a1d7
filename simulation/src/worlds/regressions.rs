//! Seeds that have found something. A seed means something else once the simulation itself has changed: what it has found is
//! a deliberate fault besides, with which another seed is found then (`cargo xtask sim --fault <name>`).

use crate::fault::Fault;

/// Each seed with the fault that it shows, which was a mistake once:
/// - a render that was begun anew after a registration was not broken off;
/// - the clock ran ahead with each invalidation, and edges took a page for newer than the next one;
/// - the tag index was told that a shard had applied an invalidation, and then gave another attempt up: it was pending again;
/// - the tag index's clock had gone back, and two invalidations had one time: a page from between them counted as newer;
/// - the tag index went by the old number of shards still, and the new owner of a path did not hear of its invalidation.
pub const SEEDS: [(u64, Fault); 5] = [
    (7, Fault::KeepRunning),
    (8_229, Fault::RunAhead),
    (5, Fault::PutOffApplied),
    (1_929, Fault::TimeStandsStill),
    (36, Fault::RegisterWithoutPaths),
];

/// Returns the seed that is known to show a fault.
#[must_use]
pub fn seed_of(fault: Fault) -> Option<u64> {
    SEEDS.iter().find(|(_, known)| *known == fault).map(|(seed, _)| *seed)
}
