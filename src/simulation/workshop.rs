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
pub(super) const PATHS: [&str; 3] = ["/a", "/a/b", "/c"];

/// The prefixes: of two paths, of all.
const PREFIXES: [&str; 2] = ["/a", "/"];

/// The tags: on all pages, on some, on few and not always.
const TAGS: [&str; 3] = ["all", "some", "rare"];

/// How the pages are spread over coordinators.
pub(super) struct Layout {
    pub(super) config: Config,
    /// The coordinators, by number.
    pub(super) shards: Vec<ShardName>,
    /// The number of each page's owner, and its route.
    pub(super) owners: Vec<usize>,
    pub(super) routes: Vec<RouteId>,
}

impl Layout {
    /// Spreads the pages over the shards of routes.
    fn of(keys: &[PageKey], routes: &serde_json::Value) -> Self {
        let config = json!({
            "freshness_bound": 10,
            "render_timeout": 20,
            "miss_timeout": 15,
            "pass_ttl": 10,
            "expire": 60,
            "routes": routes,
        });
        let config = Config::from_json(&config).expect("these settings are valid");
        let route = |key: &PageKey| config.routes.find(key.path()).expect("each page has a route");
        let owners: Vec<ShardName> = keys.iter().map(|key| ShardName::of(route(key), key.path())).collect();
        let mut shards = owners.clone();
        shards.sort_unstable();
        shards.dedup();
        let number = |owner: &ShardName| shards.iter().position(|shard| shard == owner).expect("it is one of them");
        let owners = owners.iter().map(number).collect();
        let routes = keys.iter().map(|key| route(key).id().clone()).collect();
        Self { config, shards, owners, routes }
    }

    /// Returns the number of a coordinator.
    pub(super) fn number_of(&self, shard: &ShardName) -> usize {
        self.shards.iter().position(|known| known == shard).expect("there are no other coordinators")
    }

    /// Returns the owner of a path; `None` if there is no page under it.
    pub(super) fn owner_of(&self, path: &str) -> Option<ShardName> {
        self.config.routes.find(path).map(|route| ShardName::of(route, path))
    }
}

/// Settings, names and databases.
pub(super) struct Workshop {
    /// One coordinator for all pages; and several, of two routes.
    pub(super) small: Layout,
    pub(super) large: Layout,
    pub(super) keys: Vec<PageKey>,
    pub(super) paths: Vec<CanonicalPath>,
    pub(super) prefixes: Vec<PathPrefix>,
    pub(super) tags: Vec<Tag>,
    pub(super) coordinators: Vec<Database>,
    pub(super) tag_index: Database,
}

impl Workshop {
    pub(super) fn new() -> Self {
        let keys: Vec<PageKey> = KEYS.iter().map(|key| PageKey::from_stored(key).expect("a URL")).collect();
        let small = Layout::of(&keys, &json!({ "/*": { "query": ["v"] } }));
        let large = Layout::of(&keys, &json!({ "/*": { "query": ["v"], "shards": 2 }, "/c": {} }));
        Self {
            coordinators: large.shards.iter().map(|_| Database::new()).collect(),
            small,
            large,
            keys,
            paths: PATHS.iter().map(|path| path_of(path)).collect(),
            prefixes: PREFIXES.iter().map(|path| path_of(path).try_into().expect("a short path")).collect(),
            tags: TAGS.iter().map(|tag| Tag::parse(tag).expect("a tag")).collect(),
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
