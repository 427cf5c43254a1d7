//! The coordinators that did not answer a delivery in time.
//!
//! A delivery to such a coordinator is left to the alarm for a while. Otherwise each caller of an invalidation would wait
//! for it in vain: a call that names 18 tags makes 18 invalidations, a few at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::shard_name::ShardName;
use crate::time::Timestamp;

/// How long no caller waits for a coordinator that did not answer.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// The coordinators that did not answer, each with the time. They are in memory only, and no more than those that a
/// delivery was due to within half a minute.
#[derive(Clone, Debug, Default)]
pub struct Hanging(BTreeMap<ShardName, Timestamp>);

impl Hanging {
    /// Records whether a coordinator has answered, even if with an error.
    pub fn note(&mut self, shard: &ShardName, has_answered: bool, now: Timestamp) {
        self.0.retain(|_, since| is_recent(*since, now));
        if has_answered {
            self.0.remove(shard);
        } else {
            self.0.insert(shard.clone(), now);
        }
    }

    /// Returns whether no caller should wait for a coordinator.
    #[must_use]
    pub fn has(&self, shard: &ShardName, now: Timestamp) -> bool {
        self.0.get(shard).is_some_and(|since| is_recent(*since, now))
    }
}

/// A time in the future was noted before the clock was set back.
fn is_recent(since: Timestamp, now: Timestamp) -> bool {
    since <= now && now.since(since) < LEFT_ALONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coordinator_is_left_alone_for_a_while_or_until_it_answers() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let (shard, other) =
            (ShardName::from_stored("/*#0").expect("it is one"), ShardName::from_stored("/*#1").expect("it is one"));
        let mut hanging = Hanging::default();
        hanging.note(&shard, false, at(100));
        let has = |hanging: &Hanging, second| [&shard, &other].map(|shard| hanging.has(shard, at(second)));
        assert_eq!(has(&hanging, 129), [true, false]);
        assert_eq!(has(&hanging, 130), [false, false]);
        assert_eq!(has(&hanging, 99), [false, false], "the clock was set back");
        hanging.note(&other, false, at(129));
        hanging.note(&shard, true, at(129));
        assert_eq!(has(&hanging, 129), [false, true]);
        hanging.note(&shard, true, at(200));
        assert!(hanging.0.is_empty());
    }
}
