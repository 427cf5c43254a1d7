//! A secret that a client proves to know.

use std::fmt;

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
}
