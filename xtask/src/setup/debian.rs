//! Debian's compiler for Wasm, for machines where rustup can't download anything.
//!
//! Debian packages a recent compiler with the sources of its standard library (`rustc-web`, `rust-web-src`), which it needs to
//! build web browsers, but not that library compiled for Wasm. So it is compiled here once and put where the compiler looks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use semver::Version;

use super::wasm::{TARGET, Toolchain};
use crate::command::{Run, step, which};
use crate::project::{Project, parse_version};

/// Where Debian puts programs.
pub(super) const BIN: &str = "/usr/bin";

/// The compiler, cargo, the sources of the standard library, `rust-lld`, and clippy. The linker itself is added to these: the
/// name of its package has a version in it.
const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", CLIPPY];
pub(super) const CLIPPY: &str = "rust-web-clippy";

/// How to run something as root.
pub(super) enum Privileges {
    /// We are.
    Root,
    /// `sudo` lets us, without asking.
    Sudo,
}

impl Privileges {
    fn run(&self, folder: &Path, program: &str) -> Run {
        match self {
            Self::Root => Run::new(folder, program),
            Self::Sudo => Run::new(folder, "sudo").args(["-n", program]),
        }
    }
}

/// Whether packages can be installed here, else why not, and what a person who may would have to type.
pub(super) fn privileges(project: &Project, packages: &str) -> Result<Privileges, String> {
    if which("apt-get").is_none() {
        return Err("Debian's packages can't be used instead: there is no apt-get".to_owned());
    }
    let ask = |program: &str, args: &[&str]| Run::new(project.root(), program).args(args).ask();
    if ask("id", &["-u"]).as_deref() == Some("0") {
        Ok(Privileges::Root)
    } else if ask("sudo", &["-n", "true"]).is_some() {
        Ok(Privileges::Sudo)
    } else {
        Err(format!(
            "Debian's packages can't be used instead: that takes root. As root, `apt-get install {packages}` would do it"
        ))
    }
}

/// What [`install_compiler`] installs, as a person would have to type it.
pub(super) fn packages_of_compiler() -> String {
    format!("{} lld", PACKAGES.join(" "))
}

/// Installs the compiler and what belongs to it.
pub(super) fn install_compiler(project: &Project, privileges: &Privileges) -> Result<()> {
    let needed = project.rust_version()?;
    if candidate(project, PACKAGES[0]).is_none_or(|version| version < needed) {
        update_lists(project, privileges)?;
    }
    match candidate(project, PACKAGES[0]) {
        None => bail!("this system has no package `{}`; Rust {needed} with the target {TARGET} is needed", PACKAGES[0]),
        Some(version) => ensure!(
            version >= needed,
            "the newest package `{}` is {version}, but Rust {needed} or newer is needed",
            PACKAGES[0]
        ),
    }
    let linker = linker(project).context("this system has no package of the linker `lld`")?;
    let packages: Vec<_> = PACKAGES.into_iter().chain([linker.as_str()]).collect();
    install(project, privileges, &packages)
}

/// Installs clippy where only the compiler was there.
pub(super) fn install_clippy(project: &Project, privileges: &Privileges) -> Result<()> {
    step("clippy of Debian's compiler is missing: installing it");
    install(project, privileges, &[CLIPPY])
}

/// Compiles the standard library for Wasm and puts it where the compiler looks for it.
pub(super) fn build_standard_library(project: &Project, privileges: &Privileges, toolchain: &Toolchain) -> Result<()> {
    step("compiling the standard library for Wasm, once");
    let folder = project.target().join("wasm-std");
    write_empty_crate(&folder)?;
    toolchain
        .cargo(&folder)?
        // `-Zbuild-std` is not stable yet, and this compiler is a stable one.
        .env("RUSTC_BOOTSTRAP", "1")
        // Bitcode is what link-time optimization works on; cargo leaves it out of a release build that doesn't ask for it.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET])
        .run()
        .context("the standard library can't be compiled for Wasm")?;

    let built = folder.join("target").join(TARGET).join("release").join("deps");
    let libraries: Vec<_> = rlibs(&built)?.into_iter().filter(|file| !is_empty_crate(file)).collect();
    ensure!(!libraries.is_empty(), "cargo built no library in {}", built.display());

    let installed = toolchain.library_folder(project).context("rustc doesn't say where it looks for libraries")?;
    let stale = if installed.is_dir() { rlibs(&installed)? } else { Vec::new() };
    if !stale.is_empty() {
        // An older compiler's: two of the same name would be one too many.
        privileges.run(project.root(), "rm").arg("-f").files("*.rlib", stale).run_quietly()?;
    }
    step(&format!("putting it into {}", installed.display()));
    privileges.run(project.root(), "mkdir").arg("-p").arg(&installed).run_quietly()?;
    privileges
        .run(&built, "cp")
        .files("*.rlib", libraries.iter().filter_map(|file| file.file_name()))
        .arg(&installed)
        .run_quietly()
}

const EMPTY_CRATE: &str = "wasm_std";

/// A crate without content: what is wanted are the libraries that cargo compiles for it.
fn write_empty_crate(folder: &Path) -> Result<()> {
    let write = |file: &str, text: &str| {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
    };
    fs::create_dir_all(folder.join("src")).with_context(|| format!("can't create {}", folder.display()))?;
    // What an older compiler left would be copied along.
    let target = folder.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("can't remove {}", target.display()))?;
    }
    // A workspace of its own: it lies inside the repository's, but is not a member.
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

/// The version that apt would install, as far as its lists say.
fn candidate(project: &Project, package: &str) -> Option<Version> {
    let policy = Run::new(project.root(), "apt-cache").args(["policy", package]).env("LC_ALL", "C").ask()?;
    candidate_in(&policy)
}

/// Reads `Candidate: 1.96.0+dfsg1-1~deb12u2`.
fn candidate_in(policy: &str) -> Option<Version> {
    let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?;
    let upstream = line.trim().split(['+', '-', '~']).next()?;
    parse_version(upstream).ok()
}

/// The package of the linker: the LLVM release that `rust-web-llvm` goes with, else the newest.
fn linker(project: &Project) -> Option<String> {
    let cache =
        |args: &[&str]| Run::new(project.root(), "apt-cache").args(args).env("LC_ALL", "C").ask().unwrap_or_default();
    linker_in(&cache(&["depends", "rust-web-llvm"]), &cache(&["pkgnames", "lld-"]))
}

fn linker_in(depends: &str, names: &str) -> Option<String> {
    let release = |name: &str, prefix: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
    let available = || names.lines().filter_map(|name| release(name.trim(), "lld-"));
    depends
        .split_whitespace()
        .filter_map(|word| release(word, "llvm-"))
        .find(|wanted| available().any(|release| release == *wanted))
        .or_else(|| available().max())
        .map(|release| format!("lld-{release}"))
}

fn update_lists(project: &Project, privileges: &Privileges) -> Result<()> {
    step("the package lists are missing or old: updating them");
    privileges.run(project.root(), "apt-get").arg("update").run_quietly()
}

/// Installs packages. Refuses to remove any: Debian's other compiler packages would have to go for these.
pub(super) fn install(project: &Project, privileges: &Privileges, packages: &[&str]) -> Result<()> {
    let install = || {
        privileges
            .run(project.root(), "env")
            .args([
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "--yes",
                "--no-install-recommends",
                "--no-remove",
            ])
            .args(packages)
            .run_quietly()
    };
    // Lists can be so old that they name files which are gone.
    install().or_else(|_| {
        update_lists(project, privileges)?;
        install()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_is_read_without_debians_additions() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(candidate_in(policy), Some(Version::new(1, 96, 0)));
        assert_eq!(candidate_in("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate_in(""), None);
    }

    #[test]
    fn linker_goes_with_the_compilers_llvm() {
        let names = "lld-19\nlld-22\nlld-23\nlld-22-dbg\n";
        assert_eq!(linker_in("rust-web-llvm\n  Depends: llvm-22\n", names).as_deref(), Some("lld-22"));
        assert_eq!(linker_in("rust-web-llvm\n  Depends: llvm-24\n", names).as_deref(), Some("lld-23"));
        assert_eq!(linker_in("", ""), None);
    }
}
