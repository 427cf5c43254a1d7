//! `cargo xtask dev`.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use super::{GATEWAY, SITE};
use crate::command::step;
use crate::project::Project;
use crate::{setup, worker};

/// Runs gateway and site in one local process, wrangler's, which this one becomes: Ctrl-C and the exit status are its own.
pub(crate) fn run(project: &Project, port: u16, persist_to: &Path) -> Result<()> {
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    // Given on the command line, so it is meant from where the user is; the default lies in the repository.
    let persist_to = if persist_to.starts_with(".wrangler") {
        project.root().join(persist_to)
    } else {
        env::current_dir().context("can't tell the current folder")?.join(persist_to)
    };
    step("starting the gateway and, behind it, the example site, in the local Workers runtime");
    let wrangler = setup
        .node
        .wrangler("dev")?
        .args([
            "-c",
            GATEWAY,
            "-c",
            SITE,
            "--port",
            &port.to_string(),
            "--show-interactive-dev-session=false",
            "--persist-to",
        ])
        .arg(&persist_to);
    step(&format!("once wrangler says it is ready, open http://localhost:{port}/ (Ctrl-C ends it)"));
    wrangler.hand_over()
}
