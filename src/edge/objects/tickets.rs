//! Leases of callers that render pages themselves: see [`crate::protocol`].
//!
//! To the shard, such a render is like any other. The object begins it by sending the token to the caller, and takes
//! the caller's page in place of the origin's response.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::channel::oneshot;
use web_sys::ReadableStream;

use crate::protocol::{Offer, StoreResult, Ticket};
use crate::semantics::key::PageKey;
use crate::version::Version;

/// The page of a lease holder.
pub(in crate::edge) struct TicketResponse {
    /// Ticket, status and headers.
    pub(in crate::edge) offer: Offer,
    /// The body.
    pub(in crate::edge) body: Option<ReadableStream>,
}

/// The render's side of a lease: it waits for the page, and reports the outcome.
pub(in crate::edge) struct PendingStore {
    /// Resolves to the page. Fails when the lease is over.
    pub(in crate::edge) response: oneshot::Receiver<TicketResponse>,
    /// Takes the outcome of the page.
    pub(in crate::edge) result: oneshot::Sender<StoreResult>,
}

/// The holder's side of a lease.
struct OpenTicket {
    key: PageKey,
    response: oneshot::Sender<TicketResponse>,
    result: oneshot::Receiver<StoreResult>,
}

/// The leases that callers hold, by token. Each is used once.
#[derive(Default)]
pub(in crate::edge) struct Tickets(RefCell<BTreeMap<Version, OpenTicket>>);

impl Tickets {
    /// Gives out a lease.
    pub(in crate::edge) fn issue(&self, key: PageKey, token: Version) -> PendingStore {
        let (response_sender, response) = oneshot::channel();
        let (result_sender, result) = oneshot::channel();
        self.0.borrow_mut().insert(token, OpenTicket { key, response: response_sender, result });
        PendingStore { response, result: result_sender }
    }

    /// Ends a lease, if a caller holds it: its page is no longer accepted.
    pub(in crate::edge) fn revoke(&self, token: Version) {
        self.0.borrow_mut().remove(&token);
    }

    /// Passes the page to the render that waits for it, and waits for the outcome.
    pub(in crate::edge) async fn redeem(&self, offer: Offer, body: Option<ReadableStream>) -> StoreResult {
        let Ticket { key, token, .. } = &offer.ticket;
        let is_open = self.0.borrow().get(token).is_some_and(|ticket| ticket.key == *key);
        let ticket = if is_open { self.0.borrow_mut().remove(token) } else { None };
        let Some(OpenTicket { response, result, .. }) = ticket else {
            return StoreResult::LeaseLost;
        };
        if response.send(TicketResponse { offer, body }).is_err() {
            return StoreResult::LeaseLost;
        }
        result.await.unwrap_or(StoreResult::LeaseLost)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::semantics::headers::HeaderList;
    use crate::shard_name::ShardName;
    use crate::time::Timestamp;

    fn key(path: &str) -> PageKey {
        PageKey::from_stored(&format!("https://e.com{path}")).unwrap()
    }

    fn offer(path: &str, token: Version) -> Offer {
        let shard = ShardName::from_stored("/*#0").unwrap();
        Offer::new(
            Ticket { shard, key: key(path), token, authorized: false, sent: Vec::new() },
            200,
            &HeaderList::default(),
        )
    }

    fn token(random: u128) -> Version {
        Version::from_parts(Timestamp::from_millis(1), random)
    }

    /// Returns the result of a future that is already complete.
    fn now<F: Future>(future: F) -> Option<F::Output> {
        future.now_or_never()
    }

    #[test]
    fn a_page_is_taken_once_under_the_token_and_the_key_that_were_lent() {
        let tickets = Tickets::default();
        let pending = tickets.issue(key("/a"), token(1));
        assert_eq!(now(tickets.redeem(offer("/a", token(2)), None)), Some(StoreResult::LeaseLost));
        assert_eq!(now(tickets.redeem(offer("/b", token(1)), None)), Some(StoreResult::LeaseLost));

        let mut redeeming = Box::pin(tickets.redeem(offer("/a", token(1)), None));
        assert_eq!(now(&mut redeeming), None);
        assert_eq!(now(tickets.redeem(offer("/a", token(1)), None)), Some(StoreResult::LeaseLost));
        let response = now(pending.response).and_then(Result::ok).map(|response| response.offer);
        assert_eq!(response, Some(offer("/a", token(1))));
        pending.result.send(StoreResult::Stored).unwrap();
        assert_eq!(now(redeeming), Some(StoreResult::Stored));
    }

    #[test]
    fn a_lease_that_is_called_in_ends_the_wait_of_both_sides() {
        let tickets = Tickets::default();
        let pending = tickets.issue(key("/a"), token(1));
        tickets.revoke(token(1));
        assert!(now(pending.response).is_some_and(|response| response.is_err()));
        assert_eq!(now(tickets.redeem(offer("/a", token(1)), None)), Some(StoreResult::LeaseLost));

        let pending = tickets.issue(key("/a"), token(2));
        let mut redeeming = Box::pin(tickets.redeem(offer("/a", token(2)), None));
        assert_eq!(now(&mut redeeming), None);
        drop(pending);
        assert_eq!(now(redeeming), Some(StoreResult::LeaseLost));
    }
}
