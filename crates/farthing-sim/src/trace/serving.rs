//! What accelerators serve: the table of throughputs that manifests of services name.

use super::table::{TraceError, rows};
use farthing_model::{BucketRate, Decimal, Phases};
use std::collections::BTreeSet;
use std::io::Read;

const COLUMNS: [&str; 7] = [
    "accelerator",
    "count",
    "input_tokens",
    "output_tokens",
    "requests_per_s",
    "prefill_s",
    "decode_s",
];

/// Reads `accelerator,count,input_tokens,output_tokens,requests_per_s,prefill_s,decode_s`. `file`
/// names the input in messages.
///
/// # Errors
/// No CSV, a missing column, no rows; a value that is none; the same row twice.
pub fn read_serving(file: &str, input: impl Read) -> Result<Vec<BucketRate>, TraceError> {
    let mut seen = BTreeSet::new();
    rows((file, input), &COLUMNS, |row| {
        let measured = |at: usize| -> Result<Decimal, TraceError> {
            let value: Decimal = row.value(at, "a number")?;
            if value.nano() < 0 {
                return Err(row.error(format!("{} {value} is below zero", COLUMNS[at])));
            }
            Ok(value)
        };
        let of = BucketRate {
            accelerator: row.value(0, "an accelerator such as H100-80GB")?,
            count: row.value(1, "a number of accelerators")?,
            input_tokens: row.value(2, "a number of tokens")?,
            output_tokens: row.value(3, "a number of tokens")?,
            requests_per_s: measured(4)?,
            phases: Some(Phases { prefill_s: measured(5)?, decode_s: measured(6)? }),
        };
        if of.count == 0 {
            return Err(row.error("count 0: a replica has at least one accelerator".to_owned()));
        }
        let key = (of.accelerator.to_string(), of.count, of.input_tokens, of.output_tokens);
        if !seen.insert(key) {
            let what = "the same accelerator, count and size are in a row above";
            return Err(row.error(what.to_owned()));
        }
        Ok(of)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "accelerator,count,input_tokens,output_tokens,requests_per_s,prefill_s,\
                        decode_s\n";

    #[test]
    fn bad_rows_are_named() {
        let message = |rows: &str| {
            read_serving("t.csv", format!("{HEAD}{rows}").as_bytes()).unwrap_err().to_string()
        };
        let row = "H100-80GB,2,186,16,43.7,0.4,1.1\n";
        assert_eq!(
            message(&format!("{row}{row}")),
            "t.csv, line 3: the same accelerator, count and size are in a row above"
        );
        assert_eq!(
            message("H100-80GB,0,186,16,43.7,0.4,1.1\n"),
            "t.csv, line 2: count 0: a replica has at least one accelerator"
        );
        assert_eq!(
            message("H100-80GB,2,186,16,-1,0.4,1.1\n"),
            "t.csv, line 2: requests_per_s -1 is below zero"
        );
        assert!(message("H100-80GB,2,x,16,1,0.4,1.1\n").contains("`x` is not a number of tokens"));
    }
}
