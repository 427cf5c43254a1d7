//! The list of settings: names, scopes, units, defaults and bounds, in one place for the parser, its messages and the
//! documentation.

use std::time::Duration;

use super::vary::MAX_VALUES;
use super::{MAX_CACHE_NAME_CHARS, MAX_HOSTS, MAX_QUERY_NAMES, MAX_RENDER_HEADERS, MAX_ROUTES, SENSITIVE_HEADERS};
use crate::semantics::key::TrailingSlash;
use crate::semantics::statuses;
use crate::semantics::tag::MAX_TAGS_PER_PAGE;
use crate::semantics::vary::MAX_VARIANTS;
use crate::tag_index_name::MAX_TAG_SHARDS;

const YEAR: u32 = 31_536_000;

pub(super) const REVALIDATE: Number = Number { unit: Unit::Seconds, min: 1, max: YEAR, default: 60 };
/// A page that is not there yet may be there soon.
pub(super) const NOT_FOUND_REVALIDATE: Number = Number { unit: Unit::Seconds, min: 1, max: YEAR, default: 60 };
pub(super) const EXPIRE: Number = Number { unit: Unit::Seconds, min: 0, max: YEAR, default: 604_800 };
/// At most a day: no invalidation reaches a browser that does not ask.
pub(super) const BROWSER_MAX_AGE: Number = Number { unit: Unit::Seconds, min: 0, max: 86_400, default: 0 };
pub(super) const FRESHNESS_BOUND: Number = Number { unit: Unit::Seconds, min: 0, max: 300, default: 10 };
pub(super) const RENDER_TIMEOUT: Number = Number { unit: Unit::Seconds, min: 1, max: 600, default: 60 };
pub(super) const FIRST_BYTE_TIMEOUT: Number = RENDER_TIMEOUT;
pub(super) const MISS_TIMEOUT: Number = Number { unit: Unit::Seconds, min: 1, max: 60, default: 30 };
pub(super) const PASS_TTL: Number = Number { unit: Unit::Seconds, min: 1, max: 3600, default: 60 };
pub(super) const REFRESH_RATE: Number = Number { unit: Unit::Renders, min: 1, max: 100, default: 10 };
pub(super) const L1_TTL: Number = Number { unit: Unit::Seconds, min: 1, max: 86_400, default: 3600 };
/// The largest body that KV takes: a value of 25 MiB (platform limit), less 64 KiB for the header that precedes the body.
pub const KV_MAX_BODY_BYTES: u64 = 25 * 1024 * 1024 - 64 * 1024;
/// At most 32 MiB. When a coordinator puts the pieces of a body together, and when it hands a page to L2, it has the bytes
/// twice; beside 48 MiB of other bodies that are coming, that is 112 of the 128 MB of an object (platform limit). It leaves no
/// room for a second such page at the same moment.
pub(super) const MAX_BODY_BYTES: Number =
    Number { unit: Unit::Bytes, min: 1, max: 32 * 1024 * 1024, default: 10 * 1024 * 1024 };
pub(super) const SHARDS: Number = Number { unit: Unit::Shards, min: 1, max: 256, default: 1 };
/// SQLite holds far more; the counts of an inspection, and the list of an eager refresh, take seconds from here on.
pub(super) const MAX_PAGES: Number = Number { unit: Unit::Pages, min: 1, max: 1_000_000, default: 100_000 };
pub(super) const TAG_SHARDS: Number = Number { unit: Unit::Shards, min: 1, max: MAX_TAG_SHARDS as u32, default: 1 };
pub(super) const EXPOSE_HEADERS_DEFAULT: bool = true;
pub(super) const PLATFORM_CACHE_DEFAULT: bool = false;
pub(super) const CACHE_NAME_DEFAULT: &str = "cloudflare-isr";

/// Every setting of `[vars.ISR]` and of its routes.
pub const SETTINGS: &[Setting] = &[
    Setting { name: "revalidate", scope: Scope::Both, kind: Kind::Lifetime(REVALIDATE) },
    Setting {
        name: "not_found_revalidate",
        scope: Scope::Both,
        kind: Kind::LifetimeWithin(NOT_FOUND_REVALIDATE, "revalidate"),
    },
    Setting { name: "expire", scope: Scope::Both, kind: Kind::Number(EXPIRE) },
    Setting { name: "stale_if_error", scope: Scope::Both, kind: Kind::NumberAs(EXPIRE, "expire") },
    Setting { name: "browser_max_age", scope: Scope::Both, kind: Kind::Number(BROWSER_MAX_AGE) },
    Setting { name: "freshness_bound", scope: Scope::TopLevel, kind: Kind::Number(FRESHNESS_BOUND) },
    Setting { name: "render_timeout", scope: Scope::TopLevel, kind: Kind::Number(RENDER_TIMEOUT) },
    Setting {
        name: "first_byte_timeout",
        scope: Scope::TopLevel,
        kind: Kind::NumberAs(FIRST_BYTE_TIMEOUT, "render_timeout"),
    },
    Setting { name: "miss_timeout", scope: Scope::TopLevel, kind: Kind::Number(MISS_TIMEOUT) },
    Setting { name: "pass_ttl", scope: Scope::TopLevel, kind: Kind::Number(PASS_TTL) },
    Setting { name: "refresh_rate", scope: Scope::TopLevel, kind: Kind::Number(REFRESH_RATE) },
    Setting { name: "tag_shards", scope: Scope::TopLevel, kind: Kind::Number(TAG_SHARDS) },
    Setting { name: "l1_ttl", scope: Scope::TopLevel, kind: Kind::Number(L1_TTL) },
    Setting { name: "l2", scope: Scope::TopLevel, kind: Kind::L2 },
    Setting { name: "max_body_bytes", scope: Scope::TopLevel, kind: Kind::Number(MAX_BODY_BYTES) },
    Setting { name: "expose_headers", scope: Scope::TopLevel, kind: Kind::Flag { default: EXPOSE_HEADERS_DEFAULT } },
    Setting { name: "cache_name", scope: Scope::TopLevel, kind: Kind::CacheName },
    Setting { name: "canonical_origin", scope: Scope::TopLevel, kind: Kind::Origin },
    Setting { name: "hosts", scope: Scope::TopLevel, kind: Kind::Hosts },
    Setting { name: "ignore_query", scope: Scope::TopLevel, kind: Kind::IgnoredQuery },
    Setting { name: "trailing_slash", scope: Scope::Both, kind: Kind::TrailingSlash },
    Setting { name: "origin", scope: Scope::Both, kind: Kind::Site },
    Setting { name: "render_headers", scope: Scope::Both, kind: Kind::RenderHeaders },
    Setting { name: "render_sensitive_headers", scope: Scope::TopLevel, kind: Kind::SensitiveHeaders },
    Setting { name: "platform_cache", scope: Scope::TopLevel, kind: Kind::Flag { default: PLATFORM_CACHE_DEFAULT } },
    Setting { name: "zone_purge", scope: Scope::TopLevel, kind: Kind::Zone },
    Setting { name: "routes", scope: Scope::TopLevel, kind: Kind::Routes },
    Setting { name: "statuses", scope: Scope::Route, kind: Kind::Statuses },
    Setting { name: "tags", scope: Scope::Route, kind: Kind::Tags },
    Setting { name: "shards", scope: Scope::Route, kind: Kind::Number(SHARDS) },
    Setting { name: "max_pages", scope: Scope::Route, kind: Kind::Number(MAX_PAGES) },
    Setting { name: "query", scope: Scope::Route, kind: Kind::Query },
    Setting { name: "vary", scope: Scope::Route, kind: Kind::Vary },
    Setting { name: "language", scope: Scope::Vary, kind: Kind::Languages },
    Setting { name: "device", scope: Scope::Vary, kind: Kind::Devices },
    Setting { name: "country", scope: Scope::Vary, kind: Kind::Countries },
    Setting { name: "cookie", scope: Scope::Vary, kind: Kind::Values { example: "{ theme = [\"dark\", \"light\"] }" } },
    Setting { name: "header", scope: Scope::Vary, kind: Kind::Values { example: "{ X-Ab-Test = [\"a\", \"b\"] }" } },
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
    /// In the table `vary` of a route.
    Vary,
}

impl Scope {
    /// Says whether a setting of this scope may stand in a table of that one.
    pub(super) fn includes(self, table: Self) -> bool {
        self == table || (self == Self::Both && table != Self::Vary)
    }
}

/// What L2 is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum L2Kind {
    /// KV; pages over its limit of a value go to R2, if that is bound as well.
    #[default]
    Kv,
    /// R2.
    R2,
}

impl L2Kind {
    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Kv, Self::R2].into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the word of the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::R2 => "r2",
        }
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Objects that share the work.
    Shards,
    /// Renders begun in a second.
    Renders,
    /// Pages, each variant by itself.
    Pages,
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
    /// The same, whose default is at most the value of the setting named.
    LifetimeWithin(Number, &'static str),
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
    /// A URL without query and fragment, the name of a service binding, or `self`.
    Site,
    /// A table of the values of headers, by name.
    RenderHeaders,
    /// A list of names out of [`SENSITIVE_HEADERS`].
    SensitiveHeaders,
    /// A store for pages.
    L2,
    /// The id of a zone.
    Zone,
    /// The table of routes, by pattern.
    Routes,
    /// A list of statuses.
    Statuses,
    /// A list of tags.
    Tags,
    /// A list of names of query parameters, or all of them, or none.
    Query,
    /// A list of hosts.
    Hosts,
    /// A list of names of query parameters; `*` at the end stands for any ending.
    IgnoredQuery,
    /// What a slash at the end of a path means.
    TrailingSlash,
    /// A table of what makes pages of one URL different.
    Vary,
    /// A list of language tags.
    Languages,
    /// A list of classes of devices.
    Devices,
    /// A list of countries.
    Countries,
    /// A table of lists of values, by name.
    Values {
        /// How such a table may look.
        example: &'static str,
    },
}

impl Setting {
    /// Returns the default as one writes it in `wrangler.toml`, or says in words what stands in for it.
    #[must_use]
    pub fn default_text(&self) -> String {
        match self.kind {
            Kind::Lifetime(number) | Kind::Number(number) => number.default.to_string(),
            Kind::LifetimeWithin(number, other) => format!("as `{other}`, at most {}", number.default),
            Kind::NumberAs(_, other) => format!("as `{other}`"),
            Kind::Flag { default } => default.to_string(),
            Kind::CacheName => format!("\"{CACHE_NAME_DEFAULT}\""),
            Kind::Routes => "required".to_owned(),
            Kind::Statuses => format!("[{}]", listed(&statuses::DEFAULT)),
            Kind::Tags | Kind::Query | Kind::SensitiveHeaders => "[]".to_owned(),
            Kind::TrailingSlash => format!("\"{}\"", TrailingSlash::default().as_str()),
            Kind::Hosts => "any".to_owned(),
            Kind::IgnoredQuery => "tracking parameters".to_owned(),
            Kind::L2 => format!("\"{}\"", L2Kind::default().as_str()),
            Kind::Origin
            | Kind::Site
            | Kind::RenderHeaders
            | Kind::Zone
            | Kind::Vary
            | Kind::Languages
            | Kind::Devices
            | Kind::Countries
            | Kind::Values { .. } => "none".to_owned(),
        }
    }

    /// Returns the unit of a number.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        match self.kind {
            Kind::Lifetime(number)
            | Kind::LifetimeWithin(number, _)
            | Kind::Number(number)
            | Kind::NumberAs(number, _) => Some(number.unit),
            _ => None,
        }
    }

    /// Says in words what may be written, as error messages do after "write".
    #[must_use]
    pub fn accepts(&self) -> String {
        match self.kind {
            Kind::Lifetime(number) | Kind::LifetimeWithin(number, _) => {
                format!("{}, `false` (never ages) or 0 (never stored)", in_words(number))
            }
            Kind::Number(number) | Kind::NumberAs(number, _) => in_words(number),
            Kind::Flag { .. } => "`true` or `false`".to_owned(),
            Kind::CacheName => format!("1 to {MAX_CACHE_NAME_CHARS} letters, digits, `.`, `_` or `-`"),
            Kind::Origin => "an origin without path, such as \"https://example.com\"".to_owned(),
            Kind::Site => {
                let url = "a URL without query, such as \"https://site.example.com\"";
                format!("{url}, the name of a service binding, such as \"SHOP_ORIGIN\", or \"self\"")
            }
            Kind::RenderHeaders => {
                let example = "{ X-Preview = \"off\", Authorization = { secret = \"SITE_TOKEN\" } }";
                format!("at most {MAX_RENDER_HEADERS} headers with text or a secret each, such as {example}")
            }
            Kind::SensitiveHeaders => {
                format!("a list out of {}", SENSITIVE_HEADERS.map(|name| format!("\"{name}\"")).join(", "))
            }
            Kind::L2 => "\"kv\" or \"r2\"".to_owned(),
            Kind::Zone => "the id of a zone, 32 hexadecimal digits".to_owned(),
            Kind::Routes => format!("1 to {MAX_ROUTES} tables, such as [vars.ISR.routes.\"/blog/[slug]\"]"),
            Kind::Statuses => format!("a list of at least one out of {}", listed(&statuses::ALLOWED)),
            Kind::Tags => format!("at most {MAX_TAGS_PER_PAGE} tags, such as [\"blog\", \"news\"]"),
            Kind::Query => {
                format!("at most {MAX_QUERY_NAMES} parameter names, such as [\"page\"], \"all\" or \"none\"")
            }
            Kind::Hosts => format!("at most {MAX_HOSTS} hosts, such as [\"example.com\", \"*.example.com\"]"),
            Kind::IgnoredQuery => format!("at most {MAX_QUERY_NAMES} parameter names, such as [\"utm_*\", \"gclid\"]"),
            Kind::TrailingSlash => "\"strip\", \"keep\" or \"redirect\"".to_owned(),
            Kind::Vary => {
                format!("a table that makes at most {MAX_VARIANTS} variants, such as {{ language = [\"en\", \"de\"] }}")
            }
            Kind::Languages => format!("at most {MAX_VALUES} language tags, such as [\"en\", \"de-AT\"]"),
            Kind::Devices => "a list of \"desktop\", \"mobile\" and \"tablet\"".to_owned(),
            Kind::Countries => format!("at most {MAX_VALUES} countries, such as [\"DE\", \"AT\"]"),
            Kind::Values { example } => format!("lists of values by name, such as {example}"),
        }
    }
}

fn listed(statuses: &[u16]) -> String {
    statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn in_words(Number { unit, min, max, .. }: Number) -> String {
    match unit {
        Unit::Seconds => format!("whole seconds from {min} to {max}"),
        Unit::Bytes | Unit::Shards | Unit::Renders | Unit::Pages => format!("a whole number from {min} to {max}"),
    }
}
