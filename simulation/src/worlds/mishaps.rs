//! Mishaps outside of the objects' control: the tag index's database is restored to an earlier point, and the clock of an
//! edge or of a coordinator is set back.
//!
//! A coordinator's clock is set back until its next life, which has another machine. Assumption: the clock of the tag index
//! is right, up to a second. Otherwise edges miss invalidations of pages that were rendered meanwhile.
//!
//! A restore loses the invalidations since that point, and nothing is promised about them any more. It must not cost any
//! later one. Assumptions: the tags that coordinators have registered since that point are not lost, and a restore takes at
//! least a second after the last invalidation.

use std::time::Duration;

use super::checks::CheckResult;
use super::random::Random;
use super::world::{EDGES, STEPS, World};
use crate::coordinator::{Input, WaiterId};
use crate::sql::Row;
use crate::tag_index::tables::SKEW;

/// How far a clock is set back, in milliseconds: longer than a schedule usually takes, so that the edge notices.
const SET_BACK: [u64; 2] = [1_800_000, 3_600_000];

/// How long a restore takes at least. The log gives no time twice, unless it was restored: then its times follow its
/// object's clock again, which must have passed the last time by then.
const TAKES: Duration = Duration::from_secs(1);

/// The mishaps of a world.
#[derive(Default)]
pub(super) struct Mishaps {
    restore: Option<Restore>,
    /// The step before which the clock of an edge is set back, and how far.
    clock: Option<(u32, usize, u64)>,
    /// The same of a coordinator.
    objects_clock: Option<(u32, u64, u64)>,
    /// Whether the tag index's database was restored.
    pub(super) has_restored: bool,
}

/// A restore: the steps at which the backup is made and used.
struct Restore {
    saved_at: u32,
    used_at: u32,
    saved: Option<Backup>,
}

/// The content of the log, and the number of edits at that time.
struct Backup {
    log: Vec<(String, Vec<Row>)>,
    edits: u64,
}

impl Mishaps {
    /// Draws the mishaps of a seed's world, with random numbers of their own: other worlds stay as they are.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(8));
        let (restores, sets_clock) = (random.one_in(4), random.one_in(4));
        let step = |random: &mut Random, from: u32| {
            from + u32::try_from(random.below(u64::from(STEPS - from))).unwrap_or_default()
        };
        let saved_at = step(&mut random, 0);
        let used_at = step(&mut random, saved_at);
        let clock = (step(&mut random, 0), random.index(EDGES), SET_BACK[0] + random.below(SET_BACK[1] - SET_BACK[0]));
        // Random numbers of its own, so that the other mishaps stay as they are.
        let mut of_object = Random::new(seed.rotate_left(8) ^ 0x434C_4F43_4B21);
        let sets_object = of_object.one_in(4);
        let back = of_object.pick(&[5_000, 60_000, SET_BACK[0], SET_BACK[1]]);
        let objects_clock = (step(&mut of_object, 0), of_object.next(), 1 + of_object.below(back));
        Self {
            restore: restores.then_some(Restore { saved_at, used_at, saved: None }),
            clock: sets_clock.then_some(clock),
            objects_clock: sets_object.then_some(objects_clock),
            has_restored: false,
        }
    }
}

impl World<'_> {
    /// Lets the mishaps of a step happen.
    pub(super) fn maybe_mishap(&mut self, step: u32) -> CheckResult {
        if let Some((_, edge, back)) = self.mishaps.clock.filter(|(at, ..)| *at == step) {
            self.edges[edge].skew -= i64::try_from(back).unwrap_or_default();
            self.edges[edge].set_back = back;
            self.edges[edge].set_back_at = Some(self.now);
            self.checks.clock_was_set(edge);
            self.edges[edge].opened_at = None;
            self.overload.forget(edge, None);
            let now = self.now;
            self.story.tell(now, || format!("the clock of edge {edge} is set back by {back} ms"));
        }
        if let Some((_, object, back)) = self.mishaps.objects_clock.filter(|(at, ..)| *at == step) {
            let at = usize::try_from(object % self.objects.len() as u64).unwrap_or_default();
            self.turn_to(at);
            self.objects[at].skew -= i64::try_from(back).unwrap_or_default();
            self.objects[at].was_set_back = true;
            self.checks.clock_of_object_was_set(at, back);
            let (now, shard) = (self.now, &self.layout.shards[at]);
            self.story.tell(now, || format!("the clock of {shard} is set back by {back} ms"));
            if self.objects[at].is_alive() {
                // The next input notices it. This one does nothing else.
                self.give(at, Input::TimedOut { waiter: WaiterId(0) })?;
            }
        }
        let Some(restore) = &mut self.mishaps.restore else { return Ok(()) };
        if restore.saved_at == step {
            self.wake_tag_index();
            let saved = Some(Backup { log: self.tag_index.log(), edits: self.origin.edits });
            if let Some(restore) = &mut self.mishaps.restore {
                restore.saved = saved;
            }
        } else if restore.used_at <= step && restore.saved.is_some() {
            self.wake_tag_index();
            let is_quiet = self.tag_index.last_time().plus(TAKES) <= self.tag_index.local(self.now).plus(SKEW);
            let Some(restore) = self.mishaps.restore.as_mut().filter(|_| is_quiet) else { return Ok(()) };
            if let Some(backup) = restore.saved.take() {
                self.restore(backup);
            }
        }
        Ok(())
    }

    /// Begins a new life of each coordinator whose clock was set back, on a machine whose clock is right. Until then, the
    /// coordinator takes pages for fresh for as much longer.
    pub(super) fn mend_clocks(&mut self) {
        let most = i64::try_from(self.weather.skew).unwrap_or_default();
        for at in 0..self.objects.len() {
            if self.objects[at].skew < -most {
                self.die(at);
            }
        }
    }

    /// Restores the tag index's database. Invalidations since the backup are lost.
    fn restore(&mut self, backup: Backup) {
        self.tag_index_dies();
        self.tag_index.restore(backup.log);
        self.mishaps.has_restored = true;
        self.unacknowledged.retain(|_, (_, edit)| *edit <= backup.edits);
        self.checks.lost_after(backup.edits);
        let now = self.now;
        self.story.tell(now, || format!("the tag index is restored to edit {}", backup.edits));
    }
}
