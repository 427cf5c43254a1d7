//! The edge's decisions, free of I/O: `classify` says what a request is to the cache, `judge` what a stored page is good for.

pub mod classify;
mod judge;

pub use self::judge::{Judgement, judge};
