//! The `OpenAPI` document of the admin API, built from the table of endpoints and the schemas of their answers.

use serde_json::{Map, Value, json};

use super::{ENDPOINTS, Endpoint, Operation, Parameter};
use crate::coordinator::DecisionKind;
use crate::visit::classify::ADMIN_PREFIX;

/// The schemas of answers. A property whose name ends with `?` may be missing; all others are always there.
const SCHEMAS: &str = include_str!("schemas.json");

/// What each status means, besides the answer itself.
const ERRORS: [(&str, &str); 5] = [
    ("400", "A parameter, or the body, is not valid; the message says what to write."),
    ("401", "The token is missing or wrong."),
    ("404", "Nothing has this name or number, or the admin API is off."),
    ("405", "The path has another method."),
    ("503", "An object could not be reached; try again."),
];

/// Builds the document.
#[must_use]
pub fn document() -> Value {
    let paths: Map<String, Value> = ENDPOINTS
        .iter()
        .map(|endpoint| {
            let method = endpoint.method.to_ascii_lowercase();
            (format!("{ADMIN_PREFIX}{}", endpoint.path), json!({ method: operation(endpoint) }))
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cloudflare-isr",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The admin API of cloudflare-isr. It exists if the secret `ISR_ADMIN_TOKEN` is set.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let answer = reference(endpoint.answer);
    let media_type = if endpoint.is_text { "text/plain" } else { "application/json" };
    let mut content = json!({ media_type: { "schema": answer } });
    if endpoint.streams {
        content["text/event-stream"] = json!({ "schema": { "type": "string" } });
    }
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "The answer.", "content": content }));
    for (status, description) in ERRORS {
        let error = json!({ "application/json": { "schema": reference("Error") } });
        responses.insert(status.to_owned(), json!({ "description": description, "content": error }));
    }
    let mut operation = json!({
        "operationId": endpoint.name(),
        "summary": endpoint.summary,
        "parameters": parameters(endpoint),
        "responses": responses,
    });
    match endpoint.operation {
        Operation::Health => {
            let problems = json!({ "application/json": { "schema": answer } });
            operation["responses"]["503"] = json!({ "description": "Something is wrong.", "content": problems });
        }
        Operation::Revalidate => {
            let content = json!({ "application/json": { "schema": reference("Invalidate") } });
            operation["requestBody"] = json!({ "required": true, "content": content });
            operation["parameters"] = json!([{
                "name": "Idempotency-Key",
                "in": "header",
                "required": false,
                "description": "For a day, a call with the same key and the same targets changes nothing.",
                "schema": { "type": "string", "minLength": 1, "maxLength": 255 },
            }]);
            for (status, description) in
                [("411", "The request has no `Content-Length`."), ("413", "The body has more than 1 MiB.")]
            {
                let error = json!({ "application/json": { "schema": reference("Error") } });
                operation["responses"][status] = json!({ "description": description, "content": error });
            }
        }
        _ => {}
    }
    operation
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let seq = endpoint.has_seq().then(|| {
        let schema = json!({ "type": "integer", "minimum": 0 });
        json!({ "name": "seq", "in": "path", "required": true, "schema": schema })
    });
    let query = endpoint.parameters.iter().map(|Parameter { name, kind, description, is_required }| {
        let mut schema = kind.schema();
        let example = schema.as_object_mut().and_then(|schema| schema.remove("example"));
        let mut parameter = json!({
            "name": name,
            "in": "query",
            "required": is_required,
            "description": description,
            "schema": schema,
        });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        parameter
    });
    // A client may resume a stream.
    let resume = endpoint.streams.then(|| {
        let description = "The id of the last event that the client has of a stream.";
        json!({ "name": "last-event-id", "in": "header", "description": description, "schema": { "type": "string" } })
    });
    seq.into_iter().chain(query).chain(resume).collect()
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    // A test reads the file.
    let mut schemas = completed(serde_json::from_str(SCHEMAS).unwrap_or_default());
    let kinds: Vec<&str> = DecisionKind::ALL.iter().map(|kind| kind.name()).collect();
    schemas["Decision"]["properties"]["kind"]["enum"] = json!(kinds);
    schemas
}

/// Lists in each object's `required` the properties that are always there.
fn completed(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut written: Map<String, Value> = Map::new();
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("properties", Value::Object(properties)) => {
                        let required: Vec<&str> =
                            properties.keys().map(String::as_str).filter(|name| !name.ends_with('?')).collect();
                        written.insert("required".to_owned(), json!(required));
                        let strip = |name: String| name.trim_end_matches('?').to_owned();
                        let properties = properties.into_iter().map(|(name, value)| (strip(name), completed(value)));
                        written.insert("properties".to_owned(), Value::Object(properties.collect()));
                    }
                    (_, value) => drop(written.insert(name, completed(value))),
                }
            }
            Value::Object(written)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(completed).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects the names of all referenced schemas.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let reference = fields.get("$ref").and_then(Value::as_str);
                found.extend(reference.map(|text| text.replace("#/components/schemas/", "")));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn each_schema_is_declared_and_used() {
        let document = document();
        let mut used = Vec::new();
        references(&document, &mut used);
        let declared = document["components"]["schemas"].as_object().unwrap();
        assert!(declared.len() > 20);
        for name in &used {
            assert!(declared.contains_key(name), "{name} is not declared");
        }
        for name in declared.keys() {
            assert!(used.contains(name), "{name} is not used");
        }
    }

    #[test]
    fn a_property_may_be_missing_only_if_its_name_says_so() {
        let schema = completed(json!({ "type": "object", "properties": { "a": {}, "b?": {} } }));
        assert_eq!(schema["required"], json!(["a"]));
        assert_eq!(schema["properties"], json!({ "a": {}, "b": {} }));
    }
}
