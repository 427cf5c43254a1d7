//! Texts with placeholders for values of a webhook's body.
//!
//! `post:{/entry/id}` contains the value at the JSON pointer `/entry/id` (RFC 6901). A value that is a list stands for
//! each of its items, and so does the segment `*`: `{/entries/*/id}` makes a text for each entry.

use serde_json::Value;
use thiserror::Error;

/// The most bytes of a template.
pub const MAX_TEMPLATE_BYTES: usize = 512;

/// A text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Pointer),
}

/// A place in a JSON document: a JSON pointer (RFC 6901) in which the segment `*` stands for all items of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

/// What is wrong with a template or a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("has {0} bytes; write at most {MAX_TEMPLATE_BYTES}")]
    TooLong(usize),
    /// A brace has no partner.
    #[error("has a brace without its partner; write a placeholder as {{/pointer}}")]
    Brace,
    /// A pointer does not begin with a slash.
    #[error("has a JSON pointer that does not begin with `/`")]
    Pointer,
}

/// More texts than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Pointer {
    /// Parses a pointer.
    ///
    /// # Errors
    /// It must be empty, which names the whole document, or begin with a slash.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLong(text.len()));
        }
        let mut segments = text.split('/');
        if segments.next() != Some("") {
            return Err(TemplateError::Pointer);
        }
        Ok(Self(segments.map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// Returns the values at this place.
    #[must_use]
    pub fn values<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![document];
        for segment in &self.0 {
            found = found.into_iter().flat_map(|value| below(value, segment)).collect();
        }
        found
    }
}

/// Returns the values one step below a value.
fn below<'v>(value: &'v Value, segment: &str) -> Vec<&'v Value> {
    match value {
        Value::Object(fields) => fields.get(segment).into_iter().collect(),
        Value::Array(items) if segment == "*" => items.iter().collect(),
        Value::Array(items) => segment.parse::<usize>().ok().and_then(|at| items.get(at)).into_iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.len() {
            0 => return Err(TemplateError::Empty),
            bytes if bytes > MAX_TEMPLATE_BYTES => return Err(TemplateError::TooLong(bytes)),
            _ => {}
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (pointer, after) = after.split_once('}').ok_or(TemplateError::Brace)?;
            if before.contains('}') || pointer.contains('{') {
                return Err(TemplateError::Brace);
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Value(Pointer::parse(pointer)?));
            rest = after;
        }
        if rest.contains('}') {
            return Err(TemplateError::Brace);
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Returns the texts that a document makes of it. If the document lacks a value, there is none.
    ///
    /// # Errors
    /// There would be more than `most`.
    pub fn fill(&self, document: &Value, most: usize) -> Result<Vec<String>, TooMany> {
        let mut texts = vec![String::new()];
        for part in &self.0 {
            match part {
                Part::Text(text) => texts.iter_mut().for_each(|filled| filled.push_str(text)),
                Part::Value(pointer) => {
                    let values: Vec<String> = pointer.values(document).into_iter().flat_map(written).collect();
                    if values.len().saturating_mul(texts.len()) > most {
                        return Err(TooMany);
                    }
                    texts = texts
                        .iter()
                        .flat_map(|filled| values.iter().map(move |value| format!("{filled}{value}")))
                        .collect();
                }
            }
        }
        Ok(texts)
    }
}

/// Returns a value as text; of a list each item. Tables and `null` have none.
fn written(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        value => scalar(value).into_iter().collect(),
    }
}

/// Returns a single value as text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str, document: &Value) -> Vec<String> {
        Template::parse(template).unwrap().fill(document, 100).unwrap()
    }

    #[test]
    fn placeholders_stand_for_values_and_lists_for_each_item() {
        let document = json!({
            "id": 42, "draft": false, "slug": { "current": "first" }, "tags": ["a", "b", { "no": 1 }, null], "none": null,
            "entries": [{ "id": "x" }, { "id": "y" }, {}], "a/b": { "~": "odd" }
        });
        for (template, texts) in [
            ("plain", vec!["plain"]),
            ("post:{/id}", vec!["post:42"]),
            ("{/slug/current}", vec!["first"]),
            ("/{/slug/current}/{/id}/x", vec!["/first/42/x"]),
            ("tag-{/tags}", vec!["tag-a", "tag-b"]),
            ("{/entries/*/id}", vec!["x", "y"]),
            ("{/entries/1/id}", vec!["y"]),
            ("{/id}-{/tags}", vec!["42-a", "42-b"]),
            ("{/draft}", vec!["false"]),
            ("{/a~1b/~0}", vec!["odd"]),
            ("{/none}", vec![]),
            ("{/missing}", vec![]),
            ("{/slug}", vec![]),
            ("{/id}{/missing}", vec![]),
            ("{/tags/x}", vec![]),
        ] {
            assert_eq!(filled(template, &document), texts, "{template}");
        }
        assert_eq!(filled("{}", &json!("whole")), ["whole"]);
    }

    #[test]
    fn the_number_of_texts_is_bounded() {
        let document = json!({ "a": (0..50).collect::<Vec<_>>() });
        let template = Template::parse("{/a}-{/a}").unwrap();
        assert_eq!(template.fill(&document, 2499), Err(TooMany));
        assert_eq!(template.fill(&document, 2500).unwrap().len(), 2500);
    }

    #[test]
    fn malformed_templates_are_refused() {
        let long = "x".repeat(MAX_TEMPLATE_BYTES + 1);
        for (template, error) in [
            ("", TemplateError::Empty),
            (long.as_str(), TemplateError::TooLong(long.len())),
            ("{/a", TemplateError::Brace),
            ("/a}", TemplateError::Brace),
            ("}{/a}", TemplateError::Brace),
            ("{{/a}}", TemplateError::Brace),
            ("{a}", TemplateError::Pointer),
        ] {
            assert_eq!(Template::parse(template), Err(error), "{template}");
        }
    }
}
