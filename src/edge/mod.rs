//! The rim: the only place with JavaScript, bindings and `await`.
//!
//! | file | what it touches |
//! |---|---|
//! | `gateway` | the deployable Worker; its `fetch` event is exported by the feature `gateway` |
//! | `isr` | one visitor's request, from key to response |
//! | `hit` | the short way of a plain HIT, for `entry.mjs` |
//! | `admin` | `/__isr/...` and the RPC methods |
//! | `settings` | `env`: configuration, secrets, bindings; read once per isolate |
//! | `l1`, `l2` | Cache API, KV |
//! | `site` | the site behind the cache |
//! | `feed_poll` | what this isolate knows to be invalidated |
//! | `calls` | messages to the two objects |
//! | `coordinator_object`, `render` | the coordinator Durable Object |
//! | `tag_index_object` | the tag index Durable Object |
//! | `sql`, `alarm` | a Durable Object's SQLite and its alarm |
//! | `envelope`, `respond`, `js` | responses, headers, time, randomness |

mod admin;
mod alarm;
mod body;
mod calls;
mod coordinator_object;
mod envelope;
mod feed_poll;
mod gateway;
mod hit;
mod isr;
mod js;
mod l1;
mod l2;
mod render;
mod respond;
mod settings;
mod site;
mod sql;
mod tag_index_object;

pub use self::coordinator_object::IsrCoordinator;
pub use self::gateway::gateway;
pub use self::isr::Isr;
pub use self::tag_index_object::IsrTagIndex;
