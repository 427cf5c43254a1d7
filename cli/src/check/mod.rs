//! `isr check`: whether a configuration can be deployed. The settings are judged by the parser that a Worker uses.
//!
//! | module | what it has |
//! |---|---|
//! | `document` | the values of a file, and their lines |
//! | `deployment` | what an environment would deploy, and what is wrong with it |

mod deployment;
mod document;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use self::deployment::{Deployment, Finding, Own};
use self::document::{Document, Format};
use crate::args::CheckArgs;
use crate::failure::{Failure, Verdict};
use crate::show::{Lines as _, Report, Screen, Tone, clean, number, paint};

/// The files that wrangler looks for in a folder, in its order.
const FILES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// The most bytes of a configuration.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Checks a configuration.
pub(crate) fn check(args: &CheckArgs, screen: Screen) -> Result<Report, Failure> {
    let file = find(&args.file)?;
    let size = fs::metadata(&file).map_err(|error| unreadable(&file, &error.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(unreadable(&file, "it is too large for a configuration"));
    }
    let text = fs::read_to_string(&file).map_err(|error| unreadable(&file, &error.to_string()))?;
    check_text(&file, &text, args, screen)
}

/// Returns the file that is meant.
fn find(named: &Path) -> Result<PathBuf, Failure> {
    if !named.is_dir() {
        return Ok(named.to_owned());
    }
    let files = FILES.iter().map(|name| named.join(name));
    files.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        Failure::Usage(format!("There is none of {} in {}. Name the file.", FILES.join(", "), named.display()))
    })
}

fn unreadable(file: &Path, cause: &str) -> Failure {
    Failure::Usage(format!("{} can't be read: {cause}", file.display()))
}

/// An environment, and what is found in it.
struct Checked {
    /// `None`: the top level.
    env: Option<String>,
    problems: Vec<Finding>,
    notes: Vec<Finding>,
}

/// Checks the text of a configuration.
fn check_text(file: &Path, text: &str, args: &CheckArgs, screen: Screen) -> Result<Report, Failure> {
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let format = if is_toml { Format::Toml } else { Format::Jsonc };
    let document =
        Document::parse(text, format).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    let checked = environments(&document.value, args)?;
    let report = Reported { file, document: &document, screen };
    Ok(report.of(&checked))
}

/// Checks the environments that are wanted.
fn environments(file: &Value, args: &CheckArgs) -> Result<Vec<Checked>, Failure> {
    let own = Own { settings: args.in_code, l2: args.own_l2 };
    let envs: Vec<(&String, &Value)> = file["env"].as_object().into_iter().flatten().collect();
    let checked = |env: Option<&str>, deployment: &Deployment<'_>| Checked {
        env: env.map(str::to_owned),
        problems: deployment.problems(own),
        notes: deployment.notes(own),
    };
    if let Some(wanted) = &args.env {
        let Some((name, table)) = envs.iter().find(|(name, _)| *name == wanted) else {
            let known: Vec<&str> = envs.iter().map(|(name, _)| name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::Usage(format!("There is no environment {wanted:?}. Known environments: {known}.")));
        };
        return Ok(vec![checked(Some(name), &Deployment::env(table, file))]);
    }
    let top = Deployment::top(file);
    // A file may deploy the cache only in its environments. Bindings and variables are not inherited.
    let is_only_in_envs = !top.has_cache() && envs.iter().any(|(_, table)| Deployment::env(table, file).has_cache());
    let mut all: Vec<Checked> = Vec::new();
    if !is_only_in_envs {
        all.push(checked(None, &top));
    }
    all.extend(envs.iter().map(|(name, table)| checked(Some(name), &Deployment::env(table, file))));
    Ok(all)
}

/// Writes what was found.
struct Reported<'a> {
    file: &'a Path,
    document: &'a Document,
    screen: Screen,
}

impl Reported<'_> {
    fn of(&self, checked: &[Checked]) -> Report {
        let count: usize = checked.iter().map(|environment| environment.problems.len()).sum();
        let file = clean(&self.file.display().to_string());
        let head = match count {
            0 => paint("no problem", Tone::Good, self.screen.is_colored),
            count => paint(&number(count as u64, "problem"), Tone::Bad, self.screen.is_colored),
        };
        let mut text = format!("{file}: {head}");
        for environment in checked {
            let is_silent = environment.problems.is_empty() && environment.notes.is_empty();
            if let (Some(name), false) = (&environment.env, is_silent) {
                text.paragraph(&format!("[env.{}]", clean(name)));
            }
            for problem in &environment.problems {
                text.paragraph(&self.written(environment, problem));
            }
            for note in &environment.notes {
                text.paragraph(&format!("note: {}", self.written(environment, note)));
            }
        }
        let json = json!({
            "ok": count == 0,
            "file": self.file.display().to_string(),
            "environments": checked.iter().map(|environment| json!({
                "env": environment.env,
                "problems": self.json(environment, &environment.problems),
                "notes": self.json(environment, &environment.notes),
            })).collect::<Vec<_>>(),
        });
        let verdict = if count == 0 { Verdict::Yes } else { Verdict::Misconfigured };
        Report { json, text, verdict }
    }

    fn written(&self, environment: &Checked, finding: &Finding) -> String {
        let line = self.line(environment, finding).map(|line| format!("line {line}: ")).unwrap_or_default();
        let message: Vec<String> = finding.message.lines().map(clean).collect();
        format!("{line}{}: {}", clean(&finding.subject), message.join("\n"))
    }

    fn json(&self, environment: &Checked, findings: &[Finding]) -> Value {
        let findings = findings.iter().map(|finding| {
            json!({ "setting": finding.subject, "line": self.line(environment, finding), "message": finding.message })
        });
        findings.collect()
    }

    fn line(&self, environment: &Checked, finding: &Finding) -> Option<usize> {
        // A line around a whole environment or file says nothing.
        let is_setting = finding.path.starts_with("vars.ISR.") || finding.path == "durable_objects.bindings";
        let path = match &environment.env {
            Some(name) => format!("env.{}.{}", cloudflare_isr::internals::config::setting_key(name), finding.path),
            None => finding.path.clone(),
        };
        is_setting.then(|| self.document.line_of(&path)).flatten()
    }
}
