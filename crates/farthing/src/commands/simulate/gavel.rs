//! Traces of Gavel: preemptive training jobs with deadlines on unlike accelerators, round by round.

use super::file::read;
use super::fleet::{BYTES_MAX, Clock, policies, simulated, takes};
use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use crate::outcome::WrongUse;
use farthing_sim::rounds::of_gavel;
use farthing_sim::trace::{read_gavel, read_throughputs};

/// A trace of Gavel with its throughputs.
pub(super) struct Gavel;

impl Format for Gavel {
    fn name(&self) -> &'static str {
        "gavel"
    }

    fn what(&self) -> &'static str {
        "jobs of Gavel: ten cells a line between tabs, without a header"
    }

    fn takes(&self) -> &'static [&'static str] {
        &takes::GAVEL
    }

    fn policies(&self) -> Policies {
        policies()
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let clock = Clock::read(asked)?;
        let throughput = Asked::needed(
            "--throughput",
            asked.args.throughput.as_deref(),
            "--throughput simulation_isolated.csv.gz",
        )?;
        let rates = read("--throughput", (throughput, BYTES_MAX), read_throughputs)?;
        let mut jobs = read("--trace", (asked.trace, BYTES_MAX), read_gavel)?;
        jobs.truncate(asked.args.limit.unwrap_or(usize::MAX));
        for name in &clock.names {
            let there = rates.accelerators();
            if !there.contains(&name.to_ascii_lowercase().as_str()) {
                let what = format!("--cluster: the throughputs know no `{name}`");
                let there = there.join(", ").to_uppercase();
                return Err(WrongUse::new(what).hint(format!("they know {there}")).into());
            }
        }
        let arrivals = of_gavel(&jobs, &rates, &clock.names)
            .map_err(|error| WrongUse::new(format!("{}: {error}", asked.trace.display())))?;
        simulated(asked, &clock, &arrivals)
    }
}
