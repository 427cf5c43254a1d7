//! What identifies a call that may be repeated.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Identifies a call, so that the tag index recognizes its repetition: the beginning of a SHA-256, hexadecimal. So keys
/// of any length take the same space, and different senders may use the same words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

/// The bytes of the hash that are kept.
const BYTES: usize = 16;

impl IdempotencyKey {
    /// Returns the key of the call that its sender calls `id`.
    #[must_use]
    pub fn of(sender: &str, id: &str) -> Self {
        let hash = Sha256::new_with_prefix((sender.len() as u64).to_be_bytes()).chain_update(sender).chain_update(id);
        let mut text = String::with_capacity(2 * BYTES);
        for byte in hash.finalize().iter().take(BYTES) {
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Returns its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::IdempotencyKey;

    #[test]
    fn neither_another_sender_nor_another_id_has_the_same_key() {
        let key = IdempotencyKey::of("cms", "1");
        assert_eq!(key, IdempotencyKey::of("cms", "1"));
        assert_eq!(key.as_str().len(), 32);
        for other in [("cms", "2"), ("cm", "s1"), ("cms1", ""), ("", "cms1")] {
            assert_ne!(IdempotencyKey::of(other.0, other.1), key, "{other:?}");
        }
    }
}
