//! `cargo xtask bench`.

use anyhow::Result;

use crate::command::step;
use crate::project::Project;
use crate::{setup, worker};

/// Measures the release build in the local runtime.
pub(crate) fn run(project: &Project, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    step("measuring");
    setup.node.script(&["tests/bench/run.mjs"])?.args(args).hand_over()
}
