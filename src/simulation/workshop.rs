//! What all worlds of a thread share: made once, because making it takes longer than a world lasts.

use serde_json::json;

use super::database::Database;
use crate::config::Config;
use crate::feed::PathPrefix;
use crate::route::RouteId;
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard::ShardName;

/// The pages: some are variants of one path.
const KEYS: [&str; 6] = [
    "https://e.com/a",
    "https://e.com/a?v=1",
    "https://e.com/a?v=2",
    "https://e.com/a/b",
    "https://e.com/a/b?v=1",
    "https://e.com/c",
];

/// The paths of those pages.
const PATHS: [&str; 3] = ["/a", "/a/b", "/c"];

/// The prefixes: of two paths, of all.
const PREFIXES: [&str; 2] = ["/a", "/"];

/// The tags: on all pages, on some, on few and not always.
const TAGS: [&str; 3] = ["all", "some", "rare"];

/// Settings, names and databases.
pub(super) struct Workshop {
    pub(super) config: Config,
    pub(super) keys: Vec<PageKey>,
    pub(super) paths: Vec<CanonicalPath>,
    pub(super) prefixes: Vec<PathPrefix>,
    pub(super) tags: Vec<Tag>,
    pub(super) route: RouteId,
    pub(super) shard: ShardName,
    pub(super) coordinator: Database,
    pub(super) tag_index: Database,
}

impl Workshop {
    pub(super) fn new() -> Self {
        let config = json!({
            "freshness_bound": 10,
            "render_timeout": 20,
            "miss_timeout": 15,
            "pass_ttl": 10,
            "expire": 60,
            "routes": { "/*": { "query": ["v"] } },
        });
        Self {
            config: Config::from_json(&config).expect("these settings are valid"),
            keys: KEYS.iter().map(|key| PageKey::from_stored(key).expect("a URL")).collect(),
            paths: PATHS.iter().map(|path| path_of(path)).collect(),
            prefixes: PREFIXES.iter().map(|path| path_of(path).try_into().expect("a short path")).collect(),
            tags: TAGS.iter().map(|tag| Tag::parse(tag).expect("a tag")).collect(),
            route: RouteId::from_stored("/*").expect("the route's name"),
            shard: ShardName::from_stored("/*#0").expect("a name"),
            coordinator: Database::new(),
            tag_index: Database::new(),
        }
    }

    /// Returns the number of a page.
    pub(super) fn number_of(&self, key: &PageKey) -> usize {
        self.keys.iter().position(|known| known == key).expect("there are no other pages")
    }
}

fn path_of(text: &str) -> CanonicalPath {
    CanonicalPath::parse(text).expect("a path")
}
