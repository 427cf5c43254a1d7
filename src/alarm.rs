//! Decides when the alarm of a Durable Object is set. An object has one alarm, and it is set for the earliest deadline.
//!
//! | what goes wrong | then |
//! |---|---|
//! | the platform evicts the object while its handler runs | the platform repeats the run, unless a later alarm replaces it; so no alarm is set while the handler runs |
//! | the alarm does not go off | the next request sets an overdue alarm again |
//! | the alarm can't be set | the next request sets it again |
//! | the object dies | the next life does not know the time of the alarm, and sets it for the next deadline |

use std::time::Duration;

use crate::time::Timestamp;

/// The time until the store is read again after it has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How late an alarm may be. The platform documents up to a minute after one of its failures.
const OVERDUE: Duration = Duration::from_mins(2);

/// Remembers the time of the alarm, so that the object sets it again only for an earlier time: the platform bills each
/// setting as a row written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    set_for: Option<Timestamp>,
    is_running: bool,
}

impl Alarm {
    /// Ensures that the alarm goes off at `time` or earlier. Returns the time to set, if the alarm must be set.
    #[must_use]
    pub fn wake_at(&mut self, time: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let relied_upon = self.set_for.filter(|set_for| set_for.plus(OVERDUE) >= now);
        if self.is_running || relied_upon.is_some_and(|set_for| set_for <= time) {
            return None;
        }
        let time = self.set_for.map_or(time, |set_for| set_for.min(time)).max(now);
        self.set_for = Some(time);
        Some(time)
    }

    /// Records that the handler begins.
    pub fn begin(&mut self) {
        (self.set_for, self.is_running) = (None, true);
    }

    /// Records that the handler has ended. Call [`Self::wake_at`] or [`Self::follow`] next.
    pub fn end(&mut self) {
        self.is_running = false;
    }

    /// Records that the alarm could not be set.
    pub fn not_set(&mut self) {
        self.set_for = None;
    }

    /// Ensures that the alarm goes off at the next deadline of the store, if there is one. If the store has failed, the
    /// alarm goes off after a pause. Returns the same as [`Self::wake_at`].
    #[must_use]
    pub fn follow<E>(&mut self, deadline: &Result<Option<Timestamp>, E>, now: Timestamp) -> Option<Timestamp> {
        match deadline {
            Ok(deadline) => self.wake_at((*deadline)?, now),
            Err(_) => self.wake_at(now.plus(AFTER_FAILURE), now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn it_is_set_for_earlier_times_only() {
        let mut alarm = Alarm::default();
        for (time, now, set_for) in [
            (100, 0, Some(100)),
            (100, 1, None),
            (200, 1, None),
            (50, 1, Some(50)),
            (10, 20, Some(20)),
            (30, 140, None),
            (300, 141, Some(141)),
        ] {
            assert_eq!(alarm.wake_at(at(time), at(now)), set_for.map(at), "{time} {now}");
        }
    }

    #[test]
    fn while_its_handler_runs_it_is_not_set() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.wake_at(at(10), at(0)), Some(at(10)));
        alarm.begin();
        assert_eq!(alarm.wake_at(at(11), at(10)), None);
        alarm.end();
        assert_eq!(alarm.follow::<()>(&Ok(None), at(12)), None);
        assert_eq!(alarm.follow::<()>(&Ok(Some(at(11))), at(12)), Some(at(12)));
    }

    #[test]
    fn what_could_not_be_set_or_read_is_tried_again() {
        let mut alarm = Alarm::default();
        assert_eq!(alarm.follow(&Err("the store fails"), at(0)), Some(at(30)));
        assert_eq!(alarm.wake_at(at(30), at(1)), None);
        alarm.not_set();
        assert_eq!(alarm.wake_at(at(30), at(1)), Some(at(30)));
    }
}
