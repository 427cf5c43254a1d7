//! A browser for the tests of the examples.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use super::debian;
use crate::command::{step, which};
use crate::project::Project;

/// The variable that names a browser, for users and for the tests.
pub(crate) const VARIABLE: &str = "CHROME_PATH";

/// How it is called where it is on `PATH`.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Where it is on macOS.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Debian's package.
const PACKAGE: &str = "chromium";

/// Finds Chromium or Chrome, or installs Debian's.
pub(crate) fn set_up(project: &Project) -> Result<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(named);
        }
        bail!("{VARIABLE} names {}, which is no file", named.display());
    }
    let installed = || {
        let applications = APPLICATIONS.into_iter().map(PathBuf::from).filter(|file| file.is_file());
        PROGRAMS.into_iter().find_map(which).or_else(|| applications.into_iter().next())
    };
    if let Some(browser) = installed() {
        return Ok(browser);
    }
    let reason = match debian::privileges(project, PACKAGE) {
        Ok(privileges) => {
            step("there is no Chromium or Chrome, which the examples are tested in: installing Debian's");
            debian::install(project, &privileges, &[PACKAGE])?;
            match installed() {
                Some(browser) => return Ok(browser),
                None => "Debian's package is installed, but has no program of that name".to_owned(),
            }
        }
        Err(reason) => reason,
    };
    bail!("the examples are tested in Chromium or Chrome: install one, or name it by {VARIABLE}. {reason}")
}
