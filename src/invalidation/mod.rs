//! Invalidations: what a caller asks for, and what edges know of.
//!
//! | module | what it has |
//! |---|---|
//! | `request` | what a caller asks to be invalidated |
//! | `feed` | targets and modes, and the invalidations as edges see them |

mod feed;
mod request;

pub use self::feed::{
    Feed, FeedPage, Invalidated, Invalidation, MAX_FEED_ROWS, Mode, PathPrefix, PrefixTooDeep, Refresh, Scope,
};
pub use self::request::*;
