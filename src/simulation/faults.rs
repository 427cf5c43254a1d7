//! Shows that the checks can fail: for each deliberate mistake, a schedule is found that breaks the promise that the
//! mistake is about.

use super::progress::Progress;
use super::regressions;
use super::runner::Search;
use crate::fault::Fault;

/// In how many schedules a mistake must show. Most show in the first few.
const WITHIN: u64 = 20_000;

/// Returns the fault of that name.
pub(super) fn by_name(name: &str) -> Fault {
    let found = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == name);
    found.unwrap_or_else(|| panic!("there is no fault {name:?}, but {:?}", Fault::ALL))
}

/// Returns the promise that a mistake breaks.
const fn promise_of(fault: Fault) -> u8 {
    match fault {
        Fault::AnyToken | Fault::TwoLeases | Fault::KeepRunning | Fault::ForgetClock => 1,
        Fault::PublishInvalidated
        | Fault::AnswerInvalidated
        | Fault::IgnoreRegistration
        | Fault::JoinInvalidatedStream
        | Fault::IgnoreNewerThan
        | Fault::IgnoreFeed
        | Fault::RunAhead
        | Fault::TimeStandsStill
        | Fault::RegisterLate
        | Fault::RegisterSinceNow
        | Fault::RegisterSinceOwn
        | Fault::RegisterWithoutPaths => 2,
        Fault::AcknowledgeFirst
        | Fault::NoteFirst
        | Fault::PutOffApplied
        | Fault::ForgetDeliveries
        | Fault::TellOwnerAlone => 3,
        Fault::ForgetWaiter | Fault::AnswerTwice => 4,
        Fault::FailureForgets => 5,
        Fault::WriteAtOnce
        | Fault::SkipMend
        | Fault::BelieveLostWrite
        | Fault::SkipWriteAlways
        | Fault::KeepDisowned => 6,
        Fault::ForgetOrphan | Fault::ForgetBreaker | Fault::ForgetReceived => 7,
        Fault::ForgetBackOff | Fault::NoBackOff | Fault::NoBreaker => 8,
    }
}

#[test]
fn every_deliberate_fault_is_found() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let first = |seeds| {
            let search = Search { fault: Some(fault), promise: Some(promise_of(fault)), ..Search::of(seeds) };
            search.first(&Progress::at_the_end())
        };
        // Some take thousands of schedules: where one is known, it is looked at first.
        let known = regressions::seed_of(fault).and_then(|seed| first(seed..seed + 1));
        match known.or_else(|| first(0..WITHIN)) {
            Some((seed, violation)) => println!("{fault:?} breaks promise {} in seed {seed}", violation.promise),
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "not found within {WITHIN} schedules: {missed:?}");
}
