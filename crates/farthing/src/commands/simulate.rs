//! `farthing simulate`: a trace under several policies, side by side.
//!
//! Start with [`run`]; `asked` reads the arguments, `answer` prints what came out.

mod answer;
mod asked;
mod reasons;

use super::print;
use crate::args::{Output, SimulateArgs};
use crate::outcome::{Outcome, WrongUse};
use crate::plot;
use crate::print::Progress;
use answer::{Answer, Column};
use asked::Asked;
use farthing_sim::spot::{ReplayError, replay};
use farthing_sim::trace::{SpotWindow, read_windows, spread};
use std::sync::Mutex;
use std::time::Instant;

/// Formats that there are.
const FORMATS: [&str; 1] = ["spot-windows"];

/// Replays the trace. Fails where a job of ours was late though on demand could have made it.
pub(crate) fn run(args: &SimulateArgs, output: Output) -> anyhow::Result<Outcome> {
    if !FORMATS.contains(&args.format.as_str()) {
        let there = FORMATS.join(", ");
        let what = format!("--format {}: there is no such format yet", args.format);
        return Err(WrongUse::new(what).hint(format!("there is {there}")).into());
    }
    let asked = Asked::read(args)?;
    let all = read_windows(&args.trace).map_err(|error| {
        let cause =
            std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        WrongUse::new(format!("--trace {error}{cause}"))
    })?;
    if let Some(id) = &args.explain {
        return reasons::print(&all, &asked, id, output);
    }
    let windows = spread(&all, args.limit.unwrap_or(usize::MAX));
    let columns = replayed(&windows, &asked)?;
    let answer = Answer { trace: &args.trace, asked: &asked, windows: &windows, columns: &columns };
    if let Some(path) = &args.plot {
        plot::write(path, &answer.picture()?)?;
    }
    print(output, || answer.text(), || answer.json(), || Ok(answer.table()))?;
    Ok(Outcome::Done)
}

/// The runs of each policy, timed; how far it is goes to stderr.
fn replayed(windows: &[&SpotWindow], asked: &Asked) -> anyhow::Result<Vec<Column>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Mutex::new(Progress::new());
    let mut columns = Vec::new();
    for rule in &asked.rules {
        let started = Instant::now();
        let told = |done: usize, total: usize| {
            // One line for each hundredth.
            if done.is_multiple_of((total / 100).max(1))
                && let Ok(mut progress) = progress.lock()
            {
                let gone = started.elapsed().as_secs();
                let left = gone * (total - done) as u64 / done as u64;
                progress.tell(&format!("{rule}: {done} of {total} jobs, {left} s left"));
            }
        };
        let runs = replay((windows, &asked.terms), *rule, threads, &told);
        let runs = runs.map_err(|error| match error {
            ReplayError::Money(_) => anyhow::Error::new(error),
            other => WrongUse::new(other.to_string()).into(),
        })?;
        columns.push(Column { rule: *rule, runs, took: started.elapsed() });
    }
    if let Ok(mut progress) = progress.into_inner() {
        progress.end();
    }
    Ok(columns)
}
