//! The examples, built for production. The JavaScript ones use the npm package as it is built here.

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{Run, step};
use crate::project::Project;
use crate::setup::Setup;
use crate::stamp::{self, Inputs};
use crate::{package, worker};

/// All examples, by their folders in `examples/`. Each has a test of the same name in `tests/examples/`.
const EXAMPLES: [Example; 5] = [
    Example { name: "sveltekit", build: Build::Npm { into: ".svelte-kit/cloudflare" } },
    Example { name: "nuxt", build: Build::Npm { into: ".output" } },
    Example { name: "solidstart", build: Build::Npm { into: "dist/server" } },
    Example { name: "worker", build: Build::Npm { into: "dist" } },
    Example { name: "axum", build: Build::Rust },
];

/// An example that npm starts.
#[derive(Clone, Copy)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    build: Build,
}

/// How an example is built.
#[derive(Clone, Copy)]
enum Build {
    /// By the scripts of its package.json, with the npm package of this repository.
    Npm {
        /// The folder that its build overwrites.
        into: &'static str,
    },
    /// As a Worker in Rust that depends on this crate.
    Rust,
}

/// The options that make npm install without questions, and without running the packages' scripts.
const QUIET: [&str; 3] = ["--ignore-scripts", "--no-audit", "--no-fund"];

/// Files and folders in an example's folder, at any depth, that are not its sources.
const NO_SOURCES: [&str; 7] = ["node_modules", ".svelte-kit", ".nuxt", ".output", ".vinxi", "dist", ".wrangler"];

/// Lists the examples whose name contains the filter.
pub(crate) fn named(filter: Option<&str>) -> Vec<Example> {
    EXAMPLES.into_iter().filter(|example| filter.is_none_or(|filter| example.name.contains(filter))).collect()
}

/// Finds an example.
pub(crate) fn find(name: &str) -> Result<Example> {
    EXAMPLES.into_iter().find(|example| example.name == name).with_context(|| {
        let names: Vec<_> = EXAMPLES.iter().map(|example| example.name).collect();
        format!("there is no example `{name}`; there are: {}", names.join(", "))
    })
}

impl Example {
    /// Returns its folder.
    pub(crate) fn folder(&self, project: &Project) -> PathBuf {
        project.root().join("examples").join(self.name)
    }

    /// Installs its packages and builds it. Does nothing if the build is up to date.
    pub(crate) fn set_up(&self, project: &Project, setup: &Setup) -> Result<()> {
        let _lock = stamp::lock(&project.target().join("examples").join(self.name))?;
        let folder = self.folder(project);
        let locked = Inputs::new()
            .value("platform", &format!("{}-{}", consts::OS, consts::ARCH))
            .path(&folder, "package.json")?
            .path(&folder, "package-lock.json")?
            .digest();
        once(&folder.join("node_modules/.xtask-stamp"), &locked, || {
            step(&format!("installing the packages of the example `{}`", self.name));
            setup.node.npm_in(&folder)?.arg("ci").args(QUIET).run_quietly()
        })?;
        match self.build {
            Build::Npm { into } => self.build_by_npm(project, setup, into, &locked),
            Build::Rust => worker::build_dependent(project, setup, &Path::new("examples").join(self.name)),
        }
    }

    /// Installs the npm package of this repository with the others, builds the example, and checks its types.
    fn build_by_npm(&self, project: &Project, setup: &Setup, into: &str, locked: &str) -> Result<()> {
        let packed = package::build(project, setup)?;
        let folder = self.folder(project);
        let npm = |args: &[&str]| -> Result<Run> { Ok(setup.node.npm_in(&folder)?.args(args)) };

        // The package replaces the installed one without a change of the lock file, because it is not published under
        // this hash.
        let npm_folder = packed.parent().unwrap_or(&packed);
        let file = packed.file_name().unwrap_or_default().to_string_lossy();
        let with_package = Inputs::new().value("locked", locked).path(npm_folder, &file)?.digest();
        once(&folder.join("node_modules/cloudflare-isr/.xtask-stamp"), &with_package, || {
            npm(&["install", "--no-save"])?.args(QUIET).arg(&packed).run_quietly()
        })?;

        let sources = sources(&folder)?;
        let sources = sources.iter().try_fold(Inputs::new(), |inputs, source| inputs.path(&folder, source))?;
        let sources = sources.value("packages", &with_package).digest();
        once(&folder.join(into).join(".xtask-stamp"), &sources, || {
            step(&format!("building and type-checking the example `{}`", self.name));
            npm(&["run", "build"])?.run_quietly()?;
            npm(&["run", "check"])?.run_quietly()
        })
    }
}

/// Performs a step unless it has been performed with the same inputs. The stamp is part of the step's output: a program
/// that overwrites or removes the output removes the stamp as well.
/// removes that, the stamp goes with it.
fn once(stamp: &Path, digest: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if stamp::matches(stamp, digest) {
        return Ok(());
    }
    stamp::clear(stamp)?;
    work()?;
    stamp::write(stamp, digest)
}

/// Lists the files of a folder, relative to it, except for installed, built and cached ones.
fn sources(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        let entries = fs::read_dir(&path).with_context(|| format!("can't list {}", path.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if NO_SOURCES.iter().any(|no_source| name == **no_source) {
                continue;
            }
            let relative = below.join(name);
            if entry.file_type()?.is_dir() {
                open.push(relative);
            } else {
                found.push(relative.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
