//! The renders of one life of the object: which are under way and how far, and which are queued.

use std::collections::{BTreeMap, VecDeque};

use crate::coordinator::{Outcome, Room};
use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::time::Timestamp;
use crate::version::Version;

/// The most renders that are under way in one object, for visitors and by the alarm together: their bodies share its
/// memory.
const MAX_RUNNING: usize = 24;

/// The most renders that are queued in one object.
const MAX_QUEUED: usize = 200;

/// The most requests that share one growing answer.
const MAX_JOINED: u32 = 10_000;

/// Renders by the token of their lease. None of this survives the object; the leases in SQLite do.
#[derive(Debug)]
pub(super) struct Renders<B> {
    running: BTreeMap<Version, Render<B>>,
    /// Renders for which visitors wait.
    cold: VecDeque<(PageKey, Version)>,
    /// Renders that the alarm is to begin.
    background: VecDeque<(PageKey, Version)>,
}

/// A render under way.
#[derive(Debug)]
pub(super) struct Render<B> {
    /// The page.
    pub(super) key: PageKey,
    /// How far it is.
    pub(super) stage: Stage<B>,
}

/// How far a render is.
#[derive(Debug)]
pub(super) enum Stage<B> {
    /// The site has been asked.
    Asked,
    /// The site has answered with tags that are new here, and the tag index is being told of them.
    Registering(Box<Registering<B>>),
    /// The answer is coming, and may be joined.
    Growing {
        /// What is known of the page by now.
        page: PageMeta,
        /// Its headers and its growing body.
        content: B,
        /// How many requests have joined it.
        joined: u32,
    },
    /// The answer can't be published: it is for those only who have it already.
    Private,
}

/// A page that waits for its tags to be registered.
#[derive(Debug)]
pub(super) struct Registering<B> {
    /// The tags that are new here.
    pub(super) tags: Vec<Tag>,
    /// Over how many shards the route is spread.
    pub(super) shards: u16,
    /// What was invalidated since then is asked for.
    pub(super) since: Timestamp,
    /// What the site answers.
    pub(super) answer: (PageMeta, B),
    /// How the render has ended, if it has.
    pub(super) ended: Option<(Outcome, Option<(PageMeta, B)>)>,
}

impl<B> Default for Renders<B> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), cold: VecDeque::new(), background: VecDeque::new() }
    }
}

impl<B: Clone> Renders<B> {
    /// Tells whether another render may begin.
    pub(super) fn room(&self) -> Room {
        if self.running.len() < MAX_RUNNING {
            Room::Now
        } else if self.cold.len() + self.background.len() < MAX_QUEUED {
            Room::Later
        } else {
            Room::None
        }
    }

    /// Notes that a render is under way.
    pub(super) fn begin(&mut self, key: PageKey, token: Version) {
        self.running.insert(token, Render { key, stage: Stage::Asked });
    }

    /// Queues a render for which visitors wait.
    pub(super) fn enqueue(&mut self, key: PageKey, token: Version) {
        self.cold.push_back((key, token));
    }

    /// Queues a render that the alarm is to begin.
    pub(super) fn enqueue_background(&mut self, key: PageKey, token: Version) {
        self.background.push_back((key, token));
    }

    /// Takes the next render for which visitors wait, if there is room for it.
    pub(super) fn next(&mut self) -> Option<(PageKey, Version)> {
        if self.running.len() < MAX_RUNNING { self.cold.pop_front() } else { None }
    }

    /// Takes the next render that the alarm is to begin, if there is room for it.
    pub(super) fn next_background(&mut self) -> Option<(PageKey, Version)> {
        if self.running.len() < MAX_RUNNING { self.background.pop_front() } else { None }
    }

    /// Takes a render of a page out of the queue of the alarm, if there is room for it now.
    pub(super) fn hurry(&mut self, key: &PageKey) -> Option<Version> {
        if self.running.len() >= MAX_RUNNING {
            return None;
        }
        let at = self.background.iter().position(|(queued, _)| queued == key)?;
        self.background.remove(at).map(|(_, token)| token)
    }

    /// Tells whether renders wait for the alarm to begin them.
    pub(super) fn awaits_alarm(&self) -> bool {
        !self.background.is_empty()
    }

    /// Takes a render out of its queue; false if it is not queued.
    pub(super) fn unqueue(&mut self, token: Version) -> bool {
        let before = self.cold.len() + self.background.len();
        self.cold.retain(|(_, queued)| *queued != token);
        self.background.retain(|(_, queued)| *queued != token);
        self.cold.len() + self.background.len() < before
    }

    /// Tells whether this life of the object renders, or is about to render, under the token.
    pub(super) fn is_alive(&self, token: Version) -> bool {
        let mut queued = self.cold.iter().chain(&self.background);
        self.is_running(token) || queued.any(|(_, queued)| *queued == token)
    }

    /// Tells whether a render is under way.
    pub(super) fn is_running(&self, token: Version) -> bool {
        self.running.contains_key(&token)
    }

    /// Returns a render under way.
    pub(super) fn get_mut(&mut self, token: Version) -> Option<&mut Render<B>> {
        self.running.get_mut(&token)
    }

    /// Notes that a render has ended.
    pub(super) fn end(&mut self, token: Version) {
        self.running.remove(&token);
    }

    /// Returns what is known of an answer that is coming and may be joined.
    pub(super) fn growing(&self, token: Version) -> Option<&PageMeta> {
        match &self.running.get(&token)?.stage {
            Stage::Growing { page, joined, .. } if *joined < MAX_JOINED => Some(page),
            _ => None,
        }
    }

    /// Returns headers and body of an answer that is coming, for one more request.
    pub(super) fn join(&mut self, token: Version) -> Option<B> {
        match &mut self.running.get_mut(&token)?.stage {
            Stage::Growing { content, joined, .. } => {
                *joined += 1;
                Some(content.clone())
            }
            _ => None,
        }
    }
}
