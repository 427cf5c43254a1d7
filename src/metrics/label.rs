//! The labels by which requests are counted.

use crate::reason::Reason;
use crate::route::RouteId;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus, Detail};

/// The route of a request, its outcome, and the reason that `Cache-Status` states. All three are from closed lists: the
/// routes of the configuration, and two enums.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestLabel {
    /// The route.
    pub route: RouteId,
    /// The value of `X-ISR-Status`.
    pub outcome: CacheOutcome,
    /// The reason in `Cache-Status`; `None` if it has none.
    pub reason: Option<Reason>,
}

impl RequestLabel {
    /// Builds the label of a response.
    #[must_use]
    pub fn of(route: &RouteId, outcome: CacheOutcome, status: &CacheStatus) -> Self {
        Self { route: route.clone(), outcome, reason: status.detail.map(Detail::reason) }
    }
}
