//! The decisions of a coordinator, for its log.
//!
//! The log records what has changed, and why. [`of_step`] derives it from the state before and after a step, so it
//! records what was decided, and decides nothing. The tables write a decision in the transaction of the change itself.

use std::time::Duration;

use crate::coordinator::{Breaker, Cause, Entry, Event, RenderOutcome};
use crate::invalidation::Invalidation;
use crate::reason::Reason;
use crate::semantics::evidence::Evidence;
use crate::semantics::key::PageKey;
use crate::time::Timestamp;
use crate::version::Version;

/// Declares the kinds of decisions: variant, name, description.
macro_rules! kinds {
    ($($variant:ident, $name:literal, $description:literal;)+) => {
        /// The kind of a decision.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum DecisionKind {
            $(
                #[doc = concat!("`", $name, "`: ", $description)]
                $variant,
            )+
        }

        impl DecisionKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name, as the log and callers have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns the description, as Markdown of one line.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)+
                }
            }
        }
    };
}

kinds! {
    Published, "published", "A render was published.";
    NotStored, "not-stored", "The response of a render may not be stored. Requests pass to the origin for `pass_ttl`.";
    Failed, "failed", "A render failed. The last good page stays, and the page backs off.";
    Repeated, "repeated", "The result of a render could not be used, and the page is rendered again at once.";
    GivenUp, "given-up", "A render ended without a result, or did not begin, although the origin did not fail.";
    Lost, "lost", "The bytes of a page were lost before L2 had them. It is rendered when it is next requested.";
    Evicted, "evicted", "A page was displaced by another one, or was of no use any more.";
    Forgotten, "forgotten", "A page was forgotten: another coordinator owns it, or no route matches it any more.";
    L2Refused, "l2-refused", "L2 refused a write or a deletion. It is tried again.";
    Invalidated, "invalidated", "An invalidation arrived. `pages` counts the pages that it names.";
    Swept, "swept", "A purge or an eager refresh has processed its last page. `pages` counts them.";
    BreakerOpened, "breaker-opened", "The circuit breaker opened.";
    BreakerClosed, "breaker-closed", "The circuit breaker closed.";
}

/// A decision that has changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The kind.
    pub kind: DecisionKind,
    /// The page, if it concerns one page.
    pub key: Option<PageKey>,
    /// The version of the page, or the token of the render.
    pub version: Option<Version>,
    /// The reason, as in `Cache-Status`.
    pub reason: Option<Reason>,
    /// What led to it.
    pub detail: Option<Evidence>,
    /// The number of the invalidation.
    pub invalidation: Option<u64>,
    /// How many pages it concerns.
    pub pages: Option<u64>,
    /// How long the render took, from its lease to its result.
    pub took: Option<Duration>,
}

impl Decision {
    fn new(kind: DecisionKind) -> Self {
        let (key, version, reason, detail) = (None, None, None, None);
        Self { kind, key, version, reason, detail, invalidation: None, pages: None, took: None }
    }

    fn about(kind: DecisionKind, key: &PageKey) -> Self {
        Self { key: Some(key.clone()), ..Self::new(kind) }
    }

    /// Returns the decision about a page that another coordinator owns, or none.
    #[must_use]
    pub fn forgotten(key: &PageKey, before: &Entry, after: &Entry) -> Option<Self> {
        let page = before.page.as_ref().filter(|_| after.page.is_none())?;
        let reason = Some(Reason::Moved);
        Some(Self { version: Some(page.version), reason, ..Self::about(DecisionKind::Forgotten, key) })
    }

    /// Returns the decision about an invalidation that names `pages` pages.
    #[must_use]
    pub fn invalidated(invalidation: &Invalidation, pages: u64) -> Self {
        let (kind, name) = invalidation.target.kind_and_name();
        let detail = format!("{} {kind} {name}", invalidation.mode.as_str());
        Self {
            detail: Some(Evidence::new(detail.trim_end())),
            invalidation: Some(invalidation.seq),
            pages: Some(pages),
            ..Self::new(DecisionKind::Invalidated)
        }
    }

    /// Returns the decision about pages that count as stale, because the number of tag index objects has changed.
    #[must_use]
    pub fn tags_moved() -> Self {
        Self {
            detail: Some(Evidence::new("stale everything: tag_shards has changed")),
            ..Self::new(DecisionKind::Invalidated)
        }
    }

    /// Returns the decision about a sweep that has processed its last page.
    #[must_use]
    pub fn swept(seq: u64, done: u64, failed: u64) -> Self {
        let detail = (failed > 0).then(|| Evidence::new(&format!("{failed} failed")));
        Self { invalidation: Some(seq), pages: Some(done + failed), detail, ..Self::new(DecisionKind::Swept) }
    }

    /// Returns the decision of the circuit breaker, if it has opened or closed.
    #[must_use]
    pub fn of_breaker(before: &Breaker, after: &Breaker) -> Option<Self> {
        // A probe that begins lengthens the pauses of an open one.
        if after.pauses > 0 && before.pauses == 0 {
            let detail = format!("the last renders of {} pages failed", after.failing());
            return Some(Self { detail: Some(Evidence::new(&detail)), ..Self::new(DecisionKind::BreakerOpened) });
        }
        (after.pauses == 0 && before.pauses > 0).then(|| Self::new(DecisionKind::BreakerClosed))
    }
}

/// What of an event the log needs after the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A render has reported something, or has ended.
    Render {
        /// Its token.
        token: Version,
        /// The kind of the decision if the render was not published.
        kind: DecisionKind,
        /// Why it was not published.
        cause: Option<Cause>,
    },
    /// The key gives way to another one.
    Displaced,
    /// L2 has refused the write of a version, or a deletion.
    WriteFailed(Option<Version>),
    /// The bytes of a version were lost.
    WriteLost(Version),
    /// Nothing that the log records.
    Other,
}

impl Occasion {
    /// Extracts it from an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        match event {
            Event::Head { token, .. } => {
                Self::Render { token: *token, kind: DecisionKind::GivenUp, cause: Some(Reason::Invalidated.into()) }
            }
            Event::Ended { token, outcome } => {
                let (kind, cause) = unpublished(outcome);
                Self::Render { token: *token, kind, cause }
            }
            Event::Displaced => Self::Displaced,
            Event::WriteFailed { version } => Self::WriteFailed(*version),
            Event::WriteLost { version } => Self::WriteLost(*version),
            Event::Miss { .. }
            | Event::Stale { .. }
            | Event::BytesLost { .. }
            | Event::CopyLost { .. }
            | Event::Refresh
            | Event::Swept
            | Event::Begun { .. }
            | Event::WriteDue
            | Event::Written { .. } => Self::Other,
        }
    }
}

/// Returns what an outcome is if it was not published, and why.
fn unpublished(outcome: &RenderOutcome) -> (DecisionKind, Option<Cause>) {
    match outcome {
        RenderOutcome::Done(_) => (DecisionKind::GivenUp, Some(Reason::Invalidated.into())),
        RenderOutcome::Uncacheable(unstorable) => (DecisionKind::NotStored, Some(unstorable.clone().into())),
        RenderOutcome::Mismatched => (DecisionKind::GivenUp, None),
        RenderOutcome::Failed(failure) => (DecisionKind::Failed, Some((*failure).into())),
        RenderOutcome::TooOld => (DecisionKind::Failed, Some(Reason::RenderTimeout.into())),
        RenderOutcome::Unregistered => (DecisionKind::GivenUp, Some(Reason::TagIndex.into())),
        RenderOutcome::NoRoom => (DecisionKind::GivenUp, Some(Reason::NoRoom.into())),
        RenderOutcome::Lost => (DecisionKind::GivenUp, Some(Reason::Lost.into())),
        RenderOutcome::Refused => (DecisionKind::GivenUp, Some(Reason::QueueTimeout.into())),
    }
}

/// Returns what a step of one key has decided.
#[must_use]
pub fn of_step(now: Timestamp, key: &PageKey, before: &Entry, occasion: Occasion, after: &Entry) -> Option<Decision> {
    match occasion {
        Occasion::Render { token, kind, cause } => of_render(now, key, before, after, token, kind, cause),
        Occasion::Displaced => {
            let page = before.page.as_ref().filter(|_| after.page.is_none())?;
            Some(Decision { version: Some(page.version), ..Decision::about(DecisionKind::Evicted, key) })
        }
        Occasion::WriteLost(version) => {
            let has_lost = before.page.as_ref().is_some_and(|page| page.version == version) && after.page.is_none();
            has_lost.then(|| Decision { version: Some(version), ..Decision::about(DecisionKind::Lost, key) })
        }
        Occasion::WriteFailed(version) => {
            let attempts = after.pending.filter(|write| write.version == version)?.attempts;
            let detail = Some(Evidence::new(&format!("attempt {attempts}")));
            Some(Decision { version, detail, ..Decision::about(DecisionKind::L2Refused, key) })
        }
        Occasion::Other => None,
    }
}

fn of_render(
    now: Timestamp,
    key: &PageKey,
    before: &Entry,
    after: &Entry,
    token: Version,
    kind: DecisionKind,
    cause: Option<Cause>,
) -> Option<Decision> {
    let lease = after.lease.map(|lease| lease.token);
    if before.lease.map(|lease| lease.token) != Some(token) || lease == Some(token) {
        return None; // The token is outdated, or the render goes on.
    }
    let decision = |kind| {
        let took = Some(now.since(token.time()));
        Decision { version: Some(token), took, ..Decision::about(kind, key) }
    };
    if let Some(page) = after.page.as_ref().filter(|page| page.version == token) {
        let detail = (page.status != 200).then(|| Evidence::new(&format!("status {}", page.status)));
        return Some(Decision { detail, ..decision(DecisionKind::Published) });
    }
    let kind = if lease.is_some() { DecisionKind::Repeated } else { kind };
    // The state has the cause that was recorded with it.
    let recorded = after.unpublished.as_ref().filter(|unpublished| unpublished.token == token);
    let (reason, detail) = match recorded.map(|unpublished| unpublished.cause.clone()).or(cause) {
        Some(Cause { reason, detail }) => (Some(reason), detail),
        None => (None, None),
    };
    Some(Decision { reason, detail, ..decision(kind) })
}
