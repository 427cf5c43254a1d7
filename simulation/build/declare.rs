//! The generated declarations: the modules of the copied sources, and the enum of the faults.

use std::fmt::Write as _;

use super::patch::Patch;

/// Returns the names of the core's modules: those that `src/lib.rs` declares for every build. Modules for the platform
/// or for tests have a `cfg`.
pub(crate) fn modules(lib: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut is_conditional = false;
    for line in lib.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_conditional |= line.starts_with("#[cfg");
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        let name = line.strip_suffix(';').and_then(|line| line.split_once("mod ")).filter(|(before, _)| {
            let before = before.trim();
            before.is_empty() || before == "pub" || before == "pub(crate)"
        });
        if let Some((_, name)) = name.filter(|_| !is_conditional) {
            modules.push(name.to_owned());
        }
        is_conditional = false;
    }
    modules
}

/// Declares the modules without lints. The core's package lints them already, and this crate does not use everything.
pub(crate) fn module_list(modules: &[String]) -> String {
    let declare = |name: &String| {
        format!("#[allow(warnings, clippy::all, clippy::pedantic, clippy::unwrap_used)]\npub(crate) mod {name};\n")
    };
    modules.iter().map(declare).collect()
}

/// Declares the enum of the faults.
pub(crate) fn faults(patches: &[Patch]) -> String {
    let (mut variants, mut all, mut promises) = (String::new(), String::new(), String::new());
    for Patch { fault, mistake, promise, .. } in patches {
        // Writing to a string can't fail.
        let _ = write!(variants, "    /// {mistake}\n    {fault},\n");
        let _ = writeln!(all, "        Self::{fault},");
        let _ = writeln!(promises, "            Self::{fault} => {promise},");
    }
    format!(
        "/// A deliberate mistake: a patch in `simulation/faults/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {{
{variants}}}

impl Fault {{
    /// All faults, sorted by name.
    pub const ALL: [Self; {count}] = [
{all}    ];

    /// Returns the number of the promise that the fault breaks.
    #[must_use]
    #[allow(clippy::match_same_arms, clippy::too_many_lines)]
    pub const fn promise(self) -> u8 {{
        match self {{
{promises}        }}
    }}
}}
",
        count = patches.len()
    )
}
