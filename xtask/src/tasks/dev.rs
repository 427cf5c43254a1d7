//! `cargo xtask dev`.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{GATEWAY, SITE};
use crate::command::step;
use crate::project::Project;
use crate::{examples, setup, worker};

/// Runs gateway and site in one local wrangler process. It replaces this process, so that Ctrl-C and the exit status
/// are its own.
pub(crate) fn run(project: &Project, port: u16, persist_to: &Path) -> Result<()> {
    let setup = setup::run(project)?;
    worker::build(project, &setup)?;
    let persist_to = state(project.root(), persist_to)?;
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

/// Runs an example like `npm start` in its folder: its production build, its gateway and the posts in one local
/// process.
pub(crate) fn example(project: &Project, name: &str, port: u16, persist_to: &Path) -> Result<()> {
    let example = examples::find(name)?;
    let setup = setup::run(project)?;
    example.set_up(project, &setup)?;
    let folder = example.folder(project);
    let persist_to = state(&folder, persist_to)?;
    step(&format!("starting the example; once it is ready, open http://localhost:{port}/ (Ctrl-C ends it)"));
    setup
        .node
        .npm_in(&folder)?
        .args(["start", "--", "--port", &port.to_string(), "--show-interactive-dev-session=false", "--persist-to"])
        .arg(&persist_to)
        .hand_over()
}

/// Returns the folder of the local state. A path on the command line is relative to the user's folder; the default is
/// in `folder`.
fn state(folder: &Path, persist_to: &Path) -> Result<PathBuf> {
    Ok(if persist_to.starts_with(".wrangler") {
        folder.join(persist_to)
    } else {
        env::current_dir().context("can't tell the current folder")?.join(persist_to)
    })
}
