//! The two Durable Objects.
//!
//! | module | what it does |
//! |---|---|
//! | `coordinator` | receives the coordinator's messages |
//! | `coordinator_work` | performs the effects that the coordinator's decisions return |
//! | `tag_index` | receives the tag index's messages, and delivers invalidations |
//! | `listening` | sends the feed to the edges that keep a stream open |
//! | `counting` | counts what the tag index does |
//! | `render` | sends a render to the origin, and judges the response |
//! | `validation` | makes a page of a stored one that the origin has confirmed |
//! | `tickets` | keeps the leases of callers that render pages themselves |
//! | `permits` | shares an object's connections |
//! | `purges` | purges downstream caches |
//! | `sql`, `alarm` | SQLite and the alarm of an object |

mod alarm;
pub(in crate::edge) mod coordinator;
mod coordinator_work;
mod counting;
mod listening;
mod permits;
mod purges;
pub(in crate::edge) mod render;
mod sql;
pub(in crate::edge) mod tag_index;
mod tickets;
mod validation;
