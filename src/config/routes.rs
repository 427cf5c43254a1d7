//! The table `routes`, and the settings of each route.

use std::time::Duration;

use super::error::ProblemKind;
use super::message::key;
use super::reader::Reader;
use super::setting::{MAX_ROUTES, SettingLevel};
use super::settings::{
    BROWSER_MAX_AGE, BYPASS_COOKIES, EXPIRE, HTTP, MAX_PAGES, NOT_FOUND_REVALIDATE, ORIGIN, QUERY, REVALIDATE, ROUTES,
    SET_COOKIE, SHARDS, STALE_IF_ERROR, STATUSES, TAGS, TRAILING_SLASH,
};
use super::{query, render_headers, vary};
use crate::route::{Origin, Pattern, RenderHeaders, Route, RouteSettings, Routes};
use crate::semantics::bypass_cookies::{BypassCookies, CookiePattern};
use crate::semantics::freshness::Revalidate;
use crate::semantics::http_rules::HttpRules;
use crate::semantics::key::TrailingSlash;
use crate::semantics::set_cookie::SetCookie;

/// The values of settings that a route leaves out.
pub(super) struct RouteDefaults {
    pub(super) revalidate: Revalidate,
    pub(super) not_found_revalidate: Option<Revalidate>,
    pub(super) expire: Duration,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) browser_max_age: Duration,
    pub(super) trailing_slash: TrailingSlash,
    pub(super) set_cookie: SetCookie,
    pub(super) bypass_cookies: Vec<CookiePattern>,
    pub(super) http: HttpRules,
    pub(super) origin: Option<Origin>,
    pub(super) render_headers: RenderHeaders,
    /// The sensitive headers that `render_headers` may contain, also in routes.
    pub(super) sensitive: Vec<&'static str>,
    /// The query parameters that make no difference where `query` is `"all"` or not set.
    pub(super) ignored_query: Vec<String>,
}

/// Reads the routes.
pub(super) fn read(top: &mut Reader<'_, '_>, defaults: &RouteDefaults) -> Routes {
    let Some(entries) = top.required_entries(&ROUTES.setting, MAX_ROUTES) else {
        return Routes::default();
    };
    let path_of = |top: &Reader<'_, '_>, pattern: &str| format!("{}.{}", top.path_of(&ROUTES.setting), key(pattern));
    let mut routes = Vec::with_capacity(entries.len());
    for (text, value) in entries {
        let path = path_of(top, text);
        let pattern = Pattern::parse(text).map_err(|error| top.report(path.clone(), ProblemKind::Pattern(error))).ok();
        let settings =
            top.child(path, SettingLevel::Route, value).map(|route| settings(route, pattern.as_ref(), defaults));
        if let (Some(pattern), Some(settings)) = (pattern, settings) {
            routes.push(Route::new(pattern, settings));
        }
    }
    Routes::new(routes).unwrap_or_else(|errors| {
        for error in errors {
            top.report(path_of(top, error.route().as_str()), ProblemKind::Routes(error));
        }
        Routes::default()
    })
}

fn settings(mut route: Reader<'_, '_>, pattern: Option<&Pattern>, defaults: &RouteDefaults) -> RouteSettings {
    let table = &mut route;
    let revalidate = REVALIDATE.read(table).unwrap_or(defaults.revalidate);
    let not_found = NOT_FOUND_REVALIDATE.read(table).or(defaults.not_found_revalidate);
    let expire = EXPIRE.read(table).unwrap_or(defaults.expire);
    let settings = RouteSettings {
        revalidate,
        not_found_revalidate: not_found.unwrap_or_else(|| NOT_FOUND_REVALIDATE.kind.default_for(revalidate)),
        expire,
        stale_if_error: STALE_IF_ERROR.read(table).or(defaults.stale_if_error).unwrap_or(expire),
        browser_max_age: BROWSER_MAX_AGE.read(table).unwrap_or(defaults.browser_max_age),
        statuses: STATUSES.read(table).unwrap_or_default(),
        tags: TAGS.read(table).unwrap_or_default(),
        shards: SHARDS.read_or_default(table),
        max_pages: MAX_PAGES.read_or_default(table).into(),
        query: match QUERY.read(table) {
            Some(query) => query.policy(&defaults.ignored_query),
            None => query::default_policy(pattern, &defaults.ignored_query),
        },
        trailing_slash: TRAILING_SLASH.read(table).unwrap_or(defaults.trailing_slash),
        set_cookie: SET_COOKIE.read(table).unwrap_or(defaults.set_cookie),
        bypass_cookies: BypassCookies::new(
            BYPASS_COOKIES.read(table).unwrap_or_else(|| defaults.bypass_cookies.clone()),
        ),
        http: HTTP.read(table).unwrap_or(defaults.http),
        origin: ORIGIN.read(table).or_else(|| defaults.origin.clone()),
        vary: vary::read(table).unwrap_or_default(),
        render_headers: render_headers::read(table, &defaults.sensitive)
            .unwrap_or_else(|| defaults.render_headers.clone()),
    };
    render_headers::check_against(&settings.vary, &settings.render_headers, table);
    settings
}
