//! Counters that outlive their object.
//!
//! An object counts in memory, and saves its counters at most once a minute: one row. It reports only what it has saved.
//! So the reported numbers never go back: Prometheus takes a counter that is lower than before for one that began anew, and
//! would count all of it once more.
//!
//! | state | event | next state |
//! |---|---|---|
//! | unsaved changes, nothing saved in this life | the alarm, or a question for the counters | saved |
//! | unsaved changes, the last time or the beginning of this life is a minute ago or longer | any event | saved |
//! | unsaved changes | the object ends | what was counted since the last time is lost: at most a minute |
//! | saving fails | | the counters stay unsaved; the next attempt follows a minute later |
//! | the clock is set back | | the minute begins anew |

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec;
use crate::time::Timestamp;

/// The least time between two times of saving.
pub const INTERVAL: Duration = Duration::from_mins(1);

/// Counters, and what is saved of them.
#[derive(Clone, Debug, Default)]
pub struct Persisted<T> {
    /// The counters.
    pub live: T,
    saved: T,
    /// When this life of the object was first asked whether to save.
    began_at: Option<Timestamp>,
    /// When they were last saved in this life, or saving has failed.
    tried_at: Option<Timestamp>,
}

impl<T: Clone + Default + PartialEq + Serialize + DeserializeOwned> Persisted<T> {
    /// Continues from what was saved. Counters that can't be read begin anew.
    #[must_use]
    pub fn load(saved: Option<&str>) -> Self {
        let saved: T = saved.and_then(codec::from_text).unwrap_or_default();
        Self { live: saved.clone(), saved, began_at: None, tried_at: None }
    }

    /// Returns the text to save, if that is due. `is_quiet`: the object may end soon, or was asked for its counters.
    #[must_use]
    pub fn due(&mut self, now: Timestamp, is_quiet: bool) -> Option<String> {
        for time in [&mut self.began_at, &mut self.tried_at] {
            if time.is_some_and(|time| now < time) {
                *time = Some(now);
            }
        }
        let began_at = *self.began_at.get_or_insert(now);
        let is_first = is_quiet && self.tried_at.is_none();
        let is_over = now.since(self.tried_at.unwrap_or(began_at)) >= INTERVAL;
        if self.live == self.saved || !(is_first || is_over) {
            return None;
        }
        Some(codec::to_text(&self.live))
    }

    /// Records that the text of [`Self::due`] was saved, or that this has failed.
    pub fn tried(&mut self, now: Timestamp, is_saved: bool) {
        self.tried_at = Some(now);
        if is_saved {
            self.saved = self.live.clone();
        }
    }

    /// Returns the counters as they are saved.
    #[must_use]
    pub fn reported(&self) -> &T {
        &self.saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn what_is_reported_never_goes_back() {
        let mut counter = Persisted::<u64>::load(None);
        counter.live += 5;
        assert_eq!((counter.due(at(100), false), *counter.reported()), (None, 0));
        assert_eq!(counter.due(at(161), false).map(|text| codec::from_text(&text)), Some(Some(5_u64)));
        counter.tried(at(161), true);
        counter.live += 2;
        assert_eq!((counter.due(at(170), true), *counter.reported()), (None, 5), "once a minute");
        let mut next = Persisted::<u64>::load(Some(&codec::to_text(&5_u64)));
        assert_eq!(*next.reported(), 5, "the object has died");
        next.live += 1;
        assert_eq!(next.due(at(171), false), None);
        assert_eq!(
            next.due(at(171), true).map(|text| codec::from_text(&text)),
            Some(Some(6_u64)),
            "the first time in this life is at once"
        );
    }

    #[test]
    fn a_failure_is_tried_again_a_minute_later_and_a_clock_that_goes_back_delays_by_a_minute() {
        let mut counter = Persisted::<u64>::load(Some("not a number"));
        counter.live += 1;
        assert!(counter.due(at(1000), true).is_some());
        counter.tried(at(1000), false);
        assert_eq!((*counter.reported(), counter.due(at(1059), true)), (0, None));
        assert!(counter.due(at(1060), true).is_some());
        assert!(counter.due(at(500), true).is_none());
        assert!(counter.due(at(560), true).is_some());
    }
}
