//! Objects with little memory: the platform ends an object whose waiting requests take more than there is.
//!
//! The objects keep their own bounds, so that this never happens: a request without room is refused, and its edge goes on
//! without an answer.

use super::checks::{CheckResult, promise};
use super::random::Random;
use super::world::World;
use crate::coordinator::Bounds;

/// The bytes that the shipped code counts for a waiting request with one of the world's short keys, rounded up.
pub(super) const REQUEST: u64 = 1_200;

/// The memory of each object of a world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// How many waiting requests it has room for.
    requests: u64,
}

impl Memory {
    /// Draws the memory of a seed's world, if it is little, with random numbers of its own.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(40) ^ 0x6D65_6D6F_7279);
        random.one_in(4).then(|| Self { requests: random.pick(&[2, 4]) })
    }

    /// Returns the bytes that waiting requests may take.
    pub(super) fn bytes(self) -> u64 {
        self.requests * REQUEST
    }

    /// Returns an object's bounds with this memory.
    pub(super) fn bounds(self, bounds: Bounds) -> Bounds {
        Bounds { waiter_bytes: self.bytes(), ..bounds }
    }
}

impl World<'_> {
    /// Promise 8: the waiting requests fit into the memory of their object. Otherwise the platform would end it, and all
    /// of them would fail.
    pub(super) fn check_memory(&self, at: usize) -> CheckResult {
        let Some(Memory { requests }) = self.objects[at].memory else { return Ok(()) };
        let waiting = self.checks.waiting_at(at);
        promise(8, waiting <= requests, || format!("{waiting} requests wait at {}", self.layout.shards[at]))
    }
}
