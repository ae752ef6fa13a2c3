//! Deadlines as milliseconds from the start, and the earliest end that there can be.

use super::problem::{Costs, Problem};
use super::search::{Found, TooLarge, cheapest};
use super::timing::NEVER;
use super::{DagInput, Obstacle};
use farthing_model::Dag;
use jiff::{SignedDuration, Timestamp};

/// Halvings of a span of time: enough for a year in milliseconds.
const HALVINGS: u64 = 40;
/// The part of the work that is left which one of them may take.
const PART: u64 = 16;

/// When each vertex is due, in milliseconds from `now`; a deadline that has passed is below zero.
pub(crate) fn due(dag: &Dag, now: Timestamp, vertices: usize) -> Vec<i64> {
    let millis = |at: Timestamp| {
        let nanos = at.as_nanosecond() - now.as_nanosecond();
        i64::try_from(nanos.div_euclid(1_000_000)).unwrap_or(NEVER)
    };
    let whole = dag.deadline.map_or(NEVER, millis);
    (0..vertices)
        .map(|vertex| {
            let own = dag.tasks.get(vertex).and_then(|task| task.deadline).map_or(NEVER, millis);
            own.min(whole)
        })
        .collect()
}

/// The earliest end of everything.
pub(crate) struct Fastest {
    /// A choice that ends then.
    pub(crate) choice: Vec<usize>,
    /// When it ends.
    pub(crate) makespan: i64,
    /// Nothing ends earlier.
    pub(crate) bound: i64,
}

/// The choice that ends first, each task by its own due time; `None` where none is in time, or
/// none was found. Cost plays no part. The work that it took is added to `work`.
pub(crate) fn fastest(
    problem: &Problem,
    due: &[i64],
    work_max: u64,
    work: &mut u64,
) -> Result<Option<Fastest>, TooLarge> {
    // Without a price every pair of groups that time couples still needs its table.
    let pairs = problem.timing.links.iter().filter(|link| link.delay.is_some()).map(|link| {
        let (u, v) = (link.from.min(link.to), link.from.max(link.to));
        let cells = vec![0; problem.groups[u].count * problem.groups[v].count];
        (u, v, Costs { cells, costs: vec![0] })
    });
    let free = Problem {
        unary: problem.unary.iter().map(|costs| vec![0; costs.len()]).collect(),
        groups: problem.groups.clone(),
        pairs: pairs.collect(),
        even: false,
        timing: problem.timing.clone(),
    };
    let all: Vec<Vec<usize>> = free.unary.iter().map(|costs| (0..costs.len()).collect()).collect();
    let ends = free.timing.earliest_ends(&all);
    let least = ends.iter().map(|ends| ends.iter().copied().min().unwrap_or(0)).max();
    let mut bound = least.unwrap_or(0);
    let mut left = work_max;
    let mut within = |most: i64| -> Result<Found, TooLarge> {
        let due: Vec<i64> = due.iter().map(|due| (*due).min(most)).collect();
        let found = cheapest(&free, Some(&due), None, left / PART)?;
        left = left.saturating_sub(found.work);
        *work += found.work;
        Ok(found)
    };
    let first = match within(bound)? {
        found if found.best.is_some() => found,
        _ => within(NEVER)?,
    };
    let Some((_, mut choice)) = first.best else { return Ok(None) };
    let mut makespan = free.timing.makespan(&choice);
    let mut tried = 0;
    while bound < makespan && tried < HALVINGS {
        tried += 1;
        let middle = bound + (makespan - bound) / 2;
        let found = within(middle)?;
        let proven = found.is_proven();
        match found.best {
            Some((_, better)) => {
                choice = better;
                makespan = free.timing.makespan(&choice);
            }
            None if proven => bound = middle + 1,
            None => break,
        }
    }
    Ok(Some(Fastest { choice, makespan, bound: bound.min(makespan) }))
}

/// Which deadlines cannot be met, each with the earliest end that there can be.
pub(crate) fn obstacles(
    input: &DagInput<'_>,
    problem: &Problem,
    due: &[i64],
) -> Result<Vec<Obstacle>, TooLarge> {
    let never = vec![NEVER; due.len()];
    let fastest = fastest(problem, &never, input.work_max, &mut 0)?;
    let Some(fastest) = fastest else { return Ok(Vec::new()) };
    let at = |millis: i64| {
        let after = SignedDuration::from_millis(millis);
        input.now.checked_add(after).unwrap_or(Timestamp::MAX)
    };
    let timed = problem.timing.links.iter().any(|link| link.delay.is_some());
    let ends = problem.timing.ends(&fastest.choice);
    let mut obstacles = Vec::new();
    if let Some(deadline) = input.dag.deadline
        && at(fastest.makespan) > deadline
    {
        obstacles.push(Obstacle::Deadline {
            task: None,
            due: deadline,
            earliest: at(fastest.makespan),
            proven: fastest.bound == fastest.makespan,
        });
    }
    for (vertex, task) in input.dag.tasks.iter().enumerate() {
        let Some(deadline) = task.deadline.filter(|deadline| at(ends[vertex]) > *deadline) else {
            continue;
        };
        let (task, earliest) = (Some(task.name.clone()), at(ends[vertex]));
        // Where no transfer takes time, the fastest labels end every task at its earliest.
        obstacles.push(Obstacle::Deadline { task, due: deadline, earliest, proven: !timed });
    }
    Ok(obstacles)
}
