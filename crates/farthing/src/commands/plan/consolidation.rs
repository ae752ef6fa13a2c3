//! `farthing plan` of workloads that share nodes of which some stand: which of them to keep, who
//! moves, and what is bought.

use super::standing;
use crate::args::{Output, PlanArgs};
use crate::commands::print;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use farthing_model::{Money, Policy, Workload, proportion};
use farthing_planner::{
    Consolidation, PackInput, RunningInput, StandingNode, check_consolidation, consolidate,
    consolidate_as_usual,
};
use farthing_providers::manifest::StandingNodes;
use farthing_server::wire;
use jiff::SignedDuration;
use std::time::Instant;

/// Prints what becomes of the nodes. Infeasible where something waits.
pub(super) fn run(
    args: &PlanArgs,
    output: Output,
    pack: PackInput<'_>,
    (stated, policy): (&[StandingNodes], &Policy),
) -> anyhow::Result<Outcome> {
    if let Some(hard) = pack.budgets.iter().find(|state| state.budget.hard) {
        let what =
            format!("budget {} is hard, and the files have nodes that stand", hard.budget.id);
        let hint = "what stands is paid already: plan without the budget, or without the nodes";
        return Err(WrongUse::new(what).hint(hint).into());
    }
    let nodes = standing::nodes(stated, pack.offers, pack.workloads)?;
    let move_cost = match policy.nodes.move_cost {
        Some(cost) if cost.currency() != pack.currency => {
            let what = format!("`moveCost` is {cost}, and the prices are in {}", pack.currency);
            return Err(WrongUse::new(what).hint("give both in one currency").into());
        }
        Some(cost) => cost,
        None => usual_move(&nodes, policy, &pack)?,
    };
    let input = RunningInput { pack, nodes: &nodes, move_cost };
    let started = Instant::now();
    let made = checked(&input, consolidate(&input)?)?;
    let took = started.elapsed();
    let mut baselines = Vec::new();
    if args.baselines {
        baselines.push(checked(&input, consolidate_as_usual(&input)?)?);
    }
    print(
        output,
        || Ok(show::consolidation::text(&made, &input, &baselines, took.as_millis())),
        || {
            let ours = wire::consolidation(&made, &input, Some(took));
            let others = baselines.iter().map(|it| wire::consolidation(it, &input, None));
            Ok(serde_json::to_value(ours.with_baselines(others))?)
        },
        || Ok(show::consolidation::steps(&made)),
    )?;
    Ok(if made.waiting.is_empty() { Outcome::Done } else { Outcome::Infeasible })
}

/// What moving a member costs where nobody says it: the part of the nodes that is its own, once
/// more for as long as a node boots, as it is paid for at two places.
fn usual_move(
    nodes: &[StandingNode],
    policy: &Policy,
    pack: &PackInput<'_>,
) -> anyhow::Result<Money> {
    let mut an_hour = Money::zero(pack.currency);
    for node in nodes {
        an_hour = an_hour.checked_add(node.price.per_hour())?;
    }
    let members =
        nodes.iter().flat_map(|node| &node.holds).map(|(_, members)| i128::from(*members));
    let members = members.sum::<i128>().max(1);
    let hour = SignedDuration::from_hours(1).as_nanos();
    let all = proportion(an_hour.pico(), policy.boot.as_nanos().max(0), hour).unwrap_or(0);
    Ok(Money::from_pico(all / members, pack.currency))
}

/// The consolidation, if the checker agrees.
fn checked(input: &RunningInput<'_>, made: Consolidation) -> anyhow::Result<Consolidation> {
    let violations = check_consolidation(input, &made);
    if let Some(first) = violations.first() {
        anyhow::bail!("the checker refuses the steps: {first} ({} in all)", violations.len());
    }
    Ok(made)
}
