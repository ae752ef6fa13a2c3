//! How claims fill a node's capacity: nothing above it, and what they leave is unallocated.

use super::claim::{Claim, Claims, SYSTEM};
use super::stretch::{PieceKind, Timelines};
use super::{Fault, MeterError, Overcommit};
use crate::amount::{Nanos, amount_in, capacity_over};
use farthing_model::{Destination, NANOS_PER_SECOND, Resource, split};
use std::collections::BTreeMap;

/// Where a quantity went: to which destination, for whom.
pub(super) type Place = (u32, Destination);

/// The quantities of each (stretch, resource), and what was odd.
pub(super) struct Filled {
    pub(super) shares: BTreeMap<(usize, Resource), BTreeMap<Place, i128>>,
    pub(super) overcommits: Vec<Overcommit>,
    pub(super) faults: Vec<Fault>,
}

/// Fills every node's pieces with the claims on them.
pub(super) fn fill(timelines: &Timelines<'_>, claims: &Claims) -> Result<Filled, MeterError> {
    let mut filled = Filled { shares: BTreeMap::new(), overcommits: vec![], faults: vec![] };
    let mut rest = claims.all.as_slice();
    for (node, pieces) in timelines.pieces.iter().enumerate() {
        for resource in Resource::ALL {
            let is_here = |claim: &Claim| claim.node == node && claim.resource == resource;
            let (here, after) = rest.split_at(rest.partition_point(is_here));
            rest = after;
            let mut per_piece = vec![vec![]; pieces.len()];
            for claim in here {
                let first = pieces.partition_point(|piece| piece.span.to <= claim.span.from);
                for (piece, parts) in pieces.iter().zip(&mut per_piece).skip(first) {
                    let Some(both) = claim.span.intersect(piece.span) else { break };
                    parts.push(claim.part(both).ok_or_else(|| claim.overflow(timelines))?);
                }
            }
            filled.strays(timelines, node, resource, (here, &per_piece));
            for (index, parts) in per_piece.iter_mut().enumerate() {
                filled.piece(timelines, (node, index), resource, parts)?;
            }
        }
    }
    Ok(filled)
}

impl Filled {
    /// Reports what was claimed outside of ready and measured time.
    fn strays(
        &mut self,
        timelines: &Timelines<'_>,
        node: usize,
        resource: Resource,
        (claims, per_piece): (&[Claim], &[Vec<Claim>]),
    ) {
        let sum = |claims: &[Claim]| claims.iter().map(|c| c.used + c.idle).sum::<i128>();
        let ready = timelines.pieces[node].iter().zip(per_piece);
        let placed = ready.filter(|(piece, _)| piece.kind == PieceKind::Ready);
        let quantity_nano = sum(claims) - placed.map(|(_, parts)| sum(parts)).sum::<i128>();
        if quantity_nano > 0 {
            let node = timelines.nodes[node].clone();
            self.faults.push(Fault::Stray { node, resource, quantity_nano });
        }
    }

    /// Books one piece of one node's resource.
    fn piece(
        &mut self,
        timelines: &Timelines<'_>,
        (node, index): (usize, usize),
        resource: Resource,
        parts: &mut [Claim],
    ) -> Result<(), MeterError> {
        let piece = timelines.pieces[node][index];
        let stretch = &timelines.stretches[piece.stretch];
        let capacity = stretch.capacity(resource, piece.span)?;
        let claimed = match piece.kind {
            PieceKind::Ready => {
                let nano = stretch.like.capacity.nano(resource);
                let overflow = || stretch_overflow(timelines, node, resource);
                let overs = keep_within(nano, parts).ok_or_else(overflow)?;
                self.report(timelines, node, resource, &overs);
                parts.iter().map(|part| part.used + part.idle).sum()
            }
            PieceKind::Booting | PieceKind::Unmeasured => 0,
        };
        let shares = self.shares.entry((piece.stretch, resource)).or_default();
        let mut add = |who, destination, nano: i128| {
            if nano != 0 {
                *shares.entry((who, destination)).or_default() += nano;
            }
        };
        match piece.kind {
            PieceKind::Booting => add(SYSTEM, Destination::Overhead, capacity),
            PieceKind::Unmeasured => add(SYSTEM, Destination::Unallocated, capacity),
            PieceKind::Ready => {
                for part in parts {
                    if part.who == SYSTEM {
                        add(SYSTEM, Destination::Overhead, part.used + part.idle);
                    } else {
                        add(part.who, Destination::Used, part.used);
                        add(part.who, Destination::Idle, part.idle);
                    }
                }
                add(SYSTEM, Destination::Unallocated, capacity - claimed);
            }
        }
        Ok(())
    }

    /// Adds what is over capacity, joined where there is no gap.
    fn report(
        &mut self,
        timelines: &Timelines<'_>,
        node: usize,
        resource: Resource,
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
            let node = timelines.nodes[node].clone();
            let window = span.window();
            self.overcommits.extend(window.map(|window| Overcommit {
                node,
                resource,
                window,
                over_nano,
            }));
        }
    }
}

fn stretch_overflow(timelines: &Timelines<'_>, node: usize, resource: Resource) -> MeterError {
    MeterError::Overflow { node: timelines.nodes[node].clone(), resource }
}

/// Scales claims down wherever they sum over capacity, and returns where and by how much.
///
/// Only spans that may be over are looked at claim by claim, so that the work is sorting unless a
/// node is full. `None` when an amount does not fit.
fn keep_within(capacity_nano: i128, parts: &mut [Claim]) -> Option<Vec<(Nanos, i128)>> {
    let suspects = suspects(capacity_nano, parts)?;
    if suspects.is_empty() {
        return Some(vec![]);
    }
    // (suspect, part, used, idle) in order of suspects.
    let mut touched: Vec<(usize, usize, i128, i128)> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let first = suspects.partition_point(|span| span.to <= part.span.from);
        for (number, &span) in suspects.iter().enumerate().skip(first) {
            if span.from >= part.span.to {
                break;
            }
            let used = amount_in(part.used, part.span, span)?;
            let idle = amount_in(part.idle, part.span, span)?;
            touched.push((number, index, used, idle));
        }
    }
    touched.sort_unstable();
    let mut overs = Vec::new();
    for group in touched.chunk_by(|a, b| a.0 == b.0) {
        let span = suspects[group[0].0];
        let capacity = capacity_over(capacity_nano, span)?;
        let claimed: Vec<i128> = group.iter().map(|(_, _, used, idle)| used + idle).collect();
        let over = claimed.iter().sum::<i128>() - capacity;
        if over <= 0 {
            continue;
        }
        // Cutting a sample rounds twice (used and idle), so this little is not a finding.
        if over > 2 * i128::try_from(group.len()).ok()? {
            overs.push((span, over));
        }
        let granted = split(capacity, &claimed).ok()?;
        for (&(_, index, used, idle), granted) in group.iter().zip(granted) {
            let kept = used.min(granted);
            parts[index].used += kept - used;
            parts[index].idle += granted - kept - idle;
        }
    }
    Some(overs)
}

/// The elementary spans in which claims may sum over capacity: between two edges of claims, by
/// rates rounded up. In order, without overlap.
fn suspects(capacity_nano: i128, parts: &[Claim]) -> Option<Vec<Nanos>> {
    // (when, change of rate, change of count); claims of nothing change nothing.
    let mut edges: Vec<(i128, i128, i128)> = Vec::with_capacity(2 * parts.len());
    for part in parts.iter().filter(|part| part.used + part.idle > 0) {
        let amount = (part.used + part.idle).checked_mul(NANOS_PER_SECOND)?;
        let rate = amount.div_ceil_positive(part.span.len())?;
        edges.push((part.span.from, rate, 1));
        edges.push((part.span.to, -rate, -1));
    }
    edges.sort_unstable_by_key(|edge| edge.0);
    let (mut rate, mut active) = (0_i128, 0_i128);
    let mut suspects = Vec::new();
    let mut edges = edges.into_iter().peekable();
    while let Some((at, change, count)) = edges.next() {
        rate += change;
        active += count;
        let Some(&(next, ..)) = edges.peek() else { break };
        if next == at {
            continue;
        }
        let span = Nanos { from: at, to: next };
        let most = rate.checked_mul(span.len())? / NANOS_PER_SECOND + 2 * active + 1;
        if most > capacity_over(capacity_nano, span)? {
            suspects.push(span);
        }
    }
    Some(suspects)
}

/// Division of non-negative numbers, rounded up.
trait DivCeil: Sized {
    fn div_ceil_positive(self, divisor: Self) -> Option<Self>;
}

impl DivCeil for i128 {
    fn div_ceil_positive(self, divisor: Self) -> Option<Self> {
        Some(self.checked_add(divisor - 1)? / divisor)
    }
}
