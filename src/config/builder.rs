//! Builders, for Workers that depend on this crate and configure it in code.
//!
//! The setters of most settings are generated where the settings are declared. Those of tables and lists that are built
//! in a way of their own are in `setters.rs`.

use serde_json::{Map, Value};

use super::setting::Setting;

/// Builds a configuration, setting by setting. `docs/configuration.md` lists defaults and bounds. [`Self::check`]
/// reports all mistakes at once.
///
/// ```
/// use std::time::Duration;
/// use cloudflare_isr::{Builder, RouteBuilder};
///
/// let settings = Builder::default()
///     .origin("self")
///     .revalidate(Duration::from_secs(60))
///     .route("/", RouteBuilder::default().tags(["home"]))
///     .route("/blog/[slug]", RouteBuilder::default().revalidate(Duration::from_secs(300)).query(["page"]));
/// settings.check()?;
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builder(pub(super) Map<String, Value>);

impl Builder {
    /// Returns the settings in the form of `[vars.ISR]`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub(super) fn set(&mut self, setting: &Setting, value: Value) {
        self.0.insert(setting.name.to_owned(), value);
    }
}

/// Builds the settings of one route. Settings that are left out have the top level's values.
///
/// ```
/// use std::time::Duration;
/// use cloudflare_isr::{Builder, RouteBuilder};
///
/// let shop = RouteBuilder::default().revalidate(Duration::from_secs(30)).tags(["shop"]).shards(4).all_query();
/// Builder::default().route("/shop/*", shop).check()?;
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteBuilder(pub(super) Map<String, Value>);

impl RouteBuilder {
    pub(super) fn set(&mut self, setting: &Setting, value: Value) {
        self.0.insert(setting.name.to_owned(), value);
    }
}

/// Builds the table `vary` of a route: the properties of a request that select one of several variants of a page.
///
/// ```
/// use cloudflare_isr::{Builder, RouteBuilder, VaryBuilder};
///
/// let vary = VaryBuilder::default().language(["en", "de"]).cookie("theme", ["dark", "light"]);
/// Builder::default().route("/*", RouteBuilder::default().vary(vary)).check()?;
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VaryBuilder(pub(super) Map<String, Value>);

impl VaryBuilder {
    pub(super) fn set(&mut self, setting: &Setting, value: Value) {
        self.0.insert(setting.name.to_owned(), value);
    }
}

/// Builds a webhook: how its sender proves who it is, and what a delivery invalidates.
///
/// ```
/// use cloudflare_isr::{Builder, RouteBuilder, RuleBuilder, WebhookBuilder, WebhookScheme};
///
/// let posts = RuleBuilder::default().when("/_type", ["post"]).tag(["post:{/_id}"]).path(["/blog/{/slug/current}"]);
/// let sanity = WebhookBuilder::new(WebhookScheme::Sanity, "SANITY_SECRET").rule(posts);
/// Builder::default().webhook("sanity", sanity).route("/*", RouteBuilder::default()).check()?;
/// # Ok::<(), cloudflare_isr::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookBuilder(pub(super) Map<String, Value>);

/// Builds a rule of a webhook: what a delivery invalidates if the conditions hold. See [`WebhookBuilder`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleBuilder(pub(super) Map<String, Value>);

impl RuleBuilder {
    pub(super) fn set(&mut self, setting: &Setting, value: Value) {
        self.0.insert(setting.name.to_owned(), value);
    }
}
