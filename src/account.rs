//! Accounts of bytes in memory. All objects and requests of an isolate share its 128 MB (platform limit), so what each of
//! them holds counts against its own limit and against the isolate's.

use std::cell::Cell;
use std::rc::Rc;

/// An account of bytes with a limit. It may be part of a larger account: what the part holds counts there, too. When a
/// part is dropped, its bytes are free again.
#[derive(Debug)]
pub struct Account {
    limit: u64,
    held: Cell<u64>,
    whole: Option<Rc<Self>>,
}

impl Account {
    /// Makes an account of its own.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self { limit, held: Cell::new(0), whole: None }
    }

    /// Makes a part of a larger account.
    #[must_use]
    pub fn part_of(whole: &Rc<Self>, limit: u64) -> Self {
        Self { limit, held: Cell::new(0), whole: Some(Rc::clone(whole)) }
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

    /// Returns whether more bytes are within every limit.
    #[must_use]
    pub fn has_room_for(&self, bytes: u64) -> bool {
        let fits = self.held().saturating_add(bytes) <= self.limit;
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
}
