//! Invalidations: the calls that request them, and the edge's knowledge of them.
//!
//! | module | what it has |
//! |---|---|
//! | `target`, `mode` | which pages are affected, and how |
//! | `request` | a call that invalidates |
//! | `idempotency_key` | what identifies a call that may be repeated |
//! | `record` | an invalidation as the tag index records it |
//! | `feed` | invalidations at the edge |
//! | `log_id` | the identity of a log, and questions to it |

mod feed;
mod idempotency_key;
mod log_id;
mod mode;
mod record;
mod request;
mod target;

pub use self::feed::{Feed, FeedPage, FeedProgress, MAX_FEED_ROWS, PageInvalidation};
pub use self::idempotency_key::IdempotencyKey;
pub use self::log_id::{FeedQuestion, LogId, LogPosition};
pub use self::mode::{Mode, Refresh};
pub use self::record::Invalidation;
pub use self::request::{Batch, Call, Invalidate, InvalidateError, MAX_TARGETS};
pub use self::target::{PathPrefix, PrefixTooDeep, Target, TargetField};
