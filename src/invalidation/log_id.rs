//! The identity of a log of invalidations.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The random identity of a tag index object's log. A new database has another one, and so has a database that was
/// restored to an earlier point, as soon as the object finds that out. The numbers of two logs have nothing to do with
/// each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogId(u64);

impl LogId {
    /// Creates an id from random bits.
    #[must_use]
    pub fn new(random: u64) -> Self {
        Self(random)
    }

    /// Returns the id as it is stored.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The newest row of a log that an edge has heard of. A log that does not have this row is not the log that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The log.
    pub log: LogId,
    /// The row's number.
    pub seq: u64,
    /// The row's time.
    pub at: Timestamp,
}

/// An edge's question to a tag index object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedQuestion {
    /// The number after which to return rows. Edges that know similar things ask for the same.
    pub since: u64,
    /// What the edge really knows, for the object to compare with its log.
    pub known: Option<LogPosition>,
}
