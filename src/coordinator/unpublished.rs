//! Why the last render of a key was not published.

use crate::reason::Reason;
use crate::semantics::evidence::{Evidence, Unstorable};
use crate::semantics::storable::OriginFailure;
use crate::time::Timestamp;
use crate::version::Version;

/// Why a render was not published. It is recorded for as long as it has an effect: a failure that counts, a pause, or a
/// hit-for-pass marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpublished {
    /// The token of the render. Earlier code does not record why, but replaces `marked_by`: then this is out of date.
    pub token: Version,
    /// When the render ended.
    pub at: Timestamp,
    /// The cause.
    pub cause: Cause,
}

/// The reason, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The reason.
    pub reason: Reason,
    /// The status, the header or the limit; `None` if the reason alone says everything.
    pub detail: Option<Evidence>,
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None }
    }
}

impl From<OriginFailure> for Cause {
    fn from(failure: OriginFailure) -> Self {
        let reason = if failure == OriginFailure::Timeout { Reason::RenderTimeout } else { Reason::OriginError };
        Self { reason, detail: Evidence::of_failure(failure) }
    }
}

impl From<Unstorable> for Cause {
    fn from(Unstorable { reason, detail }: Unstorable) -> Self {
        Self { reason: reason.reason(), detail }
    }
}

impl Unpublished {
    /// Returns whether this is about the render whose effect an entry records. `marked_by` is empty after an invalidation
    /// has lifted a pause; the failures still count.
    #[must_use]
    pub fn is_about(&self, marked_by: Option<Version>, failures: u32) -> bool {
        marked_by.map_or(failures > 0, |token| token == self.token)
    }
}
