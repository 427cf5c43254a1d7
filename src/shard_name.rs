//! Maps pages to coordinator objects.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::route::{Route, Routes};
use crate::text::text_conversions;

/// The name of a coordinator object: `<route id>#<number>`.
///
/// ```
/// use cloudflare_isr::IsrError;
///
/// fn route_without_coordinator(error: &IsrError) -> Option<&str> {
///     match error {
///         IsrError::UnknownShard { shard } => Some(shard.route()),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShardName(String);

/// The error for a text that is not the name of a coordinator object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a shard's name")]
pub struct NotAShard;

text_conversions!(ShardName, NotAShard, |text| ShardName::from_stored(text).ok_or(NotAShard), |name| name.0);

impl ShardName {
    /// Returns the owner of a path. All variants of one path are in one shard. The number is the first eight bytes of
    /// SHA-256 over the route id, a zero byte and the path, modulo the route's `shards`.
    #[must_use]
    #[doc(hidden)]
    pub fn of(route: &Route, path: &str) -> Self {
        Self(format!("{}#{}", route.id(), number(route.id().as_str(), path, route.shards())))
    }

    /// Returns whether this shard owns a path if its route has `shards` shards. The route must match the path.
    #[must_use]
    #[doc(hidden)]
    pub fn owns(&self, path: &str, shards: u16) -> bool {
        let (route, own) = self.parts();
        own.parse() == Ok(number(route, path, shards))
    }

    /// Returns whether requests reach a coordinator of this name: its route is configured, with enough shards.
    #[must_use]
    pub(crate) fn is_served(&self, routes: &Routes) -> bool {
        routes.by_id(self.route()).is_some_and(|route| self.number() < route.shards())
    }

    /// Returns the id of the route.
    #[must_use]
    pub fn route(&self) -> &str {
        self.parts().0
    }

    /// Returns the number of the shard within the route.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.parts().1.parse().unwrap_or_default()
    }

    fn parts(&self) -> (&str, &str) {
        self.0.rsplit_once('#').unwrap_or((&self.0, ""))
    }

    /// Parses a name that [`Self::of`] has made and that was stored or sent since.
    #[must_use]
    #[doc(hidden)]
    pub fn from_stored(text: &str) -> Option<Self> {
        let (route, number) = text.rsplit_once('#')?;
        let is_written_so = number.parse::<u16>().is_ok_and(|parsed| parsed.to_string() == number);
        (route.starts_with('/') && is_written_so).then(|| Self(text.to_owned()))
    }

    /// Returns the name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn number(route: &str, path: &str, shards: u16) -> u16 {
    shard_number(Sha256::new_with_prefix(route).chain_update([0]).chain_update(path), shards)
}

/// Returns the number of the shard for a hash: the first eight bytes, modulo `shards`. This must never change, because
/// pages and tags would be looked for elsewhere.
pub(crate) fn shard_number(hash: Sha256, shards: u16) -> u16 {
    let number = hash.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u16::try_from(number % u64::from(shards.max(1))).unwrap_or_default()
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_it_is_made_and_no_other() {
        for name in ["/*#0", "/blog/[slug]#255"] {
            assert_eq!(ShardName::from_stored(name), Some(ShardName(name.to_owned())));
        }
        for wrong in ["", "/*", "/*#", "#1", "tags#0", "/*#x", "/*#+1", "/*#01", "/*#-1", "/*#65536", "/*#1 "] {
            assert_eq!(ShardName::from_stored(wrong), None, "{wrong}");
        }
    }
}
