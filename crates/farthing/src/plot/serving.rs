//! What services cost as their requests grow: the mix is planned anew at each rate, by us and by the
//! baseline policies.

use super::lines::{Axes, Series, picture as draw};
use super::whole;
use farthing_model::Decimal;
use farthing_planner::{Baseline, Input, PlanError, Planned, Status, plan, plan_as};

/// Rates that are tried, in eighths of what is asked for.
const EIGHTHS: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

/// The picture for an input of services only.
///
/// # Errors
/// A rate that cannot be planned for at all.
pub(crate) fn picture(input: &Input) -> anyhow::Result<String> {
    let mut series = vec![line("farthing", input, plan)?];
    for baseline in Baseline::ALL {
        series.push(line(baseline.name(), input, |input| plan_as(baseline, input))?);
    }
    series.retain(|series| series.points.iter().any(|(_, cost)| cost.is_some()));
    let hours = input.horizon.duration().as_secs_f64() / 3_600.0;
    let y = format!("{} over {hours:.1} h", input.currency);
    let axes = Axes {
        x: "requests, as a part of the rate asked for",
        y: &y,
        mark: Some((1.0, "asked for")),
    };
    Ok(draw("Cost against the rate of requests", &axes, &series))
}

fn line(
    name: &str,
    input: &Input,
    planner: impl Fn(&Input) -> Result<Planned, PlanError>,
) -> anyhow::Result<Series> {
    let mut points = Vec::with_capacity(EIGHTHS.len());
    for eighths in EIGHTHS {
        let report = planner(&at_rate(input, eighths))?.report;
        let all = report.status != Status::Infeasible && report.waiting.is_empty();
        points.push((f64::from(eighths) / 8.0, all.then(|| whole(report.cost))));
    }
    Ok(Series { name: name.to_owned(), points, steps: false })
}

/// The same input with another demand for each service.
fn at_rate(input: &Input, eighths: u32) -> Input {
    let mut input = input.clone();
    for observed in &mut input.snapshot.workloads {
        let Some(service) = observed.workload.service() else { continue };
        let rate = service.requests.rate_per_s.nano();
        observed.demand_per_s = Some(Decimal::from_nano(rate * i128::from(eighths) / 8));
    }
    input
}
