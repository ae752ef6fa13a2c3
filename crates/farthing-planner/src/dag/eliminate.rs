//! Exact dynamic programming: tasks are eliminated one by one, each into a table over the tasks
//! that it has data with. Chains and trees never need more than a table of two; any other graph
//! needs tables as wide as its shape demands, and [`exact`] does it where they are small enough.

use super::amount::Amount;
use super::energy::Energy;

/// A cost for each combination of labels of a few tasks, ascending; the last varies fastest.
struct Factor<A> {
    tasks: Vec<usize>,
    costs: Vec<A>,
}

/// A task that was eliminated: its best label for each combination of the tasks around it.
struct Eliminated {
    task: usize,
    around: Vec<usize>,
    best: Vec<u32>,
}

/// The cheapest choice of all, ties to earlier labels in the order of elimination; `None` where
/// the tables would need more than `work_max` entries. The first number is the entries read.
pub(crate) fn exact<A: Amount>(energy: &Energy<A>, work_max: usize) -> (u64, Option<Vec<usize>>) {
    let sizes: Vec<usize> = energy.unary.iter().map(Vec::len).collect();
    // Each step to an order looks at all tasks and what is around them.
    let mut work = (sizes.len() * (sizes.len() + energy.pairs.len())) as u64;
    let Some(order) = order(energy, &sizes, work_max) else { return (work, None) };
    let mut factors: Vec<Factor<A>> = energy.unary.iter().enumerate().map(single).collect();
    factors.extend(energy.pairs.iter().enumerate().map(|(at, pair)| {
        let (rows, columns) = (sizes[pair.u], sizes[pair.v]);
        let row = |x: usize| (0..columns).map(move |y| energy.cost(at, x, y));
        Factor { tasks: vec![pair.u, pair.v], costs: (0..rows).flat_map(row).collect() }
    }));
    let mut eliminated = Vec::with_capacity(order.len());
    for task in order {
        let (about, rest) =
            factors.into_iter().partition(|it: &Factor<A>| it.tasks.contains(&task));
        factors = rest;
        let (done, factor) = eliminate(task, &about, &sizes);
        work += (done.best.len() * sizes[task] * about.len()) as u64;
        eliminated.push(done);
        factors.push(factor);
    }
    let mut choice = vec![0; sizes.len()];
    for done in eliminated.iter().rev() {
        let at = done.around.iter().fold(0, |at, task| at * sizes[*task] + choice[*task]);
        choice[done.task] = done.best[at] as usize;
    }
    (work, Some(choice))
}

fn single<A: Amount>((task, unary): (usize, &Vec<A>)) -> Factor<A> {
    Factor { tasks: vec![task], costs: unary.clone() }
}

/// An order of elimination, smallest table first, if all of them together are small enough.
fn order<A: Amount>(energy: &Energy<A>, sizes: &[usize], work_max: usize) -> Option<Vec<usize>> {
    let mut around: Vec<Vec<usize>> = (0..sizes.len())
        .map(|task| energy.around(task).map(|(_, other)| other).collect())
        .collect();
    let mut left: Vec<usize> = (0..sizes.len()).collect();
    let (mut order, mut work) = (Vec::with_capacity(sizes.len()), 0_usize);
    while !left.is_empty() {
        let table = |task: usize| {
            around[task].iter().fold(sizes[task], |all, other| all.saturating_mul(sizes[*other]))
        };
        let (entries, task) = left.iter().map(|task| (table(*task), *task)).min()?;
        work = work.saturating_add(entries);
        if work > work_max {
            return None;
        }
        left.retain(|other| *other != task);
        let neighbours = std::mem::take(&mut around[task]);
        for one in &neighbours {
            around[*one].retain(|other| *other != task);
            for other in neighbours.iter().filter(|other| *other != one) {
                if !around[*one].contains(other) {
                    around[*one].push(*other);
                }
            }
        }
        order.push(task);
    }
    Some(order)
}

/// Takes the least over the labels of one task of the sum of all factors about it.
fn eliminate<A: Amount>(
    task: usize,
    about: &[Factor<A>],
    sizes: &[usize],
) -> (Eliminated, Factor<A>) {
    let mut around: Vec<usize> = about.iter().flat_map(|factor| factor.tasks.clone()).collect();
    around.sort_unstable();
    around.dedup();
    around.retain(|other| *other != task);
    // How far one step of each task around, and of the task itself, goes in each factor.
    let step = |factor: &Factor<A>, of: usize| {
        let at = factor.tasks.iter().position(|other| *other == of);
        at.map_or(0, |at| factor.tasks[at + 1..].iter().map(|other| sizes[*other]).product())
    };
    let steps: Vec<(Vec<usize>, usize)> = about
        .iter()
        .map(|factor| (around.iter().map(|of| step(factor, *of)).collect(), step(factor, task)))
        .collect();
    let combinations: usize = around.iter().map(|other| sizes[*other]).product();
    let (mut costs, mut best) =
        (Vec::with_capacity(combinations), Vec::with_capacity(combinations));
    let mut counter = vec![0_usize; around.len()];
    let mut offsets = vec![0_usize; about.len()];
    let mut sums = vec![A::default(); sizes[task]];
    for _ in 0..combinations {
        sums.fill(A::default());
        for ((factor, offset), (_, own)) in about.iter().zip(&offsets).zip(&steps) {
            for (label, sum) in sums.iter_mut().enumerate() {
                *sum = sum.plus(factor.costs[offset + label * own]);
            }
        }
        let label = super::energy::first_least(&sums);
        costs.push(sums[label]);
        best.push(u32::try_from(label).unwrap_or(u32::MAX));
        // The next combination, the last task fastest.
        for at in (0..around.len()).rev() {
            counter[at] += 1;
            let wrapped = counter[at] == sizes[around[at]];
            for (offset, (steps, _)) in offsets.iter_mut().zip(&steps) {
                if wrapped {
                    *offset -= steps[at] * (counter[at] - 1);
                } else {
                    *offset += steps[at];
                }
            }
            if !wrapped {
                break;
            }
            counter[at] = 0;
        }
    }
    (Eliminated { task, around: around.clone(), best }, Factor { tasks: around, costs })
}
