//! Worlds in which the origin sends validators, so that renders may be conditional.
//!
//! They draw from a stream of their own, so that the other worlds tell the same stories as before.

use std::collections::BTreeSet;

use super::checks::{CheckResult, promise};
use super::origin::{Body, End, RenderPlan};
use super::random::Random;
use super::story::short;
use super::world::{COORDINATOR, World};
use crate::coordinator::Base;
use crate::invalidation::Mode;
use crate::version::Version;

/// How often the origin confirms another version than the stored one, per conditional request.
const MISMATCHES: u64 = 8;

/// The conditions of a world with validators.
#[derive(Debug)]
pub(super) struct Validators {
    random: Random,
    /// The origin confirms another version than the stored one, per conditional request.
    mismatches: u64,
    /// The pages of which the origin has just confirmed another version.
    mismatched: BTreeSet<usize>,
}

impl Validators {
    /// Draws the conditions of a seed's world, if its origin sends validators.
    pub(super) fn draw(seed: u64) -> Option<Self> {
        let mut random = Random::new(seed.rotate_left(24) ^ 0x4554_4147);
        random.one_in(3).then(|| Self { random, mismatches: MISMATCHES, mismatched: BTreeSet::new() })
    }

    /// Ends all failures.
    pub(super) fn clear(&mut self) {
        self.mismatches = 0;
    }
}

impl World<'_> {
    /// Plans a render that may validate a page: the origin may answer 304.
    ///
    /// Promise 2: after a purge, the origin is not asked whether the purged page is current. Promise 8: a render after a
    /// useless 304 is unconditional, so that it ends in a page.
    pub(super) fn validate(
        &mut self,
        at: usize,
        key: usize,
        token: Version,
        base: Option<&Base<Body>>,
        plan: RenderPlan,
    ) -> Result<RenderPlan, super::checks::Violation> {
        let Some(base) = base else {
            if let Some(validators) = &mut self.validators {
                validators.mismatched.remove(&key);
            }
            return Ok(plan);
        };
        self.check_base(at, key, token, base)?;
        let Some(body) = self.body_of(at, key, token, base)? else { return Ok(plan) };
        let Some(validators) = &mut self.validators else { return Ok(plan) };
        if plan.end != End::Page {
            return Ok(plan);
        }
        if validators.random.one_in(validators.mismatches) {
            validators.mismatched.insert(key);
            return Ok(RenderPlan { head: None, end: End::Mismatched, ..plan });
        }
        if body.bytes != plan.body.bytes {
            return Ok(plan);
        }
        let now = self.now;
        self.story.tell(now, || format!("the site will confirm {} to {}", short(base.page.version), short(token)));
        // It shows what the origin has at this moment.
        Ok(RenderPlan { head: None, body: Body { shows: plan.body.shows, ..body }, ..plan })
    }

    fn check_base(&mut self, at: usize, key: usize, token: Version, base: &Base<Body>) -> CheckResult {
        let page = &base.page;
        let is_purged = self.objects[at].invalidated(page) == Some(Mode::Purge);
        promise(2, !is_purged, || format!("{} validates {}, which is purged", short(token), short(page.version)))?;
        let is_repeated = self.validators.as_ref().is_some_and(|validators| validators.mismatched.contains(&key));
        let has_lease = self.entry(key).lease.is_some_and(|lease| lease.token == token && lease.attempt > 0);
        promise(8, !(is_repeated && has_lease), || format!("{} asks again after a useless 304", short(token)))
    }

    /// Returns the body of the page that a render validates, from memory or from L2.
    fn body_of(
        &mut self,
        at: usize,
        key: usize,
        token: Version,
        base: &Base<Body>,
    ) -> Result<Option<Body>, super::checks::Violation> {
        if base.content.is_some() {
            return Ok(base.content);
        }
        self.spend(at, |object| object.spends_for.contains(&token))?;
        let Some(validators) = &mut self.validators else { return Ok(None) };
        if validators.random.one_in(self.weather.l2_unreadable) {
            return Ok(None);
        }
        let found = self.l2.read(self.now, COORDINATOR, key, self.weather.l2_lag, &mut validators.random);
        Ok(found.filter(|(page, _)| base.is_met_by(page.version)).map(|(_, body)| body))
    }
}
