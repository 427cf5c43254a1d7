//! One run of the alarm's handler: drives background renders to their end, and performs the work that is due.
//!
//! ```text
//!            ┌─── a render ends, the bell rings, or the nap is over ────┐
//!            ▼                                                          │
//!  begin ──▶ room ──▶ Input::Alarm ──▶ drive each render ──▶ next ──▶ Nap
//!                                                             └─────▶ End: the alarm is set for the next deadline
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use crate::coordinator::Effect;
use crate::limits::SUBREQUESTS;
use crate::time::Timestamp;
use crate::version::Version;

/// Limits the renders that the alarm drives at the same time: an object may wait for six response heads (platform
/// limit).
pub const MAX_DRIVEN: usize = crate::limits::OPEN_REQUESTS;

/// The subrequests that a write to L2 takes at most: the pages of one store may overflow into another.
const A_WRITE: u32 = 2;

/// The subrequests that it takes to read the page that a render validates from L2: it is too small to overflow into
/// another store.
const A_BASE: u32 = 1;

/// How long one run starts new renders. A run may take 15 min (platform limit), and the longest render takes 10.
const LONGEST: Duration = Duration::from_mins(4);

/// How long a run sleeps at most while its renders go on, so that it notices new work in time.
const NAP: Duration = Duration::from_secs(1);

/// A run of the alarm.
#[derive(Clone, Debug)]
pub struct AlarmRun {
    began: Timestamp,
    /// The maximum number of renders that it drives at the same time.
    most: usize,
    /// The renders that it waits for.
    driven: BTreeSet<Version>,
    /// The subrequests that it may still make.
    left: u32,
    /// The subrequests of one render: the page that it validates, the origin, the tag index objects, and L2.
    a_render: u32,
    /// Whether it has made none yet.
    is_untouched: bool,
}

/// How much work a round may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Renders.
    pub room: usize,
    /// Writes to L2, besides those of these renders.
    pub writes: usize,
}

/// The next step of a run after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sleeps until a render ends, the bell rings, or this time has passed. Then the next round begins.
    Nap(Duration),
    /// Ends the run: see [`AlarmRun::next_alarm`].
    End,
}

impl AlarmRun {
    /// Begins a run that drives at most `most` renders at the same time: [`MAX_DRIVEN`], or fewer in a simulation with
    /// few pages. A render may register its tags with `tag_shards` objects.
    #[must_use]
    pub fn begin(now: Timestamp, most: usize, tag_shards: u16) -> Self {
        let a_render = (A_BASE + 1 + u32::from(tag_shards) + A_WRITE).min(SUBREQUESTS);
        Self { began: now, most, driven: BTreeSet::new(), left: SUBREQUESTS, a_render, is_untouched: true }
    }

    /// Sets another number of subrequests, for a simulation with few pages.
    #[must_use]
    pub fn within(self, subrequests: u32) -> Self {
        Self { left: subrequests, a_render: self.a_render.min(subrequests), is_untouched: true, ..self }
    }

    /// Returns how much the next round may begin. What does not fit into this run is left to the next one.
    #[must_use]
    pub fn allowance(&self, now: Timestamp) -> Allowance {
        if now.since(self.began) >= LONGEST {
            return Allowance { room: 0, writes: 0 };
        }
        // A third of what is left goes to writes, so that neither kind of work displaces the other.
        let writes = (self.left / 3) / A_WRITE;
        // A page that needs more than a share is rendered alone.
        let alone = u32::from(self.is_untouched);
        let for_renders = ((self.left - writes * A_WRITE) / self.a_render).max(alone);
        let room = self.most.saturating_sub(self.driven.len()).min(for_renders as usize);
        Allowance { room, writes: writes as usize }
    }

    /// Counts the subrequests that the effects of a round make. The renders that it drives count with everything that
    /// follows from them.
    pub fn spend<B>(&mut self, effects: &[Effect<B>]) {
        for effect in effects {
            let subrequests = match effect {
                Effect::Render { driven: true, .. } => self.a_render,
                Effect::Write(..) | Effect::Delete(_) => A_WRITE,
                Effect::Render { .. } | Effect::Read(_) | Effect::Register { .. } | Effect::Forward { .. } => 1,
                Effect::Unregister { messages } => u32::try_from(messages.len()).unwrap_or(u32::MAX),
                Effect::End | Effect::Reply { .. } | Effect::Abandon { .. } | Effect::WakeAt(_) | Effect::Ring => 0,
            };
            self.left = self.left.saturating_sub(subrequests);
            self.is_untouched &= subrequests == 0;
        }
    }

    /// Records that the run waits for a render.
    pub fn drive(&mut self, token: Version) {
        self.driven.insert(token);
    }

    /// Records that a render has ended. Returns whether the run was waiting for it.
    pub fn ended(&mut self, token: Version) -> bool {
        self.driven.remove(&token)
    }

    /// Decides what follows a round.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.driven.is_empty() { Next::End } else { Next::Nap(NAP) }
    }

    /// Returns the time of the next alarm at the end of a run: at once if renders wait for the next run, otherwise the
    /// store's next deadline.
    ///
    /// # Errors
    /// Returns the store's error if the deadline can't be read.
    pub fn next_alarm<E>(
        has_queued: bool,
        deadline: Result<Option<Timestamp>, E>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, E> {
        if has_queued { Ok(Some(now)) } else { deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::key::PageKey;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn token(number: u128) -> Version {
        Version::from_parts(at(1), number)
    }

    fn room(run: &AlarmRun, seconds: u64) -> usize {
        run.allowance(at(seconds)).room
    }

    fn render(number: u128) -> Effect<()> {
        let key = PageKey::from_stored("https://e.com/").unwrap();
        Effect::Render { key, token: token(number), driven: true, base: None }
    }

    #[test]
    fn it_drives_six_renders_at_a_time_and_ends_when_all_have_ended() {
        let mut run = AlarmRun::begin(at(0), MAX_DRIVEN, 1);
        assert_eq!((room(&run, 0), run.next()), (6, Next::End));
        (0..5).for_each(|number| run.drive(token(number)));
        assert_eq!((room(&run, 0), run.next()), (1, Next::Nap(NAP)));
        run.drive(token(5));
        assert_eq!(room(&run, 1), 0);
        assert!(!run.ended(token(9)), "the render of a visitor");
        assert!((0..6).all(|number| run.ended(token(number))));
        assert_eq!((room(&run, 239), run.next()), (6, Next::End));
    }

    #[test]
    fn after_four_minutes_it_begins_no_more() {
        let mut run = AlarmRun::begin(at(0), MAX_DRIVEN, 1);
        run.drive(token(0));
        assert_eq!((run.allowance(at(240)), run.next()), (Allowance { room: 0, writes: 0 }, Next::Nap(NAP)));
        let due = Ok::<_, ()>(Some(at(500)));
        assert_eq!(AlarmRun::next_alarm(true, due, at(300)), Ok(Some(at(300))));
        assert_eq!(AlarmRun::next_alarm(false, due, at(300)), due);
    }

    #[test]
    fn it_makes_no_more_subrequests_than_the_free_plan_allows() {
        for tag_shards in [1, 4, 100] {
            let mut run = AlarmRun::begin(at(0), MAX_DRIVEN, tag_shards);
            let (mut renders, mut writes) = (0_usize, 0_usize);
            for second in 0..200 {
                let allowance = run.allowance(at(second));
                let round: Vec<_> = (0..allowance.room as u128).map(render).collect();
                let deletions: Vec<_> = (0..allowance.writes.min(2))
                    .map(|_| Effect::<()>::Delete(PageKey::from_stored("https://e.com/").unwrap()))
                    .collect();
                run.spend(&round);
                run.spend(&deletions);
                (renders, writes) = (renders + round.len(), writes + deletions.len());
            }
            assert!(renders > 0, "a page that needs more than half of them is rendered, too");
            let (a_render, a_write) = (2 + usize::from(tag_shards) + A_WRITE as usize, A_WRITE as usize);
            assert!(renders * a_render + writes * a_write <= 50 || tag_shards == 100);
        }
    }
}
