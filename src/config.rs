//! Configuration: the structured variable `[vars.ISR]` of `wrangler.toml`, parsed once into bounded values.
//!
//! [`SETTINGS`] is the one list of names, defaults and bounds; [`Config::from_json`] reads by it, and every mistake in
//! a configuration is reported at once.

mod error;
mod reader;
mod settings;
#[cfg(test)]
mod tests;
mod url;
mod zone;

use std::time::Duration;

use serde_json::Value;

pub use self::error::{Binding, ConfigError, Fault, Flaw, Problem};
use self::reader::Reader;
use self::settings::{
    CACHE_NAME_DEFAULT, EXPIRE, EXPOSE_HEADERS_DEFAULT, FRESHNESS_BOUND, L1_TTL, MAX_BODY_BYTES, MISS_TIMEOUT,
    PASS_TTL, PLATFORM_CACHE_DEFAULT, REFRESH_RATE, RENDER_TIMEOUT, REVALIDATE, SHARDS,
};
pub use self::settings::{Kind, Number, SETTINGS, Scope, Setting, Unit};
pub use self::url::{CanonicalOrigin, SiteUrl};
pub use self::zone::ZoneId;
use crate::route::{Pattern, Route, RouteSettings, Routes};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::QueryPolicy;
use crate::semantics::tag::{MAX_TAGS_PER_PAGE, Tag};

/// The most routes a configuration may have.
pub const MAX_ROUTES: usize = 500;

/// The most query parameters a route may allow by name.
pub const MAX_QUERY_NAMES: usize = 32;

/// The longest name of a query parameter, in bytes.
pub const MAX_QUERY_NAME_BYTES: usize = 128;

/// The longest name of the Cache API's cache, in characters.
pub const MAX_CACHE_NAME_CHARS: usize = 64;

/// Everything that can be configured, within its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// How long pages of a route without `revalidate` are fresh. Default 60 s; 1 s to a year, `false` or 0.
    pub revalidate: Revalidate,
    /// How long after ageing a stale copy may be served while it is revalidated. Default 7 days; up to a year.
    pub expire: Duration,
    /// How long after ageing the last good copy may stand in for a failing origin. Default: as `expire`; up to a year.
    pub stale_if_error: Duration,
    /// The longest a colo may miss an invalidation. Default 10 s; 0 (asked for on each request) to 300 s.
    pub freshness_bound: Duration,
    /// How long a render may take before it counts as failed. Default 60 s; 1 to 600 s.
    pub render_timeout: Duration,
    /// How long a visitor waits for a render before falling back to the site itself. Default 30 s; 1 to 60 s.
    pub miss_timeout: Duration,
    /// How long a response that may not be stored is remembered as such. Default 60 s; 1 to 3,600 s.
    pub pass_ttl: Duration,
    /// How many renders an eager refresh begins in a second in each shard. Default 10; 1 to 100.
    pub refresh_rate: u32,
    /// How long a colo's copy of a page may live. Default 3,600 s; 1 to 86,400 s.
    pub l1_ttl: Duration,
    /// The largest body that is stored, in bytes. Default 10 MiB; 1 to 25 MiB less 64 KiB, KV's limit less the header.
    pub max_body_bytes: u64,
    /// Whether responses tell how the cache handled them. Default `true`.
    pub expose_headers: bool,
    /// The name of the Cache API's cache. Default `cloudflare-isr`; 1 to 64 letters, digits, `.`, `_` and `-`.
    pub cache_name: String,
    /// The origin that pages are keyed by, rather than by the host of the request.
    pub canonical_origin: Option<CanonicalOrigin>,
    /// The site, when it is not a service binding.
    pub origin: Option<SiteUrl>,
    /// Whether a cache of the platform stands in front: it is told what it may keep, and purged. Default `false`.
    pub platform_cache: bool,
    /// The zone whose cache is purged of what is invalidated. Only together with `platform_cache`.
    pub zone_purge: Option<ZoneId>,
    /// The routes: 1 to 500.
    pub routes: Routes,
}

impl Config {
    /// Parses the value of the variable `ISR`.
    ///
    /// A route takes each setting that it leaves out from the top level. `stale_if_error` is looked for in the route,
    /// then at the top level; given in neither, it is as the route's `expire`.
    ///
    /// # Errors
    ///
    /// All problems at once: names that are not known, values of a wrong type or out of bounds, malformed patterns,
    /// tags and URLs, routes that can't be told apart.
    pub fn from_json(value: &Value) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let config = Reader::open("ISR".to_owned(), Scope::TopLevel, value, &mut problems).map(Self::read);
        match (config, ConfigError::from_problems(problems)) {
            (_, Some(error)) => Err(error),
            (Some(config), None) => Ok(config),
            // Not reached: whatever is no table has left a problem.
            (None, None) => Err(ConfigError::missing_binding(Binding::Settings, "ISR")),
        }
    }

    /// Reads the top level; a value that leaves a problem is replaced by its default, and nobody will see it.
    fn read(mut top: Reader<'_, '_>) -> Self {
        let revalidate = top.revalidate();
        let expire = top.seconds("expire", &EXPIRE);
        let stale_if_error = top.seconds("stale_if_error", &EXPIRE);
        let defaults = RouteDefaults {
            revalidate: revalidate.unwrap_or(Revalidate::After(REVALIDATE.default_seconds())),
            expire: expire.unwrap_or(EXPIRE.default_seconds()),
            stale_if_error,
        };
        let canonical_origin = top.text("canonical_origin", CanonicalOrigin::parse);
        let platform_cache = top.flag("platform_cache").unwrap_or(PLATFORM_CACHE_DEFAULT);
        let zone_purge = top.text("zone_purge", ZoneId::parse);
        if platform_cache && top.get("canonical_origin").is_none() {
            let reason = "the key of the platform's cache has no host, and pages of several hosts would be mixed up";
            top.report("ISR.platform_cache".to_owned(), Fault::Needs { other: "canonical_origin", reason });
        }
        if zone_purge.is_some() && !platform_cache {
            let reason = "without it no page has the tags by which it could be purged";
            top.report("ISR.zone_purge".to_owned(), Fault::Needs { other: "platform_cache = true", reason });
        }
        Self {
            revalidate: defaults.revalidate,
            expire: defaults.expire,
            stale_if_error: stale_if_error.unwrap_or(defaults.expire),
            freshness_bound: top.seconds_or_default("freshness_bound", &FRESHNESS_BOUND),
            render_timeout: top.seconds_or_default("render_timeout", &RENDER_TIMEOUT),
            miss_timeout: top.seconds_or_default("miss_timeout", &MISS_TIMEOUT),
            pass_ttl: top.seconds_or_default("pass_ttl", &PASS_TTL),
            refresh_rate: top.number("refresh_rate", &REFRESH_RATE).unwrap_or(REFRESH_RATE.default),
            l1_ttl: top.seconds_or_default("l1_ttl", &L1_TTL),
            max_body_bytes: top.number("max_body_bytes", &MAX_BODY_BYTES).unwrap_or(MAX_BODY_BYTES.default).into(),
            expose_headers: top.flag("expose_headers").unwrap_or(EXPOSE_HEADERS_DEFAULT),
            cache_name: top.text("cache_name", cache_name).unwrap_or_else(|| CACHE_NAME_DEFAULT.to_owned()),
            canonical_origin,
            origin: top.text("origin", SiteUrl::parse),
            platform_cache,
            zone_purge,
            routes: routes(&mut top, defaults),
        }
    }
}

/// What a route falls back to.
#[derive(Clone, Copy)]
struct RouteDefaults {
    revalidate: Revalidate,
    expire: Duration,
    stale_if_error: Option<Duration>,
}

fn routes(top: &mut Reader<'_, '_>, defaults: RouteDefaults) -> Routes {
    let Some(table) = top.table("routes", MAX_ROUTES) else {
        return Routes::default();
    };
    let mut routes = Vec::with_capacity(table.len());
    for (text, value) in table {
        let path = format!("ISR.routes.{}", error::key(text));
        let pattern = Pattern::parse(text).map_err(|reason| top.report(path.clone(), Fault::Pattern(reason))).ok();
        let settings = top.child(path, Scope::Route, value).map(|route| route_settings(route, defaults));
        if let (Some(pattern), Some(settings)) = (pattern, settings) {
            routes.push(Route::new(pattern, settings));
        }
    }
    Routes::new(routes).unwrap_or_else(|errors| {
        for reason in errors {
            top.report(format!("ISR.routes.{}", error::key(reason.route().as_str())), Fault::Routes(reason));
        }
        Routes::default()
    })
}

fn route_settings(mut route: Reader<'_, '_>, defaults: RouteDefaults) -> RouteSettings {
    let revalidate = route.revalidate().unwrap_or(defaults.revalidate);
    let expire = route.seconds("expire", &EXPIRE).unwrap_or(defaults.expire);
    let stale_if_error = route.seconds("stale_if_error", &EXPIRE).or(defaults.stale_if_error).unwrap_or(expire);
    let tags = route.list("tags", MAX_TAGS_PER_PAGE, |text| Tag::parse(text).map_err(Flaw::Tag));
    let shards = route.number("shards", &SHARDS).unwrap_or(SHARDS.default);
    let query = if route.get("query").and_then(Value::as_str) == Some("all") {
        QueryPolicy::All
    } else {
        QueryPolicy::Only(route.list("query", MAX_QUERY_NAMES, query_name).into_iter().collect())
    };
    RouteSettings {
        revalidate,
        expire,
        stale_if_error,
        tags,
        // Bounded by 256 just above.
        shards: u16::try_from(shards).unwrap_or(1),
        query,
    }
}

fn cache_name(text: &str) -> Result<String, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Empty);
    }
    if let Some(character) = text.chars().find(|&c| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
        return Err(Flaw::Character(character));
    }
    if text.len() > MAX_CACHE_NAME_CHARS { Err(Flaw::TooLong(text.len())) } else { Ok(text.to_owned()) }
}

fn query_name(text: &str) -> Result<String, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Empty);
    }
    if let Some(character) = text.chars().find(|&c| "?&=#*".contains(c) || c.is_whitespace() || c.is_control()) {
        return Err(Flaw::Character(character));
    }
    if text.len() > MAX_QUERY_NAME_BYTES { Err(Flaw::TooLong(text.len())) } else { Ok(text.to_owned()) }
}
