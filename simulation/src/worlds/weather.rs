//! The failure rates of a world. Each world has its own mixture, so that rare failures coincide in some.

use super::random::Random;

/// Failures and their rates: `n` means one in `n`, 0 means never.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    /// The object dies, per step in which it can.
    pub(super) deaths: u64,
    /// The alarm is lost when the object dies.
    pub(super) alarm_lost: u64,
    /// The origin fails, per render outside of its outages.
    pub(super) origin_fails: u64,
    /// The origin has an outage, per edit.
    pub(super) origin_goes_bad: u64,
    /// The origin's response may not be stored, per render.
    pub(super) uncacheable: u64,
    /// A render is slow, per render.
    pub(super) slow: u64,
    /// The longest duration of a quick render, in milliseconds.
    pub(super) render_time: u64,
    /// L2 refuses a write, per write.
    pub(super) l2_refuses: u64,
    /// A write to L2 takes longer than the coordinator waits for it, per write.
    pub(super) l2_hangs: u64,
    /// A read of L2 fails, per read.
    pub(super) l2_unreadable: u64,
    /// The maximum delay until a write to L2 is visible, in milliseconds.
    pub(super) l2_lag: u64,
    /// The tag index fails, per call.
    pub(super) tag_index_fails: u64,
    /// The tag index dies, per step in which it can; a fourth as often before it makes a delivery.
    pub(super) tag_index_deaths: u64,
    /// L1 has lost its content, per read.
    pub(super) l1_forgets: u64,
    /// A client leaves before its visit ends, per visit.
    pub(super) clients_leave: u64,
    /// An edge can't reach the tag index for a while, per edit.
    pub(super) edge_cut_off: u64,
    /// A message between an edge and the tag index is slow, per message.
    pub(super) polls_slow: u64,
    /// A delivery or its answer is lost, late or duplicated, per delivery.
    pub(super) delivery_lost: u64,
    pub(super) delivery_late: u64,
    pub(super) delivery_twice: u64,
    /// The maximum latency of a message, in milliseconds.
    pub(super) latency: u64,
    /// The maximum error of a clock, in milliseconds.
    pub(super) skew: u64,
    /// Several invalidations arrive at once, per edit.
    pub(super) bursts: u64,
    /// An invalidation has the mode `stale`, per invalidation.
    pub(super) stale_mode: u64,
    /// An invalidation has the mode `purge`, per invalidation with another mode than `stale`.
    pub(super) purges: u64,
    /// Invalidated pages are rendered again at once, per invalidation.
    pub(super) eager: u64,
}

impl Weather {
    /// Draws the failure rates of a world.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self {
            deaths: random.pick(&[0, 2, 4, 12]),
            alarm_lost: random.pick(&[0, 0, 4]),
            origin_fails: random.pick(&[0, 6, 20]),
            origin_goes_bad: random.pick(&[0, 3, 8]),
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

    /// Draws failure rates for a world in which the object only dies on purpose, and in which L2 can always be read.
    /// All other random values do not depend on reads of L2.
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

    /// Ends all failures.
    pub(super) fn clear(&mut self) {
        *self = Self { latency: self.latency, skew: self.skew, render_time: self.render_time, ..Self::default() };
    }
}
