//! Measured speeds of accelerators.

use super::table::{TraceError, rows};
use farthing_model::{Accelerator, Decimal};
use jiff::civil::Date;
use std::io::Read;

/// How fast an accelerator is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speed {
    /// Which accelerator.
    pub accelerator: Accelerator,
    /// The speed, in the unit of the file's column.
    pub speed: Decimal,
    /// Where the number comes from.
    pub source: String,
    /// The day it was published.
    pub as_of: Date,
}

/// Reads `accelerator,COLUMN,source,as_of`, where `column` is the name of the column with the
/// speed. `file` names the input in messages.
///
/// # Errors
/// No CSV, a missing column, no rows; a name, number or date that is none; a speed that is not
/// positive; an accelerator twice; no source.
pub fn read_speeds(
    file: &str,
    input: impl Read,
    column: &'static str,
) -> Result<Vec<Speed>, TraceError> {
    let mut seen: Vec<Accelerator> = Vec::new();
    rows((file, input), &["accelerator", column, "source", "as_of"], |row| {
        let speed = Speed {
            accelerator: row.value(0, "an accelerator")?,
            speed: row.value(1, "a speed")?,
            source: row.text(2).to_owned(),
            as_of: row.value(3, "a date")?,
        };
        if !speed.speed.is_positive() {
            return Err(row.error(format!("{column} {} is not above zero", speed.speed)));
        }
        if speed.source.is_empty() {
            return Err(row.error("a speed needs a source".to_owned()));
        }
        if seen.contains(&speed.accelerator) {
            return Err(row.error(format!("{} is there twice", speed.accelerator)));
        }
        seen.push(speed.accelerator.clone());
        Ok(speed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named() {
        let message = |text: &str| {
            read_speeds("speed.csv", text.as_bytes(), "speed").unwrap_err().to_string()
        };
        let head = "accelerator,speed,source,as_of\n";
        let line = |rest: &str| message(&format!("{head}L4-24GB,1,x,2026-01-02\n{rest}\n"));
        assert_eq!(line("T4-16GB,0,x,2026-01-02"), "speed.csv, line 3: speed 0 is not above zero");
        assert_eq!(line("T4-16GB,1,,2026-01-02"), "speed.csv, line 3: a speed needs a source");
        assert_eq!(line("L4-24GB,2,x,2026-01-02"), "speed.csv, line 3: L4-24GB is there twice");
        assert!(line("T4-16GB,1,x,yesterday").contains("as_of `yesterday` is not a date"));
        assert!(line(";,1,x,2026-01-02").contains("is not an accelerator"));
    }

    #[test]
    fn the_tables_that_ship_are_readable() {
        let relative = crate::scenario::RELATIVE_SPEED.as_bytes();
        let speeds = read_speeds("relative-speed.csv", relative, "relative_speed").unwrap();
        assert!(speeds.iter().any(|speed| speed.speed == Decimal::ONE), "the reference");
        let language = crate::scenario::LANGUAGE_SPEED.as_bytes();
        read_speeds("llm-speed.csv", language, "output_tokens_per_s").unwrap();
    }
}
