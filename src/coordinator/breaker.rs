//! The circuit breaker: stops asking an origin that is sick, and probes from time to time whether it has recovered.
//!
//! It measures the origin, not pages. The evidence is the last result of each key that was rendered within
//! [`WINDOW`], so a broken page counts once, however often it is tried.
//!
//! | state | event | next state |
//! |---|---|---|
//! | closed | a render fails, and the evidence weighs less than [`OPENS_AT`] | closed |
//! | closed | a render fails, and the evidence weighs [`OPENS_AT`] or more | open; the first probe after a pause |
//! | open | a probe begins | open; the next probe after a pause that is twice as long |
//! | open | the render of an invalidated page begins | open |
//! | open | a render fails because the origin is unreachable | open; the pause begins anew |
//! | open | a render fails with an error response | open; the pauses begin anew with the first one, because an origin that responds can be asked about other pages |
//! | any | a render succeeds | closed; while it was open, the evidence is dropped |
//!
//! What can go wrong in between:
//!
//! | what | then |
//! |---|---|
//! | a probe is lost | the next one follows after the pause; there are never two at a time |
//! | failed pages outnumber healthy ones among the visits | a page that has failed may probe only [`HANDICAP`] later than another |
//! | the object dies | the evidence is in SQLite. It is written with the row of a page whose render has failed |
//! | the clock is set back | results from the future do not count, nor does a pause that is longer than there can be |
//! | healthy pages are rendered meanwhile | they count only while the failures weigh half of what opens the breaker, so that an ordinary render writes no row here |

use std::fmt::Write;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::backoff;
use crate::semantics::key::PageKey;
use crate::semantics::storable::OriginFailure;
use crate::time::{CLOCK_DIFFERENCE, Timestamp};

/// The weight of the evidence that opens the breaker.
const OPENS_AT: u32 = 24;

/// The weight of the failures from which on successes are recorded.
const IS_SUSPICIOUS_AT: u32 = OPENS_AT / 2;

/// How long a result counts.
const WINDOW: Duration = Duration::from_mins(1);

/// The number of keys whose results are kept.
const MOST: usize = 32;

/// The longest pause between two probes, before jitter.
const LONGEST: Duration = Duration::from_mins(1);

/// How much later a page may probe whose own last render has failed.
const HANDICAP: Duration = Duration::from_secs(5);

/// What a render says about the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OriginResult {
    /// The origin has responded, whether or not the response may be stored.
    Success,
    /// The origin has responded with an error. Other pages may be well.
    ErrorResponse,
    /// The origin could not be reached, broke off, or did not respond in time.
    Unreachable,
}

impl OriginResult {
    /// All results, with the letter that stands for each in the database.
    const LETTERS: [(Self, char); 3] = [(Self::Success, 's'), (Self::ErrorResponse, 'e'), (Self::Unreachable, 'u')];

    /// Returns the result that a failure is.
    #[must_use]
    pub(super) const fn of(failure: OriginFailure) -> Self {
        match failure {
            OriginFailure::Status(_) | OriginFailure::Pausing { .. } | OriginFailure::Empty => Self::ErrorResponse,
            OriginFailure::Broken | OriginFailure::Timeout => Self::Unreachable,
        }
    }

    /// Returns how much a failure weighs: four unreachable pages or twelve with errors open the breaker.
    const fn weight(self) -> u32 {
        match self {
            Self::Success => 0,
            Self::ErrorResponse => 2,
            Self::Unreachable => 6,
        }
    }

    /// Returns how much the result weighs against the failures of other keys.
    const fn counterweight(self) -> u32 {
        match self {
            Self::Success => 3,
            Self::ErrorResponse | Self::Unreachable => 0,
        }
    }

    const fn is_failure(self) -> bool {
        self.weight() > 0
    }
}

/// One piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Evidence {
    /// The key, as a hash.
    key: u64,
    at: Timestamp,
    result: OriginResult,
}

/// The breaker of one shard, and so of one route. The back-off of a page limits the renders of that page; the breaker
/// limits the renders of all pages together.
///
/// There is no *half-open* state. An open breaker admits one render (the probe) when its time has come, and then sets
/// the time of the next probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// The number of pauses since the breaker opened, which determines their length; 0 while it is closed.
    pub pauses: u32,
    /// When an open breaker admits the next render.
    pub probe_at: Timestamp,
    /// The last results, oldest first.
    evidence: Vec<Evidence>,
}

impl Breaker {
    /// Returns when a render may begin next; `None` if it may begin now. `has_failed` means that the page's own last
    /// render has failed.
    #[must_use]
    pub fn holds_until(&self, now: Timestamp, has_failed: bool) -> Option<Timestamp> {
        let due = if has_failed { self.probe_at.plus(HANDICAP) } else { self.probe_at };
        (self.is_open() && due > now && !self.is_of_other_clock(now)).then_some(due)
    }

    /// Returns whether the time of the next probe was set before the clock was set back: no pause is so long.
    fn is_of_other_clock(&self, now: Timestamp) -> bool {
        self.probe_at.since(now) > LONGEST * 5 / 4
    }

    /// Returns the number of keys whose last render has failed.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.evidence.iter().filter(|evidence| evidence.result.is_failure()).count()
    }

    /// Records that a render begins. If its time has come, it is the probe. Otherwise the page was invalidated.
    pub(super) fn begun(&mut self, now: Timestamp, random: u128) {
        if self.is_open() && (self.probe_at <= now || self.is_of_other_clock(now)) {
            self.pauses = self.pauses.saturating_add(1);
            self.pause(now, random);
        }
    }

    /// Records that a render has failed.
    pub(super) fn failed(&mut self, key: &PageKey, result: OriginResult, now: Timestamp, random: u128) {
        self.note(key, result, now);
        let answers = result == OriginResult::ErrorResponse;
        if if self.is_open() { answers } else { self.weighs_too_much() } {
            self.pauses = 1;
        }
        // Renders that began before the breaker opened may fail now. They lengthen no pause.
        self.pause(now, random);
    }

    /// Records that the origin has responded, whether or not the response may be stored.
    pub(super) fn succeeded(&mut self, key: &PageKey, now: Timestamp) {
        if self.is_open() {
            *self = Self::default();
        } else if self.failures_weigh() >= IS_SUSPICIOUS_AT || self.counts_as_failing(key) {
            self.note(key, OriginResult::Success, now);
        }
    }

    fn is_open(&self) -> bool {
        self.pauses > 0
    }

    fn pause(&mut self, now: Timestamp, random: u128) {
        if self.is_open() {
            self.probe_at = now.plus(backoff::pause(self.pauses, random, LONGEST));
        }
    }

    fn note(&mut self, key: &PageKey, result: OriginResult, now: Timestamp) {
        let key = hash_of(key);
        // Otherwise results from before the clock was set back would count until their time comes again.
        let is_recent = |at: Timestamp| now.since(at) < WINDOW && at.since(now) <= CLOCK_DIFFERENCE;
        self.evidence.retain(|evidence| evidence.key != key && is_recent(evidence.at));
        if self.evidence.len() >= MOST {
            self.evidence.remove(0);
        }
        self.evidence.push(Evidence { key, at: now, result });
    }

    fn counts_as_failing(&self, key: &PageKey) -> bool {
        let is_own = |key| self.evidence.iter().any(|evidence| evidence.result.is_failure() && evidence.key == key);
        !self.evidence.is_empty() && is_own(hash_of(key))
    }

    fn failures_weigh(&self) -> u32 {
        self.evidence.iter().map(|evidence| evidence.result.weight()).sum()
    }

    fn weighs_too_much(&self) -> bool {
        let against: u32 = self.evidence.iter().map(|evidence| evidence.result.counterweight()).sum();
        self.failures_weigh() >= OPENS_AT + against
    }

    /// Returns the evidence as text for the database: for each key its hash, the time and the result.
    #[must_use]
    pub fn evidence(&self) -> String {
        let mut text = String::new();
        for Evidence { key, at, result } in &self.evidence {
            let letter =
                OriginResult::LETTERS.iter().find(|(known, _)| known == result).map_or('s', |(_, letter)| *letter);
            // Writing to a string can't fail.
            let _ = write!(text, "{key:x}:{}:{letter} ", at.as_millis());
        }
        text
    }

    /// Reads a breaker. Skips evidence that it can't read.
    #[must_use]
    pub fn from_stored(pauses: u32, probe_at: Timestamp, evidence: &str) -> Self {
        let read = |text: &str| {
            let mut parts = text.split(':');
            let key = u64::from_str_radix(parts.next()?, 16).ok()?;
            let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
            let letter = parts.next()?;
            let (result, _) = OriginResult::LETTERS.iter().find(|(_, known)| letter.chars().eq([*known]))?;
            Some(Evidence { key, at, result: *result })
        };
        Self { pauses, probe_at, evidence: evidence.split(' ').filter_map(read).take(MOST).collect() }
    }
}

/// Returns a hash of a key: two failing keys with the same hash count as one.
fn hash_of(key: &PageKey) -> u64 {
    let hash: [u8; 32] = Sha256::digest(key.as_str().as_bytes()).into();
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn key(number: u64) -> PageKey {
        PageKey::from_stored(&format!("https://e.com/{number}")).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..4).for_each(|number| breaker.failed(&key(number), OriginResult::Unreachable, at(0), 0));
        breaker
    }

    #[test]
    fn an_unreachable_origin_opens_it_within_four_keys_and_one_that_answers_errors_within_twelve() {
        for (result, keys) in [(OriginResult::Unreachable, 4), (OriginResult::ErrorResponse, 12)] {
            let mut breaker = Breaker::default();
            for number in 1..=keys {
                assert_eq!(breaker.holds_until(at(0), false), None, "{result:?}: {number}");
                breaker.failed(&key(number), result, at(0), 0);
            }
            assert_eq!(breaker.holds_until(at(0), false), Some(at(1)), "{result:?}");
        }
    }

    #[test]
    fn an_open_breaker_admits_one_probe_at_a_time_until_one_succeeds() {
        let mut breaker = opened();
        assert_eq!(breaker.holds_until(at(1), false), None);
        assert_eq!(breaker.holds_until(at(1), true), Some(at(6)), "a page that has failed probes later");
        breaker.begun(at(1), 0);
        assert_eq!(breaker.holds_until(at(1), false), Some(at(3)), "nothing was heard of the probe yet");
        for _ in 0..20 {
            breaker.failed(&key(9), OriginResult::Unreachable, at(2), 0);
        }
        assert_eq!(breaker.holds_until(at(2), false), Some(at(4)), "they had begun before");
        (1..100).for_each(|minute| breaker.begun(at(60 * minute), 0));
        assert_eq!(breaker.holds_until(at(60 * 99), false), Some(at(60 * 100)));
        breaker.failed(&key(9), OriginResult::ErrorResponse, at(60 * 99), 0);
        assert_eq!(breaker.holds_until(at(60 * 99), false), Some(at(60 * 99 + 1)), "the origin responds");
        breaker.succeeded(&key(1), at(6000));
        assert_eq!((breaker.holds_until(at(6000), false), breaker), (None, Breaker::default()));
    }

    #[test]
    fn one_broken_page_that_is_asked_for_every_ten_seconds_for_an_hour_never_opens_it() {
        let mut breaker = Breaker::default();
        for second in (0..3600).step_by(10) {
            breaker.failed(&key(1), OriginResult::Unreachable, at(second), 0);
            assert_eq!(breaker.holds_until(at(second), true), None, "{second}");
        }
        assert_eq!(breaker.failing(), 1);
    }

    #[test]
    fn old_failures_do_not_count() {
        let mut breaker = Breaker::default();
        for number in 0..1000 {
            breaker.failed(&key(number), OriginResult::Unreachable, at(20 * number), 0);
            assert_eq!(breaker.holds_until(at(20 * number), false), None, "{number}");
        }
    }

    #[test]
    fn failures_from_before_the_clock_was_set_back_do_not_count() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|number| breaker.failed(&key(number), OriginResult::Unreachable, at(3600), 0));
        breaker.failed(&key(3), OriginResult::Unreachable, at(10), 0);
        assert_eq!((breaker.holds_until(at(10), false), breaker.failing()), (None, 1));
        // Objects of one shard may run on machines whose clocks differ a little.
        let mut breaker = Breaker::default();
        (0..3).for_each(|number| breaker.failed(&key(number), OriginResult::Unreachable, at(11), 0));
        breaker.failed(&key(3), OriginResult::Unreachable, at(10), 0);
        assert_eq!(breaker.holds_until(at(10), false), Some(at(11)));
    }

    #[test]
    fn an_open_breaker_admits_a_probe_when_the_clock_was_set_back() {
        let mut breaker = Breaker::default();
        (0..4).for_each(|number| breaker.failed(&key(number), OriginResult::Unreachable, at(3600), 0));
        assert_eq!(breaker.holds_until(at(10), false), None);
        assert_eq!(breaker.holds_until(at(10), true), None);
        breaker.begun(at(10), 0);
        assert_eq!(breaker.holds_until(at(10), false), Some(at(12)), "one at a time");
    }

    #[test]
    fn pages_that_are_well_count_against_those_that_fail() {
        let mut breaker = Breaker::default();
        for number in 0..500 {
            breaker.failed(&key(2 * number), OriginResult::ErrorResponse, at(number), 0);
            breaker.succeeded(&key(2 * number + 1), at(number));
            assert_eq!(breaker.holds_until(at(number), false), None, "{number}");
        }
        assert!(breaker.evidence.len() <= MOST);
    }

    #[test]
    fn a_page_that_is_well_changes_nothing_while_few_fail() {
        let mut breaker = Breaker::default();
        breaker.failed(&key(1), OriginResult::Unreachable, at(0), 0);
        let before = breaker.clone();
        (10..1000).for_each(|number| breaker.succeeded(&key(number), at(1)));
        assert_eq!(breaker, before, "so no row is written");
        breaker.succeeded(&key(1), at(2));
        assert_eq!(breaker.failing(), 0, "the page that has failed is well");
    }

    #[test]
    fn it_is_read_as_it_was_stored() {
        let mut breaker = opened();
        breaker.failed(&key(7), OriginResult::ErrorResponse, at(3), 9);
        let read = |text: &str| Breaker::from_stored(breaker.pauses, breaker.probe_at, text);
        assert_eq!(read(&breaker.evidence()), breaker);
        assert_eq!(read(&format!("x :: 1:2:z {}", breaker.evidence())), breaker, "of another version");
    }
}
