//! Decision 2: which members run where and when, and which services are served by what.
//!
//! Lexicographic: the most value done in time within the hard budgets, then the least cost. First
//! everything is tried; if that cannot be, the least weight is lost, and then the cost of that is
//! minimised. A small program goes to the solver as a whole. A large one is solved over the
//! columns that the duals ask for, and its bound is that of [`crate::pricing`], which speaks of
//! all columns.

use crate::PlanError;
use crate::generation::{generate, stated};
use crate::input::Effort;
use crate::pricing::Prices;
use crate::program::{Goal, Program, Role, Written};
use crate::room::Room;
use farthing_milp::{Limits, Outcome, Solution, SolveError, Stop, solve, solve_from};

/// Columns up to which a program is solved as a whole.
const WHOLE_MAX: usize = 1_000;
/// Columns that a part of a large program has when it is solved in whole numbers.
const PART_MAX: usize = 600;
/// A part is solved to this many times the gap that is allowed: its bound is not that of the whole,
/// and the last thousandth takes most of the work.
const PART_CLOSE: u32 = 2;
/// Columns up to which the optimum is proven whatever gap is allowed: the usual small fleet.
const PROVEN_MAX: usize = 300;
/// Branch-and-bound nodes times (columns + rows): nodes of large programs cost more, and the limit
/// is on work.
const WORK_MAX: usize = 4_000_000;

/// What was chosen, and how good it is known to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// Columns with the members that they get.
    pub(crate) placed: Vec<(usize, u32)>,
    /// Members of each class that wait.
    pub(crate) waits: Vec<u32>,
    /// Replicas by kind of each service; `None` = not served anew.
    pub(crate) served: Vec<Option<Vec<(usize, u32)>>>,
    /// How the requests of each service are divided, where it was decided by itself.
    pub(crate) divisions: Vec<crate::serving::Solution>,
    /// No choice of as much weight costs less than this, in 10^-12 and without what stands.
    pub(crate) cost_bound: Option<i128>,
    /// The part of it that is proven in exact arithmetic.
    pub(crate) cost_certified: Option<i128>,
    /// No choice loses less weight than this.
    pub(crate) lost_bound: i128,
    /// Weight that this choice loses.
    pub(crate) lost: i128,
    /// Columns of the whole program.
    pub(crate) columns: usize,
    /// Rows of the last program that was solved.
    pub(crate) rows: usize,
    /// Simplex iterations of all.
    pub(crate) iterations: u64,
    /// The first limit that was hit.
    pub(crate) limit: Option<&'static str>,
    /// Whether the bound met the cost.
    pub(crate) proven: bool,
}

/// The answer for one goal.
struct Answer {
    written: Written,
    values: Vec<i64>,
    objective: i128,
    bound: Option<i128>,
    certified: Option<i128>,
    proven: bool,
}

/// Chooses for a program.
pub(crate) fn choose(program: &Program<'_>, effort: Effort) -> Result<Choice, PlanError> {
    choose_by(program, effort, WHOLE_MAX)
}

/// Chooses for a program that is solved as a whole up to a number of columns.
fn choose_by(program: &Program<'_>, effort: Effort, whole_max: usize) -> Result<Choice, PlanError> {
    let total = program
        .weight_total()
        .ok_or_else(|| PlanError::Overflow("the values of all workloads".to_owned()))?;
    let mut search = Search {
        program,
        effort,
        whole_max,
        choice: Choice { columns: program.columns.len(), ..Choice::default() },
    };
    let nothing = program.columns.is_empty() && program.services.is_empty();
    if nothing {
        let choice = Choice { cost_bound: Some(0), cost_certified: Some(0), ..Choice::default() };
        let waits = program.classes.iter().map(|class| class.size).collect();
        return Ok(Choice { waits, proven: true, ..choice });
    }
    if let Some(answer) = search.best(Goal::Everything, search.everybody())? {
        return Ok(search.conclude(&answer, (0, 0)));
    }
    let value = search.best(Goal::Value, Some(search.greedy()))?;
    let value = value.ok_or_else(|| PlanError::Solver {
        object: "the most value",
        source: SolveError::Solver("it refused a choice that is known to be allowed".to_owned()),
    })?;
    let services: i128 = program.service_weights.iter().sum();
    let lost = value.objective + services;
    let lost_bound = value.bound.map_or(0, |bound| (bound + services).clamp(0, lost));
    debug_assert!(lost <= total);
    let goal = Goal::Cost(lost);
    let start = Search::seeded(&value);
    match search.best(goal, Some(start))? {
        Some(answer) => Ok(search.conclude(&answer, (lost, lost_bound))),
        None => {
            Ok(search
                .conclude(&Answer { bound: None, certified: None, ..value }, (lost, lost_bound)))
        }
    }
}

/// What choices that lose no more weight than said cost at least, and the part of it that is proven
/// in exact arithmetic; without what stands.
pub(crate) fn least_cost(
    program: &Program<'_>,
    effort: Effort,
    lost: i128,
) -> Result<(Option<i128>, Option<i128>), PlanError> {
    let mut search = Search { program, effort, whole_max: WHOLE_MAX, choice: Choice::default() };
    let answer = search.best(Goal::Cost(lost), None)?;
    Ok(answer.map_or((None, None), |answer| (answer.bound, answer.certified)))
}

/// Members by column and services with all their variables, to start from.
#[derive(Clone, Debug, Default)]
struct Start {
    placed: Vec<(usize, i64)>,
    services: Vec<i64>,
}

struct Search<'p, 'a> {
    program: &'p Program<'a>,
    effort: Effort,
    whole_max: usize,
    choice: Choice,
}

fn failed(object: &'static str) -> impl Fn(SolveError) -> PlanError {
    move |source| PlanError::Solver { object, source }
}

impl Search<'_, '_> {
    /// The best choice for a goal; `None` where there is none, or none was found.
    fn best(&mut self, goal: Goal, start: Option<Start>) -> Result<Option<Answer>, PlanError> {
        let all = self.program.columns.len();
        let found = if all <= self.whole_max {
            let active: Vec<usize> = (0..all).collect();
            self.whole(goal, &active, start)
        } else {
            self.generated(goal, start)
        };
        let object = match goal {
            Goal::Everything => "all work at the least cost",
            Goal::Value => "the most value",
            Goal::Cost(_) => "the least cost of the most value",
        };
        match found {
            // An inexact answer is none; the next goal has a start that is exact.
            Err(SolveError::Inexact { .. }) if goal != Goal::Value => Ok(None),
            other => other.map_err(failed(object)),
        }
    }

    fn limits(&self, size: usize, columns: usize) -> Limits {
        let nodes = u32::try_from(WORK_MAX / size.max(1)).unwrap_or(u32::MAX).max(20);
        let proven = columns <= PROVEN_MAX;
        Limits {
            nodes_max: self.effort.nodes_max.min(nodes),
            iterations_max: self.effort.iterations_max,
            gap_ppm: if proven { 0 } else { self.effort.gap.ppm() },
        }
    }

    /// Solves over the given columns alone.
    fn whole(
        &mut self,
        goal: Goal,
        active: &[usize],
        start: Option<Start>,
    ) -> Result<Option<Answer>, SolveError> {
        let written = self.program.problem(goal, active, None, false).map_err(stated)?;
        let start = start.map(|start| start.values(self.program, &written));
        let size = written.problem.vars() + written.problem.rows();
        let mut limits = self.limits(size, active.len());
        if active.len() < self.program.columns.len() {
            limits.gap_ppm = limits.gap_ppm.saturating_mul(PART_CLOSE);
        }
        let mut outcome = solve_from(&written.problem, &limits, start.as_deref())?;
        if start.is_some() && matches!(outcome, Outcome::Feasible(_, Stop::Precision)) {
            // The solver has called a program infeasible because of its start; ask without it.
            outcome = better(outcome, solve(&written.problem, &limits)?);
        }
        self.choice.rows = written.problem.rows();
        let (solution, stop) = match outcome {
            Outcome::Optimal(solution) => (solution, None),
            Outcome::Feasible(solution, stop) => (solution, Some(stop)),
            Outcome::NoSolution { stop, .. } => {
                self.note(stop);
                return Ok(None);
            }
            Outcome::Infeasible(_) | Outcome::Unbounded => return Ok(None),
        };
        if let Some(stop) = stop {
            self.note(stop);
        }
        self.choice.iterations += solution.iterations;
        let Solution { values, objective, bound, certified, .. } = solution;
        Ok(Some(Answer { written, values, objective, bound, certified, proven: stop.is_none() }))
    }

    fn note(&mut self, stop: Stop) {
        let name = match stop {
            Stop::Nodes => "nodes",
            Stop::Iterations => "iterations",
            Stop::Gap => "gap",
            Stop::Precision => "precision",
        };
        self.choice.limit.get_or_insert(name);
    }

    /// Solves over the columns that the duals of the relaxation ask for.
    fn generated(
        &mut self,
        goal: Goal,
        start: Option<Start>,
    ) -> Result<Option<Answer>, SolveError> {
        let program = self.program;
        let limits = (self.limits(1, program.columns.len()), self.effort.gap.ppm());
        let known = start.as_ref().map(|start| start.placed.as_slice());
        let Some(found) = generate(program, goal, known, limits)? else { return Ok(None) };
        self.choice.iterations += found.iterations;
        if found.stopped {
            self.choice.limit.get_or_insert("columns");
        }
        let Prices { bound: proven, .. } = found.prices;
        let (best, left_out) = found.prices.best(program, PART_MAX);
        let start = match (found.point, start) {
            (Some(placed), _) => {
                let placed = placed.into_iter().map(|(at, count)| (at, i64::from(count)));
                Some(Start { placed: placed.collect(), services: Vec::new() })
            }
            (None, start) => start,
        };
        let known = start.iter().flat_map(|start| &start.placed).map(|(column, _)| *column);
        let used = found.used.iter().map(|(column, _)| *column);
        let mut part: Vec<usize> = best.into_iter().chain(used).chain(known).collect();
        part.sort_unstable();
        part.dedup();
        let Some(mut answer) = self.whole(goal, &part, start)? else { return Ok(None) };
        // A column outside of the part costs at least so much more than the bound.
        let outside = left_out.map_or(i128::MAX, |more| proven.saturating_add(more));
        let inside = answer.bound.map_or(i128::MIN, |bound| bound.min(outside));
        let bound = inside.max(proven).min(answer.objective);
        answer.bound = Some(bound);
        answer.certified = Some(proven.min(bound));
        answer.proven = answer.proven && bound == answer.objective;
        if !answer.proven {
            self.note(Stop::Gap);
        }
        Ok(Some(answer))
    }

    /// A choice that is allowed: classes by worth, each to its cheapest columns with room.
    fn greedy(&self) -> Start {
        let program = self.program;
        let mut room = Room::of(program, &[], &vec![None; program.services.len()]);
        let mut waits: Vec<u32> = program.classes.iter().map(|class| class.size).collect();
        let placed = room.fill(program, &mut waits);
        let placed = placed.into_iter().map(|(column, count)| (column, i64::from(count)));
        Start { placed: placed.collect(), services: Vec::new() }
    }

    /// The greedy choice, where nobody waits in it and there are no services.
    fn everybody(&self) -> Option<Start> {
        let program = self.program;
        let start = self.greedy();
        let placed: i64 = start.placed.iter().map(|(_, count)| count).sum();
        let all: i64 = (0..program.classes.len())
            .filter(|class| program.placeable[*class])
            .map(|class| i64::from(program.classes[class].size))
            .sum();
        (program.services.is_empty() && placed == all).then_some(start)
    }

    fn seeded(answer: &Answer) -> Start {
        let mut start = Start::default();
        for (item, value) in answer.written.items.iter().zip(&answer.values) {
            match item.role {
                Role::Column(column) if *value > 0 => start.placed.push((column, *value)),
                Role::Column(_) | Role::Wait(_) => {}
                Role::Served(_) | Role::Replicas(..) | Role::Inner(_) => {
                    start.services.push(*value);
                }
            }
        }
        start
    }

    /// What the answer means, made as good as it can be without a solver.
    fn conclude(&mut self, answer: &Answer, (lost, lost_bound): (i128, i128)) -> Choice {
        let program = self.program;
        let mut choice = std::mem::take(&mut self.choice);
        choice.waits = program.classes.iter().map(|class| class.size).collect();
        let mut replicas: Vec<Vec<(usize, u32)>> = vec![Vec::new(); program.services.len()];
        let mut served = vec![false; program.services.len()];
        for (item, value) in answer.written.items.iter().zip(&answer.values) {
            let count = u32::try_from(*value).unwrap_or(0);
            if count == 0 {
                continue;
            }
            match item.role {
                Role::Column(column) => {
                    choice.placed.push((column, count));
                    choice.waits[program.columns[column].class] -= count;
                }
                Role::Served(service) => served[service] = true,
                Role::Replicas(service, kind) => replicas[service].push((kind, count)),
                Role::Wait(_) | Role::Inner(_) => {}
            }
        }
        choice.served = served
            .into_iter()
            .zip(replicas)
            .map(|(served, replicas)| served.then_some(replicas))
            .collect();
        let mut room = Room::of(program, &choice.placed, &choice.served);
        room.move_earlier(program, &mut choice.placed);
        (choice.lost, choice.lost_bound) = (lost, lost_bound);
        (choice.cost_bound, choice.cost_certified) = (answer.bound, answer.certified);
        choice.proven = answer.proven && lost == lost_bound;
        if lost != lost_bound {
            let more = room.fill(program, &mut choice.waits);
            let gained = |column: usize| program.weights[program.columns[column].class];
            choice.lost -=
                more.iter().map(|(at, count)| gained(*at) * i128::from(*count)).sum::<i128>();
            choice.placed.extend(more);
        }
        choice
    }
}

/// The outcome with the cheaper point, the second one where they are alike.
fn better(first: Outcome, second: Outcome) -> Outcome {
    let cost = |outcome: &Outcome| match outcome {
        Outcome::Optimal(solution) | Outcome::Feasible(solution, _) => Some(solution.objective),
        Outcome::Infeasible(_) | Outcome::Unbounded | Outcome::NoSolution { .. } => None,
    };
    match (cost(&first), cost(&second)) {
        (Some(a), Some(b)) if b <= a => second,
        _ => first,
    }
}

impl Start {
    /// The start in the variables of a problem; whoever is not placed waits.
    fn values(&self, program: &Program<'_>, written: &Written) -> Vec<i64> {
        let mut waits: Vec<i64> =
            program.classes.iter().map(|class| i64::from(class.size)).collect();
        for (column, count) in &self.placed {
            waits[program.columns[*column].class] -= count;
        }
        let mut services = self.services.iter();
        let value = |role: Role| match role {
            Role::Column(column) => self
                .placed
                .iter()
                .filter(|(other, _)| *other == column)
                .map(|(_, count)| *count)
                .sum(),
            Role::Wait(class) => waits[class],
            Role::Served(_) | Role::Replicas(..) | Role::Inner(_) => {
                services.next().copied().unwrap_or(0)
            }
        };
        written.items.iter().map(|item| item.role).map(value).collect()
    }
}

#[cfg(test)]
mod tests;
