//! Which machines to buy for pods that share them: a configuration program by column generation,
//! whole machines from it, and a bound that holds whatever the search did.
//!
//! [`pack`] is the whole story: shapes and machines (`input`), all contents where they are few
//! (`exact`), else worths and the bound (`master`,
//! `bound`), whole machines (`whole`), better ones (`improve`), then nodes with names (`report`).
//! [`check_packing`] verifies a packing from workloads and offers alone, and shares no code with
//! what made it. All numbers are whole. [`consolidate`] is the same for nodes that stand already.

mod baseline;
mod bound;
mod budgets;
mod check;
mod exact;
mod improve;
mod input;
mod knapsack;
mod master;
mod problem;
mod report;
mod running;
mod shares;
mod solve;
mod whole;

#[cfg(test)]
mod tests;

pub use check::{PackingViolation, check_packing};
pub use report::{PackedNode, PackedShare, Packing};
pub use running::{
    Consolidation, NodeAt, RunningInput, RunningStep, StandingNode, StepViolation,
    check_consolidation, consolidate, consolidate_as_usual,
};

use crate::{Baseline, BudgetState, PlanError};
use farthing_model::{Currency, NodeRules, Offer, Window, Workload};
use input::Stated;
use master::MasterError;
use report::Found;
use std::collections::BTreeMap;

/// Everything that a packing depends on.
#[derive(Clone, Copy, Debug)]
pub struct PackInput<'a> {
    /// Jobs of which only the resources matter; what [`is_packed`] says of each.
    pub workloads: &'a [&'a Workload],
    /// What can be bought, sorted by id, each id once. Spot is not used.
    pub offers: &'a [Offer],
    /// For how long everything is held.
    pub window: Window,
    /// The currency of the plan; offers in another one are excluded and counted.
    pub currency: Currency,
    /// What pods may not use of a node.
    pub nodes: NodeRules,
    /// Budgets with what is already gone.
    pub budgets: &'a [BudgetState],
}

/// Whether a workload is one whose members share nodes with others: a job with resources and no
/// other way to say where it runs or what it costs.
pub fn is_packed(workload: &Workload) -> bool {
    workload.job().is_some_and(|job| {
        job.work.is_none() && job.throughput.is_empty() && job.quoted_cost.is_none()
    })
}

/// The cheapest nodes found that hold all members, with a proven bound on any.
///
/// # Errors
/// Numbers that do not fit, or a solver that fails. What fits nowhere is no error: it waits, with
/// its reason.
pub fn pack(input: &PackInput<'_>) -> Result<Packing, PlanError> {
    within_budgets(input, |stated| {
        let Some(mut solved) = solve::solve(&stated.problem).map_err(of_master)? else {
            return Ok(None);
        };
        // What is proven of rounded parts of accelerators holds of them alone. Parts as they are
        // are no dearer, where each has its device in what comes of them.
        if let Some(exact) = solve_exact(stated)? {
            let cost = |contents| stated.problem.cost(contents);
            let is_less = cost(&exact.contents) < cost(&solved.contents);
            if is_less && stated.on_devices(&exact.contents) {
                solved.contents = exact.contents;
            }
            solved.bound = exact.bound;
        }
        let solve::Solved { contents, bound, rounds, columns } = solved;
        Ok(Some(Found { contents, bound: Some(bound), rounds, columns }))
    })
}

/// What comes of parts of accelerators as they are; nothing where none are rounded.
fn solve_exact(stated: &Stated<'_>) -> Result<Option<solve::Solved>, PlanError> {
    let Some(exact) = stated.exact() else { return Ok(None) };
    solve::solve(&exact).map_err(of_master)
}

/// Packs again without those for whom hard budgets have no room, until all keep within them.
fn within_budgets(
    input: &PackInput<'_>,
    search: impl Fn(&Stated<'_>) -> Result<Option<Found>, PlanError>,
) -> Result<Packing, PlanError> {
    let mut waits = BTreeMap::new();
    loop {
        let stated = input::state(input, &waits);
        let found = search(&stated)?;
        let packing = report::report(input, stated, found)?;
        let over = budgets::over(input, &packing)?;
        if over.is_empty() {
            return Ok(packing);
        }
        waits.extend(over);
    }
}

/// The packing of a baseline policy; only [`Baseline::FfdCheapest`] knows how to share nodes.
///
/// # Errors
/// Numbers that do not fit.
pub fn pack_as(baseline: Baseline, input: &PackInput<'_>) -> Result<Option<Packing>, PlanError> {
    if baseline != Baseline::FfdCheapest {
        return Ok(None);
    }
    let packing = within_budgets(input, |stated| {
        let contents = baseline::first_fit(&stated.problem);
        Ok(contents.map(|contents| Found { contents, bound: None, rounds: 0, columns: 0 }))
    })?;
    Ok(Some(Packing { policy: baseline.name(), ..packing }))
}

fn of_master(error: MasterError) -> PlanError {
    match error {
        MasterError::Program(source) => PlanError::Program { source },
        MasterError::Solver(source) => PlanError::Solver { object: "the packing", source },
    }
}
