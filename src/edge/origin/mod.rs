//! The origin: the site behind the cache, which is a service binding, a URL, or the Worker itself.
//!
//! `request` asks it for pages, and passes visitors' own requests on.

mod request;

pub(in crate::edge) use self::request::{Site, SiteError, is_loop, is_signed, passed, render_request};
