//! One year in fast forward: the shipped coordinators and tag index on real SQLite, with millions of distinct URLs and
//! invalidations. Every table must stay as large as it was after the second month.
//!
//! The site has two routes. One is removed in the sixth month. Each URL is requested when it is new, and some once more,
//! which admits them: a coordinator keeps 5,000 pages, so URLs displace one another. Each page carries a tag of its own, the
//! tag of its section, and the tag of its month. In each month, one coordinator does not answer the tag index for two weeks.
//!
//! `cargo xtask year` runs a whole year. `tests/year.rs` runs a hundredth of it.

mod database;
mod report;
mod shard;
mod site;

use std::collections::BTreeSet;

use self::report::{Report, Sizes};
use self::shard::Coordinator;
use self::site::{Edit, Site};
use crate::config::Config;
use crate::coordinator::Input;
use crate::protocol::ToTagIndex;
use crate::shard_name::ShardName;
use crate::tag_index::tables::TagIndexStore;
use crate::tag_index::{Hanging, Round, attempts, settle};
use crate::time::Timestamp;
use database::Database;

const DAY: u64 = 24 * 3600 * 1000;
const MONTHS: u64 = 12;
const MONTH: u64 = 30 * DAY;

/// The first and the last day of a month on which one coordinator does not answer.
const DEAD: std::ops::Range<u64> = 8..22;

/// The month after which a route is removed.
const REMOVED_AFTER: u64 = 5;

/// How often the alarm of the tag index runs at most, in milliseconds. It attempts up to a hundred deliveries.
const ALARM_EVERY: u64 = 600_000;

/// The size of a year. A smaller one has smaller bounds as well.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The number of distinct URLs.
    pub urls: u64,
    /// The number of invalidations.
    pub invalidations: u64,
    /// The pages that a coordinator keeps.
    pub max_pages: u64,
    /// The older rows that the log keeps, and the rows of the feed.
    pub log_rows: u64,
    /// See above.
    pub feed_rows: u64,
}

impl Scale {
    /// Returns one in `part` of a year, with as small a part of the bounds of the shipped code.
    #[must_use]
    pub const fn part(part: u64) -> Self {
        Self {
            urls: 10_000_000 / part,
            invalidations: 1_000_000 / part,
            max_pages: 5_000 / part,
            log_rows: 100_000 / part,
            feed_rows: 10_000 / part,
        }
    }
}

/// Runs a year, and prints the tables at the end of each month.
///
/// # Errors
/// Names the tables that still grow after the second month, and everything that is left of the removed route.
pub fn run(scale: Scale) -> Result<String, String> {
    let mut year = Year::new(scale);
    let mut report = Report::default();
    for month in 0..MONTHS {
        if month == REMOVED_AFTER {
            year.remove_route();
        }
        year.run_month(month, &mut report);
    }
    report.check(&year.left_of_removed_route())
}

/// Everything that exists during the year.
struct Year {
    scale: Scale,
    config: Config,
    site: Site,
    coordinators: Vec<Coordinator>,
    tag_index: TagIndexStore<Database>,
    tables: Database,
    now: u64,
    alarm_ran: u64,
    /// The coordinator that does not answer.
    dead: Option<usize>,
    l2: BTreeSet<String>,
}

impl Year {
    fn new(scale: Scale) -> Self {
        let config = site::config(scale.max_pages, true);
        let names = ["/s/*#0", "/s/*#1", "/s/*#2", "/s/*#3", "/old/*#0"];
        let names = names.map(|name| ShardName::from_stored(name).expect("it is a name"));
        let now = MONTH;
        let tables = Database::new();
        let tag_index = TagIndexStore::open(tables.clone()).expect("it opens");
        let tag_index =
            tag_index.with_feed_rows(scale.feed_rows, std::time::Duration::ZERO).with_log_rows(scale.log_rows);
        Self {
            scale,
            coordinators: names.into_iter().map(|name| Coordinator::new(name, &config, now)).collect(),
            config,
            site: Site::new(),
            tag_index,
            tables,
            now,
            alarm_ran: 0,
            dead: None,
            l2: BTreeSet::new(),
        }
    }

    /// Deploys a configuration without the second route. All objects begin a new life.
    fn remove_route(&mut self) {
        self.config = site::config(self.scale.max_pages, false);
        self.site.has_old_route = false;
        for coordinator in &mut self.coordinators {
            coordinator.reopen(&self.config, self.now);
        }
        let config = &self.config;
        let is_served = |shard: &ShardName| shard.is_served(&config.routes);
        self.tag_index.note_retired(is_served, Timestamp::from_millis(self.now)).expect("it is sound");
    }

    fn run_month(&mut self, month: u64, report: &mut Report) {
        let (urls, invalidations) = (self.scale.urls / MONTHS, self.scale.invalidations / MONTHS);
        let begin = (1 + month) * MONTH;
        let dead = usize::try_from(month % 4).unwrap_or_default();
        let mut most = Sizes::default();
        for url in 0..urls {
            self.now = begin + url * MONTH / urls;
            let day = (self.now - begin) / DAY;
            let was_dead = self.dead.is_some();
            self.dead = DEAD.contains(&day).then_some(dead);
            if was_dead && self.dead.is_none() {
                most.raise(&self.measure());
            }
            self.visit(month);
            if url * invalidations / urls != (url + 1) * invalidations / urls {
                self.edit();
            }
            self.alarms();
        }
        most.raise(&self.measure());
        report.add(most);
    }

    /// Requests a URL for the first time, and sometimes once more, and sometimes one of the known ones.
    fn visit(&mut self, month: u64) {
        for page in self.site.visits(month) {
            let at = self
                .coordinators
                .iter()
                .position(|coordinator| Some(coordinator.name()) == page.owner(&self.config).as_ref());
            if let Some(at) = at.filter(|at| Some(*at) != self.dead) {
                let request = self.coordinators[at].request(&page);
                self.give(at, request);
            }
        }
    }

    fn give(&mut self, at: usize, input: Input<shard::Content>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let now = self.now;
            let messages = self.coordinators[at].on(&self.config, now, input, &mut self.l2, &mut inputs);
            for message in messages {
                let answer = self.tell(message);
                inputs.extend(Coordinator::answered(answer));
            }
        }
    }

    /// Delivers a message of a coordinator to the tag index.
    fn tell(&mut self, (token, message): shard::Message) -> shard::Answer {
        match message {
            ToTagIndex::Register { shard, shards, tags, since, generation, carried } => {
                if let Some(carried) = carried {
                    self.tag_index.forget_tags(&shard, generation, &carried).expect("it is sound");
                }
                let answer = self.tag_index.register(&shard, shards, generation, &tags, since);
                shard::Answer::Registered(token, answer.expect("it is sound"))
            }
            ToTagIndex::Unregister { shard, generation } => {
                shard::Answer::Unregistered(self.tag_index.unregister(&shard, generation).expect("it is sound"))
            }
            other => unreachable!("a coordinator does not send {other:?}"),
        }
    }

    fn edit(&mut self) {
        let Edit { target, mode } = self.site.edit();
        let owner = site::owner_of(&self.config, &target);
        let now = Timestamp::from_millis(self.now);
        let lazy = crate::invalidation::Refresh::Lazy;
        let appended = self.tag_index.append(target, mode, lazy, owner.as_ref(), now).expect("it is sound");
        self.deliver(Round::Of { first: appended.seq, last: appended.seq, now });
    }

    fn deliver(&mut self, round: Round) {
        for delivery in attempts(&self.tag_index, round, &Hanging::default()).expect("it is sound") {
            let at = self.coordinators.iter().position(|coordinator| *coordinator.name() == delivery.shard);
            let at = at.filter(|at| Some(*at) != self.dead);
            if let Some(at) = at {
                self.give(at, Input::Invalidate(delivery.invalidation.clone()));
            }
            let now = Timestamp::from_millis(self.now);
            settle(&self.tag_index, &delivery, at.map(|_| 0), now).expect("it is sound");
        }
    }

    /// Runs the alarms that are due.
    fn alarms(&mut self) {
        for at in 0..self.coordinators.len() {
            if self.coordinators[at].alarm_is_due(self.now) {
                self.give(at, Input::Alarm { room: 6, writes: 7 });
                self.coordinators[at].alarm_ended(self.now);
            }
        }
        if self.now < self.alarm_ran + ALARM_EVERY {
            return;
        }
        self.alarm_ran = self.now;
        let now = Timestamp::from_millis(self.now);
        self.deliver(Round::Due(now));
        for shard in self.tag_index.retired_to_call(now, 6).expect("it is sound") {
            if let Some(at) = self.coordinators.iter().position(|coordinator| *coordinator.name() == shard) {
                self.give(at, Input::Retire { shard });
            }
        }
    }

    fn measure(&self) -> Sizes {
        let mut sizes = Sizes::default();
        sizes.add("tag index", &self.tables.measure());
        for coordinator in &self.coordinators {
            sizes.add("coordinator", &coordinator.measure());
        }
        sizes.add("L2", &[("pages".to_owned(), self.l2.len() as u64, 0)]);
        sizes
    }

    /// Returns what is left of the removed route: rows of its coordinator, and its pages in L2.
    fn left_of_removed_route(&self) -> Vec<String> {
        let rows = self.coordinators.last().into_iter().flat_map(Coordinator::measure);
        let rows = rows.filter(|(table, rows, _)| table != "schema_versions" && *rows > 0);
        let rows = rows.map(|(table, rows, _)| format!("{rows} rows of {table}"));
        rows.chain(self.l2.iter().filter(|key| key.contains("/old/")).cloned()).collect()
    }
}
