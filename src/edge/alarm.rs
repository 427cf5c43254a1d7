//! The one alarm of a Durable Object: it goes off at the least deadline.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen_futures::spawn_local;
use worker::State;

use crate::edge::js;
use crate::store::StoreError;
use crate::time::Timestamp;

/// When to look again after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Knows for when the alarm is set, so that it is set again only for an earlier time.
pub(super) struct Alarm {
    state: Rc<State>,
    set_for: Rc<Cell<Option<Timestamp>>>,
}

impl Alarm {
    pub(super) fn new(state: Rc<State>) -> Self {
        Self { state, set_for: Rc::default() }
    }

    /// Sees to it that the alarm goes off at `time` or earlier.
    pub(super) fn wake_at(&self, time: Timestamp) {
        let now = js::now();
        // What should have gone off already is not relied upon.
        if self.set_for.get().is_some_and(|set_for| set_for <= time && set_for >= now) {
            return;
        }
        self.set_for.set(Some(time));
        let (state, set_for) = (Rc::clone(&self.state), Rc::clone(&self.set_for));
        spawn_local(async move {
            if let Err(error) = state.storage().set_alarm(time.since(now)).await {
                worker::console_error!("the alarm could not be set: {error}");
                set_for.set(None);
            }
        });
    }

    /// Notes that the alarm has gone off.
    pub(super) fn gone_off(&self) {
        self.set_for.set(None);
    }

    /// Sets the alarm for the next deadline of the store, if there is one. A store that fails is asked again later.
    pub(super) fn follow(&self, deadline: Result<Option<Timestamp>, StoreError>) {
        match deadline {
            Ok(Some(deadline)) => self.wake_at(deadline),
            Ok(None) => {}
            Err(error) => {
                worker::console_error!("store: {error}");
                self.wake_at(js::now().plus(AFTER_FAILURE));
            }
        }
    }
}
