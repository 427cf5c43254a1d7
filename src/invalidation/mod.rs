//! Invalidations: what a caller asks for, and what edges know of.
//!
//! | module | what it has |
//! |---|---|
//! | `target`, `mode` | which pages, and what becomes of them |
//! | `request` | what a caller asks to be invalidated |
//! | `record` | an invalidation as the tag index records it |
//! | `feed` | the invalidations as edges see them |

mod feed;
mod mode;
mod record;
mod request;
mod target;

pub use self::feed::{Feed, FeedPage, Invalidated, MAX_FEED_ROWS};
pub use self::mode::{Mode, Refresh};
pub use self::record::Invalidation;
pub use self::request::{Call, CallError, Invalidate, MAX_SCOPES};
pub use self::target::{PathPrefix, PrefixTooDeep, Scope};
