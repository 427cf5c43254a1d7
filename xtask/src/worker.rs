//! The Wasm build of the Worker.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::command::step;
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};

/// Exports the `fetch` event, which a library that others build upon must not.
pub(crate) const FEATURE: &str = "gateway";

/// Everything that the build reads.
const INPUTS: [&str; 6] = ["src", "migrations", "Cargo.toml", "Cargo.lock", "build.rs", "package-lock.json"];

/// Everything that wrangler reads of what it writes.
const OUTPUTS: [&str; 2] = ["build/index.js", "build/index_bg.wasm"];

/// Cargo's target folder for the Worker. Another compiler than the host's may write it, so they don't share one.
pub(crate) fn target(project: &Project) -> PathBuf {
    project.target().join("worker")
}

/// Builds `build/`, or leaves it alone if it is what the present sources give: wrangler calls this at every start.
pub(crate) fn build(project: &Project, setup: &Setup) -> Result<()> {
    let target = target(project);
    let _lock = stamp::lock(&target)?;
    let inputs = inputs(project, setup)?;
    let stamp = target.join("build.stamp");
    if stamp::matches(&stamp, &with_outputs(project, &inputs)?) {
        step("the Worker in build/ is up to date");
        return Ok(());
    }

    step("building the Worker into build/");
    stamp::clear(&stamp)?;
    setup
        .toolchain
        .with_tool(project, &setup.node, &setup.tools.worker_build.path)?
        // Otherwise it downloads these three by itself.
        .env("WASM_BINDGEN_BIN", &setup.tools.wasm_bindgen.path)
        .env("ESBUILD_BIN", setup.node.program_path("esbuild"))
        .env("WASM_OPT_BIN", setup.node.program_path("wasm-opt"))
        .env("CARGO_TARGET_DIR", &target)
        // Its own stack trace would push the compiler's message out of sight.
        .env_remove("RUST_BACKTRACE")
        .args(["--release", "--features", FEATURE])
        .run()
        .context("the Worker can't be built")?;
    for output in OUTPUTS {
        ensure!(project.root().join(output).is_file(), "worker-build succeeded but didn't write {output}");
    }
    let size = fs::metadata(project.root().join(OUTPUTS[1]))?.len();
    step(&format!("built the Worker: {} KiB of Wasm", size / 1024));
    stamp::write(&stamp, &with_outputs(project, &inputs)?)
}

/// The hash over sources and tools.
fn inputs(project: &Project, setup: &Setup) -> Result<String> {
    let rustflags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let inputs = Inputs::new()
        .value("rustc", setup.toolchain.version())
        .value("rustflags", &rustflags)
        .value("worker-build", &setup.tools.worker_build.version.to_string())
        .value("wasm-bindgen", &setup.tools.wasm_bindgen.version.to_string());
    let inputs = INPUTS.into_iter().try_fold(inputs, |inputs, path| inputs.path(project.root(), path))?;
    Ok(inputs.digest())
}

/// The hash over sources, tools and the files they gave: `build/` may have been written by something else since.
fn with_outputs(project: &Project, inputs: &str) -> Result<String> {
    let all = Inputs::new().value("inputs", inputs);
    let all = OUTPUTS.into_iter().try_fold(all, |all, path| all.path(project.root(), path))?;
    Ok(all.digest())
}
