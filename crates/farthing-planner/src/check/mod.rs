//! The independent checker: reads an input and a plan for it, and says what is wrong.
//!
//! It is written from the statement of the problem and shares no code with what makes plans: run
//! times, windows, costs, loads and sums are computed here once more, in whole numbers. It does
//! not know how a plan was found and does not judge how good it is, only whether it is true and
//! may be done. Start with [`check()`].
//!
//! What it holds a plan to:
//!
//! - A member runs for `boot` (bought capacity only), its work over the measured throughput
//!   rounded up to the millisecond, and on spot the expected loss: the run over the mean time
//!   between interruptions, times checkpoint and restart, rounded up to the millisecond.
//! - A job with a deadline is on spot only if, interrupted at the worst moment (its last two
//!   checkpoint lengths of work are lost, it is planned anew within `replan`, and both nodes boot
//!   as late as they do at worst), it still ends in time on an offer that is not spot and has no
//!   limit.
//! - It costs its nodes times [`HourlyRate::cost`](farthing_model::HourlyRate::cost) of exactly
//!   that window. A quoted cost is taken as it is.
//! - A service holds its replicas for the horizon, and any division of its buckets that fits
//!   will do; that there is one is proven by a linear program in exact arithmetic.
//! - Of a service with a percentile no more requests wait too long than may (Erlang C), in the
//!   division that the report states.
//! - The schedule of a service with a curve carries every span, costs what its replicas cost with
//!   their cold starts, and gives all back only over gaps in which that pays.
//! - What was placed stays, unless a step changes it.
//! - A hard budget holds in its period around now and in each later one that the plan reaches.

mod budget;
mod capacity;
mod cover;
mod day;
mod interruption;
mod later;
mod placement;
mod report;
mod service;
mod step;
mod violation;
mod wait;
mod whole;

pub use violation::Violation;

use crate::{Input, Placement, Planned};
use farthing_model::{Observed, Offer, OfferId, WorkloadId};
use std::collections::BTreeMap;

/// Everything that is wrong with `planned` as an answer to `input`; empty for a sound plan.
///
/// The order is that of the checks and of the objects in the plan, so that it is the same each
/// time.
pub fn check(input: &Input, planned: &Planned) -> Vec<Violation> {
    let mut audit = Audit {
        input,
        planned,
        offers: input.offers.iter().map(|offer| (&offer.id, offer)).collect(),
        workloads: input.snapshot.workloads.iter().map(|seen| (&seen.workload.id, seen)).collect(),
        placements: BTreeMap::new(),
        found: Vec::new(),
    };
    for placement in &planned.report.placements {
        audit.placements.entry(&placement.workload).or_default().push(placement);
    }
    audit.head();
    audit.steps();
    for placement in &planned.report.placements {
        audit.placement(placement);
    }
    for observed in &input.snapshot.workloads {
        audit.counts(observed);
        audit.service(observed);
    }
    audit.capacity();
    audit.released();
    audit.budgets();
    audit.totals();
    audit.found
}

/// One check in progress.
struct Audit<'a> {
    input: &'a Input,
    planned: &'a Planned,
    offers: BTreeMap<&'a OfferId, &'a Offer>,
    workloads: BTreeMap<&'a WorkloadId, &'a Observed>,
    /// Placements by workload, in the order of the report.
    placements: BTreeMap<&'a WorkloadId, Vec<&'a Placement>>,
    found: Vec<Violation>,
}

impl<'a> Audit<'a> {
    /// Placements of a workload, in the order of the report.
    fn placements_of(&self, workload: &WorkloadId) -> impl Iterator<Item = &'a Placement> {
        self.placements.get(workload).into_iter().flatten().copied()
    }

    /// Whether the plan is about this input at all.
    fn head(&mut self) {
        let (plan, report) = (&self.planned.plan, &self.planned.report);
        let facts = [
            ("id", plan.id == self.input.id),
            ("parent", plan.parent == self.input.parent),
            ("moment", plan.at == self.input.snapshot.at),
            ("horizon", report.horizon == self.input.horizon),
        ];
        let wrong = facts.into_iter().filter(|(_, same)| !same);
        self.found.extend(wrong.map(|(what, _)| Violation::NotThisInput(what)));
    }
}
