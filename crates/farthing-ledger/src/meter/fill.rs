//! How claims fill a node's capacity: nothing above it, and what they leave is unallocated.

use super::claim::{Claim, Claims, SYSTEM, is_of, overflow};
use super::device::{Arrangements, Devices, keep_devices_within};
use super::limit::{Claimants, Limit, are_within, keep_within};
use super::number::Series;
use super::stretch::{PieceKind, Timelines};
use super::volume::share_equally;
use super::{Fault, MeterError, Method, Overcommit};
use crate::amount::Nanos;
use farthing_model::{Asset, Destination, Detail, NANOS_PER_SECOND, Resource};
use std::collections::{BTreeMap, BTreeSet};

/// Where a quantity went: for whom, to which destination, and what else is known of it.
pub(super) type Place = (u32, Destination, Option<Detail>);

/// The quantities of each (stretch, resource), and what was odd.
#[derive(Default)]
pub(super) struct Filled {
    pub(super) shares: BTreeMap<(usize, Resource), BTreeMap<Place, i128>>,
    pub(super) overcommits: Vec<Overcommit>,
    pub(super) faults: Vec<Fault>,
    /// Nodes whose claims were cut, or are when they are metered together with those of other
    /// times; only where that is asked for.
    pub(super) tight: BTreeSet<usize>,
}

/// Fills every node's pieces with the claims on them.
pub(super) fn fill(
    timelines: &Timelines<'_>,
    claims: &mut Claims,
    method: Method,
) -> Result<Filled, MeterError> {
    fill_some(timelines, claims, method, &|_| true)
}

/// Fills the pieces of some nodes, which alone have claims.
pub(super) fn fill_some(
    timelines: &Timelines<'_>,
    claims: &mut Claims,
    method: Method,
    is_asked: &dyn Fn(usize) -> bool,
) -> Result<Filled, MeterError> {
    let (known, filled) = (Arrangements::new(), Filled::default());
    let all = std::mem::take(&mut claims.all);
    let filler = Filler { timelines, claims, method, known, filled, is_watched: false };
    filler.fill(all, is_asked)
}

/// Fills every node's pieces, the current way, and says which nodes are [`Filled::tight`].
pub(super) fn fill_watched(
    timelines: &Timelines<'_>,
    claims: &mut Claims,
) -> Result<Filled, MeterError> {
    let (known, filled, method) = (Arrangements::new(), Filled::default(), Method::ByDevice);
    let all = std::mem::take(&mut claims.all);
    let filler = Filler { timelines, claims, method, known, filled, is_watched: true };
    filler.fill(all, &|_| true)
}

/// Everything that filling needs.
struct Filler<'a> {
    timelines: &'a Timelines<'a>,
    claims: &'a Claims,
    method: Method,
    known: Arrangements,
    filled: Filled,
    is_watched: bool,
}

impl Filler<'_> {
    /// Fills the pieces of some nodes with all claims.
    fn fill(
        mut self,
        mut all: Vec<Claim>,
        is_asked: &dyn Fn(usize) -> bool,
    ) -> Result<Filled, MeterError> {
        let (mut rest, mut series) = (all.as_mut_slice(), self.claims.series.as_slice());
        for node in (0..self.timelines.nodes.len()).filter(|node| is_asked(*node)) {
            for resource in Resource::CHARGED {
                let (here, after) =
                    series.split_at(series.partition_point(|(s, _)| is_of(s, node, resource)));
                series = after;
                let count = here.iter().map(|(_, range)| range.len()).sum();
                let (parts, behind) = std::mem::take(&mut rest).split_at_mut(count);
                rest = behind;
                self.resource(node, resource, parts)?;
            }
        }
        Ok(self.filled)
    }

    /// Fills all pieces of one node's resource.
    fn resource(
        &mut self,
        node: usize,
        resource: Resource,
        here: &mut [Claim],
    ) -> Result<(), MeterError> {
        let pieces = &self.timelines.pieces[node];
        // Mostly a node has one piece of time, and all claims are in it as they are.
        if let [piece] = pieces[..]
            && piece.kind == PieceKind::Ready
            && here.iter().all(|claim| claim.span.intersect(piece.span) == Some(claim.span))
        {
            return self.piece((node, 0), resource, here);
        }
        let mut per_piece = vec![vec![]; pieces.len()];
        for claim in here.iter() {
            let first = pieces.partition_point(|piece| piece.span.to <= claim.span.from);
            for (piece, parts) in pieces.iter().zip(&mut per_piece).skip(first) {
                let Some(both) = claim.span.intersect(piece.span) else { break };
                parts.push(claim.part(both).ok_or_else(|| self.overflow(claim))?);
            }
        }
        self.strays(node, resource, (here, &per_piece));
        for (index, parts) in per_piece.iter_mut().enumerate() {
            self.piece((node, index), resource, parts)?;
        }
        Ok(())
    }

    fn series(&self, claim: &Claim) -> &Series {
        &self.claims.series[claim.series as usize].0
    }

    fn overflow(&self, claim: &Claim) -> MeterError {
        overflow(self.timelines, self.series(claim))
    }

    /// Reports what was claimed outside of ready and measured time.
    fn strays(
        &mut self,
        node: usize,
        resource: Resource,
        (claims, per_piece): (&[Claim], &[Vec<Claim>]),
    ) {
        let sum = |claims: &[Claim]| claims.iter().map(Claim::claimed).sum::<i128>();
        let ready = self.timelines.pieces[node].iter().zip(per_piece);
        let placed = ready.filter(|(piece, _)| piece.kind == PieceKind::Ready);
        let quantity_nano = sum(claims) - placed.map(|(_, parts)| sum(parts)).sum::<i128>();
        if quantity_nano > 0 {
            let node = self.timelines.nodes[node].clone();
            self.filled.faults.push(Fault::Stray { node, resource, quantity_nano });
        }
    }

    /// Books one piece of one node's resource.
    fn piece(
        &mut self,
        (node, index): (usize, usize),
        resource: Resource,
        parts: &mut [Claim],
    ) -> Result<(), MeterError> {
        let piece = self.timelines.pieces[node][index];
        let stretch = &self.timelines.stretches[piece.stretch];
        let by_quantity = stretch.like.asset == Asset::Network;
        // Bytes sent have no place on a node, and nothing else has one on a network.
        let is_here = by_quantity == (resource == Resource::Network);
        if !is_here && !parts.is_empty() {
            let quantity_nano = parts.iter().map(Claim::claimed).sum();
            let node = self.timelines.nodes[node].clone();
            self.filled.faults.push(Fault::Stray { node, resource, quantity_nano });
        }
        let parts = if is_here { parts } else { &mut [] };
        let capacity = stretch.capacity(resource, piece.span)?;
        let mut unusable = 0;
        let mut places: Vec<(Place, i128)> = Vec::new();
        match piece.kind {
            PieceKind::Booting => {
                places.push(((SYSTEM, Destination::Overhead, None), capacity));
            }
            PieceKind::Unmeasured => {
                let detail = (self.method != Method::ByNode).then_some(Detail::Unmeasured);
                places.push(((SYSTEM, Destination::Unallocated, detail), capacity));
            }
            PieceKind::Ready => {
                if !by_quantity {
                    let nano = stretch.like.capacity.nano(resource);
                    unusable = self.limit((node, stretch.like.asset), resource, nano, parts)?;
                }
                self.places(parts, &mut places);
                let claimed: i128 = places.iter().map(|(_, nano)| nano).sum();
                let left = if by_quantity { 0 } else { capacity - claimed };
                let unusable = unusable.min(left.max(0));
                let place = |detail| (SYSTEM, Destination::Unallocated, detail);
                places.push((place(Some(Detail::Fragmented)), unusable));
                places.push((place(None), left - unusable));
            }
        }
        let shares = self.filled.shares.entry((piece.stretch, resource)).or_default();
        for (place, nano) in places.into_iter().filter(|(_, nano)| *nano != 0) {
            *shares.entry(place).or_default() += nano;
        }
        Ok(())
    }

    /// Keeps claims within what there is, and says how much of that is of use to nobody.
    fn limit(
        &mut self,
        (node, asset): (usize, Asset),
        resource: Resource,
        nano: i128,
        parts: &mut [Claim],
    ) -> Result<i128, MeterError> {
        let error = || {
            let node = self.timelines.nodes[node].clone();
            MeterError::Overflow { node, resource }
        };
        if asset == Asset::Volume {
            let over = |span| Limit::Nano(nano).over(span);
            return share_equally(parts, over).map(|()| 0).ok_or_else(error);
        }
        if self.is_watched && !self.is_loose(resource, nano, parts).ok_or_else(error)? {
            self.filled.tight.insert(node);
        }
        let mut devices = Devices { unknown: parts.len(), ..Devices::default() };
        if resource == Resource::Gpu && self.method != Method::ByNode {
            devices = keep_devices_within(self.claims, parts, &mut self.known).ok_or_else(error)?;
        }
        let on_devices = i128::try_from(devices.count).map_err(|_| error())? * NANOS_PER_SECOND;
        let mut overs = Vec::new();
        // Claims on known devices are within these; if all are, and no more devices than the node
        // has, they are within the node.
        if devices.unknown > 0 || on_devices > nano {
            let claimants = Claimants { parts, first: devices.unknown };
            overs = keep_within(Limit::Nano(nano), claimants).ok_or_else(error)?;
        }
        for device in devices.overs.chunk_by(|a, b| a.0 == b.0) {
            let over: Vec<_> = device.iter().map(|(_, span, over)| (*span, *over)).collect();
            self.report((node, resource, Some(device[0].0)), &over);
        }
        self.report((node, resource, None), &overs);
        Ok(devices.fragmented)
    }

    /// Whether claims stay as they are, whatever is claimed at other times.
    fn is_loose(&self, resource: Resource, nano: i128, parts: &[Claim]) -> Option<bool> {
        let device = |part: &Claim| self.series(part).device;
        if resource == Resource::Gpu {
            for of_one in parts.chunk_by(|a, b| device(a) == device(b)) {
                if device(&of_one[0]) != 0 && !are_within(Limit::DEVICE, of_one)? {
                    return Some(false);
                }
            }
        }
        are_within(Limit::Nano(nano), parts)
    }

    /// Sums the parts by whom they are for.
    fn places(&self, parts: &[Claim], places: &mut Vec<(Place, i128)>) {
        for series in parts.chunk_by(|a, b| a.series == b.series) {
            let who = self.series(&series[0]).who;
            let (mut used, mut idle, mut held, mut bare, mut unknown) = (0, 0, 0, 0, 0);
            for part in series {
                used += part.used;
                // What is held and not known to be used may be; what is not held is not.
                match (part.watched, part.known) {
                    _ if self.method == Method::ByNode => idle += part.idle,
                    (true, true) => held += part.held,
                    (true, false) => unknown += part.held,
                    (false, true) => idle += part.idle,
                    (false, false) => unknown += part.idle,
                }
                if part.watched && self.method != Method::ByNode {
                    bare += part.idle - part.held;
                }
            }
            if who == SYSTEM {
                let whole = used + idle + held + bare + unknown;
                places.push(((SYSTEM, Destination::Overhead, None), whole));
                continue;
            }
            places.push(((who, Destination::Used, None), used));
            places.push(((who, Destination::Idle, None), idle));
            places.push(((who, Destination::Idle, Some(Detail::Held)), held));
            places.push(((who, Destination::Idle, Some(Detail::Bare)), bare));
            places.push(((who, Destination::Idle, Some(Detail::Unknown)), unknown));
        }
    }

    /// Adds what is over a limit, joined where there is no gap.
    fn report(
        &mut self,
        (node, resource, device): (usize, Resource, Option<u32>),
        overs: &[(Nanos, i128)],
    ) {
        let mut joined: Vec<(Nanos, i128)> = Vec::new();
        for &(span, over) in overs {
            match joined.last_mut() {
                Some((last, sum)) if last.to == span.from => {
                    last.to = span.to;
                    *sum += over;
                }
                _ => joined.push((span, over)),
            }
        }
        for (span, over_nano) in joined {
            let Some(window) = span.window() else { continue };
            let node = self.timelines.nodes[node].clone();
            let device = device.map(|number| self.claims.devices[number as usize - 1].clone());
            self.filled.overcommits.push(Overcommit { node, device, resource, window, over_nano });
        }
    }
}
