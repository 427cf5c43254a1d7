//! The result of a command, and where it goes.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::{Failure, Verdict};

/// The result of a command, for programs and for people.
#[derive(Debug, PartialEq)]
pub(crate) struct Report {
    /// For programs.
    pub(crate) json: Value,
    /// For people.
    pub(crate) text: String,
    /// What the exit code says.
    pub(crate) verdict: Verdict,
}

/// Where results go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Screen {
    /// Whether programs read the results.
    pub(crate) is_json: bool,
    /// Whether colors are wanted.
    pub(crate) is_colored: bool,
    /// The columns of the terminal; `None`: it is none.
    pub(crate) width: Option<u16>,
}

impl Screen {
    /// Prints a result.
    pub(crate) fn print(self, report: &Report) -> Result<Verdict, Failure> {
        if self.is_json {
            let json = serde_json::to_string_pretty(&report.json).map_err(io::Error::from)?;
            print_line(&json)?;
        } else {
            print_line(report.text.trim_end())?;
        }
        Ok(report.verdict)
    }
}

/// Prints a line, at once.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
