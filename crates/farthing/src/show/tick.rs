//! A tick as one line.

use super::small_money;
use crate::show::plan::RESOURCES;
use farthing_engine::{Flow, Tick};
use farthing_model::{Band, PerResource, Policy, Ratio, Resource, WorkloadState};

/// The line of a tick: time, where the money went, utilisation against its band, what is done.
pub(crate) fn line(tick: &Tick, policy: &Policy) -> String {
    let mut parts = vec![tick.at.strftime("%m-%d %H:%M:%S").to_string()];
    if tick.window.is_some() {
        parts.push(flow(&tick.money));
        parts.push(utilisation(tick, &policy.bands));
    } else {
        parts.push("first look".to_owned());
    }
    let (running, waiting) = workloads(tick);
    if running + waiting > 0 {
        parts.push(format!("{running} run, {waiting} wait"));
    }
    let done = tick.acted.receipts.len();
    let held = tick.acted.held.len();
    if done > 0 {
        parts.push(format!("{done} done"));
    }
    if held > 0 {
        parts.push(format!("{held} proposed"));
    }
    parts.join(" | ")
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
