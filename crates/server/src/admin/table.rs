//! Columns of text, as wide as they must be.

/// Rows that are printed with their columns below each other.
#[derive(Debug, Default)]
pub struct TextTable {
    rows: Vec<Vec<String>>,
    separator: &'static str,
}

impl TextTable {
    /// Columns are parted by `separator`.
    pub fn new(separator: &'static str) -> TextTable {
        TextTable { rows: Vec::new(), separator }
    }

    /// Adds a row.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Every cell is padded, the last one too: as Cassandra's.
    pub fn to_text(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text.push_str(&cells.join(self.separator));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::TextTable;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let mut table = TextTable::new(" ");
        table.row(["a", "bbb", "c"]);
        table.row(["aaaa", "b"]);
        assert_eq!(table.to_text(), "a    bbb c\naaaa b  \n");
    }
}
