//! `farthing explain ID -f FILE`: one step or workload of the plan that these files give. The same
//! input gives the same plan, so it is made again and nothing of it has to be kept.

use super::{checked, input, read};
use crate::args::{Output, PlanGiven};
use crate::commands::explain::near;
use crate::commands::print;
use crate::outcome::{Outcome, WrongUse};
use crate::show;
use crate::table::{Align, Table};
use farthing_model::{Offer, OfferId, WorkloadId};
use farthing_planner::{Input, Placement, Planned, Waiting, sensitivity};
use farthing_server::wire;
use std::path::PathBuf;

/// Prints where a workload goes, why, what else was possible, and what binds it.
pub(crate) fn run(
    id: &str,
    files: &[PathBuf],
    given: &PlanGiven,
    output: Output,
) -> anyhow::Result<Outcome> {
    let (now, manifests) = read(files, given)?;
    if !manifests.dags.is_empty() {
        return super::dag::explain(id, given, output, now, manifests);
    }
    if let Some(node) = manifests.nodes.first() {
        let what = "explain speaks of plans without nodes that stand";
        let hint = "farthing plan --output json has the reason of each step";
        return Err(WrongUse::new(node.fault(what).to_string()).hint(hint).into());
    }
    let (input, _) = input(given, now, manifests)?;
    let planned = checked(&input)?;
    let workload = meant(id, &planned)?;
    let of = Explained::of(&workload, &planned, &input)?;
    print(
        output,
        || Ok(of.text()),
        || of.json(&planned, &input),
        || {
            let mut table = Table::new(&[("line", Align::Left)]);
            of.text().lines().for_each(|line| table.row([line.to_owned()]));
            Ok(table)
        },
    )?;
    Ok(Outcome::Done)
}

/// The workload that an id names: its own, or that of a step.
fn meant(id: &str, planned: &Planned) -> anyhow::Result<WorkloadId> {
    let step = planned.plan.steps.iter().find(|step| step.id.as_str() == id);
    if let Some(workload) = step.and_then(|step| step.action.workload()) {
        return Ok(workload.clone());
    }
    let placed = planned.report.placements.iter().map(|placement| &placement.workload);
    let waiting = planned.report.waiting.iter().map(|waiting| &waiting.workload);
    let names: Vec<&WorkloadId> = placed.chain(waiting).collect();
    if let Some(name) = names.iter().find(|name| name.as_str() == id) {
        return Ok((*name).clone());
    }
    let steps = planned.plan.steps.iter().map(|step| step.id.as_str());
    let all = names.iter().map(|name| name.as_str()).chain(steps);
    let hint = near(id, all).unwrap_or_else(|| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        format!("the plan is about {}", names.join(", "))
    });
    Err(WrongUse::new(format!("the plan has no step and no workload {id}")).hint(hint).into())
}

/// Everything about one workload.
struct Explained<'a> {
    workload: &'a WorkloadId,
    placements: Vec<(&'a Placement, Option<&'a Offer>)>,
    waiting: Vec<&'a Waiting>,
    binding: farthing_planner::Sensitivity,
}

impl<'a> Explained<'a> {
    fn of(
        workload: &'a WorkloadId,
        planned: &'a Planned,
        input: &'a Input,
    ) -> anyhow::Result<Self> {
        let offer = |id: &OfferId| input.offers.iter().find(|offer| offer.id == *id);
        let placements = planned.report.placements.iter().filter(|it| it.workload == *workload);
        let waiting = planned.report.waiting.iter().filter(|it| it.workload == *workload);
        Ok(Self {
            workload,
            placements: placements.map(|it| (it, it.offer.as_ref().and_then(offer))).collect(),
            waiting: waiting.collect(),
            binding: sensitivity(input, planned)?,
        })
    }

    fn text(&self) -> String {
        let mut out = Vec::new();
        for (placement, offer) in &self.placements {
            out.push(show::plan::placement(placement, *offer));
        }
        for waiting in &self.waiting {
            out.push(show::plan::waits(waiting));
        }
        out.push(format!("WHAT BINDS THE PLAN\n{}", show::binding::text(&self.binding)));
        out.join("\n\n")
    }

    fn json(&self, planned: &Planned, input: &Input) -> anyhow::Result<serde_json::Value> {
        let whole = wire::plan(planned, &input.offers, None).with_binding(&self.binding);
        let name = Some(self.workload.as_str());
        let steps: Vec<_> =
            whole.steps.iter().filter(|it| it.workload.as_deref() == name).collect();
        let placed = whole.placements.iter().filter(|it| Some(it.workload.as_str()) == name);
        let waiting = whole.waiting.iter().filter(|it| Some(it.workload.as_str()) == name);
        let prices = self.placements.iter().filter_map(|(_, offer)| offer.as_ref());
        let prices = prices.map(|offer| {
            let rate = offer.price.rate().map(|rate| rate.per_hour().to_decimal());
            let from = offer.price.provenance();
            serde_json::json!({
                "offer": offer.id.as_str(), "per_hour": rate,
                "kind": from.map(|from| from.kind.name()),
                "source": from.map(|from| &from.source),
                "as_of": from.map(|from| from.as_of.to_string()),
            })
        });
        Ok(serde_json::json!({
            "workload": self.workload.as_str(),
            "currency": whole.currency,
            "steps": serde_json::to_value(steps)?,
            "placements": serde_json::to_value(placed.collect::<Vec<_>>())?,
            "waiting": serde_json::to_value(waiting.collect::<Vec<_>>())?,
            "prices": prices.collect::<Vec<_>>(),
            "binding": serde_json::to_value(&whole.binding)?,
        }))
    }
}
