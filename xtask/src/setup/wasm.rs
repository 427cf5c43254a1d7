//! A Rust toolchain that compiles to `wasm32-unknown-unknown`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::debian;
use super::node::Node;
use crate::command::{Run, path_with, step, which};
use crate::project::Project;

/// The target that Workers run.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A toolchain with the standard library for [`TARGET`]. It need not be the one that the host's code is compiled with.
pub(crate) struct Toolchain {
    /// The folder of its programs; `None` for the toolchain that `PATH` leads to.
    bin: Option<PathBuf>,
    /// What `rustc -vV` says.
    version: String,
}

impl Toolchain {
    /// Takes the first that there is: the default toolchain, Debian's, then the default one after rustup has added the target,
    /// then Debian's after its standard library has been built. Only the last two change anything.
    pub(crate) fn set_up(project: &Project) -> Result<Self> {
        let default = Self::at(project, None);
        if let Some(toolchain) = default.filter(|toolchain| toolchain.works(project)) {
            return Ok(toolchain);
        }
        let debians = || Self::at(project, Some(debian::BIN)).filter(|toolchain| toolchain.works(project));
        if let Some(toolchain) = debians() {
            return Ok(toolchain);
        }

        let mut tried = Vec::new();
        if which("rustup").is_some() {
            step(&format!("the Rust toolchain can't compile to {TARGET} yet: adding the target"));
            let added = Run::new(project.root(), "rustup").args(["target", "add", TARGET]).run_quietly();
            match added {
                Ok(()) => {
                    if let Some(toolchain) = Self::at(project, None).filter(|toolchain| toolchain.works(project)) {
                        return Ok(toolchain);
                    }
                    tried.push("rustup added the target, but rustc still can't compile to it".to_owned());
                }
                Err(error) => tried.push(format!("{error:#}")),
            }
        } else {
            tried.push("rustup is not installed".to_owned());
        }

        match debian::privileges(project, &debian::packages_of_compiler()) {
            Ok(privileges) => {
                step(&format!(
                    "rustup can't provide {TARGET} here: taking Debian's compiler and building the library for it"
                ));
                debian::install_compiler(project, &privileges)?;
                let toolchain = Self::at(project, Some(debian::BIN)).with_context(|| {
                    format!("Debian's packages are installed, but {}/rustc doesn't run", debian::BIN)
                })?;
                debian::build_standard_library(project, &privileges, &toolchain)?;
                debians().with_context(|| format!("{}/rustc still can't compile to {TARGET}", debian::BIN))
            }
            Err(reason) => {
                tried.push(reason);
                bail!(
                    "no Rust toolchain here compiles to {TARGET}. Install it with `rustup target add {TARGET}` \
                     (rustup: https://rustup.rs) and run this again. What was tried:\n- {}",
                    tried.join("\n- ")
                )
            }
        }
    }

    /// The toolchain in a folder, if there is one.
    fn at(project: &Project, bin: Option<&str>) -> Option<Self> {
        let mut toolchain = Self { bin: bin.map(PathBuf::from), version: String::new() };
        toolchain.version = toolchain.program(project.root(), "rustc", &[]).ok()?.arg("-vV").ask()?;
        Some(toolchain)
    }

    /// One of the toolchain's programs, which in turn finds the others, and Node.js's, on its `PATH`.
    fn program(&self, folder: &Path, name: &str, path_folders: &[PathBuf]) -> Result<Run> {
        let Some(bin) = &self.bin else {
            return Ok(Run::new(folder, name).env("PATH", path_with(path_folders)?));
        };
        let folders: Vec<_> = path_folders.iter().chain([bin]).cloned().collect();
        // That variable is for rustup's proxies, and `RUSTC_WRAPPER` and the like remain the user's.
        Ok(Run::new(folder, bin.join(name)).env("PATH", path_with(&folders)?).env_remove("RUSTUP_TOOLCHAIN"))
    }

    /// Cargo of this toolchain, for the Worker's crate.
    pub(crate) fn cargo(&self, folder: &Path) -> Result<Run> {
        self.program(folder, "cargo", &[])
    }

    /// Any other program, which finds this toolchain and Node.js on its `PATH`.
    pub(crate) fn with_tool(&self, project: &Project, node: &Node, program: &Path) -> Result<Run> {
        let folders: Vec<_> = node.path_folders().into_iter().chain(self.bin.clone()).collect();
        let run = Run::new(project.root(), program).env("PATH", path_with(&folders)?);
        Ok(if self.bin.is_some() { run.env_remove("RUSTUP_TOOLCHAIN") } else { run })
    }

    /// Clippy of this toolchain, installed if it is a part that is missing.
    pub(crate) fn clippy(&self, project: &Project) -> Result<Run> {
        let Some(bin) = &self.bin else {
            return Ok(self.cargo(project.root())?.arg("clippy"));
        };
        if !bin.join("cargo-clippy").is_file() {
            let privileges = debian::privileges(project, debian::CLIPPY).map_err(anyhow::Error::msg)?;
            debian::install_clippy(project, &privileges)?;
        }
        // Called by its own name: `cargo clippy` could find the one of rustup's toolchain.
        Ok(self.program(project.root(), "cargo-clippy", &[])?.arg("clippy"))
    }

    /// What `rustc -vV` says: a Worker built by another compiler is not up to date.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Where the toolchain looks for the target's standard library.
    pub(super) fn library_folder(&self, project: &Project) -> Option<PathBuf> {
        let rustc = self.program(project.root(), "rustc", &[]).ok()?;
        rustc.args(["--print", "target-libdir", "--target", TARGET]).ask().map(PathBuf::from)
    }

    /// Whether it compiles and links for the target. Trying is the only sure way: the library may be missing, or left over
    /// from an older compiler, and the linker is a package of its own in Debian.
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
        // Standard input is empty, and so is the program.
        let output: OsString = "probe.wasm".into();
        rustc
            .args(["-", "--crate-name", "probe", "--crate-type", "cdylib", "--target", TARGET, "-o"])
            .arg(output)
            .ask()
            .is_some()
    }
}
