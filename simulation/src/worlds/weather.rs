//! How bad things are in a world: each world has its own mixture, so that rare things come together in some.

use super::random::Random;

/// What goes wrong, and how often: `n` stands for one in `n`, 0 for never.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    /// The object dies, of the steps in which it could.
    pub(super) deaths: u64,
    /// The alarm is forgotten when the object dies.
    pub(super) alarm_lost: u64,
    /// The site fails, of renders outside of its bad times.
    pub(super) site_fails: u64,
    /// The site has a bad time, of edits.
    pub(super) site_goes_bad: u64,
    /// The site answers with what is not to be stored, of renders.
    pub(super) uncacheable: u64,
    /// A render takes long, of renders.
    pub(super) slow: u64,
    /// The longest that a quick render takes, in milliseconds.
    pub(super) render_time: u64,
    /// A write to L2 is refused, of writes.
    pub(super) l2_refuses: u64,
    /// A write to L2 takes longer than anybody waits for it, of writes.
    pub(super) l2_hangs: u64,
    /// A read of L2 fails, of reads.
    pub(super) l2_unreadable: u64,
    /// How late a write to L2 may be seen, in milliseconds.
    pub(super) l2_lag: u64,
    /// The tag index fails, of calls.
    pub(super) tag_index_fails: u64,
    /// The tag index dies, of the steps in which it could; a fourth as often before it makes a delivery.
    pub(super) tag_index_deaths: u64,
    /// L1 has lost what it had, of reads.
    pub(super) l1_forgets: u64,
    /// A client leaves before its visit is over, of visits.
    pub(super) clients_leave: u64,
    /// An edge can't reach the tag index for a while, of edits.
    pub(super) edge_cut_off: u64,
    /// A message between an edge and the tag index is slow, of such messages.
    pub(super) polls_slow: u64,
    /// A delivery, or the news of it, is lost, comes late, or comes twice, of deliveries.
    pub(super) delivery_lost: u64,
    pub(super) delivery_late: u64,
    pub(super) delivery_twice: u64,
    /// The longest that a message is on its way, in milliseconds.
    pub(super) latency: u64,
    /// How far a clock may be off, in milliseconds.
    pub(super) skew: u64,
    /// Several invalidations come at once, of edits.
    pub(super) bursts: u64,
    /// An invalidation is of the mode `stale`, of invalidations.
    pub(super) stale_mode: u64,
    /// An invalidation is of the mode `purge`, of the others.
    pub(super) purges: u64,
    /// Pages are to be rendered at once that were invalidated, of invalidations.
    pub(super) eager: u64,
}

impl Weather {
    /// Draws the weather of a world.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            deaths: random.pick(&[0, 2, 4, 12]),
            alarm_lost: random.pick(&[0, 0, 4]),
            site_fails: random.pick(&[0, 6, 20]),
            site_goes_bad: random.pick(&[0, 3, 8]),
            uncacheable: random.pick(&[0, 0, 10]),
            slow: random.pick(&[0, 8, 30]),
            render_time: random.pick(&[20, 2_000, 8_000]),
            l2_refuses: random.pick(&[0, 2, 8]),
            l2_hangs: random.pick(&[0, 0, 6]),
            l2_unreadable: random.pick(&[0, 10]),
            l2_lag: random.pick(&[0, 5_000, 60_000]),
            tag_index_fails: random.pick(&[0, 0, 8]),
            tag_index_deaths: random.pick(&[0, 2, 4, 12]),
            l1_forgets: 20,
            clients_leave: random.pick(&[0, 0, 5]),
            edge_cut_off: random.pick(&[0, 0, 3]),
            polls_slow: random.pick(&[0, 0, 4]),
            delivery_lost: random.pick(&[0, 3, 10]),
            delivery_late: random.pick(&[0, 0, 4]),
            delivery_twice: random.pick(&[0, 4, 10]),
            latency: random.pick(&[2, 8, 100, 2_000]),
            skew: random.pick(&[0, 450]),
            bursts: random.pick(&[0, 2, 4]),
            stale_mode: random.pick(&[0, 2, 6]),
            purges: random.pick(&[0, 0, 4]),
            eager: random.pick(&[0, 0, 3]),
        }
    }

    /// Draws weather in which nothing happens to the object but what is done to it on purpose, and in which what is in
    /// L2 can be read there. What is random besides does not depend on whether L2 is read.
    pub(super) fn draw_calm(random: &mut Random) -> Self {
        Self {
            deaths: 0,
            alarm_lost: 0,
            tag_index_deaths: 0,
            l2_refuses: 0,
            l2_hangs: 0,
            l2_unreadable: 0,
            l2_lag: 0,
            skew: 0,
            ..Self::draw(random)
        }
    }

    /// Has all that is bad end.
    pub(super) fn clear(&mut self) {
        *self = Self { latency: self.latency, skew: self.skew, render_time: self.render_time, ..Self::default() };
    }
}
