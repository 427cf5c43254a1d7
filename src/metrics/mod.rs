//! What is counted, and how the numbers reach an operator.
//!
//! ```text
//!  isolate: Tally ──── visits, with a miss or the report of a stale page ────▶ coordinator: Visits, Counters
//!     │                                                                                     │
//!     └── requests by route, once a minute ──▶ tag index root: RequestTotals                │
//!                                                    │                                      │
//!  GET /__isr/metrics ◀──────────────────────────────┴──────────────────────────────────────┘
//! ```
//!
//! | module | contents |
//! |---|---|
//! | `label`, `messages` | the labels of a request, and what an isolate sends |
//! | `tally` | what an isolate has counted and not handed over yet |
//! | `totals` | the sums in the root of the tag index |
//! | `persisted` | counters that outlive their object |
//! | `coordinator`, `tag_index` | what the objects count, and what they report |
//! | `scrape`, `exposition` | every metric with its meaning, its values, and the text that Prometheus reads |
//! | `analytics` | the data points for Analytics Engine |
//! | `log_line` | one line of the log for a request |
//!
//! No counter decides anything. So a count may be lost or doubled, and each module says when.

pub mod analytics;
pub mod coordinator;
pub mod exposition;
pub mod label;
pub mod log_line;
pub mod messages;
pub mod persisted;
pub mod scrape;
pub mod tag_index;
pub mod tally;
pub mod totals;

pub use self::coordinator::{Counters, RenderCounts, ShardMetrics};
pub use self::label::RequestLabel;
pub use self::messages::{CalledObject, ObjectCalls, PageVisits, RequestCount, RequestCounts};
pub use self::persisted::Persisted;
pub use self::tag_index::{TagIndexCounters, TagIndexMetrics};
pub use self::tally::{HandOver, HitCounter, Tally};
pub use self::totals::RequestTotals;
