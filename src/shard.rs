//! Which coordinator object owns a page.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::route::Route;

/// The name of a coordinator object: `<route id>#<number>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardName(String);

impl ShardName {
    /// Names the owner of a path: all variants of one path live in one shard. The number is the first eight bytes of
    /// SHA-256 over route id, a zero byte and the path, modulo the route's `shards`.
    #[must_use]
    pub fn of(route: &Route, path: &str) -> Self {
        Self(format!("{}#{}", route.id(), number(route.id().as_str(), path, route.shards())))
    }

    /// Tells whether this is the owner of a path if its route, which must match the path, has that many shards.
    #[must_use]
    pub fn owns(&self, path: &str, shards: u16) -> bool {
        let (route, own) = self.parts();
        own.parse() == Ok(number(route, path, shards))
    }

    /// Returns the id of the route.
    #[must_use]
    pub fn route(&self) -> &str {
        self.parts().0
    }

    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('#').unwrap_or((&self.0, ""))
    }

    /// Takes a name that was made by [`Self::of`] and has been kept or sent since.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let (_, number) = text.rsplit_once('#')?;
        number.parse::<u16>().ok().map(|_| Self(text.to_owned()))
    }

    /// Returns the name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn number(route: &str, path: &str, shards: u16) -> u64 {
    let digest = Sha256::new_with_prefix(route).chain_update([0]).chain_update(path).finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number % u64::from(shards.max(1))
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
