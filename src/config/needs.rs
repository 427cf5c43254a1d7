//! The bindings and secrets that a configuration needs. The edge looks for them in an `env`, and `isr check` in a file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Binding, Config, ConfigError, KV_MAX_BODY_BYTES, L2Kind};
use crate::route::{Origin, RenderValue, Route};
use crate::webhook::Scheme;

/// The secret that authorizes purges of a zone's cache. `zone_purge` needs it.
pub const PURGE_TOKEN: &str = "ISR_PURGE_TOKEN";

/// The bindings that a configuration needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    l2: L2Kind,
    is_over_kv: bool,
    /// Whether an origin is bound as `ORIGIN`.
    has_default_origin: bool,
    /// The names of the other bound origins.
    origins: Vec<String>,
}

impl Needs {
    /// Returns what a valid configuration needs.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let origins = config.origin.iter().chain(config.routes.iter().filter_map(Route::origin));
        Self {
            l2: config.l2,
            is_over_kv: config.max_body_bytes > KV_MAX_BODY_BYTES,
            has_default_origin: config.origin.is_none(),
            origins: origins.filter_map(service_name).collect(),
        }
    }

    /// Reads what invalid settings do say, so that a mistake in one of them does not make a binding seem to be missing.
    #[must_use]
    pub fn of_invalid(settings: Option<&Value>) -> Self {
        let text = |name: &str| settings?.get(name)?.as_str();
        let origin = text("origin").and_then(|text| Origin::parse(text).ok());
        Self {
            l2: text("l2").and_then(L2Kind::parse).unwrap_or_default(),
            is_over_kv: false,
            has_default_origin: settings.is_none_or(|settings| settings.get("origin").is_none()),
            origins: origin.as_ref().and_then(service_name).into_iter().collect(),
        }
    }

    /// Reports the bindings that are missing. `has_own_l2`: the Worker brings a store of its own, in place of KV and R2.
    #[must_use]
    pub fn missing(&self, has_own_l2: bool, is_bound: impl Fn(&str) -> bool) -> Option<ConfigError> {
        let l2 = if has_own_l2 { &[] } else { self.l2_bindings() };
        let own = [Binding::Coordinator, Binding::TagIndex].iter().chain(l2);
        let own = own.map(|binding| (*binding, binding.default_name()));
        let default = self.has_default_origin.then(|| (Binding::Origin, Binding::Origin.default_name()));
        let sites = self.origins.iter().map(|name| (Binding::Origin, name.as_str()));
        // Several routes may name the same origin.
        let mut seen = BTreeSet::new();
        let needed = own.chain(default).chain(sites).filter(|(_, name)| seen.insert((*name).to_owned()));
        let missing = needed.filter(|(_, name)| !is_bound(name));
        let errors = missing.map(|(binding, name)| match binding {
            Binding::Bucket if self.is_over_kv => {
                ConfigError::needs_bucket().and(ConfigError::missing_binding(binding, name))
            }
            _ => ConfigError::missing_binding(binding, name),
        });
        errors.reduce(ConfigError::and)
    }

    const fn l2_bindings(&self) -> &'static [Binding] {
        match self.l2 {
            L2Kind::Kv if self.is_over_kv => &[Binding::Cache, Binding::Bucket],
            L2Kind::Kv => &[Binding::Cache],
            L2Kind::R2 => &[Binding::Bucket],
        }
    }
}

/// Returns the names of the secrets that `render_headers` names.
#[must_use]
pub fn render_secrets(config: &Config) -> BTreeSet<&str> {
    let values = config.routes.iter().flat_map(|route| route.render_headers().values());
    let names = values.filter_map(|value| match value {
        RenderValue::Secret(name) => Some(name.as_str()),
        RenderValue::Text(_) => None,
    });
    names.collect()
}

/// Returns the webhooks' secrets, each with the schemes that use it.
#[must_use]
pub fn webhook_secrets(config: &Config) -> BTreeMap<&str, Vec<Scheme>> {
    let mut secrets: BTreeMap<&str, Vec<Scheme>> = BTreeMap::new();
    for webhook in config.webhooks.values() {
        secrets.entry(&webhook.secret).or_default().push(webhook.scheme);
    }
    secrets
}

fn service_name(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Service(name) => Some(name.as_str().to_owned()),
        Origin::Url(_) | Origin::Own => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the names of the bindings that are missing if none is bound.
    fn missing(settings: &Value, has_own_l2: bool) -> Vec<String> {
        let needs =
            Config::from_json(settings).map_or_else(|_| Needs::of_invalid(Some(settings)), |config| Needs::of(&config));
        let error = needs.missing(has_own_l2, |_| false).expect("the objects are always needed");
        error.problems().iter().map(|problem| problem.setting().to_owned()).collect()
    }

    #[test]
    fn what_must_be_bound_depends_on_what_l2_and_the_origins_are() {
        let routes = json!({ "/": {} });
        for (settings, has_own_l2, names) in [
            (json!({ "routes": routes }), false, &["ISR_CACHE", "ORIGIN"][..]),
            (json!({ "routes": routes }), true, &["ORIGIN"]),
            (json!({ "routes": routes, "l2": "r2", "origin": "self" }), false, &["ISR_BUCKET"]),
            (
                json!({ "routes": routes, "max_body_bytes": 30_000_000, "origin": "https://e.com" }),
                false,
                &["ISR_CACHE", "ISR.max_body_bytes", "ISR_BUCKET"],
            ),
            (
                json!({ "routes": { "/a": { "origin": "SHOP" }, "/b": { "origin": "SHOP" } } }),
                false,
                &["ISR_CACHE", "ORIGIN", "SHOP"],
            ),
            // With a mistake elsewhere.
            (json!({ "origin": "SHOP", "l2": "r2", "revalidate": "soon" }), false, &["ISR_BUCKET", "SHOP"]),
        ] {
            let expected: Vec<&str> = ["COORDINATOR", "TAG_INDEX"].iter().chain(names).copied().collect();
            assert_eq!(missing(&settings, has_own_l2), expected, "{settings}");
        }
        let config = Config::from_json(&json!({ "routes": routes })).unwrap();
        assert_eq!(Needs::of(&config).missing(false, |_| true), None);
    }

    #[test]
    fn secrets_of_renders_are_named_once() {
        let secret = json!({ "render_headers": { "X-Preview": { "secret": "PREVIEW" } } });
        let config = Config::from_json(&json!({ "origin": "self", "routes": { "/a": secret, "/b": secret } })).unwrap();
        assert_eq!(render_secrets(&config).into_iter().collect::<Vec<_>>(), ["PREVIEW"]);
    }
}
