//! `farthing plan` of a Dag: tasks with data between them.

use super::chain;
use super::market::{currency, of_dag};
use crate::args::{Output, PlanArgs, PlanGiven};
use crate::commands::explain::near;
use crate::commands::print;
use crate::outcome::{Outcome, WrongUse};
use crate::table::{Align, Table};
use crate::{plot, show};
use farthing_model::{Budget, Dag, EgressTable, Limit, Policy, Scope};
use farthing_planner::{
    DAG_WORK_MAX, DagInput, DagPlan, Market, Status, check_dag, dag_sensitivity, plan_dag,
};
use farthing_providers::{egress, manifest::Manifests};
use farthing_server::wire;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// Prints the plan. Infeasible where something cannot be met; the output says what, and by how
/// much.
pub(super) fn run(
    args: &PlanArgs,
    output: Output,
    now: Timestamp,
    manifests: Manifests,
) -> anyhow::Result<Outcome> {
    let given = Given::of(&args.given, now, manifests)?;
    let input = given.input();
    let (plan, took) = checked(&input)?;
    let binding =
        || dag_sensitivity(&input, &plan).map_err(|error| WrongUse::new(error.to_string()));
    if let Some(path) = &args.plot {
        plot::write(path, &plot::dag::picture(&plan, &given.dag))?;
    }
    let offers = given.market.offers();
    print(
        output,
        || Ok(show::dag::text(&plan, offers, took.as_micros(), (args.baselines, &binding()?))),
        || {
            let json = wire::dag_plan(&input, &plan, &given.budgets, Some(took));
            let json = json.with_binding(&binding()?);
            let json = if args.baselines { json.with_baselines(&plan) } else { json };
            Ok(serde_json::to_value(json)?)
        },
        || Ok(show::dag::steps(&plan)),
    )?;
    Ok(outcome(&plan))
}

/// Prints one task of the plan: where it is and why, what moves, and what else was possible.
pub(super) fn explain(
    id: &str,
    args: &PlanGiven,
    output: Output,
    now: Timestamp,
    manifests: Manifests,
) -> anyhow::Result<Outcome> {
    let given = Given::of(args, now, manifests)?;
    let names = given.dag.tasks.iter().map(|task| task.name.as_str());
    if !names.clone().any(|name| name == id) {
        let hint = near(id, names.clone())
            .unwrap_or_else(|| format!("its tasks are {}", names.collect::<Vec<_>>().join(", ")));
        let what = format!("the Dag {} has no task {id}", given.dag.id);
        return Err(WrongUse::new(what).hint(hint).into());
    }
    let input = given.input();
    let (plan, _) = checked(&input)?;
    let text = || {
        let Some(task) = plan.tasks.iter().find(|task| task.task == id) else {
            let obstacles = plan.obstacles.iter().map(ToString::to_string);
            return obstacles.chain(plan.unknown.clone()).collect::<Vec<_>>().join("\n");
        };
        let offer = given.market.offers().iter().find(|offer| offer.id == task.offer);
        show::dag::task(&plan, task, offer)
    };
    print(
        output,
        || Ok(text()),
        || {
            let whole = wire::dag_plan(&input, &plan, &given.budgets, None);
            Ok(serde_json::to_value(whole.of_task(id))?)
        },
        || {
            let mut table = Table::new(&[("line", Align::Left)]);
            text().lines().for_each(|line| table.row([line.to_owned()]));
            Ok(table)
        },
    )?;
    Ok(outcome(&plan))
}

fn outcome(plan: &DagPlan) -> Outcome {
    match plan.status {
        Status::Infeasible => Outcome::Infeasible,
        Status::Optimal | Status::Feasible => Outcome::Done,
    }
}

/// The plan, as the checker lets it pass, and how long it took.
fn checked(input: &DagInput<'_>) -> anyhow::Result<(DagPlan, Duration)> {
    let started = Instant::now();
    let plan = plan_dag(input).map_err(|error| WrongUse::new(error.to_string()))?;
    let took = started.elapsed();
    let violations = check_dag(input, &plan);
    if let Some(first) = violations.first() {
        anyhow::bail!("the checker refuses the plan: {first} ({} in all)", violations.len());
    }
    Ok((plan, took))
}

/// What files and arguments say of a Dag.
struct Given {
    dag: Dag,
    market: Market,
    egress: Option<EgressTable>,
    policy: Policy,
    now: Timestamp,
    /// Those that are about the Dag, with their limits.
    budgets: Vec<(String, Limit)>,
}

impl Given {
    fn of(given: &PlanGiven, now: Timestamp, mut manifests: Manifests) -> anyhow::Result<Self> {
        let mut dag = the_only_one(given, &mut manifests)?;
        let book = of_dag(given, now, &manifests, &dag)?;
        let market = Market::new(&book, currency(&book)?);
        let egress = Some(given.egress.as_slice()).filter(|paths| !paths.is_empty());
        let egress = egress.map(egress::load).transpose();
        let egress = egress.map_err(|error| WrongUse::new(chain(&error)))?;
        let mut budgets = manifests.budgets;
        if let Some(limit) = &given.budget {
            budgets.push(super::budget(limit)?);
        }
        let budgets = limits(&mut dag, &budgets)?;
        let policy = policy(manifests.policy)?;
        Ok(Self { dag, market, egress, policy, now, budgets })
    }

    fn input(&self) -> DagInput<'_> {
        DagInput {
            dag: &self.dag,
            market: &self.market,
            egress: self.egress.as_ref(),
            policy: &self.policy,
            now: self.now,
            work_max: DAG_WORK_MAX,
        }
    }
}

/// The policy that counts for a Dag: without one `hours` are what a task holds its nodes for, and
/// nothing is added to boot them.
fn policy(stated: Option<Policy>) -> anyhow::Result<Policy> {
    let bare = Policy { boot: SignedDuration::ZERO, ..Policy::default() };
    let mut policy = stated.unwrap_or(bare);
    if policy.spot.is_none() {
        policy.spot = crate::wiring::spot_loss()?;
    }
    Ok(policy)
}

/// A plan is about one DAG, or about workloads.
fn the_only_one(given: &PlanGiven, manifests: &mut Manifests) -> anyhow::Result<Dag> {
    if given.horizon.is_some() {
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

/// Hard budgets that are about the DAG limit what it may cost, or what accelerator time it takes;
/// the least one of each counts.
fn limits(dag: &mut Dag, budgets: &[Budget]) -> anyhow::Result<Vec<(String, Limit)>> {
    let mut limits = Vec::new();
    let about: Vec<&Budget> = budgets.iter().filter(|it| is_about(&it.scope, dag)).collect();
    for budget in about {
        let limit = match budget.limit {
            Limit::Money(limit) => limit,
            Limit::GpuHoursMilli(milli) => {
                if budget.hard {
                    let least = dag.gpu_hours_max_milli.map_or(milli, |most| most.min(milli));
                    dag.gpu_hours_max_milli = Some(least);
                }
                limits.push((budget.id.to_string(), budget.limit));
                continue;
            }
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
        limits.push((budget.id.to_string(), budget.limit));
    }
    Ok(limits)
}

fn is_about(scope: &Scope, dag: &Dag) -> bool {
    match scope {
        Scope::All => true,
        Scope::Team(team) => dag.team.as_ref() == Some(team),
        Scope::Label(key, value) => dag.labels.get(key) == Some(value),
        Scope::Within(scopes) => scopes.iter().all(|scope| is_about(scope, dag)),
    }
}
