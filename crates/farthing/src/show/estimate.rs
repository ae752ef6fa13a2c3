//! Estimates for people, programs and spreadsheets.

use crate::commands::estimate::{Bought, Estimate, currency};
use crate::show::{duration, small_money};
use crate::table::{Align, Table};
use farthing_model::Money;
use farthing_providers::manifest::Fault;
use farthing_server::wire;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// For people.
pub(crate) fn text(estimates: &[Estimate]) -> String {
    estimates.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

fn one(estimate: &Estimate) -> String {
    let job = &estimate.job;
    let mut lines = vec![format!("{} {}", job.kind, job.name)];
    match &estimate.priced {
        Err(why) => lines.push(format!("  cannot be priced: {why}")),
        Ok(priced) => {
            for (group, bought) in &priced.groups {
                let gpus = group.each.gpu_milli / 1_000;
                let gpus = if gpus > 0 { format!("{gpus} GPUs, ") } else { String::new() };
                lines.push(format!(
                    "  {} x {}: {gpus}{} cores, {} GiB each, on {}",
                    group.count,
                    group.role,
                    group.each.cpu_milli.div_ceil(1_000),
                    group.each.memory_bytes >> 30,
                    offer(bought)
                ));
            }
            lines.push(format!("  an hour: {} {}", small_money(priced.hourly), currency(estimate)));
            lines.push(format!("  to finish: {}", to_finish(estimate)));
            let others = priced.others.iter().map(|it| ("would do too", it));
            let others = others
                .chain(priced.spot.iter().map(|it| ("as spot", it)))
                .chain(priced.elsewhere.iter().map(|it| ("elsewhere", it)));
            lines.extend(others.map(|(what, it)| format!("  {what}: {}", offer(it))));
        }
    }
    lines.extend(job.assumptions.iter().map(|text| format!("  assumed: {text}")));
    match &estimate.short {
        Err(lacks) if estimate.priced.is_ok() => {
            lines.push(format!("  budget: not asked ({lacks})"));
        }
        Err(_) => {}
        Ok(short) if short.is_empty() => lines.push("  fits the budget".to_owned()),
        Ok(short) => {
            let shorts: Vec<_> = short.iter().map(wire::short).collect();
            lines.push("  does not fit the budget:".to_owned());
            let shorts = serde_json::json!({ "short": shorts });
            lines.push(super::budget::shortages(&shorts).to_text().trim_end().to_owned());
        }
    }
    lines.join("\n")
}

fn offer(bought: &Bought) -> String {
    let Bought { offer, nodes, hourly } = bought;
    let gpus = match &offer.accelerator {
        Some(accelerator) => format!(" ({}x {accelerator})", offer.accelerator_count),
        None => String::new(),
    };
    format!("{nodes} x {}{gpus} at {} {}/h", offer.id, small_money(*hourly), hourly.currency())
}

fn to_finish(estimate: &Estimate) -> String {
    let (costs, takes) = (estimate.to_finish(), &estimate.takes);
    let amount = |cost: Option<Money>, length: Option<SignedDuration>| {
        let (cost, length) = cost.zip(length)?;
        Some(format!("{} {} ({})", small_money(cost), cost.currency(), duration(length)))
    };
    let low = amount(costs.low, takes.low);
    let expected = amount(costs.expected, takes.expected);
    let high = amount(costs.high, takes.high);
    let basis = &takes.basis;
    match (low, expected, high) {
        (_, Some(expected), Some(high)) if expected == high => format!("{expected}; {basis}"),
        (Some(low), Some(expected), Some(high)) => {
            format!("{expected}, {low} to {high}; {basis}")
        }
        (_, _, Some(high)) => format!("at most {high}; {basis}"),
        _ => format!("unknown: {basis}"),
    }
}

/// For spreadsheets.
pub(crate) fn table(estimates: &[Estimate]) -> Table {
    let mut table = Table::new(&[
        ("kind", Align::Left),
        ("name", Align::Left),
        ("hourly", Align::Right),
        ("low", Align::Right),
        ("expected", Align::Right),
        ("high", Align::Right),
        ("currency", Align::Left),
        ("basis", Align::Left),
    ]);
    for estimate in estimates {
        let costs = estimate.to_finish();
        let decimal = |cost: Option<Money>| cost.map(Money::to_decimal).unwrap_or_default();
        let hourly = estimate.priced.as_ref().ok().map(|priced| priced.hourly);
        table.row([
            estimate.job.kind.to_owned(),
            estimate.job.name.clone(),
            decimal(hourly),
            decimal(costs.low),
            decimal(costs.expected),
            decimal(costs.high),
            currency(estimate).code().to_owned(),
            estimate.takes.basis.clone(),
        ]);
    }
    table
}

/// For programs.
pub(crate) fn json(estimates: &[Estimate], faults: &[Fault]) -> Value {
    json!({
        "jobs": estimates.iter().map(job_json).collect::<Vec<_>>(),
        "faults": faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn job_json(estimate: &Estimate) -> Value {
    let (job, costs, takes) = (&estimate.job, estimate.to_finish(), &estimate.takes);
    let decimal = |cost: Option<Money>| cost.map(Money::to_decimal);
    let seconds = |length: Option<SignedDuration>| length.map(|length| length.as_secs());
    let priced = estimate.priced.as_ref();
    let group = |(group, bought): &(farthing_providers::estimate::Group, Bought)| {
        json!({
            "role": group.role,
            "count": group.count,
            "rounds": group.rounds,
            "gpus": group.each.gpu_milli / 1_000,
            "accelerator": group.accelerator.as_ref().map(ToString::to_string),
            "cpus": wire_milli(group.each.cpu_milli),
            "memory_bytes": group.each.memory_bytes,
            "offer": bought_json(bought),
        })
    };
    let list = |all: &[Bought]| all.iter().map(bought_json).collect::<Vec<_>>();
    let shorts = estimate.short.as_ref().ok();
    json!({
        "kind": job.kind,
        "name": job.name,
        "comparable": job.comparable(),
        "endless": job.endless,
        "currency": currency(estimate).code(),
        "hourly": priced.ok().map(|priced| priced.hourly.to_decimal()),
        "why_not": priced.err(),
        "groups": priced.map_or_else(|_| Vec::new(), |it| it.groups.iter().map(group).collect()),
        "to_finish": {
            "low": decimal(costs.low),
            "expected": decimal(costs.expected),
            "high": decimal(costs.high),
            "low_s": seconds(takes.low),
            "expected_s": seconds(takes.expected),
            "high_s": seconds(takes.high),
            "basis": takes.basis,
            "runs": takes.runs,
        },
        "assumptions": job.assumptions,
        "others": priced.map(|it| list(&it.others)).unwrap_or_default(),
        "spot": priced.ok().and_then(|it| it.spot.as_ref()).map(bought_json),
        "elsewhere": priced.ok().and_then(|it| it.elsewhere.as_ref()).map(bought_json),
        "fits": shorts.map(Vec::is_empty),
        "short": shorts.map(|short| short.iter().map(wire::short).collect::<Vec<_>>()),
    })
}

fn bought_json(bought: &Bought) -> Value {
    let Bought { offer, nodes, hourly } = bought;
    json!({
        "offer": offer.id.as_str(),
        "provider": offer.place.provider,
        "region": offer.place.region,
        "instance_type": offer.instance_type,
        "accelerator": offer.accelerator.as_ref().map(ToString::to_string),
        "accelerator_count": offer.accelerator_count,
        "purchase": offer.purchase.name(),
        "nodes": nodes,
        "hourly": hourly.to_decimal(),
    })
}

/// Thousandths as a JSON number.
fn wire_milli(milli: u64) -> Value {
    let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    serde_json::from_str(text).unwrap_or(Value::Null)
}
