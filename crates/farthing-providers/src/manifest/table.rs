//! Small CSV tables beside a manifest: request buckets and measured throughput.
//!
//! The columns are the keys of the same list written inline, so that a row of a file and an entry
//! of a list are read by the same code.

use super::fault::Report;
use crate::text::read_text;
use crate::yaml::{Key, Node, Spot, Value};
use std::path::{Path, PathBuf};

/// Largest table. A hundred thousand rows of measurements fit.
const BYTES_MAX: u64 = 16 << 20;

/// Where files named in a manifest are looked for; `None` where no files may be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folder<'p>(pub(crate) Option<&'p Path>);

impl Folder<'_> {
    /// The rows of the table that `node` names, as the list that could stand in its place.
    pub(crate) fn rows(self, node: &Node, name: &str, report: &mut Report) -> Option<Table> {
        let given = node.text()?.trim();
        let Some(folder) = self.0 else {
            let what = format!(
                "`{name}` names the file {given}, and no files are read here; write its rows \
                 as a list"
            );
            report.fault(node.spot, what);
            return None;
        };
        let path = folder.join(given);
        match read_text(&path, BYTES_MAX) {
            Ok(text) => match list(&text) {
                Ok(node) => Some(Table { path, node }),
                Err((line, what)) => {
                    let what = format!("`{name}`: {}:{line}: {what}", path.display());
                    report.fault(node.spot, what);
                    None
                }
            },
            Err(error) => {
                report.fault(
                    node.spot,
                    format!("`{name}`: {error}; the path is from the manifest's folder"),
                );
                None
            }
        }
    }
}

/// A table that was read: a list of maps whose lines are the lines of the file.
pub(crate) struct Table {
    pub(crate) path: PathBuf,
    pub(crate) node: Node,
}

fn list(text: &str) -> Result<Node, (u64, String)> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let fault = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (line, format!("is not a row of this table: {error}"))
    };
    let header = reader.headers().map_err(|error| fault(&error))?.clone();
    let mut items = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| fault(&error))?;
        let line = row.position().map_or(1, csv::Position::line);
        let spot = Spot { line: usize::try_from(line).unwrap_or(usize::MAX), column: 1 };
        let entry = |(name, cell): (&str, &str)| {
            let value = if cell.is_empty() { Value::Null } else { Value::Scalar(cell.to_owned()) };
            (Key { spot, name: name.to_owned() }, Node { spot, value })
        };
        items.push(Node { spot, value: Value::Map(header.iter().zip(&row).map(entry).collect()) });
    }
    Ok(Node { spot: Spot { line: 1, column: 1 }, value: Value::List(items) })
}
