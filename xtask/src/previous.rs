//! The previous version of this cache: its sources, its Worker, and its tests on the schema of the working tree.
//!
//! Everything is in `target/upgrade/`, in one folder for each commit, so it is built once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::command::{Run, step};
use crate::project::Project;
use crate::setup::Setup;
use crate::worker;

/// Stands for the last release while no tag exists: the first commit whose objects open a database that later code has
/// expanded. Earlier ones refuse every schema that they do not know.
const PINNED: &str = "4d0dc2c69916ceffbc20af54c70af340b403a682";

/// The names of releases.
const TAGS: &str = "v[0-9]*";

/// The folder of the steps of each object's schema.
const MIGRATIONS: &str = "migrations";

/// The previous version's sources, as a repository of their own.
pub(crate) struct Previous {
    commit: String,
    project: Project,
}

impl Previous {
    /// Unpacks the last release before the current commit, or [`PINNED`].
    pub(crate) fn unpack(project: &Project) -> Result<Self> {
        let git = || Run::new(project.root(), "git");
        let tag = git().args(["describe", "--tags", "--abbrev=0", "--match", TAGS, "HEAD^"]).ask();
        let named = tag.unwrap_or_else(|| PINNED.to_owned());
        let commit = git().args(["rev-parse", "--verify", "--quiet"]).arg(format!("{named}^{{commit}}")).ask();
        let commit = commit.with_context(|| format!("the repository has no {named}: fetch its whole history"))?;
        let home = project.target().join("upgrade");
        let folder = home.join(&commit);
        unpack_into(project, &commit, &folder)?;
        step(&format!("the previous version is {named}, in {}", folder.display()));
        Ok(Self { commit, project: Project::at(folder, home) })
    }

    /// Builds its Worker, and returns the folder that has it in `build/`.
    pub(crate) fn build(&self, setup: &Setup) -> Result<PathBuf> {
        worker::build(&self.project, setup)?;
        Ok(self.project.root().to_path_buf())
    }

    /// Runs the working tree's tests of formats on the bytes that the previous version has pinned.
    pub(crate) fn test_formats(&self, project: &Project) -> Result<()> {
        Run::new(project.root(), "cargo")
            .env("ISR_PREVIOUS_FORMATS", self.project.root().join("tests/formats"))
            .args(["test", "--package", "cloudflare-isr", "--test", "formats", "versions::"])
            .run()
            .context("the previous version's messages or stored values are not read")
    }

    /// Runs its tests of the tables against the schema of the working tree: the new steps run with its own last step.
    ///
    /// Steps that it has must be unchanged: a database that has applied them never applies them again.
    pub(crate) fn test_on_schema_of(&self, project: &Project) -> Result<()> {
        let folder = project.target().join("upgrade").join(format!("{}-on-new-schema", self.commit));
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("can't empty {}", folder.display()))?;
        }
        unpack_into(project, &self.commit, &folder)?;
        for object in ["coordinator", "tag_index"] {
            let appended = append_new_steps(project, &folder, &Path::new(MIGRATIONS).join(object))?;
            step(&format!("the schema of the {object} has {appended} steps that the previous version does not know"));
        }
        Run::new(&folder, "cargo")
            .env("CARGO_TARGET_DIR", project.target())
            .args(["test", "--package", "cloudflare-isr", "--lib", "tables"])
            .run()
            .context("the previous version does not work with the new schema")
    }
}

/// Unpacks a commit into a folder, unless it is there.
fn unpack_into(project: &Project, commit: &str, folder: &Path) -> Result<()> {
    if folder.join("Cargo.toml").is_file() {
        return Ok(());
    }
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    let archive = folder.with_extension("tar");
    Run::new(project.root(), "git").args(["archive", "--format=tar", "--output"]).arg(&archive).arg(commit).run()?;
    Run::new(folder, "tar").arg("-xf").arg(&archive).run()?;
    fs::remove_file(&archive).with_context(|| format!("can't remove {}", archive.display()))
}

/// Appends the steps that the working tree has and a folder lacks to the last step in the folder. Returns how many.
fn append_new_steps(project: &Project, folder: &Path, steps: &Path) -> Result<usize> {
    let (old, new) = (names(&folder.join(steps))?, names(&project.root().join(steps))?);
    let read = |root: &Path, name: &String| {
        let path = root.join(steps).join(name);
        fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
    };
    ensure!(new.starts_with(&old), "steps of {} were removed or renamed since the previous version", steps.display());
    for name in &old {
        let is_same = read(folder, name)? == read(project.root(), name)?;
        ensure!(is_same, "{} has changed since the previous version: append a step", steps.join(name).display());
    }
    let last = old.last().with_context(|| format!("the previous version has no steps in {}", steps.display()))?;
    let appended = &new[old.len()..];
    let mut sql = read(folder, last)?;
    for name in appended {
        sql += "\n;\n";
        sql += &read(project.root(), name)?;
    }
    fs::write(folder.join(steps).join(last), sql).context("the schema can't be written")?;
    Ok(appended.len())
}

/// Lists the files of a folder in the order of their names.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't list {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_steps_run_with_the_last_known_one_and_known_ones_stay_as_they_are() {
        let home = std::env::temp_dir().join(format!("isr-previous-{}", std::process::id()));
        let write = |version: &str, name: &str, sql: &str| {
            let folder = home.join(version).join("steps");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), sql).unwrap();
        };
        for version in ["old", "new"] {
            write(version, "0001_a.sql", "A");
            write(version, "0002_b.sql", "B");
        }
        write("new", "0003_c.sql", "C");
        let (new, old) = (Project::at(home.join("new"), home.join("target")), home.join("old"));
        assert_eq!(append_new_steps(&new, &old, Path::new("steps")).unwrap(), 1);
        assert_eq!(fs::read_to_string(old.join("steps/0002_b.sql")).unwrap(), "B\n;\nC");

        write("old", "0002_b.sql", "B");
        write("new", "0001_a.sql", "other");
        assert!(append_new_steps(&new, &old, Path::new("steps")).is_err(), "a known step was changed");
        fs::remove_dir_all(&home).unwrap();
    }
}
