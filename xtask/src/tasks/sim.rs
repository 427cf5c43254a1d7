//! `cargo xtask sim`.

use std::hash::{BuildHasher, Hasher, RandomState};

use anyhow::Result;

use crate::command::{Run, step};
use crate::project::Project;

/// Which schedules run: `cargo xtask sim --help` describes the options.
#[derive(Debug, clap::Args)]
pub(crate) struct Schedules {
    /// How many schedules; a million if neither this nor a seed is given.
    #[arg(long = "schedules", value_name = "N")]
    count: Option<u64>,
    /// The first seed. Without `--schedules` only this seed runs, and the whole story is printed.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Begin with a seed that no run has had before, and print it.
    #[arg(long, conflicts_with = "seed")]
    new: bool,
    /// A deliberate fault to switch on: the name of a patch in `simulation/faults/`.
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,
}

/// Runs random schedules over the core, like the tests, but more of them. For a single seed, prints the whole story.
pub(crate) fn run(project: &Project, run: &Schedules) -> Result<()> {
    let seed = if run.new { Some(new_seed()) } else { run.seed };
    match seed.filter(|_| run.new) {
        Some(seed) => step(&format!("running random schedules from seed {seed} on; Ctrl-C ends it")),
        None => step("running random schedules; Ctrl-C ends it"),
    }
    let schedules = run.count.or(run.new.then_some(MANY));
    let mut command = Run::new(project.root(), "cargo")
        .args(["run", "--quiet", "--package", "cloudflare-isr-simulation"])
        // A panic is reported as a violation. The story explains it better than a backtrace.
        .env("RUST_BACKTRACE", "0");
    let numbers = [("SCHEDULES", schedules), ("SEED", seed)];
    for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
        command = command.env(name, number.to_string());
    }
    if let Some(fault) = &run.fault {
        command = command.env("FAULT", fault);
    }
    command.run()
}

/// The number of schedules without `--schedules`.
const MANY: u64 = 1_000_000;

/// Returns a seed far from those of all other runs: a random number, with room for as many seeds each.
fn new_seed() -> u64 {
    let random = RandomState::new().build_hasher().finish();
    random >> 24 << 10
}
