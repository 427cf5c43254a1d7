//! What people see.

mod page;

mod report;
mod table;
mod text;

pub(crate) use self::page::{Listed, facts_of_pages};
pub(crate) use self::report::{Report, Screen, print_line};
pub(crate) use self::table::Table;
pub(crate) use self::text::{Lines, Tone, clean, number, paint, when};

#[cfg(test)]
pub(crate) use self::page::tests;
