//! Windows of spot availability: jobs with a deadline, each window one try.
//!
//! Start with [`SpotWindows`]; `asked` reads the arguments, `answer` sums the runs up, `reasons`
//! says why each decision was made.

mod answer;
mod asked;
mod reasons;

use super::file::unreadable;
use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use crate::args::Output;
use crate::outcome::{Outcome, WrongUse};
use crate::plot;
use crate::print::Progress;
use answer::{Answer, Column};
use asked::Jobs;
use farthing_sim::spot::{ReplayError, replay};
use farthing_sim::trace::{SpotWindow, read_gang_windows, spread};
use std::sync::Mutex;
use std::time::Instant;

/// Ten-minute ticks with or without spot.
pub(super) struct SpotWindows;

impl Format for SpotWindows {
    fn name(&self) -> &'static str {
        "spot-windows"
    }

    fn what(&self) -> &'static str {
        "ten-minute ticks with or without spot (env,window,tick,available), Parquet or CSV"
    }

    fn takes(&self) -> &'static [&'static str] {
        &["--price", "--work", "--deadline", "--overhead", "--limit", "--gang", "--explain", "--plot"]
    }

    fn policies(&self) -> Policies {
        Policies {
            all: &[
                "farthing",
                "uniform-progress",
                "uniform-progress-eager",
                "spot-greedy",
                "spot-else-on-demand",
                "on-demand",
                "optimal",
            ],
            usual: &["farthing", "uniform-progress", "spot-greedy", "on-demand", "optimal"],
        }
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let jobs = Jobs::read(asked)?;
        let all = read(asked)?;
        let windows = spread(&all, asked.args.limit.unwrap_or(usize::MAX));
        let columns = replayed(&windows, &jobs)?;
        let (windows, columns) = (windows.as_slice(), columns.as_slice());
        let answer = Answer { trace: asked.trace, asked: &jobs, windows, columns };
        if let Some(path) = &asked.args.plot {
            plot::write(path, &answer.picture()?)?;
        }
        answer.simulated()
    }

    fn explain(&self, asked: &Asked<'_>, part: &str, output: Output) -> anyhow::Result<Outcome> {
        let jobs = Jobs::read(asked)?;
        reasons::print(&read(asked)?, &jobs, part, output)
    }
}

fn read(asked: &Asked<'_>) -> anyhow::Result<Vec<SpotWindow>> {
    let windows = read_gang_windows(asked.trace, asked.args.gang);
    windows.map_err(|error| unreadable("--trace", &error).into())
}

/// The runs of each policy, timed; how far it is goes to stderr.
fn replayed(windows: &[&SpotWindow], jobs: &Jobs) -> anyhow::Result<Vec<Column>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let progress = Mutex::new(Progress::new());
    let mut columns = Vec::new();
    for rule in &jobs.rules {
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
        let runs = replay((windows, &jobs.terms), *rule, threads, &told);
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

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_sim::spot::SpotRule;

    #[test]
    fn the_policies_are_those_of_the_simulator() {
        let all = SpotRule::ALL.map(|(_, name)| name);
        assert_eq!(SpotWindows.policies().all, all);
        assert!(SpotWindows.policies().usual.iter().all(|name| all.contains(name)));
    }
}
