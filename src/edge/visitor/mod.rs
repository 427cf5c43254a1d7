//! One visitor's request.
//!
//! | module | what it does |
//! |---|---|
//! | `isr` | is the cache of a Worker, as one request sees it |
//! | `classify` | decides which requests the cache answers |
//! | `visit` | looks for the page in L1 and L2 |
//! | `miss`, `stale` | asks the coordinator for a page, or tells it that a page is stale |
//! | `respond` | builds the response |
//! | `downstream` | adds the headers for a downstream cache, and purges the Worker's own |
//! | `lookup` | answers a caller that renders pages itself |

mod classify;
pub(in crate::edge) mod downstream;
pub(in crate::edge) mod isr;
pub(in crate::edge) mod lookup;
mod miss;
pub(in crate::edge) mod respond;
mod stale;
mod visit;
