//! A tick as one line.

use super::small_money;
use crate::show::plan::RESOURCES;
use farthing_engine::{Flow, Tick, target};
use farthing_model::{
    Band, PerResource, Policy, Ratio, ReceiptOutcome, Resource, Step, StepId, WorkloadState,
};
use std::collections::BTreeMap;

/// The line of a tick: time, where the money went, utilisation against its band, what is done.
pub(crate) fn line(tick: &Tick, policy: &Policy) -> String {
    of(tick, || [flow(&tick.money), utilisation(tick, &policy.bands)])
}

/// The same of a world in which nobody measures use: what was asked for is all that is known.
pub(crate) fn line_by_requests(tick: &Tick) -> String {
    of(tick, || [asked_flow(&tick.money), asked(tick)])
}

fn of(tick: &Tick, metered: impl FnOnce() -> [String; 2]) -> String {
    let mut parts = vec![tick.at.strftime("%m-%d %H:%M:%S").to_string()];
    if tick.window.is_some() {
        parts.extend(metered().into_iter().filter(|part| !part.is_empty()));
    } else {
        parts.push("first look".to_owned());
    }
    let (running, waiting) = workloads(tick);
    if running + waiting > 0 {
        parts.push(format!("{running} run, {waiting} wait"));
    }
    let done = tick.acted.receipts.len();
    let held = tick.acted.held.len();
    if tick.requests > 0 {
        parts.push(format!("{} requests", tick.requests));
    }
    if done > 0 {
        parts.push(format!("{done} done"));
    }
    if held > 0 {
        parts.push(format!("{held} proposed"));
    }
    parts.join(" | ")
}

/// What was done, what was held back and what waits, a line each.
pub(crate) fn steps(tick: &Tick) -> Vec<String> {
    let planned = tick.planned.iter().flat_map(|planned| &planned.plan.steps);
    let planned: BTreeMap<&StepId, &Step> = planned.map(|step| (&step.id, step)).collect();
    let name = |step: &Step| format!("{} {} {}", step.id, step.action.name(), target(&step.action));
    let mut lines = Vec::new();
    for receipt in tick.resolved.iter().chain(&tick.acted.receipts) {
        let step =
            planned.get(&receipt.step).map_or_else(|| receipt.step.to_string(), |it| name(it));
        lines.push(match &receipt.outcome {
            ReceiptOutcome::Done | ReceiptOutcome::AlreadyDone => format!("  done: {step}"),
            ReceiptOutcome::Conflict(why) => format!("  not done: {step}: {why}"),
            ReceiptOutcome::Failed(why) => format!("  failed: {step}: {why}"),
        });
    }
    let unknown = tick.acted.unknown.iter();
    lines.extend(unknown.map(|step| format!("  not known whether done: {}", name(step))));
    let held = tick.acted.held.iter();
    lines.extend(held.map(|(step, held)| format!("  held: {}: {held}", name(step))));
    let waiting = tick.planned.iter().flat_map(|planned| &planned.report.waiting);
    lines.extend(
        waiting.map(|it| format!("  waits: {} ({}): {}", it.workload, it.members, it.reason)),
    );
    lines
}

/// Where money went, in one phrase.
pub(crate) fn flow(flow: &Flow) -> String {
    format!(
        "paid {} = used {} + idle {} + unallocated {} + overhead {} {}",
        small_money(flow.paid),
        small_money(flow.used),
        small_money(flow.idle),
        small_money(flow.unallocated),
        small_money(flow.overhead),
        flow.paid.currency(),
    )
}

/// Where money went, as far as requests say it: what is allocated is neither used nor idle.
fn asked_flow(flow: &Flow) -> String {
    let allocated = flow.used.checked_add(flow.idle);
    format!(
        "paid {} = asked for {} + unallocated {} + overhead {} {}",
        small_money(flow.paid),
        allocated.map_or_else(|_| "too much".to_owned(), small_money),
        small_money(flow.unallocated),
        small_money(flow.overhead),
        flow.paid.currency(),
    )
}

/// How much of each paid resource is asked for.
fn asked(tick: &Tick) -> String {
    let of = |resource: Resource| {
        let usage = tick.usage.get(resource);
        let ratio = Ratio::of(usage.allocated_nano(), usage.paid_nano())?;
        Some(format!("{resource} {ratio} asked for"))
    };
    RESOURCES.into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

/// Utilisation of each paid resource, with a sign for its place against the band.
fn utilisation(tick: &Tick, bands: &PerResource<Band>) -> String {
    let of = |resource: Resource| {
        let usage = tick.usage.get(resource);
        let ratio = Ratio::of(usage.used_nano, usage.paid_nano())?;
        let state = bands.get(resource).state(ratio);
        Some(format!("{resource} {ratio} {}", state.name()))
    };
    RESOURCES.into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

/// Workloads that run, and that wait.
pub(crate) fn workloads(tick: &Tick) -> (usize, usize) {
    let count = |wanted: fn(&WorkloadState) -> bool| {
        tick.snapshot.workloads.iter().filter(|seen| wanted(&seen.state)).count()
    };
    let running = count(|state| matches!(state, WorkloadState::Placed(_)));
    let waiting = count(|state| matches!(state, WorkloadState::Waiting));
    (running, waiting)
}
