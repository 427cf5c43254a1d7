//! A secret that a client proves to know.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The digest of a secret. Claims are compared in constant time, and neither the secret nor its digest is ever shown.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

impl Secret {
    /// Takes a secret.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Returns whether a claim is the secret.
    #[must_use]
    pub fn is(&self, claim: &str) -> bool {
        let claim: [u8; 32] = Sha256::digest(claim.as_bytes()).into();
        self.0.ct_eq(&claim).into()
    }

    /// Signs a text: HMAC-SHA-256 under the secret's digest. The text begins with its purpose.
    #[must_use]
    pub fn sign(&self, text: &str) -> [u8; 32] {
        self.mac(text).finalize().into_bytes().into()
    }

    /// Returns whether this is the signature of a text. The comparison takes constant time.
    #[must_use]
    pub fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        self.mac(text).verify_slice(signature).is_ok()
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        // A key that is shorter than a block is padded with zeros (RFC 2104 §2).
        let mut key = [0; 64];
        key[..self.0.len()].copy_from_slice(&self.0);
        Hmac::<Sha256>::new(&key.into()).chain_update(text)
    }
}
