//! `worker-build`, and the `wasm-bindgen` it calls, in the versions that `Cargo.lock` asks for.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use semver::Version;

use crate::command::{Run, step, which};
use crate::project::{Project, parse_version};

/// The build tools, found or installed.
pub(crate) struct Tools {
    /// Compiles the crate and writes the JavaScript around it.
    pub(crate) worker_build: Tool,
    /// Writes the glue between JavaScript and Wasm. Its version has to equal the library's.
    pub(crate) wasm_bindgen: Tool,
}

/// A program and its version.
pub(crate) struct Tool {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

/// A tool to install.
struct Wanted {
    package: &'static str,
    program: &'static str,
    /// The library in `Cargo.lock` that has the same version.
    library: &'static str,
    /// Whether to use the package's own lock file: `wasm-bindgen-cli`'s names a version that was withdrawn.
    locked: bool,
}

/// The compiler settings of the tools, for a short build. They run for seconds, so that optimizing them costs more than
/// it saves.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

impl Tools {
    pub(crate) fn set_up(project: &Project) -> Result<Self> {
        Ok(Self {
            worker_build: set_up(
                project,
                &Wanted { package: "worker-build", program: "worker-build", library: "worker", locked: true },
            )?,
            wasm_bindgen: set_up(
                project,
                &Wanted {
                    package: "wasm-bindgen-cli",
                    program: "wasm-bindgen",
                    library: "wasm-bindgen",
                    locked: false,
                },
            )?,
        })
    }
}

/// Finds a tool in `.tools/` or on `PATH`, or installs it in `.tools/`.
fn set_up(project: &Project, wanted: &Wanted) -> Result<Tool> {
    let version = project.locked_version(wanted.library)?;
    let prefix = project.tools().join("cargo");
    let own = prefix.join("bin").join(wanted.program);
    let is_right = |program: &PathBuf| version_of(project, program).as_ref() == Some(&version);
    if let Some(path) = [Some(own.clone()), which(wanted.program)].into_iter().flatten().find(is_right) {
        return Ok(Tool { path, version });
    }

    step(&format!("{} {version} is missing: compiling it, which takes a minute or two but only once", wanted.package));
    let target = project.target().join("tools");
    PROFILE
        .into_iter()
        .fold(Run::new(project.root(), "cargo"), |run, (name, value)| run.env(name, value))
        // The tools have common dependencies, which are then compiled once.
        .env("CARGO_TARGET_DIR", &target)
        .args(["install", "--quiet", "--force", "--root"])
        .arg(&prefix)
        .args(wanted.locked.then_some("--locked"))
        .arg(format!("{}@{version}", wanted.package))
        .run()
        .with_context(|| {
            format!(
                "{0} can't be installed; `cargo install {0}@{version}` has to succeed. On Linux it needs a C compiler, \
                 pkg-config and the headers of OpenSSL",
                wanted.package
            )
        })?;
    ensure!(is_right(&own), "{} was installed, but doesn't say it is version {version}", own.display());
    Ok(Tool { path: own, version })
}

/// Parses `wasm-bindgen 0.2.130` as well as `0.8.7`.
fn version_of(project: &Project, program: &PathBuf) -> Option<Version> {
    let said = Run::new(project.root(), program).arg("--version").ask()?;
    parse_version(said.split_whitespace().last()?).ok()
}
