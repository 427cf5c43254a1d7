//! Settings given in code: for Workers that depend on this crate.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::render_headers::SETTING as RENDER_HEADERS;
use super::{Config, ConfigError, L2Kind, RenderValue};
use crate::semantics::freshness::Revalidate;
use crate::semantics::key::TrailingSlash;

/// Makes methods that write one setting each, under its name.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($value:ident: $type:ty) = $json:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $value: $type) -> Self {
            self.0.insert(stringify!($name).to_owned(), $json);
            self
        }
    )*};
}

/// Builds a configuration, setting by setting, as `[vars.ISR]` has it: `docs/configuration.md` lists what each means, its
/// default and its bounds. What is wrong is reported by [`Self::build`], all at once.
///
/// ```
/// use std::time::Duration;
/// use cloudflare_isr::config::{Builder, RouteBuilder};
///
/// let config = Builder::default()
///     .origin("self")
///     .revalidate(Duration::from_secs(60))
///     .route("/", RouteBuilder::default().tags(["home"]))
///     .route("/blog/[slug]", RouteBuilder::default().revalidate(Duration::from_secs(300)).query(["page"]))
///     .build()?;
/// assert_eq!(config.revalidate, Duration::from_secs(60).into());
/// # Ok::<(), cloudflare_isr::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builder(Map<String, Value>);

impl Builder {
    setters! {
        /// How long pages are fresh where their route does not say: whole seconds count.
        revalidate(lifetime: impl Into<Revalidate>) = written(lifetime.into());
        /// How long a 404 or 410 is fresh.
        not_found_revalidate(lifetime: impl Into<Revalidate>) = written(lifetime.into());
        /// How long after ageing a stale copy may be served while it is revalidated.
        expire(time: Duration) = seconds(time);
        /// How long after ageing the last good copy may stand in for a failing site.
        stale_if_error(time: Duration) = seconds(time);
        /// How long a browser may show a fresh page again without asking.
        browser_max_age(time: Duration) = seconds(time);
        /// The longest an edge may miss an invalidation.
        freshness_bound(time: Duration) = seconds(time);
        /// How long the site may take, to its last byte.
        render_timeout(time: Duration) = seconds(time);
        /// How long of that it may take to the head of its answer.
        first_byte_timeout(time: Duration) = seconds(time);
        /// How long a visitor waits for the coordinator before the site is asked directly.
        miss_timeout(time: Duration) = seconds(time);
        /// How long an answer that may not be stored is remembered as such.
        pass_ttl(time: Duration) = seconds(time);
        /// How many renders an eager refresh begins in a second, in each shard.
        refresh_rate(renders: u32) = json!(renders);
        /// How many objects share the tag index.
        tag_shards(objects: u16) = json!(objects);
        /// How long a colo's own copy may live.
        l1_ttl(time: Duration) = seconds(time);
        /// The largest body that is stored.
        max_body_bytes(bytes: u32) = json!(bytes);
        /// Whether responses say how the cache handled them.
        expose_headers(exposed: bool) = json!(exposed);
        /// The name of the Cache API's cache.
        cache_name(name: &str) = json!(name);
        /// The origin by which pages are keyed, rather than by the host asked for.
        canonical_origin(origin: &str) = json!(origin);
        /// Whose pages are cached; `*.` at the beginning stands for all below.
        hosts(hosts: impl IntoIterator<Item = impl AsRef<str>>) = list(hosts);
        /// Which query parameters make no difference where all others do; `*` at the end stands for any ending.
        ignore_query(names: impl IntoIterator<Item = impl AsRef<str>>) = list(names);
        /// What a slash at the end of a path means.
        trailing_slash(meaning: TrailingSlash) = json!(meaning.as_str());
        /// The site, if it is not bound as `ORIGIN`: its URL, the name of another service binding, or `self`.
        origin(site: &str) = json!(site);
        /// Where pages are kept for all colos.
        l2(store: L2Kind) = json!(store.as_str());
        /// Which headers that say who asks may be among those that renders carry.
        render_sensitive_headers(names: impl IntoIterator<Item = impl AsRef<str>>) = list(names);
        /// Whether a cache of the platform stands in front.
        platform_cache(stands_in_front: bool) = json!(stands_in_front);
        /// The id of the zone whose cache is purged of what is invalidated.
        zone_purge(zone: &str) = json!(zone);
    }

    /// Adds a header that each render carries, with its text or the name of a secret.
    #[must_use]
    pub fn render_header(mut self, name: &str, value: impl Into<RenderValue>) -> Self {
        put(&mut self.0, RENDER_HEADERS, name, value.into().to_json());
        self
    }

    /// Adds a route, or replaces that of the same pattern.
    #[must_use]
    pub fn route(mut self, pattern: &str, route: RouteBuilder) -> Self {
        let routes = self.0.entry("routes").or_insert_with(|| json!({}));
        routes[pattern] = Value::Object(route.0);
        self
    }

    /// Reads what was set.
    ///
    /// # Errors
    /// As [`Config::from_json`].
    pub fn build(&self) -> Result<Config, ConfigError> {
        Config::from_json(&self.to_json())
    }

    /// Returns what was set as `[vars.ISR]` has it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Returns what was set, with the settings of a variable in their place where it has any; routes pattern by pattern.
    #[must_use]
    pub fn overridden_by(&self, variable: &Value) -> Value {
        let Value::Object(variable) = variable else {
            return variable.clone();
        };
        let mut settings = self.0.clone();
        for (name, value) in variable {
            match (settings.get_mut(name), value) {
                (Some(Value::Object(routes)), Value::Object(others)) if name == "routes" => {
                    routes.extend(others.clone());
                }
                _ => drop(settings.insert(name.clone(), value.clone())),
            }
        }
        Value::Object(settings)
    }
}

/// Builds the settings of one route. What is left out is taken from the top level.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteBuilder(Map<String, Value>);

impl RouteBuilder {
    setters! {
        /// How long pages are fresh that do not say: whole seconds count.
        revalidate(lifetime: impl Into<Revalidate>) = written(lifetime.into());
        /// How long a 404 or 410 is fresh.
        not_found_revalidate(lifetime: impl Into<Revalidate>) = written(lifetime.into());
        /// How long after ageing a stale copy may be served while it is revalidated.
        expire(time: Duration) = seconds(time);
        /// How long after ageing the last good copy may stand in for a failing site.
        stale_if_error(time: Duration) = seconds(time);
        /// How long a browser may show a fresh page again without asking.
        browser_max_age(time: Duration) = seconds(time);
        /// What a slash at the end of a path means.
        trailing_slash(meaning: TrailingSlash) = json!(meaning.as_str());
        /// Which statuses are stored.
        statuses(statuses: impl IntoIterator<Item = u16>) = statuses.into_iter().collect();
        /// Tags of all pages of the route.
        tags(tags: impl IntoIterator<Item = impl AsRef<str>>) = list(tags);
        /// How many coordinators share the route's pages.
        shards(coordinators: u16) = json!(coordinators);
        /// How many pages each coordinator takes on.
        max_pages(pages: u32) = json!(pages);
        /// Which query parameters make pages different.
        query(names: impl IntoIterator<Item = impl AsRef<str>>) = list(names);
        /// What makes pages of one URL different.
        vary(vary: VaryBuilder) = Value::Object(vary.0);
        /// The site of the route: its URL, the name of a service binding, or `self`.
        origin(site: &str) = json!(site);
    }

    /// Adds a header that each render of the route carries; with it, those of the top level are not carried.
    #[must_use]
    pub fn render_header(mut self, name: &str, value: impl Into<RenderValue>) -> Self {
        put(&mut self.0, RENDER_HEADERS, name, value.into().to_json());
        self
    }

    /// Has all query parameters make pages different, but for those of [`Builder::ignore_query`].
    #[must_use]
    pub fn all_query(mut self) -> Self {
        self.0.insert("query".to_owned(), json!("all"));
        self
    }
}

/// Builds what makes pages of one URL different.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VaryBuilder(Map<String, Value>);

impl VaryBuilder {
    setters! {
        /// Languages; the first is for whoever wants none of them.
        language(tags: impl IntoIterator<Item = impl AsRef<str>>) = list(tags);
        /// Classes out of `desktop`, `mobile` and `tablet`; the first stands for those not listed.
        device(classes: impl IntoIterator<Item = impl AsRef<str>>) = list(classes);
        /// Countries; all others are one.
        country(codes: impl IntoIterator<Item = impl AsRef<str>>) = list(codes);
    }

    /// Adds a cookie and its values; any other value is as no cookie.
    #[must_use]
    pub fn cookie(self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.values("cookie", name, list(values))
    }

    /// Adds a header and its values; any other value is as no header.
    #[must_use]
    pub fn header(self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.values("header", name, list(values))
    }

    fn values(mut self, kind: &str, name: &str, values: Value) -> Self {
        put(&mut self.0, kind, name, values);
        self
    }
}

/// Writes an entry of a table within a table.
fn put(settings: &mut Map<String, Value>, table: &str, name: &str, value: Value) {
    settings.entry(table).or_insert_with(|| json!({}))[name] = value;
}

fn written(lifetime: Revalidate) -> Value {
    match lifetime {
        Revalidate::After(time) => seconds(time),
        Revalidate::Never => json!(false),
        Revalidate::NoStore => json!(0),
    }
}

fn seconds(time: Duration) -> Value {
    json!(time.as_secs())
}

fn list(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
    texts.into_iter().map(|text| text.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::settings::{SETTINGS, Scope};
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Every setting, once, wherever it may stand.
    fn all() -> Builder {
        let vary = VaryBuilder::default()
            .language(["en", "de"])
            .device(["desktop"])
            .country(["DE"])
            .cookie("theme", ["dark"])
            .cookie("size", ["large"])
            .header("X-Ab", ["a"]);
        let route = RouteBuilder::default()
            .revalidate(MINUTE)
            .not_found_revalidate(MINUTE)
            .expire(MINUTE)
            .stale_if_error(MINUTE)
            .browser_max_age(MINUTE)
            .trailing_slash(TrailingSlash::Keep)
            .statuses([200, 404])
            .tags(["a", "b"])
            .shards(2)
            .max_pages(3)
            .query(["page"])
            .vary(vary)
            .origin("SHOP_ORIGIN")
            .render_header("X-Preview", "off");
        Builder::default()
            .revalidate(Revalidate::Never)
            .not_found_revalidate(Revalidate::NoStore)
            .expire(MINUTE)
            .stale_if_error(MINUTE)
            .browser_max_age(MINUTE)
            .freshness_bound(MINUTE)
            .render_timeout(MINUTE)
            .first_byte_timeout(MINUTE)
            .miss_timeout(MINUTE)
            .pass_ttl(MINUTE)
            .refresh_rate(5)
            .tag_shards(2)
            .l1_ttl(MINUTE)
            .max_body_bytes(1000)
            .expose_headers(false)
            .cache_name("name")
            .canonical_origin("https://e.com")
            .hosts(["e.com"])
            .ignore_query(["utm_*"])
            .trailing_slash(TrailingSlash::Redirect)
            .origin("self")
            .l2(L2Kind::R2)
            .render_header("Authorization", RenderValue::Secret("SITE_TOKEN".to_owned()))
            .render_header("X-Preview", "off")
            .render_sensitive_headers(["authorization"])
            .platform_cache(true)
            .zone_purge("023e105f4ecef8ad9ca31a8372d0c353")
            .route("/a", route)
    }

    #[test]
    fn it_has_a_method_for_each_setting_and_what_they_write_is_accepted() {
        let all = all();
        all.build().unwrap();
        let json = all.to_json();
        let route = &json["routes"]["/a"];
        for (scope, table) in [(Scope::TopLevel, &json), (Scope::Route, route), (Scope::Vary, &route["vary"])] {
            let written: BTreeSet<&str> = table.as_object().unwrap().keys().map(String::as_str).collect();
            let there: BTreeSet<&str> =
                SETTINGS.iter().filter(|setting| setting.scope.includes(scope)).map(|setting| setting.name).collect();
            assert_eq!(written, there, "{scope:?}");
        }
        let all_query = Builder::default().route("/a", RouteBuilder::default().all_query());
        all_query.build().unwrap();
        assert_eq!(all_query.to_json(), json!({ "routes": { "/a": { "query": "all" } } }));
    }

    #[test]
    fn a_variable_goes_before_what_is_given_in_code_setting_by_setting() {
        let code = Builder::default()
            .revalidate(MINUTE)
            .expire(MINUTE)
            .route("/a", RouteBuilder::default().tags(["code"]))
            .route("/b", RouteBuilder::default());
        for (variable, settings) in [
            (json!({}), code.to_json()),
            (
                json!({ "expire": 5, "routes": { "/a": { "shards": 2 }, "/c": {} } }),
                json!({ "revalidate": 60, "expire": 5, "routes": { "/a": { "shards": 2 }, "/b": {}, "/c": {} } }),
            ),
            (json!({ "routes": 5 }), json!({ "revalidate": 60, "expire": 60, "routes": 5 })),
            (json!("text"), json!("text")),
        ] {
            assert_eq!(code.overridden_by(&variable), settings, "{variable}");
        }
    }
}
