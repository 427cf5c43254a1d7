//! Debian's packages, unpacked into this project's own folder.
//!
//! This is the last resort, for machines where the usual way fails: rustup that can't download, no browser. It installs
//! nothing into the system and does not need root: apt-get works on its own lists and archives below `.tools/debian/`,
//! resolves the dependencies that the system lacks, and the packages are unpacked there. Deleting that folder undoes
//! everything.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use semver::Version;

use crate::command::{Run, confirm, which};
use crate::project::{Project, parse_version};
use crate::stamp::{self, Inputs};

/// dpkg's list of installed packages: dependencies in it are not downloaded again.
const INSTALLED: &str = "/var/lib/dpkg/status";

/// The C library belongs to the system's dynamic linker. Another version next to it would break every program.
const C_LIBRARY: &str = "libc6";

/// Packages that were unpacked into one folder, with the same paths below it as below `/`.
pub(super) struct Unpacked {
    root: PathBuf,
}

/// apt-get with lists and archives in the project's folder.
pub(super) struct Apt<'a> {
    project: &'a Project,
    folder: PathBuf,
}

impl Unpacked {
    /// Describes the folder of a set of packages. The folder may not exist yet.
    pub(super) fn at(project: &Project, set: &str) -> Self {
        Self { root: folder(project).join(set) }
    }

    /// Returns a file or folder of the packages, given relative to `/`.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns the folders of shared libraries for the programs' `LD_LIBRARY_PATH`.
    pub(super) fn library_path(&self) -> Result<OsString> {
        let mut folders = Vec::new();
        for libraries in ["usr/lib", "lib"] {
            let libraries = self.path(libraries);
            let multiarch = libraries.join(env::consts::ARCH.to_owned() + "-linux-gnu");
            // Some packages have private libraries in a subfolder, which they name by its absolute path.
            let private = subfolders(&multiarch).into_iter().filter(|folder| has_libraries(folder));
            folders.extend([multiarch.clone(), libraries].into_iter().filter(|folder| folder.is_dir()));
            folders.extend(private);
        }
        let inherited = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let inherited = env::split_paths(&inherited).filter(|path| !path.as_os_str().is_empty()).collect::<Vec<_>>();
        env::join_paths(folders.into_iter().chain(inherited))
            .context("the project's folder has a character that LD_LIBRARY_PATH can't hold")
    }

    /// Returns whether exactly these packages were unpacked.
    pub(super) fn has(&self, packages: &[&str]) -> bool {
        stamp::matches(&self.stamp(), &digest(packages))
    }

    /// Downloads packages with the dependencies that the system lacks, and unpacks them.
    ///
    /// `reason` says why they are needed. The action is printed first, and confirmed on a terminal.
    pub(super) fn install(&self, apt: &Apt<'_>, packages: &[&str], reason: &str) -> Result<()> {
        let downloads = apt.resolve(packages)?;
        ensure!(!downloads.is_empty(), "apt-get has nothing to download for {}", packages.join(" "));
        let bytes: u64 = downloads.iter().map(|download| download.bytes).sum();
        confirm(&format!(
            "{reason}\n    The last resort is to download {} of Debian's packages ({} MB) and to unpack them into\n    {}: {}.\n    \
             Nothing outside of this project's folder changes, and root is not needed.",
            downloads.len(),
            bytes / 1_000_000,
            self.root.display(),
            packages.join(", "),
        ))?;
        if self.root.exists() {
            fs::remove_dir_all(&self.root).with_context(|| format!("can't remove {}", self.root.display()))?;
        }
        fs::create_dir_all(&self.root).with_context(|| format!("can't create {}", self.root.display()))?;
        apt.download(packages)?;
        for download in &downloads {
            if download.name != C_LIBRARY {
                let file = apt.archives().join(&download.file);
                Run::new(apt.project.root(), "dpkg-deb").arg("-x").arg(file).arg(&self.root).run_silently()?;
            }
        }
        fs::remove_dir_all(apt.archives()).context("can't remove the downloaded archives")?;
        stamp::write(&self.stamp(), &digest(packages))
    }

    fn stamp(&self) -> PathBuf {
        self.root.join(".xtask-stamp")
    }
}

fn digest(packages: &[&str]) -> String {
    packages.iter().fold(Inputs::new(), |inputs, name| inputs.value("package", name)).digest()
}

/// A package to download.
#[derive(Debug, PartialEq, Eq)]
struct Download {
    name: String,
    /// Its name in the folder of archives.
    file: String,
    bytes: u64,
}

impl<'a> Apt<'a> {
    /// Finds apt-get, and fetches its lists into the project's folder.
    pub(super) fn find(project: &'a Project) -> Result<Self> {
        for program in ["apt-get", "dpkg-deb"] {
            ensure!(which(program).is_some(), "Debian's packages can't be used instead: there is no {program}");
        }
        let apt = Self { project, folder: folder(project).join("apt") };
        for part in [apt.folder.join("lists/partial"), apt.archives().join("partial")] {
            fs::create_dir_all(&part).with_context(|| format!("can't create {}", part.display()))?;
        }
        apt.run("apt-get").arg("update").run_quietly()?;
        Ok(apt)
    }

    fn archives(&self) -> PathBuf {
        self.folder.join("cache/archives")
    }

    /// Returns a command for one of apt's programs. It writes nothing outside of the project's folder.
    fn run(&self, program: &str) -> Run {
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        Run::new(self.project.root(), program).env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").options(&[
            option("Dir::State", &self.folder),
            option("Dir::State::status", Path::new(INSTALLED)),
            option("Dir::Cache", &self.folder.join("cache")),
            // apt's locks belong to the system, and need root. The set-up has a lock of its own.
            "Debug::NoLocking=1".to_owned(),
            // Otherwise root's apt-get downloads as a user without write access here.
            "APT::Sandbox::User=".to_owned(),
        ])
    }

    /// Lists the downloads for packages.
    fn resolve(&self, packages: &[&str]) -> Result<Vec<Download>> {
        let printed = self
            .run("apt-get")
            .args(["install", "--print-uris", "--quiet", "--quiet", "--yes", "--no-install-recommends", "--no-remove"])
            .args(packages)
            .output()
            .with_context(|| format!("this system's package sources don't have {}", packages.join(" ")))?;
        downloads(&printed)
    }

    fn download(&self, packages: &[&str]) -> Result<()> {
        self.run("apt-get")
            .args(["install", "--download-only", "--yes", "--no-install-recommends", "--no-remove"])
            .args(packages)
            .run_quietly()
    }

    /// Checks that the package sources have a recent enough version.
    pub(super) fn ensure_version(&self, package: &str, needed: &Version) -> Result<()> {
        let policy = self.run("apt-cache").args(["policy", package]).output()?;
        match candidate(&policy) {
            None => bail!("this system's package sources don't have `{package}`"),
            Some(version) => {
                ensure!(
                    version >= *needed,
                    "the newest package `{package}` is {version}, but {needed} or newer is needed"
                );
                Ok(())
            }
        }
    }

    /// Finds the package of the linker: the LLVM release that `package` depends on, otherwise the newest.
    pub(super) fn linker(&self, package: &str) -> Result<String> {
        let depends = self.run("apt-cache").args(["depends", package]).output()?;
        let names = self.run("apt-cache").args(["pkgnames", "lld-"]).output()?;
        linker_in(&depends, &names).context("this system's package sources don't have the linker `lld`")
    }
}

/// Parses lines of `'<url>' <file> <bytes> <hash>`.
fn downloads(printed: &str) -> Result<Vec<Download>> {
    let read = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let file = words.next()?.to_owned();
        let bytes = words.next()?.parse().ok()?;
        Some(Download { name: file.split('_').next()?.to_owned(), file, bytes })
    };
    let lines = printed.lines().filter(|line| line.starts_with('\''));
    lines.map(|line| read(line).with_context(|| format!("can't read apt-get's line `{line}`"))).collect()
}

/// Parses `Candidate: 1.96.0+dfsg1-1~deb12u2`.
fn candidate(policy: &str) -> Option<Version> {
    let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?;
    let upstream = line.trim().split(['+', '-', '~']).next()?;
    parse_version(upstream).ok()
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

/// Lists the subfolders of a folder, sorted by name.
fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = files(folder).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn has_libraries(folder: &Path) -> bool {
    files(folder).any(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".so")))
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Returns the folder of all files that this module writes.
fn folder(project: &Project) -> PathBuf {
    project.tools().join("debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_is_read_without_debians_additions() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(candidate(policy), Some(Version::new(1, 96, 0)));
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn linker_goes_with_the_compilers_llvm() {
        let names = "lld-19\nlld-22\nlld-23\nlld-22-dbg\n";
        assert_eq!(linker_in("rust-web-llvm\n  Depends: llvm-22\n", names).as_deref(), Some("lld-22"));
        assert_eq!(linker_in("rust-web-llvm\n  Depends: llvm-24\n", names).as_deref(), Some("lld-23"));
        assert_eq!(linker_in("", ""), None);
    }

    #[test]
    fn downloads_are_read_from_what_apt_prints() {
        let printed = "NOTE: a remark\n'http://example.com/l/lld-22_1%3a22.1_amd64.deb' lld-22_1%3a22.1_amd64.deb 1487860 SHA256:00\n";
        let lld =
            Download { name: "lld-22".to_owned(), file: "lld-22_1%3a22.1_amd64.deb".to_owned(), bytes: 1_487_860 };
        assert_eq!(downloads(printed).unwrap(), [lld]);
        assert!(downloads("'http://example.com/a.deb' a.deb many\n").is_err());
    }
}
