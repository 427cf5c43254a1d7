//! The coordinator object's tables.
//!
//! | module | contents |
//! |---|---|
//! | `store` | the database: its schema, the object's own facts, and the breaker |
//! | `entries` | pages, their tags, their leases, and their writes to L2 |
//! | `admission` | the keys that a full shard may displace |
//! | `invalidations` | invalidations received, and the tags registered with the tag index |
//! | `decisions` | the log of decisions |
//! | `forgotten` | invalidations and registrations of tags that no page needs any more |
//! | `sweeps` | the pages that an invalidation names, counted or processed one by one |
//! | `visits` | how often pages are visited |
//! | `inspection` | the state of pages, for callers |
//! | `survey` | lists and sums, for the admin API |

mod admission;
mod decisions;
mod entries;
mod forgotten;
mod inspection;
mod invalidations;
mod store;
mod survey;
mod sweeps;
#[cfg(test)]
mod tests;
mod visits;

pub use self::admission::Candidate;
pub use self::decisions::Decided;
pub use self::forgotten::Removable;
pub use self::store::CoordinatorStore;
pub use self::sweeps::{MAX_COUNTED, SweepPage};
