//! The vocabulary of HTTP caching as pure values: the names of pages, their freshness, and what may be stored.

pub mod browser;
pub mod bypass_cookies;
pub mod cache_control;
pub mod cache_policy;
pub mod cache_status;
pub mod client_rules;
pub mod conditional;
pub mod digest;
pub mod etag;
pub mod forwarded;
pub mod freshness;
pub mod headers;
pub mod http_date;
pub mod key;
pub mod language;
pub mod mapping;
pub mod media_type;
pub mod nominated;
pub mod range;
pub mod redirect;
pub mod render_signature;
pub mod set_cookie;
pub mod statuses;
pub mod storable;
pub mod tag;
pub mod vary;
