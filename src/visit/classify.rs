//! Decides what a request is to the cache: a page, a call of the admin API, or nothing that the cache answers.
//!
//! The decision has two stages. [`by_url`] decides by the URL and the configuration alone; [`classify`] then takes method,
//! headers and secrets into account.
//!
//! The short path of a HIT runs in the entry module (`src/edge/entry/`), which remembers [`short_path_page`], the result
//! of the first stage, and [`short_path_variant`] for pages with variants. [`SHORT_PATH`] lists the requests for which the second stage can make a difference; the entry
//! module leaves those to [`classify`].

use serde::Serialize;

use crate::config::{CanonicalOrigin, Config};
use crate::deployment::DeploymentId;
use crate::reason::Reason;
use crate::route::Route;
use crate::secret::Secret;
use crate::semantics::conditional::Conditions;
use crate::semantics::freshness::Revalidate;
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::{CanonicalPath, KeyError, PageKey, RequestUrl, TrailingSlash};
use crate::semantics::nominated::Nominated;
use crate::semantics::render_signature::RENDER_HEADER;
use crate::semantics::request_directives::RequestDirectives;
use crate::semantics::vary::{Visitor, cookie};
use crate::session;

/// The prefix of the gateway's own paths.
pub const ADMIN_PREFIX: &str = "/__isr";

/// The path of the dashboard.
pub const DASHBOARD_PATH: &str = "/__isr/";

/// The request header that carries the draft token.
pub const BYPASS_HEADER: &str = "x-isr-bypass";

/// The cookie that carries the draft token.
pub const BYPASS_COOKIE: &str = "__isr_bypass";

/// The request header that lists the caches a request has come through (RFC 8586).
pub const LOOP_HEADER: &str = "cdn-loop";

/// The name of this cache in [`LOOP_HEADER`].
pub const LOOP_NAME: &str = "cloudflare-isr";

/// The requests that may take the short path of a HIT, by method and headers.
///
/// For these, [`classify`] gives a page whose only condition is `If-None-Match`, if the URL has a [`short_path_page`]. A
/// request with `props.isr` never takes the short path, nor one that the page's [`exclusions`] name.
pub const SHORT_PATH: ShortPath = ShortPath {
    method: "GET",
    excluded: &[
        ExcludedHeader::any("range"),
        // RFC 9110 §13.1.3: `If-Modified-Since` is ignored beside `If-None-Match`.
        ExcludedHeader { unless: Some("if-none-match"), ..ExcludedHeader::any("if-modified-since") },
        ExcludedHeader::any("upgrade"),
        ExcludedHeader::any("content-length"),
        ExcludedHeader::any("transfer-encoding"),
        ExcludedHeader::any(BYPASS_HEADER),
        ExcludedHeader::any(RENDER_HEADER),
        ExcludedHeader { containing: Some(BYPASS_COOKIE), ..ExcludedHeader::any("cookie") },
        ExcludedHeader { containing: Some(LOOP_NAME), ..ExcludedHeader::any(LOOP_HEADER) },
    ],
    excluded_by_standard: &["authorization", "cache-control"],
};

/// A request header that excludes a request from the short path of one page: a cookie of the route's `bypass_cookies`, or
/// a header that the page's `Vary` nominates. The long path decides what the request gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// Its name in lower case.
    pub name: String,
    /// If there are any, only values that contain one of these texts exclude a request.
    pub containing: Vec<String>,
}

/// Returns what excludes a request from the short path of a page. Most pages have nothing.
#[must_use]
pub fn exclusions(route: &Route, nominated: &Nominated) -> Vec<Exclusion> {
    let cookies: Vec<String> = route.bypass_cookies().iter().map(|pattern| pattern.literal().to_owned()).collect();
    let by_cookie = (!cookies.is_empty()).then(|| Exclusion { name: "cookie".to_owned(), containing: cookies });
    let by_name = nominated.iter().map(|name| Exclusion { name: name.to_owned(), containing: Vec::new() });
    by_cookie.into_iter().chain(by_name).collect()
}

/// Which requests may take the short path. The entry module evaluates it: `src/edge/entry/plain.ts`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ShortPath {
    /// The only method.
    pub method: &'static str,
    /// The headers that exclude a request.
    pub excluded: &'static [ExcludedHeader],
    /// The headers that also exclude a request for a page with the standard rules.
    #[serde(rename = "excludedByStandard")]
    pub excluded_by_standard: &'static [&'static str],
}

/// A request header that excludes a request from the short path.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ExcludedHeader {
    /// Its name in lower case.
    pub name: &'static str,
    /// If present, only values that contain this text exclude a request.
    pub containing: Option<&'static str>,
    /// If present, the header does not exclude a request that has this header as well.
    pub unless: Option<&'static str>,
}

impl ExcludedHeader {
    const fn any(name: &'static str) -> Self {
        Self { name, containing: None, unless: None }
    }
}

/// The settings that classification depends on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The draft token, if there is one.
    pub bypass_token: Option<&'a Secret>,
}

/// The parts of a request that classification reads.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a, H> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The absolute URL.
    pub url: &'a str,
    /// The headers, and the client's country.
    pub headers: &'a H,
    /// Whether this cache sent the request to render a page.
    pub is_render: bool,
}

/// The class of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class<'a> {
    /// The origin answers, and the response does not mention the cache.
    NotForCache,
    /// A path of the admin API.
    Admin(CanonicalPath),
    /// A `PURGE` for a page, as other caches know it. It must not reach the origin, which would report success.
    Purge,
    /// The origin answers, and the response says why.
    Pass(Pass),
    /// The client is redirected to a URL of the same host, if the page there can be served: the path has a trailing slash
    /// that its route removes. If the page passes to the origin, so does this request, because the origin may insist on
    /// the slash.
    Redirect {
        /// Path and query.
        location: String,
        /// The page there.
        page: PageRequest<'a>,
    },
    /// A page of a route.
    Page(PageRequest<'a>),
}

/// Why the cache does not answer a request for a page of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The client has the draft token.
    Draft,
    /// The route has `revalidate = 0`: its pages are never stored.
    NeverStored,
    /// The request has one of the route's `bypass_cookies`.
    Cookie,
    /// The URL has no key, or the host is not served.
    NoKey(Reason),
    /// The request does not accept a stored page.
    Demand(Reason),
}

/// A request for a page of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<'a> {
    /// The route.
    pub route: &'a Route,
    /// The page.
    pub key: PageKey,
    /// Whether the response has a body: false for HEAD.
    pub with_body: bool,
    /// The conditions and the range of the request.
    pub conditions: Conditions,
    /// What the request demands of a stored page. Nothing with the rules of ISR.
    pub demands: RequestDirectives,
    /// Whether the request has `Authorization`.
    pub authorized: bool,
}

/// The class of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlClass<'a> {
    /// No route has pages there, or the URL is not one of HTTP.
    NotForCache,
    /// A path of the admin API.
    Admin(CanonicalPath),
    /// A route has pages there.
    Routed {
        /// The route.
        route: &'a Route,
        /// The target of a GET without any headers.
        destination: Destination,
    },
}

/// The target of a GET for a URL of a route, before its headers are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The origin's response.
    Pass(Pass),
    /// A redirect to the path without its trailing slash.
    Redirect {
        /// Path and query.
        location: String,
        /// The page there, by its key without a variant.
        key: PageKey,
    },
    /// A page, by its key without a variant.
    Page(PageKey),
}

/// Classifies a request.
#[must_use]
pub fn classify<'a>(rules: &Rules<'a>, request: &RequestParts<'_, impl Visitor>) -> Class<'a> {
    let (route, destination) = match by_url(rules.config, request.url) {
        UrlClass::NotForCache => return Class::NotForCache,
        UrlClass::Admin(path) => return Class::Admin(path),
        UrlClass::Routed { route, destination } => (route, destination),
    };
    let RequestParts { method, headers, is_render, .. } = *request;
    if method == "PURGE" && !is_render {
        return Class::Purge;
    }
    let is_page = matches!(method, "GET" | "HEAD") && headers.header("upgrade").is_none() && !has_content(headers);
    if !is_page || is_render {
        return Class::NotForCache;
    }
    if rules.bypass_token.is_some_and(|token| has_bypass_token(headers, token)) {
        return Class::Pass(Pass::Draft);
    }
    let (key, location) = match destination {
        Destination::Pass(pass) => return Class::Pass(pass),
        Destination::Redirect { location, key } => (key, Some(location)),
        Destination::Page(key) => (key, None),
    };
    if has_bypass_cookie(route, headers) {
        return Class::Pass(Pass::Cookie);
    }
    let key = match key.with_variant(&route.vary().variant(headers)) {
        Ok(key) => key,
        Err(error) => return Class::Pass(error.into()),
    };
    let demands = match demands(route, headers) {
        Ok(demands) => demands,
        Err(reason) => return Class::Pass(Pass::Demand(reason)),
    };
    let page = PageRequest {
        route,
        key,
        with_body: method == "GET",
        conditions: conditions(headers),
        demands,
        authorized: headers.header("authorization").is_some(),
    };
    match location {
        // The redirect has no body.
        Some(location) => Class::Redirect { location, page: PageRequest { with_body: false, ..page } },
        None => Class::Page(page),
    }
}

/// Returns what a request demands of a stored page, or why it accepts none.
///
/// With the standard rules, a request with `Authorization` gets the origin's own response, which is not stored (RFC 9111
/// §3.5).
fn demands(route: &Route, headers: &impl Visitor) -> Result<RequestDirectives, Reason> {
    if route.http() == HttpRules::Isr {
        return Ok(RequestDirectives::default());
    }
    if headers.header("authorization").is_some() {
        return Err(Reason::Authorization);
    }
    let demands = headers.header("cache-control").map(|value| RequestDirectives::parse(&value)).unwrap_or_default();
    if demands.pass() { Err(Reason::RequestDirective) } else { Ok(demands) }
}

/// Returns whether a request has content (RFC 9112 §6). That of a GET has no meaning that a cache may know (RFC 9110
/// §9.3.1), but an origin may read it: its answer is no page.
fn has_content(headers: &impl Visitor) -> bool {
    headers.header("transfer-encoding").is_some()
        || headers.header("content-length").is_some_and(|length| length.trim().bytes().any(|byte| byte != b'0'))
}

/// Classifies a request by its URL alone. The result depends on nothing else but the configuration.
#[must_use]
pub fn by_url<'a>(config: &'a Config, url: &str) -> UrlClass<'a> {
    let Ok(url) = RequestUrl::parse(url) else {
        return UrlClass::NotForCache;
    };
    if is_admin(url.path()) {
        return UrlClass::Admin(url.path().clone());
    }
    match config.routes.find(url.path().as_str()) {
        Some(route) => UrlClass::Routed { route, destination: destination(config, route, &url) },
        None => UrlClass::NotForCache,
    }
}

/// The page of a URL, for every request that [`SHORT_PATH`] does not exclude.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShortPathPage {
    /// The URL alone determines the page.
    Key(PageKey),
    /// The request selects one of several variants: [`short_path_variant`].
    Varies(VariantSources),
}

/// What a variant depends on. The entry module remembers the variant of requests that have the same of it:
/// `src/edge/entry/plain.ts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariantSources {
    /// The request headers.
    pub headers: Vec<HeaderSource>,
    /// Whether it depends on the country of the client.
    pub country: bool,
}

/// A request header that a variant depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderSource {
    /// Its name in lower case.
    pub name: String,
    /// If there are any, a value that contains none of these texts counts as none.
    pub containing: Vec<String>,
}

/// Returns the page of a URL on the short path; `None` if the URL is not that of a page.
#[must_use]
pub fn short_path_page(config: &Config, url: &str) -> Option<ShortPathPage> {
    let (route, key) = routed_page(config, url)?;
    Some(if route.vary().is_empty() { ShortPathPage::Key(key) } else { ShortPathPage::Varies(sources(route)) })
}

/// Returns the key of the page for a request on the short path.
#[must_use]
pub fn short_path_variant(config: &Config, url: &str, headers: &impl Visitor) -> Option<PageKey> {
    let (route, key) = routed_page(config, url)?;
    key.with_variant(&route.vary().variant(headers)).ok()
}

fn routed_page<'a>(config: &'a Config, url: &str) -> Option<(&'a Route, PageKey)> {
    match by_url(config, url) {
        UrlClass::Routed { route, destination: Destination::Page(key) } => Some((route, key)),
        UrlClass::NotForCache | UrlClass::Admin(_) | UrlClass::Routed { .. } => None,
    }
}

fn sources(route: &Route) -> VariantSources {
    let vary = route.vary();
    let headers = vary.sources().map(|(name, texts)| {
        let containing = texts.into_iter().map(str::to_owned).collect();
        HeaderSource { name: name.to_owned(), containing }
    });
    VariantSources { headers: headers.collect(), country: !vary.countries.is_empty() }
}

/// Returns the member of [`LOOP_HEADER`] for a deployment. Its identity tells it apart from the other gateways of a chain
/// (RFC 8586 §2: the parameters are for the cache's own use).
#[must_use]
pub fn loop_member(deployment: DeploymentId) -> String {
    format!("{LOOP_NAME}; id={deployment}")
}

/// Returns whether a request has come through this deployment before. Another deployment of this cache, or an earlier
/// version, which does not state its identity, is another member of a chain.
#[must_use]
pub fn is_loop(headers: &impl Visitor, deployment: DeploymentId) -> bool {
    let passed = headers.header(LOOP_HEADER).unwrap_or_default();
    let id = deployment.to_string();
    passed.split(',').any(|member| {
        let mut parts = member.split(';').map(str::trim);
        let is_id = |parameter: &str| parameter.strip_prefix("id=").is_some_and(|value| value.trim_matches('"') == id);
        parts.next() == Some(LOOP_NAME) && parts.any(is_id)
    })
}

fn is_admin(path: &CanonicalPath) -> bool {
    path.as_str().strip_prefix(ADMIN_PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn destination(config: &Config, route: &Route, url: &RequestUrl) -> Destination {
    if route.revalidate() == Revalidate::NoStore {
        return Destination::Pass(Pass::NeverStored);
    }
    if !config.serves_host(url.host()) {
        return Destination::Pass(Pass::NoKey(Reason::Host));
    }
    let origin = config.canonical_origin.as_ref().map(CanonicalOrigin::as_str);
    let redirects = url.has_trailing_slash() && route.trailing_slash() == TrailingSlash::Redirect;
    match url.key(origin, route.query(), route.trailing_slash()) {
        Ok(key) if redirects => Destination::Redirect { location: url.without_slash(), key },
        Ok(key) => Destination::Page(key),
        Err(error) => Destination::Pass(error.into()),
    }
}

impl From<KeyError> for Pass {
    fn from(error: KeyError) -> Self {
        Self::NoKey(match error {
            KeyError::TooLong => Reason::UriTooLong,
            KeyError::Query => Reason::Query,
            KeyError::Encoding | KeyError::NotAUrl => Reason::UriEncoding,
        })
    }
}

fn has_bypass_cookie(route: &Route, headers: &impl Visitor) -> bool {
    let cookies = route.bypass_cookies();
    // The session of the dashboard says nothing about a visitor of the origin.
    let are_in = |sent: String| cookies.are_in(session::cookie::without(&sent).as_ref().unwrap_or(&sent));
    !cookies.is_empty() && headers.header("cookie").is_some_and(are_in)
}

/// The header takes precedence over the cookie.
fn has_bypass_token(headers: &impl Visitor, token: &Secret) -> bool {
    if let Some(claim) = headers.header(BYPASS_HEADER) {
        return token.is(&claim);
    }
    let cookies = headers.header("cookie").unwrap_or_default();
    cookie(&cookies, BYPASS_COOKIE).is_some_and(|claim| token.is(claim))
}

fn conditions(headers: &impl Visitor) -> Conditions {
    Conditions {
        if_none_match: headers.header("if-none-match"),
        if_modified_since: headers.header("if-modified-since"),
        range: headers.header("range"),
        if_range: headers.header("if-range"),
    }
}

#[cfg(test)]
mod tests;
