//! What of a plan is of some teams.

use super::names::Names;
use farthing_engine::planner::{Planned, Report, SolverReport, Status};
use farthing_engine::{ActionRecord, PlanRecord};
use farthing_model::{Money, Plan, Reason, Step};

/// What a team is told in the place of what is unknown of the whole.
const HIDDEN: &str = "what is unknown of the whole cluster is not shown to a team";

/// The part of a plan that is his: what is proven of the whole says nothing of it, but that no
/// other is better.
pub(super) fn narrow(planned: &Planned, names: &Names) -> Planned {
    let report = &planned.report;
    let owns = |workload: &farthing_model::WorkloadId| names.owns(workload.as_str());
    let mut placements: Vec<_> =
        report.placements.iter().filter(|placed| owns(&placed.workload)).cloned().collect();
    for placed in &mut placements {
        hide(&mut placed.reasons, names);
    }
    let mut waiting: Vec<_> =
        report.waiting.iter().filter(|waits| owns(&waits.workload)).cloned().collect();
    for waits in &mut waiting {
        waits.reason = shown(&waits.reason, names);
    }
    let cost = placements.iter().map(|placed| placed.cost);
    let currency = report.cost.currency();
    let budgets = report.budgets.iter().filter(|row| names.owns(row.budget.as_str()));
    let is_late = waiting.iter().any(|waits| waits.late);
    Planned {
        plan: Plan {
            id: planned.plan.id.clone(),
            parent: planned.plan.parent.clone(),
            at: planned.plan.at,
            steps: steps(&planned.plan.steps, names),
        },
        report: Report {
            policy: report.policy,
            horizon: report.horizon,
            // Parts of a sum that fits.
            cost: Money::sum(cost, currency).unwrap_or(Money::zero(currency)),
            lower_bound: None,
            certified_bound: None,
            gap: None,
            value: farthing_model::Decimal::default(),
            value_bound: None,
            status: match is_late {
                true => Status::Infeasible,
                false if is_optimal(report) => Status::Optimal,
                false => Status::Feasible,
            },
            solver: SolverReport::default(),
            placements,
            services: report.services.iter().filter(|it| owns(&it.workload)).cloned().collect(),
            waiting,
            utilisation: Vec::new(),
            budgets: budgets.cloned().collect(),
            cuts: report.cuts.iter().filter(|cut| owns(&cut.workload)).cloned().collect(),
            excluded: report.excluded.clone(),
            unknown: vec![HIDDEN.to_owned()],
        },
    }
}

/// Whether no plan is better than the whole, also where somebody is late in any of them.
fn is_optimal(report: &Report) -> bool {
    let is_least = || report.lower_bound == Some(report.cost);
    report.status == Status::Optimal || (report.status == Status::Infeasible && is_least())
}

fn steps(all: &[Step], names: &Names) -> Vec<Step> {
    let own = all.iter().filter(|step| {
        step.action.workload().is_some_and(|workload| names.owns(workload.as_str()))
    });
    own.map(|step| {
        let mut step = step.clone();
        hide_reasons(&mut step, names);
        step
    })
    .collect()
}

/// Hides reasons that name others.
pub(super) fn hide_reasons(step: &mut Step, names: &Names) {
    hide(&mut step.reasons, names);
}

fn hide(reasons: &mut [Reason], names: &Names) {
    for reason in reasons {
        *reason = shown(reason, names);
    }
}

fn shown(reason: &Reason, names: &Names) -> Reason {
    let text = reason.to_string();
    let shown = names.text(&text);
    if shown == text { reason.clone() } else { Reason::Rule(shown) }
}

/// The cost of a part of a plan whose record does not keep what it costs each team.
const UNKNOWN: &str = "unknown";

/// What of a plan's cost is his: the sum over his teams.
fn own_cost(plan: &PlanRecord, names: &Names) -> Option<String> {
    let amounts = plan.teams.iter().filter(|(team, _)| names.is_his(team));
    let mut amounts = amounts.map(|(_, amount)| amount.parse::<Money>().ok());
    let first = amounts.next()??;
    let sum = amounts.try_fold(first, |sum, amount| sum.checked_add(amount?).ok())?;
    Some(sum.to_string())
}

/// The part of a plan of the journal; `None` where nothing of it is his.
pub(super) fn narrow_record(plan: &PlanRecord, names: &Names) -> Option<PlanRecord> {
    let workload = |action: &ActionRecord| match action {
        ActionRecord::Start { workload, .. }
        | ActionRecord::Scale { workload, .. }
        | ActionRecord::Suspend { workload }
        | ActionRecord::Resume { workload }
        | ActionRecord::Resize { workload, .. }
        | ActionRecord::Buy { workload, .. } => Some(workload.clone()),
        ActionRecord::Release { .. } => None,
    };
    let steps = plan.steps.iter();
    let steps = steps.filter(|step| workload(&step.action).is_some_and(|it| names.owns(&it)));
    let steps: Vec<_> = steps
        .map(|step| {
            let mut step = step.clone();
            for reason in &mut step.reasons {
                *reason = names.text(reason);
            }
            step
        })
        .collect();
    let waiting = plan.waiting.iter().filter(|waits| names.owns(&waits.workload));
    let waiting: Vec<_> = waiting
        .map(|waits| {
            let mut waits = waits.clone();
            waits.reason = names.text(&waits.reason);
            waits
        })
        .collect();
    if steps.is_empty() && waiting.is_empty() {
        return None;
    }
    let own = |(team, cost): (&String, &String)| (team.clone(), cost.clone());
    let is_optimal = match plan.status.as_str() {
        "infeasible" => plan.lower_bound.as_ref() == Some(&plan.cost),
        status => status == "optimal",
    };
    // What waits may be late: a record does not say.
    let status = match waiting.is_empty() {
        true if is_optimal => Status::Optimal,
        true => Status::Feasible,
        false => Status::Infeasible,
    };
    Some(PlanRecord {
        plan: plan.plan.clone(),
        parent: plan.parent.clone(),
        policy: plan.policy.clone(),
        cost: own_cost(plan, names).unwrap_or_else(|| UNKNOWN.to_owned()),
        teams: plan.teams.iter().filter(|(team, _)| names.is_his(team)).map(own).collect(),
        lower_bound: None,
        status: status.name().to_owned(),
        steps,
        waiting,
        binding: Vec::new(),
    })
}
