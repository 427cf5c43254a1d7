//! `cargo xtask soak`.

use anyhow::Result;

use crate::command::step;
use crate::project::Project;
use crate::{setup, worker};

/// Runs the release build under mixed traffic, faults and kills, and checks every response.
pub(crate) fn run(project: &Project, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    step("running the soak test; Ctrl-C ends it");
    setup.node.script(&["tests/soak/run.mjs"])?.args(args).hand_over()
}
