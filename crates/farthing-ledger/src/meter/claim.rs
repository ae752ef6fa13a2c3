//! Who claimed what: samples clipped to the window, each key measured once at any time.

use super::stretch::Timelines;
use super::{Fault, MeterError, MeterInput};
use crate::amount::{Nanos, amount_in};
use farthing_model::{Attribution, DeviceId, NodeId, Resource, Sample, SourceId};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// The system itself, in [`Claim::who`].
pub(super) const SYSTEM: u32 = 0;

/// Largest amount of one sample, in 10^-9 unit-seconds: 27 PB for an hour. Sentinels that slipped
/// through an adapter are beyond it, and a billion of them still sum without overflow.
const AMOUNT_NANO_MAX: i128 = 10_i128.pow(29);

/// A sample's claim on a node's resource. Names are replaced by their rank in sorted order, so
/// that sorting claims is sorting numbers and still does not depend on the order of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Index into [`Timelines::nodes`].
    pub(super) node: usize,
    pub(super) resource: Resource,
    /// [`SYSTEM`], or 1 + the index into [`Claims::who`].
    pub(super) who: u32,
    pub(super) span: Nanos,
    pub(super) used: i128,
    pub(super) idle: i128,
}

impl Claim {
    /// The part of the claim in `span`, which is inside it; used and idle are cut on their own,
    /// so that neither can go below zero.
    pub(super) fn part(&self, span: Nanos) -> Option<Self> {
        let used = amount_in(self.used, self.span, span)?;
        let idle = amount_in(self.idle, self.span, span)?;
        Some(Self { span, used, idle, ..*self })
    }

    /// The error that its amounts do not fit.
    pub(super) fn overflow(&self, timelines: &Timelines<'_>) -> MeterError {
        let node = timelines.nodes[self.node].clone();
        MeterError::Overflow { node, resource: self.resource }
    }
}

/// All claims, sorted by node, resource, attribution, device and time.
pub(super) struct Claims {
    pub(super) claims: Vec<Claim>,
    /// The attributions, sorted.
    pub(super) who: Vec<Arc<Attribution>>,
    pub(super) duplicates: u64,
    /// Samples that are no amounts, and samples on nodes that nobody paid.
    pub(super) faults: Vec<Fault>,
}

/// The rank of each distinct name in sorted order.
fn ranks<'a, T: Ord + Hash>(names: impl Iterator<Item = &'a T>) -> (Vec<&'a T>, Ranks<'a, T>) {
    let mut ranks: Ranks<'a, T> = HashMap::new();
    for name in names {
        ranks.entry(name).or_insert(0);
    }
    let mut sorted: Vec<&T> = ranks.keys().copied().collect();
    sorted.sort_unstable();
    for (rank, name) in (0..).zip(&sorted) {
        ranks.insert(name, rank);
    }
    (sorted, ranks)
}

type Ranks<'a, T> = HashMap<&'a T, u32>;

/// What a claim is sorted by: its key, then its time, then who said it.
type SortKey = (usize, Resource, u32, u32, Nanos, u32, i128, i128, usize);

/// Reads the samples as claims.
pub(super) fn claims(
    input: &MeterInput<'_>,
    timelines: &Timelines<'_>,
) -> Result<Claims, MeterError> {
    let samples = input.samples;
    let nodes: HashMap<&NodeId, usize> =
        timelines.nodes.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let attributions = samples.iter().filter_map(|sample| sample.attribution.as_ref());
    let (who, who_rank) = ranks::<Arc<Attribution>>(attributions);
    let (_, device_rank) = ranks::<DeviceId>(samples.iter().filter_map(|s| s.device.as_ref()));
    let (_, source_rank) = ranks::<SourceId>(samples.iter().map(|sample| &sample.source));
    let within = Nanos::of(input.window);
    let mut faults = Vec::new();
    let mut keys: Vec<SortKey> = Vec::with_capacity(samples.len());
    for (index, sample) in samples.iter().enumerate() {
        let span = Nanos::of(sample.window);
        let Some(inside) = span.intersect(within) else { continue };
        let sensible = 0..=AMOUNT_NANO_MAX;
        if !sensible.contains(&sample.requested_nano) || !sensible.contains(&sample.used_nano) {
            faults.push(not_an_amount(sample));
            continue;
        }
        let Some(&node) = nodes.get(&sample.node) else {
            faults.extend(stray(sample, inside));
            continue;
        };
        let who = sample.attribution.as_ref().map_or(SYSTEM, |who| 1 + who_rank[who]);
        let device = sample.device.as_ref().map_or(0, |device| 1 + device_rank[device]);
        let source = source_rank[&sample.source];
        let (requested, used) = (sample.requested_nano, sample.used_nano);
        keys.push((node, sample.resource, who, device, span, source, requested, used, index));
    }
    keys.sort_unstable();
    let mut claims = Claims {
        claims: Vec::with_capacity(keys.len()),
        who: who.into_iter().cloned().collect(),
        duplicates: 0,
        faults,
    };
    claims.measure_once(&keys, within, timelines)?;
    Ok(claims)
}

impl Claims {
    /// Takes each key's samples in order; time that is already measured is cut off.
    fn measure_once(
        &mut self,
        keys: &[SortKey],
        within: Nanos,
        timelines: &Timelines<'_>,
    ) -> Result<(), MeterError> {
        let mut before: Option<(&SortKey, i128)> = None;
        for key in keys {
            let &(node, resource, who, device, span, _, requested, used, _) = key;
            let same = before.filter(|(last, _)| {
                (last.0, last.1, last.2, last.3) == (node, resource, who, device)
            });
            let mut rest = span;
            if let Some((_, measured_until)) = same.filter(|(_, until)| span.from < *until) {
                self.duplicates += 1;
                rest.from = measured_until;
                if rest.from >= rest.to {
                    continue;
                }
            }
            before = Some((key, rest.to));
            let idle = (requested - used).max(0);
            let whole = Claim { node, resource, who, span, used, idle };
            let Some(rest) = rest.intersect(within) else { continue };
            let part = whole.part(rest).ok_or_else(|| whole.overflow(timelines))?;
            self.claims.push(part);
        }
        Ok(())
    }
}

fn not_an_amount(sample: &Sample) -> Fault {
    Fault::Amount {
        source: sample.source.clone(),
        node: sample.node.clone(),
        resource: sample.resource,
        window: sample.window,
    }
}

fn stray(sample: &Sample, inside: Nanos) -> Option<Fault> {
    let claimed = sample.requested_nano.max(sample.used_nano);
    let quantity_nano = amount_in(claimed, Nanos::of(sample.window), inside)?;
    let (node, resource) = (sample.node.clone(), sample.resource);
    (quantity_nano > 0).then_some(Fault::Stray { node, resource, quantity_nano })
}
