//! What binds a plan, and what a step of slack would be worth.
//!
//! For each constraint that can bind (a hard budget, an offer that is full, a deadline, a
//! residency) the plan is made again with a little more of it, or without it, and the two are
//! compared. That is exact where a shadow price of a relaxation is not: work comes in whole jobs
//! and machines. Nothing here chooses anything for the plan itself; start at [`sensitivity`].

use crate::account::of_budget;
use crate::compile::plan_alone;
use crate::{Input, PlanError, Planned, Report};
use farthing_model::{
    BudgetId, Decimal, Job, Limit, Money, MoneyError, Offer, OfferId, Reason, Workload, WorkloadId,
    WorkloadKind, gpu_hours,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Columns of the program times plans made again: what a question may cost, about a second.
const WORK_MAX: usize = 20_000;
/// Questions that are asked at most.
const QUESTIONS_MAX: usize = 24;
/// How much larger a budget is tried: one part in so many.
pub(crate) const BUDGET_PART: u16 = 10;
/// How much later a deadline is tried, or a quarter of the time to it if that is shorter.
pub(crate) const LATER_MAX: SignedDuration = SignedDuration::from_hours(6);

/// A constraint with more slack than it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slack {
    /// A hard budget that is larger by this amount.
    Budget(BudgetId, Money),
    /// The most that a DAG may cost, larger by this amount.
    Cap(WorkloadId, Money),
    /// One more node of a limited offer, over the whole horizon.
    Node(OfferId),
    /// A deadline that is later by this time.
    Later(WorkloadId, SignedDuration),
    /// No deadline.
    NoDeadline(WorkloadId),
    /// Any place instead of these jurisdictions.
    Anywhere(WorkloadId, Vec<String>),
}

impl Slack {
    /// For programs: which kind of constraint, of what, and the slack: `+85 USD`, `+1 node`, `+6h`,
    /// `none` (no deadline), `anywhere`.
    pub fn told(&self) -> (&'static str, String, String) {
        match self {
            Self::Budget(id, more) => ("budget", id.to_string(), format!("+{more}")),
            Self::Cap(id, more) => ("budget", id.to_string(), format!("+{more}")),
            Self::Node(id) => ("capacity", id.to_string(), "+1 node".to_owned()),
            Self::Later(id, by) => ("deadline", id.to_string(), format!("+{by:#}")),
            Self::NoDeadline(id) => ("deadline", id.to_string(), "none".to_owned()),
            Self::Anywhere(id, _) => ("residency", id.to_string(), "anywhere".to_owned()),
        }
    }
}

/// What some slack would be worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worth {
    /// The slack.
    pub slack: Slack,
    /// How much more the plan would cost; below zero it saves.
    pub cost: Money,
    /// How much more value would be done.
    pub value: Decimal,
    /// How many more members would be placed.
    pub members: i64,
    /// How much sooner all would be done, where that is what the plan is for; else zero.
    pub sooner: SignedDuration,
    /// Whether both plans are proven optimal, so that this is exact and no accident of the search.
    pub exact: bool,
}

/// What binds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sensitivity {
    /// Constraints of which more would change the plan: the most value first, then the most saved.
    pub binding: Vec<Worth>,
    /// Constraints of which more would change nothing.
    pub loose: usize,
    /// Constraints that were not asked about, as that would have been too much work.
    pub unasked: usize,
}

/// Asks of each constraint that can bind what a step of slack would be worth.
///
/// The work is limited: the larger the program, the fewer questions.
///
/// # Errors
/// As [`crate::plan`].
pub fn sensitivity(input: &Input, planned: &Planned) -> Result<Sensitivity, PlanError> {
    sensitivity_within(input, planned, (WORK_MAX, QUESTIONS_MAX))
}

/// The same for who has less time: at most so many columns of the program times plans made again,
/// and so many questions.
///
/// # Errors
/// As [`crate::plan`].
pub fn sensitivity_within(
    input: &Input,
    planned: &Planned,
    (work_max, questions_max): (usize, usize),
) -> Result<Sensitivity, PlanError> {
    let mut questions = questions(input, &planned.report)?;
    let report = &planned.report;
    // A service has few columns, and the search of a hard one is long all the same.
    let steps = if report.services.is_empty() { 0 } else { report.solver.iterations };
    let one = report.solver.columns.max(usize::try_from(steps).unwrap_or(usize::MAX)).max(1);
    let most = (work_max / one).min(questions_max);
    let mut found =
        Sensitivity { unasked: questions.len().saturating_sub(most), ..Sensitivity::default() };
    questions.truncate(most);
    for slack in questions {
        let worth = worth(input, &planned.report, slack)?;
        if worth.cost.is_zero() && worth.value == Decimal::ZERO && worth.members == 0 {
            found.loose += 1;
        } else {
            found.binding.push(worth);
        }
    }
    found.binding.sort_by_key(|worth| (-worth.value.nano(), worth.cost.pico()));
    Ok(found)
}

/// The constraints that can bind, those that cost value first.
fn questions(input: &Input, report: &Report) -> Result<Vec<Slack>, PlanError> {
    let mut questions = Vec::new();
    for state in input.budgets.iter().filter(|state| state.budget.hard) {
        let more = match state.budget.limit {
            Limit::Money(limit) => {
                let wrong = |source| of_budget(state, source);
                limit.div_rem(BUDGET_PART.into()).map_err(wrong)?.0
            }
            Limit::GpuHoursMilli(milli) => gpu_hours(milli / u64::from(BUDGET_PART)),
        };
        questions.push(Slack::Budget(state.budget.id.clone(), more));
    }
    questions.extend(full(input, report).into_iter().map(Slack::Node));
    for observed in &input.snapshot.workloads {
        let workload = &*observed.workload;
        if !decided(report, workload) {
            continue;
        }
        if let Some(deadline) = deadline(workload).filter(|_| can_be_late(report, workload)) {
            let left = deadline.duration_since(input.snapshot.at);
            let later = LATER_MAX.min(left / 4);
            if later.is_positive() {
                questions.push(Slack::Later(workload.id.clone(), later));
            }
            questions.push(Slack::NoDeadline(workload.id.clone()));
        }
        if !workload.residency.is_empty() {
            let places = workload.residency.clone();
            questions.push(Slack::Anywhere(workload.id.clone(), places));
        }
    }
    Ok(questions)
}

fn deadline(workload: &Workload) -> Option<Timestamp> {
    workload.job().and_then(|job| job.deadline)
}

/// Whether this plan decided about a workload: it placed it anew, or lets it wait.
fn decided(report: &Report, workload: &Workload) -> bool {
    let mut placed = report.placements.iter().filter(|placement| !placement.stays);
    placed.any(|placement| placement.workload == workload.id)
        || report.waiting.iter().any(|waiting| waiting.workload == workload.id)
}

/// Whether a workload waits, or something cheaper was passed over for the time that it takes.
fn can_be_late(report: &Report, workload: &Workload) -> bool {
    let by_time = |reason: &Reason| {
        matches!(reason, Reason::CheaperWouldBeLate { .. } | Reason::CheaperIsFull { .. })
    };
    let placed = report.placements.iter().filter(|placement| placement.workload == workload.id);
    placed.flat_map(|placement| &placement.reasons).any(by_time)
        || report.waiting.iter().any(|waiting| waiting.workload == workload.id)
}

/// Limited offers of which the plan holds every node at some moment.
fn full(input: &Input, report: &Report) -> Vec<OfferId> {
    let mut changes: BTreeMap<&OfferId, Vec<(Timestamp, i64)>> = BTreeMap::new();
    for placement in &report.placements {
        let Some(offer) = &placement.offer else { continue };
        let nodes = i64::from(placement.members) * i64::from(placement.nodes_each);
        let changes = changes.entry(offer).or_default();
        changes.push((placement.window.from(), nodes));
        changes.push((placement.window.to(), -nodes));
    }
    let is_full = |offer: &&Offer| {
        let Some(available) = offer.available else { return false };
        let Some(mut changes) = changes.get(&offer.id).cloned() else { return false };
        changes.sort_unstable();
        let held = changes.iter().scan(0, |held, (_, change)| {
            *held += change;
            Some(*held)
        });
        held.max().is_some_and(|most| most >= i64::from(available))
    };
    input.offers.iter().filter(is_full).map(|offer| offer.id.clone()).collect()
}

/// What the plan is with some slack, against what it is.
fn worth(input: &Input, now: &Report, slack: Slack) -> Result<Worth, PlanError> {
    let relaxed = relaxed(input, &slack)?;
    let then = plan_alone(&relaxed)?.report;
    let wrong = |source: MoneyError| PlanError::Money { object: "the plan".to_owned(), source };
    let value = then.value.checked_sub(now.value);
    let proven = |report: &Report| {
        report.gap.is_some_and(|gap| gap.ppm() == 0) && report.value_bound == Some(report.value)
    };
    Ok(Worth {
        slack,
        cost: then.cost.checked_sub(now.cost).map_err(wrong)?,
        value: value
            .ok_or_else(|| PlanError::Overflow("the values of all workloads".to_owned()))?,
        members: members(&then) - members(now),
        sooner: SignedDuration::ZERO,
        exact: proven(now) && proven(&then),
    })
}

fn members(report: &Report) -> i64 {
    report.placements.iter().map(|placement| i64::from(placement.members)).sum()
}

/// The same input with some slack.
fn relaxed(input: &Input, slack: &Slack) -> Result<Input, PlanError> {
    let mut input = input.clone();
    match slack {
        Slack::Budget(id, more) => {
            let wrong = |source| PlanError::Money { object: format!("budget {id}"), source };
            for state in input.budgets.iter_mut().filter(|state| state.budget.id == *id) {
                for limit in [&mut state.budget.limit, &mut state.limit] {
                    let larger = limit.amount().checked_add(*more).map_err(wrong)?;
                    *limit = match limit {
                        Limit::Money(_) => Limit::Money(larger),
                        // Of whole thousandths, as both of them are.
                        Limit::GpuHoursMilli(_) => {
                            let milli = u64::try_from(larger.pico() / 1_000_000_000);
                            Limit::GpuHoursMilli(milli.map_err(|_| wrong(MoneyError::Overflow))?)
                        }
                    };
                }
            }
        }
        Slack::Node(id) => {
            let one_more = |offer: &Offer| {
                let mut offer = offer.clone();
                if offer.id == *id {
                    offer.available = offer.available.map(|available| available.saturating_add(1));
                }
                offer
            };
            input.offers = input.offers.iter().map(one_more).collect();
        }
        Slack::Later(id, by) => change_job(&mut input, id, |job| {
            job.deadline = job.deadline.map(|at| at.saturating_add(*by).unwrap_or(at));
        }),
        Slack::NoDeadline(id) => change_job(&mut input, id, |job| job.deadline = None),
        Slack::Anywhere(id, _) => change(&mut input, id, |workload| workload.residency.clear()),
        // Of a DAG, which is planned elsewhere.
        Slack::Cap(..) => {}
    }
    Ok(input)
}

fn change(input: &mut Input, id: &WorkloadId, by: impl Fn(&mut Workload)) {
    let seen = input.snapshot.workloads.iter_mut();
    for observed in seen.filter(|observed| observed.workload.id == *id) {
        by(Arc::make_mut(&mut observed.workload));
    }
}

fn change_job(input: &mut Input, id: &WorkloadId, by: impl Fn(&mut Job)) {
    change(input, id, |workload| {
        if let WorkloadKind::Job(job) = &mut workload.kind {
            by(job);
        }
    });
}

#[cfg(test)]
mod tests;
