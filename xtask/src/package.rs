//! The npm package: the prebuilt gateway, types and adapters, packed as npm publishes it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::step;
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};
use crate::worker;

/// The folder of its sources.
const FOLDER: &str = "packages/cloudflare-isr";

/// Its other inputs: the Worker, and the tools.
const INPUTS: [&str; 4] = ["src/edge/entry", "build/index.js", "build/index_bg.wasm", "package-lock.json"];

/// The folder that is built from the sources. It is not a source itself.
const BUILT: &str = "dist";

/// Builds the Worker and packs it with the rest into `target/npm/`. Does nothing if the file is up to date. Returns the
/// file.
pub(crate) fn build(project: &Project, setup: &Setup) -> Result<PathBuf> {
    worker::build(project, setup)?;
    let folder = project.target().join("npm");
    let _lock = stamp::lock(&folder)?;
    let inputs = inputs(project)?;
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
    setup.node.script(&[&format!("{FOLDER}/build.mjs")])?.run().context("the npm package can't be built")?;
    let packages = format!("./{FOLDER}");
    setup.node.npm()?.args(["pack", &packages, "--ignore-scripts", "--pack-destination"]).arg(&folder).run_quietly()?;
    let packed =
        packed(&folder)?.with_context(|| format!("npm succeeded but wrote no package into {}", folder.display()))?;
    step(&format!("packed {}: {} KiB", shown(project, &packed), fs::metadata(&packed)?.len() / 1024));
    stamp::write(&stamp, &inputs)?;
    Ok(packed)
}

/// Returns the packed file in a folder.
fn packed(folder: &Path) -> Result<Option<PathBuf>> {
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
fn inputs(project: &Project) -> Result<String> {
    let sources = fs::read_dir(project.root().join(FOLDER)).with_context(|| format!("can't list {FOLDER}"))?;
    let mut names =
        sources.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<String>>>()?;
    names.retain(|name| name != BUILT);
    names.sort();
    let paths = names.into_iter().map(|name| format!("{FOLDER}/{name}")).chain(INPUTS.map(str::to_owned));
    let inputs = paths.into_iter().try_fold(Inputs::new(), |inputs, path| inputs.path(project.root(), &path))?;
    Ok(inputs.digest())
}

fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(project.root()).unwrap_or(path).display().to_string()
}
