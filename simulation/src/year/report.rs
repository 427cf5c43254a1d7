//! The sizes of all tables at the end of each month, and the check that they stay the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The months after which nothing may grow.
const SETTLED_AFTER: usize = 2;

/// The growth that is chance, in percent.
const CHANCE: u64 = 20;

/// The rows and the bytes of a table that may be there in any case, for all objects together: the number of rows of some
/// tables has a bound that a small year does not reach.
const ROWS_IN_ANY_CASE: u64 = 200;
const BYTES_IN_ANY_CASE: u64 = 256 * 1024;
const BOUNDED: [(&str, u64); 2] = [("coordinator sweeps", 4_000), ("coordinator invalidations", 4_000)];

/// The rows and the bytes of each table, of all objects of a kind together.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes(BTreeMap<String, (u64, u64)>);

impl Sizes {
    /// Adds the tables of an object.
    pub(super) fn add(&mut self, kind: &str, tables: &[(String, u64, u64)]) {
        for (table, rows, bytes) in tables {
            let (all_rows, all_bytes) = self.0.entry(format!("{kind} {table}")).or_default();
            (*all_rows, *all_bytes) = (*all_rows + rows, *all_bytes + bytes);
        }
    }

    /// Takes over what is larger at another time.
    pub(super) fn raise(&mut self, other: &Self) {
        for (table, (rows, bytes)) in &other.0 {
            let (most_rows, most_bytes) = self.0.entry(table.clone()).or_default();
            (*most_rows, *most_bytes) = ((*most_rows).max(*rows), (*most_bytes).max(*bytes));
        }
    }
}

/// The sizes of each month.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Sizes>);

impl Report {
    pub(super) fn add(&mut self, sizes: Sizes) {
        self.0.push(sizes);
    }

    /// Returns the table of all months, as Markdown; as an error if something grows, or if something is left of the
    /// removed route.
    pub(super) fn check(&self, left: &[String]) -> Result<String, String> {
        let mut problems: Vec<String> = Vec::new();
        if !left.is_empty() {
            problems.push(format!("{} things are left of the removed route, first {:?}", left.len(), left.first()));
        }
        for table in self.tables() {
            let of = |sizes: &Sizes| sizes.0.get(table).copied().unwrap_or_default();
            let (settled, later) = self.0.split_at(SETTLED_AFTER.min(self.0.len()));
            let most = |sizes: &[Sizes]| {
                sizes.iter().map(of).fold((0, 0), |(rows, bytes), (r, b)| (rows.max(r), bytes.max(b)))
            };
            let (before, after) = (most(settled), most(later));
            let bound = BOUNDED.iter().find(|(name, _)| *name == table).map_or(ROWS_IN_ANY_CASE, |(_, rows)| *rows);
            let grows = |before: u64, after: u64, anyway: u64| after > anyway + before + before * CHANCE / 100;
            if grows(before.0, after.0, bound) {
                problems.push(format!("{table} grows from {} to {} rows", before.0, after.0));
            }
            if grows(before.1, after.1, BYTES_IN_ANY_CASE + bound * 200) {
                problems.push(format!("{table} grows from {} to {} bytes", before.1, after.1));
            }
        }
        let text = self.text();
        if problems.is_empty() { Ok(text) } else { Err(format!("{text}\n{}", problems.join("\n"))) }
    }

    fn tables(&self) -> impl Iterator<Item = &str> {
        self.0.last().into_iter().flat_map(|sizes| sizes.0.keys().map(String::as_str))
    }

    fn text(&self) -> String {
        let mut text = String::from("| table | rows and KiB after month");
        for month in 1..=self.0.len() {
            // Writing to a string can't fail.
            let _ = write!(text, " | {month}");
        }
        text.push_str(" |\n|---|---");
        text.push_str(&"|---".repeat(self.0.len()));
        text.push_str("|\n");
        for table in self.tables() {
            let row = |of: &dyn Fn(&(u64, u64)) -> u64| {
                let cells = self.0.iter().map(|sizes| sizes.0.get(table).map_or(0, of).to_string());
                cells.collect::<Vec<_>>().join(" | ")
            };
            let _ = writeln!(text, "| `{table}` | rows | {} |", row(&|(rows, _)| *rows));
            let _ = writeln!(text, "| | KiB | {} |", row(&|(_, bytes)| *bytes / 1024));
        }
        text
    }
}
