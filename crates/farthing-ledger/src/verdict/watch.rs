//! From what is kept in the books to a verdict on every workload that has accelerators.
//!
//! Who has which device is read from samples and records: a seat is held from the first to the last
//! that names it. It refuses to know pods: one is taken to be ready from when it has its devices.
//! Start with [`watch`].

use super::device::active;
use super::{Question, Seat, Verdict, judge};
use crate::books::Segment;
use farthing_model::{
    Attribution, Charge, Currency, DeviceId, DeviceUse, MoneyError, NodeId, Resource, Sample,
    Window, WorkloadId, is_excluded, yes_or_no,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Controllers whose pods work in step: one that does nothing while others work is stalled.
const IN_STEP: [&str; 8] =
    ["job", "jobset", "leaderworkerset", "mpijob", "pytorchjob", "rayjob", "tfjob", "xgboostjob"];
/// Annotations that keep a workload, and the value that does; `None` = any.
const KEEPS: [(&str, Option<&str>); 2] =
    [("farthing.dev/exclude", None), ("farthing.dev/managed", Some("false"))];
/// Between two records, where there are none to tell from.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

/// What is asked of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Over which time.
    pub window: Window,
    /// How often a record of each device is to be expected; `None` = as often as most were.
    pub every: Option<SignedDuration>,
    /// Times in which nobody's work is judged idle, and why.
    pub calendar: Vec<(Window, String)>,
    /// The currency of the books.
    pub currency: Currency,
}

/// One device of one pod.
type SeatKey<'a> = (&'a WorkloadId, Option<&'a str>, &'a NodeId, &'a DeviceId, Option<u32>);

/// Judges each workload that has accelerators in the window, by name. The segments should begin
/// before the window: what is new in it is starting.
///
/// # Errors
/// As [`judge`].
pub fn watch(
    segments: &[Segment],
    charges: &[Charge],
    asked: &Watch,
) -> Result<Vec<Verdict>, MoneyError> {
    let every = asked.every.unwrap_or_else(|| usual(segments, asked.window));
    let idle = idle_power(segments);
    let mut uses: BTreeMap<&WorkloadId, Vec<DeviceUse>> = BTreeMap::new();
    for one in segments.iter().flat_map(|segment| &segment.uses) {
        if one.window.intersect(asked.window).is_some()
            && let Some(who) = &one.attribution
        {
            uses.entry(&who.workload).or_default().push(one.clone());
        }
    }
    let mut paid: BTreeMap<&WorkloadId, Vec<Charge>> = BTreeMap::new();
    for charge in charges {
        if let Some(who) = &charge.attribution {
            paid.entry(&who.workload).or_default().push(charge.clone());
        }
    }
    let mut verdicts = Vec::new();
    for (workload, (who, seats)) in seats(segments, asked.window) {
        let seats: Vec<Seat> = seats
            .into_iter()
            .map(|seat| Seat { idle_power_mw: idle.get(&seat.device).copied(), ..seat })
            .collect();
        verdicts.push(judge(&Question {
            workload,
            window: asked.window,
            every,
            seats: &seats,
            uses: uses.get(workload).map_or(&[], Vec::as_slice),
            in_step: who.controller.as_ref().is_some_and(|it| IN_STEP.contains(&it.kind.as_str())),
            kept: kept(who),
            calendar: &asked.calendar,
            charges: paid.get(workload).map_or(&[], Vec::as_slice),
            currency: asked.currency,
        })?);
    }
    Ok(verdicts)
}

/// The annotation that keeps a workload, as it is written.
fn kept(who: &Attribution) -> Option<&str> {
    KEEPS.iter().find_map(|(key, value)| {
        let (key, said) = who.annotations.get_key_value(*key)?;
        let keeps = match value {
            Some(value) => yes_or_no(said) == yes_or_no(value),
            None => is_excluded(said),
        };
        keeps.then_some(key.as_str())
    })
}

/// The seats of each workload that are held in the window, and who it is.
fn seats(
    segments: &[Segment],
    window: Window,
) -> BTreeMap<&WorkloadId, (&Arc<Attribution>, Vec<Seat>)> {
    let mut held: BTreeMap<SeatKey<'_>, (&Arc<Attribution>, Window)> = BTreeMap::new();
    let of_sample = |sample: &'_ Sample| sample.slice.map(|slice| slice.instance);
    for segment in segments {
        let samples = segment.samples.iter().filter(|it| it.resource == Resource::Gpu);
        let samples = samples.filter_map(|it| {
            let (who, device) = (it.attribution.as_ref()?, it.device.as_ref()?);
            Some((who, &it.node, device, of_sample(it), it.window))
        });
        let uses = segment.uses.iter().filter_map(|it| {
            let who = it.attribution.as_ref()?;
            Some((who, &it.node, &it.device, it.slice.map(|slice| slice.instance), it.window))
        });
        for (who, node, device, instance, part) in samples.chain(uses) {
            let key = (&who.workload, who.pod.as_deref(), node, device, instance);
            let (_, whole) = held.entry(key).or_insert((who, part));
            let (from, to) = (whole.from().min(part.from()), whole.to().max(part.to()));
            *whole = Window::new(from, to).unwrap_or(*whole);
        }
    }
    let mut seats: BTreeMap<&WorkloadId, (&Arc<Attribution>, Vec<Seat>)> = BTreeMap::new();
    for ((workload, pod, node, device, instance), (who, held)) in held {
        if held.intersect(window).is_none() {
            continue;
        }
        seats.entry(workload).or_insert_with(|| (who, Vec::new())).1.push(Seat {
            pod: pod.map(str::to_owned),
            node: node.clone(),
            device: device.clone(),
            instance,
            held,
            ready: Some(held.from()),
            idle_power_mw: None,
        });
    }
    seats
}

/// The distance between records: their median, as a gap makes only one of them long.
fn usual(segments: &[Segment], window: Window) -> SignedDuration {
    let uses = segments.iter().flat_map(|segment| &segment.uses);
    let inside = uses.filter(|one| one.window.intersect(window).is_some());
    let mut nanos: Vec<i128> = inside.map(|one| one.window.nanos()).collect();
    nanos.sort_unstable();
    let median = nanos.get(nanos.len() / 2).and_then(|nanos| i64::try_from(*nanos).ok());
    median.map_or(EVERY, SignedDuration::from_nanos)
}

/// The least that each device drew while nothing ran on it.
fn idle_power(segments: &[Segment]) -> BTreeMap<DeviceId, u32> {
    let mut least: BTreeMap<DeviceId, u32> = BTreeMap::new();
    for one in segments.iter().flat_map(|segment| &segment.uses) {
        let Some(power) = one.power_mw.filter(|_| active(one) == Some(0)) else { continue };
        match least.get_mut(&one.device) {
            Some(known) => *known = power.min(*known),
            None => drop(least.insert(one.device.clone(), power)),
        }
    }
    least
}
