//! A coordinator object: a shard, its database, its alarm, and its lives.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::database::Database;
use super::entries::Entries;
use super::memory::Memory;
use super::origin::{Body, RenderPlan};
use super::straits::{FailingDatabase, SUBREQUESTS, Straits};
use crate::alarm::Alarm;
use crate::config::Config;
use crate::coordinator::tables::CoordinatorStore;
use crate::coordinator::{AlarmRun, Bounds, Effect, Entry, Handled, Input, Lease, Moment, Shard};
use crate::invalidation::Mode;
use crate::page::PageMeta;
use crate::semantics::key::PageKey;
use crate::sql::Row;
use crate::time::Timestamp;
use crate::version::Version;

/// Limits the renders that the alarm drives at the same time: fewer than there are pages, as in the shipped code.
pub(super) const MAX_DRIVEN: usize = 2;

/// The leases of all keys.
type Leases = Rc<[(PageKey, Lease)]>;

/// A running render.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "facts of their own, in any combination")]
pub(super) struct Render {
    pub(super) key: usize,
    pub(super) plan: RenderPlan,
    /// Whether a run of the alarm waits for it.
    pub(super) is_driven: bool,
    /// Whether it has ended at the origin.
    pub(super) has_ended: bool,
    /// Whether it waits for the head of its response.
    pub(super) awaits_head: bool,
    /// While its tags are being registered: the time since which their invalidations are asked for.
    pub(super) registering_since: Option<Timestamp>,
    /// Whether its response was not shared, because the store has failed.
    pub(super) is_unshared: bool,
    /// Edges that receive the response as it arrives. They store it when it is complete.
    pub(super) readers: Vec<(usize, PageMeta)>,
}

/// The object, and the platform's record of it.
#[allow(clippy::struct_excessive_bools, reason = "facts of their own, in any combination")]
pub(super) struct Object {
    database: Database,
    /// A second connection to the same database.
    store: CoordinatorStore<Database>,
    shard: Option<Shard<FailingDatabase, Body>>,
    /// The number of statements before the one that fails.
    fails_after: Rc<Cell<Option<u64>>>,
    /// Whether the last input met a failure of the store.
    pub(super) has_failed: bool,
    /// Whether its bounds are small.
    pub(super) is_narrow: bool,
    /// Its memory, if it is little.
    pub(super) memory: Option<Memory>,
    /// The subrequests of the current run of the alarm, and the renders that it drives or has driven.
    pub(super) spent: u32,
    pub(super) spends_for: BTreeSet<Version>,
    /// The pages and versions that it reads from L2.
    pub(super) reading: BTreeSet<(usize, Version)>,
    /// The number of lives that have ended.
    pub(super) life: u32,
    /// How far its clock is ahead or behind.
    pub(super) skew: i64,
    /// Whether the tag index has ever registered it.
    pub(super) is_known: bool,
    /// Whether its clock was ever set back.
    pub(super) was_set_back: bool,
    /// When the alarm fires, in the world's time. The platform keeps it across the object's death.
    pub(super) alarm: Option<u64>,
    /// The time that this life has set it to.
    decided: Alarm,
    /// The current run of the alarm's handler, and its latest nap.
    pub(super) run: Option<AlarmRun>,
    pub(super) nap: u64,
    /// Running renders, in the object or at the tag index.
    pub(super) renders: BTreeMap<Version, Render>,
    /// What it has recorded of its pages.
    entries: RefCell<Entries>,
    /// The recorded leases, with the number of changes of the database when they were read.
    leases: RefCell<(u64, Leases)>,
}

impl Object {
    pub(super) fn new(database: Database) -> Self {
        let store = CoordinatorStore::open(database.clone()).expect("the schema is this version's");
        Self {
            database,
            store,
            shard: None,
            fails_after: Rc::default(),
            has_failed: false,
            is_narrow: false,
            memory: None,
            spent: 0,
            spends_for: BTreeSet::new(),
            reading: BTreeSet::new(),
            life: 0,
            skew: 0,
            is_known: false,
            was_set_back: false,
            alarm: None,
            decided: Alarm::default(),
            run: None,
            nap: 0,
            renders: BTreeMap::new(),
            entries: RefCell::default(),
            leases: RefCell::new((u64::MAX, Rc::default())),
        }
    }

    /// Returns the object's own time.
    pub(super) fn local(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }

    /// Begins a life, unless the object is alive.
    pub(super) fn awake(&mut self, config: &Config, moment: Moment) -> Vec<Effect<Body>> {
        if self.shard.is_some() {
            return Vec::new();
        }
        let database = FailingDatabase::new(self.database.clone(), Rc::clone(&self.fails_after));
        let (shard, effects) = Shard::open(database, config, moment).expect("the database is sound");
        let bounds = if self.is_narrow { Straits::bounds() } else { Bounds::default() };
        self.shard = Some(shard.within(self.memory.map_or(bounds, |memory| memory.bounds(bounds))));
        effects
    }

    /// Ends a life: state that is in memory only is lost. If two worlds are compared, the next life still knows the
    /// time of the alarm. Setting it again may cost a run without work, which changes nothing but the virtual clock.
    pub(super) fn die(&mut self, is_compared: bool) {
        self.shard = None;
        self.life += 1;
        if !is_compared {
            self.decided = Alarm::default();
        }
        self.run = None;
        self.renders.clear();
        self.reading.clear();
    }

    /// Deletes the storage and the alarm.
    pub(super) fn end(&mut self) {
        self.die(false);
        self.database.clear();
        self.alarm = None;
    }

    /// Returns the last version that the object has issued or observed.
    pub(super) fn last_version(&self) -> Version {
        self.shard
            .as_ref()
            .map_or_else(|| self.store.clock().expect("the database is sound").last(), Shard::last_version)
    }

    /// Returns whether the object is alive.
    pub(super) fn is_alive(&self) -> bool {
        self.shard.is_some()
    }

    /// Feeds an input to the object, which is alive. One of its statements may fail.
    pub(super) fn on(
        &mut self,
        config: &Config,
        moment: Moment,
        input: Input<Body>,
        fails_after: Option<u64>,
    ) -> Vec<Effect<Body>> {
        let shard = self.shard.as_mut().expect("it is awake");
        self.fails_after.set(fails_after);
        let Handled { effects, failure } = shard.on(config, moment, input);
        self.has_failed = failure.is_some();
        assert!(failure.is_none() || fails_after.is_some(), "the database is sound: {failure:?}");
        self.fails_after.set(None);
        effects
    }

    /// Ensures that the alarm fires by `time`, in the object's own time.
    pub(super) fn wake_at(&mut self, time: Timestamp, now: u64) {
        let local = self.local_time(now);
        let time = self.decided.wake_at(time, local);
        self.set_alarm(time, now);
    }

    fn set_alarm(&mut self, time: Option<Timestamp>, now: u64) {
        if let Some(time) = time {
            self.alarm = Some(time.as_millis().saturating_add_signed(-self.skew).max(now));
        }
    }

    /// Begins a run of the alarm.
    pub(super) fn alarm_begins(&mut self, now: u64) {
        self.alarm = None;
        self.decided.begin();
        let run = AlarmRun::begin(self.local_time(now), MAX_DRIVEN, 1);
        self.run = Some(if self.is_narrow { run.within(SUBREQUESTS) } else { run });
        self.spent = 0;
        self.spends_for.clear();
    }

    /// Ends a run of the alarm, and sets the alarm for the work that is due next.
    pub(super) fn alarm_ends(&mut self, now: u64) {
        self.run = None;
        self.decided.end();
        let Some(shard) = &self.shard else { return };
        let local = self.local_time(now);
        let due = AlarmRun::next_alarm(shard.has_queued(), shard.next_deadline(), local);
        let time = self.decided.follow(&due, local);
        self.set_alarm(time, now);
    }

    fn local_time(&self, now: u64) -> Timestamp {
        Timestamp::from_millis(self.local(now))
    }

    /// Returns the entry of a page.
    pub(super) fn entry(&self, key: &PageKey) -> Entry {
        self.entries.borrow_mut().read(&self.database, &self.store, key)
    }

    /// Returns all recorded leases.
    pub(super) fn leases(&self) -> Leases {
        let (mut read, changes) = (self.leases.borrow_mut(), self.database.changes());
        if read.0 != changes {
            *read = (changes, self.store.leases(u32::MAX).expect("the database is sound").into());
        }
        Rc::clone(&read.1)
    }

    /// Returns whether a lease will end, or a write will be due.
    pub(super) fn has_deadline(&self) -> bool {
        let has_write = self.store.next_write().expect("the database is sound").is_some();
        has_write || !self.leases().is_empty()
    }

    /// Returns the strongest invalidation of a page that the object knows.
    pub(super) fn invalidated(&self, page: &PageMeta) -> Option<Mode> {
        self.store.invalidated(page).expect("the database is sound")
    }

    /// Returns whether a sweep has pages left to render again or delete.
    pub(super) fn is_sweeping(&self) -> bool {
        self.store.is_sweeping().expect("the database is sound")
    }

    /// Changes a row of the database as a later version may have written it.
    pub(super) fn rewrite(&self, table: &str, change: &str, seq: u64) {
        self.database.rewrite(table, change, seq);
    }

    /// Returns the whole content of the database.
    pub(super) fn dump(&self) -> Vec<(String, Vec<Row>)> {
        self.database.dump()
    }
}
