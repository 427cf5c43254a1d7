//! The setting `render_sensitive_headers`.

use super::value_error::ValueError;
use crate::route::SENSITIVE_HEADERS;

/// Parses an item of `render_sensitive_headers`.
pub(super) fn parse(word: &str) -> Result<&'static str, ValueError> {
    SENSITIVE_HEADERS.into_iter().find(|name| *name == word).ok_or(ValueError::UnknownWord)
}
