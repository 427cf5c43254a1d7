//! The setting `zone_purge`.

use super::value_error::ValueError;

/// How many characters the id of a zone has.
const ZONE_ID_CHARS: usize = 32;

/// The id of a Cloudflare zone: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(String);

impl ZoneId {
    /// Parses an id. It contains nothing that would have to be encoded in the path of a URL.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if let Some(character) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(ValueError::Character { character });
        }
        match text.len() {
            0 => Err(ValueError::Empty),
            ZONE_ID_CHARS => Ok(Self(text.to_ascii_lowercase())),
            chars => Err(ValueError::WrongLength { chars }),
        }
    }

    /// Returns the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
