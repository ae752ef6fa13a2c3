//! `farthing plan` of a Dag: tasks with data between them.

use super::chain;
use super::market::{all, currency};
use crate::args::{Output, PlanArgs};
use crate::commands::print;
use crate::outcome::{Outcome, WrongUse};
use crate::{plot, show};
use farthing_model::{Budget, Dag, EgressTable, Limit, Money, Scope};
use farthing_planner::{DAG_WORK_MAX, DagInput, Market, Status, check_dag, plan_dag};
use farthing_providers::{egress, manifest::Manifests};
use farthing_server::wire;
use jiff::Timestamp;
use std::time::Instant;

/// Prints the plan. Infeasible where something cannot be met; the output says what, and by how
/// much.
pub(super) fn run(
    args: &PlanArgs,
    output: Output,
    now: Timestamp,
    mut manifests: Manifests,
) -> anyhow::Result<Outcome> {
    let mut dag = the_only_one(args, &mut manifests)?;
    let book = all(&args.given, now, &manifests)?;
    let market = Market::new(&book, currency(&book)?);
    let table = args.given.egress.as_deref().map(egress::load).transpose();
    let table: Option<EgressTable> = table.map_err(|error| WrongUse::new(chain(&error)))?;
    let mut budgets = manifests.budgets;
    if let Some(limit) = &args.given.budget {
        budgets.push(super::budget(limit)?);
    }
    let budgets = limits(&mut dag, &budgets)?;
    let egress = table.as_ref();
    let input = DagInput { dag: &dag, market: &market, egress, now, work_max: DAG_WORK_MAX };
    let started = Instant::now();
    let plan = plan_dag(&input).map_err(|error| WrongUse::new(error.to_string()))?;
    let took = started.elapsed();
    let violations = check_dag(&input, &plan);
    if let Some(first) = violations.first() {
        anyhow::bail!("the checker refuses the plan: {first} ({} in all)", violations.len());
    }
    if let Some(path) = &args.plot {
        plot::write(path, &plot::dag::picture(&plan, &dag))?;
    }
    print(
        output,
        || Ok(show::dag::text(&plan, took.as_micros(), args.baselines)),
        || {
            let json = wire::dag_plan(&input, &plan, &budgets, Some(took));
            let json = if args.baselines { json.with_baselines(&plan) } else { json };
            Ok(serde_json::to_value(json)?)
        },
        || Ok(show::dag::steps(&plan)),
    )?;
    Ok(match plan.status {
        Status::Infeasible => Outcome::Infeasible,
        Status::Optimal | Status::Feasible => Outcome::Done,
    })
}

/// A plan is about one DAG, or about workloads.
fn the_only_one(args: &PlanArgs, manifests: &mut Manifests) -> anyhow::Result<Dag> {
    if args.given.horizon.is_some() {
        let what = "--horizon is for workloads: a Dag costs what it costs from start to end";
        return Err(WrongUse::new(what).into());
    }
    if !manifests.workloads.is_empty() {
        return Err(WrongUse::new("the files have a Dag and Workloads")
            .hint("plan them one after the other: a Dag is planned whole")
            .into());
    }
    let dag = manifests.dags.pop();
    match (dag, manifests.dags.last()) {
        (Some(dag), None) => Ok(dag),
        (Some(dag), Some(other)) => {
            let what = format!("the files have the Dags {} and {}", other.id, dag.id);
            Err(WrongUse::new(what).hint("plan one at a time").into())
        }
        (None, _) => Err(WrongUse::new("there is no Dag to plan").into()),
    }
}

/// Hard budgets in money that are about the DAG limit what it may cost; the least one counts.
fn limits(dag: &mut Dag, budgets: &[Budget]) -> anyhow::Result<Vec<(String, Money)>> {
    let mut limits = Vec::new();
    let about: Vec<&Budget> = budgets.iter().filter(|it| is_about(&it.scope, dag)).collect();
    for budget in about {
        let Limit::Money(limit) = budget.limit else {
            let what = format!("budget {}: GPU-hours do not limit a Dag", budget.id);
            return Err(WrongUse::new(what).hint("give its limit in money").into());
        };
        if budget.hard {
            let least = match dag.cost_max {
                Some(most) if most.currency() != limit.currency() => {
                    let (ours, theirs) = (most.currency(), limit.currency());
                    let what = format!("the limits of the Dag are in {ours} and {theirs}");
                    return Err(WrongUse::new(what).into());
                }
                Some(most) if most.pico() < limit.pico() => most,
                _ => limit,
            };
            dag.cost_max = Some(least);
        }
        limits.push((budget.id.to_string(), limit));
    }
    Ok(limits)
}

fn is_about(scope: &Scope, dag: &Dag) -> bool {
    match scope {
        Scope::All => true,
        Scope::Team(team) => dag.team.as_ref() == Some(team),
        Scope::Label(key, value) => dag.labels.get(key) == Some(value),
    }
}
