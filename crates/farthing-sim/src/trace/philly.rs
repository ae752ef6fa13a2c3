//! Jobs of the Philly trace.

use super::table::{TraceError, rows};
use std::io::Read;

/// A job of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhillyJob {
    /// Seconds from the start of the trace to its submission.
    pub submit_s: u32,
    /// Seconds that it ran.
    pub duration_s: u32,
    /// Accelerators that it used.
    pub num_gpus: u32,
    /// The virtual cluster that it belonged to.
    pub vc: String,
}

/// Reads `submit_s,duration_s,num_gpus,vc`, in order of submission. `file` names the input in
/// messages.
///
/// # Errors
/// No CSV, a missing column, no rows; a number that is none; a job of no time or no accelerator;
/// a job before the one above it.
pub fn read_philly(file: &str, input: impl Read) -> Result<Vec<PhillyJob>, TraceError> {
    let mut before = 0;
    rows((file, input), &["submit_s", "duration_s", "num_gpus", "vc"], |row| {
        let job = PhillyJob {
            submit_s: row.value(0, "a number of seconds")?,
            duration_s: row.value(1, "a number of seconds")?,
            num_gpus: row.value(2, "a number of accelerators")?,
            vc: row.text(3).to_owned(),
        };
        if job.submit_s < before {
            let what = format!("submit_s {} is before the row above ({before})", job.submit_s);
            return Err(row.error(what));
        }
        if job.duration_s == 0 || job.num_gpus == 0 || job.vc.is_empty() {
            let what = "a job needs a duration, an accelerator and a virtual cluster";
            return Err(row.error(what.to_owned()));
        }
        before = job.submit_s;
        Ok(job)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        read_philly("jobs.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn reads_rows_in_any_order_of_columns() {
        let text = "vc,submit_s,num_gpus,duration_s\na,0,8,60\nb,5,1,30\n";
        let jobs = read_philly("jobs.csv", text.as_bytes()).unwrap();
        let second = PhillyJob { submit_s: 5, duration_s: 30, num_gpus: 1, vc: "b".to_owned() };
        assert_eq!((jobs.len(), &jobs[1]), (2, &second));
    }

    #[test]
    fn bad_lines_are_named() {
        let head = "submit_s,duration_s,num_gpus,vc\n";
        assert_eq!(
            message(&format!("{head}0,60,1,a\n7,x,1,a\n")),
            "jobs.csv, line 3: duration_s `x` is not a number of seconds: \
             invalid digit found in string"
        );
        assert_eq!(
            message(&format!("{head}9,60,1,a\n7,60,1,a\n")),
            "jobs.csv, line 3: submit_s 7 is before the row above (9)"
        );
        assert_eq!(
            message(&format!("{head}0,0,1,a\n")),
            "jobs.csv, line 2: a job needs a duration, an accelerator and a virtual cluster"
        );
        assert!(message(&format!("{head}-1,60,1,a\n")).contains("`-1`"));
        assert!(message(&format!("{head}0,99999999999,1,a\n")).contains("too large"));
        assert_eq!(message(&format!("{head}0,60,1\n")), "jobs.csv: not readable as CSV");
        assert_eq!(message(head), "jobs.csv: it has no rows");
        assert_eq!(
            message("submit_s,duration_s,vc\n0,1,a\n"),
            "jobs.csv, line 1: there is no column `num_gpus`; the columns are \
             submit_s, duration_s, num_gpus, vc"
        );
        let bytes = [head.as_bytes(), b"0,60,1,\xff\n"].concat();
        assert!(read_philly("jobs.csv", bytes.as_slice()).is_err());
    }

    #[test]
    fn the_excerpt_that_ships_is_readable() {
        let jobs = read_philly("philly-jobs.csv", crate::scenario::PHILLY.as_bytes()).unwrap();
        assert!(jobs.len() > 500 && jobs.iter().any(|job| job.num_gpus >= 8));
    }
}
