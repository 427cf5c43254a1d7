//! Setters of the builders for tables and lists that are built in a way of their own.

use serde_json::{Map, Value, json};

use super::builder::{Builder, RouteBuilder, RuleBuilder, VaryBuilder, WebhookBuilder};
use super::kinds::List;
use super::render_headers::SECRET;
use super::setting::{ALL_QUERY, Setting};
use super::settings::{
    COOKIE, DELIVERY_ID, HEADER, PATH, PREFIX, QUERY, RENDER_HEADERS, ROUTE, ROUTES, RULES, SCHEME,
    SECRET as WEBHOOK_SECRET, STATUSES, TAG, VARY, WEBHOOKS, WHEN,
};
use super::{Config, ConfigError};
use crate::route::RenderValue;
use crate::webhook::Scheme;

impl Builder {
    /// Adds a header to requests to the origin, with a text or the name of a secret.
    #[must_use]
    pub fn render_header(mut self, name: &str, value: impl Into<RenderValue>) -> Self {
        put(&mut self.0, &RENDER_HEADERS.setting, name, render_value(value.into()));
        self
    }

    /// Adds a route, or replaces the route with the same pattern.
    #[must_use]
    pub fn route(mut self, pattern: &str, route: RouteBuilder) -> Self {
        put(&mut self.0, &ROUTES.setting, pattern, Value::Object(route.0));
        self
    }

    /// Adds a webhook, or replaces the webhook with the same name.
    #[must_use]
    pub fn webhook(mut self, name: &str, webhook: WebhookBuilder) -> Self {
        put(&mut self.0, &WEBHOOKS.setting, name, Value::Object(webhook.0));
        self
    }

    /// Reports every mistake in the settings, for a test of the Worker that uses them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloudflare_isr::{Builder, RouteBuilder};
    ///
    /// let settings = Builder::default().miss_timeout(Duration::from_secs(90)).route("/*", RouteBuilder::default());
    /// let error = settings.check().unwrap_err();
    /// assert_eq!(error.problems()[0].setting(), "ISR.miss_timeout");
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`], with all mistakes. Missing bindings and secrets are reported when the Worker runs.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.build().map(drop)
    }

    /// Builds the configuration.
    ///
    /// # Errors
    ///
    /// As [`Config::from_json`].
    #[doc(hidden)]
    pub fn build(&self) -> Result<Config, ConfigError> {
        Config::from_json(&self.to_json())
    }

    /// Returns the settings in the form of `[vars.ISR]`, overridden by those of a variable: each setting of the top
    /// level, and each route as a whole.
    #[must_use]
    #[doc(hidden)]
    pub fn overridden_by(&self, variable: &Value) -> Value {
        let Value::Object(variable) = variable else {
            return variable.clone();
        };
        let mut settings = self.0.clone();
        for (name, value) in variable {
            match (settings.get_mut(name), value) {
                (Some(Value::Object(routes)), Value::Object(others)) if name == ROUTES.setting.name => {
                    routes.extend(others.clone());
                }
                _ => drop(settings.insert(name.clone(), value.clone())),
            }
        }
        Value::Object(settings)
    }
}

impl RouteBuilder {
    /// Adds a header to requests to the origin. A route with such headers does not use those of the top level.
    #[must_use]
    pub fn render_header(mut self, name: &str, value: impl Into<RenderValue>) -> Self {
        put(&mut self.0, &RENDER_HEADERS.setting, name, render_value(value.into()));
        self
    }

    /// Sets the statuses that are stored.
    #[must_use]
    pub fn statuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.set(&STATUSES.setting, statuses.into_iter().collect());
        self
    }

    /// Sets the query parameters that are part of a page's key.
    #[must_use]
    pub fn query(mut self, names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(&QUERY.setting, List::<String>::write(names));
        self
    }

    /// Makes every query parameter part of a page's key, except those of [`Builder::ignore_query`].
    #[must_use]
    pub fn all_query(mut self) -> Self {
        self.set(&QUERY.setting, json!(ALL_QUERY));
        self
    }

    /// Sets the properties of a request that select one of several variants of a page.
    #[must_use]
    pub fn vary(mut self, vary: VaryBuilder) -> Self {
        self.set(&VARY.setting, Value::Object(vary.0));
        self
    }
}

impl VaryBuilder {
    /// Adds a cookie and its values. Any other value has the same effect as no cookie.
    #[must_use]
    pub fn cookie(mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        put(&mut self.0, &COOKIE.setting, name, List::<String>::write(values));
        self
    }

    /// Adds a request header and its values. Any other value has the same effect as no header.
    #[must_use]
    pub fn header(mut self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        put(&mut self.0, &HEADER.setting, name, List::<String>::write(values));
        self
    }
}

impl WebhookBuilder {
    /// Begins with the scheme of the signature, and the name of the Worker's secret that the sender shares.
    #[must_use]
    pub fn new(scheme: Scheme, secret: &str) -> Self {
        let settings = [(SCHEME.setting.name, json!(scheme.as_str())), (WEBHOOK_SECRET.setting.name, json!(secret))];
        Self(settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Sets the JSON pointer to the delivery's id in the body, for senders that do not send it in a header.
    #[must_use]
    pub fn delivery_id(mut self, pointer: &str) -> Self {
        self.0.insert(DELIVERY_ID.setting.name.to_owned(), json!(pointer));
        self
    }

    /// Adds a rule. All rules are applied to each delivery.
    #[must_use]
    pub fn rule(mut self, rule: RuleBuilder) -> Self {
        let rules = self.0.entry(RULES.setting.name).or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(Value::Object(rule.0));
        }
        self
    }
}

impl RuleBuilder {
    /// Adds a condition: the value at a JSON pointer (RFC 6901) is one of these.
    #[must_use]
    pub fn when(mut self, pointer: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        put(&mut self.0, &WHEN.setting, pointer, List::<String>::write(values));
        self
    }

    /// Invalidates paths. `{/pointer}` stands for the value at this place of the body, and for each item of a list.
    #[must_use]
    pub fn path(mut self, templates: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(&PATH.setting, List::<String>::write(templates));
        self
    }

    /// Invalidates paths and all below them.
    #[must_use]
    pub fn prefix(mut self, templates: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(&PREFIX.setting, List::<String>::write(templates));
        self
    }

    /// Invalidates the routes with these patterns.
    #[must_use]
    pub fn route(mut self, templates: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(&ROUTE.setting, List::<String>::write(templates));
        self
    }

    /// Invalidates all pages with these tags.
    #[must_use]
    pub fn tag(mut self, templates: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.set(&TAG.setting, List::<String>::write(templates));
        self
    }
}

/// Adds an entry to the table that is the value of a setting.
fn put(settings: &mut Map<String, Value>, table: &Setting, name: &str, value: Value) {
    settings.entry(table.name).or_insert_with(|| json!({}))[name] = value;
}

fn render_value(value: RenderValue) -> Value {
    match value {
        RenderValue::Text(text) => json!(text),
        RenderValue::Secret(name) => json!({ SECRET: name }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::super::{L2Kind, SETTINGS, SettingLevel, ValueKind};
    use super::*;
    use crate::route::TrailingSlash;
    use crate::semantics::freshness::Revalidate;

    const MINUTE: Duration = Duration::from_mins(1);

    /// One setting of each kind that has generated setters, and all that have setters of their own.
    fn each_kind() -> Builder {
        let vary = VaryBuilder::default()
            .language(["en", "de"])
            .device(["desktop"])
            .country(["DE"])
            .cookie("theme", ["dark"])
            .cookie("size", ["large"])
            .header("X-Ab", ["a"]);
        let route = RouteBuilder::default()
            .revalidate(MINUTE)
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
            .first_byte_timeout(MINUTE)
            .expose_headers(false)
            .canonical_origin("https://e.com")
            .l2(L2Kind::R2)
            .render_header("Authorization", RenderValue::Secret("SITE_TOKEN".to_owned()))
            .render_header("X-Preview", "off")
            .render_sensitive_headers(["authorization"])
            .webhook(
                "cms",
                WebhookBuilder::new(Scheme::Github, "CMS_SECRET")
                    .delivery_id("/id")
                    .rule(RuleBuilder::default().tag(["x"])),
            )
            .route("/a", route)
    }

    #[test]
    fn setters_write_what_the_parser_accepts() {
        let builder = each_kind();
        builder.build().unwrap();
        let route = json!({
            "revalidate": 60, "trailing_slash": "keep", "statuses": [200, 404], "tags": ["a", "b"], "shards": 2, "max_pages": 3,
            "query": ["page"], "origin": "SHOP_ORIGIN", "render_headers": { "X-Preview": "off" },
            "vary": {
                "language": ["en", "de"], "device": ["desktop"], "country": ["DE"],
                "cookie": { "theme": ["dark"], "size": ["large"] }, "header": { "X-Ab": ["a"] },
            },
        });
        let all = json!({
            "revalidate": false, "not_found_revalidate": 0, "expire": 60, "first_byte_timeout": 60, "expose_headers": false,
            "canonical_origin": "https://e.com", "l2": "r2",
            "render_headers": { "Authorization": { "secret": "SITE_TOKEN" }, "X-Preview": "off" },
            "render_sensitive_headers": ["authorization"],
            "webhooks": {
                "cms": {
                    "scheme": "github", "secret": "CMS_SECRET", "delivery_id": "/id", "rules": [{ "tag": ["x"] }],
                },
            },
            "routes": { "/a": route },
        });
        assert_eq!(builder.to_json(), all);
        let all_query = Builder::default().route("/a", RouteBuilder::default().all_query());
        all_query.build().unwrap();
        assert_eq!(all_query.to_json(), json!({ "routes": { "/a": { "query": "all" } } }));
    }

    #[test]
    fn settings_without_generated_setters_have_setters() {
        let json = each_kind().to_json();
        let route = &json["routes"]["/a"];
        for (level, table) in
            [(SettingLevel::TopLevel, &json), (SettingLevel::Route, route), (SettingLevel::Vary, &route["vary"])]
        {
            let written: BTreeSet<&str> = table.as_object().unwrap().keys().map(String::as_str).collect();
            for setting in SETTINGS.iter().filter(|setting| setting.is_accepted_in(level)) {
                let is_generated = match setting.kind {
                    ValueKind::Lifetime(_)
                    | ValueKind::Number(_)
                    | ValueKind::Flag
                    | ValueKind::Word(_)
                    | ValueKind::Text(_)
                    | ValueKind::List(_) => true,
                    ValueKind::Query(_)
                    | ValueKind::Statuses
                    | ValueKind::RenderHeaders
                    | ValueKind::ValuesByName { .. }
                    | ValueKind::Vary
                    | ValueKind::Texts(_)
                    | ValueKind::Conditions
                    | ValueKind::Rules
                    | ValueKind::Webhooks
                    | ValueKind::Routes => false,
                };
                assert!(is_generated || written.contains(setting.name), "{}", setting.name);
            }
        }
    }

    #[test]
    fn a_variable_overrides_the_settings_of_the_code() {
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
