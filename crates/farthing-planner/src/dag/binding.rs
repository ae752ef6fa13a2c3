//! What binds a plan of a DAG, and what a step of slack would be worth: the plan is made again with
//! a little more time or money, without a jurisdiction or with one more node, and the two are
//! compared.
//! Nothing here chooses anything for the plan itself; start at [`dag_sensitivity`].

use super::{DagError, DagInput, DagPlan, Market, plan_dag};
use crate::Status;
use crate::sensitivity::{BUDGET_PART, LATER_MAX, Sensitivity, Slack, Worth};
use farthing_model::{Dag, Decimal, Money, Objective, WorkloadId};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// Questions that are asked at most, and the part of the work of a plan that each may take.
const QUESTIONS_MAX: usize = 6;
const PART: u64 = 16;

/// Asks of each deadline, jurisdiction and offer that runs out what a step of slack would save; of
/// a plan that is to end first, how much sooner it would end with that, or for a tenth more money.
///
/// # Errors
/// As [`plan_dag`].
pub fn dag_sensitivity(input: &DagInput<'_>, plan: &DagPlan) -> Result<Sensitivity, DagError> {
    let mut found = Sensitivity::default();
    if plan.status == Status::Infeasible {
        return Ok(found);
    }
    let mut questions = questions(input, plan);
    found.unasked = questions.len().saturating_sub(QUESTIONS_MAX);
    questions.truncate(QUESTIONS_MAX);
    for slack in questions {
        let (dag, market) = given(input, &slack);
        let market = market.as_ref().unwrap_or(input.market);
        let work_max = input.work_max / PART;
        let other = plan_dag(&DagInput { dag: &dag, market, work_max, ..*input })?;
        let Some((cost, sooner)) = better(input.dag.objective, plan, &other) else {
            found.loose += 1;
            continue;
        };
        let exact = plan.status == Status::Optimal && other.status == Status::Optimal;
        let value = Decimal::ZERO;
        found.binding.push(Worth { slack, cost, value, members: 0, sooner, exact });
    }
    found.binding.sort_by_key(|worth| (std::cmp::Reverse(worth.sooner), worth.cost.pico()));
    Ok(found)
}

/// How much dearer the other plan is and how much sooner it ends, where it is the better one by
/// what is wanted.
fn better(
    objective: Objective,
    plan: &DagPlan,
    other: &DagPlan,
) -> Option<(Money, SignedDuration)> {
    if other.status == Status::Infeasible || other.unpriced_bytes != plan.unpriced_bytes {
        return None;
    }
    let cost = other.cost.checked_sub(plan.cost).ok()?;
    let sooner = match objective {
        Objective::Time => plan.makespan.checked_sub(other.makespan)?,
        _ => SignedDuration::ZERO,
    };
    (sooner.is_positive() || (sooner.is_zero() && cost.is_negative())).then_some((cost, sooner))
}

/// The constraints that can bind.
fn questions(input: &DagInput<'_>, plan: &DagPlan) -> Vec<Slack> {
    let dag = input.dag;
    let mut questions = Vec::new();
    if let Some(more) = dag.cost_max.and_then(|cap| cap.div_rem(BUDGET_PART.into()).ok()) {
        questions.push(Slack::Cap(dag.id.clone(), more.0));
    }
    if let Some(deadline) = dag.deadline {
        let quarter = deadline.duration_since(input.now) / 4;
        questions.push(Slack::Later(dag.id.clone(), LATER_MAX.min(quarter)));
        questions.push(Slack::NoDeadline(dag.id.clone()));
    }
    if !dag.residency.is_empty() {
        questions.push(Slack::Anywhere(dag.id.clone(), dag.residency.clone()));
    }
    let limited = |offer: &&farthing_model::OfferId| input.market.available_of(offer).is_some();
    let used: BTreeSet<_> = plan.tasks.iter().map(|task| &task.offer).filter(limited).collect();
    questions.extend(used.into_iter().cloned().map(Slack::Node));
    for task in &dag.tasks {
        // A name that is no identifier cannot be told.
        let Ok(id) = WorkloadId::new(&task.name) else { continue };
        if task.deadline.is_some() {
            questions.push(Slack::NoDeadline(id.clone()));
        }
        if !task.residency.is_empty() {
            questions.push(Slack::Anywhere(id, task.residency.clone()));
        }
    }
    questions
}

/// The DAG, and the market if that is another, with a slack.
fn given(input: &DagInput<'_>, slack: &Slack) -> (Dag, Option<Market>) {
    let mut dag = input.dag.clone();
    let whole = |id: &WorkloadId| *id == input.dag.id;
    let tasks = |dag: &mut Dag, id: &WorkloadId, change: fn(&mut farthing_model::Task)| {
        dag.tasks.iter_mut().filter(|task| task.name == id.as_str()).for_each(change);
    };
    match slack {
        Slack::Later(_, by) => dag.deadline = dag.deadline.and_then(|it| it.checked_add(*by).ok()),
        Slack::NoDeadline(id) if whole(id) => dag.deadline = None,
        Slack::NoDeadline(id) => tasks(&mut dag, id, |task| task.deadline = None),
        Slack::Anywhere(id, _) if whole(id) => dag.residency.clear(),
        Slack::Anywhere(id, _) => tasks(&mut dag, id, |task| task.residency.clear()),
        Slack::Node(offer) => return (dag, Some(input.market.with_one_more(offer))),
        Slack::Cap(_, more) => {
            dag.cost_max = dag.cost_max.and_then(|cap| cap.checked_add(*more).ok());
        }
        Slack::Budget(..) => {}
    }
    (dag, None)
}
