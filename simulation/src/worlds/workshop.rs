//! Values that all worlds of a thread share. They are created once, because that takes longer than running a world.

use serde_json::json;

use super::database::Database;
use super::random::Random;
use super::versions::Versions;
use crate::config::Config;
use crate::coordinator::tables::CoordinatorStore;
use crate::invalidation::PathPrefix;
use crate::route::{Route, RouteId};
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::tag_index::tables::TagIndexStore;

/// The pages. Some are variants of one path.
const KEYS: [&str; 6] = [
    "https://e.com/a",
    "https://e.com/a?v=1",
    "https://e.com/a?v=2",
    "https://e.com/a/b",
    "https://e.com/a/b?v=1",
    "https://e.com/c",
];

/// The number of those pages.
pub(super) const PAGES: usize = KEYS.len();

/// The number of keys that an attacker makes up, after those of the pages.
pub(super) const MADE_UP: usize = 48;

/// One in so many of them is long: it has as many more characters.
const LONG_EVERY: usize = 3;
const LONG: usize = 600;

/// The paths of those pages.
pub(super) const PATHS: [&str; 3] = ["/a", "/a/b", "/c"];

/// The prefixes: one names two paths, the other all.
const PREFIXES: [&str; 2] = ["/a", "/"];

/// The tags: on all pages, on some, and on a few, not always.
const TAGS: [&str; 3] = ["all", "some", "rare"];

/// The distribution of pages over coordinators.
pub(super) struct Layout {
    pub(super) config: Config,
    /// The coordinators, by number.
    pub(super) shards: Vec<ShardName>,
    /// The number of each page's owner, and the page's route.
    pub(super) owners: Vec<usize>,
    pub(super) routes: Vec<RouteId>,
}

impl Layout {
    /// Distributes the pages over the shards of routes.
    fn of(keys: &[PageKey], routes: &serde_json::Value) -> Self {
        let [layout] = Self::of_each(keys, [routes]);
        layout
    }

    /// Distributes the pages over the shards of routes, in several ways. A coordinator has the same number in all of
    /// them.
    fn of_each<const N: usize>(keys: &[PageKey], routes: [&serde_json::Value; N]) -> [Self; N] {
        let configs = routes.map(|routes| {
            let config = json!({
                "freshness_bound": 10,
                "render_timeout": 20,
                "miss_timeout": 15,
                "pass_ttl": 10,
                "expire": 60,
                // Counters decide nothing, and a statement more would change the stories of all seeds.
                "metrics": false,
                "routes": routes,
            });
            Config::from_json(&config).expect("these settings are valid")
        });
        let owner = |config: &Config, key: &PageKey| ShardName::of(route(config, key), key.path());
        let mut shards: Vec<_> = configs.iter().flat_map(|config| keys.iter().map(|key| owner(config, key))).collect();
        shards.sort_unstable();
        shards.dedup();
        configs.map(|config| {
            let number = |key: &PageKey| {
                let owner = owner(&config, key);
                shards.iter().position(|shard| *shard == owner).expect("it is one of them")
            };
            let owners = keys.iter().map(number).collect();
            let routes = keys.iter().map(|key| route(&config, key).id().clone()).collect();
            Self { config, shards: shards.clone(), owners, routes }
        })
    }

    /// Returns the number of a coordinator.
    pub(super) fn number_of(&self, shard: &ShardName) -> usize {
        self.shards.iter().position(|known| known == shard).expect("there are no other coordinators")
    }

    /// Returns the owner of a path; `None` if it has no page.
    pub(super) fn owner_of(&self, path: &str) -> Option<ShardName> {
        self.config.routes.find(path).map(|route| ShardName::of(route, path))
    }
}

/// Settings, names and databases.
pub(super) struct Workshop {
    /// One coordinator for all pages, and several, of two routes.
    pub(super) small: Layout,
    pub(super) large: Layout,
    /// One coordinator that may keep half of the pages, so that they displace one another.
    pub(super) crowded: Layout,
    /// One coordinator with room for all pages, and a few of the keys that an attacker makes up.
    pub(super) attacked: Layout,
    /// The layouts before and after a change of a route's number of shards.
    pub(super) moving: [Layout; 2],
    /// The layouts before and after the removal of a route. Its pages match another route.
    pub(super) removed: [Layout; 2],
    pub(super) keys: Vec<PageKey>,
    pub(super) paths: Vec<CanonicalPath>,
    pub(super) prefixes: Vec<PathPrefix>,
    pub(super) tags: Vec<Tag>,
    /// Databases with the schema of this code, and with that of later code that only expands it.
    pub(super) databases: Databases,
    pub(super) expanded: Databases,
}

/// The databases of the objects.
pub(super) struct Databases {
    pub(super) coordinators: Vec<Database>,
    pub(super) tag_index: Database,
}

impl Databases {
    fn new(coordinators: usize) -> Self {
        Self { coordinators: (0..coordinators).map(|_| Database::new()).collect(), tag_index: Database::new() }
    }

    fn expanded(coordinators: usize) -> Self {
        let databases = Self::new(coordinators);
        for database in &databases.coordinators {
            CoordinatorStore::open(database.clone()).expect("the database is new");
        }
        TagIndexStore::open(databases.tag_index.clone()).expect("the database is new");
        databases.each().for_each(Database::expand);
        databases
    }

    /// Returns all of them.
    pub(super) fn each(&self) -> impl Iterator<Item = &Database> {
        self.coordinators.iter().chain([&self.tag_index])
    }
}

impl Workshop {
    pub(super) fn new() -> Self {
        let keys = KEYS.iter().map(|key| (*key).to_owned()).chain((0..MADE_UP).map(made_up));
        let keys: Vec<PageKey> = keys.map(|key| PageKey::from_stored(&key).expect("a URL")).collect();
        let small = Layout::of(&keys, &json!({ "/*": { "query": ["v"] } }));
        let crowded = Layout::of(&keys, &json!({ "/*": { "query": ["v"], "max_pages": 3 } }));
        let attacked = Layout::of(&keys, &json!({ "/*": { "query": ["v"], "max_pages": 12 } }));
        let large = json!({ "/*": { "query": ["v"], "shards": 2 }, "/c": {} });
        // With five shards, each path has another owner than with two. One new owner was the former owner of another
        // path.
        let other = json!({ "/*": { "query": ["v"], "shards": 5 }, "/c": {} });
        let moving = Layout::of_each(&keys, [&large, &other]);
        let removed = Layout::of_each(&keys, [&large, &json!({ "/*": { "query": ["v"], "shards": 2 } })]);
        let large = Layout::of(&keys, &large);
        Self {
            databases: Databases::new(moving[0].shards.len()),
            expanded: Databases::expanded(moving[0].shards.len()),
            small,
            crowded,
            attacked,
            large,
            moving,
            removed,
            keys,
            paths: PATHS.iter().map(|path| path_of(path)).collect(),
            prefixes: PREFIXES.iter().map(|path| path_of(path).try_into().expect("a short path")).collect(),
            tags: TAGS.iter().map(|tag| Tag::parse(tag).expect("a tag")).collect(),
        }
    }

    /// Returns the databases of a seed's world. In some, later code has expanded the schema, and was rolled back, or still
    /// runs in part.
    pub(super) fn databases_of(&self, seed: u64) -> &Databases {
        let is_expanded = Versions::draw(seed).is_some() || Random::new(seed.rotate_left(40) ^ 0x6578_7061).one_in(8);
        if is_expanded { &self.expanded } else { &self.databases }
    }

    /// Returns the number of a page.
    pub(super) fn number_of(&self, key: &PageKey) -> usize {
        self.keys.iter().position(|known| known == key).expect("there are no other pages")
    }
}

/// Returns a key that an attacker makes up. Its path has the same owner as one of the pages, with any number of shards.
fn made_up(number: usize) -> String {
    let end = if number % LONG_EVERY == LONG_EVERY - 1 { "x".repeat(LONG) } else { String::new() };
    format!("https://e.com/n?v={number}{end}")
}

fn route<'a>(config: &'a Config, key: &PageKey) -> &'a Route {
    config.routes.find(key.path()).expect("each page has a route")
}

fn path_of(text: &str) -> CanonicalPath {
    CanonicalPath::parse(text).expect("a path")
}
