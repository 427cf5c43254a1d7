//! A configuration of wrangler: its values, and the line of each.

use std::collections::BTreeMap;

use cloudflare_isr::internals::config::setting_key;
use jsonc_parser::ast::Value as Ast;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `wrangler.toml`.
    Toml,
    /// `wrangler.jsonc` or `wrangler.json`.
    Jsonc,
}

/// A configuration.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// Its values.
    pub(super) value: Value,
    /// The line of each value by its path, as problems of settings name it: `vars.ISR.routes."/".revalidate`.
    lines: BTreeMap<String, usize>,
}

impl Document {
    /// Parses a configuration. The error contains the line, if it is known.
    pub(super) fn parse(text: &str, format: Format) -> Result<Self, String> {
        let mut document = Self::default();
        let mut places = Places { text, lines: &mut document.lines };
        document.value = match format {
            Format::Toml => {
                let table = DeTable::parse(text).map_err(|error| {
                    let line = error.span().map(|span| format!("line {}: ", line_at(text, span.start)));
                    format!("{}{}", line.unwrap_or_default(), error.message())
                })?;
                places.of_toml_table("", table.get_ref())
            }
            Format::Jsonc => {
                let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
                let parsed = parse_to_ast(text, &collect, &strict())
                    .map_err(|error| format!("line {}: {}", line_at(text, error.range().start), error.kind()))?;
                parsed.value.map_or(Value::Null, |value| places.of_json("", &value))
            }
        };
        Ok(document)
    }

    /// Returns the line of a value, or of the innermost table around it that is there.
    pub(super) fn line_of(&self, path: &str) -> Option<usize> {
        let around =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let known = self.lines.iter().filter(|(known, _)| around(known));
        known.max_by_key(|(known, _)| known.len()).map(|(_, line)| *line)
    }
}

/// What wrangler accepts in a `.jsonc` file.
fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Returns the number of the line of a byte, from 1.
fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count() + 1
}

/// Collects the lines of values.
struct Places<'t> {
    text: &'t str,
    lines: &'t mut BTreeMap<String, usize>,
}

impl Places<'_> {
    fn note(&mut self, path: &str, byte: usize) {
        let line = line_at(self.text, byte);
        // A table may be opened several times, as by dotted keys: the first place counts.
        self.lines.entry(path.to_owned()).or_insert(line);
    }

    fn of_toml_table(&mut self, path: &str, table: &DeTable<'_>) -> Value {
        let entries = table.iter().map(|(name, value)| {
            let inner = below(path, name.get_ref());
            self.note(&inner, name.span().start);
            (name.get_ref().to_string(), self.of_toml(&inner, value))
        });
        Value::Object(entries.collect())
    }

    fn of_toml(&mut self, path: &str, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
            }
            DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(at, item)| {
                    let inner = format!("{path}[{at}]");
                    self.note(&inner, item.span().start);
                    self.of_toml(&inner, item)
                });
                Value::Array(items.collect())
            }
            DeValue::Table(table) => self.of_toml_table(path, table),
        }
    }

    fn of_json(&mut self, path: &str, value: &Ast<'_>) -> Value {
        match value {
            Ast::StringLit(text) => Value::String(text.value.to_string()),
            Ast::NumberLit(number) => number.value.parse::<Number>().map_or(Value::Null, Value::Number),
            Ast::BooleanLit(flag) => Value::Bool(flag.value),
            Ast::NullKeyword(_) => Value::Null,
            Ast::Array(items) => {
                let items = items.elements.iter().enumerate().map(|(at, item)| {
                    let inner = format!("{path}[{at}]");
                    self.note(&inner, item.range().start);
                    self.of_json(&inner, item)
                });
                Value::Array(items.collect())
            }
            Ast::Object(object) => {
                let mut entries = Map::new();
                for property in &object.properties {
                    let inner = below(path, property.name.as_str());
                    self.note(&inner, property.range.start);
                    entries.insert(property.name.as_str().to_owned(), self.of_json(&inner, &property.value));
                }
                Value::Object(entries)
            }
        }
    }
}

/// Returns the path of a value in a table.
fn below(path: &str, name: &str) -> String {
    let name = setting_key(name);
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOML: &str = r#"
name = "gateway"

[vars.ISR]
revalidate = 60
hosts = [
  "example.com",
  "*.example.com",
]

[vars.ISR.routes."/blog/[slug]"]
revalidate = false

[[kv_namespaces]]
binding = "ISR_CACHE"
"#;

    const JSONC: &str = r#"{
  // The gateway.
  "name": "gateway",
  "vars": {
    "ISR": {
      "revalidate": 60,
      "hosts": ["example.com",
        "*.example.com"],
      "routes": {
        "/blog/[slug]": { "revalidate": false },
      },
    },
  },
  "kv_namespaces": [{ "binding": "ISR_CACHE" }],
}"#;

    #[test]
    fn both_formats_have_the_same_values_and_lines_of_their_own() {
        let values = json!({
            "name": "gateway",
            "vars": { "ISR": {
                "revalidate": 60, "hosts": ["example.com", "*.example.com"], "routes": { "/blog/[slug]": { "revalidate": false } },
            } },
            "kv_namespaces": [{ "binding": "ISR_CACHE" }],
        });
        let toml = Document::parse(TOML, Format::Toml).unwrap();
        let jsonc = Document::parse(JSONC, Format::Jsonc).unwrap();
        assert_eq!((&toml.value, &jsonc.value), (&values, &values));
        for (path, in_toml, in_jsonc) in [
            ("vars.ISR.revalidate", Some(5), Some(6)),
            ("vars.ISR.hosts[1]", Some(8), Some(8)),
            ("vars.ISR.routes.\"/blog/[slug]\".revalidate", Some(12), Some(10)),
            // Not there: the table around it.
            ("vars.ISR.routes.\"/blog/[slug]\".tags", Some(11), Some(10)),
            ("vars.ISR.revalidates", Some(4), Some(5)),
            ("vars.ISRS", Some(4), Some(4)),
            ("services", None, None),
        ] {
            assert_eq!((toml.line_of(path), jsonc.line_of(path)), (in_toml, in_jsonc), "{path}");
        }
    }

    #[test]
    fn a_mistake_in_the_format_is_named_with_its_line() {
        for (text, format) in
            [("a = 1\nb = [", Format::Toml), ("{\n \"a\": 1,, }", Format::Jsonc), ("{\n a: 1 }", Format::Jsonc)]
        {
            let error = Document::parse(text, format).unwrap_err();
            assert!(error.starts_with("line 2: "), "{error}");
        }
    }
}
