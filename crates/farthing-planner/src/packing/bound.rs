//! What any packing costs at least.
//!
//! Whatever each pod is worth: if no machine holds more than its price, all pods together are worth
//! no more than any packing costs (weak duality; Farley, "A note on bounding a class of linear
//! programming problems, including cutting stock problems", 1990). Worths that are too high are
//! scaled down by the machine that is exceeded most; a machine of which there are only so many may
//! be exceeded, for as much as that makes up.

use super::problem::{Open, Problem};

/// Worths of pods, and what they prove.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    pub(super) cost: u128,
    pub(super) worths: Vec<u64>,
}

/// The least that all that is open costs. `uppers` has what machines can hold at most, by these
/// worths.
pub(super) fn proven(
    problem: &Problem,
    open: &Open,
    worths: &[u64],
    uppers: &[(usize, u64)],
) -> u128 {
    let each = open.demand.iter().zip(worths);
    let total: u128 = each.map(|(count, worth)| u128::from(*count) * u128::from(*worth)).sum();
    let price = |at: usize| u128::from(problem.machines[at].price);
    // Scales at which a machine's content is worth exactly its price: price / upper.
    let scale = |(at, upper): &(usize, u64)| (price(*at), u128::from((*upper).max(1)));
    let lower = |a: &(u128, u128), b: &(u128, u128)| (a.0 * b.1).cmp(&(b.0 * a.1));
    let (limited, free): (Vec<_>, Vec<_>) =
        uppers.iter().filter(|(_, upper)| *upper > 0).partition(|(at, _)| open.left[*at].is_some());
    let highest = free.iter().copied().map(scale).min_by(lower);
    let mut scales: Vec<(u128, u128)> = limited.iter().copied().map(scale).collect();
    match highest {
        Some(highest) => {
            scales.retain(|it| lower(it, &highest).is_lt());
            scales.push(highest);
        }
        // All are limited: worths as they are.
        None => scales.push((1, 1)),
    }
    let value = |(part, whole): (u128, u128)| {
        let exceeded = limited.iter().map(|(at, upper)| {
            let worth = (u128::from(*upper) * part).div_ceil(whole);
            worth.saturating_sub(price(*at)) * u128::from(open.left[*at].unwrap_or(0))
        });
        (total * part / whole).saturating_sub(exceeded.sum())
    };
    scales.into_iter().map(value).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Machine, Shape};
    use super::*;

    fn problem(machines: &[(u64, u64, Option<u64>)]) -> Problem {
        let machine = |(room, price, limit): &(u64, u64, Option<u64>)| Machine {
            room: [*room, 0, 0, 0, 100],
            price: *price,
            limit: *limit,
            takes: vec![true],
        };
        Problem {
            shapes: vec![Shape { need: [3, 0, 0, 0, 1], count: 10 }],
            machines: machines.iter().map(machine).collect(),
        }
    }

    #[test]
    fn worths_are_scaled_to_what_machines_cost() {
        let problem = problem(&[(10, 30, None)]);
        // Three fit, so that ten need four machines for 120; the relaxation says 100.
        assert_eq!(proven(&problem, &problem.open(), &[10], &[(0, 30)]), 100);
        assert_eq!(proven(&problem, &problem.open(), &[20], &[(0, 60)]), 100);
    }

    #[test]
    fn machines_that_are_there_lower_it_once_each() {
        let two = problem(&[(10, 30, None), (10, 0, Some(2))]);
        assert_eq!(proven(&two, &two.open(), &[10], &[(0, 30), (1, 30)]), 40);
        let only = problem(&[(10, 5, Some(1))]);
        // Worth whatever, ten do not fit into one: no bound is wrong, and none is infinite.
        assert_eq!(proven(&only, &only.open(), &[10], &[(0, 30)]), 75);
    }
}
