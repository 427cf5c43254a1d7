//! `cargo xtask sim`.

use anyhow::Result;

use crate::command::{Run, step};
use crate::project::Project;

/// Runs random schedules over the core, in a build that is fast and still checks itself. Of one seed alone the whole story
/// is told.
pub(crate) fn run(project: &Project, schedules: Option<u64>, seed: Option<u64>, fault: Option<&str>) -> Result<()> {
    step("building the simulation");
    let test = |run: Run| run.args(["test", "--profile", "sim", "--no-default-features", "--lib"]);
    test(Run::new(project.root(), "cargo")).arg("--no-run").run()?;
    step("running schedules; Ctrl-C ends it");
    let mut run = test(Run::new(project.root(), "cargo").env("RUST_BACKTRACE", "0")).args([
        "simulation::long",
        "--",
        "--exact",
        "--ignored",
        "--nocapture",
    ]);
    let numbers = [("SCHEDULES", schedules), ("SEED", seed)];
    for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
        run = run.env(name, number.to_string());
    }
    if let Some(fault) = fault {
        run = run.env("FAULT", fault);
    }
    run.run()
}
