//! The coordinator object's tables.
//!
//! | module | what it has |
//! |---|---|
//! | `entries` | pages, their tags and leases; invalidations received; the breaker |
//! | `sweeps` | the pages that an invalidation concerns, to be counted or dealt with one by one |
//! | `inspection` | what is known of pages, for callers |

pub(crate) mod entries;
mod inspection;
mod sweeps;
#[cfg(test)]
mod tests;

pub use self::entries::CoordinatorStore;
pub use self::sweeps::{MAX_COUNTED, Swept};
