//! The rim: the only place with JavaScript, bindings and `await`.
//!
//! | module | what lies there |
//! |---|---|
//! | `gateway` | the deployable Worker; the feature `gateway` exports its `fetch` event |
//! | `library`, `error` | the API for Workers that use this crate as a library |
//! | `settings` | `env`: configuration, secrets, bindings |
//! | `memory` | the bytes that may be held in the isolate |
//! | `deployment` | what this isolate remembers of each `env` and of each deployment |
//! | `entry` | the module that wrangler loads, and its short path for a HIT |
//! | `visitor` | one client's request: which requests the cache answers, and how |
//! | `objects` | the two Durable Objects: renders, leases, alarms, SQLite, purges of downstream caches |
//! | `caches` | the tiers: Cache API, KV, R2 or another store; and the feed of invalidations |
//! | `body` | the bytes of a response while they arrive: streaming, seals, ranges |
//! | `origin` | requests to the origin |
//! | `admin` | `/__isr/...` and the RPC methods |
//! | `platform` | JavaScript functions, and messages to the two objects |

mod admin;
mod body;
mod caches;
mod deployment;
mod entry;
mod error;
mod gateway;
mod library;
mod memory;
mod objects;
mod origin;
mod platform;
mod settings;
mod visitor;

pub use self::caches::l2::{L2, L2Error, L2Factory, L2Future, PutOptions, set_l2};
pub use self::error::IsrError;
pub use self::gateway::gateway;
pub use self::library::{configure, serve};
pub use self::objects::coordinator::IsrCoordinator;
pub use self::objects::tag_index::IsrTagIndex;
pub use self::visitor::isr::Isr;
pub use self::visitor::lookup::Lookup;
