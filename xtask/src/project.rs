//! The paths of the repository, and the versions in its manifests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use semver::Version;

/// The target that Workers run.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The repository: its folders and the versions that its manifests pin.
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    /// Finds the repository from the place this task runner was compiled at, so that tasks work from any subfolder.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest_dir
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
            .with_context(|| {
                format!("{} is no longer in the repository; run `cargo xtask` again inside it", manifest_dir.display())
            })?
            .to_path_buf();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// Returns the repository in another folder: another version of this one, unpacked.
    pub(crate) fn at(root: PathBuf, target: PathBuf) -> Self {
        Self { root, target }
    }

    /// Returns the folder of the root manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns cargo's target folder, for everything that `cargo clean` may delete.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Returns the folder of tools for this repository alone. It survives `cargo clean`, because building them takes
    /// minutes.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Returns npm's folder.
    pub(crate) fn node_modules(&self) -> PathBuf {
        self.root.join("node_modules")
    }

    /// Returns the version of a package in `Cargo.lock`, which its tool has to match.
    pub(crate) fn locked_version(&self, package: &str) -> Result<Version> {
        let lock = self.read_toml("Cargo.lock")?;
        lock.get("package")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
            .find(|entry| entry.get("name").and_then(toml::Value::as_str) == Some(package))
            .and_then(|entry| entry.get("version")?.as_str())
            .with_context(|| format!("Cargo.lock has no package `{package}`"))
            .and_then(|version| parse_version(version).with_context(|| format!("version of `{package}` in Cargo.lock")))
    }

    /// Returns the oldest compiler version that can build the workspace.
    pub(crate) fn rust_version(&self) -> Result<Version> {
        let manifest = self.read_toml("Cargo.toml")?;
        manifest
            .get("workspace")
            .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str())
            .context("Cargo.toml has no workspace.package.rust-version")
            .and_then(parse_version)
    }

    fn read_toml(&self, file: &str) -> Result<toml::Table> {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        text.parse().with_context(|| format!("can't parse {}", path.display()))
    }
}

/// Parses the version that a tool prints or a manifest names: `v22.12.0`, `1.91`, `1.96.0-nightly (…)`.
pub(crate) fn parse_version(text: &str) -> Result<Version> {
    let word = text.split_whitespace().next().unwrap_or_default().trim_start_matches('v');
    let full = match word.split('.').count() {
        1 => format!("{word}.0.0"),
        2 => format!("{word}.0"),
        _ => word.to_owned(),
    };
    Version::parse(&full).with_context(|| format!("`{text}` is not a version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_as_tools_print_them() {
        let parsed = ["v22.12.0", "1.91", "22", "1.96.0 (abc 2026-01-01)"].map(|text| parse_version(text).ok());
        let expected = [(22, 12, 0), (1, 91, 0), (22, 0, 0), (1, 96, 0)].map(|(a, b, c)| Some(Version::new(a, b, c)));
        assert_eq!(parsed, expected);
        assert!(parse_version("").is_err());
        assert!(parse_version("command not found").is_err());
    }
}
