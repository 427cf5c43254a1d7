//! The bounds of one coordinator object.

use std::time::Duration;

use crate::limits::OPEN_RENDERS;

/// The bounds of one object. Visitors come before reports of stale pages, and their renders before those of the alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The renders that run at the same time, for clients and by the alarm together. Their bodies share the object's
    /// memory.
    pub running: usize,
    /// The renders that wait for the head of their response: each takes one of the object's connections.
    pub asked: usize,
    /// How many of those may be the alarm's.
    pub asked_by_alarm: usize,
    /// The queued renders that clients wait for.
    pub queued: usize,
    /// The queued renders that wait for the alarm.
    pub queued_for_alarm: usize,
    /// The waiting requests.
    pub waiters: usize,
    /// How many of those may be reports of stale pages.
    pub reports: usize,
    /// The bytes that waiting requests take, keys included. Requests with long keys may take half of them.
    pub waiter_bytes: u64,
    /// How long an invalidation is kept after it was recorded, even if nothing is from before it. Within this time its
    /// delivery may be repeated, and must not count twice.
    pub invalidations_kept_for: Duration,
    /// The reads of L2 that waiting requests wait for.
    pub reads: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            running: 24,
            asked: OPEN_RENDERS,
            asked_by_alarm: OPEN_RENDERS - 1,
            queued: 200,
            queued_for_alarm: 200,
            waiters: 10_000,
            reports: 1_000,
            waiter_bytes: 16 * 1024 * 1024,
            invalidations_kept_for: Duration::from_mins(10),
            reads: 200,
        }
    }
}
