//! What if: the same planner on the world as it was last planned for, with something else in it.
//!
//! Nothing is recorded, and nothing is done: a plan made here has no steps that anyone can approve.

use crate::error::EngineError;
use farthing_model::{BudgetId, Limit};
use farthing_planner::{Baseline, Input, Planned, check, plan, plan_as};

/// What is to be otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Other limits of budgets that there are.
    pub limits: Vec<(BudgetId, Limit)>,
    /// Without offers of these providers.
    pub without_providers: Vec<String>,
    /// Without spot offers.
    pub without_spot: bool,
}

/// What would be planned, and what the policies of old would have done.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// The plan.
    pub planned: Planned,
    /// The baselines, on the same input.
    pub baselines: Vec<Planned>,
}

/// Plans `input` again with `changes`.
///
/// # Errors
/// There is no such budget, the planner refuses the input, or its plan does not hold.
pub fn what_if(input: &Input, changes: &Changes) -> Result<WhatIf, EngineError> {
    let mut input = input.clone();
    for (id, limit) in &changes.limits {
        let found = input.budgets.iter_mut().find(|state| state.budget.id == *id);
        let found = found.ok_or_else(|| EngineError::NoBudget(id.to_string()))?;
        found.budget.limit = *limit;
        found.limit = *limit;
    }
    if changes.without_spot || !changes.without_providers.is_empty() {
        let spot = farthing_model::Purchase::Spot;
        let kept = input.offers.iter().filter(|offer| {
            let spot = changes.without_spot && offer.purchase == spot;
            !spot && !changes.without_providers.contains(&offer.place.provider)
        });
        input.offers = kept.cloned().collect();
    }
    let planned = plan(&input).map_err(EngineError::Plan)?;
    if let Some(violation) = check(&input, &planned).first() {
        return Err(EngineError::Refused(violation.to_string()));
    }
    let baselines = Baseline::ALL.into_iter().map(|baseline| plan_as(baseline, &input));
    let baselines = baselines.collect::<Result<_, _>>().map_err(EngineError::Plan)?;
    Ok(WhatIf { planned, baselines })
}
