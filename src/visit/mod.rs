//! The edge's decisions about one request for a page, free of I/O.
//!
//! ```text
//!            feed ready, L1, L2, answer, timer
//!  Event ─────────────────────────────┐
//!  now, Polling (what is known to     ├──▶ Visit::handle ──▶ Vec<Step> (to be performed in order)
//!       be invalidated) ──────────────┘
//! ```
//!
//! [`classify`](classify::classify) decides what a request is to the cache, and [`judge`](judge()) what a stored page is good for.
//! [`Visit`] decides what to read, what to ask and what to serve. [`Polling`] decides when an edge asks the tag index
//! for invalidations, and keeps the answers. [`Reports`] bounds the reports of stale pages to the coordinator. [`Crowds`]
//! lets one request of an isolate ask for all others, and [`L2Reads`] lets one read L2. [`Plan`] is the short path for a repeated HIT. `edge` performs the steps against the platform; the simulation performs the
//! same steps against its world. Bodies are opaque here: `B` is the type that the performer holds.
//!
//! # States of a visit
//!
//! | state | waits for | then |
//! |---|---|---|
//! | looking | the feed and L1, side by side | serve, pass, read L2, ask |
//! | reading L2 | L2 | serve, ask |
//! | asking | the coordinator's answer, at most `miss_timeout` | serve, pass, refresh, ask once more, look into L1 again |
//! | following | a pause, while another request of the isolate asks | ask, or see what that request has got |
//! | joining | L1, where another request has put the page | serve, pass, ask |
//! | refreshing | the feed, if it has aged meanwhile | serve, ask once more |
//! | retrying | a pause, or L1 | serve, pass, pause again |
//! | over | nothing | |
//!
//! At most one step of a batch brings events, and it is the last one. [`Step::Look`] brings two, in either order; each of
//! the others brings one.
//!
//! # What can go wrong in between
//!
//! | what | then |
//! |---|---|
//! | an event comes that the state does not wait for (a duplicate, a late answer) | it changes nothing |
//! | the client leaves | the performer drops the visit, in any state. It shares nothing with other visits, except a poll, a read of L2 and a question |
//! | the client leaves with a question under way | another request asks after [`crowds::LEAD`] |
//! | the client leaves with a read of L2 under way | another request reads after [`l2_reads::LEAD`] |
//! | the client leaves with a poll under way | another request may poll after twice [`polling::PATIENCE`] |
//! | the tag index does not answer | [`Event::FeedReady`] still arrives; without a current feed nothing is fresh |
//! | L1 or L2 does not answer | nothing was found there, after [`L1_PATIENCE`] or [`L2_PATIENCE`] |
//! | an invalidation becomes known while L1 or L2 is read | pages are judged when they arrive, not when they are requested |
//! | an invalidation becomes known while the coordinator is asked | the edge compares the answer with the feed, and asks once more |
//! | a purge becomes known while the coordinator is asked | a page from before the purge is not served |
//! | the coordinator dies, is overloaded, or answers too late | the page at hand, else L1 again, else the origin: [`Visit`] |
//! | the answer is about another page, or not one to this question | as if there were none |
//! | the isolate dies | all of it is lost; [`Polling`] and [`Reports`] start empty, which costs a poll and a report |

mod answer;
pub mod classify;
pub mod crowds;
mod follow;
mod judge;
pub mod l2_reads;
mod machine;
pub mod memory;
pub mod polling;
pub mod pushing;
pub mod reports;
mod short_path;
mod step;
#[cfg(test)]
mod tests;

pub use self::crowds::{CrowdPart, Crowds, Turn};
pub use self::judge::{Judgement, judge};
pub use self::l2_reads::{L2Reader, L2Reads, L2Result, L2Turn, L2Waiter};
pub use self::machine::{Request, Sent, Visit};
pub use self::memory::{MemoryTier, Remembered, TierBounds};
pub use self::polling::{FeedRefresh, PartPoll, Poll, Polling};
pub use self::pushing::{FeedTerms, Push, PushEnd, PushNumber, PushProgress};
pub use self::reports::{Replacement, Reports};
pub use self::short_path::{Plan, plan};
pub use self::step::{
    CallFailure, Company, CoordinatorReply, Event, L1_PATIENCE, L1Entry, L2_PATIENCE, Others, PassMarker, Question,
    Report, ServedPage, Step, StoredPage, WhenToKeep,
};
