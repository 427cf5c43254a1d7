//! `cargo xtask new`.

use std::env;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::{Run, step};
use crate::project::Project;
use crate::{package, program, setup};

/// Writes a new project that uses the package as it is built here. The command line does this, also for users without Rust.
pub(crate) fn run(project: &Project, folder: &Path, args: &[String]) -> Result<()> {
    let setup = setup::run(project)?;
    let packed = package::build(project, &setup)?;
    // The path is relative to the user's folder, not to the repository.
    let folder = env::current_dir().context("can't tell the current folder")?.join(folder);
    let program = program::build(project)?;
    step("writing a new project");
    Run::new(project.root(), program)
        .arg("new")
        .arg(folder)
        .arg("--package")
        .arg(format!("file:{}", packed.display()))
        .args(args)
        .hand_over()
}
