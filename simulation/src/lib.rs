//! Random schedules over the core: the shipped coordinators and tag index on real SQLite, the shipped decisions of
//! three edges, KV that lags, an origin that fails, clients that leave, and objects that may be evicted at any step.
//!
//! # What runs here is the shipped code
//!
//! The build copies the core's modules from `src/`, weaves the deliberate faults into the copy, and compiles it as
//! modules of this crate. A function that a fault changes gets a second body, which runs only while that fault is
//! switched on. Its last branch is the shipped body, byte by byte. The build proves this for every file: without the
//! added lines, the woven text must be the shipped text. With no fault switched on, the only difference is the check
//! whether one is.
//!
//! # How to add a fault
//!
//! 1. Write `faults/<Name>.patch`: the mistake in one sentence, the promise it breaks, and the lines to change, as in the
//!    existing patches. Lines are found by their text, which must occur exactly once in the file.
//! 2. Run `cargo xtask sim --fault <Name>`: it must find a seed that breaks the promise. The tests look for one as well.
//! 3. If that takes thousands of schedules, add the seed to `worlds/regressions.rs`.
//!
//! A fault in the simulation's own code asks `fault::on(Fault::Name)`; its patch has no lines to change. If a shipped
//! line in a patch is edited, the build fails and names the patch: write the patch for the new line.
//!
//! # What is simulated
//!
//! In half of the worlds, one coordinator owns all pages, so that events of different pages meet. In the others, the
//! pages are distributed over three coordinators of two routes, each with its own database, restarts and alarm. Each
//! world draws its failure rates (`worlds/weather.rs`):
//!
//! - A delivery is lost before or after it is applied. It may arrive late, out of order, or again a minute later.
//! - The tag index dies between its row and its answer, between two deliveries, or before it records one.
//! - In some worlds, L2 loses everything at some moment.
//! - In some worlds, a coordinator may keep only half of the pages, so that they displace one another.
//! - An edge is cut off from the feed for longer than the bound.
//! - A client leaves, and the poll that it waits for ends with it.
//! - In some worlds, the edges share answers of the feed through the cache of a colo, which also holds the answers of
//!   another deployment on the same zone (`worlds/colo.rs`).
//! - In some worlds, edges keep pages in memory, in front of L1 (`worlds/in_isolate.rs`).
//! - In some worlds, edges keep streams of the feed open under additional traffic. Frames are late, arrive twice or are lost;
//!   streams break off, are refused, or end without a word (`worlds/pushes.rs`).
//! - In some worlds, the number of a route's shards changes midway, while edges and the tag index may still use the old one
//!   (`worlds/deployment.rs`).
//! - In some of these worlds, a route is removed midway and may return, and its coordinator ends (`worlds/retirement.rs`).
//! - In some worlds, each coordinator, each edge and the tag index have one of two numbers of shards for a long time, so two
//!   coordinators own a page, or none does. L2 is like R2 or like KV (`worlds/differing.rs`).
//! - In some worlds, an object takes only a few requests in a second, and the others are refused (`worlds/overload.rs`).
//! - In some worlds, an object has memory for only a few waiting requests (`worlds/memory.rs`).
//! - In some worlds, the tag index's database is restored to an earlier point, or the clock of an edge or of a coordinator
//!   is set back by up to an hour (`worlds/mishaps.rs`).
//! - In some worlds, the settings of an edge change while its isolate lives (`worlds/settings.rs`).
//! - In some worlds, later code has expanded the databases. In some, two versions of the code run at once, and an actor may
//!   change from one to the other at any step (`worlds/versions.rs`). In some of these, the later version sends kinds of messages
//!   that the earlier one refuses (`worlds/unknown.rs`).
//! - In some worlds, an attacker asks for made-up URLs, more of them than a coordinator keeps, and some of them long
//!   (`worlds/attack.rs`).
//! - In some worlds, a page's `Vary` nominates a header that some clients send, or a page carries every tag
//!   (`worlds/varied.rs`).
//!
//! Some conditions hold in a part of the worlds only (`worlds/hostile.rs`): the feed is so small that its floor rises,
//! the log is so small that deliveries are dropped, isolates of edges end and lose their knowledge, the tag index takes the questions of edges but answers none, reads of
//! L2 hang, and many clients ask for a page at once.
//!
//! A schedule is a seed: the same seed gives the same story on every machine. Each world checks the promises, by
//! number, against models that are too simple to be wrong (`worlds/checks.rs`):
//!
//! | promise | checked here |
//! |---|---|
//! | 0 | nothing panics, and no statement fails at its object's own database, also after later code has expanded it |
//! | 1 | at most one live lease per key; a result under another token changes nothing in the database; versions rise |
//! | 2 | after the acknowledgement of an invalidation, no page from before is published or returned; no edge serves one as fresh `freshness_bound` after the invalidation was recorded, or after the same time without an answer from the feed; an edge serves no page that it knows to be purged, and follows no marker from before an invalidation that it knows of |
//! | 3 | when all is quiet, each page from before a recorded invalidation counts as invalidated at its owner, and no delivery is pending; an acknowledged invalidation never becomes pending again |
//! | 4 | each request is answered once, or times out; no client of an edge waits for more than 22 s; without failures, every request gets a page |
//! | 5 | a failed render never removes the last good page |
//! | 6 | L2 gets one write per key and second, from the owner alone, and has the published page when all is quiet; a page that it has lost, once it was asked for; an L2 that compares versions never replaces a page with an older one |
//! | 7 | an evicted object answers as if it had never been evicted, except that it has no last response of a failing origin: two worlds of one seed are compared (`worlds/twins.rs`) |
//! | 8 | renders of a failing origin are bounded, per key and together; the alarm drives no more renders at the same time than it may; waiting requests fit into the memory of their object |
//! | 9 | without failures, each edge soon has a HIT of each page, and it costs no call to a coordinator |
//! | 10 | an object that no request reaches ends, and has nothing in its storage; an edge polls the tag index at most once in two seconds, and opens a stream at most that often, sends one report of a page at a time, and asks at most twice for one client; after polls or reports without a result the pauses grow, no visit waits for a poll after one that failed, and few requests for a page ask at the same time; a made-up URL displaces no page that is of use, long URLs leave room for other requests, and a page is in the cache soon although an attacker goes on; no client is served a page that is for others |
//!
//! `tests/schedules.rs` runs 20,000 schedules, and shows that the checks can fail: it finds each deliberate fault.
//!
//! Known seeds find nothing new. `cargo xtask sim --new --schedules 20000` runs others. It prints the first seed, so that
//! `cargo xtask sim --seed <n> --schedules 20000` repeats the run.
//!
//! # When a schedule fails
//!
//! A failure names a seed. `cargo xtask sim --seed <n>` prints its whole story, line by line: first the failure rates
//! of this world, then the events, in seconds since the start. Versions are written as `@` and the milliseconds since
//! then. Look for the page that the violation names, from the end backwards. Once the cause is understood, add the seed
//! to `worlds/regressions.rs`.
//!
//! # Assumptions and limits
//!
//! The simulation assumes this about the platform:
//!
//! - A write to KV that an object has begun takes effect within a second of the object's death, or never. It never takes
//!   effect if a later one has begun.
//! - KV reports writes in the order in which it accepts them.
//! - An alarm is not lost for good if the object is called again.
//! - Messages between objects take at least a millisecond.
//! - Clocks differ by less than a second, except where one is set back. That of the tag index is not.
//!
//! The checks allow these known cases:
//!
//! - A request that knows of an invalidation before the coordinator does, and waits for a render that began before it, gets
//!   that render's page (`Checks::shown`).
//! - A response that is invalidated while it streams, and then breaks off, is repeated at once although a part of it has
//!   been sent (`Checks::failed`).
//! - A purge of a page during its render also deletes the older page, even if that one does not carry the tag
//!   (`World::check_published`). Any step for a purged page deletes it, even under a token that is not current
//!   (`World::give_in_vain`).
//! - A deletion from L2 that a newer page has overtaken is lost with that page's body
//!   (`World::forget_overtaken_deletions`).
//! - An older version of the same content leaves KV before the page expires (`L2::forgets`).
//! - A coordinator whose clock was set back takes pages for fresh until its next life. The check for HITs comes after that
//!   (`World::mend_clocks`).
//!
//! Four mistakes show in no schedule so far. Late messages that forget tags, or a coordinator, would have to arrive between
//! two registrations of the same tag; unit tests show these (`tag_index::tables::tests::bounds`). The removal of an
//! invalidation during a render from before it, and an edge that believes a coordinator whose deliveries were dropped, are
//! hidden by other rows of the same page in worlds of this size. No test shows these two yet.
//!
//! Not simulated: other routes while pages are cached; and more than one tag index.

// The core's modules are declared at the root, so that `crate::` means the same in them as in the core.
include!(concat!(env!("OUT_DIR"), "/src/lib.rs"));

mod fault;
mod worlds;
mod year;

pub use fault::{Fault, Guard, on};
pub use worlds::{Progress, SEEDS, Search, Violation, seed_of, tell};
pub use year::{Scale, run as year};
