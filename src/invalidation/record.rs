//! An invalidation as the tag index records it.

use serde::{Deserialize, Serialize};

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
    #[serde(rename = "scope")]
    pub target: Target,
    /// The effect on them.
    pub mode: Mode,
    /// When they are rendered again. Edges do not get this field.
    #[serde(default, skip_serializing_if = "Refresh::is_lazy")]
    pub refresh: Refresh,
}
