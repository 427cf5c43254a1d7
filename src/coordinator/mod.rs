//! The coordinator's decision, free of I/O: who renders a page, what is published, what is forgotten.
//!
//! ```text
//!            miss, stale, head, ended, L2 written ...
//!  Event ─────────────────────────────┐
//!  Entry (as loaded) ─────────────────┤
//!  Context (now, clock, policy, ──────┼──▶ handle ──▶ Entry (to be saved)  +  Vec<Action> (to be performed)
//!           invalidated since?)       │
//!                                     ┘
//! ```
//!
//! The object around it loads the entry, calls [`handle`], saves the entry and the clock in one transaction, and then
//! performs the actions. Nothing is awaited between load and save. Waiters are numbers here; the object holds the
//! channels. An action never changes the entry: what becomes of it comes back as another event.
//!
//! States of a key, by its lease: *idle* (none), *rendering for a visitor* ([`Purpose::Cold`]: the render runs in the
//! request), *rendering behind a stale copy* ([`Purpose::Background`]: the alarm drives it). How a lease ends is an
//! [`Outcome`]. The tables of states, outcomes and of what may go wrong in between are in `docs/design.md`.
//!
//! [`Shard`] is all keys of an object together: it loads, steps, saves, and knows what lives in memory only.

mod action;
pub mod alarm_run;
mod breaker;
mod entry;
mod event;
mod handle;
mod held;
mod io;
mod renders;
mod shard;
pub mod tables;
#[cfg(test)]
mod tests;

pub use self::action::{Action, Answer};
pub use self::alarm_run::AlarmRun;
pub use self::breaker::Breaker;
pub use self::entry::{Entry, Lease, PendingWrite, Purpose, StoredCopy};
pub use self::event::{Event, Outcome, WaiterId};
pub use self::handle::{Context, Policy, Room, handle};
pub use self::io::{Effect, Found, Input, Moment, Wanted};
pub use self::shard::Shard;
