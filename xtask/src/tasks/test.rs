//! `cargo xtask test`.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::{Run, step};
use crate::project::Project;
use crate::setup::{Setup, chromium, sites as real_sites};
use crate::{Suite, examples as all_examples, package, setup};

/// The folder of the tests in the real runtime.
const E2E: &str = "tests/e2e";

/// The end of the names of tests that need a browser.
const IN_BROWSER: &str = "-browser.test.mjs";

/// The folder of the examples' tests.
const EXAMPLES: &str = "tests/examples";

/// Runs the tests on the host, then those in the real runtime. The first need no set-up.
pub(crate) fn run(project: &Project, only: Option<Suite>, filter: Option<&str>) -> Result<()> {
    if only != Some(Suite::E2e) {
        step("running the tests on the host");
        Run::new(project.root(), "cargo").args(["test", "--workspace"]).args(filter).run()?;
    }
    if only != Some(Suite::Host) {
        end_to_end(project, filter)?;
    }
    Ok(())
}

/// Runs the built Worker, the npm package and the command line in Node.js's test runner.
fn end_to_end(project: &Project, filter: Option<&str>) -> Result<()> {
    let files = files(project)?;
    ensure!(!files.is_empty(), "there are no tests in {E2E}/");
    let setup = setup::run(project)?;
    package::build(project, &setup)?;
    step(&format!("running {} files of tests in the local Workers runtime", files.len()));

    let named: Vec<_> = files.iter().filter(|file| filter.is_some_and(|filter| file.contains(filter))).collect();
    // Two at a time, because the tests mostly wait.
    let mut run = runner(&setup, 2)?;
    if named.is_empty() || named.iter().any(|file| file.ends_with(IN_BROWSER)) {
        run = run.env(chromium::VARIABLE, chromium::set_up(project)?);
    }
    match filter {
        Some(filter) if named.is_empty() => run.arg(format!("--test-name-pattern={filter}")).args(&files),
        Some(_) => run.args(named),
        None => run.args(&files),
    }
    .run()
}

/// Builds the examples for production, and runs the suite that each must pass, in the real runtime and in a browser.
pub(crate) fn examples(project: &Project, filter: Option<&str>) -> Result<()> {
    let examples = all_examples::named(filter);
    ensure!(!examples.is_empty(), "no example has `{}` in its name", filter.unwrap_or_default());
    let setup = setup::run(project)?;
    let browser = chromium::set_up(project)?;
    for example in &examples {
        example.set_up(project, &setup)?;
    }
    step(&format!("running the tests of {} examples; screenshots go into target/screenshots/", examples.len()));
    let files = examples.iter().map(|example| format!("{EXAMPLES}/{}.test.mjs", example.name));
    runner(&setup, 1)?.env(chromium::VARIABLE, browser).args(files).run()
}

/// Installs the real sites from their package registries, and compares each with itself behind the gateway, by requests and
/// in a browser.
pub(crate) fn sites(project: &Project, filter: Option<&str>) -> Result<()> {
    let sites = real_sites::named(filter);
    ensure!(!sites.is_empty(), "no site has `{}` in its name", filter.unwrap_or_default());
    let setup = setup::run(project)?;
    let browser = chromium::set_up(project)?;
    let variables = real_sites::set_up(project, &setup.node, &sites)?;
    package::build(project, &setup)?;
    step(&format!("running the tests of {} sites; their tables of hit ratios go into target/sites/", sites.len()));
    let files = sites.iter().map(|site| format!("{}/{site}.test.mjs", real_sites::FOLDER));
    let run = runner(&setup, 1)?.env(chromium::VARIABLE, browser);
    variables.into_iter().fold(run, |run, (name, value)| run.env(name, value)).args(files).run()
}

/// Returns a command for Node.js's test runner, with a number of parallel files. Each file starts its own runtime.
fn runner(setup: &Setup, files_at_a_time: u8) -> Result<Run> {
    let concurrency = format!("--test-concurrency={files_at_a_time}");
    setup.node.script(&["--test", &concurrency, "--test-timeout=600000", "--test-reporter=spec"])
}

/// Lists the test files, relative to the repository, also those in subfolders. The test runner's own search passes when
/// it finds none.
fn files(project: &Project) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![E2E.to_owned()];
    while let Some(folder) = folders.pop() {
        let path = project.root().join(&folder);
        if !path.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&path).with_context(|| format!("can't list {}", path.display()))? {
            let entry = entry?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else if name.ends_with(".test.mjs") {
                files.push(name);
            }
        }
    }
    files.sort();
    Ok(files)
}
