//! The edge's decisions, free of I/O: `judge` says what a stored page is good for.

mod judge;

pub use self::judge::{Judgement, judge};
