//! The settings `query` and `ignore_query`.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::setting::{ALL_QUERY, ItemForm, ListForm, NO_QUERY, Setting};
use super::value_error::ValueError;
use crate::route::Pattern;
use crate::semantics::key::QueryPolicy;

/// The most query parameters that a list may name.
pub const MAX_QUERY_NAMES: usize = 32;

/// The longest name of a query parameter, in bytes.
pub const MAX_QUERY_NAME_BYTES: usize = 128;

/// A value of the setting `query`.
#[derive(Debug, Clone)]
pub(super) enum Query {
    /// Every parameter except those of `ignore_query`.
    All,
    /// These parameters.
    Only(BTreeSet<String>),
}

impl Query {
    /// Returns the policy, given the parameters of `ignore_query`.
    pub(super) fn policy(self, ignored: &[String]) -> QueryPolicy {
        match self {
            Self::All => QueryPolicy::AllBut(ignored.to_vec()),
            Self::Only(names) => QueryPolicy::Only(names),
        }
    }
}

/// Returns the policy of a route without `query`. A route for any number of paths stands for pages that its author may not
/// know, so each parameter may make a difference, except those of `ignore_query`.
pub(super) fn default_policy(pattern: Option<&Pattern>, ignored: &[String]) -> QueryPolicy {
    match pattern {
        Some(pattern) if pattern.is_wildcard() => QueryPolicy::NoneBesides(ignored.to_vec()),
        Some(_) | None => QueryPolicy::default(),
    }
}

/// The form of a list of parameters.
pub(super) const FORM: ListForm = ListForm {
    max_items: MAX_QUERY_NAMES,
    item: ItemForm::Text {
        pattern: "^[^?&=#*\\s]+$",
        max_chars: Some(MAX_QUERY_NAME_BYTES),
        noun: "parameter names",
        example: "[\"page\"]",
    },
};

/// Reads `query`: a list of parameters, or a word.
pub(super) fn read(setting: &Setting, route: &mut Reader<'_, '_>) -> Option<Query> {
    match route.get(setting)?.as_str() {
        Some(ALL_QUERY) => Some(Query::All),
        Some(NO_QUERY) => Some(Query::Only(BTreeSet::new())),
        _ => route.list(setting, MAX_QUERY_NAMES, parse_name).map(|names| Query::Only(names.into_iter().collect())),
    }
}

/// Parses the name of a parameter.
fn parse_name(text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    if let Some(character) = text.chars().find(|&c| "?&=#*".contains(c) || c.is_whitespace() || c.is_control()) {
        return Err(ValueError::Character { character });
    }
    if text.len() > MAX_QUERY_NAME_BYTES {
        return Err(ValueError::TooLong { bytes: text.len() });
    }
    Ok(text.to_owned())
}

/// Parses the name of a parameter, or with `*` at the end the beginning of names.
pub(super) fn parse_ignored(text: &str) -> Result<String, ValueError> {
    parse_name(text.strip_suffix('*').unwrap_or(text)).map(|_| text.to_owned())
}
