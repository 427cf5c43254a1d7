//! The memory of this isolate: 128 MB (platform limit), for the Worker's requests and for all objects that run in it.
//!
//! | account | limit |
//! |---|---|
//! | growing bodies of renders | 48 MiB |
//! | bodies that are collected for L1 | 32 MiB |
//! | pages of L2 that requests share | 16 MiB |
//! | pages of the in-isolate tier | `memory_bytes`, and an eighth for bodies that are collected for it |
//! | pages that a coordinator holds until L2 shows them | 16 MiB for each object |
//! | requests that wait at a coordinator | 16 MiB for each object |
//! | last responses of a failing origin | 1 MiB for each object |
//! | all of these together | 88 MiB |
//!
//! The in-isolate tier gives way: it evicts pages when anything else needs the room, and admits none into the last of it.
//!
//! The rest is for the module, its stack, the remembered keys and plans of the entry module, and the platform's buffers.

use std::rc::Rc;

use crate::account::Account;

const MIB: u64 = 1024 * 1024;

/// The most bytes that are held in the isolate.
const MAX_BYTES: u64 = 88 * MIB;

/// The most bytes of growing bodies.
const MAX_GROWING_BYTES: u64 = 48 * MIB;

/// The most bytes of bodies that are collected for L1.
const MAX_FILL_BYTES: u64 = 32 * MIB;

/// The most bytes of pages of L2 that requests share.
const MAX_SHARED_BYTES: u64 = 16 * MIB;

thread_local! {
    static ISOLATE: Rc<Account> = Rc::new(Account::new(MAX_BYTES));
    static GROWING: Rc<Account> = Rc::new(Account::part_of(&isolate(), MAX_GROWING_BYTES));
    static SHARED: Rc<Account> = Rc::new(Account::part_of(&isolate(), MAX_SHARED_BYTES));
    static FILLS: Rc<Account> = Rc::new(Account::part_of(&isolate(), MAX_FILL_BYTES));
}

/// Returns the account of everything that is held in this isolate.
pub(in crate::edge) fn isolate() -> Rc<Account> {
    ISOLATE.with(Rc::clone)
}

/// Returns the account of all growing bodies.
pub(in crate::edge) fn growing() -> Rc<Account> {
    GROWING.with(Rc::clone)
}

/// Makes an account for one body that is collected for L1.
pub(in crate::edge) fn fill() -> Account {
    FILLS.with(|fills| Account::part_of(fills, MAX_FILL_BYTES))
}

/// Makes an account for one page of L2 that requests share.
pub(in crate::edge) fn shared_page() -> Account {
    SHARED.with(|shared| Account::part_of(shared, MAX_SHARED_BYTES))
}
