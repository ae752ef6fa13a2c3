//! Volumes: whoever has one mounted at an instant shares it equally with the others who have.
//!
//! It refuses to know what a mount asked for: a volume is mounted or it is not.

use super::claim::Claim;
use crate::amount::Nanos;
use farthing_model::{proportion, split};

/// Parts of a nanosecond that equal shares of time are counted in.
const FINE: i128 = 1 << 40;

/// Gives each mount its part of the volume's time: of a span in which `n` have it mounted, an n-th
/// each. What the volume holds is used by them in the same parts. Together they have exactly what
/// `over` says the volume offers in the time it is mounted. `None` when an amount does not fit.
pub(super) fn share_equally(
    parts: &mut [Claim],
    over: impl Fn(Nanos) -> Option<i128>,
) -> Option<()> {
    let mut edges: Vec<(i128, i128)> = Vec::with_capacity(2 * parts.len());
    for part in parts.iter() {
        edges.extend([(part.span.from, 1), (part.span.to, -1)]);
    }
    edges.sort_unstable();
    // The running total of an equal share of time, at each edge; and what was mounted in all.
    let mut until: Vec<(i128, i128)> = Vec::with_capacity(edges.len());
    let (mut mounts, mut shared, mut mounted, mut last) = (0_i128, 0_i128, 0_i128, i128::MIN);
    for (at, change) in edges {
        if mounts > 0 && at > last {
            shared += (at - last) * FINE / mounts;
            mounted = mounted.checked_add(over(Nanos { from: last, to: at })?)?;
        }
        if until.last().is_none_or(|(known, _)| *known != at) {
            until.push((at, shared));
        }
        mounts += change;
        last = at;
    }
    let total = |at: i128| {
        let index = until.binary_search_by_key(&at, |(known, _)| *known).ok()?;
        Some(until[index].1)
    };
    let mut times = Vec::with_capacity(parts.len());
    for part in parts.iter() {
        times.push(total(part.span.to)? - total(part.span.from)?);
    }
    for ((part, time), granted) in parts.iter_mut().zip(&times).zip(split(mounted, &times).ok()?) {
        let used = proportion(part.used, *time, part.span.len() * FINE)?;
        part.used = used.min(granted);
        part.idle = granted - part.used;
        part.held = 0;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(from: i128, to: i128, used: i128) -> Claim {
        let span = Nanos { from, to };
        Claim { series: 0, watched: false, known: true, span, used, idle: 0, held: 0 }
    }

    #[test]
    fn each_join_and_leave_changes_the_shares() {
        // Alone for 60, two for 60, three for 30, nobody for 10, then one for 20.
        let mut mounts =
            [mount(0, 150, 300), mount(60, 150, 180), mount(120, 150, 0), mount(160, 180, 999)];
        share_equally(&mut mounts, |span| Some(span.len() * 6)).unwrap();
        let granted: Vec<i128> = mounts.iter().map(Claim::claimed).collect();
        assert_eq!(granted, [6 * (60 + 30 + 10), 6 * (30 + 10), 6 * 10, 6 * 20]);
        // The first reports 2 of 6 in use: of 100 of the 150 that are its own it used 200.
        let used: Vec<i128> = mounts.iter().map(|part| part.used).collect();
        assert_eq!(used, [200, 80, 0, 120]);
    }

    #[test]
    fn thirds_sum_to_the_whole() {
        let mut mounts = [mount(0, 100, 0), mount(0, 100, 0), mount(0, 100, 0)];
        share_equally(&mut mounts, |span| Some(span.len())).unwrap();
        let granted: Vec<i128> = mounts.iter().map(Claim::claimed).collect();
        assert_eq!(granted, [34, 33, 33]);
    }
}
