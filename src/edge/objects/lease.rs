//! Leases of callers that render pages themselves: see [`crate::protocol`].
//!
//! To the shard, such a render is like any other. The object begins it by sending the token to the caller, and takes
//! the caller's page in place of the origin's response.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures::channel::oneshot;
use web_sys::ReadableStream;

use crate::protocol::{Offer, Offered, Ticket};
use crate::semantics::key::PageKey;
use crate::version::Version;

/// The page of a lease holder.
pub(in crate::edge) struct Brought {
    /// Ticket, status and headers.
    pub(in crate::edge) offer: Offer,
    /// The body.
    pub(in crate::edge) body: Option<ReadableStream>,
}

/// The render's side of a lease: it waits for the page, and reports the outcome.
pub(in crate::edge) struct Lent {
    /// Resolves to the page. Fails when the lease is over.
    pub(in crate::edge) brought: oneshot::Receiver<Brought>,
    /// Takes the outcome of the page.
    pub(in crate::edge) offered: oneshot::Sender<Offered>,
}

/// The holder's side of a lease.
struct Out {
    key: PageKey,
    bring: oneshot::Sender<Brought>,
    offered: oneshot::Receiver<Offered>,
}

/// The leases that callers hold, by token. Each is used once.
#[derive(Default)]
pub(in crate::edge) struct Lending(RefCell<BTreeMap<Version, Out>>);

impl Lending {
    /// Gives out a lease.
    pub(in crate::edge) fn lend(&self, key: PageKey, token: Version) -> Lent {
        let (bring, brought) = oneshot::channel();
        let (told, offered) = oneshot::channel();
        self.0.borrow_mut().insert(token, Out { key, bring, offered });
        Lent { brought, offered: told }
    }

    /// Ends a lease, if a caller holds it: its page is no longer accepted.
    pub(in crate::edge) fn end(&self, token: Version) {
        self.0.borrow_mut().remove(&token);
    }

    /// Passes the page to the render that waits for it, and waits for the outcome.
    pub(in crate::edge) async fn bring(&self, offer: Offer, body: Option<ReadableStream>) -> Offered {
        let Ticket { key, token, .. } = &offer.ticket;
        let is_out = self.0.borrow().get(token).is_some_and(|out| out.key == *key);
        let out = if is_out { self.0.borrow_mut().remove(token) } else { None };
        let Some(Out { bring, offered, .. }) = out else {
            return Offered::LeaseLost;
        };
        if bring.send(Brought { offer, body }).is_err() {
            return Offered::LeaseLost;
        }
        offered.await.unwrap_or(Offered::LeaseLost)
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
        Offer::new(Ticket { shard, key: key(path), token, authorized: false }, 200, &HeaderList::default())
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
        let lending = Lending::default();
        let lent = lending.lend(key("/a"), token(1));
        assert_eq!(now(lending.bring(offer("/a", token(2)), None)), Some(Offered::LeaseLost));
        assert_eq!(now(lending.bring(offer("/b", token(1)), None)), Some(Offered::LeaseLost));

        let mut bringing = Box::pin(lending.bring(offer("/a", token(1)), None));
        assert_eq!(now(&mut bringing), None);
        assert_eq!(now(lending.bring(offer("/a", token(1)), None)), Some(Offered::LeaseLost));
        let brought = now(lent.brought).and_then(Result::ok).map(|brought| brought.offer);
        assert_eq!(brought, Some(offer("/a", token(1))));
        lent.offered.send(Offered::Stored).unwrap();
        assert_eq!(now(bringing), Some(Offered::Stored));
    }

    #[test]
    fn a_lease_that_is_called_in_ends_the_wait_of_both_sides() {
        let lending = Lending::default();
        let lent = lending.lend(key("/a"), token(1));
        lending.end(token(1));
        assert!(now(lent.brought).is_some_and(|brought| brought.is_err()));
        assert_eq!(now(lending.bring(offer("/a", token(1)), None)), Some(Offered::LeaseLost));

        let lent = lending.lend(key("/a"), token(2));
        let mut bringing = Box::pin(lending.bring(offer("/a", token(2)), None));
        assert_eq!(now(&mut bringing), None);
        drop(lent);
        assert_eq!(now(bringing), Some(Offered::LeaseLost));
    }
}
