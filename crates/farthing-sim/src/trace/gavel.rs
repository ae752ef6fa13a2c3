//! Traces and throughputs of Gavel: training jobs with deadlines on unlike accelerators.
//!
//! A trace has no header and is separated by tabs: type of job, command, folder, argument of steps,
//! whether it needs a data folder, steps, scale factor (accelerators), priority, SLO factor,
//! arrival in seconds. The factor says when a job is to end: so many times its duration on a V100
//! after its arrival; a factor that is not positive says nothing.

use super::table::{ROWS_MAX, TraceError, rows};
use farthing_model::Decimal;
use std::collections::BTreeMap;
use std::io::Read;

/// Cells of a line.
const CELLS: usize = 10;

/// A job of the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GavelJob {
    /// What it trains, with its batch size.
    pub kind: String,
    /// Steps until it is done.
    pub steps: Decimal,
    /// Accelerators that it holds.
    pub gang: u32,
    /// Its deadline in durations on the reference accelerator, from its arrival.
    pub slo: Option<Decimal>,
    /// When it comes.
    pub arrival_s: Decimal,
}

/// Steps a second, by accelerator, type of job and scale factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Throughputs {
    rates: BTreeMap<(String, String, u32), Decimal>,
}

impl Throughputs {
    /// Steps a second of a gang on one kind of accelerator (lower case), its members close
    /// together; `None` where nothing is known.
    pub fn rate(&self, accelerator: &str, kind: &str, gang: u32) -> Option<Decimal> {
        self.rates.get(&(accelerator.to_owned(), kind.to_owned(), gang)).copied()
    }

    /// Types of job of the table.
    pub fn kinds(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rates.keys().map(|(_, name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Accelerators of the table, lower case.
    pub fn accelerators(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rates.keys().map(|(name, _, _)| name.as_str()).collect();
        names.dedup();
        names
    }
}

/// Reads a trace. `file` names the input in messages.
///
/// # Errors
/// A line of other than ten cells, a number that is none, a job without steps or accelerators.
pub fn read_gavel(file: &str, input: impl Read) -> Result<Vec<GavelJob>, TraceError> {
    let broken = |source| TraceError::Csv { file: file.to_owned(), source };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(b'\t')
        .quoting(false)
        .flexible(true)
        .from_reader(input);
    let mut all = Vec::new();
    let mut cells = csv::StringRecord::new();
    while reader.read_record(&mut cells).map_err(broken)? {
        let line = cells.position().map_or(0, csv::Position::line);
        let error = |what: String| TraceError::Line { file: file.to_owned(), line, what };
        if line > ROWS_MAX {
            return Err(error(format!("more than {ROWS_MAX} lines are not read")));
        }
        all.push(job(&cells).map_err(error)?);
    }
    if all.is_empty() { Err(TraceError::Empty { file: file.to_owned() }) } else { Ok(all) }
}

fn job(cells: &csv::StringRecord) -> Result<GavelJob, String> {
    if cells.len() != CELLS {
        return Err(format!("it has {} cells between tabs, and not {CELLS}", cells.len()));
    }
    let number = |at: usize, what: &str| {
        let text = cells[at].trim();
        decimal(text).map_err(|error| format!("{what} `{text}` is not a number: {error}"))
    };
    let steps = number(5, "steps")?;
    let gang = cells[6].trim();
    let gang = gang
        .parse::<u32>()
        .map_err(|error| format!("scale factor `{gang}` is not a whole number: {error}"))?;
    let slo = match cells[8].trim() {
        "" | "None" => None,
        _ => Some(number(8, "SLO factor")?).filter(|factor| factor.is_positive()),
    };
    let arrival_s = number(9, "arrival")?;
    if !steps.is_positive() || gang == 0 || arrival_s.nano() < 0 {
        return Err("a job needs steps, an accelerator and an arrival from 0 on".to_owned());
    }
    Ok(GavelJob { kind: cells[0].to_owned(), steps, gang, slo, arrival_s })
}

/// Reads `gpu,consolidated,job_type,scale_factor,steps_per_s`; rows of gangs that are spread over
/// servers are left out, and so are rates of zero (out of memory).
///
/// # Errors
/// No CSV, a missing column, no rows, a number that is none, a rate twice.
pub fn read_throughputs(file: &str, input: impl Read) -> Result<Throughputs, TraceError> {
    let columns = ["gpu", "consolidated", "job_type", "scale_factor", "steps_per_s"];
    let mut all = Throughputs::default();
    rows((file, input), &columns, |row| {
        if !row.text(1).eq_ignore_ascii_case("true") {
            return Ok(());
        }
        let gang: u32 = row.value(3, "a number of accelerators")?;
        let text = row.text(4);
        let rate = decimal(text)
            .map_err(|error| row.error(format!("steps_per_s `{text}` is not a number: {error}")))?;
        let key = (row.text(0).to_ascii_lowercase(), row.text(2).to_owned(), gang);
        if rate.is_positive() && all.rates.insert(key, rate).is_some() {
            return Err(row.error(format!("{} on {} is there twice", row.text(2), row.text(0))));
        }
        Ok(())
    })?;
    Ok(all)
}

/// A measured number: what is beyond 10^-9 says nothing and is cut off.
fn decimal(text: &str) -> Result<Decimal, farthing_model::DecimalError> {
    const PLACES: usize = 9;
    let cut = match text.find('.') {
        Some(point) if !text.contains(['e', 'E']) => (point + 1 + PLACES).min(text.len()),
        _ => text.len(),
    };
    text.get(..cut).unwrap_or(text).parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ResNet-18 (batch size 64)\tpython3 main.py\tcifar10\t--num_steps\t1\t";

    #[test]
    fn reads_jobs_and_rates() {
        let text = format!("{LINE}1646636\t2\t1\t1.200000\t815.286910\n{LINE}5\t1\t1\t-1\t816\n");
        let jobs = read_gavel("a.trace", text.as_bytes()).unwrap();
        assert_eq!((jobs[0].gang, jobs[0].steps), (2, Decimal::from_int(1_646_636)));
        assert_eq!(jobs[0].arrival_s.to_string(), "815.28691");
        assert_eq!((jobs[0].slo.unwrap().to_string().as_str(), jobs[1].slo), ("1.2", None));
        let head = "gpu,consolidated,job_type,scale_factor,steps_per_s\n";
        let text =
            format!("{head}k80,True,A,1,4.795294551566172\nk80,False,A,1,9\nk80,True,B,1,0\n");
        let rates = read_throughputs("t.csv", text.as_bytes()).unwrap();
        assert_eq!(rates.rate("k80", "A", 1).unwrap().nano(), 4_795_294_551);
        assert_eq!((rates.rate("k80", "B", 1), rates.rate("k80", "A", 2)), (None, None));
        assert_eq!(rates.accelerators(), ["k80"]);
    }

    #[test]
    fn bad_lines_are_named() {
        let message = |rest: &str| {
            read_gavel("a.trace", format!("{LINE}{rest}").as_bytes()).unwrap_err().to_string()
        };
        assert_eq!(message("1\t1"), "a.trace, line 1: it has 7 cells between tabs, and not 10");
        assert!(message("x\t1\t1\t2\t0").starts_with("a.trace, line 1: steps `x` is not a number"));
        assert!(message("1\t0.5\t1\t2\t0").contains("scale factor `0.5` is not a whole number"));
        assert!(message("0\t1\t1\t2\t0").contains("a job needs steps"));
        assert!(message("1\t1\t1\tNaN\t0").contains("SLO factor `NaN` is not a number"));
        assert!(message("1\t1\t1\t2\t-4").contains("an arrival from 0 on"));
        assert_eq!(
            read_gavel("a.trace", "".as_bytes()).unwrap_err().to_string(),
            "a.trace: it has no rows"
        );
        let head = "gpu,consolidated,job_type,scale_factor,steps_per_s\n";
        let twice = format!("{head}k80,True,A,1,4\nk80,True,A,1,9\n");
        let message = read_throughputs("t.csv", twice.as_bytes()).unwrap_err().to_string();
        assert_eq!(message, "t.csv, line 3: A on k80 is there twice");
    }
}
