//! The site of the year: its URLs, their tags, its visitors and its edits.

use std::collections::VecDeque;

use serde_json::json;

use crate::config::Config;
use crate::invalidation::{Mode, Target};
use crate::semantics::key::{CanonicalPath, PageKey};
use crate::semantics::tag::Tag;
use crate::shard_name::ShardName;
use crate::worlds::Random;

/// The sections of the site.
const SECTIONS: u64 = 100;

/// One new URL in this many belongs to the route that is removed.
const OF_OLD_ROUTE: u64 = 50;

/// One new URL in this many is requested once more at once, which admits it to a full coordinator.
const REQUESTED_AGAIN: u64 = 20;

/// One visit in this many is of a URL that was admitted recently, and so many of these are remembered.
const OF_KNOWN_URL: u64 = 20;
const KNOWN: usize = 20_000;

/// One edit in this many is of everything.
const OF_EVERYTHING: u64 = 100_000;

/// Returns the configuration, with or without the route that is removed.
pub(super) fn config(max_pages: u64, has_old_route: bool) -> Config {
    let mut routes = json!({ "/s/*": { "shards": 4, "max_pages": max_pages } });
    if has_old_route {
        routes["/old/*"] = json!({ "max_pages": max_pages });
    }
    Config::from_json(&json!({ "routes": routes })).expect("these settings are valid")
}

/// Returns the coordinator that owns a path.
pub(super) fn owner_of(config: &Config, target: &Target) -> Option<ShardName> {
    let Target::Path(path) = target else { return None };
    config.routes.find(path.as_str()).map(|route| ShardName::of(route, path.as_str()))
}

/// Returns the tags of a page: its own, that of its section, and that of its month.
pub(super) fn tags_of(key: &PageKey) -> Vec<Tag> {
    let mut parts = key.path().split('/').skip(2);
    let section = parts.next().unwrap_or_default();
    let (month, number) = parts.next().unwrap_or_default().split_once('-').unwrap_or_default();
    let names = [format!("page:{number}"), format!("section:{section}"), format!("month:{month}")];
    names.iter().map(|name| Tag::parse(name).expect("it is a tag")).collect()
}

/// A URL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    number: u64,
    month: u64,
    is_old: bool,
}

impl Page {
    fn path(self) -> String {
        let route = if self.is_old { "old" } else { "s" };
        format!("/{route}/{}/{}-{}", self.number % SECTIONS, self.month, self.number)
    }

    pub(super) fn key(self) -> PageKey {
        PageKey::from_stored(&format!("https://e.com{}", self.path())).expect("it is a URL")
    }

    pub(super) fn owner(self, config: &Config) -> Option<ShardName> {
        let path = self.path();
        config.routes.find(&path).map(|route| ShardName::of(route, &path))
    }
}

/// An invalidation.
pub(super) struct Edit {
    pub(super) target: Target,
    pub(super) mode: Mode,
}

/// The state of the site.
pub(super) struct Site {
    random: Random,
    urls: u64,
    known: VecDeque<Page>,
    pub(super) has_old_route: bool,
}

impl Site {
    pub(super) fn new() -> Self {
        let random = Random::new(2026);
        Self { random, urls: 0, known: VecDeque::new(), has_old_route: true }
    }

    /// Returns the next visits.
    pub(super) fn visits(&mut self, month: u64) -> Vec<Page> {
        self.urls += 1;
        let is_old = self.has_old_route && self.urls.is_multiple_of(OF_OLD_ROUTE);
        let page = Page { number: self.urls, month, is_old };
        let mut visits = vec![page];
        if self.urls.is_multiple_of(REQUESTED_AGAIN) {
            visits.push(page);
            self.known.push_back(page);
            if self.known.len() > KNOWN {
                self.known.pop_front();
            }
        }
        if self.random.one_in(OF_KNOWN_URL) && !self.known.is_empty() {
            visits.push(self.known[self.random.index(self.known.len())]);
        }
        visits
    }

    /// Returns the next edit: of a page by its path or its tag, of a section, of a prefix, rarely of everything.
    pub(super) fn edit(&mut self) -> Edit {
        let mode = match self.random.below(10) {
            0 => Mode::Purge,
            1..4 => Mode::Stale,
            _ => Mode::Expire,
        };
        let is_known = self.random.one_in(2) && !self.known.is_empty();
        let page = if is_known {
            self.known[self.random.index(self.known.len())]
        } else {
            Page { number: 1 + self.random.below(self.urls), month: 0, is_old: false }
        };
        let tag = |name: String| Target::Tag(Tag::parse(&name).expect("it is a tag"));
        let path = |path: &str| CanonicalPath::parse(path).expect("it is a path");
        if self.random.one_in(OF_EVERYTHING) {
            return Edit { target: Target::Everything, mode: Mode::Stale };
        }
        let target = match self.random.below(100) {
            0..60 => Target::Path(path(&page.path())),
            60..95 => tag(format!("page:{}", page.number)),
            95 => tag(format!("section:{}", page.number % SECTIONS)),
            _ => Target::Prefix(path(&format!("{}/more", page.path())).try_into().expect("it is short")),
        };
        Edit { target, mode }
    }
}
