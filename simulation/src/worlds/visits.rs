//! Visitors: what becomes of a request at an edge, step by step.

use super::checks::{Checked, promise};
use super::edge::{Kept, POLL_PATIENCE, Refresh};
use super::queue::{Coming, Question};
use super::site::Body;
use super::story::short;
use super::world::{EDGES, World};
use crate::fault::{self, Fault};
use crate::invalidation::FeedPage;
use crate::page::PageMeta;
use crate::protocol::Verdict;
use crate::tag_index_name::TagIndexName;
use crate::time::Timestamp;
use crate::version::Version;
use crate::visit::Judgement;

/// How long an edge waits for the coordinator, in milliseconds: for a visitor, and behind a stale copy.
pub(super) const MISS_PATIENCE: u64 = 15_000;
pub(super) const STALE_PATIENCE: u64 = 25_000;

/// The rows of one answer to a poll: so few that some polls need several.
const FEED_ROWS: u32 = 3;

/// How long the feed may be behind, in milliseconds.
pub(super) const BOUND: u64 = 10_000;

/// A request at an edge.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) edge: usize,
    pub(super) key: usize,
    pub(super) why: Why,
    /// A copy that may be served if there is nothing better.
    pub(super) stand_in: Option<(PageMeta, Body)>,
    pub(super) newer_than: Option<Timestamp>,
    /// Whether the coordinator was asked once more.
    pub(super) asked_again: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Visitor,
    /// A stale copy was served.
    Report,
    /// All is well again, and must be seen to be. Holds whether it was.
    Last {
        got_page: bool,
    },
}

impl World<'_> {
    /// Has a visitor come.
    pub(super) fn visit(&mut self) -> Checked {
        let (edge, key) = (self.random.index(EDGES), self.random.index(self.workshop.keys.len()));
        let id = self.new_visit(edge, key, Why::Visitor);
        let now = self.now;
        self.story.tell(now, || format!("visit {id} at edge {edge}: {}", self.workshop.keys[key]));
        let local = self.edges[edge].local(now);
        match self.edges[edge].refresh(local, BOUND) {
            Refresh::No => self.look(id),
            Refresh::Behind => {
                self.begin_poll(edge, local);
                self.look(id)
            }
            Refresh::First => {
                self.begin_poll(edge, local);
                self.edges[edge].waiting.push(id);
                Ok(())
            }
            Refresh::Wait => {
                self.edges[edge].waiting.push(id);
                Ok(())
            }
        }
    }

    pub(super) fn new_visit(&mut self, edge: usize, key: usize, why: Why) -> u64 {
        self.last_visit += 1;
        let visit = Visit { edge, key, why, stand_in: None, newer_than: None, asked_again: false };
        self.visits.insert(self.last_visit, visit);
        self.last_visit
    }

    /// Has an edge begin to poll, by its own clock at `sent`.
    fn begin_poll(&mut self, edge: usize, sent: u64) {
        self.edges[edge].asked_at = self.now;
        self.send_poll(edge, sent);
        self.queue.push(self.now + POLL_PATIENCE, Coming::PollOver { edge, sent });
    }

    /// Has an edge ask for rows of the feed. What is lost is not heard of: the edge stops waiting some time.
    fn send_poll(&mut self, edge: usize, sent: u64) {
        let is_lost = self.now < self.edges[edge].cut_off_until || self.random.one_in(self.weather.tag_index_fails);
        let due = self.now + self.poll_latency();
        if !is_lost {
            self.queue.push(due, Coming::Poll { edge, sent });
        }
    }

    /// Returns how long a message between an edge and the tag index is on its way: rarely for too long.
    fn poll_latency(&mut self) -> u64 {
        let slow = if self.random.one_in(self.weather.polls_slow) { self.random.below(POLL_PATIENCE) } else { 0 };
        1 + self.latency() / 4 + slow
    }

    /// Has a poll reach the tag index.
    pub(super) fn poll(&mut self, edge: usize, sent: u64) {
        self.wake_tag_index();
        let since = self.edges[edge].feed.seq(TagIndexName::ROOT);
        let page = if fault::on(Fault::IgnoreFeed) {
            FeedPage { seq: since, ..FeedPage::default() }
        } else {
            self.tag_index.store().feed(since, FEED_ROWS).expect("it is sound")
        };
        let due = self.now + self.poll_latency();
        self.queue.push(due, Coming::Polled { edge, sent, page });
    }

    /// Has rows of the feed reach an edge, unless it does not wait for them any more.
    pub(super) fn polled(&mut self, edge: usize, sent: u64, page: FeedPage) -> Checked {
        if !self.edges[edge].is_polling(sent) {
            return Ok(());
        }
        let since = self.edges[edge].feed.seq(TagIndexName::ROOT);
        let is_over = !(page.more && page.seq > since);
        self.edges[edge].feed.extend(page);
        if is_over {
            self.edges[edge].told_at = Some(self.edges[edge].asked_at);
            return self.poll_ends(edge, sent, true);
        }
        self.send_poll(edge, sent);
        Ok(())
    }

    /// Has an edge stop waiting for a poll.
    pub(super) fn poll_over(&mut self, edge: usize, sent: u64) -> Checked {
        if self.edges[edge].is_polling(sent) { self.poll_ends(edge, sent, false) } else { Ok(()) }
    }

    fn poll_ends(&mut self, edge: usize, sent: u64, is_answered: bool) -> Checked {
        let (now, local) = (self.now, self.edges[edge].local(self.now));
        let what = if is_answered { "done" } else { "in vain" };
        self.story.tell(now, || format!("edge {edge} has polled the feed: {what}"));
        let waiting = self.edges[edge].polled(local, sent, is_answered);
        waiting.into_iter().try_for_each(|visit| self.look(visit))
    }

    /// Looks for a copy in L1, then in L2, and judges it.
    fn look(&mut self, id: u64) -> Checked {
        let Some(Visit { edge, key, .. }) = self.visits.get(&id).cloned() else { return Ok(()) };
        let local = self.edges[edge].local(self.now);
        match self.edges[edge].l1.get(&key).filter(|_| !self.random.one_in(20)).cloned() {
            Some(Kept::Page(page, body)) => return self.with_copy(id, page, body, false),
            Some(Kept::Pass { since, until })
                if self.edges[edge].passes(
                    self.workshop.keys[key].path(),
                    &self.layout.routes[key],
                    since,
                    until,
                    local,
                ) =>
            {
                self.end(id, "passes", None);
                return Ok(());
            }
            _ => {}
        }
        let in_l2 = self.l2.read(self.now, edge, key, self.weather.l2_lag, &mut self.random);
        if let Some((page, body)) = in_l2.filter(|_| !self.random.one_in(self.weather.l2_unreadable)) {
            return self.with_copy(id, page, body, true);
        }
        self.miss(id, None, None);
        Ok(())
    }

    fn with_copy(&mut self, id: u64, page: PageMeta, body: Body, from_l2: bool) -> Checked {
        let Visit { edge, key, .. } = self.visits[&id];
        let local = self.edges[edge].local(self.now);
        match self.edges[edge].judge(&page, &self.layout.routes[key], local, BOUND) {
            Judgement::Fresh => {
                // A copy counts as fresh only where it is known what was invalidated.
                let (now, told_at) = (self.now, self.edges[edge].told_at);
                promise(2, told_at.is_some_and(|told_at| now < told_at + BOUND), || {
                    format!("edge {edge} takes {} for fresh, but has asked the feed at {told_at:?} last", page.version)
                })?;
                self.checks.served_fresh(self.now, BOUND, &page, body)?;
                if from_l2 {
                    self.edges[edge].l1.insert(key, Kept::Page(page.clone(), body));
                }
                self.end(id, "hit", Some((page.version, body)));
            }
            Judgement::Stale { .. } => {
                self.end(id, "stale", Some((page.version, body)));
                self.report(edge, key, &page);
            }
            Judgement::Unusable { stands_in } => {
                let newer_than = self.edges[edge].invalidated_at(&page, &self.layout.routes[key]);
                self.miss(id, stands_in.then_some((page, body)), newer_than);
            }
        }
        Ok(())
    }

    fn miss(&mut self, id: u64, stand_in: Option<(PageMeta, Body)>, newer_than: Option<Timestamp>) {
        let Some(visit) = self.visits.get_mut(&id) else { return };
        visit.stand_in = stand_in;
        visit.newer_than = newer_than;
        let key = visit.key;
        let due = self.now + self.latency();
        self.queue.push(due, Coming::Ask(Question { visit: id, key, served: None, newer_than, forwarded: false }));
        self.queue.push(self.now + MISS_PATIENCE, Coming::GiveUp { visit: id });
    }

    /// Tells the coordinator behind the response that a stale copy was served.
    fn report(&mut self, edge: usize, key: usize, page: &PageMeta) {
        let local = self.edges[edge].local(self.now);
        if self.edges[edge].reported.get(&key).is_some_and(|until| local < *until) {
            return;
        }
        self.edges[edge].reported.insert(key, local + STALE_PATIENCE);
        let newer_than = self.edges[edge].invalidated_at(page, &self.layout.routes[key]);
        let id = self.new_visit(edge, key, Why::Report);
        let due = self.now + self.latency();
        let question = Question { visit: id, key, served: Some(page.version), newer_than, forwarded: false };
        self.queue.push(due, Coming::Ask(question));
        self.queue.push(self.now + STALE_PATIENCE, Coming::GiveUp { visit: id });
    }

    /// Notes what has become of a visit.
    pub(super) fn end(&mut self, id: u64, what: &str, page: Option<(Version, Body)>) {
        self.visits.remove(&id);
        let now = self.now;
        self.story.tell(now, || {
            let page = page.map(|(version, body)| format!(": {} showing {}", short(version), body.shows));
            format!("visit {id} {what}{}", page.unwrap_or_default())
        });
        self.log(id, what, page);
    }

    /// Notes what the coordinator has answered.
    pub(super) fn log_answer(&mut self, visit: u64, verdict: &Verdict, page: Option<&(PageMeta, Body)>) {
        let kind = match verdict {
            Verdict::Page { rendered, collapsed } => format!("page rendered={rendered} collapsed={collapsed}"),
            Verdict::StandIn { reason } => format!("stand-in {reason}"),
            Verdict::Relay { reason } => format!("relay {reason}"),
            other => format!("{other:?}"),
        };
        self.log(visit, &kind, page.map(|(page, body)| (page.version, *body)));
    }
}
