//! Random schedules over everything but the glue: the real coordinators and the real tag index on real SQLite, three edges
//! that judge and poll as real ones do, KV that lags, a site that fails, and objects that may die at any step.
//!
//! In half of the worlds one coordinator owns all pages: there, what happens to one page meets what happens to another. In
//! the others the pages are spread over three coordinators of two routes, each with a database, lives and an alarm of its
//! own. Each world draws what goes wrong besides (`weather.rs`): deliveries are lost before or after they are applied, come
//! late, in another order, or once more a minute later; the tag index dies between its row and its answer, between two
//! deliveries, or before it notes one; edges are cut off from the feed for longer than the bound. In a part of them the number
//! of a route's shards changes in the middle, while edges and the tag index may go by the old one still (`deployment.rs`).
//!
//! A schedule is a seed: the same seed gives the same story on every machine. What each world checks are the promises, by
//! number, against models that are too simple to be wrong (`checks.rs`):
//!
//! | promise | here |
//! |---|---|
//! | 1 | at most one live lease per key; what comes under another token changes nothing in the database; versions rise |
//! | 2 | after an invalidation is acknowledged nothing from before is published or answered; no edge serves it as fresh `freshness_bound` after the invalidation was recorded, or while it has not heard of the feed for as long |
//! | 3 | when all is quiet, each page from before a recorded invalidation counts as invalidated at its owner, and no delivery is pending; what was acknowledged never becomes pending again |
//! | 4 | each request is answered once, or times out; when all is well, whoever asks gets a page |
//! | 5 | a failed render never costs the last good copy |
//! | 6 | L2 gets one write per key and second, from the owner alone, and has what was published when all is quiet |
//! | 7 | an evicted object answers as if it had lived on: two worlds of one seed are compared (`twins.rs`) |
//! | 8 | renders of a failing site are bounded, per key and together |
//!
//! That these checks can fail is shown in `faults.rs`: each of a list of deliberate mistakes is found.
//!
//! **A failure names a seed.** `cargo xtask sim --seed <n>` tells its whole story, line by line: first the weather, which
//! is what goes wrong in this world and how often, then what happens, in seconds since the beginning. Versions are written as
//! `@` and the milliseconds since then. Look for the page that the violation names, from the end backwards. Once it is
//! understood, the seed goes to `regressions.rs`.
//!
//! What is assumed of the platform: a write to KV that an object had begun takes effect within a second of the object's
//! death, or never, and never if a later one was begun; KV tells of writes in the order in which it takes them; an alarm
//! is not lost for good if somebody asks the object again; messages between objects take a millisecond at least; clocks
//! differ by less than a second.
//!
//! What is known, and let pass here: a request that knows of an invalidation before the coordinator does, and that waits for
//! a render which had begun before, gets its page (`Checks::shown`); an answer that is invalidated as it comes, and then
//! breaks off, is repeated at once though somebody has seen a part of it (`Checks::failed`); a purge of what is just being
//! rendered also takes the older copy, though that may not carry the tag (`World::check_published`), and whoever looks at a
//! purged page deletes it, even under a token that is not current (`World::give_in_vain`); a deletion from L2 that was
//! overtaken by a newer page dies with that page's bytes (`World::forget_overtaken_deletions`); and an older copy of the
//! same content leaves KV before the page's own time is over (`L2::forgets`).
//!
//! What is not here: other routes while pages are cached; more than one tag index; and isolates of one colo that share an
//! answer of the feed.

mod answers;
mod checks;
mod coordinator;
mod database;
mod deliveries;
mod deployment;
mod edge;
mod effects;
mod faults;
mod invalidations;
mod l2;
mod object;
mod progress;
mod queue;
mod random;
mod regressions;
mod runner;
mod site;
mod story;
mod tag_index;
mod twins;
mod visits;
mod weather;
mod workshop;
mod world;

use std::env;

use self::progress::Progress;
use self::runner::{Search, tell};

/// How many schedules the test command runs.
const SCHEDULES: u64 = 20_000;

/// How many schedules the long run has if nothing else is said.
const LONG: u64 = 1_000_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn no_schedule_breaks_a_promise() {
    let result = match number("SEED") {
        Some(seed) => tell(seed, None),
        None => Search::of(0..SCHEDULES).expect_none(&Progress::at_the_end()),
    };
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// For `cargo xtask sim`, which sets the variables.
#[test]
#[ignore = "takes as long as one likes: `cargo xtask sim`"]
fn long() {
    let fault = env::var("FAULT").ok().map(|name| faults::by_name(&name));
    let first = number("SEED");
    let result = match (number("SCHEDULES"), first) {
        (None, Some(seed)) => tell(seed, fault),
        (count, _) => {
            let first = first.unwrap_or_default();
            let seeds = first..first.saturating_add(count.unwrap_or(LONG));
            let progress = Progress::bar(seeds.end - seeds.start);
            Search { fault, ..Search::of(seeds) }.expect_none(&progress)
        }
    };
    if let Err(failure) = result {
        println!("{failure}");
        // What a failed test has to say besides would push it out of sight.
        std::process::exit(1);
    }
}
