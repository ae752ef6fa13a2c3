//! Who claimed what: samples clipped to the window, each series measured once at any time.

pub(super) use super::number::Series;
use super::number::{FastMap, Names};
use super::stretch::Timelines;
use super::{Fault, MeterError, MeterInput};
use crate::amount::{Nanos, amount_in};
use farthing_model::{Attribution, DeviceId, NodeId, Resource, Sample};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

/// The system itself, in [`Series::who`].
pub(super) const SYSTEM: u32 = 0;

/// Largest amount of one sample, in 10^-9 unit-seconds: 27 PB for an hour. Sentinels that slipped
/// through an adapter are beyond it, and a billion of them still sum without overflow.
const AMOUNT_NANO_MAX: i128 = 10_i128.pow(29);

/// A sample's claim on a node's resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Index into [`Claims::series`].
    pub(super) series: u32,
    /// Whether [`Claim::held`] was measured.
    pub(super) watched: bool,
    /// Whether [`Claim::used`] was measured.
    pub(super) known: bool,
    pub(super) span: Nanos,
    pub(super) used: i128,
    pub(super) idle: i128,
    /// What of `idle` was occupied.
    pub(super) held: i128,
}

impl Claim {
    fn of(series: u32, sample: &Sample) -> Self {
        let (used, requested) = (sample.known_use(), sample.requested_nano);
        let idle = (requested - used).max(0);
        let held = sample.held_nano.map_or(0, |held| (held - used).clamp(0, idle));
        let (watched, known) = (sample.held_nano.is_some(), sample.used_nano.is_some());
        Self { series, watched, known, span: Nanos::of(sample.window), used, idle, held }
    }

    /// Everything that is claimed.
    pub(super) const fn claimed(&self) -> i128 {
        self.used + self.idle
    }

    /// The part of the claim in `span`, which is inside it; each amount is cut on its own, so that
    /// none can go below zero.
    pub(super) fn part(&self, span: Nanos) -> Option<Self> {
        if span == self.span {
            return Some(*self);
        }
        let used = amount_in(self.used, self.span, span)?;
        let idle = amount_in(self.idle, self.span, span)?;
        let held = amount_in(self.held, self.span, span)?.min(idle);
        Some(Self { span, used, idle, held, ..*self })
    }
}

/// All claims, by series and time.
pub(super) struct Claims {
    pub(super) all: Vec<Claim>,
    /// Sorted by node, resource, device, slice and attribution, each with its range of `all`.
    pub(super) series: Vec<(Series, Range<usize>)>,
    /// The attributions, sorted.
    pub(super) who: Vec<Arc<Attribution>>,
    /// The devices, sorted.
    pub(super) devices: Vec<DeviceId>,
    /// Samples that said again what another one had said, by node.
    pub(super) duplicates: BTreeMap<u32, u64>,
    /// Samples that are no amounts, and samples on nodes that nobody paid.
    pub(super) faults: Vec<Fault>,
}

/// Samples by series, in the order of the input.
struct Sorted<'a> {
    samples: &'a [Sample],
    /// Indices of samples, those of one series together.
    order: Vec<usize>,
    /// Each series with its range of `order`.
    series: Vec<(Series, Range<usize>)>,
    who: Vec<&'a Arc<Attribution>>,
    devices: Vec<&'a DeviceId>,
    faults: Vec<Fault>,
}

/// Reads the samples as claims.
pub(super) fn claims(
    input: &MeterInput<'_>,
    timelines: &Timelines<'_>,
) -> Result<Claims, MeterError> {
    let sorted = sort(input, timelines);
    let mut claims = Claims {
        all: Vec::with_capacity(sorted.order.len()),
        series: Vec::with_capacity(sorted.series.len()),
        who: sorted.who.into_iter().cloned().collect(),
        devices: sorted.devices.into_iter().cloned().collect(),
        duplicates: BTreeMap::new(),
        faults: sorted.faults,
    };
    let mut order = sorted.order;
    for (series, range) in sorted.series {
        let samples = &mut order[range];
        in_time(sorted.samples, samples);
        let first = claims.all.len();
        let within = Nanos::of(input.window);
        let again = claims.measure_once(sorted.samples, samples, within);
        let again = again.ok_or_else(|| overflow(timelines, &series))?;
        if again > 0 {
            *claims.duplicates.entry(series.node).or_default() += again;
        }
        claims.series.push((series, first..claims.all.len()));
    }
    Ok(claims)
}

/// The error that the amounts of a series do not fit.
pub(super) fn overflow(timelines: &Timelines<'_>, series: &Series) -> MeterError {
    let node = timelines.nodes[series.node as usize].clone();
    MeterError::Overflow { node, resource: series.resource }
}

/// Numbers the names, and puts the samples of each series together by counting.
fn sort<'a>(input: &MeterInput<'a>, timelines: &Timelines<'a>) -> Sorted<'a> {
    let within = Nanos::of(input.window);
    let (mut nodes, mut who, mut device) = (Places::new(timelines), Names::new(), Names::new());
    let mut numbers: FastMap<Series, u32> = FastMap::default();
    let mut series: Vec<(Series, usize)> = Vec::new();
    let mut of_sample: Vec<(u32, usize)> = Vec::with_capacity(input.samples.len());
    let mut faults = Vec::new();
    for (index, sample) in input.samples.iter().enumerate() {
        let Some(inside) = Nanos::of(sample.window).intersect(within) else { continue };
        if !is_sensible(sample) {
            faults.push(not_an_amount(sample));
            continue;
        }
        let Some(node) = nodes.number(&sample.node) else {
            faults.extend(stray(sample, inside));
            continue;
        };
        let key = Series {
            node,
            resource: sample.resource,
            device: sample.device.as_ref().map_or(0, |name| 1 + device.number(name)),
            slice: sample.slice,
            who: sample.attribution.as_ref().map_or(SYSTEM, |name| 1 + who.number(name)),
        };
        let number = *numbers.entry(key).or_insert_with(|| {
            series.push((key, 0));
            u32::try_from(series.len() - 1).unwrap_or(u32::MAX)
        });
        series[number as usize].1 += 1;
        of_sample.push((number, index));
    }
    let ((who, who_ranks), (devices, device_ranks)) = (who.ranked(), device.ranked());
    let rank = |ranks: &[u32], number: u32| number.checked_sub(1).map(|n| 1 + ranks[n as usize]);
    for (key, _) in &mut series {
        key.who = rank(&who_ranks, key.who).unwrap_or(SYSTEM);
        key.device = rank(&device_ranks, key.device).unwrap_or(0);
    }
    let mut by_rank: Vec<usize> = (0..series.len()).collect();
    by_rank.sort_unstable_by_key(|number| series[*number].0);
    // Where the samples of each series begin, then where its next one goes.
    let (mut next, mut begin) = (vec![0; series.len()], 0);
    for number in &by_rank {
        next[*number] = begin;
        begin += series[*number].1;
    }
    let range = |number: &usize| {
        let (key, count) = series[*number];
        (key, next[*number]..next[*number] + count)
    };
    let ranges = by_rank.iter().map(range).collect();
    let mut order = vec![0; of_sample.len()];
    for (number, index) in of_sample {
        let place = &mut next[number as usize];
        order[*place] = index;
        *place += 1;
    }
    Sorted { samples: input.samples, order, series: ranges, who, devices, faults }
}

/// Numbers of the nodes that were paid.
struct Places<'a> {
    known: HashMap<&'a NodeId, u32>,
    by_address: FastMap<usize, Option<u32>>,
}

impl<'a> Places<'a> {
    fn new(timelines: &Timelines<'a>) -> Self {
        let known = timelines.nodes.iter().zip(0..).map(|(node, number)| (*node, number)).collect();
        Self { known, by_address: FastMap::default() }
    }

    fn number(&mut self, node: &'a NodeId) -> Option<u32> {
        use super::number::{ADDRESSES_MAX, Shared as _};
        if let Some(number) = self.by_address.get(&node.address()) {
            return *number;
        }
        let number = self.known.get(node).copied();
        if self.by_address.len() < ADDRESSES_MAX {
            self.by_address.insert(node.address(), number);
        }
        number
    }
}

/// Puts the samples of one series in order. They mostly are, as time passed in that order.
fn in_time(samples: &[Sample], order: &mut [usize]) {
    let start = |index: usize| samples[index].window.from();
    if order.is_sorted_by(|a, b| start(*a) < start(*b)) {
        return;
    }
    order.sort_unstable_by(|a, b| {
        let (a, b) = (&samples[*a], &samples[*b]);
        // Of two that are alike but for it the one that knows its use.
        let amounts =
            |s: &Sample| (s.used_nano.is_none(), s.requested_nano, s.used_nano, s.held_nano);
        (a.window, &a.source).cmp(&(b.window, &b.source)).then_with(|| amounts(a).cmp(&amounts(b)))
    });
}

impl Claims {
    /// Takes a series' samples in order; time that is already measured is cut off. Says how many
    /// were; `None` when an amount does not fit.
    fn measure_once(&mut self, samples: &[Sample], order: &[usize], within: Nanos) -> Option<u64> {
        let series = u32::try_from(self.series.len()).ok()?;
        let (mut measured_until, mut again) = (i128::MIN, 0);
        for index in order {
            let whole = Claim::of(series, &samples[*index]);
            let mut rest = whole.span;
            if rest.from < measured_until {
                again += 1;
                rest.from = measured_until;
                if rest.from >= rest.to {
                    continue;
                }
            }
            measured_until = rest.to;
            let Some(rest) = rest.intersect(within) else { continue };
            self.all.push(whole.part(rest)?);
        }
        Some(again)
    }
}

fn is_sensible(sample: &Sample) -> bool {
    is_amount(sample.requested_nano)
        && sample.used_nano.is_none_or(is_amount)
        && sample.held_nano.is_none_or(is_amount)
}

/// Whether an amount may be one.
pub(super) fn is_amount(nano: i128) -> bool {
    (0..=AMOUNT_NANO_MAX).contains(&nano)
}

pub(super) fn not_an_amount(sample: &Sample) -> Fault {
    Fault::Amount {
        source: sample.source.clone(),
        node: sample.node.clone(),
        resource: sample.resource,
        window: sample.window,
    }
}

fn stray(sample: &Sample, inside: Nanos) -> Option<Fault> {
    let claimed = sample.requested_nano.max(sample.known_use());
    let quantity_nano = amount_in(claimed, Nanos::of(sample.window), inside)?;
    let (node, resource) = (sample.node.clone(), sample.resource);
    (quantity_nano > 0).then_some(Fault::Stray { node, resource, quantity_nano })
}

/// Whether a series is of a resource of a node.
pub(super) fn is_of(series: &Series, node: usize, resource: Resource) -> bool {
    series.node as usize == node && series.resource == resource
}
