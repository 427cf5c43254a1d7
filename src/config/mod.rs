//! Configuration: the structured variable `[vars.ISR]` of `wrangler.toml`, parsed once into bounded values.
//!
//! [`SETTINGS`] lists every setting with its bounds and its default, from the declarations in `settings.rs`.
//! [`Config::from_json`] reports every mistake of a configuration at once.

#[macro_use]
mod declare;

mod binding;
mod builder;
mod cache_name;
mod canonical_origin;
mod deployment;
mod error;
mod feed_mode;
mod hosts;
mod kinds;
mod l2;
mod log_mode;
mod message;
mod needs;
mod query;
mod reader;
mod render_headers;
mod routes;
mod sensitive_headers;
mod setters;
mod setting;
mod settings;
mod statuses;
#[cfg(test)]
mod tests;
mod value_error;
mod vary;
mod vary_values;
mod webhooks;
mod zone;

use std::time::Duration;

use serde_json::Value;

pub use self::binding::Binding;
pub use self::builder::{Builder, RouteBuilder, RuleBuilder, VaryBuilder, WebhookBuilder};
pub use self::canonical_origin::CanonicalOrigin;
pub use self::error::{ConfigError, Dependency, Problem, ProblemKind, SecretPurpose};
pub use self::feed_mode::FeedMode;
pub use self::hosts::MAX_HOSTS;
pub use self::l2::L2Kind;
pub use self::log_mode::LogMode;
pub use self::message::key as setting_key;
pub use self::needs::{Needs, PURGE_TOKEN, render_secrets, webhook_secrets};
pub use self::query::{MAX_QUERY_NAME_BYTES, MAX_QUERY_NAMES};
use self::reader::Reader;
use self::routes::RouteDefaults;
pub use self::setting::{
    Bounds, DefaultValue, ItemForm, ListForm, MAX_CONDITIONS, MAX_ROUTES, QUERY_WORDS, Setting, SettingLevel, TextForm,
    Unit, ValueKind,
};
use self::settings::{
    BROWSER_MAX_AGE, BYPASS_COOKIES, CACHE_NAME, CANONICAL_ORIGIN, DECISION_LOG, EXPIRE, EXPOSE_HEADERS, FEED,
    FIRST_BYTE_TIMEOUT, FRESHNESS_BOUND, HOSTS, HTTP, IGNORE_QUERY, L1_TTL, L2, LOG, MAX_BODY_BYTES, MEMORY_BYTES,
    MEMORY_PAGE_BYTES, METRICS, MISS_TIMEOUT, NOT_FOUND_REVALIDATE, ORIGIN, PASS_TTL, PLATFORM_CACHE, REFRESH_RATE,
    RENDER_SENSITIVE_HEADERS, RENDER_TIMEOUT, REVALIDATE, SET_COOKIE, STALE_IF_ERROR, TAG_SHARDS, TRAILING_SLASH,
    ZONE_PURGE,
};
pub use self::settings::{KV_MAX_BODY_BYTES, SETTINGS};
pub use self::value_error::{ValueError, ValueType};
pub use self::vary_values::{MAX_VALUE_BYTES, MAX_VALUES};
pub use self::webhooks::MAX_WEBHOOK_NAME_CHARS;
pub use self::zone::ZoneId;
use crate::route::{Origin, Routes};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::TRACKING_PARAMETERS;
use crate::webhook::Webhooks;

/// The values of all settings, within their bounds. [`SETTINGS`] lists bounds and defaults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Freshness lifetime of pages whose route sets none.
    pub revalidate: Revalidate,
    /// Freshness lifetime of a 404 or 410 whose route sets none; `None`: derived from the route's `revalidate`.
    pub not_found_revalidate: Option<Revalidate>,
    /// Stale window: how long after the freshness lifetime a page may be served while it is revalidated.
    pub expire: Duration,
    /// How long after the freshness lifetime a page may be served while the origin fails.
    pub stale_if_error: Duration,
    /// How long a browser may reuse a fresh page without a request.
    pub browser_max_age: Duration,
    /// The longest time for which an edge may miss an invalidation.
    pub freshness_bound: Duration,
    /// How an edge learns of invalidations.
    pub feed: FeedMode,
    /// Time allowed for the whole response of the origin.
    pub render_timeout: Duration,
    /// Time allowed for the response headers of the origin.
    pub first_byte_timeout: Duration,
    /// How long a client waits for the coordinator before the edge asks the origin directly.
    pub miss_timeout: Duration,
    /// How long the cache remembers that a response may not be stored.
    pub pass_ttl: Duration,
    /// Number of renders that an eager refresh starts per second in each shard.
    pub refresh_rate: u32,
    /// Number of decisions that the log of each coordinator keeps. With 0, there is none.
    pub decision_log: u64,
    /// Number of objects that share the tag index.
    pub tag_shards: u16,
    /// How long a page stays in L1.
    pub l1_ttl: Duration,
    /// The most bytes of pages in the in-isolate tier. With 0, there is none.
    pub memory_bytes: u64,
    /// The largest body in the in-isolate tier, in bytes. With 0, there is none.
    pub memory_page_bytes: u64,
    /// The store of L2.
    pub l2: L2Kind,
    /// The largest body that is stored, in bytes. More than [`KV_MAX_BODY_BYTES`] need R2.
    pub max_body_bytes: u64,
    /// Whether responses have headers that tell how the cache handled them.
    pub expose_headers: bool,
    /// Whether requests and visits are counted, and objects count what they do.
    pub metrics: bool,
    /// Which requests the log has a line for.
    pub log: LogMode,
    /// Name of the Cache API's cache.
    pub cache_name: String,
    /// Hosts whose pages are cached; `*.` at the beginning stands for all subdomains. Empty: every host.
    pub hosts: Vec<String>,
    /// Origin that page keys contain in place of the host of the request.
    pub canonical_origin: Option<CanonicalOrigin>,
    /// Origin of the pages, unless it is the service bound as `ORIGIN`.
    pub origin: Option<Origin>,
    /// Whether a cache of the platform is downstream.
    pub platform_cache: bool,
    /// Zone whose cache is purged of invalidated pages. Only set together with `platform_cache`.
    pub zone_purge: Option<ZoneId>,
    /// The webhooks, by name.
    pub webhooks: Webhooks,
    /// The routes, at least one.
    pub routes: Routes,
}

impl Config {
    /// Parses the value of the variable `ISR`.
    ///
    /// A setting that a route leaves out has the top level's value. `stale_if_error` that is left out in both places
    /// has the value of the route's `expire`; `not_found_revalidate` is then derived from the route's `revalidate`.
    ///
    /// # Errors
    ///
    /// Returns all problems at once: unknown names, values of a wrong type or out of bounds, malformed patterns, tags
    /// and URLs, and routes that match the same paths.
    pub fn from_json(value: &Value) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let path = Binding::Settings.default_name();
        let top = Reader::open(path.to_owned(), SettingLevel::TopLevel, value, SETTINGS, &mut problems);
        let config = top.map(Self::read);
        match (config, ConfigError::from_problems(problems)) {
            (_, Some(error)) => Err(error),
            (Some(config), None) => Ok(config),
            // Unreachable: a value that is not a table is a problem.
            (None, None) => Err(ConfigError::missing_binding(Binding::Settings, path)),
        }
    }

    /// Reads the text of the variable `ISR` that was not set as a table. Text that is not JSON is not valid as settings.
    #[must_use]
    pub fn variable_from_text(text: String) -> Value {
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Returns whether pages of a host are cached.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| hosts::matches(pattern, host))
    }

    /// Reads the top level. An unusable value is reported and replaced by its default.
    fn read(mut reader: Reader<'_, '_>) -> Self {
        let top = &mut reader;
        let defaults = route_defaults(top);
        let render_timeout = RENDER_TIMEOUT.read_or_default(top);
        let canonical_origin = CANONICAL_ORIGIN.read(top);
        let platform_cache = PLATFORM_CACHE.read_or_default(top);
        let zone_purge = ZONE_PURGE.read(top);
        if platform_cache && top.get(&CANONICAL_ORIGIN.setting).is_none() {
            let missing = ProblemKind::MissingDependency(Dependency::CanonicalOriginForPlatformCache {
                needed: CANONICAL_ORIGIN.setting.name,
            });
            top.report(top.path_of(&PLATFORM_CACHE.setting), missing);
        }
        if zone_purge.is_some() && !platform_cache {
            let missing = ProblemKind::MissingDependency(Dependency::PlatformCacheForZonePurge {
                needed: PLATFORM_CACHE.setting.name,
            });
            top.report(top.path_of(&ZONE_PURGE.setting), missing);
        }
        Self {
            revalidate: defaults.revalidate,
            not_found_revalidate: defaults.not_found_revalidate,
            expire: defaults.expire,
            stale_if_error: defaults.stale_if_error.unwrap_or(defaults.expire),
            browser_max_age: defaults.browser_max_age,
            freshness_bound: FRESHNESS_BOUND.read_or_default(top),
            feed: FEED.read_or_default(top),
            render_timeout,
            first_byte_timeout: FIRST_BYTE_TIMEOUT.read(top).unwrap_or(render_timeout),
            miss_timeout: MISS_TIMEOUT.read_or_default(top),
            pass_ttl: PASS_TTL.read_or_default(top),
            refresh_rate: REFRESH_RATE.read_or_default(top),
            decision_log: DECISION_LOG.read_or_default(top).into(),
            tag_shards: TAG_SHARDS.read_or_default(top),
            l1_ttl: L1_TTL.read_or_default(top),
            memory_bytes: MEMORY_BYTES.read_or_default(top).into(),
            memory_page_bytes: MEMORY_PAGE_BYTES.read_or_default(top).into(),
            l2: L2.read_or_default(top),
            max_body_bytes: MAX_BODY_BYTES.read_or_default(top).into(),
            expose_headers: EXPOSE_HEADERS.read_or_default(top),
            metrics: METRICS.read_or_default(top),
            log: LOG.read_or_default(top),
            cache_name: CACHE_NAME.read_or_default(top),
            hosts: HOSTS.read(top).unwrap_or_default(),
            canonical_origin,
            platform_cache,
            zone_purge,
            webhooks: webhooks::read(top),
            routes: routes::read(top, &defaults),
            origin: defaults.origin,
        }
    }
}

/// Reads the settings of the top level that are defaults of all routes.
fn route_defaults(top: &mut Reader<'_, '_>) -> RouteDefaults {
    let sensitive = RENDER_SENSITIVE_HEADERS.read(top).unwrap_or_default();
    RouteDefaults {
        revalidate: REVALIDATE.read_or_default(top),
        not_found_revalidate: NOT_FOUND_REVALIDATE.read(top),
        expire: EXPIRE.read_or_default(top),
        stale_if_error: STALE_IF_ERROR.read(top),
        browser_max_age: BROWSER_MAX_AGE.read_or_default(top),
        trailing_slash: TRAILING_SLASH.read_or_default(top),
        set_cookie: SET_COOKIE.read_or_default(top),
        bypass_cookies: BYPASS_COOKIES.read(top).unwrap_or_default(),
        http: HTTP.read_or_default(top),
        origin: ORIGIN.read(top),
        render_headers: render_headers::read(top, &sensitive).unwrap_or_default(),
        sensitive,
        ignored_query: IGNORE_QUERY.read(top).unwrap_or_else(|| TRACKING_PARAMETERS.map(str::to_owned).into()),
    }
}
