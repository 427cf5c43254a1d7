//! `cargo xtask deploy`.

use anyhow::Result;

use super::GATEWAY;
use crate::command::step;
use crate::project::Project;
use crate::{setup, worker};

/// Deploys the gateway. Wrangler keeps the terminal, because it may ask the user to log in.
pub(crate) fn run(project: &Project, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    step("deploying the gateway");
    setup.node.wrangler("deploy")?.args(["-c", GATEWAY]).args(args).hand_over()
}
