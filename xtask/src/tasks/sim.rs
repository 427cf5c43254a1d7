//! `cargo xtask sim`.

use anyhow::Result;

use crate::command::{Run, step};
use crate::project::Project;

/// Runs random schedules over the core, like the tests, but more of them. For a single seed, prints the whole story.
pub(crate) fn run(project: &Project, schedules: Option<u64>, seed: Option<u64>, fault: Option<&str>) -> Result<()> {
    step("running random schedules; Ctrl-C ends it");
    let mut run = Run::new(project.root(), "cargo")
        .args(["run", "--quiet", "--package", "cloudflare-isr-simulation"])
        // A panic is reported as a violation. The story explains it better than a backtrace.
        .env("RUST_BACKTRACE", "0");
    let numbers = [("SCHEDULES", schedules), ("SEED", seed)];
    for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
        run = run.env(name, number.to_string());
    }
    if let Some(fault) = fault {
        run = run.env("FAULT", fault);
    }
    run.run()
}
