//! Services apart from everything else: each by the search of its own, where that is enough.
//!
//! What is cheapest for each part alone is cheapest for all together if together they fit. So
//! services are solved one by one and the jobs without them, and only where limited offers or
//! hard budgets do not carry the sum does the whole go to the one program of all decisions.

use super::Serving;
use super::joint::choose_together;
use super::problem::Problem;
use super::program::finish;
use super::search::{Outcome, Solution, Stopped, solve};
use crate::fleet::{Choice, choose};
use crate::program::Program;
use crate::room::Room;
use crate::{Effort, PlanError};
use farthing_model::Queue;

/// Branches of the search of one service. A branch costs tens of microseconds.
const BRANCHES_MAX: u32 = 4_000;

/// The part of an effort's branches that the solver of integer programs gets: one of its own
/// costs a thousand times as much.
const SOLVER_PART: u32 = 10;

/// Rounds in which replicas are added for queues.
const ROUNDS_MAX: u32 = 16;

/// Branches for an effort.
fn branches(effort: Effort) -> u64 {
    u64::from(effort.nodes_max.min(BRANCHES_MAX))
}

impl Serving<'_> {
    /// The cheapest replicas for this service alone; `None` where there are none, or the search
    /// could not tell.
    pub(crate) fn alone(&self, effort: Effort) -> Option<Solution> {
        let problem = self.problem();
        let least = found(&problem, effort)?;
        match self.queue() {
            Some(queue) => self.queued(queue, &problem, &least, effort),
            None => Some(least),
        }
    }

    /// The cheapest that was found whose queues are short enough.
    ///
    /// What a queue needs grows slower than its load, so that fewer kinds may be cheaper than the
    /// cheapest mix: the mix, each kind alone, and the mix without one of its kinds are tried.
    /// The bound is that of the mix without queues, which only need more.
    fn queued(
        &self,
        queue: Queue,
        problem: &Problem,
        least: &Solution,
        effort: Effort,
    ) -> Option<Solution> {
        let kinds = problem.kinds.len();
        let used = |kind: usize| least.counts[kind] > 0;
        let alone = (0..kinds).map(|kind| (0..kinds).filter(|at| *at == kind).collect());
        let without = (0..kinds)
            .filter(|kind| used(*kind))
            .map(|kind| (0..kinds).filter(|at| used(*at) && *at != kind).collect());
        let tries: Vec<Vec<usize>> = alone.chain(without).collect();
        let mut best: Option<Solution> = None;
        let mut note = |solution: Solution| {
            let raised = self.raised(queue, problem, solution);
            let raised = raised.filter(|it| best.as_ref().is_none_or(|best| it.cost < best.cost));
            best = raised.or(best.take());
        };
        let bound = least.bound;
        note(least.clone());
        for tried in tries.into_iter().filter(|kinds| !kinds.is_empty()) {
            found(&only(problem, &tried), effort.of_a_part()).map(&mut note);
        }
        let mut best = best?;
        best.bound = bound;
        best.certified = least.certified;
        best.stopped = (best.cost > bound).then_some(Stopped::Queue);
        Some(best)
    }

    /// A solution with as many replicas more as its queues need.
    fn raised(&self, queue: Queue, problem: &Problem, mut solution: Solution) -> Option<Solution> {
        let needed = self.queued_counts(queue, problem, &solution)?;
        for (count, needed) in solution.counts.iter_mut().zip(needed) {
            *count = (*count).max(needed);
        }
        solution.cost = problem.cost(&solution.counts);
        problem.carries(&solution.counts, &solution.shares).then_some(solution)
    }

    /// These replicas, with as many more as their queues need; `None` where there are no more, or
    /// only these are asked about.
    pub(super) fn in_time(
        &self,
        queue: Queue,
        replicas: &[(usize, u32)],
        effort: Effort,
    ) -> Option<Vec<(usize, u32)>> {
        let mut counts = replicas.to_vec();
        // More replicas may be filled otherwise: until what is found for them needs no more.
        for _ in 0..ROUNDS_MAX {
            let fixed = counts.iter().map(|(kind, count)| (*kind, i64::from(*count))).collect();
            let problem = Self { fixed: Some(fixed), ..self.clone() }.problem();
            let before = found(&problem, effort)?;
            let after = counted(&self.raised(queue, &self.problem(), before)?);
            if after == counts {
                return Some(after);
            }
            counts = after;
        }
        None
    }
}

/// The optimum of a problem, as far as it was found.
pub(super) fn found(problem: &Problem, effort: Effort) -> Option<Solution> {
    match solve(problem, branches(effort)) {
        Outcome::Solved(solution) => {
            let open = solution.stopped.is_some() && problem.slices.is_some();
            let nodes = effort.nodes_max / SOLVER_PART;
            let long = effort.nodes_max > BRANCHES_MAX;
            Some(if open && long { finish(problem, solution, nodes) } else { solution })
        }
        Outcome::Infeasible | Outcome::Open(_) | Outcome::Refused(_) => None,
    }
}

/// A problem in which only some kinds may be used.
fn only(problem: &Problem, kinds: &[usize]) -> Problem {
    let mut problem = problem.clone();
    for (at, kind) in problem.kinds.iter_mut().enumerate() {
        if !kinds.contains(&at) {
            kind.most = kind.fewest;
        }
    }
    problem
}

/// Chooses for a program: its parts apart where they fit together, the whole otherwise.
pub(crate) fn choose_apart(program: &mut Program<'_>, effort: Effort) -> Result<Choice, PlanError> {
    if program.services.is_empty() {
        return choose(program, effort);
    }
    let found: Option<Vec<Solution>> =
        program.services.iter().map(|service| service.alone(effort)).collect();
    let Some(found) = found.filter(|found| fit(program, &[], found)) else {
        return choose_whole(program, effort);
    };
    let services = std::mem::take(&mut program.services);
    let weights = std::mem::take(&mut program.service_weights);
    let jobs = choose(program, effort);
    (program.services, program.service_weights) = (services, weights);
    let jobs = jobs?;
    if !fit(program, &jobs.placed, &found) {
        return choose_whole(program, effort);
    }
    Ok(joined(program, jobs, &found))
}

/// Chooses for everything together. The one program knows loads and no queues, so that where what
/// it gives to a service makes the queue too long, all services with queues are decided again.
fn choose_whole(program: &mut Program<'_>, effort: Effort) -> Result<Choice, PlanError> {
    let choice = choose(program, effort)?;
    let in_time = |(service, served): (&Serving<'_>, &Option<Vec<(usize, u32)>>)| {
        let (Some(queue), Some(replicas)) = (service.queue(), served) else { return true };
        service.in_time(queue, replicas, effort).as_ref() == Some(replicas)
    };
    if program.services.iter().zip(&choice.served).all(in_time) {
        return Ok(choice);
    }
    let raised = raised_in_turn(program, choice.clone(), effort);
    choose_together(program, &choice, raised, effort)
}

/// A choice in which services whose queues are too long with what they got are decided again, one
/// after the other, in the room that the others leave: what they got and more, or what is cheapest
/// for them alone. Where neither fits they are not served.
fn raised_in_turn(program: &Program<'_>, mut choice: Choice, effort: Effort) -> Choice {
    let mut again = Vec::new();
    for (at, service) in program.services.iter().enumerate() {
        let Some(queue) = service.queue() else { continue };
        let Some(Some(replicas)) = choice.served.get(at) else { continue };
        let raised = service.in_time(queue, replicas, effort);
        if raised.as_ref() != Some(replicas) {
            again.push((at, queue, raised));
        }
    }
    for (at, ..) in &again {
        choice.served[*at] = None;
    }
    for (at, queue, raised) in again {
        let service = &program.services[at];
        let alone = service.alone(effort);
        let alone = alone.and_then(|it| service.in_time(queue, &counted(&it), effort));
        let tries = [raised, alone];
        let fits = |replicas: &Vec<(usize, u32)>| {
            let mut served = choice.served.clone();
            served[at] = Some(replicas.clone());
            Room::of(program, &choice.placed, &served).holds()
        };
        let found = tries.into_iter().flatten().find(fits);
        if found.is_none() {
            choice.lost += program.service_weights.get(at).copied().unwrap_or(0);
        }
        choice.served[at] = found;
    }
    choice
}

/// Replicas by kind, those that there are.
fn replicas(found: &[Solution]) -> Vec<Option<Vec<(usize, u32)>>> {
    found.iter().map(|solution| Some(counted(solution))).collect()
}

/// Replicas of a solution by kind, those that there are.
pub(super) fn counted(solution: &Solution) -> Vec<(usize, u32)> {
    let counts = solution.counts.iter().enumerate();
    let counts = counts.filter_map(|(kind, count)| Some((kind, u32::try_from(*count).ok()?)));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Whether limited offers and hard budgets carry all of it.
fn fit(program: &Program<'_>, placed: &[(usize, u32)], found: &[Solution]) -> bool {
    Room::of(program, placed, &replicas(found)).holds()
}

fn joined(program: &Program<'_>, mut choice: Choice, found: &[Solution]) -> Choice {
    choice.served = replicas(found);
    choice.divisions = found.to_vec();
    let present: i128 = program.services.iter().map(|service| service.present_cost).sum();
    let bound = found.iter().map(|solution| solution.bound).sum::<i128>() - present;
    choice.cost_bound = choice.cost_bound.and_then(|jobs| jobs.checked_add(bound));
    let certified = found.iter().map(|solution| solution.certified).sum::<i128>() - present;
    choice.cost_certified = choice.cost_certified.and_then(|jobs| jobs.checked_add(certified));
    for solution in found {
        choice.iterations += solution.rounds;
        choice.columns += solution.counts.len();
        choice.rows += solution.shares.len() + solution.counts.len();
        if let Some(stopped) = solution.stopped {
            choice.limit.get_or_insert(match stopped {
                Stopped::Branches => "branches",
                Stopped::Digits => "precision",
                Stopped::Queue => "queue",
            });
            choice.proven = false;
        }
    }
    choice
}
