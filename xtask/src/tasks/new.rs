//! `cargo xtask new`.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::step;
use crate::project::Project;
use crate::{package, setup};

/// Writes a new project that uses the package as it is built here. The package's own program does this, also for users
/// without Rust.
pub(crate) fn run(project: &Project, folder: &Path, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    let packed = package::build(project, &setup)?;
    // The path is relative to the user's folder, not to the repository.
    let folder = env::current_dir().context("can't tell the current folder")?.join(folder);
    step("writing a new project");
    setup
        .node
        .script(&["packages/cloudflare-isr/bin/cloudflare-isr.mjs", "new"])?
        .arg(folder)
        .arg("--package")
        .arg(format!("file:{}", packed.display()))
        .args(args)
        .hand_over()
}
