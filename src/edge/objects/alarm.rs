//! The one alarm of a Durable Object: it goes off at the least deadline.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use wasm_bindgen_futures::spawn_local;
use worker::State;

use crate::edge::platform::js;
use crate::sql::StoreError;
use crate::time::Timestamp;

/// When to look again after the store has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// How late an alarm may be: up to a minute after a failure of the platform, as it says.
const OVERDUE: Duration = Duration::from_mins(2);

/// Knows for when the alarm is set, so that it is set again only for an earlier time.
///
/// While its handler runs it is not set at all: the platform repeats a run that does not come to its end, but only if no
/// later alarm has taken its place. The handler sets it at its end, for what the store says is due next.
pub(in crate::edge) struct Alarm {
    state: Rc<State>,
    set_for: Rc<Cell<Option<Timestamp>>>,
    is_running: Cell<bool>,
}

impl Alarm {
    pub(in crate::edge) fn new(state: Rc<State>) -> Self {
        Self { state, set_for: Rc::default(), is_running: Cell::new(false) }
    }

    /// Sees to it that the alarm goes off at `time` or earlier.
    pub(in crate::edge) fn wake_at(&self, time: Timestamp) {
        let now = js::now();
        // An alarm that should have gone off long ago is not relied upon.
        let relied_upon = |set_for: &Timestamp| set_for.plus(OVERDUE) >= now;
        if self.is_running.get() || self.set_for.get().filter(relied_upon).is_some_and(|set_for| set_for <= time) {
            return;
        }
        let time = self.set_for.get().map_or(time, |set_for| set_for.min(time)).max(now);
        self.set_for.set(Some(time));
        let (state, set_for) = (Rc::clone(&self.state), Rc::clone(&self.set_for));
        spawn_local(async move {
            if let Err(error) = state.storage().set_alarm(time.since(now)).await {
                worker::console_error!("the alarm could not be set: {error}");
                set_for.set(None);
            }
        });
    }

    /// Notes that the handler begins to run.
    pub(in crate::edge) fn begin(&self) {
        self.set_for.set(None);
        self.is_running.set(true);
    }

    /// Notes that the handler comes to its end, and sets the alarm for the next deadline of the store.
    pub(in crate::edge) fn end(&self, deadline: Result<Option<Timestamp>, StoreError>) {
        self.is_running.set(false);
        self.follow(deadline);
    }

    /// Sets the alarm for the next deadline of the store, if there is one. A store that fails is asked again later.
    pub(in crate::edge) fn follow(&self, deadline: Result<Option<Timestamp>, StoreError>) {
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
