//! The alarm of a Durable Object, set as [`alarm::Alarm`] decides.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use worker::State;

use crate::alarm;
use crate::edge::platform::js;
use crate::sql::StoreError;
use crate::time::Timestamp;

/// The alarm of this object.
pub(in crate::edge) struct ObjectAlarm {
    state: Rc<State>,
    decided: Rc<RefCell<alarm::Alarm>>,
}

impl ObjectAlarm {
    pub(in crate::edge) fn new(state: Rc<State>) -> Self {
        Self { state, decided: Rc::default() }
    }

    /// Ensures that the alarm goes off at `time` or earlier.
    pub(in crate::edge) fn wake_at(&self, time: Timestamp) {
        let now = js::now();
        let time = self.decided.borrow_mut().wake_at(time, now);
        self.set(time, now);
    }

    /// Records that the handler begins.
    pub(in crate::edge) fn begin(&self) {
        self.decided.borrow_mut().begin();
    }

    /// Records that the handler ends, and sets the alarm for the next deadline of the store.
    pub(in crate::edge) fn end(&self, deadline: Result<Option<Timestamp>, StoreError>) {
        self.decided.borrow_mut().end();
        self.follow(deadline);
    }

    /// Deletes the object's storage and its alarm.
    pub(in crate::edge) async fn delete_storage(&self) -> worker::Result<()> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await
    }

    /// Sets the alarm for the next deadline of the store, if there is one.
    pub(in crate::edge) fn follow(&self, deadline: Result<Option<Timestamp>, StoreError>) {
        let now = js::now();
        let time = self.decided.borrow_mut().follow(&deadline, now);
        if let Err(error) = deadline {
            worker::console_error!("store: {error}");
        }
        self.set(time, now);
    }

    fn set(&self, time: Option<Timestamp>, now: Timestamp) {
        let Some(time) = time else {
            return;
        };
        let (state, decided) = (Rc::clone(&self.state), Rc::clone(&self.decided));
        spawn_local(async move {
            if let Err(error) = state.storage().set_alarm(time.since(now)).await {
                worker::console_error!("the alarm could not be set: {error}");
                decided.borrow_mut().not_set();
            }
        });
    }
}
