//! The JSON schema of `[vars.ISR]`, draft 7: that is what editors know best.

use cloudflare_isr::config::{
    Kind, MAX_CACHE_NAME_CHARS, MAX_HOSTS, MAX_QUERY_NAME_BYTES, MAX_QUERY_NAMES, MAX_RENDER_HEADER_BYTES,
    MAX_RENDER_HEADERS, MAX_ROUTES, MAX_VALUE_BYTES, MAX_VALUES, Number, SENSITIVE_HEADERS, Scope, Setting,
};
use cloudflare_isr::route::MAX_PATTERN_BYTES;
use cloudflare_isr::semantics::key::TrailingSlash;
use cloudflare_isr::semantics::statuses;
use cloudflare_isr::semantics::tag::{MAX_TAG_BYTES, MAX_TAGS_PER_PAGE};
use cloudflare_isr::semantics::vary::Device;
use serde_json::{Map, Value, json};

use crate::{description, settings_of};

/// Returns the whole schema.
pub(crate) fn schema() -> Value {
    let mut schema = table(Scope::TopLevel);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("[vars.ISR] of cloudflare-isr");
    schema["description"] = json!(
        "The variable ISR of the gateway. What is beyond a schema, such as two routes for the same paths, the gateway reports when it starts."
    );
    schema["required"] = json!(["routes"]);
    schema["definitions"] = json!({ "route": table(Scope::Route), "vary": table(Scope::Vary) });
    schema
}

fn table(scope: Scope) -> Value {
    let properties: Map<String, Value> =
        settings_of(scope).map(|setting| (setting.name.to_owned(), property(setting))).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn property(setting: &Setting) -> Value {
    let mut property = value(setting.kind);
    property["description"] = json!(description(setting));
    property
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Lifetime(number) | Kind::LifetimeWithin(number, _) => {
            json!({ "anyOf": [{ "const": false }, { "const": 0 }, whole(number)] })
        }
        Kind::Number(number) | Kind::NumberAs(number, _) => whole(number),
        Kind::Flag { .. } => json!({ "type": "boolean" }),
        Kind::CacheName => text(&format!("^[A-Za-z0-9._-]{{1,{MAX_CACHE_NAME_CHARS}}}$")),
        Kind::Origin => text("^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+/*$"),
        Kind::Site => {
            let url = text("^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+(/[^?#]*)?$");
            json!({ "anyOf": [{ "const": "self" }, url, text("^[A-Za-z_][A-Za-z0-9_]{0,63}$")] })
        }
        Kind::RenderHeaders => {
            let mut value = text("^[!-~]([ -~]*[!-~])?$");
            value["maxLength"] = json!(MAX_RENDER_HEADER_BYTES);
            let secret = json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["secret"],
                "properties": { "secret": text("^[A-Za-z_][A-Za-z0-9_]{0,63}$") },
            });
            json!({
                "type": "object",
                "maxProperties": MAX_RENDER_HEADERS,
                "propertyNames": { "pattern": "^[!#-'*+\\-.0-9A-Z^-z|~]+$" },
                "additionalProperties": { "anyOf": [value, secret] },
            })
        }
        Kind::SensitiveHeaders => list(SENSITIVE_HEADERS.len(), &json!({ "enum": SENSITIVE_HEADERS })),
        Kind::L2 => json!({ "enum": ["kv", "r2"] }),
        Kind::Zone => text("^[0-9A-Fa-f]{32}$"),
        Kind::Routes => json!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_ROUTES,
            "propertyNames": { "pattern": "^/", "maxLength": MAX_PATTERN_BYTES },
            "additionalProperties": { "$ref": "#/definitions/route" },
        }),
        Kind::Statuses => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": statuses::ALLOWED.len(),
            "items": { "enum": statuses::ALLOWED },
        }),
        Kind::Tags => list(MAX_TAGS_PER_PAGE, &text(&format!("^[!-+\\--~]{{1,{MAX_TAG_BYTES}}}$"))),
        Kind::Query => {
            let names = list(MAX_QUERY_NAMES, &text(&format!("^[^?&=#*\\s]{{1,{MAX_QUERY_NAME_BYTES}}}$")));
            json!({ "anyOf": [{ "enum": ["all", "none"] }, names] })
        }
        Kind::Hosts => list(MAX_HOSTS, &text("^(\\*\\.)?[^*/]+$")),
        Kind::IgnoredQuery => list(MAX_QUERY_NAMES, &text(&format!("^[^?&=#*\\s]{{1,{MAX_QUERY_NAME_BYTES}}}\\*?$"))),
        Kind::TrailingSlash => {
            let words = [TrailingSlash::Strip, TrailingSlash::Keep, TrailingSlash::Redirect].map(TrailingSlash::as_str);
            json!({ "enum": words })
        }
        // A reference stands alone in draft 7: what stands beside it is ignored.
        Kind::Vary => json!({ "allOf": [{ "$ref": "#/definitions/vary" }] }),
        Kind::Languages => list(MAX_VALUES, &text("^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$")),
        Kind::Devices => {
            let words = Device::ALL.map(Device::as_str);
            list(words.len(), &json!({ "enum": words }))
        }
        Kind::Countries => list(MAX_VALUES, &text("^[A-Z]{2}$")),
        Kind::Values { .. } => {
            let mut values = list(MAX_VALUES, &text(&format!("^[!#-+\\--:<-\\[\\]-~]{{1,{MAX_VALUE_BYTES}}}$")));
            values["minItems"] = json!(1);
            json!({ "type": "object", "maxProperties": MAX_VALUES, "additionalProperties": values })
        }
    }
}

fn whole(number: Number) -> Value {
    json!({ "type": "integer", "minimum": number.min, "maximum": number.max })
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn list(max: usize, items: &Value) -> Value {
    json!({ "type": "array", "maxItems": max, "items": items })
}
