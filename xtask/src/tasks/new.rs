//! `cargo xtask new`.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::step;
use crate::project::Project;
use crate::{package, setup};

/// Writes a new project that uses the package as it is built here: by the package's own program, which does the same for
/// those who have no Rust.
pub(crate) fn run(project: &Project, folder: &Path, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    let packed = package::build(project, &setup)?;
    // Meant from where the user is, not from the repository.
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
