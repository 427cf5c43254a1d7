//! Seeds that have found something. A seed means something else once the simulation itself has changed: what it has found is
//! a deliberate fault besides, if a line could bring it back.

use super::progress::Progress;
use super::runner::Search;

/// Each seed with what it has found.
const SEEDS: [(u64, &str); 3] = [
    (14, "a render that was begun anew after a registration was not broken off"),
    (1_765, "the clock ran ahead with each invalidation, and edges took a page for newer than the next one"),
    (7_481, "the same"),
];

#[test]
fn what_was_found_once_is_not_found_again() {
    for (seed, _) in SEEDS {
        let result = Search::of(seed..seed + 1).expect_none(&Progress::at_the_end());
        result.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
