//! Traces of Chronus: training jobs with strict, soft and no deadlines, round by round.
//!
//! The trace knows one duration for each job, so that all kinds of `--cluster` are as fast as each
//! other: kinds are then ways to have accelerators (owned, rented) and differ in price alone.

use super::file::unreadable;
use super::fleet::{Clock, policies, simulated, takes};
use super::format::{Asked, Format, Policies};
use super::result::Simulated;
use crate::outcome::WrongUse;
use farthing_sim::rounds::of_chronus;
use farthing_sim::trace::read_chronus;
use serde_json::json;

/// A trace of Chronus, one of several in its file.
pub(super) struct Chronus;

impl Format for Chronus {
    fn name(&self) -> &'static str {
        "chronus"
    }

    fn what(&self) -> &'static str {
        "jobs of Chronus with deadlines and their values, Parquet or CSV"
    }

    fn takes(&self) -> &'static [&'static str] {
        &takes::CHRONUS
    }

    fn policies(&self) -> Policies {
        policies()
    }

    fn run(&self, asked: &Asked<'_>) -> anyhow::Result<Simulated> {
        let clock = Clock::read(asked)?;
        let jobs = read_chronus(asked.trace);
        let mut jobs = jobs.map_err(|error| unreadable("--trace", &error))?;
        let mut variants: Vec<String> = jobs.iter().map(|job| job.variant.clone()).collect();
        variants.sort_unstable();
        variants.dedup();
        let variant = match (&asked.args.variant, variants.as_slice()) {
            (Some(asked), _) if variants.contains(asked) => asked.clone(),
            (None, [one]) => one.clone(),
            (asked, _) => {
                let what = match asked {
                    Some(asked) => format!("--variant {asked}: the trace has none"),
                    None => "--variant is missing: the trace has several".to_owned(),
                };
                let hint = format!("it has {}", variants.join(", "));
                return Err(WrongUse::new(what).hint(hint).into());
            }
        };
        jobs.retain(|job| job.variant == variant);
        jobs.truncate(asked.args.limit.unwrap_or(usize::MAX));
        let (all, arrivals) = (jobs.len(), of_chronus(&jobs, clock.names.len()));
        drop(jobs);
        let mut answer = simulated(asked, &clock, &arrivals)?;
        answer.more.insert("variant".to_owned(), json!(variant));
        answer.more.insert("left_out".to_owned(), json!(all - arrivals.len()));
        Ok(answer)
    }
}
