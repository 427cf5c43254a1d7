//! The switch of the deliberate faults. Their enum is generated from the patches.

use std::cell::Cell;

include!(concat!(env!("OUT_DIR"), "/faults.rs"));

impl Fault {
    /// Returns the fault of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name)
    }
}

thread_local! {
    static MADE: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Returns whether the fault is switched on for the current thread.
#[must_use]
pub fn on(fault: Fault) -> bool {
    MADE.get() == Some(fault)
}

/// Switches a fault on for the current thread until this value is dropped.
#[must_use]
#[derive(Debug)]
pub struct Guard(Option<Fault>);

impl Guard {
    /// Switches a fault on, or with `None` every fault off.
    pub fn new(fault: Option<Fault>) -> Self {
        Self(MADE.replace(fault))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        MADE.set(self.0);
    }
}
