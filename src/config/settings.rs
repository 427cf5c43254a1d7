//! The list of settings: names, scopes, units, defaults and bounds, in one place for the parser, its messages and the
//! documentation.

use std::time::Duration;

use super::{MAX_CACHE_NAME_CHARS, MAX_QUERY_NAMES, MAX_ROUTES};
use crate::semantics::tag::MAX_TAGS_PER_PAGE;

const YEAR: u32 = 31_536_000;

pub(super) const REVALIDATE: Number = Number { unit: Unit::Seconds, min: 1, max: YEAR, default: 60 };
pub(super) const EXPIRE: Number = Number { unit: Unit::Seconds, min: 0, max: YEAR, default: 604_800 };
pub(super) const FRESHNESS_BOUND: Number = Number { unit: Unit::Seconds, min: 0, max: 300, default: 10 };
pub(super) const RENDER_TIMEOUT: Number = Number { unit: Unit::Seconds, min: 1, max: 600, default: 60 };
pub(super) const MISS_TIMEOUT: Number = Number { unit: Unit::Seconds, min: 1, max: 60, default: 30 };
pub(super) const PASS_TTL: Number = Number { unit: Unit::Seconds, min: 1, max: 3600, default: 60 };
pub(super) const REFRESH_RATE: Number = Number { unit: Unit::Renders, min: 1, max: 100, default: 10 };
pub(super) const L1_TTL: Number = Number { unit: Unit::Seconds, min: 1, max: 86_400, default: 3600 };
/// At most KV's 25 MiB a value, less 64 KiB for the header that precedes the body.
pub(super) const MAX_BODY_BYTES: Number =
    Number { unit: Unit::Bytes, min: 1, max: 25 * 1024 * 1024 - 64 * 1024, default: 10 * 1024 * 1024 };
pub(super) const SHARDS: Number = Number { unit: Unit::Shards, min: 1, max: 256, default: 1 };
pub(super) const EXPOSE_HEADERS_DEFAULT: bool = true;
pub(super) const PLATFORM_CACHE_DEFAULT: bool = false;
pub(super) const CACHE_NAME_DEFAULT: &str = "cloudflare-isr";

/// Every setting of `[vars.ISR]` and of its routes.
pub const SETTINGS: [Setting; 20] = [
    Setting { name: "revalidate", scope: Scope::Both, kind: Kind::Lifetime(REVALIDATE) },
    Setting { name: "expire", scope: Scope::Both, kind: Kind::Number(EXPIRE) },
    Setting { name: "stale_if_error", scope: Scope::Both, kind: Kind::NumberAs(EXPIRE, "expire") },
    Setting { name: "freshness_bound", scope: Scope::TopLevel, kind: Kind::Number(FRESHNESS_BOUND) },
    Setting { name: "render_timeout", scope: Scope::TopLevel, kind: Kind::Number(RENDER_TIMEOUT) },
    Setting { name: "miss_timeout", scope: Scope::TopLevel, kind: Kind::Number(MISS_TIMEOUT) },
    Setting { name: "pass_ttl", scope: Scope::TopLevel, kind: Kind::Number(PASS_TTL) },
    Setting { name: "refresh_rate", scope: Scope::TopLevel, kind: Kind::Number(REFRESH_RATE) },
    Setting { name: "l1_ttl", scope: Scope::TopLevel, kind: Kind::Number(L1_TTL) },
    Setting { name: "max_body_bytes", scope: Scope::TopLevel, kind: Kind::Number(MAX_BODY_BYTES) },
    Setting { name: "expose_headers", scope: Scope::TopLevel, kind: Kind::Flag { default: EXPOSE_HEADERS_DEFAULT } },
    Setting { name: "cache_name", scope: Scope::TopLevel, kind: Kind::CacheName },
    Setting { name: "canonical_origin", scope: Scope::TopLevel, kind: Kind::Origin },
    Setting { name: "origin", scope: Scope::TopLevel, kind: Kind::Url },
    Setting { name: "platform_cache", scope: Scope::TopLevel, kind: Kind::Flag { default: PLATFORM_CACHE_DEFAULT } },
    Setting { name: "zone_purge", scope: Scope::TopLevel, kind: Kind::Zone },
    Setting { name: "routes", scope: Scope::TopLevel, kind: Kind::Routes },
    Setting { name: "tags", scope: Scope::Route, kind: Kind::Tags },
    Setting { name: "shards", scope: Scope::Route, kind: Kind::Number(SHARDS) },
    Setting { name: "query", scope: Scope::Route, kind: Kind::Query },
];

/// One row of [`SETTINGS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in `wrangler.toml`.
    pub name: &'static str,
    /// Where it may stand.
    pub scope: Scope,
    /// What values it takes.
    pub kind: Kind,
}

/// Where a setting may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In `[vars.ISR]`.
    TopLevel,
    /// In the table of a route.
    Route,
    /// In both; the top level holds the default of all routes.
    Both,
}

impl Scope {
    /// Says whether a setting of this scope may stand in a table of that one.
    pub(super) fn includes(self, table: Self) -> bool {
        self == Self::Both || self == table
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Coordinator objects.
    Shards,
    /// Renders begun in a second.
    Renders,
}

/// The bounds of a number, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// What it counts.
    pub unit: Unit,
    /// The least value.
    pub min: u32,
    /// The greatest value.
    pub max: u32,
    /// The value when nothing is written.
    pub default: u32,
}

impl Number {
    pub(super) fn default_seconds(&self) -> Duration {
        Duration::from_secs(self.default.into())
    }
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number of seconds, `false` or 0.
    Lifetime(Number),
    /// A whole number.
    Number(Number),
    /// A whole number whose default is the value of the setting named.
    NumberAs(Number, &'static str),
    /// `true` or `false`.
    Flag {
        /// The value when nothing is written.
        default: bool,
    },
    /// The name of a cache of the Cache API.
    CacheName,
    /// A scheme and a host, with a port if need be.
    Origin,
    /// A URL without query and fragment.
    Url,
    /// The id of a zone.
    Zone,
    /// The table of routes, by pattern.
    Routes,
    /// A list of tags.
    Tags,
    /// A list of names of query parameters, or all of them.
    Query,
}

impl Setting {
    /// Returns the default as one writes it in `wrangler.toml`, or says in words what stands in for it.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self.kind {
            Kind::Lifetime(number) | Kind::Number(number) => number.default.to_string(),
            Kind::NumberAs(_, other) => format!("as `{other}`"),
            Kind::Flag { default } => default.to_string(),
            Kind::CacheName => format!("\"{CACHE_NAME_DEFAULT}\""),
            Kind::Origin | Kind::Url | Kind::Zone => "none".to_owned(),
            Kind::Routes => "required".to_owned(),
            Kind::Tags | Kind::Query => "[]".to_owned(),
        }
    }

    /// Returns the unit of a number.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match self.kind {
            Kind::Lifetime(number) | Kind::Number(number) | Kind::NumberAs(number, _) => Some(number.unit),
            _ => None,
        }
    }

    /// Says in words what may be written, as error messages do after "write".
    #[must_use]
    pub fn accepts(&self) -> String {
        match self.kind {
            Kind::Lifetime(number) => {
                format!("{}, `false` (never ages) or 0 (never stored)", in_words(number))
            }
            Kind::Number(number) | Kind::NumberAs(number, _) => in_words(number),
            Kind::Flag { .. } => "`true` or `false`".to_owned(),
            Kind::CacheName => format!("1 to {MAX_CACHE_NAME_CHARS} letters, digits, `.`, `_` or `-`"),
            Kind::Origin => "an origin without path, such as \"https://example.com\"".to_owned(),
            Kind::Url => "a URL without query, such as \"https://site.example.com\"".to_owned(),
            Kind::Zone => "the id of a zone, 32 hexadecimal digits".to_owned(),
            Kind::Routes => format!("1 to {MAX_ROUTES} tables, such as [vars.ISR.routes.\"/blog/[slug]\"]"),
            Kind::Tags => format!("at most {MAX_TAGS_PER_PAGE} tags, such as [\"blog\", \"news\"]"),
            Kind::Query => format!("at most {MAX_QUERY_NAMES} parameter names, such as [\"page\"], or \"all\""),
        }
    }
}

fn in_words(Number { unit, min, max, .. }: Number) -> String {
    match unit {
        Unit::Seconds => format!("whole seconds from {min} to {max}"),
        Unit::Bytes | Unit::Shards | Unit::Renders => format!("a whole number from {min} to {max}"),
    }
}
