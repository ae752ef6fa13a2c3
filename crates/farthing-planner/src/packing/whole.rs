//! From the relaxation to whole machines.

use super::bound::Bound;
use super::knapsack::fill;
use super::master::{Master, MasterError, Until, items};
use super::problem::{Content, Open, Problem};

/// Nodes of the search for a content, where many are sought.
const SEARCH: u32 = 40;
/// Rounds of column generation after each machine that is taken.
const ROUNDS: u32 = 3;
/// How many kinds of machines are looked at by worth for their price.
const KEEN: usize = 24;

/// Packs what is open, one machine after the other by what its content is worth for its price, the
/// same as often as there is enough; what is left at last goes where it fits whole. `None` where
/// that does not cost less than `below`, or not everything can be held.
pub(super) fn construct(
    problem: &Problem,
    open: &mut Open,
    worths: &[u64],
    below: u128,
    work: &mut u64,
) -> Option<Vec<Content>> {
    let (mut contents, mut cost) = (Vec::new(), 0_u128);
    let keen = keen(problem, open, worths);
    while !open.is_done() {
        let best = best(problem, open, worths, &keen, work);
        let rest = open.rest();
        let last = problem.cheapest(&rest, &open.left);
        let price = |at: usize| u128::from(problem.machines[at].price);
        let content = match (best, last) {
            // All of the rest at once, where that is no dearer for what it is worth.
            (best, Some(machine))
                if best.as_ref().is_none_or(|(worth, content)| {
                    let all: u128 =
                        rest.iter().map(|(s, n)| u128::from(worths[*s]) * u128::from(*n)).sum();
                    let here = price(content.machine);
                    price(machine) <= here || all * here >= u128::from(*worth) * price(machine)
                }) =>
            {
                Content { machine, counts: rest }
            }
            (Some((_, content)), _) => content,
            (None, _) => return None,
        };
        let often = content.counts.iter().map(|(shape, n)| open.demand[*shape] / n).min()?;
        let often = open.left[content.machine].map_or(often, |left| left.min(often));
        for _ in 0..often {
            cost += price(content.machine);
            if cost >= below {
                return None;
            }
            open.take(&content);
            contents.push(content.clone());
        }
    }
    Some(contents)
}

/// The kinds of machines whose room is worth most for its price, with what no content of them is
/// above while less and less is open; first those of which there are only so many.
fn keen(problem: &Problem, open: &Open, worths: &[u64]) -> Vec<(u128, usize)> {
    let mut rated: Vec<(u128, usize)> = Vec::new();
    for (at, machine) in problem.machines.iter().enumerate() {
        if machine.limit.is_some() {
            rated.push((u128::MAX, at));
            continue;
        }
        let items = items(problem, at, open, worths);
        let upper = u128::from(fill(&machine.room, &items, 1).upper);
        rated.push((rate(upper, machine.price) + 1, at));
    }
    rated.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let limited = rated.iter().filter(|(rate, _)| *rate == u128::MAX).count();
    rated.truncate(KEEN + limited);
    rated
}

/// Worth for a price, in millionths.
fn rate(worth: u128, price: u64) -> u128 {
    worth * 1_000_000 / u128::from(price.max(1))
}

/// The content of most worth for the price of its machine.
fn best(
    problem: &Problem,
    open: &Open,
    worths: &[u64],
    keen: &[(u128, usize)],
    work: &mut u64,
) -> Option<(u64, Content)> {
    let mut best: Option<(u64, Content)> = None;
    for (most, machine) in keen {
        // The others are not better, whatever is on them.
        if best.as_ref().is_some_and(|(worth, content)| {
            rate(u128::from(*worth), problem.machines[content.machine].price) >= *most
        }) {
            break;
        }
        if open.left[*machine] == Some(0) {
            continue;
        }
        let items = items(problem, *machine, open, worths);
        *work += u64::try_from(items.len()).unwrap_or(u64::MAX);
        let kind = &problem.machines[*machine];
        let held = fill(&kind.room, &items, SEARCH);
        let better = held.worth > 0
            && best.as_ref().is_none_or(|(worth, content)| {
                let other = problem.machines[content.machine].price;
                u128::from(held.worth) * u128::from(other)
                    > u128::from(*worth) * u128::from(kind.price)
            });
        if better {
            best = Some((held.worth, Content { machine: *machine, counts: held.counts }));
        }
    }
    best
}

/// Takes machines as the relaxation has them, the whole ones first, and solves it again for what is
/// left. `None` where not everything can be held.
pub(super) fn dive(
    master: &mut Master<'_>,
    work: u64,
) -> Result<Option<Vec<Content>>, MasterError> {
    let problem = master.problem;
    let (mut open, mut taken) = (problem.open(), Vec::new());
    let until = Until { rounds: ROUNDS, gap_ppm: 1_000, exact: false, work };
    while !open.is_done() {
        master.begin(&open);
        let Some((relaxed, _)) = master.generate(&open, Bound::default(), until)? else {
            return Ok(None);
        };
        let mut order: Vec<(i128, usize)> =
            relaxed.taken_ppm.iter().copied().zip(0..).filter(|(ppm, _)| *ppm > 0).collect();
        order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let whole = order.iter().any(|(ppm, _)| *ppm >= 1_000_000);
        let all: i128 = order.iter().map(|(ppm, _)| ppm).sum();
        // An eighth of what the parts come to, one at least.
        let mut most = if whole { i128::MAX } else { (all / 8_000_000).max(1) };
        let before = taken.len();
        for (ppm, at) in order {
            let often = if whole { ppm / 1_000_000 } else { 1 };
            for _ in 0..often.min(most) {
                let Some(content) = trimmed(problem, &open, &master.contents[at]) else { break };
                if taken.len() > before && is_much_less(&content, &master.contents[at]) {
                    break;
                }
                open.take(&content);
                taken.push(content);
                most -= 1;
            }
        }
        if taken.len() == before {
            return Ok(None);
        }
    }
    Ok(Some(taken))
}

/// A content with no more than is open, on the cheapest machine that then holds it.
pub(super) fn trimmed(problem: &Problem, open: &Open, content: &Content) -> Option<Content> {
    let counts = content.counts.iter().map(|(shape, n)| (*shape, (*n).min(open.demand[*shape])));
    let counts: Vec<(usize, u64)> = counts.filter(|(_, n)| *n > 0).collect();
    if counts.is_empty() || open.left[content.machine] == Some(0) {
        return None;
    }
    let cheaper = problem
        .cheapest(&counts, &open.left)
        .filter(|at| problem.machines[*at].price < problem.machines[content.machine].price);
    Some(Content { machine: cheaper.unwrap_or(content.machine), counts })
}

/// Whether so little is left of a content that the next relaxation knows better.
fn is_much_less(content: &Content, whole: &Content) -> bool {
    let pods = |it: &Content| it.counts.iter().map(|(_, n)| n).sum::<u64>();
    pods(content) * 10 < pods(whole) * 9
}
