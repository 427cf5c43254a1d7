//! A browser for the tests of the dashboard and of the examples.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::debian::{Apt, Unpacked};
use crate::command::which;
use crate::project::Project;

/// The variable that names a browser, for users and for the tests.
pub(crate) const VARIABLE: &str = "CHROME_PATH";

/// Its names in `PATH`.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Its places on macOS.
const APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Debian's packages: the browser, and a font so that screenshots show text.
const PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];

/// Finds Chromium or Chrome, or unpacks Debian's into the project's folder.
pub(crate) fn set_up(project: &Project) -> Result<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        if named.is_file() {
            return Ok(named);
        }
        bail!("{VARIABLE} names {}, which is no file", named.display());
    }
    let applications = APPLICATIONS.into_iter().map(PathBuf::from).filter(|file| file.is_file());
    if let Some(browser) = PROGRAMS.into_iter().find_map(which).or_else(|| applications.into_iter().next()) {
        return Ok(browser);
    }
    let debians = Unpacked::at(project, "chromium");
    if !debians.has(&PACKAGES) {
        let reason = "the dashboard and the examples are tested in Chromium or Chrome, and there is neither.";
        Apt::find(project).and_then(|apt| debians.install(&apt, &PACKAGES, reason)).with_context(|| {
            format!(
                "the dashboard and the examples are tested in Chromium or Chrome: install one, or name it by {VARIABLE}"
            )
        })?;
    }
    write_launcher(&debians)
}

/// Writes a script that starts the browser with the unpacked shared libraries and fonts.
fn write_launcher(debians: &Unpacked) -> Result<PathBuf> {
    let fonts = debians.path("fonts.conf");
    let folder = |path: &Path| path.display().to_string();
    write(
        &fonts,
        &format!(
            "<?xml version=\"1.0\"?>\n<fontconfig>\n<dir>/usr/share/fonts</dir>\n<dir>{}</dir>\n<cachedir>{}</cachedir>\n</fontconfig>\n",
            folder(&debians.path("usr/share/fonts")),
            folder(&debians.path("var/cache/fontconfig")),
        ),
    )?;
    let launcher = debians.path("run-chromium");
    write(
        &launcher,
        &format!(
            "#!/bin/sh\nexport LD_LIBRARY_PATH='{}' FONTCONFIG_FILE='{}'\nexec '{}' \"$@\"\n",
            debians.library_path()?.to_string_lossy(),
            folder(&fonts),
            folder(&debians.path("usr/lib/chromium/chromium")),
        ),
    )?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("can't make {} executable", launcher.display()))?;
    }
    Ok(launcher)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
