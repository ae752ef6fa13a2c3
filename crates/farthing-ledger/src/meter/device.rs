//! Accelerators: the device is the unit. Claims on a slice fill the slice, claims on a device the
//! device; what the instances of a partitioned device leave and none can use is fragmented.
//!
//! It refuses to know what a node has beside. A device is one accelerator, whatever it is called;
//! how many a node has is for the node's own limit to say.

use super::claim::{Claim, Claims};
use super::limit::{Claimants, Limit, keep_within};
use crate::amount::Nanos;
use farthing_model::{Placed, Share, Slice, fragmented};
use std::collections::BTreeMap;

/// What the devices of one piece of a node came to.
#[derive(Default)]
pub(super) struct Devices {
    /// How many claims, from the first on, are on no known device.
    pub(super) unknown: usize,
    /// How many devices claims are on.
    pub(super) count: usize,
    /// Claimed beyond a device or slice: the number of the device, when, how much.
    pub(super) overs: Vec<(u32, Nanos, i128)>,
    /// What no instance can use, in 10^-9 GPU-seconds.
    pub(super) fragmented: i128,
}

/// Known results of [`fragmented`]: a device has few arrangements, and hours have many devices.
pub(super) type Arrangements = BTreeMap<Vec<Placed>, (u64, u64)>;

/// Keeps the claims of each device within it. `None` when an amount does not fit.
pub(super) fn keep_devices_within(
    claims: &Claims,
    parts: &mut [Claim],
    known: &mut Arrangements,
) -> Option<Devices> {
    let series = |part: &Claim| &claims.series[part.series as usize].0;
    let unknown = parts.partition_point(|part| series(part).device == 0);
    let mut devices = Devices { unknown, ..Devices::default() };
    let mut rest = &mut parts[unknown..];
    while let Some(first) = rest.first() {
        let device = series(first).device;
        let end = rest.partition_point(|part| series(part).device == device);
        let (here, after) = rest.split_at_mut(end);
        rest = after;
        devices.count += 1;
        let (unusable, fits) = arranged(here, |part| series(part).slice, known);
        devices.fragmented += unusable;
        let sliced = devices.slices(device, here, |part| series(part).slice)?;
        let overs = keep_within(Limit::DEVICE, Claimants { parts: here, first: 0 })?;
        // Instances that fit together may have shares of more than one device, as each is charged
        // the scarcer of compute and memory: that is scaled, and nothing to report.
        if !(sliced && fits) {
            devices.overs.extend(overs.into_iter().map(|(span, over)| (device, span, over)));
        }
    }
    Some(devices)
}

impl Devices {
    /// Keeps the claims of each slice of a device within it, and says whether all claims are on
    /// slices.
    fn slices(
        &mut self,
        device: u32,
        parts: &mut [Claim],
        slice: impl Fn(&Claim) -> Option<Slice>,
    ) -> Option<bool> {
        let mut rest = parts;
        let mut all = true;
        while let Some(first) = rest.first() {
            let here = slice(first);
            let end = rest.partition_point(|part| slice(part) <= here);
            let (here_parts, after) = rest.split_at_mut(end);
            rest = after;
            let Some(slice) = here else {
                all = false;
                continue;
            };
            let limit = Limit::Share(slice.profile.share());
            let overs = keep_within(limit, Claimants { parts: here_parts, first: 0 })?;
            self.overs.extend(overs.into_iter().map(|(span, over)| (device, span, over)));
        }
        Some(all)
    }
}

/// What of a device is fragmented while instances stand on it, and whether they have always no
/// more slices than there are.
fn arranged(
    parts: &[Claim],
    slice: impl Fn(&Claim) -> Option<Slice>,
    known: &mut Arrangements,
) -> (i128, bool) {
    // (when, begins, which): an instance stands from its first claim on, until a gap.
    let mut edges: Vec<(i128, bool, (u32, Placed))> = Vec::new();
    for standing in parts.chunk_by(|a, b| instance(slice(a)) == instance(slice(b))) {
        let Some(one) = slice(&standing[0]) else { continue };
        let whole = one.profile.compute_instance(one.profile.compute()).unwrap_or(one.profile);
        let placed = (one.instance, Placed { profile: whole, start: one.start });
        let mut spans: Vec<Nanos> = standing.iter().map(|part| part.span).collect();
        spans.sort_unstable();
        let mut last: Option<Nanos> = None;
        for span in spans {
            match &mut last {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => edges.extend(last.replace(span).into_iter().flat_map(|s| both(s, placed))),
            }
        }
        edges.extend(last.into_iter().flat_map(|span| both(span, placed)));
    }
    edges.sort_unstable();
    let mut standing: Vec<(u32, Placed)> = Vec::new();
    let (mut sum, mut fits) = (0, true);
    for pair in edges.windows(2) {
        let (at, begins, one) = pair[0];
        match standing.iter().position(|other| *other == one) {
            Some(index) if !begins => drop(standing.remove(index)),
            _ => standing.push(one),
        }
        if pair[1].0 > at {
            let mut placed: Vec<Placed> = standing.iter().map(|(_, placed)| *placed).collect();
            placed.sort_unstable();
            fits &= fit(&placed);
            let (parts, of) = known.get(&placed).copied().unwrap_or_else(|| {
                let found = fragmented(&placed);
                known.insert(placed, found);
                found
            });
            sum += Share::of(parts, of).map_or(0, |share| share.between(at, pair[1].0));
        }
    }
    (sum, fits)
}

fn fit(placed: &[Placed]) -> bool {
    let Some(first) = placed.first() else { return true };
    let (compute, memory) = first.profile.device().slices();
    let sum = |slices: fn(&Placed) -> u8| placed.iter().map(|one| u32::from(slices(one))).sum();
    let (taken_compute, taken_memory): (u32, u32) =
        (sum(|one| one.profile.compute()), sum(|one| one.profile.memory()));
    taken_compute <= compute.into() && taken_memory <= memory.into()
}

fn instance(slice: Option<Slice>) -> Option<u32> {
    slice.map(|slice| slice.instance)
}

fn both(span: Nanos, placed: (u32, Placed)) -> [(i128, bool, (u32, Placed)); 2] {
    [(span.from, true, placed), (span.to, false, placed)]
}
