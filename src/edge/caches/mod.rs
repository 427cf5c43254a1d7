//! The tiers that store pages, and the feed of invalidations.
//!
//! | module | what it is |
//! |---|---|
//! | `in_isolate` | the memory of the isolate |
//! | `l1` | the Cache API |
//! | `fill` | fills L1 behind responses |
//! | `l2` | KV, R2, or another store for pages |
//! | `envelope` | a page as a response: its form between objects and in L1 |
//! | `feed_poll` | the polls of the feed |
//! | `feed_push` | the streams of the feed |

pub(in crate::edge) mod envelope;
pub(in crate::edge) mod feed_poll;
mod feed_push;
pub(in crate::edge) mod fill;
pub(in crate::edge) mod in_isolate;
pub(in crate::edge) mod l1;
pub(in crate::edge) mod l2;
