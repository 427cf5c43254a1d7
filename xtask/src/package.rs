//! The npm package: the prebuilt gateway, types and adapters, packed as npm publishes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::step;
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};
use crate::{program, worker};

/// The folder of its sources.
const FOLDER: &str = "packages/cloudflare-isr";

/// Its other inputs: the Worker, and the tools.
const INPUTS: [&str; 5] =
    ["src/edge/entry", "build/index.js", "build/dashboard.js", "build/index_bg.wasm", "package-lock.json"];

/// The folder in which the package is as npm packs it, below the folder of the packed file.
const STAGED: &str = "package";

/// The folder that is built from the sources. It is not a source itself.
const BUILT: &str = "dist";

/// Builds the Worker and the program of this machine's platform, and packs them with the rest into `target/npm/`. Does nothing if the file is up to date. Returns the
/// file.
pub(crate) fn build(project: &Project, setup: &Setup) -> Result<PathBuf> {
    worker::build(project, setup)?;
    let program = program::pack(project, setup)?;
    let folder = project.target().join("npm");
    let _lock = stamp::lock(&folder)?;
    let inputs = inputs(project, &program)?;
    let stamp = folder.join("package.stamp");
    if stamp::matches(&stamp, &inputs)
        && let Some(packed) = packed(&folder)?
    {
        step(&format!("the npm package {} is up to date", shown(project, &packed)));
        return Ok(packed);
    }

    step("building the npm package");
    stamp::clear(&stamp)?;
    while let Some(old) = packed(&folder)? {
        fs::remove_file(&old).with_context(|| format!("can't remove {}", old.display()))?;
    }
    let staged = folder.join(STAGED);
    let build = setup.node.script(&[&format!("{FOLDER}/build.mjs")])?.arg(&staged).arg(&program);
    build.run().context("the npm package can't be built")?;
    pack(setup, &staged, &folder)?;
    let packed =
        packed(&folder)?.with_context(|| format!("npm succeeded but wrote no package into {}", folder.display()))?;
    step(&format!("packed {}: {} KiB", shown(project, &packed), fs::metadata(&packed)?.len() / 1024));
    stamp::write(&stamp, &inputs)?;
    Ok(packed)
}

/// Packs a package into a folder, as npm publishes it.
pub(crate) fn pack(setup: &Setup, package: &Path, folder: &Path) -> Result<()> {
    setup
        .node
        .npm()?
        .arg("pack")
        .arg(package)
        .args(["--ignore-scripts", "--pack-destination"])
        .arg(folder)
        .run_quietly()
}

/// Returns the packed file in a folder.
pub(crate) fn packed(folder: &Path) -> Result<Option<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tgz") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Computes the hash of the sources, the Worker and the tools.
fn inputs(project: &Project, program: &Path) -> Result<String> {
    let sources = fs::read_dir(project.root().join(FOLDER)).with_context(|| format!("can't list {FOLDER}"))?;
    let mut names =
        sources.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<String>>>()?;
    names.retain(|name| name != BUILT);
    names.sort();
    let paths = names.into_iter().map(|name| format!("{FOLDER}/{name}")).chain(INPUTS.map(str::to_owned));
    let inputs = paths.into_iter().try_fold(Inputs::new(), |inputs, path| inputs.path(project.root(), &path))?;
    // The package contains the path of the packed program.
    Ok(inputs.value("program", &program.to_string_lossy()).digest())
}

fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(project.root()).unwrap_or(path).display().to_string()
}
