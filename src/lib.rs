//! Incremental Static Regeneration for Cloudflare Workers.
//!
//! A page cache in front of any site on (or behind) Workers. Pages come from cache at the edge (L1: Cache API, L2: KV),
//! are regenerated in the background when they age, and are invalidated on demand by path and by tag. One coordinator
//! Durable Object per route shard owns a page: its lease, its tags, every write to L2.
//!
//! ```text
//!  visitor ─▶ edge ──read──▶ L1 Cache API ──▶ L2 KV ◀──write── coordinator ──render──▶ site
//!               │  serve::judge: hit | stale | miss                ▲   │ register tags
//!               └── stale, miss ───────────────────────────────────┘   ▼
//!               └── feed: what was invalidated since n? ────────▶ tag index ──deliver──▶ coordinators
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`config`], [`route`], [`time`], [`version`], [`shard`] | settings, patterns, and the notions of when and where |
//! | [`semantics`] | the RFCs' vocabulary as pure values |
//! | [`reason`] | why the cache answered as it did: the words of `Cache-Status` |
//! | [`page`], [`feed`], [`protocol`] | what is stored, what was invalidated, what objects say to each other |
//! | [`invalidate`], [`inspect`] | what a caller asks to be invalidated, or to be shown |
//! | [`scope`], [`split`] | what a page says of itself, and how a caller that renders it brings it here |
//! | [`mod@serve`], [`front`] | the edge's decision, and what a cache in front is told |
//! | [`coordinator`], [`tag_index`] | the objects' decisions, free of I/O |
//! | [`store`] | what the objects keep in SQLite |
//! | `edge` (feature `worker`) | the only place with JavaScript, bindings and `await` |

pub mod config;
pub mod coordinator;
mod fault;
pub mod feed;
pub mod front;
pub mod inspect;
pub mod invalidate;
pub mod page;
pub mod protocol;
pub mod reason;
pub mod route;
pub mod scope;
pub mod semantics;
pub mod serve;
pub mod shard;
#[cfg(test)]
mod simulation;
pub mod split;
pub mod store;
pub mod tag_index;
pub mod time;
pub mod version;

#[cfg(feature = "worker")]
pub mod edge;

/// The code in the documentation is compiled, and run where that needs no platform.
#[cfg(all(doctest, feature = "worker"))]
#[doc = include_str!("../docs/rust.md")]
struct Documentation;

// `cargo bolero` instruments every test program, and its runtime has to be in each.
#[cfg(test)]
use bolero as _;

pub use feed::{Mode, Refresh};
pub use invalidate::Invalidate;
pub use protocol::{InvalidateAnswer, Progress};
pub use reason::Reason;
pub use scope::{PageSettings, Scope};
pub use semantics::freshness::Revalidate;

#[cfg(feature = "worker")]
pub use edge::{
    Isr, IsrCoordinator, IsrError, IsrTagIndex, L2, L2Error, L2Factory, L2Future, Lookup, PutOptions, configure,
    gateway, serve, set_l2,
};
