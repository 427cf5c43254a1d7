//! Skips a step whose inputs have not changed since it last succeeded.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

/// A hash of all inputs of a step.
pub(crate) struct Inputs(Sha256);

impl Inputs {
    pub(crate) fn new() -> Self {
        Self(Sha256::new())
    }

    /// Adds a named value, such as a tool's version.
    pub(crate) fn value(mut self, name: &str, value: &str) -> Self {
        self.record(name, value.as_bytes());
        self
    }

    /// Adds a file, or all files of a folder. A missing path counts as well: creating it is a change.
    pub(crate) fn path(mut self, root: &Path, relative: &str) -> Result<Self> {
        let mut files = Vec::new();
        collect(&root.join(relative), &mut files)?;
        files.sort();
        self.record(relative, &files.len().to_le_bytes());
        for file in files {
            let content = fs::read(&file).with_context(|| format!("can't read {}", file.display()))?;
            let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().into_owned();
            self.record(&name, &content);
        }
        Ok(self)
    }

    pub(crate) fn digest(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string can't fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Lengths are part of the hash, so that different sets of inputs never collide.
    fn record(&mut self, name: &str, content: &[u8]) {
        for part in [name.as_bytes(), content] {
            self.0.update(part.len().to_le_bytes());
            self.0.update(part);
        }
    }
}

/// Lists the files at or below a path.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(|| format!("can't list {}", path.display()))?;
        for entry in entries {
            collect(&entry?.path(), files)?;
        }
    } else if path.is_file() {
        files.push(path.to_path_buf());
    }
    Ok(())
}

/// Returns whether the step that wrote this stamp had the same inputs.
pub(crate) fn matches(stamp: &Path, digest: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|recorded| recorded.trim() == digest)
}

/// Records that the step succeeded with these inputs.
pub(crate) fn write(stamp: &Path, digest: &str) -> Result<()> {
    if let Some(folder) = stamp.parent() {
        fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    }
    fs::write(stamp, format!("{digest}\n")).with_context(|| format!("can't write {}", stamp.display()))
}

/// Removes the stamp before its step starts, so that a failed step does not count as done.
pub(crate) fn clear(stamp: &Path) -> Result<()> {
    match fs::remove_file(stamp) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("can't remove {}", stamp.display()))
        }
        _ => Ok(()),
    }
}

/// Makes concurrent runs of a step wait for each other: `wrangler dev` may build while a test run does. The lock is
/// released when the returned file is dropped.
pub(crate) fn lock(folder: &Path) -> Result<fs::File> {
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    let path = folder.join(".xtask.lock");
    let file = fs::File::create(&path).with_context(|| format!("can't create {}", path.display()))?;
    file.lock().with_context(|| format!("can't lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_tells_names_from_values() {
        let digest = |pairs: &[(&str, &str)]| {
            pairs.iter().fold(Inputs::new(), |inputs, (name, value)| inputs.value(name, value)).digest()
        };
        assert_eq!(digest(&[("a", "b")]), digest(&[("a", "b")]));
        assert_ne!(digest(&[("a", "b")]), digest(&[("ab", "")]));
        assert_ne!(digest(&[("a", "b"), ("c", "d")]), digest(&[("c", "d"), ("a", "b")]));
    }
}
