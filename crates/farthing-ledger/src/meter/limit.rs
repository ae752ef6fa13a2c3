//! Limits: claims never sum above what there is, at any instant. Where they would, they are scaled
//! down in proportion, and how much was too much is said.
//!
//! It refuses to know what is limited: a node's resource, a device, a slice of one.

use super::claim::Claim;
use crate::amount::{Nanos, amount_in, capacity_over};
use farthing_model::{NANOS_PER_SECOND, Share, proportion, split};

/// What there is to claim at any instant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// 10^-9 units of a resource.
    Nano(i128),
    /// A share of one device.
    Share(Share),
}

impl Limit {
    /// One device.
    pub(super) const DEVICE: Self = Self::Nano(NANOS_PER_SECOND);

    /// What it offers over a span, in 10^-9 unit-seconds; `None` when that does not fit.
    pub(super) fn over(self, span: Nanos) -> Option<i128> {
        match self {
            Self::Nano(nano) => capacity_over(nano, span),
            Self::Share(share) => Some(share.between(span.from, span.to)),
        }
    }

    /// Whether claims of at most so much, each over at least so many nanoseconds, are surely each
    /// within what there is of it, however that is rounded.
    pub(super) fn surely_holds(self, most: i128, nanos: i128) -> Option<bool> {
        let Self::Nano(nano) = self else { return Some(false) };
        // A part of a unit is cut at instants, which may take one from a span.
        let most = if nano % NANOS_PER_SECOND == 0 { most } else { most.checked_add(1)? };
        Some(most.checked_mul(NANOS_PER_SECOND)? <= nano.checked_mul(nanos)?)
    }
}

/// Claims that share a limit. Those before `first` have what the others leave.
pub(super) struct Claimants<'a> {
    pub(super) parts: &'a mut [Claim],
    pub(super) first: usize,
}

/// A claim's part of a suspect span.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Touch {
    suspect: usize,
    part: usize,
    used: i128,
    idle: i128,
}

/// Scales claims down wherever they sum over a limit, and returns where and by how much.
///
/// Only spans that may be over are looked at claim by claim, so that the work is sorting unless
/// the limit is reached. `None` when an amount does not fit.
pub(super) fn keep_within(limit: Limit, claimants: Claimants<'_>) -> Option<Vec<(Nanos, i128)>> {
    let Claimants { parts, first } = claimants;
    let one = parts.first().map(|part| part.series);
    if parts.iter().all(|part| Some(part.series) == one) {
        return keep_one_within(limit, parts);
    }
    if surely_within(limit, parts)? {
        return Some(vec![]);
    }
    let suspects = suspects(limit, parts)?;
    let touched = touched(&suspects, parts)?;
    let mut overs = Vec::new();
    for group in touched.chunk_by(|a, b| a.suspect == b.suspect) {
        let span = suspects[group[0].suspect];
        let (behind, before) = group.split_at(group.partition_point(|one| one.part < first));
        let room = limit.over(span)?;
        let (granted, over) = grant(room, before)?;
        let (_, more) = scale(room - granted, behind, parts)?;
        scale(room, before, parts)?;
        let over = over + more;
        // Cutting a sample rounds twice (used and idle), so this little is not a finding.
        if over > 2 * i128::try_from(group.len()).ok()? {
            overs.push((span, over));
        }
    }
    Some(overs)
}

/// Whether claims are within a limit at every instant, also when each is cut wherever another
/// begins or ends: [`keep_within`] leaves them as they are then, whatever else is claimed at other
/// times.
pub(super) fn are_within(limit: Limit, parts: &[Claim]) -> Option<bool> {
    let Some(first) = parts.first() else { return Some(true) };
    if parts.iter().all(|part| part.span == first.span) {
        let sum = parts.iter().try_fold(0_i128, |sum, part| sum.checked_add(part.claimed()))?;
        return Some(sum <= limit.over(first.span)?);
    }
    let suspects = suspects(limit, parts)?;
    for group in touched(&suspects, parts)?.chunk_by(|a, b| a.suspect == b.suspect) {
        let (_, over) = grant(limit.over(suspects[group[0].suspect])?, group)?;
        if over > 0 {
            return Some(false);
        }
    }
    Some(true)
}

/// The parts of claims in suspect spans, by span.
fn touched(suspects: &[Nanos], parts: &[Claim]) -> Option<Vec<Touch>> {
    let mut touched: Vec<Touch> = Vec::new();
    // A claim of nothing has no edges among the suspects' and cannot be over.
    let claims = parts.iter().enumerate().filter(|(_, part)| part.claimed() > 0);
    for (index, part) in claims {
        let start = suspects.partition_point(|span| span.to <= part.span.from);
        for (number, &span) in suspects.iter().enumerate().skip(start) {
            if span.from >= part.span.to {
                break;
            }
            let used = amount_in(part.used, part.span, span)?;
            let idle = amount_in(part.idle, part.span, span)?;
            touched.push(Touch { suspect: number, part: index, used, idle });
        }
    }
    touched.sort_unstable();
    Some(touched)
}

/// What is granted of `room`, and what is claimed beyond it.
fn grant(room: i128, group: &[Touch]) -> Option<(i128, i128)> {
    let claimed = group.iter().try_fold(0_i128, |sum, one| sum.checked_add(one.used + one.idle))?;
    Some((claimed.min(room), (claimed - room).max(0)))
}

/// Scales a group down to `room`, in proportion, if it claims more.
fn scale(room: i128, group: &[Touch], parts: &mut [Claim]) -> Option<(i128, i128)> {
    let (given, over) = grant(room, group)?;
    if over > 0 {
        let claimed: Vec<i128> = group.iter().map(|one| one.used + one.idle).collect();
        for (one, granted) in group.iter().zip(split(room, &claimed).ok()?) {
            reduce(&mut parts[one.part], (one.used, one.idle), granted)?;
        }
    }
    Some((given, over))
}

/// Leaves a claim `granted` of the part of it that has `used` and `idle`: what is used counts
/// first.
fn reduce(part: &mut Claim, (used, idle): (i128, i128), granted: i128) -> Option<()> {
    let kept = used.min(granted);
    let before = part.idle;
    part.used += kept - used;
    part.idle += granted - kept - idle;
    part.held = if before == 0 { 0 } else { proportion(part.held, part.idle, before)? };
    Some(())
}

/// The claims of one series do not overlap, so that each is looked at alone.
fn keep_one_within(limit: Limit, parts: &mut [Claim]) -> Option<Vec<(Nanos, i128)>> {
    let mut overs = Vec::new();
    for part in parts {
        let room = limit.over(part.span)?;
        let over = part.claimed() - room;
        if over <= 0 {
            continue;
        }
        if over > 2 {
            overs.push((part.span, over));
        }
        let amounts = (part.used, part.idle);
        reduce(part, amounts, room)?;
    }
    Some(overs)
}

/// Whether even the highest rates of all series together are within the limit: a look at each
/// claim, and no sorting.
fn surely_within(limit: Limit, parts: &[Claim]) -> Option<bool> {
    let mut rates = Vec::new();
    for series in parts.chunk_by(|a, b| a.series == b.series) {
        let most = series.iter().map(Claim::claimed).max()?;
        rates.push((most, series.iter().map(|part| part.span.len()).min()?));
    }
    surely_rated_within(limit, rates.into_iter())
}

/// Whether series are surely within a limit, by the largest claim of each and the shortest time of
/// one.
pub(super) fn surely_rated_within(
    limit: Limit,
    series: impl Iterator<Item = (i128, i128)>,
) -> Option<bool> {
    let mut rates = 0_i128;
    for (most, shortest) in series {
        if most == 0 {
            continue;
        }
        let amount = most.checked_mul(NANOS_PER_SECOND)?;
        rates = rates.checked_add(amount.checked_add(shortest - 1)? / shortest)?;
    }
    Some(rates <= limit.over(Nanos { from: 0, to: NANOS_PER_SECOND })?)
}

/// The elementary spans in which claims may sum over the limit: between two edges of claims, by
/// rates rounded up. In order, without overlap.
fn suspects(limit: Limit, parts: &[Claim]) -> Option<Vec<Nanos>> {
    // (when, change of rate, change of count); claims of nothing change nothing.
    let mut edges: Vec<(i128, i128, i128)> = Vec::with_capacity(2 * parts.len());
    for part in parts.iter().filter(|part| part.claimed() > 0) {
        let amount = part.claimed().checked_mul(NANOS_PER_SECOND)?;
        let rate = amount.checked_add(part.span.len() - 1)? / part.span.len();
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
        if most > limit.over(span)? {
            suspects.push(span);
        }
    }
    Some(suspects)
}
