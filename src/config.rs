//! Configuration: the structured variable `[vars.ISR]` of `wrangler.toml`, parsed once into bounded values.
//!
//! [`SETTINGS`] is the one list of names, defaults and bounds; [`Config::from_json`] reads by it, and every mistake in
//! a configuration is reported at once.

mod builder;
mod error;
mod origin;
mod reader;
mod render_headers;
mod settings;
#[cfg(test)]
mod tests;
mod url;
mod vary;
mod zone;

use std::time::Duration;

use serde_json::Value;

pub use self::builder::{Builder, RouteBuilder, VaryBuilder};
pub use self::error::{Binding, ConfigError, Fault, Flaw, Problem};
pub use self::origin::{Origin, ServiceName};
use self::reader::Reader;
pub use self::render_headers::{
    MAX_RENDER_HEADER_BYTES, MAX_RENDER_HEADERS, RenderHeaders, RenderValue, SENSITIVE_HEADERS, check_render_value,
};
use self::settings::{
    BROWSER_MAX_AGE, CACHE_NAME_DEFAULT, EXPIRE, EXPOSE_HEADERS_DEFAULT, FIRST_BYTE_TIMEOUT, FRESHNESS_BOUND, L1_TTL,
    MAX_BODY_BYTES, MAX_PAGES, MISS_TIMEOUT, NOT_FOUND_REVALIDATE, PASS_TTL, PLATFORM_CACHE_DEFAULT, REFRESH_RATE,
    RENDER_TIMEOUT, REVALIDATE, SHARDS, TAG_SHARDS,
};
pub use self::settings::{KV_MAX_BODY_BYTES, Kind, L2Kind, Number, SETTINGS, Scope, Setting, Unit};
pub use self::url::{CanonicalOrigin, SiteUrl};
pub use self::vary::{MAX_VALUE_BYTES, MAX_VALUES};
pub use self::zone::ZoneId;
use crate::route::{Pattern, Route, RouteSettings, Routes};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::{QueryPolicy, TrailingSlash};
use crate::semantics::tag::{MAX_TAGS_PER_PAGE, Tag};

/// The most routes a configuration may have.
pub const MAX_ROUTES: usize = 500;

/// The most query parameters a route may allow by name.
pub const MAX_QUERY_NAMES: usize = 32;

/// The longest name of a query parameter, in bytes.
pub const MAX_QUERY_NAME_BYTES: usize = 128;

/// The most hosts a configuration may name.
pub const MAX_HOSTS: usize = 100;

/// Query parameters that say where a visitor comes from, and never what the page shows.
const TRACKING: [&str; 18] = [
    "utm_*",
    "gclid",
    "gclsrc",
    "gbraid",
    "wbraid",
    "dclid",
    "fbclid",
    "msclkid",
    "mc_cid",
    "mc_eid",
    "igshid",
    "_ga",
    "_gl",
    "srsltid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "yclid",
];

/// The longest name of the Cache API's cache, in characters.
pub const MAX_CACHE_NAME_CHARS: usize = 64;

/// Everything that can be configured, within its bounds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// How long pages of a route without `revalidate` are fresh. Default 60 s; 1 s to a year, `false` or 0.
    pub revalidate: Revalidate,
    /// How long a 404 or 410 is fresh in a route without `not_found_revalidate`; `None`: as the route's pages, at most 60 s.
    pub not_found_revalidate: Option<Revalidate>,
    /// How long after ageing a stale copy may be served while it is revalidated. Default 7 days; up to a year.
    pub expire: Duration,
    /// How long after ageing the last good copy may stand in for a failing origin. Default: as `expire`; up to a year.
    pub stale_if_error: Duration,
    /// How long a browser may show a fresh page again without asking. Default 0; up to 86,400 s.
    pub browser_max_age: Duration,
    /// The longest a colo may miss an invalidation. Default 10 s; 0 (asked for on each request) to 300 s.
    pub freshness_bound: Duration,
    /// How long a render may take before it counts as failed. Default 60 s; 1 to 600 s.
    pub render_timeout: Duration,
    /// How long the site may take to the head of its answer to a render. Default: as `render_timeout`; 1 to 600 s.
    pub first_byte_timeout: Duration,
    /// How long a visitor waits for a render before falling back to the site itself. Default 30 s; 1 to 60 s.
    pub miss_timeout: Duration,
    /// How long a response that may not be stored is remembered as such. Default 60 s; 1 to 3,600 s.
    pub pass_ttl: Duration,
    /// How many renders an eager refresh begins in a second in each shard. Default 10; 1 to 100.
    pub refresh_rate: u32,
    /// Over how many objects the tag index is spread. Default 1; 1 to 32.
    pub tag_shards: u16,
    /// How long a colo's copy of a page may live. Default 3,600 s; 1 to 86,400 s.
    pub l1_ttl: Duration,
    /// What L2 is. Default KV.
    pub l2: L2Kind,
    /// The largest body that is stored, in bytes. Default 10 MiB; 1 to 32 MiB. Over [`KV_MAX_BODY_BYTES`] it takes R2.
    pub max_body_bytes: u64,
    /// Whether responses tell how the cache handled them. Default `true`.
    pub expose_headers: bool,
    /// The name of the Cache API's cache. Default `cloudflare-isr`; 1 to 64 letters, digits, `.`, `_` and `-`.
    pub cache_name: String,
    /// The hosts whose pages are cached; `*.` at the beginning stands for all below. Empty: any host.
    pub hosts: Vec<String>,
    /// The origin that pages are keyed by, rather than by the host of the request.
    pub canonical_origin: Option<CanonicalOrigin>,
    /// The site, when it is not the service bound as `ORIGIN`.
    pub origin: Option<Origin>,
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
    /// then at the top level; given in neither, it is as the route's `expire`. `not_found_revalidate` likewise; given in
    /// neither, it is as the route's `revalidate`, and at most 60 s.
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

    /// Tells whether pages of a host are cached.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        let is_named = |pattern: &String| match pattern.strip_prefix('*') {
            // What is left begins with a point.
            Some(ending) => host.len() > ending.len() && host.ends_with(ending),
            None => host == pattern,
        };
        self.hosts.is_empty() || self.hosts.iter().any(is_named)
    }

    /// Reads the top level; a value that leaves a problem is replaced by its default, and nobody will see it.
    fn read(mut top: Reader<'_, '_>) -> Self {
        let revalidate = top.lifetime("revalidate", &REVALIDATE);
        let not_found_revalidate = top.lifetime("not_found_revalidate", &NOT_FOUND_REVALIDATE);
        let expire = top.seconds("expire", &EXPIRE);
        let stale_if_error = top.seconds("stale_if_error", &EXPIRE);
        let origin = top.text("origin", Origin::parse);
        let sensitive = top.list("render_sensitive_headers", SENSITIVE_HEADERS.len(), render_headers::sensitive);
        let ignored = top.optional_list("ignore_query", MAX_QUERY_NAMES, ignored_name);
        let defaults = RouteDefaults {
            revalidate: revalidate.unwrap_or(Revalidate::After(REVALIDATE.default_seconds())),
            not_found_revalidate,
            expire: expire.unwrap_or(EXPIRE.default_seconds()),
            stale_if_error,
            trailing_slash: top.text("trailing_slash", trailing_slash).unwrap_or_default(),
            browser_max_age: top.seconds_or_default("browser_max_age", &BROWSER_MAX_AGE),
            ignored: ignored.unwrap_or_else(|| TRACKING.map(str::to_owned).into()),
            origin: origin.clone(),
            render_headers: render_headers::read(&mut top, &sensitive).unwrap_or_default(),
            sensitive,
        };
        let render_timeout = top.seconds_or_default("render_timeout", &RENDER_TIMEOUT);
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
            not_found_revalidate,
            expire: defaults.expire,
            stale_if_error: stale_if_error.unwrap_or(defaults.expire),
            browser_max_age: defaults.browser_max_age,
            freshness_bound: top.seconds_or_default("freshness_bound", &FRESHNESS_BOUND),
            render_timeout,
            first_byte_timeout: top.seconds("first_byte_timeout", &FIRST_BYTE_TIMEOUT).unwrap_or(render_timeout),
            miss_timeout: top.seconds_or_default("miss_timeout", &MISS_TIMEOUT),
            pass_ttl: top.seconds_or_default("pass_ttl", &PASS_TTL),
            refresh_rate: top.number("refresh_rate", &REFRESH_RATE).unwrap_or(REFRESH_RATE.default),
            // Bounded by 32.
            tag_shards: top
                .number("tag_shards", &TAG_SHARDS)
                .and_then(|number| u16::try_from(number).ok())
                .unwrap_or(1),
            l1_ttl: top.seconds_or_default("l1_ttl", &L1_TTL),
            l2: top.text("l2", |word| L2Kind::parse(word).ok_or(Flaw::NotAWord)).unwrap_or_default(),
            max_body_bytes: top.number("max_body_bytes", &MAX_BODY_BYTES).unwrap_or(MAX_BODY_BYTES.default).into(),
            expose_headers: top.flag("expose_headers").unwrap_or(EXPOSE_HEADERS_DEFAULT),
            cache_name: top.text("cache_name", cache_name).unwrap_or_else(|| CACHE_NAME_DEFAULT.to_owned()),
            canonical_origin,
            origin,
            platform_cache,
            zone_purge,
            hosts: top.list("hosts", MAX_HOSTS, url::host_pattern),
            routes: routes(&mut top, &defaults),
        }
    }
}

/// What a route falls back to.
struct RouteDefaults {
    revalidate: Revalidate,
    not_found_revalidate: Option<Revalidate>,
    expire: Duration,
    stale_if_error: Option<Duration>,
    browser_max_age: Duration,
    trailing_slash: TrailingSlash,
    /// Query parameters that make no difference where all others do.
    ignored: Vec<String>,
    /// The site of routes that name none.
    origin: Option<Origin>,
    /// What renders carry.
    render_headers: RenderHeaders,
    /// Which sensitive headers may be among that, in routes too.
    sensitive: Vec<&'static str>,
}

fn routes(top: &mut Reader<'_, '_>, defaults: &RouteDefaults) -> Routes {
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

fn route_settings(mut route: Reader<'_, '_>, defaults: &RouteDefaults) -> RouteSettings {
    let revalidate = route.lifetime("revalidate", &REVALIDATE).unwrap_or(defaults.revalidate);
    let not_found = route.lifetime("not_found_revalidate", &NOT_FOUND_REVALIDATE).or(defaults.not_found_revalidate);
    let expire = route.seconds("expire", &EXPIRE).unwrap_or(defaults.expire);
    let stale_if_error = route.seconds("stale_if_error", &EXPIRE).or(defaults.stale_if_error).unwrap_or(expire);
    let browser_max_age = route.seconds("browser_max_age", &BROWSER_MAX_AGE).unwrap_or(defaults.browser_max_age);
    let statuses = route.statuses("statuses").unwrap_or_default();
    let tags = route.list("tags", MAX_TAGS_PER_PAGE, |text| Tag::parse(text).map_err(Flaw::Tag));
    let shards = route.number("shards", &SHARDS).unwrap_or(SHARDS.default);
    let max_pages = route.number("max_pages", &MAX_PAGES).unwrap_or(MAX_PAGES.default);
    let query = match route.get("query").and_then(Value::as_str) {
        Some("all") => QueryPolicy::AllBut(defaults.ignored.clone()),
        Some("none") => QueryPolicy::default(),
        _ => QueryPolicy::Only(route.list("query", MAX_QUERY_NAMES, query_name).into_iter().collect()),
    };
    let trailing_slash = route.text("trailing_slash", trailing_slash).unwrap_or(defaults.trailing_slash);
    let origin = route.text("origin", Origin::parse).or_else(|| defaults.origin.clone());
    let vary = vary::read(&mut route);
    let render_headers = render_headers::read(&mut route, &defaults.sensitive);
    let render_headers = render_headers.unwrap_or_else(|| defaults.render_headers.clone());
    render_headers::check_against(&vary, &render_headers, &mut route);
    RouteSettings {
        revalidate,
        not_found_revalidate: not_found.unwrap_or_else(|| revalidate.at_most(NOT_FOUND_REVALIDATE.default_seconds())),
        expire,
        stale_if_error,
        browser_max_age,
        statuses,
        tags,
        // Bounded by 256 just above.
        shards: u16::try_from(shards).unwrap_or(1),
        max_pages: max_pages.into(),
        query,
        trailing_slash,
        vary,
        origin,
        render_headers,
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

fn trailing_slash(word: &str) -> Result<TrailingSlash, Flaw> {
    TrailingSlash::parse(word).ok_or(Flaw::NotAWord)
}

/// A name, or with `*` at its end the beginning of names.
fn ignored_name(text: &str) -> Result<String, Flaw> {
    query_name(text.strip_suffix('*').unwrap_or(text)).map(|_| text.to_owned())
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
