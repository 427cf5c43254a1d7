//! Tables for people.

use comfy_table::{ContentArrangement, presets};

use super::text::clean;

/// The spaces between two columns.
const GAP: u16 = 2;

/// A table without lines. Its cells are made harmless for a terminal.
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// Starts a table that has a head.
    pub(crate) fn with_head(head: &[&str]) -> Self {
        let mut table = Self::new();
        table.0.set_header(head.iter().copied());
        table
    }

    /// Starts a table of names and values.
    pub(crate) fn of_facts() -> Self {
        Self::new()
    }

    fn new() -> Self {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        Self(table)
    }

    /// Adds a row.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.0.add_row(cells.into_iter().map(|cell| clean(cell.as_ref())));
    }

    /// Adds a name and its value.
    pub(crate) fn fact(&mut self, name: &str, value: impl AsRef<str>) {
        self.row([name, value.as_ref()]);
    }

    /// Adds a name and its value, if there is one.
    pub(crate) fn fact_if(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.fact(name, value);
        }
    }

    /// Returns whether it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.row_iter().next().is_none()
    }

    /// Returns the table as lines, without spaces at their ends. A terminal of `width` columns breaks long cells.
    pub(crate) fn lines(mut self, width: Option<u16>) -> String {
        if let Some(width) = width {
            self.0.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
        }
        for column in self.0.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        let lines: Vec<String> = self.0.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_harmless() {
        let mut table = Table::with_head(&["NAME", "VALUE"]);
        assert!(table.is_empty());
        table.row(["a", "1"]);
        table.row(["longer\u{1b}[2J", "2"]);
        assert_eq!(table.lines(None), "NAME             VALUE\na                1\nlonger\\u{1b}[2J  2");
    }

    #[test]
    fn a_narrow_terminal_breaks_long_cells() {
        let mut table = Table::of_facts();
        table.fact("name", "one two three four five six seven eight nine ten");
        table.fact_if("none", None::<&str>);
        let text = table.lines(Some(30));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= 30), "{text}");
    }
}
