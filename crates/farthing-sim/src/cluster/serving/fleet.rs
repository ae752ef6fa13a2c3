//! The replicas and their nodes: ordered, ready, busy, let go of, and paid for all of that time.

use super::ServingSpec;
use super::kinds::Kinds;
use crate::cluster::accounts::{Held, Hour, Paid, window};
use crate::cluster::error::ClusterError;
use farthing_model::{Attribution, Money, WorkloadId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Seconds of an hour.
const HOUR_S: i64 = 3_600;
/// Microseconds of a second.
pub(super) const SECOND_US: i64 = 1_000_000;
/// Parts of a replica's places, by which the least busy is found.
const PARTS: u64 = 1 << 20;

/// A replica.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) kind: usize,
    nodes: Vec<u32>,
    on_s: i64,
    /// When it can serve.
    pub(super) ready_s: i64,
    /// Requests that it works on.
    pub(super) busy: u32,
    /// It takes no more requests, and is gone when it has answered what it has.
    pub(super) leaves: bool,
    /// Microseconds of places that were taken since its use was last booked, and up to when.
    used_us: i128,
    used_to_us: i64,
}

/// All replicas.
pub(super) struct Fleet<'a> {
    spec: &'a ServingSpec,
    pub(super) kinds: &'a Kinds,
    /// Those that are paid, by number.
    pub(super) units: BTreeMap<u32, Unit>,
    /// Those that can take a request, the least busy first.
    free: BTreeSet<(u64, u32)>,
    numbers: u32,
    /// Nodes by kind of node that were given back, and how many there have been.
    nodes: Vec<(BTreeSet<u32>, u32)>,
    hour_s: i64,
    closed: (Vec<Paid>, Vec<Held>),
    hours: SyncSender<Hour>,
    who: Arc<Attribution>,
    pub(super) expected: Money,
    pub(super) used_nano: i128,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(
        (spec, kinds): (&'a ServingSpec, &'a Kinds),
        (now_s, zero): (i64, Money),
        hours: SyncSender<Hour>,
    ) -> Result<Self, ClusterError> {
        let who = Attribution::of(WorkloadId::new("service").map_err(ClusterError::name)?);
        Ok(Self {
            spec,
            kinds,
            units: BTreeMap::new(),
            free: BTreeSet::new(),
            numbers: 0,
            nodes: vec![(BTreeSet::new(), 0); spec.pools.len()],
            hour_s: now_s - now_s.rem_euclid(HOUR_S),
            closed: (Vec::new(), Vec::new()),
            hours,
            who: Arc::new(who),
            expected: zero,
            used_nano: 0,
        })
    }

    /// Replicas of each kind that take requests, or will when they are ready.
    pub(super) fn live(&self) -> Vec<u32> {
        self.counted(|unit| !unit.leaves)
    }

    /// Replicas of each kind that can serve now.
    pub(super) fn ready(&self, now_s: i64) -> Vec<u32> {
        self.counted(|unit| !unit.leaves && unit.ready_s <= now_s)
    }

    fn counted(&self, is: impl Fn(&Unit) -> bool) -> Vec<u32> {
        let mut counts = vec![0; self.kinds.all.len()];
        self.units.values().filter(|unit| is(unit)).for_each(|unit| counts[unit.kind] += 1);
        counts
    }

    /// Places of all replicas that take requests, now or when they are ready.
    pub(super) fn slots(&self, is: impl Fn(&Unit) -> bool) -> u64 {
        let units = self.units.values().filter(|unit| !unit.leaves && is(unit));
        units.map(|unit| u64::from(self.kinds.all[unit.kind].slots)).sum()
    }

    /// Orders a replica; `None`: there are no nodes for it.
    pub(super) fn order(&mut self, kind: usize, (now_s, ready_s): (i64, i64)) -> Option<u32> {
        let of = &self.kinds.all[kind];
        let (back, numbered) = &mut self.nodes[of.pool];
        let most = self.spec.pools[of.pool].nodes.unwrap_or(u32::MAX);
        let there = back.len() as u64 + u64::from(most - *numbered);
        if there < u64::from(of.nodes_each) {
            return None;
        }
        let nodes = (0..of.nodes_each).map(|_| {
            back.pop_first().unwrap_or_else(|| {
                *numbered += 1;
                *numbered - 1
            })
        });
        let nodes = nodes.collect();
        let number = self.numbers;
        self.numbers += 1;
        let unit = Unit {
            kind,
            nodes,
            on_s: now_s,
            ready_s,
            busy: 0,
            leaves: false,
            used_us: 0,
            used_to_us: now_s * SECOND_US,
        };
        self.units.insert(number, unit);
        Some(number)
    }

    /// How busy a replica is, for the order in which requests are given out.
    fn load(&self, unit: &Unit) -> u64 {
        u64::from(unit.busy) * PARTS / u64::from(self.kinds.all[unit.kind].slots)
    }

    /// A replica is ready, or takes requests again.
    pub(super) fn opens(&mut self, number: u32) {
        let Some(unit) = self.units.get_mut(&number) else { return };
        unit.leaves = false;
        let (busy, slots) = (unit.busy, self.kinds.all[unit.kind].slots);
        let unit = &self.units[&number];
        if busy < slots {
            let load = self.load(unit);
            self.free.insert((load, number));
        }
    }

    /// The replica that takes a request of a size: the least busy that can serve it, if one can.
    pub(super) fn takes(&self, size: u16) -> Option<u32> {
        let can = |number: u32| {
            let kind = self.units.get(&number).map(|unit| &self.kinds.all[unit.kind]);
            kind.is_some_and(|kind| kind.takes[usize::from(size)].is_some())
        };
        self.free.iter().map(|(_, number)| *number).find(|number| can(*number))
    }

    /// A replica has one request more, or one less, from now on.
    pub(super) fn busy(&mut self, number: u32, (more, now_us): (bool, i64)) {
        let Some(unit) = self.units.get(&number) else { return };
        let load = self.load(unit);
        self.free.remove(&(load, number));
        let Some(unit) = self.units.get_mut(&number) else { return };
        unit.use_until(now_us);
        unit.busy = if more { unit.busy + 1 } else { unit.busy.saturating_sub(1) };
        let takes = !unit.leaves && unit.busy < self.kinds.all[unit.kind].slots;
        let unit = &self.units[&number];
        if takes {
            let load = self.load(unit);
            self.free.insert((load, number));
        }
    }

    /// A replica takes no more requests; whether it is idle, and can be given back at once.
    pub(super) fn leaves(&mut self, number: u32) -> bool {
        let Some(unit) = self.units.get(&number) else { return false };
        let load = self.load(unit);
        self.free.remove(&(load, number));
        let Some(unit) = self.units.get_mut(&number) else { return false };
        unit.leaves = true;
        unit.busy == 0
    }

    /// Hands the hours over that are over at a moment.
    pub(super) fn advance(&mut self, now_s: i64) -> Result<(), ClusterError> {
        while self.hour_s + HOUR_S <= now_s {
            let to_s = self.hour_s + HOUR_S;
            let numbers: Vec<u32> = self.units.keys().copied().collect();
            for number in numbers {
                self.book(number, to_s);
            }
            self.hand_over();
        }
        Ok(())
    }

    fn hand_over(&mut self) {
        let (paid, held) = std::mem::take(&mut self.closed);
        // The ledger has stopped: why, it says itself.
        let _sent = self.hours.send(Hour { from_s: self.hour_s, paid, held });
        self.hour_s += HOUR_S;
    }

    /// Gives a replica back.
    pub(super) fn gone(&mut self, number: u32, now_s: i64) -> Result<(), ClusterError> {
        self.book(number, now_s);
        let Some(unit) = self.units.remove(&number) else { return Ok(()) };
        let pool = self.kinds.all[unit.kind].pool;
        if unit.on_s < now_s {
            let whole = window(unit.on_s, now_s)?;
            let price = self.spec.pools[pool].price;
            for _ in &unit.nodes {
                let cost = price.cost(whole).map_err(ClusterError::Money)?;
                self.expected = self.expected.checked_add(cost).map_err(ClusterError::Money)?;
            }
        }
        self.nodes[pool].0.extend(unit.nodes);
        Ok(())
    }

    /// Books what a replica was paid and used for in the running hour, up to a moment.
    fn book(&mut self, number: u32, to_s: i64) {
        let Some(unit) = self.units.get_mut(&number) else { return };
        unit.use_until(to_s * SECOND_US);
        let from_s = unit.on_s.max(self.hour_s);
        if from_s >= to_s {
            return;
        }
        let kind = &self.kinds.all[unit.kind];
        let (pool, count) = (kind.pool, self.spec.pools[kind.pool].accelerators);
        let ready_s = unit.ready_s.clamp(from_s, to_s);
        // Places stand for the accelerators of the nodes, all alike.
        let used = std::mem::take(&mut unit.used_us) * 1_000 * i128::from(count);
        let used_nano = used / i128::from(kind.slots);
        for node in unit.nodes.iter().copied() {
            self.closed.0.push(Paid { pool, node, from_s, to_s, ready_s });
            self.closed.1.push(Held {
                pool,
                node,
                count,
                from_s: ready_s,
                to_s,
                runs_s: ready_s,
                used_nano: Some(used_nano),
                who: Arc::clone(&self.who),
            });
            self.used_nano += used_nano;
        }
    }

    /// Gives all replicas back, and hands the last hour over.
    pub(super) fn close(&mut self, now_s: i64) -> Result<(), ClusterError> {
        let numbers: Vec<u32> = self.units.keys().copied().collect();
        for number in numbers {
            self.gone(number, now_s)?;
        }
        self.hand_over();
        Ok(())
    }
}

impl Unit {
    fn use_until(&mut self, now_us: i64) {
        let from_us = self.used_to_us.max(self.ready_s * SECOND_US);
        if now_us > from_us {
            self.used_us += i128::from(now_us - from_us) * i128::from(self.busy);
        }
        self.used_to_us = self.used_to_us.max(now_us);
    }
}
