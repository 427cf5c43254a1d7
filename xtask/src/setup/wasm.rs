//! A Rust toolchain that compiles to `wasm32-unknown-unknown`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::debian_rust::DebianRust;
use super::node::Node;
use crate::command::{Run, path_with, step, which};
use crate::project::{Project, TARGET};

/// A toolchain with the standard library for [`TARGET`]. It may differ from the toolchain of the host's code.
pub(crate) struct Toolchain {
    /// `None` for the toolchain in `PATH`.
    own: Option<DebianRust>,
    /// The output of `rustc -vV`.
    version: String,
}

impl Toolchain {
    /// Uses the first that works: the default toolchain; Debian's in the project's folder; the default one after rustup
    /// has added the target; Debian's after a download. Only the last two change anything.
    pub(crate) fn set_up(project: &Project) -> Result<Self> {
        let default = || Self::at(project, None).filter(|toolchain| toolchain.works(project));
        let debians = || Self::at(project, Some(DebianRust::at(project))).filter(|toolchain| toolchain.works(project));
        if let Some(toolchain) = default().or_else(debians) {
            return Ok(toolchain);
        }
        let failure = match Self::add_target(project) {
            Ok(()) => match default() {
                Some(toolchain) => return Ok(toolchain),
                None => "rustup added the target, but rustc still can't compile to it".to_owned(),
            },
            Err(error) => format!("{error:#}"),
        };

        let reason = format!("the Rust toolchain can't compile to {TARGET}: {failure}.");
        let debian = DebianRust::at(project);
        debian.install(project, &reason).with_context(|| {
            format!(
                "no Rust toolchain here compiles to {TARGET}. Install it with `rustup target add {TARGET}` (rustup: \
                 https://rustup.rs) and run this again. rustup said: {failure}"
            )
        })?;
        debians().with_context(|| format!("Debian's compiler is unpacked, but can't compile to {TARGET}"))
    }

    fn add_target(project: &Project) -> Result<()> {
        ensure!(which("rustup").is_some(), "rustup is not installed");
        step(&format!("the Rust toolchain can't compile to {TARGET} yet: adding the target to it"));
        Run::new(project.root(), "rustup").args(["target", "add", TARGET]).run_quietly()
    }

    /// Returns the toolchain, if its compiler runs.
    fn at(project: &Project, own: Option<DebianRust>) -> Option<Self> {
        let mut toolchain = Self { own, version: String::new() };
        toolchain.version = toolchain.program(project.root(), "rustc", &[]).ok()?.arg("-vV").ask()?;
        Some(toolchain)
    }

    /// Returns a command for one of the toolchain's programs, which finds the others, and Node.js's, on its `PATH`.
    fn program(&self, folder: &Path, name: &str, path_folders: &[PathBuf]) -> Result<Run> {
        match &self.own {
            None => Ok(Run::new(folder, name).env("PATH", path_with(path_folders)?)),
            Some(debian) => debian.apply(Run::new(folder, debian.bin().join(name)), path_folders),
        }
    }

    /// Returns a command for any other program, which finds this toolchain and Node.js on its `PATH`.
    pub(crate) fn with_tool(&self, project: &Project, node: &Node, program: &Path) -> Result<Run> {
        let (run, folders) = (Run::new(project.root(), program), node.path_folders());
        match &self.own {
            None => Ok(run.env("PATH", path_with(&folders)?)),
            Some(debian) => debian.apply(run, &folders),
        }
    }

    /// Returns a command for this toolchain's Clippy.
    pub(crate) fn clippy(&self, project: &Project) -> Result<Run> {
        // Called directly, because `cargo clippy` could find the one of another toolchain.
        let name = if self.own.is_some() { "cargo-clippy" } else { "cargo" };
        Ok(self.program(project.root(), name, &[])?.arg("clippy"))
    }

    /// Returns the output of `rustc -vV`: a Worker built by another compiler is not up to date.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Returns the toolchain's folder of the target's standard library.
    fn library_folder(&self, project: &Project) -> Option<PathBuf> {
        let rustc = self.program(project.root(), "rustc", &[]).ok()?;
        rustc.args(["--print", "target-libdir", "--target", TARGET]).ask().map(PathBuf::from)
    }

    /// Returns whether the toolchain compiles and links for the target. Only a trial is certain: the library may be
    /// missing, or belong to an older compiler, and the linker is a package of its own in Debian.
    fn works(&self, project: &Project) -> bool {
        let has_core = self.library_folder(project).is_some_and(|folder| {
            fs::read_dir(folder).is_ok_and(|entries| {
                entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
            })
        });
        let probe = project.target().join("wasm-probe");
        if !has_core || fs::create_dir_all(&probe).is_err() {
            return false;
        }
        let Ok(rustc) = self.program(&probe, "rustc", &[]) else {
            return false;
        };
        // The program is read from standard input, which is empty.
        let output: OsString = "probe.wasm".into();
        rustc
            .args(["-", "--crate-name", "probe", "--crate-type", "cdylib", "--target", TARGET, "-o"])
            .arg(output)
            .ask()
            .is_some()
    }
}
