//! Pages whose `Vary` nominates a request header, and pages that carry every tag.
//!
//! A page with a nominated header is for clients without that header. The others pass to the origin.

use super::checks::{CheckResult, promise};
use super::origin::Body;
use super::random::Random;
use super::world::World;
use crate::page::PageMeta;
use crate::semantics::client_rules::ClientRules;
use crate::semantics::nominated::Nominated;
use crate::semantics::tag::Tag;
use crate::semantics::vary::Visitor;

/// The header.
const HEADER: &str = "x-part";

/// One client in this many sends it.
const SENT_EVERY: u64 = 3;

/// The headers of a client.
#[derive(Debug)]
pub(super) enum Client {
    /// None.
    Plain,
    /// The one that some pages nominate.
    WithHeader,
}

impl Visitor for Client {
    fn header(&self, name: &str) -> Option<String> {
        (matches!(self, Self::WithHeader) && name == HEADER).then(|| "1".to_owned())
    }

    fn country(&self) -> Option<String> {
        None
    }
}

impl Client {
    /// Returns one of the two.
    pub(super) fn of(sends: bool) -> &'static Self {
        if sends { &Self::WithHeader } else { &Self::Plain }
    }
}

/// What is special about the pages of a world.
#[derive(Debug)]
pub(super) struct Varied {
    random: Random,
    /// Whether some pages nominate the header.
    nominates: bool,
    /// Whether some pages carry every tag.
    has_every: bool,
}

impl Varied {
    /// Draws what is special about a seed's world, with random numbers of its own.
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed.rotate_left(56) ^ 0x5641_5259);
        let (nominates, has_every) = (random.one_in(4), random.one_in(4));
        Self { random, nominates, has_every }
    }

    /// Returns a world without such pages.
    pub(super) fn none() -> Self {
        Self { random: Random::new(0), nominates: false, has_every: false }
    }

    /// Returns whether the next client sends the header.
    pub(super) fn client_sends(&mut self) -> bool {
        self.nominates && self.random.one_in(SENT_EVERY)
    }

    /// Returns what a page means for clients. The versions of one page differ.
    pub(super) fn rules(&self, path: &str, body: Body) -> ClientRules {
        let nominates = self.nominates && (path == "/a/b" || (path == "/c" && body.bytes.is_multiple_of(2)));
        if !nominates {
            return ClientRules::default();
        }
        let header = Nominated::read(HEADER, |_| false, |_| false).expect("no render sends it");
        ClientRules::new(header, None)
    }

    /// Returns the tags of a page that carries these tags, if they are kept: one page has too many, another one some
    /// that can't be kept.
    pub(super) fn tags(&self, path: &str, body: Body, tags: Vec<Tag>) -> Vec<Tag> {
        match path {
            "/a/b" if self.has_every => vec![Tag::every()],
            "/c" if self.has_every && body.bytes.is_multiple_of(2) => tags.into_iter().chain([Tag::every()]).collect(),
            _ => tags,
        }
    }
}

impl World<'_> {
    /// Promise 10: a client with a header that a page nominates is not served that page.
    pub(super) fn check_nominated(&self, visit: u64, meta: &PageMeta) -> CheckResult {
        let sends = self.visits.get(&visit).is_some_and(|visit| visit.sends);
        let is_for_others = sends && meta.rules.nominated().is_sent_by(Client::of(sends));
        promise(10, !is_for_others, || format!("visit {visit} is served {}, which is for others", meta.version))
    }
}
