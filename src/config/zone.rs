//! The zone of a configuration.

use super::error::Flaw;

/// How many characters the id of a zone has.
const ZONE_ID_CHARS: usize = 32;

/// The id of a Cloudflare zone: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(String);

impl ZoneId {
    /// Checks an id, which is then safe to stand in a URL's path.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if let Some(character) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(Flaw::Character(character));
        }
        match text.len() {
            0 => Err(Flaw::Empty),
            ZONE_ID_CHARS => Ok(Self(text.to_ascii_lowercase())),
            length => Err(Flaw::Length(length)),
        }
    }

    /// Returns the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
