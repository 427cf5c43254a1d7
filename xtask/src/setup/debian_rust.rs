//! Debian's compiler for Wasm, for machines where rustup can't download anything.
//!
//! Debian packages a recent compiler with the sources of its standard library (`rustc-web`, `rust-web-src`) for
//! building web browsers, but not that library compiled for Wasm. So the library is compiled here, once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::debian::{Apt, Unpacked};
use crate::command::{Run, path_with, step};
use crate::project::{Project, TARGET};

/// The compiler, cargo, the sources of the standard library, LLVM's tools, and clippy. The linker is added to these,
/// because the name of its package contains a version.
const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "rust-web-clippy"];

/// The name of an empty crate: only the libraries that cargo compiles for it are needed.
const EMPTY_CRATE: &str = "wasm_std";

/// Debian's toolchain in the project's folder.
pub(super) struct DebianRust(Unpacked);

impl DebianRust {
    /// Describes the toolchain, which may not exist yet.
    pub(super) fn at(project: &Project) -> Self {
        Self(Unpacked::at(project, "rust"))
    }

    /// Returns the folder of its programs.
    pub(super) fn bin(&self) -> PathBuf {
        self.0.path("usr/bin")
    }

    /// Makes a command find this toolchain's programs and shared libraries first.
    pub(super) fn apply(&self, run: Run, path_folders: &[PathBuf]) -> Result<Run> {
        let folders: Vec<_> = path_folders.iter().cloned().chain([self.bin()]).collect();
        // That variable is for rustup's proxies, and `RUSTC_WRAPPER` and similar ones remain the user's.
        Ok(run
            .env("PATH", path_with(&folders)?)
            .env("LD_LIBRARY_PATH", self.0.library_path()?)
            .env_remove("RUSTUP_TOOLCHAIN"))
    }

    /// Downloads the compiler and compiles the standard library for Wasm. `reason` says why rustup's will not do.
    pub(super) fn install(&self, project: &Project, reason: &str) -> Result<()> {
        let apt = Apt::find(project)?;
        apt.ensure_version(PACKAGES[0], &project.rust_version()?)?;
        let linker = apt.linker("rust-web-llvm")?;
        let packages: Vec<_> = PACKAGES.into_iter().chain([linker.as_str()]).collect();
        self.0.install(&apt, &packages, reason)?;
        self.build_standard_library(project)
    }

    /// Compiles the standard library for Wasm and installs it where the compiler expects it.
    fn build_standard_library(&self, project: &Project) -> Result<()> {
        step(&format!("compiling the standard library for {TARGET}, once"));
        let folder = project.target().join("wasm-std");
        write_empty_crate(&folder)?;
        self.apply(Run::new(&folder, self.bin().join("cargo")), &[])?
            // `-Zbuild-std` is not stable yet, and this compiler is a stable one.
            .env("RUSTC_BOOTSTRAP", "1")
            // Link-time optimization needs bitcode; cargo omits it from a release build that doesn't ask for it.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET])
            .run_quietly()
            .context("the standard library can't be compiled for Wasm")?;

        let built = folder.join("target").join(TARGET).join("release").join("deps");
        let libraries: Vec<_> = rlibs(&built)?.into_iter().filter(|file| !is_empty_crate(file)).collect();
        ensure!(!libraries.is_empty(), "cargo built no library in {}", built.display());
        let installed = self.0.path("usr/lib/rustlib").join(TARGET).join("lib");
        fs::create_dir_all(&installed).with_context(|| format!("can't create {}", installed.display()))?;
        for library in libraries {
            let to = installed.join(library.file_name().unwrap_or_default());
            fs::copy(&library, &to).with_context(|| format!("can't write {}", to.display()))?;
        }
        fs::remove_dir_all(&folder).with_context(|| format!("can't remove {}", folder.display()))
    }
}

fn write_empty_crate(folder: &Path) -> Result<()> {
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
    };
    // Otherwise the libraries of an older compiler would be copied as well.
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("can't remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder.join("src")).with_context(|| format!("can't create {}", folder.display()))?;
    // A workspace of its own: its folder is inside the repository's workspace, but it is not a member.
    write(
        "Cargo.toml",
        &format!("[package]\nname = \"{EMPTY_CRATE}\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n"),
    )?;
    write("src/lib.rs", "")
}

fn is_empty_crate(rlib: &Path) -> bool {
    rlib.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("lib{EMPTY_CRATE}-")))
}

fn rlibs(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            files.push(path);
        }
    }
    Ok(files)
}
