//! Answers to waiting requests.

use super::Shard;
use crate::coordinator::io::{Effect, Moment, Wanted};
use crate::coordinator::{Answer, Entry, StoredCopy, WaiterId};
use crate::page::PageMeta;
use crate::protocol::Verdict;
use crate::reason::Reason;
use crate::semantics::key::PageKey;
use crate::semantics::storable::NotStored;
use crate::sql::Sql;
use crate::time::Timestamp;

impl<S: Sql, B: Clone> Shard<S, B> {
    /// Answers requests. Bytes that are not held are read from L2.
    pub(super) fn answer(&mut self, moment: Moment, entry: &Entry, waiters: Vec<WaiterId>, answer: Answer) {
        let (page, verdict) = match answer {
            Answer::Page(page) => (*page, Verdict::Page { rendered: false, collapsed: false }),
            Answer::Stale { page, reason } => (*page, Verdict::StandIn { reason }),
            Answer::Growing(page) => return self.answer_growing(&waiters, &page, true),
            other => return self.reply_all(&waiters, &bare_verdict(&other, moment.now), None),
        };
        match self.held.get(&page.key, page.version) {
            Some((_, content)) => self.reply_all(&waiters, &verdict, Some(&(page, content))),
            None if waiters.is_empty() => {}
            None => {
                let same = |copy: &StoredCopy| page.digest == Some(copy.digest);
                let copy = entry.copy.filter(same).map(|copy| copy.version);
                self.effects.push(Effect::Read(Wanted { page, copy, verdict, waiters }));
            }
        }
    }

    /// Sends a streaming response to waiters. The first one counts as the request that started the render, unless the
    /// waiters are late.
    fn answer_growing(&mut self, waiters: &[WaiterId], page: &PageMeta, are_late: bool) {
        for (index, waiter) in waiters.iter().enumerate() {
            let verdict = Verdict::Page { rendered: true, collapsed: are_late || index > 0 };
            match self.renders.join(page.version) {
                Some(content) => self.reply(*waiter, verdict, Some((page.clone(), content))),
                None => self.reply(*waiter, Verdict::Refused { reason: Reason::Lost }, None),
            }
        }
    }

    pub(super) fn answer_parked(
        &mut self,
        moment: Moment,
        key: &PageKey,
        entry: &Entry,
        answer: Answer,
        site: Option<&(PageMeta, B)>,
    ) {
        let waiters = self.parked.remove(key).unwrap_or_default();
        match (answer, site) {
            (Answer::Growing(page), _) => self.answer_growing(&waiters, &page, false),
            (Answer::Page(page), Some((_, content))) => {
                for (index, waiter) in waiters.into_iter().enumerate() {
                    let verdict = Verdict::Page { rendered: true, collapsed: index > 0 };
                    self.reply(waiter, verdict, Some(((*page).clone(), content.clone())));
                }
            }
            (Answer::Relay { reason }, Some(relayed)) => {
                self.reply_all(&waiters, &Verdict::Relay { reason }, Some(relayed));
            }
            (answer, _) => self.answer(moment, entry, waiters, answer),
        }
    }

    pub(super) fn reply_all(&mut self, waiters: &[WaiterId], verdict: &Verdict, page: Option<&(PageMeta, B)>) {
        for waiter in waiters {
            self.reply(*waiter, verdict.clone(), page.cloned());
        }
    }

    /// Answers a request, unless it is answered already or has stopped waiting.
    pub(super) fn reply(&mut self, waiter: WaiterId, verdict: Verdict, page: Option<(PageMeta, B)>) {
        if self.waiting.remove(&waiter) {
            self.effects.push(Effect::Reply { waiter, verdict, page });
        }
    }
}

/// Returns the verdict of an answer without a page.
fn bare_verdict(answer: &Answer, now: Timestamp) -> Verdict {
    match answer {
        Answer::Unchanged => Verdict::Unchanged,
        Answer::Refused { reason } => Verdict::Refused { reason: *reason },
        Answer::Pass { until, reason } => Verdict::Pass { until: *until, reason: reason.map(NotStored::reason) },
        Answer::Unavailable { retry_at, reason } => Verdict::Unavailable { retry_at: *retry_at, reason: *reason },
        // The failing origin could not be reached, so there is no response to relay.
        Answer::Relay { .. } | Answer::Page(_) | Answer::Growing(_) | Answer::Stale { .. } => {
            Verdict::Unavailable { retry_at: now, reason: Reason::SiteError }
        }
    }
}
