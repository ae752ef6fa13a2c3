//! Choices that never hold more nodes of an offer at once than there are.
//!
//! The search knows of no such limit. Where its choice breaks one, tasks wait for each other if
//! that is in time (`queue.rs`). Else some of the tasks that hold the offer at once must go
//! elsewhere: the problem is solved again for each of them without that offer, the part with the
//! least bound first, until a part's own best choice holds no more than there is. What is left over
//! is in the bound. First a choice is made without regard to proof: all that is too much goes
//! elsewhere at once. Tasks that have the time to wait for each other may also stay, which no part
//! states: then the bound is no higher than that of the part that they are in.

use super::problem::Problem;
use super::program::{Label, Program};
use super::queue::queued;
use super::search::{Found, TooLarge};
use super::solve::{Chosen, Solved, Work, bound};
use super::timing::{NEVER, Timing};
use super::{DagInput, Obstacle};
use farthing_model::Money;
use std::collections::BTreeMap;

/// Times that too much is sent away.
const MENDINGS: usize = 64;
/// Parts that are solved, at most.
const PARTS_MAX: u64 = 200;
/// Entries that may be read in the time that copying one takes.
const COPY: u64 = 4;
/// The part of the work that is left, one of so many, that one of them may take.
const SHARE: u64 = 4;

/// A part of the problem: what some tasks may not take, and what was found without it.
struct Part {
    banned: Vec<(usize, u32)>,
    found: Found,
}

/// Tasks that hold more nodes of an offer at once than there are.
pub(super) struct Conflict {
    offer: u32,
    /// As few of them as hold too many, and the others.
    pub(super) tasks: Vec<usize>,
    pub(super) others: Vec<usize>,
    wanted: u64,
}

/// The best of what is left to choose, and what is proven of it.
struct Best {
    found: Option<Found>,
    /// The least bound of all that was not searched to the end.
    loose: Option<i128>,
    conflict: Option<Conflict>,
}

/// The plan of what was found, or of the best that holds no more nodes than there are.
pub(super) fn settled(
    input: &DagInput<'_>,
    program: &Program<'_>,
    (due, makespan_bound): (Vec<i64>, Option<i64>),
    (found, work): (Found, &mut Work),
) -> Result<Solved, TooLarge> {
    let waits = match &found.best {
        Some((_, choice)) if program.market.limited => {
            let (read, waits) = queued(input, program, &due, choice);
            work.done += read;
            waits
        }
        _ => None,
    };
    let best = if waits.is_some() {
        Best { found: Some(found), loose: None, conflict: None }
    } else {
        searched(input, program, &due, (found, work))?
    };
    let waits = waits.unwrap_or_default();
    let Some((found, choice)) = best.found.and_then(|found| {
        let (_, choice) = found.best.clone()?;
        Some((found, choice))
    }) else {
        let conflict = best.conflict.map(|conflict| conflict.obstacle(program));
        return match conflict {
            Some(obstacle) => Ok(Solved::Obstacles(vec![obstacle])),
            None => {
                Ok(Solved::Obstacles(super::deadline::obstacles(input, &program.problem, &due)?))
            }
        };
    };
    let labels = program.chosen(&choice);
    let sum = program.sum(&labels);
    let known = bound(program, &found, sum);
    if let Some(cap) = input.dag.cost_max.filter(|cap| sum.known() > cap.pico()) {
        let money = |pico| Money::from_pico(pico, cap.currency());
        let least = known.map_or(0, |(_, known)| known);
        let obstacle = Obstacle::Cost { cap, least: money(sum.known()), bound: money(least) };
        return Ok(Solved::Obstacles(vec![obstacle]));
    }
    Ok(Solved::Plan(Box::new(Chosen {
        bound: known,
        makespan: program.problem.timing.waiting(&waits).makespan(&choice),
        waits,
        choice,
        labels,
        sum,
        makespan_bound,
        careful: false,
        due,
        method: found.method,
        nodes: found.nodes,
        work: work.done,
    })))
}

/// Searches the parts, the one with the least bound first.
fn searched(
    input: &DagInput<'_>,
    program: &Program<'_>,
    due: &[i64],
    (found, work): (Found, &mut Work),
) -> Result<Best, TooLarge> {
    let mut best = Best { found: None, loose: None, conflict: None };
    best.found = mended(input, program, due, (&found, work))?;
    let mut open = vec![Part { banned: Vec::new(), found }];
    let mut solved = 0;
    while let Some(at) = (0..open.len()).min_by_key(|at| open[*at].found.bound) {
        let part = open.swap_remove(at);
        // No choice is in time.
        let Some(least) = part.found.bound else { continue };
        if best.cost().is_some_and(|cost| least >= cost) {
            break;
        }
        let Some((_, choice)) = &part.found.best else {
            best.leave(least);
            continue;
        };
        let labels = program.chosen(choice);
        let Some(conflict) =
            overbooked(input, program, (&program.problem.timing, choice.as_slice()), &labels)
        else {
            best.leave(least);
            best.take(part.found);
            continue;
        };
        let spent = work.is_overdrawn() || (work.left() == 0 && best.found.is_some());
        let over = solved >= PARTS_MAX || spent;
        if over || !at_once(&program.problem, due, &labels, &conflict) {
            best.leave(least);
        }
        if !over {
            for task in &conflict.tasks {
                let mut banned = part.banned.clone();
                banned.push((*task, conflict.offer));
                solved += 1;
                if let Some(found) = without(program, due, &banned, work)? {
                    open.push(Part { banned, found });
                }
            }
        }
        best.conflict.get_or_insert(conflict);
    }
    if let Some(found) = &mut best.found {
        let cost = found.best.as_ref().map(|(cost, _)| *cost);
        found.bound = cost.map(|cost| best.loose.map_or(cost, |loose| loose.min(cost)));
    }
    Ok(best)
}

/// A choice that holds no more than there is, made by sending away all that is too much until
/// nothing is; `None` where there is no conflict, or that comes to nothing.
fn mended(
    input: &DagInput<'_>,
    program: &Program<'_>,
    due: &[i64],
    (found, work): (&Found, &mut Work),
) -> Result<Option<Found>, TooLarge> {
    let mut banned = Vec::new();
    let mut last: Option<Found> = None;
    for _ in 0..MENDINGS {
        if work.is_overdrawn() {
            break;
        }
        let Some((_, choice)) = &last.as_ref().unwrap_or(found).best else { return Ok(None) };
        let labels = program.chosen(choice);
        let Some(conflict) =
            overbooked(input, program, (&program.problem.timing, choice.as_slice()), &labels)
        else {
            return Ok(last);
        };
        // The last of the few is one too many.
        let away = conflict.tasks.last().into_iter().chain(&conflict.others);
        banned.extend(away.map(|task| (*task, conflict.offer)));
        let Some(next) = without(program, due, &banned, work)? else { return Ok(None) };
        last = Some(next);
    }
    Ok(None)
}

/// The cheapest choice in which no task takes what it may not; `None` where a task is left with
/// nothing.
fn without(
    program: &Program<'_>,
    due: &[i64],
    banned: &[(usize, u32)],
    work: &mut Work,
) -> Result<Option<Found>, TooLarge> {
    let keep: Vec<Vec<usize>> = (0..program.vertices.len())
        .map(|vertex| {
            let may = |label: &Label| {
                label.candidate.is_none_or(|it| !banned.contains(&(vertex, it.offer)))
            };
            let labels = program.vertices[vertex].labels.iter().enumerate();
            labels.filter(|(_, label)| may(label)).map(|(at, _)| at).collect()
        })
        .collect();
    if keep.iter().any(Vec::is_empty) {
        return Ok(None);
    }
    let problem = program.problem.restricted(&keep);
    work.done += COPY * problem.cells() as u64;
    let limited = due.iter().any(|due| *due != NEVER);
    let most = (work.left() / SHARE).max(work.all / PARTS_MAX);
    let mut found = work.cheapest(&problem, (limited.then_some(due), None), None, most)?;
    if let Some((_, choice)) = &mut found.best {
        for (at, keep) in choice.iter_mut().zip(&keep) {
            *at = keep[*at];
        }
    }
    Ok(Some(found))
}

/// The first offer of which tasks that run at once hold more nodes than there are, with as few of
/// these tasks as hold too many.
pub(super) fn overbooked(
    input: &DagInput<'_>,
    program: &Program<'_>,
    (timing, choice): (&Timing, &[usize]),
    labels: &[Label],
) -> Option<Conflict> {
    let mut limited: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (vertex, label) in labels.iter().enumerate() {
        let Some(candidate) = label.candidate else { continue };
        if program.market.available[candidate.offer as usize] != u32::MAX {
            limited.entry(candidate.offer).or_default().push(vertex);
        }
    }
    let starts = timing.starts(choice);
    let nodes = |task: usize| u64::from(input.dag.tasks[task].nodes);
    for (offer, tasks) in limited {
        let available = u64::from(program.market.available[offer as usize]);
        for task in &tasks {
            let runs = |other: &&usize| {
                let end = starts[**other] + timing.run[**other][choice[**other]];
                starts[**other] <= starts[*task] && starts[*task] < end
            };
            let mut held: Vec<usize> = tasks.iter().filter(runs).copied().collect();
            let wanted = held.iter().map(|task| nodes(*task)).sum();
            if wanted <= available {
                continue;
            }
            held.sort_by_key(|task| (std::cmp::Reverse(nodes(*task)), *task));
            let mut sum = 0;
            let enough = held.iter().position(|task| {
                sum += nodes(*task);
                sum > available
            });
            let others = held.split_off(enough.map_or(held.len(), |at| at + 1));
            return Some(Conflict { offer, tasks: held, others, wanted });
        }
    }
    None
}

/// Whether any two of these tasks run at once on these labels whatever the other tasks take, as
/// neither can wait for the other.
fn at_once(problem: &Problem, due: &[i64], labels: &[Label], conflict: &Conflict) -> bool {
    let timing = &problem.timing;
    if timing.links.iter().any(|link| link.delay.is_some()) {
        return false;
    }
    let fastest = |run: &Vec<i64>| (0..run.len()).min_by_key(|at| run[*at]).unwrap_or_default();
    let fastest: Vec<usize> = timing.run.iter().map(fastest).collect();
    let (first, last) = (timing.starts(&fastest), timing.limits(&fastest, due));
    // All that runs at once in pairs runs at once.
    let waits = |a: usize, b: usize| first[a] + labels[a].run() + labels[b].run() <= last[b];
    let tasks = &conflict.tasks;
    tasks.iter().all(|a| tasks.iter().all(|b| a == b || !waits(*a, *b)))
}

impl Conflict {
    fn obstacle(&self, program: &Program<'_>) -> Obstacle {
        let offer = program.market.offer(self.offer);
        let (offer, available) = (offer.id.clone(), offer.available.unwrap_or(u32::MAX));
        Obstacle::Available { offer, available, wanted: self.wanted }
    }
}

impl Best {
    fn cost(&self) -> Option<i128> {
        self.found.as_ref()?.best.as_ref().map(|(cost, _)| *cost)
    }

    fn take(&mut self, found: Found) {
        let cost = found.best.as_ref().map(|(cost, _)| *cost);
        if self.cost().is_none_or(|best| cost.is_some_and(|cost| cost < best)) {
            self.found = Some(found);
        }
    }

    /// Remembers the bound of what is not searched any further.
    fn leave(&mut self, bound: i128) {
        self.loose = Some(self.loose.map_or(bound, |loose| loose.min(bound)));
    }
}
