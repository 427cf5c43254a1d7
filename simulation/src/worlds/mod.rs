//! The simulated worlds: their events, their checks, and the search for a seed that breaks a promise.

mod answers;
mod checks;
mod colo;
mod coordinator;
mod database;
mod deliveries;
mod deployment;
mod edge;
mod effects;
mod hostile;
mod invalidations;
mod l2;
mod object;
mod origin;
mod polls;
mod progress;
mod queue;
mod random;
mod regressions;
mod runner;
mod statements;
mod story;
mod straits;
mod tag_index;
mod twins;
mod validators;
mod visits;
mod weather;
mod workshop;
mod world;

pub use self::checks::Violation;
pub use self::progress::Progress;
pub use self::regressions::{SEEDS, seed_of};
pub use self::runner::{Search, tell};
