//! Renders that are queued in one object.

use std::collections::BTreeMap;

use crate::semantics::key::PageKey;
use crate::version::Version;

/// Queued renders, in the order of their tokens: a later lease has a higher one. A page has one lease, so it is queued
/// at most once.
#[derive(Debug, Default)]
pub(super) struct RenderQueue {
    keys: BTreeMap<Version, PageKey>,
    tokens: BTreeMap<PageKey, Version>,
}

impl RenderQueue {
    pub(super) fn insert(&mut self, key: PageKey, token: Version) {
        if let Some(earlier) = self.tokens.insert(key.clone(), token) {
            self.keys.remove(&earlier);
        }
        self.keys.insert(token, key);
    }

    /// Returns the render that has waited longest.
    pub(super) fn first(&self) -> Option<(PageKey, Version)> {
        self.keys.first_key_value().map(|(token, key)| (key.clone(), *token))
    }

    /// Returns the render of a page.
    pub(super) fn get(&self, key: &PageKey) -> Option<Version> {
        self.tokens.get(key).copied()
    }

    pub(super) fn contains(&self, token: Version) -> bool {
        self.keys.contains_key(&token)
    }

    /// Removes a render. Returns false if it is not queued.
    pub(super) fn remove(&mut self, token: Version) -> bool {
        let Some(key) = self.keys.remove(&token) else {
            return false;
        };
        self.tokens.remove(&key);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
