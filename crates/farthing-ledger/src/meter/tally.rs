//! Metering telemetry that does not fit into memory, to the same charges.
//!
//! Telemetry is read once, and only sums of each series are kept. That is all there is to know of a
//! node whose claims are measured once, in order, and surely within what it has: nothing is scaled,
//! so a sum of claims is a claim of the sum. The other nodes are read again, as many at a time as
//! fit, and metered claim by claim. Which are which is decided by what [`super::meter()`] asks too,
//! so that the charges are those that it makes, to the unit.
//!
//! It refuses to know where telemetry is kept, and how.

use super::claim::{self, Claims, SYSTEM};
use super::fill::{self, Filled, Place};
use super::limit::{Limit, surely_rated_within};
use super::stretch::{self, PieceKind, Stretch, Timelines};
use super::{Fault, MeterError, MeterInput, Metered, Method, post};
use crate::amount::{Nanos, amount_in};
use farthing_model::{
    Asset, Attribution, Destination, Detail, DeviceId, NANOS_PER_SECOND, NodeId, Resource, Sample,
    Slice,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Samples that are kept in memory at most when nodes are metered claim by claim, unless one node
/// has more.
const SAMPLES_MAX: u64 = 2_000_000;

/// Samples that can be read again.
pub(crate) trait Telemetry {
    /// Why it cannot be read.
    type Error;

    /// Tells every sample once, those of one series in order of time as far as that is how they
    /// are kept.
    fn tell(&self, tally: &mut Tally<'_>) -> Result<(), Self::Error>;

    /// The samples of some nodes, in any order.
    fn of_nodes(&self, is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Sample>, Self::Error>;
}

/// Why telemetry could not be metered.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError<E: std::error::Error + 'static> {
    /// It cannot be read.
    #[error("the telemetry cannot be read")]
    Read(#[source] E),
    /// What it says cannot be metered.
    #[error("the telemetry cannot be metered")]
    Meter(#[source] MeterError),
}

/// The amounts of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Amounts {
    pub(crate) requested: i128,
    /// `None`: nobody measured it.
    pub(crate) used: Option<i128>,
    pub(crate) held: Option<i128>,
}

/// What is measured once at any time, by numbers that were given as names came.
type Key = (u32, Resource, u32, Option<Slice>, u32);

/// The sums of one series.
struct Running {
    key: Key,
    /// Until when it is measured.
    until: i64,
    /// The largest claim, and the shortest time of one.
    most: i128,
    shortest: i64,
    used: i128,
    /// Idle of which nobody said whether it was held; held; not held; and not known to be idle.
    idle: i128,
    held: i128,
    bare: i128,
    unknown: i128,
}

/// What is known of one node.
#[derive(Clone, Copy)]
struct OfNode {
    /// Its only piece of time, while sums are all that is to be known of it.
    within: Option<(i64, i64)>,
    samples: u64,
}

/// A number of [`Tally::series`] for use of what nobody paid.
const STRAY: u32 = 1 << 31;

/// Sums of samples, series by series.
pub(crate) struct Tally<'a> {
    timelines: &'a Timelines<'a>,
    /// The window that is metered.
    within: (i64, i64),
    nodes: Vec<OfNode>,
    numbers_of_nodes: HashMap<&'a str, u32>,
    who: HashMap<Arc<Attribution>, u32>,
    devices: HashMap<DeviceId, u32>,
    numbers: HashMap<Key, u32>,
    series: Vec<Running>,
    strays: Vec<(NodeId, Resource, i128)>,
    numbers_of_strays: HashMap<(NodeId, Resource), u32>,
    faults: Vec<Fault>,
}

fn nanos(span: Nanos) -> Option<(i64, i64)> {
    Some((i64::try_from(span.from).ok()?, i64::try_from(span.to).ok()?))
}

fn number<K: std::hash::Hash + Eq>(numbers: &mut HashMap<K, u32>, key: K) -> u32 {
    // Two thousand million names do not fit into memory.
    let next = u32::try_from(numbers.len()).unwrap_or(STRAY - 1);
    *numbers.entry(key).or_insert(next)
}

impl<'a> Tally<'a> {
    fn new(input: &MeterInput<'_>, timelines: &'a Timelines<'a>, method: Method) -> Self {
        let simple = |pieces: &Vec<stretch::Piece>| match pieces[..] {
            [piece] if piece.kind == PieceKind::Ready && method != Method::ByNode => {
                let asset = timelines.stretches[piece.stretch].like.asset;
                nanos(piece.span).filter(|_| asset == Asset::Node)
            }
            _ => None,
        };
        let nodes = timelines.pieces.iter();
        let nodes = nodes.map(|pieces| OfNode { within: simple(pieces), samples: 0 }).collect();
        let names = timelines.nodes.iter().map(|node| node.as_str()).zip(0..);
        Self {
            timelines,
            within: nanos(Nanos::of(input.window)).unwrap_or((0, 0)),
            nodes,
            numbers_of_nodes: names.collect(),
            who: HashMap::new(),
            devices: HashMap::new(),
            numbers: HashMap::new(),
            series: Vec::new(),
            strays: Vec::new(),
            numbers_of_strays: HashMap::new(),
            faults: Vec::new(),
        }
    }

    /// The number of a sample's series, for [`Self::add`].
    pub(crate) fn series(&mut self, sample: &Sample) -> u32 {
        let Some(node) = self.numbers_of_nodes.get(sample.node.as_str()).copied() else {
            let key = (sample.node.clone(), sample.resource);
            let known = number(&mut self.numbers_of_strays, key);
            if known as usize == self.strays.len() {
                self.strays.push((sample.node.clone(), sample.resource, 0));
            }
            return STRAY | known;
        };
        let device = sample.device.clone().map(|name| 1 + number(&mut self.devices, name));
        let who = sample.attribution.clone().map(|name| 1 + number(&mut self.who, name));
        let (resource, slice) = (sample.resource, sample.slice);
        let key = (node, resource, device.unwrap_or(0), slice, who.unwrap_or(SYSTEM));
        if slice.is_some() || resource == Resource::Network {
            self.nodes[node as usize].within = None;
        }
        let known = number(&mut self.numbers, key);
        if known as usize == self.series.len() {
            self.series.push(Running {
                key,
                until: i64::MIN,
                most: 0,
                shortest: i64::MAX,
                used: 0,
                idle: 0,
                held: 0,
                bare: 0,
                unknown: 0,
            });
        }
        known
    }

    /// Adds a sample of a series; whether its amounts are any.
    pub(crate) fn add(&mut self, series: u32, (from, to): (i64, i64), of: Amounts) -> bool {
        if from >= self.within.1 || to <= self.within.0 {
            return true;
        }
        let Amounts { requested, used, held } = of;
        if !claim::is_amount(requested) || ![used, held].into_iter().flatten().all(claim::is_amount)
        {
            return false;
        }
        let (used, is_known) = (used.unwrap_or(0), used.is_some());
        if series & STRAY != 0 {
            self.stray(series & !STRAY, (from, to), requested.max(used));
            return true;
        }
        let sums = &mut self.series[series as usize];
        let node = &mut self.nodes[sums.key.0 as usize];
        node.samples += 1;
        let Some(within) = node.within else { return true };
        if from < within.0 || to > within.1 || from < sums.until {
            node.within = None;
            return true;
        }
        sums.until = to;
        let idle = (requested - used).max(0);
        sums.used += used;
        sums.most = sums.most.max(used + idle);
        sums.shortest = sums.shortest.min(to - from);
        // As claims are placed: what is held and not known to be used may be; what is not is not.
        let held = held.map(|held| (held - used).clamp(0, idle));
        sums.bare += held.map_or(0, |held| idle - held);
        match (held, is_known) {
            (Some(held), true) => sums.held += held,
            (None, true) => sums.idle += idle,
            (held, false) => sums.unknown += held.unwrap_or(idle),
        }
        true
    }

    /// Notes a sample whose amounts are none.
    pub(crate) fn not_an_amount(&mut self, sample: &Sample) {
        self.faults.push(claim::not_an_amount(sample));
    }

    fn stray(&mut self, number: u32, (from, to): (i64, i64), claimed: i128) {
        let whole = Nanos { from: from.into(), to: to.into() };
        let within = Nanos { from: self.within.0.into(), to: self.within.1.into() };
        let inside = whole.intersect(within).and_then(|inside| amount_in(claimed, whole, inside));
        self.strays[number as usize].2 += inside.unwrap_or(0);
    }

    /// Leaves nodes whose claims may be over a limit to be metered claim by claim.
    fn keep_within(&mut self) -> Option<()> {
        let mut sorted: Vec<usize> = (0..self.series.len()).collect();
        sorted.sort_unstable_by_key(|number| self.series[*number].key);
        for here in sorted.chunk_by(|a, b| {
            let key = |number: &usize| (self.series[*number].key.0, self.series[*number].key.1);
            key(a) == key(b)
        }) {
            let (node, resource, ..) = self.series[here[0]].key;
            let pieces = &self.timelines.pieces[node as usize];
            let (Some(_), [piece]) = (self.nodes[node as usize].within, &pieces[..]) else {
                continue;
            };
            let stretch = &self.timelines.stretches[piece.stretch];
            if !self.is_within(here, resource, stretch)? {
                self.nodes[node as usize].within = None;
            }
        }
        Some(())
    }

    /// Whether the series of one resource of a node, by device, are within what there is.
    fn is_within(&self, here: &[usize], resource: Resource, stretch: &Stretch<'_>) -> Option<bool> {
        let nano = stretch.like.capacity.nano(resource);
        if resource != Resource::Gpu {
            return self.fits(Limit::Nano(nano), here);
        }
        let device = |number: &usize| self.series[*number].key.2;
        let unknown = here.partition_point(|number| device(number) == 0);
        let mut count = 0_i128;
        for of_one in here[unknown..].chunk_by(|a, b| device(a) == device(b)) {
            count += 1;
            if !self.fits(Limit::DEVICE, of_one)? {
                return Some(false);
            }
        }
        if unknown > 0 || count.checked_mul(NANOS_PER_SECOND)? > nano {
            return self.fits(Limit::Nano(nano), here);
        }
        Some(true)
    }

    /// Whether series are surely within a limit; a series alone, each of its claims.
    fn fits(&self, limit: Limit, here: &[usize]) -> Option<bool> {
        let series = here.iter().map(|number| &self.series[*number]);
        let measured = series.filter(|one| one.shortest < i64::MAX);
        let rates: Vec<(i128, i128)> =
            measured.map(|one| (one.most, i128::from(one.shortest))).collect();
        match rates[..] {
            [] => Some(true),
            [(most, shortest)] => limit.surely_holds(most, shortest),
            _ => surely_rated_within(limit, rates.into_iter()),
        }
    }

    /// Fills the nodes of which sums are all there is to know. Numbers of who are as they came.
    fn fill(&self) -> Result<Filled, MeterError> {
        let mut filled = Filled::default();
        let mut claimed: BTreeMap<(usize, Resource), i128> = BTreeMap::new();
        for one in &self.series {
            let (node, resource, _, _, who) = one.key;
            if self.nodes[node as usize].within.is_none() {
                continue;
            }
            let stretch = self.timelines.pieces[node as usize][0].stretch;
            let shares = filled.shares.entry((stretch, resource)).or_default();
            let places: [(Place, i128); 5] = if who == SYSTEM {
                let whole = one.used + one.idle + one.held + one.bare + one.unknown;
                let overhead = (SYSTEM, Destination::Overhead, None);
                [whole, 0, 0, 0, 0].map(|nano| (overhead, nano))
            } else {
                [
                    ((who, Destination::Used, None), one.used),
                    ((who, Destination::Idle, None), one.idle),
                    ((who, Destination::Idle, Some(Detail::Held)), one.held),
                    ((who, Destination::Idle, Some(Detail::Bare)), one.bare),
                    ((who, Destination::Idle, Some(Detail::Unknown)), one.unknown),
                ]
            };
            for (place, nano) in places.into_iter().filter(|(_, nano)| *nano != 0) {
                *shares.entry(place).or_default() += nano;
                *claimed.entry((stretch, resource)).or_default() += nano;
            }
        }
        for (node, known) in self.nodes.iter().enumerate() {
            let (Some(_), [piece]) = (known.within, &self.timelines.pieces[node][..]) else {
                continue;
            };
            let stretch = &self.timelines.stretches[piece.stretch];
            for resource in Resource::CHARGED {
                let key = (piece.stretch, resource);
                let claimed = claimed.get(&key).copied().unwrap_or_default();
                let left = stretch.capacity(resource, piece.span)? - claimed;
                let shares = filled.shares.entry(key).or_default();
                if left != 0 {
                    let place = (SYSTEM, Destination::Unallocated, None);
                    *shares.entry(place).or_default() += left;
                }
            }
        }
        Ok(filled)
    }

    /// The other nodes, in order, so many at a time as fit.
    fn groups(&self) -> Vec<BTreeSet<usize>> {
        let mut groups: Vec<BTreeSet<usize>> = Vec::new();
        let mut samples = u64::MAX;
        for (node, known) in self.nodes.iter().enumerate() {
            if known.within.is_some() {
                continue;
            }
            samples = samples.saturating_add(known.samples);
            if samples > SAMPLES_MAX {
                groups.push(BTreeSet::new());
                samples = known.samples;
            }
            if let Some(group) = groups.last_mut() {
                group.insert(node);
            }
        }
        groups
    }

    fn who(&self) -> Vec<Arc<Attribution>> {
        let mut names: Vec<_> = self.who.iter().collect();
        names.sort_unstable_by_key(|(_, number)| **number);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Meters telemetry that is read as often as needed: the charges of [`super::meter_by`].
pub(crate) fn meter_telemetry<T: Telemetry>(
    (input, method): (&MeterInput<'_>, Method),
    telemetry: &T,
) -> Result<Metered, TelemetryError<T::Error>>
where
    T::Error: std::error::Error + 'static,
{
    let error = TelemetryError::Meter;
    super::inside_an_hour(input.window).map_err(error)?;
    let timelines = stretch::timelines(input);
    let mut tally = Tally::new(input, &timelines, method);
    telemetry.tell(&mut tally).map_err(TelemetryError::Read)?;
    if tally.keep_within().is_none() {
        // Whatever does not fit is said by metering it claim by claim.
        tally.nodes.iter_mut().for_each(|node| node.within = None);
    }
    let mut parts = vec![(tally.fill().map_err(error)?, tally.who())];
    let mut duplicates = BTreeMap::new();
    for group in tally.groups() {
        let names: BTreeSet<&str> =
            group.iter().map(|node| timelines.nodes[*node].as_str()).collect();
        let is_measured = group.iter().any(|node| tally.nodes[*node].samples > 0);
        let samples = if is_measured {
            telemetry.of_nodes(&|node| names.contains(node)).map_err(TelemetryError::Read)?
        } else {
            Vec::new()
        };
        let input = MeterInput { samples: &samples, ..*input };
        let mut claims = claim::claims(&input, &timelines).map_err(error)?;
        let is_here = |node: usize| group.contains(&node);
        let filled = fill::fill_some(&timelines, &mut claims, method, &is_here).map_err(error)?;
        duplicates.extend(claims.duplicates);
        parts.push((filled, claims.who));
    }
    let mut faults = tally.faults;
    for (node, resource, quantity_nano) in tally.strays {
        if quantity_nano > 0 {
            faults.push(Fault::Stray { node, resource, quantity_nano });
        }
    }
    let (filled, who) = joined(parts);
    let claims = Claims { all: vec![], series: vec![], who, devices: vec![], duplicates, faults };
    post::post((input, method), &timelines, &claims, &filled).map_err(error)
}

/// Parts that know different numbers of who, as one.
pub(super) fn joined(
    parts: Vec<(Filled, Vec<Arc<Attribution>>)>,
) -> (Filled, Vec<Arc<Attribution>>) {
    let names: BTreeSet<Arc<Attribution>> = parts.iter().flat_map(|(_, who)| who.clone()).collect();
    let ranks: HashMap<&Arc<Attribution>, u32> = names.iter().zip(1..).collect();
    let mut all = Filled::default();
    for (filled, who) in parts {
        for (key, shares) in filled.shares {
            let sums = all.shares.entry(key).or_default();
            for ((number, destination, detail), nano) in shares {
                let name = number.checked_sub(1).map(|number| &who[number as usize]);
                let rank = name.map_or(SYSTEM, |name| ranks[name]);
                *sums.entry((rank, destination, detail)).or_default() += nano;
            }
        }
        all.overcommits.extend(filled.overcommits);
        all.faults.extend(filled.faults);
    }
    (all, names.into_iter().collect())
}

#[cfg(test)]
mod tests;
