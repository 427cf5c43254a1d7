//! The identity of a deployment, for places that it shares with other deployments.
//!
//! A deployment is everything that binds one tag index: the invalidations of that log hold for its pages, and for no
//! others. The id of the tag index's root object identifies it. The edge knows that id without a call.
//!
//! | shared place | shared with | what keeps deployments apart |
//! |---|---|---|
//! | Cache API: pages and hit-for-pass markers | every Worker on the zone | the identity in the name of the cache |
//! | Cache API: answers of the feed | every Worker on the zone | the identity in the name of the cache and in the URL |
//! | memory of an isolate | an `env` with other bindings | `edge::deployment` keeps one record for each identity |
//! | KV namespace, R2 bucket | every Worker that binds it | nothing: `docs/storage.md` asks for one per deployment |
//! | downstream cache of a zone | every Worker on the zone | nothing: a purge also removes the neighbour's pages, which costs a request |
//! | Durable Objects | every Worker that binds the namespace | nothing: they are the deployment |

use std::fmt;

use sha2::{Digest, Sha256};

/// Identifies a deployment: the first half of SHA-256 over the id of its tag index's root object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentId(u128);

impl DeploymentId {
    /// Returns the identity of the deployment whose tag index has a root object of this id.
    #[must_use]
    pub fn of_tag_index(root: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(root.as_bytes()).into();
        Self(digest.iter().take(16).fold(0, |id, byte| id << 8 | u128::from(*byte)))
    }

    /// Returns the name of the deployment's cache in the Cache API. `configured` is the setting `cache_name`.
    #[must_use]
    pub fn cache_name(self, configured: &str) -> String {
        format!("{configured}.{self}")
    }

    /// Returns the URL under which isolates of a colo share the answer to a question to the feed. It contains the number
    /// of tag index objects: answers from before a change are of no use. See `TagIndexStore::one_of`.
    #[must_use]
    pub fn feed_url(self, tag_shards: u16, since: u64) -> String {
        format!("https://feed.cloudflare-isr.invalid/v2/{self}/{tag_shards}/{since}")
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_stable_and_has_a_fixed_length() {
        let id = DeploymentId::of_tag_index("0123");
        assert_eq!(id, DeploymentId::of_tag_index("0123"));
        assert_ne!(id, DeploymentId::of_tag_index("0124"));
        // The first half of SHA-256 over "0123".
        assert_eq!(id.to_string(), "1be2e452b46d7a0d9656bbb1f768e824");
        assert_eq!(DeploymentId(1).to_string().len(), 32);
    }

    #[test]
    fn neighbours_have_no_name_in_common() {
        let (own, other) = (DeploymentId::of_tag_index("production"), DeploymentId::of_tag_index("staging"));
        assert_ne!(own.cache_name("pages"), other.cache_name("pages"));
        assert_ne!(own.feed_url(1, 0), other.feed_url(1, 0));
        assert_ne!(own.feed_url(1, 0), own.feed_url(2, 0));
        assert_ne!(own.feed_url(1, 0), own.feed_url(1, 100));
    }
}
