//! Random schedules over the core: the shipped coordinators and tag index on real SQLite, the shipped decisions of three
//! edges, KV that lags, an origin that fails, clients that leave, and objects that may be evicted at any step.
//!
//! # What runs here is the shipped code
//!
//! The build copies the core's modules from `src/`, weaves the deliberate faults into the copy, and compiles it as modules of
//! this crate. A function that a fault changes gets a second body, which runs only while that fault is switched on; its last
//! branch is the shipped body, byte by byte. The build proves that for every file: without the lines it has added, the woven
//! text must be the shipped text. With no fault switched on, the only difference is the question whether one is.
//!
//! # How to add a fault
//!
//! 1. Write `faults/<Name>.patch`: the mistake in one sentence, the promise it breaks, and the lines to change, as in the
//!    patches that are there. Lines are found by their text, which must occur exactly once in the file.
//! 2. Run `cargo xtask sim --fault <Name>`: it must find a seed that breaks the promise. The tests look for one as well.
//! 3. If that takes thousands of schedules, add the seed to `worlds/regressions.rs`.
//!
//! A fault in the simulation's own code asks `fault::on(Fault::Name)`; its patch has no lines to change. If a shipped line
//! that a patch names is edited, the build fails and names the patch: write the patch for the new line.
//!
//! # What is simulated
//!
//! In half of the worlds one coordinator owns all pages, so that events of different pages meet. In the others the pages are
//! spread over three coordinators of two routes, each with its own database, restarts and alarm. Each world draws what goes
//! wrong (`worlds/weather.rs`): deliveries are lost before or after they are applied, arrive late, in another order, or once
//! more a minute later; the tag index dies between its row and its answer, between two deliveries, or before it records one;
//! edges are cut off from the feed for longer than the bound; a client leaves, and takes along the poll that it waits for. In
//! some worlds the number of a route's shards changes midway, while edges and the tag index may still use the old one
//! (`worlds/deployment.rs`).
//!
//! A schedule is a seed: the same seed gives the same story on every machine. Each world checks the promises, by number,
//! against models that are too simple to be wrong (`worlds/checks.rs`):
//!
//! | promise | checked here |
//! |---|---|
//! | 1 | at most one live lease per key; a result under another token changes nothing in the database; versions rise |
//! | 2 | after an invalidation is acknowledged, nothing from before is published or answered; no edge serves it as fresh `freshness_bound` after the invalidation was recorded, or while it has had no answer from the feed for as long; an edge serves nothing that it knows to be purged, and passes by no marker from before an invalidation that it knows of |
//! | 3 | when all is quiet, each page from before a recorded invalidation counts as invalidated at its owner, and no delivery is pending; what was acknowledged never becomes pending again |
//! | 4 | each request is answered once, or times out; no client of an edge waits for more than 20 s; when all is well, every request gets a page |
//! | 5 | a failed render never costs the last good page |
//! | 6 | L2 gets one write per key and second, from the owner alone, and holds what was published when all is quiet |
//! | 7 | an evicted object answers as if it had never been evicted: two worlds of one seed are compared (`worlds/twins.rs`) |
//! | 8 | renders of a failing origin are bounded, per key and together; the alarm drives no more renders side by side than it may |
//! | 9 | when all is well, each edge soon has a HIT of each page, and it costs no call to a coordinator |
//! | 10 | an edge polls at most once in two seconds, has one report of a page under way, waits for a second after one in vain, and asks at most twice for one client |
//!
//! `tests/schedules.rs` runs 20,000 schedules, and shows that the checks can fail: it finds each deliberate fault.
//!
//! # When a schedule fails
//!
//! A failure names a seed. `cargo xtask sim --seed <n>` tells its whole story, line by line: first what goes wrong in this
//! world and how often, then what happens, in seconds since the beginning. Versions are written as `@` and the milliseconds
//! since then. Look for the page that the violation names, from the end backwards. Once the cause is understood, add the seed
//! to `worlds/regressions.rs`.
//!
//! # Assumptions and limits
//!
//! About the platform: a write to KV that an object has begun takes effect within a second of the object's death, or never, and
//! never if a later one has begun; KV reports writes in the order in which it takes them; an alarm is not lost for good if the
//! object is called again; messages between objects take at least a millisecond; clocks differ by less than a second.
//!
//! Known, and allowed here: a request that has learnt of an invalidation before the coordinator, and waits for a render that
//! began before it, gets its page (`Checks::shown`); an answer that is invalidated while it streams, and then breaks off, is
//! repeated at once although a part of it has been sent (`Checks::failed`); a purge of a page that is being rendered also
//! deletes the older page, even if that one does not carry the tag (`World::check_published`), and whoever reads a purged page
//! deletes it, even under a token that is not current (`World::give_in_vain`); a deletion from L2 that a newer page has
//! overtaken is lost with that page's body (`World::forget_overtaken_deletions`); and an older copy of the same content leaves
//! KV before the page's own time is over (`L2::forgets`).
//!
//! Not simulated: other routes while pages are cached; more than one tag index; and isolates of one colo that share an answer
//! of the feed.

// The core's modules, at the root: so `crate::` means the same in them as in the core.
include!(concat!(env!("OUT_DIR"), "/src/lib.rs"));

mod fault;
mod worlds;

pub use fault::{Fault, Guard, on};
pub use worlds::{Progress, SEEDS, Search, Violation, seed_of, tell};
