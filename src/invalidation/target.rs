//! The pages that an invalidation affects.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::route::RouteId;
use crate::semantics::key::CanonicalPath;
use crate::semantics::tag::Tag;
use crate::tag_index_name::TagIndexName;

/// The pages that an invalidation affects.
///
/// ```
/// use cloudflare_isr::{InvalidateAnswer, Target};
///
/// fn describe(receipt: &InvalidateAnswer) -> String {
///     match &receipt.invalidation.target {
///         Target::Path(path) => format!("the page {}", path.as_str()),
///         Target::Tag(tag) => format!("all pages with the tag {tag}"),
///         Target::Prefix(prefix) => format!("{} and all pages below it", prefix.as_str()),
///         Target::Route(route) => format!("all pages of the route {route}"),
///         Target::Everything => "all pages".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// All variants of one path, on every host.
    Path(CanonicalPath),
    /// All pages that carry the tag.
    Tag(Tag),
    /// The path and all paths below it: `/blog` includes `/blog/first`, but not `/blogs`.
    Prefix(PathPrefix),
    /// All pages of a route.
    Route(RouteId),
    /// All pages.
    Everything,
}

/// The field of a call, or of a rule, that names one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetField {
    /// A path.
    Path,
    /// A path with all paths below it.
    Prefix,
    /// The pattern of a route.
    Route,
    /// A tag.
    Tag,
}

impl TargetField {
    /// All fields.
    pub const ALL: [Self; 4] = [Self::Path, Self::Prefix, Self::Route, Self::Tag];

    /// Returns the name of the field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Prefix => "prefix",
            Self::Route => "route",
            Self::Tag => "tag",
        }
    }
}

impl Target {
    /// What a recorded target of a later version counts as: some page that it names could be any page.
    pub(crate) const UNKNOWN: Self = Self::Everything;

    /// Returns the kind and the name for the objects' tables. The name of `Everything` is empty.
    #[must_use]
    #[doc(hidden)]
    pub fn kind_and_name(&self) -> (&'static str, &str) {
        match self {
            Self::Path(path) => ("path", path.as_str()),
            Self::Tag(tag) => ("tag", tag.as_str()),
            Self::Prefix(prefix) => ("prefix", prefix.as_str()),
            Self::Route(route) => ("route", route.as_str()),
            Self::Everything => ("everything", ""),
        }
    }

    /// Reads the result of [`Self::kind_and_name`] from a table. Anything else was recorded by a later version, and counts
    /// as [`Self::UNKNOWN`].
    #[must_use]
    #[doc(hidden)]
    pub fn recorded(kind: &str, name: &str) -> Self {
        let known = match kind {
            "path" => CanonicalPath::parse(name).ok().map(Self::Path),
            "tag" => Tag::parse(name).ok().map(Self::Tag),
            "prefix" => CanonicalPath::parse(name).ok().and_then(|path| path.try_into().ok()).map(Self::Prefix),
            "route" => RouteId::from_stored(name).map(Self::Route),
            "everything" => Some(Self::Everything),
            _ => None,
        };
        known.unwrap_or(Self::UNKNOWN)
    }

    /// Returns the tag index object that records an invalidation of these pages.
    #[must_use]
    #[doc(hidden)]
    pub fn tag_index(&self, tag_shards: u16) -> TagIndexName {
        match self {
            Self::Tag(tag) => TagIndexName::of_tag(tag, tag_shards),
            Self::Path(_) | Self::Prefix(_) | Self::Route(_) | Self::Everything => TagIndexName::ROOT,
        }
    }
}

/// A path that includes all paths below it, of at most [`Self::MAX_SEGMENTS`] segments.
///
/// ```
/// use cloudflare_isr::{CanonicalPath, PathPrefix};
///
/// let prefix = PathPrefix::try_from(CanonicalPath::parse("/blog/")?)?;
/// assert_eq!(prefix.as_str(), "/blog");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "CanonicalPath", into = "CanonicalPath")]
pub struct PathPrefix(CanonicalPath);

/// A prefix with too many segments.
///
/// ```
/// use cloudflare_isr::{CanonicalPath, PathPrefix, PrefixTooDeep};
///
/// let deep = CanonicalPath::parse(&"/a".repeat(PathPrefix::MAX_SEGMENTS + 1))?;
/// assert_eq!(PathPrefix::try_from(deep), Err(PrefixTooDeep));
/// # Ok::<(), cloudflare_isr::KeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a prefix may have at most {} segments", PathPrefix::MAX_SEGMENTS)]
pub struct PrefixTooDeep;

impl PathPrefix {
    /// The most segments of a prefix. It bounds the number of prefixes to look up for one path.
    pub const MAX_SEGMENTS: usize = 16;

    /// Returns the prefix as a path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Iterates over the prefixes of a canonical path: `/`, `/a`, `/a/b` for `/a/b`.
    #[doc(hidden)]
    pub fn all_of(path: &str) -> impl Iterator<Item = &str> {
        let inner = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
        let own = (path != "/").then_some(path);
        std::iter::once("/").chain(inner).chain(own).take(Self::MAX_SEGMENTS + 1)
    }
}

impl TryFrom<CanonicalPath> for PathPrefix {
    type Error = PrefixTooDeep;

    fn try_from(path: CanonicalPath) -> Result<Self, PrefixTooDeep> {
        let segments = path.as_str().split('/').filter(|segment| !segment.is_empty()).count();
        if segments > Self::MAX_SEGMENTS { Err(PrefixTooDeep) } else { Ok(Self(path)) }
    }
}

impl From<PathPrefix> for CanonicalPath {
    fn from(prefix: PathPrefix) -> Self {
        prefix.0
    }
}

impl Borrow<str> for PathPrefix {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}
