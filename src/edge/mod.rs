//! The rim: the only place with JavaScript, bindings and `await`.
//!
//! | file | what it touches |
//! |---|---|
//! | `gateway` | the deployable Worker; its `fetch` event is exported by the feature `gateway` |
//! | `library`, `error` | what a Worker calls that uses this crate as a library |
//! | `isr` | which requests the cache answers |
//! | `visit`, `miss`, `stale` | one visitor's request: what L1 and L2 have, what the coordinator says, what is told it |
//! | `lookup`, `lend` | a caller that renders pages itself, and the lease that it gets |
//! | `hit` | the short way of a plain HIT, for `entry.mjs` |
//! | `admin` | `/__isr/...` and the RPC methods |
//! | `settings` | `env`: configuration, secrets, bindings; read once per isolate |
//! | `l1`, `fill`, `l2` | Cache API and what goes into it, KV |
//! | `site` | the site behind the cache |
//! | `front` | a cache in front of the Worker |
//! | `feed_poll` | what this isolate knows to be invalidated |
//! | `calls` | messages to the two objects |
//! | `coordinator_object`, `coordinator_work`, `render` | the coordinator Durable Object |
//! | `body`, `source`, `sealed` | the bytes of an answer while they come |
//! | `tag_index_object`, `sinks` | the tag index Durable Object, and the caches in front that it purges |
//! | `sql`, `alarm` | a Durable Object's SQLite and its alarm |
//! | `envelope`, `respond`, `part`, `js` | responses, headers, ranges of bodies, time, randomness |

mod admin;
mod alarm;
mod body;
mod calls;
mod coordinator_object;
mod coordinator_work;
mod envelope;
mod error;
mod feed_poll;
mod fill;
mod front;
mod gateway;
mod hit;
mod isr;
mod js;
mod l1;
mod l2;
mod lend;
mod library;
mod lookup;
mod miss;
mod part;
mod render;
mod respond;
mod sealed;
mod settings;
mod sinks;
mod site;
mod source;
mod sql;
mod stale;
mod tag_index_object;
mod visit;

pub use self::coordinator_object::IsrCoordinator;
pub use self::error::IsrError;
pub use self::gateway::gateway;
pub use self::isr::Isr;
pub use self::library::{configure, serve};
pub use self::lookup::Lookup;
pub use self::tag_index_object::IsrTagIndex;
