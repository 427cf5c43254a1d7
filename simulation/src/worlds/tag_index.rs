//! The tag index object: its database, its alarm, its lives, and the results it waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::database::Database;
use super::pushes::SentStreams;
use crate::alarm::Alarm;
use crate::shard_name::ShardName;
use crate::sql::{Row, Sql, Value};
use crate::tag_index::tables::{Delivery, TagIndexStore};
use crate::tag_index::{ACKNOWLEDGE_WITHIN, DELIVER_WITHIN, Hanging};
use crate::time::Timestamp;

/// How long the caller of an invalidation waits for the coordinators, in milliseconds.
pub(super) const CALLERS_PATIENCE: u64 = ACKNOWLEDGE_WITHIN.as_secs() * 1000;

/// How long the tag index waits for a coordinator, in milliseconds.
pub(super) const PATIENCE: u64 = DELIVER_WITHIN.as_secs() * 1000;

/// The age up to which rows stay in a small feed: longer than most renders take. The tags of a render from before the
/// floor can't be registered.
const FEED_AGE: Duration = Duration::from_secs(25);

/// A delivery attempt under way.
#[derive(Clone, Debug)]
pub(super) struct DeliveryAttempt {
    pub(super) delivery: Delivery,
    /// Whether the run of the alarm waits for it. Otherwise the caller of the invalidation does.
    pub(super) by_alarm: bool,
}

/// The object and what the platform knows of it. It behaves like `src/edge/objects/tag_index.rs`.
pub(super) struct TagIndex {
    database: Database,
    store: Option<TagIndexStore<Database>>,
    /// The number of lives that have ended.
    pub(super) life: u32,
    /// How far its clock is ahead or behind.
    pub(super) skew: i64,
    /// When the alarm fires, in the world's time. The platform keeps it across the object's death.
    alarm: Option<u64>,
    /// The time that this life has set it to.
    decided: Alarm,
    alarm_runs: bool,
    /// The attempts that this life waits for.
    attempts: BTreeMap<u64, DeliveryAttempt>,
    last_attempt: u64,
    /// The coordinators that this life has found to hang.
    pub(super) hanging: Hanging,
    /// The streams of this life.
    pub(super) streams: SentStreams,
    /// The most rows of the feed, in worlds in which that is fewer than in the shipped code.
    feed_rows: Option<u64>,
    /// The most older rows of the log, in such worlds.
    log_rows: Option<u64>,
}

impl TagIndex {
    pub(super) fn new(database: Database, skew: i64, feed_rows: Option<u64>, log_rows: Option<u64>) -> Self {
        Self {
            database,
            store: None,
            life: 0,
            skew,
            alarm: None,
            decided: Alarm::default(),
            alarm_runs: false,
            attempts: BTreeMap::new(),
            last_attempt: 0,
            hanging: Hanging::default(),
            streams: SentStreams::default(),
            feed_rows,
            log_rows,
        }
    }

    /// Returns the object's own time.
    pub(super) fn local(&self, now: u64) -> Timestamp {
        Timestamp::from_millis(now.saturating_add_signed(self.skew))
    }

    /// Begins a life, unless the object is alive. Returns whether one has begun.
    /// `is_served` tells which coordinators requests can reach.
    pub(super) fn awake(&mut self, now: u64, is_served: impl Fn(&ShardName) -> bool) -> bool {
        if self.store.is_some() {
            return false;
        }
        let store = TagIndexStore::open(self.database.clone()).expect("the schema is this version's");
        let store = match self.feed_rows {
            Some(rows) => store.with_feed_rows(rows, FEED_AGE),
            None => store,
        };
        store.note_retired(is_served, self.local(now)).expect("it is sound");
        self.store = Some(match self.log_rows {
            Some(rows) => store.with_log_rows(rows),
            None => store,
        });
        self.follow(now);
        true
    }

    /// Returns the time of the newest row in the log.
    pub(super) fn last_time(&self) -> Timestamp {
        let rows = self.database.query("SELECT COALESCE(MAX(at), 0) FROM invalidations", &[]).expect("it is sound");
        let Some([Value::Integer(at)]) = rows.first().map(Vec::as_slice) else { return Timestamp::default() };
        Timestamp::from_millis(u64::try_from(*at).unwrap_or_default())
    }

    /// Changes a row of the log as a later version may have written it.
    pub(super) fn rewrite(&self, table: &str, change: &str, seq: u64) {
        self.database.rewrite(table, change, seq);
    }

    /// Returns the content of the log's tables.
    pub(super) fn log(&self) -> Vec<(String, Vec<Row>)> {
        let tables = self.database.dump().into_iter();
        tables.filter(|(table, _)| !["shards", "tag_shards"].contains(&table.as_str())).collect()
    }

    /// Restores the content of the log's tables.
    pub(super) fn restore(&self, log: Vec<(String, Vec<Row>)>) {
        self.database.restore(log);
    }

    /// Returns whether the object is alive.
    pub(super) fn is_alive(&self) -> bool {
        self.store.is_some()
    }

    /// Returns whether the object is idle and has nothing to do later.
    pub(super) fn is_idle(&self) -> bool {
        let is_quiet = self.attempts.is_empty() && !self.alarm_runs && self.alarm.is_none();
        is_quiet && self.store.as_ref().is_some_and(|store| store.next_deadline() == Ok(None))
    }

    /// Ends a life: state that is in memory only is lost. The platform repeats an interrupted run of the alarm.
    pub(super) fn die(&mut self, repeated_at: u64) {
        if self.alarm_runs {
            self.alarm = Some(self.alarm.map_or(repeated_at, |set| set.min(repeated_at)));
        }
        self.store = None;
        self.life += 1;
        self.decided = Alarm::default();
        self.alarm_runs = false;
        self.attempts.clear();
        self.hanging = Hanging::default();
        self.streams = SentStreams::default();
    }

    /// Removes the alarm, as if the platform had lost it.
    pub(super) fn forget_alarm(&mut self) {
        self.alarm = None;
    }

    /// Returns the tables of the object, which is alive.
    pub(super) fn store(&self) -> &TagIndexStore<Database> {
        self.store.as_ref().expect("it is awake")
    }

    /// Returns when the alarm fires, in the world's time.
    pub(super) fn alarm(&self) -> Option<u64> {
        self.alarm
    }

    /// Ensures that the alarm fires by `time`, in the object's own time.
    pub(super) fn wake_at(&mut self, time: Timestamp, now: u64) {
        let local = self.local(now);
        let time = self.decided.wake_at(time, local);
        self.set_alarm(time, now);
    }

    fn set_alarm(&mut self, time: Option<Timestamp>, now: u64) {
        if let Some(time) = time {
            self.alarm = Some(time.as_millis().saturating_add_signed(-self.skew).max(now));
        }
    }

    /// Sets the alarm for the remaining work.
    pub(super) fn follow(&mut self, now: u64) {
        let (due, local) = (self.store().next_deadline(), self.local(now));
        let time = self.decided.follow(&due, local);
        self.set_alarm(time, now);
    }

    /// Records that the alarm has fired.
    pub(super) fn alarm_goes_off(&mut self) {
        self.alarm = None;
    }

    /// Records that a run of the alarm begins.
    pub(super) fn alarm_begins(&mut self) {
        (self.alarm, self.alarm_runs) = (None, true);
        self.decided.begin();
    }

    /// Ends a run of the alarm that waits for nothing more, and sets the alarm for the remaining work.
    pub(super) fn alarm_may_end(&mut self, now: u64) {
        if self.alarm_runs && !self.attempts.values().any(|attempt| attempt.by_alarm) {
            self.alarm_runs = false;
            self.decided.end();
            self.follow(now);
        }
    }

    /// Records an attempt, and returns its number.
    pub(super) fn attempt(&mut self, attempted: DeliveryAttempt) -> u64 {
        self.last_attempt += 1;
        self.attempts.insert(self.last_attempt, attempted);
        self.last_attempt
    }

    /// Ends an attempt.
    pub(super) fn attempted(&mut self, number: u64) -> Option<DeliveryAttempt> {
        self.attempts.remove(&number)
    }
}
