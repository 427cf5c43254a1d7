//! The arguments of the program.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Checks a configuration, and asks and steers a deployment of cloudflare-isr.
#[derive(Debug, Parser)]
#[command(name = "isr", version, about, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// The deployment to talk to.
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Environment:
  ISR_URL          the deployment, as --url
  ISR_ADMIN_TOKEN  the admin token; preferred over --token, which other users of the machine can see
  ISR_PROFILE      the profile, as --profile
  NO_COLOR         no colors

Exit codes:
  0  done; the answer is \"yes\"
  1  the answer is \"no\": unhealthy, not found, still pending
  2  a mistake in the arguments or in a configuration
  3  the token is missing or wrong
  4  the deployment could not be reached
  5  the deployment answered with an error, or in a way that this version does not understand";

/// Which deployment, and how to authenticate.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConnectionArgs {
    /// URL of the deployment, as in `https://example.com`; also the variable `ISR_URL`.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The admin token. Prefer the variable `ISR_ADMIN_TOKEN`.
    #[arg(long, global = true, value_name = "TOKEN", hide_default_value = true)]
    pub(crate) token: Option<String>,
    /// A profile of the file `isr/config.toml` in the folder for configurations; also the variable `ISR_PROFILE`.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a configuration before a deployment.
    Check(CheckArgs),
    /// Say whether the deployment is healthy.
    Status,
    /// Explain what the cache does with a page, and why.
    Why {
        /// The URL of the page, or its path.
        page: String,
        /// A word of `Cache-Status` to explain as well.
        #[arg(long, value_name = "WORD")]
        detail: Option<String>,
    },
    /// Show what the coordinator knows of a page: all of its variants.
    Entry {
        /// The URL of the page, or its path.
        page: String,
        /// How much to list.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show the pages that carry a tag.
    Tags {
        /// The tag.
        tag: String,
        /// How much to list.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a coordinator and its pages.
    Shard {
        /// Its name: the pattern of its route, `#`, and a number.
        name: String,
        /// How much to list.
        #[command(flatten)]
        list: ListArgs,
    },
    /// List the routes of the deployment.
    Routes,
    /// Invalidate pages.
    Invalidate(InvalidateArgs),
    /// Follow the decisions of the coordinators.
    Tail(TailArgs),
    /// Show the state of the deployment on a live screen. `q` quits.
    Top {
        /// Seconds between two looks.
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
        every: u64,
    },
    /// Write a new project into a folder: a Worker with the cache in front of a site.
    New(NewArgs),
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// What `check` checks.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// `wrangler.toml`, `wrangler.jsonc` or `wrangler.json`, or a folder with one of them.
    #[arg(default_value = ".")]
    pub(crate) file: PathBuf,
    /// Check only this environment, `[env.NAME]`. By default, the top level and all environments are checked.
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// The Worker is written in Rust and calls `configure`: routes may be missing in the file.
    #[arg(long)]
    pub(crate) in_code: bool,
    /// The Worker has a store of its own for pages (`set_l2`): neither KV nor R2 is needed.
    #[arg(long)]
    pub(crate) own_l2: bool,
}

/// How much of a list to show.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListArgs {
    /// The most pages to list, from 1 to 1000.
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    pub(crate) limit: u32,
    /// Continue a list: the `after` of the answer before.
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<String>,
}

/// Which pages to invalidate, and how.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct InvalidateArgs {
    /// All variants of a path. Every target may be given several times.
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
    /// All pages that carry a tag.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// A path and all paths below it.
    #[arg(long, value_name = "PATH")]
    pub(crate) prefix: Vec<String>,
    /// All pages of a route, named by its pattern.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) route: Vec<String>,
    /// All pages.
    #[arg(long)]
    pub(crate) everything: bool,
    /// The effect on the pages: the next visitor waits (expire), gets the old page once more (stale), or the page is
    /// deleted for ever (purge).
    #[arg(long, value_enum, default_value_t)]
    pub(crate) mode: ModeArg,
    /// Render the pages again now, the hottest first, instead of when they are requested.
    #[arg(long)]
    pub(crate) eager: bool,
    /// Change nothing: show which pages match now.
    #[arg(long, conflicts_with_all = ["wait", "eager"])]
    pub(crate) dry_run: bool,
    /// Wait until every coordinator concerned has applied the invalidations.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Seconds to wait with --wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    pub(crate) timeout: u64,
}

impl InvalidateArgs {
    /// Returns how long to wait.
    pub(crate) const fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// The effect on invalidated pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// The next visitor waits for a fresh page.
    #[default]
    Expire,
    /// The old page is shown once more while it is rendered again.
    Stale,
    /// The old page is deleted for ever.
    Purge,
}

/// What `tail` follows.
#[derive(Args, Clone, Debug)]
pub(crate) struct TailArgs {
    /// Follow only this coordinator.
    #[arg(long, value_name = "NAME")]
    pub(crate) shard: Option<String>,
    /// Show this many decisions of the past first.
    #[arg(long, short = 'n', default_value_t = 10, value_name = "NUMBER")]
    pub(crate) last: u32,
    /// Print what there is, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}

/// What `new` writes.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewArgs {
    /// The folder; it must be new or empty.
    pub(crate) folder: PathBuf,
    /// The site is a Worker of this name, deployed already.
    #[arg(long, value_name = "WORKER")]
    pub(crate) site: Option<String>,
    /// The site is to be reached by this URL. With neither, an example site is written as well.
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// What npm installs as cloudflare-isr; by default, this version.
    #[arg(long, value_name = "VERSION OR FILE")]
    pub(crate) package: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_declared_without_contradictions() {
        Cli::command().debug_assert();
        let globals = ["url", "token", "profile", "json"];
        let of_commands = Cli::command();
        for command in of_commands.get_subcommands() {
            // One of the same name would be taken for the other.
            let mut own = command.get_arguments().map(|arg| arg.get_id().as_str());
            assert!(own.all(|id| !globals.contains(&id)), "{}", command.get_name());
        }
        let cli = Cli::try_parse_from(["isr", "why", "/a", "--url", "https://example.com"]).unwrap();
        assert_eq!(cli.connection.url.as_deref(), Some("https://example.com"));
        assert!(matches!(cli.command, Command::Why { page, .. } if page == "/a"));
    }

    #[test]
    fn a_dry_run_neither_waits_nor_renders() {
        for args in [
            &["--tag", "a", "--dry-run", "--wait"][..],
            &["--tag", "a", "--dry-run", "--eager"],
            &["--tag", "a", "--timeout", "5"],
        ] {
            assert!(Cli::try_parse_from([&["isr", "invalidate"], args].concat()).is_err(), "{args:?}");
        }
    }
}
