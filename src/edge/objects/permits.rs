//! Shares a number of connections among requests, so that none waits unseen inside the platform.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::oneshot;

/// Who waits for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Urgency {
    /// A client.
    Client,
    /// Nobody.
    Nobody,
}

/// The permits of one object. A clone is the same.
#[derive(Clone, Debug)]
pub(in crate::edge) struct Permits(Rc<State>);

#[derive(Debug, Default)]
struct State {
    free: Cell<usize>,
    clients: RefCell<VecDeque<oneshot::Sender<Permit>>>,
    others: RefCell<VecDeque<oneshot::Sender<Permit>>>,
}

/// One connection. Dropping it passes it on.
#[derive(Debug)]
pub(in crate::edge) struct Permit(Option<Rc<State>>);

impl Permits {
    pub(in crate::edge) fn new(number: usize) -> Self {
        Self(Rc::new(State { free: Cell::new(number), ..State::default() }))
    }

    /// Waits for a permit. Those that a client waits for come first.
    pub(in crate::edge) async fn take(&self, urgency: Urgency) -> Permit {
        if let Some(free) = self.0.free.get().checked_sub(1) {
            self.0.free.set(free);
            return Permit(Some(Rc::clone(&self.0)));
        }
        let (sender, receiver) = oneshot::channel();
        let queue = match urgency {
            Urgency::Client => &self.0.clients,
            Urgency::Nobody => &self.0.others,
        };
        queue.borrow_mut().push_back(sender);
        // The sender stays in the queue until it has sent a permit.
        receiver.await.unwrap_or(Permit(None))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(state) = self.0.take() else { return };
        loop {
            let next = state.clients.borrow_mut().pop_front();
            let Some(next) = next.or_else(|| state.others.borrow_mut().pop_front()) else {
                return state.free.set(state.free.get() + 1);
            };
            match next.send(Permit(Some(Rc::clone(&state)))) {
                Ok(()) => return,
                // That request has stopped waiting. Its permit must not be passed on twice.
                Err(mut permit) => permit.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_permit_is_passed_on_to_clients_first_and_never_lost() {
        let permits = Permits::new(1);
        let first = permits.take(Urgency::Nobody).now_or_never().unwrap();
        let mut writer = Box::pin(permits.take(Urgency::Nobody));
        let mut gone = Box::pin(permits.take(Urgency::Client));
        let mut client = Box::pin(permits.take(Urgency::Client));
        assert!((&mut writer).now_or_never().is_none());
        assert!((&mut gone).now_or_never().is_none());
        assert!((&mut client).now_or_never().is_none());
        drop(gone);
        drop(first);
        assert!((&mut writer).now_or_never().is_none(), "the client comes first");
        drop((&mut client).now_or_never().unwrap());
        drop((&mut writer).now_or_never().unwrap());
        assert!(permits.take(Urgency::Nobody).now_or_never().is_some());
    }

    #[test]
    fn a_permit_that_nobody_takes_any_more_is_passed_on() {
        let permits = Permits::new(1);
        let first = permits.take(Urgency::Client).now_or_never().unwrap();
        let mut gone = Box::pin(permits.take(Urgency::Client));
        assert!((&mut gone).now_or_never().is_none());
        drop(first);
        drop(gone);
        assert!(permits.take(Urgency::Client).now_or_never().is_some());
    }
}
