//! `farthing plan`: from manifests and prices to a plan with its proof.

mod dag;
mod later;
mod market;
mod packing;
mod why;

use super::{duration, print};
use crate::args::{Output, PlanArgs, PlanGiven};
use crate::outcome::{Outcome, WrongUse};
use crate::{plot, show};
use anyhow::Context as _;
use farthing_model::{
    Budget, BudgetId, ClusterId, Coverage, Limit, Money, Observed, PerResource, Period, PlanId,
    Ratio, Scope, Snapshot, Window, Workload, WorkloadKind, WorkloadState,
};
use farthing_planner::{
    Baseline, BudgetState, Effort, Input, Planned, Status, check, plan, plan_as, sensitivity,
};
use farthing_providers::manifest;
use farthing_server::wire;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use market::currency;
pub(crate) use why::run as explain;

/// Prints the plan. Infeasible when nothing fits a budget or a deadline.
pub(crate) fn run(args: &PlanArgs, output: Output) -> anyhow::Result<Outcome> {
    let (now, manifests) = read(&args.files, &args.given)?;
    if !manifests.dags.is_empty() {
        return dag::run(args, output, now, manifests);
    }
    let (input, left_out) = input(&args.given, now, manifests)?;
    let workloads: Vec<&Workload> =
        input.snapshot.workloads.iter().map(|seen| &*seen.workload).collect();
    if packing::is_for(&workloads, &input) {
        return packing::run(args, output, &input, &workloads);
    }
    let started = Instant::now();
    let mut planned = checked(&input)?;
    let took = started.elapsed();
    if left_out > 0 {
        *planned.report.excluded.entry("no measured throughput").or_default() += left_out;
    }
    if let Some(path) = &args.plot {
        plot::write(path, &picture(&planned, &input)?)?;
    }
    let binding = sensitivity(&input, &planned)?;
    let baselines = if args.baselines { baselines(&input)? } else { Vec::new() };
    let later = later::look(&args.power, &input, &planned)?;
    print(
        output,
        || {
            let took = took.as_millis();
            let text = show::plan::text(&planned, &binding, &baselines, &input.offers, took);
            Ok(text + &later.as_ref().map_or(String::new(), later::Later::text))
        },
        || {
            let wire = |planned, took| wire::plan(planned, &input.offers, took);
            let ours = wire(&planned, Some(took)).with_binding(&binding);
            let baselines = baselines.iter().map(|planned| wire(planned, None));
            let mut answer = serde_json::to_value(ours.with_baselines(baselines))?;
            if let (Some(answer), Some(later)) = (answer.as_object_mut(), &later) {
                answer.insert("later".to_owned(), later.json());
            }
            Ok(answer)
        },
        || Ok(show::plan::steps(&planned.report)),
    )?;
    Ok(match planned.report.status {
        Status::Infeasible => Outcome::Infeasible,
        Status::Optimal | Status::Feasible => Outcome::Done,
    })
}

/// The plan, if the checker agrees.
fn checked(input: &Input) -> anyhow::Result<Planned> {
    let planned = plan(input)?;
    let violations = check(input, &planned);
    if let Some(first) = violations.first() {
        anyhow::bail!("the checker refuses the plan: {first} ({} in all)", violations.len());
    }
    Ok(planned)
}

/// The plan over time or, where there are only services, what they cost at other rates.
fn picture(planned: &Planned, input: &Input) -> anyhow::Result<String> {
    let mut workloads = input.snapshot.workloads.iter().map(|seen| &*seen.workload);
    if workloads.all(|workload| workload.service().is_some()) {
        return plot::serving::picture(input);
    }
    Ok(plot::plan::picture(planned, input))
}

fn baselines(input: &Input) -> anyhow::Result<Vec<Planned>> {
    let plans = Baseline::ALL.into_iter().map(|baseline| {
        plan_as(baseline, input).with_context(|| format!("the baseline {baseline} failed"))
    });
    plans.collect()
}

/// The time to plan at, and what the files say.
fn read(files: &[PathBuf], given: &PlanGiven) -> anyhow::Result<(Timestamp, manifest::Manifests)> {
    let now = now(given.now.as_deref())?;
    let manifests = manifest::load(files, now).map_err(|error| WrongUse::new(error.to_string()))?;
    Ok((now, manifests))
}

/// Everything the plan depends on, from files and arguments, and how many offers were left out as
/// nobody has measured anything on them.
fn input(
    given: &PlanGiven,
    now: Timestamp,
    manifests: manifest::Manifests,
) -> anyhow::Result<(Input, usize)> {
    if !given.egress.is_empty() {
        return Err(WrongUse::new("--egress is for a Dag, and the files have none").into());
    }
    if manifests.workloads.is_empty() {
        return Err(WrongUse::new("there is no Workload to plan")
            .hint("examples/research-team.yaml shows one")
            .into());
    }
    let (offers, left_out) = market::of_workloads(given, now, &manifests)?;
    let currency = currency(&offers)?;
    let mut budgets = manifests.budgets;
    if let Some(limit) = &given.budget {
        budgets.push(budget(limit)?);
    }
    let stated = manifests.policy.is_some();
    let mut policy = manifests.policy.unwrap_or_default();
    if policy.spot.is_none() {
        policy.spot = crate::wiring::spot_loss()?;
    }
    let horizon = horizon(given, &manifests.workloads, now)?;
    let observed = |workload| Observed {
        workload: Arc::new(if stated { workload } else { unreserved(workload) }),
        state: WorkloadState::Waiting,
        generation: 1,
        since: now,
        demand_per_s: None,
    };
    let snapshot = Snapshot {
        cluster: ClusterId::new("file")?,
        at: now,
        nodes: Vec::new(),
        workloads: manifests.workloads.into_iter().map(observed).collect(),
        ages: Vec::new(),
        coverage: Coverage::default(),
        terms: std::sync::Arc::default(),
    };
    let state = |budget: Budget| {
        let period = budget.period.window_at(now)?;
        let zero = Money::zero(currency);
        let limit = budget.limit;
        let (spent, committed) = (zero, zero);
        Some(BudgetState { budget, period, limit, spent, committed, gpu_gone_milli: 0 })
    };
    let input = Input {
        id: PlanId::new("p1")?,
        parent: None,
        snapshot,
        horizon,
        currency,
        offers,
        budgets: budgets.into_iter().filter_map(state).collect(),
        held: Vec::new(),
        policy,
        utilisation: PerResource::default(),
        effort: Effort::default(),
    };
    Ok((input, left_out))
}

/// A service for which nobody asks for a reserve: its throughput table is the most within its
/// objective, and a plan of files without a policy takes it at its word.
fn unreserved(mut workload: Workload) -> Workload {
    if let WorkloadKind::Service(service) = &mut workload.kind {
        service.sizing.target.get_or_insert(Ratio::ONE);
    }
    workload
}

/// A fault with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    parts.join(": ")
}

fn now(asked: Option<&str>) -> anyhow::Result<Timestamp> {
    match asked {
        Some(text) => text.parse().map_err(|_| {
            WrongUse::new(format!("--now `{text}` is not a time"))
                .hint("write it like 2026-12-01T06:00:00Z")
                .into()
        }),
        None => Ok(Timestamp::from_second(Timestamp::now().as_second())?),
    }
}

fn budget(text: &str) -> anyhow::Result<Budget> {
    let limit: Money = text
        .parse()
        .map_err(|error: farthing_model::MoneyError| WrongUse::new(format!("--budget: {error}")))?;
    if limit.is_negative() {
        return Err(WrongUse::new(format!("--budget: {limit} is below zero")).into());
    }
    Ok(Budget {
        id: BudgetId::new("--budget")?,
        scope: Scope::All,
        limit: Limit::Money(limit),
        period: Period::Fixed(Window::new(Timestamp::MIN, Timestamp::MAX)?),
        hard: true,
        escalate: Vec::new(),
        carry: None,
    })
}

/// From now to the last deadline; one hour where nothing has a deadline or a duration.
fn horizon(
    given: &PlanGiven,
    workloads: &[farthing_model::Workload],
    now: Timestamp,
) -> anyhow::Result<Window> {
    if let Some(length) = &given.horizon {
        let length = duration("--horizon", length)?;
        return Window::starting(now, length)
            .ok_or_else(|| WrongUse::new("--horizon is beyond representable time").into());
    }
    let jobs = || workloads.iter().filter_map(farthing_model::Workload::job);
    let deadlines = jobs().filter_map(|job| job.deadline);
    let ends = jobs().filter_map(|job| now.checked_add(job.duration?).ok());
    let hour = now.checked_add(SignedDuration::from_hours(1))?;
    let last = deadlines.chain(ends).filter(|end| *end > now).max().unwrap_or(hour);
    Ok(Window::new(now, last)?)
}
