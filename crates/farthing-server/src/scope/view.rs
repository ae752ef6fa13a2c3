//! What of a published view is of some teams.
//!
//! Sums are made anew from what is theirs. What cannot be told for a part, such as the gap of a
//! plan, is not known.

use super::Teams;
use super::names::{Names, sees};
use super::plans;
use crate::publish::{Failure, Ticked, View};
use farthing_edge::Head;
use farthing_engine::{Exposure, Flow, Open, TeamShare, Tick, VerifiedRecord};
use farthing_ledger::Usage;
use farthing_model::{Currency, Money, PerResource, Receipt, Snapshot, Step};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The part of a view that is of `teams`.
pub(super) fn narrow(whole: &View, teams: &Teams) -> View {
    let names = names(whole, teams);
    let ticked = |ticked: &Arc<Ticked>| Arc::new(narrow_ticked(ticked, teams, &names));
    let last = whole.last.as_ref().map(ticked);
    let planned = match (&whole.planned, &whole.last) {
        (Some(planned), Some(newest)) if Arc::ptr_eq(planned, newest) => last.clone(),
        (planned, _) => planned.as_ref().map(ticked),
    };
    let own = whole.teams.iter().filter(|(team, _)| teams.contains(*team));
    View {
        about: Arc::clone(&whole.about),
        version: whole.version,
        partial: true,
        ticks: whole.ticks,
        failures: whole.failures,
        last,
        planned,
        open: Arc::new(narrow_open(&whole.open, teams, &names)),
        exposures: narrow_exposures(&whole.exposures, teams),
        seen: whole.seen,
        // What failed may name anybody.
        failure: whole.failure.as_ref().map(|failure| Failure {
            at: failure.at,
            text: "the last tick failed; ask an operator for the reason".to_owned(),
        }),
        total: sum(own.clone().map(|(_, flow)| *flow), whole.about.currency),
        teams: Arc::new(own.map(|(team, flow)| (team.clone(), *flow)).collect()),
        seen_teams: whole.seen_teams.iter().filter(|team| teams.contains(*team)).cloned().collect(),
        steps_done: 0,
        ended: whole.ended,
    }
}

/// What is whose, as far as the view knows.
pub(super) fn names(whole: &View, teams: &Teams) -> Names {
    let ticks = whole.last.iter().chain(&whole.planned);
    let snapshots = ticks.map(|ticked| &ticked.tick.snapshot);
    let budgets = whole.exposures.iter().map(|exposure| &exposure.state.budget);
    let told = whole.last.iter().flat_map(|ticked| &ticked.tick.budgets);
    Names::of(teams, snapshots, budgets.chain(told.map(|state| &state.budget)))
}

fn narrow_exposures(all: &[Exposure], teams: &Teams) -> Arc<[Exposure]> {
    all.iter().filter(|exposure| sees(teams, &exposure.state.budget)).cloned().collect()
}

fn narrow_ticked(ticked: &Ticked, teams: &Teams, names: &Names) -> Ticked {
    Ticked {
        tick: narrow_tick(&ticked.tick, teams, names),
        took: ticked.took,
        solve: ticked.solve,
        offers: Arc::clone(&ticked.offers),
        // How many records there are is of everybody.
        head: Head::GENESIS,
        open: Arc::new(narrow_open(&ticked.open, teams, names)),
        exposures: narrow_exposures(&ticked.exposures, teams),
    }
}

fn narrow_tick(tick: &Tick, teams: &Teams, names: &Names) -> Tick {
    let own: Vec<&TeamShare> =
        tick.teams.iter().filter(|(team, _)| teams.contains(*team)).map(|(_, own)| own).collect();
    let is_own = |step: &Step| step.action.workload().is_some_and(|it| names.owns(it.as_str()));
    let steps: BTreeSet<&str> = tick
        .planned
        .iter()
        .flat_map(|planned| &planned.plan.steps)
        .chain(tick.acted.held.iter().map(|(step, _)| step))
        .filter(|step| is_own(step))
        .map(|step| step.id.as_str())
        .collect();
    let receipts = |all: &[Receipt]| {
        all.iter().filter(|receipt| steps.contains(receipt.step.as_str())).cloned().collect()
    };
    let verified = |record: &&VerifiedRecord| names.owns(&record.target);
    Tick {
        requests: tick.requests,
        at: tick.at,
        window: tick.window,
        money: sum(own.iter().map(|own| flow(own)), tick.money.paid.currency()),
        usage: usage(&own),
        teams: tick
            .teams
            .iter()
            .filter(|(team, _)| teams.contains(*team))
            .map(|(team, share)| (team.clone(), share.clone()))
            .collect(),
        coverage: tick.coverage,
        snapshot: narrow_snapshot(&tick.snapshot, &own, names),
        planned: tick.planned.as_ref().map(|planned| plans::narrow(planned, names)),
        input: None,
        budgets: tick.budgets.iter().filter(|state| sees(teams, &state.budget)).cloned().collect(),
        acted: farthing_engine::Acted {
            receipts: receipts(&tick.acted.receipts),
            held: tick.acted.held.iter().filter(|(step, _)| is_own(step)).cloned().collect(),
            unknown: tick.acted.unknown.iter().filter(|step| is_own(step)).cloned().collect(),
        },
        resolved: receipts(&tick.resolved),
        verified: tick.verified.iter().filter(verified).cloned().collect(),
        notes: Vec::new(),
        reliefs: tick
            .reliefs
            .iter()
            .filter(|relief| names.owns(relief.budget.as_str()))
            .filter(|relief| relief.cuts.iter().all(|cut| names.owns(cut.workload.as_str())))
            .cloned()
            .collect(),
    }
}

/// His workloads, and the nodes on which they had something.
fn narrow_snapshot(snapshot: &Snapshot, own: &[&TeamShare], names: &Names) -> Snapshot {
    let workloads = snapshot.workloads.iter();
    Snapshot {
        cluster: snapshot.cluster.clone(),
        at: snapshot.at,
        nodes: snapshot
            .nodes
            .iter()
            .filter(|node| own.iter().any(|own| own.nodes.contains(&node.id)))
            .cloned()
            .collect(),
        workloads: workloads
            .filter(|observed| names.owns(observed.workload.id.as_str()))
            .cloned()
            .collect(),
        ages: snapshot.ages.clone(),
        coverage: snapshot.coverage,
        // What is said of the cluster and of others is not for him.
        terms: std::sync::Arc::default(),
    }
}

fn narrow_open(open: &Open, teams: &Teams, names: &Names) -> Open {
    let steps = open
        .steps
        .iter()
        .filter(|(_, open)| open.workload().is_some_and(|workload| names.owns(workload.as_str())));
    let claims = open
        .claims
        .iter()
        .filter(|(_, claim)| claim.ask.team.as_ref().is_some_and(|team| teams.contains(team)));
    Open {
        plans: open.plans,
        plan: open.plan.as_ref().and_then(|plan| plans::narrow_record(plan, names)),
        steps: steps
            .map(|(id, step)| {
                let mut step = step.clone();
                plans::hide_reasons(&mut step.step, names);
                step.budgets.retain(|budget| names.owns(budget));
                step.ladder = step.ladder.filter(|ladder| names.owns(ladder.budget.as_str()));
                (id.clone(), step)
            })
            .collect(),
        claims: claims
            .map(|(id, claim)| {
                let mut claim = claim.clone();
                claim.budgets.retain(|budget| names.owns(budget));
                (id.clone(), claim)
            })
            .collect(),
        budgets: open.budgets.iter().filter(|budget| sees(teams, budget)).cloned().collect(),
        started: open.started,
        ..Open::default()
    }
}

/// What a team had: it pays for what it holds, and for nodes that boot for it alone.
pub(crate) fn flow(share: &TeamShare) -> Flow {
    let zero = Money::zero(share.used.currency());
    let parts = Money::sum([share.used, share.idle, share.overhead], zero.currency());
    Flow {
        // A sum that does not fit is of more money than there is; the whole was checked.
        paid: parts.unwrap_or(zero),
        used: share.used,
        idle: share.idle,
        unallocated: zero,
        overhead: share.overhead,
    }
}

/// The sum of parts of a sum that fits.
fn sum(flows: impl Iterator<Item = Flow>, currency: Currency) -> Flow {
    let zero = Money::zero(currency);
    let none = Flow { paid: zero, used: zero, idle: zero, unallocated: zero, overhead: zero };
    flows.fold(none, |sum, flow| sum.checked_add(flow).unwrap_or(sum))
}

fn usage(own: &[&TeamShare]) -> PerResource<Usage> {
    PerResource::from_fn(|resource| {
        own.iter().fold(Usage::default(), |sum, own| {
            let usage = own.usage.get(resource);
            Usage {
                used_nano: sum.used_nano + usage.used_nano,
                idle_nano: sum.idle_nano + usage.idle_nano,
                overhead_nano: sum.overhead_nano + usage.overhead_nano,
                ..sum
            }
        })
    })
}
