//! The table `webhooks`: each webhook, and its rules.

use serde_json::Value;

use super::message::key;
use super::reader::Reader;
use super::setting::{MAX_CONDITIONS, Setting, SettingLevel};
use super::settings::{
    DELIVERY_ID, EVERYTHING, MODE, PATH, PREFIX, REFRESH, ROUTE, RULES, SCHEME, SECRET, TAG, WEBHOOKS, WHEN,
};
use super::value_error::{ValueError, ValueType};
use super::vary_values::MAX_VALUES;
use crate::invalidation::TargetField;
use crate::route::MAX_BINDING_NAME_CHARS;
use crate::webhook::{
    Condition, MAX_RULES, MAX_WEBHOOKS, Pointer, Rule, Scheme, TargetTemplate, Template, Webhook, Webhooks,
};

/// The longest name of a webhook.
pub const MAX_WEBHOOK_NAME_CHARS: usize = 64;

/// The most templates of one kind in a rule.
pub(super) const MAX_TEMPLATES: usize = 20;

/// Reads the table `webhooks`.
pub(super) fn read(top: &mut Reader<'_, '_>) -> Webhooks {
    let setting = &WEBHOOKS.setting;
    let mut webhooks = Webhooks::new();
    for (name, value) in top.entries(setting, MAX_WEBHOOKS).into_iter().flatten() {
        let path = format!("{}.{}", top.path_of(setting), key(name));
        let is_valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !is_valid || name.is_empty() || name.len() > MAX_WEBHOOK_NAME_CHARS {
            top.report_value(path, setting, value, ValueError::InvalidName);
            continue;
        }
        let webhook = top.child(path, SettingLevel::Webhook, value).and_then(|mut table| webhook(&mut table));
        webhooks.extend(webhook.map(|webhook| (name.clone(), webhook)));
    }
    webhooks
}

fn webhook(table: &mut Reader<'_, '_>) -> Option<Webhook> {
    for setting in [&SCHEME.setting, &SECRET.setting] {
        table.require(setting);
    }
    let (scheme, secret, rules) = (SCHEME.read(table), SECRET.read(table), rules(table));
    let delivery_id = DELIVERY_ID.read(table);
    Some(Webhook { scheme: scheme?, secret: secret?, delivery_id, rules: rules? })
}

fn rules(webhook: &mut Reader<'_, '_>) -> Option<Vec<Rule>> {
    let setting = &RULES.setting;
    let values = webhook.required_items(setting, MAX_RULES)?;
    let mut rules = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        let path = format!("{}[{at}]", webhook.path_of(setting));
        let Some(rule) = webhook.child(path.clone(), SettingLevel::Rule, value).map(|mut table| rule(&mut table))
        else {
            continue;
        };
        let names_nothing = ![&PATH, &PREFIX, &ROUTE, &TAG].iter().any(|field| value.get(field.setting.name).is_some());
        if names_nothing && !rule.everything {
            webhook.report_value(path, setting, value, ValueError::NoTarget);
        }
        rules.push(rule);
    }
    Some(rules)
}

fn rule(table: &mut Reader<'_, '_>) -> Rule {
    let mut targets = Vec::new();
    for (field, setting) in [
        (TargetField::Path, &PATH),
        (TargetField::Prefix, &PREFIX),
        (TargetField::Route, &ROUTE),
        (TargetField::Tag, &TAG),
    ] {
        let templates = setting.read(table).unwrap_or_default();
        targets.extend(templates.into_iter().map(|template| TargetTemplate { field, template }));
    }
    Rule {
        when: WHEN.read(table).unwrap_or_default(),
        targets,
        everything: EVERYTHING.read_or_default(table),
        mode: MODE.read_or_default(table),
        refresh: REFRESH.read_or_default(table),
    }
}

/// Reads `scheme`.
pub(super) fn scheme(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Scheme> {
    table.text(setting, |word| Scheme::parse(word).ok_or(ValueError::UnknownWord))
}

/// Reads the name of a secret.
pub(super) fn secret(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<String> {
    table.text(setting, |name| {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match name.as_bytes() {
            [] => Err(ValueError::Empty),
            bytes if bytes.len() > MAX_BINDING_NAME_CHARS => Err(ValueError::TooLong { bytes: bytes.len() }),
            [first, ..] if first.is_ascii_digit() => Err(ValueError::InvalidName),
            bytes if !bytes.iter().copied().all(is_word) => Err(ValueError::InvalidName),
            _ => Ok(name.to_owned()),
        }
    })
}

/// Reads `delivery_id`.
pub(super) fn pointer(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Pointer> {
    table.text(setting, |text| Ok(Pointer::parse(text)?))
}

/// Parses a template.
pub(super) fn template(text: &str) -> Result<Template, ValueError> {
    Ok(Template::parse(text)?)
}

/// Reads `when`.
pub(super) fn conditions(setting: &Setting, table: &mut Reader<'_, '_>) -> Option<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (pointer, value) in table.entries(setting, MAX_CONDITIONS)? {
        match condition(pointer, value) {
            Ok(condition) => conditions.push(condition),
            Err(error) => {
                table.report_value(format!("{}.{}", table.path_of(setting), key(pointer)), setting, value, error);
            }
        }
    }
    Some(conditions)
}

fn condition(pointer: &str, value: &Value) -> Result<Condition, ValueError> {
    let values = match value {
        Value::Array(values) if values.is_empty() => return Err(ValueError::Empty),
        Value::Array(values) if values.len() > MAX_VALUES => {
            return Err(ValueError::TooManyEntries { entries: values.len() });
        }
        Value::Array(values) => values.iter().map(scalar).collect::<Result<_, _>>()?,
        value => vec![scalar(value)?],
    };
    Ok(Condition { pointer: Pointer::parse(pointer)?, values })
}

fn scalar(value: &Value) -> Result<String, ValueError> {
    crate::webhook::scalar(value).ok_or(ValueError::not(ValueType::Text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Builder, Config, RouteBuilder, RuleBuilder, WebhookBuilder};
    use super::*;
    use crate::invalidation::{Mode, Refresh};

    /// Returns the webhooks, or the lines of the error.
    fn read(webhooks: &Value) -> Result<Webhooks, Vec<String>> {
        match Config::from_json(&json!({ "webhooks": webhooks, "routes": { "/a": {} } })) {
            Ok(config) => Ok(config.webhooks),
            Err(error) => Err(error.to_string().lines().map(str::to_owned).collect()),
        }
    }

    #[test]
    fn a_webhook_is_read_and_built_alike() {
        let rule = json!({
            "when": { "/_type": ["post", "page"], "/draft": false, "/revision": 3 }, "tag": "post:{/_id}",
            "path": ["/blog/{/slug/current}", "/blog"], "mode": "stale", "refresh": "eager",
        });
        let webhooks =
            json!({ "cms": { "scheme": "sanity", "secret": "CMS_SECRET", "rules": [rule, { "everything": true }] } });
        let read = read(&webhooks).unwrap();
        let cms = &read["cms"];
        assert_eq!((cms.scheme, cms.secret.as_str(), cms.rules.len()), (Scheme::Sanity, "CMS_SECRET", 2));
        let rule = &cms.rules[0];
        assert_eq!(
            (rule.mode, rule.refresh, rule.targets.len(), rule.everything),
            (Mode::Stale, Refresh::Eager, 3, false)
        );
        let values: Vec<_> = rule.when.iter().flat_map(|condition| condition.values.clone()).collect();
        assert_eq!(values, ["post", "page", "false", "3"]);
        assert_eq!((cms.rules[1].everything, cms.rules[1].mode), (true, Mode::Expire));

        let rule = RuleBuilder::default()
            .when("/_type", ["post", "page"])
            .when("/draft", ["false"])
            .when("/revision", ["3"])
            .tag(["post:{/_id}"])
            .path(["/blog/{/slug/current}", "/blog"])
            .mode(Mode::Stale)
            .refresh(Refresh::Eager);
        let cms =
            WebhookBuilder::new(Scheme::Sanity, "CMS_SECRET").rule(rule).rule(RuleBuilder::default().everything(true));
        let built = Builder::default().webhook("cms", cms).route("/a", RouteBuilder::default()).build().unwrap();
        assert_eq!(built.webhooks, read);
    }

    #[test]
    fn every_mistake_is_named() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut webhook = json!({ "scheme": "github", "secret": "S", "rules": [{ "tag": "x" }] });
            change(&mut webhook);
            read(&json!({ "cms": webhook }))
        };
        for (name, value, line) in [
            ("scheme", json!("sha1"), "ISR.webhooks.cms.scheme: \"sha1\" is not one of the accepted words"),
            ("scheme", Value::Null, "ISR.webhooks.cms.scheme: null is not text"),
            ("secret", json!("not a name"), "ISR.webhooks.cms.secret: "),
            ("rules", json!([]), "ISR.webhooks.cms.rules: a list is empty"),
            ("rules", json!([{}]), "ISR.webhooks.cms.rules[0]: a table invalidates nothing"),
            ("rules", json!([{ "everything": false }]), "ISR.webhooks.cms.rules[0]: a table invalidates nothing"),
            ("rules", json!([{ "tag": "{a}" }]), "ISR.webhooks.cms.rules[0].tag: \"{a}\" has a JSON pointer"),
            ("rules", json!([{ "tag": ["a", "{"] }]), "ISR.webhooks.cms.rules[0].tag[1]: \"{\" has a brace"),
            ("rules", json!([{ "tag": "a", "mode": "soft" }]), "ISR.webhooks.cms.rules[0].mode: "),
            (
                "rules",
                json!([{ "tag": "a", "when": { "x": 1 } }]),
                "ISR.webhooks.cms.rules[0].when.x: 1 has a JSON pointer",
            ),
            (
                "rules",
                json!([{ "tag": "a", "when": { "/x": [] } }]),
                "ISR.webhooks.cms.rules[0].when.\"/x\": a list is empty",
            ),
            ("rules", json!([{ "pages": "a" }]), "ISR.webhooks.cms.rules[0].pages: no setting has this name"),
            ("other", json!(1), "ISR.webhooks.cms.other: no setting has this name"),
        ] {
            let lines = with(&|webhook| webhook[name] = value.clone()).unwrap_err();
            assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
        }
        for name in ["scheme", "secret", "rules"] {
            let lines = with(&|webhook| drop(webhook.as_object_mut().unwrap().remove(name))).unwrap_err();
            assert!(lines.len() == 1 && lines[0].starts_with(&format!("ISR.webhooks.cms.{name}: ")), "{lines:?}");
        }
        let lines = read(&json!({ "a/b": {} })).unwrap_err();
        assert!(lines[0].starts_with("ISR.webhooks.\"a/b\": "), "{lines:?}");
    }
}
