//! Routes: which pages the cache owns, and under which settings.
//!
//! A path is matched by the most specific pattern, whatever the order of definition: segment by segment from the left,
//! a literal before a parameter before a catch-all. If the better branch leads nowhere the next one is tried, so a
//! path that some pattern matches is always found.

mod pattern;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::{Origin, RenderHeaders};
use crate::semantics::freshness::Revalidate;
pub use crate::semantics::key::{QueryPolicy, TrailingSlash};
use crate::semantics::statuses::Statuses;
use crate::semantics::tag::Tag;
use crate::semantics::vary::Vary;

pub use self::pattern::{MAX_PARAM_NAME_BYTES, MAX_PATTERN_BYTES, MAX_PATTERN_SEGMENTS, Pattern, PatternError};

/// Names a route: its pattern as written, at most [`MAX_PATTERN_BYTES`] bytes, without `#`.
///
/// It is part of the names of coordinator objects, so it must not change while pages are cached: a pattern that is
/// written another way is another route with objects of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(String);

impl RouteId {
    /// Takes the id of a route that was read from the configuration, perhaps another one than today's, and has been kept
    /// or sent since.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let is_id = !text.is_empty() && text.len() <= MAX_PATTERN_BYTES && !text.contains('#');
        is_id.then(|| Self(text.to_owned()))
    }

    /// Returns the pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for RouteId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The settings of one route, with the top level's values in place of those that the route leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSettings {
    /// How long a page is fresh.
    pub revalidate: Revalidate,
    /// How long an answer is fresh that says that there is no page (404, 410).
    pub not_found_revalidate: Revalidate,
    /// How long after that a stale copy may be served while it is revalidated.
    pub expire: Duration,
    /// How long after that the last good copy may stand in for a failing origin.
    pub stale_if_error: Duration,
    /// The statuses that are stored.
    pub statuses: Statuses,
    /// How long a browser may show a fresh page again without asking.
    pub browser_max_age: Duration,
    /// Tags that every page of the route carries, in any order.
    pub tags: Vec<Tag>,
    /// Over how many coordinators the route's pages are spread, 1 to 256.
    pub shards: u16,
    /// How many pages each of them takes on, 1 to 1,000,000.
    pub max_pages: u64,
    /// Which query parameters make pages different.
    pub query: QueryPolicy,
    /// What a slash at the end of a path means.
    pub trailing_slash: TrailingSlash,
    /// What makes pages of one URL different.
    pub vary: Vary,
    /// The site; `None`: the service bound as `ORIGIN`.
    pub origin: Option<Origin>,
    /// What each render carries besides this cache's own headers.
    pub render_headers: RenderHeaders,
}

/// A pattern with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    id: RouteId,
    pattern: Pattern,
    settings: RouteSettings,
}

impl Route {
    /// Makes a route; its id is the pattern's text.
    #[must_use]
    pub fn new(pattern: Pattern, mut settings: RouteSettings) -> Self {
        settings.tags.sort_unstable();
        settings.tags.dedup();
        Self { id: RouteId(pattern.as_str().to_owned()), pattern, settings }
    }

    /// Returns the route's name.
    #[must_use]
    pub fn id(&self) -> &RouteId {
        &self.id
    }

    /// Returns the paths that the route owns.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Returns how long a page is fresh, unless its response says otherwise.
    #[must_use]
    pub fn revalidate(&self) -> Revalidate {
        self.settings.revalidate
    }

    /// Returns how long an answer is fresh that says that there is no page, unless it says otherwise.
    #[must_use]
    pub fn not_found_revalidate(&self) -> Revalidate {
        self.settings.not_found_revalidate
    }

    /// Returns how long after ageing a stale copy may be served while it is revalidated.
    #[must_use]
    pub fn expire(&self) -> Duration {
        self.settings.expire
    }

    /// Returns how long after ageing the last good copy may stand in for a failing origin.
    #[must_use]
    pub fn stale_if_error(&self) -> Duration {
        self.settings.stale_if_error
    }

    /// Returns the statuses that are stored.
    #[must_use]
    pub fn statuses(&self) -> &Statuses {
        &self.settings.statuses
    }

    /// Returns how long a browser may show a fresh page again without asking.
    #[must_use]
    pub fn browser_max_age(&self) -> Duration {
        self.settings.browser_max_age
    }

    /// Returns the tags that every page of the route carries: sorted, each once.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.settings.tags
    }

    /// Returns over how many coordinators the route's pages are spread, 1 to 256.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.settings.shards
    }

    /// Returns how many pages a coordinator takes on.
    #[must_use]
    pub fn max_pages(&self) -> u64 {
        self.settings.max_pages
    }

    /// Returns which query parameters make pages different.
    #[must_use]
    pub fn query(&self) -> &QueryPolicy {
        &self.settings.query
    }

    /// Returns what a slash at the end of a path means.
    #[must_use]
    pub fn trailing_slash(&self) -> TrailingSlash {
        self.settings.trailing_slash
    }

    /// Returns what makes pages of one URL different.
    #[must_use]
    pub fn vary(&self) -> &Vary {
        &self.settings.vary
    }

    /// Returns the site that has the pages; `None`: the service bound as `ORIGIN`.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        self.settings.origin.as_ref()
    }

    /// Returns what each render carries besides this cache's own headers.
    #[must_use]
    pub fn render_headers(&self) -> &RenderHeaders {
        &self.settings.render_headers
    }
}

/// All routes of a configuration, ready to be matched.
///
/// A tree of the router takes no parameter beside a catch-all, as in `/[page]` and `/*`. So there is one tree for each
/// segment at which some catch-all begins, and one for patterns without, where that never happens; the most specific of
/// the trees' answers wins. That is a handful of look-ups: one tree for each depth in use.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// The most specific first, so that of two that match one path the lesser index wins.
    ordered: Vec<Route>,
    /// Indices into `ordered`, by [`Pattern::rest_at`].
    trees: BTreeMap<Option<usize>, matchit::Router<usize>>,
    by_id: BTreeMap<RouteId, usize>,
}

impl Routes {
    /// Puts routes together, in any order.
    ///
    /// # Errors
    ///
    /// Every pair of routes that can't be told apart.
    pub fn new(mut routes: Vec<Route>) -> Result<Self, Vec<RoutesError>> {
        routes.sort_by_cached_key(|route| (route.pattern.specificity(), route.id.clone()));

        let mut first_of_shape: BTreeMap<String, &RouteId> = BTreeMap::new();
        let mut errors = Vec::new();
        let mut trees: BTreeMap<_, matchit::Router<usize>> = BTreeMap::new();
        for (index, route) in routes.iter().enumerate() {
            let shape = route.pattern.shape();
            if let Some(&first) = first_of_shape.get(&shape) {
                errors.push(RoutesError::Conflict { first: first.clone(), second: route.id.clone() });
                continue;
            }
            let tree = trees.entry(route.pattern.rest_at()).or_default();
            for spelling in [Some(shape.clone()), route.pattern.shape_without_rest()].into_iter().flatten() {
                if let Err(reason) = tree.insert(spelling, index) {
                    errors.push(RoutesError::Refused { route: route.id.clone(), reason });
                }
            }
            first_of_shape.insert(shape, &route.id);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let by_id = routes.iter().enumerate().map(|(index, route)| (route.id.clone(), index)).collect();
        Ok(Self { ordered: routes, trees, by_id })
    }

    /// Finds the route that owns a path: the most specific whose pattern matches.
    ///
    /// The path is spelt as a [`CanonicalPath`](crate::semantics::key::CanonicalPath); one slash at its end makes no
    /// difference.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Route> {
        let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
        let best = self.trees.values().filter_map(|tree| tree.at(path).ok()).map(|found| *found.value).min()?;
        self.ordered.get(best)
    }

    /// Returns the route with this id, which is its pattern's text.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Route> {
        self.ordered.get(*self.by_id.get(id)?)
    }

    /// Goes through the routes, the most specific first.
    pub fn iter(&self) -> std::slice::Iter<'_, Route> {
        self.ordered.iter()
    }

    /// Returns how many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Says whether there is no route, so that no path is found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }
}

impl<'a> IntoIterator for &'a Routes {
    type Item = &'a Route;
    type IntoIter = std::slice::Iter<'a, Route>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Says why routes don't go together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoutesError {
    /// Two patterns differ in nothing but the names of their parameters or the form of their catch-all.
    #[error("`{second}` matches the same paths as `{first}`; keep one of the two")]
    Conflict {
        /// One route.
        first: RouteId,
        /// The other.
        second: RouteId,
    },
    /// The router refused a pattern that [`Pattern`] accepts, which the property tests have not seen.
    #[error("`{route}` can't be routed: {reason}")]
    Refused {
        /// The route.
        route: RouteId,
        /// What the router says.
        reason: matchit::InsertError,
    },
}

impl RoutesError {
    /// Returns the route whose pattern should be changed.
    #[must_use]
    pub fn route(&self) -> &RouteId {
        match self {
            Self::Conflict { second, .. } => second,
            Self::Refused { route, .. } => route,
        }
    }
}
