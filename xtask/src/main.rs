//! Task runner of this repository: `cargo xtask help` lists the tasks.
//!
//! Each task first sets up whatever is missing, inside the repository's ignored folders wherever possible, so that a
//! fresh clone on a machine with Rust and Node.js needs no other preparation.
//!
//! - `setup`: Node.js and npm packages, a toolchain that compiles to Wasm, the build tools
//! - `worker`: the Wasm build, skipped when nothing changed
//! - `package`: the npm package, likewise
//! - `program`: the command line, and its own npm package
//! - `previous`: the previous version's sources and Worker, to run next to the working tree's
//! - `tasks`: the tasks themselves: dev, test, sim, check, bench, soak, deploy, new
//! - `command`, `project`, `stamp`: shared by all

mod command;
mod examples;
mod package;
mod previous;
mod program;
mod project;
mod setup;
mod stamp;
mod tasks;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::project::Project;

/// Sets up, builds, checks and runs cloudflare-isr.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what is missing: npm packages, the Wasm target, the build tools.
    Setup,
    /// Build the Worker into `build/`. Near instant when nothing changed.
    Build {
        /// Build the Rust Worker in this folder of the repository instead.
        folder: Option<PathBuf>,
    },
    /// Build the npm package into `target/npm/`, with the command line for this machine. Near instant when nothing changed.
    Package,
    /// Write a new project into a folder: a Worker with the cache in front of a site.
    New {
        /// The folder; it must be new or empty.
        folder: PathBuf,
        /// `--site <worker>` or `--origin <url>` names the existing site. With neither, an example site is written.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run the gateway and the demo site locally, or one of the examples.
    Dev {
        /// The folder of an example in `examples/`: it is built for production, and started behind its gateway.
        #[arg(long, value_name = "NAME")]
        example: Option<String>,
        /// Port of the gateway.
        #[arg(long, default_value_t = 8787)]
        port: u16,
        /// Folder of the local state: objects, KV and cache.
        #[arg(long, value_name = "DIR", default_value = ".wrangler/state")]
        persist_to: PathBuf,
    },
    /// Run the tests: on the host, then end to end in the real runtime.
    Test {
        /// Run those of the examples instead, each built for production, and in a browser.
        #[arg(long, conflicts_with = "only")]
        examples: bool,
        /// Run those of four real sites instead, each installed from its package registry.
        #[arg(long, conflicts_with_all = ["only", "examples"])]
        sites: bool,
        /// Run the previous version side by side with the working tree's instead: its statements on the new schema,
        /// and every combination of old and new edge, coordinator and tag index under traffic.
        #[arg(long, conflicts_with_all = ["only", "examples", "sites"])]
        upgrade: bool,
        /// Run only this suite.
        #[arg(long)]
        only: Option<Suite>,
        /// Run only tests whose name contains this (or, end to end, the files, examples or sites whose name does).
        filter: Option<String>,
    },
    /// Run random schedules over the core, far more than the tests do, and look for one that breaks a promise.
    Sim(tasks::sim::Schedules),
    /// Run a year of a site in fast forward on SQLite, and print the size of every table after each month.
    Year {
        /// Run only one in this many of the URLs and invalidations, with smaller bounds.
        #[arg(long, default_value_t = 1)]
        part: u64,
    },
    /// Check formatting, lints, documentation and both deployments, without running a test.
    Check,
    /// Measure throughput and latency: `tests/bench/run.mjs`.
    Bench {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run the built Worker for an hour under traffic, faults and kills, and check every response: `tests/soak/run.mjs`.
    Soak {
        /// Passed on as they are: `--minutes 5`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build and deploy the gateway to the Cloudflare account wrangler is logged in to.
    Deploy {
        /// Passed on to `wrangler deploy`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// `cargo test` of the workspace.
    Host,
    /// `tests/e2e`, in the real runtime.
    E2e,
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let outcome = Project::find().and_then(|project| match task {
        Task::Setup => setup::run(&project).map(|_| ()),
        Task::Build { folder: None } => setup::run(&project).and_then(|env| worker::build(&project, &env)),
        Task::Build { folder: Some(folder) } => {
            setup::run(&project).and_then(|env| worker::build_dependent(&project, &env, &folder))
        }
        Task::Package => setup::run(&project).and_then(|setup| package::build(&project, &setup)).map(|_| ()),
        Task::New { folder, args } => tasks::new::run(&project, &folder, &args),
        Task::Dev { example: None, port, persist_to } => tasks::dev::run(&project, port, &persist_to),
        Task::Dev { example: Some(name), port, persist_to } => tasks::dev::example(&project, &name, port, &persist_to),
        Task::Test { examples: true, filter, .. } => tasks::test::examples(&project, filter.as_deref()),
        Task::Test { sites: true, filter, .. } => tasks::test::sites(&project, filter.as_deref()),
        Task::Test { upgrade: true, .. } => tasks::upgrade::run(&project),
        Task::Test { only, filter, .. } => tasks::test::run(&project, only, filter.as_deref()),
        Task::Sim(schedules) => tasks::sim::run(&project, &schedules),
        Task::Year { part } => tasks::year::run(&project, part),
        Task::Check => tasks::check::run(&project),
        Task::Bench { args } => tasks::bench::run(&project, &args),
        Task::Soak { args } => tasks::soak::run(&project, &args),
        Task::Deploy { args } => tasks::deploy::run(&project, &args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
