//! Narrow worlds: objects with small bounds, platform limits that are reached, and a store that fails.
//!
//! They draw from a stream of their own, so that the other worlds tell the same stories as before.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::database::Database;
use super::random::Random;
use crate::coordinator::Bounds;
use crate::sql::{Row, Sql, StoreError, Value};

/// The bounds of an object in a narrow world, which has few pages.
const BOUNDS: Bounds = Bounds {
    running: 3,
    asked: 2,
    asked_by_alarm: 1,
    queued: 2,
    queued_for_alarm: 2,
    waiters: 10_000,
    reports: 2,
    waiter_bytes: 1024 * 1024,
    invalidations_kept_for: Duration::ZERO,
    reads: 200,
};

/// The subrequests of an invocation in a narrow world.
pub(super) const SUBREQUESTS: u32 = 12;

/// The most statements of an input before the one that fails.
const STATEMENTS: u64 = 12;

/// The conditions of a narrow world.
#[derive(Debug)]
pub(super) struct Straits {
    random: Random,
    /// The store fails, per input.
    store_fails: u64,
    /// Whether it never fails.
    pub(super) has_sound_store: bool,
    /// Other pages use the memory for bodies, per render.
    no_room: u64,
}

impl Straits {
    /// Draws the conditions of a seed's world, if it is narrow.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(16) ^ 0x5742_4149_5453);
        if !random.one_in(4) {
            return None;
        }
        let (store_fails, no_room) = (random.pick(&[0, 6, 30, 100]), random.pick(&[0, 4, 12]));
        Some(Self { random, store_fails, has_sound_store: store_fails == 0, no_room })
    }

    pub(super) fn bounds() -> Bounds {
        BOUNDS
    }

    /// Returns the statement of the next input that fails, if one does.
    pub(super) fn failing_statement(&mut self) -> Option<u64> {
        self.random.one_in(self.store_fails).then(|| self.random.below(STATEMENTS))
    }

    /// Returns whether the body of the next render has no room.
    pub(super) fn has_no_room(&mut self) -> bool {
        self.random.one_in(self.no_room)
    }

    /// Ends all failures.
    pub(super) fn clear(&mut self) {
        (self.store_fails, self.no_room) = (0, 0);
    }
}

/// A database of which one statement may fail.
#[derive(Clone)]
pub(super) struct FailingDatabase {
    database: Database,
    /// The number of statements before the one that fails.
    fails_after: Rc<Cell<Option<u64>>>,
}

impl FailingDatabase {
    pub(super) fn new(database: Database, fails_after: Rc<Cell<Option<u64>>>) -> Self {
        Self { database, fails_after }
    }
}

impl Sql for FailingDatabase {
    fn query(&self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self.fails_after.get() {
            Some(0) => {
                self.fails_after.set(None);
                Err(StoreError::Sql("disk I/O error".to_owned()))
            }
            left => {
                self.fails_after.set(left.map(|left| left - 1));
                self.database.query(sql, parameters)
            }
        }
    }

    fn transaction<T>(&self, body: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.transaction(body)
    }
}
