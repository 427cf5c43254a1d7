//! `env`: configuration, secrets and bindings. `deployment` remembers what was read from each `env`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::config::{Binding, Builder, Config, ConfigError, Needs, PURGE_TOKEN, render_secrets, webhook_secrets};
use crate::deployment::DeploymentId;
use crate::edge::caches::in_isolate::InIsolate;
use crate::edge::caches::l2;
use crate::edge::deployment::{self, Deployment};
use crate::edge::platform::js::{self, ObjectNamespace};
use crate::route::{RenderValue, Route, check_render_value};
use crate::secret::Secret;
use crate::semantics::render_signature::RenderSecret;
use crate::tag_index_name::TagIndexName;
use crate::visit::classify::Rules;
use crate::webhook::Webhook;

thread_local! {
    /// The settings given in code. Edge and objects have the same, because each isolate runs the same code.
    static GIVEN: RefCell<Option<Builder>> = const { RefCell::new(None) };
}

/// The token of an API, from `env`. It is sent, and never shown.
pub(in crate::edge) struct ApiToken(String);

impl ApiToken {
    fn read(env: &Env, name: &str) -> Option<Self> {
        text(env, name).map(Self)
    }

    /// Returns the token, for the header that carries it.
    pub(in crate::edge) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a secret. An empty one counts as missing.
fn text(env: &Env, name: &str) -> Option<String> {
    Reflect::get(env, &name.into()).ok()?.as_string().filter(|text| !text.is_empty())
}

/// Reads a secret that clients must present.
fn secret(env: &Env, name: &str) -> Option<Secret> {
    text(env, name).as_deref().map(Secret::new)
}

/// Reads the secret `ISR_ADMIN_TOKEN`, also while the settings are not valid.
pub(in crate::edge) fn admin_token(env: &Env) -> Option<Secret> {
    secret(env, "ISR_ADMIN_TOKEN")
}

/// The settings in an `env`.
pub(in crate::edge) struct Settings {
    /// What this isolate knows of the deployment.
    pub(in crate::edge) deployment: Rc<Deployment>,
    /// The in-isolate tier.
    pub(in crate::edge) memory: Rc<InIsolate>,
    /// The name of L1 in the Cache API.
    pub(in crate::edge) l1_name: String,
    /// The variable `ISR`.
    pub(in crate::edge) config: Config,
    /// The secret `ISR_ADMIN_TOKEN`: allows invalidation over HTTP.
    pub(in crate::edge) admin_token: Option<Secret>,
    /// The secret `ISR_BYPASS_TOKEN`: shows the uncached origin.
    pub(in crate::edge) bypass_token: Option<Secret>,
    /// The secret `ISR_PURGE_TOKEN`, if `zone_purge` is set: allows purges of the zone.
    pub(in crate::edge) purge_token: Option<ApiToken>,
    /// The secret `ISR_RENDER_SECRET`: signs renders, and verifies them on arrival.
    pub(in crate::edge) render_secret: Option<RenderSecret>,
    /// The secrets that `render_headers` names. They are sent, and never shown.
    header_secrets: BTreeMap<String, String>,
    /// The secrets of the webhooks. They are never shown.
    webhook_secrets: BTreeMap<String, String>,
}

impl Settings {
    /// Returns the settings in an `env`, or all their problems.
    pub(in crate::edge) fn of(env: &Env) -> Result<Rc<Self>, Rc<ConfigError>> {
        deployment::settings(env, || Self::read(env))
    }

    /// Returns the settings that the classification of a request depends on.
    pub(in crate::edge) fn rules(&self) -> Rules<'_> {
        Rules { config: &self.config, bypass_token: self.bypass_token.as_ref() }
    }

    /// Returns the `render_headers` of a route.
    pub(in crate::edge) fn render_headers<'a>(&'a self, route: &'a Route) -> impl Iterator<Item = (&'a str, &'a str)> {
        route.render_headers().iter().filter_map(|(name, value)| match value {
            RenderValue::Text(text) => Some((name.as_str(), text.as_str())),
            // A valid configuration has all of its secrets.
            RenderValue::Secret(secret) => Some((name.as_str(), self.header_secrets.get(secret)?.as_str())),
        })
    }

    /// Returns the secret of a webhook.
    pub(in crate::edge) fn webhook_secret(&self, webhook: &Webhook) -> &str {
        // A valid configuration has all of its secrets.
        self.webhook_secrets.get(&webhook.secret).map(String::as_str).unwrap_or_default()
    }

    fn read(env: &Env) -> Result<Self, ConfigError> {
        let config = config(env);
        let missing = match &config {
            Ok(config) => missing_bindings(env, &Needs::of(config)),
            // The mistakes in the settings are reported by themselves.
            Err(_) => missing_bindings(env, &Needs::of_invalid(given(env).as_ref())),
        };
        let purges_zone = config.as_ref().is_ok_and(|config| config.zone_purge.is_some());
        let purge_token = ApiToken::read(env, PURGE_TOKEN).filter(|_| purges_zone);
        let no_token = (purges_zone && purge_token.is_none()).then(|| ConfigError::missing_purge_token(PURGE_TOKEN));
        let (header_secrets, wrong_secrets) = header_secrets(env, config.as_ref().ok());
        let (webhook_secrets, wrong_webhooks) = secrets_of_webhooks(env, config.as_ref().ok());
        let wrong_secrets = wrong_secrets.into_iter().chain(wrong_webhooks);
        let missing = missing.into_iter().chain(no_token).chain(wrong_secrets).reduce(ConfigError::and);
        match (config, missing) {
            (Ok(config), None) => {
                let id = identity(env)?;
                Ok(Self {
                    deployment: Deployment::of(id, config.tag_shards),
                    memory: InIsolate::new(&config),
                    l1_name: id.cache_name(&config.cache_name),
                    config,
                    admin_token: admin_token(env),
                    bypass_token: secret(env, "ISR_BYPASS_TOKEN"),
                    purge_token,
                    render_secret: text(env, "ISR_RENDER_SECRET").as_deref().and_then(RenderSecret::new),
                    header_secrets,
                    webhook_secrets,
                })
            }
            (Ok(_), Some(error)) | (Err(error), None) => Err(error),
            (Err(error), Some(missing)) => Err(error.and(missing)),
        }
    }
}

/// Returns the identity of the deployment. It is known without a call.
fn identity(env: &Env) -> Result<DeploymentId, ConfigError> {
    let name = Binding::TagIndex.default_name();
    let root = js::binding::<ObjectNamespace>(env, name).and_then(|namespace| {
        let id = namespace.id_from_name(&TagIndexName::ROOT.to_string()).ok()?;
        Some(String::from(id.to_string()))
    });
    // A binding of this name that is no namespace of Durable Objects is as good as none.
    root.map(|root| DeploymentId::of_tag_index(&root))
        .ok_or_else(|| ConfigError::missing_binding(Binding::TagIndex, name))
}

/// Reads the secrets that `render_headers` names, by name. Reports those that are missing or can't be sent.
fn header_secrets(env: &Env, config: Option<&Config>) -> (BTreeMap<String, String>, Option<ConfigError>) {
    let names = config.map(render_secrets).unwrap_or_default();
    let mut secrets = BTreeMap::new();
    let mut errors = Vec::new();
    for name in names {
        match text(env, name).map(|value| check_render_value(&value).map(|()| value)) {
            None => errors.push(ConfigError::missing_render_secret(name)),
            Some(Err(error)) => errors.push(ConfigError::malformed_render_secret(name, error)),
            Some(Ok(value)) => drop(secrets.insert(name.to_owned(), value)),
        }
    }
    (secrets, errors.into_iter().reduce(ConfigError::and))
}

/// Reads the secrets of the webhooks, by name. Reports those that are missing or that a scheme can't use.
fn secrets_of_webhooks(env: &Env, config: Option<&Config>) -> (BTreeMap<String, String>, Option<ConfigError>) {
    let mut secrets = BTreeMap::new();
    let mut errors = Vec::new();
    for (name, schemes) in config.map(webhook_secrets).unwrap_or_default() {
        match text(env, name) {
            None => errors.push(ConfigError::missing_webhook_secret(name)),
            Some(secret) if schemes.iter().any(|scheme| !scheme.accepts_secret(&secret)) => {
                errors.push(ConfigError::malformed_webhook_secret(name));
            }
            Some(secret) => drop(secrets.insert(name.to_owned(), secret)),
        }
    }
    (secrets, errors.into_iter().reduce(ConfigError::and))
}

/// Reports missing bindings.
fn missing_bindings(env: &Env, needs: &Needs) -> Option<ConfigError> {
    needs.missing(l2::is_own(), |name| js::binding::<JsValue>(env, name).is_some())
}

/// Stores settings that are given in code.
pub(in crate::edge) fn give(settings: Builder) {
    GIVEN.set(Some(settings));
    deployment::forget_settings();
}

/// Reads the variable `ISR`, the settings given in code, or both. Does not check bindings or secrets.
pub(in crate::edge) fn config(env: &Env) -> Result<Config, ConfigError> {
    match given(env) {
        None => Err(ConfigError::missing_binding(Binding::Settings, Binding::Settings.default_name())),
        Some(settings) => Config::from_json(&settings),
    }
}

/// Returns the settings as they are written, whether or not they are valid.
fn given(env: &Env) -> Option<serde_json::Value> {
    let variable = variable(env);
    GIVEN.with_borrow(|given| match (given, variable) {
        (None, variable) => variable,
        (Some(given), None) => Some(given.to_json()),
        (Some(given), Some(variable)) => Some(given.overridden_by(&variable)),
    })
}

/// The variable is a table in wrangler.toml. It may be JSON text if it is set by hand.
fn variable(env: &Env) -> Option<serde_json::Value> {
    let value: JsValue = js::binding(env, Binding::Settings.default_name())?;
    let text = match value.as_string() {
        Some(text) => text,
        None => JSON::stringify(&value).map(String::from).ok()?,
    };
    Some(Config::variable_from_text(text))
}
