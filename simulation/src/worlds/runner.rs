//! Runs seeds on all cores, and prints the story of one.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::checks::{CheckResult, Violation};
use super::progress::Progress;
use super::twins;
use super::workshop::Workshop;
use super::world::World;
use crate::fault::{Fault, Guard};

/// One seed in this many also runs as a pair of worlds.
const TWINS_EVERY: u64 = 16;

/// The number of lines of the story that a failure shows.
const LAST_LINES: usize = 60;

/// Searches for a seed that breaks a promise.
#[derive(Clone, Debug)]
pub struct Search {
    /// The seeds to run.
    pub seeds: Range<u64>,
    /// The fault that is switched on.
    pub fault: Option<Fault>,
    /// The only promise whose violations count, if set.
    pub promise: Option<u8>,
}

impl Search {
    /// Creates a search for a violation of any promise, without a fault.
    #[must_use]
    pub fn of(seeds: Range<u64>) -> Self {
        Self { seeds, fault: None, promise: None }
    }

    /// Returns the lowest seed that breaks a promise, regardless of the number of cores.
    #[must_use]
    pub fn first(&self, progress: &Progress) -> Option<(u64, Violation)> {
        let next = AtomicU64::new(self.seeds.start);
        let best = Mutex::new(None::<(u64, Violation)>);
        let least = AtomicU64::new(self.seeds.end);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let _guard = Guard::new(self.fault);
                    let mut workshop = Workshop::new();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= least.load(Ordering::Relaxed) {
                            return;
                        }
                        let (result, _) = run(&mut workshop, seed, false);
                        progress.advance();
                        let Err(violation) = result else { continue };
                        if self.promise.is_some_and(|promise| promise != violation.promise) {
                            continue;
                        }
                        least.fetch_min(seed, Ordering::Relaxed);
                        let mut best = best.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        if best.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *best = Some((seed, violation));
                        }
                    }
                });
            }
        });
        best.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Fails with the first seed that breaks a promise, and prints the end of its story.
    ///
    /// # Errors
    /// The error names the seed and the violation.
    pub fn expect_none(&self, progress: &Progress) -> Result<(), String> {
        let found = self.first(progress);
        progress.end();
        let Some((seed, violation)) = found else { return Ok(()) };
        let (_, story) = told(seed, self.fault);
        for line in story.iter().skip(story.len().saturating_sub(LAST_LINES)) {
            println!("{line}");
        }
        Err(failure(seed, self.fault, &violation))
    }
}

/// Prints the whole story of a seed, and fails if it breaks a promise.
///
/// # Errors
/// The error names the seed and the violation.
pub fn tell(seed: u64, fault: Option<Fault>) -> Result<(), String> {
    let (result, story) = told(seed, fault);
    for line in &story {
        println!("{line}");
    }
    if result.is_ok() {
        println!("seed {seed} keeps all promises");
    }
    result.map_err(|violation| failure(seed, fault, &violation))
}

fn failure(seed: u64, fault: Option<Fault>, violation: &Violation) -> String {
    let Violation { promise, what } = violation;
    let fault = fault.map_or_else(String::new, |fault| format!(" --fault {fault:?}"));
    format!("seed {seed} breaks promise {promise}: {what}\nits whole story: cargo xtask sim --seed {seed}{fault}")
}

fn told(seed: u64, fault: Option<Fault>) -> (CheckResult, Vec<String>) {
    let _guard = Guard::new(fault);
    run(&mut Workshop::new(), seed, true)
}

/// Runs the worlds of a seed. A panic counts as a violation.
fn run(workshop: &mut Workshop, seed: u64, is_told: bool) -> (CheckResult, Vec<String>) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(workshop, seed, is_told);
        let result = world.run();
        let story = world.into_parts().0;
        if result.is_err() || !seed.is_multiple_of(TWINS_EVERY) {
            (result, story)
        } else {
            twins::run(workshop, seed, is_told)
        }
    }));
    caught.unwrap_or_else(|panic| {
        // The state that a panic leaves behind is not reliable.
        *workshop = Workshop::new();
        (Err(Violation::of(0, message(panic.as_ref()))), Vec::new())
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".to_owned())
}
