//! Deliberate faults, to show that the simulation would find real ones.
//!
//! Each is a line of code that a mistake could have left out. Outside of tests nothing of this exists: [`on`] is a
//! constant there, and the compiler removes the question.

/// A mistake that is made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "switched on by tests alone, some of which come with the code that they are about")]
pub(crate) enum Fault {
    /// The end of a render counts whatever its token.
    AnyToken,
    /// A second render begins while one is under way.
    TwoLeases,
    /// What was invalidated while it was rendered is published.
    PublishInvalidated,
    /// What was invalidated is still answered as fresh.
    AnswerInvalidated,
    /// What the tag index says was invalidated of a new tag is not listened to.
    IgnoreRegistration,
    /// A request joins a page that streams although it was invalidated.
    JoinInvalidatedStream,
    /// What an edge says of how new the page must be is not listened to.
    IgnoreNewerThan,
    /// The first of those who wait is not answered.
    ForgetWaiter,
    /// The first of those who wait is answered twice.
    AnswerTwice,
    /// A failed render drops the last good copy.
    FailureForgets,
    /// L2 is written without regard to when it was written last.
    WriteAtOnce,
    /// An older write that comes last is not mended.
    SkipMend,
    /// A page whose bytes died before L2 had them is believed to be in L2.
    BelieveLostWrite,
    /// Each time that it is told of an invalidation, the clock runs ahead a bit more.
    RunAhead,
    /// A render that is begun anew because of what a registration has told is not broken off.
    KeepRunning,
    /// The clock is not saved: a new life issues versions from the wall clock alone.
    ForgetClock,
    /// Back-off is not saved.
    ForgetBackOff,
    /// A new life does not know of the breaker.
    ForgetBreaker,
    /// A new life does not know that anything was invalidated.
    ForgetReceived,
    /// An orphaned lease is not taken up by a new life.
    ForgetOrphan,
    /// A failed render is followed by the next at once.
    NoBackOff,
    /// However many renders fail, each key is tried by itself.
    NoBreaker,
    /// A write to L2 is skipped whatever L2 holds.
    SkipWriteAlways,
    /// An edge does not ask the feed what was invalidated.
    IgnoreFeed,
    /// A page is published while its tags are still being registered.
    RegisterLate,
    /// A registration asks what was invalidated since now, not since the render began.
    RegisterSinceNow,
    /// A registration asks what was invalidated since its own render began, though others may carry the tags as well.
    RegisterSinceOwn,
    /// The caller is told of an invalidation before it is written.
    AcknowledgeFirst,
    /// A delivery is noted as applied when it is sent.
    NoteFirst,
    /// An attempt that has failed puts a delivery off that another attempt has made.
    PutOffApplied,
    /// The time of an invalidation may be that of the one before.
    TimeStandsStill,
    /// A new life of the tag index does not know of deliveries that are still to be made.
    ForgetDeliveries,
    /// A coordinator goes on with a page that belongs to another one by now.
    KeepDisowned,
    /// An invalidation by path is delivered to the owner alone, though it may have been another one, or be.
    TellOwnerAlone,
    /// A coordinator that is new as one of so many is not told what was invalidated by path before it was known.
    RegisterWithoutPaths,
}

#[cfg(test)]
impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 35] = [
        Self::AnyToken,
        Self::TwoLeases,
        Self::PublishInvalidated,
        Self::AnswerInvalidated,
        Self::IgnoreRegistration,
        Self::JoinInvalidatedStream,
        Self::IgnoreNewerThan,
        Self::ForgetWaiter,
        Self::AnswerTwice,
        Self::FailureForgets,
        Self::WriteAtOnce,
        Self::SkipMend,
        Self::BelieveLostWrite,
        Self::RunAhead,
        Self::KeepRunning,
        Self::ForgetClock,
        Self::ForgetBackOff,
        Self::ForgetBreaker,
        Self::ForgetReceived,
        Self::ForgetOrphan,
        Self::NoBackOff,
        Self::NoBreaker,
        Self::SkipWriteAlways,
        Self::IgnoreFeed,
        Self::RegisterLate,
        Self::RegisterSinceNow,
        Self::RegisterSinceOwn,
        Self::AcknowledgeFirst,
        Self::NoteFirst,
        Self::PutOffApplied,
        Self::TimeStandsStill,
        Self::ForgetDeliveries,
        Self::KeepDisowned,
        Self::TellOwnerAlone,
        Self::RegisterWithoutPaths,
    ];
}

/// Tells whether a fault is made: never, outside of tests.
#[cfg(not(test))]
#[allow(dead_code, reason = "as above")]
#[inline]
pub(crate) const fn on(_: Fault) -> bool {
    false
}

#[cfg(test)]
#[allow(unused_imports, reason = "as above")]
pub(crate) use switch::{Guard, on};

#[cfg(test)]
mod switch {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static MADE: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Tells whether this thread makes the fault.
    pub(crate) fn on(fault: Fault) -> bool {
        MADE.get() == Some(fault)
    }

    /// Has this thread make a fault until it is dropped.
    #[must_use]
    pub(crate) struct Guard(Option<Fault>);

    impl Guard {
        /// Switches a fault on, or with `None` every fault off.
        pub(crate) fn new(fault: Option<Fault>) -> Self {
            Self(MADE.replace(fault))
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            MADE.set(self.0);
        }
    }

    #[test]
    fn a_fault_ends_with_its_guard() {
        assert!(!on(Fault::AnyToken));
        {
            let _guard = Guard::new(Some(Fault::AnyToken));
            assert!(on(Fault::AnyToken) && !on(Fault::SkipMend));
        }
        assert!(!on(Fault::AnyToken));
    }
}
