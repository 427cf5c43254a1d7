//! `cargo xtask year`.

use anyhow::Result;

use crate::command::{Run, step};
use crate::project::Project;

/// Runs a year of a site in fast forward, or one in `part` of it, and fails if a table grows after the second month.
pub(crate) fn run(project: &Project, part: u64) -> Result<()> {
    step("running a year in fast forward: it takes many minutes");
    Run::new(project.root(), "cargo")
        .args(["run", "--quiet", "--profile", "year", "--package", "cloudflare-isr-simulation", "--bin", "year"])
        .env("PART", part.to_string())
        .run()
}
