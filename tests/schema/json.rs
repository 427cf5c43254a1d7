//! The JSON schema of `[vars.ISR]`, draft 7: the version that most editors support.

use cloudflare_isr::internals::config::{
    Bounds, ItemForm, ListForm, MAX_CONDITIONS, MAX_ROUTES, MAX_VALUE_BYTES, MAX_VALUES, MAX_WEBHOOK_NAME_CHARS,
    QUERY_WORDS, Setting, SettingLevel, TextForm, ValueKind,
};
use cloudflare_isr::internals::route::{
    MAX_BINDING_NAME_CHARS, MAX_PATTERN_BYTES, MAX_RENDER_HEADER_BYTES, MAX_RENDER_HEADERS,
};
use cloudflare_isr::internals::semantics::statuses;
use cloudflare_isr::internals::webhook::{MAX_RULES, MAX_TEMPLATE_BYTES, MAX_WEBHOOKS};
use serde_json::{Map, Value, json};

use crate::{description, settings_of};

/// Returns the whole schema.
pub(crate) fn schema() -> Value {
    let mut schema = table(SettingLevel::TopLevel);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("[vars.ISR] of cloudflare-isr");
    schema["description"] = json!(
        "The variable ISR of the gateway. The gateway reports mistakes that a schema can't express, such as two routes for the same paths."
    );
    schema["required"] = json!(["routes"]);
    let mut webhook = table(SettingLevel::Webhook);
    webhook["required"] = json!(["scheme", "secret", "rules"]);
    schema["definitions"] = json!({
        "route": table(SettingLevel::Route),
        "vary": table(SettingLevel::Vary),
        "webhook": webhook,
        "rule": table(SettingLevel::Rule),
    });
    schema
}

fn table(level: SettingLevel) -> Value {
    let properties: Map<String, Value> =
        settings_of(level).map(|setting| (setting.name.to_owned(), property(setting))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn property(setting: &Setting) -> Value {
    let mut property = value(setting.kind);
    property["description"] = json!(description(setting));
    property
}

fn value(kind: ValueKind) -> Value {
    match kind {
        ValueKind::Lifetime(bounds) => json!({ "anyOf": [{ "const": false }, { "const": 0 }, whole(bounds)] }),
        ValueKind::Number(bounds) => whole(bounds),
        ValueKind::Flag => json!({ "type": "boolean" }),
        ValueKind::Word(words) => json!({ "enum": words }),
        ValueKind::Text(form) => text_of(form),
        ValueKind::List(form) => list_of(form),
        ValueKind::Texts(form) => texts(form),
        ValueKind::Query(form) => json!({ "anyOf": [{ "enum": QUERY_WORDS }, list_of(form)] }),
        ValueKind::Statuses => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": statuses::ALLOWED.len(),
            "items": { "enum": statuses::ALLOWED },
        }),
        ValueKind::RenderHeaders => render_headers(),
        ValueKind::ValuesByName { .. } => {
            let mut values = list(MAX_VALUES, &text("^[!#-+\\--:<-\\[\\]-~]+$", Some(MAX_VALUE_BYTES)));
            values["minItems"] = json!(1);
            json!({ "type": "object", "maxProperties": MAX_VALUES, "additionalProperties": values })
        }
        // A reference stands alone in draft 7: its siblings are ignored.
        ValueKind::Vary => json!({ "allOf": [{ "$ref": "#/definitions/vary" }] }),
        ValueKind::Routes => json!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_ROUTES,
            "propertyNames": { "pattern": "^/", "maxLength": MAX_PATTERN_BYTES },
            "additionalProperties": { "$ref": "#/definitions/route" },
        }),
        ValueKind::Webhooks => json!({
            "type": "object",
            "maxProperties": MAX_WEBHOOKS,
            "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$", "maxLength": MAX_WEBHOOK_NAME_CHARS },
            "additionalProperties": { "$ref": "#/definitions/webhook" },
        }),
        ValueKind::Rules => {
            json!({ "type": "array", "minItems": 1, "maxItems": MAX_RULES, "items": { "$ref": "#/definitions/rule" } })
        }
        ValueKind::Conditions => {
            let value = json!({ "type": ["string", "number", "boolean"] });
            json!({
                "type": "object",
                "maxProperties": MAX_CONDITIONS,
                "propertyNames": { "pattern": "^(/|$)", "maxLength": MAX_TEMPLATE_BYTES },
                "additionalProperties": { "anyOf": [value, { "type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": value }] },
            })
        }
    }
}

fn render_headers() -> Value {
    let value = text("^[!-~]([ -~]*[!-~])?$", Some(MAX_RENDER_HEADER_BYTES));
    let secret = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["secret"],
        "properties": { "secret": text("^[A-Za-z_][A-Za-z0-9_]*$", Some(MAX_BINDING_NAME_CHARS)) },
    });
    json!({
        "type": "object",
        "maxProperties": MAX_RENDER_HEADERS,
        "propertyNames": { "pattern": "^[!#-'*+\\-.0-9A-Z^-z|~]+$" },
        "additionalProperties": { "anyOf": [value, secret] },
    })
}

fn whole(bounds: Bounds) -> Value {
    json!({ "type": "integer", "minimum": bounds.min, "maximum": bounds.max })
}

fn text_of(form: TextForm) -> Value {
    let words = form.words.iter().map(|word| json!({ "const": word }));
    let patterns = form.patterns.iter().map(|pattern| text(pattern, form.max_chars));
    match words.chain(patterns).collect::<Vec<_>>().as_slice() {
        [one] => one.clone(),
        several => json!({ "anyOf": several }),
    }
}

fn list_of(form: ListForm) -> Value {
    match form.item {
        ItemForm::Word(words) => list(form.max_items, &json!({ "enum": words })),
        ItemForm::Text { pattern, max_chars, .. } => list(form.max_items, &text(pattern, max_chars)),
    }
}

fn texts(form: ListForm) -> Value {
    match form.item {
        ItemForm::Word(words) => json!({ "anyOf": [{ "enum": words }, list_of(form)] }),
        ItemForm::Text { pattern, max_chars, .. } => json!({ "anyOf": [text(pattern, max_chars), list_of(form)] }),
    }
}

fn text(pattern: &str, max_chars: Option<usize>) -> Value {
    match max_chars {
        Some(max) => json!({ "type": "string", "pattern": pattern, "maxLength": max }),
        None => json!({ "type": "string", "pattern": pattern }),
    }
}

fn list(max: usize, items: &Value) -> Value {
    json!({ "type": "array", "maxItems": max, "items": items })
}
