//! The command line of cloudflare-isr: `isr`. `docs/cli.md` describes the commands.
//!
//! Each command makes calls from its arguments and a report from the answers. Only this module and `connection::client`
//! reach the world: arguments, variables, files, time, network and terminal.
//!
//! - `args`: the arguments
//! - `connection`: which deployment, and calls to it
//! - `commands`: the commands that ask and steer a deployment
//! - `check`: whether a configuration can be deployed
//! - `new`: a new project
//! - `top`: the live screen
//! - `show`: tables and texts for people

mod args;
mod check;
mod commands;
mod connection;
mod failure;
mod new;
mod show;
mod top;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use clap::{CommandFactory as _, Parser as _};
use cloudflare_isr::Timestamp;
use serde_json::json;

use crate::args::{Cli, Command, ConnectionArgs};
use crate::commands::{Clock, Context};
use crate::connection::{Client, Connection, Surroundings, profile_file};
use crate::failure::{Failure, Verdict};
use crate::show::{Screen, Tone, paint};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let screen = screen(cli.json);
    match run(cli, screen) {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            let code = failure.code();
            if code != 0 {
                complain(&failure, screen.is_json);
            }
            ExitCode::from(code)
        }
    }
}

/// Runs a command.
fn run(cli: Cli, screen: Screen) -> Result<Verdict, Failure> {
    match cli.command {
        Command::Check(args) => screen.print(&check::check(&args, screen)?),
        Command::New(args) => screen.print(&new::create(&args, screen.is_json)?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "isr", &mut script);
            show::print_line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(Verdict::Yes)
        }
        command => {
            let Connection { site, token } = connection(&cli.connection)?;
            let client = Client::new(site.clone(), token);
            if let Command::Top { every } = command {
                return top::top(client, &site, every, &System);
            }
            ask(Context { service: &client, site: &site, screen, clock: &System }, &command)
        }
    }
}

/// Runs a command that asks or steers a deployment.
fn ask(context: Context<'_>, command: &Command) -> Result<Verdict, Failure> {
    let report = match command {
        Command::Status => commands::health(context),
        Command::Why { page, detail } => commands::explain(context, page, detail.as_deref()),
        Command::Entry { page, list } => commands::entry(context, page, list),
        Command::Tags { tag, list } => commands::tags(context, tag, list),
        Command::Shard { name, list } => commands::shard(context, name, list),
        Command::Invalidate(args) => commands::invalidate(context, args),
        Command::Routes => commands::routes(context),
        Command::Tail(args) => return commands::tail(context, args),
        // `run` carries them out.
        Command::Check(_) | Command::New(_) | Command::Completions { .. } | Command::Top { .. } => {
            return Ok(Verdict::Yes);
        }
    }?;
    context.screen.print(&report)
}

/// Finds the deployment that is meant.
fn connection(args: &ConnectionArgs) -> Result<Connection, Failure> {
    let variable = |name: &str| env::var(name).ok();
    let profiles = match profile_file(variable).map(|file| (fs::read_to_string(&file), file)) {
        Some((Ok(text), _)) => Some(text),
        Some((Err(error), file)) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::Usage(format!("{} can't be read: {error}", file.display())));
        }
        _ => None,
    };
    Connection::find(args, &Surroundings { variable: &variable, profiles })
}

/// Finds out where results go.
fn screen(is_json: bool) -> Screen {
    let is_terminal = io::stdout().is_terminal();
    let wants_no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = ratatui::crossterm::terminal::size().ok().map(|(columns, _)| columns).filter(|_| is_terminal);
    Screen { is_json, is_colored: is_terminal && !is_json && !wants_no_color, width }
}

/// Says why a command failed.
fn complain(failure: &Failure, is_json: bool) {
    if is_json {
        let error = json!({ "error": { "code": failure.name(), "message": failure.to_string() } });
        eprintln!("{error}");
    } else {
        let wants_color = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let lines: Vec<String> = failure.to_string().lines().map(show::clean).collect();
        eprintln!("{} {}", paint("error:", Tone::Bad, wants_color), lines.join("\n"));
    }
}

/// The clock of this machine.
struct System;

impl Clock for System {
    #[allow(clippy::disallowed_methods, reason = "this is the rim: commands get the time from here")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}
