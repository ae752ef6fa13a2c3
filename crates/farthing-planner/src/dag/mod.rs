//! Tasks with data between them, each on one offer, together at the least cost or done first.
//!
//! [`plan_dag`] is the whole story: filters, then dominance, then the search of [`cheapest`], then
//! the report. [`check_dag`] verifies a plan from the manifest, the offers and the egress table
//! alone, and shares no code with what made it. What is minimised, in this order: bytes that move
//! at a price nobody knows; then cost, or, where time is the objective, the end and then cost.
//!
//! The cost of a task is `nodes x rate x run time`, rounded down once to 10^-12, with the run time
//! rounded up to a millisecond: the boot of a bought node, the work, and on spot the loss that is
//! expected; that of a transfer is its bytes by the table, rounded down once.

mod amount;
mod available;
mod baseline;
mod binding;
mod branch;
mod candidate;
mod check;
mod configuration;
mod deadline;
mod eliminate;
mod energy;
mod explain;
mod groups;
mod hours;
mod late;
mod market;
mod neighbourhood;
mod polish;
mod prices;
mod problem;
mod program;
mod queue;
mod report;
mod routes;
mod search;
mod shortlist;
mod solve;
mod timing;
mod tradeoff;

pub use binding::dag_sensitivity;
pub use check::{DagViolation, check_dag};
pub use market::Market;
pub use report::{
    Alternative, DagBaseline, DagPlan, Obstacle, SearchReport, TaskPlan, TransferPlan,
};

use candidate::{Candidates, candidates};
use farthing_model::{Currency, Dag, EgressTable, Objective, Policy};
use jiff::Timestamp;
use program::Program;
use solve::Solved;

/// Everything that a plan of a DAG depends on.
#[derive(Clone, Copy, Debug)]
pub struct DagInput<'a> {
    /// What is to be run.
    pub dag: &'a Dag,
    /// What can be bought.
    pub market: &'a Market,
    /// What moving data costs; without a table it is free inside a region and unknown elsewhere.
    pub egress: Option<&'a EgressTable>,
    /// How long a bought node boots, and how often spot is interrupted.
    pub policy: &'a Policy,
    /// When the DAG starts.
    pub now: Timestamp,
    /// Entries of tables that the search may read: about a nanosecond each.
    pub work_max: u64,
}

/// Work of a search that takes two thirds of a second at most.
pub const DAG_WORK_MAX: u64 = 200_000_000;

/// Why there is no plan at all. What cannot be met is no error: see [`DagPlan::obstacles`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DagError {
    /// A name that stands for several accelerators.
    #[error(
        "task {task}: `{name}` is more than one accelerator: name one of {}",
        choices.join(", ")
    )]
    Ambiguous {
        /// Which task.
        task: String,
        /// As asked.
        name: String,
        /// What it may mean.
        choices: Vec<String>,
    },
    /// The tasks wait for each other.
    #[error("the tasks wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A throughput that is not above zero.
    #[error("task {0}: its throughput is not above zero")]
    NoSpeed(String),
    /// The table or a limit is in another currency than the prices.
    #[error("{what} is in {theirs}, and the prices are in {ours}: convert one of them first")]
    Currency {
        /// What it is.
        what: &'static str,
        /// Its currency.
        theirs: Currency,
        /// That of the prices.
        ours: Currency,
    },
    /// Carbon is not planned for here.
    #[error("the objective of a DAG is cost or time")]
    Objective,
    /// Numbers beyond 38 digits, or a run of more than a hundred thousand years.
    #[error("{0}: its numbers do not fit")]
    TooLarge(String),
}

/// Plans a DAG.
///
/// # Errors
/// [`DagError`]. What cannot be met is an answer: the plan is then infeasible and says what would
/// have to give.
pub fn plan_dag(input: &DagInput<'_>) -> Result<DagPlan, DagError> {
    // 1. What cannot be planned at all.
    refuse(input)?;
    let plan = planned(input)?;
    // 2. Accelerator time has no price of its own: one is looked for where too much would be taken.
    hours::within(input, plan)
}

/// The plan, whatever accelerator time it takes.
fn planned(input: &DagInput<'_>) -> Result<DagPlan, DagError> {
    // 1. Where each task can run.
    let (mut found, mut obstacles): (Vec<Candidates>, Vec<Obstacle>) = (Vec::new(), Vec::new());
    for number in 0..input.dag.tasks.len() {
        match candidates(input, number)? {
            Ok(candidates) => found.push(candidates),
            Err(obstacle) => obstacles.push(obstacle),
        }
    }
    if !obstacles.is_empty() {
        return Ok(explain::infeasible(input, obstacles));
    }
    // 2. The program: labels that no other dominates, and what moves between them.
    let dag = input.dag;
    let due = dag.deadline.is_some() || dag.tasks.iter().any(|task| task.deadline.is_some());
    let timed = due || dag.objective == Objective::Time;
    let program = Program::new(dag, input.market, input.egress, &found, timed)?;
    // 3. The search, within deadlines and caps: with late boots if that can be, else without.
    let careful = late::careful(input, &program)?;
    let solved = careful.map_or_else(|| solve::solve(input, &program), Ok);
    match solved? {
        // 4. The report.
        Solved::Plan(plan) => {
            let program = program.waiting(&plan.waits);
            Ok(explain::plan(input, &program, &found, &plan))
        }
        Solved::Obstacles(obstacles) => Ok(explain::infeasible(input, obstacles)),
    }
}

fn refuse(input: &DagInput<'_>) -> Result<(), DagError> {
    let ours = input.market.currency;
    let same = |what, theirs| {
        if theirs == ours { Ok(()) } else { Err(DagError::Currency { what, theirs, ours }) }
    };
    if let Some(table) = input.egress {
        same("the egress table", table.currency())?;
    }
    if let Some(most) = input.dag.cost_max {
        same("the most that a DAG may cost", most.currency())?;
    }
    for task in &input.dag.tasks {
        for cap in [task.node_price_max, task.price_max].into_iter().flatten() {
            same("the cap on an hour of a task", cap.per_hour().currency())?;
        }
    }
    if input.dag.objective == Objective::Carbon {
        return Err(DagError::Objective);
    }
    let name = |at: &usize| input.dag.tasks[*at].name.clone();
    input.dag.order().map(|_| ()).map_err(|cycle| {
        let mut names: Vec<String> = cycle.iter().map(name).collect();
        names.extend(names.first().cloned());
        DagError::Cycle(names)
    })
}

#[cfg(test)]
mod tests;
