//! Promise 7, by comparison: runs the same schedule unchanged, and with an object that is evicted whenever it is idle.
//! The answers must be the same, in the same order. Their times may differ: an object that has lost a page's bytes reads
//! them from L2, and a queued render begins later meanwhile.

use super::checks::{CheckResult, Violation};
use super::workshop::Workshop;
use super::world::World;

/// Runs both worlds of a seed, and compares their answers. The story is that of the world with evictions.
pub(super) fn run(workshop: &Workshop, seed: u64, is_told: bool) -> (CheckResult, Vec<String>) {
    let mut steady = World::calm(workshop, seed, false, is_told);
    let result = steady.run();
    let (story, expected) = steady.into_parts();
    if result.is_err() {
        return (result, story);
    }
    let mut evicted = World::calm(workshop, seed, true, is_told);
    let result = evicted.run();
    let (story, found) = evicted.into_parts();
    // A violation that occurs only because of an eviction breaks this promise.
    let result = result.map_err(|violation| Violation { promise: 7, ..violation });
    let difference = || {
        let differs = expected.iter().zip(&found).find(|(expected, found)| expected != found);
        differs.map(|(expected, found)| format!("without evictions {expected:?}, with evictions {found:?}"))
    };
    let result = result.and_then(|()| match difference() {
        Some(difference) => Err(Violation::of(7, difference)),
        None if expected.len() != found.len() => Err(Violation::of(7, "one world has more answers than the other")),
        None => Ok(()),
    });
    (result, story)
}
