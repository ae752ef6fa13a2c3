//! Hard budgets: whoever they have no room for waits, the least value for its money first.

use super::PackInput;
use super::report::{PackedShare, Packing};
use crate::{BudgetState, PlanError};
use farthing_model::{
    Decimal, HourlyRate, Limit, Money, MoneyError, Reason, Workload, WorkloadId, gpu_hours,
};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What a packing adds to a budget: all of what is covered, whenever in the window it falls, so
/// that no period of the budget can be exceeded.
pub(super) fn planned(
    input: &PackInput<'_>,
    state: &BudgetState,
    shares: &[PackedShare],
) -> Result<Money, PlanError> {
    let wrong = |source| PlanError::Money { object: format!("budget {}", state.budget.id), source };
    let mut planned = Money::zero(state.limit.amount().currency());
    for share in shares {
        let Some(workload) = covered(input, state, &share.workload) else { continue };
        let amount = amount(input, state, workload, share).map_err(wrong)?;
        planned = planned.checked_add(amount).map_err(wrong)?;
    }
    Ok(planned)
}

/// What is left in a budget before this packing.
pub(super) fn left(state: &BudgetState) -> Result<Money, PlanError> {
    let wrong = |source| PlanError::Money { object: format!("budget {}", state.budget.id), source };
    match state.limit {
        Limit::Money(limit) => {
            let gone = state.spent.checked_add(state.committed).map_err(wrong)?;
            limit.checked_sub(gone).map_err(wrong)
        }
        limit @ Limit::GpuHoursMilli(_) => {
            limit.amount().checked_sub(gpu_hours(state.gpu_gone_milli)).map_err(wrong)
        }
    }
}

/// Who has to wait, so that the first hard budget that is exceeded is not.
pub(super) fn over(
    input: &PackInput<'_>,
    packing: &Packing,
) -> Result<BTreeMap<WorkloadId, Reason>, PlanError> {
    let mut waits = BTreeMap::new();
    for state in input.budgets.iter().filter(|state| state.budget.hard) {
        let (left, needed) = (left(state)?, planned(input, state, &packing.shares)?);
        if needed.pico() <= left.pico() {
            continue;
        }
        let mut paying: Vec<(&Workload, i128)> = Vec::new();
        for share in &packing.shares {
            let Some(workload) = covered(input, state, &share.workload) else { continue };
            let source = |source| PlanError::Money { object: share.workload.to_string(), source };
            let amount = amount(input, state, workload, share).map_err(source)?.pico();
            match paying.iter_mut().find(|(known, _)| known.id == workload.id) {
                Some((_, sum)) => *sum += amount,
                None => paying.push((workload, amount)),
            }
        }
        paying.retain(|(_, amount)| *amount > 0);
        paying.sort_by(|(a, cost), (b, other)| by_value((a, *cost), (b, *other)));
        let mut still = needed.pico();
        for (workload, amount) in paying {
            if still <= left.pico() {
                break;
            }
            still -= amount;
            let budget = state.budget.id.clone();
            let reason = Reason::OverBudget { budget, left, needed };
            waits.insert(workload.id.clone(), reason);
        }
        if !waits.is_empty() {
            break;
        }
    }
    Ok(waits)
}

/// The least value for its money first, then the last by name.
fn by_value(a: (&Workload, i128), b: (&Workload, i128)) -> Ordering {
    let value = |workload: &Workload| {
        let members = workload.job().map_or(1, |job| i128::from(job.count));
        Decimal::nano(workload.value).saturating_mul(members)
    };
    let left = value(a.0).saturating_mul(b.1);
    left.cmp(&value(b.0).saturating_mul(a.1)).then_with(|| b.0.id.cmp(&a.0.id))
}

fn covered<'a>(
    input: &PackInput<'a>,
    state: &BudgetState,
    id: &WorkloadId,
) -> Option<&'a Workload> {
    let workload = input.workloads.iter().find(|workload| workload.id == *id)?;
    state.budget.scope.covers(workload).then_some(*workload)
}

/// What a share takes of a budget: money, or accelerator time.
fn amount(
    input: &PackInput<'_>,
    state: &BudgetState,
    workload: &Workload,
    share: &PackedShare,
) -> Result<Money, MoneyError> {
    match state.limit {
        Limit::Money(_) => Ok(share.cost),
        Limit::GpuHoursMilli(_) => {
            let one = gpu_hours(workload.resources.gpu_milli);
            let all = one.checked_mul_int(i128::from(share.members))?;
            // A count is not below zero.
            let rate = HourlyRate::new(all).unwrap_or(HourlyRate::free(all.currency()));
            rate.cost(input.window)
        }
    }
}
