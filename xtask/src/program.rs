//! The command line `isr`, and the npm package that contains it for this machine's platform.

use std::env::consts;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::{Run, step};
use crate::package;
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};

/// The package of the program.
const PACKAGE: &str = "cloudflare-isr-cli";

/// The profile: compiled quickly, and small enough to be packed.
const PROFILE: &str = "program";

/// The script that writes the npm package.
const SCRIPT: &str = "packages/cloudflare-isr/program.mjs";

/// Builds the program, and returns its path.
pub(crate) fn build(project: &Project) -> Result<PathBuf> {
    step("building the command line");
    let cargo =
        Run::new(project.root(), "cargo").args(["build", "--quiet", "--package", PACKAGE, "--profile", PROFILE]);
    cargo.run()?;
    Ok(project.target().join(PROFILE).join(format!("isr{}", consts::EXE_SUFFIX)))
}

/// Builds the program and packs it into `target/npm/program/`. Returns the file.
pub(crate) fn pack(project: &Project, setup: &Setup) -> Result<PathBuf> {
    let program = build(project)?;
    let folder = project.target().join("npm/program");
    let _lock = stamp::lock(&folder)?;
    let built = program.strip_prefix(project.target()).unwrap_or(&program).to_string_lossy().into_owned();
    let inputs = Inputs::new().path(project.target(), &built)?.path(project.root(), SCRIPT)?;
    let inputs = inputs.path(project.root(), "packages/cloudflare-isr/package.json")?.digest();
    let stamp = folder.join("program.stamp");
    if stamp::matches(&stamp, &inputs)
        && let Some(packed) = package::packed(&folder)?
    {
        return Ok(packed);
    }
    stamp::clear(&stamp)?;
    while let Some(old) = package::packed(&folder)? {
        fs::remove_file(&old).with_context(|| format!("can't remove {}", old.display()))?;
    }
    let staged = folder.join("package");
    setup.node.script(&[SCRIPT])?.arg(&program).arg(&staged).run_quietly()?;
    package::pack(setup, &staged, &folder)?;
    let packed = package::packed(&folder)?.context("npm succeeded but wrote no package of the program")?;
    stamp::write(&stamp, &inputs)?;
    Ok(packed)
}
