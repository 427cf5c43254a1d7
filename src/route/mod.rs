//! Routes: which pages the cache owns, and the settings of each.
//!
//! The most specific pattern that matches a path wins, in whatever order the routes are defined. Patterns are compared
//! segment by segment from the left: a literal before a parameter, a parameter before a catch-all. If the more specific
//! branch does not match the rest of the path, the next one is tried, so a path that any pattern matches has a route.

mod id;
mod origin;
mod pattern;
mod render_headers;
mod routes;
#[cfg(test)]
mod tests;
mod url;

use std::time::Duration;

pub use crate::semantics::bypass_cookies::BypassCookies;
use crate::semantics::freshness::Revalidate;
pub use crate::semantics::http_rules::HttpRules;
pub use crate::semantics::key::{QueryPolicy, TrailingSlash};
pub use crate::semantics::set_cookie::SetCookie;
use crate::semantics::statuses::Statuses;
use crate::semantics::tag::Tag;
use crate::semantics::vary::Vary;

pub use self::id::RouteId;
pub use self::origin::{MAX_BINDING_NAME_CHARS, Origin, OriginError, SELF_ORIGIN, ServiceName};
pub use self::pattern::{MAX_PARAM_NAME_BYTES, MAX_PATTERN_BYTES, MAX_PATTERN_SEGMENTS, Pattern, PatternError};
pub use self::render_headers::{
    MAX_RENDER_HEADER_BYTES, MAX_RENDER_HEADERS, RenderHeaderError, RenderHeaders, RenderValue, SENSITIVE_HEADERS,
    check_render_name, check_render_value,
};
pub use self::routes::{Routes, RoutesError};
pub(crate) use self::url::split as split_url;
pub use self::url::{OriginUrl, UrlError};

/// A pattern with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    id: RouteId,
    pattern: Pattern,
    settings: RouteSettings,
}

/// Declares [`RouteSettings`] and, for each of its fields, the method of [`Route`] that returns it: a copy, or a
/// reference to the type after `=>`.
macro_rules! route_settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty $(=> &$target:ty)? $(=> Option<&$optional:ty>)?,)+) => {
        /// The settings of one route. A setting that the route leaves out has the top level's value.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct RouteSettings {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Route {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(&self) -> route_settings!(@returned $type $(=> &$target)? $(=> Option<&$optional>)?) {
                    route_settings!(@value self.settings.$name $(=> &$target)? $(=> Option<&$optional>)?)
                }
            )+
        }
    };
    (@returned $type:ty) => { $type };
    (@returned $type:ty => &$target:ty) => { &$target };
    (@returned $type:ty => Option<&$target:ty>) => { Option<&$target> };
    (@value $value:expr) => { $value };
    (@value $value:expr => &$target:ty) => { &$value };
    (@value $value:expr => Option<&$target:ty>) => { $value.as_ref() };
}

route_settings! {
    /// Freshness lifetime of a page, unless its response sets another.
    revalidate: Revalidate,
    /// Freshness lifetime of a 404 or 410, unless the response sets another.
    not_found_revalidate: Revalidate,
    /// Stale window: how long after the freshness lifetime a page may be served while it is revalidated.
    expire: Duration,
    /// How long after the freshness lifetime a page may be served while the origin fails.
    stale_if_error: Duration,
    /// Statuses that are stored.
    statuses: Statuses => &Statuses,
    /// How long a browser may reuse a fresh page without a request.
    browser_max_age: Duration,
    /// Tags of every page of the route. Those of a [`Route`] are sorted, each once.
    tags: Vec<Tag> => &[Tag],
    /// Number of coordinators that share the route's pages.
    shards: u16,
    /// Maximum number of pages for each of these coordinators.
    max_pages: u64,
    /// Query parameters that are part of a page's key.
    query: QueryPolicy => &QueryPolicy,
    /// Meaning of a slash at the end of a path.
    trailing_slash: TrailingSlash,
    /// Meaning of `Set-Cookie` in a response that does not say that it is for all clients.
    set_cookie: SetCookie,
    /// Cookies with which a request passes to the origin.
    bypass_cookies: BypassCookies => &BypassCookies,
    /// Rules by which responses are stored and reused.
    http: HttpRules,
    /// Properties of a request that select one of several variants of a page.
    vary: Vary => &Vary,
    /// Origin of the route's pages; `None`: the service bound as `ORIGIN`.
    origin: Option<Origin> => Option<&Origin>,
    /// Headers that requests to the origin carry besides this cache's own.
    render_headers: RenderHeaders => &RenderHeaders,
}

impl Route {
    /// Creates a route whose id is the pattern's text.
    #[must_use]
    pub fn new(pattern: Pattern, mut settings: RouteSettings) -> Self {
        settings.tags.sort_unstable();
        settings.tags.dedup();
        Self { id: RouteId::of(&pattern), pattern, settings }
    }

    /// Returns the route's name.
    #[must_use]
    pub fn id(&self) -> &RouteId {
        &self.id
    }

    /// Returns the pattern of the paths that belong to the route.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}
