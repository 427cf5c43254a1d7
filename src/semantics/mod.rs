//! The vocabulary of HTTP caching as pure values: what a page is called, how long it is fresh, whether it may be stored.

pub mod cache_control;
pub mod cache_status;
pub mod digest;
pub mod freshness;
pub mod headers;
pub mod key;
pub mod language;
pub mod policy;
pub mod statuses;
pub mod storable;
pub mod tag;
pub mod vary;
