//! The setting `cache_name`.

use super::value_error::ValueError;

/// The longest name of a cache, in characters.
pub(super) const MAX_CACHE_NAME_CHARS: usize = 64;

/// Parses the name of a cache: ASCII letters, digits, `.`, `_` and `-`.
pub(super) fn parse(text: &str) -> Result<String, ValueError> {
    if text.is_empty() {
        return Err(ValueError::Empty);
    }
    if let Some(character) = text.chars().find(|&c| !(c.is_ascii_alphanumeric() || "._-".contains(c))) {
        return Err(ValueError::Character { character });
    }
    if text.len() > MAX_CACHE_NAME_CHARS {
        return Err(ValueError::TooLong { bytes: text.len() });
    }
    Ok(text.to_owned())
}
