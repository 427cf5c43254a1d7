//! The Wasm build of the Worker.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::command::step;
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};

/// Exports the `fetch` event. A library that other Workers use must not export it.
pub(crate) const FEATURE: &str = "gateway";

/// The inputs of the build.
const INPUTS: [&str; 6] = ["src", "migrations", "Cargo.toml", "Cargo.lock", "build.rs", "package-lock.json"];

/// The further inputs of a dependent Worker, in its folder.
const OWN_INPUTS: [&str; 3] = ["src", "Cargo.toml", "Cargo.lock"];

/// The outputs that wrangler reads.
const OUTPUTS: [&str; 2] = ["build/index.js", "build/index_bg.wasm"];

/// The page of the dashboard, as the entry module imports it.
const DASHBOARD: [&str; 2] = ["src/edge/dashboard/build.mjs", "build/dashboard.js"];

/// The gateway's entry module. Wrangler compiles the TypeScript by itself; tests and benchmarks load the compiled module.
const ENTRY: [&str; 2] = ["src/edge/entry/entry.ts", "build/entry.js"];

/// Returns cargo's target folder for the Worker. A compiler other than the host's may write it, so they don't share
/// one.
pub(crate) fn target(project: &Project) -> PathBuf {
    project.target().join("worker")
}

/// Builds the gateway into `build/`. Does nothing if the build is up to date, because wrangler calls this at every
/// start.
pub(crate) fn build(project: &Project, setup: &Setup) -> Result<()> {
    build_in(project, setup, &target(project), Path::new(""), &["--features", FEATURE])
}

/// Builds a Rust Worker that depends on this crate, in its own folder, into `build/` there.
///
/// It does not use the gateway's target folder: there cargo would write this crate without the gateway's feature under
/// the name of the one with it, and would consider it up to date.
pub(crate) fn build_dependent(project: &Project, setup: &Setup, folder: &Path) -> Result<()> {
    build_in(project, setup, &project.target().join("dependents"), folder, &[])
}

fn build_in(project: &Project, setup: &Setup, target: &Path, folder: &Path, options: &[&str]) -> Result<()> {
    let _lock = stamp::lock(target)?;
    // A dependent Worker has an entry module of its own, if any.
    let entry = (folder == Path::new("")).then_some(ENTRY);
    // A version from before the dashboard has none. In any other, the entry module misses what is not built.
    let dashboard = entry.and(Some(DASHBOARD)).filter(|[script, _]| project.root().join(script).is_file());
    let own = [entry, dashboard].into_iter().flatten().map(|[_, output]| output);
    let outputs = OUTPUTS.into_iter().chain(own);
    let outputs: Vec<String> = outputs.map(|output| folder.join(output).to_string_lossy().into_owned()).collect();
    let inputs = inputs(project, setup, folder)?;
    let stamp = target.join(format!("{}.stamp", folder.join("build").to_string_lossy().replace(['/', '\\'], "-")));
    if stamp::matches(&stamp, &with_outputs(project, &inputs, &outputs)?) {
        step(&format!("the Worker in {} is up to date", folder.join("build").display()));
        return Ok(());
    }

    step(&format!("building the Worker into {}", folder.join("build").display()));
    stamp::clear(&stamp)?;
    setup
        .toolchain
        .with_tool(project, &setup.node, &setup.tools.worker_build.path)?
        .in_folder(&project.root().join(folder))
        // Otherwise worker-build downloads these three by itself.
        .env("WASM_BINDGEN_BIN", &setup.tools.wasm_bindgen.path)
        .env("ESBUILD_BIN", setup.node.program_path("esbuild"))
        .env("WASM_OPT_BIN", setup.node.program_path("wasm-opt"))
        .env("CARGO_TARGET_DIR", target)
        // Its own stack trace would hide the compiler's message.
        .env_remove("RUST_BACKTRACE")
        .args(["--release"])
        .args(options)
        .run()
        .context("the Worker can't be built")?;
    if let Some([script, output]) = dashboard {
        build_dashboard(project, setup, script, output)?;
    }
    if let Some([source, output]) = entry {
        bundle_entry(project, setup, source, output)?;
    }
    for output in &outputs {
        ensure!(project.root().join(output).is_file(), "worker-build succeeded but didn't write {output}");
    }
    let module = project.root().join(&outputs[1]);
    strip_names(project, setup, &module)?;
    let size = fs::metadata(&module)?.len();
    step(&format!("built the Worker: {} KiB of Wasm", size / 1024));
    stamp::write(&stamp, &with_outputs(project, &inputs, &outputs)?)
}

/// Writes the page of the dashboard into a module.
fn build_dashboard(project: &Project, setup: &Setup, script: &str, output: &str) -> Result<()> {
    let build = setup.node.script(&[script])?.in_folder(project.root()).arg(output);
    build.run().context("the page of the dashboard can't be built")
}

/// Compiles the entry module into one file next to the module that it imports.
fn bundle_entry(project: &Project, setup: &Setup, source: &str, output: &str) -> Result<()> {
    let output = format!("--outfile={output}");
    setup
        .node
        .program("esbuild")?
        .in_folder(project.root())
        .args([source, "--bundle", "--format=esm", "--target=es2022", "--log-level=warning", &output])
        .args(["--external:cloudflare:workers", "--external:./build/index.js"])
        .run()
        .context("the entry module can't be compiled")
}

/// The features of Wasm that worker-build allows in the module.
const FEATURES: [&str; 7] = [
    "mutable-globals",
    "sign-ext",
    "nontrapping-float-to-int",
    "bulk-memory",
    "multivalue",
    "reference-types",
    "exception-handling",
];

/// Removes the names of functions, a fifth of the module, which worker-build keeps. Messages of panics contain file and
/// line without them.
fn strip_names(project: &Project, setup: &Setup, module: &Path) -> Result<()> {
    let run = setup.toolchain.with_tool(project, &setup.node, &setup.node.program_path("wasm-opt"))?;
    let run = run.arg("--strip-debug").arg(module).arg("-o").arg(module);
    FEATURES.iter().fold(run, |run, feature| run.arg(format!("--enable-{feature}"))).run_silently()
}

/// Computes the hash of sources and tools.
fn inputs(project: &Project, setup: &Setup, folder: &Path) -> Result<String> {
    let rustflags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let inputs = Inputs::new()
        .value("rustc", setup.toolchain.version())
        .value("rustflags", &rustflags)
        .value("worker-build", &setup.tools.worker_build.version.to_string())
        .value("wasm-bindgen", &setup.tools.wasm_bindgen.version.to_string());
    let own = OWN_INPUTS.map(|path| folder.join(path).to_string_lossy().into_owned());
    let paths = INPUTS.into_iter().chain(own.iter().map(String::as_str).filter(|_| folder != Path::new("")));
    Ok(paths.into_iter().try_fold(inputs, |inputs, path| inputs.path(project.root(), path))?.digest())
}

/// Computes the hash of sources, tools and outputs: another program may have written `build/` since.
fn with_outputs(project: &Project, inputs: &str, outputs: &[String]) -> Result<String> {
    let all = Inputs::new().value("inputs", inputs);
    let all = outputs.iter().try_fold(all, |all, path| all.path(project.root(), path))?;
    Ok(all.digest())
}
