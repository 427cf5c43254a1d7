//! The renders of one life of the object: running ones with their progress, and queued ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::coordinator::render_queue::RenderQueue;
use crate::coordinator::{Bounds, RenderOutcome, Room};
use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::semantics::tag::Tag;
use crate::time::Timestamp;
use crate::version::Version;

/// Limits the requests that share one streaming response.
const MAX_JOINED: u32 = 10_000;

/// Tracks renders by the token of their lease. All of this is lost with the object; the leases in SQLite survive.
#[derive(Debug)]
pub(super) struct Renders<B> {
    bounds: Bounds,
    running: BTreeMap<Version, Render<B>>,
    /// Queued renders that clients wait for.
    cold: RenderQueue,
    /// Queued renders that the alarm starts.
    background: RenderQueue,
}

/// A running render.
#[derive(Debug)]
pub(super) struct Render<B> {
    /// The page.
    pub(super) key: PageKey,
    /// Its progress.
    pub(super) stage: Stage<B>,
    /// The connection that it takes until the head of the response arrives.
    connection: Connection,
}

/// A render's share of the connections on which an object may wait for a response's head (platform limit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// None: the head has arrived, or the client renders the page itself.
    Free,
    /// One, for a client.
    Client,
    /// One, for the alarm.
    Alarm,
}

/// The progress of a render.
#[derive(Debug)]
pub(super) enum Stage<B> {
    /// The origin has received the request.
    Asked,
    /// The origin has sent a response with tags that are new to this shard. Their registration with the tag index is
    /// under way.
    Registering(Box<TagRegistration<B>>),
    /// The body is arriving, and other requests may join it.
    Growing {
        /// The metadata known so far.
        page: PageMeta,
        /// The headers and the streaming body.
        content: B,
        /// The number of requests that have joined it.
        joined: u32,
    },
    /// The response can't be published. Only the requests that already have it receive it.
    Private,
}

/// A page that waits for the registration of its tags.
#[derive(Debug)]
pub(super) struct TagRegistration<B> {
    /// The tags that are new to this shard.
    pub(super) tags: Vec<Tag>,
    /// The number of shards of the route.
    pub(super) shards: u16,
    /// The registration asks for the invalidations since this time.
    pub(super) since: Timestamp,
    /// The origin's response.
    pub(super) answer: (PageMeta, B),
    /// The end of the render, if it has ended.
    pub(super) ended: Option<(RenderOutcome, Option<(PageMeta, B)>)>,
}

impl<B: Clone> Renders<B> {
    pub(super) fn within(bounds: Bounds) -> Self {
        Self { bounds, running: BTreeMap::new(), cold: RenderQueue::default(), background: RenderQueue::default() }
    }

    /// Returns the bounds.
    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Returns how many renders are under way, how many clients wait for, and how many wait for the alarm.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        (self.running.len() as u64, self.cold.len() as u64, self.background.len() as u64)
    }

    /// Returns whether another render may begin for a client. One that the client performs itself takes no connection.
    pub(super) fn room(&self, by_client: bool) -> Room {
        let has_slot = self.running.len() < self.bounds.running;
        if has_slot && (by_client || self.has_connection()) {
            Room::Now
        } else if self.cold.len() < self.bounds.queued {
            Room::Later
        } else {
            Room::None
        }
    }

    /// Returns whether another render may be left to the alarm.
    pub(super) fn may_await_alarm(&self) -> bool {
        self.background.len() < self.bounds.queued_for_alarm
    }

    fn has_connection(&self) -> bool {
        self.taken(|connection| connection != Connection::Free) < self.bounds.asked
    }

    fn has_room(&self) -> bool {
        self.running.len() < self.bounds.running && self.has_connection()
    }

    fn taken(&self, is: impl Fn(Connection) -> bool) -> usize {
        self.running.values().filter(|render| is(render.connection)).count()
    }

    /// Records that a render is running, whether or not it was queued.
    pub(super) fn begin(&mut self, key: PageKey, token: Version, connection: Connection) {
        self.unqueue(token);
        self.running.insert(token, Render { key, stage: Stage::Asked, connection });
    }

    /// Records that the head of a render's response has arrived.
    pub(super) fn answered(&mut self, token: Version) {
        if let Some(render) = self.running.get_mut(&token) {
            render.connection = Connection::Free;
        }
    }

    /// Queues a render that clients wait for.
    pub(super) fn enqueue(&mut self, key: PageKey, token: Version) {
        self.cold.insert(key, token);
    }

    /// Queues a render that the alarm starts.
    pub(super) fn enqueue_background(&mut self, key: PageKey, token: Version) {
        self.background.insert(key, token);
    }

    /// Returns the next queued render that clients wait for, if there is room for it.
    pub(super) fn next(&self) -> Option<(PageKey, Version)> {
        if self.has_room() { self.cold.first() } else { None }
    }

    /// Returns the next queued render for the alarm, if there is room for it.
    pub(super) fn next_background(&self) -> Option<(PageKey, Version)> {
        let of_alarm = self.taken(|connection| connection == Connection::Alarm);
        if self.has_room() && of_alarm < self.bounds.asked_by_alarm { self.background.first() } else { None }
    }

    /// Returns a page's render in the alarm's queue, if there is room for it now.
    pub(super) fn to_hurry(&self, key: &PageKey) -> Option<Version> {
        if self.has_room() { self.background.get(key) } else { None }
    }

    /// Removes a render from its queue. Returns false if it is not queued.
    pub(super) fn unqueue(&mut self, token: Version) -> bool {
        self.cold.remove(token) || self.background.remove(token)
    }

    /// Returns whether a render is queued.
    pub(super) fn is_queued(&self, token: Version) -> bool {
        self.cold.contains(token) || self.background.contains(token)
    }

    /// Returns whether this life of the object runs or has queued a render with this token.
    pub(super) fn is_alive(&self, token: Version) -> bool {
        self.is_running(token) || self.is_queued(token)
    }

    /// Returns whether a render is running.
    pub(super) fn is_running(&self, token: Version) -> bool {
        self.running.contains_key(&token)
    }

    /// Returns a running render.
    pub(super) fn get_mut(&mut self, token: Version) -> Option<&mut Render<B>> {
        self.running.get_mut(&token)
    }

    /// Records the progress of a running render.
    pub(super) fn set_stage(&mut self, token: Version, stage: Stage<B>) {
        if let Some(render) = self.running.get_mut(&token) {
            render.stage = stage;
        }
    }

    /// Records that a render has ended.
    pub(super) fn end(&mut self, token: Version) {
        self.running.remove(&token);
    }

    /// Returns the tags of the responses that may be published without another registration.
    pub(super) fn tags_in_use(&self) -> BTreeSet<Tag> {
        let tags = |render: &Render<B>| match &render.stage {
            Stage::Registering(registering) => registering.answer.0.tags.clone(),
            Stage::Growing { page, .. } => page.tags.clone(),
            Stage::Asked | Stage::Private => Vec::new(),
        };
        self.running.values().flat_map(tags).collect()
    }

    /// Returns the metadata of a streaming response that requests may join.
    pub(super) fn growing(&self, token: Version) -> Option<&PageMeta> {
        match &self.running.get(&token)?.stage {
            Stage::Growing { page, joined, .. } if *joined < MAX_JOINED => Some(page),
            _ => None,
        }
    }

    /// Returns the headers and the body of a streaming response to one more request.
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
