//! `env`: configuration, secrets and bindings. Parsed once per isolate: a deployment never changes them in place.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use js_sys::{JSON, Reflect};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::config::{Binding, Builder, Config, ConfigError, Origin};
use crate::edge::front::Exports;
use crate::edge::js::{self, Fetcher, ObjectNamespace};
use crate::edge::l2::KvNamespace;
use crate::edge::site::Site;

thread_local! {
    /// What was given in code, to edge and objects alike: each isolate runs the same code.
    static GIVEN: RefCell<Option<Builder>> = const { RefCell::new(None) };
    static SETTINGS: OnceCell<Result<Rc<Settings>, Rc<ConfigError>>> = const { OnceCell::new() };
}

/// A secret from `env`. It is compared by its digest, in constant time, and is never shown.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

impl Secret {
    fn read(env: &Env, name: &str) -> Option<Self> {
        let text = Reflect::get(env, &name.into()).ok()?.as_string().filter(|text| !text.is_empty())?;
        Some(Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// Tells whether a visitor knows the secret.
    pub(super) fn is(&self, claim: &str) -> bool {
        let claim: [u8; 32] = Sha256::digest(claim.as_bytes()).into();
        self.0.ct_eq(&claim).into()
    }
}

/// The token of an API, from `env`. It is sent, and never shown.
pub(super) struct ApiToken(String);

impl ApiToken {
    fn read(env: &Env, name: &str) -> Option<Self> {
        Reflect::get(env, &name.into()).ok()?.as_string().filter(|text| !text.is_empty()).map(Self)
    }

    /// Returns the token, for the header that carries it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The secret with which a zone's cache is purged.
const PURGE_TOKEN: &str = "ISR_PURGE_TOKEN";

/// What a deployment is made with.
pub(super) struct Settings {
    /// The variable `ISR`.
    pub(super) config: Config,
    /// The secret `ISR_ADMIN_TOKEN`: who has it may invalidate over HTTP.
    pub(super) admin_token: Option<Secret>,
    /// The secret `ISR_BYPASS_TOKEN`: who has it sees the site uncached.
    pub(super) bypass_token: Option<Secret>,
    /// The secret `ISR_PURGE_TOKEN`, if `zone_purge` is set: with it the zone is purged.
    pub(super) purge_token: Option<ApiToken>,
}

impl Settings {
    /// Returns this deployment's settings, or all that is wrong with them.
    pub(super) fn of(env: &Env) -> Result<Rc<Self>, Rc<ConfigError>> {
        SETTINGS.with(|settings| {
            settings
                .get_or_init(|| {
                    Self::read(env).map(Rc::new).map_err(|error| {
                        worker::console_error!("cloudflare-isr is not configured:\n{error}");
                        Rc::new(error)
                    })
                })
                .clone()
        })
    }

    fn read(env: &Env) -> Result<Self, ConfigError> {
        let config = config(env);
        let has_origin = config.as_ref().is_ok_and(|config| config.origin.is_some());
        let needed = [Binding::Coordinator, Binding::TagIndex, Binding::Cache, Binding::Origin];
        let missing = needed
            .into_iter()
            .filter(|binding| !(*binding == Binding::Origin && has_origin))
            .map(|binding| (binding, binding.default_name()))
            .filter(|(_, name)| js::binding::<JsValue>(env, name).is_none())
            .map(|(binding, name)| ConfigError::missing_binding(binding, name))
            .reduce(ConfigError::and);
        let purges_zone = config.as_ref().is_ok_and(|config| config.zone_purge.is_some());
        let purge_token = ApiToken::read(env, PURGE_TOKEN).filter(|_| purges_zone);
        let no_token = (purges_zone && purge_token.is_none()).then(|| ConfigError::missing_purge_token(PURGE_TOKEN));
        let missing = missing.into_iter().chain(no_token).reduce(ConfigError::and);
        match (config, missing) {
            (Ok(config), None) => Ok(Self {
                config,
                admin_token: Secret::read(env, "ISR_ADMIN_TOKEN"),
                bypass_token: Secret::read(env, "ISR_BYPASS_TOKEN"),
                purge_token,
            }),
            (Ok(_), Some(error)) | (Err(error), None) => Err(error),
            (Err(error), Some(missing)) => Err(error.and(missing)),
        }
    }
}

/// Takes settings that are given in code.
pub(super) fn give(settings: Builder) {
    GIVEN.set(Some(settings));
}

/// Reads the variable `ISR`, or what was given in code, or both, whatever else may be missing.
pub(super) fn config(env: &Env) -> Result<Config, ConfigError> {
    let variable = variable(env);
    GIVEN.with_borrow(|given| match (given, variable) {
        (None, None) => Err(ConfigError::missing_binding(Binding::Settings, Binding::Settings.default_name())),
        (None, Some(variable)) => Config::from_json(&variable),
        (Some(given), None) => given.build(),
        (Some(given), Some(variable)) => Config::from_json(&given.overridden_by(&variable)),
    })
}

/// The variable is a table in wrangler.toml, and may be JSON text where it is set by hand.
fn variable(env: &Env) -> Option<serde_json::Value> {
    let value: JsValue = js::binding(env, Binding::Settings.default_name())?;
    let text = match value.as_string() {
        Some(text) => text,
        None => JSON::stringify(&value).map(String::from).ok()?,
    };
    Some(serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))
}

/// Returns the namespace of coordinators. [`Settings::of`] has seen that it is there.
pub(super) fn coordinators(env: &Env) -> Option<ObjectNamespace> {
    js::binding(env, Binding::Coordinator.default_name())
}

/// Returns the namespace of the tag index.
pub(super) fn tag_indexes(env: &Env) -> Option<ObjectNamespace> {
    js::binding(env, Binding::TagIndex.default_name())
}

/// Returns L2.
pub(super) fn l2(env: &Env) -> Option<KvNamespace> {
    js::binding(env, Binding::Cache.default_name())
}

/// Returns the site; `None` if that is this Worker itself.
pub(super) fn site(env: &Env, config: &Config) -> Option<Site> {
    match &config.origin {
        Some(Origin::Url(url)) => Some(Site::Url(url.as_str().to_owned())),
        Some(Origin::Own) => None,
        None => js::binding::<Fetcher>(env, Binding::Origin.default_name()).map(Site::Service),
    }
}

/// Returns the site as a coordinator reaches it, also if it is this Worker itself.
pub(super) fn renderer(env: &Env, config: &Config, exports: &Exports) -> Option<Site> {
    match &config.origin {
        Some(Origin::Own) => Some(Site::Own(exports.clone())),
        _ => site(env, config),
    }
}
