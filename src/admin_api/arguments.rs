//! Reads the query of a request as its endpoint declares it.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

use super::parameter::Parameter;
use crate::inspection::{DEFAULT_LIMIT, MAX_LIMIT};

/// Why a query of the admin API is not valid. The message says what to write instead.
///
/// ```
/// use cloudflare_isr::QueryError;
///
/// fn is_typo(error: &QueryError) -> bool {
///     matches!(error, QueryError::UnknownField { .. })
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A field is unknown.
    #[error("unknown field {field:?}; {known}")]
    UnknownField {
        /// Its name.
        field: String,
        /// Says which fields there are.
        known: String,
    },
    /// A field occurs twice.
    #[error("give `{field}` once")]
    Twice {
        /// Its name.
        field: &'static str,
    },
    /// A field is missing.
    #[error("give `{field}`: {accepts}")]
    Missing {
        /// Its name.
        field: &'static str,
        /// What it accepts.
        accepts: String,
    },
    /// A field has a value that it does not accept.
    #[error("`{field}` must be {accepts}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What it accepts.
        accepts: String,
    },
    /// Fields exclude each other.
    #[error("give one of {fields}")]
    NotOne {
        /// Their names.
        fields: &'static str,
    },
    /// The options of an RPC method are not an object.
    #[error("give the options as an object")]
    NotAnObject,
}

/// The values of a query, each at most once and under a declared name.
#[derive(Clone, Debug)]
pub struct Arguments {
    parameters: &'static [Parameter],
    values: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// Reads the query of a URL, without its question mark.
    ///
    /// # Errors
    /// Names a field that is unknown or occurs twice.
    pub fn from_query(parameters: &'static [Parameter], query: &str) -> Result<Self, QueryError> {
        let mut arguments = Self { parameters, values: BTreeMap::new() };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            arguments.add(&name, value.into_owned())?;
        }
        Ok(arguments)
    }

    /// Reads the options of an RPC method: an object, or nothing. `null` is the same as to leave an option out.
    ///
    /// # Errors
    /// Names a field that is unknown or has a wrong type.
    pub fn from_options(parameters: &'static [Parameter], options: &Value) -> Result<Self, QueryError> {
        let mut arguments = Self { parameters, values: BTreeMap::new() };
        let options = match options {
            Value::Null => return Ok(arguments),
            Value::Object(options) => options,
            _ => return Err(QueryError::NotAnObject),
        };
        for (name, value) in options {
            match value {
                Value::String(text) => arguments.add(name, text.clone())?,
                Value::Number(number) => arguments.add(name, number.to_string())?,
                Value::Null if arguments.parameter(name).is_some() => {}
                _ => return Err(arguments.parameter(name).map_or_else(|| arguments.unknown(name), Parameter::invalid)),
            }
        }
        Ok(arguments)
    }

    fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn unknown(&self, name: &str) -> QueryError {
        let names: Vec<String> = self.parameters.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
        let known = match names.split_last() {
            None => "there are none".to_owned(),
            Some((last, [])) => format!("there is {last}"),
            Some((last, others)) => format!("there are {} and {last}", others.join(", ")),
        };
        QueryError::UnknownField { field: name.to_owned(), known }
    }

    fn add(&mut self, name: &str, value: String) -> Result<(), QueryError> {
        let parameter = self.parameter(name).ok_or_else(|| self.unknown(name))?;
        match self.values.insert(parameter.name, value) {
            None => Ok(()),
            Some(_) => Err(QueryError::Twice { field: parameter.name }),
        }
    }

    /// Reads a value. An empty one is the same as to leave it out.
    ///
    /// # Errors
    /// Says what the parameter accepts.
    pub fn get<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, QueryError> {
        let Some(value) = self.values.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let invalid = || self.parameter(name).map_or(QueryError::NotAnObject, Parameter::invalid);
        parse(value).map(Some).ok_or_else(invalid)
    }

    /// Reads the number of items.
    ///
    /// # Errors
    /// Says what the parameter accepts.
    pub fn limit(&self) -> Result<u32, QueryError> {
        let limit = self.get("limit", |text| text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)))?;
        Ok(limit.unwrap_or(DEFAULT_LIMIT))
    }
}

impl Parameter {
    fn invalid(&self) -> QueryError {
        QueryError::Invalid { field: self.name, accepts: self.kind.accepts() }
    }
}
