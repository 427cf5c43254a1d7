//! The routes of a configuration, ready to be matched.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Route, RouteId};

/// All routes of a configuration, ready to be matched.
///
/// One tree of the router can't hold both a parameter and a catch-all at the same segment, as in `/[page]` and `/*`. So
/// there is one tree for each segment at which a catch-all begins, and one for patterns without a catch-all. A look-up
/// asks every tree and takes the most specific result. There are few trees: one for each depth in use.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// The most specific first: of two routes that match one path, the one with the lower index wins.
    ordered: Vec<Route>,
    /// Indices into `ordered`, by [`Pattern::rest_at`].
    trees: BTreeMap<Option<usize>, matchit::Router<usize>>,
    by_id: BTreeMap<RouteId, usize>,
}

impl Routes {
    /// Combines routes, given in any order.
    ///
    /// # Errors
    ///
    /// Returns every pair of routes whose patterns match the same paths.
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

    /// Returns the route of a path: the most specific one whose pattern matches.
    ///
    /// The path is spelt as a [`CanonicalPath`](crate::semantics::key::CanonicalPath). One slash at its end is ignored.
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

    /// Iterates over the routes, the most specific first.
    pub fn iter(&self) -> std::slice::Iter<'_, Route> {
        self.ordered.iter()
    }

    /// Returns the number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// Returns whether there is no route.
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

/// Describes why routes can't be combined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoutesError {
    /// Two patterns differ only in the names of their parameters or the form of their catch-all.
    #[error("`{second}` matches the same paths as `{first}`; keep one of the two")]
    Conflict {
        /// One route.
        first: RouteId,
        /// The other.
        second: RouteId,
    },
    /// The router refused a pattern that [`Pattern`](super::Pattern) accepts. The property tests have never seen this.
    #[error("`{route}` can't be routed: {reason}")]
    Refused {
        /// The route.
        route: RouteId,
        /// The error of the router.
        reason: matchit::InsertError,
    },
}

impl RoutesError {
    /// Returns the route whose pattern must be changed.
    #[must_use]
    pub fn route(&self) -> &RouteId {
        match self {
            Self::Conflict { second, .. } => second,
            Self::Refused { route, .. } => route,
        }
    }
}
