//! What services cost as their requests grow: the mix is planned anew at each rate, and beside it
//! what each kind of accelerator alone would cost by the same rules.

use super::lines::{Axes, Series, picture as draw};
use super::whole;
use farthing_model::{Decimal, WorkloadKind};
use farthing_planner::{Input, Status, plan};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rates that are tried, in eighths of what is asked for.
const EIGHTHS: u32 = 16;
/// Kinds of accelerators that get a line of their own.
const KINDS_MAX: usize = 6;

/// The picture for an input of services only.
///
/// # Errors
/// A rate that cannot be planned for at all.
pub(crate) fn picture(input: &Input) -> anyhow::Result<String> {
    let mut series = vec![line("the cheapest mix".to_owned(), input)?];
    for kind in kinds(input) {
        series.push(line(format!("{kind} only"), &only(input, &kind))?);
    }
    series.retain(|series| series.points.iter().any(|(_, cost)| cost.is_some()));
    let hours = input.horizon.duration().as_secs_f64() / 3_600.0;
    let y = format!("{} over {hours:.1} h", input.currency);
    let x = "requests, as a part of the rate asked for";
    let axes = Axes { x, y: &y, mark: Some((1.0, "asked for")) };
    Ok(draw("Cost against the rate of requests", &axes, &series))
}

/// The kinds of accelerators that something was measured on.
fn kinds(input: &Input) -> Vec<String> {
    let services = input.snapshot.workloads.iter().filter_map(|seen| seen.workload.service());
    let rows = services.flat_map(|service| &service.throughput);
    let kinds: BTreeSet<String> = rows.map(|row| row.accelerator.to_string()).collect();
    kinds.into_iter().take(KINDS_MAX).collect()
}

/// The same input as if nothing was measured on any other kind.
fn only(input: &Input, kind: &str) -> Input {
    let mut input = input.clone();
    for observed in &mut input.snapshot.workloads {
        if let WorkloadKind::Service(service) = &mut Arc::make_mut(&mut observed.workload).kind {
            service.throughput.retain(|row| row.accelerator.to_string() == kind);
        }
    }
    input
}

fn line(name: String, input: &Input) -> anyhow::Result<Series> {
    let mut points = Vec::new();
    for eighths in 1..=EIGHTHS {
        let report = plan(&at_rate(input, eighths))?.report;
        let all = report.status != Status::Infeasible && report.waiting.is_empty();
        points.push((f64::from(eighths) / 8.0, all.then(|| whole(report.cost))));
    }
    Ok(Series { name, points, steps: false })
}

/// The same input with another demand for each service.
fn at_rate(input: &Input, eighths: u32) -> Input {
    let mut input = input.clone();
    // A line is drawn through what a short search finds.
    input.effort = input.effort.of_a_part();
    for observed in &mut input.snapshot.workloads {
        let Some(service) = observed.workload.service() else { continue };
        let rate = service.requests.rate_per_s.nano();
        observed.demand_per_s = Some(Decimal::from_nano(rate * i128::from(eighths) / 8));
    }
    input
}
