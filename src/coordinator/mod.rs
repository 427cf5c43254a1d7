//! The coordinator's decisions, free of I/O: who renders a page, and which pages are published and forgotten.
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
//! The object loads the entry, calls [`handle`], saves the entry and the clock in one transaction, and then performs
//! the actions. There is no `await` between load and save. Waiters are numbers here; the object holds the channels. An
//! action never changes the entry: its result is another event.
//!
//! A key has a state according to its lease: *idle* (none), *rendering for a client* ([`Purpose::Cold`]: the render
//! runs in the request), or *rendering in the background* ([`Purpose::Background`]: the alarm drives it). A lease ends
//! with an [`RenderOutcome`]. `docs/design.md` has the tables of states, outcomes and failures.
//!
//! [`Shard`] manages all keys of an object: it loads, steps and saves them, and holds the state that is in memory only.

mod action;
pub mod alarm_run;
mod base;
mod bounds;
mod breaker;
pub mod decision;
mod entry;
mod event;
mod failed_pages;
mod frequency;
mod handle;
mod held_pages;
mod io;
mod leases;
mod render_queue;
mod renders;
mod shard;
pub mod tables;
#[cfg(test)]
mod tests;
mod token_bucket;
mod unpublished;
mod visits;

pub use self::action::{Action, Answer};
pub use self::alarm_run::AlarmRun;
pub use self::base::Base;
pub use self::bounds::Bounds;
pub use self::breaker::Breaker;
pub use self::decision::{Decision, DecisionKind};
pub use self::entry::{Entry, Lease, PendingWrite, Purpose, StoredCopy};
pub use self::event::{Event, RenderOutcome, WaiterId};
pub use self::handle::{Context, Room, RoutePolicy, handle};
pub use self::held_pages::PageContent;
pub use self::io::{Effect, Handled, Input, Moment, PageRead, ReadResult};
pub use self::shard::Shard;
pub use self::token_bucket::TokenBucket;
pub use self::unpublished::{Cause, Unpublished};
