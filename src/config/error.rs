//! The errors of a configuration: where the mistake is, what is wrong, and what to write instead.

use std::fmt;

use thiserror::Error;

use super::binding::Binding;
use super::message;
use super::setting::SettingLevel;
use super::value_error::ValueError;
use crate::route::{PatternError, RoutesError};

/// Everything that is wrong with a configuration: at least one [`Problem`], each shown on its own line.
///
/// Only the operator can correct it, so a Worker logs it and answers 500.
///
/// ```
/// use cloudflare_isr::{Builder, ConfigError};
///
/// let error: ConfigError = Builder::default().check().unwrap_err();
/// assert_eq!(error.problems().len(), 1, "it has no route");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// Reports a missing binding, with the lines to add to `wrangler.toml`; `name` is the name that was looked for.
    #[must_use]
    #[doc(hidden)]
    pub fn missing_binding(binding: Binding, name: &str) -> Self {
        Self::of(name, ProblemKind::MissingBinding { binding, name: name.to_owned() })
    }

    /// Combines the problems of two errors.
    #[must_use]
    #[doc(hidden)]
    pub fn and(mut self, other: Self) -> Self {
        self.problems.extend(other.problems);
        self
    }

    /// Returns the problems: at least one, in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns an error, unless there is no problem.
    pub(super) fn from_problems(problems: Vec<Problem>) -> Option<Self> {
        if problems.is_empty() { None } else { Some(Self { problems }) }
    }

    pub(super) fn of(setting: &str, kind: ProblemKind) -> Self {
        Self { problems: vec![Problem::new(setting.to_owned(), kind)] }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// One mistake. Shown as `setting: what is wrong; what to write instead`.
///
/// ```
/// use cloudflare_isr::{Builder, Problem, RouteBuilder};
///
/// let error = Builder::default().route("/blog/[slug", RouteBuilder::default()).check().unwrap_err();
/// let problem: &Problem = &error.problems()[0];
/// assert!(problem.to_string().starts_with(problem.setting()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{setting}: {kind}")]
pub struct Problem {
    setting: String,
    kind: ProblemKind,
}

impl Problem {
    pub(super) fn new(setting: String, kind: ProblemKind) -> Self {
        Self { setting, kind }
    }

    /// Returns the path of the setting below `vars`, as written in TOML: `ISR.routes."/blog/[slug]".revalidate`.
    /// For a missing binding or secret this is its name.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// Returns what is wrong.
    #[must_use]
    #[doc(hidden)]
    pub fn kind(&self) -> &ProblemKind {
        &self.kind
    }
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The value is not accepted.
    #[error("{found} {error}; write {accepts}")]
    InvalidValue {
        /// The value as JSON, truncated; "a list" or "a table"; "the value" where it may be a secret.
        found: String,
        /// What is wrong with the value.
        error: ValueError,
        /// What may be written.
        accepts: String,
    },
    /// A required setting is missing.
    #[error("this setting is missing; write {accepts}")]
    MissingSetting {
        /// What may be written.
        accepts: String,
    },
    /// No setting has this name.
    #[error("no setting has this name; {}", advice(*.closest, .known))]
    UnknownSetting {
        /// The most similar name, if one is similar enough to be meant.
        closest: Option<&'static str>,
        /// The names of all settings that are accepted here.
        known: Vec<&'static str>,
    },
    /// The setting is not accepted in this table.
    #[error("this setting stands in the wrong table; move it to {}", tables(.levels))]
    WrongTable {
        /// The tables in which it is accepted.
        levels: &'static [SettingLevel],
    },
    /// The key is not a pattern.
    #[error(transparent)]
    Pattern(PatternError),
    /// The pattern can't be combined with another one.
    #[error(transparent)]
    Routes(RoutesError),
    /// The setting needs another one, which is missing.
    #[error("{0}")]
    MissingDependency(Dependency),
    /// A secret is missing.
    #[error("this secret is missing; set it with `npx wrangler secret put {name}`: {purpose}")]
    MissingSecret {
        /// The name of the secret.
        name: String,
        /// What the secret is for.
        purpose: SecretPurpose,
    },
    /// A binding is missing. The lines to add follow, each indented by four spaces.
    #[error("{} is missing; add to wrangler.toml:\n{}", .binding.kind(), .binding.remedy(.name))]
    MissingBinding {
        /// The binding.
        binding: Binding,
        /// The name that was looked for.
        name: String,
    },
}

impl ProblemKind {
    /// Reports a name that no setting has.
    pub(super) fn unknown_setting(name: &str, known: Vec<&'static str>) -> Self {
        Self::UnknownSetting { closest: message::closest(name, &known), known }
    }
}

/// What a setting needs besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dependency {
    /// `platform_cache` needs `canonical_origin`.
    CanonicalOriginForPlatformCache {
        /// The name of the needed setting.
        needed: &'static str,
    },
    /// `zone_purge` needs `platform_cache`.
    PlatformCacheForZonePurge {
        /// The name of the needed setting.
        needed: &'static str,
    },
    /// A `max_body_bytes` larger than KV accepts needs an R2 bucket.
    BucketForLargeBodies,
    /// The classes of the Durable Objects need SQLite.
    SqliteForObjects,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CanonicalOriginForPlatformCache { needed } => write!(
                f,
                "needs `{needed}` as well: the platform's cache key has no host, and would mix pages of several hosts"
            ),
            Self::PlatformCacheForZonePurge { needed } => {
                write!(
                    f,
                    "needs `{needed} = true` as well: without it no page has the tags by which the zone is purged"
                )
            }
            Self::SqliteForObjects => f.write_str(
                "needs SQLite: list `IsrCoordinator` and `IsrTagIndex` in `new_sqlite_classes` of a migration, not in \
                 `new_classes`. The kind of a class that was deployed without SQLite can't be changed: delete the class \
                 with `deleted_classes`, and create it again",
            ),
            Self::BucketForLargeBodies => f.write_str(
                "needs `[[r2_buckets]]` as well: KV accepts no value over 25 MiB; larger pages are stored in R2",
            ),
        }
    }
}

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretPurpose {
    /// It purges the cache of the zone in `zone_purge`.
    ZonePurge {
        /// The name of the setting.
        setting: &'static str,
    },
    /// It is the value of a header in `render_headers`.
    RenderHeader {
        /// The name of the setting.
        setting: &'static str,
    },
    /// The sender of a webhook shares it.
    Webhook {
        /// The name of the setting.
        setting: &'static str,
    },
}

impl fmt::Display for SecretPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZonePurge { setting } => {
                write!(f, "an API token with the permission Zone > Cache Purge for the zone in `{setting}`")
            }
            Self::RenderHeader { setting } => write!(f, "the value of a header in `{setting}`"),
            Self::Webhook { setting } => write!(f, "the secret that the sender of one of the `{setting}` shares"),
        }
    }
}

fn advice(closest: Option<&str>, known: &[&str]) -> String {
    match closest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("write one of {}", known.join(", ")),
    }
}

fn tables(levels: &[SettingLevel]) -> String {
    let names = levels.iter().map(|level| match level {
        SettingLevel::TopLevel => "[vars.ISR]",
        SettingLevel::Route => "the route's own table",
        SettingLevel::Vary => "the table `vary` of a route",
        SettingLevel::Webhook => "the table of a webhook",
        SettingLevel::Rule => "a rule of a webhook",
    });
    names.collect::<Vec<_>>().join(" or ")
}
