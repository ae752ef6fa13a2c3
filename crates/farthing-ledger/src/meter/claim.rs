//! Who claimed what: samples clipped to the window, each key measured once at any time.

use super::stretch::Timelines;
use super::{Fault, MeterError, MeterInput};
use crate::amount::{Nanos, amount_in};
use farthing_model::{Attribution, NodeId, Resource, Sample};
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
    pub(super) all: Vec<Claim>,
    /// The attributions, sorted.
    pub(super) who: Vec<Arc<Attribution>>,
    pub(super) duplicates: u64,
    /// Samples that are no amounts, and samples on nodes that nobody paid.
    pub(super) faults: Vec<Fault>,
}

/// Numbers names as they come, and says each number's rank in sorted order afterwards.
struct Names<'a, T> {
    numbers: HashMap<&'a T, u32>,
    /// Neighbours are often of one name, which needs no lookup.
    last: Option<(&'a T, u32)>,
}

impl<'a, T: Ord + Hash> Names<'a, T> {
    fn new() -> Self {
        Self { numbers: HashMap::new(), last: None }
    }

    fn number(&mut self, name: &'a T) -> u32 {
        if let Some((last, number)) = self.last
            && last == name
        {
            return number;
        }
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(name).or_insert(next);
        self.last = Some((name, number));
        number
    }

    /// The names in order, and for each number its rank.
    fn ranked(self) -> (Vec<&'a T>, Vec<u32>) {
        let mut sorted: Vec<(&T, u32)> = self.numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut ranks = vec![0; sorted.len()];
        for (rank, (_, number)) in (0..).zip(&sorted) {
            ranks[*number as usize] = rank;
        }
        (sorted.into_iter().map(|(name, _)| name).collect(), ranks)
    }
}

/// A sample by numbers; 1 + the number where there may be no name.
struct Numbered {
    node: usize,
    resource: Resource,
    who: u32,
    device: u32,
    source: u32,
    span: Nanos,
    sample: usize,
}

impl Numbered {
    /// What is measured once at any time.
    fn key(&self) -> (usize, Resource, u32, u32) {
        (self.node, self.resource, self.who, self.device)
    }
}

/// Reads the samples as claims.
pub(super) fn claims(
    input: &MeterInput<'_>,
    timelines: &Timelines<'_>,
) -> Result<Claims, MeterError> {
    let samples = input.samples;
    let nodes: HashMap<&NodeId, usize> =
        timelines.nodes.iter().enumerate().map(|(index, node)| (*node, index)).collect();
    let (mut who, mut device, mut source) = (Names::new(), Names::new(), Names::new());
    let within = Nanos::of(input.window);
    let mut faults = Vec::new();
    let mut numbered: Vec<Numbered> = Vec::with_capacity(samples.len());
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
        numbered.push(Numbered {
            node,
            resource: sample.resource,
            who: sample.attribution.as_ref().map_or(SYSTEM, |name| 1 + who.number(name)),
            device: sample.device.as_ref().map_or(0, |name| 1 + device.number(name)),
            source: source.number(&sample.source),
            span,
            sample: index,
        });
    }
    let (who, who_ranks) = who.ranked();
    let ((_, device_ranks), (_, source_ranks)) = (device.ranked(), source.ranked());
    for sample in &mut numbered {
        let rank =
            |ranks: &[u32], number: u32| number.checked_sub(1).map(|n| 1 + ranks[n as usize]);
        sample.who = rank(&who_ranks, sample.who).unwrap_or(SYSTEM);
        sample.device = rank(&device_ranks, sample.device).unwrap_or(0);
        sample.source = source_ranks[sample.source as usize];
    }
    numbered.sort_unstable_by(|a, b| {
        let amounts =
            |n: &Numbered| (samples[n.sample].requested_nano, samples[n.sample].used_nano);
        (a.key(), a.span, a.source)
            .cmp(&(b.key(), b.span, b.source))
            .then_with(|| amounts(a).cmp(&amounts(b)))
    });
    let mut claims = Claims {
        all: Vec::with_capacity(numbered.len()),
        who: who.into_iter().cloned().collect(),
        duplicates: 0,
        faults,
    };
    claims.measure_once(&numbered, samples, within, timelines)?;
    Ok(claims)
}

impl Claims {
    /// Takes each key's samples in order; time that is already measured is cut off.
    fn measure_once(
        &mut self,
        numbered: &[Numbered],
        samples: &[Sample],
        within: Nanos,
        timelines: &Timelines<'_>,
    ) -> Result<(), MeterError> {
        let mut before: Option<(&Numbered, i128)> = None;
        for next in numbered {
            let mut rest = next.span;
            let same = before.filter(|(last, _)| last.key() == next.key());
            if let Some((_, measured_until)) = same.filter(|(_, until)| rest.from < *until) {
                self.duplicates += 1;
                rest.from = measured_until;
                if rest.from >= rest.to {
                    continue;
                }
            }
            before = Some((next, rest.to));
            let Some(rest) = rest.intersect(within) else { continue };
            let (requested, used) =
                (samples[next.sample].requested_nano, samples[next.sample].used_nano);
            let idle = (requested - used).max(0);
            let (node, resource, who, _) = next.key();
            let whole = Claim { node, resource, who, span: next.span, used, idle };
            self.all.push(whole.part(rest).ok_or_else(|| whole.overflow(timelines))?);
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
