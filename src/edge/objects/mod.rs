//! The two Durable Objects.
//!
//! | module | what it does |
//! |---|---|
//! | `coordinator` | is the coordinator: takes its messages |
//! | `coordinator_work` | performs the effects that the coordinator's decisions return |
//! | `tag_index` | is the tag index: takes its messages, and delivers invalidations |
//! | `render` | asks the origin for a page, and judges the response |
//! | `lease` | keeps the leases of callers that render pages themselves |
//! | `purges` | purges downstream caches |
//! | `sql`, `alarm` | are an object's SQLite and its alarm |

mod alarm;
pub(in crate::edge) mod coordinator;
mod coordinator_work;
mod lease;
mod purges;
pub(in crate::edge) mod render;
mod sql;
pub(in crate::edge) mod tag_index;
