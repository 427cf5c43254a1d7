//! Answers to waiting requests.

use std::collections::btree_map::Entry;

use super::{MAX_CHECKS, SETTLED_AFTER, Shard};
use crate::coordinator::PageContent;
use crate::coordinator::io::{Effect, Moment, PageRead};
use crate::coordinator::{Answer, Entry as PageEntry, StoredCopy, WaiterId};
use crate::page::PageMeta;
use crate::protocol::Reply;
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::sql::Sql;
use crate::time::Timestamp;
use crate::version::Version;

impl<S: Sql, B: PageContent> Shard<S, B> {
    /// Answers requests. Bytes that are not held are read from L2. While a failing origin is not asked, its last response
    /// is the answer.
    pub(super) fn answer(
        &mut self,
        moment: Moment,
        key: &PageKey,
        entry: &PageEntry,
        waiters: Vec<WaiterId>,
        answer: Answer,
    ) {
        if let (Answer::Unavailable { reason, .. }, Some(failed)) = (&answer, self.failed.get(key)) {
            let failed = failed.clone();
            return self.reply_all(&waiters, &Reply::Relay { reason: *reason }, Some(&failed));
        }
        let (page, reply) = match answer {
            Answer::Page(page) => (*page, Reply::Page { rendered: false, collapsed: false }),
            Answer::Stale { page, reason } => (*page, Reply::StandIn { reason }),
            Answer::Growing(page) => return self.answer_growing(&waiters, &page, true),
            other => return self.reply_all(&waiters, &bare_reply(&other, moment.now), None),
        };
        match self.held.get(&page.key, page.version) {
            Some((_, content)) => {
                self.reply_all(&waiters, &reply, Some(&(page.clone(), content)));
                self.check_l2(moment, entry, page, reply);
            }
            None if waiters.is_empty() => {}
            None => {
                let copy = copy_of(entry, &page);
                let read = PageRead { page, copy, reply, waiters };
                if self.reads.len() >= self.renders.bounds().reads
                    && !self.reads.contains_key(&(read.page.key.clone(), read.page.version))
                {
                    return self.reply_all(&read.waiters, &Reply::Refused { reason: Reason::WaitersFull }, None);
                }
                match self.reads.entry((read.page.key.clone(), read.page.version)) {
                    // One read at a time: its result is the same for all.
                    Entry::Occupied(reading) => reading.into_mut().push(read),
                    Entry::Vacant(none) => {
                        none.insert(Vec::new());
                        self.effects.push(Effect::Read(read));
                    }
                }
            }
        }
    }

    /// Checks whether L2 still has a page that an edge asks for, although L2 has shown it everywhere for long: the edge
    /// has not found it there.
    fn check_l2(&mut self, moment: Moment, entry: &PageEntry, page: PageMeta, reply: Reply) {
        let is_settled = entry.written_at.is_some_and(|at| at.plus(SETTLED_AFTER) <= moment.now);
        if is_settled && entry.pending.is_none() && self.checks < MAX_CHECKS {
            self.checks += 1;
            let copy = copy_of(entry, &page);
            self.effects.push(Effect::Read(PageRead { page, copy, reply, waiters: Vec::new() }));
        }
    }

    /// Sends a streaming response to waiters. The first one counts as the request that started the render, unless the
    /// waiters are late.
    fn answer_growing(&mut self, waiters: &[WaiterId], page: &PageMeta, are_late: bool) {
        for (index, waiter) in waiters.iter().enumerate() {
            let reply = Reply::Page { rendered: true, collapsed: are_late || index > 0 };
            match self.renders.join(page.version) {
                Some(content) => self.reply(*waiter, reply, Some((page.clone(), content))),
                None => self.reply(*waiter, Reply::Refused { reason: Reason::Lost }, None),
            }
        }
    }

    pub(super) fn answer_waiters(
        &mut self,
        moment: Moment,
        key: &PageKey,
        entry: &PageEntry,
        answer: Answer,
        from_origin: Option<&(PageMeta, B)>,
    ) {
        let waiters = self.waiters.remove(key).unwrap_or_default();
        match (answer, from_origin) {
            (Answer::Growing(page), _) => self.answer_growing(&waiters, &page, false),
            (Answer::Page(page), Some((_, content))) => {
                for (index, waiter) in waiters.into_iter().enumerate() {
                    let reply = Reply::Page { rendered: true, collapsed: index > 0 };
                    self.reply(waiter, reply, Some(((*page).clone(), content.clone())));
                }
            }
            (Answer::Relay { reason }, Some(relayed)) => {
                // An empty page with 200 is no answer that is worth repeating.
                if reason == Reason::OriginError && relayed.0.status >= 400 {
                    self.failed.put(key, relayed);
                }
                self.reply_all(&waiters, &Reply::Relay { reason }, Some(relayed));
            }
            (answer, _) => self.answer(moment, key, entry, waiters, answer),
        }
    }

    pub(super) fn reply_all(&mut self, waiters: &[WaiterId], reply: &Reply, page: Option<&(PageMeta, B)>) {
        for waiter in waiters {
            self.reply(*waiter, reply.clone(), page.cloned());
        }
    }

    /// Answers a request, unless it is answered already or has stopped waiting.
    pub(super) fn reply(&mut self, waiter: WaiterId, reply: Reply, page: Option<(PageMeta, B)>) {
        if self.forget_waiter(waiter) {
            self.effects.push(Effect::Reply { waiter, reply, page });
        }
    }
}

/// Returns another version under which L2 has the content of a page.
fn copy_of(entry: &PageEntry, page: &PageMeta) -> Option<Version> {
    let same = |copy: &StoredCopy| page.digest == Some(copy.digest);
    entry.copy.filter(same).map(|copy| copy.version)
}

/// Returns the verdict of an answer without a page.
fn bare_reply(answer: &Answer, now: Timestamp) -> Reply {
    match answer {
        Answer::Unchanged => Reply::Unchanged,
        Answer::Refused { reason } => Reply::Refused { reason: *reason },
        Answer::Pass { until, reason } => Reply::Pass { until: *until, reason: *reason },
        Answer::Unavailable { retry_at, reason } => Reply::Unavailable { retry_at: *retry_at, reason: *reason },
        // The failing origin could not be reached, so there is no response to relay.
        Answer::Relay { .. } | Answer::Page(_) | Answer::Growing(_) | Answer::Stale { .. } => {
            Reply::Unavailable { retry_at: now, reason: Reason::OriginError }
        }
    }
}
