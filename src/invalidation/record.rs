//! An invalidation as the tag index records it.
//!
//! A later version may have recorded it with a target, a mode or a refresh that this version does not know. It is valid
//! nevertheless, and what is not known counts as the widest of its kind: see [`crate::protocol`].

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::invalidation::{Mode, Refresh, Target};
use crate::time::Timestamp;

/// One invalidation, numbered by the tag index.
///
/// ```
/// use cloudflare_isr::InvalidateAnswer;
///
/// fn log_line(receipt: &InvalidateAnswer) -> String {
///     let invalidation = &receipt.invalidation;
///     format!("{} at {}: {}", invalidation.seq, invalidation.at.as_millis(), invalidation.mode.as_str())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalidation {
    /// Its number in the log.
    pub seq: u64,
    /// When the tag index received it.
    pub at: Timestamp,
    /// Which pages are affected.
    #[serde(rename = "scope", deserialize_with = "target")]
    pub target: Target,
    /// The effect on them.
    #[serde(deserialize_with = "mode")]
    pub mode: Mode,
    /// When they are rendered again. Edges do not get this field.
    #[serde(default, skip_serializing_if = "Refresh::is_lazy", deserialize_with = "refresh")]
    pub refresh: Refresh,
}

/// A value of this version, or of a later one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recorded<T> {
    Known(T),
    Unknown(IgnoredAny),
}

impl<T> Recorded<T> {
    fn known_or(self, widest: T) -> T {
        match self {
            Self::Known(known) => known,
            Self::Unknown(IgnoredAny) => widest,
        }
    }
}

fn target<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
    Ok(Recorded::deserialize(deserializer)?.known_or(Target::UNKNOWN))
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
    Ok(Recorded::deserialize(deserializer)?.known_or(Mode::UNKNOWN))
}

fn refresh<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Refresh, D::Error> {
    Ok(Recorded::deserialize(deserializer)?.known_or(Refresh::UNKNOWN))
}
