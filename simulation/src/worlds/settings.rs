//! Settings that change while isolates live: the platform keeps an isolate when only bindings change.
//!
//! What an isolate knows of the feed, its reports and its crowds stay. A request that is under way ends with the settings
//! with which it began. Each edge changes at a time of its own, so edges of one colo have different settings meanwhile.

use std::time::Duration;

use super::random::Random;
use super::world::{EDGES, World};

/// The settings change at an edge once in this many steps, in worlds in which they do.
const CHANGES_EVERY: u64 = 15;

/// The values of `freshness_bound` and `miss_timeout`, in seconds.
const BOUNDS: [u64; 4] = [4, 6, 10, 30];
const TIMEOUTS: [u64; 3] = [5, 10, 15];

/// The settings with which an edge handles a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) freshness_bound: Duration,
    pub(super) miss_timeout: Duration,
}

/// The changes of a world.
#[derive(Debug)]
pub(super) struct Changes {
    random: Random,
}

impl Changes {
    /// Draws whether the settings of a seed's world change, with random numbers of their own.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(56) ^ 0x5345_5454);
        random.one_in(4).then_some(Self { random })
    }

    fn next(&mut self) -> Option<(usize, Settings)> {
        let seconds = |from: &[u64], random: &mut Random| Duration::from_secs(random.pick(from));
        self.random.one_in(CHANGES_EVERY).then(|| {
            let edge = self.random.index(EDGES);
            let freshness_bound = seconds(&BOUNDS, &mut self.random);
            (edge, Settings { freshness_bound, miss_timeout: seconds(&TIMEOUTS, &mut self.random) })
        })
    }
}

impl World<'_> {
    /// Changes the settings of an edge, in worlds in which that happens. Its isolate goes on.
    pub(super) fn maybe_change_settings(&mut self) {
        let Some((edge, settings)) = self.changes.as_mut().and_then(Changes::next) else { return };
        let now = self.now;
        self.story.tell(now, || format!("edge {edge} has other settings: {settings:?}"));
        self.edges[edge].settings = settings;
    }

    /// Returns the settings of a visit; of a request without one, those that its edge has now.
    pub(super) fn settings_of(&self, visit: Option<u64>, edge: usize) -> Settings {
        let of_visit = visit.and_then(|visit| self.visits.get(&visit)).map(|visit| visit.settings);
        of_visit.unwrap_or(self.edges[edge].settings)
    }
}
