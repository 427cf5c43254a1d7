//! One client's request.
//!
//! | module | what it does |
//! |---|---|
//! | `isr` | the cache of a Worker for one request |
//! | `classify` | decides which requests the cache answers |
//! | `visit` | performs the steps of [`crate::visit`]: reads the tiers, asks the coordinator, serves |
//! | `observe` | counts and logs the request |
//! | `stale` | reports to the coordinator that a stale page was served |
//! | `respond` | builds the response |
//! | `downstream` | adds the headers for a downstream cache, and purges the Worker's own |
//! | `lookup` | answers a caller that renders pages itself |

mod classify;
pub(in crate::edge) mod downstream;
pub(in crate::edge) mod isr;
pub(in crate::edge) mod lookup;
pub(in crate::edge) mod observe;
pub(in crate::edge) mod respond;
mod stale;
mod visit;
