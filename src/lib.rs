//! Incremental Static Regeneration for Cloudflare Workers.
//!
//! A page cache in front of any site on (or behind) Workers. Pages come from cache at the edge (L1: Cache API, L2: KV),
//! are regenerated in the background when they age, and are invalidated on demand by path and by tag. One coordinator
//! Durable Object per route shard owns a page: its lease, its tags, every write to L2.
//!
//! ```text
//!  visitor ─▶ edge ──read──▶ L1 Cache API ──▶ L2 KV ◀──write── coordinator ──render──▶ site
//!               │  visit::judge: hit | stale | miss                ▲   │ register tags
//!               └── stale, miss ───────────────────────────────────┘   ▼
//!               └── feed: what was invalidated since n? ────────▶ tag index ──deliver──▶ coordinators
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`config`], [`route`] | settings and patterns |
//! | [`time`], [`version`], [`shard_name`], [`tag_index_name`] | the notions of when and where |
//! | [`semantics`] | the RFCs' vocabulary as pure values |
//! | [`reason`] | why the cache answered as it did: the words of `Cache-Status` |
//! | [`page`], [`page_policy`] | what is stored, and what a page declares of itself |
//! | [`invalidation`], [`inspection`] | what a caller asks to be invalidated, or to be shown |
//! | [`protocol`] | what edge and objects say to each other |
//! | [`visit`] | the edge's decisions, free of I/O |
//! | [`secret`] | secrets that clients prove to know |
//! | [`downstream`] | headers for downstream caches, and purges of them |
//! | [`coordinator`], [`tag_index`] | the objects' decisions, free of I/O, and their tables |
//! | [`sql`], [`alarm`] | SQLite and the alarm, as the two objects use them |
//! | `edge` (feature `worker`) | the only place with JavaScript, bindings and `await` |

pub mod alarm;
mod backoff;
pub mod codec;
pub mod config;
pub mod coordinator;
pub mod downstream;
pub mod error;
pub mod inspection;
pub mod invalidation;
mod limits;
pub mod page;
pub mod page_policy;
pub mod protocol;
pub mod reason;
pub mod route;
pub mod secret;
pub mod semantics;
pub mod shard_name;
pub mod sql;
pub mod tag_index;
pub mod tag_index_name;
mod text;
pub mod time;
pub mod version;
pub mod visit;

#[cfg(feature = "worker")]
pub mod edge;

/// The code in the documentation is compiled, and run where that needs no platform.
#[cfg(all(doctest, feature = "worker"))]
#[doc = include_str!("../docs/rust.md")]
struct Documentation;

// `cargo bolero` instruments every test program, and its runtime has to be in each.
#[cfg(test)]
use bolero as _;

pub use invalidation::{Invalidate, Mode, Refresh};
pub use page_policy::{PageSettings, Scope};
pub use protocol::{InvalidateAnswer, Progress};
pub use reason::Reason;
pub use semantics::freshness::Revalidate;

#[cfg(feature = "worker")]
pub use edge::{
    Isr, IsrCoordinator, IsrError, IsrTagIndex, L2, L2Error, L2Factory, L2Future, Lookup, PutOptions, configure,
    gateway, serve, set_l2,
};
