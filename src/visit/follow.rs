//! Decides what a request does while another one of its isolate asks for the same page.

use std::time::Duration;

use crate::reason::Reason;
use crate::semantics::cache_status::{CacheOutcome, CacheStatus};
use crate::visit::answer::forwarded;
use crate::visit::judge::Judgement;
use crate::visit::machine::{Asking, State, Transition, View, pass};
use crate::visit::step::{Company, CoordinatorReply, L1Entry, Others, ServedPage, Step, StoredPage};

/// The first pause before a request looks again. Each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause. The next request asks that looks after the first one has given up.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// The pause of a request that waits for its turn. A question whose answer is there takes about as long.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);

impl View<'_> {
    /// Continues with what another request has got.
    pub(super) fn others<B>(self, asking: Asking<B>, others: Others) -> Transition<B> {
        match others {
            Others::Ask | Others::Queue if self.now >= asking.deadline => {
                self.without_answer(Reason::CoordinatorTimeout, asking.stand_in)
            }
            Others::Ask => {
                let pause = FIRST_PAUSE.saturating_mul(1 << asking.pauses.min(8)).min(LONGEST_PAUSE);
                self.follow(Asking { pauses: asking.pauses + 1, ..asking }, pause)
            }
            Others::Queue => self.follow(asking, QUEUE_PAUSE),
            Others::Kept => (State::Joining(asking), vec![Step::ReadL1]),
            Others::Answered(reply) => self.answered(asking, CoordinatorReply { reply, page: None }),
        }
    }

    fn follow<B>(self, asking: Asking<B>, pause: Duration) -> Transition<B> {
        let since = if let Company::Waiting { since } = asking.company { since } else { self.now };
        let pause = pause.min(asking.deadline.since(self.now)).max(FIRST_PAUSE);
        (State::Following(Asking { company: Company::Waiting { since }, ..asking }), vec![Step::Wait(pause)])
    }

    /// Continues with what L1 has after another request has put its page there. If this request can't use it, it asks.
    pub(super) fn joined<B>(self, asking: Asking<B>, found: L1Entry<B>) -> Transition<B> {
        match found {
            L1Entry::Page(page) => match self.judge(&page.meta) {
                Judgement::Fresh => self.serve(collapsed(&asking, page)),
                Judgement::Stale { .. } => self.with_l1_page(page),
                Judgement::Unusable { .. } | Judgement::Unknown { .. } => self.ask_after_miss(asking),
            },
            L1Entry::Pass(mark) if self.passes(mark) => pass(mark.reason),
            L1Entry::Pass(_) | L1Entry::Nothing => self.ask_after_miss(asking),
        }
    }

    fn ask_after_miss<B>(self, asking: Asking<B>) -> Transition<B> {
        self.ask_until(Asking { company: Company::Missed, ..asking })
    }
}

/// Serves the page that another request's question has brought: for the client it is as good as an answer to its own.
fn collapsed<B>(asking: &Asking<B>, page: StoredPage<B>) -> ServedPage<B> {
    let fwd_status = Some(page.meta.status);
    let status = CacheStatus { fwd_status, stored: true, collapsed: true, ..forwarded(asking) };
    ServedPage { page, outcome: CacheOutcome::Miss, status, keep: None, is_for_downstream: false }
}
