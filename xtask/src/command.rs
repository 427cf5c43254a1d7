//! Runs other programs: in an environment without the variables of `cargo run`, and with a line that shows each
//! command.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Variables that cargo and rustup set for the programs they start. A cargo started from here must not mistake them for
/// the user's settings: with another toolchain they would be wrong.
const LEFT_BY_CARGO: [&str; 9] = [
    "CARGO",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PRIMARY_PACKAGE",
    "RUSTC",
    "RUSTDOC",
    "RUST_RECURSION_COUNT",
    "RUSTUP_TOOLCHAIN_SOURCE",
];

/// The search paths of shared libraries. Cargo adds the compiler's own libraries, and another compiler would load them.
const LIBRARY_PATHS: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];

/// Prints the next action and its reason.
pub(crate) fn step(message: &str) {
    eprintln!("==> {message}");
}

/// Prints the next action, and asks for confirmation on a terminal. Continues without a question elsewhere, as in CI.
pub(crate) fn confirm(message: &str) -> Result<()> {
    step(message);
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal() && env::var_os("CI").is_none();
    if !asks {
        return Ok(());
    }
    eprint!("    Go on? [Y/n] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).context("can't read the answer")?;
    ensure!(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"), "not done, as you answered");
    Ok(())
}

/// A program to run in the repository.
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// Starts describing a command in a folder, with the environment that the user started cargo with.
    pub(crate) fn new(folder: &Path, program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            let known = name.to_str().is_some_and(|name| {
                LEFT_BY_CARGO.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_")
            });
            if known {
                command.env_remove(name);
            }
        }
        for name in LIBRARY_PATHS {
            // Only cargo adds folders of a Rust toolchain or of a target folder there.
            let Some(value) = env::var_os(name) else {
                continue;
            };
            let mut kept = env::split_paths(&value).filter(|path| !is_cargos(path)).peekable();
            if kept.peek().is_none() {
                command.env_remove(name);
            } else if let Ok(joined) = env::join_paths(kept) {
                command.env(name, joined);
            }
        }
        let shown = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        Self { command, shown }
    }

    /// Runs it in another folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        let arg = arg.as_ref();
        let text = arg.to_string_lossy();
        // Writing to a string can't fail.
        let _ = if text.is_empty() || text.contains([' ', '"', '*']) {
            write!(self.shown, " '{text}'")
        } else {
            write!(self.shown, " {text}")
        };
        self.command.arg(arg);
        self
    }

    /// Adds several arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds options of the form `-o name=value`, which are not shown.
    pub(crate) fn options<S: AsRef<OsStr>>(mut self, options: &[S]) -> Self {
        for option in options {
            self.command.arg("-o").arg(option);
        }
        self
    }

    /// Sets a variable for this program.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Removes a variable for this program.
    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Shows the command, runs it with this terminal's output, and fails if it does.
    pub(crate) fn run(mut self) -> Result<()> {
        eprintln!("$ {}", self.shown);
        let status = self.command.status().with_context(|| format!("can't start `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.shown);
        }
        Ok(())
    }

    /// Shows the command and runs it without output. If it fails, the error contains the end of the output.
    pub(crate) fn run_quietly(self) -> Result<()> {
        eprintln!("$ {}", self.shown);
        self.run_silently()
    }

    /// Runs it without output, unless it fails.
    pub(crate) fn run_silently(self) -> Result<()> {
        self.output().map(drop)
    }

    /// Runs it silently and returns its output. If it fails, the error contains the end of the output.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.output().with_context(|| format!("can't start `{}`", self.shown))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
            let end = lines[lines.len().saturating_sub(5)..].join("\n");
            bail!("`{}` failed ({}):\n{end}", self.shown, output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it silently and returns its output; `None` if it is missing or fails. For questions.
    pub(crate) fn ask(mut self) -> Option<String> {
        let output = self.command.stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Replaces this process by the program: the program then owns the terminal, gets signals itself, and sets the exit
    /// status.
    pub(crate) fn hand_over(mut self) -> Result<()> {
        eprintln!("$ {}", self.shown);
        self.command.stdin(Stdio::inherit());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            let error = self.command.exec();
            Err(error).with_context(|| format!("can't start `{}`", self.shown))
        }
        #[cfg(not(unix))]
        {
            let status = self.command.status().with_context(|| format!("can't start `{}`", self.shown))?;
            std::process::exit(status.code().unwrap_or(1))
        }
    }
}

/// Returns whether cargo added a folder of libraries for the program it runs.
fn is_cargos(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "rustlib" || part.as_os_str() == "target" || part.as_os_str() == "toolchains")
        || env::current_exe().is_ok_and(|exe| exe.parent().is_some_and(|folder| path.starts_with(folder)))
}

/// Returns the program of this name in `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Returns `PATH` with these folders in front.
pub(crate) fn path_with(first: &[PathBuf]) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(first.iter().cloned().chain(env::split_paths(&path))).context("PATH can't be extended")
}
