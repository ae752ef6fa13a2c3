//! Tables for people and for spreadsheets.

use std::borrow::Cow;

/// Which way a column leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A table: a header and rows of the same width.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    header: Vec<(Cow<'static, str>, Option<Align>)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<N: Clone + Into<Cow<'static, str>>>(columns: &[(N, Align)]) -> Self {
        let header = columns.iter().map(|(name, align)| (name.clone().into(), Some(*align)));
        let header = header.collect();
        Self { header, rows: Vec::new() }
    }

    /// Adds a row; what is missing is empty. Cells may say what others wrote, which must not move
    /// the cursor of whoever looks at them, and not end a line.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().map(shown).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Aligned columns, two spaces apart.
    pub(crate) fn to_text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.header[column].0.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |cells: Vec<&str>| {
            let padded =
                cells.iter().zip(&widths).zip(&self.header).map(|((cell, width), head)| {
                    let space = " ".repeat(width.saturating_sub(cell.chars().count()));
                    match head.1 {
                        Some(Align::Right) => format!("{space}{cell}"),
                        _ => format!("{cell}{space}"),
                    }
                });
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut text = line(self.header.iter().map(|(name, _)| &**name).collect());
        for row in &self.rows {
            text.push('\n');
            text += &line(row.iter().map(String::as_str).collect());
        }
        text
    }

    /// Comma separated, quoted where needed (RFC 4180).
    pub(crate) fn to_csv(&self) -> String {
        let mut text = csv_line(self.header.iter().map(|(name, _)| &**name));
        for row in &self.rows {
            text.push('\n');
            text += &csv_line(row.iter().map(String::as_str));
        }
        text
    }
}

/// A cell with a sign in place of each control character.
fn shown(cell: String) -> String {
    if !cell.contains(char::is_control) {
        return cell;
    }
    cell.replace(char::is_control, "\u{fffd}")
}

/// Cells comma separated, quoted where needed (RFC 4180).
pub(crate) fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cell = |text: &'a str| {
        if text.contains(['"', ',', '\n', '\r']) {
            Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
        } else {
            Cow::Borrowed(text)
        }
    };
    cells.map(cell).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_csv_quotes() {
        let mut table = Table::new(&[("who", Align::Left), ("cost", Align::Right)]);
        table.row(["a,b".to_owned(), "1.00".to_owned()]);
        table.row(["c".to_owned(), "100.00".to_owned()]);
        assert_eq!(table.to_text(), "who    cost\na,b    1.00\nc    100.00");
        assert_eq!(table.to_csv(), "who,cost\n\"a,b\",1.00\nc,100.00");
    }

    #[test]
    fn what_others_wrote_does_not_move_the_cursor() {
        let mut table = Table::new(&[("what", Align::Left), ("cost", Align::Right)]);
        table.row(["a\u{1b}[2J\0\nb".to_owned(), "1.00".to_owned()]);
        let cell = "a\u{fffd}[2J\u{fffd}\u{fffd}b";
        assert_eq!(table.to_text(), format!("what      cost\n{cell}  1.00"));
        assert_eq!(table.to_csv(), format!("what,cost\n{cell},1.00"));
    }
}
