//! How often each key was requested recently, estimated in constant memory (a count-min sketch that ages, as in
//! `TinyLFU`).

use sha2::{Digest, Sha256};

use crate::semantics::key::PageKey;

/// The number of counters of each key. Its estimate is the smallest of them.
const ROWS: usize = 4;

/// The number of counters in a row.
const WIDTH: usize = 16_384;

/// The highest count.
pub(super) const MOST: u8 = 15;

/// The number of requests after which all counts are halved. It is small compared with [`WIDTH`], so that a flood of
/// keys does not make a new key look as if it had been requested before.
const AGES_AFTER: usize = WIDTH / 2;

/// Counts requests by key. It is in memory only: a new life of the object begins without counts.
#[derive(Clone, Debug)]
pub(super) struct Frequency {
    /// Makes the keys that share counters unpredictable.
    salt: u128,
    counters: Vec<u8>,
    noted: usize,
}

impl Frequency {
    pub(super) fn new(salt: u128) -> Self {
        Self { salt, counters: Vec::new(), noted: 0 }
    }

    /// Counts a request.
    pub(super) fn note(&mut self, key: &PageKey) {
        self.counters.resize(ROWS * WIDTH, 0);
        self.noted += 1;
        if self.noted >= AGES_AFTER {
            self.noted = 0;
            self.counters.iter_mut().for_each(|count| *count /= 2);
        }
        let next = self.of(key).saturating_add(1).min(MOST);
        for place in self.places(key) {
            if let Some(count) = self.counters.get_mut(place) {
                *count = next.max(*count);
            }
        }
    }

    /// Returns how often a key was requested, at most [`MOST`] times. The estimate is never too low, except by age.
    pub(super) fn of(&self, key: &PageKey) -> u8 {
        self.places(key).into_iter().map(|place| self.counters.get(place).copied().unwrap_or(0)).min().unwrap_or(0)
    }

    fn places(&self, key: &PageKey) -> [usize; ROWS] {
        let hash = Sha256::new().chain_update(self.salt.to_be_bytes()).chain_update(key.as_str()).finalize();
        std::array::from_fn(|row| {
            let two = hash.iter().skip(2 * row).take(2).fold(0, |number, byte| number << 8 | usize::from(*byte));
            row * WIDTH + two % WIDTH
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> PageKey {
        PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
    }

    #[test]
    fn it_counts_and_forgets() {
        let mut frequency = Frequency::new(7);
        assert_eq!(frequency.of(&key(0)), 0);
        for count in 1..20 {
            frequency.note(&key(0));
            assert_eq!(frequency.of(&key(0)), count.min(MOST));
        }
        (0..8 * AGES_AFTER).for_each(|number| frequency.note(&key(number + 1)));
        assert!(frequency.of(&key(0)) <= 2);
    }

    #[test]
    fn a_flood_of_keys_makes_few_look_as_if_they_had_been_requested_before() {
        let mut frequency = Frequency::new(7);
        let seen = (0..100_000).filter(|number| {
            let is_seen = frequency.of(&key(*number)) > 0;
            frequency.note(&key(*number));
            is_seen
        });
        let seen = seen.count();
        assert!(seen < 5_000, "{seen} of 100,000");
        assert_eq!(frequency.counters.len(), ROWS * WIDTH);
    }
}
