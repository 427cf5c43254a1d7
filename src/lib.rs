//! Incremental Static Regeneration for Cloudflare Workers: a page cache in front of a Worker's own pages, or of any other
//! site.
//!
//! Pages come from the cache, are rendered again in the background when they get stale, and are invalidated on demand by
//! path and by tag.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use cloudflare_isr::{Builder, RouteBuilder};
//! use worker::{Context, Env, Request, Response, Result};
//!
//! // The Worker exports the classes of the Durable Objects.
//! pub use cloudflare_isr::{IsrCoordinator, IsrTagIndex};
//!
//! #[worker::event(start)]
//! fn start() {
//!     let blog = RouteBuilder::default().revalidate(Duration::from_secs(300)).tags(["blog"]);
//!     cloudflare_isr::configure(Builder::default().origin("self").route("/blog/[slug]", blog));
//! }
//!
//! #[worker::event(fetch)]
//! async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
//!     cloudflare_isr::serve(request, &env, &context, async |request| {
//!         Response::from_html(format!("<h1>{}</h1>", request.path()))
//!     })
//!     .await
//! }
//! # fn main() {}
//! ```
//!
//! `docs/rust.md` has the `wrangler.toml` that belongs to it: a KV namespace, and two classes of Durable Objects.
//!
//! # Ways to use it
//!
//! | the Worker | calls |
//! |---|---|
//! | renders its own pages, and has the cache in front of them | [`configure`] and [`serve`] |
//! | is only a cache in front of another site | [`gateway()`] |
//! | decides itself what the cache answers | [`Isr::handle_request`] |
//! | renders a page under a lease | [`Isr::lookup`] and [`Isr::store`] |
//! | changes what pages show | [`Isr::revalidate_path`], [`Isr::revalidate_tag`], [`Isr::invalidate`] |
//! | wants to know what is cached | [`Isr::inspect`] |
//! | keeps pages in a store of its own | [`set_l2`] |
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `worker` (default) | everything that runs on Workers. Without it, only settings, receipts and values remain |
//! | `gateway` | exports the `fetch` event of the deployable gateway. A library leaves it off |
//!
//! # Structure
//!
//! Decisions are pure functions and state machines without I/O: `semantics`, `visit`, `coordinator`, `tag_index`. Only
//! `edge` has JavaScript, bindings and `await`. `docs/design.md` describes the modules.

mod account;
mod admin_api;
mod alarm;
mod backoff;
mod codec;
mod config;
mod coordinator;
mod deployment;
mod downstream;
mod error;
mod inspection;
#[doc(hidden)]
pub mod internals;
mod invalidation;
mod limits;
mod metrics;
mod page;
mod page_policy;
mod protocol;
mod reason;
mod route;
mod secret;
mod semantics;
mod session;
mod shard_name;
mod sql;
mod tag_index;
mod tag_index_name;
mod text;
mod time;
mod version;
mod visit;
mod webhook;

#[cfg(feature = "worker")]
mod edge;

/// The code in the documentation is compiled, and run where that needs no platform.
#[cfg(all(doctest, feature = "worker"))]
mod documentation {
    #[doc = include_str!("../docs/rust.md")]
    struct Rust;

    #[doc = include_str!("../docs/origins.md")]
    struct Origins;
}

// `cargo bolero` instruments every test program, and its runtime has to be in each.
#[cfg(test)]
use bolero as _;

pub use admin_api::QueryError;
pub use config::{
    Builder, ConfigError, FeedMode, L2Kind, LogMode, Problem, RouteBuilder, RuleBuilder, VaryBuilder, WebhookBuilder,
};
pub use error::{ArgumentError, ObjectError};
pub use inspection::{Explain, ExplainError, Inspect, InspectError};
pub use invalidation::{Invalidate, InvalidateError, Invalidation, Mode, PathPrefix, PrefixTooDeep, Refresh, Target};
pub use page_policy::{PagePolicy, PageSettings, PageSettingsError};
pub use protocol::{DownstreamProgress, InvalidateAnswer, Progress, ShardProgress, Ticket};
pub use reason::Reason;
pub use route::{RenderValue, RouteId};
pub use semantics::freshness::Revalidate;
pub use semantics::http_rules::HttpRules;
pub use semantics::key::{CanonicalPath, KeyError, TrailingSlash};
pub use semantics::set_cookie::SetCookie;
pub use semantics::tag::{Tag, TagError};
pub use shard_name::ShardName;
pub use time::Timestamp;
pub use version::Version;
pub use webhook::Scheme as WebhookScheme;

#[cfg(feature = "worker")]
pub use edge::{
    Isr, IsrCoordinator, IsrError, IsrTagIndex, L2, L2Error, L2Factory, L2Future, Lookup, PutOptions, configure,
    gateway, serve, set_l2,
};
