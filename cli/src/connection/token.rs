//! The admin token.

use std::fmt;

use crate::failure::Failure;

/// The admin token. It is sent, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(String);

impl Token {
    /// Parses a token. Spaces around it are removed; an empty one counts as missing.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, Failure> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "The admin token may contain only visible ASCII characters, without spaces.";
            return Err(Failure::Usage(message.to_owned()));
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// Returns the value of the header `Authorization`.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_and_never_shown() {
        let token = Token::parse(" secret\n").unwrap().unwrap();
        assert_eq!(token.authorization(), "Bearer secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(Token::parse("  ").unwrap(), None);
        for wrong in ["two words", "né", "a\u{7f}b"] {
            let failure = Token::parse(wrong).unwrap_err();
            assert!(failure.code() == 2 && !failure.to_string().contains(wrong), "{failure}");
        }
    }
}
