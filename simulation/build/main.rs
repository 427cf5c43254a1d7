//! Copies the shipped sources and weaves the deliberate faults into the copy.
//!
//! ```text
//!  src/lib.rs ──modules──▶ OUT_DIR/src/lib.rs         included by simulation/src/lib.rs
//!  src/**     ──weave────▶ OUT_DIR/src/**             with the patches of simulation/faults/
//!  migrations ──copy─────▶ OUT_DIR/migrations         included by the copied sources
//!  faults     ──declare──▶ OUT_DIR/faults.rs          the enum `Fault`
//! ```

mod declare;
mod patch;
mod weave;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use self::patch::{Hunk, Patch};

/// The hunks for one file, each with the name of its fault.
type Hunks<'a> = BTreeMap<&'a str, Vec<(&'a str, &'a Hunk)>>;

fn main() {
    // The core checks its feature `worker`. In this build there is no platform.
    println!("cargo::rustc-check-cfg=cfg(feature, values(\"worker\"))");
    if let Err(problems) = run() {
        for line in problems.iter().flat_map(|problem| problem.lines()) {
            println!("cargo::error={line}");
        }
    }
}

/// Generates the sources, or lists everything that is wrong with the patches.
fn run() -> Result<(), Vec<String>> {
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let (root, out) = (folder.join(".."), PathBuf::from(variable("OUT_DIR")?));
    println!("cargo::rerun-if-changed={}", folder.join("build").display());
    let patches = patches(&folder.join("faults"))?;
    let modules = declare::modules(&read(&root.join("src/lib.rs"))?);

    // A moved file must not remain in its old place.
    for generated in ["src", "migrations"].map(|name| out.join(name)) {
        if generated.exists() {
            fs::remove_dir_all(&generated).map_err(|error| vec![failed(&generated, &error)])?;
        }
    }
    let mut files = files(&root.join("migrations"))?;
    for module in &modules {
        files.extend(files_of_module(&root.join("src"), module)?);
    }
    let mut hunks = Hunks::new();
    for patch in &patches {
        for hunk in &patch.hunks {
            hunks.entry(&hunk.file).or_default().push((&patch.fault, hunk));
        }
    }
    let mut problems = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap_or(&file);
        let hunks = hunks.remove(name.to_string_lossy().as_ref()).unwrap_or_default();
        match weave::weave(&read(&file)?, &hunks) {
            Ok(woven) => write(&out.join(name), &without_tests(&woven))?,
            Err(found) => problems.extend(found),
        }
    }
    for (file, hunks) in hunks {
        problems.extend(hunks.iter().map(|(fault, _)| format!("faults/{fault}.patch: there is no module file {file}")));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    write(&out.join("src/lib.rs"), &declare::module_list(&modules))?;
    write(&out.join("faults.rs"), &declare::faults(&patches))
}

/// Removes the unit tests, as any build except the core's own test build does.
fn without_tests(source: &str) -> String {
    source.replace("#[cfg(test)]", "#[cfg(any())]")
}

fn variable(name: &str) -> Result<String, Vec<String>> {
    env::var(name).map_err(|error| vec![format!("{name}: {error}")])
}

fn failed(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn read(file: &Path) -> Result<String, Vec<String>> {
    println!("cargo::rerun-if-changed={}", file.display());
    fs::read_to_string(file).map_err(|error| vec![failed(file, &error)])
}

fn write(file: &Path, text: &str) -> Result<(), Vec<String>> {
    let folder = file.parent().map_or(Ok(()), fs::create_dir_all);
    folder.and_then(|()| fs::write(file, text)).map_err(|error| vec![failed(file, &error)])
}

/// Reads all patches, sorted by the name of the fault.
fn patches(folder: &Path) -> Result<Vec<Patch>, Vec<String>> {
    let (mut patches, mut problems) = (Vec::new(), Vec::new());
    for file in files(folder)? {
        let fault = file.file_stem().unwrap_or_default().to_string_lossy();
        match Patch::parse(&fault, &read(&file)?) {
            Ok(patch) => patches.push(patch),
            Err(problem) => problems.push(format!("faults/{fault}.patch: {problem}")),
        }
    }
    if problems.is_empty() { Ok(patches) } else { Err(problems) }
}

/// Lists the files of a top-level module: `name.rs`, and everything in `name/`.
fn files_of_module(src: &Path, name: &str) -> Result<Vec<PathBuf>, Vec<String>> {
    let (file, folder) = (src.join(format!("{name}.rs")), src.join(name));
    let mut found = if folder.is_dir() { files(&folder)? } else { Vec::new() };
    found.extend(file.is_file().then_some(file));
    Ok(found)
}

/// Lists all files in a folder and its subfolders, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Vec<String>> {
    // Cargo also watches the subfolders, and so notices new files.
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut found = Vec::new();
    for path in entries.map_err(|error| vec![failed(folder, &error)])?.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
