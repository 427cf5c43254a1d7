//! An environment of a configuration: what wrangler would deploy, and what is wrong with it.

use cloudflare_isr::internals::config::{
    Binding, Config, ConfigError, Needs, PURGE_TOKEN, Problem, render_secrets, webhook_secrets,
};
use serde_json::{Value, json};

/// The arrays of bindings that can render pages, and the field with the name of each binding.
const ORIGINS: [&str; 5] = ["services", "vpc_services", "vpc_networks", "mtls_certificates", "dispatch_namespaces"];

/// The Durable Object classes, by their bindings.
const CLASSES: [(Binding, &str); 2] = [(Binding::Coordinator, "IsrCoordinator"), (Binding::TagIndex, "IsrTagIndex")];

/// What a Worker brings itself, so that it need not be in the file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    /// Settings in code.
    pub(super) settings: bool,
    /// A store for pages.
    pub(super) l2: bool,
}

/// Something that is wrong, or that can't be seen in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// The path below the environment, of which the line is to be found.
    pub(super) path: String,
    /// What it is about: a setting, a binding or a secret.
    pub(super) subject: String,
    /// What is wrong, and what to write instead.
    pub(super) message: String,
}

/// An environment.
pub(super) struct Deployment<'a> {
    /// The table of the environment: the whole file for the top level.
    table: &'a Value,
    /// The whole file, for what environments inherit.
    top: &'a Value,
}

impl<'a> Deployment<'a> {
    /// Describes the top level.
    pub(super) const fn top(file: &'a Value) -> Self {
        Self { table: file, top: file }
    }

    /// Describes an environment.
    pub(super) const fn env(table: &'a Value, file: &'a Value) -> Self {
        Self { table, top: file }
    }

    /// Returns whether anything in it belongs to the cache.
    pub(super) fn has_cache(&self) -> bool {
        self.variable().is_some() || CLASSES.iter().any(|(binding, _)| self.is_bound(binding.default_name()))
    }

    /// Lists what is wrong.
    pub(super) fn problems(&self, own: Own) -> Vec<Finding> {
        let settings = self.settings(own);
        let config = settings.as_ref().map(Config::from_json);
        let needs = match &config {
            Some(Ok(config)) => Needs::of(config),
            // With settings in code, only the Worker knows where its pages come from.
            Some(Err(_)) | None => Needs::of_invalid(settings.as_ref()),
        };
        let unset = settings.is_none().then(|| {
            let name = Binding::Settings.default_name();
            ConfigError::missing_binding(Binding::Settings, name)
        });
        let invalid = config.and_then(Result::err);
        let missing = needs.missing(own.l2, |name| self.is_bound(name) || (own.settings && !is_ours(name)));
        let errors = unset.into_iter().chain(invalid).chain(missing).chain(self.without_sqlite());
        let mut problems: Vec<Finding> = errors.flat_map(|error| findings(&error)).collect();
        problems.extend(self.without_migration());
        problems
    }

    /// Lists what a file can't tell.
    pub(super) fn notes(&self, own: Own) -> Vec<Finding> {
        let settings = self.settings(own);
        if settings.is_none() {
            let message =
                "a Worker in Rust may have its settings in code: then check the file with --in-code".to_owned();
            return vec![Finding {
                path: String::new(),
                subject: Binding::Settings.default_name().to_owned(),
                message,
            }];
        }
        let Some(Ok(config)) = settings.as_ref().map(Config::from_json) else {
            return Vec::new();
        };
        let mut secrets: Vec<&str> =
            render_secrets(&config).into_iter().chain(webhook_secrets(&config).into_keys()).collect();
        secrets.extend(config.zone_purge.is_some().then_some(PURGE_TOKEN));
        let note = |name: &str| Finding {
            path: String::new(),
            subject: name.to_owned(),
            message: "the settings need this secret. `npx wrangler secret list` shows whether it is set".to_owned(),
        };
        secrets.into_iter().filter(|name| self.table["vars"].get(name).is_none()).map(note).collect()
    }

    /// Returns the variable `ISR`. It may be JSON text.
    fn variable(&self) -> Option<Value> {
        let variable = self.table["vars"].get(Binding::Settings.default_name())?;
        Some(match variable {
            Value::String(text) => Config::variable_from_text(text.clone()),
            other => other.clone(),
        })
    }

    /// Returns the settings that are to be valid. What may be in code stands in for what is missing.
    fn settings(&self, own: Own) -> Option<Value> {
        let mut settings = match self.variable() {
            None if own.settings => json!({}),
            variable => variable?,
        };
        if let (true, Some(table)) = (own.settings, settings.as_object_mut()) {
            table.entry("routes").or_insert_with(|| json!({ "/*": {} }));
        }
        Some(settings)
    }

    /// Returns whether a binding of the right kind has this name.
    fn is_bound(&self, name: &str) -> bool {
        let is = |binding: Binding| name == binding.default_name();
        if is(Binding::Coordinator) || is(Binding::TagIndex) {
            self.object(name).is_some()
        } else if is(Binding::Cache) {
            self.names("kv_namespaces").any(|it| it == name)
        } else if is(Binding::Bucket) {
            self.names("r2_buckets").any(|it| it == name)
        } else {
            let is_assets = self.table["assets"]["binding"] == name;
            is_assets || ORIGINS.iter().any(|array| self.names(array).any(|it| it == name))
        }
    }

    fn names(&self, array: &str) -> impl Iterator<Item = &str> {
        self.table[array].as_array().into_iter().flatten().filter_map(|binding| binding["binding"].as_str())
    }

    /// Returns the binding of a Durable Object class.
    fn object(&self, name: &str) -> Option<&Value> {
        self.table["durable_objects"]["bindings"].as_array()?.iter().find(|binding| binding["name"] == name)
    }

    /// Returns the classes of the cache that this Worker has itself, by their bindings.
    fn own_classes(&self) -> impl Iterator<Item = (Binding, &str)> {
        CLASSES.iter().filter_map(|(binding, _)| {
            let object = self.object(binding.default_name())?;
            // A class of another Worker needs no migration here.
            object.get("script_name").is_none().then_some((*binding, object["class_name"].as_str()?))
        })
    }

    /// Returns the classes that migrations make by a field. Environments inherit migrations.
    fn migrated(&self, field: &str) -> impl Iterator<Item = &Value> {
        let migrations = self.table.get("migrations").unwrap_or(&self.top["migrations"]);
        let steps = migrations.as_array().into_iter().flatten();
        steps.filter_map(move |step| step[field].as_array()).flatten()
    }

    fn without_sqlite(&self) -> Option<ConfigError> {
        let has_no_sqlite = |class: &str| self.migrated("new_classes").any(|made| made == class);
        self.own_classes().any(|(_, class)| has_no_sqlite(class)).then(ConfigError::needs_sqlite)
    }

    fn without_migration(&self) -> Vec<Finding> {
        let is_made = |class: &str| {
            ["new_sqlite_classes", "new_classes"].iter().any(|field| self.migrated(field).any(|made| made == class))
                || ["renamed_classes", "transferred_classes"]
                    .iter()
                    .any(|field| self.migrated(field).any(|made| made["to"] == class))
        };
        let missing = self.own_classes().filter(|(_, class)| !is_made(class));
        let finding = |(binding, class): (Binding, &str)| Finding {
            path: "migrations".to_owned(),
            subject: binding.default_name().to_owned(),
            message: format!(
                "no migration makes the class `{class}`; add to the configuration:\n    [[migrations]]\n    tag = \
                 \"v1\" # another tag than those that are there\n    new_sqlite_classes = [\"{class}\"]"
            ),
        };
        let swapped = CLASSES.iter().filter_map(|(binding, expected)| {
            let class = self.object(binding.default_name())?["class_name"].as_str()?;
            let is_other = CLASSES.iter().any(|(_, known)| *known == class && known != expected);
            is_other.then(|| Finding {
                path: "durable_objects.bindings".to_owned(),
                subject: binding.default_name().to_owned(),
                message: format!("this binding has the class `{class}`; write class_name = \"{expected}\""),
            })
        });
        missing.map(finding).chain(swapped).collect()
    }
}

/// Returns whether a binding is not an origin.
fn is_ours(name: &str) -> bool {
    [Binding::Coordinator, Binding::TagIndex, Binding::Cache, Binding::Bucket]
        .iter()
        .any(|it| it.default_name() == name)
}

/// Makes findings of the problems of an error.
fn findings(error: &ConfigError) -> Vec<Finding> {
    let finding = |problem: &Problem| {
        let subject = problem.setting().to_owned();
        Finding { path: format!("vars.{subject}"), message: problem.kind().to_string(), subject }
    };
    error.problems().iter().map(finding).collect()
}
