//! What containers of ours used of their limits, measurement by measurement, since their limits
//! last changed: what is decided about those by.
//!
//! Every measurement counts, and no gap is passed over: what was not measured for a while is begun
//! anew. It refuses to know what is done with it.

use crate::lives::Piece;
use farthing_model::{NodeId, Resource, Resources, Sample};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Uses are counted in whole so many, rounded up: hundredths of cores, and MiB.
const GRAINS: [(Resource, u64); 2] = [(Resource::Cpu, 10), (Resource::Memory, 1 << 20)];

/// How often so much was used.
type Counts = BTreeMap<u64, u64>;

/// The history of each container, by its node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wear(BTreeMap<NodeId, History>);

/// What a container used.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// Of which limits.
    pub(crate) limits: Resources,
    /// From when on.
    pub(crate) since: Timestamp,
    /// Until when.
    until: Timestamp,
    /// The most.
    pub(crate) peak: Resources,
    /// In the newest measurement.
    pub(crate) last: Resources,
    counts: [Counts; GRAINS.len()],
}

impl Wear {
    /// Takes what was measured of the parts of the machine. A part that changed within the window
    /// has several pieces: each counts.
    pub(crate) fn add(&mut self, samples: &[Sample], pieces: &[Piece]) {
        for piece in pieces {
            let used = |resource: Resource| {
                let mut own = samples.iter().filter(|it| {
                    it.node == piece.node && it.resource == resource && it.window == piece.window
                });
                let used = own.next()?.used_nano?;
                let milli = if resource == Resource::Cpu { 1_000 } else { 1 };
                let mean = used.checked_mul(milli)?.checked_div(piece.window.nanos())?;
                u64::try_from(mean).ok()
            };
            // What is frozen uses nothing, which says nothing of what it needs.
            let known = used(Resource::Cpu).zip(used(Resource::Memory));
            let Some((cpu_milli, memory_bytes)) = known.filter(|_| piece.shape.cpu_milli > 0)
            else {
                self.0.remove(&piece.node);
                continue;
            };
            self.one(piece, Resources { cpu_milli, memory_bytes, ..Resources::default() });
        }
        let there = |node: &NodeId| pieces.iter().any(|piece| piece.node == *node);
        self.0.retain(|node, _| there(node));
    }

    fn one(&mut self, piece: &Piece, used: Resources) {
        let window = piece.window;
        let goes_on = |it: &History| it.limits == piece.shape && it.until == window.from();
        let known = self.0.remove(&piece.node).filter(goes_on);
        let mut history = known.unwrap_or_else(|| History {
            limits: piece.shape,
            since: window.from(),
            until: window.from(),
            peak: Resources::default(),
            last: Resources::default(),
            counts: Default::default(),
        });
        (history.until, history.last) = (window.to(), used);
        history.peak = most(history.peak, used);
        for (counts, (resource, grain)) in history.counts.iter_mut().zip(GRAINS) {
            let whole = of(used, resource).div_ceil(grain).saturating_mul(grain);
            *counts.entry(whole).or_default() += 1;
        }
        self.0.insert(piece.node.clone(), history);
    }

    /// The history of a part of the machine.
    pub(crate) fn of(&self, node: &NodeId) -> Option<&History> {
        self.0.get(node)
    }
}

/// What was used no more than in 99 of 100 measurements of all of these.
pub(crate) fn usual(histories: &[&History]) -> Resources {
    let mut usual = Resources::default();
    for (at, (resource, _)) in GRAINS.into_iter().enumerate() {
        let mut all = Counts::new();
        for (amount, times) in histories.iter().flat_map(|it| &it.counts[at]) {
            *all.entry(*amount).or_default() += times;
        }
        let count: u64 = all.values().sum();
        let (rank, mut seen) = (count.saturating_mul(99).div_ceil(100), 0);
        let found = all.into_iter().find(|(_, times)| {
            seen += times;
            seen >= rank
        });
        let amount = found.map_or(0, |(amount, _)| amount);
        match resource {
            Resource::Cpu => usual.cpu_milli = amount,
            _ => usual.memory_bytes = amount,
        }
    }
    usual
}

/// The most of each.
pub(crate) fn most(one: Resources, other: Resources) -> Resources {
    Resources {
        cpu_milli: one.cpu_milli.max(other.cpu_milli),
        memory_bytes: one.memory_bytes.max(other.memory_bytes),
        ..one
    }
}

const fn of(amounts: Resources, resource: Resource) -> u64 {
    match resource {
        Resource::Cpu => amounts.cpu_milli,
        _ => amounts.memory_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{Attribution, OfferId, SourceId, Window, WorkloadId};
    use jiff::SignedDuration;
    use std::sync::Arc;

    fn piece(second: i64, limits: Resources) -> Piece {
        let from = Timestamp::from_second(second).unwrap();
        Piece {
            id: "x".repeat(64),
            node: NodeId::new("box/farthing.p1.0").unwrap(),
            offer: OfferId::new("local/box/share 1 1Gi/owned").unwrap(),
            who: Arc::new(Attribution::of(WorkloadId::new("train").unwrap())),
            shape: limits,
            window: Window::starting(from, SignedDuration::from_secs(10)).unwrap(),
        }
    }

    fn samples(piece: &Piece, cpu_milli: i128, memory: Option<i128>) -> Vec<Sample> {
        let nanos = piece.window.nanos();
        let sample = |resource, used_nano| Sample {
            source: SourceId::new("test").unwrap(),
            node: piece.node.clone(),
            device: None,
            slice: None,
            attribution: Some(Arc::clone(&piece.who)),
            resource,
            window: piece.window,
            requested_nano: 0,
            used_nano,
            held_nano: None,
        };
        let cpu = sample(Resource::Cpu, Some(cpu_milli * nanos / 1_000));
        vec![cpu, sample(Resource::Memory, memory.map(|bytes| bytes * nanos))]
    }

    #[test]
    fn it_goes_by_each_measurement_and_begins_anew_after_a_gap_or_with_other_limits() {
        let limits = Resources { cpu_milli: 1_000, memory_bytes: 1 << 30, ..Resources::default() };
        let node = piece(0, limits).node;
        let mut wear = Wear::default();
        let mut add = |second: i64, limits: Resources, used: (i128, Option<i128>)| {
            let piece = piece(second, limits);
            wear.add(&samples(&piece, used.0, used.1), std::slice::from_ref(&piece));
            wear.of(&node).map(|it| (it.since.as_second(), it.peak, usual(&[it]), it.last))
        };
        let mut last = None;
        for measurement in 0..200 {
            // One in a hundred of five times as much.
            let cpu = if measurement % 100 == 7 { 505 } else { 101 };
            last = add(measurement * 10, limits, (cpu, Some(3 << 20)));
        }
        let (since, peak, seldom, newest) = last.unwrap();
        assert_eq!((since, peak.cpu_milli, peak.memory_bytes), (0, 505, 3 << 20));
        assert_eq!((seldom.cpu_milli, seldom.memory_bytes), (110, 3 << 20), "in whole grains");
        assert_eq!(newest.cpu_milli, 101);
        // Three more in two hundred are not seldom any more.
        for measurement in 200..203 {
            last = add(measurement * 10, limits, (400, Some(3 << 20)));
        }
        assert_eq!(last.unwrap().2.cpu_milli, 400);
        assert_eq!(add(2_040, limits, (1, Some(1))).unwrap().0, 2_040, "ten seconds are missing");
        let less = Resources { cpu_milli: 500, ..limits };
        assert_eq!(add(2_050, less, (1, Some(1))).unwrap().0, 2_050, "other limits");
        assert_eq!(add(2_060, less, (1, None)), None, "nobody measured its memory");
        assert_eq!(add(2_070, Resources { cpu_milli: 0, ..less }, (0, Some(1))), None, "frozen");
    }
}
