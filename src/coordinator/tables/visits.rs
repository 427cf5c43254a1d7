//! The visits of pages, in their rows.

use crate::coordinator::tables::CoordinatorStore;
use crate::semantics::key::PageKey;
use crate::sql::{Sql, StoreError};
use crate::time::Timestamp;

/// The milliseconds of a day.
const DAY: u64 = 86_400_000;

/// Returns the number of the day of a time. The visits in a row are halved with each day.
pub(super) const fn day(time: Timestamp) -> u64 {
    time.as_millis() / DAY
}

impl<S: Sql> CoordinatorStore<S> {
    /// Adds visits to the rows of pages. A page without a row is left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn note_visits(&self, visits: &[(PageKey, u64)], now: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE entries SET visits = (visits >> MAX(0, MIN(62, ?1 - visited_day))) + ?2, visited_day = ?1 \
            WHERE key = ?3";
        self.sql().transaction(|| {
            for (key, visits) in visits {
                // Halved each day, a count never exceeds twice the visits of a day.
                let visits = (*visits).min(1 << 40);
                self.sql().query(update, &[day(now).into(), visits.into(), key.as_str().into()])?;
            }
            Ok(())
        })
    }
}
