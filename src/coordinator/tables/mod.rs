//! The coordinator object's tables.
//!
//! | module | what it has |
//! |---|---|
//! | `store` | the database: its schema, the object's own facts, and the breaker |
//! | `entries` | pages, their tags, their leases, and their writes to L2 |
//! | `invalidations` | invalidations received, and what the tag index knows of this object |
//! | `sweeps` | the pages that an invalidation concerns, to be counted or dealt with one by one |
//! | `inspection` | what is known of pages, for callers |

mod entries;
mod inspection;
mod invalidations;
mod store;
mod sweeps;
#[cfg(test)]
mod tests;

pub use self::store::CoordinatorStore;
pub use self::sweeps::{MAX_COUNTED, Swept};
