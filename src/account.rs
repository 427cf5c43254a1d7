//! Accounts of bytes in memory. All objects and requests of an isolate share its 128 MB (platform limit), so what each of
//! them holds counts against its own limit and against the isolate's.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::rc::Rc;

/// The holder of bytes that nobody depends on, such as those of a cache. It gives them back when others need room.
pub trait Lender: Debug {
    /// Returns the bytes that it can give back.
    fn lent(&self) -> u64;

    /// Releases at least `bytes`, or all of them if there are fewer.
    fn give_back(&self, bytes: u64);
}

/// An account of bytes with a limit. It may be part of a larger account: what the part holds counts there, too. When a
/// part is dropped, its bytes are free again.
#[derive(Debug)]
pub struct Account {
    limit: u64,
    held: Cell<u64>,
    whole: Option<Rc<Self>>,
    lender: RefCell<Option<Rc<dyn Lender>>>,
}

impl Account {
    /// Makes an account of its own.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit, held: Cell::new(0), whole: None, lender: RefCell::new(None) }
    }

    /// Makes a part of a larger account.
    #[must_use]
    pub fn part_of(whole: &Rc<Self>, limit: u64) -> Self {
        Self { limit, held: Cell::new(0), whole: Some(Rc::clone(whole)), lender: RefCell::new(None) }
    }

    /// Sets who gives bytes of this account back when others need room.
    pub fn set_lender(&self, lender: Rc<dyn Lender>) {
        self.lender.replace(Some(lender));
    }

    /// Returns the bytes held.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.get()
    }

    /// Returns the limit of this account alone.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns whether more bytes are within every limit, without any that a [`Lender`] could give back.
    #[must_use]
    pub fn has_free(&self, bytes: u64) -> bool {
        let fits = self.held().saturating_add(bytes) <= self.limit;
        fits && self.whole.as_ref().is_none_or(|whole| whole.has_free(bytes))
    }

    /// Returns whether more bytes are within every limit.
    #[must_use]
    pub fn has_room_for(&self, bytes: u64) -> bool {
        let lent = self.lender.borrow().as_ref().map_or(0, |lender| lender.lent());
        let fits = self.held().saturating_add(bytes) <= self.limit.saturating_add(lent);
        fits && self.whole.as_ref().is_none_or(|whole| whole.has_room_for(bytes))
    }

    /// Returns whether more is held than a limit allows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.has_room_for(0)
    }

    /// Adds bytes if they are within every limit. Returns whether they are.
    pub fn take(&self, bytes: u64) -> bool {
        let has_room = self.has_room_for(bytes);
        if has_room {
            self.add(bytes);
        }
        has_room
    }

    /// Adds bytes that are in memory already, whatever the limits are.
    pub fn add(&self, bytes: u64) {
        self.held.set(self.held().saturating_add(bytes));
        let over = self.held().saturating_sub(self.limit);
        // The lender releases bytes of this account, so that nothing may be borrowed meanwhile.
        let lender = if over > 0 { self.lender.borrow().clone() } else { None };
        if let Some(lender) = lender {
            lender.give_back(over);
        }
        if let Some(whole) = &self.whole {
            whole.add(bytes);
        }
    }

    /// Releases bytes.
    pub fn release(&self, bytes: u64) {
        let bytes = bytes.min(self.held());
        self.held.set(self.held() - bytes);
        if let Some(whole) = &self.whole {
            whole.release(bytes);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.release(self.held());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_the_limit_of_the_whole() {
        let whole = Rc::new(Account::new(10));
        let (first, second) = (Account::part_of(&whole, 8), Account::part_of(&whole, 8));
        assert!(first.take(6) && !first.take(3), "its own limit");
        assert!(!second.take(5) && second.take(4), "the whole's limit");
        second.add(1);
        assert!(second.is_over() && first.is_over() && whole.held() == 11);
        drop(first);
        assert_eq!((whole.held(), second.is_over()), (5, false));
        second.release(100);
        assert_eq!((whole.held(), second.held()), (0, 0));
    }

    /// A cache that gives back all that it has.
    #[derive(Debug)]
    struct Spare(Account);

    impl Lender for Spare {
        fn lent(&self) -> u64 {
            self.0.held()
        }

        fn give_back(&self, bytes: u64) {
            self.0.release(bytes);
        }
    }

    #[test]
    fn bytes_that_are_lent_are_room_for_others_and_are_given_back_first() {
        let whole = Rc::new(Account::new(10));
        let spare = Rc::new(Spare(Account::part_of(&whole, 8)));
        whole.set_lender(Rc::<Spare>::clone(&spare));
        assert!(spare.0.take(8));
        let other = Account::part_of(&whole, 10);
        assert!(!whole.has_free(3) && other.has_room_for(10) && !other.has_room_for(11));
        assert!(other.take(6));
        assert_eq!((spare.0.held(), other.held(), whole.held()), (4, 6, 10));
        other.add(5);
        assert_eq!((spare.0.held(), whole.held(), other.is_over()), (0, 11, true));
    }
}
