//! Long recordings of spot availability: each is cut into windows as long as the longest deadline,
//! one after another, each of which is one try.

use super::file::unreadable;
use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use super::spot_windows::asked::Jobs;
use super::spot_windows::{SpotWindows, answered, reasons};
use crate::args::Output;
use crate::outcome::Outcome;
use farthing_sim::trace::{SpotWindow, read_spot_traces};

/// Probes of spot, minutes apart.
pub(super) struct SpotTraces;

impl Format for SpotTraces {
    fn name(&self) -> &'static str {
        "spot-traces"
    }

    fn what(&self) -> &'static str {
        "probes of spot (zone,hw,hw_count,tick,available; set, gap_s), Parquet or CSV"
    }

    fn takes(&self) -> &'static [&'static str] {
        SpotWindows.takes()
    }

    fn policies(&self) -> Policies {
        SpotWindows.policies()
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let jobs = Jobs::read(asked)?;
        answered(asked, &jobs, &windows(asked, &jobs)?)
    }

    fn explain(&self, asked: &Asked<'_>, part: &str, output: Output) -> anyhow::Result<Outcome> {
        let jobs = Jobs::read(asked)?;
        reasons::print(&windows(asked, &jobs)?, &jobs, part, output)
    }
}

fn windows(asked: &Asked<'_>, jobs: &Jobs) -> anyhow::Result<Vec<SpotWindow>> {
    let longest = jobs.terms.iter().map(|terms| terms.deadline_s).max().unwrap_or(0);
    let ticks = usize::try_from((longest + SpotWindow::TICK_S - 1) / SpotWindow::TICK_S)?;
    let windows = read_spot_traces(asked.trace, (1, ticks));
    windows.map_err(|error| unreadable("--trace", &error).into())
}
