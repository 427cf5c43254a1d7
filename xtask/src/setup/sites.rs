//! The programs of the real sites in `tests/sites/`, each from its package registry.
//!
//! Debian's packages are unpacked as in `debian`, the Python packages are in a virtual environment below `.tools/`, and the
//! npm packages are in the site's own folder. Nothing is installed into the system.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::debian::{Apt, Unpacked};
use crate::command::{Run, step, which};
use crate::project::Project;
use crate::setup::Node;
use crate::stamp::{self, Inputs};

/// The folder of the tests, and of the sites' own files.
pub(crate) const FOLDER: &str = "tests/sites";

/// All sites. Each has a test of the same name in [`FOLDER`].
const SITES: [&str; 4] = ["wordpress", "wagtail", "next", "hugo"];

/// PHP with a site in it and its database, and a web server for that and for the files that Hugo writes.
const PACKAGES: [&str; 8] = [
    "wordpress",
    "wordpress-theme-twentytwentythree",
    "php-fpm",
    "php-mysql",
    "php-xml",
    "mariadb-server",
    "nginx",
    "hugo",
];

/// The variables by which the tests find the programs.
const DEBIAN: &str = "ISR_SITES_DEBIAN";
const LIBRARIES: &str = "ISR_SITES_LIBRARY_PATH";
const PYTHON: &str = "ISR_SITES_PYTHON";

/// Returns the sites whose name contains the filter.
pub(crate) fn named(filter: Option<&str>) -> Vec<&'static str> {
    SITES.into_iter().filter(|site| filter.is_none_or(|filter| site.contains(filter))).collect()
}

/// Installs what the sites need, unless it is there, and returns the variables for their tests.
pub(crate) fn set_up(project: &Project, node: &Node, sites: &[&str]) -> Result<Vec<(&'static str, OsString)>> {
    let _lock = stamp::lock(&project.tools().join("sites"))?;
    let mut variables = Vec::new();
    if sites.iter().any(|site| ["wordpress", "hugo"].contains(site)) {
        let debians = debian(project)?;
        variables.push((LIBRARIES, debians.library_path()?));
        variables.push((DEBIAN, debians.path("").into_os_string()));
    }
    if sites.contains(&"wagtail") {
        variables.push((PYTHON, python(project)?.into_os_string()));
    }
    if sites.contains(&"next") {
        next(project, node)?;
    }
    Ok(variables)
}

fn debian(project: &Project) -> Result<Unpacked> {
    let debians = Unpacked::at(project, "sites");
    if !debians.has(&PACKAGES) {
        let reason = "WordPress, and Hugo behind nginx, are tested with Debian's packages.";
        Apt::find(project)
            .and_then(|apt| debians.install(&apt, &PACKAGES, reason))
            .context("the sites that are tested need packages of Debian 12 or newer")?;
    }
    Ok(debians)
}

/// Makes a virtual environment with the packages of Wagtail, and returns its Python.
fn python(project: &Project) -> Result<PathBuf> {
    let environment = project.tools().join("sites/python");
    let program = environment.join("bin/python");
    let requirements = format!("{FOLDER}/wagtail/requirements.txt");
    let digest = Inputs::new().path(project.root(), &requirements)?.digest();
    let installed = environment.join(".xtask-stamp");
    if !stamp::matches(&installed, &digest) {
        step("installing Wagtail into a virtual environment");
        ensure!(which("python3").is_some(), "Wagtail needs Python 3.10 or newer, and there is no python3");
        stamp::clear(&installed)?;
        let run = |program: PathBuf| Run::new(project.root(), program);
        run("python3".into()).args(["-m", "venv", "--clear"]).arg(&environment).run_quietly()?;
        run(program.clone())
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements)
            .run_quietly()?;
        stamp::write(&installed, &digest)?;
    }
    Ok(program)
}

/// Installs the packages of the Next.js site, and builds it.
fn next(project: &Project, node: &Node) -> Result<()> {
    let folder = project.root().join(FOLDER).join("next");
    let sources = ["package.json", "package-lock.json", "app", "public", "next.config.mjs"];
    let digest = sources.into_iter().try_fold(Inputs::new(), |inputs, source| inputs.path(&folder, source))?.digest();
    let built = folder.join(".next/.xtask-stamp");
    if !stamp::matches(&built, &digest) {
        step("building the site with Next.js");
        stamp::clear(&built)?;
        // The compiler is a native package of its own, which needs no install script.
        node.npm_in(&folder)?.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).run_quietly()?;
        node.npm_in(&folder)?.env("NEXT_TELEMETRY_DISABLED", "1").args(["run", "build"]).run_quietly()?;
        stamp::write(&built, &digest)?;
    }
    Ok(())
}
