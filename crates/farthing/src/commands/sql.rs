//! `farthing sql`: the charges, asked in SQL.

use crate::args::{Output, SqlArgs};
use crate::home::Home;
use crate::outcome::Outcome;
#[cfg(not(feature = "sql"))]
use crate::outcome::WrongUse;

/// Says how to get a program that can.
#[cfg(not(feature = "sql"))]
pub(crate) fn run(_: &SqlArgs, _: &Home, _: Output) -> anyhow::Result<Outcome> {
    Err(WrongUse::new("this program was built without SQL")
        .hint("`make build FEATURES=sql` builds one with it, which takes some minutes more")
        .into())
}

#[cfg(feature = "sql")]
pub(crate) use with::run;

#[cfg(feature = "sql")]
mod with {
    use super::{Home, Outcome, Output, SqlArgs};
    use crate::outcome::WrongUse;
    use crate::print::{data, talk};
    use crate::table::{Align, Table, csv_line};
    use farthing_sql::{Answer, Cell, Sql, SqlError};
    use serde_json::{Map, Value};

    /// Rows of a table for people; `--output csv` and `json` have no such limit.
    const SHOWN: usize = 1_000;
    /// Bytes that are gathered before they are written.
    const CHUNK: usize = 1 << 16;

    /// Prints the rows.
    pub(crate) fn run(args: &SqlArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
        let cluster = home.cluster(args.cluster.as_deref())?;
        let Some(folder) = home.books_folder() else {
            return Err(WrongUse::new("SQL reads books that are in a folder")
                .hint("copy them with the tools of the cloud, and name the copy with --books")
                .into());
        };
        if let Some(hour) = home.books()?.folded_twice(&cluster)? {
            let what = format!(
                "the hour {hour} is in two files: it was corrected after its day had been folded, \
                 or a compaction was cut off"
            );
            return Err(WrongUse::new(what).hint("`farthing books compact` completes it").into());
        }
        let sql = Sql::open(folder, &cluster)?;
        let answer = sql.query(&args.query).map_err(|error| match error {
            SqlError::Query(what) => WrongUse::new(what)
                .hint(
                    "`farthing sql 'DESCRIBE charges'` lists the columns; names are case-sensitive",
                )
                .into(),
            other => anyhow::Error::from(other),
        })?;
        match output {
            Output::Table => table(answer)?,
            Output::Json => json(answer)?,
            Output::Csv => csv(answer)?,
        }
        Ok(Outcome::Done)
    }

    fn table(answer: Answer<'_>) -> anyhow::Result<()> {
        let align = |numeric| if numeric { Align::Right } else { Align::Left };
        let columns = answer.columns().into_iter().zip(answer.numeric().into_iter().map(align));
        let mut table = Table::new(&columns.collect::<Vec<_>>());
        let mut kept = 0;
        let count = answer.rows(|row| {
            if kept < SHOWN {
                table.row(row.iter().map(Cell::to_string));
                kept += 1;
            }
            Ok::<_, SqlError>(())
        })?;
        data(&table.to_text());
        if count > SHOWN as u64 {
            talk(&format!("the first {SHOWN} of {count} rows; --output csv has all"));
        }
        Ok(())
    }

    /// Lines that are written as they come.
    #[derive(Default)]
    struct Lines(String);

    impl Lines {
        fn push(&mut self, line: &str) {
            self.0.push_str(line);
            self.0.push('\n');
            if self.0.len() >= CHUNK {
                data(&self.0);
                self.0.clear();
            }
        }
    }

    impl Drop for Lines {
        fn drop(&mut self) {
            if !self.0.is_empty() {
                data(&self.0);
            }
        }
    }

    fn csv(answer: Answer<'_>) -> anyhow::Result<()> {
        let mut lines = Lines::default();
        lines.push(&csv_line(answer.columns().iter().map(String::as_str)));
        answer.rows(|row| {
            let cells: Vec<String> = row.iter().map(Cell::to_string).collect();
            lines.push(&csv_line(cells.iter().map(String::as_str)));
            Ok::<_, SqlError>(())
        })?;
        Ok(())
    }

    /// An array with an object a line.
    fn json(answer: Answer<'_>) -> anyhow::Result<()> {
        let names = answer.columns();
        let mut lines = Lines::default();
        let mut before: Option<String> = None;
        lines.push("[");
        answer.rows(|row| {
            let cells = names.iter().cloned().zip(row.iter().map(value));
            let next = serde_json::to_string(&cells.collect::<Map<_, _>>())?;
            if let Some(line) = before.replace(next) {
                lines.push(&format!("  {line},"));
            }
            Ok::<_, anyhow::Error>(())
        })?;
        if let Some(line) = before {
            lines.push(&format!("  {line}"));
        }
        lines.push("]");
        Ok(())
    }

    /// Exact numbers are texts, as everywhere; what JSON has no number for is null.
    fn value(cell: &Cell) -> Value {
        match cell {
            Cell::Null => Value::Null,
            Cell::Flag(flag) => Value::from(*flag),
            Cell::Whole(number) => Value::from(*number),
            Cell::Float(number) => Value::from(*number),
            Cell::Exact(text) | Cell::Text(text) => Value::from(text.as_str()),
        }
    }
}
