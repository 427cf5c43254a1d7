//! Runs many schedules, or prints the story of one. `cargo xtask sim` starts this program.
//!
//! The variables `SCHEDULES` and `SEED` set the number of schedules and the first seed. With `SEED` alone, the program
//! prints the story of that seed. `FAULT` names a fault to switch on.

use std::env;
use std::process::ExitCode;

use cloudflare_isr_simulation::{Fault, Progress, Search, tell};

/// The default number of schedules.
const SCHEDULES: u64 = 1_000_000;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let fault = env::var("FAULT").ok().map(|name| fault(&name)).transpose()?;
    match (number("SCHEDULES")?, number("SEED")?) {
        (None, Some(seed)) => tell(seed, fault),
        (count, first) => {
            let first = first.unwrap_or_default();
            let seeds = first..first.saturating_add(count.unwrap_or(SCHEDULES));
            let progress = Progress::bar(seeds.end - seeds.start);
            Search { fault, ..Search::of(seeds) }.expect_none(&progress)
        }
    }
}

fn fault(name: &str) -> Result<Fault, String> {
    Fault::by_name(name).ok_or_else(|| format!("there is no fault {name:?}, but {:?}", Fault::ALL))
}

fn number(name: &str) -> Result<Option<u64>, String> {
    let parse = |text: String| text.parse().map_err(|error| format!("{name}={text}: {error}"));
    env::var(name).ok().map(parse).transpose()
}
