//! `farthing plan` of workloads that share nodes: those of which only the resources matter.

use super::consolidation;
use crate::args::{Output, PlanArgs};
use crate::commands::print;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use farthing_model::{Job, Window, Workload};
use farthing_planner::{
    Baseline, Input, PackInput, Packing, Status, check_packing, is_packed, pack, pack_as,
};
use farthing_providers::manifest::StandingNodes;
use farthing_server::wire;
use jiff::SignedDuration;
use std::time::Instant;

/// Whether all workloads of an input are packed: jobs that begin now, hold their resources for the
/// same time, and are measured on nothing.
pub(super) fn is_for(workloads: &[&Workload], input: &Input) -> bool {
    let now = input.snapshot.at;
    let begins = |job: &Job| job.submitted.is_none_or(|at| at <= now);
    let mut lengths = workloads.iter().filter_map(|it| it.job()).map(|job| job.duration);
    let first = lengths.next();
    workloads.iter().all(|it| is_packed(it) && it.job().is_some_and(begins))
        && lengths.all(|length| Some(length) == first)
}

/// Prints the packing. Infeasible where something waits.
pub(super) fn run(
    args: &PlanArgs,
    output: Output,
    input: &Input,
    (workloads, nodes): (&[&Workload], &[StandingNodes]),
) -> anyhow::Result<Outcome> {
    if args.plot.is_some() {
        let what = "--plot has no picture of workloads that share nodes";
        return Err(WrongUse::new(what).hint("--output json has the nodes").into());
    }
    let length = workloads.iter().find_map(|it| it.job()?.duration);
    let window = match length {
        Some(length) => Window::starting(input.snapshot.at, length),
        None if args.given.horizon.is_some() => Some(input.horizon),
        None => Window::starting(input.snapshot.at, SignedDuration::from_hours(1)),
    };
    let window = window.ok_or_else(|| WrongUse::new("`duration` is beyond representable time"))?;
    let asked = PackInput {
        workloads,
        offers: &input.offers,
        window,
        currency: input.currency,
        nodes: input.policy.nodes,
        budgets: &input.budgets,
    };
    if !nodes.is_empty() {
        return consolidation::run(args, output, asked, (nodes, &input.policy));
    }
    let started = Instant::now();
    let packing = checked(&asked, pack(&asked)?)?;
    let took = started.elapsed();
    let mut baselines = Vec::new();
    if args.baselines {
        for baseline in Baseline::ALL {
            if let Some(other) = pack_as(baseline, &asked)? {
                baselines.push(checked(&asked, other)?);
            }
        }
    }
    print(
        output,
        || Ok(show::packing::text(&packing, &baselines, took.as_millis())),
        || {
            let ours = wire::packing(&packing, &input.offers, Some(took));
            let others = baselines.iter().map(|it| wire::packing(it, &input.offers, None));
            Ok(serde_json::to_value(ours.with_baselines(others))?)
        },
        || Ok(show::packing::steps(&packing)),
    )?;
    Ok(match packing.status {
        Status::Infeasible => Outcome::Infeasible,
        Status::Optimal | Status::Feasible => Outcome::Done,
    })
}

/// The packing, if the checker agrees.
fn checked(input: &PackInput<'_>, packing: Packing) -> anyhow::Result<Packing> {
    let violations = check_packing(input, &packing);
    if let Some(first) = violations.first() {
        anyhow::bail!("the checker refuses the packing: {first} ({} in all)", violations.len());
    }
    Ok(packing)
}
