//! Where pages lie, and what is known to be invalidated.
//!
//! | module | what it is |
//! |---|---|
//! | `l1` | the Cache API |
//! | `fill` | what goes into L1 |
//! | `l2` | KV, R2, or another store for pages |
//! | `envelope` | a page as a response: how it travels between objects and lies in L1 |
//! | `feed_poll` | what this isolate knows to be invalidated |

pub(in crate::edge) mod envelope;
pub(in crate::edge) mod feed_poll;
pub(in crate::edge) mod fill;
pub(in crate::edge) mod l1;
pub(in crate::edge) mod l2;
